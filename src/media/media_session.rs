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
use super::source_lock::SourceLock;
use super::speech_detector::SpeechDetector;
use crate::base::random::Random;
use crate::base::time::Instant;
use crate::wire::codec::Codec;
use crate::wire::rtp::{HEADER_LENGTH, RtpError, RtpPacket};
use crate::wire::telephone_event;

/// What happens to a session.
#[derive(Debug)]
pub enum Input<'a> {
    /// A datagram arrived on the session's socket.
    Packet {
        /// Where it came from.
        source: SocketAddr,
        /// The datagram.
        bytes: &'a [u8],
    },
    /// The call's owner wants something.
    Command(Command),
    /// The time of the last [`Output::Timeout`] has come.
    Timeout,
}

/// What the call's owner may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Start sending: silence at the next frame border, which is less than 20 ms away. A second start is an update.
    Start(SessionConfig),
    /// Play this from the next frame on, in place of what is playing; an empty playlist is silence and ends in no
    /// event. Ignored before the start.
    Play {
        /// What to play.
        playlist: Playlist,
    },
    /// The stream was negotiated anew (re-INVITE): hold, moved address, other payload types or codec.
    Update(SessionConfig),
    /// Send a digit as telephone-event in place of audio; digits queue up.
    SendDigit {
        /// `0`-`9`, `*`, `#`, `A`-`D`; others are ignored.
        digit: char,
        /// How long the key is held.
        duration: Duration,
    },
    /// Tell from now on when the peer begins and stops to speak, by [`Event::Speech`]. It costs a decoding a packet, so
    /// that it is not always done.
    WatchSpeech,
    /// Stop for good.
    Stop,
}

/// What a session asks of its driver.
#[derive(Debug)]
pub enum Output<'a> {
    /// Send this packet.
    Transmit {
        /// Where to.
        destination: SocketAddr,
        /// The packet.
        packet: Packet<'a>,
    },
    /// Tell the call's owner.
    Event(Event),
    /// Drained. Give [`Input::Timeout`] at that time; `None`: never.
    Timeout(Option<Instant>),
}

/// A packet to send: a header of its own and a payload that many calls share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The RTP header.
    pub header: [u8; HEADER_LENGTH],
    /// The RTP payload.
    pub payload: &'a [u8],
}

impl Packet<'_> {
    /// Header and payload in one piece, for tests and simulations.
    pub fn to_vec(&self) -> Vec<u8> {
        [&self.header, self.payload].concat()
    }
}

/// What a session tells its call's owner.
#[derive(Clone, PartialEq, Eq)]
pub enum Event {
    /// The peer's first RTP packet came.
    FirstPacket,
    /// The peer pressed a key; once for each press.
    Digit {
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
    },
    /// The last frame of a marked segment was sent.
    Reached {
        /// The playlist.
        playlist: u32,
        /// The segment's mark.
        mark: u32,
    },
    /// The last frame of the playlist was sent.
    Finished {
        /// The playlist.
        playlist: u32,
    },
    /// An update changed the codec: frames of the old one are noise to the peer, so that what was playing has been
    /// dropped and silence is sent. Play it again in the new codec.
    CodecChanged {
        /// The codec from now on.
        codec: Codec,
        /// The playlist that was cut short.
        playlist: Option<u32>,
    },
    /// The peer began or stopped to speak; only after [`Command::WatchSpeech`].
    Speech {
        /// Whether it speaks now.
        speaking: bool,
    },
    /// Nothing was received for the configured time. Comes once until something is received again.
    ReceiveTimeout,
}

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
        AudioReport {
            received: self.receiver.received(),
            lost: self.receiver.lost(),
            duplicates: self.receiver.duplicates(),
            late: self.receiver.late(),
            max_gap: self.receiver.max_gap(),
            heard: self.recording.take().map(Recording::into_samples),
            ..self.report.clone()
        }
    }

    fn start(&mut self, now: Instant, config: SessionConfig) {
        self.recording = config.record.then(Recording::default);
        self.stream = Some(Stream {
            next_frame: next_border(now, self.phase),
            sender: RtpSender::new(&mut self.random),
            lock: SourceLock::new(now, config.remote),
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
        stream.lock.renegotiate(now, config.remote);
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

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::FirstPacket => f.write_str("FirstPacket"),
            // A pressed key is the callee's secret.
            Event::Digit { .. } => f.write_str("Digit"),
            Event::Reached { playlist, mark } => write!(f, "Reached {{ playlist: {playlist}, mark: {mark} }}"),
            Event::Finished { playlist } => write!(f, "Finished {{ playlist: {playlist} }}"),
            Event::CodecChanged { codec, playlist } => {
                write!(f, "CodecChanged {{ codec: {codec:?}, playlist: {playlist:?} }}")
            }
            Event::Speech { speaking } => write!(f, "Speech {{ speaking: {speaking} }}"),
            Event::ReceiveTimeout => f.write_str("ReceiveTimeout"),
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
