//! All phones of the lab and their calls: a machine between the carrier's signalling and the media engine.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::base::random::Random;
use crate::base::secret::Masked;
use crate::base::time::Instant;
use crate::lab::carrier::{Signal, dialled};
use crate::lab::event::{HeardCall, LabEvent};
use crate::lab::phone::{self, Phone, PhoneSettings, Refusal};
use crate::media::audio_report::AudioReport;
use crate::media::media_session::{self, SessionConfig};
use crate::media::playlist::{Playlist, Segment, SegmentAudio};
use crate::media::speech_detector::HANGOVER;
use crate::sip::call_end::{CallEnd, EndReason, Party};
use crate::sip::message::{HeaderName, HeaderValue, Reason, Request};
use crate::sip::offer_answer::{LocalMedia, NegotiatedMedia, TELEPHONE_EVENT_PAYLOAD_TYPE};
use crate::sip::user_agent::{self, CallEvent, CallId, Command, Q850};
use crate::speech::EncodedPrompt;
use crate::wire::codec::Codec;

/// How long a key is held.
const KEY_HELD: Duration = Duration::from_millis(160);

/// What a phone's refusal becomes when its media cannot be opened.
const NO_MEDIA: Refusal = Refusal { status: 503, cause: 47, text: "Resource unavailable" };

/// What the phones are like.
pub struct Settings {
    /// What each does.
    pub phones: PhoneSettings,
    /// The codecs that they speak, most wanted first.
    pub codecs: Vec<Codec>,
    /// What a mailbox says, in each codec.
    pub greeting: Vec<(Codec, EncodedPrompt)>,
}

/// What the exchange is given.
#[derive(Debug)]
pub enum Input {
    /// From the carrier.
    Signal(Signal),
    /// The media session that was asked for is there; `None` when it could not be had.
    MediaOpened {
        /// The call.
        call: CallId,
        /// Where its RTP socket is reachable.
        address: Option<SocketAddr>,
    },
    /// From a media session.
    Media {
        /// The call.
        call: CallId,
        /// What.
        event: media_session::Event,
    },
    /// A media session is closed.
    MediaClosed {
        /// The call.
        call: CallId,
        /// What it did and heard.
        report: AudioReport,
    },
    /// The time of the last [`Output::Timeout`] has come.
    Timeout,
}

/// What the exchange wants done.
#[derive(Debug)]
pub enum Output {
    /// For the carrier's user agent.
    Sip(Command),
    /// Open a media session; [`Input::MediaOpened`] is the answer.
    OpenMedia(CallId),
    /// For a media session.
    Media {
        /// The call.
        call: CallId,
        /// What.
        command: media_session::Command,
    },
    /// Close a media session; [`Input::MediaClosed`] is the answer.
    CloseMedia(CallId),
    /// Tell whoever watches.
    Event(LabEvent),
    /// Drained; wake it then.
    Timeout(Option<Instant>),
}

/// The machine.
pub struct Exchange {
    settings: Settings,
    random: Random,
    calls: BTreeMap<CallId, Call>,
    outputs: VecDeque<Output>,
}

struct Call {
    number: Masked,
    phone: Phone,
    wake: Option<Instant>,
    codec: Option<Codec>,
    media: Media,
    end: Option<CallEnd>,
}

/// How far a call's media session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Media {
    None,
    Opening,
    Open,
    Started,
}

impl Exchange {
    /// An exchange without calls.
    pub fn new(settings: Settings, random: Random) -> Self {
        Exchange { settings, random, calls: BTreeMap::new(), outputs: VecDeque::new() }
    }

