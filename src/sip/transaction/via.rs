//! Via: that of our requests, and where the responses to others' go (RFC 3261 §18, RFC 3581).

use std::net::SocketAddr;

use super::path::{Path, Transport};
use crate::base::random::Random;
use crate::sip::message::{Host, Token, Via};

/// A Via of ours for a new request: `rport` always (RFC 3581 §3), a branch of 128 random bits.
pub fn new_via(transport: Transport, local: SocketAddr, random: &mut Random) -> Via {
    let token = match transport {
        Transport::Udp => const { Token::from_static("UDP") },
        Transport::Tcp => const { Token::from_static("TCP") },
        Transport::Tls => const { Token::from_static("TLS") },
    };
    Via::new(token, Host::from(local.ip()), Some(local.port()), &random.token())
}

/// Notes in the top Via of a received request where it really came from.
pub(super) fn mark(via: &mut Via, source: SocketAddr) {
    let rport = via.rport().is_some();
    if rport {
        // RFC 3581 §4
        via.params.set("rport", Some(&source.port().to_string()));
    }
    if rport || via.host.ip() != Some(source.ip()) {
        // RFC 3261 §18.2.1; a `received` of the client's own making is overwritten, too.
        via.params.set("received", Some(&source.ip().to_string()));
    } else {
        via.params.remove("received");
    }
}

/// Where the response to a request goes that came over `path` with `via` on top.
///
/// Over datagrams always to the address that it came from, to the port that it came from when it says `rport`, else to
/// the port in Via. `maddr` is not obeyed, against RFC 3261 §18.2.2: it would let anyone aim our responses at others.
pub(super) fn reply_path(via: &Via, path: Path) -> Path {
    if path.transport.is_reliable() || via.rport().is_some() {
        return path;
    }
    let port = via.port.unwrap_or(Transport::Udp.default_port());
    Path { remote: SocketAddr::new(path.remote.ip(), port), ..path }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(via: &str) -> (String, SocketAddr) {
        let mut via = Via::parse(via.as_bytes()).expect("valid");
        let path = Path::udp(SocketAddr::from(([127, 0, 0, 9], 40000)));
        mark(&mut via, path.remote);
        (via.params.to_string(), reply_path(&via, path).remote)
    }

    #[test]
    fn rport_is_filled_and_answers_go_to_the_source() {
        let source = SocketAddr::from(([127, 0, 0, 9], 40000));
        let filled = ";rport=40000;branch=z9hG4bKa;received=127.0.0.9".to_owned();
        assert_eq!(marked("SIP/2.0/UDP 127.0.0.9:5070;rport;branch=z9hG4bKa"), (filled.clone(), source));
        let spoofed = "SIP/2.0/UDP a.example:5070;rport=1;branch=z9hG4bKa;received=192.0.2.1";
        assert_eq!(marked(spoofed), (filled, source));
    }

    #[test]
    fn without_rport_answers_go_to_the_port_in_via() {
        let port = |port| SocketAddr::from(([127, 0, 0, 9], port));
        assert_eq!(marked("SIP/2.0/UDP 127.0.0.9:5070;branch=z9hG4bKa"), (";branch=z9hG4bKa".to_owned(), port(5070)));
        let received = ";branch=z9hG4bKa;received=127.0.0.9".to_owned();
        assert_eq!(marked("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa"), (received, port(5060)));
    }

    #[test]
    fn maddr_is_not_obeyed() {
        let (_, remote) = marked("SIP/2.0/UDP 127.0.0.9:5070;maddr=127.0.0.77;branch=z9hG4bKa");
        assert_eq!(remote, SocketAddr::from(([127, 0, 0, 9], 5070)));
    }

    #[test]
    fn streams_answer_on_their_connection() {
        let via = Via::parse(b"SIP/2.0/TCP 192.0.2.1:5070;branch=z9hG4bKa").expect("valid");
        let path = Path { remote: SocketAddr::from(([127, 0, 0, 9], 40000)), transport: Transport::Tcp };
        assert_eq!(reply_path(&via, path), path);
    }

    #[test]
    fn our_vias_ask_for_rport_and_no_branch_repeats() {
        let mut random = Random::from_seed(1);
        let local = SocketAddr::from(([127, 0, 0, 3], 5060));
        let vias: Vec<Via> = (0..100).map(|_| new_via(Transport::Udp, local, &mut random)).collect();
        assert_eq!(vias[0].rport(), Some(None));
        assert!(vias[0].to_string().starts_with("SIP/2.0/UDP 127.0.0.3:5060;"));
        let mut branches: Vec<&str> = vias.iter().filter_map(Via::branch).collect();
        assert!(branches.iter().all(|branch| branch.len() == "z9hG4bK".len() + 32));
        branches.sort_unstable();
        branches.dedup();
        assert_eq!(branches.len(), 100);
        let ipv6 = new_via(Transport::Tls, "[::1]:5061".parse().expect("valid"), &mut random);
        assert!(ipv6.to_string().starts_with("SIP/2.0/TLS [::1]:5061;"));
    }
}
