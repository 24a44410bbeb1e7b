//! Both ends of thousands of calls on virtual time, through a link that loses, doubles and reorders.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::media_session::{Command, Event, Input, MediaSession, Output, SessionConfig};
use super::playlist::{Playlist, Segment, SegmentAudio};
use crate::base::random::Random;
use crate::base::time::Instant;
use crate::sip::offer_answer::{Direction, TelephoneEventFormat};
use crate::speech::encoded::EncodedPrompt;
use crate::wire::codec::Codec;
use crate::wire::g711;

const CALLS: u64 = 2000;
const SECONDS: u64 = 4;
const PROMPT: u8 = 0x23;

/// One end of a call.
struct End {
    address: SocketAddr,
    session: MediaSession,
    wake: Option<Instant>,
    events: Vec<Event>,
}

/// A packet under way: its time of arrival, a number that keeps the order, the end that it goes to, and its bytes.
type UnderWay = (Instant, u64, usize, Vec<u8>);

/// A call and the packets that are under way in it.
struct Call {
    ends: [End; 2],
    link: BinaryHeap<Reverse<UnderWay>>,
    random: Random,
    packets: u64,
}

impl Call {
    fn new(seed: u64, codec: Codec) -> Self {
        let mut random = Random::from_seed(seed);
        let addresses: [SocketAddr; 2] = [([10, 0, 0, 1], 20_000).into(), ([10, 0, 0, 2], 30_000).into()];
        let ends = [0, 1].map(|end: usize| {
            let phase = Duration::from_millis(random.below(20));
            let session = MediaSession::new(phase, Random::from_seed(random.u64()));
            End { address: addresses[end], session, wake: None, events: Vec::new() }
        });
        let mut call = Call { ends, link: BinaryHeap::new(), random, packets: 0 };
        for end in [0, 1] {
            let config = SessionConfig {
                codec,
                send_payload_type: codec.static_payload_type().unwrap(),
                receive_payload_type: codec.static_payload_type().unwrap(),
                telephone_event: Some(TelephoneEventFormat {
                    send_payload_type: 101,
                    receive_payload_type: 101,
                    clock_rate: 8000,
                }),
                remote: addresses[1 - end],
                signalled_by: addresses[1 - end].ip(),
                direction: Direction::SendRecv,
                record: true,
                receive_timeout: None,
            };
            call.input(Instant::ZERO, end, Input::Command(Command::Start(config)));
        }
        call
    }

    fn input(&mut self, now: Instant, end: usize, input: Input<'_>) {
        let Call { ends, link, random, packets } = self;
        let peer = ends[1 - end].address;
        let this = &mut ends[end];
        this.session.handle_input(now, input);
        loop {
            match this.session.poll_output() {
                Output::Transmit { destination, packet } => {
                    assert_eq!(destination, peer);
                    // 5 % of the packets never arrive, 5 % arrive twice, each as late as it likes.
                    let copies = match random.below(20) {
                        0 => 0,
                        1 => 2,
                        _ => 1,
                    };
                    for _ in 0..copies {
                        let arrival = now + Duration::from_millis(10 + random.below(60));
                        *packets += 1;
                        link.push(Reverse((arrival, *packets, 1 - end, packet.to_vec())));
                    }
                }
                Output::Event(event) => this.events.push(event),
                Output::Timeout(wake) => {
                    this.wake = wake;
                    return;
                }
            }
        }
    }

    fn run_until(&mut self, end: Instant) {
        loop {
            let wakes = self.ends.iter().enumerate().filter_map(|(n, end)| Some((end.wake?, n)));
            let wake = wakes.min().filter(|(at, _)| *at <= end);
            let arrival = self.link.peek().map(|Reverse((at, ..))| *at).filter(|at| *at <= end);
            match (arrival, wake) {
                (Some(at), wake) if wake.is_none_or(|(wake_at, _)| at <= wake_at) => {
                    let Some(Reverse((_, _, to, bytes))) = self.link.pop() else { return };
                    let source = self.ends[1 - to].address;
                    self.input(at, to, Input::Packet { source, bytes: &bytes });
                }
                (_, Some((at, n))) => self.input(at, n, Input::Timeout),
                _ => return,
            }
        }
    }
}

