//! What a session needs to know of its stream.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

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
    /// The host that signalled it.
    pub signalled_by: IpAddr,
    /// Our direction.
    pub direction: Direction,
    /// Whether to keep what is heard (at most 10 minutes).
    pub record: bool,
    /// After how long without RTP to report [`Event::ReceiveTimeout`](super::session_io::Event::ReceiveTimeout); never while the peer does not send.
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
            signalled_by: media.signalled_by,
            direction: media.direction,
            record: false,
            receive_timeout: None,
        }
    }

    /// Whether our direction lets us send.
    pub fn sends(&self) -> bool {
        self.direction.sends()
    }

    /// Whether our direction lets the peer send.
    pub fn receives(&self) -> bool {
        self.direction.receives()
    }

    /// Whether `payload_type` is telephone-event. Some peers send it under the number that they asked us to use, not
    /// under ours (RFC 3264 §5.1), so that both count.
    pub fn is_event(&self, payload_type: u8) -> bool {
        self.telephone_event.is_some_and(|format| {
            payload_type == format.receive_payload_type
                || payload_type == format.send_payload_type && payload_type != self.receive_payload_type
        })
    }

    /// The codec of a received payload type. The static numbers of RFC 3551 keep their meaning: a peer may change
    /// between the codecs of one offer at any packet.
    pub fn codec_of(&self, payload_type: u8) -> Option<Codec> {
        if payload_type == self.receive_payload_type {
            return Some(self.codec);
        }
        [Codec::Pcmu, Codec::Pcma].into_iter().find(|codec| codec.static_payload_type() == Some(payload_type))
    }
}
