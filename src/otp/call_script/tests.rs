use proptest::prelude::*;

use super::*;

/// A script, and a player of its playlists on virtual time in which each prompt lasts 400 ms.
struct Bench {
    script: CallScript,
    now: Instant,
    wake: Option<Instant>,
    /// What plays: playlist, and each phrase with its end.
    playing: VecDeque<(Instant, Phrase, Option<u32>)>,
    playlist: u32,
    /// What was heard: milliseconds at which a prompt began, and its letter.
    heard: Vec<(u128, char)>,
    events: Vec<ScriptEvent>,
    hung_up_at: Option<u128>,
}

const PROMPT: Duration = Duration::from_millis(400);

fn letter(prompt: PromptId) -> char {
    match prompt {
        PromptId::Digit(digit) => char::from(b'0' + digit),
        PromptId::Intro => 'I',
        PromptId::Again => 'A',
        PromptId::PressOne => 'P',
        PromptId::PressKey => 'K',
        PromptId::Goodbye => 'G',
    }
}

impl Bench {
    fn new(readings: u8, policy: CallPolicy) -> Self {
        let code = Code::parse("6103").expect("a code");
        Bench {
            script: CallScript::new(code, policy, readings),
            now: Instant::ZERO,
            wake: None,
            playing: VecDeque::new(),
            playlist: 0,
            heard: Vec::new(),
            events: Vec::new(),
            hung_up_at: None,
        }
    }

    fn answered(readings: u8, policy: CallPolicy) -> Self {
        let mut bench = Bench::new(readings, policy);
        bench.give(Input::Answered);
        bench
    }

    fn give(&mut self, input: Input) {
        self.script.handle_input(self.now, input);
        loop {
            match self.script.poll_output() {
                Output::Play { playlist, phrases } => {
                    assert!(playlist > self.playlist, "playlists count up");
                    self.playlist = playlist;
                    let mut end = self.now;
                    self.playing.clear();
                    // Prompts that had not begun were never heard.
                    let now = self.millis(self.now);
                    self.heard.retain(|(at, _)| *at < now);
                    for (phrase, mark) in phrases {
                        if let Phrase::Prompt(prompt) = phrase {
                            self.heard.push((self.millis(end), letter(prompt)));
                        }
                        end += match phrase {
                            Phrase::Prompt(_) => PROMPT,
                            Phrase::Silence(silence) => silence,
                        };
                        self.playing.push_back((end, phrase, mark));
                    }
                }
                Output::Hangup => {
                    assert_eq!(self.hung_up_at, None, "told once");
                    self.hung_up_at = Some(self.millis(self.now));
                }
                Output::Event(event) => self.events.push(event),
                Output::Timeout(at) => {
                    self.wake = at;
                    break;
                }
            }
        }
    }

    fn millis(&self, at: Instant) -> u128 {
        at.saturating_duration_since(Instant::ZERO).as_millis()
    }

    /// Lets time pass up to `millis`, with all that happens by itself.
    fn run_until(&mut self, millis: u64) {
        let end = Instant::ZERO + Duration::from_millis(millis);
        loop {
            let phrase = self.playing.front().map(|(at, ..)| *at).filter(|at| *at <= end);
            let timer = self.wake.filter(|at| *at <= end);
            match (phrase, timer) {
                (Some(phrase), timer) if timer.is_none_or(|timer| phrase <= timer) => {
                    self.now = phrase;
                    let (_, _, mark) = self.playing.pop_front().expect("just seen");
                    let playlist = self.playlist;
                    if let Some(mark) = mark {
                        self.give(Input::Reached { playlist, mark });
                    }
                    if self.playing.is_empty() && self.playlist == playlist {
                        self.give(Input::Finished { playlist });
                    }
                }
                (_, Some(timer)) => {
                    self.now = timer;
                    self.give(Input::Timeout);
                }
                (_, None) => break,
            }
        }
        self.now = end;
    }

