//! The dispatcher with the real dialer and store, a made-up carrier, and media that plays in no time.

use std::sync::Mutex;

use tokio::sync::{broadcast, oneshot, watch};

use super::*;
use crate::base::random::Random;
use crate::dialer::{DialTrunk, DialerConfig};
use crate::otp::{CallPolicy, Limits, OtpPolicy, Reason};
use crate::service::call_link::{TrunkStates, call_link};
use crate::service::otp_service::{OtpService, ServiceSettings};
use crate::service::types::{
    CallDetail, CallFilter, CallProgress, CallStatus, CancelAnswer, Page, PlaceCall, PlaceCallError,
};
use crate::sip::call_end::{CallEnd, EndReason, Party};
use crate::sip::offer_answer::{Direction, NegotiatedMedia};
use crate::sip::registration::RegistrationState;
use crate::sip::user_agent::{CallEvent, TrunkId};
use crate::speech::pack::tests::shipped_shared;
use crate::wire::codec::Codec;

/// Opens sockets that do not exist, and has played what it is told to before anybody can ask.
struct Loudspeaker {
    events: mpsc::Sender<EngineEvent>,
}

impl MediaDriver for Loudspeaker {
    fn open(&self, call: CallKey) -> Result<SocketAddr, MediaUnavailable> {
        Ok(SocketAddr::from(([127, 0, 0, 1], 20_000 + 2 * u16::try_from(call).unwrap())))
    }

    fn command(&self, call: CallKey, command: media_session::Command) {
        let media_session::Command::Play { playlist } = command else { return };
        let id = playlist.id;
        let marks = playlist.segments.iter().filter_map(|segment| segment.mark);
        let reached = marks.map(|mark| media_session::Event::Reached { playlist: id, mark });
        for event in reached.chain([media_session::Event::Finished { playlist: id }]) {
            self.events.try_send(EngineEvent::Media { call, event }).unwrap();
        }
    }

    fn close(&self, call: CallKey) {
        self.events.try_send(EngineEvent::Closed { call, report: AudioReport::default() }).unwrap();
    }
}

/// What the carrier does with a number, told by its last digit.
///
/// `1` busy, `2` rings until it is hung up, any other answers.
struct Carrier {
    events: mpsc::Sender<Event>,
    store: Store,
    log: Arc<Mutex<Vec<String>>>,
    ringing: HashMap<CallId, bool>,
    register: bool,
}

