//! A language's prompts, ready to be sent.

use std::io;

use crate::speech::{EncodedPrompt, PromptError, PromptId};
use crate::wire::codec::Codec;

/// One language: each prompt as 8 kHz samples at one loudness, and as frames of each codec.
#[derive(Debug)]
pub struct PromptPack {
    language: String,
    samples: Vec<Vec<i16>>,
    encoded: Vec<(Codec, Vec<EncodedPrompt>)>,
}

impl PromptPack {
    /// Builds a pack from its files. `files` gives the content of a path inside the pack (`digits/3.wav`).
    ///
    /// # Errors
    /// The first recording, in the order of [`PromptId::ALL`], that cannot be used.
    pub fn build(
        language: &str,
        files: &dyn Fn(&str) -> io::Result<Vec<u8>>,
        codecs: &[Codec],
    ) -> Result<Self, PromptError> {
        todo!("{language} {:?} {codecs:?}", files("").is_ok())
    }

    /// The prompt `id` in `codec`: one of those that the pack was built for.
    pub fn prompt(&self, codec: Codec, id: PromptId) -> &EncodedPrompt {
        todo!("{codec:?} {id} {:?}", self.encoded)
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
