//! The registration of one trunk, driven by inputs and outputs.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use super::backoff;
use super::state::{RegistrationFailure, RegistrationState};
use super::verdict::{MAX_EXPIRES, Verdict, granted_expires, raised_expires};
use crate::base::random::Random;
use crate::base::time::Instant;
use crate::base::timers::Timers;
use crate::sip::digest::{Account, DigestError, DigestState};
use crate::sip::locate::{MAX_PENALTY, Targets};
use crate::sip::message::{
    CSeq, HeaderName, HeaderValue, Headers, MAX_FORWARDS, Method, NameAddr, Request, Response, Uri,
};

/// How long [`Input::Stop`] waits for the registrar before it gives up.
pub const STOP_LIMIT: Duration = Duration::from_secs(5);

/// The least time between two moves of the Contact: behind a NAT that changes its mind at every packet, REGISTER would
/// otherwise never rest.
const MOVE_INTERVAL: Duration = Duration::from_secs(60);

/// What a registration needs to know of its trunk.
#[derive(Clone, Debug)]
pub struct RegistrationConfig {
    /// The Request-URI: the registrar's domain, without a user (RFC 3261 §10.2).
    pub registrar: Uri,
    /// The address of record, in To and From; the name of the trunk, not of a caller (SIPconnect 1.1 §4.2).
    pub aor: Uri,
    /// Where we can be reached.
    pub contact: Uri,
    /// The interval to ask for, in seconds.
    pub expires: u32,
    /// Who we are, when the registrar asks.
    pub account: Option<Account>,
    /// Where the packets go, in order of preference.
    pub targets: Vec<SocketAddr>,
}

/// What a registration is given.
#[derive(Debug)]
pub enum Input<'a> {
    /// Register, and stay registered. Ignored unless the registration is stopped or was never started.
    Start,
    /// Remove the binding, and stop; [`RegistrationState::Stopped`] follows within [`STOP_LIMIT`].
    Stop,
    /// A response to the last [`Output::SendRegister`]; others are ignored.
    Response(&'a Response),
    /// The last [`Output::SendRegister`] has got no final response.
    Failed(SendFailure),
    /// Our address, as others see it, is another than was thought: bind this one instead.
    Contact(Uri),
    /// The time of the last [`Output::Timeout`] has come.
    Timeout,
}

/// How a REGISTER can fail without a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendFailure {
    /// Its transaction timed out.
    TimedOut,
    /// It could not be sent.
    TransportFailed,
}

