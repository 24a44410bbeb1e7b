//! The hands of a call: its timers, its requests that wait for an answer, and what it wants done.

use std::collections::VecDeque;
use std::time::Duration;

use super::flow::{Flow, add_allow};
use super::{Output, RequestId};
use crate::base::random::Random;
use crate::base::time::Instant;
use crate::base::timers::Timers;
use crate::sip::call_end::CallEnd;
use crate::sip::dialog::Dialog;
use crate::sip::digest::DigestState;
use crate::sip::message::{CSeq, HeaderName, HeaderValue, Method, Reason, Request, Response};
use crate::sip::transaction::{Path, ServerKey, new_via};
use crate::sip::user_agent::{CallEvent, Q850};
use crate::wire::sdp::SessionDescription;

/// Answers to one INVITE that are ACKed; a network that forks wider than this is left alone.
pub const MAX_FORKS: usize = 16;

/// The deadlines of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timer {
    /// Copies of a 2xx to our INVITE may still come (RFC 3261 §13.2.2.4).
    Linger,
    /// Our 2xx has not been ACKed: repeat it (RFC 3261 §13.3.1.4).
    Repeat,
    /// Our 2xx was never ACKed: give up.
    GiveUp,
    /// Our re-INVITE met the peer's: try again (RFC 3261 §14.1).
    Glare,
}

/// What a request of ours is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The first INVITE.
    Invite,
    /// A re-INVITE.
    Modify,
    /// A BYE of this call or of a fork of it.
    Bye,
}

/// A request without a final response.
pub struct Outgoing {
    pub id: RequestId,
    pub kind: Kind,
    pub request: Request,
    pub path: Path,
    digest: DigestState,
}

/// An ACK that was sent, to be sent again with each copy of its 2xx.
struct SentAck {
    tag: String,
    cseq: u32,
    request: Request,
    path: Path,
}

/// The hands of a call.
pub struct Wire {
    pub now: Instant,
    pub flow: Flow,
    pub random: Random,
    pub local_tag: String,
    pub timers: Timers<Timer>,
    /// The INVITE that was answered, for what its forks still need of it.
    pub answered: Option<Request>,
    outputs: VecDeque<Output>,
    outgoing: Vec<Outgoing>,
    last_id: u32,
    digest: DigestState,
    acks: Vec<SentAck>,
}

impl Wire {
    pub fn new(now: Instant, flow: Flow, random: Random, local_tag: String) -> Self {
        Wire {
            now,
            flow,
            random,
            local_tag,
            timers: Timers::default(),
            answered: None,
            outputs: VecDeque::new(),
            outgoing: Vec::new(),
            last_id: 0,
            digest: DigestState::new(),
            acks: Vec::new(),
        }
    }

