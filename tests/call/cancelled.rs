//! Calls that are given up before the answer, and the races of CANCEL.

use crate::support::daemon::{Daemon, NUMBER, OTP, Settings};
use crate::support::sipp::{SDP, Scenario, requests};
use crate::support::{free_udp_port, missing};

fn quick_ring(port: u16) -> Settings {
    Settings { call_lines: "ring_timeout = \"5s\"".into(), ..Settings::gateway(port) }
}

#[tokio::test]
async fn a_phone_that_is_never_answered_is_cancelled() {
    if missing(&["sipp"]) {
        return;
    }
    let port = free_udp_port();
    let carrier = Scenario::new()
        .recv("INVITE")
        .reply(180, "Ringing", "")
        .recv("CANCEL")
        .reply(200, "OK", "")
        .reply_to_invite(487, "Request Terminated", "")
        .recv("ACK")
        .start(port);
    let daemon = Daemon::start(&quick_ring(port));
    let api = daemon.api().await;
    let id = api.call(NUMBER, OTP, 0).await;
    let record = api.ended(id).await;
    let received = carrier.finish();
    assert_eq!(record["disposition"], "NOANSWER", "{record:#}");
    assert_eq!(record["delivery"]["reason"], "no_answer");
    let (invite, cancel) = (requests(&received, "INVITE")[0], requests(&received, "CANCEL")[0]);
    // RFC 3261 §9.1: the same branch, Call-ID, From, To and CSeq number.
    assert_eq!(cancel.parameter("Via", "branch"), invite.parameter("Via", "branch"));
    assert_eq!(cancel.uri(), invite.uri());
    for name in ["Call-ID", "From", "To"] {
        assert_eq!(cancel.header(name), invite.header(name), "{name}");
    }
}

#[tokio::test]
async fn an_answer_that_crosses_the_cancel_is_acknowledged_and_hung_up() {
    if missing(&["sipp"]) {
        return;
    }
    let port = free_udp_port();
    let carrier = Scenario::new()
        .recv("INVITE")
        .reply(180, "Ringing", "")
        .recv("CANCEL")
        .reply_to_invite(200, "OK", SDP)
        .recv("ACK")
        .recv("BYE")
        .reply_in_dialog(200, "OK")
        .start(port);
    let daemon = Daemon::start(&quick_ring(port));
    let api = daemon.api().await;
    let id = api.call(NUMBER, OTP, 0).await;
    let record = api.ended(id).await;
    carrier.finish();
    assert_eq!(record["status"], 3, "{record:#}");
    assert_eq!(record["delivery"]["reason"], "no_answer", "nothing was spoken: {record:#}");
    assert_eq!(record["delivery"]["readings_completed"], 0);
}

#[tokio::test]
async fn delete_hangs_up_a_ringing_call() {
    if missing(&["sipp"]) {
        return;
    }
    let port = free_udp_port();
    let carrier = Scenario::new()
        .recv("INVITE")
        .reply(180, "Ringing", "")
        .recv("CANCEL")
        .reply(200, "OK", "")
        .reply_to_invite(487, "Request Terminated", "")
        .recv("ACK")
        .start(port);
    let daemon = Daemon::start(&Settings::gateway(port));
    let api = daemon.api().await;
    let id = api.call(NUMBER, OTP, 0).await;
    api.wait_until(id, "ringing", |record| record["timeline"].to_string().contains("ringing")).await;
    let (status, _) = api.delete(&format!("/rest-api/voice-otp/{id}/")).await;
    assert!(matches!(status, 200 | 202 | 204), "DELETE answered {status}");
    let record = api.ended(id).await;
    carrier.finish();
    assert_eq!(record["disposition"], "CANCEL", "{record:#}");
    assert_eq!(record["delivery"]["reason"], "cancelled");
}
