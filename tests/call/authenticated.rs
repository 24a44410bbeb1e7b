//! INVITEs that the carrier challenges.

use crate::support::daemon::{Daemon, NUMBER, OTP, Settings};
use crate::support::sipp::{Scenario, requests};
use crate::support::{free_udp_port, missing};

const PROXY: &str =
    "Proxy-Authenticate: Digest realm=\"127.0.0.1\", nonce=\"first-nonce\", algorithm=MD5, qop=\"auth\"\r\n";
const PROXY_STALE: &str = "Proxy-Authenticate: Digest realm=\"127.0.0.1\", nonce=\"second-nonce\", stale=TRUE, algorithm=MD5, qop=\"auth\"\r\n";
const WWW: &str = "WWW-Authenticate: Digest realm=\"127.0.0.1\", nonce=\"first-nonce\", algorithm=MD5, qop=\"auth,auth-int\", opaque=\"carried back\"\r\n";

#[tokio::test]
async fn a_407_then_a_stale_nonce_are_answered_in_one_call() {
    if missing(&["sipp"]) {
        return;
    }
    let port = free_udp_port();
    let carrier = Scenario::new()
        .recv("INVITE")
        .reply(100, "Trying", "")
        .reply(407, "Proxy Authentication Required", PROXY)
        .recv("ACK")
        .recv("INVITE")
        .reply(407, "Proxy Authentication Required", PROXY_STALE)
        .recv("ACK")
        .recv("INVITE")
        .reply(180, "Ringing", "")
        .reply_sdp(200, "OK", "")
        .recv("ACK")
        .recv("BYE")
        .reply_in_dialog(200, "OK")
        .start(port);
    let daemon = Daemon::start(&Settings::gateway(port));
    let api = daemon.api().await;
    let id = api.call(NUMBER, OTP, 0).await;
    let record = api.ended(id).await;
    let received = carrier.finish();
    assert_eq!(record["delivery"]["reason"], "delivered", "{record:#}");

    let invites = requests(&received, "INVITE");
    assert_eq!(invites.len(), 3);
    assert!(invites[1..].iter().all(|invite| invite.has_valid_credentials("Proxy-Authorization")));
    for pair in invites.windows(2) {
        // RFC 3261 §22.2: the same Call-ID and From tag, the next CSeq, a branch of its own.
        assert_eq!(pair[0].header("Call-ID"), pair[1].header("Call-ID"));
        assert_eq!(pair[0].parameter("From", "tag"), pair[1].parameter("From", "tag"));
        assert_ne!(pair[0].parameter("Via", "branch"), pair[1].parameter("Via", "branch"));
        let cseq = |message: &crate::support::sipp::Received| {
            message.header("CSeq").and_then(|text| text.split(' ').next()?.parse::<u32>().ok())
        };
        assert_eq!(cseq(pair[1]), cseq(pair[0]).map(|number| number + 1));
    }
    let ack = requests(&received, "ACK")[0];
    assert_eq!(
        ack.parameter("Via", "branch"),
        invites[0].parameter("Via", "branch"),
        "RFC 3261 §17.1.1.3: the ACK to a failure has the INVITE's branch"
    );
    assert!(invites[2].header("Proxy-Authorization").is_some_and(|text| text.contains("second-nonce")));
}

#[tokio::test]
async fn a_401_is_answered_with_its_opaque_and_quality_of_protection() {
    if missing(&["sipp"]) {
        return;
    }
    let port = free_udp_port();
    let carrier = Scenario::new()
        .recv("INVITE")
        .reply(401, "Unauthorized", WWW)
        .recv("ACK")
        .recv_authenticated("INVITE")
        .reply_sdp(200, "OK", "")
        .recv("ACK")
        .recv("BYE")
        .reply_in_dialog(200, "OK")
        .start(port);
    let daemon = Daemon::start(&Settings::gateway(port));
    let api = daemon.api().await;
    let id = api.call(NUMBER, OTP, 0).await;
    let record = api.ended(id).await;
    let received = carrier.finish();
    assert_eq!(record["delivery"]["reason"], "delivered", "{record:#}");
    let credentials = requests(&received, "INVITE")[1].header("Authorization").expect("sipp verified it").to_owned();
    assert!(credentials.contains("opaque=\"carried back\""), "{credentials}");
    assert!(credentials.contains("nc=00000001"), "RFC 7616 §3.4: {credentials}");
    assert!(!credentials.contains("algorithm=\""), "RFC 7616 §3.4: algorithm is not quoted: {credentials}");
}

#[tokio::test]
async fn a_second_refusal_of_the_credentials_ends_the_call() {
    if missing(&["sipp"]) {
        return;
    }
    let port = free_udp_port();
    let carrier = Scenario::new()
        .recv("INVITE")
        .reply(407, "Proxy Authentication Required", PROXY)
        .recv("ACK")
        .recv("INVITE")
        .reply(407, "Proxy Authentication Required", PROXY)
        .recv("ACK")
        .start(port);
    let daemon = Daemon::start(&Settings::gateway(port));
    let api = daemon.api().await;
    let id = api.call(NUMBER, OTP, 0).await;
    let record = api.ended(id).await;
    let received = carrier.finish();
    assert_eq!(record["delivery"]["reason"], "authentication_failed", "{record:#}");
    assert_eq!(requests(&received, "INVITE").len(), 2);
}
