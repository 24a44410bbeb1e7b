//! Brings waiting requests from the store to the dispatcher, oldest first, as many as it has room for.
//!
//! The store is the queue; memory holds a window of it. So nothing is lost when there are more requests than fit, and
//! what waited when the daemon stopped is found again at its next start by the same way. What cannot be called any more
//! is ended here: requests whose code has expired, and rows that are damaged.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, broadcast, mpsc};

use super::types::CallProgress;
use crate::base::time::UnixTime;
use crate::net::clock::Clock;
use crate::otp::{Delivery, Party, Reason};
use crate::store::{End, PendingCall, Record, Recorded, Store, StoreError};

/// Requests that one question to the store brings.
const WINDOW: usize = 256;
/// Requests between the feeder and the dispatcher; the feeder waits when it is full.
pub const CHANNEL: usize = 64;
/// How often expired requests are ended, and how long a store that failed is left alone.
const PERIOD: Duration = Duration::from_secs(1);

/// Where the next question begins; shared with the dispatcher, which may set it back.
#[derive(Clone, Default)]
pub struct Cursor(Arc<AtomicI64>);

impl Cursor {
    /// Asks again from request `id` on: the dispatcher did not keep it.
    pub fn rewind(&self, id: i64) {
        self.0.fetch_min(id - 1, Ordering::Relaxed);
    }
}

/// The feeder's parts; [`run`](Self::run) is its task.
pub struct Feeder {
    /// Where requests wait.
    pub store: Store,
    /// The time by which codes expire.
    pub clock: Clock,
    /// Told when there is something new.
    pub accepted: Arc<Notify>,
    /// Where it had got to.
    pub cursor: Cursor,
    /// To the dispatcher.
    pub calls: mpsc::Sender<PendingCall>,
    /// To whoever listens.
    pub progress: broadcast::Sender<CallProgress>,
}

impl Feeder {
    /// Runs until the dispatcher takes no more.
    pub async fn run(self) {
        let mut sweep = tokio::time::interval(PERIOD);
        sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.calls.closed() => return,
                () = self.accepted.notified() => {}
                _ = sweep.tick() => self.sweep().await,
            }
            match self.feed().await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => tracing::error!(%error, "waiting requests cannot be read"),
            }
        }
    }

    /// Brings all that wait; false when the dispatcher takes no more.
    async fn feed(&self) -> Result<bool, StoreError> {
        loop {
            let after = self.cursor.0.load(Ordering::Relaxed);
            let pending = self.store.pending(after, WINDOW, self.clock.unix_now()).await?;
            let newest = pending.calls.last().map(|call| call.id).into_iter().chain(pending.unreadable.iter().copied());
            let Some(newest) = newest.max() else { return Ok(true) };
            // A rewind that came meanwhile stands.
            let _ = self.cursor.0.compare_exchange(after, newest, Ordering::Relaxed, Ordering::Relaxed);
            self.end_unreadable(pending.unreadable).await?;
            for call in pending.calls {
                if self.calls.send(call).await.is_err() {
                    return Ok(false);
                }
            }
        }
    }

    async fn end_unreadable(&self, ids: Vec<i64>) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let at = self.clock.unix_now();
        let records = ids.into_iter().map(|id| Record::End(unreadable(id, at))).collect();
        for answer in self.store.record(records).await? {
            if let Recorded::Ended(Some(closed)) = answer {
                let _ = self.progress.send(closed.into());
            }
        }
        Ok(())
    }

    async fn sweep(&self) {
        match self.store.sweep(self.clock.unix_now()).await {
            Ok(expired) => {
                for closed in expired {
                    // Nobody may be listening.
                    let _ = self.progress.send(closed.into());
                }
            }
            Err(StoreError::Closed) => {}
            Err(error) => tracing::error!(%error, "expired requests cannot be ended"),
        }
    }
}

fn unreadable(challenge_id: i64, at: UnixTime) -> End {
    let delivery = Delivery::undialled(Reason::StoreFailure, None);
    End { challenge_id, delivery, party: Party::Us, carrier_text: None, billable: Duration::ZERO, audio: None, at }
}
