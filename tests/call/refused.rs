//! Calls that the carrier or the callee refuses.

use crate::support::daemon::{Daemon, NUMBER, OTP, Settings};
use crate::support::sipp::{Scenario, requests};
use crate::support::{free_udp_port, missing};

/// status, reason phrase, Q.850 cause sent in Reason → disposition, reason
const REFUSALS: &[(u16, &str, Option<u16>, &str, &str)] = &[
    (404, "Not Found", Some(1), "FAILED", "unallocated"),
    (408, "Request Timeout", None, "NOANSWER", "no_answer"),
    (480, "Temporarily Unavailable", Some(20), "NOANSWER", "unavailable"),
    (486, "Busy Here", Some(17), "BUSY", "busy"),
    (487, "Request Terminated", Some(16), "NOANSWER", "no_answer"),
    (503, "Service Unavailable", Some(34), "CONGESTION", "congestion"),
    (603, "Decline", Some(21), "BUSY", "rejected"),
];

#[tokio::test]
async fn each_refusal_is_told_with_its_status_and_cause() {
    if missing(&["sipp"]) {
        return;
    }
    for &(status, phrase, cause, disposition, reason) in REFUSALS {
        let port = free_udp_port();
        let header = cause.map(|cause| format!("Reason: Q.850;cause={cause};text=\"why\"\r\n")).unwrap_or_default();
        let carrier = Scenario::new()
            .recv("INVITE")
            .reply(100, "Trying", "")
            .reply(status, phrase, &header)
            .recv("ACK")
            .start(port);
        let daemon = Daemon::start(&Settings::gateway(port));
        let api = daemon.api().await;
        let id = api.call(NUMBER, OTP, 0).await;
        let record = api.ended(id).await;
        let received = carrier.finish();
        let shown = format!("{status}: {record:#}");
        assert_eq!(record["status"], 3, "{shown}");
        assert_eq!(record["disposition"], disposition, "{shown}");
        assert_eq!(record["delivery"]["reason"], reason, "{shown}");
        assert_eq!(record["delivery"]["sip_status"], status, "{shown}");
        assert_eq!(record["delivery"]["q850"].as_u64(), cause.map(u64::from), "{shown}");
        assert_eq!(requests(&received, "INVITE").len(), 1, "{status} is not tried again");
    }
}

#[tokio::test]
async fn a_redirection_is_refused() {
    if missing(&["sipp"]) {
        return;
    }
    let port = free_udp_port();
    let elsewhere = free_udp_port();
    let carrier = Scenario::new()
        .recv("INVITE")
        .reply(302, "Moved Temporarily", &format!("Contact: <sip:+19005550100@127.0.0.1:{elsewhere}>\r\n"))
        .recv("ACK")
        .start(port);
    let daemon = Daemon::start(&Settings::gateway(port));
    let api = daemon.api().await;
    let id = api.call(NUMBER, OTP, 0).await;
    let record = api.ended(id).await;
    let received = carrier.finish();
    assert_eq!(record["delivery"]["reason"], "redirected", "{record:#}");
    assert_eq!(requests(&received, "INVITE").len(), 1, "a 3xx is never followed by itself");
}

#[tokio::test]
async fn a_trunk_that_is_not_there_is_told() {
    // Nothing listens on this port: the loopback answers ICMP port unreachable.
    let daemon = Daemon::start(&Settings::gateway(free_udp_port()));
    let api = daemon.api().await;
    let id = api.call(NUMBER, OTP, 0).await;
    let record = api.ended(id).await;
    assert_eq!(record["status"], 3, "{record:#}");
    assert_eq!(record["delivery"]["reason"], "network_failure", "{record:#}");
    assert!(record["delivery"]["sip_status"].is_null(), "no carrier said anything: {record:#}");
}
