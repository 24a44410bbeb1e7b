//! Calls that we place, until they are answered or not.

use std::net::SocketAddr;

use super::bench::*;
use crate::sip::call_end::{EndReason, Party};
use crate::sip::message::{HeaderName, Message, Method};
use crate::sip::user_agent::*;

const CONTACT: (&str, &str) = ("Contact", "<sip:phone@127.0.0.1:5060>");
const CHALLENGE: (&str, &str) = ("Proxy-Authenticate", "Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"");

#[test]
fn an_invite_says_who_calls_whom_and_how_to_answer() {
    let mut bench = Bench::new();
    let invite = bench.place();
    let headers = invite.headers();
    assert_eq!(invite.uri().to_string(), "sip:+84919273027@carrier.example");
    assert_eq!(headers.from().expect("From").uri.to_string(), "sip:+842873000000@carrier.example");
    assert_eq!(headers.contact().expect("Contact").uri.to_string(), "sip:ringcode@127.0.0.3:5062");
    assert_eq!(headers.allow(), ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "UPDATE"]);
    assert_eq!((headers.max_forwards(), headers.user_agent()), (Some(70), Some("ringcode")));
    assert!(!headers.has(&HeaderName::Require));
    assert_eq!(headers.top_via().expect("Via").rport(), Some(None));
    assert!(std::str::from_utf8(invite.body()).expect("text").contains("m=audio 20000 RTP/AVP 8 0 101\r\n"));
}

#[test]
fn the_caller_id_stands_where_the_trunk_wants_it() {
    let from_and = |identity: Identity, name: HeaderName| {
        let mut bench = Bench::of(policy(), Trunk { identity, ..trunk() });
        let invite = bench.place();
        let from = invite.headers().from().expect("From").uri.to_string();
        (from, invite.headers().text(&name).map(str::to_owned))
    };
    let (account, number) = ("sip:ringcode@carrier.example", "<sip:+842873000000@carrier.example>");
    let plain = from_and(Identity::Pai, HeaderName::PAssertedIdentity);
    assert_eq!(plain, (account.to_owned(), Some(number.to_owned())));
    let preferred = from_and(Identity::Ppi, HeaderName::PPreferredIdentity);
    assert_eq!(preferred, (account.to_owned(), Some(number.to_owned())));
    let (from, remote) = from_and(Identity::Rpid, HeaderName::RemotePartyId);
    assert_eq!(from, account);
    assert_eq!(remote, Some(format!("{number};party=calling;screen=yes;privacy=off")));
    assert_eq!(from_and(Identity::From, HeaderName::PAssertedIdentity).1, None);
}

#[test]
fn early_media_of_several_forks_is_told_and_is_no_answer() {
    let mut bench = Bench::new();
    let invite = bench.place();
    bench.reply_with(&invite, 100, "", &[], "");
    bench.reply_with(&invite, 100, "", &[], "");
    bench.reply_with(&invite, 183, "a", &[CONTACT], SDP);
    bench.reply_with(&invite, 183, "b", &[CONTACT], &SDP.replace("4000", "4010"));
    bench.reply_with(&invite, 183, "c", &[], "");
    bench.reply_with(&invite, 180, "a", &[], "");
    bench.reply_with(&invite, 180, "a", &[], "");
    let early = CallEvent::EarlyMedia { status: 183 };
    let ringing = |status| CallEvent::Ringing { status };
    assert_eq!(bench.call_events(), [CallEvent::Trying, early.clone(), early.clone(), ringing(183), ringing(180)]);
    // A fork that rang begins to play.
    bench.reply_with(&invite, 183, "c", &[CONTACT], SDP);
    assert_eq!(bench.call_events(), [early]);
    bench.reply_with(&invite, 200, "b", &[CONTACT], &SDP.replace("4000", "4020"));
    let [CallEvent::Answered { media }] = bench.call_events()[..] else { panic!("answered") };
    assert_eq!(media.remote.port(), 4020);
}

