//! One call's media as a machine: RTP out on a grid of 20 ms, RTP in, digits both ways.

use std::net::SocketAddr;
use std::time::Duration;

use super::audio_report::AudioReport;
use super::playlist::Playlist;
use crate::base::random::Random;
use crate::base::time::Instant;
use crate::sip::offer_answer::{Direction, NegotiatedMedia, TelephoneEventFormat};
use crate::wire::codec::Codec;

/// What a session needs to know of its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    /// The codec of what we send.
    pub codec: Codec,
    /// The payload type under which we send `codec`.
    pub send_payload_type: u8,
    /// The payload type under which the peer sends `codec`.
    pub receive_payload_type: u8,
    /// How telephone-event travels, when both sides speak it.
    pub telephone_event: Option<TelephoneEventFormat>,
    /// The address that the peer signalled.
    pub remote: SocketAddr,
    /// Our direction.
    pub direction: Direction,
    /// Whether to keep what is heard (at most 10 minutes).
    pub record: bool,
    /// After how long without RTP to report [`Event::ReceiveTimeout`]; never while the peer does not send.
    pub receive_timeout: Option<Duration>,
}

impl SessionConfig {
    /// The configuration of a negotiated stream, without recording and without a receive time-out.
    pub fn from_negotiated(media: &NegotiatedMedia) -> Self {
        SessionConfig {
            codec: media.codec,
            send_payload_type: media.send_payload_type,
            receive_payload_type: media.receive_payload_type,
            telephone_event: media.telephone_event,
            remote: media.remote,
            direction: media.direction,
            record: false,
            receive_timeout: None,
        }
    }
}

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
    /// Start sending: silence at once. A second start is an update.
    Start(SessionConfig),
    /// Play this from the next frame on, in place of what is playing; an empty playlist is silence and ends in no
    /// event.
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
    pub header: [u8; 12],
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
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Nothing was received for the configured time. Comes once until something is received again.
    ReceiveTimeout,
}

/// The machine of one call's media.
pub struct MediaSession {
    _random: Random,
}

impl MediaSession {
    /// A silent session. Its packets leave at instants that are `phase` after a whole multiple of 20 ms, so that a
    /// driver can spread its calls.
    pub fn new(_phase: Duration, random: Random) -> Self {
        MediaSession { _random: random }
    }

    /// Takes what happened at `now`. Drain [`MediaSession::poll_output`] before the next input.
    pub fn handle_input(&mut self, _now: Instant, _input: Input<'_>) {
        todo!()
    }

    /// What to do next; call until it says [`Output::Timeout`].
    pub fn poll_output(&mut self) -> Output<'_> {
        todo!()
    }

    /// The figures so far; takes the recording with it.
    pub fn report(&mut self) -> AudioReport {
        todo!()
    }
}
