//! The transaction layer (RFC 3261 §17 as changed by RFC 6026, §9, §18; RFC 3581).
//!
//! [`Transactions`] owns every transaction of a user agent. Its user sends requests and responses through it, feeds it
//! the messages and the time, and drains [`Transactions::poll_output`] after each input.

mod client_invite;
mod client_non_invite;
mod context;
mod counters;
mod derived;
mod event;
mod key;
mod layer;
mod path;
mod received;
mod server_invite;
mod server_non_invite;

pub use context::Timings;
pub use counters::Counters;
pub use event::{Event, Output, TransactionKey, Transmit};
pub use key::{ClientKey, ServerKey};
pub use layer::{Transactions, new_via};
pub use path::{Path, Transport};
