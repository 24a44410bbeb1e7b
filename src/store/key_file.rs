//! The key file beside the database: 32 random bytes in hex, readable by its owner only.
//!
//! Whoever holds the database without this file learns no code. The open file also carries the lock that keeps a second
//! daemon away from the same SQLite database: two would both call what the other has pending.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use super::error::StoreError;
use crate::base::hex;
use crate::base::random::Random;

/// Length of the key in bytes.
pub const KEY_BYTES: usize = 32;

/// The key, and the lock that is held as long as this lives.
pub struct KeyFile {
    key: Zeroizing<[u8; KEY_BYTES]>,
    _lock: File,
}

impl KeyFile {
    /// Reads the key at `path`, or draws one and writes it with mode 0600 when there is no file.
    ///
    /// # Errors
    /// [`StoreError::File`] when others may read the file, when it is damaged or unreadable, or when another process
    /// holds its lock.
    pub fn open_or_create(path: &Path, random: &mut Random) -> Result<Self, StoreError> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(|error| StoreError::file(path, format!("cannot be opened or made: {error}")))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::file(path, "another ringcode uses this database: stop it first"));
            }
            Err(TryLockError::Error(error)) => {
                return Err(StoreError::file(path, format!("cannot be locked: {error}")));
            }
        }
        let unreadable = |error: std::io::Error| StoreError::file(path, format!("cannot be read: {error}"));
        let mode = file.metadata().map_err(unreadable)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(StoreError::file(
                path,
                format!("others may read this key (mode {mode:04o}): run `chmod 600 {}`", path.display()),
            ));
        }
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text).map_err(unreadable)?;
        if text.is_empty() {
            let key = draw(random);
            write(&mut file, path, &key)
                .map_err(|error| StoreError::file(path, format!("cannot be written: {error}")))?;
            return Ok(KeyFile { key, _lock: file });
        }
        let bytes = hex::decode(text.trim()).map(Zeroizing::new);
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        match bytes {
            Some(bytes) if bytes.len() == KEY_BYTES => key.copy_from_slice(&bytes),
            _ => return Err(StoreError::file(path, "is not 64 hex digits: restore the key file from a copy")),
        }
        Ok(KeyFile { key, _lock: file })
    }

    /// The key.
    pub fn key(&self) -> &[u8; KEY_BYTES] {
        &self.key
    }
}

fn draw(random: &mut Random) -> Zeroizing<[u8; KEY_BYTES]> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    random.fill(&mut *key);
    key
}

fn write(file: &mut File, path: &Path, key: &[u8; KEY_BYTES]) -> std::io::Result<()> {
    let mut line = Zeroizing::new(hex::encode(key));
    line.push('\n');
    file.write_all(line.as_bytes())?;
    file.sync_all()?;
    // The file's name must be as durable as the first code that is sealed with it.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn open(path: &Path, seed: u64) -> Result<KeyFile, StoreError> {
        KeyFile::open_or_create(path, &mut Random::from_seed(seed))
    }

    #[test]
    fn the_first_start_draws_a_key_that_only_the_owner_reads_and_the_next_finds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ringcode.key");
        let first = *open(&path, 1).unwrap().key();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(*open(&path, 2).unwrap().key(), first);
        assert_ne!(first, [0; KEY_BYTES]);
    }

    #[test]
    fn a_second_process_is_kept_away_while_the_first_lives() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ringcode.key");
        let first = open(&path, 1).unwrap();
        let refused = open(&path, 2).err().unwrap().to_string();
        assert!(refused.contains("another ringcode uses this database"), "{refused}");
        drop(first);
        assert!(open(&path, 2).is_ok());
    }

    #[test]
    fn a_key_that_others_may_read_and_a_damaged_one_are_refused_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ringcode.key");
        drop(open(&path, 1).unwrap());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let refused = open(&path, 1).err().unwrap().to_string();
        assert!(refused.contains("chmod 600"), "{refused}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "abc").unwrap();
        let refused = open(&path, 1).err().unwrap().to_string();
        assert!(refused.contains("64 hex digits"), "{refused}");
    }
}
