//! The lab on real loopback sockets, called by our own user agent. Every wait is for an event, with a deadline.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::base::secret::Secret;
use crate::lab::phone::PhoneSettings;
use crate::lab::{LabConfig, LabError, LabEvent, LabHandle, start};
use crate::media::audio_report::AudioReport;
use crate::media::media_session::{Command as MediaCommand, Event as MediaEvent, SessionConfig};
use crate::media::playlist::{Playlist, Segment, SegmentAudio};
use crate::net::clock::Clock;
use crate::net::media_engine::{EngineEvent, MediaEngine};
use crate::net::ports::PortPool;
use crate::net::{entropy, signalling, udp};
use crate::sip::call_end::{CallEnd, EndReason, Party};
use crate::sip::digest::Account;
use crate::sip::offer_answer::LocalMedia;
use crate::sip::registration::RegistrationState;
use crate::sip::user_agent::{
    CallEvent, CallId, Command, Event, Identity, Policy, Trunk, TrunkId, UserAgent, UserPart,
};
use crate::speech::matcher::{find_prompts, readings};
use crate::speech::pack::tests::shipped;
use crate::speech::{PromptId, PromptPack};
use crate::wire::codec::Codec;

/// Longer than anything here takes, on a machine that is busy with other things.
const DEADLINE: Duration = Duration::from_secs(60);

const CALL: CallId = CallId(1);
const TRUNK: TrunkId = TrunkId(0);

fn loopback() -> IpAddr {
    IpAddr::from([127, 0, 0, 1])
}

/// A lab on a free port whose phones ring for a moment.
fn lab(clock: &Clock) -> LabHandle {
    let phones = PhoneSettings { ring_time: Duration::from_millis(50), ..PhoneSettings::default() };
    let config = LabConfig { listen: SocketAddr::new(loopback(), 0), phones, ..LabConfig::default() };
    start(config, clock, entropy::system).unwrap()
}

async fn within<T>(what: &str, future: impl Future<Output = Option<T>>) -> T {
    let waited = tokio::time::timeout(DEADLINE, future).await;
    waited.unwrap_or_else(|_| panic!("no {what} within {DEADLINE:?}")).unwrap_or_else(|| panic!("ended before {what}"))
}

/// The calling side: a user agent and a media engine of our own.
struct Caller {
    commands: mpsc::Sender<Command>,
    events: mpsc::Receiver<Event>,
    media: MediaEngine,
    media_events: mpsc::Receiver<EngineEvent>,
}

impl Caller {
    fn new(lab: SocketAddr, clock: &Clock, password: &str) -> Caller {
        let socket = udp::bind(SocketAddr::new(loopback(), 0)).unwrap();
        let policy = Policy {
            accept_calls: false,
            deliver_requests: false,
            accept_any_source: false,
            user_agent: "test".to_owned(),
            local: socket.local_addr().unwrap(),
            max_calls: 10,
        };
        let trunk = Trunk {
            id: TRUNK,
            name: "lab".to_owned(),
            registrar: None,
            domain: lab.to_string(),
            proxy: lab,
            fallbacks: Vec::new(),
            account: Some(Account { username: "ringcode".to_owned(), password: Secret::new(password), realm: None }),
            register: true,
            expires: 60,
            caller_id: "02873000000".to_owned(),
            aor_user: "ringcode".into(),
            accept_from: Vec::new(),
            identity: Identity::From,
            learn_contact: false,
        };
        let agent = UserAgent::new(policy, vec![trunk], entropy::system());
        let (commands, for_agent) = mpsc::channel(64);
        let (from_agent, events) = mpsc::channel(64);
        tokio::spawn(signalling::run(agent, socket, for_agent, from_agent, clock.clone()));
        let (from_media, media_events) = mpsc::channel(256);
        let ports = PortPool::new("20000-29999".parse().unwrap(), &mut entropy::system());
        let media = MediaEngine::start(1, loopback(), ports, clock.clone(), from_media).unwrap();
        Caller { commands, events, media, media_events }
    }

    async fn registration(&mut self) -> RegistrationState {
        self.commands.send(Command::Start).await.unwrap();
        loop {
            match within("registration", self.events.recv()).await {
                Event::Registration { state: RegistrationState::Registering, .. } => {}
                Event::Registration { state, .. } => return state,
                _ => {}
            }
        }
    }

