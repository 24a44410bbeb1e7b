//! How a job ended: one verdict from what SIP says, what was read, and why we hung up if we did.
//!
//! In this order:
//!
//! 1. one complete reading to an answered call is `delivered`, whatever came after it
//! 2. we hung up, and the call ended by that (CANCEL or BYE): the reason why we did ([`Why`])
//! 3. the API's client took the call back: `cancelled`, even if the phone was found busy in the same moment
//! 4. an answered call that the other end hung up: `hung_up_early`
//! 5. everything else: what SIP says ([`EndReason`])

use std::time::Duration;

use crate::media::audio_report::AudioReport;
use crate::otp::{Delivery, Party, Reason, Retry};
use crate::sip::call_end::{self, CallEnd, EndReason};
use crate::sip::user_agent::CallId;

/// The end of a job. SIP status, Q.850 cause and trunk stand in `delivery`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Which call.
    pub call: CallId,
    /// Why it ended.
    pub reason: Reason,
    /// Who caused that.
    pub party: Party,
    /// What became of the code; the API's object.
    pub delivery: Delivery,
    /// Whether another call may be tried.
    pub retry: Retry,
    /// How long the carrier asks us to wait before the next call.
    pub retry_after: Option<Duration>,
    /// The carrier's own words, with control characters escaped.
    pub text: Option<String>,
    /// Whether an INVITE left: whether the phone may have rung.
    pub dialled: bool,
    /// From the answer to the end: what a carrier bills. Zero when it was not answered.
    pub billable: Duration,
    /// The audio figures, without any recording; absent when there was no media session, or when it did not report.
    pub audio: Option<AudioReport>,
}

impl Outcome {
    /// The outcome of a job that never got as far as an INVITE.
    pub(super) fn undialled(call: CallId, reason: Reason, party: Party, trunk: Option<String>) -> Self {
        let delivery = Delivery::undialled(reason, trunk);
        Outcome {
            call,
            reason,
            party,
            delivery,
            retry: reason.retry(),
            retry_after: None,
            text: None,
            dialled: false,
            billable: Duration::ZERO,
            audio: None,
        }
    }
}

/// Why we hang up, or give a call up before it was dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The script is through.
    ScriptDone,
    /// It rang long enough.
    RingTimeout,
    /// The code's time is over, and nobody has answered.
    Expired,
    /// The API's client took the call back.
    Cancelled,
    /// The daemon stops.
    Interrupted,
    /// The other end did not want to hear us for too long.
    HeldTooLong,
    /// Our media came to a standstill.
    MediaFailed,
}

impl Why {
    /// The reason and the party of a call that ended by our hand without a complete reading.
    pub(super) fn verdict(self) -> (Reason, Party) {
        match self {
            // A script that is through without a complete reading had no media that counted.
            Why::ScriptDone | Why::MediaFailed => (Reason::MediaFailure, Party::Us),
            Why::RingTimeout => (Reason::NoAnswer, Party::Callee),
            Why::Expired => (Reason::Expired, Party::Us),
            Why::Cancelled => (Reason::Cancelled, Party::Caller),
            Why::Interrupted => (Reason::Interrupted, Party::Us),
            Why::HeldTooLong => (Reason::HungUpEarly, Party::Callee),
        }
    }
}

/// Who ended a call that was dialled.
pub(super) fn hung_up_by(end: &CallEnd, why: Option<Why>) -> Party {
    match (end.party, why) {
        // The user agent knows that the hang-up was ours, but not on whose behalf.
        (call_end::Party::Us, Some(Why::Cancelled)) => Party::Caller,
        (call_end::Party::Us, _) => Party::Us,
        (call_end::Party::Carrier, _) => Party::Carrier,
        // We place calls only: a far end that is told to be the caller is the called one.
        (call_end::Party::Callee | call_end::Party::Caller, _) => Party::Callee,
    }
}

/// The reason and the guilty party of a call that was dialled.
pub(super) fn verdict(end: &CallEnd, answered: bool, readings_completed: u32, why: Option<Why>) -> (Reason, Party) {
    let party = hung_up_by(end, why);
    if answered && readings_completed > 0 {
        return (Reason::Delivered, party);
    }
    let by_our_hand = match end.reason {
        EndReason::Cancelled => true,
        EndReason::HungUp => end.party == call_end::Party::Us,
        _ => false,
    };
    match why {
        Some(why) if by_our_hand || why == Why::Cancelled => why.verdict(),
        _ if answered && end.reason == EndReason::HungUp => (Reason::HungUpEarly, party),
        _ => (reason_of(end.reason), party),
    }
}