#[test]
fn each_copy_of_a_2xx_gets_the_same_ack() {
    let mut bench = Bench::new();
    let invite = bench.place();
    for at in [0, 1, 2] {
        bench.reply_with(&invite, 200, "t1", &[CONTACT], SDP);
        assert_eq!(bench.requests(Method::Ack).len(), 1, "copy {at}");
    }
    assert_eq!(bench.call_events().len(), 1);
    // The transaction is gone, and a copy still wants its ACK.
    bench.hang_up();
    let bye = bench.request(Method::Bye);
    bench.reply(&bye, 200);
    bench.pass(seconds(31));
    bench.reply_with(&invite, 200, "t1", &[CONTACT], SDP);
    let ack = bench.request(Method::Ack);
    assert_eq!(ack.headers().cseq().expect("CSeq").number, invite.headers().cseq().expect("CSeq").number);
    assert_eq!(ack.uri().to_string(), "sip:phone@127.0.0.1:5060");
    bench.rests();
}

#[test]
fn a_second_fork_is_acked_and_ended() {
    let (mut bench, invite) = Bench::talking();
    bench.reply_with(&invite, 200, "t2", &[("Contact", "<sip:other@127.0.0.1:5099>")], SDP);
    let sent = bench.sent();
    let [(ack_to, Message::Request(ack)), (bye_to, Message::Request(bye))] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((ack.method(), bye.method()), (&Method::Ack, &Method::Bye));
    assert_eq!((tag_of(ack), tag_of(bye)), ("t2".to_owned(), "t2".to_owned()));
    let fork = SocketAddr::from(([127, 0, 0, 1], 5099));
    assert_eq!((*ack_to, *bye_to), (fork, fork));
    // Its copy is ACKed again, not ended again.
    bench.reply_with(&invite, 200, "t2", &[], SDP);
    let again = bench.sent();
    assert_eq!(again.len(), 1);
    bench.reply_with(bye, 200, "t2", &[], "");
    assert_eq!(bench.call_events(), []);
    bench.hang_up();
    assert_eq!(tag_of(&bench.request(Method::Bye)), "t1");
    bench.rests();
}

#[test]
fn a_challenged_invite_is_sent_again_and_its_ack_has_the_credentials() {
    let mut bench = Bench::new();
    let first = bench.place();
    bench.reply_with(&first, 100, "", &[], "");
    bench.reply_with(&first, 407, "x", &[CHALLENGE], "");
    let sent = bench.sent();
    let [(_, Message::Request(ack)), (_, Message::Request(second))] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((ack.method(), tag_of(ack)), (&Method::Ack, "x".to_owned()));
    let (before, after) = (first.headers(), second.headers());
    assert_eq!(before.call_id(), after.call_id());
    assert_eq!(before.from(), after.from());
    assert_eq!(after.to().expect("To").tag(), None);
    assert_eq!(after.cseq().expect("CSeq").number, before.cseq().expect("CSeq").number + 1);
    assert_ne!(before.top_via().expect("Via").branch(), after.top_via().expect("Via").branch());
    assert_eq!(after.credentials(&HeaderName::ProxyAuthorization).len(), 1);
    assert_eq!(after.vias().expect("Via").len(), 1);
    bench.reply_with(second, 200, "t1", &[CONTACT], SDP);
    let ack = bench.request(Method::Ack);
    assert_eq!(ack.headers().credentials(&HeaderName::ProxyAuthorization).len(), 1);
    assert!(matches!(bench.call_events()[..], [CallEvent::Trying, CallEvent::Answered { .. }]));
}

