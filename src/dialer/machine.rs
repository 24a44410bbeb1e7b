//! The dialer: the queue, and the calls that came out of it.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::call::{Call, hang_up};
use super::desk::{Desk, Timer};
use super::event::{Input, Output};
use super::job::Job;
use super::outcome::{Outcome, Why};
use super::trunks::{DialTrunk, Found, Trunks};
use crate::base::random::Random;
use crate::base::time::{Instant, UnixTime};
use crate::base::timers::Timers;
use crate::otp::{CallPolicy, Party, PhoneNumber, Reason};
use crate::sip::registration::RegistrationState;
use crate::sip::user_agent::{CallEvent, CallId};
use crate::speech::PromptPack;
use crate::wire::codec::Codec;

/// How the dialer works.
#[derive(Clone, Debug)]
pub struct DialerConfig {
    /// The trunks; numbers differ.
    pub trunks: Vec<DialTrunk>,
    /// The rules of a call.
    pub policy: CallPolicy,
    /// The codecs to offer, most wanted first; the pack holds each.
    pub codecs: Vec<Codec>,
    /// Calls at a time over all trunks.
    pub max_calls: usize,
    /// Jobs that may wait; one more is released at once.
    pub max_queue: usize,
    /// How long a job waits for any trunk to be usable before it ends with `no_trunk`.
    pub trunk_wait: Duration,
}

/// The machine. Its `Debug` masks numbers and hides codes.
pub struct Dialer {
    trunks: Trunks,
    no_trunks: bool,
    max_calls: usize,
    max_queue: usize,
    trunk_wait: Duration,
    draining: bool,
    queue: VecDeque<Job>,
    calls: BTreeMap<CallId, Call>,
    /// The numbers that are being called.
    numbers: HashSet<PhoneNumber>,
    desk: Desk,
}

impl Dialer {
    /// A dialer that starts at `now`, which is `civil` by the calendar.
    pub fn new(now: Instant, civil: UnixTime, config: DialerConfig, pack: Arc<PromptPack>, random: Random) -> Self {
        Dialer {
            no_trunks: config.trunks.is_empty(),
            trunks: Trunks::new(now, config.trunks),
            max_calls: config.max_calls,
            max_queue: config.max_queue,
            trunk_wait: config.trunk_wait,
            draining: false,
            queue: VecDeque::new(),
            calls: BTreeMap::new(),
            numbers: HashSet::new(),
            desk: Desk {
                policy: config.policy,
                codecs: config.codecs,
                pack,
                random,
                timers: Timers::default(),
                outputs: VecDeque::new(),
                civil: (now, civil),
            },
        }
    }

