//! Both ends, the link between them, and the one clock.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::net::SocketAddr;
use std::ops::AddAssign;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ringcode::base::random::Random;
use ringcode::base::time::{Instant, UnixTime};
use ringcode::dialer::{self, DialTrunk, Dialer, DialerConfig, Job, Outcome};
use ringcode::media::media_session::{self, MediaSession};
use ringcode::media::session_config::SessionConfig;
use ringcode::otp::{CallPolicy, Code, Country, PhoneNumber, Reason};
use ringcode::sip::message::{Message, Method};
use ringcode::sip::offer_answer::LocalMedia;
use ringcode::sip::user_agent::{self, CallEvent, CallId, Command, Event, Identity, Policy, Trunk, TrunkId, UserAgent};
use ringcode::speech::PromptPack;
use ringcode::wire::codec::Codec;

use crate::link::Link;
use crate::phone::Temper;

/// Long enough for a 200 that is lost five times in a row (RFC 3261 §13.3.1.4).
const RING_TIMEOUT: Duration = Duration::from_secs(30);
const DIGITS: &str = "4702";

/// What came of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub calls: u64,
    /// Phones that were to answer and listen to the end.
    pub listeners: u64,
    /// Of these, how many were delivered a whole reading.
    pub listeners_served: u64,
    /// Phones that were to press 1.
    pub presses: u64,
    /// Of these, how many were read the code again.
    pub presses_honoured: u64,
    pub lost: u64,
    pub duplicated: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.calls += other.calls;
        self.listeners += other.listeners;
        self.listeners_served += other.listeners_served;
        self.presses += other.presses;
        self.presses_honoured += other.presses_honoured;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Side {
    Ours,
    Theirs,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Sip { to: Side, bytes: Bytes },
    Rtp { from: SocketAddr, to: SocketAddr, bytes: Vec<u8> },
    AgentWakes(Side),
    DialerWakes,
    SessionWakes(SocketAddr),
    NextJob(u64),
    PhoneIsAnswered(u64),
    PhonePresses(u64),
    PhoneHangsUp(u64),
}

struct Line {
    side: Side,
    call: CallId,
    session: MediaSession,
    wakes_at: Option<Instant>,
}

struct PhoneCall {
    temper: Temper,
    answered: bool,
    over: bool,
}

pub struct World {
    now: Instant,
    link: Link,
    random: Random,
    order: u64,
    agenda: BinaryHeap<Reverse<(Instant, u64, Happening)>>,
    dialer: Dialer,
    dialer_wakes_at: Option<Instant>,
    agents: HashMap<Side, (UserAgent, Option<Instant>)>,
    lines: HashMap<SocketAddr, Line>,
    next_port: u16,
    phones: HashMap<u64, PhoneCall>,
    /// Our number of a call by the number dialled in it.
    tempers: HashMap<String, Temper>,
    outcomes: HashMap<CallId, Outcome>,
    numbers: HashMap<CallId, String>,
    to_acknowledge: HashSet<(String, String)>,
    acknowledged: HashSet<(String, String)>,
    tally: Tally,
}

fn address(side: Side) -> SocketAddr {
    match side {
        Side::Ours => SocketAddr::from(([127, 0, 0, 3], 5060)),
        Side::Theirs => SocketAddr::from(([127, 0, 0, 1], 5060)),
    }
}

/// Prompts of 0.1 s each: the simulation is about order, not about speech.
fn tiny_pack() -> Arc<PromptPack> {
    let read = |_: &str| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 8000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::new(&mut bytes, spec).map_err(std::io::Error::other)?;
        for i in 0..800_i32 {
            let sample = f64::sin(f64::from(i) * 0.5) * 3000.0;
            writer.write_sample(sample as i16).map_err(std::io::Error::other)?;
        }
        writer.finalize().map_err(std::io::Error::other)?;
        Ok(bytes.into_inner())
    };
    Arc::new(PromptPack::build("en", &read, &[Codec::Pcmu, Codec::Pcma]).expect("a tone is a usable prompt"))
}

