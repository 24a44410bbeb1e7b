//! The store as a whole: what it promises across calls, restarts and concurrency.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::otp::{Code, Delivery, Party, Reason, StoredCode, VerifyReason};

const PHONE: &str = "+84919273027";

struct Bench {
    folder: tempfile::TempDir,
    store: Store,
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Self::open(&folder).await.unwrap();
        Bench { folder, store }
    }

    async fn open(folder: &tempfile::TempDir) -> Result<Store, StoreError> {
        let url = format!("sqlite:{}", folder.path().join("t.db").display());
        Store::open(&url, Random::from_seed(1), at(0)).await
    }

    /// As the next start finds the files: the writer's answers are durable, nothing was said goodbye to.
    async fn restarted(self) -> Self {
        let Bench { folder, store } = self;
        store.close().await;
        drop(store);
        let store = Self::open(&folder).await.unwrap();
        Bench { folder, store }
    }

    async fn accept(&self, user: &str, phone: &str, code: &str) -> i64 {
        self.store.accept(new(user, phone, code, &self.store)).await.unwrap()
    }

    async fn verify(&self, given: &str, second: i64) -> (VerifyReason, u8) {
        let answer = self.store.verify("ann", number(PHONE), Secret::new(given), at(second)).await.unwrap();
        (answer.reason, answer.attempts_remaining)
    }

    async fn status(&self, id: i64) -> (CallStatus, Option<Reason>) {
        let call = self.store.call("ann", id).await.unwrap().unwrap();
        (call.row.status, call.row.reason)
    }

    async fn waiting(&self, second: i64) -> Vec<i64> {
        let pending = self.store.pending(0, 1000, at(second)).await.unwrap();
        pending.calls.iter().map(|call| call.id).collect()
    }

    async fn begin(&self, id: i64) -> Recorded {
        let begin = Record::Begin(Begin { challenge_id: id, trunk: "lab".to_owned(), at: at(1) });
        self.store.record(vec![begin]).await.unwrap().remove(0)
    }

    async fn end(&self, id: i64, reason: Reason) {
        self.store.record(vec![Record::End(ended(id, reason))]).await.unwrap();
    }
}

fn at(second: i64) -> UnixTime {
    UnixTime::from_millis(second * 1000)
}

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::from_e164(text).unwrap()
}

fn new(user: &str, phone: &str, code: &str, store: &Store) -> NewChallenge {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let (phone, code) = (number(phone), Code::parse(code).unwrap());
    let stored = StoredCode::new(store.code_key(), &phone, &code, &mut Random::from_seed(7));
    NewChallenge {
        uuid: format!("u{}", NEXT.fetch_add(1, Ordering::Relaxed)),
        user: user.to_owned(),
        number_given: format!("0{}", &phone.e164()[3..]).into(),
        phone,
        code,
        stored,
        maxretry: 2,
        max_checks: 3,
        created_at: at(0),
        expires_at: at(300),
    }
}

fn ended(id: i64, reason: Reason) -> End {
    let delivery = Delivery {
        answered_at: (reason == Reason::Delivered).then_some(at(5)),
        readings_completed: u32::from(reason == Reason::Delivered),
        digits_read: 6,
        repeats: 1,
        hung_up_by: Some(Party::Callee),
        trunk: Some("lab".to_owned()),
        sip_status: Some(200),
        reason,
        q850: Some(16),
    };
    End {
        challenge_id: id,
        delivery,
        party: Party::Callee,
        carrier_text: Some("Normal".to_owned()),
        billable: Duration::from_millis(4500),
        audio: Some(json!({ "sent": 3 })),
        at: at(9),
    }
}

fn closed(closed: Vec<Closed>) -> Vec<i64> {
    closed.iter().map(|closed| closed.event.challenge_id).collect()
}

