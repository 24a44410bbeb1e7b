//! Reads a prompt pack from a folder: the only file access of the speech path.

use std::fs;
use std::path::Path;

use crate::speech::{PromptError, PromptPack};
use crate::wire::codec::Codec;

/// Loads the pack in `dir`/`language` for `codecs`.
///
/// # Errors
/// The first recording that cannot be used; its name in the error is the path under `dir`.
pub fn load_pack(dir: &Path, language: &str, codecs: &[Codec]) -> Result<PromptPack, PromptError> {
    let folder = dir.join(language);
    PromptPack::build(language, &|file| fs::read(folder.join(file)), codecs)
}
