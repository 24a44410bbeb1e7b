//! A table of named timers. Every machine keeps its deadlines in one of these and nowhere else.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use super::time::Instant;

/// Named deadlines: at most one per name. Setting a name again moves its deadline.
#[derive(Clone, Debug)]
pub struct Timers<K> {
    by_time: BTreeSet<(Instant, K)>,
    by_name: HashMap<K, Instant>,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Timers { by_time: BTreeSet::new(), by_name: HashMap::new() }
    }
}

impl<K: Clone + Ord + Hash> Timers<K> {
    /// Arms `name` for `at`, replacing its earlier deadline.
    pub fn set(&mut self, name: K, at: Instant) {
        self.cancel(&name);
        self.by_time.insert((at, name.clone()));
        self.by_name.insert(name, at);
    }

    /// Disarms `name`; nothing happens when it is not armed.
    pub fn cancel(&mut self, name: &K) {
        if let Some(at) = self.by_name.remove(name) {
            self.by_time.remove(&(at, name.clone()));
        }
    }

    /// The deadline of `name`, when it is armed.
    pub fn deadline(&self, name: &K) -> Option<Instant> {
        self.by_name.get(name).copied()
    }

    /// The earliest deadline of all.
    pub fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes the earliest timer whose deadline is not after `now`. Call until `None`.
    pub fn pop_due(&mut self, now: Instant) -> Option<K> {
        if self.next()? > now {
            return None;
        }
        let (_, name) = self.by_time.pop_first()?;
        self.by_name.remove(&name);
        Some(name)
    }

    /// How many timers are armed.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether no timer is armed.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    #[test]
    fn pops_in_order_and_only_what_is_due() {
        let mut timers = Timers::default();
        timers.set("late", at(20));
        timers.set("early", at(10));
        assert_eq!(timers.pop_due(at(9)), None);
        assert_eq!(timers.pop_due(at(30)), Some("early"));
        assert_eq!(timers.pop_due(at(30)), Some("late"));
        assert!(timers.is_empty());
    }

    #[test]
    fn setting_again_moves_and_cancel_forgets() {
        let mut timers = Timers::default();
        timers.set("a", at(10));
        timers.set("a", at(50));
        assert_eq!((timers.len(), timers.next()), (1, Some(at(50))));
        timers.cancel(&"a");
        assert_eq!(timers.pop_due(at(100)), None);
    }
}