impl World {
    pub fn new(seed: u64, link: Link) -> World {
        let mut random = Random::from_seed(seed);
        let now = Instant::ZERO;
        let config = DialerConfig {
            trunks: vec![DialTrunk {
                id: TrunkId(0),
                name: "sim".into(),
                register: false,
                priority: 0,
                cps: 100,
                max_calls: 10_000,
            }],
            policy: CallPolicy {
                ring_timeout: RING_TIMEOUT,
                digit_gap: Duration::from_millis(40),
                listen_window: Duration::from_millis(2500),
                ..CallPolicy::default()
            },
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            max_calls: 10_000,
            max_queue: 100_000,
            trunk_wait: Duration::from_secs(5),
        };
        let dialer = Dialer::new(
            now,
            UnixTime::from_millis(1_767_225_600_000),
            config,
            tiny_pack(),
            Random::from_seed(random.u64()),
        );
        let agents = [Side::Ours, Side::Theirs].map(|side| {
            let other = if side == Side::Ours { Side::Theirs } else { Side::Ours };
            let policy = Policy {
                accept_calls: side == Side::Theirs,
                deliver_requests: false,
                accept_any_source: false,
                user_agent: "sim".into(),
                local: address(side),
                max_calls: 10_000,
            };
            let trunk = Trunk {
                id: TrunkId(0),
                name: "sim".into(),
                registrar: None,
                domain: address(other).ip().to_string(),
                proxy: address(other),
                fallbacks: Vec::new(),
                account: None,
                register: false,
                expires: 300,
                caller_id: "+842873000000".into(),
                aor_user: "sim".into(),
                accept_from: Vec::new(),
                identity: Identity::From,
                learn_contact: false,
            };
            let agent = UserAgent::new(policy, vec![trunk], Random::from_seed(random.u64()));
            (side, (agent, None))
        });
        World {
            now,
            link,
            random,
            order: 0,
            agenda: BinaryHeap::new(),
            dialer,
            dialer_wakes_at: None,
            agents: agents.into_iter().collect(),
            lines: HashMap::new(),
            next_port: 10_000,
            phones: HashMap::new(),
            tempers: HashMap::new(),
            outcomes: HashMap::new(),
            numbers: HashMap::new(),
            to_acknowledge: HashSet::new(),
            acknowledged: HashSet::new(),
            tally: Tally::default(),
        }
    }

    /// Makes `calls` calls and runs until nothing is left to happen.
    pub fn run(mut self, calls: u64) -> Tally {
        self.tally.calls = calls;
        for call in 0..calls {
            let at = self.now + Duration::from_millis(self.random.below(20_000));
            self.plan(at, Happening::NextJob(call));
        }
        while let Some(Reverse((at, _, happening))) = self.agenda.pop() {
            self.now = at;
            self.happen(happening);
        }
        self.check_outcomes(calls);
        self.check_acknowledgements();
        self.check_rest();
        self.tally
    }

    fn plan(&mut self, at: Instant, happening: Happening) {
        self.order += 1;
        self.agenda.push(Reverse((at, self.order, happening)));
    }

    fn carry(&mut self, happening: &Happening) {
        let ways = self.link.carry(&mut self.random);
        match ways.len() {
            0 => self.tally.lost += 1,
            2 => self.tally.duplicated += 1,
            _ => {}
        }
        for way in ways {
            self.plan(self.now + way, happening.clone());
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Sip { to, bytes } => {
                self.watch_arrival(to, &bytes);
                let from = address(if to == Side::Ours { Side::Theirs } else { Side::Ours });
                self.tell_agent(to, user_agent::Input::Datagram { source: from, bytes: &bytes });
            }
            Happening::Rtp { from, to, bytes } => {
                self.tell_session(to, media_session::Input::Packet { source: from, bytes: &bytes });
            }
            Happening::AgentWakes(side) => {
                if self.agents[&side].1 == Some(self.now) {
                    self.agents.get_mut(&side).expect("both sides stand").1 = None;
                    self.tell_agent(side, user_agent::Input::Timeout);
                }
            }
            Happening::DialerWakes => {
                if self.dialer_wakes_at == Some(self.now) {
                    self.dialer_wakes_at = None;
                    self.tell_dialer(dialer::Input::Timeout);
                }
            }
            Happening::SessionWakes(line) => {
                let due = self.lines.get_mut(&line).filter(|line| line.wakes_at == Some(self.now));
                if let Some(due) = due {
                    due.wakes_at = None;
                    self.tell_session(line, media_session::Input::Timeout);
                }
            }
            Happening::NextJob(number) => self.next_job(number),
            Happening::PhoneIsAnswered(phone) => self.answer(phone),
            Happening::PhonePresses(phone) => {
                let line = self.line_of(Side::Theirs, CallId(phone));
                if let Some(line) = line {
                    let command =
                        media_session::Command::SendDigit { digit: '1', duration: Duration::from_millis(160) };
                    self.tell_session(line, media_session::Input::Command(command));
                }
            }
            Happening::PhoneHangsUp(phone) => {
                let command = Command::Hangup { call: CallId(phone), cause: None };
                self.tell_agent(Side::Theirs, user_agent::Input::Command(command));
            }
        }
    }