    pub fn poll(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| Output::Timeout(self.timers.next()))
    }

    /// Whether nothing is under way any more.
    pub fn is_quiet(&self) -> bool {
        self.outputs.is_empty() && self.outgoing.is_empty() && self.timers.is_empty()
    }

    pub fn set(&mut self, timer: Timer, after: Duration) {
        self.timers.set(timer, self.now + after);
    }

    pub fn tell(&mut self, event: CallEvent) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Tells the end. Of the timers only [`Timer::Linger`] stays.
    pub fn end(&mut self, end: CallEnd) {
        for timer in [Timer::Repeat, Timer::GiveUp, Timer::Glare] {
            self.timers.cancel(&timer);
        }
        self.tell(CallEvent::Ended(end));
    }

    /// Sends `request`, which lacks its Via, in a client transaction.
    pub fn send(&mut self, kind: Kind, mut request: Request, path: Path) -> RequestId {
        self.stamp(&mut request, path);
        let mut digest = self.digest.clone();
        digest.begin();
        self.dispatch(Outgoing { id: RequestId(0), kind, request, path, digest })
    }

    /// Sends a request again that `response` has challenged (RFC 3261 §22.2): same Call-ID and From tag, the sequence
    /// number `cseq`, a new branch. `None` when it may not be sent again.
    pub fn send_again(
        &mut self,
        mut outgoing: Outgoing,
        response: &Response,
        source: Path,
        cseq: u32,
    ) -> Option<RequestId> {
        let account = self.flow.account.clone()?;
        // A challenge from elsewhere than the trunk is a trap for our credentials (CVE-2021-41158).
        if !self.flow.trusts(source.remote.ip()) || !self.flow.trusts(outgoing.path.remote.ip()) {
            return None;
        }
        outgoing.digest.challenged(&account, response.headers()).ok()?;
        let via = new_via(outgoing.path.transport, self.flow.local, &mut self.random);
        let method = outgoing.request.method().clone();
        outgoing.request.headers_mut().set_top_via(&via);
        outgoing.request.headers_mut().set(HeaderName::CSeq, CSeq::new(cseq, method));
        Some(self.dispatch(outgoing))
    }

    fn dispatch(&mut self, mut outgoing: Outgoing) -> RequestId {
        self.last_id += 1;
        outgoing.id = RequestId(self.last_id);
        if let Some(account) = self.flow.account.clone()
            && self.flow.trusts(outgoing.path.remote.ip())
        {
            outgoing.digest.sign(&account, &mut outgoing.request, &mut self.random);
        }
        let (id, request, path) = (outgoing.id, Box::new(outgoing.request.clone()), outgoing.path);
        self.outputs.push_back(Output::Request { id, request, path });
        self.outgoing.push(outgoing);
        id
    }

    /// Takes a request that has got its final response, or none.
    pub fn take_outgoing(&mut self, id: RequestId) -> Option<Outgoing> {
        let at = self.outgoing.iter().position(|outgoing| outgoing.id == id)?;
        let outgoing = self.outgoing.remove(at);
        self.digest = outgoing.digest.clone();
        Some(outgoing)
    }

    pub fn cancel(&mut self, id: RequestId) {
        self.outputs.push_back(Output::Cancel { id });
    }

    /// ACKs the 2xx `response` that made or changed `dialog` (RFC 3261 §13.2.2.4). `invite` is what it answers.
    pub fn ack(&mut self, dialog: &Dialog, cseq: u32, invite: Option<&Request>) {
        let mut request = dialog.ack(cseq);
        let path = self.flow.path_of(dialog);
        self.stamp(&mut request, path);
        if let Some(invite) = invite.filter(|_| self.flow.trusts(path.remote.ip())) {
            // RFC 3261 §13.2.2.4: the credentials of the INVITE.
            for name in [HeaderName::Authorization, HeaderName::ProxyAuthorization] {
                request.headers_mut().copy(invite.headers(), &name);
            }
        }
        self.outputs.push_back(Output::Stateless { request: Box::new(request.clone()), path });
        self.acks.push(SentAck { tag: dialog.remote_tag().to_owned(), cseq, request, path });
        self.set(Timer::Linger, self.flow.timings.patience());
    }

    /// Sends the ACK for a copy of a 2xx again. `false` when it is no copy.
    pub fn ack_again(&mut self, response: &Response) -> bool {
        let headers = response.headers();
        let (Ok(to), Ok(cseq)) = (headers.to(), headers.cseq()) else { return false };
        let tag = to.tag().unwrap_or_default();
        let Some(ack) = self.acks.iter().find(|ack| ack.tag == tag && ack.cseq == cseq.number) else { return false };
        self.outputs.push_back(Output::Stateless { request: Box::new(ack.request.clone()), path: ack.path });
        true
    }

    /// Whether another fork may be ACKed. The ACKs of re-INVITEs count, too: the oldest makes room for those.
    pub fn has_room_for_fork(&self) -> bool {
        self.acks.len() < MAX_FORKS
    }

    /// Makes room for the ACK of a re-INVITE.
    pub fn forget_oldest_ack(&mut self) {
        if self.acks.len() >= MAX_FORKS {
            self.acks.remove(0);
        }
    }

    /// Ends `dialog` at the peer's side.
    pub fn bye(&mut self, dialog: &mut Dialog, cause: Option<Q850>) {
        let mut request = dialog.request(Method::Bye);
        if let Some(Q850(cause)) = cause {
            request.headers_mut().push(HeaderName::Reason, Reason::q850(cause, None));
        }
        let path = self.flow.path_of(dialog);
        self.send(Kind::Bye, request, path);
    }

    /// A response of ours, with our tag and name.
    pub fn reply(&self, request: &Request, status: u16) -> Response {
        let mut response = Response::reply_to(request, status);
        response.set_to_tag(&self.local_tag);
        if let Some(agent) = &self.flow.agent {
            response.headers_mut().push(HeaderName::Server, agent.clone());
        }
        response
    }

    pub fn respond(&mut self, key: ServerKey, response: Response) {
        self.outputs.push_back(Output::Response { key, response: Box::new(response) });
    }

    /// Answers with `status` and nothing else to say.
    pub fn refuse(&mut self, key: ServerKey, request: &Request, status: u16) {
        let mut response = self.reply(request, status);
        if status == 405 || status == 501 {
            add_allow(response.headers_mut());
        }
        self.respond(key, response);
    }

    /// A response that carries our description, Contact and Allow: 2xx and 1xx with media.
    pub fn reply_with(&self, request: &Request, status: u16, description: &SessionDescription) -> Response {
        let mut response = self.reply(request, status);
        self.flow.add_contact(response.headers_mut());
        add_allow(response.headers_mut());
        response.with_body(sdp_type(), description.to_bytes())
    }

    fn stamp(&mut self, request: &mut Request, path: Path) {
        let via = new_via(path.transport, self.flow.local, &mut self.random);
        request.headers_mut().push_front(HeaderName::Via, via);
        if let Some(agent) = &self.flow.agent {
            request.headers_mut().set(HeaderName::UserAgent, agent.clone());
        }
    }
}

/// `application/sdp`
pub fn sdp_type() -> HeaderValue {
    HeaderValue::try_from("application/sdp").expect("the text holds no control character")
}
