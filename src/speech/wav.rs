//! A recording as it stands in a WAV file: 16-bit PCM, mono, 8 to 48 kHz. A-law and µ-law WAV would join here.

use std::io::Cursor;

use hound::{SampleFormat, WavReader};

use crate::speech::PromptError;

/// Longest prompt, in seconds.
pub const MAX_SECONDS: u32 = 15;

/// Consecutive samples at full scale that make a clipped peak: speech passes through its peak, it does not rest there.
const CLIPPED_RUN: usize = 3;

/// Mono sound with its sample rate.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Recording {
    /// Hz.
    pub rate: u32,
    /// Full scale is -1.0 to 1.0.
    pub samples: Vec<f32>,
}

/// Reads `bytes`, which came from `file`.
pub(crate) fn read(file: &str, bytes: &[u8]) -> Result<Recording, PromptError> {
    let named = || file.to_owned();
    let unreadable = |reason: String| PromptError::Unreadable { file: named(), reason };
    if bytes.is_empty() {
        return Err(PromptError::Empty { file: named() });
    }
    let mut reader = WavReader::new(Cursor::new(bytes)).map_err(|error| unreadable(told(&error)))?;
    let format = reader.spec();
    if format.channels != 1 {
        return Err(PromptError::Stereo { file: named(), channels: format.channels });
    }
    if format.sample_format != SampleFormat::Int || format.bits_per_sample != 16 {
        let kind = if format.sample_format == SampleFormat::Int { "integers" } else { "floating point" };
        return Err(unreadable(format!("its samples are {} bits of {kind}", format.bits_per_sample)));
    }
    if !(8000..=48_000).contains(&format.sample_rate) {
        return Err(PromptError::Rate { file: named(), rate: format.sample_rate });
    }
    // The header is only a claim: what is promised but not there is a truncated file, whatever length it claims.
    if reader.duration() as usize > bytes.len() / 2 {
        return Err(unreadable("it ends before its last sample".to_owned()));
    }
    if reader.duration() > MAX_SECONDS * format.sample_rate {
        let seconds = reader.duration() / format.sample_rate;
        return Err(PromptError::TooLong { file: named(), seconds, limit: MAX_SECONDS });
    }
    let pcm = reader.samples::<i16>().collect::<Result<Vec<_>, _>>().map_err(|error| unreadable(told(&error)))?;
    if pcm.is_empty() {
        return Err(PromptError::Empty { file: named() });
    }
    match clipped_samples(&pcm) {
        0 => Ok(Recording { rate: format.sample_rate, samples: pcm.into_iter().map(to_float).collect() }),
        samples => Err(PromptError::Clipped { file: named(), samples }),
    }
}

/// A sample as a fraction of full scale.
fn to_float(sample: i16) -> f32 {
    f32::from(sample) / 32_768.0
}

/// Samples that stand in runs of [`CLIPPED_RUN`] or more at one end of the scale.
fn clipped_samples(pcm: &[i16]) -> usize {
    let end_of_scale = |sample: i16| match sample {
        i16::MAX => 1,
        -32_767 | i16::MIN => -1,
        _ => 0,
    };
    pcm.chunk_by(|a, b| end_of_scale(*a) == end_of_scale(*b))
        .filter(|run| end_of_scale(run[0]) != 0 && run.len() >= CLIPPED_RUN)
        .map(<[i16]>::len)
        .sum()
}

/// The reader's error in the user's words.
fn told(error: &hound::Error) -> String {
    match error {
        hound::Error::IoError(_) => "it ends before its last sample".to_owned(),
        hound::Error::FormatError(reason) => format!("it is no WAV file ({reason})"),
        hound::Error::Unsupported | hound::Error::InvalidSampleFormat | hound::Error::TooWide => {
            "its WAV format is not supported".to_owned()
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use hound::{WavSpec, WavWriter};

    /// A WAV file of `pcm`, interleaved when there are several channels.
    pub(crate) fn wav(rate: u32, channels: u16, pcm: &[i16]) -> Vec<u8> {
        let format = WavSpec { channels, sample_rate: rate, bits_per_sample: 16, sample_format: SampleFormat::Int };
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut bytes, format).unwrap();
        pcm.iter().for_each(|sample| writer.write_sample(*sample).unwrap());
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    #[test]
    fn samples_and_rate_come_through() {
        let recording = read("a.wav", &wav(16_000, 1, &[0, 16_384, -32_768])).unwrap();
        assert_eq!(recording, Recording { rate: 16_000, samples: vec![0.0, 0.5, -1.0] });
    }

    #[test]
    fn each_fault_is_refused_by_its_name() {
        let file = || "a.wav".to_owned();
        let refused = |bytes: &[u8]| read("a.wav", bytes).unwrap_err();
        assert_eq!(refused(b""), PromptError::Empty { file: file() });
        assert_eq!(refused(&wav(8000, 1, &[])), PromptError::Empty { file: file() });
        assert_eq!(refused(&wav(8000, 2, &[1, 2])), PromptError::Stereo { file: file(), channels: 2 });
        assert_eq!(refused(&wav(7999, 1, &[1])), PromptError::Rate { file: file(), rate: 7999 });
        assert_eq!(refused(&wav(96_000, 1, &[1])), PromptError::Rate { file: file(), rate: 96_000 });
        let long = wav(8000, 1, &vec![1; 8000 * 16]);
        assert_eq!(refused(&long), PromptError::TooLong { file: file(), seconds: 16, limit: 15 });
        assert!(matches!(refused(b"ID3 is not RIFF"), PromptError::Unreadable { .. }));
        let eight_bits = {
            let mut bytes = wav(8000, 1, &[1, 2]);
            bytes[34] = 8;
            bytes[32] = 1;
            bytes
        };
        assert!(matches!(refused(&eight_bits), PromptError::Unreadable { .. }));
    }

    #[test]
    fn a_file_cut_anywhere_is_refused() {
        let whole = wav(8000, 1, &[100; 400]);
        for length in 0..whole.len() {
            assert!(read("a.wav", &whole[..length]).is_err(), "accepted {length} of {} bytes", whole.len());
        }
    }

    #[test]
    fn only_runs_at_full_scale_are_clipping() {
        assert_eq!(clipped_samples(&[i16::MAX, 0, i16::MAX, i16::MAX, 0, i16::MIN, -32_767]), 0);
        assert_eq!(clipped_samples(&[i16::MAX, i16::MIN, i16::MAX]), 0);
        assert_eq!(clipped_samples(&[0, i16::MAX, i16::MAX, i16::MAX, 5, i16::MIN, -32_767, -32_768, -32_768]), 7);
        let error = read("x.wav", &wav(8000, 1, &[i16::MIN; 3])).unwrap_err();
        assert_eq!(error, PromptError::Clipped { file: "x.wav".to_owned(), samples: 3 });
    }
}
