use super::*;
use crate::dialer::DialTrunk;
use crate::service::call_link::{CallLinkDriver, call_link};
use crate::sip::user_agent::TrunkId;
use crate::store::{Begin, End, PendingCall, Record};

struct Bench {
    service: OtpService,
    driver: CallLinkDriver,
    store: Store,
    _folder: tempfile::TempDir,
}

fn trunk(register: bool) -> DialTrunk {
    DialTrunk { id: TrunkId(1), name: "lab".to_owned(), register, priority: 1, cps: 1, max_calls: 1 }
}

impl Bench {
    async fn new() -> Self {
        Self::with_trunk(trunk(false)).await
    }

    async fn with_trunk(trunk: DialTrunk) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::start();
        let url = format!("sqlite:{}", folder.path().join("t.db").display());
        let store = Store::open(&url, Random::from_seed(1), clock.unix_now()).await.unwrap();
        let (link, driver) = call_link(TrunkStates::new(&[trunk]));
        let home = "VN".parse().unwrap();
        let settings =
            ServiceSettings { users: Vec::new(), otp: OtpPolicy::default(), limits: Limits::home_only(home) };
        let service = OtpService::new(settings, store.clone(), link, clock, Random::from_seed(2));
        Bench { service, driver, store, _folder: folder }
    }

    async fn place(&self, otp: &str) -> CallRecord {
        self.service.place_call(&ann(), request("0919273027", otp)).await.unwrap()
    }

    async fn refused(&self, request: PlaceCall) -> PlaceCallError {
        self.service.place_call(&ann(), request).await.unwrap_err()
    }

    async fn waiting(&self) -> Vec<PendingCall> {
        self.store.pending(0, 100, UnixTime::from_millis(0)).await.unwrap().calls
    }

    async fn state(&self) -> &'static str {
        self.service.otp_status(&ann(), "0919273027").await.unwrap().state.as_str()
    }

    async fn verify(&self, otp: &str) -> (&'static str, u8) {
        let answer = self.service.verify_otp(&ann(), "+84 919 273 027", &Secret::new(otp)).await.unwrap();
        (answer.reason.as_str(), answer.attempts_remaining)
    }

    async fn begin(&self, id: i64) {
        let at = UnixTime::from_millis(1);
        let begin = Begin { challenge_id: id, trunk: "lab".to_owned(), at };
        self.store.record(vec![Record::Begin(begin)]).await.unwrap();
    }

    async fn end(&self, id: i64, reason: crate::otp::Reason) {
        let delivery = Delivery {
            answered_at: None,
            readings_completed: 0,
            digits_read: 0,
            repeats: 0,
            hung_up_by: None,
            trunk: Some("lab".to_owned()),
            sip_status: Some(486),
            reason,
            q850: None,
        };
        let end = End {
            challenge_id: id,
            delivery,
            party: crate::otp::Party::Callee,
            carrier_text: None,
            billable: Duration::ZERO,
            audio: None,
            at: UnixTime::from_millis(2),
        };
        self.store.record(vec![Record::End(end)]).await.unwrap();
    }
}

fn ann() -> UserId {
    UserId::new("ann")
}

fn request(number: &str, otp: &str) -> PlaceCall {
    PlaceCall { number: number.into(), otp: Some(Secret::new(otp)), ..PlaceCall::default() }
}

#[tokio::test]
async fn an_accepted_call_is_durable_before_the_answer_and_shows_its_code_once() {
    let bench = Bench::new().await;
    let placed = bench.place("012345").await;
    assert_eq!((placed.number.as_str(), placed.phone.as_str()), ("0919273027", "+84919273027"));
    assert_eq!((placed.otp.as_ref().unwrap().expose(), placed.status), ("012345", CallStatus::Pending));
    let waiting = bench.waiting().await.remove(0);
    assert_eq!((waiting.id, waiting.code.expose()), (placed.id, "012345"));
    tokio::time::timeout(Duration::from_secs(20), bench.driver.accepted.notified()).await.unwrap();
    let page = Page { number: 1, size: 10 };
    let listed = bench.service.list_calls(&ann(), &CallFilter::default(), page).await.unwrap().calls.remove(0);
    assert_eq!((listed.otp.is_none(), listed.masked_otp().as_str()), (true, "******"));
    assert_eq!((listed.call_uuid, listed.created_at), (placed.call_uuid, placed.created_at));
    assert!(!format!("{:?}", bench.service.get_call(&ann(), placed.id).await.unwrap()).contains("012345"));
}

