//! The target set of one trunk and the order in which it is tried.
//!
//! Now a list of socket addresses as configured; the room where the procedures of RFC 3263 (NAPTR, SRV, A and AAAA
//! with their TTLs) will fill that list.
//!
//! | rule | test |
//! |---|---|
//! | RFC 3263 §4.3: the next target after a failure, in order | `a_failed_target_gives_way_to_the_next` |
//! | RFC 3261 §21.5.4: Retry-After keeps a target out | `retry_after_keeps_a_target_out` |
//! | a target that failed comes after the others, whatever it asked for | `a_target_that_asks_for_no_rest_still_gives_way` |
//! | all out: the one that returns first, never none | `when_all_are_out_the_first_to_return_is_used` |
//!
//! Not tested: NAPTR and SRV order, for they are not resolved yet.

use std::net::SocketAddr;
use std::time::Duration;

use crate::base::time::Instant;

/// How long a target that failed is passed over while others are left.
pub const DEFAULT_PENALTY: Duration = Duration::from_secs(30);

/// The longest time a Retry-After may keep a target out: a trunk must not be lost to one absurd header.
pub const MAX_PENALTY: Duration = Duration::from_secs(3600);

/// One trunk's targets in order of preference, with those that failed lately marked.
#[derive(Clone, Debug)]
pub struct Targets(Vec<Target>);

#[derive(Clone, Debug)]
struct Target {
    address: SocketAddr,
    out_until: Option<Instant>,
    /// The target itself asked to be left alone until then.
    asked_until: Option<Instant>,
}

impl Target {
    fn is_out(&self, now: Instant) -> bool {
        self.out_until.is_some_and(|until| until > now)
    }

    fn held_until(&self, now: Instant) -> Option<Instant> {
        self.asked_until.filter(|until| *until > now)
    }
}

impl Targets {
    /// The targets in order of preference, without repetitions. An empty set never yields a target.
    pub fn new(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        let mut targets: Vec<Target> = Vec::new();
        for address in addresses {
            if !targets.iter().any(|t| t.address == address) {
                targets.push(Target { address, out_until: None, asked_until: None });
            }
        }
        Targets(targets)
    }

    /// How many targets there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no target at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `address` belongs to the set.
    pub fn contains(&self, address: SocketAddr) -> bool {
        self.0.iter().any(|t| t.address == address)
    }

    /// The target to use now: the first that is not passed over, else the one that returns soonest, those that asked to
    /// be left alone last.
    pub fn select(&self, now: Instant) -> Option<SocketAddr> {
        self.available(now)
            .or_else(|| self.0.iter().min_by_key(|t| (t.held_until(now), t.out_until)).map(|t| t.address))
    }

    /// The first target that is not passed over at `now`, if any.
    pub fn available(&self, now: Instant) -> Option<SocketAddr> {
        self.0.iter().find(|t| !t.is_out(now)).map(|t| t.address)
    }

    /// When the first target may be asked again, while all of them asked to be left alone.
    pub fn held_until(&self, now: Instant) -> Option<Instant> {
        // One `None` among them makes it `None`.
        let held: Option<Vec<Instant>> = self.0.iter().map(|t| t.held_until(now)).collect();
        held?.into_iter().min()
    }

    /// Passes `address` over for [`DEFAULT_PENALTY`], or for a longer `retry_after`, at most [`MAX_PENALTY`].
    pub fn failed(&mut self, now: Instant, address: SocketAddr, retry_after: Option<Duration>) {
        let asked = retry_after.map(|asked| asked.min(MAX_PENALTY));
        if let Some(target) = self.0.iter_mut().find(|t| t.address == address) {
            // One that may be asked again at once has still failed: the others come first.
            target.out_until = Some(now + asked.unwrap_or_default().max(DEFAULT_PENALTY));
            target.asked_until = asked.map(|asked| now + asked);
        }
    }

    /// Takes `address` back into use.
    pub fn succeeded(&mut self, address: SocketAddr) {
        if let Some(target) = self.0.iter_mut().find(|t| t.address == address) {
            target.out_until = None;
            target.asked_until = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, last], 5060))
    }

    fn at(secs: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(secs)
    }

    fn two() -> Targets {
        Targets::new([address(1), address(2), address(1)])
    }

    #[test]
    fn a_failed_target_gives_way_to_the_next() {
        let mut targets = two();
        assert_eq!(targets.len(), 2);
        assert_eq!(targets.select(at(0)), Some(address(1)));
        targets.failed(at(0), address(1), None);
        assert_eq!(targets.select(at(29)), Some(address(2)));
        assert_eq!(targets.select(at(30)), Some(address(1)));
        targets.failed(at(30), address(1), None);
        targets.succeeded(address(1));
        assert_eq!(targets.select(at(31)), Some(address(1)));
    }

    #[test]
    fn retry_after_keeps_a_target_out() {
        let mut targets = two();
        targets.failed(at(0), address(1), Some(Duration::from_secs(120)));
        assert_eq!(targets.select(at(119)), Some(address(2)));
        assert_eq!(targets.select(at(120)), Some(address(1)));
        targets.failed(at(200), address(1), Some(Duration::from_secs(u64::from(u32::MAX))));
        assert_eq!(targets.select(at(200 + 3600)), Some(address(1)));
    }

    #[test]
    fn when_all_are_out_the_first_to_return_is_used() {
        let mut targets = two();
        targets.failed(at(0), address(1), Some(Duration::from_secs(90)));
        targets.failed(at(0), address(2), Some(Duration::from_secs(60)));
        assert_eq!(targets.available(at(1)), None);
        assert_eq!(targets.held_until(at(1)), Some(at(60)));
        assert_eq!(targets.select(at(1)), Some(address(2)));
        targets.failed(at(50), address(1), None);
        assert_eq!(targets.held_until(at(51)), None);
        assert_eq!(targets.select(at(51)), Some(address(1)));
        assert_eq!(Targets::new([]).select(at(0)), None);
    }

    #[test]
    fn a_target_that_asks_for_no_rest_still_gives_way() {
        let mut targets = two();
        targets.failed(at(0), address(1), Some(Duration::ZERO));
        assert_eq!(targets.select(at(0)), Some(address(2)));
        targets.failed(at(0), address(2), Some(Duration::from_secs(5)));
        assert_eq!((targets.held_until(at(0)), targets.select(at(0))), (None, Some(address(1))));
        let mut one = Targets::new([address(1)]);
        one.failed(at(0), address(1), Some(Duration::from_secs(5)));
        assert_eq!((one.held_until(at(4)), one.held_until(at(5))), (Some(at(5)), None));
    }
}
