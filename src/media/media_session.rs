//! One call's media as a machine: RTP out on a grid of 20 ms, RTP in, digits both ways.
//!
//! **Sending** is continuous from the start on, with silence when nothing plays: one packet a frame, the timestamp a
//! frame further each time. Frames leave at absolute deadlines. A driver that comes late sends one packet and is on
//! schedule again with the next; one that comes late by whole frames has lost them: their time passes in the timestamp,
//! nothing is sent for them, speech waits, and a silence that is being played is shortened by them.
//!
//! **Hold**: while our direction does not let us send (RFC 3264 §8.4), RTP time goes on, the playout stands still, and
//! goes on where it was.
//!
//! **A changed codec** makes the frames of the running playlist noise: it is dropped and [`Event::CodecChanged`] asks
//! the owner for another. A playlist in the wrong codec is refused in the same way.
//!
//! Rooms that are reserved: RTCP (`media/rtcp.rs`, fed by `rtp_sender` and `rtp_receiver`), SRTP (`media/srtp.rs`,
//! between this machine and its driver), Opus (another frame length in bytes, a 48 kHz clock: `Codec` tells both) and
//! in-band tones (`media/tones.rs`, beside `dtmf`).

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::audio_report::AudioReport;
use super::digit_sender::DigitSender;
use super::dtmf::DigitReceiver;
use super::playlist::Playlist;
use super::playout::{FRAME, Milestone, Playout};
use super::recording::Recording;
use super::rtp_receiver::{Arrival, RtpReceiver};
use super::rtp_sender::RtpSender;
pub use super::session_config::SessionConfig;
pub use super::session_io::{Command, Event, Input, Output, Packet};
use super::source_lock::SourceLock;
use super::speech_detector::SpeechDetector;
use crate::base::random::Random;
use crate::base::time::Instant;
use crate::wire::rtp::{HEADER_LENGTH, RtpError, RtpPacket};
use crate::wire::telephone_event;

/// How many events may wait to be polled before further digits are dropped. Milestones are bounded by the playlist.
const MAX_WAITING_EVENTS: usize = 64;

/// The machine of one call's media.
pub struct MediaSession {
    /// Where the grid of frames lies within 20 ms, in nanoseconds.
    phase: u64,
    random: Random,
    stream: Option<Stream>,
    events: VecDeque<Event>,
    report: AudioReport,
    receiver: RtpReceiver,
    recording: Option<Recording>,
    speech: Option<SpeechDetector>,
}

/// What a started session has.
struct Stream {
    config: SessionConfig,
    next_frame: Instant,
    sender: RtpSender,
    lock: SourceLock,
    playout: Playout,
    digits_in: DigitReceiver,
    digits_out: DigitSender,
    pending: Option<Pending>,
    event_payload: [u8; telephone_event::LENGTH],
    /// When the receive time-out began to run.
    silent_since: Instant,
    silence_told: bool,
}

/// A packet that is to be polled.
struct Pending {
    destination: SocketAddr,
    header: [u8; HEADER_LENGTH],
    /// Whether the payload is `event_payload` and not the playout's.
    event: bool,
}

impl MediaSession {
    /// A silent session that has not started. Its packets leave at instants that lie `phase` after a whole multiple of
    /// 20 ms on the caller's clock, so that a driver can spread its calls.
    pub fn new(phase: Duration, random: Random) -> Self {
        MediaSession {
            phase: u64::try_from(phase.as_nanos() % FRAME.as_nanos()).unwrap_or(0),
            random,
            stream: None,
            events: VecDeque::new(),
            report: AudioReport::default(),
            receiver: RtpReceiver::default(),
            recording: None,
            speech: None,
        }
    }

