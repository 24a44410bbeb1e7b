//! The IPv6 torture messages of RFC 5118.

use ringcode::sip::message::Host;

use crate::corpus::{Sample, find, rfc, samples};
use crate::facts::{Outcome, facts, outcome, request};

fn corpus() -> Option<Vec<Sample>> {
    rfc("rfc5118").map(|directory| samples(&directory, None))
}

#[test]
fn each_message_ends_as_the_rfc_says() {
    let Some(samples) = corpus() else { return };
    for (name, bytes) in &samples {
        // §4.2: an address without brackets is an error; all others are read, also the three colons of §4.10.
        let expected = if name == "ipv6-bad" { Outcome::Answered(400) } else { Outcome::Passes };
        assert_eq!(outcome(bytes), expected, "{name}");
    }
    assert_eq!(samples.len(), 12);
}

#[test]
fn ports_follow_the_bracket() {
    let Some(samples) = corpus() else { return };
    let uri = |name: &str| request(name, find(&samples, name)).uri().to_string();
    assert_eq!(uri("port-ambiguous"), "sip:[2001:db8::10:5070]", "§4.3: it is part of the address");
    assert_eq!(uri("port-unambiguous"), "sip:[2001:db8::10]:5070", "§4.4");
    assert_eq!(uri("ipv6-bug-abnf-3-colons"), uri("ipv6-correct-abnf-2-colons"), "§4.10");
}

#[test]
fn received_is_read_with_and_without_brackets() {
    let Some(samples) = corpus() else { return };
    for name in ["via-received-param-no-delim", "via-received-param-with-delim"] {
        let via = request(name, find(&samples, name)).headers().top_via().expect("valid");
        assert_eq!(via.received(), "2001:db8::9:255".parse().ok(), "{name}: §4.5");
    }
}

#[test]
fn families_mix() {
    let Some(samples) = corpus() else { return };
    let vias = facts("mult-ip-in-header", find(&samples, "mult-ip-in-header")).vias;
    assert_eq!(vias, ["UDP/[2001:db8::9:1]:6050", "UDP/192.0.2.1", "TCP/[2001:db8::9:255]"], "§4.6");
    let contact = request("ipv4-mapped-ipv6", find(&samples, "ipv4-mapped-ipv6")).headers().contact().expect("valid");
    assert!(matches!(contact.uri.host(), Some(Host::V6(address)) if address.to_ipv4_mapped().is_some()), "§4.9");
}
