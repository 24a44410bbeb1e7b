//! The network between both ends.

use std::time::Duration;

use ringcode::base::random::Random;

/// How packets fare, each by itself.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// Probability that a packet is lost.
    pub loss: f64,
    /// Probability that a packet arrives twice.
    pub duplicates: f64,
    /// Least time on the way.
    pub delay: Duration,
    /// What is added at random; more than the distance between packets reorders them.
    pub jitter: Duration,
}

impl Link {
    /// Nothing is lost, 5 ms.
    pub const PERFECT: Link =
        Link { loss: 0.0, duplicates: 0.0, delay: Duration::from_millis(5), jitter: Duration::ZERO };
    /// One in five is lost.
    pub const LOSSY: Link =
        Link { loss: 0.2, duplicates: 0.05, delay: Duration::from_millis(20), jitter: Duration::from_millis(10) };
    /// Nothing is lost, but the order is.
    pub const UNRULY: Link =
        Link { loss: 0.0, duplicates: 0.25, delay: Duration::from_millis(10), jitter: Duration::from_millis(120) };

    /// The times on the way of one packet: none when it is lost, two when it is doubled.
    pub fn carry(&self, random: &mut Random) -> Vec<Duration> {
        if random.fraction() < self.loss {
            return Vec::new();
        }
        let copies = if random.fraction() < self.duplicates { 2 } else { 1 };
        (0..copies).map(|_| self.delay + self.jitter.mul_f64(random.fraction())).collect()
    }
}
