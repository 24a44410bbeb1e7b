//! What comes from nowhere: foreign sources, broken messages, requests outside of calls.

use std::net::SocketAddr;

use super::bench::*;
use crate::sip::message::{HeaderName, Message, Request, Response};
use crate::sip::user_agent::*;

fn request(line: &str, cseq: &str, more: &str) -> Vec<u8> {
    lines(&format!(
        "{line}\nVia: SIP/2.0/UDP 127.0.0.1:5060;rport;branch=z9hG4bK{}\nFrom: <sip:a@carrier.example>;tag=ft\n\
         To: <sip:ringcode@carrier.example>\nCall-ID: s1\nCSeq: {cseq}\nMax-Forwards: 70\n{more}\n",
        cseq.replace(' ', "")
    ))
}

fn answer(bytes: &[u8]) -> Response {
    let mut bench = Bench::new();
    bench.datagram(bytes);
    let response = bench.response();
    assert!(response.headers().to().expect("To").tag().is_some());
    bench.rests();
    response
}

#[test]
fn strangers_get_no_answer() {
    let mut bench = Bench::new();
    let options = request("OPTIONS sip:127.0.0.3 SIP/2.0", "1 OPTIONS", "");
    bench.input(Input::Datagram { source: SocketAddr::from(([127, 0, 0, 2], 5060)), bytes: &options });
    assert!(bench.sent().is_empty());
    assert_eq!(bench.agent.counters().foreign, 1);
    let invite = bench.place();
    let busy = reply(&invite, 486, "x", &[], "").to_bytes();
    bench.input(Input::Datagram { source: SocketAddr::from(([127, 0, 0, 2], 5060)), bytes: &busy });
    assert_eq!(bench.call_events(), []);

    let mut lab = Bench::of(Policy { accept_any_source: true, ..policy() }, trunk());
    lab.input(Input::Datagram { source: SocketAddr::from(([127, 0, 0, 2], 5060)), bytes: &options });
    assert_eq!(lab.response().status(), 200);
}

#[test]
fn options_of_a_trunk_are_answered_to_where_they_came_from() {
    let mut bench = Bench::new();
    let source = SocketAddr::from(([127, 0, 0, 1], 40404));
    bench.input(Input::Datagram { source, bytes: &request("OPTIONS sip:127.0.0.3 SIP/2.0", "1 OPTIONS", "") });
    let sent = bench.sent();
    let [(to, Message::Response(ok))] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((*to, ok.status()), (source, 200));
    assert_eq!(ok.headers().top_via().expect("Via").rport(), Some(Some(40404)));
    assert_eq!(ok.headers().text(&HeaderName::Accept), Some("application/sdp"));
    assert_eq!((ok.headers().allow().len(), ok.headers().server()), (7, Some("ringcode")));
    bench.rests();
}

#[test]
fn requests_that_nobody_takes_are_refused_as_the_rfc_asks() {
    for (line, cseq, status) in [
        ("REGISTER sip:127.0.0.3 SIP/2.0", "1 REGISTER", 405),
        ("SUBSCRIBE sip:127.0.0.3 SIP/2.0", "1 SUBSCRIBE", 405),
        ("MESSAGE sip:127.0.0.3 SIP/2.0", "1 MESSAGE", 405),
        ("NOVEL sip:127.0.0.3 SIP/2.0", "1 NOVEL", 501),
        ("BYE sip:127.0.0.3 SIP/2.0", "1 BYE", 481),
        ("CANCEL sip:127.0.0.3 SIP/2.0", "1 CANCEL", 481),
        ("UPDATE sip:127.0.0.3 SIP/2.0", "1 UPDATE", 481),
        ("OPTIONS sip:127.0.0.3 SIP/2.0", "1 INVITE", 400),
        ("OPTIONS sip:127.0.0.3 SIP/7.0", "1 OPTIONS", 505),
        ("OPTIONS nobody:here SIP/2.0", "1 OPTIONS", 416),
    ] {
        let response = answer(&request(line, cseq, ""));
        assert_eq!(response.status(), status, "{line}");
        assert_eq!(response.headers().has(&HeaderName::Allow), matches!(status, 405 | 501), "{line}");
    }
    let tagged = String::from_utf8(request("INVITE sip:127.0.0.3 SIP/2.0", "1 INVITE", "")).expect("text");
    assert_eq!(
        answer(tagged.replace("To: <sip:ringcode@carrier.example>", "To: <sip:a@b>;tag=x").as_bytes()).status(),
        481
    );
}

#[test]
fn content_that_nobody_reads_is_refused_with_what_is_read() {
    let invite = |more: &str| {
        let contact = format!("Contact: <sip:a@127.0.0.1>\nContent-Length: 4\n{more}");
        [request("INVITE sip:127.0.0.3 SIP/2.0", "1 INVITE", &contact), b"v=0\n".to_vec()].concat()
    };
    let foreign = answer(&invite("Content-Type: application/unknown\n"));
    assert_eq!((foreign.status(), foreign.headers().text(&HeaderName::Accept)), (415, Some("application/sdp")));
    assert_eq!(answer(&invite("Content-Type: application/sdp\nContent-Encoding: gzip\n")).status(), 415);
    assert_eq!(answer(&invite("Content-Type: application/sdp\nAccept: text/html\n")).status(), 406);
    assert_eq!(
        answer(&invite("Content-Type: application/sdp\nAccept: text/html, application/*;q=0.1\n")).status(),
        403
    );
    let optional = "Content-Type: application/unknown\nContent-Disposition: session;handling=optional\n";
    assert_eq!(answer(&invite(optional)).status(), 403);
    let extension = answer(&invite("Content-Type: application/sdp\nRequire: a, b\nProxy-Require: c\n"));
    assert_eq!((extension.status(), extension.headers().text(&HeaderName::Unsupported)), (420, Some("a, b")));
}

#[test]
fn what_is_no_request_gets_no_answer() {
    let mut bench = Bench::new();
    for bytes in [
        &b"\r\n\r\n"[..],
        b"",
        b"hello",
        b"SIP/2.0 200 OK\r\n\r\n",
        &lines(
            "SIP/2.0 200 OK\nVia: SIP/2.0/UDP a;branch=z9hG4bKa\nVia: SIP/2.0/UDP b\nFrom: <sip:a@b>;tag=1\nTo: <sip:a@b>;tag=2\nCall-ID: x\nCSeq: 1 INVITE\n\n",
        ),
        &request("ACK sip:127.0.0.3 SIP/2.0", "1 ACK", ""),
    ] {
        bench.datagram(bytes);
        assert!(bench.sent().is_empty(), "{}", String::from_utf8_lossy(bytes));
    }
    assert_eq!(bench.agent.counters().malformed, 3);
    bench.rests();
}

#[test]
fn requests_are_delivered_where_the_policy_says_so() {
    let mut bench = Bench::of(Policy { deliver_requests: true, ..policy() }, trunk());
    bench.datagram(&request("REGISTER sip:127.0.0.3 SIP/2.0", "1 REGISTER", ""));
    let [Event::Request { key, ref request, source }] = bench.events[..] else { panic!("delivered") };
    assert_eq!(source, carrier());
    let request: Request = (**request).clone();
    bench.command(Command::Respond { key, response: Response::reply_to(&request, 200) });
    assert_eq!(bench.response().status(), 200);
    bench.rests();
}
