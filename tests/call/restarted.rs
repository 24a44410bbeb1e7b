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
    api.wait_until(id, "answered", |record| record["delivery"]["answered_at"].is_string()).await;
    daemon.signal("TERM");
    let status = daemon.wait();
    assert_eq!(status.code(), Some(0), "log:\n{}", daemon.log());
    carrier.finish();
}

#[tokio::test]
async fn after_kill_9_an_interrupted_call_is_told_and_a_pending_one_is_made() {
    if missing(&["sipp"]) {
        return;
    }
    let port = free_udp_port();
    // The first INVITE rings when the daemon is killed; the second belongs to the request that was still waiting.
    let settings = Settings { trunk_lines: String::new(), ..Settings::gateway(port) };
    let first = Scenario::new().recv("INVITE").reply(180, "Ringing", "").recv("NOTHING-MORE").start(port);
    let daemon = Daemon::start(&settings);
    let api = daemon.api().await;
    let ringing = api.call(NUMBER, OTP, 0).await;
    api.wait_until(ringing, "ringing", |record| record["timeline"].to_string().contains("ringing")).await;
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
    let id = api.call("0919273028", OTP, 0).await;
    let record = api.ended(id).await;
    assert_eq!(record["delivery"]["reason"], "delivered", "{record:#}");
    let received = again.finish();
    let invites = requests(&received, "INVITE");
    assert!(invites.iter().all(|invite| invite.uri().contains("84919273028")), "only the new number rings");
}