#[tokio::test]
async fn a_blank_code_is_drawn_and_no_two_are_alike() {
    let bench = Bench::new().await;
    let mut codes = Vec::new();
    for otp in [None, Some(Secret::new("")), Some(Secret::new("  "))] {
        let request = PlaceCall { number: "0919273027".into(), otp, ..PlaceCall::default() };
        let placed = bench.service.send_otp(&ann(), request).await.unwrap();
        codes.push(placed.otp.unwrap().expose().to_owned());
    }
    assert!(codes.iter().all(|code| code.len() == 6), "{codes:?}");
    assert!(codes[0] != codes[1] && codes[1] != codes[2]);
}

#[tokio::test]
async fn every_wrong_field_is_told_at_once() {
    let bench = Bench::new().await;
    let request = PlaceCall {
        number: "09x".into(),
        otp: Some(Secret::new("12")),
        maxretry: 11,
        ttl: Some(Duration::from_secs(1)),
    };
    let PlaceCallError::Invalid(errors) = bench.refused(request).await else { panic!("accepted") };
    let told: Vec<_> = errors.iter().map(|error| (error.field, error.problem.to_string())).collect();
    let fields: Vec<_> = told.iter().map(|(field, _)| *field).collect();
    assert_eq!(fields, [Field::Number, Field::Otp, Field::MaxRetry, Field::Ttl]);
    assert_eq!(told[1].1, "A code has 4 to 10 digits.");
    assert_eq!(told[2].1, "Ensure this value is between 0 and 10.");
    for (maxretry, ttl) in [(-1, 30), (256, 30), (i64::MAX, 30), (0, 86_401)] {
        let ttl = Some(Duration::from_secs(ttl));
        let refused = bench.refused(PlaceCall { maxretry, ttl, ..request_of("1234") }).await;
        assert!(matches!(refused, PlaceCallError::Invalid(errors) if errors.len() == 1), "{maxretry} {ttl:?}");
    }
    assert!(bench.waiting().await.is_empty());
}

fn request_of(otp: &str) -> PlaceCall {
    request("0919273027", otp)
}

#[tokio::test]
async fn what_cannot_be_called_is_refused_before_it_is_accepted() {
    let bench = Bench::with_trunk(trunk(true)).await;
    assert!(matches!(bench.refused(request("+919876543210", "1234")).await, PlaceCallError::DestinationDenied));
    assert!(matches!(bench.refused(request_of("1234")).await, PlaceCallError::NoTrunk));
    assert!(!bench.service.readiness().await.is_ready());
    let until = crate::base::time::Instant::from_nanos(1);
    let registered = crate::sip::registration::RegistrationState::Registered { until };
    bench.driver.set_trunks(|states| {
        states.trunks.insert(TrunkId(1), ("lab".to_owned(), Some(registered)));
    });
    assert!(bench.service.readiness().await.is_ready());
    bench.place("1234").await;
    bench.driver.set_trunks(|states| states.stopping = true);
    assert!(matches!(bench.refused(request_of("1234")).await, PlaceCallError::ShuttingDown));
    assert!(!bench.service.readiness().await.is_ready());
    assert_eq!(bench.waiting().await.len(), 1);
    bench.store.close().await;
    bench.driver.set_trunks(|states| states.stopping = false);
    assert!(matches!(bench.refused(request_of("1234")).await, PlaceCallError::Store(_)));
    assert!(!bench.service.readiness().await.store);
}

#[tokio::test]
async fn a_code_is_verified_once_and_the_newest_counts() {
    let bench = Bench::new().await;
    assert_eq!((bench.verify("1111").await, bench.state().await), (("not_found", 0), "not_found"));
    bench.place("1111").await;
    bench.place("2222").await;
    assert_eq!(bench.verify("1111").await, ("invalid", 2));
    assert_eq!((bench.verify("2222").await, bench.state().await), (("verified", 0), "used"));
    assert_eq!(bench.verify("2222").await, ("already_used", 0));
    let other = bench.service.verify_otp(&UserId::new("bob"), "0919273027", &Secret::new("2222")).await.unwrap();
    assert_eq!(other.reason, VerifyReason::NotFound);
    let nonsense = bench.service.verify_otp(&ann(), "phone", &Secret::new("2222")).await.unwrap();
    assert_eq!(nonsense.reason, VerifyReason::NotFound);
}

