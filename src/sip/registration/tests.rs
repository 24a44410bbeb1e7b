//! Registrations played through on virtual time.

use std::time::Duration;

use super::*;
use crate::base::random::Random;
use crate::base::secret::Secret;
use crate::base::time::Instant;
use crate::sip::digest::Account;
use crate::sip::message::{HeaderName, HeaderValue, Request, Response, Uri};

const CHALLENGE: &str = "WWW-Authenticate: Digest realm=\"r\", nonce=\"1\", qop=\"auth\"";
const CHALLENGE_AGAIN: &str = "WWW-Authenticate: Digest realm=\"r\", nonce=\"2\", qop=\"auth\"";
const STALE: &str = "WWW-Authenticate: Digest realm=\"r\", nonce=\"3\", qop=\"auth\", stale=TRUE";
const BOUND: &str = "Contact: <sip:trunk@127.0.0.3:5060>;expires=100";

fn uri(text: &str) -> Uri {
    Uri::try_from(text).expect("valid")
}

fn config(targets: u8) -> RegistrationConfig {
    RegistrationConfig {
        registrar: uri("sip:carrier.example"),
        aor: uri("sip:trunk@carrier.example"),
        contact: uri("sip:trunk@127.0.0.3:5060"),
        expires: 300,
        account: Some(Account { username: "bob".to_owned(), password: Secret::new("pw"), realm: None }),
        targets: (1..=targets).map(|last| ([127, 0, 1, last], 5060).into()).collect(),
    }
}

/// A registration, its clock and its diary.
struct Rig {
    registration: Registration,
    now: Instant,
    wake: Option<Instant>,
    requests: Vec<Request>,
    diary: Vec<String>,
}

impl Rig {
    fn new(config: RegistrationConfig, seed: u64) -> Self {
        let registration = Registration::new(config, Random::from_seed(seed));
        Rig { registration, now: Instant::ZERO, wake: None, requests: Vec::new(), diary: Vec::new() }
    }

    /// Started, and bound for 100 s after one challenge.
    fn bound(seed: u64) -> Self {
        let mut rig = Rig::new(config(1), seed);
        rig.input(Input::Start);
        rig.reply(401, &[CHALLENGE]);
        rig.reply(200, &[BOUND]);
        assert_eq!(rig.diary(), ["> 1 300", "! Registering", "> 2 300 signed", "! Registered"]);
        rig
    }

    fn input(&mut self, input: Input<'_>) {
        self.registration.handle_input(self.now, input);
        loop {
            match self.registration.poll_output() {
                Output::Timeout(wake) => {
                    self.wake = wake;
                    return;
                }
                Output::Event(state) => self.diary.push(format!("! {}", name_of(state))),
                Output::SendRegister { request, target } => {
                    let headers = request.headers();
                    let cseq = headers.cseq().expect("valid").number;
                    let expires = headers.contact().and_then(|contact| contact.expires());
                    assert_eq!(headers.expires(), expires);
                    let signed = if headers.has(&HeaderName::Authorization) { " signed" } else { "" };
                    let at = if target.ip().to_string() == "127.0.1.1" { "" } else { " elsewhere" };
                    self.diary.push(format!("> {cseq} {}{signed}{at}", expires.unwrap_or_default()));
                    self.requests.push(*request);
                }
            }
        }
    }

    /// Answers the last REGISTER.
    fn reply(&mut self, status: u16, fields: &[&str]) {
        let mut response = Response::reply_to(self.last(), status);
        for field in fields {
            let (name, value) = field.split_once(": ").expect("a field");
            let value = HeaderValue::try_from(value).expect("printable");
            response.headers_mut().push(HeaderName::try_from(name).expect("a name"), value);
        }
        self.input(Input::Response(&response));
    }

    fn last(&self) -> &Request {
        self.requests.last().expect("a REGISTER was sent")
    }

    /// Goes to the next timer, and says how long that took.
    fn next(&mut self) -> Duration {
        let wake = self.wake.expect("a timer is armed");
        let passed = wake - self.now;
        self.now = wake;
        self.input(Input::Timeout);
        passed
    }

    fn diary(&mut self) -> Vec<String> {
        std::mem::take(&mut self.diary)
    }
}

fn name_of(state: RegistrationState) -> String {
    match state {
        RegistrationState::Registered { .. } => "Registered".to_owned(),
        RegistrationState::Waiting { failure, .. } => format!("Waiting {failure:?}"),
        RegistrationState::Refused { status, .. } => format!("Refused {status}"),
        other => format!("{other:?}"),
    }
}