    fn press(&mut self, millis: u64, key: char) {
        self.run_until(millis);
        self.give(Input::Digit(key));
    }

    fn words(&self) -> String {
        self.heard.iter().map(|(_, letter)| letter).collect()
    }

    fn progress(&self) -> (u32, u32, u32) {
        let Progress { readings_completed, digits_read, repeats } = self.script.progress();
        (readings_completed, digits_read, repeats)
    }
}

#[test]
fn one_reading_from_answer_to_hang_up() {
    let mut bench = Bench::answered(1, CallPolicy::default());
    bench.run_until(60_000);
    assert_eq!(
        bench.heard,
        // Settled at 700; each digit begins one gap of 1,000 ms after the one before it has ended.
        [
            (700, 'I'),
            (1_600, '6'),
            (3_000, '1'),
            (4_400, '0'),
            (5_800, '3'),
            (6_700, 'P'),
            // P ends at 7,100; 8,000 ms of listening, and a pause.
            (15_600, 'G'),
        ]
    );
    assert_eq!(bench.hung_up_at, Some(16_400));
    assert_eq!(bench.progress(), (1, 4, 0));
    assert_eq!(
        bench.events,
        [
            ScriptEvent::ReadingStarted { reading: 1 },
            ScriptEvent::DigitRead { reading: 1, index: 1, of: 4 },
            ScriptEvent::DigitRead { reading: 1, index: 2, of: 4 },
            ScriptEvent::DigitRead { reading: 1, index: 3, of: 4 },
            ScriptEvent::DigitRead { reading: 1, index: 4, of: 4 },
            ScriptEvent::ReadingCompleted { reading: 1 },
            ScriptEvent::Listening,
            ScriptEvent::Goodbye,
        ]
    );
    assert_eq!(bench.wake, None);
}

#[test]
fn speech_begins_with_the_first_packet_but_never_within_300_ms() {
    for (packet_at, begins_at) in [(0, 300), (100, 300), (300, 300), (450, 450), (900, 700)] {
        let mut bench = Bench::answered(1, CallPolicy::default());
        bench.run_until(packet_at);
        bench.give(Input::FirstPacket);
        bench.run_until(2_000);
        assert_eq!(bench.heard[0], (begins_at, 'I'), "first packet at {packet_at}");
    }
    let hasty = CallPolicy { answer_settle: Duration::ZERO, ..CallPolicy::default() };
    let mut bench = Bench::answered(1, hasty);
    bench.run_until(2_000);
    assert_eq!(bench.heard[0], (300, 'I'));
}

#[test]
fn nothing_is_said_before_the_answer() {
    let mut bench = Bench::new(1, CallPolicy::default());
    bench.give(Input::FirstPacket);
    bench.give(Input::Digit('1'));
    bench.run_until(30_000);
    assert_eq!((bench.words().as_str(), bench.wake), ("", None));
    bench.give(Input::Answered);
    bench.run_until(60_000);
    // RTP before the answer was the carrier's: the settling time runs in full.
    assert_eq!(bench.heard[0], (30_700, 'I'));
}

#[test]
fn no_output_tells_a_digit() {
    let mut script = CallScript::new(Code::parse("6103").expect("a code"), CallPolicy::default(), 1);
    script.handle_input(Instant::ZERO, Input::Answered);
    script.handle_input(Instant::ZERO + Duration::from_secs(1), Input::Timeout);
    let shown = format!("{script:?} {:?}", script.outputs);
    assert!(shown.contains("Digit(*)") && !"0136".chars().any(|digit| shown.contains(&format!("Digit({digit})"))));
}

#[test]
fn maxretry_reads_again_by_itself() {
    let mut bench = Bench::answered(3, CallPolicy::default());
    bench.run_until(90_000);
    assert_eq!(bench.words(), "I6103A6103A6103PG");
    assert_eq!(bench.progress(), (3, 4, 0));
    let started = bench.events.iter().filter(|event| matches!(event, ScriptEvent::ReadingStarted { .. })).count();
    assert_eq!(started, 3);
}

