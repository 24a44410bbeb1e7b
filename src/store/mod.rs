//! The drivers of files: the database, and the prompt folder.
//!
//! [`Store`] is the one door to the database. What it promises:
//!
//! - **Durable means on disk**: an answer to a write comes after the commit, with `synchronous = FULL`.
//! - **Written before the act**: an attempt is recorded ([`Record::Begin`]) before its INVITE leaves. After a crash,
//!   whatever was only accepted is still pending and is called, and whatever had begun becomes `interrupted` and is
//!   never called again ([`Store::recover`]).
//! - **Each end once**: a request ends in one transaction with its attempt and the last line of its timeline, and stays
//!   as it ended.
//! - **No code in clear**: sealed under a key that is not in the database while a call may still happen
//!   ([`code_vault`]), then a keyed hash until the code expires, then nothing.

pub mod attempts;
pub mod challenges;
pub mod code_vault;
pub mod error;
pub mod key_file;
pub mod prompt_dir;
mod reads;
pub mod schema;
pub mod timeline;
pub mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::any::AnyPoolOptions;
use sqlx::{AnyConnection, AnyPool, Connection, Row};
use tokio::task::JoinHandle;

pub use crate::otp::{CallStatus, Disposition};
pub use attempts::{AttemptRow, Begin, End, Record, Recorded};
pub use challenges::{Cancelled, ChallengeRow, Closed, NewChallenge, PendingCall};
pub use error::StoreError;
pub use reads::{Filter, Pending, StoredCall};
pub use timeline::{EventRow, NewEvent};

use crate::base::random::Random;
use crate::base::secret::Secret;
use crate::base::time::UnixTime;
use crate::otp::{CodeKey, PhoneNumber, Verification};
use attempts::{Recover, Write};
use challenges::{Accept, Cancel, Sweep, Verify};
use code_vault::CodeVault;
use key_file::KeyFile;
use writer::Writer;

/// Connections that read beside the writer.
const READERS: u32 = 4;

/// The database. Cheap to clone; every clone is the same store.
#[derive(Clone)]
pub struct Store {
    writer: Writer,
    readers: AnyPool,
    vault: Arc<CodeVault>,
    code_key: CodeKey,
    writer_task: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Store {
    /// Opens the database at `url` (`sqlite:<path>`), makes it when there is none, and brings its tables to the newest
    /// version. The key file has the database's name with the ending `.key`; it is made on the first start, and its
    /// lock keeps a second daemon away. `random` draws the key and the nonces.
    ///
    /// # Errors
    /// [`StoreError`] names the file and what to do.
    pub async fn open(url: &str, mut random: Random, now: UnixTime) -> Result<Self, StoreError> {
        let path = sqlite_path(url)?;
        let key_file = KeyFile::open_or_create(&path.with_extension("key"), &mut random)?;
        create_private(&path)?;
        let vault = Arc::new(CodeVault::new(key_file.key(), random));
        sqlx::any::install_default_drivers();
        let url = format!("sqlite:{}", percent_encode(&path));
        let mut connection = AnyConnection::connect(&url).await.map_err(|error| unusable(&path, &error))?;
        prepare(&mut connection).await.map_err(|error| unusable(&path, &error))?;
        schema::migrate(&mut connection, now).await?;
        check_key(&mut connection, &vault, &path).await?;
        let readers = AnyPoolOptions::new()
            .max_connections(READERS)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    sqlx::raw_sql("PRAGMA busy_timeout = 5000; PRAGMA query_only = ON").execute(connection).await?;
                    Ok(())
                })
            })
            .connect(&url)
            .await?;
        let code_key = CodeKey::new(*vault.hash_key());
        let (writer, task) = Writer::start(connection, Arc::new(key_file));
        Ok(Store { writer, readers, vault, code_key, writer_task: Arc::new(Mutex::new(Some(task))) })
    }

    /// The key of the hashes by which codes are verified.
    pub fn code_key(&self) -> &CodeKey {
        &self.code_key
    }

    /// Makes a request durable; answers its number.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was accepted then.
    pub async fn accept(&self, challenge: NewChallenge) -> Result<i64, StoreError> {
        let sealed = self.vault.seal(&challenge.uuid, &Secret::new(challenge.code.expose()));
        self.writer.write(Accept { challenge, sealed }).await
    }

    /// Requests that wait for their call, numbered above `after`, oldest first, at most `limit`; without those whose
    /// code is not valid any more at `now`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn pending(&self, after: i64, limit: usize, now: UnixTime) -> Result<Pending, StoreError> {
        reads::pending(&mut *self.readers.acquire().await?, &self.vault, after, limit, now).await
    }

    /// Writes records in order, in one transaction; answers each in the same order.
    ///
    /// # Errors
    /// [`StoreError`]; none was written then.
    pub async fn record(&self, records: Vec<Record>) -> Result<Vec<Recorded>, StoreError> {
        self.writer.write(Write { records }).await
    }

    /// Ends a request of `user` that waits.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn cancel(&self, user: &str, id: i64, now: UnixTime) -> Result<Cancelled, StoreError> {
        self.writer.write(Cancel { user: user.to_owned(), id, now }).await
    }

    /// Checks `given` against the newest code that `user` sent to `phone`, and counts the try.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn verify(
        &self,
        user: &str,
        phone: PhoneNumber,
        given: Secret,
        now: UnixTime,
    ) -> Result<Verification, StoreError> {
        self.writer.write(Verify { user: user.to_owned(), phone, given, key: self.code_key.clone(), now }).await
    }

    /// To be called once at start, before anything is dialled: ends what ran when the last daemon died. Answers the
    /// requests that are `interrupted` now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn recover(&self, now: UnixTime) -> Result<Vec<Closed>, StoreError> {
        self.writer.write(Recover { now }).await
    }

    /// Ends what waited until its code expired, wipes hashes of expired codes; a bounded number of rows a time.
    /// Answers the requests that are `expired` now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sweep(&self, now: UnixTime) -> Result<Vec<Closed>, StoreError> {
        self.writer.write(Sweep { now }).await
    }

    /// Requests of `user`, newest first: how many there are in all, and `limit` of them from the `offset`-th on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn page(
        &self,
        user: &str,
        filter: &Filter,
        offset: i64,
        limit: i64,
    ) -> Result<(i64, Vec<ChallengeRow>), StoreError> {
        reads::page(&mut *self.readers.acquire().await?, user, filter, offset, limit).await
    }

    /// One request of `user` with its newest attempt and its timeline.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn call(&self, user: &str, id: i64) -> Result<Option<StoredCall>, StoreError> {
        reads::call(&mut *self.readers.acquire().await?, user, id).await
    }

    /// The newest request of `user` for `phone`, with its newest attempt and no timeline.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn newest(&self, user: &str, phone: &PhoneNumber) -> Result<Option<StoredCall>, StoreError> {
        reads::newest(&mut *self.readers.acquire().await?, user, phone).await
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`StoreError`] when it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").fetch_one(&self.readers).await?;
        Ok(())
    }

    /// Commits what was handed in and closes the files; every later write is [`StoreError::Closed`].
    pub async fn close(&self) {
        self.writer.stop();
        let task = self.writer_task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            // Whatever it did, there is nothing left to wait for.
            let _ = task.await;
        }
        self.readers.close().await;
    }
}

