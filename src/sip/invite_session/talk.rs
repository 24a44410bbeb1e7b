//! An answered call: what either side may still ask in its dialog (RFC 3261 §12.2, §14, §15).

use std::time::Duration;

use super::wire::{Kind, Timer, Wire, sdp_type};
use super::{Failure, Input, Phase, RequestId, detail, glare_wait, hang_up, peer};
use crate::sip::call_end::{CallEnd, EndReason, Party};
use crate::sip::dialog::Dialog;
use crate::sip::message::{HeaderName, HeaderValue, Method, Request, Response};
use crate::sip::offer_answer::{
    Direction, LocalMedia, MediaRefused, NegotiatedMedia, accept_answer, answer_offer, offer,
};
use crate::sip::transaction::{Path, ServerKey};
use crate::sip::user_agent::{CallEvent, Q850};
use crate::wire::sdp::SessionDescription;

/// An answered call.
pub struct Talk {
    dialog: Dialog,
    incoming: bool,
    local: LocalMedia,
    /// What we described ourselves with last.
    description: SessionDescription,
    /// `None` while the answer to the offer in our 2xx is awaited.
    media: Option<NegotiatedMedia>,
    unacked: Option<Unacked>,
    modify: Option<Modify>,
    /// Set when the call shall end with the ACK of our 2xx.
    hangup: Option<Option<Q850>>,
}

/// A 2xx of ours that waits for its ACK.
struct Unacked {
    key: ServerKey,
    cseq: u32,
    response: Response,
    interval: Duration,
    /// It carries an offer, which the ACK answers.
    offers: bool,
    /// It is the one that answered the call.
    first: bool,
}

/// A re-INVITE of ours.
struct Modify {
    local: LocalMedia,
    direction: Direction,
    description: SessionDescription,
    /// `None` while it waits out a glare.
    sent: Option<(RequestId, u32)>,
}

impl Talk {
    /// A call that we placed.
    pub fn as_caller(
        dialog: Dialog,
        local: LocalMedia,
        description: SessionDescription,
        media: NegotiatedMedia,
    ) -> Self {
        Talk::new(dialog, false, local, description, Some(media))
    }

    /// A call that came in. Without `media` our 2xx makes the offer.
    pub fn as_called(
        dialog: Dialog,
        local: LocalMedia,
        description: SessionDescription,
        media: Option<NegotiatedMedia>,
    ) -> Self {
        Talk::new(dialog, true, local, description, media)
    }

    fn new(
        dialog: Dialog,
        incoming: bool,
        local: LocalMedia,
        description: SessionDescription,
        media: Option<NegotiatedMedia>,
    ) -> Self {
        Talk { dialog, incoming, local, description, media, unacked: None, modify: None, hangup: None }
    }

    /// Whether a 2xx with the sequence number `cseq` answers a re-INVITE of ours.
    pub fn awaits(&self, cseq: u32) -> bool {
        self.modify.as_ref().and_then(|modify| modify.sent).is_some_and(|(_, sent)| sent == cseq)
    }

    /// Sends a 2xx to an INVITE, and again until it is ACKed (RFC 3261 §13.3.1.4).
    pub fn send_ok(
        &mut self,
        wire: &mut Wire,
        (key, cseq, response): (ServerKey, u32, Response),
        offers: bool,
        first: bool,
    ) {
        wire.respond(key, response.clone());
        let interval = wire.flow.timings.t1;
        wire.set(Timer::Repeat, interval);
        wire.set(Timer::GiveUp, wire.flow.timings.patience());
        self.unacked = Some(Unacked { key, cseq, response, interval, offers, first });
    }

    /// Takes one input; the result is the phase that follows.
    pub fn handle_input(&mut self, wire: &mut Wire, input: Input<'_>) -> Option<Phase> {
        match input {
            Input::Request { key, request, path } => self.on_request(wire, key, request, path),
            Input::Ack { request, path } => self.on_ack(wire, request, path),
            Input::Response { response, path, .. } if super::is_invite_success(response) => {
                self.modified(wire, response, path)
            }
            Input::Response { id: Some(id), response, path } if response.status_code().is_final() => {
                self.on_final(wire, id, response, path)
            }
            Input::Failed { id, failure } => self.on_failure(wire, id, failure),
            Input::Hangup(cause) => self.on_hangup(wire, cause),
            Input::Modify(local, direction) => {
                self.start_modify(wire, local, direction);
                None
            }
            _ => None,
        }
    }

