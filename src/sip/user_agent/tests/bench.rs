//! One agent on virtual time, and the words of its peer.

use std::net::SocketAddr;
use std::time::Duration;

use crate::base::random::Random;
use crate::base::secret::Secret;
use crate::base::time::Instant;
use crate::sip::call_end::CallEnd;
use crate::sip::digest::Account;
use crate::sip::message::{HeaderName, HeaderValue, Message, Method, Request, Response, UserPart};
use crate::sip::offer_answer::LocalMedia;
use crate::sip::user_agent::*;
use crate::wire::codec::Codec;

pub const CALL: CallId = CallId(7);

/// What a phone answers.
pub const SDP: &str = "v=0\r\no=phone 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                       m=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";

pub fn carrier() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 5060))
}

pub fn ours() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 3], 5062))
}

pub fn media() -> LocalMedia {
    LocalMedia {
        address: SocketAddr::from(([127, 0, 0, 3], 20000)),
        codecs: vec![Codec::Pcma, Codec::Pcmu],
        session_id: 77,
        version: 1,
        telephone_event: 101,
    }
}

pub fn trunk() -> Trunk {
    Trunk {
        id: TrunkId(0),
        name: "carrier".into(),
        registrar: None,
        domain: "carrier.example".into(),
        proxy: carrier(),
        fallbacks: Vec::new(),
        account: Some(Account { username: "ringcode".into(), password: Secret::new("secret"), realm: None }),
        register: false,
        expires: 300,
        caller_id: "+842873000000".into(),
        aor_user: "ringcode".into(),
        accept_from: Vec::new(),
        identity: Identity::From,
        learn_contact: false,
    }
}

pub fn policy() -> Policy {
    Policy {
        accept_calls: false,
        deliver_requests: false,
        accept_any_source: false,
        user_agent: "ringcode".into(),
        local: ours(),
        max_calls: 10,
    }
}

pub fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// An agent, its clock, and what it has said since it was last asked.
pub struct Bench {
    pub agent: UserAgent,
    pub now: Instant,
    pub events: Vec<Event>,
    sent: Vec<(SocketAddr, Message)>,
    wake: Option<Instant>,
}

impl Bench {
    pub fn new() -> Self {
        Bench::of(policy(), trunk())
    }

    pub fn of(policy: Policy, trunk: Trunk) -> Self {
        let agent = UserAgent::new(policy, vec![trunk], Random::from_seed(11));
        Bench { agent, now: Instant::ZERO, events: Vec::new(), sent: Vec::new(), wake: None }
    }

    /// An agent that takes calls.
    pub fn phone() -> Self {
        Bench::of(Policy { accept_calls: true, ..policy() }, trunk())
    }

    /// An agent whose call is answered and settled, and the INVITE of it.
    pub fn talking() -> (Self, Request) {
        let mut bench = Bench::new();
        let invite = bench.place();
        bench.reply_with(&invite, 200, "t1", &[("Contact", "<sip:phone@127.0.0.1:5060>")], SDP);
        assert_eq!(bench.requests(Method::Ack).len(), 1);
        assert!(matches!(bench.call_events()[..], [CallEvent::Answered { .. }]));
        (bench, invite)
    }

    pub fn input(&mut self, input: Input<'_>) {
        self.agent.handle_input(self.now, input);
        loop {
            match self.agent.poll_output() {
                Output::Transmit(transmit) => {
                    let message = Message::parse(transmit.bytes).expect("what we send is well formed");
                    self.sent.push((transmit.path.remote, message));
                }
                Output::Event(event) => self.events.push(event),
                Output::Timeout(wake) => {
                    self.wake = wake;
                    return;
                }
            }
        }
    }

    pub fn command(&mut self, command: Command) {
        self.input(Input::Command(command));
    }

    pub fn hang_up(&mut self) {
        self.command(Command::Hangup { call: CALL, cause: None });
    }

    /// Places [`CALL`] and returns its INVITE.
    pub fn place(&mut self) -> Request {
        let callee = UserPart::new("+84919273027").expect("digits");
        self.command(Command::Invite { call: CALL, trunk: TrunkId(0), callee, caller_id: None, media: media() });
        self.request(Method::Invite)
    }