/// What a registration wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send this REGISTER, which is complete but for its Via (and what a user agent puts into every request).
    SendRegister {
        /// The request.
        request: Box<Request>,
        /// Where to.
        target: SocketAddr,
    },
    /// The state is now this.
    Event(RegistrationState),
    /// Drained. Come back with [`Input::Timeout`] at this time.
    Timeout(Option<Instant>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Timer {
    /// The binding wants refreshing.
    Refresh,
    /// The next attempt after a failure.
    Retry,
    /// The binding ends.
    Expiry,
    /// [`STOP_LIMIT`] is over.
    Stop,
}

/// The REGISTER that waits for its final response. There is never more than one (RFC 3261 §10.2).
#[derive(Clone, Copy, Debug)]
struct Outstanding {
    cseq: u32,
    target: SocketAddr,
    expires: u32,
}

/// One trunk's registration.
#[derive(Debug)]
pub struct Registration {
    config: RegistrationConfig,
    random: Random,
    digest: DigestState,
    targets: Targets,
    call_id: String,
    from_tag: String,
    cseq: u32,
    state: RegistrationState,
    stopping: bool,
    outstanding: Option<Outstanding>,
    /// Targets tried since the attempt began.
    tried: usize,
    /// Whether this attempt has raised its interval after a 423.
    raised: bool,
    /// Attempts that failed in a row.
    failures: u32,
    last_failure: RegistrationFailure,
    bound_until: Option<Instant>,
    /// A Contact bound earlier that the next REGISTER removes.
    retired: Option<Uri>,
    /// Whether the Contact has changed since the last REGISTER left.
    moved: bool,
    last_move: Option<Instant>,
    timers: Timers<Timer>,
    outputs: VecDeque<Output>,
}

impl Registration {
    /// A registration that has not been started.
    pub fn new(config: RegistrationConfig, mut random: Random) -> Self {
        Registration {
            targets: Targets::new(config.targets.iter().copied()),
            call_id: random.token(),
            from_tag: random.token(),
            config,
            random,
            digest: DigestState::new(),
            cseq: 0,
            state: RegistrationState::Unregistered,
            stopping: false,
            outstanding: None,
            tried: 0,
            raised: false,
            failures: 0,
            last_failure: RegistrationFailure::NoTarget,
            bound_until: None,
            retired: None,
            moved: false,
            last_move: None,
            timers: Timers::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Where the registration stands.
    pub fn state(&self) -> RegistrationState {
        self.state
    }

    /// Takes an input; drain [`Registration::poll_output`] afterwards.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Start => self.start(now),
            Input::Stop => self.stop(now),
            Input::Response(response) => self.receive(now, response),
            Input::Failed(failure) => self.send_failed(now, failure),
            Input::Contact(contact) => self.move_contact(now, contact),
            Input::Timeout => {
                while let Some(timer) = self.timers.pop_due(now) {
                    self.on_timer(now, timer);
                }
            }
        }
    }

    /// What to do next. Call until it is [`Output::Timeout`].
    pub fn poll_output(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| Output::Timeout(self.timers.next()))
    }

    fn start(&mut self, now: Instant) {
        if matches!(self.state, RegistrationState::Unregistered | RegistrationState::Stopped) {
            self.failures = 0;
            self.attempt(now);
        }
    }

    fn stop(&mut self, now: Instant) {
        if self.stopping || matches!(self.state, RegistrationState::Stopped) {
            return;
        }
        self.stopping = true;
        self.timers.cancel(&Timer::Refresh);
        self.timers.cancel(&Timer::Retry);
        self.timers.set(Timer::Stop, now + STOP_LIMIT);
        self.enter(RegistrationState::Unregistering);
        // RFC 3261 §10.2: no second REGISTER while one is out.
        if self.outstanding.is_none() {
            self.remove_binding(now);
        }
    }

    fn on_timer(&mut self, now: Instant, timer: Timer) {
        match timer {
            Timer::Refresh | Timer::Retry => self.attempt(now),
            Timer::Expiry => {
                self.bound_until = None;
                if !self.stopping {
                    self.show_unbound();
                }
            }
            Timer::Stop => self.stopped(),
        }
    }

    /// Begins an attempt: one REGISTER and what its challenges and refusals make of it, at each target in turn.
    fn attempt(&mut self, now: Instant) {
        if self.outstanding.is_some() {
            return;
        }
        self.timers.cancel(&Timer::Refresh);
        self.timers.cancel(&Timer::Retry);
        self.tried = 0;
        self.raised = false;
        match self.targets.select(now) {
            Some(target) => self.try_target(target),
            None => self.fail(now, RegistrationFailure::NoTarget),
        }
        if self.bound_until.is_none() && self.outstanding.is_some() {
            self.enter(RegistrationState::Registering);
        }
    }

    fn try_target(&mut self, target: SocketAddr) {
        self.tried += 1;
        self.digest.begin();
        self.send(target, self.config.expires.min(MAX_EXPIRES));
    }

    fn remove_binding(&mut self, now: Instant) {
        let target = self.targets.select(now).filter(|_| self.bound_until.is_some());
        match target {
            Some(target) => {
                self.digest.begin();
                self.send(target, 0);
            }
            None => self.stopped(),
        }
    }

    fn send(&mut self, target: SocketAddr, expires: u32) {
        if self.cseq >= i32::MAX as u32 {
            self.renew_call_id();
        }
        self.cseq += 1;
        let mut request = self.register(expires);
        if let Some(account) = &self.config.account {
            self.digest.sign(account, &mut request, &mut self.random);
        }
        self.moved = false;
        self.outstanding = Some(Outstanding { cseq: self.cseq, target, expires });
        self.outputs.push_back(Output::SendRegister { request: Box::new(request), target });
    }

    /// RFC 3261 §10.2; the interval stands in Contact and in Expires, for registrars read one or the other.
    fn register(&self, expires: u32) -> Request {
        let mut request = Request::new(Method::Register, self.config.registrar.clone());
        let bound =
            |uri: &Uri, expires: u32| NameAddr::new(uri.clone()).with_param("expires", Some(&expires.to_string()));
        let headers = request.headers_mut();
        headers.push(HeaderName::MaxForwards, MAX_FORWARDS);
        headers.push(HeaderName::From, NameAddr::new(self.config.aor.clone()).with_tag(&self.from_tag));
        headers.push(HeaderName::To, NameAddr::new(self.config.aor.clone()));
        if let Ok(call_id) = HeaderValue::try_from(self.call_id.as_str()) {
            headers.push(HeaderName::CallId, call_id);
        }
        headers.push(HeaderName::CSeq, CSeq::new(self.cseq, Method::Register));
        headers.push(HeaderName::Contact, bound(&self.config.contact, expires));
        if let Some(retired) = &self.retired {
            headers.push(HeaderName::Contact, bound(retired, 0));
        }
        headers.push(HeaderName::Expires, expires);
        request
    }

    fn receive(&mut self, now: Instant, response: &Response) {
        let headers = response.headers();
        let Some(outstanding) = self.outstanding else { return };
        let is_answer = headers.cseq().is_ok_and(|cseq| cseq == CSeq::new(outstanding.cseq, Method::Register));
        if !is_answer || response.status() < 200 {
            return;
        }
        self.outstanding = None;
        if self.stopping {
            return self.receive_stopping(now, outstanding, response);
        }
        let status = response.status();
        match Verdict::on(status) {
            Verdict::Accepted => self.accepted(now, outstanding, headers),
            Verdict::Challenged => match self.challenged(headers) {
                Ok(()) => self.send(outstanding.target, outstanding.expires),
                Err(DigestError::TooManyTries) => {
                    self.target_failed(now, outstanding.target, None, RegistrationFailure::ChallengedForEver);
                }
                // RFC 3261 §22.2
                Err(_) => self.refused(now, status, headers),
            },
            Verdict::TooBrief => match raised_expires(headers, outstanding.expires).filter(|_| !self.raised) {
                Some(expires) => {
                    self.raised = true;
                    self.config.expires = expires;
                    self.send(outstanding.target, expires);
                }
                None => self.refused(now, status, headers),
            },
            Verdict::Transient => {
                if status == 482 {
                    // A loop sees the same Call-ID again; the next attempt must not look like it.
                    self.renew_call_id();
                }
                let retry_after = retry_after(headers);
                self.target_failed(now, outstanding.target, retry_after, RegistrationFailure::Status(status));
            }
            Verdict::Refused => self.refused(now, status, headers),
        }
    }

    /// A final response after [`Input::Stop`]: to the removal itself, or to a REGISTER that was out before it.
    fn receive_stopping(&mut self, now: Instant, outstanding: Outstanding, response: &Response) {
        let removes = outstanding.expires == 0;
        match Verdict::on(response.status()) {
            Verdict::Accepted if removes => self.stopped(),
            Verdict::Accepted => {
                self.bound_until = Some(now + Duration::from_secs(u64::from(outstanding.expires)));
                self.digest.informed(response.headers());
                self.remove_binding(now);
            }
            Verdict::Challenged => {
                let may_retry = self.challenged(response.headers()).is_ok();
                if removes && may_retry {
                    self.send(outstanding.target, 0);
                } else if removes {
                    self.stopped();
                } else {
                    self.remove_binding(now);
                }
            }
            _ if removes => self.stopped(),
            _ => self.remove_binding(now),
        }
    }

    fn challenged(&mut self, headers: &Headers) -> Result<(), DigestError> {
        let account = self.config.account.as_ref().ok_or(DigestError::NoUsableChallenge)?;
        self.digest.challenged(account, headers)
    }

    fn accepted(&mut self, now: Instant, outstanding: Outstanding, headers: &Headers) {
        let granted = granted_expires(headers, &self.config.contact, outstanding.expires);
        if granted == 0 {
            return self.target_failed(now, outstanding.target, None, RegistrationFailure::NotBound);
        }
        self.failures = 0;
        self.targets.succeeded(outstanding.target);
        self.digest.informed(headers);
        let granted = Duration::from_secs(u64::from(granted));
        let until = now + granted;
        self.bound_until = Some(until);
        self.timers.set(Timer::Expiry, until);
        self.timers.set(Timer::Refresh, now + backoff::refresh_after(granted, &mut self.random));
        self.enter(RegistrationState::Registered { until });
        if self.moved {
            self.schedule_move(now);
        } else {
            self.retired = None;
        }
    }

    fn send_failed(&mut self, now: Instant, failure: SendFailure) {
        let Some(outstanding) = self.outstanding.take() else { return };
        if self.stopping {
            return self.stopped();
        }
        let failure = match failure {
            SendFailure::TimedOut => RegistrationFailure::TimedOut,
            SendFailure::TransportFailed => RegistrationFailure::Unreachable,
        };
        self.target_failed(now, outstanding.target, None, failure);
    }

    /// RFC 3261 §21.5.4, RFC 3263 §4.3: the next target at once, and back-off when all have failed.
    fn target_failed(
        &mut self,
        now: Instant,
        target: SocketAddr,
        retry_after: Option<Duration>,
        failure: RegistrationFailure,
    ) {
        self.targets.failed(now, target, retry_after);
        let next = self.targets.available(now).filter(|next| *next != target && self.tried < self.targets.len());
        match next {
            Some(next) => self.try_target(next),
            None => self.fail(now, failure),
        }
    }

    fn fail(&mut self, now: Instant, failure: RegistrationFailure) {
        self.failures = self.failures.saturating_add(1);
        self.last_failure = failure;
        let wait = backoff::after_failures(self.failures, &mut self.random);
        let retry_at = self.targets.held_until(now).map_or(now + wait, |held| held.max(now + wait));
        self.timers.set(Timer::Retry, retry_at);
        if self.bound_until.is_none() {
            self.enter(RegistrationState::Waiting { retry_at, failure });
        }
    }

    fn refused(&mut self, now: Instant, status: u16, headers: &Headers) {
        let wait = backoff::after_refusal(&mut self.random).max(retry_after(headers).unwrap_or_default());
        let retry_at = now + wait;
        self.bound_until = None;
        self.timers.cancel(&Timer::Expiry);
        self.timers.set(Timer::Retry, retry_at);
        self.enter(RegistrationState::Refused { status, retry_at });
    }

    /// The binding has run out while its refreshes failed.
    fn show_unbound(&mut self) {
        match self.timers.deadline(&Timer::Retry) {
            Some(retry_at) => self.enter(RegistrationState::Waiting { retry_at, failure: self.last_failure }),
            None => self.enter(RegistrationState::Registering),
        }
    }

    fn move_contact(&mut self, now: Instant, contact: Uri) {
        if contact == self.config.contact {
            return;
        }
        let old = std::mem::replace(&mut self.config.contact, contact);
        if self.bound_until.is_none() && self.outstanding.is_none() {
            return;
        }
        self.retired = Some(old);
        self.moved = true;
        if self.outstanding.is_none() && !self.stopping {
            self.schedule_move(now);
        }
    }

    fn schedule_move(&mut self, now: Instant) {
        let at = self.last_move.map_or(now, |last| now.max(last + MOVE_INTERVAL));
        self.last_move = Some(at);
        self.timers.set(Timer::Refresh, at);
    }

    fn renew_call_id(&mut self) {
        self.call_id = self.random.token();
        self.cseq = 0;
    }

    fn stopped(&mut self) {
        self.stopping = false;
        self.outstanding = None;
        self.bound_until = None;
        self.retired = None;
        for timer in [Timer::Refresh, Timer::Retry, Timer::Expiry, Timer::Stop] {
            self.timers.cancel(&timer);
        }
        self.enter(RegistrationState::Stopped);
    }

    fn enter(&mut self, state: RegistrationState) {
        if self.state != state {
            self.state = state;
            self.outputs.push_back(Output::Event(state));
        }
    }
}

/// Retry-After, at most [`MAX_PENALTY`].
fn retry_after(headers: &Headers) -> Option<Duration> {
    headers.retry_after().map(|seconds| Duration::from_secs(u64::from(seconds)).min(MAX_PENALTY))
}
