//! One call: from INVITE to the last ACK after its end (RFC 3261 §13-15), as caller and as called.
//!
//! Tested through the user agent, whose transactions it needs: the tests stand in `user_agent::tests`.
//!
//! | rule | test |
//! |---|---|
//! | RFC 3261 §13.2.2.1, RFC 3960: provisional responses for each To tag; early media is never an answer (T13) | `calling::early_media_of_several_forks_is_told_and_is_no_answer` |
//! | §13.2.2.4: each copy of a 2xx is ACKed alike | `calling::each_copy_of_a_2xx_gets_the_same_ack` |
//! | §13.2.2.4: a second fork is ACKed and ended | `calling::a_second_fork_is_acked_and_ended` |
//! | §13.2.2.4: the ACK carries the INVITE's credentials | `calling::a_challenged_invite_is_sent_again_and_its_ack_has_the_credentials` |
//! | §13.2.1: an answer that cannot be used, or none, ends the call | `calling::an_unusable_answer_is_acked_and_ended`, `calling::a_2xx_without_answer_is_acked_and_ended` |
//! | §9.1: CANCEL, 487; 2xx crossing CANCEL; no response at all | `calling::cancelled_before_the_answer`, `calling::a_2xx_that_crosses_the_cancel_is_acked_and_ended`, `calling::cancelled_without_any_response` |
//! | §15: BYE of either side; BYE that overtakes the 2xx | `answered::bye_of_either_side`, `calling::a_bye_that_overtakes_the_2xx_ends_the_call` |
//! | §15.1.1, §22: a challenged BYE is answered, on the trunk's flow only (D5, S3) | `answered::a_challenged_bye_is_answered_on_the_flow_only` |
//! | §22.2, requirement D3: at most two INVITEs with credentials | `calling::nonces_without_end_are_given_up` |
//! | §8.1.3.4: redirection is refused | `calling::final_responses_end_the_call_with_their_reason` |
//! | §12.2.2: lower CSeq is 500; after BYE 481 | `answered::requests_out_of_order_and_after_the_end_are_refused` |
//! | §14.1, §14.2: glare both ways | `answered::glare_is_491_and_ends_in_a_second_try`, `calling::an_update_before_the_answer_is_491` |
//! | RFC 3264 §8: hold, resume, moved port, unchanged description, delayed offer | `answered::hold_and_resume`, `answered::an_unchanged_description_changes_nothing`, `answered::a_reinvite_without_offer_gets_ours` |
//! | §14.2: an offer that cannot be used is 488 and changes nothing | `answered::an_unusable_reinvite_is_488_and_the_call_stays` |
//! | §13.3.1.4: our 2xx is repeated until the ACK, for 64*T1 | `ringing::our_2xx_is_repeated_until_acked`, `ringing::a_2xx_that_is_never_acked_ends_the_call` |
//! | §15: the called side sends no BYE before the ACK | `ringing::the_called_side_waits_for_the_ack_with_its_bye` |
//! | §13.3.1: provisional responses, answer, refusal, CANCEL as the called side | `pair::two_agents_live_a_whole_call`, `ringing::a_cancelled_incoming_call_is_487` |
//! | RFC 3311 §5.2, RFC 6086, §11: UPDATE, INFO, OPTIONS in the dialog; 405 and 501 | `answered::requests_inside_the_dialog_are_answered` |
//! | RFC 3326: Reason of responses and BYE | `calling::final_responses_end_the_call_with_their_reason`, `answered::bye_of_either_side` |
//!
//! Not here: Reason in CANCEL, which the transaction layer makes; reliable provisional responses (RFC 3262) and session
//! timers (RFC 4028), which are not offered; the digits of INFO, whose room is `talk`.

mod calling;
mod detail;
mod flow;
mod ringing;
mod talk;
mod wire;

pub use flow::{ALLOWED, Flow, add_allow};

use std::time::Duration;

use self::calling::Calling;
use self::ringing::Ringing;
use self::talk::Talk;
use self::wire::{Timer, Wire};
use super::call_end::{CallEnd, Party};
use super::dialog::Dialog;
use super::message::{HeaderName, HeaderValue, Method, Request, Response};
use super::offer_answer::{Direction, LocalMedia};
use super::transaction::{Path, ServerKey};
use super::user_agent::{CallEvent, Q850};
use crate::base::random::Random;
use crate::base::time::Instant;
use crate::wire::sdp::SessionDescription;

/// A call's own name of a request that it sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(u32);

