//! What is said in a call, in which order, and what a pressed key does: a machine without media.
//!
//! ```text
//! answer ── settle ── "Your verification code is" 6 · 1 · 0 · 3 · 8 · 9
//!           │                  "Again, your code is" 6 · 1 · 0 · 3 · 8 · 9     (maxretry times)
//!           │                  "Press one to hear it again" ── listen_window ── "Goodbye" ── hang up
//!           └ the callee's first RTP or answer_settle, whichever is first, but never within 300 ms
//! ```
//!
//! All readings that follow each other by themselves, and the words between them, are one playlist, so that every gap
//! is exact in RTP time and does not depend on when a thread wakes up. Marks on its phrases tell how far it got.
//!
//! **The repeat key** starts the reading again at once, with its first word, at any moment from the first word on until
//! the call is hung up, `max_repeats` times; other keys do nothing, and neither does the repeat key after that. A press
//! never takes a reading away: the one that it interrupts is begun again, and those that `maxretry` still owes follow
//! it. A press when nothing is owed any more brings exactly one reading. When no repeat is left, nobody is invited to
//! press or waited for: after the last reading comes the goodbye. The invitation says "one"; with another `repeat_key`
//! the key works, but is not announced.
//!
//! **A digit counts as read** when its last frame was sent, a reading when all its digits were. When a press and the end
//! of a digit cross, the digit was sent and counts for its own reading, not for the new one.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use super::code::Code;
use crate::base::time::Instant;
use crate::base::timers::Timers;
use crate::speech::PromptId;

/// Nothing is said so soon after the answer: phones switch their audio path through only after they have answered, and
/// the first syllable would be lost.
pub const NOT_BEFORE: Duration = Duration::from_millis(300);

/// Silence between two phrases, and between a phrase and a digit.
pub const PHRASE_PAUSE: Duration = Duration::from_millis(500);

/// Silence after the goodbye, so that the BYE does not overtake what still lies in the callee's jitter buffer.
pub const LAST_PAUSE: Duration = Duration::from_millis(400);

/// The rules of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallPolicy {
    /// How long a phone may ring.
    pub ring_timeout: Duration,
    /// Speech begins this long after the answer, unless the callee's first RTP comes earlier; never within
    /// [`NOT_BEFORE`].
    pub answer_settle: Duration,
    /// Silence between the end of a digit and the start of the next; whole frames of 20 ms.
    pub digit_gap: Duration,
    /// The key that starts the reading again: `0`-`9`, `*`, `#` or `A`-`D`.
    pub repeat_key: char,
    /// How often the callee may start the reading again.
    pub max_repeats: u8,
    /// How long the call listens for the key after the last reading.
    pub listen_window: Duration,
}

impl Default for CallPolicy {
    /// The values of the shipped configuration.
    fn default() -> Self {
        CallPolicy {
            ring_timeout: Duration::from_secs(45),
            answer_settle: Duration::from_millis(700),
            digit_gap: Duration::from_secs(1),
            repeat_key: '1',
            max_repeats: 3,
            listen_window: Duration::from_secs(8),
        }
    }
}

/// One piece of a playlist. `Debug` does not tell which digit it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Phrase {
    /// A recording.
    Prompt(PromptId),
    /// Silence; whole frames of 20 ms.
    Silence(Duration),
}

impl fmt::Debug for Phrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Phrase::Prompt(PromptId::Digit(_)) => f.write_str("Digit(*)"),
            Phrase::Prompt(prompt) => write!(f, "{prompt:?}"),
            Phrase::Silence(silence) => write!(f, "Silence({silence:?})"),
        }
    }
}

/// What the script is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The call was answered, and RTP flows.
    Answered,
    /// The callee's first RTP came. Before the answer it means nothing: it may be the carrier's announcement.
    FirstPacket,
    /// A key was pressed.
    Digit(char),
    /// The last frame of the phrase that bears `mark` was sent.
    Reached {
        /// The playlist, by its number.
        playlist: u32,
        /// The mark, as it was given in [`Output::Play`].
        mark: u32,
    },
    /// The last frame of a playlist was sent.
    Finished {
        /// The playlist, by its number.
        playlist: u32,
    },
    /// What plays cannot be finished, because the call's codec has changed: say it again from where it makes sense.
    Replay,
    /// The call is over.
    HungUp,
    /// The time of the last [`Output::Timeout`] has come.
    Timeout,
}