    /// Lets a timer fire.
    pub fn on_timer(&mut self, wire: &mut Wire, timer: Timer) -> Option<Phase> {
        match timer {
            Timer::Repeat => {
                let unacked = self.unacked.as_mut()?;
                wire.respond(unacked.key, unacked.response.clone());
                // RFC 3261 §13.3.1.4: T1, doubling up to T2.
                unacked.interval = (unacked.interval * 2).min(wire.flow.timings.t2);
                let interval = unacked.interval;
                wire.set(Timer::Repeat, interval);
                None
            }
            Timer::GiveUp => {
                let cause = self.hangup.flatten();
                let end = match self.hangup {
                    Some(_) => self.our_end(cause),
                    None => CallEnd::plain(EndReason::Timeout, peer(self.incoming)),
                };
                // Q.850 102: recovery on timer expiry.
                Some(hang_up(wire, &mut self.dialog, cause.or(Some(Q850(102))), end))
            }
            Timer::Glare => {
                let modify = self.modify.take()?;
                self.start_modify(wire, modify.local, modify.direction);
                None
            }
            Timer::Linger => None,
        }
    }

    fn our_end(&self, cause: Option<Q850>) -> CallEnd {
        let q850 = cause.map(|Q850(cause)| u16::from(cause));
        CallEnd { q850, ..CallEnd::plain(EndReason::HungUp, Party::Us) }
    }

    fn on_hangup(&mut self, wire: &mut Wire, cause: Option<Q850>) -> Option<Phase> {
        if self.unacked.as_ref().is_some_and(|unacked| unacked.first) {
            // RFC 3261 §15: the called side sends no BYE before the ACK.
            self.hangup.get_or_insert(cause);
            return None;
        }
        let end = self.our_end(cause);
        Some(hang_up(wire, &mut self.dialog, cause, end))
    }

    fn on_request(&mut self, wire: &mut Wire, key: ServerKey, request: &Request, path: Path) -> Option<Phase> {
        // RFC 3261 §12.2.2
        if !request.headers().cseq().is_ok_and(|cseq| self.dialog.accept_cseq(cseq.number)) {
            wire.refuse(key, request, 500);
            return None;
        }
        match request.method() {
            Method::Bye => {
                wire.refuse(key, request, 200);
                wire.end(CallEnd::of_bye(peer(self.incoming), detail::of_headers(request.headers())));
                return Some(Phase::Over);
            }
            Method::Invite | Method::Update => self.on_offer(wire, key, request, path),
            Method::Info => answer_info(wire, key, request),
            Method::Options => answer_options(wire, key, request),
            Method::Other(_) => wire.refuse(key, request, 501),
            _ => wire.refuse(key, request, 405),
        }
        None
    }

    /// A re-INVITE or an UPDATE (RFC 3261 §14.2, RFC 3311 §5.2, RFC 3264 §8).
    fn on_offer(&mut self, wire: &mut Wire, key: ServerKey, request: &Request, path: Path) {
        let is_invite = *request.method() == Method::Invite;
        let awaits_answer = self.unacked.as_ref().is_some_and(|unacked| unacked.offers);
        let we_offer = self.modify.as_ref().is_some_and(|modify| modify.sent.is_some());
        if awaits_answer || we_offer {
            return wire.refuse(key, request, 491);
        }
        let response = match detail::read(request.headers(), request.body()) {
            Ok(offer) => match self.negotiate(wire, &offer, path) {
                Ok(()) => wire.reply_with(request, 200, &self.description),
                Err(_) => return wire.refuse(key, request, 488),
            },
            // A body of another type than a description.
            Err(MediaRefused::Missing) if !request.body().is_empty() => return wire.refuse(key, request, 415),
            Err(MediaRefused::Missing) if is_invite => {
                self.describe(offer(&self.local, Direction::SendRecv));
                wire.reply_with(request, 200, &self.description)
            }
            Err(MediaRefused::Missing) => {
                let mut response = wire.reply(request, 200);
                wire.flow.add_contact(response.headers_mut());
                response
            }
            Err(_) => return wire.refuse(key, request, 488),
        };
        self.dialog.refresh_target(request.headers());
        if is_invite {
            let cseq = request.headers().cseq().map_or(0, |cseq| cseq.number);
            let offers = request.body().is_empty();
            // Who sends a re-INVITE has got our first 2xx, whatever became of the ACK.
            self.send_ok(wire, (key, cseq, response), offers, false);
        } else {
            wire.respond(key, response);
        }
    }