    /// Takes what happened at `now`. Drain [`MediaSession::poll_output`] before the next input.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Packet { source, bytes } => self.receive(now, source, bytes),
            Input::Timeout => self.tick(now),
            Input::Command(Command::Start(config)) if self.stream.is_none() => self.start(now, config),
            Input::Command(Command::Start(config) | Command::Update(config)) => self.update(now, config),
            Input::Command(Command::Play { playlist }) => self.play(playlist),
            Input::Command(Command::SendDigit { digit, duration }) => {
                if let Some(stream) = self.stream.as_mut().filter(|stream| stream.config.telephone_event.is_some()) {
                    stream.digits_out.press(digit, duration);
                }
            }
            Input::Command(Command::WatchSpeech) => {
                self.speech.get_or_insert_default();
            }
            Input::Command(Command::Stop) => self.stream = None,
        }
    }

    /// What to do next; call until it says [`Output::Timeout`].
    pub fn poll_output(&mut self) -> Output<'_> {
        if let Some(pending) = self.stream.as_mut().and_then(|stream| stream.pending.take())
            && let Some(stream) = &self.stream
        {
            let payload = if pending.event { &stream.event_payload } else { stream.playout.payload() };
            let packet = Packet { header: pending.header, payload };
            return Output::Transmit { destination: pending.destination, packet };
        }
        if let Some(event) = self.events.pop_front() {
            return Output::Event(event);
        }
        Output::Timeout(self.stream.as_ref().map(|stream| stream.next_frame))
    }

    /// The figures so far. The recording goes with them: a second report has none.
    pub fn report(&mut self) -> AudioReport {
        let (heard, pauses) = self.recording.take().map(Recording::into_parts).unzip();
        AudioReport {
            received: self.receiver.received(),
            lost: self.receiver.lost(),
            duplicates: self.receiver.duplicates(),
            late: self.receiver.late(),
            max_gap: self.receiver.max_gap(),
            heard,
            pauses: pauses.unwrap_or_default(),
            ..self.report.clone()
        }
    }

    fn start(&mut self, now: Instant, config: SessionConfig) {
        self.recording = config.record.then(Recording::default);
        self.stream = Some(Stream {
            next_frame: next_border(now, self.phase),
            sender: RtpSender::new(&mut self.random),
            lock: SourceLock::new(now, config.remote, config.signalled_by),
            playout: Playout::new(config.codec),
            digits_in: DigitReceiver::default(),
            digits_out: DigitSender::default(),
            pending: None,
            event_payload: [0; telephone_event::LENGTH],
            silent_since: now,
            silence_told: false,
            config,
        });
    }

    fn update(&mut self, now: Instant, config: SessionConfig) {
        let Some(stream) = &mut self.stream else { return };
        if config.remote != stream.config.remote {
            stream.sender.pause();
        }
        stream.lock.renegotiate(now, config.remote, config.signalled_by);
        if config.codec != stream.config.codec {
            let playlist = stream.playout.change_codec(config.codec);
            self.events.push_back(Event::CodecChanged { codec: config.codec, playlist });
        }
        if config.record && self.recording.is_none() {
            self.recording = Some(Recording::default());
        }
        if config.direction != stream.config.direction {
            self.receiver.pause();
        }
        (stream.silent_since, stream.silence_told) = (now, false);
        stream.config = config;
    }

    fn play(&mut self, playlist: Playlist) {
        let Some(stream) = &mut self.stream else { return };
        let id = playlist.id;
        if stream.playout.play(playlist).is_err() {
            self.events.push_back(Event::CodecChanged { codec: stream.config.codec, playlist: Some(id) });
        }
    }

    fn tick(&mut self, now: Instant) {
        let Some(stream) = &mut self.stream else { return };
        if now < stream.next_frame {
            return;
        }
        let frame_nanos = FRAME.as_nanos() as u64;
        let missed = (now.as_nanos() - stream.next_frame.as_nanos()) / frame_nanos;
        stream.next_frame += Duration::from_nanos((missed + 1).saturating_mul(frame_nanos));
        let ticks = stream.config.codec.ticks_per_frame();
        let destination = stream.lock.destination().filter(|_| stream.config.sends());
        if missed > 0 {
            // Modulo 2^32, as timestamps are.
            stream.sender.advance(ticks.wrapping_mul(missed as u32));
            stream.sender.pause();
            if destination.is_some() {
                stream.playout.skip(missed);
                self.report.skipped += missed;
            }
        }
        if let Some(destination) = destination {
            stream.playout.advance(|milestone| self.events.push_back(milestone.into()));
            stream.pending = Some(stream.packet(destination, ticks));
            self.report.sent += 1;
        } else {
            stream.sender.pause();
        }
        stream.sender.advance(ticks);
        if stream.timed_out(now) {
            stream.silence_told = true;
            self.events.push_back(Event::ReceiveTimeout);
        }
        if self.speech.as_mut().is_some_and(|speech| speech.ended(now)) {
            self.events.push_back(Event::Speech { speaking: false });
        }
    }

    fn receive(&mut self, now: Instant, source: SocketAddr, bytes: &[u8]) {
        let Some(stream) = &mut self.stream else {
            self.report.ignored += 1;
            return;
        };
        let RtpPacket { header, payload } = match RtpPacket::parse(bytes) {
            Ok(packet) => packet,
            Err(RtpError::Rtcp) => return,
            Err(RtpError::Malformed) => {
                self.report.dropped += 1;
                return;
            }
        };
        let is_event = stream.config.is_event(header.payload_type);
        if !stream.lock.accepts(now, source, &header, !is_event) {
            self.report.dropped += 1;
            return;
        }
        if self.receiver.received() == 0 {
            self.events.push_back(Event::FirstPacket);
        }
        let arrival = self.receiver.receive(now, &header);
        (stream.silent_since, stream.silence_told) = (now, false);
        if is_event {
            if let Some(digit) = stream.digits_in.receive(header.ssrc, header.timestamp, payload)
                && self.events.len() < MAX_WAITING_EVENTS
            {
                self.report.digits += 1;
                self.events.push_back(Event::Digit { digit });
            }
        } else if arrival == Arrival::New
            && let Some(codec) = stream.config.codec_of(header.payload_type)
        {
            if let Some(recording) = &mut self.recording {
                recording.place(now, &header, codec, payload);
            }
            if self.speech.as_mut().is_some_and(|speech| speech.receive(now, codec, payload)) {
                self.events.push_back(Event::Speech { speaking: true });
            }
        }
    }
}

