//! The torture messages of RFC 4475 as a user agent that only places calls answers them.

use std::net::SocketAddr;
use std::time::Duration;

use ringcode::base::random::Random;
use ringcode::base::time::Instant;
use ringcode::sip::message::{HeaderName, Message};
use ringcode::sip::user_agent::{Event, Input, Output, Policy, UserAgent};

use crate::corpus::{everything, find, rfc, samples};

/// The answer to each message; 0 for none.
const ANSWERS: &[(&str, u16)] = &[
    ("wsinv", 481),
    ("intmeth", 501),
    ("esc01", 403),
    ("escnull", 405),
    ("esc02", 501),
    ("lwsdisp", 200),
    ("longreq", 403),
    ("dblreq", 405),
    ("semiuri", 200),
    ("transports", 200),
    ("mpart01", 405),
    ("unreason", 0),
    ("noreason", 0),
    ("badinv01", 400),
    ("clerr", 400),
    ("ncl", 400),
    ("scalar02", 400),
    ("scalarlg", 0),
    ("quotbal", 400),
    ("ltgtruri", 400),
    ("lwsruri", 400),
    ("lwsstart", 400),
    ("trws", 400),
    ("escruri", 400),
    ("baddate", 403),
    ("regbadct", 400),
    ("badaspec", 400),
    ("baddn", 400),
    ("badvers", 505),
    ("mismatch01", 400),
    ("mismatch02", 400),
    ("bigcode", 0),
    ("badbranch", 200),
    ("insuf", 400),
    ("unkscm", 416),
    ("novelsc", 416),
    ("unksm2", 405),
    ("bext01", 420),
    ("invut", 415),
    ("regaut01", 405),
    ("multi01", 400),
    ("mcl01", 400),
    ("bcast", 0),
    ("zeromf", 200),
    ("cparam01", 405),
    ("cparam02", 405),
    ("regescrt", 405),
    ("sdp01", 406),
    ("inv2543", 403),
];

fn agent(accept_calls: bool) -> UserAgent {
    let policy = Policy {
        accept_calls,
        deliver_requests: false,
        accept_any_source: true,
        user_agent: "ringcode".into(),
        local: SocketAddr::from(([127, 0, 0, 3], 5060)),
        max_calls: 10,
    };
    UserAgent::new(policy, Vec::new(), Random::from_seed(4475))
}

/// Feeds `bytes`, refuses every call that comes in, and lets time pass until nothing is left to happen.
fn responses(agent: &mut UserAgent, now: &mut Instant, bytes: &[u8]) -> Vec<ringcode::sip::message::Response> {
    let mut responses = Vec::new();
    let source = SocketAddr::from(([127, 0, 0, 1], 5060));
    agent.handle_input(*now, Input::Datagram { source, bytes });
    loop {
        match agent.poll_output() {
            Output::Transmit(transmit) => match Message::parse(transmit.bytes) {
                Ok(Message::Response(response)) => responses.push(response),
                other => panic!("a response that can be read: {other:?}"),
            },
            Output::Event(Event::IncomingCall { call, .. }) => {
                let command = ringcode::sip::user_agent::Command::Hangup { call, cause: None };
                agent.handle_input(*now, Input::Command(command));
            }
            Output::Event(_) => {}
            Output::Timeout(Some(at)) => {
                *now = (*now).max(at);
                agent.handle_input(*now, Input::Timeout);
            }
            Output::Timeout(None) => return responses,
        }
    }
}

#[test]
fn each_torture_message_gets_its_answer() {
    let Some(directory) = rfc("rfc4475") else { return };
    let samples = samples(&directory, Some("dat"));
    assert_eq!(samples.len(), ANSWERS.len(), "each message has its row here");
    for (name, status) in ANSWERS {
        let mut now = Instant::ZERO;
        let answers = responses(&mut agent(false), &mut now, find(&samples, &format!("{name}.dat")));
        assert_eq!(answers.first().map_or(0, |answer| answer.status()), *status, "{name}");
        let fields = |name: &HeaderName| answers.iter().any(|answer| answer.headers().has(name));
        match status {
            405 | 501 => assert!(fields(&HeaderName::Allow), "{name}"),
            415 => assert!(fields(&HeaderName::Accept), "{name}"),
            420 => assert!(fields(&HeaderName::Unsupported) && !fields(&HeaderName::ProxyRequire), "{name}"),
            _ => {}
        }
    }
}

#[test]
fn every_message_at_hand_leaves_one_agent_idle() {
    for accept_calls in [false, true] {
        let mut agent = agent(accept_calls);
        let mut now = Instant::ZERO;
        for (name, bytes) in everything() {
            responses(&mut agent, &mut now, bytes);
            assert!(agent.is_idle(), "{name}");
            now += Duration::from_secs(1);
        }
    }
}