/// Whether `passed` lies in `seconds`, given as `(least, most)`.
fn within(passed: Duration, (least, most): (f64, f64)) -> bool {
    (least..=most).contains(&passed.as_secs_f64())
}

enum Step {
    Reply(u16, &'static [&'static str]),
    Failed(SendFailure),
}
use Step::{Failed, Reply};

/// Plays `steps` from the start on; the diary after the first REGISTER, and the time until something happens next.
fn play(steps: &[Step], config: RegistrationConfig, seed: u64) -> (Vec<String>, Duration) {
    let mut rig = Rig::new(config, seed);
    rig.input(Input::Start);
    assert_eq!(rig.diary(), ["> 1 300", "! Registering"]);
    for step in steps {
        match step {
            Reply(status, fields) => rig.reply(*status, fields),
            Failed(failure) => rig.input(Input::Failed(*failure)),
        }
    }
    let diary = rig.diary();
    (diary, rig.next())
}

#[test]
fn outcomes_of_a_first_attempt() {
    let slow = (1800.0, 1980.0);
    let first_wait = (2.5, 5.0);
    let refresh = (50.0, 90.0);
    for (steps, diary, next) in [
        // Granted without a challenge, and with one.
        (&[Reply(200, &[BOUND])][..], &["! Registered"][..], refresh),
        (
            &[Reply(100, &[]), Reply(407, &[CHALLENGE]), Reply(200, &[BOUND])],
            &["> 2 300 signed", "! Registered"],
            refresh,
        ),
        // RFC 3261 §22.2: wrong credentials, and a nonce that was stale.
        (&[Reply(401, &[CHALLENGE]), Reply(401, &[CHALLENGE_AGAIN])], &["> 2 300 signed", "! Refused 401"], slow),
        (
            &[Reply(401, &[CHALLENGE]), Reply(401, &[STALE]), Reply(200, &[BOUND])],
            &["> 2 300 signed", "> 3 300 signed", "! Registered"],
            refresh,
        ),
        (
            &[Reply(401, &[CHALLENGE]), Reply(401, &[STALE]), Reply(401, &[STALE])],
            &["> 2 300 signed", "> 3 300 signed", "! Waiting ChallengedForEver"],
            first_wait,
        ),
        (&[Reply(401, &[])], &["! Refused 401"], slow),
        // RFC 3261 §10.2.8
        (&[Reply(423, &["Min-Expires: 600"]), Reply(200, &[BOUND])], &["> 2 600", "! Registered"], refresh),
        (
            &[Reply(423, &["Min-Expires: 600"]), Reply(401, &[CHALLENGE]), Reply(200, &[BOUND])],
            &["> 2 600", "> 3 600 signed", "! Registered"],
            refresh,
        ),
        (&[Reply(423, &["Min-Expires: 600"]), Reply(423, &["Min-Expires: 700"])], &["> 2 600", "! Refused 423"], slow),
        (&[Reply(423, &[])], &["! Refused 423"], slow),
        (&[Reply(423, &["Min-Expires: 300"])], &["! Refused 423"], slow),
        (&[Reply(423, &["Min-Expires: 4294967295"])], &["! Refused 423"], slow),
        // Refusals, and 3xx, which is not followed.
        (&[Reply(403, &[])], &["! Refused 403"], slow),
        (&[Reply(404, &[])], &["! Refused 404"], slow),
        (&[Reply(403, &["Retry-After: 3000"])], &["! Refused 403"], (3000.0, 3000.0)),
        (&[Reply(302, &["Contact: <sip:elsewhere.example>"])], &["! Refused 302"], slow),
        // Faults that may pass.
        (&[Reply(500, &[])], &["! Waiting Status(500)"], first_wait),
        (&[Reply(503, &["Retry-After: 120"])], &["! Waiting Status(503)"], (120.0, 120.0)),
        (&[Reply(503, &["Retry-After: 0"])], &["! Waiting Status(503)"], first_wait),
        (&[Reply(503, &["Retry-After: 99999999999"])], &["! Waiting Status(503)"], (3600.0, 3600.0)),
        (&[Failed(SendFailure::TimedOut)], &["! Waiting TimedOut"], first_wait),
        (&[Failed(SendFailure::TransportFailed)], &["! Waiting Unreachable"], first_wait),
        (&[Reply(200, &["Contact: <sip:trunk@127.0.0.3:5060>;expires=0"])], &["! Waiting NotBound"], first_wait),
    ] {
        for seed in 0..10 {
            let (seen, passed) = play(steps, config(1), seed);
            assert_eq!(seen, diary);
            assert!(within(passed, next), "{diary:?} after {passed:?}");
        }
    }
}

