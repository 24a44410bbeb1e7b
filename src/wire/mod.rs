//! Bytes on the wire, without any state: RTP, telephone-event, SDP and the codecs' names and tables.

pub mod codec;
pub mod g711;
pub mod rtp;
pub mod sdp;
pub mod telephone_event;
