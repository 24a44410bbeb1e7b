//! Why a pack was refused: which file, what is wrong with it, and what to do.

use thiserror::Error;

/// A recording that cannot be used. The text names the file, the fault and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PromptError {
    /// There is no such file.
    #[error("{file}: the recording is missing; put it there, or run prompts/make.sh to make the shipped ones again")]
    Missing {
        /// Path of the file as the user would write it.
        file: String,
    },
    /// The file is there, but holds no sound.
    #[error("{file}: the recording is empty or silent; record it again")]
    Empty {
        /// Path of the file.
        file: String,
    },
    /// More than one channel.
    #[error("{file}: the recording has {channels} channels, a telephone has one; convert it: sox in.wav -c 1 out.wav")]
    Stereo {
        /// Path of the file.
        file: String,
        /// Channels found.
        channels: u16,
    },
    /// Peaks were cut off while recording.
    #[error(
        "{file}: the recording is clipped ({samples} samples stand at full scale in runs); record it at a lower level"
    )]
    Clipped {
        /// Path of the file.
        file: String,
        /// Samples inside runs at full scale.
        samples: usize,
    },
    /// Not a WAV file that is understood, or a damaged one.
    #[error(
        "{file}: the recording cannot be read: {reason}; save it as WAV, PCM, 16 bits, mono: sox in -b 16 -c 1 -r 16000 out.wav"
    )]
    Unreadable {
        /// Path of the file.
        file: String,
        /// What the reader met.
        reason: String,
    },
    /// A sample rate that is not between 8 and 48 kHz.
    #[error(
        "{file}: the sample rate is {rate} Hz, but must lie between 8000 and 48000; convert it: sox in.wav -r 16000 out.wav"
    )]
    Rate {
        /// Path of the file.
        file: String,
        /// Rate found, Hz.
        rate: u32,
    },
    /// Longer than a prompt may be.
    #[error("{file}: the recording lasts {seconds} s, a prompt may last {limit} s; shorten it")]
    TooLong {
        /// Path of the file.
        file: String,
        /// Length found, seconds, rounded down.
        seconds: u32,
        /// Longest that is allowed, seconds.
        limit: u32,
    },
    /// There is no folder of recordings for the language.
    #[error(
        "{folder}: there is no prompt pack for the language \"{language}\"; set [speech] dir and language to one that is there"
    )]
    NoLanguage {
        /// The folder that was looked for.
        folder: String,
        /// The language asked for.
        language: String,
    },
}

impl PromptError {
    /// The same error with its file named from `folder`, as the user can open it.
    pub fn in_folder(mut self, folder: &str) -> Self {
        match &mut self {
            PromptError::Missing { file }
            | PromptError::Empty { file }
            | PromptError::Stereo { file, .. }
            | PromptError::Clipped { file, .. }
            | PromptError::Unreadable { file, .. }
            | PromptError::Rate { file, .. }
            | PromptError::TooLong { file, .. } => *file = format!("{folder}/{file}"),
            PromptError::NoLanguage { .. } => {}
        }
        self
    }
}
