//! Calls that come in.

use super::bench::*;
use crate::sip::call_end::{EndReason, Party};
use crate::sip::message::{HeaderName, Message, Method, Request, Response};
use crate::sip::user_agent::*;

fn invite(sdp: &str) -> Vec<u8> {
    let length = sdp.len();
    let head = lines(&format!(
        "INVITE sip:ringcode@127.0.0.3:5062 SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1:5060;rport;branch=z9hG4bKin\n\
         From: <sip:caller@carrier.example>;tag=ft\nTo: <sip:ringcode@carrier.example>\nCall-ID: in1\nCSeq: 1 INVITE\n\
         Contact: <sip:caller@127.0.0.1:5060>\nMax-Forwards: 70\nContent-Length: {length}\n{}\n",
        if sdp.is_empty() { "" } else { "Content-Type: application/sdp\n" },
    ));
    [head, sdp.as_bytes().to_vec()].concat()
}

/// A request of the caller's after `ok`, our response.
fn from_caller(ok: &Response, method: Method, cseq: u32, sdp: &str) -> Request {
    let mut request = Request::new(method.clone(), ok.headers().contact().expect("Contact").uri);
    let branch = format!("SIP/2.0/UDP 127.0.0.1:5060;rport;branch=z9hG4bK{method}{cseq}");
    let headers = request.headers_mut();
    headers.push(HeaderName::Via, value(&branch));
    headers.push(HeaderName::From, ok.headers().from().expect("From"));
    headers.push(HeaderName::To, ok.headers().to().expect("To"));
    headers.push(HeaderName::CallId, value("in1"));
    headers.push(HeaderName::CSeq, value(&format!("{cseq} {method}")));
    if sdp.is_empty() { request } else { request.with_body(value("application/sdp"), sdp.to_owned()) }
}

fn ring(bench: &mut Bench, sdp: &str) -> CallId {
    bench.datagram(&invite(sdp));
    match std::mem::take(&mut bench.events)[..] {
        [Event::IncomingCall { call, ref offer, .. }] => {
            assert_eq!(offer.is_some(), !sdp.is_empty());
            assert_ne!(call.0 & CallId::INCOMING, 0);
            call
        }
        ref other => panic!("{other:?}"),
    }
}

fn statuses(bench: &mut Bench) -> Vec<u16> {
    bench.responses().iter().map(Response::status).collect()
}

#[test]
fn our_2xx_is_repeated_until_acked() {
    let mut bench = Bench::phone();
    let call = ring(&mut bench, SDP);
    bench.command(Command::Provisional { call, status: 180, with_media: None });
    assert_eq!(statuses(&mut bench), [180]);
    bench.command(Command::Answer { call, media: media() });
    let ok = bench.response();
    assert!(matches!(bench.call_events()[..], [CallEvent::Answered { .. }]));
    // T1, doubling up to T2: after 0.5, 1.5, 3.5, 7.5, 11.5, 15.5 and 19.5 s.
    bench.pass(seconds(20));
    assert_eq!(statuses(&mut bench), [200; 7]);
    bench.say(from_caller(&ok, Method::Ack, 1, ""));
    bench.pass(seconds(20));
    assert!(statuses(&mut bench).is_empty());
    bench.say(from_caller(&ok, Method::Bye, 2, ""));
    assert_eq!(statuses(&mut bench), [200]);
    let end = bench.end();
    assert_eq!((end.reason, end.party), (EndReason::HungUp, Party::Caller));
    bench.rests();
}

#[test]
fn a_2xx_that_is_never_acked_ends_the_call() {
    let mut bench = Bench::phone();
    let call = ring(&mut bench, SDP);
    bench.command(Command::Answer { call, media: media() });
    bench.call_events();
    bench.pass(seconds(31));
    assert_eq!(bench.requests(Method::Bye).len(), 0);
    bench.pass(seconds(2));
    assert!(!bench.requests(Method::Bye).is_empty());
    assert_eq!(bench.end().reason, EndReason::Timeout);
    bench.rests();
}

#[test]
fn the_called_side_waits_for_the_ack_with_its_bye() {
    let mut bench = Bench::phone();
    let call = ring(&mut bench, SDP);
    bench.command(Command::Answer { call, media: media() });
    let ok = bench.response();
    bench.call_events();
    bench.command(Command::Hangup { call, cause: Some(Q850(16)) });
    assert_eq!(bench.requests(Method::Bye).len(), 0);
    assert_eq!(bench.call_events(), []);
    bench.say(from_caller(&ok, Method::Ack, 1, ""));
    let bye = bench.request(Method::Bye);
    assert_eq!(bye.headers().reasons()[0].cause(), Some(16));
    assert_eq!(bye.uri().to_string(), "sip:caller@127.0.0.1:5060");
    assert_eq!(bench.end().party, Party::Us);
    bench.rests();
}

