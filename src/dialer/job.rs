//! What is to be done: read one code to one number.

use crate::base::time::Instant;
use crate::otp::{Code, PhoneNumber};
use crate::sip::user_agent::{CallId, UserPart};

/// One call that is to be made. Its `Debug` masks the number and hides the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The call's number, given by whoever brings the job, without [`CallId::INCOMING`]; never used twice in the life of
    /// a dialer.
    pub call: CallId,
    /// Whom to call.
    pub number: PhoneNumber,
    /// What to read.
    pub code: Code,
    /// How often to read it by itself: 1 + `maxretry`.
    pub readings: u8,
    /// In whose name to call; the trunk's own number when absent.
    pub caller_id: Option<UserPart>,
    /// When the code ceases to be valid. A phone that has not been answered by then is not rung any longer.
    pub expires_at: Instant,
}
