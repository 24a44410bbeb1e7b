//! Reads a prompt pack from a folder: the only file access of the speech path.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::speech::{PromptError, PromptPack};
use crate::wire::codec::Codec;

/// Largest file that is read: a prompt of the longest length at 48 kHz is a tenth of it.
const MAX_FILE: u64 = 16 << 20;

/// Loads the pack in `dir`/`language` for `codecs`.
///
/// # Errors
/// No such folder, or the first recording that cannot be used, named by its path from `dir` on.
pub fn load_pack(dir: &Path, language: &str, codecs: &[Codec]) -> Result<PromptPack, PromptError> {
    let folder = dir.join(language);
    let name = folder.display().to_string();
    // A language is one folder's name, never a way out of `dir`.
    let is_name = !language.is_empty() && language.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !is_name || !folder.is_dir() {
        return Err(PromptError::NoLanguage { folder: name, language: language.to_owned() });
    }
    PromptPack::build(language, &|file| read(&folder.join(file)), codecs).map_err(|error| error.in_folder(&name))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::other("it is larger than 16 MB"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech::PromptId;

    const CODECS: [Codec; 2] = [Codec::Pcmu, Codec::Pcma];

    fn shipped() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts")
    }

    /// A folder with a copy of the English prompts.
    fn copy() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("en/digits")).unwrap();
        for id in PromptId::ALL {
            fs::copy(shipped().join("en").join(id.file_name()), dir.path().join("en").join(id.file_name())).unwrap();
        }
        dir
    }

    #[test]
    fn the_shipped_pack_loads() {
        assert_eq!(load_pack(&shipped(), "en", &CODECS).unwrap().language(), "en");
    }

    #[test]
    fn a_missing_and_a_cut_file_are_named_by_their_whole_path() {
        let dir = copy();
        let file = dir.path().join("en/digits/5.wav");
        let whole = fs::read(&file).unwrap();
        fs::write(&file, &whole[..whole.len() / 2]).unwrap();
        let error = load_pack(dir.path(), "en", &CODECS).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, PromptError::Unreadable { .. }) && text.contains(file.to_str().unwrap()), "{text}");
        fs::remove_file(&file).unwrap();
        let error = load_pack(dir.path(), "en", &CODECS).unwrap_err();
        assert_eq!(error, PromptError::Missing { file: file.display().to_string() });
        fs::create_dir(&file).unwrap();
        assert!(matches!(load_pack(dir.path(), "en", &CODECS), Err(PromptError::Unreadable { .. })));
    }

    #[test]
    fn a_language_is_a_folder_name_and_nothing_else() {
        for language in ["xx", "", "..", "../prompts/en", "/etc", "en/"] {
            let error = load_pack(&shipped(), language, &CODECS).unwrap_err();
            assert!(matches!(error, PromptError::NoLanguage { .. }), "{language:?}: {error}");
        }
    }
}
