//! Tells when the peer begins and stops to speak, by the energy of what is received.

use std::time::Duration;

use crate::base::time::Instant;
use crate::wire::codec::Codec;
use crate::wire::g711;

/// Mean power of a packet that sounds, as the square of a 16-bit sample: about -45 dBov, well above a quiet line and well
/// below speech.
const SOUNDING: u64 = 184 * 184;

/// Sounding packets that follow each other before it is speech: one may be a click.
const ONSET_PACKETS: u32 = 2;

/// Silence that ends speech. The stops inside a word last up to 150 ms, the pauses between words that are read out to be
/// written down are longer than this.
pub const HANGOVER: Duration = Duration::from_millis(300);

/// Hears one stream.
#[derive(Clone, Debug, Default)]
pub struct SpeechDetector {
    sounding_packets: u32,
    last_sound: Option<Instant>,
    speaking: bool,
}

impl SpeechDetector {
    /// Takes a packet's audio. True when speech begins with it.
    pub fn receive(&mut self, now: Instant, codec: Codec, payload: &[u8]) -> bool {
        if !sounds(codec, payload) {
            self.sounding_packets = 0;
            return false;
        }
        self.sounding_packets += 1;
        self.last_sound = Some(now);
        let begins = !self.speaking && self.sounding_packets >= ONSET_PACKETS;
        self.speaking |= begins;
        begins
    }

    /// True when speech has ended by now: also when packets have stopped coming.
    pub fn ended(&mut self, now: Instant) -> bool {
        let quiet = self.last_sound.is_none_or(|last| now.saturating_duration_since(last) >= HANGOVER);
        let ends = self.speaking && quiet;
        self.speaking &= !ends;
        ends
    }
}

fn sounds(codec: Codec, payload: &[u8]) -> bool {
    let mut power = 0u64;
    let mut samples = [0i16; 160];
    for part in payload.chunks(samples.len()) {
        let samples = &mut samples[..part.len()];
        g711::decode_into(codec, part, samples);
        power += samples.iter().map(|sample| u64::from(sample.unsigned_abs()).pow(2)).sum::<u64>();
    }
    !payload.is_empty() && power >= SOUNDING * payload.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    /// What is told when the packets at these frames sound: (millisecond, speaking).
    fn told(sounding: &[u64], frames: u64) -> Vec<(u64, bool)> {
        let loud = g711::encode(Codec::Pcma, &[1000; 160]);
        let quiet = g711::encode(Codec::Pcma, &[40; 160]);
        let mut detector = SpeechDetector::default();
        let mut told = Vec::new();
        for frame in 0..frames {
            let payload = if sounding.contains(&frame) { &loud } else { &quiet };
            if detector.receive(at(frame * 20), Codec::Pcma, payload) {
                told.push((frame * 20, true));
            }
            if detector.ended(at(frame * 20)) {
                told.push((frame * 20, false));
            }
        }
        told
    }

    #[test]
    fn a_word_with_a_stop_inside_is_one_and_a_pause_ends_it() {
        assert_eq!(told(&[5, 6, 7, 14, 15, 40, 41], 80), [(120, true), (600, false), (820, true), (1120, false)]);
    }

    #[test]
    fn a_click_and_a_quiet_line_are_no_speech() {
        assert_eq!(told(&[5, 9], 60), []);
        assert_eq!(told(&[], 60), []);
    }

    #[test]
    fn speech_ends_when_packets_stop() {
        let loud = g711::encode(Codec::Pcmu, &[1000; 160]);
        let mut detector = SpeechDetector::default();
        assert!(!detector.receive(at(0), Codec::Pcmu, &loud));
        assert!(detector.receive(at(20), Codec::Pcmu, &loud));
        assert!(!detector.ended(at(319)));
        assert!(detector.ended(at(320)));
        assert!(!detector.ended(at(900)));
        assert!(!detector.receive(at(1000), Codec::Pcmu, &[]));
    }
}
