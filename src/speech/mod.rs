//! Prompt packs: recordings read once, brought to 8 kHz and one loudness, and encoded once per codec into frames of
//! 20 ms that all calls share; and the matcher that finds those prompts again in what a phone heard.

pub mod encoded;
pub mod error;
pub mod loudness;
pub mod matcher;
pub mod pack;
pub mod prompt;
mod resample;
pub mod wav;

pub use encoded::EncodedPrompt;
pub use error::PromptError;
pub use loudness::Loudness;
pub use pack::PromptPack;
pub use prompt::PromptId;

/// Sample rate of everything that has been loaded: Hz.
pub const SAMPLE_RATE: u32 = 8000;

/// Samples in one frame of 20 ms at [`SAMPLE_RATE`].
pub const FRAME_SAMPLES: usize = 160;
