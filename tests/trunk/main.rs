//! The trunk as the carrier sees it: registration with sipp as the registrar.

#[path = "../support/mod.rs"]
mod support;

use support::daemon::{Daemon, Settings};
use support::sipp::{Scenario, requests};
use support::{free_udp_port, missing};

const CHALLENGE: &str =
    "WWW-Authenticate: Digest realm=\"127.0.0.1\", nonce=\"a-nonce\", algorithm=MD5, qop=\"auth\"\r\n";
/// What Asterisk sends: the stronger algorithm first, MD5 beside it.
const SIDE_BY_SIDE: &str = "WWW-Authenticate: Digest realm=\"127.0.0.1\", nonce=\"n1\", algorithm=SHA-999, qop=\"auth\"\r\nWWW-Authenticate: Digest realm=\"127.0.0.1\", nonce=\"n2\", algorithm=MD5, qop=\"auth\"\r\n";

fn granted(seconds: u32) -> String {
    format!("Contact: <[$contact]>;expires={seconds}\r\n")
}

#[tokio::test]
async fn a_401_is_answered_and_the_binding_removed_at_the_end() {
    if missing(&["sipp"]) {
        return;
    }
    let port = free_udp_port();
    let registrar = Scenario::new()
        .recv("REGISTER")
        .reply(401, "Unauthorized", CHALLENGE)
        .recv_authenticated("REGISTER")
        .reply(200, "OK", &granted(300))
        .recv("REGISTER")
        .reply(200, "OK", "")
        .start(port);
    let mut daemon = Daemon::start(&Settings::registrar(port));
    daemon.api().await.ready().await;
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code(), Some(0));
    let received = registrar.finish();
    let registers = requests(&received, "REGISTER");
    assert_eq!(registers.len(), 3);
    let last = registers[2];
    let zero = last.header("Expires") == Some("0") || last.parameter("Contact", "expires") == Some("0");
    assert!(zero, "RFC 3261 §10.2.2: the binding is removed: {}", last.text);
    for pair in registers.windows(2) {
        assert_eq!(pair[0].header("Call-ID"), pair[1].header("Call-ID"), "RFC 3261 §10.2: one Call-ID");
        let cseq = |text: &str| text.split(' ').next().and_then(|number| number.parse::<u32>().ok());
        assert_eq!(pair[1].header("CSeq").and_then(cseq), pair[0].header("CSeq").and_then(cseq).map(|n| n + 1));
    }
}

#[tokio::test]
async fn the_first_supported_of_several_challenges_is_answered() {
    if missing(&["sipp"]) {
        return;
    }
    let port = free_udp_port();
    let registrar = Scenario::new()
        .recv("REGISTER")
        .reply(401, "Unauthorized", SIDE_BY_SIDE)
        .recv_authenticated("REGISTER")
        .reply(200, "OK", &granted(300))
        .start(port);
    let daemon = Daemon::start(&Settings::registrar(port));
    daemon.api().await.ready().await;
    let received = registrar.finish();
    let credentials = requests(&received, "REGISTER")[1].header("Authorization").expect("sipp verified it");
    assert!(credentials.contains("nonce=\"n2\""), "RFC 7616 §3.7: unknown algorithms are passed over: {credentials}");
}

#[tokio::test]
async fn a_423_is_answered_with_the_interval_it_asks_for() {
    if missing(&["sipp"]) {
        return;
    }
    let port = free_udp_port();
    let registrar = Scenario::new()
        .recv("REGISTER")
        .reply(423, "Interval Too Brief", "Min-Expires: 7200\r\n")
        .recv("REGISTER")
        .reply(200, "OK", &granted(7200))
        .start(port);
    let daemon = Daemon::start(&Settings::registrar(port));
    daemon.api().await.ready().await;
    let received = registrar.finish();
    let second = requests(&received, "REGISTER")[1];
    let asked = second.header("Expires").or_else(|| second.parameter("Contact", "expires"));
    assert_eq!(asked, Some("7200"), "RFC 3261 §10.2.8: {}", second.text);
}

#[tokio::test]
async fn a_403_is_told_and_not_tried_again_at_once() {
    if missing(&["sipp"]) {
        return;
    }
    let port = free_udp_port();
    let registrar = Scenario::new().recv("REGISTER").reply(403, "Forbidden", "").recv("SECOND-REGISTER").start(port);
    let daemon = Daemon::start(&Settings::registrar(port));
    let api = daemon.api().await;
    let (status, body) = api
        .post("/rest-api/voice-otp/", &serde_json::json!({"alarm_phonenumber": support::daemon::NUMBER, "otp": "1234"}))
        .await;
    assert!(matches!(status, 201 | 503), "{body}");
    assert_eq!(api.get("/readyz").await.0, 503, "no trunk is usable");
    assert_eq!(requests(&registrar.received(), "REGISTER").len(), 1, "R3: a 403 is retried slowly");
}

#[tokio::test]
async fn a_503_is_tried_again_after_its_retry_after() {
    if missing(&["sipp"]) {
        return;
    }
    let port = free_udp_port();
    let registrar = Scenario::new()
        .recv("REGISTER")
        .reply(503, "Service Unavailable", "Retry-After: 1\r\n")
        .recv("REGISTER")
        .reply(200, "OK", &granted(300))
        .start(port);
    let daemon = Daemon::start(&Settings::registrar(port));
    daemon.api().await.ready().await;
    registrar.finish();
}

#[tokio::test]
async fn the_binding_is_refreshed_before_it_ends() {
    if missing(&["sipp"]) {
        return;
    }
    let port = free_udp_port();
    let registrar = Scenario::new()
        .recv("REGISTER")
        .reply(200, "OK", &granted(4))
        .recv("REGISTER")
        .reply(200, "OK", &granted(300))
        .start(port);
    let daemon = Daemon::start(&Settings::registrar(port));
    daemon.api().await.ready().await;
    registrar.finish();
}
