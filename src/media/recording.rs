//! What was heard, as PCM in RTP time.

use std::ops::Range;
use std::time::Duration;

use crate::base::time::Instant;
use crate::wire::codec::Codec;
use crate::wire::g711;
use crate::wire::rtp::RtpHeader;

/// Samples a second.
const SAMPLE_RATE: u64 = 8000;

/// What does not fit into this time after the first packet is not kept.
const MAX_LENGTH: Duration = Duration::from_secs(600);

/// Further pauses are not kept: a sender that is this busy is not worth listening to.
const MAX_PAUSES: usize = 1000;

/// 8 kHz PCM in which each packet lies where its timestamp says, counted from the first packet; what never came is 0.
///
/// A new SSRC counts its timestamps from another random value: its packets are laid from where the first of them arrived.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    begun_at: Option<Instant>,
    origin: Option<Origin>,
    /// The sequence number of the packet that was laid last.
    last: Option<u16>,
    samples: Vec<i16>,
    pauses: Vec<Range<usize>>,
}

#[derive(Clone, Copy, Debug)]
struct Origin {
    ssrc: u32,
    timestamp: u32,
    sample: usize,
}

impl Recording {
    /// Lays a packet's audio in its place.
    pub fn place(&mut self, now: Instant, header: &RtpHeader, codec: Codec, payload: &[u8]) {
        let begun_at = *self.begun_at.get_or_insert(now);
        let origin = match self.origin {
            Some(origin) if origin.ssrc == header.ssrc => origin,
            _ => {
                self.last = None;
                let elapsed = now.saturating_duration_since(begun_at).as_nanos();
                let sample = usize::try_from(elapsed * u128::from(SAMPLE_RATE) / 1_000_000_000).unwrap_or(usize::MAX);
                *self.origin.insert(Origin { ssrc: header.ssrc, timestamp: header.timestamp, sample })
            }
        };
        let offset = header.timestamp.wrapping_sub(origin.timestamp).cast_signed();
        let Some(start) = isize::try_from(offset).ok().and_then(|offset| origin.sample.checked_add_signed(offset))
        else {
            return;
        };
        let end = start.saturating_add(payload.len());
        if end > usize::try_from(MAX_LENGTH.as_secs() * SAMPLE_RATE).unwrap_or(usize::MAX) {
            return;
        }
        // The next packet with a later time than the last one's end: the sender was silent in between (RFC 3550 §5.1).
        let follows = self.last.replace(header.sequence).is_some_and(|last| last.wrapping_add(1) == header.sequence);
        if follows && start > self.samples.len() && self.pauses.len() < MAX_PAUSES {
            self.pauses.push(self.samples.len()..start);
        }
        if self.samples.len() < end {
            self.samples.resize(end, 0);
        }
        g711::decode_into(codec, payload, &mut self.samples[start..end]);
    }

    /// The samples, and the stretches of them in which the sender held its audio back, in order.
    pub fn into_parts(self) -> (Vec<i16>, Vec<Range<usize>>) {
        (self.samples, self.pauses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(ssrc: u32, timestamp: u32) -> RtpHeader {
        RtpHeader { payload_type: 0, marker: false, sequence: 0, timestamp, ssrc }
    }

    #[test]
    fn packets_lie_where_their_timestamps_say() {
        let mut recording = Recording::default();
        let start = u32::MAX - 1;
        // Sample 0 is µ-law 0xFF; 0x80 and 0x00 are the extremes.
        for (offset, payload) in [(0u32, [0x80u8, 0x80]), (6, [0x00, 0x00]), (2, [0x80, 0xFF])] {
            recording.place(Instant::ZERO, &header(1, start.wrapping_add(offset)), Codec::Pcmu, &payload);
        }
        recording.place(Instant::ZERO, &header(1, start.wrapping_sub(2)), Codec::Pcmu, &[0, 0]);
        assert_eq!(recording.into_parts().0, [32_124, 32_124, 32_124, 0, 0, 0, -32_124, -32_124]);
    }

    #[test]
    fn a_new_source_is_laid_where_it_arrived() {
        let mut recording = Recording::default();
        recording.place(Instant::ZERO, &header(1, 500), Codec::Pcma, &[0xAA]);
        let later = Instant::ZERO + Duration::from_millis(1);
        recording.place(later, &header(2, 7_000_000), Codec::Pcma, &[0xAA]);
        assert_eq!(recording.into_parts().0, [32_256, 0, 0, 0, 0, 0, 0, 0, 32_256]);
    }

    #[test]
    fn nothing_beyond_ten_minutes_is_kept() {
        let mut recording = Recording::default();
        for timestamp in [0, 600 * 8000 - 160, 600 * 8000 - 159, 0x7FFF_FFFF] {
            recording.place(Instant::ZERO, &header(1, timestamp), Codec::Pcmu, &[0xFF; 160]);
        }
        assert_eq!(recording.into_parts().0.len(), 600 * 8000);
    }

    #[test]
    fn a_pause_is_told_from_a_loss() {
        let mut recording = Recording::default();
        let packets = [(u16::MAX, 0), (0, 2), (1, 7), (3, 11), (4, 13), (5, 18), (6, 9)];
        for (sequence, timestamp) in packets {
            let header = RtpHeader { sequence, ..header(1, timestamp) };
            recording.place(Instant::ZERO, &header, Codec::Pcmu, &[0, 0]);
        }
        recording.place(Instant::ZERO, &RtpHeader { sequence: 7, ..header(2, 0) }, Codec::Pcmu, &[0, 0]);
        let (samples, pauses) = recording.into_parts();
        assert_eq!(
            (samples.len(), pauses),
            (20, vec![4..7, 15..18]),
            "neither the lost 2, nor going back, nor a new source"
        );
    }
}
