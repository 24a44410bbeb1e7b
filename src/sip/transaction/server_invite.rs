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

#[cfg(test)]
mod tests {
    use super::super::path::Transport;
    use super::super::testing::{Rig, request, request_via, response};
    use super::ServerKey;
    use crate::sip::message::Request;

    fn called(transport: Transport) -> (Rig, Request, ServerKey) {
        let mut rig = Rig::new(transport);
        let invite = request("INVITE", transport);
        rig.receive(invite.clone());
        let key = rig.last_request();
        rig.diary();
        (rig, invite, key)
    }

    #[test]
    fn a_silent_user_gets_a_100_sent_after_200_ms() {
        let (mut rig, invite, _) = called(Transport::Udp);
        rig.receive(invite.clone());
        rig.pass(199);
        rig.receive(invite.clone());
        rig.pass(1);
        rig.receive(invite);
        assert_eq!(rig.diary(), ["200 > 100", "200 > 100"]);
    }

    #[test]
    fn a_quick_user_spares_the_100_and_copies_get_the_last_provisional() {
        let (mut rig, invite, key) = called(Transport::Udp);
        rig.respond(key, response(&invite, 180, "t"));
        rig.respond(key, response(&invite, 183, "t"));
        rig.pass(1_000);
        rig.receive(invite);
        assert_eq!(rig.diary(), ["0 > 180", "0 > 183", "1000 > 183"]);
    }

    #[test]
    fn a_refusal_is_repeated_up_to_t2_until_timer_h() {
        let (mut rig, invite, key) = called(Transport::Udp);
        assert!(rig.respond(key, response(&invite, 486, "t")));
        rig.pass(100_000);
        let times = [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
        let mut diary = rig.diary();
        assert_eq!(diary.pop().as_deref(), Some("32000 ! Terminated server"));
        assert_eq!(diary.pop().as_deref(), Some("32000 ! ServerTimedOut"));
        assert_eq!(diary, times.map(|at| format!("{at} > 486")));
        assert!(rig.layer.is_empty());
    }

    #[test]
    fn the_ack_ends_repetition_and_copies_of_it_are_absorbed_until_timer_i() {
        let (mut rig, invite, key) = called(Transport::Udp);
        rig.respond(key, response(&invite, 486, "t"));
        rig.receive(invite.clone());
        let ack = request("ACK", Transport::Udp);
        rig.receive(ack.clone());
        rig.receive(ack);
        rig.receive(invite);
        rig.pass(40_000);
        assert_eq!(rig.diary(), ["0 > 486", "0 > 486", "5000 ! Terminated server"]);
    }

    #[test]
    fn over_a_stream_a_refusal_is_sent_once_and_the_ack_ends_it() {
        let (mut rig, invite, key) = called(Transport::Tcp);
        rig.respond(key, response(&invite, 486, "t"));
        rig.pass(31_000);
        rig.receive(request("ACK", Transport::Tcp));
        assert_eq!(rig.diary(), ["0 > 486", "31000 ! Terminated server"]);
    }

    #[test]
    fn after_a_2xx_copies_of_the_invite_are_absorbed_until_timer_l() {
        let (mut rig, invite, key) = called(Transport::Udp);
        rig.respond(key, response(&invite, 200, "t"));
        rig.receive(invite.clone());
        rig.pass(500);
        // The user repeats its 2xx itself.
        assert!(rig.respond(key, response(&invite, 200, "t")));
        assert!(!rig.respond(key, response(&invite, 486, "t")));
        rig.pass(40_000);
        assert!(!rig.respond(key, response(&invite, 200, "t")));
        assert_eq!(rig.diary(), ["0 > 200", "500 > 200", "32000 ! Terminated server"]);
        assert_eq!(rig.layer.counters().responses_unsent, 2);
    }

    #[test]
    fn the_ack_of_a_2xx_goes_up_whatever_its_branch() {
        let (mut rig, invite, key) = called(Transport::Udp);
        rig.respond(key, response(&invite, 200, "t"));
        rig.receive(request("ACK", Transport::Udp));
        rig.receive(request_via("ACK", Transport::Udp, "127.0.0.3:5060;rport;branch=z9hG4bKtwo"));
        assert_eq!(rig.diary(), ["0 > 200", "0 ! Ack", "0 ! Ack"]);
    }

    #[test]
    fn nothing_follows_a_refusal() {
        let (mut rig, invite, key) = called(Transport::Udp);
        rig.respond(key, response(&invite, 486, "t"));
        for status in [180, 200, 487] {
            assert!(!rig.respond(key, response(&invite, status, "t")), "{status}");
        }
        assert_eq!(rig.diary(), ["0 > 486"]);
    }

    #[test]
    fn an_ack_before_the_answer_means_nothing() {
        let (mut rig, invite, key) = called(Transport::Udp);
        rig.receive(request("ACK", Transport::Udp));
        rig.respond(key, response(&invite, 486, "t"));
        rig.pass(500);
        assert_eq!(rig.diary(), ["0 > 486", "500 > 486"]);
    }
}