async fn cancel(bench: &Bench, id: i64) -> &'static str {
    match bench.store.cancel("ann", id, at(1)).await.unwrap() {
        Cancelled::NotFound => "not found",
        Cancelled::Pending(closed) => {
            assert_eq!((closed.user.as_str(), closed.event.challenge_id), ("ann", id));
            "pending"
        }
        Cancelled::Running => "running",
        Cancelled::Ended => "ended",
    }
}

#[tokio::test]
async fn an_accepted_request_waits_with_its_code_until_it_has_ended() {
    let bench = Bench::new().await;
    let id = bench.accept("ann", PHONE, "610389").await;
    let call = bench.store.pending(0, 10, at(1)).await.unwrap().calls.remove(0);
    assert_eq!((call.id, call.code.expose(), call.maxretry, call.user.as_str()), (id, "610389", 2, "ann"));
    assert_eq!(bench.begin(id).await, Recorded::Begun);
    assert_eq!(bench.status(id).await, (CallStatus::InProcess, None));
    bench.end(id, Reason::Delivered).await;
    let stored = bench.store.call("ann", id).await.unwrap().unwrap();
    assert_eq!((stored.row.status, stored.row.disposition), (CallStatus::Success, Some(Disposition::Answer)));
    assert_eq!((stored.row.attempts, stored.row.ended_at), (1, Some(at(9))));
    let attempt = stored.attempt.unwrap();
    assert_eq!(attempt.delivery().unwrap(), Some(ended(id, Reason::Delivered).delivery));
    assert_eq!((attempt.billable_ms, attempt.carrier_text.as_deref()), (Some(4500), Some("Normal")));
    assert_eq!(stored.events.last().unwrap().detail, json!({ "reason": "delivered", "party": "callee" }));
    assert!(bench.waiting(1).await.is_empty());
}

#[tokio::test]
async fn pending_pages_on_and_leaves_out_what_has_expired() {
    let bench = Bench::new().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(bench.accept("ann", PHONE, "1234").await);
    }
    let page = |after| bench.store.pending(after, 2, at(1));
    let first: Vec<_> = page(0).await.unwrap().calls.iter().map(|call| call.id).collect();
    let second: Vec<_> = page(first[1]).await.unwrap().calls.iter().map(|call| call.id).collect();
    assert_eq!([first, second].concat(), ids[..4]);
    assert!(bench.waiting(300).await.is_empty());
}

