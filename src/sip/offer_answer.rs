//! Offer and answer of one audio stream (RFC 3264), for G.711 with telephone-event.

use std::net::SocketAddr;

use crate::wire::codec::Codec;
pub use crate::wire::sdp::Direction;

/// What we bring to the negotiation of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalMedia {
    /// Where our RTP socket is reachable.
    pub address: SocketAddr,
    /// The codecs that we speak, most wanted first.
    pub codecs: Vec<Codec>,
    /// The session id of our `o=` line (RFC 8866 §5.2).
    pub session_id: u64,
    /// The version of our `o=` line, for the first description that we send; it grows by one with each change.
    pub version: u64,
    /// The payload type under which we offer telephone-event (96-127).
    pub telephone_event: u8,
}

/// The result of an offer and its answer, as the media floor needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NegotiatedMedia {
    /// Where to send RTP.
    pub remote: SocketAddr,
    /// The codec of what we send.
    pub codec: Codec,
    /// The payload type under which we send `codec`.
    pub send_payload_type: u8,
    /// The payload type under which we receive `codec`.
    pub receive_payload_type: u8,
    /// How telephone-event travels, when both sides speak it.
    pub telephone_event: Option<TelephoneEventFormat>,
    /// Our direction.
    pub direction: Direction,
    /// Milliseconds of audio in each packet that we send.
    pub ptime_ms: u8,
}

/// How telephone-event (RFC 4733) travels on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelephoneEventFormat {
    /// The payload type under which we send events.
    pub send_payload_type: u8,
    /// The payload type under which we receive events.
    pub receive_payload_type: u8,
    /// RTP clock rate in Hz.
    pub clock_rate: u32,
}

/// Why a description cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MediaRefused {
    /// There is no description where one must stand.
    #[error("the session description is missing")]
    Missing,
    /// The bytes are no session description.
    #[error("the session description cannot be read: {0}")]
    Unreadable(String),
    /// There is no audio stream over RTP/AVP, or it is refused with port 0.
    #[error("no usable audio stream")]
    NoAudio,
    /// No codec of the stream is ours.
    #[error("no common codec")]
    NoCommonCodec,
    /// The stream has no connection address.
    #[error("no connection address")]
    NoAddress,
}
