//! The stories of a call, each from its job to its outcome, on virtual time.

use super::bench::*;
use super::*;
use crate::media::audio_report::AudioReport;
use crate::media::media_session::{Command as MediaCommand, Event as MediaEvent};
use crate::otp::{Disposition, Retry};
use crate::sip::call_end::{self, CallEnd, EndReason};
use crate::sip::offer_answer::Direction;
use crate::sip::registration::RegistrationFailure;
use crate::sip::user_agent::TrunkId;

const NUMBER: &str = "+84919273027";

pub fn number(last: u64) -> String {
    format!("+8491927{last:04}")
}

fn one(phone: Phone) -> Bench {
    let mut bench = Bench::new(config(vec![trunk(1)]));
    bench.place(1, NUMBER, phone);
    bench
}

fn done(phone: Phone) -> Bench {
    let mut bench = one(phone);
    bench.run_out();
    bench
}

fn verdict(bench: &Bench, call: u64) -> (&'static str, Party) {
    let outcome = bench.outcome(call);
    (outcome.reason.as_str(), outcome.party)
}

pub fn registered(trunk: u16) -> Input {
    let until = Instant::ZERO + Duration::from_secs(86_400);
    Input::Registration { trunk: TrunkId(trunk), state: RegistrationState::Registered { until } }
}

#[test]
fn a_call_is_delivered() {
    let mut phone = Phone::answering();
    phone.provisional = vec![
        (100, CallEvent::Trying),
        (200, CallEvent::Ringing { status: 180 }),
        (300, CallEvent::EarlyMedia { status: 183 }),
    ];
    let bench = done(phone);
    assert_eq!(
        bench.words(1),
        [
            "dialing",
            "ringing",
            "early_media",
            "answered",
            "reading_started",
            "digit_read",
            "digit_read",
            "digit_read",
            "digit_read",
            "digit_read",
            "digit_read",
            "reading_completed",
            "listening",
            "goodbye",
        ]
    );
    let outcome = bench.outcome(1);
    assert_eq!((verdict(&bench, 1), outcome.retry), (("delivered", Party::Us), Retry::Never));
    assert_eq!(
        serde_json::to_value(&outcome.delivery).expect("plain values"),
        serde_json::json!({
            // 1 ms for the port, 5 for the record, 1,000 of ringing.
            "answered_at": "2026-01-01T00:00:01Z", "readings_completed": 1, "digits_read": 6, "repeats": 0,
            "hung_up_by": "us", "trunk": "t1", "sip_status": 200, "reason": "delivered", "q850": null,
        })
    );
    // Billed until the end of the call, not until the end of its media session.
    assert_eq!(outcome.billable.as_millis(), u128::from(bench.hangups[0].0 + 20 - bench.when(1, "answered")));
    assert_eq!(outcome.audio.as_ref().map(|audio| (audio.sent, audio.heard.is_none())), Some((7, true)));
    // Speech begins 300 ms after the answer, since the callee's RTP came before that.
    assert_eq!(bench.when(1, "reading_started") - bench.when(1, "answered"), 300);
    assert_eq!((bench.invites.len(), bench.hangups.len(), bench.opened, bench.closed), (1, 1, 1, 1));
}

#[test]
fn nothing_is_sent_before_the_answer_whatever_the_carrier_plays() {
    let mut phone = Phone::silent();
    phone.provisional.push((200, CallEvent::EarlyMedia { status: 183 }));
    let mut bench = one(phone);
    bench.run_until(20_000);
    bench.give(Input::Media { call: CallId(1), event: MediaEvent::FirstPacket });
    bench.give(Input::Media { call: CallId(1), event: MediaEvent::Digit { digit: '1' } });
    bench.run_out();
    assert_eq!(bench.media_commands, []);
    assert_eq!(verdict(&bench, 1), ("no_answer", Party::Callee));
}

