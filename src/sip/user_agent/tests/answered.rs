//! What may happen in an answered call.

use std::net::SocketAddr;

use super::bench::*;
use crate::sip::call_end::{EndReason, Party};
use crate::sip::message::{HeaderName, Message, Method, Request};
use crate::sip::offer_answer::{Direction, LocalMedia};
use crate::sip::user_agent::*;

const CONTACT: (&str, &str) = ("Contact", "<sip:phone@127.0.0.1:5060>");

fn offer(bench: &mut Bench, invite: &Request, cseq: u32, sdp: &str) -> crate::sip::message::Response {
    bench.say(inside(invite, "t1", Method::Invite, cseq, &[CONTACT], sdp));
    bench.response()
}

fn ack(bench: &mut Bench, invite: &Request, cseq: u32, sdp: &str) {
    bench.say(inside(invite, "t1", Method::Ack, cseq, &[], sdp));
}

#[test]
fn bye_of_either_side() {
    let (mut bench, invite) = Bench::talking();
    bench.say(inside(&invite, "t1", Method::Bye, 1, &[("Reason", "Q.850;cause=16;text=\"bye\"")], ""));
    assert_eq!(bench.response().status(), 200);
    let end = bench.end();
    assert_eq!((end.reason, end.party, end.q850), (EndReason::HungUp, Party::Callee, Some(16)));
    assert_eq!(end.text.as_deref(), Some("bye"));
    bench.rests();

    let (mut bench, invite) = Bench::talking();
    bench.command(Command::Hangup { call: CALL, cause: Some(Q850(16)) });
    bench.hang_up();
    let bye = bench.request(Method::Bye);
    assert_eq!(bye.headers().reasons()[0].cause(), Some(16));
    assert_eq!(bye.headers().call_id(), invite.headers().call_id());
    assert_eq!(bye.headers().cseq().expect("CSeq").number, invite.headers().cseq().expect("CSeq").number + 1);
    let end = bench.end();
    assert_eq!((end.reason, end.party), (EndReason::HungUp, Party::Us));
    // Two BYEs that cross.
    bench.say(inside(&invite, "t1", Method::Bye, 1, &[], ""));
    assert_eq!(bench.response().status(), 200);
    bench.reply(&bye, 200);
    bench.rests();
}

#[test]
fn a_bye_that_nobody_answers_leaves_nothing() {
    let (mut bench, _) = Bench::talking();
    bench.hang_up();
    assert_eq!(bench.end().reason, EndReason::HungUp);
    bench.pass(seconds(40));
    assert!(bench.requests(Method::Bye).len() > 5, "it is repeated");
    bench.rests();
}

#[test]
fn bye_takes_the_way_of_the_record_routes() {
    let mut bench = Bench::new();
    let invite = bench.place();
    let route = ("Record-Route", "<sip:127.0.0.1:5090;lr>, <sip:edge.example;lr>");
    bench.reply_with(&invite, 200, "t1", &[("Contact", "<sip:phone@10.0.0.9;transport=tls>"), route], SDP);
    bench.sent();
    bench.hang_up();
    let sent = bench.sent();
    let [(to, Message::Request(bye))] = &sent[..] else { panic!("{sent:?}") };
    // The topmost is a name, which is left to the trunk.
    assert_eq!(*to, carrier());
    assert_eq!(bye.uri().to_string(), "sip:phone@10.0.0.9;transport=tls");
    let routes: Vec<_> = bye.headers().routes().expect("Route").iter().map(|r| r.uri.to_string()).collect();
    assert_eq!(routes, ["sip:edge.example;lr", "sip:127.0.0.1:5090;lr"]);
}

#[test]
fn a_contact_of_the_other_address_family_is_left_to_the_trunk() {
    let mut bench = Bench::new();
    let invite = bench.place();
    bench.reply_with(&invite, 200, "t1", &[("Contact", "<sip:phone@[2001:db8::1]:5060>")], SDP);
    let sent = bench.sent();
    let [(to, Message::Request(ack))] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((*to, ack.uri().to_string().as_str()), (carrier(), "sip:phone@[2001:db8::1]:5060"));
}

