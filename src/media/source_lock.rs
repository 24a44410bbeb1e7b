//! Whose packets a session takes, and where its own go (symmetric RTP, RFC 4961).
//!
//! Media addresses in SDP are often wrong behind NAT, and a session that believes any packet hands its audio to whoever
//! sprays its port ("RTP bleed"). The policy:
//!
//! 1. We send to the signalled address at once, and never to one that was not signalled or learned.
//! 2. The first RTP packet from exactly the signalled address locks the session on it, whenever it comes: a callee may
//!    be silent for long.
//! 3. Another port of the signalled host is learned after four packets in sequence, within five seconds of the
//!    negotiation, as long as the signalled address itself has sent nothing.
//! 4. Another host is learned in the same way only when it is the one that sent the description (a peer with several
//!    addresses names one and sends from another), or when the signalled address is private (RFC 1918, RFC 6598,
//!    link-local, unique local): then it cannot be where packets come from. It must also wait half a second, so that the
//!    signalled address comes first.
//! 5. Once locked, only the learned SSRC, address and port count. A new SSRC from the locked address and port takes over
//!    after four audio packets in sequence while the old one has been silent for half a second: a gateway that switches
//!    its source does that, somebody who forges single digits does not.
//! 6. Packets that only prove a candidate are not used, and neither is anything else that is not locked.
//! 7. A negotiation that moves the remote address starts anew; one that repeats it keeps the lock.
//!
//! | rule | test |
//! |---|---|
//! | 2 | `the_signalled_address_locks_at_once_and_at_any_time` |
//! | 3 | `another_port_of_the_signalled_host_is_learned_in_the_window_only` |
//! | 3, 4 | `the_signalled_address_wins_before_the_lock` |
//! | 4 | `a_foreign_host_is_learned_only_for_a_private_address`, `the_host_that_signalled_is_learned_after_a_while` |
//! | 5 | `a_forged_ssrc_never_counts_while_the_peer_speaks`, `a_new_ssrc_takes_over_when_the_old_one_is_silent` |
//! | 7 | `a_moved_address_is_learned_anew` |
//!
//! What this cannot see: who forges the peer's address, port and SSRC. That needs SRTP, whose room is `media/srtp.rs`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::base::time::Instant;
use crate::wire::rtp::RtpHeader;

/// How long after a negotiation an address other than the signalled one can be learned.
const WINDOW: Duration = Duration::from_secs(5);

/// How long the signalled address has the first word before another host can be learned.
const PREFERENCE: Duration = Duration::from_millis(500);

/// Packets in sequence that prove a candidate.
const PROBATION: u32 = 4;

/// How long the locked SSRC must be silent before another from the same address can take over.
const SSRC_SILENCE: Duration = Duration::from_millis(500);

/// After how long without its next packet a candidate gives way to another.
const CANDIDATE_SILENCE: Duration = Duration::from_millis(100);

/// The learned source of one session.
#[derive(Clone, Debug)]
pub struct SourceLock {
    signalled: SocketAddr,
    signalled_by: IpAddr,
    negotiated_at: Instant,
    locked: Option<Locked>,
    candidate: Option<Candidate>,
}

#[derive(Clone, Copy, Debug)]
struct Locked {
    source: SocketAddr,
    ssrc: u32,
    heard_at: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    source: SocketAddr,
    ssrc: u32,
    next_sequence: u16,
    in_sequence: u32,
    heard_at: Instant,
}

impl SourceLock {
    /// Nothing is learned yet; `signalled` is the peer's address as negotiated at `now` with the host `signalled_by`.
    pub fn new(now: Instant, signalled: SocketAddr, signalled_by: IpAddr) -> Self {
        SourceLock { signalled, signalled_by, negotiated_at: now, locked: None, candidate: None }
    }

    /// Takes the address of a new negotiation.
    pub fn renegotiate(&mut self, now: Instant, signalled: SocketAddr, signalled_by: IpAddr) {
        if signalled != self.signalled || self.locked.is_none() {
            *self = SourceLock::new(now, signalled, signalled_by);
        }
    }

    /// Where to send; `None` for an address that means nowhere (RFC 3264 §8.4: `c=0.0.0.0`, port 0).
    pub fn destination(&self) -> Option<SocketAddr> {
        let destination = self.locked.map_or(self.signalled, |locked| locked.source);
        (!destination.ip().is_unspecified() && destination.port() != 0).then_some(destination)
    }

