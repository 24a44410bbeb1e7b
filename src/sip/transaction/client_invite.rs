//! The INVITE client transaction (RFC 3261 §17.1.1 as changed by RFC 6026 §8.4).

use std::time::Duration;

use bytes::Bytes;

use super::context::{Context, Life, Timer};
use super::derived;
use super::event::Event;
use super::key::ClientKey;
use super::path::Path;
use crate::sip::message::{Request, Response};

/// RFC 3261 §17.1.1.2: timer D is at least 32 s over unreliable transports.
const TIMER_D: Duration = Duration::from_secs(32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Calling,
    Proceeding,
    Accepted,
    Completed,
}

/// How far a CANCEL of ours has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cancelling {
    No,
    /// Wanted, but the server may not know the INVITE yet.
    AwaitsProvisional,
    Sent,
}

pub(super) struct ClientInvite {
    key: ClientKey,
    path: Path,
    request: Request,
    bytes: Bytes,
    state: State,
    interval: Duration,
    cancelling: Cancelling,
    ack: Bytes,
}

impl ClientInvite {
    pub fn start(key: ClientKey, request: Request, path: Path, cx: &mut Context<'_>) -> Self {
        let bytes = request.to_bytes();
        let interval = cx.timings.t1;
        cx.transmit(path, &bytes);
        // RFC 3261 §17.1.1.2
        if !path.transport.is_reliable() {
            cx.set(Timer::A, interval);
        }
        cx.set(Timer::B, cx.timings.patience());
        let (state, cancelling) = (State::Calling, Cancelling::No);
        ClientInvite { key, path, request, bytes, state, interval, cancelling, ack: Bytes::new() }
    }

    pub fn path(&self) -> Path {
        self.path
    }

    pub fn on_timer(&mut self, timer: Timer, cx: &mut Context<'_>) -> Life {
        match timer {
            Timer::A => {
                cx.transmit(self.path, &self.bytes);
                self.interval *= 2;
                cx.set(Timer::A, self.interval);
                Life::GoesOn
            }
            Timer::B | Timer::Cancelled => {
                cx.tell(Event::TimedOut { key: self.key });
                Life::Over
            }
            _ => Life::Over,
        }
    }

    /// Takes a response of this transaction. Says whether it was new to the transaction's user.
    pub fn on_response(&mut self, response: Response, path: Path, cx: &mut Context<'_>) -> (Life, bool) {
        let class = response.status() / 100;
        match (self.state, class) {
            (State::Calling | State::Proceeding, 1) => {
                cx.cancel(Timer::A);
                cx.cancel(Timer::B);
                self.state = State::Proceeding;
            }
            (State::Calling | State::Proceeding, 2) => {
                // RFC 6026 §8.4: further 2xx, copies and forks, still belong to the INVITE.
                cx.cancel_all();
                cx.set(Timer::M, cx.timings.patience());
                self.state = State::Accepted;
            }
            (State::Calling | State::Proceeding, _) => {
                cx.cancel_all();
                // RFC 3261 §17.1.1.3
                self.ack = derived::ack(&self.request, &response).to_bytes();
                cx.transmit(self.path, &self.ack);
                cx.tell(Event::Response { key: self.key, response, path });
                if self.path.transport.is_reliable() {
                    return (Life::Over, true);
                }
                cx.set(Timer::D, TIMER_D.max(cx.timings.patience()));
                self.state = State::Completed;
                return (Life::GoesOn, true);
            }
            (State::Accepted, 2) => {}
            (State::Completed, 3..) => {
                cx.transmit(self.path, &self.ack);
                return (Life::GoesOn, false);
            }
            (State::Accepted | State::Completed, _) => return (Life::GoesOn, false),
        }
        cx.tell(Event::Response { key: self.key, response, path });
        (Life::GoesOn, true)
    }

    /// Asks for a CANCEL. Says whether one may still be of use.
    pub fn cancel(&mut self) -> bool {
        let pending = matches!(self.state, State::Calling | State::Proceeding);
        if pending && self.cancelling == Cancelling::No {
            self.cancelling = Cancelling::AwaitsProvisional;
        }
        pending
    }

    /// The CANCEL, once, when it is wanted and may be sent.
    pub fn take_cancel(&mut self, cx: &mut Context<'_>) -> Option<Request> {
        // RFC 3261 §9.1: not before a provisional response, for it could overtake the INVITE.
        if self.cancelling != Cancelling::AwaitsProvisional || self.state != State::Proceeding {
            return None;
        }
        self.cancelling = Cancelling::Sent;
        // RFC 3261 §9.1: without a final response in 64*T1, the INVITE counts as cancelled.
        cx.set(Timer::Cancelled, cx.timings.patience());
        Some(derived::cancel(&self.request))
    }

    pub fn on_transport_error(&mut self, cx: &mut Context<'_>) -> Life {
        match self.state {
            State::Calling => {}
            // Over datagrams nothing of ours is under way now; the error is that of another packet. A lost connection
            // takes the responses with it.
            State::Proceeding if self.path.transport.is_reliable() => {}
            // RFC 6026 §8.4: Accepted sends nothing; in Completed only ACKs are lost, and the user has its answer.
            State::Proceeding | State::Accepted | State::Completed => return Life::GoesOn,
        }
        cx.tell(Event::TransportFailed { key: self.key });
        Life::Over
    }
}
