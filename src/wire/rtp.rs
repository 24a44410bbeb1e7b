//! RTP fixed header and packet (RFC 3550 §5.1).
//!
//! Reading is `rtp-rs` behind our own types; writing is our own, because a sender of ours never has more than the
//! fixed header. RTCP (RFC 3550 §6) will stand beside this file as `wire/rtcp.rs`.

use rtp_rs::RtpReader;

/// Length of a header without CSRCs and extension, in bytes.
pub const HEADER_LENGTH: usize = 12;

/// The fields of the fixed header that matter to a sender without mixers (RFC 3550 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpHeader {
    /// 0-127.
    pub payload_type: u8,
    /// The marker bit; its meaning is the profile's.
    pub marker: bool,
    /// Grows by one with each packet, modulo 2^16.
    pub sequence: u16,
    /// Sampling instant of the first sample, in ticks of the payload's clock, modulo 2^32.
    pub timestamp: u32,
    /// The stream's synchronisation source.
    pub ssrc: u32,
}

impl RtpHeader {
    /// The header on the wire: version 2, no padding, no extension, no CSRC. A payload type above 127 is cut to
    /// seven bits.
    pub fn write(&self) -> [u8; HEADER_LENGTH] {
        let mut bytes = [0; HEADER_LENGTH];
        bytes[0] = 2 << 6;
        bytes[1] = u8::from(self.marker) << 7 | self.payload_type & 0x7F;
        bytes[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        bytes
    }
}

/// A received packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpPacket<'a> {
    /// The fixed header.
    pub header: RtpHeader,
    /// The payload, with CSRCs, extension and padding stripped.
    pub payload: &'a [u8],
}

/// Why bytes are no RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RtpError {
    /// Too short, another version, or lengths that point past the end.
    #[error("no RTP packet")]
    Malformed,
    /// RTCP on the RTP port (RFC 5761 §4): payload types 64-95 are its packet types.
    #[error("RTCP where RTP was expected")]
    Rtcp,
}

impl<'a> RtpPacket<'a> {
    /// Reads a datagram.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RtpError> {
        let reader = RtpReader::new(bytes).map_err(|_| RtpError::Malformed)?;
        if (64..=95).contains(&reader.payload_type()) {
            return Err(RtpError::Rtcp);
        }
        let header = RtpHeader {
            payload_type: reader.payload_type(),
            marker: reader.mark(),
            sequence: reader.sequence_number().into(),
            timestamp: reader.timestamp(),
            ssrc: reader.ssrc(),
        };
        Ok(RtpPacket { header, payload: reader.payload() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEADER: RtpHeader =
        RtpHeader { payload_type: 101, marker: true, sequence: 0xFFFE, timestamp: 0xDEAD_BEEF, ssrc: 0x0102_0304 };

    #[test]
    fn a_written_header_is_as_in_the_rfc() {
        assert_eq!(HEADER.write(), [0x80, 0xE5, 0xFF, 0xFE, 0xDE, 0xAD, 0xBE, 0xEF, 1, 2, 3, 4]);
    }

    #[test]
    fn csrcs_extension_and_padding_are_stripped() {
        let mut bytes = HEADER.write().to_vec();
        bytes[0] |= 0x20 | 0x10 | 2; // padding, extension, two CSRCs
        bytes.extend([9; 8]);
        bytes.extend([0xBE, 0xDE, 0, 1, 7, 7, 7, 7]);
        bytes.extend(*b"payload");
        bytes.extend([0, 0, 3]);
        assert_eq!(RtpPacket::parse(&bytes), Ok(RtpPacket { header: HEADER, payload: b"payload" }));
    }

    #[test]
    fn what_is_no_rtp_is_refused() {
        let header = HEADER.write();
        let with = |at: usize, byte: u8, more: &[u8]| {
            let mut bytes = [&header[..], more].concat();
            bytes[at] = byte;
            bytes
        };
        let cases = [
            ("empty", vec![], RtpError::Malformed),
            ("one byte short", header[..11].to_vec(), RtpError::Malformed),
            ("version 1", with(0, 0x40, b"x"), RtpError::Malformed),
            ("CSRCs past the end", with(0, 0x8F, b"x"), RtpError::Malformed),
            ("extension past the end", with(0, 0x90, &[0, 0, 0, 9]), RtpError::Malformed),
            ("padding of 0", with(0, 0xA0, &[1, 0]), RtpError::Malformed),
            ("padding longer than the payload", with(0, 0xA0, &[1, 9]), RtpError::Malformed),
            ("padding without a byte", with(0, 0xA0, &[]), RtpError::Malformed),
            ("RTCP SR", with(1, 200, b"x"), RtpError::Rtcp),
            ("RTCP APP", with(1, 204, b"x"), RtpError::Rtcp),
        ];
        for (name, bytes, error) in cases {
            assert_eq!(RtpPacket::parse(&bytes), Err(error), "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_written_packet_parses_back(
            payload_type in (0u8..128).prop_filter("not RTCP", |pt| !(64..=95).contains(pt)),
            marker: bool, sequence: u16, timestamp: u32, ssrc: u32, payload: Vec<u8>,
        ) {
            let header = RtpHeader { payload_type, marker, sequence, timestamp, ssrc };
            let bytes = [&header.write()[..], &payload].concat();
            prop_assert_eq!(RtpPacket::parse(&bytes), Ok(RtpPacket { header, payload: &payload }));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, first in 0x80u8..=0xBF) {
            let mut bytes = bytes;
            if let Some(byte) = bytes.first_mut() {
                *byte = first;
            }
            let _ = RtpPacket::parse(&bytes);
        }
    }
}
