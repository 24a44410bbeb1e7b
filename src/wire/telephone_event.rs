//! The telephone-event payload (RFC 4733 §2.3).

/// Length of the payload in bytes.
pub const LENGTH: usize = 4;

/// The longest duration of one segment, in ticks of the RTP clock; a longer event goes on in another (RFC 4733 §2.5.1.3).
pub const SEGMENT_TICKS: u32 = 0xFFFF;

/// One report of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// The event code; 0-15 are the DTMF keys (RFC 4733 §3.2).
    pub event: u8,
    /// The E bit: the event is over.
    pub end: bool,
    /// Power in −dBm0, 0-63.
    pub volume: u8,
    /// How long the event has lasted, in ticks of the RTP clock.
    pub duration: u16,
}

impl TelephoneEvent {
    /// Reads a payload. The R bit is ignored, as §2.3.3 wants, and so is whatever follows the first four bytes;
    /// `None` for less than four.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let &[event, flags, high, low] = payload.first_chunk::<LENGTH>()?;
        let duration = u16::from_be_bytes([high, low]);
        Some(TelephoneEvent { event, end: flags & 0x80 != 0, volume: flags & 0x3F, duration })
    }

    /// The payload on the wire, R bit 0.
    pub fn write(&self) -> [u8; LENGTH] {
        let [high, low] = self.duration.to_be_bytes();
        [self.event, u8::from(self.end) << 7 | self.volume & 0x3F, high, low]
    }
}

/// The keys in the order of their event codes (RFC 4733 §3.2, table 3).
const DIGITS: &[u8; 16] = b"0123456789*#ABCD";

/// The key of an event code; `None` for events that are no DTMF key.
pub fn digit_of(event: u8) -> Option<char> {
    DIGITS.get(usize::from(event)).map(|&digit| char::from(digit))
}

/// The event code of a key; letters in either case.
pub fn event_of(digit: char) -> Option<u8> {
    let position = DIGITS.iter().position(|&known| char::from(known) == digit.to_ascii_uppercase())?;
    u8::try_from(position).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_are_where_the_rfc_has_them() {
        let one = TelephoneEvent { event: 1, end: true, volume: 10, duration: 0x0320 };
        assert_eq!(one.write(), [1, 0x8A, 0x03, 0x20]);
        assert_eq!(TelephoneEvent::parse(&[1, 0x8A, 0x03, 0x20]), Some(one));
    }

    #[test]
    fn the_r_bit_and_trailing_bytes_are_ignored_and_short_payloads_refused() {
        let parsed = TelephoneEvent::parse(&[11, 0x4A, 0, 160, 0xFF, 0xFF]);
        assert_eq!(parsed, Some(TelephoneEvent { event: 11, end: false, volume: 10, duration: 160 }));
        for length in 0..LENGTH {
            assert_eq!(TelephoneEvent::parse(&[1, 0, 0, 160][..length]), None);
        }
    }

    #[test]
    fn codes_and_keys_name_each_other() {
        for event in 0..=15 {
            assert_eq!(digit_of(event).and_then(event_of), Some(event));
        }
        assert_eq!((digit_of(10), digit_of(11), digit_of(16)), (Some('*'), Some('#'), None));
        assert_eq!((event_of('d'), event_of('x')), (Some(15), None));
    }
}
