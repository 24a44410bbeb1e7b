//! What goes into the service and what comes out of it: the vocabulary that both API faces translate.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::base::secret::{Masked, Secret};
use crate::base::time::UnixTime;
pub use crate::otp::{CallStatus, CodeError, Delivery, Disposition, PhoneNumberError, Verification, VerifyReason};
pub use crate::store::StoreError;
use crate::store::{Closed, EventRow};

/// Who asks: the user's name in the configuration. It stands in tokens and in every row that the user owns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(Arc<str>);

impl UserId {
    /// The user called `name`; whether that user exists is [`super::OtpService::user_exists`]'s answer.
    pub fn new(name: &str) -> Self {
        UserId(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a login failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// No such user or another password; nobody learns which.
    #[error("no active account found with the given credentials")]
    WrongCredentials,
    /// Too many logins are being checked at this moment (each costs 19 MiB and tens of milliseconds).
    #[error("too many logins at once")]
    Busy,
}

/// A request for a call that reads a code.
#[derive(Clone, Debug, Default)]
pub struct PlaceCall {
    /// The number as the caller wrote it.
    pub number: Masked,
    /// The code; `None` or blank lets the service draw one.
    pub otp: Option<Secret>,
    /// Re-readings: the code is read `1 + maxretry` times. 0 to 10.
    pub maxretry: i64,
    /// How long the code is valid; `None` is the configured time.
    pub ttl: Option<Duration>,
}

/// A field of a request, by its meaning; each face has its own name for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// `alarm_phonenumber`, `phone`.
    Number,
    /// `otp`.
    Otp,
    /// `maxretry`.
    MaxRetry,
    /// `ttl_seconds`.
    Ttl,
}

/// What is wrong with a field. The texts are sentences that fit behind the field's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// [`Field::Number`] cannot be called.
    #[error(transparent)]
    Number(PhoneNumberError),
    /// [`Field::Otp`] is no code.
    #[error(transparent)]
    Code(CodeError),
    /// Outside `min..=max` (seconds for [`Field::Ttl`]).
    #[error("Ensure this value is between {min} and {max}.")]
    OutOfRange {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
    },
}

/// One refused field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Which field.
    pub field: Field,
    /// What is wrong.
    pub problem: Problem,
}

/// Why a call was not taken on.
#[derive(Debug, thiserror::Error)]
pub enum PlaceCallError {
    /// Fields that are wrong, in the order of the request; never empty.
    #[error("the request has invalid fields")]
    Invalid(Vec<FieldError>),
    /// The number's country is not allowed.
    #[error("the destination is not allowed")]
    DestinationDenied,
    /// No trunk is configured that could take the call.
    #[error("no trunk is available")]
    NoTrunk,
    /// The queue of calls is full, or the user is over a limit.
    #[error("throttled for {} s", retry_after.as_secs())]
    Throttled {
        /// When to ask again.
        retry_after: Duration,
    },
    /// The daemon is stopping and takes no more calls.
    #[error("shutting down")]
    ShuttingDown,
    /// The request could not be made durable: it was not accepted.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a question could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a call could not be cancelled.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// The user has no such call.
    #[error("no such call")]
    NotFound,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What cancelling did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelAnswer {
    /// It was waiting and will never ring.
    Cancelled,
    /// It was running and is being hung up; its record ends shortly.
    HangingUp,
    /// It had ended before.
    AlreadyEnded,
}

/// A call request as its owner sees it.
#[derive(Clone, Debug)]
pub struct CallRecord {
    /// The number of the record.
    pub id: i64,
    /// The name of the call towards the OTP-app face.
    pub call_uuid: String,
    /// The number as the caller wrote it.
    pub number: Masked,
    /// The number in E.164 with `+`.
    pub phone: Masked,
    /// The code: present in the answer to the request that placed the call, and nowhere else.
    pub otp: Option<Secret>,
    /// Digits of the code, for a mask.
    pub otp_length: usize,
    /// Re-readings.
    pub maxretry: i64,
    /// Where the call stands.
    pub status: CallStatus,
    /// How it ended, once it has.
    pub disposition: Option<Disposition>,
    /// How many times a call was attempted.
    pub num_attempt: i64,
    /// When the request was accepted.
    pub created_at: UnixTime,
    /// When the code ceases to be valid.
    pub expires_at: UnixTime,
}

impl CallRecord {
    /// The code as lists show it: one `*` a digit.
    pub fn masked_otp(&self) -> String {
        "*".repeat(self.otp_length)
    }
}

/// One line of a call's timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct TimelineEntry {
    /// When.
    pub at: UnixTime,
    /// What: `ringing`, `answered`, `digit`, …
    pub event: String,
    /// More about it, as a JSON object; `{}` when there is no more. Never holds a code or a digit of one.
    pub detail: serde_json::Value,
}