/// What SIP's class of an end means for a call that was not delivered.
fn reason_of(end: EndReason) -> Reason {
    match end {
        // A BYE without an answer is no end that RFC 3261 §15 knows for us.
        EndReason::HungUp => Reason::ProtocolError,
        EndReason::Busy => Reason::Busy,
        // 487 that we did not ask for: something between us and the phone stopped ringing it.
        EndReason::NoAnswer | EndReason::Cancelled => Reason::NoAnswer,
        EndReason::Rejected => Reason::Rejected,
        EndReason::Unallocated => Reason::Unallocated,
        EndReason::Unavailable => Reason::Unavailable,
        EndReason::Congestion => Reason::Congestion,
        EndReason::Forbidden => Reason::Forbidden,
        EndReason::AuthenticationFailed => Reason::AuthenticationFailed,
        EndReason::Redirected => Reason::Redirected,
        EndReason::NetworkFailure => Reason::NetworkFailure,
        EndReason::Timeout => Reason::Timeout,
        EndReason::MediaRefused => Reason::MediaRefused,
        EndReason::ProtocolError => Reason::ProtocolError,
        EndReason::Overloaded => Reason::Overloaded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use call_end::Party::{Callee, Carrier, Us};

    fn end(reason: EndReason, party: call_end::Party) -> CallEnd {
        CallEnd { reason, party, sip_status: None, q850: None, text: None, retry_after: None }
    }

    #[test]
    fn every_end_of_an_unanswered_call_has_its_reason() {
        for (sip, reason) in [
            (EndReason::HungUp, Reason::ProtocolError),
            (EndReason::Busy, Reason::Busy),
            (EndReason::NoAnswer, Reason::NoAnswer),
            (EndReason::Rejected, Reason::Rejected),
            (EndReason::Unallocated, Reason::Unallocated),
            (EndReason::Unavailable, Reason::Unavailable),
            (EndReason::Congestion, Reason::Congestion),
            (EndReason::Forbidden, Reason::Forbidden),
            (EndReason::AuthenticationFailed, Reason::AuthenticationFailed),
            (EndReason::Redirected, Reason::Redirected),
            (EndReason::NetworkFailure, Reason::NetworkFailure),
            (EndReason::Timeout, Reason::Timeout),
            (EndReason::MediaRefused, Reason::MediaRefused),
            (EndReason::Cancelled, Reason::NoAnswer),
            (EndReason::ProtocolError, Reason::ProtocolError),
            (EndReason::Overloaded, Reason::Overloaded),
        ] {
            assert_eq!(verdict(&end(sip, Carrier), false, 0, None), (reason, Party::Carrier), "{sip:?}");
            // A failure that an answered call meets before a reading is complete keeps its name, but for a hang-up.
            let answered = if sip == EndReason::HungUp { Reason::HungUpEarly } else { reason };
            assert_eq!(verdict(&end(sip, Callee), true, 0, None), (answered, Party::Callee), "{sip:?}");
            // Whatever ends a call after a complete reading, the code was delivered.
            assert_eq!(verdict(&end(sip, Callee), true, 1, None).0, Reason::Delivered, "{sip:?}");
        }
    }

    #[test]
    fn our_own_hand_has_its_reasons() {
        for (why, reason, party) in [
            (Why::ScriptDone, Reason::MediaFailure, Party::Us),
            (Why::RingTimeout, Reason::NoAnswer, Party::Callee),
            (Why::Expired, Reason::Expired, Party::Us),
            (Why::Cancelled, Reason::Cancelled, Party::Caller),
            (Why::Interrupted, Reason::Interrupted, Party::Us),
            (Why::HeldTooLong, Reason::HungUpEarly, Party::Callee),
            (Why::MediaFailed, Reason::MediaFailure, Party::Us),
        ] {
            assert_eq!(verdict(&end(EndReason::Cancelled, Us), false, 0, Some(why)), (reason, party), "{why:?}");
            assert_eq!(verdict(&end(EndReason::HungUp, Us), true, 0, Some(why)), (reason, party), "{why:?}");
            let delivered = verdict(&end(EndReason::HungUp, Us), true, 2, Some(why));
            let by = if why == Why::Cancelled { Party::Caller } else { Party::Us };
            assert_eq!(delivered, (Reason::Delivered, by), "{why:?}");
        }
    }

    #[test]
    fn what_crosses_our_hang_up_is_told_as_it_was() {
        // Busy in the moment of the CANCEL, or nothing from the carrier at all.
        let busy = end(EndReason::Busy, Callee);
        assert_eq!(verdict(&busy, false, 0, Some(Why::RingTimeout)), (Reason::Busy, Party::Callee));
        let silent = end(EndReason::Timeout, Carrier);
        assert_eq!(verdict(&silent, false, 0, Some(Why::RingTimeout)), (Reason::Timeout, Party::Carrier));
        assert_eq!(verdict(&busy, false, 0, Some(Why::Cancelled)), (Reason::Cancelled, Party::Caller));
        // The callee's BYE crosses ours.
        let bye = end(EndReason::HungUp, Callee);
        assert_eq!(verdict(&bye, true, 0, Some(Why::Interrupted)), (Reason::HungUpEarly, Party::Callee));
        assert_eq!(verdict(&bye, true, 1, Some(Why::ScriptDone)), (Reason::Delivered, Party::Callee));
    }
}
