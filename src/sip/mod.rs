//! The SIP user agent, without sockets or clocks (RFC 3261).

pub mod call_end;
pub mod offer_answer;
pub mod user_agent;
