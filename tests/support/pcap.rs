//! Captures in the classic libpcap format (https://www.ietf.org/archive/id/draft-gharris-opsawg-pcap-01.html), written
//! for sipp's `play_pcap_audio`: one key press as telephone-event packets (RFC 4733 §2.5).

use std::path::Path;

/// A capture that holds the press of `event` (0-9 digits, 10 `*`, 11 `#`) lasting `frames` packets of 20 ms, sent at
/// payload type `payload_type` and begun at `timestamp`. The first packet has the marker; the end is sent three times.
pub fn key_press(payload_type: u8, event: u8, frames: u16, timestamp: u32) -> Vec<u8> {
    let ssrc = 0x5EED_0001_u32;
    let mut capture = file_header();
    let mut at_ms = 0_u32;
    let mut sequence = u16::try_from(timestamp / 160 % 60_000).expect("less than 60,000");
    for index in 1..=frames {
        let payload = [event, 10, (index * 160).to_be_bytes()[0], (index * 160).to_be_bytes()[1]];
        push_rtp(&mut capture, at_ms, payload_type, index == 1, sequence, timestamp, ssrc, &payload);
        at_ms += 20;
        sequence += 1;
    }
    for _ in 0..3 {
        let duration = (frames * 160).to_be_bytes();
        push_rtp(
            &mut capture,
            at_ms,
            payload_type,
            false,
            sequence,
            timestamp,
            ssrc,
            &[event, 0x80 | 10, duration[0], duration[1]],
        );
        at_ms += 20;
        sequence += 1;
    }
    capture
}

/// A capture of `frames` packets of PCMU silence.
pub fn silence(frames: u16) -> Vec<u8> {
    let mut capture = file_header();
    for index in 0..frames {
        push_rtp(
            &mut capture,
            u32::from(index) * 20,
            0,
            index == 0,
            index,
            u32::from(index) * 160,
            0x5EED_0002,
            &[0xFF; 160],
        );
    }
    capture
}

/// Writes a capture to `folder` and returns its path.
pub fn write(folder: &Path, name: &str, capture: &[u8]) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, capture).expect("a capture can be written");
    path
}

fn file_header() -> Vec<u8> {
    let mut header = Vec::new();
    header.extend(0xA1B2_C3D4_u32.to_le_bytes());
    header.extend(2_u16.to_le_bytes());
    header.extend(4_u16.to_le_bytes());
    header.extend([0; 8]);
    header.extend(65_535_u32.to_le_bytes());
    header.extend(1_u32.to_le_bytes()); // LINKTYPE_ETHERNET
    header
}

#[allow(clippy::too_many_arguments, reason = "the fields of one RTP header")]
fn push_rtp(
    capture: &mut Vec<u8>,
    at_ms: u32,
    payload_type: u8,
    marker: bool,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    payload: &[u8],
) {
    let mut rtp = vec![0x80, payload_type | if marker { 0x80 } else { 0 }];
    rtp.extend(sequence.to_be_bytes());
    rtp.extend(timestamp.to_be_bytes());
    rtp.extend(ssrc.to_be_bytes());
    rtp.extend(payload);

    let udp_length = u16::try_from(8 + rtp.len()).expect("a packet of 20 ms is small");
    let mut udp = Vec::new();
    udp.extend(6000_u16.to_be_bytes());
    udp.extend(6002_u16.to_be_bytes());
    udp.extend(udp_length.to_be_bytes());
    udp.extend([0, 0]); // sipp computes the checksum anew
    udp.extend(rtp);

    let mut ip = vec![0x45, 0];
    ip.extend((20 + udp_length).to_be_bytes());
    ip.extend([0, 0, 0x40, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
    let sum: u32 = ip.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let folded = (sum & 0xFFFF) + (sum >> 16);
    let checksum = !u16::try_from((folded & 0xFFFF) + (folded >> 16)).expect("folded to 16 bits");
    ip[10..12].copy_from_slice(&checksum.to_be_bytes());

    let mut frame = vec![0; 12];
    frame.extend([0x08, 0x00]);
    frame.extend(ip);
    frame.extend(udp);

    let length = u32::try_from(frame.len()).expect("a packet of 20 ms is small");
    capture.extend((at_ms / 1000).to_le_bytes());
    capture.extend((at_ms % 1000 * 1000).to_le_bytes());
    capture.extend(length.to_le_bytes());
    capture.extend(length.to_le_bytes());
    capture.extend(frame);
}