    /// Takes what happened at `now`. Drain [`Exchange::poll_output`] before the next input.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        match input {
            Input::Signal(Signal::Registrar(change)) => self.tell(LabEvent::Registrar(change)),
            Input::Signal(Signal::Forwarded { number }) => self.tell(LabEvent::Forwarded { number }),
            Input::Signal(Signal::Phones(user_agent::Event::IncomingCall { call, request, .. })) => {
                self.call_comes_in(now, call, &request);
            }
            Input::Signal(Signal::Phones(user_agent::Event::Call { call, event })) => self.call_event(now, call, event),
            // The phones register nowhere, and the agent keeps other requests to itself.
            Input::Signal(Signal::Phones(_)) => {}
            Input::MediaOpened { call, address } => self.media_opened(call, address),
            Input::Media { call, event } => self.media_event(now, call, &event),
            Input::MediaClosed { call, report } => self.conclude(call, Some(report)),
            Input::Timeout => {
                let due = self.calls.iter().filter(|(_, call)| call.wake.is_some_and(|wake| wake <= now));
                let due: Vec<CallId> = due.map(|(call, _)| *call).collect();
                due.into_iter().for_each(|call| self.give(now, call, phone::Input::Timeout));
            }
        }
    }

    /// What to do next; call until it says [`Output::Timeout`].
    pub fn poll_output(&mut self) -> Output {
        let wake = || self.calls.values().filter_map(|call| call.wake).min();
        let next = self.outputs.pop_front();
        next.unwrap_or_else(|| Output::Timeout(wake()))
    }

    fn call_comes_in(&mut self, now: Instant, call: CallId, request: &Request) {
        let number = Masked::from(dialled(request));
        let caller = request.headers().from().ok().and_then(|from| from.uri.as_sip()?.user.clone());
        let phone = Phone::new(&number, &self.settings.phones);
        self.tell(LabEvent::Incoming { call, number: number.clone(), caller });
        let state = Call { number, phone, wake: None, codec: None, media: Media::None, end: None };
        self.calls.insert(call, state);
        self.give(now, call, phone::Input::Call);
    }

    fn call_event(&mut self, now: Instant, call: CallId, event: CallEvent) {
        match event {
            CallEvent::Answered { media } => {
                let Some(state) = self.calls.get_mut(&call).filter(|state| state.media == Media::Open) else { return };
                (state.codec, state.media) = (Some(media.codec), Media::Started);
                let command = media_session::Command::Start(session(&media));
                self.outputs.push_back(Output::Media { call, command });
                self.outputs.push_back(Output::Media { call, command: media_session::Command::WatchSpeech });
                self.tell(LabEvent::Answered { call, codec: media.codec });
                self.give(now, call, phone::Input::Answered);
            }
            CallEvent::MediaChanged { media } => {
                let Some(state) = self.calls.get_mut(&call).filter(|state| state.media == Media::Started) else {
                    return;
                };
                state.codec = Some(media.codec);
                let command = media_session::Command::Update(session(&media));
                self.outputs.push_back(Output::Media { call, command });
            }
            CallEvent::Ended(end) => {
                let Some(state) = self.calls.get_mut(&call) else { return };
                state.end = Some(end);
                state.wake = None;
                match state.media {
                    Media::None => self.conclude(call, None),
                    // It is closed as soon as it is there.
                    Media::Opening => {}
                    Media::Open | Media::Started => self.outputs.push_back(Output::CloseMedia(call)),
                }
            }
            // What a phone that calls would hear.
            CallEvent::Trying | CallEvent::Ringing { .. } | CallEvent::EarlyMedia { .. } => {}
        }
    }

    fn media_opened(&mut self, call: CallId, address: Option<SocketAddr>) {
        let Some(state) = self.calls.get_mut(&call) else {
            return self.outputs.extend(address.map(|_| Output::CloseMedia(call)));
        };
        state.media = if address.is_some() { Media::Open } else { Media::None };
        match (address, state.end.is_some()) {
            (Some(_), true) => self.outputs.push_back(Output::CloseMedia(call)),
            (None, true) => self.conclude(call, None),
            (None, false) => self.outputs.push_back(Output::Sip(reject(call, NO_MEDIA))),
            (Some(address), false) => {
                let media = LocalMedia {
                    address,
                    codecs: self.settings.codecs.clone(),
                    // RFC 8866 §5.2: numeric; some peers read it into 63 bits.
                    session_id: self.random.u64() >> 1,
                    version: 1,
                    telephone_event: TELEPHONE_EVENT_PAYLOAD_TYPE,
                };
                self.outputs.push_back(Output::Sip(Command::Answer { call, media }));
            }
        }
    }

    fn media_event(&mut self, now: Instant, call: CallId, event: &media_session::Event) {
        if let media_session::Event::Speech { speaking } = *event {
            self.tell(LabEvent::Speech { call, speaking });
            self.give(now, call, phone::Input::Speech { speaking, hangover: HANGOVER });
        }
    }

    /// Gives `input` to a phone and does what it wants.
    fn give(&mut self, now: Instant, call: CallId, input: phone::Input) {
        let Some(state) = self.calls.get_mut(&call).filter(|state| state.end.is_none()) else { return };
        state.phone.handle_input(now, input);
        let mut wanted = Vec::new();
        loop {
            match state.phone.poll_output() {
                phone::Output::Timeout(wake) => {
                    state.wake = wake;
                    break;
                }
                output => wanted.push(output),
            }
        }
        wanted.into_iter().for_each(|output| self.act(call, output));
    }

    fn act(&mut self, call: CallId, wanted: phone::Output) {
        match wanted {
            phone::Output::Ring => {
                self.outputs.push_back(Output::Sip(Command::Provisional { call, status: 180, with_media: None }));
                self.tell(LabEvent::Ringing { call });
            }
            phone::Output::Refuse(refusal) => self.outputs.push_back(Output::Sip(reject(call, refusal))),
            phone::Output::Answer => {
                if let Some(state) = self.calls.get_mut(&call) {
                    state.media = Media::Opening;
                    self.outputs.push_back(Output::OpenMedia(call));
                }
            }
            phone::Output::Speak => {
                let codec = self.calls.get(&call).and_then(|state| state.codec);
                let greeting = self.settings.greeting.iter().find(|(of, _)| Some(*of) == codec);
                if let Some((_, greeting)) = greeting {
                    let segment = Segment { audio: SegmentAudio::Prompt(greeting.clone()), mark: None };
                    let playlist = Playlist { id: 1, segments: vec![segment] };
                    let command = media_session::Command::Play { playlist };
                    self.outputs.push_back(Output::Media { call, command });
                }
            }
            phone::Output::Press(digit) => {
                let command = media_session::Command::SendDigit { digit, duration: KEY_HELD };
                self.outputs.push_back(Output::Media { call, command });
                self.tell(LabEvent::Pressed { call, digit });
            }
            phone::Output::HangUp => {
                self.outputs.push_back(Output::Sip(Command::Hangup { call, cause: Some(Q850(16)) }));
            }
            // Taken by the caller.
            phone::Output::Timeout(_) => {}
        }
    }

    /// The call and its media are over.
    fn conclude(&mut self, call: CallId, mut report: Option<AudioReport>) {
        let Some(state) = self.calls.remove(&call) else { return };
        // Media ends before the call only when the engine stops.
        let end = state.end.unwrap_or_else(|| CallEnd::plain(EndReason::NetworkFailure, Party::Us));
        let pcm = report.as_mut().and_then(|report| report.heard.take()).unwrap_or_default();
        self.tell(LabEvent::Ended(Arc::new(HeardCall { call, number: state.number, end, report, pcm })));
    }

    fn tell(&mut self, event: LabEvent) {
        self.outputs.push_back(Output::Event(event));
    }
}

