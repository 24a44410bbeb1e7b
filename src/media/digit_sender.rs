//! Digits sent as telephone-event (RFC 4733 §2.5.1), one report a frame in place of audio.

use std::collections::VecDeque;
use std::time::Duration;

use crate::wire::telephone_event::{self, SEGMENT_TICKS, TelephoneEvent};

/// How many digits may wait; more are refused.
const MAX_WAITING: usize = 32;

/// Frames of audio between two digits: 40 ms, the shortest pause that receivers must tell apart (ITU-T Q.24).
const PAUSE_FRAMES: u32 = 2;

/// How often the last report is sent (RFC 4733 §2.5.1.4).
const END_REPORTS: u32 = 3;

/// −10 dBm0, a usual level of a key tone.
const VOLUME: u8 = 10;

/// A queue of digits and the one that is being pressed.
#[derive(Debug, Default)]
pub struct DigitSender {
    waiting: VecDeque<(u8, Duration)>,
    held: Option<Held>,
    pause: u32,
}

/// A report to send in this frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// The timestamp of the press, or of its segment: not that of the frame.
    pub timestamp: u32,
    /// Set on the first report of a press.
    pub marker: bool,
    /// The payload.
    pub payload: [u8; telephone_event::LENGTH],
}

#[derive(Clone, Copy, Debug)]
struct Held {
    event: u8,
    timestamp: u32,
    elapsed: u32,
    total: u32,
    /// Ticks before the present segment.
    segment: u32,
    ends_sent: u32,
}

impl DigitSender {
    /// Queues a press. `false` when `digit` is no key or too many wait.
    pub fn press(&mut self, digit: char, duration: Duration) -> bool {
        match telephone_event::event_of(digit) {
            Some(event) if self.waiting.len() < MAX_WAITING => {
                self.waiting.push_back((event, duration));
                true
            }
            _ => false,
        }
    }

    /// The report of the frame that begins at `timestamp` and lasts `frame` ticks; `None` leaves the frame to audio.
    /// A press lasts whole frames, at least one.
    pub fn next_report(&mut self, timestamp: u32, frame: u32, clock_rate: u32) -> Option<Report> {
        if self.held.is_none() {
            if self.pause > 0 {
                self.pause -= 1;
                return None;
            }
            let (event, duration) = self.waiting.pop_front()?;
            let ticks = duration.as_millis().saturating_mul(clock_rate.into()) / 1000;
            let frames = u32::try_from(ticks.div_ceil(frame.max(1).into())).unwrap_or(u32::MAX / frame.max(1)).max(1);
            let total = frames.saturating_mul(frame);
            self.held = Some(Held { event, timestamp, elapsed: 0, total, segment: 0, ends_sent: 0 });
        }
        let held = self.held.as_mut()?;
        let report = held.advance(frame);
        if held.ends_sent == END_REPORTS {
            self.held = None;
            self.pause = PAUSE_FRAMES;
        }
        Some(report)
    }
}

impl Held {
    fn advance(&mut self, frame: u32) -> Report {
        let marker = self.elapsed == 0;
        // RFC 4733 §2.5.1.3: a full segment is reported once more, at 0xFFFF, before the next begins where it ended.
        let closes_segment = self.elapsed < self.total && self.elapsed + frame - self.segment > SEGMENT_TICKS;
        if self.elapsed < self.total {
            self.elapsed += frame;
        }
        let timestamp = self.timestamp.wrapping_add(self.segment);
        let duration = self.elapsed - self.segment;
        let end = self.elapsed >= self.total && !closes_segment;
        if closes_segment {
            self.segment += SEGMENT_TICKS;
        }
        if end {
            self.ends_sent += 1;
        }
        let duration = u16::try_from(duration).unwrap_or(u16::MAX);
        let payload = TelephoneEvent { event: self.event, end, volume: VOLUME, duration }.write();
        Report { timestamp, marker, payload }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::dtmf::DigitReceiver;

    fn reports(sender: &mut DigitSender, frames: u32) -> Vec<Option<(u32, bool, bool, u16)>> {
        (0..frames)
            .map(|n| {
                let report = sender.next_report(n * 160, 160, 8000)?;
                let event = TelephoneEvent::parse(&report.payload).unwrap();
                Some((report.timestamp, report.marker, event.end, event.duration))
            })
            .collect()
    }

    #[test]
    fn a_press_grows_and_ends_three_times_and_the_next_waits_40_ms() {
        let mut sender = DigitSender::default();
        assert!(sender.press('1', Duration::from_millis(50)));
        assert!(sender.press('#', Duration::ZERO));
        let expected = [
            Some((0, true, false, 160)),
            Some((0, false, false, 320)),
            Some((0, false, true, 480)),
            Some((0, false, true, 480)),
            Some((0, false, true, 480)),
            None,
            None,
            Some((1120, true, true, 160)),
            Some((1120, false, true, 160)),
            Some((1120, false, true, 160)),
            None,
            None,
            None,
        ];
        assert_eq!(reports(&mut sender, 13), expected);
    }

    #[test]
    fn a_press_of_12_s_has_two_segments_and_is_heard_once() {
        let mut sender = DigitSender::default();
        sender.press('9', Duration::from_secs(12));
        let (mut receiver, mut heard, mut timestamps) = (DigitReceiver::default(), String::new(), Vec::new());
        let mut frames = 0;
        while let Some(report) = sender.next_report(5000 + frames * 160, 160, 8000) {
            heard.extend(receiver.receive(1, report.timestamp, &report.payload));
            timestamps.push(report.timestamp);
            frames += 1;
        }
        timestamps.dedup();
        assert_eq!((heard.as_str(), timestamps.as_slice(), frames), ("9", &[5000, 5000 + 0xFFFF][..], 602));
    }

    #[test]
    fn a_press_that_fills_its_segment_to_the_last_frame_still_ends() {
        for frames in 408..=412 {
            let mut sender = DigitSender::default();
            sender.press('1', Duration::from_millis(u64::from(frames) * 20));
            let sent: Vec<_> = reports(&mut sender, frames + 10).into_iter().flatten().collect();
            assert_eq!(sent.iter().filter(|(_, _, end, _)| *end).count(), 3, "{frames} frames");
        }
    }

    #[test]
    fn what_is_no_key_and_what_is_too_much_is_refused() {
        let mut sender = DigitSender::default();
        assert!(!sender.press('x', Duration::ZERO));
        let taken = (0..100).filter(|_| sender.press('1', Duration::ZERO)).count();
        assert_eq!(taken, MAX_WAITING);
    }
}
