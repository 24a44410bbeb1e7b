//! The driver of the dialer: carries what the outside tells into the pure machine, and what the machine wants done out.
//!
//! One task owns the dialer. It never waits for anybody: orders to the signalling floor lie in an outbox until there is
//! room, the recorder takes what it is given at once, and media is ordered without waiting. So no two tasks can wait
//! for each other.
//!
//! | queue | bound | at the bound |
//! |---|---|---|
//! | requests from the feeder | [`feeder::CHANNEL`] | the feeder waits; the rest waits in the store |
//! | jobs in the dialer | `Dialer::room` | no more are taken from the feeder |
//! | events of signalling and media | given with the channels | their floors wait |
//! | outbox to signalling | a few orders for each running call | cannot be reached: the dialer bounds its calls |
//! | records to write | see [`recorder`](super::recorder) | steps are dropped, never attempts or ends |
//! | cancellations | 256 | whoever cancels waits |

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::call_link::CallLinkDriver;
use super::feeder::{self, Cursor, Feeder};
use super::recorder::{AttemptAnswer, CallOwner, Recorder};
use super::types::UserId;
use crate::base::time::Instant;
use crate::dialer::{Dialer, Input, Job, MediaUnavailable, Outcome, Output};
use crate::media::audio_report::AudioReport;
use crate::media::media_session;
use crate::net::clock::Clock;
use crate::net::media_engine::{CallKey, EngineEvent, MediaEngine};
use crate::sip::registration::RegistrationState;
use crate::sip::user_agent::{CallId, Command, Event};
use crate::store::{Begin, End, NewEvent, PendingCall, Store};

/// How often the dialer is told the civil time, which may have been set.
const CIVIL_PERIOD: Duration = Duration::from_secs(5);
/// How long the end of the registrations is waited for at shutdown: a REGISTER's own timeout (RFC 3261 §17.1.2.2,
/// Timer F of 32 s) would keep a stopping daemon too long.
const DEREGISTER_LIMIT: Duration = Duration::from_secs(4);

/// Whoever opens sockets for RTP and runs the media sessions.
pub trait MediaDriver: Send + 'static {
    /// Opens a call's session, silent for now; the address to offer.
    ///
    /// # Errors
    /// There is no port or socket.
    fn open(&self, call: CallKey) -> Result<SocketAddr, MediaUnavailable>;
    /// Orders something of a call's session.
    fn command(&self, call: CallKey, command: media_session::Command);
    /// Closes a call's session; [`EngineEvent::Closed`] follows.
    fn close(&self, call: CallKey);
}

impl MediaDriver for MediaEngine {
    fn open(&self, call: CallKey) -> Result<SocketAddr, MediaUnavailable> {
        MediaEngine::open(self, call).map_err(|error| {
            tracing::warn!(call, %error, "no RTP for a call");
            MediaUnavailable
        })
    }

    fn command(&self, call: CallKey, command: media_session::Command) {
        MediaEngine::command(self, call, command);
    }

    fn close(&self, call: CallKey) {
        MediaEngine::close(self, call);
    }
}

/// The dispatcher's parts; [`run`](Self::run) is its task.
pub struct Dispatcher<M> {
    /// The machine.
    pub dialer: Dialer,
    /// The store that holds the requests, after [`Store::recover`].
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// The end of the link to the service.
    pub link: CallLinkDriver,
    /// Orders to the user agent.
    pub sip: mpsc::Sender<Command>,
    /// What the user agent tells.
    pub sip_events: mpsc::Receiver<Event>,
    /// The media sessions.
    pub media: M,
    /// What the media sessions tell.
    pub media_events: mpsc::Receiver<EngineEvent>,
    /// How long running calls may go on after a stop before they are hung up.
    pub drain_limit: Duration,
}