    /// Takes one input. Drain [`Dialer::poll_output`] before the next.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        match input {
            Input::Job(job) => self.take_on(now, job),
            Input::Cancel { call } => {
                if !self.end_waiting(call, Reason::Cancelled, Party::Caller) {
                    self.with_call(call, |running, desk| running.give_up(now, Why::Cancelled, desk));
                }
            }
            Input::MediaOpened { call, result } => {
                let opened = result.is_ok();
                if !self.with_call(call, |running, desk| running.media_opened(now, result, desk)) && opened {
                    self.desk.put(Output::CloseMedia { call });
                }
            }
            Input::Recorded { call } => {
                self.with_call(call, |running, desk| running.recorded(now, desk));
            }
            Input::RecordFailed { call } => {
                self.with_call(call, |running, desk| running.record_failed(now, desk));
            }
            Input::Sip { call, event } => {
                let answered = matches!(event, CallEvent::Answered { .. });
                if !self.with_call(call, |running, desk| running.sip(now, event, desk)) && answered {
                    self.desk.put(hang_up(call));
                }
            }
            Input::Registration { trunk, state } => {
                self.trunks.set_registered(trunk, matches!(state, RegistrationState::Registered { .. }));
                self.watch_trunks(now);
            }
            Input::Media { call, event } => {
                self.with_call(call, |running, desk| running.media(now, event, desk));
            }
            Input::MediaClosed { call, report } => {
                self.with_call(call, |running, desk| running.media_closed(now, report, desk));
            }
            Input::CivilTime(civil) => self.desk.civil = (now, civil),
            Input::Drain => self.drain(),
            Input::HangupAll => {
                self.drain();
                for call in self.calls.keys().copied().collect::<Vec<_>>() {
                    self.with_call(call, |running, desk| running.give_up(now, Why::Interrupted, desk));
                }
            }
            Input::Timeout => {}
        }
        while let Some(timer) = self.desk.timers.pop_due(now) {
            self.ring_timer(now, timer);
        }
        self.dial(now);
    }

    /// The next thing to do; [`Output::Timeout`] when there is none.
    pub fn poll_output(&mut self) -> Output {
        self.desk.outputs.pop_front().unwrap_or_else(|| Output::Timeout(self.desk.timers.next()))
    }

    /// How many more jobs may be brought before one is released at once. None while draining.
    pub fn room(&self) -> usize {
        if self.draining { 0 } else { self.max_queue.saturating_sub(self.queue.len()) }
    }

    /// Whether no job is left, waiting or running.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.calls.is_empty()
    }

    fn take_on(&mut self, now: Instant, job: Job) {
        let call = job.call;
        if self.calls.contains_key(&call) || self.queue.iter().any(|waiting| waiting.call == call) {
            return;
        }
        if self.room() == 0 {
            self.desk.put(Output::Released { call });
        } else if self.no_trunks {
            self.end(call, Reason::NoTrunk, Party::Us);
        } else {
            self.desk.timers.set(Timer::Expiry(call), job.expires_at);
            self.queue.push_back(job);
            self.watch_trunks(now);
        }
    }

    /// Bounds how long each waiting job waits for a usable trunk.
    fn watch_trunks(&mut self, now: Instant) {
        let usable = self.trunks.any_usable();
        for job in &self.queue {
            let timer = Timer::NoTrunk(job.call);
            if usable {
                self.desk.timers.cancel(&timer);
            } else if self.desk.timers.deadline(&timer).is_none() {
                self.desk.timers.set(timer, now + self.trunk_wait);
            }
        }
    }

    /// Hands back what waits.
    fn drain(&mut self) {
        self.draining = true;
        for job in std::mem::take(&mut self.queue) {
            self.desk.forget_timers(job.call);
            self.desk.put(Output::Released { call: job.call });
        }
    }

    /// Ends a job that waits; false when `call` does not wait.
    fn end_waiting(&mut self, call: CallId, reason: Reason, party: Party) -> bool {
        let Some(place) = self.queue.iter().position(|job| job.call == call) else { return false };
        self.queue.remove(place);
        self.desk.forget_timers(call);
        self.end(call, reason, party);
        true
    }

    fn end(&mut self, call: CallId, reason: Reason, party: Party) {
        self.desk.put(Output::Ended(Box::new(Outcome::undialled(call, reason, party, None))));
    }

    /// Lets a running call act, and gives its channel and its number back when that was its end; false when there is no
    /// such call.
    fn with_call(&mut self, call: CallId, act: impl FnOnce(&mut Call, &mut Desk)) -> bool {
        let Some(running) = self.calls.get_mut(&call) else { return false };
        act(running, &mut self.desk);
        if running.is_over() {
            self.trunks.release(running.trunk());
            self.numbers.remove(running.number());
            self.calls.remove(&call);
        }
        true
    }

    fn ring_timer(&mut self, now: Instant, timer: Timer) {
        match timer {
            // The dialling at the end of each input does the rest.
            Timer::Pace => {}
            Timer::NoTrunk(call) => {
                self.end_waiting(call, Reason::NoTrunk, Party::Us);
            }
            Timer::Expiry(call) => {
                if !self.end_waiting(call, Reason::Expired, Party::Us) {
                    self.with_call(call, |running, desk| running.timer(now, timer, desk));
                }
            }
            Timer::Ring(call) | Timer::Script(call) | Timer::Stall(call) | Timer::Hangup(call) | Timer::Close(call) => {
                self.with_call(call, |running, desk| running.timer(now, timer, desk));
            }
        }
    }

    /// Starts as many waiting jobs as trunks, channels, tokens and numbers allow, the longest waiting first.
    fn dial(&mut self, now: Instant) {
        self.desk.timers.cancel(&Timer::Pace);
        while self.calls.len() < self.max_calls {
            let free = |job: &Job| !self.numbers.contains(&job.number);
            let Some(place) = self.queue.iter().position(free) else { return };
            match self.trunks.take(now) {
                Found::Trunk { id, name } => {
                    let job = self.queue.remove(place).expect("the place was just found");
                    let call = job.call;
                    self.desk.timers.cancel(&Timer::NoTrunk(call));
                    self.numbers.insert(job.number.clone());
                    self.calls.insert(call, Call::start(job, id, name, &mut self.desk));
                }
                Found::Later(at) => {
                    if let Some(at) = at {
                        self.desk.timers.set(Timer::Pace, at);
                    }
                    return;
                }
                Found::NoneUsable => return,
            }
        }
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer")
            .field("waiting", &self.queue.len())
            .field("calls", &self.calls)
            .field("trunks", &self.trunks)
            .field("draining", &self.draining)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod bench;
#[cfg(test)]
mod random_tests;
#[cfg(test)]
mod tests;
