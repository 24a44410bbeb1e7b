//! Digits received as telephone-event (RFC 4733).
//!
//! A press is known by its SSRC and RTP timestamp: every report of one press carries the same pair, whatever was lost,
//! doubled or reordered on the way, and two presses never share one. So a digit counts when the first of its reports
//! arrives, be it the start, the middle or one lone end, and every later report of the pair is silent.
//!
//! | rule | test |
//! |---|---|
//! | RFC 4733 §2.5.2.2: a report counts whichever arrives; the marker and the E bit need not | `any_one_packet_of_a_press_is_one_digit` |
//! | §2.5.1.4: the end is sent three times | `reports_of_one_press_count_once` |
//! | §2.5.1.3: a press longer than 0xFFFF ticks goes on in segments with new timestamps | `a_long_press_is_one_digit` |
//! | §2.3.3: R bit ignored; §3.2: events above 15 are no digits | `what_is_no_digit` |
//!
//! SIP INFO digits and in-band tones will join beside this file as `media/tones.rs`, de-duplicated against these.

use crate::wire::telephone_event::{SEGMENT_TICKS, TelephoneEvent, digit_of};

/// How many presses are remembered; a report that comes later than this many presses after its own would count again.
const REMEMBERED: usize = 32;

/// How many segments of one press may be lost in a row before the next counts as a press: 8 are 65 seconds.
const MAX_SEGMENTS: u32 = 8;

/// Turns telephone-event reports into presses.
#[derive(Debug, Default)]
pub struct DigitReceiver {
    recent: [Option<Press>; REMEMBERED],
    oldest: usize,
}

/// One press, or one segment of a long one.
#[derive(Clone, Copy, Debug)]
struct Press {
    ssrc: u32,
    timestamp: u32,
    event: u8,
    longest: u16,
    ended: bool,
}

impl DigitReceiver {
    /// Takes one payload and returns the digit when a new press begins with it. Payloads that are too short and events
    /// that are no DTMF key are ignored.
    pub fn receive(&mut self, ssrc: u32, timestamp: u32, payload: &[u8]) -> Option<char> {
        let report = TelephoneEvent::parse(payload)?;
        let digit = digit_of(report.event)?;
        if let Some(press) =
            self.recent.iter_mut().flatten().find(|press| (press.ssrc, press.timestamp) == (ssrc, timestamp))
        {
            press.longest = press.longest.max(report.duration);
            press.ended |= report.end;
            return None;
        }
        let press = Press { ssrc, timestamp, event: report.event, longest: report.duration, ended: report.end };
        let continued = self.recent.iter().flatten().any(|other| press.same_key_held(other));
        self.recent[self.oldest] = Some(press);
        self.oldest = (self.oldest + 1) % REMEMBERED;
        (!continued).then_some(digit)
    }
}