#[test]
fn a_press_of_1_reads_the_code_again() {
    for at in [2_000, 6_000, 14_000] {
        let bench = done(Phone { presses: vec![(at, '1'), (at + 100, '5')], ..Phone::answering() });
        let delivery = &bench.outcome(1).delivery;
        assert_eq!((delivery.repeats, delivery.digits_read), (1, 6), "pressed at {at}");
        assert_eq!(delivery.readings_completed, if at == 14_000 { 2 } else { 1 }, "pressed at {at}");
        assert_eq!(bench.when(1, "repeated"), bench.when(1, "answered") + at, "at once");
        let plays = bench.media_commands.iter().filter(|(_, command)| matches!(command, MediaCommand::Play { .. }));
        assert_eq!(plays.count(), 3, "reading, reading, goodbye");
    }
}

#[test]
fn maxretry_reads_again_by_itself() {
    let mut bench = Bench::new(config(vec![trunk(1)]));
    bench.place_readings(1, NUMBER, Phone::answering(), 3);
    bench.run_out();
    assert_eq!((bench.outcome(1).delivery.readings_completed, bench.outcome(1).delivery.repeats), (3, 0));
}

#[test]
fn silence_from_the_callee_delays_speech_by_the_settling_time_only() {
    let bench = done(Phone { first_packet: None, ..Phone::answering() });
    assert_eq!(bench.when(1, "reading_started") - bench.when(1, "answered"), 700);
    assert_eq!(verdict(&bench, 1), ("delivered", Party::Us));
}

#[test]
fn hung_up_in_the_second_digit_is_not_delivered() {
    let read = done(Phone::answering());
    let digits: Vec<u64> =
        read.steps.iter().filter(|(.., step)| step.name() == "digit_read").map(|(at, ..)| *at).collect();
    let hangs_up = Some(digits[0] + 1_100 - read.when(1, "answered"));
    let bench = done(Phone { hangs_up, ..Phone::answering() });
    let outcome = bench.outcome(1);
    assert_eq!(verdict(&bench, 1), ("hung_up_early", Party::Callee));
    assert_eq!((outcome.delivery.readings_completed, outcome.delivery.digits_read), (0, 1));
    assert_eq!((outcome.delivery.hung_up_by, outcome.delivery.q850), (Some(Party::Callee), Some(16)));
    assert_eq!(outcome.reason.disposition(), Disposition::Answer);
    assert!(bench.hangups.is_empty(), "the other end has hung up already");
}

#[test]
fn a_digit_that_was_sent_counts_even_when_its_news_crosses_the_bye() {
    let mut bench = one(Phone::answering());
    let read = done(Phone::answering());
    let complete = read.when(1, "reading_completed");
    bench.run_until(complete - 1);
    let end = end(EndReason::HungUp, call_end::Party::Callee, None, None);
    bench.sip(CallId(1), CallEvent::Ended(end));
    bench.give(Input::Media { call: CallId(1), event: MediaEvent::Reached { playlist: 1, mark: 16 + 6 } });
    bench.run_out();
    assert_eq!(verdict(&bench, 1), ("delivered", Party::Callee));
    assert_eq!(bench.outcome(1).delivery.digits_read, 6);
}

#[test]
fn hung_up_after_a_complete_reading_is_delivered() {
    let bench = done(Phone { hangs_up: Some(13_000), ..Phone::answering() });
    assert_eq!(verdict(&bench, 1), ("delivered", Party::Callee));
    // In the second reading: one is complete, of the other some digits.
    let bench = done(Phone { hangs_up: Some(17_000), presses: vec![(12_000, '1')], ..Phone::answering() });
    let delivery = &bench.outcome(1).delivery;
    assert_eq!((delivery.readings_completed, delivery.repeats, delivery.hung_up_by), (1, 1, Some(Party::Callee)));
    assert!((1..6).contains(&delivery.digits_read), "{delivery:?}");
}