fn sqlite_path(url: &str) -> Result<PathBuf, StoreError> {
    let refuse = |why| Err(StoreError::Url { url: url.to_owned(), why });
    if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        return refuse("this ringcode is built without PostgreSQL: use sqlite:<path>");
    }
    let Some(path) = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")) else {
        return refuse("write sqlite:<path>");
    };
    if path.is_empty() || path == ":memory:" || path.contains('?') {
        return refuse("write the path of a file behind sqlite:, and nothing else");
    }
    let path = PathBuf::from(path);
    if path.extension().is_some_and(|ending| ending == "key") {
        return refuse("the ending .key is that of the key file: give the database another");
    }
    Ok(path)
}

/// sqlx reads the path as part of a URL.
fn percent_encode(path: &Path) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte);
    let bytes = std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str());
    bytes.iter().map(|&byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Makes the database readable by its owner only: it names who was called and when. SQLite gives its other files the
/// same mode.
fn create_private(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map(drop)
        .map_err(|error| StoreError::file(path, format!("cannot be opened or made: {error}")))
}

fn unusable(path: &Path, error: &sqlx::Error) -> StoreError {
    StoreError::file(path, format!("cannot be used as a database: {error}"))
}

async fn prepare(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    // FULL: the log is synced at each commit, so that what was answered survives a power cut (sqlite.org/pragma.html).
    let pragmas = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
        PRAGMA foreign_keys = ON";
    sqlx::raw_sql(pragmas).execute(connection).await?;
    Ok(())
}

async fn check_key(connection: &mut AnyConnection, vault: &CodeVault, path: &Path) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO fact (name, value) VALUES ('key', $1) ON CONFLICT (name) DO NOTHING")
        .bind(vault.fingerprint())
        .execute(&mut *connection)
        .await?;
    let found: String =
        sqlx::query("SELECT value FROM fact WHERE name = 'key'").fetch_one(connection).await?.try_get(0)?;
    if found == vault.fingerprint() {
        return Ok(());
    }
    let why = format!(
        "was written with another key than {}: bring the old key file back, or move the database away to begin anew",
        path.with_extension("key").display()
    );
    Err(StoreError::file(path, why))
}

#[cfg(test)]
mod tests;
