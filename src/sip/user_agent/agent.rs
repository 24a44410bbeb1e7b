//! The agent itself: which message, command and timer belongs to which trunk and call.

mod inbound;

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;

use super::counters::Counters;
use super::event::{CallEvent, CallId, Command, Event, Input, Output, Policy};
use super::profile::Profile;
use super::trunk::{Trunk, TrunkId};
use crate::base::random::Random;
use crate::base::time::Instant;
use crate::base::timers::Timers;
use crate::sip::call_end::{CallEnd, EndReason, Party};
use crate::sip::framing::is_keep_alive;
use crate::sip::invite_session::{self as session, Failure, Flow, InviteSession, RequestId, add_allow};
use crate::sip::message::{
    HeaderName, HeaderValue, Message, Method, Request, Response, SipUri, UserPart, check_response,
};
use crate::sip::offer_answer::LocalMedia;
use crate::sip::registration::{self, RegistrationState, SendFailure};
use crate::sip::transaction::{
    self, ClientKey, Path, ServerKey, Timings, TransactionKey, Transactions, Transport, new_via,
};

/// Calls that are over but still ACK copies, beyond the calls that live.
const MAX_LINGERING: usize = 65_536;

/// A SIP user agent over one transport.
pub struct UserAgent {
    policy: Policy,
    name: Option<HeaderValue>,
    random: Random,
    transactions: Transactions,
    transactions_wake: Option<Instant>,
    trunks: Vec<Profile>,
    calls: HashMap<CallId, Entry>,
    dialogs: HashMap<DialogKey, CallId>,
    /// INVITEs that came in, by what names them whatever way they took (RFC 3261 §8.2.2.2).
    merged: HashMap<MergeKey, CallId>,
    clients: HashMap<ClientKey, Owner>,
    servers: HashMap<ServerKey, CallId>,
    /// Addresses outside of the trunks that dialogs have sent us to, with the number of those dialogs.
    detours: HashMap<IpAddr, usize>,
    timers: Timers<Wake>,
    outputs: VecDeque<Output>,
    counters: Counters,
    living: usize,
    last_incoming: u64,
    stopping: bool,
}

/// What names a dialog at our side: Call-ID and our tag. The peer's tag only tells forks apart.
type DialogKey = (String, String);

/// Call-ID, the caller's tag and CSeq.
type MergeKey = (String, String, u32);

struct Entry {
    session: InviteSession,
    trunk: Option<usize>,
    /// Where its first request went or came from.
    target: SocketAddr,
    dialog: DialogKey,
    merged: Option<MergeKey>,
    requests: HashMap<RequestId, ClientKey>,
    detours: Vec<IpAddr>,
    lives: bool,
}

/// Who waits for the response to a request.
#[derive(Clone, Copy, Debug)]
enum Owner {
    Call(CallId, RequestId),
    Registration(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Wake {
    Call(CallId),
    Registration(usize),
}

impl UserAgent {
    /// An agent for `trunks`; nothing happens before its first input.
    pub fn new(policy: Policy, trunks: Vec<Trunk>, mut random: Random) -> Self {
        let trunks = trunks.into_iter().map(|trunk| Profile::new(trunk, &policy, &mut random)).collect();
        UserAgent {
            name: HeaderValue::try_from(policy.user_agent.as_str()).ok().filter(|name| !name.as_str().is_empty()),
            transactions: Transactions::new(Timings::default(), random.fork()),
            policy,
            random,
            transactions_wake: None,
            trunks,
            calls: HashMap::new(),
            dialogs: HashMap::new(),
            merged: HashMap::new(),
            clients: HashMap::new(),
            servers: HashMap::new(),
            detours: HashMap::new(),
            timers: Timers::default(),
            outputs: VecDeque::new(),
            counters: Counters::default(),
            living: 0,
            last_incoming: 0,
            stopping: false,
        }
    }

    /// Takes one input. Drain [`UserAgent::poll_output`] afterwards.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Datagram { source, bytes } => self.receive(now, source, bytes),
            Input::TransportError { remote } => self.transactions.transport_error(now, Path::udp(remote)),
            Input::Command(command) => self.command(now, command),
            Input::Timeout => {
                self.transactions.handle_timeout(now);
                while let Some(wake) = self.timers.pop_due(now) {
                    match wake {
                        Wake::Call(call) => self.feed(now, call, session::Input::Timeout),
                        Wake::Registration(at) => self.feed_registration(now, at, registration::Input::Timeout),
                    }
                }
            }
        }
        self.pump(now);
    }