    /// Whether a packet is the peer's. `audio`: it is no telephone-event.
    pub fn accepts(&mut self, now: Instant, source: SocketAddr, header: &RtpHeader, audio: bool) -> bool {
        if let Some(locked) = &mut self.locked {
            if locked.source != source {
                return false;
            }
            if locked.ssrc == header.ssrc {
                locked.heard_at = now;
                return true;
            }
            let silent = now.saturating_duration_since(locked.heard_at) >= SSRC_SILENCE;
            return audio && silent && self.proves(now, source, header);
        }
        if source == self.signalled {
            self.lock(now, source, header.ssrc);
            return true;
        }
        self.may_learn(now, source) && self.proves(now, source, header)
    }

    fn may_learn(&self, now: Instant, source: SocketAddr) -> bool {
        let age = now.saturating_duration_since(self.negotiated_at);
        let may_differ = is_private(self.signalled.ip()) || source.ip() == self.signalled_by;
        let host_allowed = source.ip() == self.signalled.ip() || may_differ && age >= PREFERENCE;
        age < WINDOW && host_allowed
    }

    /// Counts a candidate's packet and locks on it when it has proved itself.
    fn proves(&mut self, now: Instant, source: SocketAddr, header: &RtpHeader) -> bool {
        let fresh = Candidate {
            source,
            ssrc: header.ssrc,
            next_sequence: header.sequence.wrapping_add(1),
            in_sequence: 1,
            heard_at: now,
        };
        let candidate = match self.candidate {
            Some(known) if (known.source, known.ssrc) == (source, header.ssrc) => {
                let in_sequence = if known.next_sequence == header.sequence { known.in_sequence + 1 } else { 1 };
                Candidate { in_sequence, ..fresh }
            }
            Some(known) if now.saturating_duration_since(known.heard_at) < CANDIDATE_SILENCE => return false,
            _ => fresh,
        };
        self.candidate = Some(candidate);
        let proved = candidate.in_sequence >= PROBATION;
        if proved {
            self.lock(now, source, header.ssrc);
        }
        proved
    }

    fn lock(&mut self, now: Instant, source: SocketAddr, ssrc: u32) {
        self.locked = Some(Locked { source, ssrc, heard_at: now });
        self.candidate = None;
    }
}