impl<M: MediaDriver> Dispatcher<M> {
    /// Registers the trunks and runs calls until `stop` is done; then takes no more calls, lets the running ones end
    /// within the drain limit, or until `hurry` is done as well, hangs up the rest, ends the registrations, and returns
    /// when all that happened is written. What waits stays in the store for the next start.
    pub async fn run(self, stop: impl Future<Output = ()>, hurry: impl Future<Output = ()>) {
        let Dispatcher { dialer, store, clock, link, sip, mut sip_events, media, mut media_events, drain_limit } = self;
        let (answers_in, mut answers) = mpsc::unbounded_channel();
        let (recorder, recorder_task) = Recorder::start(store.clone(), answers_in, link.progress.clone());
        let (calls_in, mut calls) = mpsc::channel(feeder::CHANNEL);
        let cursor = Cursor::default();
        let accepted = Arc::clone(&link.accepted);
        let progress = link.progress.clone();
        let feeder =
            Feeder { store, clock: clock.clone(), accepted, cursor: cursor.clone(), calls: calls_in, progress };
        let feeder_task = tokio::spawn(feeder.run());

        let mut state = State {
            dialer,
            clock: clock.clone(),
            link,
            media,
            recorder,
            cursor,
            outbox: VecDeque::from([Command::Start]),
            known: HashMap::new(),
            by_request: HashMap::new(),
            next_call: 1,
            wake_at: None,
            phase: Phase::Running,
        };
        let mut civil = tokio::time::interval(CIVIL_PERIOD);
        let mut stop = std::pin::pin!(stop);
        let mut hurry = std::pin::pin!(hurry);
        state.input(Input::CivilTime(clock.unix_now()));
        loop {
            match state.phase {
                Phase::Draining { .. } | Phase::HangingUp if state.dialer.is_idle() => state.deregister(),
                Phase::Stopped => break,
                _ => {}
            }
            let deadline = state.deadline(drain_limit);
            tokio::select! {
                // Ends and answers before new work, so that a flood of requests cannot starve running calls.
                biased;
                () = &mut stop, if state.phase == Phase::Running => state.stop(),
                () = &mut hurry, if matches!(state.phase, Phase::Draining { .. }) => state.hang_up_all(),
                () = clock.sleep_until(deadline) => state.time_passed(drain_limit),
                permit = sip.reserve(), if !state.outbox.is_empty() => match permit {
                    Ok(permit) => state.give_order(permit),
                    Err(_) => state.signalling_died(),
                },
                Some(answer) = answers.recv() => state.attempt_answered(answer),
                event = sip_events.recv() => match event {
                    Some(event) => state.sip(event),
                    None => state.signalling_died(),
                },
                Some(event) = media_events.recv() => state.media(event),
                Some(id) = state.link.cancels.recv() => state.cancel(id),
                Some(call) = calls.recv(), if state.takes_jobs() => state.job(call),
                _ = civil.tick() => state.input(Input::CivilTime(clock.unix_now())),
            }
        }
        drop(calls);
        drop(state);
        for task in [feeder_task, recorder_task] {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the dispatcher failed");
            }
        }
    }
}

/// Where the dispatcher stands between its start and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    Draining { since: Instant },
    HangingUp,
    Deregistering { since: Instant },
    Stopped,
}

/// What is known of a call that is in the dialer.
struct Known {
    request: i64,
    owner: Arc<CallOwner>,
}

struct State<M> {
    dialer: Dialer,
    clock: Clock,
    link: CallLinkDriver,
    media: M,
    recorder: Recorder,
    cursor: Cursor,
    outbox: VecDeque<Command>,
    known: HashMap<CallId, Known>,
    by_request: HashMap<i64, CallId>,
    next_call: u64,
    wake_at: Option<Instant>,
    phase: Phase,
}

impl<M: MediaDriver> State<M> {
    fn takes_jobs(&self) -> bool {
        self.phase == Phase::Running && self.dialer.room() > 0
    }

    fn job(&mut self, pending: PendingCall) {
        // After a rewind the store tells again of what is here already.
        if self.by_request.contains_key(&pending.id) {
            return;
        }
        let call = CallId(self.next_call);
        self.next_call += 1;
        let owner = Arc::new(CallOwner { uuid: pending.uuid, user: UserId::new(&pending.user) });
        self.known.insert(call, Known { request: pending.id, owner });
        self.by_request.insert(pending.id, call);
        let left = pending.expires_at.saturating_duration_since(self.clock.unix_now());
        self.input(Input::Job(Job {
            call,
            number: pending.phone,
            code: pending.code,
            readings: pending.maxretry.saturating_add(1),
            caller_id: None,
            expires_at: self.clock.now() + left,
        }));
    }