#[test]
fn nonces_without_end_are_given_up() {
    let mut bench = Bench::new();
    let mut invite = bench.place();
    let mut with_credentials = 0;
    for nonce in 0..10 {
        let challenge = format!("Digest realm=\"r\", nonce=\"n{nonce}\", stale=true, qop=\"auth\"");
        bench.reply_with(&invite, 407, "x", &[("Proxy-Authenticate", &challenge)], "");
        let Some(next) = bench.requests(Method::Invite).pop() else { break };
        with_credentials += 1;
        invite = next;
    }
    assert_eq!(with_credentials, 2);
    let end = bench.end();
    assert_eq!((end.reason, end.party, end.sip_status), (EndReason::AuthenticationFailed, Party::Us, Some(407)));
    bench.rests();
}

#[test]
fn refused_credentials_and_foreign_realms_end_the_call() {
    let mut bench = Bench::new();
    let invite = bench.place();
    bench.reply_with(&invite, 401, "x", &[("WWW-Authenticate", "Digest realm=\"r\", nonce=\"1\"")], "");
    let again = bench.request(Method::Invite);
    bench.reply_with(&again, 401, "x", &[("WWW-Authenticate", "Digest realm=\"r\", nonce=\"2\"")], "");
    assert_eq!(bench.requests(Method::Invite).len(), 0);
    assert_eq!(bench.end().reason, EndReason::AuthenticationFailed);

    let mut account = trunk().account.expect("the trunk has one");
    account.realm = Some("carrier".into());
    let mut bench = Bench::of(policy(), Trunk { account: Some(account), ..trunk() });
    let invite = bench.place();
    bench.reply_with(&invite, 407, "x", &[CHALLENGE], "");
    assert_eq!(bench.requests(Method::Invite).len(), 0);
    assert_eq!(bench.end().reason, EndReason::AuthenticationFailed);
    bench.rests();
}

#[test]
fn an_unusable_answer_is_acked_and_ended() {
    for sdp in [&SDP.replace("RTP/AVP 0 101", "RTP/AVP 18"), "hello", &SDP.replace("audio 4000", "audio 0")] {
        let mut bench = Bench::new();
        let invite = bench.place();
        bench.reply_with(&invite, 200, "t1", &[CONTACT], sdp);
        let sent = bench.sent();
        let [(_, Message::Request(ack)), (_, Message::Request(bye))] = &sent[..] else { panic!("{sent:?}") };
        assert_eq!((ack.method(), bye.method()), (&Method::Ack, &Method::Bye));
        assert_eq!(bye.headers().reasons()[0].cause(), Some(88));
        let end = bench.end();
        assert_eq!((end.reason, end.party, end.sip_status), (EndReason::MediaRefused, Party::Carrier, Some(200)));
        bench.reply(bye, 200);
        bench.rests();
    }
}

#[test]
fn a_2xx_without_answer_is_acked_and_ended() {
    let mut bench = Bench::new();
    let invite = bench.place();
    // The description of another fork is no answer of this one.
    bench.reply_with(&invite, 183, "t2", &[CONTACT], SDP);
    bench.call_events();
    bench.reply_with(&invite, 200, "t1", &[CONTACT], "");
    assert_eq!(bench.sent().len(), 2);
    assert_eq!(bench.end().reason, EndReason::MediaRefused);
    bench.rests();
}

#[test]
fn a_2xx_without_description_means_the_one_of_its_183() {
    let mut bench = Bench::new();
    let invite = bench.place();
    bench.reply_with(&invite, 183, "t1", &[CONTACT], SDP);
    bench.call_events();
    bench.reply_with(&invite, 200, "t1", &[CONTACT], "");
    assert!(matches!(bench.call_events()[..], [CallEvent::Answered { .. }]));
}

#[test]
fn cancelled_before_the_answer() {
    let mut bench = Bench::new();
    let invite = bench.place();
    bench.reply(&invite, 180);
    bench.call_events();
    bench.hang_up();
    bench.hang_up();
    let cancel = bench.request(Method::Cancel);
    assert_eq!(cancel.headers().top_via(), invite.headers().top_via());
    assert_eq!(tag_of(&cancel), "");
    bench.reply(&cancel, 200);
    assert_eq!(bench.call_events(), [], "the INVITE is not over");
    bench.reply(&invite, 487);
    assert_eq!(bench.requests(Method::Ack).len(), 1);
    let end = bench.end();
    assert_eq!((end.reason, end.party, end.sip_status), (EndReason::Cancelled, Party::Us, Some(487)));
    bench.rests();
}

