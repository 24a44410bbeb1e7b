//! The table of all transactions, and the way of every message through it.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::client_invite::ClientInvite;
use super::client_non_invite::ClientNonInvite;
use super::context::{Context, Life, Timer, TimerTable, Timings};
use super::counters::Counters;
use super::event::{Event, Output, TransactionKey, Transmit};
use super::key::{ClientKey, ClientMatch, ServerKey, ServerMatch, sent_by};
use super::path::Path;
use super::server_invite::{AckFate, ServerInvite};
use super::server_non_invite::ServerNonInvite;
use super::via;
use crate::base::random::Random;
use crate::base::time::Instant;
use crate::sip::message::{Host, Message, Method, Request, Response, Via};

/// The most server transactions at a time. A request beyond them is answered with a stateless 503.
pub const MAX_SERVER_TRANSACTIONS: usize = 4096;

/// The most client transactions at a time. A request beyond them fails like one that could not be sent.
pub const MAX_CLIENT_TRANSACTIONS: usize = 65_536;

fn reply(request: &Request, status: u16, to_tag: &str) -> Response {
    let mut response = Response::reply_to(request, status);
    response.set_to_tag(to_tag);
    response
}

enum Client {
    Invite(Box<ClientInvite>),
    NonInvite(ClientNonInvite),
}

struct ClientEntry {
    machine: Client,
    found_by: ClientMatch,
    sent_by: (Host, u16),
}

enum Server {
    Invite(ServerInvite),
    NonInvite(ServerNonInvite),
}

struct ServerEntry {
    machine: Server,
    found_by: ServerMatch,
    ack_found_by: Option<ServerMatch>,
    /// The To tag of the last response, for the answer to a CANCEL.
    to_tag: Option<String>,
}

/// Every transaction of a user agent.
pub struct Transactions {
    timings: Timings,
    random: Random,
    last_key: u64,
    clients: BTreeMap<ClientKey, ClientEntry>,
    client_index: HashMap<ClientMatch, ClientKey>,
    servers: BTreeMap<ServerKey, ServerEntry>,
    server_index: HashMap<ServerMatch, ServerKey>,
    timers: TimerTable,
    outputs: VecDeque<Output>,
    counters: Counters,
}

macro_rules! context {
    ($self:ident, $now:expr, $key:expr) => {
        &mut Context {
            now: $now,
            timings: $self.timings,
            key: $key,
            timers: &mut $self.timers,
            outputs: &mut $self.outputs,
        }
    };
}

