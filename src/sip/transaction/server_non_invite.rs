//! The non-INVITE server transaction (RFC 3261 §17.2.2).

use bytes::Bytes;

use super::context::{Context, Life, Timer};
use super::path::Path;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Trying,
    Proceeding,
    Completed,
}

pub(super) struct ServerNonInvite {
    reply_path: Path,
    state: State,
    last: Bytes,
}

impl ServerNonInvite {
    pub fn start(reply_path: Path, cx: &mut Context<'_>) -> Self {
        // RFC 4320 §4.2: after 64*T1 the client has timed out, and a response would only be stray.
        cx.set(Timer::Unanswered, cx.timings.patience());
        ServerNonInvite { reply_path, state: State::Trying, last: Bytes::new() }
    }

    pub fn on_timer(&mut self, timer: Timer) -> Life {
        debug_assert!(matches!(timer, Timer::J | Timer::Unanswered), "{timer:?} is not ours");
        Life::Over
    }

    /// The request came again.
    pub fn on_retransmission(&mut self, cx: &mut Context<'_>) {
        match self.state {
            State::Trying => {}
            State::Proceeding | State::Completed => cx.transmit(self.reply_path, &self.last),
        }
    }

    /// Sends a response of the transaction's user. Says whether it was sent, and whether the transaction goes on.
    pub fn on_response(&mut self, status: u16, bytes: Bytes, cx: &mut Context<'_>) -> (Life, bool) {
        if self.state == State::Completed {
            return (Life::GoesOn, false);
        }
        cx.transmit(self.reply_path, &bytes);
        self.last = bytes;
        if status < 200 {
            self.state = State::Proceeding;
            return (Life::GoesOn, true);
        }
        cx.cancel_all();
        if self.reply_path.transport.is_reliable() {
            return (Life::Over, true);
        }
        cx.set(Timer::J, cx.timings.patience());
        self.state = State::Completed;
        (Life::GoesOn, true)
    }
}
