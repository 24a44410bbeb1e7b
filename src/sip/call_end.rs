//! How a call ended: the reason, who caused it, and the carrier's own words.
//!
//! Sources: RFC 3261 §21 (status codes), RFC 3326 (the Reason header), Q.850 (causes), RFC 3398 §8 (their relation).

use std::time::Duration;

/// The end of a call, told once and last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallEnd {
    /// The class of the end.
    pub reason: EndReason,
    /// Who caused it.
    pub party: Party,
    /// The SIP status of the final response, when one ended the call.
    pub sip_status: Option<u16>,
    /// The Q.850 cause, when a Reason header gave one (RFC 3326).
    pub q850: Option<u16>,
    /// The carrier's words: the text of a Reason header, else the reason phrase; control characters escaped, at most
    /// [`CallEnd::TEXT_MAX`] characters.
    pub text: Option<String>,
    /// How long the carrier asks us to wait before the next call (RFC 3261 §20.33).
    pub retry_after: Option<Duration>,
}

impl CallEnd {
    /// The longest `text`, in characters.
    pub const TEXT_MAX: usize = 120;
}

/// The class of a call's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// An answered call was ended with BYE by either side.
    HungUp,
    /// 486, 600, Q.850 17.
    Busy,
    /// 408 or 480 after ringing, Q.850 18 and 19.
    NoAnswer,
    /// 603, 607, 608, Q.850 21: the callee, or someone for the callee, declined.
    Rejected,
    /// 404, 410, 484, 604, Q.850 1, 22 and 28: no such number.
    Unallocated,
    /// 480 and the like: the callee cannot be reached now.
    Unavailable,
    /// 503, 500, 504, Q.850 34, 38, 41, 42: the carrier is out of resources.
    Congestion,
    /// 403 and the like: the carrier does not let us place this call.
    Forbidden,
    /// Our credentials were refused, or the carrier asked for them without end (RFC 3261 §22.1).
    AuthenticationFailed,
    /// 3xx: redirection is refused.
    Redirected,
    /// The datagram could not be sent.
    NetworkFailure,
    /// No response in time (RFC 3261 §17.1.1.2, timer B).
    Timeout,
    /// Offer and answer found no common ground (RFC 3264 §6, 488, 606).
    MediaRefused,
    /// The caller gave up before an answer (CANCEL).
    Cancelled,
    /// The peer sent what the protocol forbids, or told us that we did.
    ProtocolError,
    /// The table of calls is full: the call was never sent.
    Overloaded,
}

/// Who caused the end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Party {
    /// This program.
    Us,
    /// The trunk or what lies between it and the callee.
    Carrier,
    /// The called person or device.
    Callee,
    /// The calling person or device, when we are the called one.
    Caller,
}