    /// The next thing to do; [`Output::Timeout`] means that there is nothing left.
    pub fn poll_output(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| {
            Output::Timeout([self.transactions_wake, self.timers.next()].into_iter().flatten().min())
        })
    }

    /// Whether nothing is left of any call or transaction. Registrations may stand.
    pub fn is_idle(&self) -> bool {
        self.calls.is_empty()
            && self.dialogs.is_empty()
            && self.merged.is_empty()
            && self.detours.is_empty()
            && self.transactions.is_empty()
            && self.outputs.is_empty()
    }

    /// How many calls have not ended yet.
    pub fn living_calls(&self) -> usize {
        self.living
    }

    /// Where the registration of `trunk` stands; `None` for trunks that do not register.
    pub fn registration(&self, trunk: TrunkId) -> Option<RegistrationState> {
        let profile = self.trunks.iter().find(|profile| profile.trunk.id == trunk)?;
        profile.registration.as_ref().map(|_| profile.state)
    }

    /// What has been counted here.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// What the transaction layer has counted.
    pub fn transaction_counters(&self) -> transaction::Counters {
        self.transactions.counters()
    }

    fn receive(&mut self, now: Instant, source: SocketAddr, bytes: &[u8]) {
        if !self.accepts(source.ip()) {
            self.counters.foreign += 1;
            return;
        }
        // RFC 5626 §3.5.1: keep-alives are no messages.
        if is_keep_alive(bytes) {
            return;
        }
        let path = Path::udp(source);
        match Message::parse(Bytes::copy_from_slice(bytes)) {
            Ok(Message::Response(response)) if check_response(&response).is_err() => self.counters.malformed += 1,
            Ok(Message::Request(request)) => self.receive_request(now, request, path),
            Ok(response) => self.transactions.receive(now, response, path),
            Err(malformed) => {
                self.counters.malformed += 1;
                if let Some(mut reply) = malformed.reply() {
                    reply.set_to_tag(&self.random.token());
                    self.transactions.send_stateless(Message::Response(reply), path);
                }
            }
        }
    }

    fn accepts(&self, source: IpAddr) -> bool {
        self.policy.accept_any_source || self.trunk_of(source).is_some() || self.detours.contains_key(&source)
    }

    fn trunk_of(&self, source: IpAddr) -> Option<usize> {
        self.trunks.iter().position(|profile| profile.accepts(source))
    }

    fn command(&mut self, now: Instant, command: Command) {
        match command {
            Command::Start => {
                self.stopping = false;
                for at in 0..self.trunks.len() {
                    self.feed_registration(now, at, registration::Input::Start);
                }
            }
            Command::Stop => self.stop(now),
            Command::Invite { call, trunk, callee, caller_id, media } => {
                self.invite(now, call, trunk, (&callee, caller_id), media);
            }
            Command::Hangup { call, cause } => self.feed(now, call, session::Input::Hangup(cause)),
            Command::Modify { call, media, direction } => {
                self.feed(now, call, session::Input::Modify(media, direction));
            }
            Command::Provisional { call, status, with_media } => {
                self.feed(now, call, session::Input::Provisional(status, with_media));
            }
            Command::Answer { call, media } => self.feed(now, call, session::Input::Answer(media)),
            Command::Reject { call, status, headers } => {
                self.feed(now, call, session::Input::Reject(status, headers));
            }
            Command::Respond { key, response } => {
                self.transactions.send_response(now, key, response);
            }
        }
    }

    fn stop(&mut self, now: Instant) {
        if std::mem::replace(&mut self.stopping, true) {
            return;
        }
        for at in 0..self.trunks.len() {
            self.feed_registration(now, at, registration::Input::Stop);
        }
        if self.trunks.iter().all(|profile| profile.registration.is_none()) {
            self.outputs.push_back(Output::Event(Event::Stopped));
        }
    }

    fn invite(
        &mut self,
        now: Instant,
        call: CallId,
        trunk: TrunkId,
        (callee, caller): (&UserPart, Option<UserPart>),
        media: LocalMedia,
    ) {
        if self.calls.contains_key(&call) {
            return;
        }
        let at = self.trunks.iter().position(|profile| profile.trunk.id == trunk).filter(|_| !self.stopping);
        let Some(at) = at.filter(|_| self.has_room()) else {
            self.counters.overloaded += 1;
            let end = CallEnd::plain(EndReason::Overloaded, Party::Us);
            return self.tell(call, CallEvent::Ended(end));
        };
        let (call_id, tag) = (self.random.token(), self.random.token());
        let Ok(call_id_value) = HeaderValue::try_from(call_id.as_str()) else { return };
        let invite = self.trunks[at].invite(callee, caller, call_id_value, &tag);
        let flow = self.trunks[at].flow(now, None, &self.policy, self.name.clone());
        let target = flow.path.remote;
        let session = InviteSession::call(now, flow, invite, media, self.random.fork());
        self.insert(call, Some(at), target, session, ((call_id, tag), None));
        self.drain(now, call);
    }

    fn has_room(&self) -> bool {
        self.living < self.policy.max_calls && self.calls.len() < self.policy.max_calls.saturating_add(MAX_LINGERING)
    }

    /// Puts a call into the tables; it is not drained yet.
    fn insert(
        &mut self,
        call: CallId,
        trunk: Option<usize>,
        target: SocketAddr,
        session: InviteSession,
        (dialog, merged): (DialogKey, Option<MergeKey>),
    ) {
        let lives = !session.has_ended();
        self.living += usize::from(lives);
        self.dialogs.insert(dialog.clone(), call);
        if let Some(merged) = &merged {
            self.merged.insert(merged.clone(), call);
        }
        let (requests, detours) = (HashMap::new(), Vec::new());
        self.calls.insert(call, Entry { session, trunk, target, dialog, merged, requests, detours, lives });
    }

    fn feed(&mut self, now: Instant, call: CallId, input: session::Input<'_>) {
        if let Some(entry) = self.calls.get_mut(&call) {
            entry.session.handle_input(now, input);
            self.drain(now, call);
        }
    }

    /// Does what a call wants.
    fn drain(&mut self, now: Instant, call: CallId) {
        while let Some(entry) = self.calls.get_mut(&call) {
            match entry.session.poll_output() {
                session::Output::Request { id, request, path } => {
                    self.note_detour(call, path);
                    let key = self.transactions.send_request(now, *request, path);
                    self.clients.insert(key, Owner::Call(call, id));
                    if let Some(entry) = self.calls.get_mut(&call) {
                        entry.requests.insert(id, key);
                    }
                }
                session::Output::Cancel { id } => {
                    if let Some(key) = entry.requests.get(&id) {
                        self.transactions.cancel(now, *key);
                    }
                }
                session::Output::Stateless { request, path } => {
                    self.note_detour(call, path);
                    self.transactions.send_stateless(Message::Request(*request), path);
                }
                session::Output::Response { key, response } => {
                    self.transactions.send_response(now, key, *response);
                }
                session::Output::Event(event) => {
                    if matches!(event, CallEvent::Ended(_)) && std::mem::take(&mut entry.lives) {
                        self.living -= 1;
                    }
                    self.tell(call, event);
                }
                session::Output::Timeout(wake) => {
                    match wake {
                        Some(at) => self.timers.set(Wake::Call(call), at),
                        None => self.timers.cancel(&Wake::Call(call)),
                    }
                    if entry.session.is_finished() {
                        self.forget(call);
                    }
                    return;
                }
            }
        }
    }

    fn tell(&mut self, call: CallId, event: CallEvent) {
        self.outputs.push_back(Output::Event(Event::Call { call, event }));
    }

    /// Lets packets in from where a dialog has sent us.
    fn note_detour(&mut self, call: CallId, path: Path) {
        let address = path.remote.ip();
        if self.policy.accept_any_source || self.trunk_of(address).is_some() {
            return;
        }
        let Some(entry) = self.calls.get_mut(&call) else { return };
        if !entry.detours.contains(&address) {
            entry.detours.push(address);
            *self.detours.entry(address).or_default() += 1;
        }
    }

    fn forget(&mut self, call: CallId) {
        let Some(entry) = self.calls.remove(&call) else { return };
        self.timers.cancel(&Wake::Call(call));
        self.dialogs.remove(&entry.dialog);
        if let Some(merged) = &entry.merged {
            self.merged.remove(merged);
        }
        for address in entry.detours {
            if let Some(count) = self.detours.get_mut(&address) {
                *count -= 1;
                if *count == 0 {
                    self.detours.remove(&address);
                }
            }
        }
    }

    fn pump(&mut self, now: Instant) {
        loop {
            match self.transactions.poll_output() {
                transaction::Output::Transmit(transmit) => self.outputs.push_back(Output::Transmit(transmit)),
                transaction::Output::Event(event) => self.on_event(now, event),
                transaction::Output::Timeout(wake) => {
                    self.transactions_wake = wake;
                    return;
                }
            }
        }
    }

    fn on_event(&mut self, now: Instant, event: transaction::Event) {
        use transaction::Event;
        match event {
            Event::Response { key, response, path } => self.on_response(now, key, &response, path),
            Event::Stray { response, path } => match self.dialog_of(&response) {
                Some(call) => self.feed(now, call, session::Input::Response { id: None, response: &response, path }),
                None => self.adopt_orphan(now, &response, path),
            },
            Event::Request { key, request, path } => self.on_request(now, key, request, path),
            Event::Ack { request, path } => {
                if let Some(call) = self.dialog_with(&request) {
                    self.feed(now, call, session::Input::Ack { request: &request, path });
                }
            }
            Event::Cancel { key, request, .. } => {
                if let Some(call) = self.servers.get(&key).copied() {
                    self.feed(now, call, session::Input::Cancelled(&request));
                }
            }
            Event::TimedOut { key } => self.on_failure(now, key, Failure::TimedOut),
            Event::TransportFailed { key } => self.on_failure(now, key, Failure::TransportFailed),
            Event::Terminated { key: TransactionKey::Client(key) } => {
                if let Some(Owner::Call(call, id)) = self.clients.remove(&key)
                    && let Some(entry) = self.calls.get_mut(&call)
                {
                    entry.requests.remove(&id);
                }
            }
            Event::Terminated { key: TransactionKey::Server(key) } => {
                self.servers.remove(&key);
            }
            // The transaction is over, and so was the call since its refusal.
            Event::ServerTimedOut { .. } => {}
        }
    }

    fn on_response(&mut self, now: Instant, key: ClientKey, response: &Response, path: Path) {
        self.learn(now, response, path);
        match self.clients.get(&key).copied() {
            Some(Owner::Call(call, id)) if self.calls.contains_key(&call) => {
                self.judge_target(now, call, path, response);
                self.feed(now, call, session::Input::Response { id: Some(id), response, path });
            }
            Some(Owner::Registration(at)) => {
                self.feed_registration(now, at, registration::Input::Response(response));
            }
            // The call was forgotten before its INVITE's last copy came.
            Some(Owner::Call(..)) | None => self.adopt_orphan(now, response, path),
        }
    }

    fn on_failure(&mut self, now: Instant, key: ClientKey, failure: Failure) {
        match self.clients.remove(&key) {
            Some(Owner::Call(call, id)) => {
                if let Some(entry) = self.calls.get_mut(&call) {
                    entry.requests.remove(&id);
                    if let Some(at) = entry.trunk {
                        self.trunks[at].targets.failed(now, entry.target, None);
                    }
                }
                self.feed(now, call, session::Input::Failed { id, failure });
            }
            Some(Owner::Registration(at)) => {
                let failure = match failure {
                    Failure::TimedOut => SendFailure::TimedOut,
                    Failure::TransportFailed => SendFailure::TransportFailed,
                };
                self.feed_registration(now, at, registration::Input::Failed(failure));
            }
            None => {}
        }
    }

    /// RFC 3261 §21.5.4, RFC 3263 §4.3: a target that answers 503 is passed over by the calls that follow.
    fn judge_target(&mut self, now: Instant, call: CallId, path: Path, response: &Response) {
        let Some(at) = self.calls.get(&call).and_then(|entry| entry.trunk) else { return };
        let targets = &mut self.trunks[at].targets;
        if response.status() == 503 {
            let wait = response.headers().retry_after();
            let wait = wait.map(|seconds| std::time::Duration::from_secs(u64::from(seconds)));
            targets.failed(now, path.remote, wait);
        } else {
            targets.succeeded(path.remote);
        }
    }

    /// Learns from a response how the carrier sees us (RFC 3581 §4).
    fn learn(&mut self, now: Instant, response: &Response, path: Path) {
        let Some(at) = self.trunk_of(path.remote.ip()) else { return };
        if let Some(contact) = self.trunks[at].learn(response, self.policy.local) {
            self.feed_registration(now, at, registration::Input::Contact(contact));
        }
    }

    /// The call of a response: its From carries our tag.
    fn dialog_of(&self, response: &Response) -> Option<CallId> {
        let headers = response.headers();
        let tag = headers.from().ok()?.tag()?.to_owned();
        self.dialogs.get(&(headers.call_id().ok()?.to_owned(), tag)).copied()
    }

    /// The call of a request: its To carries our tag.
    fn dialog_with(&self, request: &Request) -> Option<CallId> {
        let headers = request.headers();
        let tag = headers.to().ok()?.tag()?.to_owned();
        self.dialogs.get(&(headers.call_id().ok()?.to_owned(), tag)).copied()
    }

    /// ACKs and ends the call of a 2xx that nobody waits for: it is late, or we have been started anew since. A phone is
    /// off the hook there.
    fn adopt_orphan(&mut self, now: Instant, response: &Response, path: Path) {
        let headers = response.headers();
        // RFC 3261 §18.1.2: an answer to a request of ours has our Via.
        let is_ours = headers.top_via().is_ok_and(|via| {
            via.host.ip() == Some(self.policy.local.ip()) && via.port == Some(self.policy.local.port())
        });
        let is_answer =
            response.status_code().is_success() && headers.cseq().is_ok_and(|cseq| cseq.method == Method::Invite);
        let tag = headers.from().ok().and_then(|from| from.tag().map(str::to_owned));
        let (Some(tag), Ok(call_id), true) = (tag, headers.call_id(), is_answer && is_ours) else { return };
        if self.calls.len() >= self.policy.max_calls.saturating_add(MAX_LINGERING) {
            return;
        }
        self.counters.orphans += 1;
        let trunk = self.trunk_of(path.remote.ip());
        let flow = Flow { pinned: true, ..self.flow_back(now, trunk, path) };
        let session = InviteSession::orphan(now, flow, response, self.random.fork());
        let call = self.new_incoming();
        self.insert(call, trunk, path.remote, session, ((call_id.to_owned(), tag), None));
        self.feed(now, call, session::Input::Response { id: None, response, path });
    }

    /// The way back to where a message came from.
    fn flow_back(&self, now: Instant, trunk: Option<usize>, path: Path) -> Flow {
        match trunk {
            Some(at) => self.trunks[at].flow(now, Some(path.remote), &self.policy, self.name.clone()),
            None => Flow {
                local: self.policy.local,
                contact: SipUri::new(None, self.policy.local.ip().into(), Some(self.policy.local.port())).into(),
                path,
                pinned: false,
                agent: self.name.clone(),
                account: None,
                trusted: Arc::from([]),
                timings: Timings::default(),
            },
        }
    }

    fn new_incoming(&mut self) -> CallId {
        self.last_incoming += 1;
        CallId(CallId::INCOMING | self.last_incoming)
    }

    fn feed_registration(&mut self, now: Instant, at: usize, input: registration::Input<'_>) {
        if let Some(registration) = &mut self.trunks[at].registration {
            registration.handle_input(now, input);
            self.drain_registration(now, at);
        }
    }

    fn drain_registration(&mut self, now: Instant, at: usize) {
        while let Some(registration) = &mut self.trunks[at].registration {
            match registration.poll_output() {
                registration::Output::SendRegister { mut request, target } => {
                    let via = new_via(Transport::Udp, self.policy.local, &mut self.random);
                    request.headers_mut().push_front(HeaderName::Via, via);
                    add_allow(request.headers_mut());
                    if let Some(name) = &self.name {
                        request.headers_mut().push(HeaderName::UserAgent, name.clone());
                    }
                    let key = self.transactions.send_request(now, *request, Path::udp(target));
                    self.clients.insert(key, Owner::Registration(at));
                }
                registration::Output::Event(state) => {
                    self.trunks[at].state = state;
                    let trunk = self.trunks[at].trunk.id;
                    self.outputs.push_back(Output::Event(Event::Registration { trunk, state }));
                    let is_stopped = |profile: &Profile| {
                        profile.registration.is_none() || profile.state == RegistrationState::Stopped
                    };
                    if state == RegistrationState::Stopped && self.stopping && self.trunks.iter().all(is_stopped) {
                        self.outputs.push_back(Output::Event(Event::Stopped));
                    }
                }
                registration::Output::Timeout(wake) => {
                    match wake {
                        Some(wake) => self.timers.set(Wake::Registration(at), wake),
                        None => self.timers.cancel(&Wake::Registration(at)),
                    }
                    return;
                }
            }
        }
    }
}
