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

#[cfg(test)]
mod tests {
    use super::super::path::Transport;
    use super::super::testing::{Rig, request, response};
    use crate::sip::message::{HeaderName, Message, Method};

    fn called(transport: Transport) -> (Rig, crate::sip::message::Request, super::ClientKey) {
        let mut rig = Rig::new(transport);
        let invite = request("INVITE", transport);
        let key = rig.send(&invite);
        (rig, invite, key)
    }

    #[test]
    fn unanswered_it_is_sent_seven_times_and_times_out_after_32_s() {
        let (mut rig, _, _) = called(Transport::Udp);
        rig.pass(100_000);
        let sent = ["0", "500", "1500", "3500", "7500", "15500", "31500"].map(|at| format!("{at} > INVITE"));
        let mut diary = rig.diary();
        assert_eq!(diary.pop().as_deref(), Some("32000 ! TimedOut"));
        assert_eq!(diary, sent);
        assert!(rig.layer.is_empty());
    }

    #[test]
    fn over_a_stream_it_is_sent_once() {
        let (mut rig, _, _) = called(Transport::Tcp);
        rig.pass(100_000);
        assert_eq!(rig.diary(), ["0 > INVITE", "32000 ! TimedOut"]);
    }

    #[test]
    fn a_provisional_response_ends_retransmission_and_timer_b() {
        let (mut rig, invite, _) = called(Transport::Udp);
        rig.pass(600);
        rig.receive(response(&invite, 100, ""));
        rig.pass(200_000);
        rig.receive(response(&invite, 180, "b"));
        assert_eq!(rig.diary(), ["0 > INVITE", "500 > INVITE", "600 ! Response 100", "200600 ! Response 180"]);
    }

    #[test]
    fn a_refusal_is_acked_again_for_each_copy_until_timer_d() {
        let (mut rig, invite, _) = called(Transport::Udp);
        rig.receive(response(&invite, 486, "b"));
        rig.pass(500);
        rig.receive(response(&invite, 486, "b"));
        rig.receive(response(&invite, 180, "b"));
        rig.pass(40_000);
        assert_eq!(
            rig.diary(),
            ["0 > INVITE", "0 > ACK", "0 ! Response 486", "500 > ACK", "32000 ! Terminated client"]
        );
        assert!(rig.layer.is_empty());
        assert_eq!(rig.layer.counters().responses_absorbed, 2);
    }

    #[test]
    fn over_a_stream_a_refusal_ends_it_at_once() {
        let (mut rig, invite, _) = called(Transport::Tls);
        rig.receive(response(&invite, 503, "b"));
        assert_eq!(rig.diary(), ["0 > INVITE", "0 > ACK", "0 ! Response 503", "0 ! Terminated client"]);
    }

    #[test]
    fn the_ack_of_a_refusal_is_the_invite_with_the_responses_to() {
        let (mut rig, invite, _) = called(Transport::Udp);
        rig.receive(response(&invite, 404, "b"));
        let Message::Request(ack) = rig.last_sent() else { panic!("a request") };
        assert_eq!((ack.method(), ack.uri()), (&Method::Ack, invite.uri()));
        let (of_ack, of_invite) = (ack.headers(), invite.headers());
        assert_eq!(of_ack.vias(), of_invite.vias());
        assert_eq!(of_ack.to().expect("valid").tag(), Some("b"));
        for name in [HeaderName::From, HeaderName::CallId, HeaderName::Route] {
            assert_eq!(of_ack.text(&name), of_invite.text(&name));
        }
        assert_eq!(of_ack.text(&HeaderName::CSeq), Some("7 ACK"));
        assert!(ack.body().is_empty());
    }

    #[test]
    fn every_2xx_goes_up_until_timer_m_and_is_stray_afterwards() {
        let (mut rig, invite, _) = called(Transport::Udp);
        rig.receive(response(&invite, 200, "b"));
        rig.pass(1_000);
        rig.receive(response(&invite, 200, "b"));
        rig.receive(response(&invite, 200, "fork"));
        rig.receive(response(&invite, 486, "late"));
        rig.pass(32_000);
        rig.receive(response(&invite, 200, "b"));
        assert_eq!(
            rig.diary(),
            [
                "0 > INVITE",
                "0 ! Response 200",
                "1000 ! Response 200",
                "1000 ! Response 200",
                "32000 ! Terminated client",
                "33000 ! Stray"
            ]
        );
    }

