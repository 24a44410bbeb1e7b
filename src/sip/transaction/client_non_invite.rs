//! The non-INVITE client transaction (RFC 3261 §17.1.2).

use std::time::Duration;

use bytes::Bytes;

use super::context::{Context, Life, Timer};
use super::event::Event;
use super::key::ClientKey;
use super::path::Path;
use crate::sip::message::{Request, Response};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Trying,
    Proceeding,
    Completed,
}

pub(super) struct ClientNonInvite {
    key: ClientKey,
    path: Path,
    bytes: Bytes,
    state: State,
    interval: Duration,
    /// Nobody waits for it: a CANCEL, whose outcome shows in the INVITE.
    silent: bool,
}

impl ClientNonInvite {
    pub fn start(key: ClientKey, request: &Request, path: Path, silent: bool, cx: &mut Context<'_>) -> Self {
        let bytes = request.to_bytes();
        let interval = cx.timings.t1;
        cx.transmit(path, &bytes);
        // RFC 3261 §17.1.2.2
        if !path.transport.is_reliable() {
            cx.set(Timer::E, interval);
        }
        cx.set(Timer::F, cx.timings.patience());
        ClientNonInvite { key, path, bytes, state: State::Trying, interval, silent }
    }

    pub fn path(&self) -> Path {
        self.path
    }

    pub fn is_silent(&self) -> bool {
        self.silent
    }

    pub fn on_timer(&mut self, timer: Timer, cx: &mut Context<'_>) -> Life {
        match timer {
            Timer::E => {
                cx.transmit(self.path, &self.bytes);
                self.interval = match self.state {
                    State::Trying => (self.interval * 2).min(cx.timings.t2),
                    State::Proceeding | State::Completed => cx.timings.t2,
                };
                cx.set(Timer::E, self.interval);
                Life::GoesOn
            }
            Timer::F => {
                self.tell(Event::TimedOut { key: self.key }, cx);
                Life::Over
            }
            _ => Life::Over,
        }
    }

    /// Takes a response of this transaction. Says whether it was new to the transaction's user.
    pub fn on_response(&mut self, response: Response, path: Path, cx: &mut Context<'_>) -> (Life, bool) {
        if self.state == State::Completed {
            return (Life::GoesOn, false);
        }
        let provisional = response.status() < 200;
        self.tell(Event::Response { key: self.key, response, path }, cx);
        if provisional {
            // The retransmission that is already timed leaves on time; those after it every T2.
            self.state = State::Proceeding;
            return (Life::GoesOn, true);
        }
        cx.cancel_all();
        if self.path.transport.is_reliable() {
            return (Life::Over, true);
        }
        cx.set(Timer::K, cx.timings.t4);
        self.state = State::Completed;
        (Life::GoesOn, true)
    }

    pub fn on_transport_error(&mut self, cx: &mut Context<'_>) -> Life {
        if self.state == State::Completed {
            return Life::GoesOn;
        }
        self.tell(Event::TransportFailed { key: self.key }, cx);
        Life::Over
    }

    fn tell(&self, event: Event, cx: &mut Context<'_>) {
        if !self.silent {
            cx.tell(event);
        }
    }
}
