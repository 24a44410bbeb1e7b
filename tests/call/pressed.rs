//! Keys pressed by the callee, played by sipp from captures that `support::pcap` writes.

use crate::support::daemon::{Daemon, NUMBER, OTP, Settings};
use crate::support::sipp::{SDP, Scenario};
use crate::support::{free_udp_port, missing, pcap};

fn answering(sdp: &str) -> Scenario {
    Scenario::new().recv("INVITE").reply(180, "Ringing", "").reply_with(200, "OK", "", "", sdp).recv("ACK")
}

#[tokio::test]
async fn one_pressed_by_the_callee_restarts_the_reading() {
    if missing(&["sipp"]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let port = free_udp_port();
    let one = pcap::write(folder.path(), "one.pcap", &pcap::key_press(101, 1, 8, 48_000));
    let carrier = answering(SDP).pause(2500).play_pcap(&one).recv("BYE").reply_in_dialog(200, "OK").start(port);
    let daemon = Daemon::start(&Settings::gateway(port));
    let api = daemon.api().await;
    let id = api.call(NUMBER, OTP, 0).await;
    let record = api.ended(id).await;
    carrier.finish();
    assert_eq!(record["delivery"]["repeats"], 1, "{record:#}");
    assert_eq!(record["delivery"]["reason"], "delivered");
}

#[tokio::test]
async fn another_payload_type_for_keys_is_followed_and_other_keys_do_nothing() {
    if missing(&["sipp"]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let port = free_udp_port();
    let five = pcap::write(folder.path(), "five.pcap", &pcap::key_press(97, 5, 8, 48_000));
    let one = pcap::write(folder.path(), "one.pcap", &pcap::key_press(97, 1, 8, 64_000));
    let sdp = SDP.replace("101", "97");
    let carrier = answering(&sdp)
        .pause(1500)
        .play_pcap(&five)
        .pause(1000)
        .play_pcap(&one)
        .recv("BYE")
        .reply_in_dialog(200, "OK")
        .start(port);
    let daemon = Daemon::start(&Settings::gateway(port));
    let api = daemon.api().await;
    let id = api.call(NUMBER, OTP, 0).await;
    let record = api.ended(id).await;
    carrier.finish();
    assert_eq!(record["delivery"]["repeats"], 1, "5 was ignored and 1 was not: {record:#}");
}
