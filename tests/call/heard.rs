//! What the carrier really received, established by tshark and sox alone.

use crate::support::capture::{Capture, RtpPacket};
use crate::support::daemon::{Daemon, NUMBER, Settings};
use crate::support::prompts::{self, Burst};
use crate::support::sipp::{SDP, Scenario};
use crate::support::{free_udp_port, missing, pcap, root};

const CODE: &str = "610389";

/// Runs one call whose callee does `then` after the ACK; returns the RTP that arrived.
async fn rtp_of_a_call(sdp: &str, then: impl FnOnce(Scenario) -> Scenario) -> Vec<RtpPacket> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let port = free_udp_port();
    let scenario = Scenario::new().recv("INVITE").reply(180, "Ringing", "").reply_with(200, "OK", "", "", sdp);
    let carrier = then(scenario.recv("ACK")).recv("BYE").reply_in_dialog(200, "OK").start(port);
    let capture = Capture::start(folder.path(), carrier.media_port);
    let daemon =
        Daemon::start(&Settings { digit_gap: "1s".into(), listen_window: "6s".into(), ..Settings::gateway(port) });
    let api = daemon.api().await;
    let id = api.call(NUMBER, CODE, 0).await;
    let record = api.ended(id).await;
    carrier.finish();
    assert_eq!(record["delivery"]["reason"], "delivered", "{record:#}");
    capture.finish()
}

/// What arrived, by RTP time.
struct Audio {
    samples: Vec<i16>,
    /// Where the sender came late and made a pause, which only a starved machine does.
    pauses: Vec<usize>,
}

/// Each payload at its timestamp. Asserts that the stream is whole and regular: RTP time goes on by 20 ms with each
/// packet, and by more only where the sender came late.
fn audio(packets: &[RtpPacket], kind: &str) -> Audio {
    let first = packets.first().expect("RTP arrived");
    assert!(first.marker, "RFC 3551 §4.1: the first packet of a talkspurt has the marker");
    let mut pauses = Vec::new();
    for pair in packets.windows(2) {
        assert_eq!(pair[1].ssrc, pair[0].ssrc);
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1), "no packet is missing");
        let step = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
        let late = pair[1].at - pair[0].at >= 0.03;
        assert!(step == 160 || late && step % 160 == 0 && step < 80_000, "RTP time goes on by {step}");
        assert_eq!(pair[1].payload.len(), 160);
        if step > 160 {
            pauses.push(pair[1].timestamp.wrapping_sub(first.timestamp) as usize);
        }
    }
    let mut bytes = Vec::new();
    for packet in packets {
        let at = packet.timestamp.wrapping_sub(first.timestamp) as usize;
        bytes.resize(at, if kind == "al" { 0xD5 } else { 0xFF });
        bytes.extend(&packet.payload);
    }
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    Audio { samples: prompts::decode(folder.path(), kind, &bytes), pauses }
}

fn digits(bursts: &[Burst]) -> String {
    bursts.iter().filter_map(|burst| burst.prompt.strip_prefix("digits/")).collect()
}

/// The gaps between neighbouring digits, in samples. A digit in which the sender paused ends later than its recording
/// tells, so that the gap behind it is left out.
fn gaps(bursts: &[Burst], pauses: &[usize]) -> Vec<usize> {
    bursts
        .windows(2)
        .filter(|pair| !pauses.iter().any(|pause| (pair[0].start..pair[0].end).contains(pause)))
        .filter(|pair| pair.iter().all(|burst| burst.prompt.starts_with("digits/")))
        .map(|pair| pair[1].start.saturating_sub(pair[0].end))
        .collect()
}

#[tokio::test]
async fn the_carrier_hears_the_right_prompts_at_the_right_places() {
    if missing(&["sipp", "tshark", "sox"]) {
        return;
    }
    let packets = rtp_of_a_call(SDP, |scenario| scenario).await;
    let heard = audio(&packets, "ul");
    let found = prompts::find(&heard.samples, &prompts::load(&root().join("prompts/en")));
    let order: Vec<_> = found.iter().map(|burst| burst.prompt.as_str()).collect();
    assert_eq!(
        order,
        ["otp-intro", "digits/6", "digits/1", "digits/0", "digits/3", "digits/8", "digits/9", "otp-press-1", "goodbye"],
        "{found:#?}"
    );
    for gap in gaps(&found, &heard.pauses) {
        assert!(gap.abs_diff(8000) <= 1, "gaps are 1 s of RTP time (resamplers may differ by a sample): {found:#?}");
    }
    assert!(found[0].start >= 2400, "nothing is spoken within 300 ms of the answer: {found:#?}");
}

#[tokio::test]
async fn the_carrier_hears_the_code_twice_when_one_is_pressed_with_a_law() {
    if missing(&["sipp", "tshark", "sox"]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let one = pcap::write(folder.path(), "one.pcap", &pcap::key_press(101, 1, 8, 48_000));
    let sdp = SDP.replace("RTP/AVP 0 101", "RTP/AVP 8 101").replace("0 PCMU", "8 PCMA");
    // Intro, six digits with their gaps and the last prompt are over after 15 s; the key is pressed while we listen.
    let packets = rtp_of_a_call(&sdp, |scenario| scenario.pause(15_500).play_pcap(&one)).await;
    let heard = audio(&packets, "al");
    let found = prompts::find(&heard.samples, &prompts::load(&root().join("prompts/en")));
    assert_eq!(digits(&found), format!("{CODE}{CODE}"), "{found:#?}");
}