    fn next_job(&mut self, number: u64) {
        let temper = Temper::draw(&mut self.random, RING_TIMEOUT);
        match temper {
            Temper::Listens { .. } => self.tally.listeners += 1,
            Temper::Presses { .. } => {
                self.tally.listeners += 1;
                self.tally.presses += 1;
            }
            _ => {}
        }
        let dialled = format!("+8491{:07}", number);
        let home: Country = "VN".parse().expect("Vietnam is a country");
        self.tempers.insert(dialled.clone(), temper);
        self.numbers.insert(CallId(number), dialled.clone());
        self.tell_dialer(dialer::Input::Job(Job {
            call: CallId(number),
            number: PhoneNumber::parse(&dialled, home).expect("a Vietnamese mobile number"),
            code: Code::parse(DIGITS).expect("four digits"),
            readings: 1,
            caller_id: None,
            expires_at: self.now + Duration::from_secs(300),
        }));
    }

    fn tell_dialer(&mut self, input: dialer::Input) {
        self.dialer.handle_input(self.now, input);
        loop {
            match self.dialer.poll_output() {
                dialer::Output::OpenMedia { call } => {
                    let address = self.open_line(Side::Ours, call);
                    self.dialer.handle_input(self.now, dialer::Input::MediaOpened { call, result: Ok(address) });
                }
                dialer::Output::Record(attempt) => {
                    self.dialer.handle_input(self.now, dialer::Input::Recorded { call: attempt.call });
                }
                dialer::Output::Sip(command) => self.tell_agent(Side::Ours, user_agent::Input::Command(command)),
                dialer::Output::Media { call, command } => {
                    if let Some(line) = self.line_of(Side::Ours, call) {
                        self.tell_session(line, media_session::Input::Command(command));
                    }
                }
                dialer::Output::CloseMedia { call } => {
                    let report =
                        self.close_line(Side::Ours, call).map(|mut session| session.report()).unwrap_or_default();
                    self.dialer.handle_input(self.now, dialer::Input::MediaClosed { call, report });
                }
                dialer::Output::Timeline(_) => {}
                dialer::Output::Released { call } => panic!("{call:?} was handed back although nobody drained"),
                dialer::Output::Ended(outcome) => {
                    let again = self.outcomes.insert(outcome.call, *outcome);
                    assert!(again.is_none(), "two outcomes for one job: {again:?}");
                }
                dialer::Output::Timeout(at) => {
                    if let Some(at) = at
                        && self.dialer_wakes_at.is_none_or(|planned| at < planned)
                    {
                        let at = at.max(self.now);
                        self.dialer_wakes_at = Some(at);
                        self.plan(at, Happening::DialerWakes);
                    }
                    return;
                }
            }
        }
    }

