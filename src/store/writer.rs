//! The one writer: requests that arrive while a commit runs share the next one.
//!
//! SQLite has one writer at a time and a durable commit costs an fsync, so a queue in front of one connection is both
//! the fastest and the simplest order: a batch of up to [`MAX_BATCH`] operations is one transaction, and nobody is
//! answered before it is on disk. An operation that violates a constraint is taken out and the others are run again;
//! any other failure of the database fails the whole batch.
//!
//! The queue holds [`QUEUE`] operations; when it is full, those who ask wait.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use sqlx::{AnyConnection, Connection};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::error::StoreError;

/// Operations that may share a commit; bounds how long the first of them waits for the last.
pub const MAX_BATCH: usize = 256;
/// Operations that may wait for the writer.
pub const QUEUE: usize = 1024;

type Step<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Something to write. It may run more than once, each time in a transaction in which no earlier run is visible.
pub trait Operation: Send + Sync + 'static {
    /// What whoever asked learns after the commit.
    type Answer: Send + 'static;

    /// Runs inside the batch's transaction.
    fn apply<'a>(
        &'a self,
        connection: &'a mut AnyConnection,
    ) -> impl Future<Output = Result<Self::Answer, StoreError>> + Send + 'a;
}

/// Hands operations to the writer.
#[derive(Clone)]
pub struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
    stop: Arc<Notify>,
}

impl Writer {
    /// Starts the writer on `connection`. `keep` lives as long as the writer does. The task ends, with the connection
    /// closed, after [`stop`](Self::stop) or when the last clone of the handle is gone, once everything handed in is
    /// committed.
    pub fn start(connection: AnyConnection, keep: Arc<dyn Send + Sync>) -> (Self, JoinHandle<()>) {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let stop = Arc::new(Notify::new());
        let task = tokio::spawn({
            let stop = Arc::clone(&stop);
            async move {
                run(connection, jobs, &stop).await;
                drop(keep);
            }
        });
        (Writer { queue, stop }, task)
    }

    /// Takes no more operations, commits those that were handed in, and ends.
    pub fn stop(&self) {
        self.stop.notify_one();
    }

    /// Runs `operation` and waits until it is durable.
    ///
    /// # Errors
    /// The operation's own error or the commit's; nothing was written then. [`StoreError::Closed`] when the writer has
    /// ended.
    pub async fn write<O: Operation>(&self, operation: O) -> Result<O::Answer, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Queued { operation, answer: None, reply });
        self.queue.send(job).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

trait Job: Send {
    fn run<'a>(&'a mut self, connection: &'a mut AnyConnection) -> Step<'a, ()>;
    fn settle(self: Box<Self>, result: Result<(), StoreError>);
}

/// An operation, what its last run answered, and who waits for it.
struct Queued<O: Operation> {
    operation: O,
    answer: Option<O::Answer>,
    reply: oneshot::Sender<Result<O::Answer, StoreError>>,
}

impl<O: Operation> Job for Queued<O> {
    fn run<'a>(&'a mut self, connection: &'a mut AnyConnection) -> Step<'a, ()> {
        Box::pin(async move {
            self.answer = Some(self.operation.apply(connection).await?);
            Ok(())
        })
    }

    fn settle(self: Box<Self>, result: Result<(), StoreError>) {
        let Queued { answer, reply, .. } = *self;
        // Whoever asked may have gone away; what was written stays.
        let _ = reply.send(result.and_then(|()| answer.ok_or(StoreError::Closed)));
    }
}

async fn run(mut connection: AnyConnection, mut jobs: mpsc::Receiver<Box<dyn Job>>, stop: &Notify) {
    let mut batch = Vec::with_capacity(MAX_BATCH);
    loop {
        tokio::select! {
            taken = jobs.recv_many(&mut batch, MAX_BATCH) => match taken {
                0 => break,
                _ => commit(&mut connection, &mut batch).await,
            },
            () = stop.notified() => jobs.close(),
        }
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "the database did not close cleanly");
    }
}

