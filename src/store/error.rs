//! What may go wrong with the database and its files, in words that name the file and the remedy.

use std::path::Path;

/// A failure of the database or of its files. None of these is the caller's fault, and none says that an earlier
/// durable answer was wrong.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL is not one that this store can open.
    #[error("store.url `{url}`: {why}")]
    Url {
        /// As configured, without any password.
        url: String,
        /// What would be right.
        why: &'static str,
    },
    /// A file beside the database could not be used.
    #[error("{path}: {why}")]
    File {
        /// Which file.
        path: String,
        /// What is wrong and what to do.
        why: String,
    },
    /// The disk is full: nothing more can be made durable until there is room.
    #[error("the disk of the database is full: {0}")]
    DiskFull(String),
    /// Another program keeps the database locked for longer than the busy timeout.
    #[error("another program keeps the database locked: {0}")]
    Busy(String),
    /// One statement asked for what the tables forbid; the database itself is well.
    #[error("refused by the database: {0}")]
    Constraint(String),
    /// The database failed in any other way.
    #[error("database: {0}")]
    Database(String),
    /// The database was written by a newer ringcode.
    #[error("the database has schema version {found}, this ringcode knows up to {known}: run the newer ringcode")]
    TooNew {
        /// The version found.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// A row holds what this program never writes.
    #[error("the database holds an impossible value: {0}")]
    Corrupt(String),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// A failure about the file at `path`.
    pub fn file(path: &Path, why: impl Into<String>) -> Self {
        StoreError::File { path: path.display().to_string(), why: why.into() }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if let sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) = error {
            return StoreError::Corrupt(error.to_string());
        }
        // The primary result code is the low byte of the extended one (sqlite.org/rescode.html).
        let code = error
            .as_database_error()
            .and_then(|database| database.code().and_then(|code| code.parse::<u32>().ok()))
            .map(|code| code & 0xff);
        match code {
            Some(5 | 6) => StoreError::Busy(error.to_string()),
            Some(19) => StoreError::Constraint(error.to_string()),
            Some(13) => StoreError::DiskFull(error.to_string()),
            _ => StoreError::Database(error.to_string()),
        }
    }
}
