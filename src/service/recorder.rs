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
