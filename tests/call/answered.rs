//! The ways to an answer, and the ways on from it.

use crate::support::daemon::{Daemon, NUMBER, OTP, Settings};
use crate::support::sipp::{SDP, Scenario, requests};
use crate::support::{free_udp_port, missing};

/// An answered call that listens to the end: what most scenarios end with.
fn to_the_end(scenario: Scenario) -> Scenario {
    scenario.recv("ACK").recv("BYE").reply_in_dialog(200, "OK")
}

#[tokio::test]
async fn ringing_then_answered_is_read_to_the_end_and_hung_up_by_us() {
    if missing(&["sipp"]) {
        return;
    }
    let port = free_udp_port();
    let carrier = to_the_end(
        Scenario::new()
            .recv("INVITE")
            .reply(100, "Trying", "")
            .reply(180, "Ringing", "")
            .pause(300)
            .reply_sdp(200, "OK", ""),
    )
    .start(port);
    let daemon = Daemon::start(&Settings::gateway(port));
    let api = daemon.api().await;
    let id = api.call(NUMBER, OTP, 0).await;
    let record = api.ended(id).await;
    let received = carrier.finish();

    assert_eq!(record["status"], 5, "{record:#}");
    assert_eq!(record["disposition"], "ANSWER");
    assert_eq!(record["otp"], "****", "the code stands in the answer to the POST alone");
    let delivery = &record["delivery"];
    assert_eq!(delivery["readings_completed"], 1);
    assert_eq!(delivery["digits_read"], OTP.len());
    assert_eq!(delivery["repeats"], 0);
    assert_eq!(delivery["reason"], "delivered");
    assert_eq!(delivery["trunk"], "carrier");
    assert_eq!(delivery["sip_status"], 200);
    assert!(delivery["answered_at"].is_string());

    let invite = requests(&received, "INVITE")[0];
    assert!(invite.uri().contains("84919273027@"), "the R-URI carries the number: {}", invite.uri());
    assert!(invite.parameter("Via", "branch").is_some_and(|branch| branch.starts_with("z9hG4bK") && branch.len() > 30));
    assert!(invite.header("Via").is_some_and(|via| via.contains("rport")), "RFC 3581: rport always");
    assert!(invite.header("From").is_some_and(|from| from.contains("842873000000")), "the caller ID");
    assert_eq!(invite.header("Max-Forwards"), Some("70"));
    assert_eq!(invite.header("Content-Type"), Some("application/sdp"));
    let ack = requests(&received, "ACK")[0];
    assert_ne!(
        ack.parameter("Via", "branch"),
        invite.parameter("Via", "branch"),
        "RFC 3261 §17.1.1.3: the ACK to a 2xx is a transaction of its own"
    );
    assert_eq!(ack.parameter("To", "tag"), requests(&received, "BYE")[0].parameter("To", "tag"));
    assert_eq!(ack.uri(), format!("sip:carrier@127.0.0.1:{port}"), "RFC 3261 §12.2.1.1: the Contact is the target");
}

#[tokio::test]
async fn early_media_is_no_answer_and_the_answer_may_bring_other_sdp() {
    if missing(&["sipp"]) {
        return;
    }
    let port = free_udp_port();
    let moved = SDP.replace("RTP/AVP 0 101", "RTP/AVP 8 96").replace(
        "a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15",
        "a=rtpmap:8 PCMA/8000\r\na=rtpmap:96 telephone-event/8000",
    );
    let carrier = to_the_end(
        Scenario::new()
            .recv("INVITE")
            .reply(100, "Trying", "")
            .reply_sdp(183, "Session Progress", "")
            .pause(1500)
            .reply_with(200, "OK", "", "", &moved),
    )
    .start(port);
    let daemon = Daemon::start(&Settings::gateway(port));
    let api = daemon.api().await;
    let id = api.call(NUMBER, OTP, 0).await;
    let early = api.wait_until(id, "in process", |record| record["status"] == 2).await;
    assert!(early["delivery"]["answered_at"].is_null(), "183 is not an answer: {early:#}");
    let record = api.ended(id).await;
    carrier.finish();
    assert_eq!(record["delivery"]["reason"], "delivered", "{record:#}");
}