#[test]
fn every_register_keeps_call_id_and_tag_and_counts_on() {
    let mut rig = Rig::bound(1);
    rig.next();
    rig.reply(200, &[BOUND]);
    rig.input(Input::Stop);
    assert_eq!(rig.diary(), ["> 3 300 signed", "! Registered", "! Unregistering", "> 4 0 signed"]);
    rig.reply(200, &[]);
    assert_eq!((rig.diary(), rig.wake), (vec!["! Stopped".to_owned()], None));
    let same = |of: &dyn Fn(&Request) -> String| rig.requests.iter().all(|request| of(request) == of(&rig.requests[0]));
    assert!(same(&|request| request.headers().call_id().expect("valid").to_owned()));
    assert!(same(&|request| request.headers().from().expect("valid").to_string()));
}

#[test]
fn the_trunk_is_named_in_to_and_from_and_the_account_in_the_credentials() {
    let mut rig = Rig::bound(1);
    rig.next();
    let request = rig.last();
    assert_eq!(request.uri(), &uri("sip:carrier.example"));
    let headers = request.headers();
    assert_eq!(headers.to().map(|to| to.uri), Ok(uri("sip:trunk@carrier.example")));
    assert_eq!(headers.from().map(|from| from.uri), Ok(uri("sip:trunk@carrier.example")));
    let credentials = headers.credentials(&HeaderName::Authorization);
    assert_eq!((credentials[0].get("username"), credentials[0].get("nc")), (Some("bob"), Some("00000002")));
}

#[test]
fn faults_are_retried_for_ever_ever_more_slowly() {
    let mut rig = Rig::new(config(1), 1);
    rig.input(Input::Start);
    let mut waits = Vec::new();
    for _ in 0..300 {
        rig.input(Input::Failed(SendFailure::TimedOut));
        waits.push(rig.next());
    }
    assert!(waits.iter().all(|wait| within(*wait, (2.5, 600.0))));
    assert!(waits[20..].iter().all(|wait| within(*wait, (300.0, 600.0))));
    rig.reply(200, &[BOUND]);
    assert_eq!(rig.diary().last().map(String::as_str), Some("! Registered"));
    // Success begins the count anew.
    rig.next();
    rig.input(Input::Failed(SendFailure::TimedOut));
    assert!(within(rig.next(), (2.5, 5.0)));
}

#[test]
fn the_next_target_is_tried_at_once_and_waits_begin_when_all_have_failed() {
    let mut rig = Rig::new(config(2), 1);
    rig.input(Input::Start);
    rig.reply(503, &["Retry-After: 600"]);
    rig.reply(401, &[CHALLENGE]);
    rig.reply(503, &[]);
    assert_eq!(
        rig.diary(),
        ["> 1 300", "! Registering", "> 2 300 elsewhere", "> 3 300 signed elsewhere", "! Waiting Status(503)"]
    );
    // The second asked for no rest; the first keeps its Retry-After.
    assert!(within(rig.next(), (2.5, 5.0)));
    rig.reply(200, &[BOUND]);
    assert_eq!(rig.diary(), ["> 4 300 signed elsewhere", "! Registering", "! Registered"]);
}

#[test]
fn all_targets_with_retry_after_are_left_alone_until_the_first_returns() {
    let mut rig = Rig::new(config(2), 1);
    rig.input(Input::Start);
    rig.reply(503, &["Retry-After: 600"]);
    rig.reply(503, &["Retry-After: 90"]);
    rig.diary();
    assert!(within(rig.next(), (90.0, 90.0)));
    assert_eq!(rig.diary()[0], "> 3 300 elsewhere");
}

#[test]
fn targets_that_ask_for_no_rest_are_not_tried_in_a_circle() {
    let mut rig = Rig::new(config(2), 1);
    rig.input(Input::Start);
    rig.reply(503, &["Retry-After: 0"]);
    rig.reply(503, &["Retry-After: 0"]);
    assert_eq!(rig.diary(), ["> 1 300", "! Registering", "> 2 300 elsewhere", "! Waiting Status(503)"]);
}

