//! What goes into a media session and what comes out of it.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::playlist::Playlist;
use super::session_config::SessionConfig;
use crate::base::time::Instant;
use crate::wire::codec::Codec;
use crate::wire::rtp::HEADER_LENGTH;

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
