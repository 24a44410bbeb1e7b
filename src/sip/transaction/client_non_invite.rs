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

#[cfg(test)]
mod tests {
    use super::super::path::Transport;
    use super::super::testing::{Rig, request, response};

    fn asked(transport: Transport) -> (Rig, crate::sip::message::Request) {
        let mut rig = Rig::new(transport);
        let register = request("REGISTER", transport);
        rig.send(&register);
        (rig, register)
    }

    #[test]
    fn unanswered_it_is_sent_eleven_times_and_times_out_after_32_s() {
        let (mut rig, _) = asked(Transport::Udp);
        rig.pass(100_000);
        let times = [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
        let mut diary = rig.diary();
        assert_eq!(diary.pop().as_deref(), Some("32000 ! TimedOut"));
        assert_eq!(diary, times.map(|at| format!("{at} > REGISTER")));
        assert!(rig.layer.is_empty());
    }

    #[test]
    fn over_a_stream_it_is_sent_once() {
        let (mut rig, register) = asked(Transport::Tcp);
        rig.pass(31_000);
        rig.receive(response(&register, 200, "b"));
        assert_eq!(rig.diary(), ["0 > REGISTER", "31000 ! Response 200", "31000 ! Terminated client"]);
    }

    #[test]
    fn after_a_provisional_response_it_is_sent_every_t2_and_timer_f_stays() {
        let (mut rig, register) = asked(Transport::Udp);
        rig.pass(600);
        rig.receive(response(&register, 100, ""));
        rig.pass(100_000);
        let times = [1500, 5500, 9500, 13_500, 17_500, 21_500, 25_500, 29_500];
        let mut diary = rig.diary();
        assert_eq!(diary.pop().as_deref(), Some("32000 ! TimedOut"));
        assert_eq!(diary[..3], ["0 > REGISTER", "500 > REGISTER", "600 ! Response 100"]);
        assert_eq!(diary[3..], times.map(|at| format!("{at} > REGISTER")));
    }

    #[test]
    fn copies_of_the_response_are_absorbed_until_timer_k() {
        let (mut rig, register) = asked(Transport::Udp);
        rig.receive(response(&register, 401, "b"));
        rig.receive(response(&register, 401, "b"));
        rig.pass(4_999);
        rig.receive(response(&register, 401, "b"));
        rig.transport_error();
        rig.pass(1);
        rig.receive(response(&register, 401, "b"));
        assert_eq!(rig.diary(), ["0 > REGISTER", "0 ! Response 401", "5000 ! Terminated client"]);
        let counters = rig.layer.counters();
        assert_eq!((counters.responses_absorbed, counters.responses_unmatched), (2, 1));
    }

    #[test]
    fn an_error_of_the_transport_fails_it() {
        let (mut rig, register) = asked(Transport::Udp);
        rig.receive(response(&register, 100, ""));
        rig.transport_error();
        rig.pass(100_000);
        assert_eq!(rig.diary(), ["0 > REGISTER", "0 ! Response 100", "0 ! TransportFailed"]);
        assert!(rig.layer.is_empty());
    }
}