#[test]
fn the_repeat_key_restarts_the_reading_at_once() {
    let mut bench = Bench::answered(1, CallPolicy::default());
    // In the second digit, at 3,000 to 3,400.
    bench.press(3_200, '1');
    assert_eq!((bench.words().as_str(), bench.heard[3]), ("I61I6103P", (3_200, 'I')));
    assert_eq!(bench.progress(), (0, 0, 1));
    bench.run_until(60_000);
    assert_eq!(bench.words(), "I61I6103PG");
    assert_eq!(bench.progress(), (1, 4, 1));
}

#[test]
fn the_repeat_key_works_from_the_first_word_to_the_last() {
    for (at, words) in [
        (701, "II6103PG"),
        (6_800, "I6103PI6103PG"),
        (7_100, "I6103PI6103PG"),
        (12_000, "I6103PI6103PG"),
        (15_900, "I6103PGI6103PG"),
    ] {
        let mut bench = Bench::answered(1, CallPolicy::default());
        bench.press(at, '1');
        assert_eq!(bench.progress().2, 1, "pressed at {at}");
        bench.run_until(90_000);
        assert_eq!(bench.words(), words, "pressed at {at}");
    }
    // While the answer settles, nothing has been said that could be repeated.
    let mut bench = Bench::answered(1, CallPolicy::default());
    bench.press(400, '1');
    bench.run_until(90_000);
    assert_eq!((bench.words().as_str(), bench.progress()), ("I6103PG", (1, 4, 0)));
}

#[test]
fn a_press_takes_no_owed_reading_away_and_adds_at_most_one() {
    for (at, words, completed) in [
        // In the first of two readings: it begins again, the second follows.
        (3_200, "I61I6103A6103PG", 2),
        // In the second: only that one begins again.
        (9_300, "I6103A61I6103PG", 2),
        // In the words between the two: the second begins at once.
        (6_400, "I6103I6103PG", 2),
        // After both: one more.
        (20_000, "I6103A6103PI6103PG", 3),
    ] {
        let mut bench = Bench::answered(2, CallPolicy::default());
        bench.press(at, '1');
        bench.run_until(120_000);
        assert_eq!((bench.words().as_str(), bench.progress().0), (words, completed), "pressed at {at}");
    }
}

#[test]
fn presses_beyond_max_repeats_and_other_keys_do_nothing() {
    let policy = CallPolicy { max_repeats: 2, ..CallPolicy::default() };
    let mut bench = Bench::answered(1, policy);
    for (at, key) in [(3_000, '2'), (3_100, '#'), (3_200, '1'), (5_000, '1'), (6_000, '1'), (6_100, '1')] {
        bench.press(at, key);
    }
    assert_eq!(bench.progress().2, 2);
    bench.run_until(60_000);
    // Nobody is invited to press when pressing has no effect any more.
    assert_eq!(bench.words(), "I61I6I6103G");
    assert_eq!(bench.progress(), (1, 4, 2));
    assert!(!bench.events.contains(&ScriptEvent::Listening));
}

#[test]
fn without_repeats_or_a_window_the_call_ends_after_the_reading() {
    for policy in [
        CallPolicy { max_repeats: 0, ..CallPolicy::default() },
        CallPolicy { listen_window: Duration::ZERO, ..CallPolicy::default() },
    ] {
        let mut bench = Bench::answered(1, policy);
        bench.run_until(60_000);
        assert_eq!((bench.words().as_str(), bench.hung_up_at), ("I6103G", Some(7_500)));
    }
}

