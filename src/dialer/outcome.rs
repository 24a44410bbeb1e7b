//! How a job ended: one verdict from what SIP says, what was read, and why we hung up if we did.

use std::time::Duration;

use crate::media::audio_report::AudioReport;
use crate::otp::{Delivery, Party, Reason, Retry};
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