impl From<EventRow> for TimelineEntry {
    fn from(row: EventRow) -> Self {
        TimelineEntry { at: row.at, event: row.kind, detail: row.detail }
    }
}

/// A call with all that is known of it.
#[derive(Clone, Debug)]
pub struct CallDetail {
    /// The record.
    pub record: CallRecord,
    /// The last attempt, or why there was none; `None` while neither is known.
    pub delivery: Option<Delivery>,
    /// What happened, in order.
    pub timeline: Vec<TimelineEntry>,
}

/// A page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// From 1.
    pub number: u32,
    /// Records a page.
    pub size: u32,
}

/// Which calls a list holds.
#[derive(Clone, Debug, Default)]
pub struct CallFilter {
    /// Only this status.
    pub status: Option<CallStatus>,
    /// Only this number, in any way of writing it.
    pub number: Option<Masked>,
}

/// One page of calls, newest first.
#[derive(Clone, Debug)]
pub struct CallPage {
    /// Calls on all pages.
    pub count: i64,
    /// Calls of this page; empty beyond the last.
    pub calls: Vec<CallRecord>,
}

/// Where a code stands, for the OTP-app face.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtpState {
    /// Waiting for its call.
    Pending,
    /// Being called.
    Calling,
    /// Read completely.
    Delivered,
    /// The call failed.
    Failed,
    /// Verified.
    Used,
    /// Its time is over.
    Expired,
    /// No code was sent to this number.
    NotFound,
}

impl OtpState {
    /// The word of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            OtpState::Pending => "pending",
            OtpState::Calling => "calling",
            OtpState::Delivered => "delivered",
            OtpState::Failed => "failed",
            OtpState::Used => "used",
            OtpState::Expired => "expired",
            OtpState::NotFound => "not_found",
        }
    }
}

/// The newest code of a number.
#[derive(Clone, Debug)]
pub struct OtpStatus {
    /// The number in E.164 when it is one, as asked otherwise.
    pub phone: Masked,
    /// Where it stands.
    pub state: OtpState,
    /// When the code ceases to be valid; `None` when there is none.
    pub expires_at: Option<UnixTime>,
    /// Tries that were made.
    pub attempts_used: i64,
    /// Tries that are left.
    pub attempts_remaining: i64,
    /// The call; `None` when there is none.
    pub call_uuid: Option<String>,
    /// The last attempt, once there was one.
    pub delivery: Option<Delivery>,
}

/// One live step of a call, after it was made durable. The last one of a call is `ended` with `reason` and `party`.
#[derive(Clone, Debug, PartialEq)]
pub struct CallProgress {
    /// The number of the event; grows, so that a listener can resume after it.
    pub event_id: i64,
    /// The call's record.
    pub call_id: i64,
    /// The call's name towards the OTP-app face.
    pub call_uuid: String,
    /// Whose call it is.
    pub user: UserId,
    /// What happened and when.
    pub entry: TimelineEntry,
}

impl From<Closed> for CallProgress {
    fn from(closed: Closed) -> Self {
        CallProgress {
            event_id: closed.event.id,
            call_id: closed.event.challenge_id,
            call_uuid: closed.uuid,
            user: UserId::new(&closed.user),
            entry: closed.event.into(),
        }
    }
}

/// What the daemon can do at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// The store answers.
    pub store: bool,
    /// At least one trunk can take calls.
    pub trunk: bool,
    /// The daemon takes requests; false once it is stopping.
    pub open: bool,
}

impl Readiness {
    /// Whether a call can be placed.
    pub fn is_ready(self) -> bool {
        self.store && self.trunk && self.open
    }
}