impl Transactions {
    /// An empty layer. `random` makes the To tags of the layer's own answers.
    pub fn new(timings: Timings, random: Random) -> Self {
        Transactions {
            timings,
            random,
            last_key: 0,
            clients: BTreeMap::new(),
            client_index: HashMap::new(),
            servers: BTreeMap::new(),
            server_index: HashMap::new(),
            timers: TimerTable::default(),
            outputs: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Sends `request`, which carries its top Via (see [`super::new_via`]), in a new client transaction.
    ///
    /// ACK is no transaction: use [`Transactions::send_stateless`]. When the table is full or the branch is already in
    /// use, the answer is [`Event::TransportFailed`].
    pub fn send_request(&mut self, now: Instant, request: Request, path: Path) -> ClientKey {
        self.start_client(now, request, path, false)
    }

    /// Sends `message` once: the ACK for a 2xx.
    pub fn send_stateless(&mut self, message: Message, path: Path) {
        self.outputs.push_back(Output::Transmit(Transmit { path, bytes: message.to_bytes() }));
    }

    /// Sends a response in the transaction `key`: provisional ones, the final one, and, for INVITE, each repetition of a
    /// 2xx (RFC 6026 §8.5). Says whether it was sent: not after another final response or when the transaction is gone.
    pub fn send_response(&mut self, now: Instant, key: ServerKey, response: Response) -> bool {
        let Some(entry) = self.servers.get_mut(&key) else {
            self.counters.responses_unsent += 1;
            return false;
        };
        let cx = context!(self, now, TransactionKey::Server(key));
        let (status, bytes) = (response.status(), response.to_bytes());
        let (life, sent) = match &mut entry.machine {
            Server::Invite(invite) => (Life::GoesOn, invite.on_response(status, bytes, cx)),
            Server::NonInvite(other) => other.on_response(status, bytes, cx),
        };
        if sent {
            let to_tag = response.headers().to().ok().and_then(|to| to.tag().map(str::to_owned));
            entry.to_tag = to_tag.or(entry.to_tag.take());
            if status >= 300 && matches!(entry.machine, Server::Invite(_)) {
                entry.ack_found_by = entry.found_by.for_ack(entry.to_tag.as_deref());
                if let Some(found_by) = &entry.ack_found_by {
                    self.server_index.insert(found_by.clone(), key);
                }
            }
        } else {
            self.counters.responses_unsent += 1;
        }
        self.end_server(key, life);
        sent
    }

    /// Cancels the INVITE `key` (RFC 3261 §9.1): CANCEL leaves at once, or with the first provisional response.
    ///
    /// The INVITE still ends by itself: with its final response (487, or a 2xx that crossed), or with
    /// [`Event::TimedOut`] 64*T1 after the CANCEL. Says whether there is an INVITE that can still be cancelled.
    pub fn cancel(&mut self, now: Instant, key: ClientKey) -> bool {
        let Some(ClientEntry { machine: Client::Invite(invite), .. }) = self.clients.get_mut(&key) else {
            return false;
        };
        let useful = invite.cancel();
        self.send_due_cancel(now, key);
        useful
    }

    /// Takes a message that was received over `path`.
    pub fn receive(&mut self, now: Instant, message: Message, path: Path) {
        match message {
            Message::Request(request) => self.receive_request(now, request, path),
            Message::Response(response) => self.receive_response(now, response, path),
        }
    }

    /// Takes note that nothing can be sent over `path`: the client transactions that need it fail. Server transactions
    /// stay (RFC 6026 §8.5); their timers end them.
    pub fn transport_error(&mut self, now: Instant, path: Path) {
        let on_path = |entry: &ClientEntry| match &entry.machine {
            Client::Invite(invite) => invite.path() == path,
            Client::NonInvite(other) => other.path() == path,
        };
        let keys: Vec<ClientKey> =
            self.clients.iter().filter(|(_, entry)| on_path(entry)).map(|(key, _)| *key).collect();
        for key in keys {
            let Some(entry) = self.clients.get_mut(&key) else { continue };
            let cx = context!(self, now, TransactionKey::Client(key));
            let life = match &mut entry.machine {
                Client::Invite(invite) => invite.on_transport_error(cx),
                Client::NonInvite(other) => other.on_transport_error(cx),
            };
            self.fail_client(key, life);
        }
    }

    /// Lets every timer fire that is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((key, timer)) = self.timers.pop_due(now) {
            match key {
                TransactionKey::Client(client) => self.client_timer(now, client, timer),
                TransactionKey::Server(server) => self.server_timer(now, server, timer),
            }
        }
    }

