//! A call that we placed, until its final response (RFC 3261 §13.2, §9.1).

use super::talk::Talk;
use super::wire::{Kind, Wire, sdp_type};
use super::{Failure, Input, Phase, RequestId, detail};
use crate::sip::call_end::{CallEnd, EndDetail, EndReason, Party};
use crate::sip::dialog::Dialog;
use crate::sip::message::{HeaderName, Method, Request, Response};
use crate::sip::offer_answer::{Direction, LocalMedia, accept_answer, answer_offer, offer};
use crate::sip::transaction::{Path, ServerKey};
use crate::sip::user_agent::{CallEvent, Q850};
use crate::wire::sdp::SessionDescription;

/// Early dialogs that are told apart; a network that forks wider is told once for all of the rest.
const MAX_EARLY: usize = 16;

/// A call that we placed.
pub struct Calling {
    /// The INVITE that waits for its final response.
    invite: RequestId,
    cseq: u32,
    local: LocalMedia,
    offered: SessionDescription,
    early: Vec<Early>,
    tried: bool,
    rang: bool,
    /// Set once the call is given up: what to tell when the INVITE is over.
    abandoned: Option<CallEnd>,
    cause: Option<Q850>,
}

/// One fork that has sent provisional responses (RFC 3261 §12.1).
struct Early {
    tag: String,
    statuses: Vec<u16>,
    /// The last description it sent. No answer, but what a 2xx without one is taken to mean.
    description: Option<SessionDescription>,
}

impl Calling {
    /// Sends the INVITE.
    pub fn start(wire: &mut Wire, invite: Request, local: LocalMedia) -> Self {
        let offered = offer(&local, Direction::SendRecv);
        let cseq = invite.headers().cseq().map_or(1, |cseq| cseq.number);
        let invite = invite.with_body(sdp_type(), offered.to_bytes());
        let path = wire.flow.path;
        let invite = wire.send(Kind::Invite, invite, path);
        Calling {
            invite,
            cseq,
            local,
            offered,
            early: Vec::new(),
            tried: false,
            rang: false,
            abandoned: None,
            cause: None,
        }
    }

    /// Takes one input; the result is the phase that follows.
    pub fn handle_input(&mut self, wire: &mut Wire, input: Input<'_>) -> Option<Phase> {
        match input {
            Input::Response { response, path, .. } if response.status_code().is_success() => {
                self.answered(wire, response, path)
            }
            Input::Response { id, response, path } if id == Some(self.invite) => {
                if response.status_code().is_final() {
                    return self.refused(wire, response, path);
                }
                self.progress(wire, response);
                None
            }
            Input::Failed { id, failure } if id == self.invite => {
                wire.take_outgoing(id);
                let (reason, party) = match failure {
                    Failure::TimedOut => (EndReason::Timeout, Party::Carrier),
                    Failure::TransportFailed => (EndReason::NetworkFailure, Party::Carrier),
                };
                wire.end(self.abandoned.take().unwrap_or_else(|| CallEnd::plain(reason, party)));
                Some(Phase::Over)
            }
            Input::Request { key, request, path } => {
                self.early_request(wire, key, request, path);
                None
            }
            Input::Hangup(cause) => {
                self.abandon(wire, CallEnd::plain(EndReason::Cancelled, Party::Us), cause);
                None
            }
            _ => None,
        }
    }

    fn abandon(&mut self, wire: &mut Wire, end: CallEnd, cause: Option<Q850>) {
        if self.abandoned.is_none() {
            self.abandoned = Some(end);
            self.cause = cause;
            // RFC 3261 §9.1: the transaction layer holds the CANCEL back until a provisional response has come, and gives
            // the INVITE up 64*T1 after it.
            wire.cancel(self.invite);
        }
    }

    fn progress(&mut self, wire: &mut Wire, response: &Response) {
        let status = response.status();
        if status == 100 {
            if !std::mem::replace(&mut self.tried, true) && self.abandoned.is_none() {
                wire.tell(CallEvent::Trying);
            }
            return;
        }
        self.rang |= matches!(status, 180..=182);
        let description = detail::read(response.headers(), response.body()).ok();
        let has_media = description.is_some();
        let tag = response.headers().to().ok().and_then(|to| to.tag().map(str::to_owned)).unwrap_or_default();
        let is_new = self.note(tag, status, description);
        // Not after the call was given up: nobody waits for it any more.
        if !is_new || self.abandoned.is_some() {
            return;
        }
        if status != 183 || !has_media {
            wire.tell(CallEvent::Ringing { status });
        }
        if has_media {
            // RFC 3960, requirement T13: heard by nobody, and no answer.
            wire.tell(CallEvent::EarlyMedia { status });
        }
    }

    /// Notes a provisional response; whether its fork has said nothing like it before.
    fn note(&mut self, tag: String, status: u16, description: Option<SessionDescription>) -> bool {
        let at = self.early.iter().position(|early| early.tag == tag).or_else(|| {
            let room = self.early.len() < MAX_EARLY;
            room.then(|| self.early.push(Early { tag, statuses: Vec::new(), description: None }))?;
            Some(self.early.len() - 1)
        });
        let Some(early) = at.and_then(|at| self.early.get_mut(at)) else { return false };
        let mut is_new = !early.statuses.contains(&status);
        if is_new {
            // At most one of each of the 99 codes.
            early.statuses.push(status);
        }
        if description.is_some() {
            is_new |= early.description.is_none();
            early.description = description;
        }
        is_new
    }