#[test]
fn a_cancel_waits_for_the_first_provisional_response() {
    let mut bench = Bench::new();
    let invite = bench.place();
    bench.hang_up();
    assert_eq!(bench.requests(Method::Cancel).len(), 0);
    bench.reply_with(&invite, 100, "", &[], "");
    assert_eq!(bench.requests(Method::Cancel).len(), 1);
}

#[test]
fn cancelled_without_any_response() {
    let mut bench = Bench::new();
    bench.place();
    bench.hang_up();
    bench.pass(seconds(33));
    assert_eq!(bench.requests(Method::Cancel).len(), 0);
    assert_eq!(bench.end().reason, EndReason::Cancelled);
    bench.rests();
}

#[test]
fn a_cancel_that_brings_no_487_frees_the_call_after_64_t1() {
    let mut bench = Bench::new();
    let invite = bench.place();
    bench.reply(&invite, 180);
    bench.call_events();
    bench.hang_up();
    let cancel = bench.request(Method::Cancel);
    bench.reply(&cancel, 200);
    bench.pass(seconds(31));
    assert_eq!(bench.call_events(), []);
    bench.pass(seconds(2));
    assert_eq!(bench.end().reason, EndReason::Cancelled);
    // A 2xx after all that: a phone is off the hook. Nothing goes to where a forger might lead us.
    let elsewhere = ("Contact", "<sip:phone@127.0.0.9:5060>");
    bench.reply_with(&invite, 200, "t1", &[elsewhere], SDP);
    let sent = bench.sent();
    let [(ack_to, Message::Request(ack)), (bye_to, Message::Request(bye))] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((ack.method(), bye.method()), (&Method::Ack, &Method::Bye));
    assert_eq!((*ack_to, *bye_to), (carrier(), carrier()));
    assert_eq!(bench.agent.counters().orphans, 1);
    bench.reply_with(&invite, 200, "t1", &[CONTACT], SDP);
    assert_eq!(bench.sent().len(), 1, "its copy is ACKed only");
    assert_eq!(bench.events.len(), 0, "nobody hears of it");
    bench.reply(bye, 200);
    bench.rests();
}

#[test]
fn a_2xx_that_crosses_the_cancel_is_acked_and_ended() {
    let mut bench = Bench::new();
    let invite = bench.place();
    bench.reply(&invite, 180);
    bench.call_events();
    bench.hang_up();
    let cancel = bench.request(Method::Cancel);
    bench.reply_with(&invite, 200, "t1", &[CONTACT], SDP);
    let sent = bench.sent();
    let [(_, Message::Request(ack)), (_, Message::Request(bye))] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((ack.method(), bye.method()), (&Method::Ack, &Method::Bye));
    let end = bench.end();
    assert_eq!((end.reason, end.party), (EndReason::Cancelled, Party::Us));
    bench.reply(&cancel, 481);
    bench.reply(bye, 200);
    bench.rests();
}

#[test]
fn a_bye_that_overtakes_the_2xx_ends_the_call() {
    let mut bench = Bench::new();
    let invite = bench.place();
    bench.reply(&invite, 180);
    bench.call_events();
    bench.say(inside(&invite, "t1", Method::Bye, 1, &[], ""));
    let sent = bench.sent();
    let [(_, Message::Response(ok)), (_, Message::Request(cancel))] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((ok.status(), cancel.method()), (200, &Method::Cancel));
    bench.reply_with(&invite, 200, "t1", &[CONTACT], SDP);
    let kinds: Vec<_> = bench
        .sent()
        .into_iter()
        .map(|(_, message)| match message {
            Message::Request(request) => request.method().to_string(),
            Message::Response(response) => response.status().to_string(),
        })
        .collect();
    assert_eq!(kinds, ["ACK", "BYE"]);
    let end = bench.end();
    assert_eq!((end.reason, end.party), (EndReason::HungUp, Party::Callee));
    bench.rests();
}

