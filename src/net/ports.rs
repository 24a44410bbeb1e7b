//! The pool of RTP ports.

use std::collections::VecDeque;
use std::str::FromStr;
use std::time::Duration;

use crate::base::random::Random;
use crate::base::time::Instant;

/// How long a port rests after its call, so that the old peer's last packets do not reach a new call.
const DRAIN: Duration = Duration::from_secs(5);

/// Ports below belong to the system (RFC 6335 §6).
const MIN_PORT: u16 = 1024;

/// Even ports of a range, lent one to a call (RFC 3550 §11: RTP on even ports, RTCP on the odd one above).
#[derive(Debug)]
pub struct PortPool {
    free: VecDeque<u16>,
    draining: VecDeque<(Instant, u16)>,
    count: usize,
}

/// A range of ports, as configured: `20000-29999`, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// Why a range of ports cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortRangeError {
    /// Not two numbers with a dash.
    #[error("`{0}` is no range of ports such as `20000-29999`")]
    Unreadable(String),
    /// Ports below 1024 belong to the system.
    #[error("RTP ports start at {MIN_PORT} or above")]
    Privileged,
    /// No even port has its odd one inside the range.
    #[error("`{first}-{last}` holds no even port with the odd one above it")]
    Empty {
        /// The first port.
        first: u16,
        /// The last.
        last: u16,
    },
}

/// Every port is lent or resting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all {count} RTP ports are in use")]
pub struct PortsExhausted {
    /// How many ports the pool has.
    pub count: usize,
}

impl FromStr for PortRange {
    type Err = PortRangeError;

    fn from_str(text: &str) -> Result<Self, PortRangeError> {
        let parse = |part: &str| part.trim().parse::<u16>().ok();
        let ends = text.split_once('-').and_then(|(first, last)| Some((parse(first)?, parse(last)?)));
        let (first, last) = ends.ok_or_else(|| PortRangeError::Unreadable(text.to_owned()))?;
        PortRange::new(first, last)
    }
}

impl PortRange {
    /// The ports from `first` to `last`, both included.
    ///
    /// # Errors
    /// Why no call could use them: they belong to the system, or hold no pair of RTP and RTCP.
    pub fn new(first: u16, last: u16) -> Result<Self, PortRangeError> {
        if first < MIN_PORT {
            return Err(PortRangeError::Privileged);
        }
        let range = PortRange { first, last };
        if range.even_ports().next().is_none() {
            return Err(PortRangeError::Empty { first, last });
        }
        Ok(range)
    }

    /// Whether `port` lies in the range.
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }

    /// How many calls the range can carry at once.
    pub fn capacity(self) -> usize {
        self.even_ports().count()
    }

    fn even_ports(self) -> impl Iterator<Item = u16> {
        (self.first..self.last).filter(|port| port % 2 == 0)
    }
}

impl PortPool {
    /// A pool of `range` that lends in ascending order from a random port on.
    pub fn new(range: PortRange, random: &mut Random) -> Self {
        let mut free: VecDeque<u16> = range.even_ports().collect();
        let count = free.len();
        let start = usize::try_from(random.below(count as u64)).unwrap_or(0);
        free.rotate_left(start);
        PortPool { free, draining: VecDeque::new(), count }
    }

    /// Lends a port; one that was given back comes only after all that were not.
    pub fn take(&mut self, now: Instant) -> Result<u16, PortsExhausted> {
        while let Some(&(rested_at, port)) = self.draining.front()
            && rested_at <= now
        {
            self.draining.pop_front();
            self.free.push_back(port);
        }
        self.free.pop_front().ok_or(PortsExhausted { count: self.count })
    }

    /// Takes a lent port back; it rests for five seconds.
    pub fn give_back(&mut self, now: Instant, port: u16) {
        self.draining.push_back((now + DRAIN, port));
    }

    /// How many ports the pool has in all.
    pub fn capacity(&self) -> usize {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(range: &str, seed: u64) -> PortPool {
        PortPool::new(range.parse().unwrap(), &mut Random::from_seed(seed))
    }

    #[test]
    fn ranges_are_read_and_the_useless_refused() {
        assert_eq!("20000-29999".parse::<PortRange>().map(PortRange::capacity), Ok(5000));
        assert_eq!("20001-20003".parse::<PortRange>().map(PortRange::capacity), Ok(1));
        assert_eq!("65534-65535".parse::<PortRange>().map(PortRange::capacity), Ok(1));
        for text in ["", "20000", "a-b", "20000-70000", "-5-10"] {
            assert_eq!(text.parse::<PortRange>(), Err(PortRangeError::Unreadable(text.to_owned())));
        }
        assert_eq!("1000-2000".parse::<PortRange>(), Err(PortRangeError::Privileged));
        for (first, last) in [(20000, 20000), (20001, 20002), (30000, 20000)] {
            assert_eq!(PortRange::new(first, last), Err(PortRangeError::Empty { first, last }));
        }
        let range = PortRange::new(20000, 20003).unwrap();
        assert_eq!([19999, 20000, 20003, 20004].map(|port| range.contains(port)), [false, true, true, false]);
    }

    #[test]
    fn every_even_port_is_lent_once_and_then_the_pool_is_exhausted() {
        let mut pool = pool("20000-20009", 1);
        let mut lent: Vec<u16> = (0..5).map(|_| pool.take(Instant::ZERO).unwrap()).collect();
        lent.sort_unstable();
        assert_eq!(lent, [20000, 20002, 20004, 20006, 20008]);
        assert_eq!(pool.take(Instant::ZERO), Err(PortsExhausted { count: 5 }));
    }

    #[test]
    fn the_first_port_is_random() {
        let firsts: std::collections::HashSet<u16> =
            (0..20).map(|seed| pool("20000-29999", seed).take(Instant::ZERO).unwrap()).collect();
        assert!(firsts.len() > 10, "{firsts:?}");
    }

    #[test]
    fn a_port_rests_before_it_is_lent_again() {
        let mut pool = pool("20000-20001", 1);
        assert_eq!(pool.take(Instant::ZERO), Ok(20000));
        pool.give_back(Instant::ZERO, 20000);
        assert!(pool.take(Instant::ZERO + (DRAIN - Duration::from_nanos(1))).is_err());
        assert_eq!(pool.take(Instant::ZERO + DRAIN), Ok(20000));
    }
}