/// Why a request got no final response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Its transaction timed out.
    TimedOut,
    /// It could not be sent.
    TransportFailed,
}

/// What a call is given.
#[derive(Debug)]
pub enum Input<'a> {
    /// A response to a request of ours, or a copy of a 2xx to an INVITE of ours.
    Response {
        /// Which request; `None` when its transaction is gone.
        id: Option<RequestId>,
        /// The response.
        response: &'a Response,
        /// Where it came from.
        path: Path,
    },
    /// A request of ours has got no final response.
    Failed {
        /// Which.
        id: RequestId,
        /// Why.
        failure: Failure,
    },
    /// A request of the peer's inside the dialog, neither ACK nor CANCEL.
    Request {
        /// Its transaction.
        key: ServerKey,
        /// The request.
        request: &'a Request,
        /// Where it came from.
        path: Path,
    },
    /// The ACK for a 2xx of ours.
    Ack {
        /// The ACK.
        request: &'a Request,
        /// Where it came from.
        path: Path,
    },
    /// A CANCEL of the INVITE that came in.
    Cancelled(&'a Request),
    /// End the call.
    Hangup(Option<Q850>),
    /// Offer new media.
    Modify(LocalMedia, Direction),
    /// Send a provisional response, with or without early media.
    Provisional(u16, Option<LocalMedia>),
    /// Answer the call that came in.
    Answer(LocalMedia),
    /// Refuse the call that came in.
    Reject(u16, Vec<(HeaderName, HeaderValue)>),
    /// The time of the last [`Output::Timeout`] has come.
    Timeout,
}

/// What a call wants done.
#[derive(Debug)]
pub enum Output {
    /// Send this in a client transaction, and tell what comes of it under `id`.
    Request {
        /// The call's name of it.
        id: RequestId,
        /// The whole request.
        request: Box<Request>,
        /// Where to.
        path: Path,
    },
    /// Cancel the INVITE `id`.
    Cancel {
        /// Which.
        id: RequestId,
    },
    /// Send this once: an ACK.
    Stateless {
        /// The whole request.
        request: Box<Request>,
        /// Where to.
        path: Path,
    },
    /// Send this in a server transaction.
    Response {
        /// Which.
        key: ServerKey,
        /// The whole response.
        response: Box<Response>,
    },
    /// Tell the floor above.
    Event(CallEvent),
    /// Drained. Come back with [`Input::Timeout`] at this time.
    Timeout(Option<Instant>),
}

/// One call.
pub struct InviteSession {
    wire: Wire,
    phase: Phase,
}

enum Phase {
    /// Our INVITE has no final response.
    Calling(Box<Calling>),
    /// Their INVITE has no final response.
    Ringing(Box<Ringing>),
    /// Answered.
    Talking(Box<Talk>),
    /// Ended; what is left are copies, forks and the fate of the BYE.
    Over,
}

impl InviteSession {
    /// Places a call with `invite`, which is complete but for its Via and its body.
    pub fn call(now: Instant, flow: Flow, invite: Request, local: LocalMedia, random: Random) -> Self {
        let tag = invite.headers().from().ok().and_then(|from| from.tag().map(str::to_owned)).unwrap_or_default();
        let mut wire = Wire::new(now, flow, random, tag);
        let calling = Calling::start(&mut wire, invite, local);
        InviteSession { wire, phase: Phase::Calling(Box::new(calling)) }
    }

    /// Takes a call that came in with `invite`; `dialog` is what a 2xx to it will make.
    pub fn ring(
        now: Instant,
        flow: Flow,
        (key, invite, offer): (ServerKey, Request, Option<SessionDescription>),
        (dialog, local_tag): (Dialog, String),
        random: Random,
    ) -> Self {
        let wire = Wire::new(now, flow, random, local_tag);
        InviteSession { wire, phase: Phase::Ringing(Box::new(Ringing::new(key, invite, offer, dialog))) }
    }

    /// Deals with `response`, a 2xx to an INVITE that nobody remembers, which is then fed to it: ACKs it and ends its call.
    pub fn orphan(now: Instant, flow: Flow, response: &Response, random: Random) -> Self {
        let tag = response.headers().from().ok().and_then(|from| from.tag().map(str::to_owned)).unwrap_or_default();
        InviteSession { wire: Wire::new(now, flow, random, tag), phase: Phase::Over }
    }

    /// Whether the end has been told.
    pub fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// Whether nothing of the call can happen any more, so that it may be forgotten.
    pub fn is_finished(&self) -> bool {
        self.has_ended() && self.wire.is_quiet()
    }