#[tokio::test]
async fn each_copy_of_a_200_is_acknowledged() {
    if missing(&["sipp"]) {
        return;
    }
    let port = free_udp_port();
    let carrier = to_the_end(
        Scenario::new()
            .recv("INVITE")
            .reply(180, "Ringing", "")
            .reply_to_invite(200, "OK", SDP)
            .reply_to_invite(200, "OK", SDP)
            .reply_to_invite(200, "OK", SDP),
    )
    .start(port);
    let daemon = Daemon::start(&Settings::gateway(port));
    let api = daemon.api().await;
    let id = api.call(NUMBER, OTP, 0).await;
    let record = api.ended(id).await;
    let received = carrier.finish();
    assert_eq!(record["delivery"]["reason"], "delivered", "{record:#}");
    assert!(requests(&received, "ACK").len() >= 3, "RFC 3261 §13.2.2.4: an ACK for each 2xx received");
    assert_eq!(requests(&received, "BYE").len(), 1);
}

#[tokio::test]
async fn the_second_200_of_a_fork_is_acknowledged_and_hung_up() {
    if missing(&["sipp"]) {
        return;
    }
    let port = free_udp_port();
    let second = format!(
        "SIP/2.0 200 OK\r
Via:[$via]\r
[last_From:]\r
To:[$to];tag=the-other-branch\r
[last_Call-ID:]\r
CSeq: [$cseq] INVITE\r
Contact: <sip:mailbox@[local_ip]:[local_port]>\r
Content-Type: application/sdp\r
Content-Length: [len]\r
\r
{SDP}"
    );
    let carrier = Scenario::new()
        .recv("INVITE")
        .reply(180, "Ringing", "")
        .reply_to_invite(200, "OK", SDP)
        .recv("ACK")
        .send_raw(&second)
        .recv("ACK")
        .recv("BYE")
        .reply_in_dialog(200, "OK")
        .recv("BYE")
        .reply_in_dialog(200, "OK")
        .start(port);
    let daemon = Daemon::start(&Settings::gateway(port));
    let api = daemon.api().await;
    let id = api.call(NUMBER, OTP, 0).await;
    let record = api.ended(id).await;
    let received = carrier.finish();
    assert_eq!(record["delivery"]["reason"], "delivered", "the first branch is served: {record:#}");
    let byes = requests(&received, "BYE");
    assert_eq!(byes[0].parameter("To", "tag"), Some("the-other-branch"), "RFC 3261 §13.2.2.4");
    assert_eq!(byes[0].uri(), format!("sip:mailbox@127.0.0.1:{port}"));
}

#[tokio::test]
async fn a_callee_that_hangs_up_in_the_second_digit_was_not_served() {
    if missing(&["sipp"]) {
        return;
    }
    let port = free_udp_port();
    // The first digit is over 4.2 s after the answer at the latest; with a gap of 3 s the second one is not over before
    // the seventh second.
    let carrier = Scenario::new()
        .recv_invite_keeping_contact()
        .reply(180, "Ringing", "")
        .reply_sdp(200, "OK", "")
        .recv("ACK")
        .pause(5500)
        .request("BYE", "Reason: Q.850;cause=16;text=\"Normal call clearing\"\r\n", "")
        .recv_response(200)
        .start(port);
    let daemon = Daemon::start(&Settings { digit_gap: "3s".into(), ..Settings::gateway(port) });
    let api = daemon.api().await;
    let id = api.call(NUMBER, OTP, 0).await;
    let record = api.ended(id).await;
    carrier.finish();
    assert_eq!(record["status"], 3, "{record:#}");
    assert_eq!(record["disposition"], "ANSWER");
    assert_eq!(record["delivery"]["reason"], "hung_up_early");
    assert_eq!(record["delivery"]["hung_up_by"], "callee");
    assert_eq!(record["delivery"]["readings_completed"], 0);
    assert_eq!(record["delivery"]["digits_read"], 1);
    assert_eq!(record["delivery"]["q850"], 16);
}

