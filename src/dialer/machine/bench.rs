//! A dialer in a made-up world on virtual time: user agent, media, store and phones, and what must hold in any of it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use super::*;
use crate::dialer::event::MediaUnavailable;
use crate::dialer::progress::CallStep;
use crate::media::audio_report::AudioReport;
use crate::media::media_session::{Command as MediaCommand, Event as MediaEvent};
use crate::media::playlist::{Playlist, SegmentAudio};
use crate::otp::Code;
use crate::sip::call_end::{self, CallEnd, EndReason};
use crate::sip::offer_answer::{Direction, NegotiatedMedia};
use crate::sip::user_agent::{Command, TrunkId};
use crate::speech::pack::tests::shipped_shared;

pub const CODE: &str = "610389";

/// What the far end of one call does; times in milliseconds, from the INVITE or from the answer.
#[derive(Clone, Debug, Default)]
pub struct Phone {
    pub provisional: Vec<(u64, CallEvent)>,
    pub refuses: Option<(u64, CallEnd)>,
    pub answers: Option<u64>,
    pub first_packet: Option<u64>,
    pub presses: Vec<(u64, char)>,
    pub changes: Vec<(u64, Direction)>,
    pub hangs_up: Option<u64>,
    /// A 200 that is under way when the CANCEL arrives.
    pub answers_into_cancel: bool,
}

impl Phone {
    pub fn answering() -> Self {
        Phone { answers: Some(1_000), first_packet: Some(40), ..Phone::default() }
    }

    pub fn silent() -> Self {
        Phone { provisional: vec![(100, CallEvent::Ringing { status: 180 })], ..Phone::default() }
    }

    pub fn refusing(reason: EndReason, status: u16, q850: Option<u16>) -> Self {
        Phone { refuses: Some((500, end(reason, call_end::Party::Carrier, Some(status), q850))), ..Phone::default() }
    }
}

pub fn end(reason: EndReason, party: call_end::Party, sip_status: Option<u16>, q850: Option<u16>) -> CallEnd {
    CallEnd { reason, party, sip_status, q850, text: None, retry_after: None }
}

pub fn negotiated(direction: Direction, codec: Codec) -> NegotiatedMedia {
    NegotiatedMedia {
        remote: SocketAddr::from(([127, 0, 0, 1], 4000)),
        signalled_by: std::net::IpAddr::from([127, 0, 0, 1]),
        codec,
        send_payload_type: 0,
        receive_payload_type: 0,
        telephone_event: None,
        direction,
        ptime_ms: 20,
    }
}

pub fn trunk(id: u16) -> DialTrunk {
    DialTrunk { id: TrunkId(id), name: format!("t{id}"), register: false, priority: 10, cps: 10, max_calls: 10 }
}

pub fn config(trunks: Vec<DialTrunk>) -> DialerConfig {
    DialerConfig {
        trunks,
        policy: CallPolicy::default(),
        codecs: vec![Codec::Pcmu, Codec::Pcma],
        max_calls: 100,
        max_queue: 100,
        trunk_wait: Duration::from_secs(30),
    }
}

/// What the drivers fail at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    pub no_ports: bool,
    pub media_never_opens: bool,
    pub store_fails: bool,
    pub store_hangs: bool,
    pub user_agent_forgets_hangups: bool,
    pub playout_stands: bool,
    pub media_never_closes: bool,
}

#[derive(Default)]
struct Line {
    phone: Phone,
    number: String,
    trunk: Option<TrunkId>,
    recorded: bool,
    /// INVITE out, and not ended.
    live: bool,
    answered: bool,
    held: bool,
    media_open: bool,
    /// What plays: when it began, and each report with its offset from that.
    playing: Option<(Instant, VecDeque<(Duration, MediaEvent)>)>,
    generation: u32,
}

enum Happening {
    Give(Input),
    Sip(CallId, CallEvent),
    Playout(CallId, u32),
}

pub struct Bench {
    pub dialer: Dialer,
    pub now: Instant,
    pub faults: Faults,
    pub outcomes: BTreeMap<u64, Outcome>,
    pub released: Vec<u64>,
    pub steps: Vec<(u64, u64, CallStep)>,
    /// Invites as they left: milliseconds, call, trunk.
    pub invites: Vec<(u64, u64, u16)>,
    pub hangups: Vec<(u64, u64)>,
    pub media_commands: Vec<(u64, MediaCommand)>,
    pub opened: usize,
    pub closed: usize,
    lines: HashMap<CallId, Line>,
    phones: HashMap<String, Phone>,
    schedule: BTreeMap<(Instant, u64), Happening>,
    sequence: u64,
    wake: Option<Instant>,
    over: BTreeSet<CallId>,
}