    /// Lets time pass, waking the agent whenever it asked for it.
    pub fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.wake.filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.input(Input::Timeout);
        }
        self.now = until;
    }

    /// Everything that was sent since the last time.
    pub fn sent(&mut self) -> Vec<(SocketAddr, Message)> {
        std::mem::take(&mut self.sent)
    }

    /// The requests `method` that were sent since the last time; what else was sent is gone.
    pub fn requests(&mut self, method: Method) -> Vec<Request> {
        let requests = self.sent().into_iter().filter_map(|(_, message)| match message {
            Message::Request(request) if *request.method() == method => Some(request),
            _ => None,
        });
        requests.collect()
    }

    /// The one request `method` that was sent.
    pub fn request(&mut self, method: Method) -> Request {
        let mut requests = self.requests(method.clone());
        assert_eq!(requests.len(), 1, "one {method}");
        requests.remove(0)
    }

    /// The responses that were sent since the last time.
    pub fn responses(&mut self) -> Vec<Response> {
        let responses = self.sent().into_iter().filter_map(|(_, message)| match message {
            Message::Response(response) => Some(response),
            Message::Request(_) => None,
        });
        responses.collect()
    }

    /// The one response that was sent.
    pub fn response(&mut self) -> Response {
        let mut responses = self.responses();
        assert_eq!(responses.len(), 1, "one response: {responses:?}");
        responses.remove(0)
    }

    /// The events of calls since the last time.
    pub fn call_events(&mut self) -> Vec<CallEvent> {
        let events = std::mem::take(&mut self.events).into_iter().filter_map(|event| match event {
            Event::Call { event, .. } => Some(event),
            _ => None,
        });
        events.collect()
    }

    /// The end of the call, which must be the only event since the last time.
    pub fn end(&mut self) -> CallEnd {
        match &self.call_events()[..] {
            [CallEvent::Ended(end)] => end.clone(),
            other => panic!("one end: {other:?}"),
        }
    }

    pub fn datagram(&mut self, text: &[u8]) {
        self.input(Input::Datagram { source: carrier(), bytes: text });
    }

    pub fn say(&mut self, message: impl Into<Message>) {
        self.datagram(&message.into().to_bytes());
    }

    /// The carrier answers `request` with `status`, the To tag `tag`, `fields` and the body `sdp`.
    pub fn reply_with(&mut self, request: &Request, status: u16, tag: &str, fields: &[(&str, &str)], sdp: &str) {
        self.say(reply(request, status, tag, fields, sdp));
    }

    pub fn reply(&mut self, request: &Request, status: u16) {
        self.reply_with(request, status, "t1", &[], "");
    }

    /// Nothing is left, once every timer has run out.
    pub fn rests(&mut self) {
        self.pass(seconds(200));
        self.sent();
        assert!(self.agent.is_idle(), "tables are empty");
        assert_eq!(self.wake, None, "no timer is left");
        assert_eq!(self.agent.living_calls(), 0);
    }
}

pub fn reply(request: &Request, status: u16, tag: &str, fields: &[(&str, &str)], sdp: &str) -> Response {
    let mut response = Response::reply_to(request, status);
    response.set_to_tag(tag);
    add(response.headers_mut(), fields);
    if sdp.is_empty() { response } else { response.with_body(value("application/sdp"), sdp.to_owned()) }
}

pub fn value(text: &str) -> HeaderValue {
    HeaderValue::try_from(text).expect("no control character")
}

fn add(headers: &mut crate::sip::message::Headers, fields: &[(&str, &str)]) {
    for (name, text) in fields {
        headers.push(HeaderName::try_from(*name).expect("a name"), value(text));
    }
}

/// A request of the carrier's in the dialog of `invite`, which it answered with the tag `tag`.
pub fn inside(invite: &Request, tag: &str, method: Method, cseq: u32, fields: &[(&str, &str)], sdp: &str) -> Request {
    let contact = invite.headers().contact().expect("we give a Contact").uri;
    let mut request = Request::new(method.clone(), contact);
    let branch = format!("SIP/2.0/UDP 127.0.0.1:5060;rport;branch=z9hG4bK{method}{cseq}{tag}");
    let headers = request.headers_mut();
    headers.push(HeaderName::Via, value(&branch));
    headers.push(HeaderName::From, invite.headers().to().expect("To").with_tag(tag));
    headers.push(HeaderName::To, invite.headers().from().expect("From"));
    headers.push(HeaderName::CallId, value(invite.headers().call_id().expect("Call-ID")));
    headers.push(HeaderName::CSeq, value(&format!("{cseq} {method}")));
    headers.push(HeaderName::MaxForwards, 70);
    add(headers, fields);
    if sdp.is_empty() { request } else { request.with_body(value("application/sdp"), sdp.to_owned()) }
}

/// `text` with CRLF line ends.
pub fn lines(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

pub fn tag_of(request: &Request) -> String {
    request.headers().to().expect("To").tag().unwrap_or_default().to_owned()
}