    fn cancel(&mut self, request: i64) {
        // A request that is not here waits in the store, where it has ended already.
        if let Some(&call) = self.by_request.get(&request) {
            self.input(Input::Cancel { call });
        }
    }

    fn attempt_answered(&mut self, answer: AttemptAnswer) {
        match answer {
            AttemptAnswer::Durable(call) => self.input(Input::Recorded { call }),
            AttemptAnswer::Refused(call) => {
                self.input(Input::Cancel { call });
                self.input(Input::RecordFailed { call });
            }
            AttemptAnswer::Failed(call) => self.input(Input::RecordFailed { call }),
        }
    }

    fn sip(&mut self, event: Event) {
        match event {
            Event::Call { call, event } => self.input(Input::Sip { call, event }),
            Event::Registration { trunk, state } => {
                let now = self.clock.now();
                self.link.set_trunks(|states| {
                    if let Some((name, known)) = states.trunks.get_mut(&trunk) {
                        tell_registration(name, known.as_ref(), &state, now);
                        *known = Some(state);
                    }
                });
                self.input(Input::Registration { trunk, state });
            }
            Event::Stopped => self.phase = Phase::Stopped,
            // The policy of the daemon's user agent asks for neither.
            Event::IncomingCall { .. } | Event::Request { .. } => {}
        }
    }

    fn media(&mut self, event: EngineEvent) {
        match event {
            EngineEvent::Media { call, event } => self.input(Input::Media { call: CallId(call), event }),
            EngineEvent::Closed { call, report } => self.input(Input::MediaClosed { call: CallId(call), report }),
        }
    }

    fn stop(&mut self) {
        tracing::info!(calls = self.known.len(), "stopping: no more calls are taken");
        self.link.set_trunks(|states| states.stopping = true);
        self.phase = Phase::Draining { since: self.clock.now() };
        self.input(Input::Drain);
    }

    fn hang_up_all(&mut self) {
        tracing::info!(calls = self.known.len(), "hanging up what still runs");
        self.phase = Phase::HangingUp;
        self.input(Input::HangupAll);
    }

    /// The user agent is gone: nothing more can be done for any call.
    fn signalling_died(&mut self) {
        if !matches!(self.phase, Phase::Deregistering { .. } | Phase::Stopped) {
            tracing::error!("signalling has ended");
            self.link.set_trunks(|states| states.stopping = true);
            self.input(Input::HangupAll);
        }
        self.outbox.clear();
        self.phase = Phase::Stopped;
    }

    fn deregister(&mut self) {
        self.phase = Phase::Deregistering { since: self.clock.now() };
        self.outbox.push_back(Command::Stop);
    }

    fn deadline(&self, drain_limit: Duration) -> Option<Instant> {
        let phase = match self.phase {
            Phase::Draining { since } => Some(since + drain_limit),
            Phase::Deregistering { since } => Some(since + DEREGISTER_LIMIT),
            Phase::Running | Phase::HangingUp | Phase::Stopped => None,
        };
        self.wake_at.into_iter().chain(phase).min()
    }

    fn time_passed(&mut self, drain_limit: Duration) {
        let now = self.clock.now();
        match self.phase {
            Phase::Draining { since } if now >= since + drain_limit => self.hang_up_all(),
            Phase::Deregistering { since } if now >= since + DEREGISTER_LIMIT => {
                tracing::warn!("the registrars did not answer in time");
                self.phase = Phase::Stopped;
            }
            _ => self.input(Input::Timeout),
        }
    }

    fn give_order(&mut self, permit: mpsc::Permit<'_, Command>) {
        if let Some(command) = self.outbox.pop_front() {
            permit.send(command);
        }
    }