/// A phone keeps what it hears.
fn session(media: &NegotiatedMedia) -> SessionConfig {
    SessionConfig { record: true, ..SessionConfig::from_negotiated(media) }
}

fn reject(call: CallId, refusal: Refusal) -> Command {
    let reason = Reason::q850(refusal.cause, Some(refusal.text));
    let headers = vec![(HeaderName::Reason, HeaderValue::from(reason))];
    Command::Reject { call, status: refusal.status, headers }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::registrar::tests::request;
    use crate::sip::message::{Method, Uri};
    use crate::sip::offer_answer::{Direction, TelephoneEventFormat};

    const CALL: CallId = CallId(CallId::INCOMING | 1);

    fn address() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 30_000))
    }

    fn exchange() -> Exchange {
        let greeting = EncodedPrompt::new(Codec::Pcmu, vec![0; 1600].into());
        let settings = Settings {
            phones: PhoneSettings::default(),
            codecs: vec![Codec::Pcmu],
            greeting: vec![(Codec::Pcmu, greeting)],
        };
        Exchange::new(settings, Random::from_seed(1))
    }

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    /// Gives `input` and returns what is wanted, as text.
    fn wants(exchange: &mut Exchange, millis: u64, input: Input) -> Vec<Output> {
        exchange.handle_input(at(millis), input);
        let mut outputs = Vec::new();
        loop {
            match exchange.poll_output() {
                Output::Timeout(_) => return outputs,
                output => outputs.push(output),
            }
        }
    }

    fn incoming(number: &str) -> Input {
        let mut invite =
            Request::new(Method::Invite, Uri::parse(format!("sip:{number}@127.0.0.1").as_bytes()).unwrap());
        *invite.headers_mut() = request(Method::Invite, "ringcode", None, None).headers().clone();
        let event =
            user_agent::Event::IncomingCall { call: CALL, request: Box::new(invite), source: address(), offer: None };
        Input::Signal(Signal::Phones(event))
    }

    fn call_event(event: CallEvent) -> Input {
        Input::Signal(Signal::Phones(user_agent::Event::Call { call: CALL, event }))
    }

    fn negotiated() -> NegotiatedMedia {
        NegotiatedMedia {
            remote: address(),
            signalled_by: address().ip(),
            codec: Codec::Pcmu,
            send_payload_type: 0,
            receive_payload_type: 0,
            telephone_event: Some(TelephoneEventFormat {
                send_payload_type: 96,
                receive_payload_type: 101,
                clock_rate: 8000,
            }),
            direction: Direction::SendRecv,
            ptime_ms: 20,
        }
    }

    fn ended() -> Input {
        call_event(CallEvent::Ended(CallEnd::plain(EndReason::HungUp, Party::Caller)))
    }

    /// Up to the answer of the phone with `number`.
    fn answered(number: &str) -> (Exchange, Vec<Output>) {
        let mut exchange = exchange();
        let ringing = wants(&mut exchange, 0, incoming(number));
        assert!(matches!(ringing[1], Output::Sip(Command::Provisional { status: 180, .. })), "{ringing:?}");
        let opening = wants(&mut exchange, 500, Input::Timeout);
        assert!(matches!(opening[..], [Output::OpenMedia(CALL)]), "{opening:?}");
        let answering = wants(&mut exchange, 500, Input::MediaOpened { call: CALL, address: Some(address()) });
        let [Output::Sip(Command::Answer { media, .. })] = &answering[..] else { panic!("{answering:?}") };
        assert_eq!((media.address, &media.codecs[..]), (address(), &[Codec::Pcmu][..]));
        let outputs = wants(&mut exchange, 500, call_event(CallEvent::Answered { media: negotiated() }));
        let Output::Media { command: media_session::Command::Start(config), .. } = &outputs[0] else {
            panic!("{outputs:?}")
        };
        assert!(config.record);
        (exchange, outputs)
    }

    #[test]
    fn a_call_is_answered_heard_and_kept() {
        let (mut exchange, _) = answered("+84919270000");
        assert!(matches!(wants(&mut exchange, 9000, ended())[..], [Output::CloseMedia(CALL)]));
        let report = AudioReport {
            heard: Some([[7; 40], [0; 40], [8; 40]].concat()),
            pauses: vec![40..60, 60..80],
            ..AudioReport::default()
        };
        let over = wants(&mut exchange, 9000, Input::MediaClosed { call: CALL, report });
        let [Output::Event(LabEvent::Ended(heard))] = &over[..] else { panic!("{over:?}") };
        assert_eq!((heard.number.as_str(), heard.pcm.len()), ("+84919270000", 120));
        assert_eq!(heard.speech(), [[7; 40], [8; 40]].concat(), "a pause of the sender is no part of its words");
        assert_eq!(heard.report.as_ref().and_then(|report| report.heard.as_ref()), None, "kept once");
        assert!(exchange.calls.is_empty());
    }

    #[test]
    fn a_key_goes_out_as_media_and_is_told() {
        let (mut exchange, _) = answered("0919270001");
        let speech = |speaking| Input::Media { call: CALL, event: media_session::Event::Speech { speaking } };
        wants(&mut exchange, 1000, speech(true));
        wants(&mut exchange, 4000, speech(false));
        assert!(wants(&mut exchange, 5199, Input::Timeout).is_empty());
        let pressed = wants(&mut exchange, 5200, Input::Timeout);
        let [Output::Media { command, .. }, Output::Event(LabEvent::Pressed { digit: '1', .. })] = &pressed[..] else {
            panic!("{pressed:?}")
        };
        assert_eq!(*command, media_session::Command::SendDigit { digit: '1', duration: KEY_HELD });
    }

    #[test]
    fn a_refusal_carries_its_cause() {
        for (number, status, reason) in [
            ("0919270486", 486, "Q.850;cause=17;text=\"User busy\""),
            ("0919270503", 503, "Q.850;cause=34;text=\"No circuit/channel available\""),
        ] {
            let mut exchange = exchange();
            let refused = wants(&mut exchange, 0, incoming(number));
            let [_, Output::Sip(Command::Reject { status: sent, headers, .. })] = &refused[..] else {
                panic!("{refused:?}")
            };
            assert_eq!((*sent, headers[0].1.as_str()), (status, reason));
            let over = wants(&mut exchange, 0, ended());
            assert!(matches!(over[..], [Output::Event(LabEvent::Ended(_))]), "{over:?}");
        }
    }

    #[test]
    fn a_mailbox_speaks() {
        let (_, outputs) = answered("0919270200");
        let plays =
            |output: &Output| matches!(output, Output::Media { command: media_session::Command::Play { .. }, .. });
        assert_eq!(outputs.iter().filter(|output| plays(output)).count(), 1, "{outputs:?}");
    }

    #[test]
    fn a_call_that_ends_while_its_media_opens_closes_it() {
        let mut exchange = exchange();
        wants(&mut exchange, 0, incoming("0919270000"));
        wants(&mut exchange, 500, Input::Timeout);
        assert!(wants(&mut exchange, 500, ended()).is_empty());
        let late = wants(&mut exchange, 501, Input::MediaOpened { call: CALL, address: Some(address()) });
        assert!(matches!(late[..], [Output::CloseMedia(CALL)]), "{late:?}");
        let over = wants(&mut exchange, 502, Input::MediaClosed { call: CALL, report: AudioReport::default() });
        assert!(matches!(over[..], [Output::Event(LabEvent::Ended(_))]), "{over:?}");
    }

    #[test]
    fn without_media_the_call_is_refused() {
        let mut exchange = exchange();
        wants(&mut exchange, 0, incoming("0919270000"));
        wants(&mut exchange, 500, Input::Timeout);
        let refused = wants(&mut exchange, 500, Input::MediaOpened { call: CALL, address: None });
        assert!(matches!(refused[..], [Output::Sip(Command::Reject { status: 503, .. })]), "{refused:?}");
        let over = wants(&mut exchange, 500, ended());
        assert!(matches!(over[..], [Output::Event(LabEvent::Ended(_))]), "{over:?}");
    }

    #[test]
    fn a_caller_who_gives_up_ends_the_ringing() {
        let mut exchange = exchange();
        wants(&mut exchange, 0, incoming("0919270408"));
        assert!(wants(&mut exchange, 60_000, Input::Timeout).is_empty());
        assert!(matches!(wants(&mut exchange, 60_000, ended())[..], [Output::Event(LabEvent::Ended(_))]));
    }
}