#[tokio::test]
async fn after_a_restart_the_untouched_are_called_and_the_begun_are_interrupted() {
    let bench = Bench::new().await;
    let [waits, begun, done] = [
        bench.accept("ann", PHONE, "1111").await,
        bench.accept("ann", PHONE, "2222").await,
        bench.accept("ann", PHONE, "3333").await,
    ];
    bench.begin(begun).await;
    bench.begin(done).await;
    bench.end(done, Reason::Busy).await;
    let bench = bench.restarted().await;
    assert_eq!(closed(bench.store.recover(at(10)).await.unwrap()), [begun]);
    assert_eq!(bench.status(begun).await, (CallStatus::Failure, Some(Reason::Interrupted)));
    assert_eq!(bench.status(done).await, (CallStatus::Failure, Some(Reason::Busy)));
    assert_eq!(bench.waiting(10).await, [waits]);
    let told = bench.store.call("ann", begun).await.unwrap().unwrap();
    assert_eq!(told.attempt.unwrap().reason, Some(Reason::Interrupted));
    assert_eq!(told.events.len(), 1);
    assert_eq!(bench.begin(begun).await, Recorded::Refused);
    assert!(bench.store.recover(at(11)).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_interrupted_call_tells_how_far_it_got() {
    let bench = Bench::new().await;
    let id = bench.accept("ann", PHONE, "1234").await;
    bench.begin(id).await;
    let steps = ["answered", "reading_started", "digit_read", "digit_read", "reading_completed", "repeated"];
    let again = ["reading_started", "digit_read"];
    let events = steps
        .into_iter()
        .chain(again)
        .map(|kind| Record::Event(NewEvent { challenge_id: id, at: at(3), kind, detail: json!({}) }));
    bench.store.record(events.collect()).await.unwrap();
    let bench = bench.restarted().await;
    bench.store.recover(at(10)).await.unwrap();
    let attempt = bench.store.call("ann", id).await.unwrap().unwrap().attempt.unwrap();
    assert_eq!(attempt.answered_at, Some(at(3)));
    assert_eq!((attempt.readings_completed, attempt.digits_read, attempt.repeats), (1, 1, 1));
}

#[tokio::test]
async fn a_late_end_does_not_change_an_earlier_one() {
    let bench = Bench::new().await;
    let id = bench.accept("ann", PHONE, "1234").await;
    assert_eq!(cancel(&bench, id).await, "pending");
    bench.end(id, Reason::Delivered).await;
    assert_eq!(bench.status(id).await, (CallStatus::Failure, Some(Reason::Cancelled)));
    assert_eq!(bench.store.call("ann", id).await.unwrap().unwrap().events.len(), 1);
}

#[tokio::test]
async fn cancelling_ends_what_waits_and_tells_what_runs() {
    let bench = Bench::new().await;
    let id = bench.accept("ann", PHONE, "1234").await;
    assert_eq!(bench.store.cancel("bob", id, at(1)).await.unwrap(), Cancelled::NotFound);
    assert_eq!(bench.store.cancel("ann", id + 1, at(1)).await.unwrap(), Cancelled::NotFound);
    assert_eq!(cancel(&bench, id).await, "pending");
    assert_eq!(bench.begin(id).await, Recorded::Refused);
    assert_eq!(bench.store.cancel("ann", id, at(1)).await.unwrap(), Cancelled::Ended);
    let running = bench.accept("ann", PHONE, "1234").await;
    bench.begin(running).await;
    assert_eq!(bench.store.cancel("ann", running, at(1)).await.unwrap(), Cancelled::Running);
    assert_eq!(bench.status(running).await, (CallStatus::InProcess, None));
}

#[tokio::test]
async fn an_end_without_a_beginning_ends_the_request() {
    let bench = Bench::new().await;
    let id = bench.accept("ann", PHONE, "1234").await;
    bench.end(id, Reason::NoTrunk).await;
    assert_eq!(bench.status(id).await, (CallStatus::Failure, Some(Reason::NoTrunk)));
    assert_eq!(bench.store.call("ann", id).await.unwrap().unwrap().attempt, None);
}

#[tokio::test]
async fn sweeping_ends_the_expired_and_wipes_their_hashes() {
    let bench = Bench::new().await;
    let id = bench.accept("ann", PHONE, "1234").await;
    assert!(bench.store.sweep(at(299)).await.unwrap().is_empty());
    assert_eq!(closed(bench.store.sweep(at(300)).await.unwrap()), [id]);
    assert_eq!(bench.status(id).await, (CallStatus::Failure, Some(Reason::Expired)));
    let left: i64 =
        sqlx::query("SELECT COUNT(*) FROM challenge WHERE code_hash IS NOT NULL OR sealed_code IS NOT NULL")
            .fetch_one(&bench.store.readers)
            .await
            .unwrap()
            .get(0);
    assert_eq!(left, 0);
    assert_eq!(bench.verify("1234", 301).await, (VerifyReason::Expired, 0));
}

#[tokio::test]
async fn lists_show_only_ones_own_newest_first_and_filtered() {
    let bench = Bench::new().await;
    let mut mine = Vec::new();
    for _ in 0..3 {
        mine.push(bench.accept("ann", PHONE, "1234").await);
        bench.accept("bob", PHONE, "1234").await;
    }
    let other = bench.accept("ann", "+84919273028", "1234").await;
    bench.store.cancel("ann", other, at(1)).await.unwrap();
    let ids = |rows: Vec<ChallengeRow>| rows.iter().map(|row| row.id).collect::<Vec<_>>();
    let (count, rows) = bench.store.page("ann", &Filter::default(), 0, 2).await.unwrap();
    assert_eq!((count, ids(rows)), (4, vec![other, mine[2]]));
    let (count, rows) = bench.store.page("ann", &Filter::default(), 2, 10).await.unwrap();
    assert_eq!((count, ids(rows)), (4, vec![mine[1], mine[0]]));
    let (count, rows) = bench.store.page("ann", &Filter::default(), 100, 10).await.unwrap();
    assert_eq!((count, rows.len()), (4, 0));
    let failed = Filter { status: Some(CallStatus::Failure), number: None };
    assert_eq!(ids(bench.store.page("ann", &failed, 0, 10).await.unwrap().1), [other]);
    for written in ["+84919273028", "0919273028"] {
        let filter = Filter { status: None, number: Some(written.into()) };
        assert_eq!(ids(bench.store.page("ann", &filter, 0, 10).await.unwrap().1), [other], "{written}");
    }
    assert!(bench.store.call("bob", other).await.unwrap().is_none());
}

#[tokio::test]
async fn a_newer_code_takes_the_place_of_the_older() {
    let bench = Bench::new().await;
    bench.accept("ann", PHONE, "1111").await;
    bench.accept("ann", PHONE, "2222").await;
    bench.accept("bob", PHONE, "3333").await;
    assert_eq!(bench.verify("1111", 1).await, (VerifyReason::Invalid, 2));
    assert_eq!(bench.verify("3333", 1).await, (VerifyReason::Invalid, 1));
    assert_eq!(bench.verify("2222", 1).await, (VerifyReason::Verified, 0));
    assert_eq!(bench.verify("2222", 1).await, (VerifyReason::AlreadyUsed, 0));
    let newest = bench.store.newest("ann", &number(PHONE)).await.unwrap().unwrap();
    assert_eq!((newest.row.verified_at, newest.row.checks_used), (Some(at(1)), 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_right_codes_at_once_one_wins_and_wrong_ones_are_counted_one_by_one() {
    let bench = Bench::new().await;
    bench.accept("ann", PHONE, "2222").await;
    let ask = |given: &'static str| {
        let store = bench.store.clone();
        tokio::spawn(async move { store.verify("ann", number(PHONE), Secret::new(given), at(1)).await.unwrap().reason })
    };
    let asked: Vec<_> = (0..20).map(|_| ask("2222")).collect();
    let mut verified = 0;
    for answer in asked {
        verified += i32::from(answer.await.unwrap() == VerifyReason::Verified);
    }
    assert_eq!(verified, 1);

    bench.accept("ann", PHONE, "3333").await;
    let asked: Vec<_> = (0..20).map(|_| ask("0000")).collect();
    let mut invalid = 0;
    for answer in asked {
        invalid += i32::from(answer.await.unwrap() == VerifyReason::Invalid);
    }
    assert_eq!((invalid, bench.verify("3333", 1).await), (3, (VerifyReason::MaxAttempts, 0)));
}

#[tokio::test]
async fn a_timeline_keeps_its_order_whatever_its_length() {
    let bench = Bench::new().await;
    let id = bench.accept("ann", PHONE, "1234").await;
    let event = |n: usize| {
        Record::Event(NewEvent { challenge_id: id, at: at(1), kind: "digit_read", detail: json!({ "index": n }) })
    };
    let mut records: Vec<_> = (0..70).map(event).collect();
    records.insert(40, Record::Begin(Begin { challenge_id: id, trunk: "lab".to_owned(), at: at(1) }));
    let answers = bench.store.record(records).await.unwrap();
    assert_eq!((answers.len(), &answers[40]), (71, &Recorded::Begun));
    let ids: Vec<i64> = answers
        .iter()
        .filter_map(|a| match a {
            Recorded::Event(id) => Some(*id),
            _ => None,
        })
        .collect();
    let stored = bench.store.call("ann", id).await.unwrap().unwrap().events;
    assert_eq!(stored.iter().map(|event| event.id).collect::<Vec<_>>(), ids);
    let order: Vec<_> = stored.iter().map(|event| event.detail["index"].as_u64().unwrap()).collect();
    assert_eq!(order, (0..70).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_damaged_row_is_named_and_does_not_hold_up_the_others() {
    let bench = Bench::new().await;
    let damaged = bench.accept("ann", PHONE, "1111").await;
    let fine = bench.accept("ann", PHONE, "2222").await;
    struct Damage(i64);
    impl writer::Operation for Damage {
        type Answer = ();
        async fn apply(&self, connection: &mut AnyConnection) -> Result<(), StoreError> {
            let update = "UPDATE challenge SET sealed_code = '00' WHERE id = $1";
            sqlx::query(update).bind(self.0).execute(connection).await?;
            Ok(())
        }
    }
    bench.store.writer.write(Damage(damaged)).await.unwrap();
    let pending = bench.store.pending(0, 10, at(1)).await.unwrap();
    assert_eq!((pending.unreadable, pending.calls[0].id), (vec![damaged], fine));
}

#[tokio::test]
async fn no_file_holds_a_code_and_only_the_owner_reads_them() {
    use std::os::unix::fs::MetadataExt;
    let bench = Bench::new().await;
    let id = bench.accept("ann", PHONE, "91827364").await;
    bench.begin(id).await;
    bench.verify("91827364", 1).await;
    let mut files = 0;
    for entry in std::fs::read_dir(bench.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let hex = crate::base::hex::encode(b"91827364").into_bytes();
        for canary in [&b"91827364"[..], &hex] {
            assert!(!bytes.windows(canary.len()).any(|window| window == canary), "{}", path.display());
        }
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600, "{}", path.display());
        files += 1;
    }
    assert!(files >= 3, "database, log and key");
}

#[tokio::test]
async fn a_second_daemon_and_a_foreign_key_are_kept_away() {
    let bench = Bench::new().await;
    let refused = Bench::open(&bench.folder).await.err().unwrap().to_string();
    assert!(refused.contains("another ringcode uses this database"), "{refused}");
    bench.store.close().await;
    assert!(matches!(bench.store.recover(at(1)).await, Err(StoreError::Closed)));
    drop(bench.store);
    std::fs::remove_file(bench.folder.path().join("t.key")).unwrap();
    let url = format!("sqlite:{}", bench.folder.path().join("t.db").display());
    let refused = Store::open(&url, Random::from_seed(2), at(0)).await.err().unwrap().to_string();
    assert!(refused.contains("was written with another key"), "{refused}");
}

#[tokio::test]
async fn bad_places_are_refused_by_name() {
    for (url, words) in [
        ("postgres://db/ringcode", "without PostgreSQL"),
        ("sqlite::memory:", "path of a file"),
        ("ringcode.db", "write sqlite:<path>"),
        ("sqlite:a.key", "ending .key"),
        ("sqlite:/nowhere/at/all/t.db", "/nowhere/at/all/t.key: cannot be opened or made"),
    ] {
        let refused = Store::open(url, Random::from_seed(1), at(0)).await.err().unwrap().to_string();
        assert!(refused.contains(words), "{refused}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a ?#%.db");
    std::fs::write(&path, "this is no database, but it is longer than a header".repeat(20)).unwrap();
    let url = format!("sqlite:{}", path.display());
    assert!(
        Store::open(&url, Random::from_seed(1), at(0)).await.is_err_and(|e| e.to_string().contains("write the path"))
    );
    let path = folder.path().join("a b%20#.db");
    std::fs::write(&path, "this is no database, but it is longer than a header".repeat(20)).unwrap();
    let refused = Store::open(&format!("sqlite:{}", path.display()), Random::from_seed(1), at(0)).await;
    let refused = refused.err().unwrap().to_string();
    assert!(refused.contains("a b%20#.db: cannot be used as a database"), "{refused}");
}

/// What may be done to requests, in any order.
#[derive(Clone, Debug)]
enum Act {
    Accept,
    Begin(usize),
    End(usize, bool),
    Cancel(usize),
    Verify(bool),
    Restart,
    Sweep(bool),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        3 => Just(Act::Accept),
        3 => (0..6usize).prop_map(Act::Begin),
        3 => (0..6usize, any::<bool>()).prop_map(|(i, ok)| Act::End(i, ok)),
        1 => (0..6usize).prop_map(Act::Cancel),
        2 => any::<bool>().prop_map(Act::Verify),
        1 => Just(Act::Restart),
        1 => any::<bool>().prop_map(Act::Sweep),
    ];
    proptest::collection::vec(act, 1..40)
}

/// Whatever the order: a request begins at most once, ends at most once and stays as it ended, is pending exactly while
/// it neither began nor ended, and holds its sealed code exactly as long as it is open.
async fn check_invariants(acts: Vec<Act>) {
    let mut bench = Bench::new().await;
    let mut ids: Vec<i64> = Vec::new();
    let (mut begun, mut ended) = (BTreeSet::new(), BTreeMap::new());
    for act in acts {
        let pick = |i: usize| ids.get(i % ids.len().max(1)).copied();
        match act {
            Act::Accept => ids.push(bench.accept("ann", PHONE, "1234").await),
            Act::Begin(i) => {
                let Some(id) = pick(i) else { continue };
                let free = !begun.contains(&id) && !ended.contains_key(&id);
                assert_eq!(bench.begin(id).await == Recorded::Begun, free);
                begun.insert(id);
            }
            Act::End(i, ok) => {
                let Some(id) = pick(i) else { continue };
                let reason = if ok { Reason::Delivered } else { Reason::Busy };
                bench.end(id, reason).await;
                ended.entry(id).or_insert(reason);
            }
            Act::Cancel(i) => {
                let Some(id) = pick(i) else { continue };
                let answer = cancel(&bench, id).await;
                let expected = match (ended.contains_key(&id), begun.contains(&id)) {
                    (true, _) => "ended",
                    (false, true) => "running",
                    (false, false) => "pending",
                };
                assert_eq!(answer, expected);
                if answer == "pending" {
                    ended.insert(id, Reason::Cancelled);
                }
            }
            Act::Verify(right) => {
                bench.verify(if right { "1234" } else { "4321" }, 1).await;
            }
            Act::Restart => {
                bench = bench.restarted().await;
                let interrupted = closed(bench.store.recover(at(2)).await.unwrap());
                let running: Vec<i64> = begun.iter().copied().filter(|id| !ended.contains_key(id)).collect();
                assert_eq!(interrupted, running);
                ended.extend(running.into_iter().map(|id| (id, Reason::Interrupted)));
            }
            Act::Sweep(late) => {
                let swept = closed(bench.store.sweep(at(if late { 300 } else { 1 })).await.unwrap());
                ended.extend(swept.into_iter().map(|id| (id, Reason::Expired)));
            }
        }
        let open: Vec<i64> = ids.iter().copied().filter(|id| !begun.contains(id) && !ended.contains_key(id)).collect();
        assert_eq!(bench.waiting(1).await, open);
        for id in &ids {
            let stored = bench.store.call("ann", *id).await.unwrap().unwrap();
            assert_eq!(stored.row.reason, ended.get(id).copied());
            assert_eq!(
                stored.events.iter().filter(|event| event.kind == "ended").count(),
                usize::from(ended.contains_key(id))
            );
            assert!(stored.row.checks_used <= stored.row.max_checks);
        }
        let sealed: i64 = sqlx::query("SELECT COUNT(*) FROM challenge WHERE sealed_code IS NOT NULL")
            .fetch_one(&bench.store.readers)
            .await
            .unwrap()
            .get(0);
        assert_eq!(usize::try_from(sealed).unwrap(), ids.len() - ended.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_acts_keeps_the_promises(acts in acts()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check_invariants(acts));
    }
}
