//! Random worlds and random inputs: what must hold when nobody keeps to a story.

use proptest::prelude::*;

use super::bench::*;
use super::tests::{job, number, registered};
use super::*;
use crate::media::audio_report::AudioReport;
use crate::media::media_session::Event as MediaEvent;
use crate::sip::call_end::{self, EndReason};
use crate::sip::offer_answer::Direction;
use crate::sip::user_agent::TrunkId;

/// Anything that can happen to a dialer, sensible or not.
fn any_input() -> impl Strategy<Value = (u64, u8, u64, u32)> {
    (prop_oneof![0u64..50, 0u64..20_000], 0u8..22, 0u64..6, 0u32..80)
}

fn strange_input(bench: &Bench, what: u8, call: u64, arg: u32) -> Input {
    let id = CallId(call);
    let sip = |event| Input::Sip { call: id, event };
    let media = |event| Input::Media { call: id, event };
    let direction = if arg.is_multiple_of(2) { Direction::SendRecv } else { Direction::Inactive };
    let codec = if arg.is_multiple_of(3) { Codec::Pcma } else { Codec::Pcmu };
    match what {
        0..=4 => {
            let expires_at = bench.now + Duration::from_secs(u64::from(arg) * 5);
            let readings = (arg % 12) as u8;
            Input::Job(Job { expires_at, readings, ..job(call + 6 * u64::from(arg), &number(u64::from(arg % 4))) })
        }
        5 => Input::Cancel { call: id },
        6 => Input::MediaOpened { call: id, result: Ok(([127, 0, 0, 1], 20_000).into()) },
        7 => Input::MediaOpened { call: id, result: Err(crate::dialer::MediaUnavailable) },
        8 => Input::RecordFailed { call: id },
        9 => sip(CallEvent::Ringing { status: 180 }),
        10 => sip(CallEvent::EarlyMedia { status: 183 }),
        11 => sip(CallEvent::MediaChanged { media: negotiated(direction, codec) }),
        12 => sip(CallEvent::Ended(end(EndReason::Busy, call_end::Party::Callee, Some(486), None))),
        13 => media(MediaEvent::FirstPacket),
        14 => media(MediaEvent::Digit { digit: '1' }),
        15 => media(MediaEvent::Reached { playlist: arg % 8, mark: arg }),
        16 => media(MediaEvent::Finished { playlist: arg % 8 }),
        17 => media(MediaEvent::CodecChanged { codec, playlist: arg.is_multiple_of(2).then_some(arg % 8) }),
        18 => Input::MediaClosed { call: id, report: AudioReport::default() },
        19 => registered((arg % 3) as u16),
        20 => {
            let state = RegistrationState::Stopped;
            Input::Registration { trunk: TrunkId((arg % 3) as u16), state }
        }
        _ if arg == 0 => Input::HangupAll,
        _ if arg < 4 => Input::Drain,
        _ => Input::Timeout,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// The world behaves; the phones, the order and the client do as they like.
    #[test]
    fn each_job_ends_once_in_any_world(
        jobs in prop::collection::vec((0u64..8_000, 0u64..5, 0u8..8, 0u64..30_000, 0u64..4), 1..20),
        cancels in prop::collection::vec((0u64..40_000, 0u64..20), 0..6),
        ends in (any::<bool>(), 0u64..60_000),
        faults in 0u8..32,
    ) {
        let trunks = vec![
            DialTrunk { cps: 3, max_calls: 2, ..trunk(0) },
            DialTrunk { priority: 20, register: true, ..trunk(1) },
        ];
        let mut bench = Bench::new(DialerConfig { max_calls: 4, max_queue: 12, ..config(trunks) });
        bench.faults = Faults {
            no_ports: faults == 1,
            media_never_opens: faults == 2,
            store_fails: faults == 3,
            store_hangs: faults == 4,
            user_agent_forgets_hangups: faults == 5,
            playout_stands: faults == 6,
            media_never_closes: faults == 7,
        };
        let mut events: Vec<(u64, Option<usize>, Option<Input>)> = Vec::new();
        let mut at = 0;
        for (place, (wait, ..)) in jobs.iter().enumerate() {
            at += wait;
            events.push((at, Some(place), None));
        }
        events.extend(cancels.iter().map(|(at, call)| (*at, None, Some(Input::Cancel { call: CallId(*call) }))));
        if ends.0 {
            events.push((ends.1, None, Some(Input::Drain)));
            events.push((ends.1 + 9_000, None, Some(Input::HangupAll)));
        }
        events.push((5_000, None, Some(registered(1))));
        events.sort_by_key(|(at, ..)| *at);
        for (at, place, input) in events {
            bench.run_until(at);
            if let Some(input) = input {
                bench.give(input);
            }
            let Some(place) = place else { continue };
            let (_, last, kind, when, presses) = jobs[place];
            let presses = (0..presses).map(|n| (when / 2 + n * 3_000, '1')).collect();
            let phone = match kind {
                0 => Phone::silent(),
                1 => Phone::refusing(EndReason::Busy, 486, None),
                2 => Phone { answers_into_cancel: true, ..Phone::silent() },
                3 => Phone { hangs_up: Some(when), presses, ..Phone::answering() },
                4 => Phone { changes: vec![(when, Direction::Inactive)], ..Phone::answering() },
                _ => Phone { presses, ..Phone::answering() },
            };
            bench.place_readings(place as u64, &number(last), phone, kind);
        }
        bench.run_out();
        prop_assert_eq!(bench.outcomes.len() + bench.released.len(), jobs.len());
    }

    /// Nobody behaves.
    #[test]
    fn no_order_of_inputs_panics_or_leaves_anything(inputs in prop::collection::vec(any_input(), 0..120)) {
        let trunks = vec![DialTrunk { max_calls: 3, ..trunk(0) }, DialTrunk { register: true, ..trunk(1) }];
        let mut bench = Bench::new(DialerConfig { max_calls: 4, max_queue: 3, ..config(trunks) });
        let mut jobs = std::collections::BTreeSet::new();
        for (wait, what, call, arg) in inputs {
            let at = bench.millis() + wait;
            bench.run_until(at);
            let input = strange_input(&bench, what, call, arg);
            match input {
                Input::Job(job) if !jobs.insert(job.call) => {}
                Input::Sip { call, event } => bench.sip(call, event),
                input => bench.give(input),
            }
        }
        bench.give(Input::HangupAll);
        bench.run_out();
        prop_assert_eq!(bench.outcomes.len() + bench.released.len(), jobs.len());
    }
}
