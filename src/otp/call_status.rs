//! Where a call stands and how it ended, in the numbers and words of the API and of the database.

/// Where a call stands. The numbers are the API's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallStatus {
    /// Accepted, not yet called.
    Pending,
    /// Being called.
    InProcess,
    /// Ended without a complete reading.
    Failure,
    /// Failed, and to be called again.
    Retry,
    /// Answered, and read completely at least once.
    Success,
}

impl CallStatus {
    /// The API's number, 1 to 5.
    pub const fn number(self) -> i64 {
        match self {
            CallStatus::Pending => 1,
            CallStatus::InProcess => 2,
            CallStatus::Failure => 3,
            CallStatus::Retry => 4,
            CallStatus::Success => 5,
        }
    }

    /// The status of an API number.
    pub const fn from_number(number: i64) -> Option<Self> {
        Some(match number {
            1 => CallStatus::Pending,
            2 => CallStatus::InProcess,
            3 => CallStatus::Failure,
            4 => CallStatus::Retry,
            5 => CallStatus::Success,
            _ => return None,
        })
    }

    /// The API's word (`status_display`).
    pub const fn as_str(self) -> &'static str {
        match self {
            CallStatus::Pending => "PENDING",
            CallStatus::InProcess => "IN_PROCESS",
            CallStatus::Failure => "FAILURE",
            CallStatus::Retry => "RETRY",
            CallStatus::Success => "SUCCESS",
        }
    }
}

/// How a call ended, in the API's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Disposition {
    /// The callee answered.
    Answer,
    /// The callee was busy or declined.
    Busy,
    /// Nobody answered.
    NoAnswer,
    /// Cancelled by the caller.
    Cancel,
    /// The network had no room.
    Congestion,
    /// Any other failure.
    Failed,
}

impl Disposition {
    /// The API's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Disposition::Answer => "ANSWER",
            Disposition::Busy => "BUSY",
            Disposition::NoAnswer => "NOANSWER",
            Disposition::Cancel => "CANCEL",
            Disposition::Congestion => "CONGESTION",
            Disposition::Failed => "FAILED",
        }
    }

    /// The disposition of an API word.
    pub fn from_word(word: &str) -> Option<Self> {
        [
            Disposition::Answer,
            Disposition::Busy,
            Disposition::NoAnswer,
            Disposition::Cancel,
            Disposition::Congestion,
            Disposition::Failed,
        ]
        .into_iter()
        .find(|disposition| disposition.as_str() == word)
    }
}
