//! A language's prompts, ready to be sent.

use std::io;

use bytes::Bytes;

use crate::speech::loudness::{self, Loudness};
use crate::speech::resample::resample;
use crate::speech::{EncodedPrompt, FRAME_SAMPLES, PromptError, PromptId, SAMPLE_RATE, wav};
use crate::wire::codec::Codec;
use crate::wire::g711;

/// One language: each prompt as 8 kHz samples at one loudness, and as frames of each codec.
#[derive(Debug)]
pub struct PromptPack {
    language: String,
    /// By place in [`PromptId::ALL`].
    samples: Vec<Vec<i16>>,
    /// Likewise, for each codec.
    encoded: Vec<(Codec, Vec<EncodedPrompt>)>,
}

impl PromptPack {
    /// Builds a pack at the default [`Loudness`]. `files` gives the content of a path inside the pack
    /// (`digits/3.wav`).
    ///
    /// # Errors
    /// The first recording, in the order of [`PromptId::ALL`], that cannot be used.
    pub fn build(
        language: &str,
        files: &dyn Fn(&str) -> io::Result<Vec<u8>>,
        codecs: &[Codec],
    ) -> Result<Self, PromptError> {
        Self::build_at(language, files, codecs, Loudness::default())
    }

    /// Like [`PromptPack::build`], at a loudness that suits the trunk.
    ///
    /// # Errors
    /// The first recording, in the order of [`PromptId::ALL`], that cannot be used.
    pub fn build_at(
        language: &str,
        files: &dyn Fn(&str) -> io::Result<Vec<u8>>,
        codecs: &[Codec],
        loudness: Loudness,
    ) -> Result<Self, PromptError> {
        let load = |id: PromptId| prepare(&id.file_name(), files, loudness);
        let samples = PromptId::ALL.into_iter().map(load).collect::<Result<Vec<_>, _>>()?;
        let all = |codec: Codec| (codec, samples.iter().map(|pcm| encode(codec, pcm)).collect());
        let encoded = codecs.iter().copied().map(all).collect();
        Ok(PromptPack { language: language.to_owned(), samples, encoded })
    }

    /// The prompt `id` in `codec`.
    ///
    /// # Panics
    /// When the pack was not built for `codec`: offer only codecs that it was built for.
    pub fn prompt(&self, codec: Codec, id: PromptId) -> &EncodedPrompt {
        let (_, prompts) = self
            .encoded
            .iter()
            .find(|(of, _)| *of == codec)
            .expect("a pack is built for every codec that is offered, and an answer chooses among those");
        &prompts[id.index()]
    }

    /// The prompt's samples at 8 kHz, whole frames of 160.
    pub fn samples(&self, id: PromptId) -> &[i16] {
        &self.samples[id.index()]
    }

    /// The language tag (BCP 47) that the pack was built under.
    pub fn language(&self) -> &str {
        &self.language
    }
}

/// A lone recording, outside of any pack, at the default [`Loudness`]. `file` names it in errors.
///
/// # Errors
/// It cannot be used.
pub fn encode_recording(file: &str, wav: &[u8], codec: Codec) -> Result<EncodedPrompt, PromptError> {
    let pcm = prepare(file, &|_| Ok(wav.to_vec()), Loudness::default())?;
    Ok(encode(codec, &pcm))
}

fn encode(codec: Codec, pcm: &[i16]) -> EncodedPrompt {
    EncodedPrompt::new(codec, Bytes::from(g711::encode(codec, pcm)))
}

/// One recording: read, resampled, levelled, and padded to whole frames.
fn prepare(
    file: &str,
    files: &dyn Fn(&str) -> io::Result<Vec<u8>>,
    loudness: Loudness,
) -> Result<Vec<i16>, PromptError> {
    let named = || file.to_owned();
    let unreadable = |reason: String| PromptError::Unreadable { file: named(), reason };
    let bytes = files(file).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => PromptError::Missing { file: named() },
        _ => unreadable(error.to_string()),
    })?;
    let recording = wav::read(file, &bytes)?;
    let mut samples = resample(recording.samples, recording.rate, SAMPLE_RATE).map_err(unreadable)?;
    if !loudness::level(&mut samples, SAMPLE_RATE, loudness) {
        return Err(PromptError::Empty { file: named() });
    }
    let mut pcm: Vec<i16> = samples.into_iter().map(to_pcm).collect();
    pcm.resize(pcm.len().next_multiple_of(FRAME_SAMPLES), 0);
    Ok(pcm)
}

