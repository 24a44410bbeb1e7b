//! A call that came in, until its final response (RFC 3261 §13.3).

use super::calling::retry_later;
use super::talk::{self, Talk};
use super::wire::Wire;
use super::{Input, Phase, detail};
use crate::sip::call_end::{CallEnd, EndDetail, EndReason, Party};
use crate::sip::dialog::Dialog;
use crate::sip::message::{HeaderName, HeaderValue, Method, Request};
use crate::sip::offer_answer::{Direction, LocalMedia, NegotiatedMedia, answer_offer, offer};
use crate::sip::transaction::ServerKey;
use crate::sip::user_agent::CallEvent;
use crate::wire::sdp::SessionDescription;

/// A call that came in.
pub struct Ringing {
    key: ServerKey,
    invite: Request,
    offer: Option<SessionDescription>,
    dialog: Dialog,
    /// What early media has answered the offer with; the 2xx says the same.
    early: Option<(LocalMedia, SessionDescription, NegotiatedMedia)>,
}

impl Ringing {
    /// A call whose INVITE is the transaction `key`.
    pub fn new(key: ServerKey, invite: Request, offer: Option<SessionDescription>, dialog: Dialog) -> Self {
        Ringing { key, invite, offer, dialog, early: None }
    }

    /// Takes one input; the result is the phase that follows.
    pub fn handle_input(&mut self, wire: &mut Wire, input: Input<'_>) -> Option<Phase> {
        match input {
            Input::Provisional(status @ 101..=199, media) => {
                self.provisional(wire, status, media);
                None
            }
            Input::Answer(media) => self.answer(wire, media),
            Input::Reject(status @ 300..=699, headers) => Some(self.reject(wire, status, headers)),
            Input::Hangup(_) => Some(self.reject(wire, 603, Vec::new())),
            Input::Cancelled(cancel) => Some(self.cancelled(wire, cancel)),
            Input::Request { key, request, .. } => self.early_request(wire, key, request),
            _ => None,
        }
    }

    fn provisional(&mut self, wire: &mut Wire, status: u16, media: Option<LocalMedia>) {
        if let (Some(local), Some(offer), None) = (media, &self.offer, &self.early)
            && let Ok((description, media)) = answer_offer(&local, offer, wire.flow.path.remote.ip())
        {
            self.early = Some((local, description, media));
        }
        let response = match &self.early {
            Some((_, description, _)) => wire.reply_with(&self.invite, status, description),
            None => {
                let mut response = wire.reply(&self.invite, status);
                wire.flow.add_contact(response.headers_mut());
                response
            }
        };
        wire.respond(self.key, response);
    }

    fn answer(&mut self, wire: &mut Wire, local: LocalMedia) -> Option<Phase> {
        let peer = wire.flow.path.remote.ip();
        let (local, description, media) = match (self.early.take(), &self.offer) {
            (Some((local, description, media)), _) => (local, description, Some(media)),
            (None, Some(offer)) => match answer_offer(&local, offer, peer) {
                Ok((description, media)) => (local, description, Some(media)),
                Err(_) => {
                    wire.refuse(self.key, &self.invite, 488);
                    wire.end(CallEnd::plain(EndReason::MediaRefused, Party::Caller));
                    return Some(Phase::Over);
                }
            },
            (None, None) => {
                let description = offer(&local, Direction::SendRecv);
                (local, description, None)
            }
        };
        let response = wire.reply_with(&self.invite, 200, &description);
        let cseq = self.invite.headers().cseq().map_or(0, |cseq| cseq.number);
        let mut talk = Talk::as_called(self.dialog.clone(), local, description, media);
        talk.send_ok(wire, (self.key, cseq, response), media.is_none(), true);
        if let Some(media) = media {
            wire.tell(CallEvent::Answered { media });
        }
        Some(Phase::Talking(Box::new(talk)))
    }

    fn reject(&mut self, wire: &mut Wire, status: u16, headers: Vec<(HeaderName, HeaderValue)>) -> Phase {
        let mut response = wire.reply(&self.invite, status);
        for (name, value) in headers {
            response.headers_mut().push(name, value);
        }
        wire.respond(self.key, response);
        wire.end(CallEnd { party: Party::Us, ..CallEnd::of_status(status, EndDetail::default(), true) });
        Phase::Over
    }

    fn cancelled(&mut self, wire: &mut Wire, cancel: &Request) -> Phase {
        // RFC 3261 §9.2
        wire.refuse(self.key, &self.invite, 487);
        let EndDetail { q850, text, .. } = detail::of_headers(cancel.headers());
        wire.end(CallEnd { q850, text, ..CallEnd::plain(EndReason::Cancelled, Party::Caller) });
        Phase::Over
    }

    fn early_request(&mut self, wire: &mut Wire, key: ServerKey, request: &Request) -> Option<Phase> {
        let in_order = request.headers().cseq().is_ok_and(|cseq| self.dialog.accept_cseq(cseq.number));
        match request.method() {
            _ if !in_order => wire.refuse(key, request, 500),
            Method::Bye => {
                // RFC 3261 §15.1.2: the INVITE is answered with 487.
                wire.refuse(key, request, 200);
                return Some(self.cancelled(wire, request));
            }
            // RFC 3261 §14.2, RFC 3311 §5.2: the offer of the INVITE is still open.
            Method::Invite => retry_later(wire, key, request),
            Method::Update if !request.body().is_empty() => retry_later(wire, key, request),
            Method::Update => wire.refuse(key, request, 200),
            Method::Info => talk::answer_info(wire, key, request),
            Method::Options => talk::answer_options(wire, key, request),
            Method::Other(_) => wire.refuse(key, request, 501),
            _ => wire.refuse(key, request, 405),
        }
        None
    }
}