#[test]
fn a_refusal_keeps_its_numbers() {
    for (reason, status, q850, word) in [
        (EndReason::Busy, 486, Some(17), "busy"),
        (EndReason::Rejected, 603, Some(21), "rejected"),
        (EndReason::Unallocated, 404, Some(1), "unallocated"),
        (EndReason::Unavailable, 480, None, "unavailable"),
        (EndReason::Congestion, 503, Some(34), "congestion"),
        (EndReason::Forbidden, 403, None, "forbidden"),
        (EndReason::Redirected, 302, None, "redirected"),
    ] {
        let bench = done(Phone::refusing(reason, status, q850));
        let outcome = bench.outcome(1);
        assert_eq!(verdict(&bench, 1), (word, Party::Carrier));
        assert_eq!((outcome.delivery.sip_status, outcome.delivery.q850), (Some(status), q850));
        assert_eq!((outcome.delivery.answered_at, outcome.delivery.hung_up_by), (None, None));
        assert_eq!((outcome.dialled, outcome.billable), (true, Duration::ZERO));
        assert!(bench.hangups.is_empty());
    }
}

#[test]
fn the_carriers_words_and_wishes_are_passed_on() {
    let end = CallEnd {
        text: Some("CPS limit exceeded".to_owned()),
        retry_after: Some(Duration::from_secs(7)),
        ..end(EndReason::Congestion, call_end::Party::Carrier, Some(503), None)
    };
    let bench = done(Phone { refuses: Some((100, end)), ..Phone::default() });
    let outcome = bench.outcome(1);
    assert_eq!(outcome.text.as_deref(), Some("CPS limit exceeded"));
    assert_eq!((outcome.retry, outcome.retry_after), (Retry::OtherTrunk, Some(Duration::from_secs(7))));
}

#[test]
fn a_phone_that_is_not_answered_rings_for_the_ring_timeout() {
    let bench = done(Phone::silent());
    assert_eq!(bench.hangups, [(6 + 45_000, 1)]);
    assert_eq!(verdict(&bench, 1), ("no_answer", Party::Callee));
    assert_eq!(bench.outcome(1).delivery.sip_status, Some(487));
}

#[test]
fn a_200_that_crosses_the_cancel_is_hung_up_and_billed_but_not_spoken_to() {
    let bench = done(Phone { answers_into_cancel: true, ..Phone::silent() });
    assert_eq!(verdict(&bench, 1), ("no_answer", Party::Callee));
    let outcome = bench.outcome(1);
    assert!(outcome.delivery.answered_at.is_some() && !outcome.billable.is_zero());
    assert_eq!((bench.media_commands.len(), bench.hangups.len()), (0, 2));
}

#[test]
fn without_a_port_nothing_is_dialled() {
    let mut bench = Bench::new(config(vec![trunk(1)]));
    bench.faults.no_ports = true;
    bench.place(1, NUMBER, Phone::answering());
    bench.run_out();
    assert_eq!((verdict(&bench, 1), bench.invites.len()), (("no_media_ports", Party::Us), 0));
}

#[test]
fn without_a_record_nothing_is_dialled() {
    for (fails, hangs, word) in [(true, false, "store_failure"), (false, true, "expired")] {
        let mut bench = Bench::new(config(vec![trunk(1)]));
        (bench.faults.store_fails, bench.faults.store_hangs) = (fails, hangs);
        bench.place(1, NUMBER, Phone::answering());
        bench.run_out();
        assert_eq!((verdict(&bench, 1).0, bench.invites.len(), bench.closed), (word, 0, 1));
    }
}

#[test]
fn a_call_can_be_cancelled_at_any_time() {
    let delivered_at = done(Phone::answering()).when(1, "reading_completed");
    // 0: opening; 3: recording; 500: ringing; 1,200: settling; 6,000: in the reading.
    for at in [0, 3, 500, 1_200, 6_000, delivered_at + 1, 90_000] {
        let mut bench = one(Phone::answering());
        bench.run_until(at);
        bench.give(Input::Cancel { call: CallId(1) });
        bench.give(Input::Cancel { call: CallId(1) });
        let cancelled_at = bench.millis();
        bench.run_out();
        let expected = match at {
            90_000 => ("delivered", Party::Us),
            at if at > delivered_at => ("delivered", Party::Caller),
            _ => ("cancelled", Party::Caller),
        };
        assert_eq!(verdict(&bench, 1), expected, "cancelled at {at}");
        assert_eq!(bench.invites.len(), usize::from(at > 6), "cancelled at {at}");
        let hangups = match at {
            0 | 3 => vec![],
            90_000 => vec![(bench.hangups[0].0, 1)],
            _ => vec![(cancelled_at, 1)],
        };
        assert_eq!(bench.hangups, hangups, "cancelled at {at}: at once, and once");
        let by = (at > 1_006).then_some(expected.1);
        assert_eq!(bench.outcome(1).delivery.hung_up_by, by, "cancelled at {at}");
    }
}