/// A fraction of full scale as a sample; out of range saturates.
fn to_pcm(sample: f32) -> i16 {
    (sample * 32_768.0).round() as i16
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::speech::loudness::active_level_dbov;
    use crate::speech::wav::tests::wav;
    use std::sync::{Arc, LazyLock};

    const CODECS: [Codec; 2] = [Codec::Pcmu, Codec::Pcma];

    fn shipped_file(file: &str) -> io::Result<Vec<u8>> {
        macro_rules! files {
            ($($name:literal)*) => {
                match file {
                    $($name => include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/prompts/en/", $name)).to_vec(),)*
                    _ => return Err(io::ErrorKind::NotFound.into()),
                }
            };
        }
        Ok(
            files!("digits/0.wav" "digits/1.wav" "digits/2.wav" "digits/3.wav" "digits/4.wav" "digits/5.wav" "digits/6.wav"
            "digits/7.wav" "digits/8.wav" "digits/9.wav" "otp-intro.wav" "otp-again.wav" "otp-press-1.wav"
            "otp-press-key.wav" "goodbye.wav"),
        )
    }

    /// The English prompts as shipped.
    pub(crate) fn shipped() -> &'static PromptPack {
        &SHIPPED
    }

    /// The same, for whoever keeps a share of it.
    pub(crate) fn shipped_shared() -> Arc<PromptPack> {
        SHIPPED.clone()
    }

    static SHIPPED: LazyLock<Arc<PromptPack>> =
        LazyLock::new(|| Arc::new(PromptPack::build("en", &shipped_file, &CODECS).unwrap()));

    /// The error of a pack that is the shipped one but for `file`.
    fn refused(file: &str, content: io::Result<Vec<u8>>) -> PromptError {
        let content = std::cell::RefCell::new(Some(content));
        let files = |wanted: &str| match wanted == file {
            true => content.borrow_mut().take().unwrap(),
            false => shipped_file(wanted),
        };
        PromptPack::build("en", &files, &CODECS).unwrap_err()
    }

    fn level_of(pcm: &[i16]) -> f32 {
        let samples: Vec<f32> = pcm.iter().map(|x| f32::from(*x) / 32_768.0).collect();
        active_level_dbov(&samples, SAMPLE_RATE).unwrap()
    }

    #[test]
    fn the_shipped_prompts_are_level_bounded_and_start_at_once() {
        let pack = shipped();
        for id in PromptId::ALL {
            let pcm = pack.samples(id);
            assert!((level_of(pcm) + 22.0).abs() < 0.3, "{id}: {} dBov", level_of(pcm));
            let peak = pcm.iter().map(|x| x.unsigned_abs()).max().unwrap();
            assert!(f32::from(peak) < 32_768.0 * 10f32.powf(-3.0 / 20.0), "{id}: peak {peak}");
            let onset = pcm.iter().position(|x| x.unsigned_abs() > peak / 100).unwrap();
            assert!(onset <= 240, "{id}: onset at sample {onset}");
            assert_eq!(pcm.len() % FRAME_SAMPLES, 0);
        }
    }

    #[test]
    fn each_shipped_file_is_whole_frames_without_padding() {
        for id in PromptId::ALL {
            let recording = wav::read("", &shipped_file(&id.file_name()).unwrap()).unwrap();
            assert_eq!((recording.rate, recording.samples.len() % 320), (16_000, 0), "{id}");
        }
    }

    #[test]
    fn frames_decode_to_the_samples() {
        let pack = shipped();
        for codec in CODECS {
            for id in PromptId::ALL {
                let prompt = pack.prompt(codec, id);
                assert_eq!(prompt.ticks() as usize, pack.samples(id).len());
                let decoded: Vec<i16> =
                    (0..prompt.frame_count()).flat_map(|i| g711::decode(codec, prompt.frame(i))).collect();
                let error = decoded.iter().zip(pack.samples(id)).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
                let power = pack.samples(id).iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
                assert!(10.0 * (power / error).log10() > 33.0, "{id} in {codec:?}");
            }
        }
    }

    #[test]
    fn a_louder_trunk_gets_louder_prompts() {
        let loudness = Loudness { active_level_dbov: -18.0, peak_dbfs: -6.0 };
        let pack = PromptPack::build_at("en", &shipped_file, &CODECS, loudness).unwrap();
        for id in PromptId::ALL {
            assert!((level_of(pack.samples(id)) + 18.0).abs() < 0.3, "{id}: {} dBov", level_of(pack.samples(id)));
            assert!(pack.samples(id).iter().all(|x| x.unsigned_abs() <= 16_423), "{id} exceeds -6 dBFS");
        }
    }

    #[test]
    fn a_join_with_silence_does_not_click() {
        let pack = shipped();
        for id in PromptId::ALL {
            let pcm = pack.samples(id);
            // 1 % of full scale would be heard; the ends stand far below it.
            for end in [&pcm[..8], &pcm[pcm.len() - 8..]] {
                assert!(end.iter().all(|x| x.unsigned_abs() < 100), "{id}: {end:?}");
            }
        }
    }

    #[test]
    fn a_damaged_recording_is_refused_by_name_fault_and_remedy() {
        let file = "digits/7.wav";
        let named = || file.to_owned();
        let missing = refused(file, Err(io::ErrorKind::NotFound.into()));
        assert_eq!(missing, PromptError::Missing { file: named() });
        assert_eq!(refused(file, Ok(vec![])), PromptError::Empty { file: named() });
        assert_eq!(refused(file, Ok(wav(8000, 1, &[0; 8000]))), PromptError::Empty { file: named() });
        let stereo = refused(file, Ok(wav(8000, 2, &[9; 8000])));
        assert_eq!(stereo, PromptError::Stereo { file: named(), channels: 2 });
        let clipped = refused(file, Ok(wav(8000, 1, &[i16::MAX; 800])));
        assert_eq!(clipped, PromptError::Clipped { file: named(), samples: 800 });
        let locked = refused(file, Err(io::ErrorKind::PermissionDenied.into()));
        assert!(matches!(&locked, PromptError::Unreadable { reason, .. } if reason.contains("permission")));
        let text = missing.to_string();
        assert!(text.starts_with("digits/7.wav: ") && text.contains("missing") && text.contains("make.sh"), "{text}");
        assert!(stereo.to_string().contains("sox"), "{stereo}");
    }
}
