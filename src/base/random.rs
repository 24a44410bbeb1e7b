//! Randomness as an argument: the operating system's generator in the daemon (`net::entropy`), a seeded one in
//! tests and simulations.

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

/// A source of random values that a machine is given and owns.
pub struct Random(Box<dyn Rng + Send + Sync>);

impl Random {
    /// Wraps a generator. The daemon passes the operating system's.
    pub fn new(generator: impl Rng + Send + Sync + 'static) -> Self {
        Random(Box::new(generator))
    }

    /// A generator that repeats itself for the same `seed`; for tests, simulations and the lab only.
    pub fn from_seed(seed: u64) -> Self {
        Random::new(StdRng::seed_from_u64(seed))
    }

    /// A generator of its own for a machine that this one's owner makes, seeded with 256 bits of this one.
    pub fn fork(&mut self) -> Self {
        let mut seed = [0; 32];
        self.fill(&mut seed);
        Random::new(StdRng::from_seed(seed))
    }

    /// 32 random bits.
    pub fn u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// 64 random bits.
    pub fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in `0..bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.0.random_range(0..bound) }
    }

    /// Uniform in `0.0..1.0`.
    pub fn fraction(&mut self) -> f64 {
        self.0.random()
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    /// A token of 128 random bits in lower-case hex, for branches, tags, Call-IDs and cnonces.
    ///
    /// RFC 3261 §19.3 asks for at least 32 bits; 96 and more make blind guessing hopeless.
    pub fn token(&mut self) -> String {
        format!("{:016x}{:016x}", self.u64(), self.u64())
    }
}

impl std::fmt::Debug for Random {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Random")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_another_differs() {
        let draw = |seed| Random::from_seed(seed).token();
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert_eq!(draw(7).len(), 32);
    }

    #[test]
    fn forks_differ_from_each_other_and_from_their_parent() {
        let mut parent = Random::from_seed(7);
        let tokens = [parent.fork().token(), parent.fork().token(), parent.token()];
        assert!(tokens[0] != tokens[1] && tokens[1] != tokens[2] && tokens[0] != tokens[2]);
    }

    #[test]
    fn below_zero_bound_is_zero() {
        assert_eq!(Random::from_seed(1).below(0), 0);
    }
}