#[test]
fn a_waiting_job_can_be_cancelled() {
    let mut bench = Bench::new(DialerConfig { max_calls: 1, ..config(vec![trunk(1)]) });
    bench.place(1, &number(1), Phone::answering());
    bench.place(2, &number(2), Phone::answering());
    bench.give(Input::Cancel { call: CallId(2) });
    assert_eq!(verdict(&bench, 2), ("cancelled", Party::Caller));
    assert!(!bench.outcome(2).dialled);
    bench.run_out();
    assert_eq!((verdict(&bench, 1).0, bench.invites.len()), ("delivered", 1));
}

#[test]
fn a_code_that_expires_is_not_rung_for() {
    // In the queue behind a call that lasts.
    let mut bench = Bench::new(DialerConfig { max_calls: 1, ..config(vec![trunk(1)]) });
    bench.faults.playout_stands = true;
    bench.place(1, &number(1), Phone { changes: vec![(500, Direction::Inactive)], ..Phone::answering() });
    let mut job = job(2, &number(2));
    job.expires_at = bench.now + Duration::from_secs(10);
    bench.give(Input::Job(job.clone()));
    bench.run_until(10_000);
    assert_eq!((verdict(&bench, 2), bench.millis()), (("expired", Party::Us), 10_000));
    bench.run_out();
    // While it rings.
    let mut bench = Bench::new(config(vec![trunk(1)]));
    bench.give(Input::Job(job.clone()));
    bench.run_out();
    assert_eq!((verdict(&bench, 2), bench.hangups[0].0), (("expired", Party::Us), 10_000));
    // Before it came.
    bench.give(Input::Job(Job { call: CallId(3), expires_at: bench.now, ..job }));
    assert_eq!((verdict(&bench, 3).0, bench.invites.len()), ("expired", 1));
}

pub fn job(call: u64, number: &str) -> Job {
    Job {
        call: CallId(call),
        number: PhoneNumber::from_e164(number).expect("a number"),
        code: crate::otp::Code::parse(CODE).expect("a code"),
        readings: 1,
        caller_id: None,
        expires_at: Instant::ZERO + Duration::from_secs(300),
    }
}

#[test]
fn an_answered_call_does_not_expire() {
    let mut bench = Bench::new(config(vec![trunk(1)]));
    bench.place(1, NUMBER, Phone::answering());
    bench.run_out();
    let mut bench = Bench::new(config(vec![trunk(1)]));
    let mut job = job(1, NUMBER);
    job.expires_at = Instant::ZERO + Duration::from_secs(2);
    bench.give(Input::Job(job));
    bench.run_until(1_500);
    let media = negotiated(Direction::SendRecv, Codec::Pcmu);
    bench.sip(CallId(1), CallEvent::Answered { media });
    bench.run_out();
    assert_eq!(verdict(&bench, 1).0, "delivered");
}

#[test]
fn two_calls_never_ring_one_number() {
    let mut bench = Bench::new(config(vec![trunk(1)]));
    for call in 1..=3 {
        bench.place(call, NUMBER, Phone::answering());
    }
    bench.place(4, &number(4), Phone::answering());
    bench.run_until(5_000);
    assert_eq!(bench.invites.iter().map(|(_, call, _)| *call).collect::<Vec<_>>(), [1, 4], "others are not held up");
    bench.run_out();
    assert_eq!(bench.outcomes.len(), 4);
    assert_eq!(bench.invites.iter().map(|(_, call, _)| *call).collect::<Vec<_>>(), [1, 4, 2, 3]);
}