#[tokio::test]
async fn the_status_of_a_code_follows_its_call() {
    use crate::otp::Reason;
    let bench = Bench::new().await;
    let id = bench.place("1111").await.id;
    assert_eq!(bench.state().await, "pending");
    bench.begin(id).await;
    assert_eq!(bench.state().await, "calling");
    bench.end(id, Reason::Delivered).await;
    assert_eq!(bench.state().await, "delivered");
    let id = bench.place("2222").await.id;
    bench.end(id, Reason::NoTrunk).await;
    assert_eq!(bench.state().await, "failed");
    // A call that was never attempted says why all the same.
    let detail = bench.service.get_call(&ann(), id).await.unwrap().unwrap();
    assert_eq!(detail.delivery.unwrap().reason, Reason::NoTrunk);
    assert_eq!(detail.timeline.last().unwrap().event, "ended");
}

#[tokio::test]
async fn a_number_in_a_path_may_come_in_any_form() {
    let bench = Bench::new().await;
    let uuid = bench.place("1111").await.call_uuid;
    for form in ["+84919273027", "84919273027", "0919273027", "0919 273 027"] {
        let status = bench.service.otp_status(&ann(), form).await.unwrap();
        assert_eq!((status.call_uuid.as_ref(), status.phone.as_str()), (Some(&uuid), "+84919273027"), "{form}");
    }
    let unknown = bench.service.otp_status(&ann(), "../etc").await.unwrap();
    assert_eq!((unknown.phone.as_str(), unknown.state), ("../etc", OtpState::NotFound));
}

#[tokio::test]
async fn cancelling_is_told_to_listeners_and_to_the_dispatcher() {
    let mut bench = Bench::new().await;
    let mut progress = bench.service.progress();
    let id = bench.place("1111").await.id;
    assert_eq!(bench.service.cancel_call(&ann(), id).await.unwrap(), CancelAnswer::Cancelled);
    let told = progress.try_recv().unwrap();
    assert_eq!((told.call_id, told.entry.event.as_str()), (id, "ended"));
    assert_eq!(told.entry.detail, serde_json::json!({ "reason": "cancelled", "party": "caller" }));
    assert_eq!(bench.driver.cancels.try_recv(), Ok(id));
    assert_eq!(bench.service.cancel_call(&ann(), id).await.unwrap(), CancelAnswer::AlreadyEnded);
    let running = bench.place("1111").await.id;
    bench.begin(running).await;
    assert_eq!(bench.service.cancel_call(&ann(), running).await.unwrap(), CancelAnswer::HangingUp);
    assert_eq!(bench.driver.cancels.try_recv(), Ok(running));
    let strangers = bench.service.cancel_call(&UserId::new("bob"), running).await;
    assert!(matches!(strangers, Err(CancelError::NotFound)));
}

#[tokio::test]
async fn a_list_is_filtered_by_a_number_in_any_form() {
    let bench = Bench::new().await;
    bench.place("1111").await;
    bench.service.place_call(&ann(), request("0919273028", "1111")).await.unwrap();
    for (text, count) in [("0919273027", 1), ("+84 919 273 028", 1), ("0919273029", 0), ("x", 0)] {
        let filter = CallFilter { status: None, number: Some(text.into()) };
        let page = bench.service.list_calls(&ann(), &filter, Page { number: 1, size: 10 }).await.unwrap();
        assert_eq!((page.count, page.calls.len()), (count, usize::try_from(count).unwrap()), "{text}");
    }
    let second = bench.service.list_calls(&ann(), &CallFilter::default(), Page { number: 2, size: 1 }).await.unwrap();
    assert_eq!((second.count, second.calls[0].phone.as_str()), (2, "+84919273027"));
}

#[test]
fn uuids_are_random_ones_by_their_own_word() {
    let uuid = uuid(&mut Random::from_seed(1));
    let parts: Vec<usize> = uuid.split('-').map(str::len).collect();
    assert_eq!(parts, [8, 4, 4, 4, 12]);
    assert!(uuid.as_bytes()[14] == b'4' && b"89ab".contains(&uuid.as_bytes()[19]), "{uuid}");
}
