//! Finds a pack's prompts in what a phone heard.

use crate::speech::{PromptId, PromptPack};

/// A prompt that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heard {
    /// Which prompt.
    pub prompt: PromptId,
    /// Where it starts, in samples at 8 kHz.
    pub start_sample: usize,
    /// Where it ends, in samples at 8 kHz.
    pub end_sample: usize,
    /// Normalised cross-correlation, 0 to 1.
    pub score: f32,
}

/// Finds the prompts of `pack` in `pcm` (8 kHz): in time order, not overlapping, above a threshold.
pub fn find_prompts(pcm: &[i16], pack: &PromptPack) -> Vec<Heard> {
    todo!("{} {}", pcm.len(), pack.language())
}

/// The codes that were read: runs of digits, split by any other prompt and by a gap of more than 2.5 s.
pub fn readings(heard: &[Heard]) -> Vec<String> {
    todo!("{}", heard.len())
}