#[test]
fn calls_leave_at_the_trunks_pace_and_within_its_channels() {
    let slow = DialTrunk { cps: 2, max_calls: 3, ..trunk(1) };
    let mut bench = Bench::new(config(vec![slow]));
    for call in 0..8 {
        bench.place(call, &number(call), Phone::answering());
    }
    bench.run_until(10_000);
    let left: Vec<u64> = bench.invites.iter().map(|(at, ..)| *at).collect();
    assert_eq!(left, [6, 506, 1_006], "two a second, and three at a time");
    bench.run_out();
    assert_eq!(bench.outcomes.values().filter(|outcome| outcome.reason == Reason::Delivered).count(), 8);
    let left: Vec<u64> = bench.invites.iter().map(|(at, ..)| *at).collect();
    assert!(left.windows(2).all(|pair| pair[1] - pair[0] >= 500), "{left:?}");
}

#[test]
fn max_calls_bounds_all_trunks_together() {
    let mut bench = Bench::new(DialerConfig { max_calls: 2, ..config(vec![trunk(1), trunk(2)]) });
    for call in 0..4 {
        bench.place(call, &number(call), Phone::answering());
    }
    bench.run_until(10_000);
    assert_eq!(bench.invites.len(), 2);
    bench.run_out();
    assert_eq!(bench.invites.len(), 4);
}

#[test]
fn the_best_registered_trunk_is_taken() {
    let trunks = vec![
        DialTrunk { priority: 1, register: true, ..trunk(1) },
        DialTrunk { priority: 2, register: true, ..trunk(2) },
        DialTrunk { priority: 3, ..trunk(3) },
    ];
    let mut bench = Bench::new(config(trunks));
    bench.place(1, &number(1), Phone::answering());
    bench.give(registered(2));
    bench.place(2, &number(2), Phone::answering());
    bench.give(registered(1));
    bench.place(3, &number(3), Phone::answering());
    let state = RegistrationState::Waiting { retry_at: bench.now, failure: RegistrationFailure::TimedOut };
    bench.give(Input::Registration { trunk: TrunkId(1), state });
    bench.run_until(500);
    bench.place(4, &number(4), Phone::answering());
    bench.run_out();
    assert_eq!(
        bench.invites.iter().map(|(_, call, trunk)| (*call, *trunk)).collect::<Vec<_>>(),
        [(1, 3), (2, 2), (3, 1), (4, 2)]
    );
    assert_eq!(bench.outcome(3).delivery.trunk.as_deref(), Some("t1"));
}

#[test]
fn a_job_waits_for_a_registration_but_not_for_ever() {
    let trunks = vec![DialTrunk { register: true, ..trunk(1) }];
    let mut bench = Bench::new(DialerConfig { max_calls: 1, ..config(trunks.clone()) });
    bench.place(1, &number(1), Phone::answering());
    bench.place(2, &number(2), Phone::answering());
    bench.run_until(29_000);
    bench.give(registered(1));
    bench.run_out();
    // The second waited longer still, but for a channel.
    assert_eq!((verdict(&bench, 1).0, verdict(&bench, 2).0), ("delivered", "delivered"));

    let mut bench = Bench::new(config(trunks));
    bench.place(1, &number(1), Phone::answering());
    bench.run_until(20_000);
    bench.place(2, &number(2), Phone::answering());
    bench.run_until(30_000);
    assert_eq!((verdict(&bench, 1), bench.outcomes.len()), (("no_trunk", Party::Us), 1));
    bench.run_out();
    assert_eq!((verdict(&bench, 2).0, bench.invites.len()), ("no_trunk", 0));
    // A daemon without any trunk does not even wait.
    let mut bench = Bench::new(config(vec![]));
    bench.place(1, &number(1), Phone::answering());
    assert_eq!(verdict(&bench, 1).0, "no_trunk");
}

#[test]
fn a_full_queue_hands_jobs_back() {
    let trunks = vec![DialTrunk { register: true, ..trunk(1) }];
    let mut bench = Bench::new(DialerConfig { max_queue: 2, ..config(trunks) });
    for call in 1..=3 {
        bench.place(call, &number(call), Phone::answering());
    }
    assert_eq!((bench.released.as_slice(), bench.dialer.room()), ([3].as_slice(), 0));
    bench.give(registered(1));
    bench.run_out();
    assert_eq!((bench.outcomes.len(), bench.dialer.room()), (2, 2));
}