    fn refused(&mut self, wire: &mut Wire, response: &Response, path: Path) -> Option<Phase> {
        let outgoing = wire.take_outgoing(self.invite)?;
        let status = response.status();
        if let Some(mut end) = self.abandoned.take() {
            end.sip_status = Some(status);
            wire.end(end);
            return Some(Phase::Over);
        }
        if matches!(status, 401 | 407)
            && let Some(id) = wire.send_again(outgoing, response, path, self.cseq + 1)
        {
            self.invite = id;
            self.cseq += 1;
            return None;
        }
        wire.end(CallEnd::of_status(status, detail::of_response(response), self.rang));
        Some(Phase::Over)
    }

    fn answered(&mut self, wire: &mut Wire, response: &Response, path: Path) -> Option<Phase> {
        if !response.headers().cseq().is_ok_and(|cseq| cseq.number == self.cseq) {
            return None;
        }
        let invite = wire.take_outgoing(self.invite)?.request;
        let mut dialog = match Dialog::of_response(&invite, response) {
            Ok(dialog) => dialog,
            Err(_) => {
                wire.end(CallEnd::plain(EndReason::ProtocolError, Party::Carrier));
                return Some(Phase::Over);
            }
        };
        wire.ack(&dialog, self.cseq, Some(&invite));
        wire.answered = Some(invite);
        if let Some(mut end) = self.abandoned.take() {
            end.sip_status = Some(response.status());
            return Some(super::hang_up(wire, &mut dialog, self.cause, end));
        }
        let early = self.early.iter_mut().find(|early| early.tag == dialog.remote_tag());
        let early = early.and_then(|early| early.description.take());
        // RFC 3261 §13.2.1 wants the answer in the 2xx; gateways that have told it in a 183 leave it out.
        let answer = detail::read(response.headers(), response.body()).or_else(|error| early.ok_or(error));
        match answer.and_then(|answer| accept_answer(&self.local, &answer, path.remote.ip())) {
            Ok(media) => {
                wire.tell(CallEvent::Answered { media });
                let talk = Talk::as_caller(dialog, self.local.clone(), self.offered.clone(), media);
                Some(Phase::Talking(Box::new(talk)))
            }
            Err(refused) => {
                let end = CallEnd {
                    sip_status: Some(response.status()),
                    text: Some(refused.to_string()),
                    ..CallEnd::plain(EndReason::MediaRefused, Party::Carrier)
                };
                // Q.850 88: incompatible destination.
                Some(super::hang_up(wire, &mut dialog, Some(Q850(88)), end))
            }
        }
    }

    fn early_request(&mut self, wire: &mut Wire, key: ServerKey, request: &Request, path: Path) {
        match request.method() {
            Method::Bye => {
                // The 2xx is lost or late (RFC 3261 §15 lets the callee send BYE on confirmed dialogs only): what
                // follows is ACKed and ended.
                wire.refuse(key, request, 200);
                let detail: EndDetail = detail::of_headers(request.headers());
                self.abandon(wire, CallEnd::of_bye(Party::Callee, detail), None);
            }
            Method::Update => self.early_update(wire, key, request, path),
            Method::Invite => {
                // RFC 3261 §14.2
                wire.refuse(key, request, 491);
            }
            Method::Info => super::talk::answer_info(wire, key, request),
            Method::Options => super::talk::answer_options(wire, key, request),
            Method::Other(_) => wire.refuse(key, request, 501),
            _ => wire.refuse(key, request, 405),
        }
    }

    /// RFC 3311 §5.2. A fork that has sent a description takes it for its answer, and may offer anew.
    fn early_update(&mut self, wire: &mut Wire, key: ServerKey, request: &Request, path: Path) {
        if request.body().is_empty() {
            return wire.refuse(key, request, 200);
        }
        let tag = request.headers().from().ok().and_then(|from| from.tag().map(str::to_owned)).unwrap_or_default();
        let early = self.early.iter_mut().find(|early| early.tag == tag && early.description.is_some());
        let Some(early) = early else { return wire.refuse(key, request, 491) };
        let offer = detail::read(request.headers(), request.body());
        match offer.and_then(|offer| Ok((answer_offer(&self.local, &offer, path.remote.ip())?, offer))) {
            Ok(((answer, _), offer)) => {
                early.description = Some(offer);
                let response = wire.reply_with(request, 200, &answer);
                wire.respond(key, response);
            }
            Err(_) => wire.refuse(key, request, 488),
        }
    }
}

/// Retry-After for `request`s that come while another exchange is open.
pub fn retry_later(wire: &mut Wire, key: ServerKey, request: &Request) {
    let seconds = super::come_back(&mut wire.random);
    let mut response = wire.reply(request, 500);
    response.headers_mut().push(HeaderName::RetryAfter, seconds);
    wire.respond(key, response);
}
