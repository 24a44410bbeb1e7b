//! The user agent: trunks, registrations, dialogs and calls over one transport, without a socket or a clock.
//!
//! [`UserAgent`] owns the transaction layer, a registration for each trunk that wants one, and every call. It decides which
//! of them a message, a command or a timer belongs to, and answers what belongs to none.
//!
//! | rule | test (in `tests`) |
//! |---|---|
//! | RFC 3261 §8.1.1, §13.2.1: what an INVITE carries | `calling::an_invite_says_who_calls_whom_and_how_to_answer` |
//! | RFC 3325 §9, requirements R7 and I1: the caller id in From, PAI, PPI or RPID | `calling::the_caller_id_stands_where_the_trunk_wants_it` |
//! | RFC 3261 §8.1.3.3: a response with two Vias is dropped | `stray::what_is_no_request_gets_no_answer` |
//! | §8.1.3.1: no response, no way to send | `calling::no_response_and_no_way_are_told_apart` |
//! | §8.2.1, §21.4.6, §21.5.2: 405 for methods we know, 501 for others, both with Allow | `stray::requests_that_nobody_takes_are_refused_as_the_rfc_asks` |
//! | §8.2.2.1: 416; §8.2.2.2: 482; §8.2.2.3: 420 with Unsupported | the same, `ringing::the_same_invite_by_another_way_is_482`, `stray::content_that_nobody_reads_is_refused_with_what_is_read` |
//! | §8.2.3: 415 with Accept or Accept-Encoding; §21.4.7: 406 | `stray::content_that_nobody_reads_is_refused_with_what_is_read` |
//! | §11.2, requirement N6: OPTIONS is 200, to source and rport | `stray::options_of_a_trunk_are_answered_to_where_they_came_from` |
//! | §12.2.2: 481 for a dialog that is not there | `stray::requests_that_nobody_takes_are_refused_as_the_rfc_asks` |
//! | §13.2.2.4: a 2xx that nobody waits for is ACKed and ended | `calling::a_cancel_that_brings_no_487_frees_the_call_after_64_t1` |
//! | RFC 3581, requirement N1: rport always; the address that the carrier sees goes into Contact | `registering::the_address_that_the_carrier_sees_becomes_the_contact` |
//! | registration, refresh, removal | `registering`, `sip::registration` |
//! | requirements S1, S3, S7: nothing from foreign sources | `stray::strangers_get_no_answer`, `answered::a_challenged_bye_is_answered_on_the_flow_only` |
//! | RFC 4475: every message | `tests/malformed` |
//!
//! Bounds: [`Policy::max_calls`] living calls and 65,536 that only ACK copies any more; the transaction layer has its own.
//!
//! Not done, with the reason: 482 for requests other than INVITE, which are answered at once and harm nobody when answered
//! twice; Supported, for there is no extension to list; a second try of one INVITE at another target of its trunk, since
//! that would ring twice where the first INVITE did arrive.

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
