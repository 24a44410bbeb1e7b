//! The SIP user agent, without sockets or clocks (RFC 3261).
//!
//! From the ground up: [`message`] and [`framing`] read and write bytes; [`transaction`] makes single requests reliable;
//! [`digest`], [`locate`] and [`registration`] keep a trunk usable; [`dialog`], [`offer_answer`] and [`invite_session`]
//! carry one call, whose end [`call_end`] names; [`user_agent`] owns them all and is what the floors above speak to.
//! Each machine has a table of the rules it keeps and their tests.

pub mod call_end;
pub mod dialog;
pub mod digest;
pub mod framing;
pub mod invite_session;
pub mod locate;
pub mod message;
pub mod offer_answer;
pub mod registration;
pub mod transaction;
pub mod user_agent;
