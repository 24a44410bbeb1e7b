//! What the peer's sequence numbers tell: losses, duplicates, disorder (after RFC 3550 appendix A.1 and A.3).

use std::time::Duration;

use crate::base::time::Instant;
use crate::wire::rtp::RtpHeader;

/// A step forward that is still a loss and no restart of the peer's numbering (RFC 3550 appendix A.1: MAX_DROPOUT).
const MAX_DROPOUT: u16 = 3000;

/// How far back a packet is told to be late or double; further back is a restart.
const WINDOW: u16 = 64;

/// Statistics of the accepted packets of one session.
#[derive(Clone, Debug, Default)]
pub struct RtpReceiver {
    stream: Option<Stream>,
    last_at: Option<Instant>,
    /// Packets of streams before the present one that were due.
    expected_before: u64,
    received: u64,
    duplicates: u64,
    late: u64,
    max_gap: Duration,
}

/// One run of sequence numbers.
#[derive(Clone, Copy, Debug)]
struct Stream {
    ssrc: u32,
    /// Packets due since the run's first.
    expected: u64,
    highest: u16,
    /// Bit n: `highest - n` has come.
    seen: u64,
}

/// How a packet came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// For the first time.
    New,
    /// Not for the first time.
    Duplicate,
}

impl RtpReceiver {
    /// Counts an accepted packet.
    pub fn receive(&mut self, now: Instant, header: &RtpHeader) -> Arrival {
        if let Some(last) = self.last_at.replace(now) {
            self.max_gap = self.max_gap.max(now.saturating_duration_since(last));
        }
        self.received += 1;
        let begun = Stream { ssrc: header.ssrc, expected: 1, highest: header.sequence, seen: 1 };
        let Some(stream) = &mut self.stream else {
            self.stream = Some(begun);
            return Arrival::New;
        };
        let ahead = header.sequence.wrapping_sub(stream.highest);
        let behind = stream.highest.wrapping_sub(header.sequence);
        if stream.ssrc == header.ssrc && behind < WINDOW {
            let bit = 1 << behind;
            if stream.seen & bit != 0 {
                self.duplicates += 1;
                return Arrival::Duplicate;
            }
            stream.seen |= bit;
            self.late += 1;
            // A packet from before the run's first was due as well.
            stream.expected = stream.expected.max(u64::from(behind) + 1);
        } else if stream.ssrc == header.ssrc && ahead < MAX_DROPOUT {
            stream.seen = stream.seen.checked_shl(ahead.into()).unwrap_or(0) | 1;
            stream.highest = header.sequence;
            stream.expected += u64::from(ahead);
        } else {
            self.expected_before += stream.expected;
            *stream = begun;
        }
        Arrival::New
    }

    /// The next packet's distance from the last one means nothing: the peer was on hold.
    pub fn pause(&mut self) {
        self.last_at = None;
    }

    /// Packets received, duplicates included.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Packets that came again.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Packets that came behind a later one.
    pub fn late(&self) -> u64 {
        self.late
    }

    /// Packets that were due and never came.
    pub fn lost(&self) -> u64 {
        let expected = self.expected_before + self.stream.map_or(0, |stream| stream.expected);
        expected.saturating_sub(self.received - self.duplicates)
    }

    /// The longest time between two packets.
    pub fn max_gap(&self) -> Duration {
        self.max_gap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(ssrc: u32, sequence: u16) -> RtpHeader {
        RtpHeader { payload_type: 0, marker: false, sequence, timestamp: 0, ssrc }
    }

    /// Received, lost, double, late.
    type Figures = (u64, u64, u64, u64);

    fn after(sequences: &[u16]) -> Figures {
        let mut receiver = RtpReceiver::default();
        for sequence in sequences {
            receiver.receive(Instant::ZERO, &header(1, *sequence));
        }
        (receiver.received(), receiver.lost(), receiver.duplicates(), receiver.late())
    }

    #[test]
    fn losses_duplicates_and_disorder_are_told_apart() {
        let cases: [(&str, &[u16], Figures); 8] = [
            ("in order", &[1, 2, 3], (3, 0, 0, 0)),
            ("across the wrap", &[65_534, 65_535, 0, 1], (4, 0, 0, 0)),
            ("one lost", &[1, 2, 4], (3, 1, 0, 0)),
            ("one double", &[1, 2, 2, 3], (4, 0, 1, 0)),
            ("swapped", &[1, 3, 2, 4], (4, 0, 0, 1)),
            ("swapped at the start", &[2, 1, 3], (3, 0, 0, 1)),
            ("late and double", &[1, 3, 2, 2, 1], (5, 0, 2, 1)),
            ("numbered anew", &[1, 2, 40_000, 40_001], (4, 0, 0, 0)),
        ];
        for (name, sequences, figures) in cases {
            assert_eq!(after(sequences), figures, "{name}");
        }
    }

    #[test]
    fn a_new_ssrc_is_a_new_run() {
        let mut receiver = RtpReceiver::default();
        for (ssrc, sequence) in [(1, 1), (1, 3), (2, 3), (2, 5)] {
            assert_eq!(receiver.receive(Instant::ZERO, &header(ssrc, sequence)), Arrival::New);
        }
        assert_eq!((receiver.received(), receiver.lost()), (4, 2));
    }

    #[test]
    fn the_longest_gap_leaves_out_the_hold() {
        let at = |millis| Instant::ZERO + Duration::from_millis(millis);
        let mut receiver = RtpReceiver::default();
        for millis in [0, 20, 100] {
            receiver.receive(at(millis), &header(1, 0));
        }
        receiver.pause();
        receiver.receive(at(9000), &header(1, 0));
        assert_eq!(receiver.max_gap(), Duration::from_millis(80));
    }
}
