//! Two agents back to back.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::bench::{CALL, media, ours, policy, seconds, trunk};
use crate::base::random::Random;
use crate::base::time::Instant;
use crate::sip::call_end::{EndReason, Party};
use crate::sip::offer_answer::{Direction, LocalMedia};
use crate::sip::user_agent::*;
use crate::wire::codec::Codec;

/// How long a datagram is under way.
const WAY: Duration = Duration::from_millis(10);

/// A caller, a phone, and the datagrams between them.
struct Pair {
    agents: [UserAgent; 2],
    wakes: [Option<Instant>; 2],
    events: [Vec<Event>; 2],
    under_way: VecDeque<(Instant, usize, Bytes)>,
    now: Instant,
    random: Random,
    /// Of a hundred datagrams, how many are lost.
    loss: u64,
}

fn address(side: usize) -> SocketAddr {
    [ours(), SocketAddr::from(([127, 0, 0, 1], 5060))][side]
}

fn phone_media() -> LocalMedia {
    LocalMedia { address: SocketAddr::from(([127, 0, 0, 1], 4000)), codecs: vec![Codec::Pcmu], ..media() }
}

impl Pair {
    fn new(seed: u64, loss: u64) -> Self {
        let agent = |side: usize| {
            let policy = Policy { accept_calls: side == 1, local: address(side), ..policy() };
            let proxy = address(1 - side);
            UserAgent::new(policy, vec![Trunk { proxy, ..trunk() }], Random::from_seed(seed + side as u64))
        };
        Pair {
            agents: [agent(0), agent(1)],
            wakes: [None; 2],
            events: [Vec::new(), Vec::new()],
            under_way: VecDeque::new(),
            now: Instant::ZERO,
            random: Random::from_seed(seed + 2),
            loss,
        }
    }

    fn input(&mut self, side: usize, input: Input<'_>) {
        self.agents[side].handle_input(self.now, input);
        loop {
            match self.agents[side].poll_output() {
                Output::Transmit(transmit) => {
                    assert_eq!(transmit.path.remote, address(1 - side));
                    if self.random.below(100) >= self.loss {
                        self.under_way.push_back((self.now + WAY, 1 - side, transmit.bytes));
                    }
                }
                Output::Event(event) => self.events[side].push(event),
                Output::Timeout(wake) => {
                    self.wakes[side] = wake;
                    return;
                }
            }
        }
    }

    fn command(&mut self, side: usize, command: Command) {
        self.input(side, Input::Command(command));
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            let arrival = self.under_way.front().map(|(at, ..)| *at);
            let next = [arrival, self.wakes[0], self.wakes[1]].into_iter().flatten().min();
            let Some(at) = next.filter(|at| *at <= until) else { break };
            self.now = self.now.max(at);
            if arrival == Some(at) {
                let (_, side, bytes) = self.under_way.pop_front().expect("its arrival was looked at");
                self.input(side, Input::Datagram { source: address(1 - side), bytes: &bytes });
            } else {
                let side = usize::from(self.wakes[0] != Some(at));
                self.input(side, Input::Timeout);
            }
        }
        self.now = until;
    }

    fn place(&mut self) -> CallId {
        let callee = UserPart::new("+84919273027").expect("digits");
        let invite = Command::Invite { call: CALL, trunk: TrunkId(0), callee, caller_id: None, media: media() };
        self.command(0, invite);
        // Long enough for the INVITE to come through a bad line.
        self.pass(seconds(4));
        let incoming = self.events[1].iter().find_map(|event| match event {
            Event::IncomingCall { call, offer: Some(_), .. } => Some(*call),
            _ => None,
        });
        incoming.expect("the phone is called")
    }

    fn call_events(&mut self, side: usize) -> Vec<CallEvent> {
        let events = std::mem::take(&mut self.events[side]).into_iter().filter_map(|event| match event {
            Event::Call { event, .. } => Some(event),
            _ => None,
        });
        events.collect()
    }

    fn rests(&mut self) {
        self.pass(seconds(200));
        for side in [0, 1] {
            assert!(self.agents[side].is_idle(), "side {side} is empty");
            assert_eq!(self.wakes[side], None);
        }
    }
}

fn ended(events: &[CallEvent]) -> (EndReason, Party) {
    match events.last() {
        Some(CallEvent::Ended(end)) => (end.reason, end.party),
        other => panic!("an end: {other:?}"),
    }
}

#[test]
fn two_agents_live_a_whole_call() {
    let mut pair = Pair::new(1, 0);
    let call = pair.place();
    pair.command(1, Command::Provisional { call, status: 180, with_media: None });
    pair.command(1, Command::Provisional { call, status: 183, with_media: Some(phone_media()) });
    pair.pass(seconds(1));
    let early = pair.call_events(0);
    assert_eq!(early, [CallEvent::Trying, CallEvent::Ringing { status: 180 }, CallEvent::EarlyMedia { status: 183 }]);

    pair.command(1, Command::Answer { call, media: phone_media() });
    pair.pass(seconds(1));
    let [CallEvent::Answered { media: caller }] = pair.call_events(0)[..] else { panic!("the caller is answered") };
    let [CallEvent::Answered { media: called }] = pair.call_events(1)[..] else { panic!("the phone has answered") };
    assert_eq!((caller.remote, called.remote), (phone_media().address, media().address));
    assert_eq!((caller.codec, called.codec), (Codec::Pcmu, Codec::Pcmu));
    assert_eq!(caller.telephone_event, called.telephone_event);

    // The phone holds, and resumes.
    for (wish, seen) in [(Direction::SendOnly, Direction::RecvOnly), (Direction::SendRecv, Direction::SendRecv)] {
        pair.command(1, Command::Modify { call, media: phone_media(), direction: wish });
        pair.pass(seconds(1));
        let [CallEvent::MediaChanged { media }] = pair.call_events(0)[..] else { panic!("the caller is held") };
        assert_eq!(media.direction, seen);
        let [CallEvent::MediaChanged { media }] = pair.call_events(1)[..] else { panic!("the phone knows") };
        assert_eq!(media.direction, wish);
    }

    pair.command(0, Command::Hangup { call: CALL, cause: Some(Q850(16)) });
    pair.pass(seconds(1));
    assert_eq!(ended(&pair.call_events(0)), (EndReason::HungUp, Party::Us));
    let events = pair.call_events(1);
    assert_eq!(ended(&events), (EndReason::HungUp, Party::Caller));
    assert!(matches!(&events[..], [CallEvent::Ended(end)] if end.q850 == Some(16)));
    pair.rests();
}

#[test]
fn calls_through_a_line_that_loses_a_fifth_end_once_and_leave_nothing() {
    for seed in 0..40 {
        let mut pair = Pair::new(1000 + 3 * seed, 20);
        let call = pair.place();
        pair.command(1, Command::Provisional { call, status: 180, with_media: None });
        pair.pass(seconds(2));
        if seed % 4 == 0 {
            pair.command(0, Command::Hangup { call: CALL, cause: None });
        }
        pair.command(1, Command::Answer { call, media: phone_media() });
        pair.pass(seconds(20));
        pair.command(
            (seed % 2) as usize,
            Command::Hangup { call: if seed % 2 == 0 { CALL } else { call }, cause: None },
        );
        pair.rests();
        for side in [0, 1] {
            let ends = pair.call_events(side).iter().filter(|event| matches!(event, CallEvent::Ended(_))).count();
            assert_eq!(ends, 1, "seed {seed}, side {side}");
        }
    }
}
