//! The SIP user agent, without sockets or clocks (RFC 3261).

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
