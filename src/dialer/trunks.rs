//! The trunks as the dialer sees them: which is usable, has a channel free, and may take a call now.

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