impl Bench {
    pub fn new(config: DialerConfig) -> Self {
        let civil = UnixTime::from_millis(1_767_225_600_000);
        let dialer = Dialer::new(Instant::ZERO, civil, config, shipped_shared(), Random::from_seed(1));
        Bench {
            dialer,
            now: Instant::ZERO,
            faults: Faults::default(),
            outcomes: BTreeMap::new(),
            released: Vec::new(),
            steps: Vec::new(),
            invites: Vec::new(),
            hangups: Vec::new(),
            media_commands: Vec::new(),
            opened: 0,
            closed: 0,
            lines: HashMap::new(),
            phones: HashMap::new(),
            schedule: BTreeMap::new(),
            sequence: 0,
            wake: None,
            over: BTreeSet::new(),
        }
    }

    /// Brings a job of one reading for `number`, whose phone is `phone`.
    pub fn place(&mut self, call: u64, number: &str, phone: Phone) {
        self.place_readings(call, number, phone, 1);
    }

    pub fn place_readings(&mut self, call: u64, number: &str, phone: Phone, readings: u8) {
        let number = PhoneNumber::from_e164(number).expect("a number");
        self.phones.insert(number.e164().to_owned(), phone);
        self.give(Input::Job(Job {
            call: CallId(call),
            number,
            code: Code::parse(CODE).expect("a code"),
            readings,
            caller_id: None,
            expires_at: self.now + Duration::from_secs(300),
        }));
    }

    /// Gives one input and does all that the dialer asks for.
    pub fn give(&mut self, input: Input) {
        if let Input::MediaClosed { call, .. } = &input
            && let Some(line) = self.lines.get_mut(call)
        {
            (line.media_open, line.playing) = (false, None);
        }
        // Printing every call is dear: do it when something new came in.
        let telling = matches!(input, Input::Job(_) | Input::Sip { .. } | Input::HangupAll);
        self.dialer.handle_input(self.now, input);
        loop {
            let output = self.dialer.poll_output();
            let shown = format!("{output:?}");
            assert!(!tells_code(&shown), "the code is in {shown}");
            match output {
                Output::Timeout(at) => {
                    assert!(at.is_none_or(|at| at > self.now), "a timer that is due was not rung");
                    self.wake = at;
                    break;
                }
                output => self.carry_out(output),
            }
        }
        if telling {
            let shown = format!("{:?}", self.dialer);
            assert!(!tells_code(&shown), "the code is in {shown}");
        }
    }

