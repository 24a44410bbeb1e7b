//! The header fields of one outgoing stream (RFC 3550 §5.1).
//!
//! We send without a pause, silence included, so that there is one talkspurt from start to end: the marker bit stands on
//! the first packet of the stream, and again on the first after a pause in sending (hold, a moved peer, a driver that
//! came too late), where the receiver has to find its playout point anew (RFC 3551 §4.1). On a telephone-event it marks
//! the beginning of a press instead (RFC 4733 §2.5.1.1).

use crate::base::random::Random;
use crate::wire::rtp::RtpHeader;

/// Sequence, timestamp and SSRC of what we send.
#[derive(Clone, Debug)]
pub struct RtpSender {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    talkspurt_begins: bool,
}

impl RtpSender {
    /// A stream that begins at random values (RFC 3550 §5.1).
    pub fn new(random: &mut Random) -> Self {
        let [high, low, ..] = random.u32().to_be_bytes();
        let sequence = u16::from_be_bytes([high, low]);
        RtpSender { ssrc: random.u32(), sequence, timestamp: random.u32(), talkspurt_begins: true }
    }

    /// The timestamp of the present frame.
    pub fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// The header of the present frame's audio.
    pub fn audio_header(&mut self, payload_type: u8) -> RtpHeader {
        let marker = std::mem::take(&mut self.talkspurt_begins);
        self.header(payload_type, marker, self.timestamp)
    }

    /// The header of a telephone-event of a press that began at `timestamp`.
    pub fn event_header(&mut self, payload_type: u8, marker: bool, timestamp: u32) -> RtpHeader {
        self.header(payload_type, marker, timestamp)
    }

    /// Goes on by `ticks` of RTP time, sent or not.
    pub fn advance(&mut self, ticks: u32) {
        self.timestamp = self.timestamp.wrapping_add(ticks);
    }

    /// Sending pauses here: the next audio packet begins a talkspurt.
    pub fn pause(&mut self) {
        self.talkspurt_begins = true;
    }

    fn header(&mut self, payload_type: u8, marker: bool, timestamp: u32) -> RtpHeader {
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        RtpHeader { payload_type, marker, sequence, timestamp, ssrc: self.ssrc }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_counts_packets_and_the_timestamp_counts_time() {
        let mut sender = RtpSender::new(&mut Random::from_seed(1));
        let first = sender.audio_header(0);
        sender.advance(160);
        sender.advance(160);
        let second = sender.audio_header(0);
        assert_eq!(second.sequence, first.sequence.wrapping_add(1));
        assert_eq!(second.timestamp, first.timestamp.wrapping_add(320));
        assert_eq!((first.marker, second.marker, first.ssrc == second.ssrc), (true, false, true));
        sender.pause();
        assert!(sender.audio_header(0).marker);
    }

    #[test]
    fn streams_begin_at_random_values() {
        let first = |seed| RtpSender::new(&mut Random::from_seed(seed)).audio_header(0);
        let (one, other) = (first(1), first(2));
        assert_ne!(one.ssrc, other.ssrc);
        assert_ne!(one.sequence, other.sequence);
        assert_ne!(one.timestamp, other.timestamp);
    }
}