#[tokio::test]
async fn a_call_goes_through_the_route_set_that_the_proxies_recorded() {
    if missing(&["sipp"]) {
        return;
    }
    let port = free_udp_port();
    let carrier = to_the_end(Scenario::new().recv("INVITE").reply(180, "Ringing", "").reply_sdp(
        200,
        "OK",
        "Record-Route: <sip:127.0.0.1:[local_port];lr;hop=second>, <sip:127.0.0.1:[local_port];lr;hop=first>\r\n",
    ))
    .start(port);
    let daemon = Daemon::start(&Settings::gateway(port));
    let api = daemon.api().await;
    let id = api.call(NUMBER, OTP, 0).await;
    let record = api.ended(id).await;
    let received = carrier.finish();
    assert_eq!(record["delivery"]["reason"], "delivered", "{record:#}");
    for method in ["ACK", "BYE"] {
        let routes: Vec<_> =
            requests(&received, method)[0].text.lines().filter(|line| line.starts_with("Route:")).collect();
        let joined = routes.join(",");
        let (first, second) = (joined.find("hop=first"), joined.find("hop=second"));
        assert!(first.is_some() && first < second, "RFC 3261 §12.1.2: the recorded routes in reverse, got {routes:?}");
    }
}

#[tokio::test]
async fn hold_and_resume_are_answered() {
    if missing(&["sipp"]) {
        return;
    }
    let port = free_udp_port();
    let hold = format!("{SDP}a=sendonly\r\n").replace("2353687637", "2353687638");
    let resume = SDP.replace("2353687637", "2353687639");
    let carrier = Scenario::new()
        .recv_invite_keeping_contact()
        .reply(180, "Ringing", "")
        .reply_sdp(200, "OK", "")
        .recv("ACK")
        .request("INVITE", "Content-Type: application/sdp\r\n", &hold)
        .recv_response(200)
        .request("ACK", "", "")
        .pause(500)
        .request("UPDATE", "Content-Type: application/sdp\r\n", &resume)
        .recv_response(200)
        .request("OPTIONS", "", "")
        .recv_response(200)
        .request("INFO", "Content-Type: application/x-unheard-of\r\n", "Signal=1\r\n")
        .recv_response(415)
        .recv("BYE")
        .reply_in_dialog(200, "OK")
        .start(port);
    let daemon = Daemon::start(&Settings::gateway(port));
    let api = daemon.api().await;
    let id = api.call(NUMBER, OTP, 0).await;
    let record = api.ended(id).await;
    let received = carrier.finish();
    assert_eq!(record["delivery"]["reason"], "delivered", "{record:#}");
    let answers: Vec<_> =
        received.iter().filter(|message| message.header("Content-Type") == Some("application/sdp")).collect();
    let held =
        answers.iter().find(|m| m.header("CSeq").is_some_and(|c| c.ends_with("INVITE")) && m.method() == "SIP/2.0");
    assert!(held.is_some_and(|m| m.text.contains("a=recvonly")), "RFC 3264 §8.4: sendonly is answered recvonly");
    let resumed = answers.iter().find(|m| m.header("CSeq").is_some_and(|c| c.ends_with("UPDATE")));
    assert!(resumed.is_some_and(|m| !m.text.contains("a=recvonly")), "resumed");
}

#[tokio::test]
async fn an_answer_without_a_codec_of_ours_is_acknowledged_and_hung_up() {
    if missing(&["sipp"]) {
        return;
    }
    let port = free_udp_port();
    let foreign = SDP.replace("RTP/AVP 0 101", "RTP/AVP 18").replace("a=rtpmap:0 PCMU/8000", "a=rtpmap:18 G729/8000");
    let carrier = to_the_end(Scenario::new().recv("INVITE").reply_with(200, "OK", "", "", &foreign)).start(port);
    let daemon = Daemon::start(&Settings::gateway(port));
    let api = daemon.api().await;
    let id = api.call(NUMBER, OTP, 0).await;
    let record = api.ended(id).await;
    carrier.finish();
    assert_eq!(record["status"], 3);
    assert_eq!(record["delivery"]["reason"], "media_refused", "{record:#}");
}
