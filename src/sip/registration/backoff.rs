//! How long to wait before the next attempt.

use std::time::Duration;

use crate::base::random::Random;

/// The ceiling of the first wait.
const BASE: Duration = Duration::from_secs(5);

/// The ceiling of every later wait.
const MAX: Duration = Duration::from_secs(600);

/// The wait after a refusal, before jitter.
const SLOW: Duration = Duration::from_secs(1800);

/// The wait after `failures` transient failures in a row: half to all of 5, 10, 20 … 600 s (RFC 5626 §4.5, with shorter
/// times: a trunk that cannot call is of no use to anyone).
pub(super) fn after_failures(failures: u32, random: &mut Random) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let ceiling = BASE.saturating_mul(1 << doublings).min(MAX);
    ceiling.mul_f64(0.5 + 0.5 * random.fraction())
}

/// The wait after a refusal: 30 to 33 minutes, so that a wrong password does not look like an attack.
pub(super) fn after_refusal(random: &mut Random) -> Duration {
    SLOW.mul_f64(1.0 + 0.1 * random.fraction())
}

/// When to refresh a binding that lasts `granted`: after 50 to 90 % of it, never sooner than 1 s.
pub(super) fn refresh_after(granted: Duration, random: &mut Random) -> Duration {
    granted.mul_f64(0.5 + 0.4 * random.fraction()).max(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_a_ceiling_with_jitter() {
        let mut random = Random::from_seed(1);
        for (failures, ceiling) in [(1, 5), (2, 10), (3, 20), (7, 320), (8, 600), (9, 600), (u32::MAX, 600)] {
            let ceiling = Duration::from_secs(ceiling);
            let waits: Vec<Duration> = (0..50).map(|_| after_failures(failures, &mut random)).collect();
            assert!(waits.iter().all(|wait| (ceiling / 2..=ceiling).contains(wait)), "{failures}");
            assert!(waits.iter().any(|wait| *wait != waits[0]));
        }
    }

    #[test]
    fn refreshes_come_in_time() {
        let mut random = Random::from_seed(1);
        for _ in 0..200 {
            let after = refresh_after(Duration::from_secs(100), &mut random);
            assert!((Duration::from_secs(50)..=Duration::from_secs(90)).contains(&after));
            let slow = after_refusal(&mut random).as_secs();
            assert!((1800..=1980).contains(&slow));
        }
        assert_eq!(refresh_after(Duration::from_secs(1), &mut random), Duration::from_secs(1));
    }
}