/// What the script wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Play this from the next frame on, instead of what plays.
    Play {
        /// The playlist's number; grows with each.
        playlist: u32,
        /// What to play, each with the mark to report when it was sent.
        phrases: Vec<(Phrase, Option<u32>)>,
    },
    /// End the call. Told once.
    Hangup,
    /// Tell the floor above.
    Event(ScriptEvent),
    /// Drained. Come back with [`Input::Timeout`] at this time, or with any input before.
    Timeout(Option<Instant>),
}

/// What happens in a call's script. Names no digit of the code, and no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptEvent {
    /// A reading begins with its first word.
    ReadingStarted {
        /// From 1; grows with each reading, also with those that a press began.
        reading: u32,
    },
    /// A digit was sent to its end.
    DigitRead {
        /// The reading that it belongs to.
        reading: u32,
        /// Its place, from 1.
        index: u32,
        /// Digits of the code.
        of: u32,
    },
    /// All digits of a reading were sent.
    ReadingCompleted {
        /// Which.
        reading: u32,
    },
    /// The callee pressed the repeat key, and it was honoured.
    Repeated {
        /// How often up to now.
        repeats: u32,
    },
    /// The call waits for the repeat key.
    Listening,
    /// The goodbye begins.
    Goodbye,
}

/// How far a call got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Readings of which every digit was sent.
    pub readings_completed: u32,
    /// Digits sent in the reading that was begun last.
    pub digits_read: u32,
    /// How often the repeat key was honoured.
    pub repeats: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Unanswered,
    Settling { not_before: Instant },
    Reading,
    Listening,
    Leaving,
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Timer {
    /// Speech begins.
    Begin,
    /// The listen window ends.
    Listen,
}

/// The script of one call.
#[derive(Debug)]
pub struct CallScript {
    code: Code,
    policy: CallPolicy,
    phase: Phase,
    /// The playlist that was ordered last.
    playlist: u32,
    /// The first reading of that playlist.
    first_reading: u32,
    /// The reading that was begun last.
    reading: u32,
    /// Complete readings that are still to come.
    owed: u32,
    progress: Progress,
    timers: Timers<Timer>,
    outputs: VecDeque<Output>,
}

impl CallScript {
    /// A script that reads `code` `readings` times by itself (1 + `maxretry`; 0 counts as 1).
    pub fn new(code: Code, policy: CallPolicy, readings: u8) -> Self {
        CallScript {
            code,
            policy,
            phase: Phase::Unanswered,
            playlist: 0,
            first_reading: 1,
            reading: 0,
            owed: u32::from(readings.max(1)),
            progress: Progress::default(),
            timers: Timers::default(),
            outputs: VecDeque::new(),
        }
    }

