//! What ties the service, which faces ask, to the dispatcher, which runs the calls.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{Notify, broadcast, mpsc, watch};

use super::types::CallProgress;
use crate::dialer::DialTrunk;
use crate::sip::registration::RegistrationState;
use crate::sip::user_agent::TrunkId;

/// Live steps that a slow listener may be behind before it misses some.
pub const PROGRESS_BACKLOG: usize = 4096;
/// Cancellations that may wait for the dispatcher; whoever asks for one more waits.
const CANCELS: usize = 256;

/// Where the trunks stand, and whether the daemon takes calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrunkStates {
    /// By trunk: its name and its registration; a trunk that does not register has none.
    pub trunks: BTreeMap<TrunkId, (String, Option<RegistrationState>)>,
    /// The daemon takes no more calls.
    pub stopping: bool,
}

impl TrunkStates {
    /// The trunks before any of them has registered.
    pub fn new(trunks: &[DialTrunk]) -> Self {
        let state = |trunk: &DialTrunk| trunk.register.then_some(RegistrationState::Unregistered);
        let trunks = trunks.iter().map(|trunk| (trunk.id, (trunk.name.clone(), state(trunk)))).collect();
        TrunkStates { trunks, stopping: false }
    }

    /// Whether any trunk can take calls.
    pub fn usable(&self) -> bool {
        self.trunks.values().any(|(_, state)| matches!(state, None | Some(RegistrationState::Registered { .. })))
    }
}

/// The service's end.
#[derive(Clone)]
pub struct CallLink {
    /// Told after a request was accepted.
    pub(super) accepted: Arc<Notify>,
    /// Requests whose call is to be taken back.
    pub(super) cancels: mpsc::Sender<i64>,
    /// Live steps.
    pub(super) progress: broadcast::Sender<CallProgress>,
    /// Where the trunks stand.
    pub(super) trunks: watch::Receiver<TrunkStates>,
}

/// The dispatcher's end. Whoever holds it decides whether calls are taken.
pub struct CallLinkDriver {
    pub(super) accepted: Arc<Notify>,
    pub(super) cancels: mpsc::Receiver<i64>,
    pub(super) progress: broadcast::Sender<CallProgress>,
    pub(super) trunks: watch::Sender<TrunkStates>,
}

impl CallLinkDriver {
    /// Changes where the trunks stand.
    pub fn set_trunks(&self, change: impl FnOnce(&mut TrunkStates)) {
        self.trunks.send_if_modified(|states| {
            let before = states.clone();
            change(states);
            *states != before
        });
    }
}

/// Both ends, with `trunks` as they stand at start.
pub fn call_link(trunks: TrunkStates) -> (CallLink, CallLinkDriver) {
    let accepted = Arc::new(Notify::new());
    let (cancel, cancels) = mpsc::channel(CANCELS);
    let (progress, _) = broadcast::channel(PROGRESS_BACKLOG);
    let (states, seen) = watch::channel(trunks);
    (
        CallLink { accepted: Arc::clone(&accepted), cancels: cancel, progress: progress.clone(), trunks: seen },
        CallLinkDriver { accepted, cancels, progress, trunks: states },
    )
}
