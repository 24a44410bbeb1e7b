//! Trunks that register.

use super::bench::*;
use crate::sip::message::{HeaderName, Method};
use crate::sip::registration::RegistrationState;
use crate::sip::user_agent::*;

fn bench() -> Bench {
    Bench::of(policy(), Trunk { register: true, learn_contact: true, ..trunk() })
}

fn states(bench: &mut Bench) -> Vec<RegistrationState> {
    let states = std::mem::take(&mut bench.events).into_iter().filter_map(|event| match event {
        Event::Registration { trunk: TrunkId(0), state } => Some(state),
        _ => None,
    });
    states.collect()
}

fn ok(bench: &mut Bench, register: &crate::sip::message::Request) {
    let contact = register.headers().text(&HeaderName::Contact).expect("Contact").to_owned();
    bench.reply_with(register, 200, "r", &[("Contact", &contact)], "");
}

#[test]
fn a_trunk_registers_and_leaves() {
    let mut bench = bench();
    bench.command(Command::Start);
    let first = bench.request(Method::Register);
    assert_eq!(first.uri().to_string(), "sip:carrier.example");
    assert_eq!(first.headers().to().expect("To").uri.to_string(), "sip:ringcode@carrier.example");
    bench.reply_with(&first, 401, "r", &[("WWW-Authenticate", "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"")], "");
    let second = bench.request(Method::Register);
    assert_eq!(second.headers().credentials(&HeaderName::Authorization).len(), 1);
    ok(&mut bench, &second);
    assert!(matches!(states(&mut bench)[..], [RegistrationState::Registering, RegistrationState::Registered { .. }]));
    assert!(matches!(bench.agent.registration(TrunkId(0)), Some(RegistrationState::Registered { .. })));

    bench.command(Command::Stop);
    let last = bench.request(Method::Register);
    assert_eq!(last.headers().expires(), Some(0));
    bench.reply(&last, 200);
    assert!(matches!(bench.events.last(), Some(Event::Stopped)));
    bench.rests();
}

#[test]
fn without_registration_stopping_is_immediate_and_no_call_follows() {
    let mut bench = Bench::new();
    bench.command(Command::Start);
    bench.command(Command::Stop);
    assert!(matches!(bench.events[..], [Event::Stopped]));
    bench.events.clear();
    let callee = UserPart::new("1").expect("a digit");
    bench.command(Command::Invite { call: CALL, trunk: TrunkId(0), callee, caller_id: None, media: media() });
    bench.end();
    bench.rests();
}

#[test]
fn a_registrar_that_is_silent_is_tried_again() {
    let mut bench = bench();
    bench.command(Command::Start);
    bench.pass(seconds(33));
    assert!(matches!(states(&mut bench).last(), Some(RegistrationState::Waiting { .. })));
    bench.sent();
    bench.pass(seconds(120));
    assert!(!bench.requests(Method::Register).is_empty());
}

#[test]
fn the_address_that_the_carrier_sees_becomes_the_contact() {
    let mut bench = bench();
    bench.command(Command::Start);
    let first = bench.request(Method::Register);
    let mut via = first.headers().top_via().expect("Via");
    via.params.set("received", Some("192.0.2.44"));
    via.params.set("rport", Some("40001"));
    let contact = first.headers().text(&HeaderName::Contact).expect("Contact").to_owned();
    let mut response = reply(&first, 200, "r", &[("Contact", &contact)], "");
    response.headers_mut().set_top_via(&via);
    bench.say(response);
    bench.pass(seconds(61));
    let moved = bench.requests(Method::Register).pop().expect("it registers anew");
    assert_eq!(moved.headers().contact().expect("Contact").uri.to_string(), "sip:ringcode@192.0.2.44:40001");
    let invite = bench.place();
    assert_eq!(invite.headers().contact().expect("Contact").uri.to_string(), "sip:ringcode@192.0.2.44:40001");
}