    /// How far the call got.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// Takes one input. Drain [`CallScript::poll_output`] before the next.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        match input {
            Input::Answered => {
                if self.phase == Phase::Unanswered {
                    self.phase = Phase::Settling { not_before: now + NOT_BEFORE };
                    self.timers.set(Timer::Begin, now + self.policy.answer_settle.max(NOT_BEFORE));
                }
            }
            Input::FirstPacket => {
                if let Phase::Settling { not_before } = self.phase {
                    let latest = self.timers.deadline(&Timer::Begin).unwrap_or(now);
                    self.timers.set(Timer::Begin, now.max(not_before).min(latest));
                }
            }
            Input::Digit(key) => self.key_pressed(key),
            Input::Reached { playlist, mark } => self.reached(playlist, mark),
            Input::Finished { playlist } => self.finished(now, playlist),
            Input::Replay => self.replay(now),
            Input::HungUp => {
                self.phase = Phase::Over;
                self.timers = Timers::default();
            }
            Input::Timeout => {}
        }
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Begin => self.read(),
                Timer::Listen => self.say_goodbye(),
            }
        }
    }

    /// The next thing to do; [`Output::Timeout`] when there is none.
    pub fn poll_output(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| Output::Timeout(self.timers.next()))
    }

    fn key_pressed(&mut self, key: char) {
        let speaking = matches!(self.phase, Phase::Reading | Phase::Listening | Phase::Leaving);
        if !speaking || key != self.policy.repeat_key || !self.may_repeat() {
            return;
        }
        self.progress.repeats += 1;
        self.event(ScriptEvent::Repeated { repeats: self.progress.repeats });
        self.owed = self.owed.max(1);
        self.timers.cancel(&Timer::Listen);
        self.read();
    }

    fn may_repeat(&self) -> bool {
        self.progress.repeats < u32::from(self.policy.max_repeats)
    }

    fn reached(&mut self, playlist: u32, mark: u32) {
        let (reading, index) = (mark / MARKS_PER_READING, mark % MARKS_PER_READING);
        let current = playlist == self.playlist && self.phase == Phase::Reading;
        // A playlist that was replaced can still have sent the end of a digit, but of its own readings only.
        let known = if current { reading <= self.reading + 1 } else { reading < self.first_reading };
        let of = u32::from(self.code.length());
        if reading == 0 || index > of || !known || self.phase == Phase::Over {
            return;
        }
        if index == 0 {
            if current {
                self.begin_reading(reading);
            }
            return;
        }
        if reading == self.reading {
            self.progress.digits_read = index;
        }
        self.event(ScriptEvent::DigitRead { reading, index, of });
        if index == of {
            self.progress.readings_completed += 1;
            if current {
                self.owed = self.owed.saturating_sub(1);
            }
            self.event(ScriptEvent::ReadingCompleted { reading });
        }
    }

    fn finished(&mut self, now: Instant, playlist: u32) {
        if playlist != self.playlist {
            return;
        }
        match self.phase {
            Phase::Reading => self.reading_done(now),
            Phase::Leaving => {
                self.phase = Phase::Over;
                self.outputs.push_back(Output::Hangup);
            }
            Phase::Unanswered | Phase::Settling { .. } | Phase::Listening | Phase::Over => {}
        }
    }

    fn reading_done(&mut self, now: Instant) {
        if self.may_repeat() && !self.policy.listen_window.is_zero() {
            self.phase = Phase::Listening;
            self.timers.set(Timer::Listen, now + self.policy.listen_window);
            self.event(ScriptEvent::Listening);
        } else {
            self.say_goodbye();
        }
    }

    fn replay(&mut self, now: Instant) {
        match self.phase {
            Phase::Reading if self.owed > 0 => self.read(),
            Phase::Reading => self.reading_done(now),
            Phase::Leaving => self.say_goodbye(),
            Phase::Unanswered | Phase::Settling { .. } | Phase::Listening | Phase::Over => {}
        }
    }

    /// Plays what is owed, from the first word.
    fn read(&mut self) {
        let pause = |phrases: &mut Vec<_>, mark| phrases.push((Phrase::Silence(PHRASE_PAUSE), mark));
        let first = self.reading + 1;
        let mut phrases = Vec::new();
        for reading in first..first + self.owed {
            if reading == first {
                phrases.push((Phrase::Prompt(PromptId::Intro), None));
            } else {
                pause(&mut phrases, Some(mark(reading, 0)));
                phrases.push((Phrase::Prompt(PromptId::Again), None));
            }
            pause(&mut phrases, None);
            for (index, digit) in (1..).zip(self.code.digits()) {
                if index > 1 {
                    phrases.push((Phrase::Silence(self.policy.digit_gap), None));
                }
                phrases.push((Phrase::Prompt(PromptId::Digit(digit)), Some(mark(reading, index))));
            }
        }
        if self.policy.repeat_key == '1' && self.may_repeat() && !self.policy.listen_window.is_zero() {
            pause(&mut phrases, None);
            phrases.push((Phrase::Prompt(PromptId::PressOne), None));
        }
        self.phase = Phase::Reading;
        self.first_reading = first;
        self.play(phrases);
        self.begin_reading(first);
    }

    fn begin_reading(&mut self, reading: u32) {
        self.reading = reading;
        self.progress.digits_read = 0;
        self.event(ScriptEvent::ReadingStarted { reading });
    }

    fn say_goodbye(&mut self) {
        self.phase = Phase::Leaving;
        self.event(ScriptEvent::Goodbye);
        self.play(vec![
            (Phrase::Silence(PHRASE_PAUSE), None),
            (Phrase::Prompt(PromptId::Goodbye), None),
            (Phrase::Silence(LAST_PAUSE), None),
        ]);
    }

    fn play(&mut self, phrases: Vec<(Phrase, Option<u32>)>) {
        self.playlist += 1;
        self.outputs.push_back(Output::Play { playlist: self.playlist, phrases });
    }

    fn event(&mut self, event: ScriptEvent) {
        self.outputs.push_back(Output::Event(event));
    }
}

/// A reading has at most 10 digits and the mark of its start.
const MARKS_PER_READING: u32 = 16;

/// The mark of digit `index` (from 1) of a reading; 0 is the moment in which an automatic re-reading begins.
fn mark(reading: u32, index: u32) -> u32 {
    reading * MARKS_PER_READING + index
}

#[cfg(test)]
mod tests;