    /// What to do next. Call until it is [`Output::Timeout`].
    pub fn poll_output(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| Output::Timeout(self.timers.next()))
    }

    /// How many transactions there are.
    pub fn len(&self) -> usize {
        self.clients.len() + self.servers.len()
    }

    /// Whether there is no transaction.
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty() && self.servers.is_empty()
    }

    /// What has been counted.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn new_key(&mut self) -> u64 {
        self.last_key += 1;
        self.last_key
    }

    fn start_client(&mut self, now: Instant, request: Request, path: Path, silent: bool) -> ClientKey {
        let key = ClientKey(self.new_key());
        let via = request.headers().top_via().ok();
        let found_by = via.as_ref().and_then(|via| ClientMatch::of(via, request.method().clone()));
        let (Some(via), Some(found_by)) = (via, found_by) else {
            return self.refuse_client(key, silent);
        };
        if self.clients.len() >= MAX_CLIENT_TRANSACTIONS || self.client_index.contains_key(&found_by) {
            return self.refuse_client(key, silent);
        }
        let cx = context!(self, now, TransactionKey::Client(key));
        let machine = match request.method() {
            Method::Invite => Client::Invite(Box::new(ClientInvite::start(key, request, path, cx))),
            _ => Client::NonInvite(ClientNonInvite::start(key, &request, path, silent, cx)),
        };
        self.client_index.insert(found_by.clone(), key);
        self.clients.insert(key, ClientEntry { machine, found_by, sent_by: sent_by(&via) });
        key
    }

    fn refuse_client(&mut self, key: ClientKey, silent: bool) -> ClientKey {
        self.counters.requests_unsent += 1;
        if !silent {
            self.outputs.push_back(Output::Event(Event::TransportFailed { key }));
        }
        key
    }

    fn send_due_cancel(&mut self, now: Instant, key: ClientKey) {
        let Some(ClientEntry { machine: Client::Invite(invite), .. }) = self.clients.get_mut(&key) else { return };
        let path = invite.path();
        if let Some(cancel) = invite.take_cancel(context!(self, now, TransactionKey::Client(key))) {
            self.start_client(now, cancel, path, true);
        }
    }

    fn client_timer(&mut self, now: Instant, key: ClientKey, timer: Timer) {
        let Some(entry) = self.clients.get_mut(&key) else { return };
        let cx = context!(self, now, TransactionKey::Client(key));
        let life = match &mut entry.machine {
            Client::Invite(invite) => invite.on_timer(timer, cx),
            Client::NonInvite(other) => other.on_timer(timer, cx),
        };
        match timer {
            Timer::B | Timer::F | Timer::Cancelled => self.fail_client(key, life),
            _ => self.end_client(key, life),
        }
    }

    fn server_timer(&mut self, now: Instant, key: ServerKey, timer: Timer) {
        let Some(entry) = self.servers.get_mut(&key) else { return };
        let cx = context!(self, now, TransactionKey::Server(key));
        let life = match &mut entry.machine {
            Server::Invite(invite) => invite.on_timer(timer, cx),
            Server::NonInvite(other) => other.on_timer(timer),
        };
        self.end_server(key, life);
    }

    fn receive_response(&mut self, now: Instant, response: Response, path: Path) {
        // RFC 3261 §8.1.3.3: a response with any other number of Vias than ours alone is misdirected.
        let via = match response.headers().vias().map(<[Via; 1]>::try_from) {
            Ok(Ok([via])) => via,
            _ => return self.counters.responses_misdirected += 1,
        };
        let Ok(cseq) = response.headers().cseq() else {
            return self.counters.responses_misdirected += 1;
        };
        let is_success_of_invite = cseq.method == Method::Invite && response.status() / 100 == 2;
        let key = ClientMatch::of(&via, cseq.method).and_then(|found_by| self.client_index.get(&found_by).copied());
        let Some((key, entry)) = key.and_then(|key| Some((key, self.clients.get_mut(&key)?))) else {
            if is_success_of_invite {
                self.outputs.push_back(Output::Event(Event::Stray { response, path }));
            } else {
                self.counters.responses_unmatched += 1;
            }
            return;
        };
        // RFC 3261 §18.1.2
        if entry.sent_by != sent_by(&via) {
            return self.counters.responses_misdirected += 1;
        }
        let cx = context!(self, now, TransactionKey::Client(key));
        let (life, new) = match &mut entry.machine {
            Client::Invite(invite) => invite.on_response(response, path, cx),
            Client::NonInvite(other) => other.on_response(response, path, cx),
        };
        if !new {
            self.counters.responses_absorbed += 1;
        }
        self.send_due_cancel(now, key);
        self.end_client(key, life);
    }

    fn receive_request(&mut self, now: Instant, mut request: Request, path: Path) {
        let Ok(mut via) = request.headers().top_via() else {
            return self.counters.requests_unusable += 1;
        };
        let Ok(found_by) = ServerMatch::of_received(&request, &via) else {
            return self.counters.requests_unusable += 1;
        };
        let known = self.server_index.get(&found_by).copied();
        let cancelled = match request.method() {
            Method::Cancel => ServerMatch::of(&request, &via, Method::Invite).ok(),
            _ => None,
        };
        via::mark(&mut via, path.remote);
        let reply_path = via::reply_path(&via, path);
        request.headers_mut().set_top_via(&via);
        if *request.method() == Method::Ack {
            return self.receive_ack(now, known, request, path);
        }
        if let Some(key) = known {
            let Some(entry) = self.servers.get_mut(&key) else { return };
            let cx = context!(self, now, TransactionKey::Server(key));
            match &mut entry.machine {
                Server::Invite(invite) => invite.on_retransmission(cx),
                Server::NonInvite(other) => other.on_retransmission(cx),
            }
            self.counters.requests_absorbed += 1;
            return;
        }
        if self.servers.len() >= MAX_SERVER_TRANSACTIONS {
            self.counters.requests_refused += 1;
            let tag = self.random.token();
            let refusal = reply(&request, 503, &tag);
            return self.send_stateless(Message::Response(refusal), reply_path);
        }
        let key = ServerKey(self.new_key());
        let cx = context!(self, now, TransactionKey::Server(key));
        let machine = match request.method() {
            Method::Invite => {
                let trying = Response::reply_to(&request, 100).to_bytes();
                Server::Invite(ServerInvite::start(key, reply_path, trying, cx))
            }
            _ => Server::NonInvite(ServerNonInvite::start(reply_path, cx)),
        };
        self.server_index.insert(found_by.clone(), key);
        self.servers.insert(key, ServerEntry { machine, found_by, ack_found_by: None, to_tag: None });
        match cancelled {
            Some(cancelled) => self.receive_cancel(now, key, &cancelled, request, path),
            None => self.outputs.push_back(Output::Event(Event::Request { key, request, path })),
        }
    }

    fn receive_ack(&mut self, now: Instant, known: Option<ServerKey>, request: Request, path: Path) {
        let invite = known.and_then(|key| Some((key, self.servers.get_mut(&key)?)));
        let Some((key, ServerEntry { machine: Server::Invite(invite), .. })) = invite else {
            return self.outputs.push_back(Output::Event(Event::Ack { request, path }));
        };
        match invite.on_ack(context!(self, now, TransactionKey::Server(key))) {
            AckFate::ForUser => self.outputs.push_back(Output::Event(Event::Ack { request, path })),
            AckFate::Absorbed(life) => {
                self.counters.requests_absorbed += 1;
                self.end_server(key, life);
            }
        }
    }

    /// RFC 3261 §9.2: the layer answers a CANCEL itself, with the To tag of the INVITE's responses where there is one.
    fn receive_cancel(&mut self, now: Instant, key: ServerKey, of: &ServerMatch, request: Request, path: Path) {
        let invite = self.server_index.get(of).copied();
        let entry = invite.and_then(|invite| self.servers.get(&invite));
        let status = if entry.is_some() { 200 } else { 481 };
        let tag = entry.and_then(|entry| entry.to_tag.clone()).unwrap_or_else(|| self.random.token());
        let pending = matches!(entry, Some(ServerEntry { machine: Server::Invite(invite), .. }) if invite.is_pending());
        self.send_response(now, key, reply(&request, status, &tag));
        if let Some(invite) = invite.filter(|_| pending) {
            self.outputs.push_back(Output::Event(Event::Cancel { key: invite, request, path }));
        }
    }

    /// Removes a client transaction that is over, and says so.
    fn end_client(&mut self, key: ClientKey, life: Life) {
        if life == Life::Over && !self.remove_client(key) {
            self.outputs.push_back(Output::Event(Event::Terminated { key: TransactionKey::Client(key) }));
        }
    }

    /// Removes a client transaction whose end was told already.
    fn fail_client(&mut self, key: ClientKey, life: Life) {
        if life == Life::Over {
            self.remove_client(key);
        }
    }

    /// Removes a client transaction. Says whether nobody waits for it.
    fn remove_client(&mut self, key: ClientKey) -> bool {
        let Some(entry) = self.clients.remove(&key) else { return true };
        self.client_index.remove(&entry.found_by);
        self.cancel_timers(TransactionKey::Client(key));
        matches!(entry.machine, Client::NonInvite(other) if other.is_silent())
    }

    fn end_server(&mut self, key: ServerKey, life: Life) {
        if life == Life::GoesOn {
            return;
        }
        if let Some(entry) = self.servers.remove(&key) {
            self.server_index.remove(&entry.found_by);
            if let Some(found_by) = entry.ack_found_by {
                self.server_index.remove(&found_by);
            }
        }
        self.cancel_timers(TransactionKey::Server(key));
        self.outputs.push_back(Output::Event(Event::Terminated { key: TransactionKey::Server(key) }));
    }

    fn cancel_timers(&mut self, key: TransactionKey) {
        for timer in Timer::ALL {
            self.timers.cancel(&(key, timer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::path::Transport;
    use super::super::testing::{PEER, Rig, message, request, request_via, response};
    use super::*;
    use crate::sip::message::HeaderName;

    #[test]
    fn a_response_with_two_vias_or_none_is_dropped() {
        let mut rig = Rig::new(Transport::Udp);
        let options = request("OPTIONS", Transport::Udp);
        rig.send(&options);
        let mut two = response(&options, 200, "b");
        two.headers_mut().push(HeaderName::Via, options.headers().top_via().expect("valid"));
        rig.receive(two);
        let mut none = response(&options, 200, "b");
        none.headers_mut().remove(&HeaderName::Via);
        rig.receive(none);
        assert_eq!(rig.diary(), ["0 > OPTIONS"]);
        assert_eq!(rig.layer.counters().responses_misdirected, 2);
    }

    #[test]
    fn a_response_to_another_host_branch_or_method_is_dropped() {
        let mut rig = Rig::new(Transport::Udp);
        rig.send(&request("OPTIONS", Transport::Udp));
        for (method, via) in [
            ("OPTIONS", "127.0.0.4:5060;branch=z9hG4bKone"),
            ("OPTIONS", "127.0.0.3:5070;branch=z9hG4bKone"),
            ("OPTIONS", "127.0.0.3:5060;branch=z9hG4bKtwo"),
            ("OPTIONS", "127.0.0.3:5060"),
            ("REGISTER", "127.0.0.3:5060;branch=z9hG4bKone"),
        ] {
            rig.receive(response(&request_via(method, Transport::Udp, via), 200, "b"));
        }
        assert_eq!(rig.diary(), ["0 > OPTIONS"]);
        let counters = rig.layer.counters();
        assert_eq!((counters.responses_misdirected, counters.responses_unmatched), (2, 3));
    }

    #[test]
    fn branches_and_hosts_are_compared_without_case() {
        let mut rig = Rig::new(Transport::Udp);
        rig.send(&request_via("OPTIONS", Transport::Udp, "host.example;rport;branch=z9hG4bKone"));
        let answered = request_via("OPTIONS", Transport::Udp, "HOST.example:5060;rport;branch=z9hG4bKONE");
        rig.receive(response(&answered, 200, "b"));
        assert_eq!(rig.diary(), ["0 > OPTIONS", "0 ! Response 200"]);
    }

    #[test]
    fn a_code_that_nobody_knows_counts_as_x00() {
        for (status, ends) in [(199, false), (299, true), (499, true), (699, true)] {
            let mut rig = Rig::new(Transport::Tcp);
            let invite = request("INVITE", Transport::Tcp);
            rig.send(&invite);
            rig.receive(response(&invite, status, "b"));
            let expected = format!("0 ! Response {status}");
            assert!(rig.diary().contains(&expected));
            rig.pass(32_000);
            assert_eq!(rig.layer.is_empty(), ends, "{status}");
        }
    }

    #[test]
    fn only_a_2xx_to_invite_is_stray() {
        let mut rig = Rig::new(Transport::Udp);
        for (method, status) in [("INVITE", 200), ("INVITE", 180), ("INVITE", 486), ("BYE", 200)] {
            rig.receive(response(&request(method, Transport::Udp), status, "b"));
        }
        assert_eq!(rig.diary(), ["0 ! Stray"]);
        assert_eq!(rig.layer.counters().responses_unmatched, 3);
    }

    #[test]
    fn a_request_goes_up_with_received_and_rport_and_is_answered_at_its_source() {
        let mut rig = Rig::new(Transport::Udp);
        rig.receive(request_via("OPTIONS", Transport::Udp, "127.0.0.9:5099;rport;branch=z9hG4bKx"));
        let Some(Event::Request { key, request, .. }) = rig.events.pop() else { panic!("a request") };
        let via = request.headers().top_via().expect("valid");
        assert_eq!((via.received(), via.rport()), (Some(PEER.ip()), Some(Some(PEER.port()))));
        rig.respond(key, Response::reply_to(&request, 200));
        assert_eq!(rig.sent[0].0.remote, PEER);
        let Message::Response(sent) = rig.last_sent() else { panic!("a response") };
        assert_eq!(sent.headers().top_via(), Ok(via));
    }

    #[test]
    fn a_request_on_a_branch_in_use_is_not_sent() {
        let mut rig = Rig::new(Transport::Udp);
        let options = request("OPTIONS", Transport::Udp);
        rig.send(&options);
        rig.send(&options);
        rig.send(&request_via("OPTIONS", Transport::Udp, "127.0.0.3:5060"));
        assert_eq!(rig.diary(), ["0 > OPTIONS", "0 ! TransportFailed", "0 ! TransportFailed"]);
        assert_eq!((rig.layer.len(), rig.layer.counters().requests_unsent), (1, 2));
    }

    #[test]
    fn a_cancel_is_answered_and_told_while_the_invite_waits() {
        let mut rig = Rig::new(Transport::Udp);
        let invite = request("INVITE", Transport::Udp);
        rig.receive(invite.clone());
        let key = rig.last_request();
        rig.respond(key, response(&invite, 180, "t"));
        let cancel = request("CANCEL", Transport::Udp);
        rig.receive(cancel.clone());
        let Message::Response(answer) = rig.last_sent() else { panic!("a response") };
        assert_eq!(answer.headers().to().expect("valid").tag(), Some("t"));
        assert!(matches!(rig.events.last(), Some(Event::Cancel { key: of, .. }) if *of == key));
        rig.receive(cancel);
        rig.respond(key, response(&invite, 487, "t"));
        assert_eq!(rig.diary(), ["0 ! Request INVITE", "0 > 180", "0 > 200", "0 ! Cancel", "0 > 200", "0 > 487"]);
    }

    #[test]
    fn a_cancel_after_the_answer_has_no_effect_and_one_of_nothing_gets_481() {
        let mut rig = Rig::new(Transport::Udp);
        let invite = request("INVITE", Transport::Udp);
        rig.receive(invite.clone());
        rig.respond(rig.last_request(), response(&invite, 200, "t"));
        rig.receive(request("CANCEL", Transport::Udp));
        rig.receive(request_via("CANCEL", Transport::Udp, "127.0.0.3:5060;rport;branch=z9hG4bKother"));
        assert_eq!(rig.diary(), ["0 ! Request INVITE", "0 > 200", "0 > 200", "0 > 481"]);
        let Message::Response(answer) = rig.last_sent() else { panic!("a response") };
        assert!(answer.headers().to().expect("valid").tag().is_some());
    }

    #[test]
    fn clients_of_rfc_2543_are_matched_by_their_fields() {
        let mut rig = Rig::new(Transport::Udp);
        let of = |method| request_via(method, Transport::Udp, "127.0.0.1:5070;branch=z9hG4bK");
        rig.receive(of("INVITE"));
        rig.receive(of("INVITE"));
        let key = rig.last_request();
        rig.receive(of("CANCEL"));
        rig.respond(key, response(&of("INVITE"), 487, "t"));
        rig.receive(of("ACK"));
        rig.pass(500);
        let mut ack = of("ACK");
        let to = ack.headers().to().expect("valid").with_tag("t");
        ack.headers_mut().set(HeaderName::To, to);
        rig.receive(ack);
        rig.pass(40_000);
        assert_eq!(
            rig.diary(),
            [
                "0 ! Request INVITE",
                "0 > 200",
                "0 ! Cancel",
                "0 > 487",
                // An ACK of another dialog: its To tag is not that of the 487.
                "0 ! Ack",
                "500 > 487",
                "5500 ! Terminated server",
                "32000 ! Terminated server"
            ]
        );
        assert!(rig.layer.is_empty() && rig.layer.server_index.is_empty());
    }

    #[test]
    fn a_full_table_refuses_and_says_so() {
        let mut rig = Rig::new(Transport::Udp);
        let via = |n: usize| format!("127.0.0.1:5070;rport;branch=z9hG4bK{n}");
        for n in 0..MAX_SERVER_TRANSACTIONS {
            rig.receive(request_via("OPTIONS", Transport::Udp, &via(n)));
        }
        rig.diary();
        rig.receive(request_via("OPTIONS", Transport::Udp, &via(MAX_SERVER_TRANSACTIONS)));
        rig.receive(request_via("ACK", Transport::Udp, &via(MAX_SERVER_TRANSACTIONS)));
        assert_eq!(rig.diary(), ["0 > 503", "0 ! Ack"]);
        assert_eq!((rig.layer.len(), rig.layer.counters().requests_refused), (MAX_SERVER_TRANSACTIONS, 1));
        rig.pass(32_000);
        assert!(rig.layer.is_empty());
    }

    #[test]
    fn a_request_that_cannot_be_named_is_dropped() {
        let mut rig = Rig::new(Transport::Udp);
        rig.receive(message(&["OPTIONS sip:a@b SIP/2.0", "Via: SIP/2.0/UDP a", "From: <sip:a@b>"]));
        assert_eq!(rig.diary(), Vec::<String>::new());
        assert_eq!(rig.layer.counters().requests_unusable, 1);
    }

    #[test]
    fn at_the_end_nothing_is_left() {
        let mut rig = Rig::new(Transport::Udp);
        let invite = request("INVITE", Transport::Udp);
        let key = rig.send(&invite);
        rig.receive(response(&invite, 180, "b"));
        rig.cancel(key);
        rig.receive(request_via("INVITE", Transport::Udp, "127.0.0.1:5070;branch=z9hG4bKin"));
        rig.respond(rig.last_request(), response(&invite, 486, "t"));
        rig.pass(200_000);
        assert!(rig.layer.is_empty() && rig.layer.timers.is_empty());
        assert!(rig.layer.client_index.is_empty() && rig.layer.server_index.is_empty());
    }
}