    /// Gives the dialer an input, and whatever follows from it at once.
    fn input(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.dialer.handle_input(self.clock.now(), input);
            self.drain(&mut inputs);
        }
    }

    /// Does all that the dialer wants done; what it can be answered at once is appended to `inputs`.
    fn drain(&mut self, inputs: &mut VecDeque<Input>) {
        loop {
            match self.dialer.poll_output() {
                Output::OpenMedia { call } => {
                    let result = self.media.open(call.0);
                    inputs.push_back(Input::MediaOpened { call, result });
                }
                Output::Record(attempt) => {
                    if let Some(known) = self.known.get(&attempt.call) {
                        let begin = Begin { challenge_id: known.request, trunk: attempt.trunk_name, at: attempt.at };
                        self.recorder.attempt(attempt.call, begin);
                    }
                }
                Output::Sip(command) => self.outbox.push_back(command),
                Output::Media { call, command } => self.media.command(call.0, command),
                Output::CloseMedia { call } => self.media.close(call.0),
                Output::Timeline(step) => {
                    if let Some(known) = self.known.get(&step.call) {
                        let detail = detail(&step.step);
                        let kind = step.step.name();
                        let event = NewEvent { challenge_id: known.request, at: step.at, kind, detail };
                        self.recorder.step(&known.owner, event);
                    }
                }
                Output::Released { call } => self.released(call),
                Output::Ended(outcome) => self.ended(*outcome),
                Output::Timeout(at) => {
                    self.wake_at = at;
                    return;
                }
            }
        }
    }

    fn released(&mut self, call: CallId) {
        if let Some(known) = self.forget(call) {
            self.cursor.rewind(known.request);
        }
    }

    fn ended(&mut self, outcome: Outcome) {
        let Some(known) = self.forget(outcome.call) else { return };
        self.recorder.end(End {
            challenge_id: known.request,
            party: outcome.party,
            carrier_text: outcome.text,
            billable: outcome.billable,
            audio: outcome.audio.as_ref().map(audio),
            delivery: outcome.delivery,
            at: self.clock.unix_now(),
        });
    }

    fn forget(&mut self, call: CallId) -> Option<Known> {
        let known = self.known.remove(&call)?;
        self.by_request.remove(&known.request);
        Some(known)
    }
}

/// The fields of a step beside its name.
fn detail(step: &crate::dialer::CallStep) -> Value {
    let mut detail = serde_json::to_value(step).unwrap_or_else(|_| json!({}));
    if let Some(fields) = detail.as_object_mut() {
        fields.remove("event");
    }
    detail
}

fn audio(report: &AudioReport) -> Value {
    json!({
        "sent": report.sent,
        "skipped": report.skipped,
        "received": report.received,
        "lost": report.lost,
        "duplicates": report.duplicates,
        "late": report.late,
        "dropped": report.dropped,
        "digits": report.digits,
        "max_gap_ms": u64::try_from(report.max_gap.as_millis()).unwrap_or(u64::MAX),
    })
}

/// Tells whoever runs the daemon how a trunk's registration stands; a mere refresh is not worth a line.
fn tell_registration(trunk: &str, before: Option<&RegistrationState>, state: &RegistrationState, now: Instant) {
    let seconds = |at: Instant| at.saturating_duration_since(now).as_secs();
    match *state {
        RegistrationState::Registered { .. } if matches!(before, Some(RegistrationState::Registered { .. })) => {}
        RegistrationState::Registered { until } => {
            tracing::info!(trunk, "registered for {} s", seconds(until));
        }
        RegistrationState::Waiting { retry_at, failure } => {
            tracing::warn!(trunk, "not registered: {failure}; tried again in {} s", seconds(retry_at));
        }
        RegistrationState::Refused { status, retry_at } => {
            let advice = "are username and password right?";
            let retry = seconds(retry_at);
            tracing::error!(trunk, "the registrar refuses with {status}: {advice} Tried again in {retry} s");
        }
        RegistrationState::Unregistered
        | RegistrationState::Registering
        | RegistrationState::Unregistering
        | RegistrationState::Stopped => tracing::debug!(trunk, ?state, "registration"),
    }
}

#[cfg(test)]
mod tests;