    fn negotiate(&mut self, wire: &mut Wire, offer: &SessionDescription, path: Path) -> Result<(), MediaRefused> {
        let (description, media) = answer_offer(&self.local, offer, path.remote.ip())?;
        self.describe(description);
        self.settle(wire, media);
        Ok(())
    }

    /// Takes `description`, made of `self.local` and so of its version, as ours. RFC 3264 §8: the version grows by one when
    /// anything has changed, and else stays.
    fn describe(&mut self, mut description: SessionDescription) {
        if description != self.description {
            self.local.version += 1;
            description.origin.version = self.local.version.to_string();
            self.description = description;
        }
    }

    /// Takes `media` as agreed; told when anything has changed.
    fn settle(&mut self, wire: &mut Wire, media: NegotiatedMedia) {
        match self.media.replace(media) {
            None => wire.tell(CallEvent::Answered { media }),
            Some(before) if before != media => wire.tell(CallEvent::MediaChanged { media }),
            Some(_) => {}
        }
    }

    fn on_ack(&mut self, wire: &mut Wire, ack: &Request, path: Path) -> Option<Phase> {
        let cseq = ack.headers().cseq().ok()?.number;
        let unacked = self.unacked.take_if(|unacked| unacked.cseq == cseq)?;
        wire.timers.cancel(&Timer::Repeat);
        wire.timers.cancel(&Timer::GiveUp);
        if unacked.offers {
            let answer = detail::read(ack.headers(), ack.body());
            match answer.and_then(|answer| accept_answer(&self.local, &answer, path.remote.ip())) {
                Ok(media) => self.settle(wire, media),
                // An offer that is not answered changes nothing (RFC 3264 §4): what was agreed before stays.
                Err(MediaRefused::Missing) if self.media.is_some() => {}
                Err(refused) => return Some(self.media_refused(wire, &refused)),
            }
        }
        let cause = self.hangup?;
        let end = self.our_end(cause);
        Some(hang_up(wire, &mut self.dialog, cause, end))
    }

    fn media_refused(&mut self, wire: &mut Wire, refused: &MediaRefused) -> Phase {
        let text = Some(refused.to_string());
        let end = CallEnd { text, ..CallEnd::plain(EndReason::MediaRefused, peer(self.incoming)) };
        // Q.850 88: incompatible destination.
        hang_up(wire, &mut self.dialog, Some(Q850(88)), end)
    }

    /// Sends a re-INVITE; nothing happens while another exchange is open.
    fn start_modify(&mut self, wire: &mut Wire, local: LocalMedia, direction: Direction) {
        if self.unacked.is_some() || self.modify.is_some() {
            return;
        }
        let local = LocalMedia { session_id: self.local.session_id, version: self.local.version + 1, ..local };
        let description = offer(&local, direction);
        let mut request = self.dialog.request(Method::Invite);
        wire.flow.add_contact(request.headers_mut());
        super::add_allow(request.headers_mut());
        let request = request.with_body(sdp_type(), description.to_bytes());
        let cseq = request.headers().cseq().map_or(0, |cseq| cseq.number);
        let path = wire.flow.path_of(&self.dialog);
        let id = wire.send(Kind::Modify, request, path);
        self.modify = Some(Modify { local, direction, description, sent: Some((id, cseq)) });
    }