    #[test]
    fn a_cancel_waits_for_a_provisional_response() {
        let (mut rig, invite, key) = called(Transport::Udp);
        assert!(rig.cancel(key));
        assert!(rig.cancel(key));
        rig.pass(600);
        rig.receive(response(&invite, 180, "b"));
        rig.receive(response(&invite, 180, "b"));
        assert_eq!(
            rig.diary(),
            ["0 > INVITE", "500 > INVITE", "600 ! Response 180", "600 > CANCEL", "600 ! Response 180"]
        );
    }

    #[test]
    fn a_cancel_is_the_invite_without_a_new_to_tag_and_487_ends_both() {
        let (mut rig, invite, key) = called(Transport::Udp);
        rig.receive(response(&invite, 180, "b"));
        assert!(rig.cancel(key));
        let Message::Request(cancel) = rig.last_sent() else { panic!("a request") };
        assert_eq!((cancel.method(), cancel.uri()), (&Method::Cancel, invite.uri()));
        assert_eq!(cancel.headers().vias(), invite.headers().vias());
        for name in [HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::Route] {
            assert_eq!(cancel.headers().text(&name), invite.headers().text(&name));
        }
        assert_eq!(cancel.headers().text(&HeaderName::CSeq), Some("7 CANCEL"));
        rig.receive(response(&cancel, 200, "b"));
        rig.receive(response(&invite, 487, "b"));
        rig.pass(40_000);
        assert_eq!(
            rig.diary(),
            [
                "0 > INVITE",
                "0 ! Response 180",
                "0 > CANCEL",
                "0 > ACK",
                "0 ! Response 487",
                "32000 ! Terminated client"
            ]
        );
        assert!(rig.layer.is_empty());
    }

    #[test]
    fn a_200_that_crosses_the_cancel_goes_up() {
        let (mut rig, invite, key) = called(Transport::Udp);
        rig.receive(response(&invite, 180, "b"));
        rig.cancel(key);
        rig.receive(response(&invite, 200, "b"));
        assert_eq!(rig.diary().last().map(String::as_str), Some("0 ! Response 200"));
        assert!(!rig.cancel(key));
        rig.pass(40_000);
        assert!(!rig.diary().contains(&"32000 ! TimedOut".to_owned()));
    }

    #[test]
    fn without_a_final_response_a_cancel_frees_the_invite_after_32_s() {
        let (mut rig, invite, key) = called(Transport::Udp);
        rig.receive(response(&invite, 180, "b"));
        rig.pass(10_000);
        rig.cancel(key);
        rig.pass(1_000);
        rig.receive(response(&invite, 180, "b"));
        rig.pass(100_000);
        assert_eq!(rig.diary().last().map(String::as_str), Some("42000 ! TimedOut"));
        assert!(rig.layer.is_empty());
    }

    #[test]
    fn a_cancel_before_any_response_never_leaves_when_a_final_one_comes_first() {
        for status in [200, 486] {
            let (mut rig, invite, key) = called(Transport::Udp);
            rig.cancel(key);
            rig.receive(response(&invite, status, "b"));
            rig.pass(100_000);
            assert!(!rig.diary().iter().any(|entry| entry.contains("CANCEL")), "{status}");
        }
    }

    #[test]
    fn an_error_of_the_transport_fails_what_is_being_sent() {
        let (mut rig, _, _) = called(Transport::Udp);
        rig.transport_error();
        rig.pass(100_000);
        assert_eq!(rig.diary(), ["0 > INVITE", "0 ! TransportFailed"]);
        for (transport, fails) in [(Transport::Udp, false), (Transport::Tcp, true)] {
            let (mut rig, invite, _) = called(transport);
            rig.receive(response(&invite, 180, "b"));
            rig.transport_error();
            assert_eq!(rig.diary().contains(&"0 ! TransportFailed".to_owned()), fails, "{transport}");
        }
    }

    #[test]
    fn an_error_after_the_answer_changes_nothing() {
        let (mut rig, invite, _) = called(Transport::Udp);
        rig.receive(response(&invite, 200, "b"));
        rig.transport_error();
        assert_eq!(rig.diary(), ["0 > INVITE", "0 ! Response 200"]);
        assert_eq!(rig.layer.len(), 1);
    }
}