#[test]
fn a_call_without_offer_is_offered_ours() {
    let mut bench = Bench::phone();
    let call = ring(&mut bench, "");
    bench.command(Command::Answer { call, media: media() });
    let ok = bench.response();
    assert!(String::from_utf8_lossy(ok.body()).contains("m=audio 20000"));
    assert_eq!(bench.call_events(), []);
    bench.say(from_caller(&ok, Method::Ack, 1, SDP));
    assert!(matches!(bench.call_events()[..], [CallEvent::Answered { .. }]));
}

#[test]
fn early_media_and_answer_say_the_same() {
    let mut bench = Bench::phone();
    let call = ring(&mut bench, SDP);
    bench.command(Command::Provisional { call, status: 183, with_media: Some(media()) });
    let early = bench.response();
    bench.command(Command::Answer { call, media: media() });
    let ok = bench.response();
    assert_eq!((early.status(), early.body()), (183, ok.body()));
    assert_eq!(early.headers().to().expect("To").tag(), ok.headers().to().expect("To").tag());
}

#[test]
fn a_cancelled_incoming_call_is_487() {
    let mut bench = Bench::phone();
    let call = ring(&mut bench, SDP);
    bench.command(Command::Provisional { call, status: 180, with_media: None });
    bench.sent();
    let cancel = String::from_utf8(invite(""))
        .expect("text")
        .replace("INVITE", "CANCEL")
        .replace("Max-Forwards", "Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\nMax-Forwards");
    bench.datagram(cancel.as_bytes());
    assert_eq!(statuses(&mut bench), [200, 487]);
    let end = bench.end();
    assert_eq!((end.reason, end.party), (EndReason::Cancelled, Party::Caller));
    assert_eq!(end.text.as_deref(), Some("Call completed elsewhere"));
    bench.command(Command::Answer { call, media: media() });
    assert!(statuses(&mut bench).is_empty());
    bench.rests();
}

#[test]
fn a_refusal_carries_what_it_is_given() {
    let mut bench = Bench::phone();
    let call = ring(&mut bench, SDP);
    let challenge = (HeaderName::ProxyAuthenticate, value("Digest realm=\"lab\", nonce=\"1\""));
    bench.command(Command::Reject { call, status: 407, headers: vec![challenge] });
    let refusal = bench.response();
    assert_eq!((refusal.status(), refusal.headers().challenges(407).len()), (407, 1));
    assert!(refusal.headers().to().expect("To").tag().is_some());
    assert_eq!(bench.end().party, Party::Us);
    bench.rests();
}

#[test]
fn an_offer_that_cannot_be_used_is_488() {
    let mut bench = Bench::phone();
    let call = ring(&mut bench, &SDP.replace("RTP/AVP 0", "RTP/AVP 18"));
    bench.command(Command::Answer { call, media: media() });
    assert_eq!(statuses(&mut bench), [488]);
    assert_eq!(bench.end().reason, EndReason::MediaRefused);
    bench.rests();
}

#[test]
fn the_same_invite_by_another_way_is_482() {
    let mut bench = Bench::phone();
    ring(&mut bench, SDP);
    let other = String::from_utf8(invite(SDP)).expect("text").replace("z9hG4bKin", "z9hG4bKother");
    bench.datagram(other.as_bytes());
    assert_eq!(statuses(&mut bench), [482]);
    // Its own copy is absorbed.
    bench.datagram(&invite(SDP));
    assert!(bench.events.is_empty());
}

#[test]
fn before_the_answer_offers_wait_and_bye_cancels() {
    let mut bench = Bench::phone();
    let call = ring(&mut bench, SDP);
    bench.command(Command::Provisional { call, status: 180, with_media: None });
    let ringing = bench.response();
    bench.say(from_caller(&ringing, Method::Update, 2, SDP));
    let later = bench.response();
    assert!(later.status() == 500 && later.headers().retry_after().is_some());
    bench.say(from_caller(&ringing, Method::Bye, 3, ""));
    assert_eq!(statuses(&mut bench), [200, 487]);
    assert_eq!(bench.end().reason, EndReason::Cancelled);
    bench.rests();
}

#[test]
fn an_agent_that_takes_no_calls_says_so() {
    let mut bench = Bench::new();
    bench.datagram(&invite(SDP));
    assert_eq!(statuses(&mut bench), [403]);
    let mut bench = Bench::of(Policy { accept_calls: true, max_calls: 0, ..policy() }, trunk());
    bench.datagram(&invite(SDP));
    assert_eq!(statuses(&mut bench), [503]);
    bench.rests();
    assert!(!bench.sent().iter().any(|(_, message)| matches!(message, Message::Request(_))));
}
