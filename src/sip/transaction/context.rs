//! The hands of a transaction: its timers, what it sends and what it tells.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::event::{Event, Output, TransactionKey, Transmit};
use super::path::Path;
use crate::base::time::Instant;
use crate::base::timers::Timers;

/// The three times that all others are made of (RFC 3261 §17.1.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// An estimate of the round trip: 500 ms.
    pub t1: Duration,
    /// The longest interval between retransmissions of a non-INVITE request or an INVITE response: 4 s.
    pub t2: Duration,
    /// How long a message stays in the network: 5 s.
    pub t4: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Timings { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) }
    }
}

impl Timings {
    /// 64*T1: how long a transaction waits for its peer before it gives up.
    pub fn patience(&self) -> Duration {
        self.t1 * 64
    }
}

/// The timers of RFC 3261 (appendix A) and RFC 6026, and three without a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Timer {
    /// INVITE request retransmission.
    A,
    /// INVITE without a response.
    B,
    /// Response retransmissions after a non-2xx.
    D,
    /// Non-INVITE request retransmission.
    E,
    /// Non-INVITE without a final response.
    F,
    /// Final INVITE response retransmission.
    G,
    /// No ACK.
    H,
    /// ACK retransmissions.
    I,
    /// Request retransmissions after a final response to a non-INVITE.
    J,
    /// Response retransmissions after a final response to a non-INVITE.
    K,
    /// INVITE retransmissions after a 2xx (RFC 6026 §8.7).
    L,
    /// Further 2xx (RFC 6026 §8.4).
    M,
    /// The transaction's user has been silent long enough for a 100 (RFC 3261 §17.2.1).
    Trying,
    /// Our CANCEL has brought no final response to the INVITE (RFC 3261 §9.1).
    Cancelled,
    /// The transaction's user never answered a non-INVITE; its client has given up (RFC 4320 §4.2).
    Unanswered,
}

impl Timer {
    pub const ALL: [Timer; 15] = [
        Timer::A,
        Timer::B,
        Timer::D,
        Timer::E,
        Timer::F,
        Timer::G,
        Timer::H,
        Timer::I,
        Timer::J,
        Timer::K,
        Timer::L,
        Timer::M,
        Timer::Trying,
        Timer::Cancelled,
        Timer::Unanswered,
    ];
}

/// All timers of a layer.
pub(super) type TimerTable = Timers<(TransactionKey, Timer)>;

/// Whether a transaction goes on after an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Life {
    GoesOn,
    Over,
}

/// What one transaction may touch while it handles an input.
pub(super) struct Context<'a> {
    pub now: Instant,
    pub timings: Timings,
    pub key: TransactionKey,
    pub timers: &'a mut TimerTable,
    pub outputs: &'a mut VecDeque<Output>,
}

impl Context<'_> {
    pub fn set(&mut self, timer: Timer, after: Duration) {
        self.timers.set((self.key, timer), self.now + after);
    }

    pub fn cancel(&mut self, timer: Timer) {
        self.timers.cancel(&(self.key, timer));
    }

    pub fn cancel_all(&mut self) {
        for timer in Timer::ALL {
            self.cancel(timer);
        }
    }

    pub fn transmit(&mut self, path: Path, bytes: &Bytes) {
        self.outputs.push_back(Output::Transmit(Transmit { path, bytes: bytes.clone() }));
    }

    pub fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }
}
