//! What may go wrong with the database and its files.

use std::fmt;

/// A failure of the database or of its files.
#[derive(Debug, thiserror::Error)]
pub struct StoreError {
    what: String,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}