#[test]
fn a_challenged_bye_is_answered_on_the_flow_only() {
    let challenge = ("WWW-Authenticate", "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"");
    let (mut bench, _) = Bench::talking();
    bench.hang_up();
    let bye = bench.request(Method::Bye);
    bench.reply_with(&bye, 401, "t1", &[challenge], "");
    let again = bench.request(Method::Bye);
    assert_eq!(again.headers().credentials(&HeaderName::Authorization).len(), 1);
    assert_eq!(again.headers().cseq().expect("CSeq").number, bye.headers().cseq().expect("CSeq").number + 1);
    bench.reply_with(&again, 401, "t1", &[challenge], "");
    assert_eq!(bench.requests(Method::Bye).len(), 0);
    bench.call_events();
    bench.rests();

    // The Contact leads elsewhere, and the challenge comes from there.
    let stranger = SocketAddr::from(([127, 0, 0, 2], 5060));
    let mut bench = Bench::new();
    let invite = bench.place();
    bench.reply_with(&invite, 200, "t1", &[("Contact", "<sip:phone@127.0.0.2:5060>")], SDP);
    bench.hang_up();
    let bye = bench.request(Method::Bye);
    let challenged = reply(&bye, 401, "t1", &[challenge], "").to_bytes();
    bench.input(Input::Datagram { source: stranger, bytes: &challenged });
    assert!(bench.sent().is_empty());
    bench.call_events();
    bench.rests();
    bench.input(Input::Datagram { source: stranger, bytes: &challenged });
    assert_eq!(bench.agent.counters().foreign, 1, "after the call it is a stranger again");
}

#[test]
fn hold_and_resume() {
    let (mut bench, invite) = Bench::talking();
    let changed = |bench: &mut Bench| match bench.call_events()[..] {
        [CallEvent::MediaChanged { media }] => media,
        ref other => panic!("{other:?}"),
    };
    let held = SDP.replace("1 1 IN", "1 2 IN") + "a=sendonly\r\n";
    let ok = offer(&mut bench, &invite, 1, &held);
    assert_eq!(ok.status(), 200);
    let text = String::from_utf8_lossy(ok.body()).into_owned();
    assert!(text.contains("a=recvonly") && text.contains("o=- 77 2 IN"), "{text}");
    assert!(ok.headers().contact().is_some() && !ok.headers().allow().is_empty());
    ack(&mut bench, &invite, 1, "");
    assert_eq!(changed(&mut bench).direction, Direction::RecvOnly);

    let null = SDP.replace("1 1 IN", "1 3 IN").replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0") + "a=inactive\r\n";
    assert_eq!(offer(&mut bench, &invite, 2, &null).status(), 200);
    ack(&mut bench, &invite, 2, "");
    assert_eq!(changed(&mut bench).direction, Direction::Inactive);

    let moved = SDP.replace("1 1 IN", "1 4 IN").replace("4000 RTP/AVP 0", "4100 RTP/AVP 8");
    assert_eq!(offer(&mut bench, &invite, 3, &moved).status(), 200);
    ack(&mut bench, &invite, 3, "");
    let media = changed(&mut bench);
    assert_eq!((media.direction, media.remote.port(), media.send_payload_type), (Direction::SendRecv, 4100, 8));
}

#[test]
fn an_unchanged_description_changes_nothing() {
    let (mut bench, invite) = Bench::talking();
    let first = offer(&mut bench, &invite, 1, SDP);
    ack(&mut bench, &invite, 1, "");
    let second = offer(&mut bench, &invite, 2, SDP);
    ack(&mut bench, &invite, 2, "");
    assert_eq!((first.status(), second.status()), (200, 200));
    assert_eq!(first.body(), second.body(), "our version stays");
    assert_eq!(bench.call_events(), []);
}

#[test]
fn a_reinvite_without_offer_gets_ours() {
    let (mut bench, invite) = Bench::talking();
    let ok = offer(&mut bench, &invite, 1, "");
    assert!(String::from_utf8_lossy(ok.body()).contains("m=audio 20000 RTP/AVP 8 0 101"));
    // Our offer is open until the ACK.
    assert_eq!(offer(&mut bench, &invite, 2, SDP).status(), 491);
    ack(&mut bench, &invite, 1, &SDP.replace("4000", "4200"));
    let [CallEvent::MediaChanged { media }] = bench.call_events()[..] else { panic!("moved") };
    assert_eq!(media.remote.port(), 4200);

    // Not answered: what was agreed before stays.
    assert_eq!(offer(&mut bench, &invite, 3, "").status(), 200);
    ack(&mut bench, &invite, 3, "");
    assert_eq!((bench.requests(Method::Bye).len(), bench.call_events()), (0, Vec::new()));

    assert_eq!(offer(&mut bench, &invite, 4, "").status(), 200);
    ack(&mut bench, &invite, 4, &SDP.replace("RTP/AVP 0 101", "RTP/AVP 18"));
    assert_eq!(bench.requests(Method::Bye).len(), 1);
    assert_eq!(bench.end().reason, EndReason::MediaRefused);
    bench.rests();
}

#[test]
fn an_unusable_reinvite_is_488_and_the_call_stays() {
    let (mut bench, invite) = Bench::talking();
    assert_eq!(offer(&mut bench, &invite, 1, &SDP.replace("RTP/AVP 0 101", "RTP/SAVP 0 101")).status(), 488);
    assert_eq!(offer(&mut bench, &invite, 2, "what?").status(), 488);
    assert_eq!(bench.call_events(), []);
    bench.hang_up();
    assert_eq!(bench.end().reason, EndReason::HungUp);
    bench.rests();
}

#[test]
fn requests_out_of_order_and_after_the_end_are_refused() {
    let (mut bench, invite) = Bench::talking();
    assert_eq!(offer(&mut bench, &invite, 10, SDP).status(), 200);
    ack(&mut bench, &invite, 10, "");
    assert_eq!(offer(&mut bench, &invite, 9, SDP).status(), 500);
    bench.say(inside(&invite, "t1", Method::Bye, 11, &[], ""));
    assert_eq!(bench.response().status(), 200);
    bench.call_events();
    assert_eq!(offer(&mut bench, &invite, 12, SDP).status(), 481);
    bench.rests();
    assert_eq!(offer(&mut bench, &invite, 13, SDP).status(), 481);
}

#[test]
fn requests_inside_the_dialog_are_answered() {
    let (mut bench, invite) = Bench::talking();
    let mut cseq = 0;
    let mut ask = |method: Method, fields: &[(&str, &str)], sdp: &str| {
        cseq += 1;
        bench.say(inside(&invite, "t1", method, cseq, fields, sdp));
        bench.response()
    };
    assert_eq!(ask(Method::Info, &[], "").status(), 200);
    let unread = ask(Method::Info, &[], "v=0");
    assert_eq!(unread.status(), 415);
    assert_eq!(unread.headers().text(&HeaderName::Accept), Some("application/dtmf-relay, application/dtmf"));
    let options = ask(Method::Options, &[], "");
    assert_eq!((options.status(), options.headers().allow().len()), (200, 7));
    let update = ask(Method::Update, &[CONTACT], &SDP.replace("1 1 IN", "1 2 IN").replace("4000", "4300"));
    assert_eq!((update.status(), update.body().is_empty()), (200, false));
    assert_eq!(ask(Method::Update, &[CONTACT], "").status(), 200);
    let refer = ask(Method::Refer, &[], "");
    assert_eq!((refer.status(), refer.headers().allow().len()), (405, 7));
    assert_eq!(ask(Method::Prack, &[], "").status(), 405);
    let novel = Method::Other("JUMP".try_into().expect("a token"));
    assert_eq!(ask(novel, &[], "").status(), 501);
    let required = ask(Method::Update, &[("Require", "precondition")], "");
    assert_eq!(required.status(), 420);
    assert_eq!(required.headers().text(&HeaderName::Unsupported), Some("precondition"));
    let [CallEvent::MediaChanged { media }] = bench.call_events()[..] else { panic!("one change") };
    assert_eq!(media.remote.port(), 4300);
}

#[test]
fn glare_is_491_and_ends_in_a_second_try() {
    let (mut bench, invite) = Bench::talking();
    let local = LocalMedia { address: SocketAddr::from(([127, 0, 0, 3], 20010)), ..media() };
    bench.command(Command::Modify { call: CALL, media: local, direction: Direction::SendOnly });
    let ours = bench.request(Method::Invite);
    assert_eq!(offer(&mut bench, &invite, 1, SDP).status(), 491);
    bench.reply(&ours, 491);
    assert_eq!(bench.requests(Method::Ack).len(), 1);
    bench.pass(std::time::Duration::from_millis(2090));
    assert_eq!(bench.requests(Method::Invite).len(), 0);
    bench.pass(seconds(2));
    // The second try, and perhaps copies of it.
    let again = bench.requests(Method::Invite).remove(0);
    assert!(String::from_utf8_lossy(again.body()).contains("m=audio 20010"));
    bench.reply_with(&again, 200, "t1", &[CONTACT], &(SDP.to_owned() + "a=recvonly\r\n"));
    assert_eq!(bench.requests(Method::Ack).len(), 1);
    bench.reply_with(&again, 200, "t1", &[CONTACT], &(SDP.to_owned() + "a=recvonly\r\n"));
    assert_eq!(bench.requests(Method::Ack).len(), 1, "a copy is ACKed again");
    let [CallEvent::MediaChanged { media }] = bench.call_events()[..] else { panic!("held") };
    assert_eq!(media.direction, Direction::SendOnly);
}

#[test]
fn a_refused_reinvite_changes_nothing_and_a_lost_call_ends() {
    let (mut bench, _) = Bench::talking();
    let modify = Command::Modify { call: CALL, media: media(), direction: Direction::Inactive };
    bench.command(modify.clone());
    let first = bench.request(Method::Invite);
    bench.reply(&first, 488);
    assert_eq!(bench.call_events(), []);
    bench.sent();
    bench.command(modify);
    let second = bench.request(Method::Invite);
    bench.reply(&second, 481);
    assert_eq!(bench.requests(Method::Bye).len(), 1);
    assert_eq!(bench.end().sip_status, Some(481));
    bench.rests();
}

#[test]
fn a_challenged_reinvite_is_answered() {
    let (mut bench, _) = Bench::talking();
    bench.command(Command::Modify { call: CALL, media: media(), direction: Direction::SendOnly });
    let first = bench.request(Method::Invite);
    bench.reply_with(&first, 407, "t1", &[("Proxy-Authenticate", "Digest realm=\"r\", nonce=\"n\"")], "");
    let again = bench.request(Method::Invite);
    assert_eq!(again.headers().credentials(&HeaderName::ProxyAuthorization).len(), 1);
    bench.reply_with(&again, 200, "t1", &[CONTACT], &(SDP.to_owned() + "a=recvonly\r\n"));
    assert!(matches!(bench.call_events()[..], [CallEvent::MediaChanged { .. }]));
    bench.hang_up();
    let bye = bench.request(Method::Bye);
    assert!(bye.headers().cseq().expect("CSeq").number > again.headers().cseq().expect("CSeq").number);
}
