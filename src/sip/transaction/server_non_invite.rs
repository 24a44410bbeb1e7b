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

#[cfg(test)]
mod tests {
    use super::super::path::Transport;
    use super::super::testing::{Rig, request, response};

    #[test]
    fn copies_are_silent_before_the_answer_and_repeat_it_until_timer_j() {
        let mut rig = Rig::new(Transport::Udp);
        let bye = request("BYE", Transport::Udp);
        rig.receive(bye.clone());
        rig.receive(bye.clone());
        let key = rig.last_request();
        rig.pass(1_000);
        rig.respond(key, response(&bye, 100, ""));
        rig.receive(bye.clone());
        rig.respond(key, response(&bye, 200, "t"));
        rig.pass(1_000);
        rig.receive(bye.clone());
        assert!(!rig.respond(key, response(&bye, 481, "t")));
        rig.pass(31_000);
        rig.receive(bye);
        assert_eq!(
            rig.diary(),
            [
                "0 ! Request BYE",
                "1000 > 100",
                "1000 > 100",
                "1000 > 200",
                "2000 > 200",
                "33000 ! Terminated server",
                "33000 ! Request BYE"
            ]
        );
        assert_eq!(rig.layer.counters().requests_absorbed, 3);
    }

    #[test]
    fn over_a_stream_the_answer_ends_it() {
        let mut rig = Rig::new(Transport::Tcp);
        let bye = request("BYE", Transport::Tcp);
        rig.receive(bye.clone());
        rig.respond(rig.last_request(), response(&bye, 200, "t"));
        assert_eq!(rig.diary(), ["0 ! Request BYE", "0 > 200", "0 ! Terminated server"]);
        assert!(rig.layer.is_empty());
    }

    #[test]
    fn a_request_that_is_never_answered_is_forgotten_after_32_s() {
        let mut rig = Rig::new(Transport::Udp);
        rig.receive(request("OPTIONS", Transport::Udp));
        rig.pass(40_000);
        assert_eq!(rig.diary(), ["0 ! Request OPTIONS", "32000 ! Terminated server"]);
    }
}