/// Whether packets of a host at this address may come from another.
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local() || is_shared(ip),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// RFC 6598: 100.64.0.0/10, the carriers' own private range.
fn is_shared(ip: Ipv4Addr) -> bool {
    let [first, second, ..] = ip.octets();
    first == 100 && second & 0xC0 == 64
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: &str = "203.0.113.5:4000";
    const PRIVATE: &str = "192.168.1.5:4000";
    const FOREIGN: &str = "198.51.100.9:4000";
    const PROXY: &str = "203.0.113.80:4000";

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn lock_on(signalled: &str) -> SourceLock {
        SourceLock::new(at(0), address(signalled), address(PROXY).ip())
    }

    fn packet(ssrc: u32, sequence: u16) -> RtpHeader {
        RtpHeader { payload_type: 0, marker: false, sequence, timestamp: 0, ssrc }
    }

    /// Sends `count` packets in sequence, 20 ms apart, and says how many were accepted.
    fn stream(lock: &mut SourceLock, from: &str, ssrc: u32, start: u64, count: u16) -> usize {
        let accepted = |n: &u16| {
            lock.accepts(at(start + u64::from(*n) * 20), address(from), &packet(ssrc, 65_534u16.wrapping_add(*n)), true)
        };
        (0..count).filter(accepted).count()
    }

    #[test]
    fn the_signalled_address_locks_at_once_and_at_any_time() {
        for start in [0, 4000, 60_000] {
            let mut lock = lock_on(PUBLIC);
            assert_eq!(stream(&mut lock, PUBLIC, 1, start, 10), 10);
            assert_eq!(lock.destination(), Some(address(PUBLIC)));
        }
    }

    #[test]
    fn another_port_of_the_signalled_host_is_learned_in_the_window_only() {
        let moved = "203.0.113.5:4444";
        let mut lock = lock_on(PUBLIC);
        assert_eq!(stream(&mut lock, moved, 1, 0, 10), 7, "three prove the candidate");
        assert_eq!(lock.destination(), Some(address(moved)));
        let mut late = lock_on(PUBLIC);
        assert_eq!(stream(&mut late, moved, 1, 5000, 10), 0);
        assert_eq!(late.destination(), Some(address(PUBLIC)));
    }

    #[test]
    fn a_candidate_out_of_sequence_proves_nothing() {
        let mut lock = lock_on(PUBLIC);
        for n in 0..50 {
            assert!(!lock.accepts(at(n * 20), address("203.0.113.5:4444"), &packet(1, n as u16 * 2), true));
        }
    }

    #[test]
    fn the_signalled_address_wins_before_the_lock() {
        let mut lock = lock_on(PRIVATE);
        assert_eq!(stream(&mut lock, FOREIGN, 9, 0, 20), 0, "before the signalled address had its chance");
        assert_eq!(stream(&mut lock, FOREIGN, 9, 500, 3), 0, "on probation");
        assert_eq!(stream(&mut lock, PRIVATE, 1, 600, 1), 1);
        assert_eq!(stream(&mut lock, FOREIGN, 9, 620, 50), 0);
        assert_eq!(lock.destination(), Some(address(PRIVATE)));
    }

    #[test]
    fn a_foreign_host_is_learned_only_for_a_private_address() {
        for (signalled, learned) in [
            (PRIVATE, true),
            ("10.0.0.1:4000", true),
            ("100.64.0.1:4000", true),
            ("[fd00::1]:4000", true),
            (PUBLIC, false),
            ("127.0.0.1:4000", false),
            ("100.128.0.1:4000", false),
            ("0.0.0.0:4000", false),
        ] {
            let mut lock = lock_on(signalled);
            assert_eq!(stream(&mut lock, FOREIGN, 9, 0, 200) > 0, learned, "{signalled}");
            assert_eq!(lock.destination() == Some(address(FOREIGN)), learned, "{signalled}");
        }
    }

    #[test]
    fn the_host_that_signalled_is_learned_after_a_while() {
        let mut lock = lock_on(PUBLIC);
        assert_eq!(stream(&mut lock, PROXY, 1, 0, 20), 0, "the signalled address has the first word");
        assert_eq!(stream(&mut lock, PROXY, 1, 500, 10), 7, "three prove the candidate");
        assert_eq!(lock.destination(), Some(address(PROXY)));
        assert_eq!(stream(&mut lock, PUBLIC, 2, 700, 10), 0, "one source at a time");
    }

    #[test]
    fn a_forged_ssrc_never_counts_while_the_peer_speaks() {
        let mut lock = lock_on(PUBLIC);
        for n in 0..500u16 {
            let now = at(u64::from(n) * 20);
            assert!(lock.accepts(now, address(PUBLIC), &packet(1, n), true));
            assert!(!lock.accepts(now, address(PUBLIC), &packet(666, n), true));
            assert!(!lock.accepts(now, address("203.0.113.5:4002"), &packet(1, n), true));
            assert!(!lock.accepts(now, address(FOREIGN), &packet(1, n), true));
        }
    }

    #[test]
    fn a_new_ssrc_takes_over_when_the_old_one_is_silent() {
        let mut lock = lock_on(PUBLIC);
        assert_eq!(stream(&mut lock, PUBLIC, 1, 0, 5), 5);
        assert_eq!(stream(&mut lock, PUBLIC, 2, 1000, 10), 7);
        assert_eq!(stream(&mut lock, PUBLIC, 1, 1200, 10), 0, "the old one is a stranger now");
        for n in 0..50 {
            assert!(
                !lock.accepts(at(5000 + n * 20), address(PUBLIC), &packet(3, n as u16), false),
                "events prove nothing"
            );
        }
    }

    #[test]
    fn a_moved_address_is_learned_anew() {
        let mut lock = lock_on(PUBLIC);
        assert_eq!(stream(&mut lock, PUBLIC, 1, 0, 1), 1);
        lock.renegotiate(at(1000), address(PUBLIC), address(PROXY).ip());
        assert_eq!(stream(&mut lock, PUBLIC, 2, 1020, 1), 0, "still locked on the first");
        lock.renegotiate(at(2000), address(FOREIGN), address(PROXY).ip());
        assert_eq!(lock.destination(), Some(address(FOREIGN)));
        assert_eq!(stream(&mut lock, PUBLIC, 1, 2000, 10), 0);
        assert_eq!(stream(&mut lock, FOREIGN, 3, 2500, 1), 1);
    }

    #[test]
    fn nowhere_is_no_destination() {
        for signalled in ["0.0.0.0:4000", "203.0.113.5:0", "[::]:4000"] {
            assert_eq!(lock_on(signalled).destination(), None, "{signalled}");
        }
    }
}