#[test]
fn targets_that_time_out_are_not_tried_in_a_circle() {
    let mut rig = Rig::new(config(2), 1);
    rig.input(Input::Start);
    for _ in 0..2 {
        // Longer than a failed target is passed over.
        rig.now += Duration::from_secs(32);
        rig.input(Input::Failed(SendFailure::TimedOut));
    }
    assert_eq!(rig.diary(), ["> 1 300", "! Registering", "> 2 300 elsewhere", "! Waiting TimedOut"]);
}

#[test]
fn no_target_at_all_is_a_fault() {
    let mut rig = Rig::new(config(0), 1);
    rig.input(Input::Start);
    assert_eq!(rig.diary(), ["! Waiting NoTarget"]);
}

#[test]
fn a_failed_refresh_is_retried_quietly_until_the_binding_ends() {
    let mut rig = Rig::bound(1);
    let ends = rig.now + Duration::from_secs(100);
    rig.next();
    while rig.diary().iter().all(|entry| !entry.starts_with('!')) {
        assert!(rig.now <= ends);
        if rig.registration.state() == (RegistrationState::Registered { until: ends }) {
            rig.input(Input::Failed(SendFailure::TimedOut));
        }
        rig.next();
    }
    assert_eq!(rig.now, ends);
    assert!(!matches!(rig.registration.state(), RegistrationState::Registered { .. }));
}

#[test]
fn a_refused_refresh_is_an_alarm_at_once() {
    let mut rig = Rig::bound(1);
    rig.next();
    rig.reply(403, &[]);
    assert_eq!(rig.diary(), ["> 3 300 signed", "! Refused 403"]);
    assert!(within(rig.next(), (1800.0, 1980.0)));
    assert_eq!(rig.diary(), ["> 4 300 signed", "! Registering"]);
}

#[test]
fn a_registrar_that_forgot_its_nonce_challenges_anew() {
    let mut rig = Rig::bound(1);
    rig.next();
    rig.reply(401, &[CHALLENGE_AGAIN]);
    rig.reply(200, &[BOUND]);
    assert_eq!(rig.diary(), ["> 3 300 signed", "> 4 300 signed", "! Registered"]);
}

#[test]
fn without_an_account_or_with_another_realm_a_challenge_is_a_refusal() {
    let (diary, _) = play(&[Reply(401, &[CHALLENGE])], RegistrationConfig { account: None, ..config(1) }, 1);
    assert_eq!(diary, ["! Refused 401"]);
    let mut foreign = config(1);
    foreign.account.as_mut().expect("there is one").realm = Some("mine".to_owned());
    let (diary, _) = play(&[Reply(401, &[CHALLENGE])], foreign, 1);
    assert_eq!(diary, ["! Refused 401"]);
}

#[test]
fn after_482_the_call_id_is_another() {
    let mut rig = Rig::new(config(1), 1);
    rig.input(Input::Start);
    rig.reply(482, &[]);
    rig.next();
    assert_eq!(rig.diary(), ["> 1 300", "! Registering", "! Waiting Status(482)", "> 1 300", "! Registering"]);
    assert_ne!(rig.requests[0].headers().call_id(), rig.requests[1].headers().call_id());
}

#[test]
fn a_raised_interval_is_kept() {
    let mut rig = Rig::new(config(1), 1);
    rig.input(Input::Start);
    rig.reply(423, &["Min-Expires: 600"]);
    rig.reply(200, &[BOUND]);
    rig.next();
    assert_eq!(rig.diary().last().map(String::as_str), Some("> 3 600"));
}

#[test]
fn answers_to_anything_else_are_ignored() {
    let mut rig = Rig::new(config(1), 1);
    rig.input(Input::Start);
    rig.reply(401, &[CHALLENGE]);
    rig.diary();
    let late = Response::reply_to(&rig.requests[0], 403);
    rig.input(Input::Response(&late));
    rig.reply(200, &[BOUND]);
    rig.reply(403, &[]);
    rig.input(Input::Start);
    rig.input(Input::Failed(SendFailure::TimedOut));
    assert_eq!(rig.diary(), ["! Registered"]);
}