/// Runs `batch` until it is committed or refused; empties it.
async fn commit(connection: &mut AnyConnection, batch: &mut Vec<Box<dyn Job>>) {
    while !batch.is_empty() {
        match attempt(connection, batch).await {
            Ok(()) => batch.drain(..).for_each(|job| job.settle(Ok(()))),
            Err(Refused { culprit: Some(culprit), error }) => batch.remove(culprit).settle(Err(error)),
            Err(Refused { culprit: None, error }) => {
                tracing::error!(%error, operations = batch.len(), "the store could not write");
                batch.drain(..).for_each(|job| job.settle(Err(error.clone())));
            }
        }
    }
}

/// Why a transaction was given up, and whose fault that was when it was one operation's.
struct Refused {
    culprit: Option<usize>,
    error: StoreError,
}

async fn attempt(connection: &mut AnyConnection, batch: &mut [Box<dyn Job>]) -> Result<(), Refused> {
    let result = transact(connection, batch).await;
    if result.is_err() {
        // SQLite has rolled back by itself after some errors (a full disk, for one), and then has nothing to roll back
        // here. That is why the statements are sent by hand: sqlx's own transactions lose count of it, and the
        // connection would refuse every later one.
        let _ = sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await;
    }
    result
}

async fn transact(connection: &mut AnyConnection, batch: &mut [Box<dyn Job>]) -> Result<(), Refused> {
    let whole = |error: sqlx::Error| Refused { culprit: None, error: error.into() };
    // IMMEDIATE takes the write lock at once; a read lock that must be raised later can fail in the middle.
    let begin = if connection.backend_name() == "SQLite" { "BEGIN IMMEDIATE" } else { "BEGIN" };
    sqlx::raw_sql(begin).execute(&mut *connection).await.map_err(whole)?;
    for (index, job) in batch.iter_mut().enumerate() {
        job.run(connection).await.map_err(|error| {
            let own_fault = matches!(error, StoreError::Constraint(_) | StoreError::Corrupt(_));
            Refused { culprit: own_fault.then_some(index), error }
        })?;
    }
    sqlx::raw_sql("COMMIT").execute(connection).await.map_err(whole)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use sqlx::Row;

    use super::*;

    /// Inserts a number and answers how many rows there are.
    struct Insert(i64);

    impl Operation for Insert {
        type Answer = i64;

        async fn apply(&self, connection: &mut AnyConnection) -> Result<i64, StoreError> {
            sqlx::query("INSERT INTO t (n) VALUES ($1)").bind(self.0).execute(&mut *connection).await?;
            Ok(sqlx::query("SELECT COUNT(*) FROM t").fetch_one(connection).await?.try_get(0)?)
        }
    }

    struct Broken;

    impl Operation for Broken {
        type Answer = ();

        async fn apply(&self, connection: &mut AnyConnection) -> Result<(), StoreError> {
            sqlx::query("INSERT INTO nowhere VALUES (1)").execute(connection).await?;
            Ok(())
        }
    }

    async fn database(folder: &tempfile::TempDir) -> AnyConnection {
        sqlx::any::install_default_drivers();
        let url = format!("sqlite:{}?mode=rwc", folder.path().join("t.db").display());
        let mut connection = AnyConnection::connect(&url).await.unwrap();
        sqlx::raw_sql("CREATE TABLE IF NOT EXISTS t (n BIGINT PRIMARY KEY)").execute(&mut connection).await.unwrap();
        connection
    }

    type Awaited<O> = oneshot::Receiver<Result<<O as Operation>::Answer, StoreError>>;

    fn queued<O: Operation>(operation: O) -> (Box<dyn Job>, Awaited<O>) {
        let (reply, answer) = oneshot::channel();
        (Box::new(Queued { operation, answer: None, reply }), answer)
    }

    async fn rows(connection: &mut AnyConnection) -> i64 {
        sqlx::query("SELECT COUNT(*) FROM t").fetch_one(connection).await.unwrap().get(0)
    }

    #[tokio::test]
    async fn operations_that_wait_together_share_one_transaction() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = database(&folder).await;
        let (jobs, answers): (Vec<_>, Vec<_>) = (1..=3).map(|n| queued(Insert(n))).unzip();
        let mut jobs = jobs;
        // Each sees what the ones before it in the same batch wrote, and none is answered before the commit.
        attempt(&mut connection, &mut jobs).await.map_err(|refused| refused.error).unwrap();
        let mut answers = answers;
        assert!(answers.iter_mut().all(|answer| answer.try_recv().is_err()));
        jobs.into_iter().for_each(|job| job.settle(Ok(())));
        let seen: Vec<i64> = answers.into_iter().map(|mut answer| answer.try_recv().unwrap().unwrap()).collect();
        assert_eq!(seen, [1, 2, 3]);
    }

    #[tokio::test]
    async fn a_refused_operation_does_not_take_the_others_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = database(&folder).await;
        let (first, mut one) = queued(Insert(1));
        let (again, mut refused) = queued(Insert(1));
        let (second, mut two) = queued(Insert(2));
        commit(&mut connection, &mut vec![first, again, second]).await;
        assert!(matches!(refused.try_recv().unwrap(), Err(StoreError::Constraint(_))));
        assert_eq!((one.try_recv().unwrap().unwrap(), two.try_recv().unwrap().unwrap()), (1, 2));
        assert_eq!(rows(&mut connection).await, 2);
    }

    #[tokio::test]
    async fn a_failing_database_fails_the_batch_and_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = database(&folder).await;
        let (first, mut one) = queued(Insert(1));
        let (broken, mut other) = queued(Broken);
        commit(&mut connection, &mut vec![first, broken]).await;
        assert!(one.try_recv().unwrap().is_err() && other.try_recv().unwrap().is_err());
        assert_eq!(rows(&mut connection).await, 0);
        let (next, mut answer) = queued(Insert(3));
        commit(&mut connection, &mut vec![next]).await;
        assert_eq!(answer.try_recv().unwrap().unwrap(), 1);
    }

    #[tokio::test]
    async fn a_full_disk_is_told_as_such_and_the_writer_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = database(&folder).await;
        sqlx::raw_sql("CREATE TABLE big (b TEXT)").execute(&mut connection).await.unwrap();
        let pages: i64 = sqlx::query("PRAGMA page_count").fetch_one(&mut connection).await.unwrap().get(0);
        let limit = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        sqlx::raw_sql(limit).execute(&mut connection).await.unwrap();

        struct Big;
        impl Operation for Big {
            type Answer = ();
            async fn apply(&self, connection: &mut AnyConnection) -> Result<(), StoreError> {
                sqlx::query("INSERT INTO big VALUES ($1)").bind("x".repeat(100_000)).execute(connection).await?;
                Ok(())
            }
        }
        let (big, mut full) = queued(Big);
        commit(&mut connection, &mut vec![big]).await;
        assert!(matches!(full.try_recv().unwrap(), Err(StoreError::DiskFull(_))));
        let (small, mut answer) = queued(Insert(1));
        commit(&mut connection, &mut vec![small]).await;
        assert_eq!(answer.try_recv().unwrap().unwrap(), 1);
    }

    #[tokio::test]
    async fn what_was_handed_in_is_committed_before_the_writer_ends() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, task) = Writer::start(database(&folder).await, Arc::new(()));
        let asked: Vec<_> = (0..500)
            .map(|n| {
                tokio::spawn({
                    let writer = writer.clone();
                    async move { writer.write(Insert(n)).await }
                })
            })
            .collect();
        drop(writer);
        for ask in asked {
            ask.await.unwrap().unwrap();
        }
        task.await.unwrap();
        assert_eq!(rows(&mut database(&folder).await).await, 500);
    }
}
