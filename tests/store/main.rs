//! kill -9 in the middle of the work: what was answered is on disk, and what may have rung is never called again.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use ringcode::base::random::Random;
use ringcode::base::secret::Secret;
use ringcode::base::time::UnixTime;
use ringcode::otp::{Code, Delivery, Party, PhoneNumber, Reason, StoredCode, VerifyReason};
use ringcode::store::{Begin, CallStatus, End, NewChallenge, Record, Recorded, Store};

/// Names the child's folder, and so tells a child that it is one.
const FOLDER: &str = "RINGCODE_TEST_STORE";
const ROUNDS: usize = 12;
const WORKERS: usize = 8;

fn now() -> UnixTime {
    UnixTime::from_millis(1000)
}

async fn open(folder: &Path) -> Store {
    let url = format!("sqlite:{}", folder.join("t.db").display());
    Store::open(&url, ringcode::net::entropy::system(), now()).await.unwrap()
}

fn phone() -> PhoneNumber {
    PhoneNumber::from_e164("+84919273027").unwrap()
}

fn challenge(store: &Store, uuid: String) -> NewChallenge {
    let code = Code::parse("610389").unwrap();
    let stored = StoredCode::new(store.code_key(), &phone(), &code, &mut Random::from_seed(1));
    NewChallenge {
        uuid,
        user: "ann".to_owned(),
        number_given: "0919273027".into(),
        phone: phone(),
        code,
        stored,
        maxretry: 0,
        max_checks: 3,
        created_at: now(),
        expires_at: now() + Duration::from_secs(300),
    }
}

fn end(challenge_id: i64) -> Record {
    let delivery = Delivery {
        answered_at: Some(now()),
        readings_completed: 1,
        digits_read: 6,
        repeats: 0,
        hung_up_by: Some(Party::Callee),
        trunk: Some("lab".to_owned()),
        sip_status: Some(200),
        reason: Reason::Delivered,
        q850: None,
    };
    Record::End(End {
        challenge_id,
        delivery,
        party: Party::Callee,
        carrier_text: None,
        billable: Duration::from_secs(1),
        audio: None,
        at: now(),
    })
}

/// The process that is killed: accepts, begins and ends requests for ever, and prints each answer that it got. It is this
/// binary again, for no other has the store's innards; a test only in form, which ends at once unless it is the child.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = open(Path::new(&folder)).await;
        store.recover(now()).await.unwrap();
        let workers: Vec<_> = (0..WORKERS).map(|worker| tokio::spawn(work(store.clone(), worker))).collect();
        for worker in workers {
            worker.await.unwrap();
        }
    });
}

async fn work(store: Store, worker: usize) {
    let mut random = ringcode::net::entropy::system();
    loop {
        let id = store.accept(challenge(&store, random.token())).await.unwrap();
        println!("accepted {id}");
        if worker.is_multiple_of(4) {
            continue;
        }
        let begin = Record::Begin(Begin { challenge_id: id, trunk: "lab".to_owned(), at: now() });
        assert_eq!(store.record(vec![begin]).await.unwrap(), [Recorded::Begun]);
        println!("begun {id}");
        if worker.is_multiple_of(2) {
            continue;
        }
        store.record(vec![end(id)]).await.unwrap();
        println!("ended {id}");
    }
}

#[derive(Default)]
struct Told {
    accepted: BTreeSet<i64>,
    begun: BTreeSet<i64>,
    ended: BTreeSet<i64>,
}

impl Told {
    fn read(&mut self, line: &str) {
        let Some((word, id)) = line.split_once(' ') else { return };
        let Ok(id) = id.parse() else { return };
        match word {
            "accepted" => self.accepted.insert(id),
            "begun" => self.begun.insert(id),
            "ended" => self.ended.insert(id),
            _ => false,
        };
    }
}

#[test]
fn nothing_that_was_answered_is_lost_and_nothing_that_may_have_rung_rings_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut told = Told::default();
    let mut random = ringcode::net::entropy::system();
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let kill_after = 1 + usize::try_from(random.below(120)).unwrap();
        let mut seen = 0;
        for line in lines.by_ref() {
            told.read(&line);
            seen += usize::from(line.contains("accepted"));
            if seen == kill_after {
                break;
            }
        }
        assert_eq!(seen, kill_after, "round {round}: the child ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had printed before it died counts as well; a line may be cut in the middle.
        let rest: Vec<String> = lines.collect();
        rest.iter().for_each(|line| told.read(line));
        check(folder.path(), &mut told);
    }
    assert!(!told.begun.is_empty() && !told.ended.is_empty());
}

fn check(folder: &Path, told: &mut Told) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = open(folder).await;
        let interrupted: BTreeSet<i64> =
            store.recover(now()).await.unwrap().iter().map(|closed| closed.event.challenge_id).collect();
        let pending = store.pending(0, usize::MAX, now()).await.unwrap();
        assert!(pending.unreadable.is_empty());
        let waiting: BTreeSet<i64> = pending.calls.iter().map(|call| call.id).collect();
        assert!(pending.calls.iter().all(|call| call.code.expose() == "610389"));
        for id in &told.accepted {
            let call = store.call("ann", *id).await.unwrap().expect("an accepted request is there");
            let status = call.row.status;
            assert_eq!(waiting.contains(id), status == CallStatus::Pending, "{id}");
            if told.ended.contains(id) {
                assert_eq!(status, CallStatus::Success, "{id}");
            } else if told.begun.contains(id) {
                assert!(matches!(status, CallStatus::Success | CallStatus::Failure), "{id}");
            }
            if status == CallStatus::Failure {
                assert_eq!(call.row.reason, Some(Reason::Interrupted), "{id}");
                assert_eq!(call.attempt.unwrap().reason, Some(Reason::Interrupted), "{id}");
            }
        }
        assert!(interrupted.is_disjoint(&waiting));
        let newest = store.newest("ann", &phone()).await.unwrap().unwrap().row;
        let verified = store.verify("ann", phone(), Secret::new("610389"), now()).await.unwrap().reason;
        let expected = if newest.verified_at.is_some() { VerifyReason::AlreadyUsed } else { VerifyReason::Verified };
        assert_eq!(verified, expected);
        store.close().await;
    });
}
