//! The user agent: trunks, registrations, dialogs and calls over one transport, without a socket or a clock.

mod agent;
mod counters;
mod event;
mod profile;
mod screen;
mod trunk;

pub use agent::UserAgent;
pub use counters::Counters;
pub use event::{CallEvent, CallId, Command, Event, Input, Output, Policy, Q850};
pub use trunk::{Identity, Trunk, TrunkId};

pub use crate::sip::message::UserPart;

#[cfg(test)]
mod tests;
