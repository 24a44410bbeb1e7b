//! What a phone does, told by the last digits of its number: a machine that lives for one call.
//!
//! The phone hears by energy alone: it knows that someone speaks and that someone stopped, not what is said.

use std::collections::VecDeque;
use std::time::Duration;

use crate::base::time::Instant;

/// Silence after speech, as counted from its last sound, in which a phone presses its key. Digits are a second apart,
/// so that this comes only after all has been read.
pub const PRESS_AFTER: Duration = Duration::from_millis(1500);

/// How far into the second digit a phone hangs up.
const INTO_DIGIT: Duration = Duration::from_millis(200);

/// Stretches of speech up to the second digit: the intro, the first digit, the second.
const SECOND_DIGIT: u32 = 3;

/// The longest call: a phone that nobody hangs up does it itself.
const LONGEST_CALL: Duration = Duration::from_secs(600);

/// How long a mailbox records.
const MAILBOX_RECORDS: Duration = Duration::from_secs(90);

/// What a number does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Rings, answers and listens.
    Listen,
    /// Rings, answers, and presses its keys, one after each reading.
    Press,
    /// Refuses at once.
    Refuse(Refusal),
    /// Rings and declines.
    Decline(Refusal),
    /// Rings until the caller gives up.
    RingForever,
    /// Rings, answers and hangs up in the second digit.
    HangUpEarly,
    /// Rings, answers, speaks first, and presses nothing.
    Mailbox,
}

/// How a call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// SIP status.
    pub status: u16,
    /// The cause in the Reason header (ITU-T Q.850, RFC 3326).
    pub cause: u8,
    /// The cause in words.
    pub text: &'static str,
}

impl Behaviour {
    /// What the phone with `number` does; a number without a meaning answers and listens.
    pub fn of(number: &str) -> Behaviour {
        let refusal = |status, cause, text| Refusal { status, cause, text };
        // The causes as RFC 3398 §7.2.4.1 maps them to these statuses.
        let known = [
            ("0001", Behaviour::Press),
            ("0486", Behaviour::Refuse(refusal(486, 17, "User busy"))),
            ("0480", Behaviour::Refuse(refusal(480, 20, "Subscriber absent"))),
            ("0404", Behaviour::Refuse(refusal(404, 1, "Unallocated (unassigned) number"))),
            ("0503", Behaviour::Refuse(refusal(503, 34, "No circuit/channel available"))),
            ("0603", Behaviour::Decline(refusal(603, 21, "Call rejected"))),
            ("0408", Behaviour::RingForever),
            ("0100", Behaviour::HangUpEarly),
            ("0200", Behaviour::Mailbox),
        ];
        let found = known.into_iter().find(|(ending, _)| number.ends_with(ending));
        found.map_or(Behaviour::Listen, |(_, behaviour)| behaviour)
    }
}

/// How phones are set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhoneSettings {
    /// From the first ring to the answer.
    pub ring_time: Duration,
    /// The keys that a phone presses when it presses, one after each reading: `1`.
    pub keys: String,
}

impl Default for PhoneSettings {
    /// Half a second of ringing, and `1`.
    fn default() -> Self {
        PhoneSettings { ring_time: Duration::from_millis(500), keys: "1".to_owned() }
    }
}

/// What happens to a phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A call comes in.
    Call,
    /// Its answer has gone out and audio flows.
    Answered,
    /// The caller begins or stops to speak; the latter is told `hangover` after the last sound.
    Speech {
        /// Whether he speaks.
        speaking: bool,
        /// How long ago the last sound was, when he stopped.
        hangover: Duration,
    },
    /// The time of the last [`Output::Timeout`] has come.
    Timeout,
}

/// What a phone does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// 180.
    Ring,
    /// Refuse the call.
    Refuse(Refusal),
    /// 200.
    Answer,
    /// Speak the mailbox's greeting.
    Speak,
    /// Press a key.
    Press(char),
    /// BYE.
    HangUp,
    /// Drained; wake it then.
    Timeout(Option<Instant>),
}

/// One phone in one call.
#[derive(Debug)]
pub struct Phone {
    behaviour: Behaviour,
    ring_time: Duration,
    keys: VecDeque<char>,
    outputs: VecDeque<Output>,
    answer_at: Option<Instant>,
    press_at: Option<Instant>,
    hang_up_at: Option<Instant>,
    speeches: u32,
}