/// One call: our end plays a prompt, a second of silence and the prompt again; the phone presses some keys. Returns how
/// many packets the phone found lost, double and late.
fn check_call(seed: u64) -> [u64; 3] {
    let codec = if seed.is_multiple_of(2) { Codec::Pcmu } else { Codec::Pcma };
    let mut call = Call::new(seed, codec);
    let at = |millis| Instant::ZERO + Duration::from_millis(millis);
    call.run_until(at(300));
    let prompt = SegmentAudio::Prompt(EncodedPrompt::new(codec, Bytes::from(vec![PROMPT; 30 * 160])));
    let segments = [prompt.clone(), SegmentAudio::Silence(Duration::from_secs(1)), prompt];
    let segments = segments.into_iter().zip(0..).map(|(audio, mark)| Segment { audio, mark: Some(mark) }).collect();
    call.input(at(300), 0, Input::Command(Command::Play { playlist: Playlist { id: 1, segments } }));
    let keys: String =
        (0..1 + call.random.below(8)).map(|_| if call.random.below(2) == 0 { '1' } else { '#' }).collect();
    for digit in keys.chars() {
        let duration = Duration::from_millis(40 + call.random.below(200));
        call.input(at(300), 1, Input::Command(Command::SendDigit { digit, duration }));
    }
    call.run_until(at(SECONDS * 1000 - 1));

    let mut pressed: Vec<char> = Vec::new();
    let mut milestones = Vec::new();
    for event in &call.ends[0].events {
        match event {
            Event::Digit { digit } => pressed.push(*digit),
            Event::FirstPacket => {}
            other => milestones.push(other.clone()),
        }
    }
    // Two neighbours may swap on a link with 60 ms of jitter; none may be missing or double.
    let sorted = |mut keys: Vec<char>| {
        keys.sort_unstable();
        keys
    };
    assert_eq!(sorted(pressed), sorted(keys.chars().collect()));
    let reached = |mark| Event::Reached { playlist: 1, mark };
    assert_eq!(milestones, [reached(0), reached(1), reached(2), Event::Finished { playlist: 1 }]);

    let (ours, phone) = (call.ends[0].session.report(), call.ends[1].session.report());
    assert_eq!((ours.sent, phone.sent), (SECONDS * 50, SECONDS * 50));
    assert_eq!(phone.dropped, 0);
    let under_way = ours.sent - (phone.received - phone.duplicates + phone.lost);
    // Up to four are on the link, and losses at the very start and end have no sequence number around them.
    assert!(under_way <= 10, "{under_way} packets unaccounted for");
    let heard = phone.heard.unwrap_or_default();
    let spoken = g711::decode(codec, &[PROMPT])[0];
    let frames: Vec<bool> = heard.chunks(160).map(|frame| frame.iter().all(|sample| *sample == spoken)).collect();
    let (first, last) = (frames.iter().position(|spoken| *spoken), frames.iter().rposition(|spoken| *spoken));
    let (Some(first), Some(last)) = (first, last) else { panic!("nothing was heard") };
    // 30 + 50 + 30 frames from end to end, but for lost ones at the edges.
    assert!((100..110).contains(&(last - first)), "spoken in frames {first} to {last}");
    assert!(frames[first..=last].iter().filter(|spoken| **spoken).count() > 45);
    assert!(!frames[first + 30..last - 30].iter().any(|spoken| *spoken), "the gap is silent");
    [phone.lost, phone.duplicates, phone.late]
}

#[test]
fn thousands_of_calls_through_a_bad_link_count_each_key_once() {
    let mut faults = [0; 3];
    for seed in 0..CALLS {
        match std::panic::catch_unwind(|| check_call(seed)) {
            Ok(found) => faults.iter_mut().zip(found).for_each(|(sum, found)| *sum += found),
            Err(panic) => {
                eprintln!("seed {seed}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    assert!(faults.iter().all(|found| *found > CALLS), "the link was too good: {faults:?}");
}