    /// Takes one input. Drain [`InviteSession::poll_output`] afterwards.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        self.wire.now = now;
        if let Input::Timeout = input {
            while let Some(timer) = self.wire.timers.pop_due(now) {
                self.on_timer(timer);
            }
            return;
        }
        if let Input::Response { response, .. } = &input
            && is_invite_success(response)
            && self.absorb_success(response)
        {
            return;
        }
        let wire = &mut self.wire;
        let next = match &mut self.phase {
            Phase::Calling(calling) => calling.handle_input(wire, input),
            Phase::Ringing(ringing) => ringing.handle_input(wire, input),
            Phase::Talking(talk) => talk.handle_input(wire, input),
            Phase::Over => after_the_end(wire, input),
        };
        if let Some(phase) = next {
            self.phase = phase;
        }
    }

    /// What to do next. Call until it is [`Output::Timeout`].
    pub fn poll_output(&mut self) -> Output {
        self.wire.poll()
    }

    fn on_timer(&mut self, timer: Timer) {
        if let Phase::Talking(talk) = &mut self.phase
            && let Some(phase) = talk.on_timer(&mut self.wire, timer)
        {
            self.phase = phase;
        }
    }

    /// Deals with a 2xx to an INVITE that neither answers the call nor a re-INVITE: a copy, or another fork.
    fn absorb_success(&mut self, response: &Response) -> bool {
        if self.wire.ack_again(response) {
            return true;
        }
        let cseq = response.headers().cseq().map(|cseq| cseq.number);
        let awaited = match &self.phase {
            Phase::Calling(_) => true,
            Phase::Talking(talk) => cseq.is_ok_and(|cseq| talk.awaits(cseq)),
            Phase::Ringing(_) | Phase::Over => false,
        };
        if awaited {
            return false;
        }
        // RFC 3261 §13.2.2.4: another fork has answered, too.
        let from = response.headers().from().ok();
        let is_ours = from.is_some_and(|from| from.tag() == Some(self.wire.local_tag.as_str()));
        if let (true, true, Ok(cseq), Ok(mut dialog)) =
            (is_ours, self.wire.has_room_for_fork(), cseq, Dialog::of_orphan(response))
        {
            let invite = self.wire.answered.clone();
            self.wire.ack(&dialog, cseq, invite.as_ref());
            self.wire.bye(&mut dialog, None);
        }
        true
    }
}

fn is_invite_success(response: &Response) -> bool {
    response.status_code().is_success() && response.headers().cseq().is_ok_and(|cseq| cseq.method == Method::Invite)
}

fn after_the_end(wire: &mut Wire, input: Input<'_>) -> Option<Phase> {
    match input {
        Input::Response { id: Some(id), response, path } if response.status_code().is_final() => {
            let outgoing = wire.take_outgoing(id)?;
            if matches!(response.status(), 401 | 407) {
                let cseq = outgoing.request.headers().cseq().map_or(1, |cseq| cseq.number) + 1;
                wire.send_again(outgoing, response, path, cseq);
            }
        }
        Input::Failed { id, .. } => {
            wire.take_outgoing(id);
        }
        Input::Request { key, request, .. } => {
            // RFC 3261 §15.1.2; two BYEs that cross are both right.
            let status = if *request.method() == Method::Bye { 200 } else { 481 };
            wire.refuse(key, request, status);
        }
        _ => {}
    }
    None
}

/// Ends the call in `dialog` with BYE and says why.
fn hang_up(wire: &mut Wire, dialog: &mut Dialog, cause: Option<Q850>, end: CallEnd) -> Phase {
    wire.bye(dialog, cause);
    wire.end(end);
    Phase::Over
}

/// The other party of a call that came in, or of one that we placed.
const fn peer(incoming: bool) -> Party {
    if incoming { Party::Caller } else { Party::Callee }
}

/// Retry-After of a 500 for a request that came too early (RFC 3261 §14.2: 0 to 10 s).
fn come_back(random: &mut Random) -> u32 {
    u32::try_from(random.below(10)).unwrap_or(0) + 1
}

/// The wait after a 491 (RFC 3261 §14.1): 2.1 to 4 s for the owner of the Call-ID, 0 to 2 s for the other, in steps of
/// 10 ms.
fn glare_wait(owns_call_id: bool, random: &mut Random) -> Duration {
    let steps = if owns_call_id { 210 + random.below(191) } else { random.below(201) };
    Duration::from_millis(10 * steps)
}