#[test]
fn final_responses_end_the_call_with_their_reason() {
    for (status, reason, expected, q850) in [
        (302, "", EndReason::Redirected, None),
        (404, "Q.850;cause=1;text=\"Unallocated\"", EndReason::Unallocated, Some(1)),
        (408, "", EndReason::NoAnswer, None),
        (480, "", EndReason::NoAnswer, None),
        (482, "", EndReason::ProtocolError, None),
        (486, "Q.850;cause=17", EndReason::Busy, Some(17)),
        (487, "", EndReason::Cancelled, None),
        (503, "Q.850;cause=34", EndReason::Congestion, Some(34)),
        (603, "SIP;cause=603, Q.850;cause=21", EndReason::Rejected, Some(21)),
    ] {
        let mut bench = Bench::new();
        let invite = bench.place();
        bench.reply(&invite, 180);
        bench.call_events();
        let mut fields = vec![("Contact", "<sip:elsewhere@127.0.0.9>"), ("Retry-After", "30 (busy)")];
        if !reason.is_empty() {
            fields.push(("Reason", reason));
        }
        bench.reply_with(&invite, status, "t1", &fields, "");
        let sent = bench.sent();
        assert!(matches!(&sent[..], [(_, Message::Request(ack))] if *ack.method() == Method::Ack), "{sent:?}");
        let end = bench.end();
        assert_eq!((end.reason, end.sip_status, end.q850), (expected, Some(status), q850), "{status}");
        assert_eq!(end.retry_after, Some(seconds(30)));
        assert!(end.text.is_some());
        bench.rests();
    }
}

#[test]
fn no_response_and_no_way_are_told_apart() {
    let mut bench = Bench::new();
    bench.place();
    bench.pass(seconds(31));
    assert_eq!(bench.call_events(), []);
    bench.pass(seconds(2));
    let end = bench.end();
    assert_eq!((end.reason, end.party, end.sip_status), (EndReason::Timeout, Party::Carrier, None));
    bench.rests();

    let mut bench = Bench::new();
    bench.place();
    bench.input(Input::TransportError { remote: carrier() });
    assert_eq!(bench.end().reason, EndReason::NetworkFailure);
    bench.rests();
}

#[test]
fn calls_beyond_the_bound_are_not_placed() {
    let mut bench = Bench::of(Policy { max_calls: 2, ..policy() }, trunk());
    for call in 0..3 {
        let callee = UserPart::new("1").expect("a digit");
        bench.command(Command::Invite {
            call: CallId(call),
            trunk: TrunkId(0),
            callee,
            caller_id: None,
            media: media(),
        });
    }
    assert_eq!(bench.requests(Method::Invite).len(), 2);
    assert_eq!(bench.end().reason, EndReason::Overloaded);
    bench.rests();
}

#[test]
fn an_update_before_the_answer_is_491() {
    let mut bench = Bench::new();
    let invite = bench.place();
    bench.reply(&invite, 180);
    bench.sent();
    bench.say(inside(&invite, "t1", Method::Update, 1, &[CONTACT], SDP));
    assert_eq!(bench.response().status(), 491);
    bench.say(inside(&invite, "t1", Method::Update, 2, &[CONTACT], ""));
    assert_eq!(bench.response().status(), 200);
    // After early media the fork takes its description for the answer.
    bench.reply_with(&invite, 183, "t1", &[CONTACT], SDP);
    bench.say(inside(&invite, "t1", Method::Update, 3, &[CONTACT], SDP));
    let ok = bench.response();
    assert_eq!((ok.status(), ok.body().is_empty()), (200, false));
    bench.say(inside(&invite, "t1", Method::Invite, 4, &[CONTACT], SDP));
    assert_eq!(bench.response().status(), 491);
}