#[test]
fn a_drain_hands_back_what_waits_and_lets_run_what_runs() {
    let mut bench = Bench::new(DialerConfig { max_calls: 1, ..config(vec![trunk(1)]) });
    bench.place(1, &number(1), Phone::answering());
    bench.place(2, &number(2), Phone::answering());
    bench.run_until(5_000);
    bench.give(Input::Drain);
    bench.place(3, &number(3), Phone::answering());
    assert_eq!((bench.released.as_slice(), bench.dialer.is_idle()), ([2, 3].as_slice(), false));
    bench.run_out();
    assert_eq!((verdict(&bench, 1).0, bench.outcomes.len()), ("delivered", 1));
}

#[test]
fn the_end_of_a_drain_hangs_up_what_still_runs() {
    let mut bench = Bench::new(config(vec![trunk(1), trunk(2), trunk(3), trunk(4), trunk(5)]));
    let delivered_at = done(Phone::answering()).when(1, "reading_completed");
    bench.place(1, &number(1), Phone { answers: Some(10), ..Phone::answering() });
    bench.run_until(delivered_at - 500);
    bench.place(2, &number(2), Phone::silent());
    bench.place(3, &number(3), Phone { answers: Some(10), ..Phone::answering() });
    bench.run_until(delivered_at + 100);
    bench.place(4, &number(4), Phone::silent());
    let at = bench.millis();
    bench.run_until(at + 3);
    bench.place(5, &number(5), Phone::silent());
    bench.give(Input::HangupAll);
    let at = bench.millis();
    bench.run_until(at + 3_000);
    assert!(bench.dialer.is_idle());
    bench.run_out();
    let words: Vec<_> = [1, 2, 3, 4].map(|call| verdict(&bench, call).0).into();
    // The fourth was being recorded: nothing was dialled, but the record says that it might have been.
    assert_eq!(words, ["delivered", "interrupted", "interrupted", "interrupted"]);
    // The fifth was not recorded yet: the next start can make that call.
    assert_eq!((bench.released.as_slice(), bench.invites.len()), ([5].as_slice(), 3));
}

#[test]
fn a_hold_stops_the_clock_of_the_playout_but_not_for_ever() {
    let changes = vec![(3_000, Direction::Inactive), (40_000, Direction::SendRecv)];
    let bench = done(Phone { changes, ..Phone::answering() });
    assert_eq!(verdict(&bench, 1).0, "delivered");
    assert!(bench.words(1).join(" ").contains("held resumed"));
    assert!(bench.when(1, "reading_completed") > bench.when(1, "resumed"));

    let bench = done(Phone { changes: vec![(3_000, Direction::RecvOnly)], ..Phone::answering() });
    assert_eq!(verdict(&bench, 1), ("hung_up_early", Party::Callee));
    assert_eq!(bench.hangups, [(bench.when(1, "held") + 60_000, 1)]);
    assert_eq!(bench.outcome(1).delivery.hung_up_by, Some(Party::Us));
}

#[test]
fn a_new_codec_starts_the_reading_again_in_that_codec() {
    let mut bench = one(Phone::answering());
    bench.run_until(5_000);
    let media = negotiated(Direction::SendRecv, Codec::Pcma);
    bench.sip(CallId(1), CallEvent::MediaChanged { media });
    let changed = |playlist| MediaEvent::CodecChanged { codec: Codec::Pcma, playlist };
    bench.give(Input::Media { call: CallId(1), event: changed(None) });
    bench.give(Input::Media { call: CallId(1), event: changed(Some(1)) });
    // The news of a playlist that has been replaced already.
    bench.give(Input::Media { call: CallId(1), event: changed(Some(1)) });
    bench.run_out();
    assert_eq!((verdict(&bench, 1).0, bench.outcome(1).delivery.repeats), ("delivered", 0));
    let codecs: Vec<Codec> = bench
        .media_commands
        .iter()
        .filter_map(|(_, command)| match command {
            MediaCommand::Play { playlist } => playlist.segments.iter().find_map(|segment| match &segment.audio {
                crate::media::playlist::SegmentAudio::Prompt(prompt) => Some(prompt.codec()),
                _ => None,
            }),
            _ => None,
        })
        .collect();
    assert_eq!(codecs, [Codec::Pcmu, Codec::Pcma, Codec::Pcma], "reading, reading, goodbye");
}