    fn tell_agent(&mut self, side: Side, input: user_agent::Input<'_>) {
        self.agents.get_mut(&side).expect("both sides stand").0.handle_input(self.now, input);
        let mut events = Vec::new();
        loop {
            match self.agents.get_mut(&side).expect("both sides stand").0.poll_output() {
                user_agent::Output::Transmit(transmit) => {
                    self.watch_departure(side, &transmit.bytes);
                    let to = if side == Side::Ours { Side::Theirs } else { Side::Ours };
                    self.carry(&Happening::Sip { to, bytes: transmit.bytes });
                }
                user_agent::Output::Event(event) => events.push(event),
                user_agent::Output::Timeout(at) => {
                    let agent = self.agents.get_mut(&side).expect("both sides stand");
                    if let Some(at) = at
                        && agent.1.is_none_or(|planned| at < planned)
                    {
                        let at = at.max(self.now);
                        agent.1 = Some(at);
                        self.plan(at, Happening::AgentWakes(side));
                    }
                    break;
                }
            }
        }
        for event in events {
            match (side, event) {
                (Side::Ours, Event::Call { call, event }) => {
                    self.tell_dialer(dialer::Input::Sip { call, event });
                }
                (Side::Theirs, Event::IncomingCall { call, request, .. }) => self.ring(call, &request),
                (Side::Theirs, Event::Call { call, event }) => self.phone_call(call, event),
                _ => {}
            }
        }
    }

    fn tell_session(&mut self, address: SocketAddr, input: media_session::Input<'_>) {
        let Some(line) = self.lines.get_mut(&address) else { return };
        line.session.handle_input(self.now, input);
        let (side, call) = (line.side, line.call);
        let mut packets = Vec::new();
        let mut events = Vec::new();
        let mut plan = None;
        loop {
            match line.session.poll_output() {
                media_session::Output::Transmit { destination, packet } => packets.push((destination, packet.to_vec())),
                media_session::Output::Event(event) => events.push(event),
                media_session::Output::Timeout(at) => {
                    if let Some(at) = at
                        && line.wakes_at.is_none_or(|planned| at < planned)
                    {
                        let at = at.max(self.now);
                        line.wakes_at = Some(at);
                        plan = Some(at);
                    }
                    break;
                }
            }
        }
        if let Some(at) = plan {
            self.plan(at, Happening::SessionWakes(address));
        }
        for (to, bytes) in packets {
            self.carry(&Happening::Rtp { from: address, to, bytes });
        }
        if side == Side::Ours {
            for event in events {
                self.tell_dialer(dialer::Input::Media { call, event });
            }
        }
    }

    fn open_line(&mut self, side: Side, call: CallId) -> SocketAddr {
        self.next_port += 2;
        let at = SocketAddr::new(address(side).ip(), self.next_port);
        let phase = Duration::from_micros(self.random.below(20_000));
        let session = MediaSession::new(phase, Random::from_seed(self.random.u64()));
        self.lines.insert(at, Line { side, call, session, wakes_at: None });
        at
    }

    fn line_of(&self, side: Side, call: CallId) -> Option<SocketAddr> {
        self.lines.iter().find(|(_, line)| line.side == side && line.call == call).map(|(at, _)| *at)
    }

    fn close_line(&mut self, side: Side, call: CallId) -> Option<MediaSession> {
        let at = self.line_of(side, call)?;
        self.lines.remove(&at).map(|line| line.session)
    }

    /// A call arrives at a phone.
    fn ring(&mut self, call: CallId, request: &ringcode::sip::message::Request) {
        let uri = request.uri().to_string();
        let number = uri.trim_start_matches("sip:").split('@').next().unwrap_or_default().to_owned();
        let temper = *self.tempers.get(&number).unwrap_or_else(|| panic!("a call to {uri}, which nobody asked for"));
        assert!(!self.phones.contains_key(&call.0), "one number for two calls");
        self.phones.insert(call.0, PhoneCall { temper, answered: false, over: false });
        if let Temper::Refuses { status } = temper {
            self.tell_agent(
                Side::Theirs,
                user_agent::Input::Command(Command::Reject { call, status, headers: Vec::new() }),
            );
            return;
        }
        let ringing = Command::Provisional { call, status: 180, with_media: None };
        self.tell_agent(Side::Theirs, user_agent::Input::Command(ringing));
        if let Some(rings) = temper.rings() {
            self.plan(self.now + rings, Happening::PhoneIsAnswered(call.0));
        }
    }

