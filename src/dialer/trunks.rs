//! The trunks as the dialer sees them: which is usable, has a channel free, and may take a call now.

use std::time::Duration;

use crate::base::time::Instant;
use crate::sip::user_agent::TrunkId;

/// What the dialer needs to know of a trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialTrunk {
    /// The user agent's number of it.
    pub id: TrunkId,
    /// Its name in records.
    pub name: String,
    /// Whether it registers; if so, it is usable only while it is registered.
    pub register: bool,
    /// Lower is tried first; equals in the order of the list.
    pub priority: u32,
    /// New calls a second; 0 counts as 1.
    pub cps: u32,
    /// Calls at a time.
    pub max_calls: u32,
}

/// What a look for a trunk finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// This one; its channel and its token are taken.
    Trunk { id: TrunkId, name: String },
    /// One is usable, but has no token before this time, or no channel before a call ends.
    Later(Option<Instant>),
    /// None is usable.
    NoneUsable,
}

/// All trunks, best first.
#[derive(Debug)]
pub(super) struct Trunks(Vec<State>);

#[derive(Debug)]
struct State {
    trunk: DialTrunk,
    usable: bool,
    calls: u32,
    /// A bucket of one token, which fills in a `cps`th of a second. A deeper one would let through up to twice `cps`
    /// within a second, and carriers count within any second.
    next_token: Instant,
}

impl Trunks {
    pub(super) fn new(now: Instant, mut trunks: Vec<DialTrunk>) -> Self {
        trunks.sort_by_key(|trunk| trunk.priority);
        let state = |trunk: DialTrunk| State { usable: !trunk.register, calls: 0, next_token: now, trunk };
        Trunks(trunks.into_iter().map(state).collect())
    }

    /// Tells whether a trunk is registered; nothing changes for one that does not register.
    pub(super) fn set_registered(&mut self, id: TrunkId, registered: bool) {
        if let Some(state) = self.0.iter_mut().find(|state| state.trunk.id == id) {
            state.usable = registered || !state.trunk.register;
        }
    }

    pub(super) fn any_usable(&self) -> bool {
        self.0.iter().any(|state| state.usable)
    }

    /// Takes a channel and a token of the best trunk that has both.
    pub(super) fn take(&mut self, now: Instant) -> Found {
        if !self.any_usable() {
            return Found::NoneUsable;
        }
        let free = |state: &&mut State| state.usable && state.calls < state.trunk.max_calls;
        let mut earliest: Option<Instant> = None;
        for state in self.0.iter_mut().filter(free) {
            if state.next_token <= now {
                state.next_token = now + Duration::from_secs(1) / state.trunk.cps.max(1);
                state.calls += 1;
                return Found::Trunk { id: state.trunk.id, name: state.trunk.name.clone() };
            }
            earliest = Some(earliest.map_or(state.next_token, |at| at.min(state.next_token)));
        }
        Found::Later(earliest)
    }

    /// Gives a channel back.
    pub(super) fn release(&mut self, id: TrunkId) {
        if let Some(state) = self.0.iter_mut().find(|state| state.trunk.id == id) {
            state.calls = state.calls.saturating_sub(1);
        }
    }

    /// Channels that are taken.
    #[cfg(test)]
    pub(super) fn calls(&self) -> u32 {
        self.0.iter().map(|state| state.calls).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trunk(id: u16, priority: u32, register: bool) -> DialTrunk {
        DialTrunk { id: TrunkId(id), name: format!("t{id}"), register, priority, cps: 4, max_calls: 2 }
    }

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    fn taken(found: Found) -> u16 {
        match found {
            Found::Trunk { id, .. } => id.0,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_best_usable_trunk_with_room_is_taken() {
        let mut trunks = Trunks::new(at(0), vec![trunk(1, 20, false), trunk(2, 10, true), trunk(3, 20, false)]);
        assert_eq!(taken(trunks.take(at(0))), 1, "2 is better, but not registered");
        trunks.set_registered(TrunkId(2), true);
        assert_eq!(taken(trunks.take(at(10))), 2);
        assert_eq!(taken(trunks.take(at(20))), 3, "2 and 1 have no token");
        assert_eq!(trunks.take(at(30)), Found::Later(Some(at(250))), "1 is the next to have one");
        assert_eq!(taken(trunks.take(at(300))), 2);
        assert_eq!(taken(trunks.take(at(600))), 1, "2 has no channel left");
        trunks.release(TrunkId(2));
        assert_eq!(taken(trunks.take(at(600))), 2);
        trunks.set_registered(TrunkId(2), false);
        trunks.release(TrunkId(2));
        assert_eq!(taken(trunks.take(at(900))), 3);
        assert_eq!(trunks.take(at(2000)), Found::Later(None), "all channels are taken");
        assert_eq!(trunks.calls(), 5);
    }

    #[test]
    fn a_trunk_that_does_not_register_is_always_usable() {
        let mut trunks = Trunks::new(at(0), vec![trunk(1, 0, false)]);
        trunks.set_registered(TrunkId(1), false);
        assert!(trunks.any_usable());
        let mut none = Trunks::new(at(0), vec![trunk(1, 0, true)]);
        assert_eq!(none.take(at(0)), Found::NoneUsable);
        assert_eq!(Trunks::new(at(0), Vec::new()).take(at(0)), Found::NoneUsable);
    }

    #[test]
    fn no_second_ever_sees_more_calls_than_cps() {
        let many = DialTrunk { max_calls: 1000, ..trunk(1, 0, false) };
        let mut trunks = Trunks::new(at(0), vec![many]);
        let times: Vec<u64> =
            (0..5000).filter(|millis| matches!(trunks.take(at(*millis)), Found::Trunk { .. })).collect();
        assert_eq!(times.len(), 20);
        for window in times.windows(5) {
            assert!(window[4] - window[0] >= 1000, "{window:?}");
        }
    }
}