impl Stream {
    /// The packet of the frame that the playout has selected.
    fn packet(&mut self, destination: SocketAddr, ticks: u32) -> Pending {
        if let Some(format) = self.config.telephone_event
            && let Some(report) = self.digits_out.next_report(self.sender.timestamp(), ticks, format.clock_rate)
        {
            self.event_payload = report.payload;
            let header = self.sender.event_header(format.send_payload_type, report.marker, report.timestamp);
            return Pending { destination, header: header.write(), event: true };
        }
        let header = self.sender.audio_header(self.config.send_payload_type);
        Pending { destination, header: header.write(), event: false }
    }

    fn timed_out(&self, now: Instant) -> bool {
        let limit = self.config.receive_timeout.filter(|_| self.config.receives() && !self.silence_told);
        limit.is_some_and(|limit| now.saturating_duration_since(self.silent_since) >= limit)
    }
}

impl From<Milestone> for Event {
    fn from(milestone: Milestone) -> Self {
        match milestone {
            Milestone::Reached { playlist, mark } => Event::Reached { playlist, mark },
            Milestone::Finished { playlist } => Event::Finished { playlist },
        }
    }
}

impl fmt::Debug for MediaSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not what is played: the segments of a code are the code.
        f.debug_struct("MediaSession").field("started", &self.stream.is_some()).finish_non_exhaustive()
    }
}

