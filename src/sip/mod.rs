//! The SIP user agent, without sockets or clocks (RFC 3261).
