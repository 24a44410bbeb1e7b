//! SIGTERM in mid-call, and kill -9 at every stage.

use crate::support::daemon::{Daemon, NUMBER, OTP, Settings};
use crate::support::sipp::{Scenario, requests};
use crate::support::{free_udp_port, missing};

#[tokio::test]
async fn a_running_call_is_ended_in_order_at_sigterm() {
    if missing(&["sipp"]) {
        return;
    }
    let port = free_udp_port();
    let carrier = Scenario::new()
        .recv("INVITE")
        .reply(180, "Ringing", "")
        .reply_sdp(200, "OK", "")
        .recv("ACK")
        .recv("BYE")
        .reply_in_dialog(200, "OK")
        .start(port);
    let mut daemon = Daemon::start(&Settings::gateway(port));
    let api = daemon.api().await;
    let id = api.call(NUMBER, OTP, 0).await;
    api.wait_until(id, "answered", |record| record["timeline"].to_string().contains("answered")).await;
    daemon.signal("TERM");
    let status = daemon.wait();
    assert_eq!(status.code(), Some(0), "log:\n{}", daemon.log());
    carrier.finish();
}

#[tokio::test]
async fn a_second_signal_hangs_up_what_still_runs() {
    if missing(&["sipp"]) {
        return;
    }
    let port = free_udp_port();
    let carrier = Scenario::new()
        .recv("INVITE")
        .reply_sdp(200, "OK", "")
        .recv("ACK")
        .recv("BYE")
        .reply_in_dialog(200, "OK")
        .start(port);
    // With these gaps the call would last for 12 s more.
    let mut daemon = Daemon::start(&Settings { digit_gap: "3s".into(), ..Settings::gateway(port) });
    let api = daemon.api().await;
    let id = api.call(NUMBER, OTP, 0).await;
    api.wait_until(id, "answered", |record| record["timeline"].to_string().contains("answered")).await;
    daemon.signal("TERM");
    daemon.wait_for_line("stopping");
    daemon.signal("TERM");
    daemon.wait_for_line("hanging up");
    assert_eq!(daemon.wait().code(), Some(0), "log:\n{}", daemon.log());
    carrier.finish();
    let log = daemon.log();
    assert!(log.contains("hanging up what still runs"), "the call did not end by itself:\n{log}");
}

#[tokio::test]
async fn after_kill_9_an_interrupted_call_is_told_and_a_pending_one_is_made() {
    if missing(&["sipp"]) {
        return;
    }
    let port = free_udp_port();
    // One call at a time: the second request waits while the first one rings.
    let settings = Settings { trunk_calls: 1, ..Settings::gateway(port) };
    let first = Scenario::new().recv("INVITE").reply(180, "Ringing", "").recv("NOTHING-MORE").start(port);
    let daemon = Daemon::start(&settings);
    let api = daemon.api().await;
    let ringing = api.call(NUMBER, OTP, 0).await;
    api.wait_until(ringing, "ringing", |record| record["timeline"].to_string().contains("ringing")).await;
    let waiting = api.call("0919273028", OTP, 0).await;
    assert_eq!(api.record(waiting).await["status"], 1, "the trunk has one channel");
    let folder = daemon.kill();
    assert_eq!(requests(&first.received(), "INVITE").len(), 1);
    drop(first);

    let again = Scenario::new()
        .recv("INVITE")
        .reply_sdp(200, "OK", "")
        .recv("ACK")
        .recv("BYE")
        .reply_in_dialog(200, "OK")
        .start(port);
    let daemon = Daemon::start_in(folder);
    let api = daemon.api().await;
    let record = api.ended(ringing).await;
    assert_eq!(record["delivery"]["reason"], "interrupted", "never rung twice by itself: {record:#}");
    let record = api.ended(waiting).await;
    assert_eq!(record["delivery"]["reason"], "delivered", "no accepted request is lost: {record:#}");
    let received = again.finish();
    let invites = requests(&received, "INVITE");
    assert!(invites.iter().all(|invite| invite.uri().contains("84919273028")), "only the waiting number rings");
}