    fn carry_out(&mut self, output: Output) {
        let now = self.millis();
        match output {
            Output::OpenMedia { call } => {
                assert!(!self.over.contains(&call));
                let result = if self.faults.no_ports {
                    Err(MediaUnavailable)
                } else {
                    Ok(SocketAddr::from(([127, 0, 0, 1], 20_000)))
                };
                let line = self.lines.entry(call).or_default();
                line.media_open = result.is_ok();
                self.opened += usize::from(result.is_ok());
                if !self.faults.media_never_opens {
                    self.later(1, Happening::Give(Input::MediaOpened { call, result }));
                }
            }
            Output::Record(attempt) => {
                let call = attempt.call;
                let line = self.lines.get_mut(&call).expect("media was opened first");
                assert!(!line.recorded, "an attempt is recorded once");
                line.recorded = true;
                match (self.faults.store_hangs, self.faults.store_fails) {
                    (true, _) => {}
                    (_, true) => self.later(5, Happening::Give(Input::RecordFailed { call })),
                    _ => self.later(5, Happening::Give(Input::Recorded { call })),
                }
            }
            Output::Sip(Command::Invite { call, trunk, callee, media, .. }) => {
                self.invites.push((now, call.0, trunk.0));
                assert_eq!(media.address.port(), 20_000);
                let phone = self.phones.get(callee.as_str()).cloned().unwrap_or_default();
                let busy = self.lines.values().any(|line| line.live && line.number == callee.as_str());
                assert!(!busy, "two calls ring one number");
                let line = self.lines.get_mut(&call).expect("media was opened first");
                assert!(line.recorded && !line.live && line.trunk.is_none(), "one INVITE, after the record");
                line.live = true;
                line.number = callee.as_str().to_owned();
                line.trunk = Some(trunk);
                line.phone = phone.clone();
                for (at, event) in phone.provisional {
                    self.later(at, Happening::Sip(call, event));
                }
                if let Some((at, end)) = phone.refuses {
                    self.later(at, Happening::Sip(call, CallEvent::Ended(end)));
                }
                if let Some(at) = phone.answers {
                    let media = negotiated(Direction::SendRecv, Codec::Pcmu);
                    self.later(at, Happening::Sip(call, CallEvent::Answered { media }));
                }
            }
            Output::Sip(Command::Hangup { call, .. }) => {
                self.hangups.push((now, call.0));
                let Some(line) = self.lines.get(&call).filter(|line| line.live) else { return };
                if self.faults.user_agent_forgets_hangups {
                    return;
                }
                let (reason, status) = match line.answered {
                    true => (EndReason::HungUp, None),
                    false => (EndReason::Cancelled, Some(487)),
                };
                if line.phone.answers_into_cancel && !line.answered {
                    let media = negotiated(Direction::SendRecv, Codec::Pcmu);
                    self.later(10, Happening::Sip(call, CallEvent::Answered { media }));
                    return;
                }
                self.later(20, Happening::Sip(call, CallEvent::Ended(end(reason, call_end::Party::Us, status, None))));
            }
            Output::Sip(other) => panic!("{other:?}"),
            Output::Media { call, command } => {
                assert!(self.lines[&call].answered, "nothing is sent before the answer");
                self.media_commands.push((call.0, command.clone()));
                self.media_command(call, command);
            }
            Output::CloseMedia { call } => {
                // Also for one that was opened behind the dialer's back.
                let Some(line) = self.lines.get_mut(&call) else { return };
                line.playing = None;
                if std::mem::take(&mut line.media_open) {
                    self.closed += 1;
                    if !self.faults.media_never_closes {
                        let report = AudioReport { sent: 7, heard: Some(vec![0; 160]), ..AudioReport::default() };
                        self.later(3, Happening::Give(Input::MediaClosed { call, report }));
                    }
                }
            }
            Output::Timeline(progress) => {
                assert!(!self.over.contains(&progress.call), "a step after the end");
                self.steps.push((now, progress.call.0, progress.step));
            }
            Output::Released { call } => {
                assert!(self.over.insert(call), "{call:?} ended twice");
                assert!(!self.lines.get(&call).is_some_and(|line| line.recorded), "a recorded job was handed back");
                self.released.push(call.0);
            }
            Output::Ended(outcome) => {
                assert!(self.over.insert(outcome.call), "{:?} ended twice", outcome.call);
                assert_eq!(outcome.dialled, self.lines.get(&outcome.call).is_some_and(|line| line.trunk.is_some()));
                if let Some(line) = self.lines.get_mut(&outcome.call) {
                    // Only a user agent that has lost a call leaves one behind.
                    assert!(!line.live || self.faults.user_agent_forgets_hangups, "a call outlives its outcome");
                    line.live = false;
                }
                assert_eq!(outcome.reason, outcome.delivery.reason);
                assert_eq!(outcome.reason == Reason::Delivered, outcome.delivery.readings_completed > 0);
                self.outcomes.insert(outcome.call.0, *outcome);
            }
            Output::Timeout(_) => unreachable!("handled by the caller"),
        }
    }

    fn media_command(&mut self, call: CallId, command: MediaCommand) {
        let now = self.now;
        let line = self.lines.get_mut(&call).expect("it is open");
        match command {
            MediaCommand::Start(_) => {
                if let Some(at) = line.phone.first_packet {
                    self.later(at, Happening::Give(Input::Media { call, event: MediaEvent::FirstPacket }));
                }
            }
            MediaCommand::Play { playlist } => {
                line.playing = Some((now, reports(&playlist)));
                self.play_on(call);
            }
            MediaCommand::Update(config) => {
                let held = !matches!(config.direction, Direction::SendRecv | Direction::SendOnly);
                if held == line.held {
                    return;
                }
                line.held = held;
                line.generation += 1;
                if let Some((since, reports)) = &mut line.playing {
                    if held {
                        let elapsed = now.saturating_duration_since(*since);
                        reports.iter_mut().for_each(|(at, _)| *at = at.saturating_sub(elapsed));
                    }
                    *since = now;
                }
                self.play_on(call);
            }
            other => panic!("{other:?}"),
        }
    }

    fn play_on(&mut self, call: CallId) {
        let line = self.lines.get_mut(&call).expect("it is open");
        line.generation += 1;
        if line.held || self.faults.playout_stands {
            return;
        }
        let Some((since, reports)) = &line.playing else { return };
        if let Some((at, _)) = reports.front() {
            let (at, generation) = (*since + *at, line.generation);
            self.sequence += 1;
            self.schedule.insert((at, self.sequence), Happening::Playout(call, generation));
        }
    }