    fn answer(&mut self, phone: u64) {
        if self.phones.get(&phone).is_none_or(|state| state.over || state.answered) {
            return;
        }
        let address = self.open_line(Side::Theirs, CallId(phone));
        let media = LocalMedia {
            address,
            codecs: vec![Codec::Pcma, Codec::Pcmu],
            session_id: phone,
            version: 1,
            telephone_event: 101,
        };
        self.tell_agent(Side::Theirs, user_agent::Input::Command(Command::Answer { call: CallId(phone), media }));
    }

    /// Something happened in a call at a phone.
    fn phone_call(&mut self, call: CallId, event: CallEvent) {
        match event {
            CallEvent::Answered { media } => {
                let Some(phone) = self.phones.get_mut(&call.0) else { return };
                phone.answered = true;
                match phone.temper {
                    Temper::Presses { after, .. } => self.plan(self.now + after, Happening::PhonePresses(call.0)),
                    Temper::HangsUp { after, .. } => self.plan(self.now + after, Happening::PhoneHangsUp(call.0)),
                    _ => {}
                }
                if let Some(line) = self.line_of(Side::Theirs, call) {
                    let start = media_session::Command::Start(SessionConfig::from_negotiated(&media));
                    self.tell_session(line, media_session::Input::Command(start));
                }
            }
            CallEvent::Ended(_) => {
                let phone = self.phones.get_mut(&call.0).expect("a call ends at a phone that it reached");
                assert!(!phone.over, "a call ended twice at the phone");
                phone.over = true;
                self.close_line(Side::Theirs, call);
            }
            _ => {}
        }
    }

    /// Notes which answers reach us.
    fn watch_arrival(&mut self, to: Side, bytes: &Bytes) {
        if to != Side::Ours {
            return;
        }
        if let Ok(Message::Response(response)) = Message::parse(bytes.clone())
            && (200..300).contains(&response.status())
            && response.headers().cseq().is_ok_and(|cseq| cseq.method == Method::Invite)
        {
            self.to_acknowledge.insert(dialog_of(response.headers()));
        }
    }

    /// Notes which ACKs leave us.
    fn watch_departure(&mut self, from: Side, bytes: &Bytes) {
        if from == Side::Ours
            && let Ok(Message::Request(request)) = Message::parse(bytes.clone())
            && *request.method() == Method::Ack
        {
            self.acknowledged.insert(dialog_of(request.headers()));
        }
    }

    fn check_outcomes(&mut self, calls: u64) {
        assert_eq!(u64::try_from(self.outcomes.len()).expect("few"), calls, "each job has one outcome");
        for (call, outcome) in &self.outcomes {
            let temper = self.tempers[&self.numbers[call]];
            match temper {
                Temper::Listens { .. } | Temper::Presses { .. } if outcome.reason == Reason::Delivered => {
                    self.tally.listeners_served += 1;
                    if matches!(temper, Temper::Presses { .. }) && outcome.delivery.repeats == 1 {
                        self.tally.presses_honoured += 1;
                    }
                }
                Temper::Refuses { .. } | Temper::Ignores => {
                    assert_ne!(outcome.reason, Reason::Delivered, "{temper:?} heard nothing: {outcome:?}");
                }
                Temper::Listens { .. } | Temper::Presses { .. } => {
                    eprintln!("not served: {temper:?} {:?} {:?}", outcome.reason, outcome.delivery);
                }
                _ => {}
            }
        }
    }

    fn check_acknowledgements(&self) {
        let missing: Vec<_> = self.to_acknowledge.difference(&self.acknowledged).collect();
        assert!(missing.is_empty(), "2xx without an ACK: {missing:?}");
    }

    fn check_rest(&self) {
        assert!(self.dialer.is_idle(), "the dialer holds a job");
        for (side, (agent, _)) in &self.agents {
            assert!(agent.is_idle(), "{side:?}: the user agent holds a call or a transaction");
        }
        assert!(self.lines.is_empty(), "{} media sessions are left", self.lines.len());
    }
}

fn dialog_of(headers: &ringcode::sip::message::Headers) -> (String, String) {
    let call_id = headers.call_id().map(str::to_owned).unwrap_or_default();
    let tag = headers.to().ok().and_then(|to| to.tag().map(|tag| tag.to_string())).unwrap_or_default();
    (call_id, tag)
}