impl Carrier {
    async fn run(mut self, mut orders: mpsc::Receiver<Command>) {
        while let Some(order) = orders.recv().await {
            match order {
                Command::Start if self.register => {
                    let until = Instant::from_nanos(u64::MAX);
                    let state = RegistrationState::Registered { until };
                    self.tell(Event::Registration { trunk: TrunkId(1), state }).await;
                }
                Command::Start => {}
                Command::Invite { call, callee, .. } => self.invite(call, callee.as_str()).await,
                Command::Hangup { call, .. } => self.hangup(call).await,
                Command::Stop => {
                    self.write("stop");
                    self.tell(Event::Stopped).await;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    async fn invite(&mut self, call: CallId, callee: &str) {
        self.write(format!("invite {callee}"));
        // The attempt is on disk before the INVITE leaves.
        let filter = crate::store::Filter { status: Some(CallStatus::InProcess), number: None };
        let (_, running) = self.store.page("ann", &filter, 0, 100).await.unwrap();
        assert!(running.iter().any(|row| row.phone.ends_with(callee.trim_start_matches('+'))), "{callee}");
        match callee.as_bytes().last() {
            Some(b'1') => {
                let end = CallEnd { sip_status: Some(486), ..CallEnd::plain(EndReason::Busy, Party::Callee) };
                self.call(call, CallEvent::Ended(end)).await;
            }
            last => {
                self.call(call, CallEvent::Ringing { status: 180 }).await;
                let answers = last != Some(&b'2');
                self.ringing.insert(call, !answers);
                if answers {
                    let media = NegotiatedMedia {
                        remote: SocketAddr::from(([127, 0, 0, 1], 4000)),
                        signalled_by: std::net::IpAddr::from([127, 0, 0, 1]),
                        codec: Codec::Pcmu,
                        send_payload_type: 0,
                        receive_payload_type: 0,
                        telephone_event: None,
                        direction: Direction::SendRecv,
                        ptime_ms: 20,
                    };
                    self.call(call, CallEvent::Answered { media }).await;
                }
            }
        }
    }

    async fn hangup(&mut self, call: CallId) {
        if let Some(ringing) = self.ringing.remove(&call) {
            self.write("hangup");
            let reason = if ringing { EndReason::Cancelled } else { EndReason::HungUp };
            self.call(call, CallEvent::Ended(CallEnd::plain(reason, Party::Us))).await;
        }
    }

    async fn call(&self, call: CallId, event: CallEvent) {
        self.tell(Event::Call { call, event }).await;
    }

    async fn tell(&self, event: Event) {
        self.events.send(event).await.unwrap();
    }

    fn write(&self, line: impl Into<String>) {
        self.log.lock().unwrap().push(line.into());
    }
}

struct Bench {
    service: OtpService,
    store: Store,
    log: Arc<Mutex<Vec<String>>>,
    progress: broadcast::Receiver<CallProgress>,
    stop: Option<oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<()>,
    folder: tempfile::TempDir,
}

#[derive(Clone, Copy)]
struct Setup {
    register: bool,
    max_calls: u32,
    max_queue: usize,
    drain_limit: Duration,
}

const SETUP: Setup = Setup { register: false, max_calls: 100, max_queue: 100, drain_limit: Duration::from_secs(30) };

impl Bench {
    async fn start(setup: Setup) -> Self {
        Self::start_in(setup, tempfile::tempdir().unwrap()).await
    }

    async fn start_in(setup: Setup, folder: tempfile::TempDir) -> Self {
        let clock = Clock::start();
        let url = format!("sqlite:{}", folder.path().join("t.db").display());
        let store = Store::open(&url, Random::from_seed(1), clock.unix_now()).await.unwrap();
        store.recover(clock.unix_now()).await.unwrap();
        let trunks = vec![DialTrunk {
            id: TrunkId(1),
            name: "lab".to_owned(),
            register: setup.register,
            priority: 1,
            cps: 1000,
            max_calls: setup.max_calls,
        }];
        let (link, driver) = call_link(TrunkStates::new(&trunks));
        let limits = Limits::home_only("VN".parse().unwrap());
        let settings = ServiceSettings { users: Vec::new(), otp: OtpPolicy::default(), limits };
        let service = OtpService::new(settings, store.clone(), link, clock.clone(), Random::from_seed(2));
        let policy = CallPolicy {
            answer_settle: Duration::from_millis(20),
            listen_window: Duration::from_millis(20),
            ..CallPolicy::default()
        };
        let config = DialerConfig {
            trunks,
            policy,
            codecs: vec![Codec::Pcmu],
            max_calls: 100,
            max_queue: setup.max_queue,
            trunk_wait: Duration::from_secs(30),
        };
        let dialer = Dialer::new(clock.now(), clock.unix_now(), config, shipped_shared(), Random::from_seed(3));
        let (sip, orders) = mpsc::channel(2);
        let (sip_sink, sip_events) = mpsc::channel(2);
        let (media_sink, media_events) = mpsc::channel(10_000);
        let log = Arc::new(Mutex::new(Vec::new()));
        let carrier = Carrier {
            events: sip_sink,
            store: store.clone(),
            log: Arc::clone(&log),
            ringing: HashMap::new(),
            register: setup.register,
        };
        tokio::spawn(carrier.run(orders));
        let progress = service.progress();
        let (stop, stopped) = oneshot::channel();
        let dispatcher = Dispatcher {
            dialer,
            store: store.clone(),
            clock,
            link: driver,
            sip,
            sip_events,
            media: Loudspeaker { events: media_sink },
            media_events,
            drain_limit: setup.drain_limit,
        };
        let task = tokio::spawn(dispatcher.run(
            async move {
                let _ = stopped.await;
            },
            std::future::pending(),
        ));
        Bench { service, store, log, progress, stop: Some(stop), task, folder }
    }

    async fn place(&self, number: &str) -> i64 {
        let request = PlaceCall { number: number.into(), ..PlaceCall::default() };
        self.service.place_call(&ann(), request).await.unwrap().id
    }

    /// Waits until a call has got to `step`.
    async fn until(&mut self, id: i64, step: &str) -> CallProgress {
        let wait = async {
            loop {
                let progress = self.progress.recv().await.unwrap();
                if progress.call_id == id && progress.entry.event == step {
                    return progress;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap_or_else(|_| panic!("call {id}: no {step}"))
    }

    async fn detail(&self, id: i64) -> CallDetail {
        self.service.get_call(&ann(), id).await.unwrap().unwrap()
    }

    fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    async fn stopped(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(20), &mut self.task).await.unwrap().unwrap();
    }
}

fn ann() -> UserId {
    UserId::new("ann")
}

#[tokio::test]
async fn a_call_runs_from_its_request_to_its_record() {
    let mut bench = Bench::start(SETUP).await;
    let id = bench.place("0919273020").await;
    let last = bench.until(id, "ended").await;
    assert_eq!(last.entry.detail, json!({ "reason": "delivered", "party": "us" }));
    let detail = bench.detail(id).await;
    assert_eq!((detail.record.status, detail.record.num_attempt), (CallStatus::Success, 1));
    let delivery = detail.delivery.unwrap();
    assert_eq!((delivery.readings_completed, delivery.digits_read, delivery.trunk.as_deref()), (1, 6, Some("lab")));
    assert!(delivery.answered_at.is_some());
    let steps: Vec<_> = detail.timeline.iter().map(|entry| entry.event.as_str()).collect();
    assert_eq!(steps[..5], ["dialing", "ringing", "answered", "reading_started", "digit_read"]);
    assert_eq!(detail.timeline[4].detail, json!({ "reading": 1, "index": 1, "of": 6 }));
    assert_eq!(steps.last(), Some(&"ended"));
    assert_eq!(bench.log()[0], "invite +84919273020");
}

#[tokio::test]
async fn a_refused_call_says_why() {
    let mut bench = Bench::start(SETUP).await;
    let id = bench.place("0919273021").await;
    bench.until(id, "ended").await;
    let detail = bench.detail(id).await;
    let delivery = detail.delivery.unwrap();
    assert_eq!(
        (detail.record.status, delivery.reason, delivery.sip_status),
        (CallStatus::Failure, Reason::Busy, Some(486))
    );
}

#[tokio::test]
async fn cancelling_hangs_up_what_rings() {
    let mut bench = Bench::start(SETUP).await;
    let id = bench.place("0919273022").await;
    bench.until(id, "ringing").await;
    assert_eq!(bench.service.cancel_call(&ann(), id).await.unwrap(), CancelAnswer::HangingUp);
    let last = bench.until(id, "ended").await;
    assert_eq!(last.entry.detail, json!({ "reason": "cancelled", "party": "caller" }));
    assert_eq!(bench.log(), ["invite +84919273022", "hangup"]);
}

#[tokio::test]
async fn cancelling_takes_out_of_the_queue_what_waits() {
    let mut bench = Bench::start(Setup { max_calls: 1, ..SETUP }).await;
    let first = bench.place("0919273022").await;
    bench.until(first, "ringing").await;
    let [second, third] = [bench.place("0919273030").await, bench.place("0919273040").await];
    assert_eq!(bench.service.cancel_call(&ann(), second).await.unwrap(), CancelAnswer::Cancelled);
    bench.service.cancel_call(&ann(), first).await.unwrap();
    bench.until(third, "ended").await;
    assert_eq!(bench.log(), ["invite +84919273022", "hangup", "invite +84919273040", "hangup"]);
}

#[tokio::test]
async fn a_request_that_has_ended_in_the_store_is_not_dialled_whatever_the_dialer_believes() {
    let mut bench = Bench::start(SETUP).await;
    let first = bench.place("0919273022").await;
    let second = bench.place("0919273022").await;
    // Requests come in order: when the third has been called, the dialer holds the second back for its number.
    let third = bench.place("0919273030").await;
    bench.until(third, "ended").await;
    bench.store.cancel("ann", second, Clock::start().unix_now()).await.unwrap();
    bench.service.cancel_call(&ann(), first).await.unwrap();
    bench.until(first, "ended").await;
    let fourth = bench.place("0919273022").await;
    bench.until(fourth, "ringing").await;
    let dialled = bench.log().iter().filter(|line| *line == "invite +84919273022").count();
    assert_eq!((dialled, bench.detail(second).await.record.num_attempt), (2, 0));
}

#[tokio::test]
async fn more_requests_than_memory_holds_are_all_called_once_and_in_order() {
    const CALLS: usize = 200;
    let mut bench = Bench::start(Setup { max_queue: 2, max_calls: 1, ..SETUP }).await;
    let mut last = 0;
    for n in 0..CALLS {
        last = bench.place(&format!("09192{n:04}1")).await;
    }
    bench.until(last, "ended").await;
    let expected: Vec<_> = (0..CALLS).map(|n| format!("invite +849192{n:04}1")).collect();
    assert_eq!(bench.log(), expected);
}

#[tokio::test]
async fn a_stop_lets_calls_end_and_leaves_the_rest_for_the_next_start() {
    let mut bench = Bench::start(Setup { max_calls: 1, ..SETUP }).await;
    let running = bench.place("0919273020").await;
    bench.until(running, "answered").await;
    let waiting = bench.place("0919273030").await;
    bench.stopped().await;
    assert_eq!(bench.log(), ["invite +84919273020", "hangup", "stop"]);
    assert_eq!(bench.detail(running).await.record.status, CallStatus::Success);
    assert_eq!(bench.detail(waiting).await.record.status, CallStatus::Pending);
    let request = PlaceCall { number: "0919273040".into(), ..PlaceCall::default() };
    assert!(matches!(bench.service.place_call(&ann(), request).await, Err(PlaceCallError::ShuttingDown)));

    bench.store.close().await;
    let Bench { folder, store, service, .. } = bench;
    drop((store, service));
    let mut bench = Bench::start_in(SETUP, folder).await;
    bench.until(waiting, "ended").await;
    assert_eq!(bench.log(), ["invite +84919273030", "hangup"]);
}

#[tokio::test]
async fn a_stop_hangs_up_what_runs_too_long() {
    let mut bench = Bench::start(Setup { drain_limit: Duration::from_millis(50), ..SETUP }).await;
    let id = bench.place("0919273022").await;
    bench.until(id, "ringing").await;
    bench.stopped().await;
    assert_eq!(bench.log(), ["invite +84919273022", "hangup", "stop"]);
    let detail = bench.detail(id).await;
    assert_eq!((detail.record.status, detail.delivery.unwrap().reason), (CallStatus::Failure, Reason::Interrupted));
}

#[tokio::test]
async fn calls_are_taken_once_a_trunk_is_registered() {
    let mut bench = Bench::start(Setup { register: true, ..SETUP }).await;
    let mut trunks: watch::Receiver<TrunkStates> = bench.service.trunks();
    trunks.wait_for(TrunkStates::usable).await.unwrap();
    let id = bench.place("0919273021").await;
    bench.until(id, "ended").await;
    let page = bench.service.list_calls(&ann(), &CallFilter::default(), Page { number: 1, size: 10 }).await.unwrap();
    assert_eq!(page.count, 1);
}

#[tokio::test]
async fn a_user_agent_that_dies_stops_the_dispatcher() {
    let mut bench = Bench::start(SETUP).await;
    // The made-up carrier panics at an order that nobody gives; closing its orders is the same to the dispatcher.
    let (sip, orders) = mpsc::channel(1);
    drop(orders);
    let (_sink, sip_events) = mpsc::channel(1);
    let (media_sink, media_events) = mpsc::channel(1);
    let clock = Clock::start();
    let config = DialerConfig {
        trunks: Vec::new(),
        policy: CallPolicy::default(),
        codecs: vec![Codec::Pcmu],
        max_calls: 1,
        max_queue: 1,
        trunk_wait: Duration::from_secs(1),
    };
    let dialer = Dialer::new(clock.now(), clock.unix_now(), config, shipped_shared(), Random::from_seed(3));
    let (link, driver) = call_link(TrunkStates::default());
    let dispatcher = Dispatcher {
        dialer,
        store: bench.store.clone(),
        clock,
        link: driver,
        sip,
        sip_events,
        media: Loudspeaker { events: media_sink },
        media_events,
        drain_limit: Duration::from_secs(1),
    };
    let run = dispatcher.run(std::future::pending(), std::future::pending());
    tokio::time::timeout(Duration::from_secs(20), run).await.unwrap();
    assert!(link.trunks.borrow().stopping);
    bench.stopped().await;
}
