//! The INVITE server transaction (RFC 3261 §17.2.1 as changed by RFC 6026 §8.5).

use std::time::Duration;

use bytes::Bytes;

use super::context::{Context, Life, Timer};
use super::event::Event;
use super::key::ServerKey;
use super::path::Path;

/// RFC 3261 §17.2.1: a 100 leaves when the transaction's user says nothing for 200 ms.
const TRYING_AFTER: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Proceeding,
    Accepted,
    Completed,
    Confirmed,
}

/// What becomes of an ACK that belongs to a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AckFate {
    /// It belongs to a 2xx and goes up.
    ForUser,
    /// It ends here.
    Absorbed(Life),
}

pub(super) struct ServerInvite {
    key: ServerKey,
    reply_path: Path,
    state: State,
    trying: Bytes,
    last: Option<Bytes>,
    interval: Duration,
}

impl ServerInvite {
    /// `trying` is the 100 to send when nothing else is said in time.
    pub fn start(key: ServerKey, reply_path: Path, trying: Bytes, cx: &mut Context<'_>) -> Self {
        cx.set(Timer::Trying, TRYING_AFTER);
        ServerInvite { key, reply_path, state: State::Proceeding, trying, last: None, interval: cx.timings.t1 }
    }

    /// Whether no final response has been sent.
    pub fn is_pending(&self) -> bool {
        self.state == State::Proceeding
    }

    pub fn on_timer(&mut self, timer: Timer, cx: &mut Context<'_>) -> Life {
        match timer {
            Timer::Trying => {
                cx.transmit(self.reply_path, &self.trying);
                self.last = Some(self.trying.clone());
                Life::GoesOn
            }
            Timer::G => {
                self.repeat(cx);
                self.interval = (self.interval * 2).min(cx.timings.t2);
                cx.set(Timer::G, self.interval);
                Life::GoesOn
            }
            Timer::H => {
                cx.tell(Event::ServerTimedOut { key: self.key });
                Life::Over
            }
            _ => Life::Over,
        }
    }

    /// The INVITE came again.
    pub fn on_retransmission(&mut self, cx: &mut Context<'_>) {
        match self.state {
            State::Proceeding | State::Completed => self.repeat(cx),
            // RFC 6026 §8.5: 2xx are repeated by the transaction's user alone.
            State::Accepted | State::Confirmed => {}
        }
    }

    /// Sends a response of the transaction's user, when its state allows one. Says whether it was sent.
    pub fn on_response(&mut self, status: u16, bytes: Bytes, cx: &mut Context<'_>) -> bool {
        match (self.state, status / 100) {
            (State::Proceeding, 1) => cx.cancel(Timer::Trying),
            (State::Proceeding, 2) => {
                cx.cancel_all();
                // RFC 6026 §8.5
                cx.set(Timer::L, cx.timings.patience());
                self.state = State::Accepted;
            }
            (State::Proceeding, _) => {
                cx.cancel_all();
                if !self.reply_path.transport.is_reliable() {
                    cx.set(Timer::G, self.interval);
                }
                cx.set(Timer::H, cx.timings.patience());
                self.state = State::Completed;
            }
            (State::Accepted, 2) => {}
            (State::Accepted | State::Completed | State::Confirmed, _) => return false,
        }
        cx.transmit(self.reply_path, &bytes);
        self.last = Some(bytes);
        true
    }

    /// An ACK came that belongs to this transaction.
    pub fn on_ack(&mut self, cx: &mut Context<'_>) -> AckFate {
        match self.state {
            State::Accepted => AckFate::ForUser,
            State::Completed => {
                cx.cancel_all();
                self.state = State::Confirmed;
                if self.reply_path.transport.is_reliable() {
                    return AckFate::Absorbed(Life::Over);
                }
                cx.set(Timer::I, cx.timings.t4);
                AckFate::Absorbed(Life::GoesOn)
            }
            State::Proceeding | State::Confirmed => AckFate::Absorbed(Life::GoesOn),
        }
    }

    fn repeat(&self, cx: &mut Context<'_>) {
        if let Some(bytes) = &self.last {
            cx.transmit(self.reply_path, bytes);
        }
    }
}