    async fn invite(&mut self, number: &str, codec: Codec) {
        let address = self.media.open(CALL.0).unwrap();
        let media = LocalMedia { address, codecs: vec![codec], session_id: 1, version: 1, telephone_event: 101 };
        let callee = UserPart::new(number).unwrap();
        let invite = Command::Invite { call: CALL, trunk: TRUNK, callee, caller_id: None, media };
        self.commands.send(invite).await.unwrap();
    }

    async fn call_event(&mut self) -> CallEvent {
        loop {
            if let Event::Call { event, .. } = within("call event", self.events.recv()).await {
                return event;
            }
        }
    }

    /// Waits for the answer and starts the media.
    async fn answered(&mut self) {
        loop {
            match self.call_event().await {
                CallEvent::Answered { media } => {
                    let config = SessionConfig { record: true, ..SessionConfig::from_negotiated(&media) };
                    return self.media.command(CALL.0, MediaCommand::Start(config));
                }
                CallEvent::Ended(end) => panic!("not answered: {end:?}"),
                _ => {}
            }
        }
    }

    async fn ended(&mut self) -> CallEnd {
        loop {
            if let CallEvent::Ended(end) = self.call_event().await {
                return end;
            }
        }
    }

    /// The intro and `code`, half a second of silence after each.
    fn read(&self, pack: &PromptPack, codec: Codec, code: &str) {
        let mut segments = vec![Segment { audio: SegmentAudio::Silence(Duration::from_millis(200)), mark: None }];
        let digits = code.bytes().map(|digit| PromptId::Digit(digit - b'0'));
        for id in std::iter::once(PromptId::Intro).chain(digits) {
            segments.push(Segment { audio: SegmentAudio::Prompt(pack.prompt(codec, id).clone()), mark: None });
            segments.push(Segment { audio: SegmentAudio::Silence(Duration::from_millis(500)), mark: None });
        }
        self.media.command(CALL.0, MediaCommand::Play { playlist: Playlist { id: 1, segments } });
    }

    async fn media_event(&mut self, wanted: impl Fn(&MediaEvent) -> bool) -> MediaEvent {
        loop {
            if let EngineEvent::Media { event, .. } = within("media event", self.media_events.recv()).await
                && wanted(&event)
            {
                return event;
            }
        }
    }

    /// Closes the media: what it did.
    async fn closed(&mut self) -> AudioReport {
        self.media.close(CALL.0);
        loop {
            if let EngineEvent::Closed { report, .. } = within("media report", self.media_events.recv()).await {
                return report;
            }
        }
    }

    async fn hang_up(&self) {
        self.commands.send(Command::Hangup { call: CALL, cause: None }).await.unwrap();
    }
}

/// What the lab tells up to the end of its call.
async fn told(lab: &mut LabHandle) -> Vec<LabEvent> {
    let mut told = Vec::new();
    loop {
        let event = within("lab event", lab.next_event()).await;
        let last = matches!(event, LabEvent::Ended(_));
        told.push(event);
        if last {
            return told;
        }
    }
}

#[tokio::test]
async fn a_phone_hears_the_code_presses_its_key_and_keeps_what_it_heard() {
    let (clock, pack) = (Clock::start(), shipped());
    let mut lab = lab(&clock);
    let mut caller = Caller::new(lab.address(), &clock, "ringcode-lab");
    assert!(matches!(caller.registration().await, RegistrationState::Registered { .. }));
    caller.invite("+84919270001", Codec::Pcma).await;
    caller.answered().await;
    caller.read(pack, Codec::Pcma, "610");
    let pressed = caller.media_event(|event| matches!(event, MediaEvent::Digit { .. })).await;
    assert_eq!(pressed, MediaEvent::Digit { digit: '1' });
    caller.hang_up().await;
    let told = told(&mut lab).await;
    assert!(told.iter().any(|event| matches!(event, LabEvent::Registrar(_))), "{told:?}");
    assert!(told.iter().any(|event| matches!(event, LabEvent::Ringing { .. })), "{told:?}");
    assert!(told.iter().any(|event| matches!(event, LabEvent::Pressed { digit: '1', .. })), "{told:?}");
    let kept = lab.kept_calls();
    assert_eq!(kept.len(), 1);
    let heard = find_prompts(&kept[0].pcm, pack);
    assert_eq!(heard.first().map(|found| found.prompt), Some(PromptId::Intro), "{heard:?}");
    assert_eq!(readings(&heard), ["610"]);
    assert_eq!(kept[0].number.as_str(), "+84919270001");
    lab.stop().await;
}

