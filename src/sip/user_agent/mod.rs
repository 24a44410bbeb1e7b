//! The user agent: trunks, registrations, dialogs and calls over one transport, without a socket or a clock.

mod event;
mod trunk;

pub use event::{CallEvent, CallId, Command, Event, Input, InvalidUserPart, Output, Policy, Q850, UserPart};
pub use trunk::{Identity, Trunk, TrunkId};
