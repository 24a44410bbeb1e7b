//! A transaction layer on virtual time that writes down what it does, for the tests of this folder.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::context::Timings;
use super::event::{Event, Output, TransactionKey};
use super::key::{ClientKey, ServerKey};
use super::layer::Transactions;
use super::path::{Path, Transport};
use crate::base::random::Random;
use crate::base::time::Instant;
use crate::sip::message::{Message, Request, Response};

/// Reads a message from lines without their line ends.
pub fn message(lines: &[&str]) -> Message {
    let text = lines.join("\r\n") + "\r\n\r\n";
    Message::parse(Bytes::from(text)).unwrap_or_else(|malformed| panic!("{lines:?}: {malformed:?}"))
}

/// A request whose top Via has `via` (host, port and parameters).
pub fn request_via(method: &str, transport: Transport, via: &str) -> Request {
    let via = format!("Via: SIP/2.0/{transport} {via}");
    let (start, cseq) = (format!("{method} sip:bob@127.0.0.1:5070 SIP/2.0"), format!("CSeq: 7 {method}"));
    let fields = [
        &start,
        &via,
        "Max-Forwards: 70",
        "Route: <sip:127.0.0.1:5070;lr>",
        "From: <sip:alice@example.com>;tag=a",
        "To: <sip:bob@example.com>",
        "Call-ID: call",
        &cseq,
    ];
    match message(&fields) {
        Message::Request(request) => request,
        Message::Response(_) => panic!("a request"),
    }
}

/// A request of ours, or of a peer at the same address.
pub fn request(method: &str, transport: Transport) -> Request {
    request_via(method, transport, "127.0.0.3:5060;rport;branch=z9hG4bKone")
}

/// The far end's response with the tag `tag` in To.
pub fn response(request: &Request, status: u16, tag: &str) -> Response {
    let mut response = Response::reply_to(request, status);
    response.set_to_tag(tag);
    // Read again, so that it is what a peer would make us see.
    match Message::parse(response.to_bytes()) {
        Ok(Message::Response(response)) => response,
        other => panic!("{other:?}"),
    }
}

pub const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 1)), 5070);

/// The layer, its clock and its diary.
pub struct Rig {
    pub layer: Transactions,
    pub now: Instant,
    pub path: Path,
    /// Every message that was sent.
    pub sent: Vec<(Path, Bytes)>,
    /// Every event that was told.
    pub events: Vec<Event>,
    diary: Vec<String>,
}

impl Rig {
    pub fn new(transport: Transport) -> Self {
        Rig {
            layer: Transactions::new(Timings::default(), Random::from_seed(1)),
            now: Instant::ZERO,
            path: Path { remote: PEER, transport },
            sent: Vec::new(),
            events: Vec::new(),
            diary: Vec::new(),
        }
    }

    pub fn send(&mut self, request: &Request) -> ClientKey {
        let key = self.layer.send_request(self.now, request.clone(), self.path);
        self.drain();
        key
    }

    pub fn receive(&mut self, message: impl Into<Message>) {
        self.layer.receive(self.now, message.into(), self.path);
        self.drain();
    }

    pub fn cancel(&mut self, key: ClientKey) -> bool {
        let useful = self.layer.cancel(self.now, key);
        self.drain();
        useful
    }

    pub fn respond(&mut self, key: ServerKey, response: Response) -> bool {
        let sent = self.layer.send_response(self.now, key, response);
        self.drain();
        sent
    }

    pub fn transport_error(&mut self) {
        self.layer.transport_error(self.now, self.path);
        self.drain();
    }

    /// Lets `millis` pass; each timer fires at its own time.
    pub fn pass(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        while let Some(at) = self.drain().filter(|at| *at <= end) {
            self.now = at;
            self.layer.handle_timeout(at);
        }
        self.now = end;
    }

    /// The key of the last request that came in.
    pub fn last_request(&self) -> ServerKey {
        let keys = self.events.iter().rev().filter_map(|event| match event {
            Event::Request { key, .. } => Some(*key),
            _ => None,
        });
        keys.into_iter().next().expect("a request came in")
    }

    /// The last message that was sent.
    pub fn last_sent(&self) -> Message {
        let (_, bytes) = self.sent.last().expect("something was sent");
        Message::parse(bytes.clone()).expect("what we send is valid")
    }

    /// What happened since the last call: `500 > INVITE` for a message sent after 500 ms, `500 ! TimedOut` for an event.
    pub fn diary(&mut self) -> Vec<String> {
        std::mem::take(&mut self.diary)
    }

    fn drain(&mut self) -> Option<Instant> {
        loop {
            let entry = match self.layer.poll_output() {
                Output::Timeout(at) => return at,
                Output::Transmit(transmit) => {
                    let entry = format!("> {}", start_of(&transmit.bytes));
                    self.sent.push((transmit.path, transmit.bytes));
                    entry
                }
                Output::Event(event) => {
                    let entry = format!("! {}", name_of(&event));
                    self.events.push(event);
                    entry
                }
            };
            self.diary.push(format!("{} {entry}", self.now.as_nanos() / 1_000_000));
        }
    }
}

fn start_of(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut words = text.split(' ');
    match words.next() {
        Some("SIP/2.0") => words.next().unwrap_or_default().to_owned(),
        method => method.unwrap_or_default().to_owned(),
    }
}

fn name_of(event: &Event) -> String {
    match event {
        Event::Response { response, .. } => format!("Response {}", response.status()),
        Event::Request { request, .. } => format!("Request {}", request.method()),
        Event::Ack { .. } => "Ack".to_owned(),
        Event::Cancel { .. } => "Cancel".to_owned(),
        Event::TimedOut { .. } => "TimedOut".to_owned(),
        Event::TransportFailed { .. } => "TransportFailed".to_owned(),
        Event::ServerTimedOut { .. } => "ServerTimedOut".to_owned(),
        Event::Stray { .. } => "Stray".to_owned(),
        Event::Terminated { key: TransactionKey::Client(_) } => "Terminated client".to_owned(),
        Event::Terminated { key: TransactionKey::Server(_) } => "Terminated server".to_owned(),
    }
}