impl Phone {
    /// The phone with `number`, on its hook.
    pub fn new(number: &str, settings: &PhoneSettings) -> Self {
        let behaviour = Behaviour::of(number);
        let keys = if behaviour == Behaviour::Press { settings.keys.chars().collect() } else { VecDeque::new() };
        Phone {
            behaviour,
            ring_time: settings.ring_time,
            keys,
            outputs: VecDeque::new(),
            answer_at: None,
            press_at: None,
            hang_up_at: None,
            speeches: 0,
        }
    }

    /// Takes what happened at `now`. Drain [`Phone::poll_output`] before the next input.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        match input {
            Input::Call => self.ring(now),
            Input::Answered => self.answered(now),
            Input::Speech { speaking: true, .. } => self.hears_speech(now),
            Input::Speech { speaking: false, hangover } => {
                let wait = PRESS_AFTER.saturating_sub(hangover);
                self.press_at = (!self.keys.is_empty()).then(|| now + wait);
            }
            Input::Timeout => self.tick(now),
        }
    }

    /// What to do next; call until it says [`Output::Timeout`].
    pub fn poll_output(&mut self) -> Output {
        let timers = [self.answer_at, self.press_at, self.hang_up_at];
        self.outputs.pop_front().unwrap_or(Output::Timeout(timers.into_iter().flatten().min()))
    }

    fn ring(&mut self, now: Instant) {
        if let Behaviour::Refuse(refusal) = self.behaviour {
            return self.outputs.push_back(Output::Refuse(refusal));
        }
        self.outputs.push_back(Output::Ring);
        if self.behaviour != Behaviour::RingForever {
            self.answer_at = Some(now + self.ring_time);
        }
    }

    fn answered(&mut self, now: Instant) {
        self.hang_up_at = Some(now + LONGEST_CALL);
        if self.behaviour == Behaviour::Mailbox {
            self.hang_up_at = Some(now + MAILBOX_RECORDS);
            self.outputs.push_back(Output::Speak);
        }
    }

    fn hears_speech(&mut self, now: Instant) {
        self.press_at = None;
        self.speeches += 1;
        if self.behaviour == Behaviour::HangUpEarly && self.speeches == SECOND_DIGIT {
            self.hang_up_at = Some(now + INTO_DIGIT);
        }
    }

    fn tick(&mut self, now: Instant) {
        let due = |timer: &mut Option<Instant>| timer.take_if(|at| *at <= now).is_some();
        if due(&mut self.answer_at) {
            self.outputs.push_back(match self.behaviour {
                Behaviour::Decline(refusal) => Output::Refuse(refusal),
                _ => Output::Answer,
            });
        }
        if due(&mut self.press_at)
            && let Some(key) = self.keys.pop_front()
        {
            self.outputs.push_back(Output::Press(key));
        }
        if due(&mut self.hang_up_at) {
            self.outputs.push_back(Output::HangUp);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANGOVER: Duration = Duration::from_millis(300);

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    /// Runs a phone to its end on virtual time: what it does and when, in milliseconds. `speech` are the caller's
    /// stretches of speech.
    fn run(number: &str, keys: &str, speech: &[(u64, u64)]) -> Vec<(u64, Output)> {
        let settings = PhoneSettings { ring_time: Duration::from_millis(500), keys: keys.to_owned() };
        let mut phone = Phone::new(number, &settings);
        let mut inputs = vec![(0, Input::Call)];
        for (from, until) in speech {
            inputs.push((*from, Input::Speech { speaking: true, hangover: Duration::ZERO }));
            inputs.push((*until + 300, Input::Speech { speaking: false, hangover: HANGOVER }));
        }
        let mut inputs = VecDeque::from(inputs);
        let (mut done, mut now) = (Vec::new(), 0);
        loop {
            let wake = loop {
                match phone.poll_output() {
                    Output::Timeout(wake) => break wake,
                    output => {
                        done.push((now, output));
                        if output == Output::Answer {
                            phone.handle_input(at(now), Input::Answered);
                        }
                        if matches!(output, Output::HangUp | Output::Refuse(_)) {
                            return done;
                        }
                    }
                }
            };
            let wake = wake.map(|wake| wake.as_nanos() / 1_000_000);
            match (inputs.front(), wake) {
                (Some((input_at, _)), wake) if wake.is_none_or(|wake| *input_at <= wake) => {
                    let (input_at, input) = inputs.pop_front().unwrap();
                    now = input_at;
                    phone.handle_input(at(now), input);
                }
                (_, Some(wake)) => {
                    now = wake;
                    phone.handle_input(at(now), Input::Timeout);
                }
                (None, None) => return done,
                (Some(_), None) => unreachable!("an input that is due was taken"),
            }
        }
    }

    /// An intro of two seconds, and digits of half a second a second apart.
    fn reading(from: u64, digits: u64) -> Vec<(u64, u64)> {
        let mut speech = vec![(from, from + 2000)];
        speech.extend((0..digits).map(|digit| (from + 2500 + digit * 1500, from + 3000 + digit * 1500)));
        speech
    }

    #[test]
    fn the_last_digits_tell_what_a_number_does() {
        let status = |number: &str| match Behaviour::of(number) {
            Behaviour::Refuse(refusal) | Behaviour::Decline(refusal) => refusal.status,
            _ => 0,
        };
        for expected in [486, 480, 404, 603, 503] {
            assert_eq!(status(&format!("+8491927{expected:04}")), expected);
        }
        assert_eq!(Behaviour::of("+84919270001"), Behaviour::Press);
        assert_eq!(Behaviour::of("0919270408"), Behaviour::RingForever);
        assert_eq!(Behaviour::of("0919270100"), Behaviour::HangUpEarly);
        assert_eq!(Behaviour::of("0919270200"), Behaviour::Mailbox);
        for listens in ["+84919270000", "0919273027", "486", "", "anyone"] {
            assert_eq!(Behaviour::of(listens), Behaviour::Listen, "{listens}");
        }
    }

    #[test]
    fn a_phone_that_listens_presses_nothing_and_ends_after_ten_minutes() {
        let done = run("0000", "1", &reading(1000, 6));
        assert_eq!(done, [(0, Output::Ring), (500, Output::Answer), (600_500, Output::HangUp)]);
    }

    #[test]
    fn a_key_is_pressed_once_after_all_was_read() {
        let mut speech = reading(1000, 6);
        let last = speech.last().unwrap().1;
        let again = last + 2000;
        speech.extend(reading(again, 6));
        let done = run("0001", "1", &speech);
        assert_eq!(done[2..], [(last + 1500, Output::Press('1')), (600_500, Output::HangUp)]);
        let end = speech.last().unwrap().1;
        let both = run("0001", "#1", &speech);
        assert_eq!(both[2..4], [(last + 1500, Output::Press('#')), (end + 1500, Output::Press('1'))]);
        assert_eq!(run("0001", "", &speech)[2..], [(600_500, Output::HangUp)]);
    }

    #[test]
    fn nothing_is_pressed_before_anything_was_said() {
        assert_eq!(run("0001", "1", &[])[2..], [(600_500, Output::HangUp)]);
    }

    #[test]
    fn one_hangs_up_in_the_second_digit() {
        assert_eq!(run("0100", "1", &reading(1000, 6))[2..], [(1000 + 4000 + 200, Output::HangUp)]);
        assert_eq!(run("0100", "1", &reading(1000, 1))[2..], [(600_500, Output::HangUp)]);
    }

    #[test]
    fn a_mailbox_speaks_first_and_records() {
        let done = run("0200", "1", &reading(1000, 6));
        assert_eq!(done[1..], [(500, Output::Answer), (500, Output::Speak), (90_500, Output::HangUp)]);
    }

    #[test]
    fn refusals_come_at_once_and_a_declined_call_rings() {
        let busy = Refusal { status: 486, cause: 17, text: "User busy" };
        assert_eq!(run("0486", "1", &[]), [(0, Output::Refuse(busy))]);
        let declined = Refusal { status: 603, cause: 21, text: "Call rejected" };
        assert_eq!(run("0603", "1", &[]), [(0, Output::Ring), (500, Output::Refuse(declined))]);
        assert_eq!(run("0408", "1", &[]), [(0, Output::Ring)]);
    }
}
