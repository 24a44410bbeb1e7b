//! Requests that come in: to which call they belong, and the answer to those that belong to none (RFC 3261 §8.2).

use super::UserAgent;
use crate::base::time::Instant;
use crate::sip::dialog::Dialog;
use crate::sip::invite_session::{self as session, InviteSession, add_allow};
use crate::sip::message::{HeaderName, HeaderValue, Message, Method, Request, Response};
use crate::sip::offer_answer::read_description;
use crate::sip::transaction::{Path, ServerKey};
use crate::sip::user_agent::event::{Event, Output};
use crate::sip::user_agent::screen::{Refusal, screen, screen_content, unsupported};

impl UserAgent {
    pub(super) fn receive_request(&mut self, now: Instant, request: Request, path: Path) {
        let has_name = request.headers().top_via().is_ok_and(|via| via.has_rfc3261_branch());
        match screen(&request) {
            // It cannot be told from other requests, so no transaction can be made for it.
            Err(refusal) if !has_name => {
                self.counters.refused += 1;
                if *request.method() != Method::Ack {
                    let mut response = refusal.response(&request);
                    response.set_to_tag(&self.random.token());
                    self.transactions.send_stateless(Message::Response(response), path);
                }
            }
            _ => self.transactions.receive(now, Message::Request(request), path),
        }
    }

    pub(super) fn on_request(&mut self, now: Instant, key: ServerKey, request: Request, path: Path) {
        if let Err(refusal) = screen(&request) {
            return self.refuse(now, key, &request, refusal);
        }
        if request.headers().to().is_ok_and(|to| to.tag().is_some()) {
            return match self.dialog_with(&request) {
                Some(call) => self.feed(now, call, session::Input::Request { key, request: &request, path }),
                // RFC 3261 §12.2.2
                None => self.refuse(now, key, &request, Refusal::new(481)),
            };
        }
        match request.method() {
            Method::Invite => self.on_invite(now, key, request, path),
            Method::Options => self.answer_options(now, key, &request),
            Method::Bye | Method::Info | Method::Update | Method::Prack => {
                let refusal = unsupported(request.method());
                self.refuse(now, key, &request, refusal);
            }
            _ if self.policy.deliver_requests => {
                let (request, source) = (Box::new(request), path.remote);
                self.outputs.push_back(Output::Event(Event::Request { key, request, source }));
            }
            method => {
                let refusal = unsupported(method);
                self.refuse(now, key, &request, refusal);
            }
        }
    }

    fn on_invite(&mut self, now: Instant, key: ServerKey, request: Request, path: Path) {
        if let Err(refusal) = self.try_invite(now, key, &request, path) {
            self.refuse(now, key, &request, refusal);
        }
    }

    fn try_invite(&mut self, now: Instant, key: ServerKey, request: &Request, path: Path) -> Result<(), Refusal> {
        screen_content(request)?;
        let headers = request.headers();
        let bad = |_| Refusal::new(400);
        let call_id = headers.call_id().map_err(bad)?.to_owned();
        let from_tag = headers.from().map_err(bad)?.tag().unwrap_or_default().to_owned();
        let merged = (call_id.clone(), from_tag, headers.cseq().map_err(bad)?.number);
        if self.merged.contains_key(&merged) {
            // RFC 3261 §8.2.2.2: the same request by another way.
            return Err(Refusal::new(482));
        }
        if !self.policy.accept_calls {
            return Err(Refusal::new(403));
        }
        if self.stopping || !self.has_room() {
            return Err(Refusal::new(503));
        }
        let offer = match request.body() {
            [] => None,
            body => Some(read_description(body).map_err(|_| Refusal::new(488))?),
        };
        let local_tag = self.random.token();
        let dialog = Dialog::of_request(request, &local_tag).map_err(bad)?;
        let trunk = self.trunk_of(path.remote.ip());
        let flow = self.flow_back(now, trunk, path);
        let invite = (key, request.clone(), offer.clone());
        let session = InviteSession::ring(now, flow, invite, (dialog, local_tag.clone()), self.random.fork());
        let call = self.new_incoming();
        self.servers.insert(key, call);
        self.insert(call, trunk, path.remote, session, ((call_id, local_tag), Some(merged)));
        let (request, source) = (Box::new(request.clone()), path.remote);
        self.outputs.push_back(Output::Event(Event::IncomingCall { call, request, source, offer }));
        Ok(())
    }

    /// RFC 3261 §11.2
    fn answer_options(&mut self, now: Instant, key: ServerKey, request: &Request) {
        let mut response = Response::reply_to(request, 200);
        add_allow(response.headers_mut());
        if let Ok(sdp) = HeaderValue::try_from("application/sdp") {
            response.headers_mut().push(HeaderName::Accept, sdp);
        }
        self.respond(now, key, response);
    }

    fn refuse(&mut self, now: Instant, key: ServerKey, request: &Request, refusal: Refusal) {
        self.counters.refused += 1;
        self.respond(now, key, refusal.response(request));
    }

    fn respond(&mut self, now: Instant, key: ServerKey, mut response: Response) {
        response.set_to_tag(&self.random.token());
        if let Some(name) = &self.name {
            response.headers_mut().push(HeaderName::Server, name.clone());
        }
        self.transactions.send_response(now, key, response);
    }
}