#[tokio::test]
async fn each_refusal_comes_with_its_status_and_cause() {
    let clock = Clock::start();
    let mut lab = lab(&clock);
    for (number, status, cause, reason) in [
        ("0919270486", 486, 17, EndReason::Busy),
        ("0919270480", 480, 20, EndReason::Unavailable),
        ("0919270404", 404, 1, EndReason::Unallocated),
        ("0919270603", 603, 21, EndReason::Rejected),
        ("0919270503", 503, 34, EndReason::Congestion),
    ] {
        let mut caller = Caller::new(lab.address(), &clock, "ringcode-lab");
        caller.invite(number, Codec::Pcmu).await;
        let end = caller.ended().await;
        assert_eq!((end.sip_status, end.q850, end.reason), (Some(status), Some(cause), reason), "{number}");
        told(&mut lab).await;
    }
}

#[tokio::test]
async fn a_phone_that_nobody_answers_rings_until_the_caller_gives_up() {
    let clock = Clock::start();
    let mut lab = lab(&clock);
    let mut caller = Caller::new(lab.address(), &clock, "ringcode-lab");
    caller.invite("0919270408", Codec::Pcmu).await;
    while !matches!(caller.call_event().await, CallEvent::Ringing { status: 180 }) {}
    caller.hang_up().await;
    assert_eq!(caller.ended().await.reason, EndReason::Cancelled);
    let told = told(&mut lab).await;
    assert!(!told.iter().any(|event| matches!(event, LabEvent::Answered { .. })), "{told:?}");
}

#[tokio::test]
async fn a_phone_hangs_up_in_the_second_digit() {
    let (clock, pack) = (Clock::start(), shipped());
    let mut lab = lab(&clock);
    let mut caller = Caller::new(lab.address(), &clock, "ringcode-lab");
    caller.invite("0919270100", Codec::Pcmu).await;
    caller.answered().await;
    caller.read(pack, Codec::Pcmu, "735");
    let end = caller.ended().await;
    assert_eq!((end.reason, end.party), (EndReason::HungUp, Party::Callee));
    let told = told(&mut lab).await;
    let Some(LabEvent::Ended(heard)) = told.last() else { panic!("{told:?}") };
    assert_eq!(readings(&find_prompts(&heard.pcm, pack)), ["7"]);
}

#[tokio::test]
async fn a_mailbox_speaks_first() {
    let clock = Clock::start();
    let lab = lab(&clock);
    let mut caller = Caller::new(lab.address(), &clock, "ringcode-lab");
    caller.invite("0919270200", Codec::Pcmu).await;
    caller.answered().await;
    caller.media.command(CALL.0, MediaCommand::WatchSpeech);
    caller.media_event(|event| matches!(event, MediaEvent::Speech { speaking: true })).await;
    caller.media_event(|event| matches!(event, MediaEvent::Speech { speaking: false })).await;
    caller.hang_up().await;
    let heard = caller.closed().await.heard.unwrap();
    let loudest = heard.iter().map(|sample| sample.unsigned_abs()).max();
    assert!(loudest > Some(3000), "{loudest:?}");
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let clock = Clock::start();
    let lab = lab(&clock);
    let mut caller = Caller::new(lab.address(), &clock, "guess");
    assert!(matches!(caller.registration().await, RegistrationState::Refused { status: 401, .. }));
    caller.invite("0919270000", Codec::Pcmu).await;
    assert_eq!(caller.ended().await.reason, EndReason::AuthenticationFailed);
}

#[tokio::test]
async fn a_stopped_lab_gives_its_port_back_and_a_taken_one_is_told() {
    let clock = Clock::start();
    let first = lab(&clock);
    let config = LabConfig { listen: first.address(), ..LabConfig::default() };
    let taken = start(config.clone(), &clock, entropy::system);
    assert!(matches!(taken, Err(LabError::Listen { address, .. }) if address == first.address()));
    first.stop().await;
    start(config, &clock, entropy::system).unwrap();
    let anywhere = LabConfig { listen: SocketAddr::from(([0, 0, 0, 0], 0)), ..LabConfig::default() };
    assert!(matches!(start(anywhere, &clock, entropy::system), Err(LabError::NoAddress(_))));
}
