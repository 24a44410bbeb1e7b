//! The machine's clocks, read here and nowhere else.

use std::time::{Duration, SystemTime};

use crate::base::time::{Instant, UnixTime};

/// Reads the machine's monotonic and civil time. Clones share one start, so their instants compare.
#[derive(Clone, Debug)]
pub struct Clock {
    epoch: std::time::Instant,
}

impl Clock {
    /// A clock whose [`Instant::ZERO`] is now.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
    pub fn start() -> Self {
        Clock { epoch: std::time::Instant::now() }
    }

    /// The time since the clock's start. It stands still while the machine is suspended and never goes back.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
    pub fn now(&self) -> Instant {
        Instant::ZERO + std::time::Instant::now().saturating_duration_since(self.epoch)
    }

    /// Civil time as the machine believes it now; it may jump when the machine's clock is set.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the civil clock")]
    pub fn unix_now(&self) -> UnixTime {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        UnixTime::from_millis(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
    }

    /// `at` as the deadline that tokio's timers take.
    pub fn tokio_deadline(&self, at: Instant) -> tokio::time::Instant {
        let since_start = Duration::from_nanos(at.as_nanos());
        // An instant beyond what the platform can hold is "never": 30 years are out of any timer's reach.
        let never = || self.epoch + Duration::from_secs(30 * 365 * 86_400);
        tokio::time::Instant::from_std(self.epoch.checked_add(since_start).unwrap_or_else(never))
    }

    /// Waits until `at`; returns at once when it has passed, and never without one.
    pub async fn sleep_until(&self, at: impl Into<Option<Instant>>) {
        match at.into() {
            Some(at) => tokio::time::sleep_until(self.tokio_deadline(at)).await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_one_start_and_never_go_back() {
        let clock = Clock::start();
        let earlier = clock.now();
        assert!(clock.clone().now() >= earlier);
        assert_eq!(clock.tokio_deadline(Instant::ZERO).into_std(), clock.epoch);
        assert!(clock.tokio_deadline(Instant::from_nanos(u64::MAX)).into_std() > clock.epoch);
    }

    #[test]
    fn civil_time_is_of_this_century() {
        assert!(Clock::start().unix_now() > UnixTime::from_millis(1_700_000_000_000));
    }

    #[tokio::test]
    async fn sleeping_until_the_past_returns_and_until_the_future_waits() {
        let clock = Clock::start();
        clock.sleep_until(Instant::ZERO).await;
        let at = clock.now() + Duration::from_millis(5);
        clock.sleep_until(at).await;
        assert!(clock.now() >= at);
    }
}