    fn later(&mut self, millis: u64, happening: Happening) {
        self.sequence += 1;
        self.schedule.insert((self.now + Duration::from_millis(millis), self.sequence), happening);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Give(input) => self.give(input),
            Happening::Sip(call, event) => self.sip(call, event),
            Happening::Playout(call, generation) => {
                let line = self.lines.get_mut(&call).expect("it is open");
                if generation != line.generation {
                    return;
                }
                let Some((_, event)) = line.playing.as_mut().and_then(|(_, reports)| reports.pop_front()) else {
                    return;
                };
                self.play_on(call);
                self.give(Input::Media { call, event });
            }
        }
    }

    /// An event of the user agent, which tells nothing of a call after its end.
    pub fn sip(&mut self, call: CallId, event: CallEvent) {
        let Some(line) = self.lines.get_mut(&call).filter(|line| line.live) else { return };
        match &event {
            CallEvent::Answered { .. } if !line.answered => {
                line.answered = true;
                let phone = line.phone.clone();
                for (at, digit) in phone.presses {
                    self.later(at, Happening::Give(Input::Media { call, event: MediaEvent::Digit { digit } }));
                }
                for (at, direction) in phone.changes {
                    let media = negotiated(direction, Codec::Pcmu);
                    self.later(at, Happening::Sip(call, CallEvent::MediaChanged { media }));
                }
                if let Some(at) = phone.hangs_up {
                    let end = end(EndReason::HungUp, call_end::Party::Callee, None, Some(16));
                    self.later(at, Happening::Sip(call, CallEvent::Ended(end)));
                }
            }
            CallEvent::Ended(_) => line.live = false,
            _ => {}
        }
        self.give(Input::Sip { call, event });
    }

    /// Lets time pass up to `millis` since the start.
    pub fn run_until(&mut self, millis: u64) {
        let end = Instant::ZERO + Duration::from_millis(millis);
        loop {
            let next = self.schedule.first_key_value().map(|(key, _)| *key).filter(|(at, _)| *at <= end);
            let wake = self.wake.filter(|at| *at <= end);
            match (next, wake) {
                (Some((at, sequence)), wake) if wake.is_none_or(|wake| at <= wake) => {
                    self.now = at;
                    let happening = self.schedule.remove(&(at, sequence)).expect("just seen");
                    self.happen(happening);
                }
                (_, Some(wake)) => {
                    self.now = wake;
                    self.give(Input::Timeout);
                }
                (_, None) => break,
            }
        }
        self.now = end;
    }

    /// Lets everything end, and checks that nothing is left.
    pub fn run_out(&mut self) {
        let end = self.millis() + 3_600_000;
        self.run_until(end);
        assert!(self.dialer.is_idle(), "{:?}", self.dialer);
        assert_eq!(self.wake, None, "a timer is left");
        assert_eq!(self.dialer.trunks.calls(), 0, "a channel is left");
        assert!(self.dialer.numbers.is_empty(), "a number is left");
        assert!(self.lines.values().all(|line| !line.media_open), "a media session is left");
    }

    pub fn millis(&self) -> u64 {
        self.now.as_nanos() / 1_000_000
    }

    pub fn outcome(&self, call: u64) -> &Outcome {
        self.outcomes.get(&call).unwrap_or_else(|| panic!("call {call} has not ended: {:?}", self.dialer))
    }

    /// The steps of one call, as their words.
    pub fn words(&self, call: u64) -> Vec<&'static str> {
        self.steps.iter().filter(|(_, of, _)| *of == call).map(|(_, _, step)| step.name()).collect()
    }

    /// When a step of that word came first.
    pub fn when(&self, call: u64, word: &str) -> u64 {
        let found = self.steps.iter().find(|(_, of, step)| *of == call && step.name() == word);
        found.unwrap_or_else(|| panic!("no {word} in {:?}", self.words(call))).0
    }
}

/// Whether the code stands in `text`; a longer number that happens to hold its digits is not the code.
fn tells_code(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_digit()).any(|number| number == CODE)
}

/// What a media session will report of a playlist, with offsets from its start.
fn reports(playlist: &Playlist) -> VecDeque<(Duration, MediaEvent)> {
    let mut at = Duration::ZERO;
    let mut reports = VecDeque::new();
    for segment in &playlist.segments {
        at += match &segment.audio {
            SegmentAudio::Prompt(prompt) => {
                Duration::from_millis(20) * u32::try_from(prompt.frame_count()).expect("short")
            }
            SegmentAudio::Silence(silence) => *silence,
        };
        if let Some(mark) = segment.mark {
            reports.push_back((at, MediaEvent::Reached { playlist: playlist.id, mark }));
        }
    }
    reports.push_back((at, MediaEvent::Finished { playlist: playlist.id }));
    reports
}
