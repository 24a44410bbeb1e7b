//! The media session in its steady state takes nothing from the heap.

#![allow(unsafe_code, reason = "a counting allocator can be written in no other way")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use bytes::Bytes;
use ringcode::base::random::Random;
use ringcode::base::time::Instant;
use ringcode::media::media_session::{Command, Input, MediaSession, Output, SessionConfig};
use ringcode::media::playlist::{Playlist, Segment, SegmentAudio};
use ringcode::sip::offer_answer::Direction;
use ringcode::speech::encoded::EncodedPrompt;
use ringcode::wire::codec::Codec;
use ringcode::wire::rtp::RtpHeader;

thread_local! {
    /// Of this thread: the test harness has threads of its own.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Drains the session and returns how many packets it sent.
fn drain(session: &mut MediaSession) -> u64 {
    let mut sent = 0;
    loop {
        match session.poll_output() {
            Output::Transmit { packet, .. } => sent += u64::from(packet.payload.len() == 160),
            Output::Event(_) => {}
            Output::Timeout(_) => return sent,
        }
    }
}

#[test]
fn a_minute_of_speech_both_ways_allocates_nothing() {
    let remote = ([203, 0, 113, 5], 4000).into();
    let mut session = MediaSession::new(Duration::ZERO, Random::from_seed(1));
    let config = SessionConfig {
        codec: Codec::Pcmu,
        send_payload_type: 0,
        receive_payload_type: 0,
        telephone_event: None,
        remote,
        signalled_by: remote.ip(),
        direction: Direction::SendRecv,
        record: false,
        receive_timeout: Some(Duration::from_secs(10)),
    };
    session.handle_input(Instant::ZERO, Input::Command(Command::Start(config)));
    let prompt = EncodedPrompt::new(Codec::Pcmu, Bytes::from(vec![1; 4000 * 160]));
    let segments = vec![Segment { audio: SegmentAudio::Prompt(prompt), mark: None }];
    session.handle_input(Instant::ZERO, Input::Command(Command::Play { playlist: Playlist { id: 1, segments } }));
    let (mut sent, mut before) = (0, 0);
    for frame in 0..3001u16 {
        if frame == 1 {
            // The first packet's event has taken its place in the queue.
            before = ALLOCATIONS.get();
        }
        let now = Instant::ZERO + Duration::from_millis(20) * frame.into();
        let header =
            RtpHeader { payload_type: 0, marker: false, sequence: frame, timestamp: 160 * u32::from(frame), ssrc: 1 };
        let mut bytes = [0; 172];
        bytes[..12].copy_from_slice(&header.write());
        session.handle_input(now, Input::Packet { source: remote, bytes: &bytes });
        sent += drain(&mut session);
        session.handle_input(now, Input::Timeout);
        sent += drain(&mut session);
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
    assert_eq!((sent, session.report().received), (3001, 3001));
}
