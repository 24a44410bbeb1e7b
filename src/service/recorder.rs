//! Writes what happens to calls, in order and in groups, and tells it on after it is durable.
//!
//! While one group is being written the next one gathers, so that the store's commit is paid once for many calls. What
//! cannot be written is treated by what it is: an attempt is refused, and is not dialled; a step of a timeline is
//! dropped; the end of a call is kept and written as soon as the store is well again, for otherwise the request would
//! seem to run until the next start.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;

use super::types::{CallProgress, TimelineEntry, UserId};
use crate::sip::user_agent::CallId;
use crate::store::{NewEvent, Record, Recorded, Store, StoreError};

/// Records that are written in one transaction.
const GROUP: usize = 256;
/// Steps of timelines that may wait; more are dropped. Attempts and ends are not counted: there is at most one of each
/// for each running call.
const MAX_STEPS: usize = 8192;
/// How long a store that failed is left alone.
const PAUSE: Duration = Duration::from_secs(1);
/// How often ends are tried again once no more records can come.
const LAST_TRIES: usize = 3;

/// Whose call a record is about.
#[derive(Clone, Debug)]
pub struct CallOwner {
    /// The call's name towards the OTP-app face.
    pub uuid: String,
    /// Whose it is.
    pub user: UserId,
}

/// The answer to [`Recorder::attempt`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptAnswer {
    /// It is durable: the INVITE may leave.
    Durable(CallId),
    /// The request was cancelled or has ended: the INVITE must not leave.
    Refused(CallId),
    /// It could not be written: the INVITE must not leave.
    Failed(CallId),
}

/// The handle of the recorder's task, which ends when this is dropped and everything is written.
pub struct Recorder {
    items: mpsc::UnboundedSender<Item>,
    steps: Arc<AtomicUsize>,
}

struct Item {
    record: Record,
    about: About,
}

enum About {
    Attempt(CallId),
    Step(Arc<CallOwner>, NewEvent),
    End,
}

impl Recorder {
    /// Starts the task. Attempts are answered through `answers`; steps and ends are told through `progress`.
    pub fn start(
        store: Store,
        answers: mpsc::UnboundedSender<AttemptAnswer>,
        progress: broadcast::Sender<CallProgress>,
    ) -> (Self, JoinHandle<()>) {
        let (items, inbox) = mpsc::unbounded_channel();
        let steps = Arc::new(AtomicUsize::new(0));
        let task = Task { store, answers, progress, steps: Arc::clone(&steps) };
        (Recorder { items, steps }, tokio::spawn(task.run(inbox)))
    }

    /// Records an attempt; [`AttemptAnswer`] follows.
    pub fn attempt(&self, call: CallId, begin: crate::store::Begin) {
        self.put(Record::Begin(begin), About::Attempt(call));
    }

    /// Records a step of a timeline, unless too many wait.
    pub fn step(&self, owner: &Arc<CallOwner>, event: NewEvent) {
        if self.steps.fetch_add(1, Ordering::Relaxed) >= MAX_STEPS {
            self.steps.fetch_sub(1, Ordering::Relaxed);
            tracing::warn!(call = event.challenge_id, step = event.kind, "too many steps wait for the store: dropped");
            return;
        }
        self.put(Record::Event(event.clone()), About::Step(Arc::clone(owner), event));
    }

    /// Records the end of a call.
    pub fn end(&self, end: crate::store::End) {
        self.put(Record::End(end), About::End);
    }

    fn put(&self, record: Record, about: About) {
        // The task lives as long as this handle does.
        let _ = self.items.send(Item { record, about });
    }
}

struct Task {
    store: Store,
    answers: mpsc::UnboundedSender<AttemptAnswer>,
    progress: broadcast::Sender<CallProgress>,
    steps: Arc<AtomicUsize>,
}