/// The first instant from `now` on that lies `phase` nanoseconds after a whole multiple of a frame.
fn next_border(now: Instant, phase: u64) -> Instant {
    let frame = FRAME.as_nanos() as u64;
    let past = (now.as_nanos() % frame + frame - phase) % frame;
    now + Duration::from_nanos((frame - past) % frame)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::media::playlist::{Segment, SegmentAudio};
    use crate::sip::offer_answer::{Direction, TelephoneEventFormat};
    use crate::speech::encoded::EncodedPrompt;
    use crate::wire::codec::Codec;
    use crate::wire::rtp::RtpHeader;
    use crate::wire::telephone_event::TelephoneEvent;

    const PEER: &str = "203.0.113.5:4000";

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    fn config() -> SessionConfig {
        SessionConfig {
            codec: Codec::Pcmu,
            send_payload_type: 0,
            receive_payload_type: 0,
            telephone_event: Some(TelephoneEventFormat {
                send_payload_type: 96,
                receive_payload_type: 101,
                clock_rate: 8000,
            }),
            remote: PEER.parse().unwrap(),
            signalled_by: PEER.parse::<SocketAddr>().unwrap().ip(),
            direction: Direction::SendRecv,
            record: false,
            receive_timeout: None,
        }
    }

    fn held() -> SessionConfig {
        SessionConfig { direction: Direction::Inactive, ..config() }
    }

    fn prompt(codec: Codec, byte: u8, frames: usize) -> SegmentAudio {
        SegmentAudio::Prompt(EncodedPrompt::new(codec, Bytes::from(vec![byte; frames * 160])))
    }

    fn playlist(id: u32, audio: Vec<SegmentAudio>) -> Command {
        let segments = audio.into_iter().map(|audio| Segment { audio, mark: None }).collect();
        Command::Play { playlist: Playlist { id, segments } }
    }

    #[derive(Debug)]
    struct Sent {
        at: Instant,
        to: SocketAddr,
        header: RtpHeader,
        payload: Vec<u8>,
    }

    /// A session on virtual time and what came out of it.
    struct Rig {
        session: MediaSession,
        wake: Option<Instant>,
        sent: Vec<Sent>,
        /// With the number of packets that were sent before.
        events: Vec<(usize, Event)>,
    }

    impl Rig {
        fn new(phase_millis: u64) -> Self {
            let session = MediaSession::new(Duration::from_millis(phase_millis), Random::from_seed(1));
            Rig { session, wake: None, sent: Vec::new(), events: Vec::new() }
        }

        fn started() -> Self {
            let mut rig = Rig::new(0);
            rig.input(at(0), Input::Command(Command::Start(config())));
            rig
        }

        fn input(&mut self, now: Instant, input: Input<'_>) {
            self.session.handle_input(now, input);
            loop {
                match self.session.poll_output() {
                    Output::Transmit { destination, packet } => {
                        let bytes = packet.to_vec();
                        let RtpPacket { header, payload } = RtpPacket::parse(&bytes).unwrap();
                        self.sent.push(Sent { at: now, to: destination, header, payload: payload.to_vec() });
                    }
                    Output::Event(event) => self.events.push((self.sent.len(), event)),
                    Output::Timeout(wake) => {
                        self.wake = wake;
                        return;
                    }
                }
            }
        }

        fn command(&mut self, millis: u64, command: Command) {
            self.run_until(millis);
            self.input(at(millis), Input::Command(command));
        }

        fn packet(&mut self, millis: u64, source: &str, header: RtpHeader, payload: &[u8]) {
            self.run_until(millis);
            let bytes = [&header.write()[..], payload].concat();
            self.input(at(millis), Input::Packet { source: source.parse().unwrap(), bytes: &bytes });
        }

        /// Gives every timeout before `millis`, on time.
        fn run_until(&mut self, millis: u64) {
            while let Some(wake) = self.wake.filter(|wake| *wake < at(millis)) {
                self.input(wake, Input::Timeout);
            }
        }

        fn first_bytes(&self) -> Vec<u8> {
            self.sent.iter().map(|sent| sent.payload[0]).collect()
        }

        /// Timestamps counted from the first packet's.
        fn ticks(&self) -> Vec<u32> {
            self.sent.iter().map(|sent| sent.header.timestamp.wrapping_sub(self.sent[0].header.timestamp)).collect()
        }

        fn markers(&self) -> Vec<usize> {
            (0..self.sent.len()).filter(|n| self.sent[*n].header.marker).collect()
        }

        fn digits(&self) -> String {
            let digit = |(_, event): &(usize, Event)| match event {
                Event::Digit { digit } => Some(*digit),
                _ => None,
            };
            self.events.iter().filter_map(digit).collect()
        }
    }

    fn rtp(payload_type: u8, sequence: u16, timestamp: u32) -> RtpHeader {
        RtpHeader { payload_type, marker: false, sequence, timestamp, ssrc: 5 }
    }

    #[test]
    fn silence_leaves_at_once_on_the_grid_of_the_session() {
        for (phase, first) in [(0, 40), (7, 27), (19, 39)] {
            let mut rig = Rig::new(phase);
            rig.input(at(21), Input::Command(Command::Start(config())));
            rig.run_until(21 + 20 * 100);
            assert_eq!(rig.sent.len(), 100);
            assert_eq!(rig.markers(), [0]);
            for (n, (sent, ticks)) in rig.sent.iter().zip(rig.ticks()).enumerate() {
                assert_eq!(sent.at, at(first + 20 * n as u64));
                assert_eq!(sent.header.sequence, rig.sent[0].header.sequence.wrapping_add(n as u16));
                assert_eq!((ticks, sent.header.payload_type), (160 * n as u32, 0));
                assert_eq!((sent.to, &sent.payload), (PEER.parse().unwrap(), &vec![0xFF; 160]));
            }
        }
    }

    #[test]
    fn a_late_driver_gets_one_packet_and_the_old_schedule() {
        let mut rig = Rig::started();
        rig.run_until(100);
        rig.input(at(119), Input::Timeout);
        assert_eq!((rig.sent.len(), rig.wake), (6, Some(at(120))), "19 ms late: nothing is lost");
        rig.input(at(120 + 55), Input::Timeout);
        assert_eq!(
            (rig.sent.len(), rig.wake),
            (7, Some(at(180))),
            "55 ms late: two frames are lost, none is made up for"
        );
        rig.run_until(300);
        assert_eq!(rig.ticks(), [0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, 14].map(|frame| frame * 160));
        let first = rig.sent[0].header.sequence;
        assert_eq!(rig.sent[12].header.sequence, first.wrapping_add(12), "what was not sent is not lost to the peer");
        assert_eq!(rig.markers(), [0, 6]);
        assert_eq!((rig.session.report().sent, rig.session.report().skipped), (13, 2));
    }

    #[test]
    fn an_early_timeout_sends_nothing() {
        let mut rig = Rig::started();
        rig.run_until(1);
        rig.input(at(10), Input::Timeout);
        assert_eq!((rig.sent.len(), rig.wake), (1, Some(at(20))));
    }

    #[test]
    fn milestones_follow_the_packet_that_they_tell_of_and_gaps_are_exact() {
        let mut rig = Rig::started();
        rig.run_until(100);
        let segments =
            [prompt(Codec::Pcmu, 1, 3), SegmentAudio::Silence(Duration::from_secs(1)), prompt(Codec::Pcmu, 2, 1)];
        let segments = segments.into_iter().zip(1..).map(|(audio, mark)| Segment { audio, mark: Some(mark) }).collect();
        rig.command(110, Command::Play { playlist: Playlist { id: 3, segments } });
        rig.run_until(2000);
        let reached = |mark| Event::Reached { playlist: 3, mark };
        let finished = Event::Finished { playlist: 3 };
        assert_eq!(rig.events, [(9, reached(1)), (59, reached(2)), (60, reached(3)), (60, finished)]);
        let (bytes, ticks) = (rig.first_bytes(), rig.ticks());
        let one = bytes.iter().rposition(|byte| *byte == 1).unwrap();
        let two = bytes.iter().position(|byte| *byte == 2).unwrap();
        assert_eq!(ticks[two] - (ticks[one] + 160), 8000, "a second, to the sample");
        assert_eq!(rig.markers(), [0]);
    }

    #[test]
    fn a_new_playlist_replaces_the_old_one_after_one_frame_of_fade() {
        let mut rig = Rig::started();
        rig.command(10, playlist(1, vec![prompt(Codec::Pcmu, 1, 50)]));
        rig.command(70, playlist(2, vec![prompt(Codec::Pcmu, 2, 2)]));
        rig.command(200, playlist(3, vec![]));
        rig.run_until(210);
        let bytes = rig.first_bytes();
        assert_eq!((&bytes[..4], &bytes[5..]), (&[0xFF, 1, 1, 1][..], &[2, 2, 0xFF, 0xFF, 0xFF, 0xFF][..]));
        assert_eq!(rig.events, [(7, Event::Finished { playlist: 2 })]);
    }

    #[test]
    fn hold_stops_sending_but_not_rtp_time_and_resumes_where_speech_stood() {
        let mut rig = Rig::started();
        rig.command(10, playlist(1, vec![prompt(Codec::Pcmu, 1, 2), prompt(Codec::Pcmu, 2, 2)]));
        rig.command(50, Command::Update(held()));
        rig.command(1050, Command::Update(SessionConfig { direction: Direction::SendOnly, ..config() }));
        rig.run_until(1150);
        assert_eq!(rig.first_bytes(), [0xFF, 1, 1, 2, 2, 0xFF, 0xFF, 0xFF]);
        assert_eq!(rig.ticks(), [0, 1, 2, 53, 54, 55, 56, 57].map(|frame| frame * 160));
        assert_eq!(rig.markers(), [0, 3]);
        for direction in [Direction::RecvOnly, Direction::Inactive] {
            let mut rig = Rig::new(0);
            rig.command(0, Command::Start(SessionConfig { direction, ..config() }));
            rig.run_until(1000);
            assert!(rig.sent.is_empty(), "{direction:?}");
        }
        let mut nowhere = Rig::new(0);
        nowhere.command(0, Command::Start(SessionConfig { remote: "0.0.0.0:4000".parse().unwrap(), ..config() }));
        nowhere.run_until(1000);
        assert!(nowhere.sent.is_empty());
    }

    #[test]
    fn an_update_moves_the_stream_without_a_break() {
        let mut rig = Rig::started();
        let moved = SessionConfig { remote: "203.0.113.9:5000".parse().unwrap(), send_payload_type: 100, ..config() };
        rig.command(50, Command::Update(moved.clone()));
        rig.run_until(100);
        let of = |sent: &Sent| (sent.to, sent.header.payload_type);
        assert_eq!(of(&rig.sent[2]), (PEER.parse().unwrap(), 0));
        assert_eq!(of(&rig.sent[3]), (moved.remote, 100));
        assert_eq!(rig.ticks(), [0, 160, 320, 480, 640]);
        assert_eq!(rig.markers(), [0, 3]);
        assert_eq!(rig.sent[4].header.ssrc, rig.sent[0].header.ssrc);
    }

    #[test]
    fn another_codec_drops_what_plays_and_asks_for_it_anew() {
        let mut rig = Rig::started();
        rig.command(10, playlist(1, vec![prompt(Codec::Pcmu, 1, 50)]));
        let pcma = SessionConfig { codec: Codec::Pcma, send_payload_type: 8, ..config() };
        rig.command(50, Command::Update(pcma));
        rig.command(90, playlist(2, vec![prompt(Codec::Pcmu, 1, 1)]));
        rig.command(110, playlist(3, vec![prompt(Codec::Pcma, 3, 1)]));
        rig.run_until(150);
        assert_eq!(rig.first_bytes(), [0xFF, 1, 1, 0xD5, 0xD5, 0xD5, 3, 0xD5]);
        let changed = |playlist| Event::CodecChanged { codec: Codec::Pcma, playlist: Some(playlist) };
        assert_eq!(rig.events, [(3, changed(1)), (5, changed(2)), (7, Event::Finished { playlist: 3 })]);
    }

    #[test]
    fn digits_count_from_the_locked_peer_only_and_under_the_negotiated_types_only() {
        let press = TelephoneEvent { event: 1, end: true, volume: 10, duration: 800 }.write();
        let mut rig = Rig::started();
        rig.packet(5, "198.51.100.9:4000", rtp(101, 1, 0), &press);
        assert_eq!((rig.digits().as_str(), rig.events.len()), ("", 0), "a stranger before the lock");
        rig.packet(10, PEER, rtp(0, 1, 0), &[0xFF; 160]);
        assert_eq!(rig.events, [(1, Event::FirstPacket)]);
        rig.packet(15, PEER, rtp(101, 2, 160), &press);
        rig.packet(16, PEER, rtp(101, 3, 160), &press);
        assert_eq!(rig.digits(), "1");
        rig.packet(17, PEER, rtp(96, 4, 320), &press);
        assert_eq!(rig.digits(), "11", "under the type that the peer gave us");
        rig.packet(18, PEER, rtp(97, 5, 480), &press);
        rig.packet(19, PEER, rtp(0, 6, 640), &press);
        rig.packet(20, PEER, RtpHeader { ssrc: 6, ..rtp(101, 7, 800) }, &press);
        rig.packet(21, "203.0.113.5:4002", rtp(101, 8, 960), &press);
        rig.packet(22, "198.51.100.9:4000", rtp(101, 9, 1120), &press);
        assert_eq!(rig.digits(), "11", "foreign types and sources");
        let mut padded = [&rtp(101, 10, 1280).write()[..], &press, &[0, 0, 0, 4]].concat();
        padded[0] |= 0x20;
        rig.input(at(30), Input::Packet { source: PEER.parse().unwrap(), bytes: &padded });
        assert_eq!(rig.digits(), "111", "padding");
        let report = rig.session.report();
        assert_eq!((report.dropped, report.digits), (4, 3));
        assert!(rig.sent.iter().all(|sent| sent.to == PEER.parse().unwrap()));
        assert!(!format!("{:?}", rig.events).contains('\''), "a pressed key never prints");
    }

    #[test]
    fn a_sent_digit_takes_the_place_of_audio_and_time_goes_on() {
        let mut rig = Rig::started();
        rig.command(10, Command::SendDigit { digit: '1', duration: Duration::from_millis(60) });
        rig.run_until(150);
        let types: Vec<u8> = rig.sent.iter().map(|sent| sent.header.payload_type).collect();
        assert_eq!(types, [0, 96, 96, 96, 96, 96, 0, 0]);
        assert_eq!(rig.ticks(), [0, 1, 1, 1, 1, 1, 6, 7].map(|frame| frame * 160));
        assert_eq!(rig.markers(), [0, 1]);
        let first = rig.sent[0].header.sequence;
        assert_eq!(rig.sent[7].header.sequence, first.wrapping_add(7));

        let mut without = Rig::new(0);
        without.command(0, Command::Start(SessionConfig { telephone_event: None, ..config() }));
        without.command(10, Command::SendDigit { digit: '1', duration: Duration::from_millis(60) });
        without.command(30, Command::Update(config()));
        without.run_until(100);
        assert!(without.sent.iter().all(|sent| sent.header.payload_type == 0), "refused, not kept for later");
    }

    #[test]
    fn silence_of_the_peer_is_told_once_and_never_in_hold() {
        let limit = |config| SessionConfig { receive_timeout: Some(Duration::from_secs(10)), ..config };
        let mut rig = Rig::new(0);
        rig.command(0, Command::Start(limit(config())));
        rig.run_until(9_999);
        assert_eq!(rig.events, []);
        rig.run_until(60_000);
        assert_eq!(rig.events, [(501, Event::ReceiveTimeout)]);
        rig.packet(60_000, PEER, rtp(0, 1, 0), &[]);
        rig.run_until(69_999);
        assert_eq!(rig.events.len(), 2, "the first packet only");
        rig.command(69_999, Command::Update(limit(held())));
        rig.command(200_000, Command::Update(limit(config())));
        rig.run_until(209_999);
        assert_eq!(rig.events.len(), 2);
        rig.run_until(210_100);
        assert_eq!(rig.events[2].1, Event::ReceiveTimeout);
    }

    #[test]
    fn a_recording_has_every_packet_in_its_place() {
        let mut rig = Rig::new(0);
        rig.command(0, Command::Start(SessionConfig { record: true, ..config() }));
        for (sequence, timestamp, payload_type, byte) in [(1, 0, 0, 0x80), (4, 480, 8, 0x2A), (2, 160, 0, 0x00)] {
            rig.packet(10, PEER, rtp(payload_type, sequence, timestamp), &[byte; 160]);
        }
        rig.packet(11, PEER, rtp(13, 5, 640), &[0x40]);
        let report = rig.session.report();
        assert_eq!((report.received, report.lost, report.late, report.duplicates), (4, 1, 1, 0));
        let expected = [[32_124; 160], [-32_124; 160], [0; 160], [-32_256; 160]].concat();
        assert_eq!(report.heard, Some(expected));
        assert_eq!(rig.session.report().heard, None);
    }

    #[test]
    fn before_the_start_and_after_the_stop_nothing_happens() {
        let mut rig = Rig::new(0);
        rig.packet(0, PEER, rtp(0, 1, 0), &[0xFF; 160]);
        rig.command(1, playlist(1, vec![prompt(Codec::Pcmu, 1, 1)]));
        rig.command(1, Command::Update(config()));
        assert_eq!((rig.wake, rig.sent.len(), rig.events.len()), (None, 0, 0));
        rig.command(2, Command::Start(config()));
        rig.packet(50, PEER, RtpHeader { payload_type: 72, ..rtp(0, 1, 0) }, &[0; 20]);
        rig.input(at(50), Input::Packet { source: PEER.parse().unwrap(), bytes: b"\0\x01STUN?" });
        rig.command(50, Command::Stop);
        assert_eq!(rig.wake, None);
        rig.input(at(1000), Input::Timeout);
        let report = rig.session.report();
        assert_eq!((report.ignored, report.dropped, report.received, report.sent), (1, 1, 0, 2));
    }
}