#[test]
fn media_that_stands_still_ends_the_call() {
    let mut bench = Bench::new(config(vec![trunk(1)]));
    bench.faults.playout_stands = true;
    bench.place(1, NUMBER, Phone::answering());
    bench.run_out();
    assert_eq!(verdict(&bench, 1), ("media_failure", Party::Us));
    assert!(bench.hangups[0].0 < 30_000, "{:?}", bench.hangups);
}

#[test]
fn a_media_session_that_dies_ends_the_call() {
    for (at, word) in [(3, "media_failure"), (500, "media_failure"), (5_000, "media_failure"), (16_000, "delivered")] {
        let mut bench = one(Phone::answering());
        bench.run_until(at);
        bench.give(Input::MediaClosed { call: CallId(1), report: AudioReport::default() });
        bench.give(Input::MediaClosed { call: CallId(1), report: AudioReport::default() });
        let at = bench.millis();
        bench.run_until(at + 100);
        assert_eq!(verdict(&bench, 1).0, word, "died at {at}");
    }
}

#[test]
fn a_codec_that_was_not_offered_is_not_spoken() {
    let mut bench = Bench::new(DialerConfig { codecs: vec![Codec::Pcma], ..config(vec![trunk(1)]) });
    bench.place(1, NUMBER, Phone::answering());
    bench.run_out();
    assert_eq!((verdict(&bench, 1).0, bench.media_commands.len()), ("media_failure", 0));
}

#[test]
fn drivers_that_never_answer_do_not_keep_a_call() {
    for (faults, word) in [
        (Faults { user_agent_forgets_hangups: true, ..Faults::default() }, "delivered"),
        (Faults { media_never_closes: true, ..Faults::default() }, "delivered"),
        (Faults { media_never_opens: true, ..Faults::default() }, "expired"),
    ] {
        let mut bench = Bench::new(config(vec![trunk(1)]));
        bench.faults = faults;
        bench.place(1, NUMBER, Phone::answering());
        bench.run_out();
        assert_eq!(verdict(&bench, 1).0, word, "{faults:?}");
        assert_eq!(bench.outcome(1).audio.is_none(), faults.media_never_closes);
    }
}

#[test]
fn a_call_that_is_answered_after_its_end_is_hung_up() {
    let mut bench = done(Phone::refusing(EndReason::Busy, 486, None));
    let media = negotiated(Direction::SendRecv, Codec::Pcmu);
    bench.give(Input::Sip { call: CallId(1), event: CallEvent::Answered { media } });
    assert_eq!(bench.hangups.len(), 1);
    bench.give(Input::MediaOpened { call: CallId(1), result: Err(crate::dialer::MediaUnavailable) });
    assert_eq!(bench.outcomes.len(), 1);
}

#[test]
fn an_answer_keeps_its_time_when_the_calendar_is_told_again_later() {
    let mut bench = one(Phone::answering());
    let calendar = |millis: i64| UnixTime::from_millis(1_767_225_600_000 + millis);
    bench.run_until(5_000);
    bench.give(Input::CivilTime(calendar(5_000)));
    bench.run_out();
    assert_eq!(bench.outcome(1).delivery.answered_at, Some(calendar(1_006)));
}

#[test]
fn times_follow_the_calendar_when_it_is_set() {
    let mut bench = one(Phone::answering());
    bench.give(Input::CivilTime(UnixTime::from_millis(0)));
    bench.run_out();
    assert_eq!(bench.outcome(1).delivery.answered_at, Some(UnixTime::from_millis(1_006)));
}