impl Press {
    /// Whether both are segments of one long press (RFC 4733 §2.5.1.3): they lie whole segments apart, in either order
    /// of arrival, or this one starts to the tick where the other's last report left off.
    fn same_key_held(&self, other: &Press) -> bool {
        if (self.ssrc, self.event) != (other.ssrc, other.event) {
            return false;
        }
        let after = self.timestamp.wrapping_sub(other.timestamp);
        let apart = after.min(other.timestamp.wrapping_sub(self.timestamp));
        // No multiple up to the eighth is one of 80 ticks (10 ms), so that two presses, whose starts lie packets apart,
        // are not taken for one.
        let whole_segments = apart.is_multiple_of(SEGMENT_TICKS) && apart / SEGMENT_TICKS <= MAX_SEGMENTS;
        let seamless = !other.ended && after == u32::from(other.longest);
        whole_segments || seamless
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::subsequence;

    use super::*;

    const SSRC: u32 = 7;

    /// The reports of one press, as (timestamp, payload), in sending order.
    fn press(start: u32, event: u8, frames: u32) -> Vec<(u32, [u8; 4])> {
        let mut packets = Vec::new();
        let mut segment = 0;
        for frame in 1..=frames {
            let mut elapsed = frame * 160 - segment;
            if elapsed > SEGMENT_TICKS {
                packets.push((start.wrapping_add(segment), (event, false, SEGMENT_TICKS)));
                segment += SEGMENT_TICKS;
                elapsed -= SEGMENT_TICKS;
            }
            let last = frame == frames;
            for _ in 0..if last { 3 } else { 1 } {
                packets.push((start.wrapping_add(segment), (event, last, elapsed)));
            }
        }
        packets
            .into_iter()
            .map(|(timestamp, (event, end, duration))| {
                let duration = u16::try_from(duration).unwrap();
                (timestamp, TelephoneEvent { event, end, volume: 10, duration }.write())
            })
            .collect()
    }

    fn digits(packets: &[(u32, [u8; 4])]) -> String {
        let mut receiver = DigitReceiver::default();
        packets.iter().filter_map(|(timestamp, payload)| receiver.receive(SSRC, *timestamp, payload)).collect()
    }

    #[test]
    fn any_one_packet_of_a_press_is_one_digit() {
        for packet in press(1000, 1, 5) {
            assert_eq!(digits(&[packet]), "1");
        }
    }

    #[test]
    fn reports_of_one_press_count_once() {
        let whole = press(1000, 1, 5);
        let (ends, reversed) = (whole[4..].to_vec(), whole.iter().rev().copied().collect::<Vec<_>>());
        let next = press(1000 + 12 * 160, 1, 5);
        let cases = [
            ("all", whole.clone()),
            ("start lost", whole[1..].to_vec()),
            ("end lost", whole[..4].to_vec()),
            ("one E only", vec![whole[6]]),
            ("ends only", ends),
            ("each twice", [&whole[..], &whole].concat()),
            ("reversed", reversed),
        ];
        for (name, packets) in cases {
            assert_eq!(digits(&packets), "1", "{name}");
        }
        let late_end = [&whole[..4], &next[..2], &whole[4..], &next[2..]].concat();
        assert_eq!(digits(&late_end), "11", "late E behind the next press of the same key");
    }

    #[test]
    fn quick_repeats_of_40_ms_each_count() {
        let packets: Vec<_> = (0..10).flat_map(|n| press((u32::MAX - 800).wrapping_add(n * 4 * 160), 5, 2)).collect();
        assert_eq!(digits(&packets), "5555555555", "across the timestamp's wrap");
    }

    #[test]
    fn a_long_press_is_one_digit() {
        for frames in [409, 410, 411, 600, 3000] {
            let packets = press(u32::MAX - 5000, 1, frames);
            assert_eq!(digits(&packets), "1", "{frames} frames");
            assert_eq!(digits(&packets[300..]), "1", "{frames} frames, start lost");
        }
        let reversed: Vec<_> = press(1000, 1, 600).into_iter().rev().collect();
        assert_eq!(digits(&reversed), "1");
    }

    #[test]
    fn a_sender_that_starts_segments_at_its_own_packet_border_is_one_digit() {
        let first = TelephoneEvent { event: 1, end: false, volume: 0, duration: 65_440 }.write();
        let second = TelephoneEvent { event: 1, end: false, volume: 0, duration: 160 }.write();
        assert_eq!(digits(&[(0, first), (65_440, second)]), "1");
        let ended = TelephoneEvent { event: 1, end: true, volume: 0, duration: 65_440 }.write();
        assert_eq!(digits(&[(0, ended), (65_440, second)]), "11");
    }

    #[test]
    fn another_key_or_source_is_another_press() {
        let mut receiver = DigitReceiver::default();
        assert_eq!(receiver.receive(1, 0, &[1, 0, 0, 160]), Some('1'));
        assert_eq!(receiver.receive(2, 0, &[1, 0, 0, 160]), Some('1'));
        assert_eq!(receiver.receive(1, SEGMENT_TICKS, &[2, 0, 0, 160]), Some('2'));
    }

    #[test]
    fn what_is_no_digit() {
        let cases: [(&str, &[u8], Option<char>); 6] = [
            ("R bit set", &[1, 0x40, 0, 160], Some('1')),
            ("trailing bytes", &[1, 0, 0, 160, 9, 9, 9, 9], Some('1')),
            ("three bytes", &[1, 0, 0], None),
            ("empty", &[], None),
            ("flash hook", &[16, 0, 0, 160], None),
            ("event 255", &[255, 0, 0, 160], None),
        ];
        for (name, payload, digit) in cases {
            assert_eq!(DigitReceiver::default().receive(SSRC, 0, payload), digit, "{name}");
        }
        let keys: String =
            (0..16).filter_map(|event| DigitReceiver::default().receive(1, 0, &[event, 0, 0, 1])).collect();
        assert_eq!(keys, "0123456789*#ABCD");
    }

    /// A press's packets after any loss but of all, any doubling and any order.
    fn maltreated(packets: Vec<(u32, [u8; 4])>) -> impl Strategy<Value = Vec<(u32, [u8; 4])>> {
        let count = packets.len();
        let some = move |least| subsequence(packets.clone(), least..=count);
        (some(1), some(0)).prop_map(|(once, again)| [once, again].concat())
    }

    proptest! {
        #[test]
        fn one_maltreated_press_is_one_digit(
            packets in (any::<u32>(), 0u8..16, 1u32..1200)
                .prop_flat_map(|(start, event, frames)| maltreated(press(start, event, frames)))
                .prop_shuffle(),
        ) {
            prop_assert_eq!(digits(&packets).len(), 1);
        }

        #[test]
        fn two_maltreated_presses_are_two_digits(
            packets in (any::<u32>(), 0u8..16, 0u8..16, 1u32..900, 1u32..900, 1u32..900)
                .prop_flat_map(|(start, event, other, frames, gap, more)| {
                    let next = start.wrapping_add((frames + gap) * 160);
                    (maltreated(press(start, event, frames)), maltreated(press(next, other, more)))
                })
                .prop_map(|(one, other)| [one, other].concat())
                .prop_shuffle(),
        ) {
            prop_assert_eq!(digits(&packets).len(), 2);
        }
    }
}