#[test]
fn another_repeat_key_works_but_is_not_announced() {
    let mut bench = Bench::answered(1, CallPolicy { repeat_key: '#', ..CallPolicy::default() });
    bench.press(3_100, '1');
    bench.press(3_200, '#');
    bench.run_until(60_000);
    assert_eq!((bench.words().as_str(), bench.progress()), ("I61I6103G", (1, 4, 1)));
    assert!(bench.events.contains(&ScriptEvent::Listening));
}

#[test]
fn hanging_up_in_the_second_digit_leaves_one_digit_read() {
    let mut bench = Bench::answered(1, CallPolicy::default());
    bench.run_until(3_200);
    bench.give(Input::HungUp);
    assert_eq!((bench.progress(), bench.wake), ((0, 1, 0), None));
    bench.playing.clear();
    bench.give(Input::Digit('1'));
    bench.run_until(60_000);
    assert_eq!((bench.hung_up_at, bench.progress()), (None, (0, 1, 0)));
}

#[test]
fn a_digit_whose_end_crosses_the_press_counts_for_its_own_reading() {
    let mut bench = Bench::answered(1, CallPolicy::default());
    bench.run_until(6_100);
    assert_eq!(bench.progress(), (0, 3, 0));
    let old = bench.playlist;
    bench.give(Input::Digit('1'));
    bench.give(Input::Reached { playlist: old, mark: mark(1, 4) });
    assert_eq!(bench.progress(), (1, 0, 1));
    assert!(bench.events.contains(&ScriptEvent::ReadingCompleted { reading: 1 }));
    // The interrupted playlist has no more to say about readings that it did not begin.
    bench.give(Input::Reached { playlist: old, mark: mark(2, 1) });
    bench.give(Input::Finished { playlist: old });
    assert_eq!(bench.progress(), (1, 0, 1));
}

#[test]
fn a_new_codec_says_again_what_was_cut_off_and_costs_no_repeat() {
    let mut bench = Bench::answered(1, CallPolicy::default());
    bench.run_until(3_200);
    bench.give(Input::Replay);
    assert_eq!(bench.progress(), (0, 0, 0));
    bench.run_until(60_000);
    assert_eq!(bench.progress(), (1, 4, 0));
    assert_eq!(bench.hung_up_at, Some(3_200 + 16_400 - 700));
    // In the invitation, the reading is done: listen.
    let mut bench = Bench::answered(1, CallPolicy::default());
    bench.run_until(6_800);
    bench.playing.clear();
    bench.give(Input::Replay);
    assert_eq!(bench.events.last(), Some(&ScriptEvent::Listening));
}

proptest! {
    #[test]
    fn any_order_of_inputs_ends_without_a_panic_a_timer_or_a_code(
        readings in 0u8..12,
        steps in prop::collection::vec((0u64..9_000, 0u8..9, 0u32..60, 0u32..8), 0..60),
    ) {
        let mut bench = Bench::new(readings, CallPolicy::default());
        for (wait, what, mark, playlist) in steps {
            let at = u64::try_from(bench.millis(bench.now)).expect("small") + wait;
            bench.run_until(at);
            bench.give(match what {
                0 | 1 => Input::Answered,
                2 => Input::FirstPacket,
                3 | 4 => Input::Digit('1'),
                5 => Input::Reached { playlist, mark },
                6 => Input::Finished { playlist },
                7 => Input::Replay,
                _ => Input::Timeout,
            });
            let progress = bench.script.progress();
            prop_assert!(progress.digits_read <= 4 && progress.repeats <= 3);
            let shown = format!("{:?}", bench.script);
            let numbers = shown.split(|c: char| !c.is_ascii_digit());
            prop_assert!(numbers.into_iter().all(|number| number != "6103"), "{}", shown);
        }
        bench.give(Input::Answered);
        let at = u64::try_from(bench.millis(bench.now)).expect("small") + 600_000;
        bench.run_until(at);
        prop_assert!(bench.hung_up_at.is_some());
        prop_assert_eq!(bench.wake, None);
    }
}
