//! What others send: torture messages of the RFCs and of our own, mutations of them, and what foreign parsers make of
//! what we write.
//!
//! Bounds are judged by counted things (fields, bytes, streams), never by a clock.

mod corpus;
mod facts;
mod mutation;
mod oracle;
mod own;
mod rendering;
mod rfc4475;
mod rfc5118;
mod session;
mod user_agent;