#[test]
fn stopping_ends_in_every_state() {
    // Never started.
    let mut rig = Rig::new(config(1), 1);
    rig.input(Input::Stop);
    assert_eq!(rig.diary(), ["! Unregistering", "! Stopped"]);
    // Waiting for the next attempt.
    let mut rig = Rig::new(config(1), 1);
    rig.input(Input::Start);
    rig.reply(503, &[]);
    rig.diary();
    rig.input(Input::Stop);
    rig.input(Input::Stop);
    assert_eq!((rig.diary(), rig.wake), (vec!["! Unregistering".to_owned(), "! Stopped".to_owned()], None));
    // Bound, with a removal that is challenged once, refused, or never answered.
    for (fields, diary) in [
        (Some((401, CHALLENGE_AGAIN)), &["! Unregistering", "> 3 0 signed", "> 4 0 signed"][..]),
        (Some((500, "X: y")), &["! Unregistering", "> 3 0 signed", "! Stopped"]),
        (None, &["! Unregistering", "> 3 0 signed"]),
    ] {
        let mut rig = Rig::bound(1);
        rig.input(Input::Stop);
        if let Some((status, field)) = fields {
            rig.reply(status, &[field]);
        }
        assert_eq!(rig.diary(), diary);
        if rig.wake.is_some() {
            assert_eq!(rig.next(), STOP_LIMIT);
            assert_eq!((rig.diary(), rig.wake), (vec!["! Stopped".to_owned()], None));
        }
    }
}

#[test]
fn stopping_waits_for_the_register_that_is_out() {
    let stopping = || {
        let mut rig = Rig::new(config(1), 1);
        rig.input(Input::Start);
        rig.input(Input::Stop);
        assert_eq!(rig.diary(), ["> 1 300", "! Registering", "! Unregistering"]);
        rig
    };
    let mut rig = stopping();
    rig.reply(200, &[BOUND]);
    rig.reply(200, &[]);
    assert_eq!(rig.diary(), ["> 2 0", "! Stopped"]);
    for ends in [401, 403, 503] {
        let mut rig = stopping();
        rig.reply(ends, &[CHALLENGE]);
        assert_eq!(rig.diary(), ["! Stopped"], "{ends}");
    }
    let mut rig = stopping();
    rig.input(Input::Failed(SendFailure::TimedOut));
    assert_eq!(rig.diary(), ["! Stopped"]);
}

#[test]
fn a_stopped_registration_can_start_again() {
    let mut rig = Rig::bound(1);
    rig.next();
    for _ in 0..10 {
        rig.input(Input::Failed(SendFailure::TimedOut));
        rig.next();
    }
    rig.input(Input::Stop);
    rig.next();
    rig.diary();
    rig.input(Input::Start);
    assert_eq!(rig.diary().last().map(String::as_str), Some("! Registering"));
    // What failed before the stop does not lengthen the waits after it.
    rig.input(Input::Failed(SendFailure::TimedOut));
    assert!(within(rig.next(), (2.5, 5.0)));
}

#[test]
fn a_contact_that_moved_is_bound_anew_and_the_old_one_removed() {
    let contacts = |request: &Request| -> Vec<String> {
        request.headers().contacts().expect("valid").iter().map(ToString::to_string).collect()
    };
    let mut rig = Rig::bound(1);
    rig.input(Input::Contact(uri("sip:trunk@127.0.0.3:5060")));
    assert_eq!(rig.diary(), Vec::<String>::new());
    rig.input(Input::Contact(uri("sip:trunk@192.0.2.1:40000")));
    assert_eq!(rig.next(), Duration::ZERO);
    assert_eq!(
        contacts(rig.last()),
        ["<sip:trunk@192.0.2.1:40000>;expires=300", "<sip:trunk@127.0.0.3:5060>;expires=0"]
    );
    rig.reply(200, &["Contact: <sip:trunk@192.0.2.1:40000>;expires=100"]);
    // One that moves at every packet does not keep us busy.
    rig.input(Input::Contact(uri("sip:trunk@192.0.2.1:40001")));
    assert_eq!(rig.next(), Duration::from_secs(60));
    rig.reply(200, &["Contact: <sip:trunk@192.0.2.1:40001>;expires=100"]);
    rig.next();
    assert_eq!(contacts(rig.last()), ["<sip:trunk@192.0.2.1:40001>;expires=300"]);
}

#[test]
fn a_contact_that_moves_while_a_register_is_out_is_bound_after_it() {
    let mut rig = Rig::new(config(1), 1);
    rig.input(Input::Start);
    rig.input(Input::Contact(uri("sip:trunk@192.0.2.1:40000")));
    rig.reply(200, &[BOUND]);
    assert_eq!(rig.next(), Duration::ZERO);
    assert_eq!(rig.last().headers().contacts().expect("valid").len(), 2);
}

#[test]
fn a_short_binding_is_refreshed_once_a_second_at_most() {
    let mut rig = Rig::new(config(1), 1);
    rig.input(Input::Start);
    rig.reply(200, &["Expires: 1"]);
    assert_eq!(rig.next(), Duration::from_secs(1));
}