    /// A 2xx to our re-INVITE.
    fn modified(&mut self, wire: &mut Wire, response: &Response, path: Path) -> Option<Phase> {
        let cseq = response.headers().cseq().ok()?.number;
        let modify = self.modify.take_if(|modify| modify.sent.is_some_and(|(_, sent)| sent == cseq))?;
        let (id, number) = modify.sent?;
        let sent = wire.take_outgoing(id).map(|outgoing| outgoing.request);
        self.dialog.refresh_target(response.headers());
        wire.forget_oldest_ack();
        wire.ack(&self.dialog, number, sent.as_ref());
        let answer = detail::read(response.headers(), response.body());
        match answer.and_then(|answer| accept_answer(&modify.local, &answer, path.remote.ip())) {
            Ok(media) => {
                self.local = modify.local;
                self.description = modify.description;
                self.settle(wire, media);
                None
            }
            Err(refused) => Some(self.media_refused(wire, &refused)),
        }
    }

    fn on_final(&mut self, wire: &mut Wire, id: RequestId, response: &Response, path: Path) -> Option<Phase> {
        let outgoing = wire.take_outgoing(id)?;
        let status = response.status();
        if matches!(status, 401 | 407) {
            let cseq = match outgoing.kind {
                Kind::Modify => self.dialog.next_cseq(),
                // The BYE of a fork has a dialog of its own.
                Kind::Invite | Kind::Bye => outgoing.request.headers().cseq().map_or(1, |cseq| cseq.number) + 1,
            };
            let is_modify = outgoing.kind == Kind::Modify;
            let again = wire.send_again(outgoing, response, path, cseq);
            if is_modify {
                match (again, &mut self.modify) {
                    (Some(id), Some(modify)) => modify.sent = Some((id, cseq)),
                    _ => self.modify = None,
                }
            }
            return None;
        }
        if outgoing.kind != Kind::Modify {
            return None;
        }
        match status {
            // RFC 3261 §12.2.1.2: the peer has lost the call.
            408 | 481 => Some(self.lost(wire, Some(status))),
            491 => {
                if let Some(modify) = &mut self.modify {
                    modify.sent = None;
                }
                let wait = glare_wait(!self.incoming, &mut wire.random);
                wire.set(Timer::Glare, wait);
                None
            }
            // RFC 3261 §14.1: all stays as it was.
            _ => {
                self.modify = None;
                None
            }
        }
    }

    fn on_failure(&mut self, wire: &mut Wire, id: RequestId, _: Failure) -> Option<Phase> {
        let outgoing = wire.take_outgoing(id)?;
        // RFC 3261 §12.2.1.2
        (outgoing.kind == Kind::Modify).then(|| self.lost(wire, None))
    }

    fn lost(&mut self, wire: &mut Wire, sip_status: Option<u16>) -> Phase {
        let end = CallEnd { sip_status, ..CallEnd::plain(EndReason::Timeout, peer(self.incoming)) };
        hang_up(wire, &mut self.dialog, None, end)
    }
}

/// Bodies of INFO that carry key presses (RFC 2976, requirement M13).
const INFO_BODIES: [&str; 2] = ["application/dtmf-relay", "application/dtmf"];

/// RFC 6086 §4.2.2: 200, or 415 for a body that nobody reads. The digits are read here one day.
pub fn answer_info(wire: &mut Wire, key: ServerKey, request: &Request) {
    let known = request.content_type().is_none_or(|kind| INFO_BODIES.contains(&kind.as_str()));
    if request.body().is_empty() || known {
        return wire.refuse(key, request, 200);
    }
    let mut response = wire.reply(request, 415);
    if let Ok(accepted) = HeaderValue::try_from(INFO_BODIES.join(", ")) {
        response.headers_mut().push(HeaderName::Accept, accepted);
    }
    wire.respond(key, response);
}

/// RFC 3261 §11.2
pub fn answer_options(wire: &mut Wire, key: ServerKey, request: &Request) {
    let mut response = wire.reply(request, 200);
    super::add_allow(response.headers_mut());
    response.headers_mut().push(HeaderName::Accept, sdp_type());
    wire.respond(key, response);
}