impl Task {
    async fn run(self, mut inbox: mpsc::UnboundedReceiver<Item>) {
        let mut kept: Vec<Item> = Vec::new();
        let mut tries_left = LAST_TRIES;
        loop {
            let mut group = std::mem::take(&mut kept);
            let retrying = !group.is_empty();
            if inbox.is_closed() && inbox.is_empty() {
                if group.is_empty() {
                    return;
                }
                if tries_left == 0 {
                    tracing::error!(
                        calls = group.len(),
                        "ends of calls could not be written: they will be interrupted"
                    );
                    return;
                }
                tries_left -= 1;
            } else if retrying {
                while let Ok(item) = inbox.try_recv() {
                    group.push(item);
                }
            } else if inbox.recv_many(&mut group, GROUP).await == 0 {
                return;
            }
            if let Err(error) = self.write(&mut group).await {
                tracing::error!(%error, "what happens to calls cannot be written");
                kept = self.keep(group);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Writes `group` and tells of it; leaves it as it is when that fails.
    async fn write(&self, group: &mut Vec<Item>) -> Result<(), StoreError> {
        let answers = self.store.record(group.iter().map(|item| item.record.clone()).collect()).await?;
        for (item, answer) in group.drain(..).zip(answers) {
            match (item.about, answer) {
                (About::Attempt(call), Recorded::Begun) => self.answer(AttemptAnswer::Durable(call)),
                (About::Attempt(call), _) => self.answer(AttemptAnswer::Refused(call)),
                (About::Step(owner, event), Recorded::Event(event_id)) => {
                    self.steps.fetch_sub(1, Ordering::Relaxed);
                    self.tell(CallProgress {
                        event_id,
                        call_id: event.challenge_id,
                        call_uuid: owner.uuid.clone(),
                        user: owner.user.clone(),
                        entry: TimelineEntry { at: event.at, event: event.kind.to_owned(), detail: event.detail },
                    });
                }
                (About::End, Recorded::Ended(Some(closed))) => self.tell(closed.into()),
                (About::Step(..) | About::End, _) => {}
            }
        }
        Ok(())
    }

    fn keep(&self, group: Vec<Item>) -> Vec<Item> {
        let keeps = |item: &Item| match &item.about {
            About::Attempt(call) => {
                self.answer(AttemptAnswer::Failed(*call));
                false
            }
            About::Step(..) => {
                self.steps.fetch_sub(1, Ordering::Relaxed);
                false
            }
            About::End => true,
        };
        group.into_iter().filter(keeps).collect()
    }

    fn answer(&self, answer: AttemptAnswer) {
        // A dispatcher that is gone dials nothing.
        let _ = self.answers.send(answer);
    }

    fn tell(&self, progress: CallProgress) {
        // Nobody may be listening.
        let _ = self.progress.send(progress);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;
    use sqlx::Connection;

    use super::*;
    use crate::base::random::Random;
    use crate::base::time::UnixTime;
    use crate::otp::{Code, Delivery, Party, PhoneNumber, Reason, StoredCode};
    use crate::store::{Begin, CallStatus, End, NewChallenge};

    struct Bench {
        folder: tempfile::TempDir,
        store: Store,
        recorder: Recorder,
        task: JoinHandle<()>,
        answers: mpsc::UnboundedReceiver<AttemptAnswer>,
        progress: broadcast::Receiver<CallProgress>,
    }

    impl Bench {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let url = format!("sqlite:{}", folder.path().join("t.db").display());
            let store = Store::open(&url, Random::from_seed(1), UnixTime::from_millis(0)).await.unwrap();
            let (answer, answers) = mpsc::unbounded_channel();
            let (tell, progress) = broadcast::channel(100);
            let (recorder, task) = Recorder::start(store.clone(), answer, tell);
            Bench { folder, store, recorder, task, answers, progress }
        }

        async fn accept(&self, uuid: &str) -> i64 {
            let (phone, code) = (PhoneNumber::from_e164("+84919273027").unwrap(), Code::parse("1234").unwrap());
            let stored = StoredCode::new(self.store.code_key(), &phone, &code, &mut Random::from_seed(1));
            let challenge = NewChallenge {
                uuid: uuid.to_owned(),
                user: "ann".to_owned(),
                number_given: "0919273027".into(),
                phone,
                code,
                stored,
                maxretry: 0,
                max_checks: 3,
                created_at: UnixTime::from_millis(0),
                expires_at: UnixTime::from_millis(1000),
            };
            self.store.accept(challenge).await.unwrap()
        }

        async fn damage(&self, sql: &'static str) {
            let url = format!("sqlite:{}", self.folder.path().join("t.db").display());
            let mut other = sqlx::AnyConnection::connect(&url).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut other).await.unwrap();
        }

        /// What is told next; a test waits for nothing longer than this.
        async fn told(&mut self) -> CallProgress {
            tokio::time::timeout(Duration::from_secs(20), self.progress.recv()).await.unwrap().unwrap()
        }

        async fn status(&self, id: i64) -> CallStatus {
            self.store.call("ann", id).await.unwrap().unwrap().row.status
        }
    }

    fn owner() -> Arc<CallOwner> {
        Arc::new(CallOwner { uuid: "a".to_owned(), user: UserId::new("ann") })
    }

    fn begin(id: i64) -> Begin {
        Begin { challenge_id: id, trunk: "lab".to_owned(), at: UnixTime::from_millis(1) }
    }

    fn step(id: i64, n: usize) -> NewEvent {
        NewEvent { challenge_id: id, at: UnixTime::from_millis(2), kind: "digit_read", detail: json!({ "index": n }) }
    }

    fn end(id: i64) -> End {
        let delivery = Delivery {
            answered_at: None,
            readings_completed: 0,
            digits_read: 0,
            repeats: 0,
            hung_up_by: None,
            trunk: None,
            sip_status: None,
            reason: Reason::Busy,
            q850: None,
        };
        End {
            challenge_id: id,
            delivery,
            party: Party::Callee,
            carrier_text: None,
            billable: Duration::ZERO,
            audio: None,
            at: UnixTime::from_millis(3),
        }
    }

    #[tokio::test]
    async fn what_happens_is_told_in_order_and_after_it_is_durable() {
        let mut bench = Bench::new().await;
        let id = bench.accept("a").await;
        bench.recorder.attempt(CallId(7), begin(id));
        assert_eq!(bench.answers.recv().await, Some(AttemptAnswer::Durable(CallId(7))));
        assert_eq!(bench.status(id).await, CallStatus::InProcess);
        (0..40).for_each(|n| bench.recorder.step(&owner(), step(id, n)));
        bench.recorder.end(end(id));
        let mut told = Vec::new();
        while told.len() < 41 {
            told.push(bench.told().await);
        }
        assert_eq!(bench.status(id).await, CallStatus::Failure);
        let stored: Vec<i64> =
            bench.store.call("ann", id).await.unwrap().unwrap().events.iter().map(|event| event.id).collect();
        assert_eq!(told.iter().map(|step| step.event_id).collect::<Vec<_>>(), stored);
        assert_eq!((told[39].entry.detail["index"].as_u64(), told[40].entry.event.as_str()), (Some(39), "ended"));
        assert_eq!(bench.recorder.steps.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn an_attempt_of_a_cancelled_request_is_refused() {
        let mut bench = Bench::new().await;
        let id = bench.accept("a").await;
        bench.store.cancel("ann", id, UnixTime::from_millis(1)).await.unwrap();
        bench.recorder.attempt(CallId(7), begin(id));
        assert_eq!(bench.answers.recv().await, Some(AttemptAnswer::Refused(CallId(7))));
    }

    #[tokio::test]
    async fn a_sick_store_refuses_attempts_drops_steps_and_gets_the_ends_later() {
        let mut bench = Bench::new().await;
        let (running, next) = (bench.accept("a").await, bench.accept("b").await);
        bench.recorder.attempt(CallId(1), begin(running));
        assert_eq!(bench.answers.recv().await, Some(AttemptAnswer::Durable(CallId(1))));
        bench.damage("ALTER TABLE event RENAME TO gone").await;
        bench.recorder.step(&owner(), step(running, 1));
        bench.recorder.end(end(running));
        bench.recorder.attempt(CallId(2), begin(next));
        assert_eq!(bench.answers.recv().await, Some(AttemptAnswer::Failed(CallId(2))));
        assert_eq!((bench.status_row(running).await, bench.status_row(next).await), (2, 1));
        bench.damage("ALTER TABLE gone RENAME TO event").await;
        let told = bench.told().await;
        assert_eq!((told.call_id, told.entry.event.as_str()), (running, "ended"));
        assert_eq!(bench.status(running).await, CallStatus::Failure);
        assert_eq!(bench.recorder.steps.load(Ordering::Relaxed), 0);
    }

    impl Bench {
        /// The status while the table of events is away.
        async fn status_row(&self, id: i64) -> i64 {
            let filter = crate::store::Filter::default();
            let (_, rows) = self.store.page("ann", &filter, 0, 10).await.unwrap();
            rows.iter().find(|row| row.id == id).unwrap().status.number()
        }
    }

    #[tokio::test]
    async fn everything_is_written_before_the_task_ends() {
        let bench = Bench::new().await;
        let id = bench.accept("a").await;
        bench.recorder.attempt(CallId(1), begin(id));
        (0..1000).for_each(|n| bench.recorder.step(&owner(), step(id, n)));
        bench.recorder.end(end(id));
        drop(bench.recorder);
        bench.task.await.unwrap();
        let call = bench.store.call("ann", id).await.unwrap().unwrap();
        assert_eq!((call.row.status, call.events.len()), (CallStatus::Failure, 1001));
    }

    #[tokio::test]
    async fn steps_over_the_bound_are_dropped_and_ends_are_not() {
        let bench = Bench::new().await;
        let id = bench.accept("a").await;
        // The test's thread is the task's: nothing is written meanwhile.
        (0..MAX_STEPS + 10).for_each(|n| bench.recorder.step(&owner(), step(id, n)));
        bench.recorder.end(end(id));
        assert_eq!(bench.recorder.steps.load(Ordering::Relaxed), MAX_STEPS);
        drop(bench.recorder);
        bench.task.await.unwrap();
        assert_eq!(bench.store.call("ann", id).await.unwrap().unwrap().row.status, CallStatus::Failure);
    }
}
