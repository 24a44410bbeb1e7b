//! G.711 µ-law and A-law (ITU-T G.711, in the arithmetic of the ITU-T G.191 reference) as tables.

use std::sync::LazyLock;

use super::codec::Codec;

/// One encoded byte for each 16-bit sample, indexed by the sample's bits.
type EncodeTable = Box<[u8]>;

static ENCODE_ULAW: LazyLock<EncodeTable> = LazyLock::new(|| encode_table(compress_ulaw));
static ENCODE_ALAW: LazyLock<EncodeTable> = LazyLock::new(|| encode_table(compress_alaw));
static DECODE_ULAW: [i16; 256] = decode_table(true);
static DECODE_ALAW: [i16; 256] = decode_table(false);

/// µ-law of a 16-bit sample.
pub fn encode_ulaw(sample: i16) -> u8 {
    ENCODE_ULAW[usize::from(sample.cast_unsigned())]
}

/// A-law of a 16-bit sample.
pub fn encode_alaw(sample: i16) -> u8 {
    ENCODE_ALAW[usize::from(sample.cast_unsigned())]
}

/// The 16-bit sample of a µ-law byte.
pub fn decode_ulaw(byte: u8) -> i16 {
    DECODE_ULAW[usize::from(byte)]
}

/// The 16-bit sample of an A-law byte.
pub fn decode_alaw(byte: u8) -> i16 {
    DECODE_ALAW[usize::from(byte)]
}

/// 8 kHz PCM in `codec`, one byte a sample.
pub fn encode(codec: Codec, samples: &[i16]) -> Vec<u8> {
    let mut bytes = vec![0; samples.len()];
    encode_into(codec, samples, &mut bytes);
    bytes
}

/// As [`encode`], into the caller's bytes; stops at the end of the shorter slice.
pub fn encode_into(codec: Codec, samples: &[i16], bytes: &mut [u8]) {
    let table = match codec {
        Codec::Pcmu => &*ENCODE_ULAW,
        Codec::Pcma => &*ENCODE_ALAW,
    };
    for (byte, sample) in bytes.iter_mut().zip(samples) {
        *byte = table[usize::from(sample.cast_unsigned())];
    }
}

/// The 8 kHz PCM of bytes in `codec`.
pub fn decode(codec: Codec, bytes: &[u8]) -> Vec<i16> {
    let mut samples = vec![0; bytes.len()];
    decode_into(codec, bytes, &mut samples);
    samples
}

/// As [`decode`], into the caller's samples; stops at the end of the shorter slice.
pub fn decode_into(codec: Codec, bytes: &[u8], samples: &mut [i16]) {
    let table = match codec {
        Codec::Pcmu => &DECODE_ULAW,
        Codec::Pcma => &DECODE_ALAW,
    };
    for (sample, byte) in samples.iter_mut().zip(bytes) {
        *sample = table[usize::from(*byte)];
    }
}

/// The byte that is silence: sample 0 in µ-law, the smallest positive sample in A-law, which has no 0.
pub const fn silence(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => 0xFF,
        Codec::Pcma => 0xD5,
    }
}

fn encode_table(compress: fn(i16) -> u8) -> EncodeTable {
    (0..=u16::MAX).map(|bits| compress(bits.cast_signed())).collect()
}

/// ITU-T G.191 `ulaw_compress`: 14 significant bits, 8 segments of 16 steps.
fn compress_ulaw(sample: i16) -> u8 {
    // One's complement, so that −1 is the mirror image of 0.
    let magnitude = if sample < 0 { !sample } else { sample }.cast_unsigned() >> 2;
    let biased = (magnitude + 33).min(0x1FFF);
    let segment = u16::BITS - (biased >> 6).leading_zeros() + 1;
    let step = (biased >> segment) & 0xF;
    let byte = low_byte(8 - segment) << 4 | (0xF - low_byte(step.into()));
    if sample < 0 { byte } else { byte | 0x80 }
}

/// ITU-T G.191 `alaw_compress`: 12 significant bits, 8 segments of 16 steps, even bits inverted.
fn compress_alaw(sample: i16) -> u8 {
    let magnitude = if sample < 0 { !sample } else { sample }.cast_unsigned() >> 4;
    let byte = match (u16::BITS - magnitude.leading_zeros()).saturating_sub(5) {
        0 => low_byte(magnitude.into()),
        shift => low_byte(shift + 1) << 4 | low_byte(u32::from(magnitude >> shift) & 0xF),
    };
    (if sample < 0 { byte } else { byte | 0x80 }) ^ 0x55
}

fn low_byte(value: u32) -> u8 {
    value.to_le_bytes()[0]
}

const fn decode_table(ulaw: bool) -> [i16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = if ulaw { expand_ulaw(byte as i16) } else { expand_alaw(byte as i16) };
        byte += 1;
    }
    table
}

/// ITU-T G.191 `ulaw_expand`.
const fn expand_ulaw(byte: i16) -> i16 {
    let mantissa = !byte;
    let exponent = (mantissa >> 4) & 7;
    let step = 8 << exponent;
    let magnitude = (0x80 << exponent) + step * (mantissa & 0xF) + step / 2 - 4 * 33;
    if byte < 0x80 { -magnitude } else { magnitude }
}

/// ITU-T G.191 `alaw_expand`.
const fn expand_alaw(byte: i16) -> i16 {
    let bits = (byte ^ 0x55) & 0x7F;
    let segment = bits >> 4;
    let mantissa = (bits & 0xF) + if segment > 0 { 16 } else { 0 };
    let magnitude = ((mantissa << 4) + 8) << if segment > 1 { segment - 1 } else { 0 };
    if byte < 0x80 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_and_every_byte_are_as_the_reference_has_them() {
        for sample in i16::MIN..=i16::MAX {
            assert_eq!(encode_ulaw(sample), audio_codec_algorithms::encode_ulaw(sample), "µ-law of {sample}");
            assert_eq!(encode_alaw(sample), audio_codec_algorithms::encode_alaw(sample), "A-law of {sample}");
        }
        for byte in 0..=u8::MAX {
            assert_eq!(decode_ulaw(byte), audio_codec_algorithms::decode_ulaw(byte), "µ-law {byte:#x}");
            assert_eq!(decode_alaw(byte), audio_codec_algorithms::decode_alaw(byte), "A-law {byte:#x}");
        }
    }

    #[test]
    fn silence_is_what_a_zero_sample_encodes_to() {
        for codec in [Codec::Pcmu, Codec::Pcma] {
            assert_eq!(encode(codec, &[0]), [silence(codec)]);
        }
        assert_eq!((decode_ulaw(0xFF), decode_alaw(0xD5)), (0, 8));
    }

    #[test]
    fn slices_go_through_the_tables_of_their_codec() {
        let samples = [0, 1000, -1000, i16::MAX, i16::MIN];
        assert_eq!(encode(Codec::Pcmu, &samples), samples.map(encode_ulaw));
        assert_eq!(encode(Codec::Pcma, &samples), samples.map(encode_alaw));
        assert_eq!(decode(Codec::Pcmu, &[0x00, 0x80]), [-32124, 32124]);
        assert_eq!(decode(Codec::Pcma, &[0x2A, 0xAA]), [-32256, 32256]);
    }
}
