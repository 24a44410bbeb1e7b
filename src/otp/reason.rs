//! Why a call ended: the closed list, and what each reason means for the API and for the next try.
//!
//! | reason | status | disposition | retry |
//! |---|---|---|---|
//! | `delivered` | SUCCESS | ANSWER | never |
//! | `hung_up_early` | FAILURE | ANSWER | later |
//! | `not_confirmed` | FAILURE | ANSWER | later |
//! | `busy` | FAILURE | BUSY | later |
//! | `no_answer` | FAILURE | NOANSWER | later |
//! | `rejected` | FAILURE | BUSY | never |
//! | `unallocated` | FAILURE | FAILED | never |
//! | `unavailable` | FAILURE | NOANSWER | later |
//! | `congestion` | FAILURE | CONGESTION | other trunk |
//! | `forbidden` | FAILURE | FAILED | other trunk |
//! | `authentication_failed` | FAILURE | FAILED | other trunk |
//! | `redirected` | FAILURE | FAILED | other trunk |
//! | `network_failure` | FAILURE | FAILED | other trunk |
//! | `timeout` | FAILURE | FAILED | other trunk |
//! | `media_refused` | FAILURE | FAILED | other trunk |
//! | `media_failure` | FAILURE | FAILED | later |
//! | `protocol_error` | FAILURE | FAILED | other trunk |
//! | `cancelled` | FAILURE | CANCEL | never |
//! | `interrupted` | FAILURE | FAILED | never |
//! | `expired` | FAILURE | FAILED | never |
//! | `no_trunk` | FAILURE | CONGESTION | later |
//! | `no_media_ports` | FAILURE | CONGESTION | later |
//! | `store_failure` | FAILURE | FAILED | later |
//! | `overloaded` | FAILURE | CONGESTION | later |
//!
//! A declined call is BUSY because that is what telephones make of it: the GSM term for the red button is "user
//! determined user busy". `interrupted` is never tried again by itself: the phone may have rung.

use super::call_status::{CallStatus, Disposition};

/// Why a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Answered, and read completely at least once.
    Delivered,
    /// Answered, and ended before one reading was complete.
    HungUpEarly,
    /// Answered, and the gate's key was not pressed: nothing was read.
    NotConfirmed,
    /// The callee is in another call.
    Busy,
    /// It rang until the ring timeout, or until the carrier gave up.
    NoAnswer,
    /// The callee declined.
    Rejected,
    /// There is no such number.
    Unallocated,
    /// The callee cannot be reached now.
    Unavailable,
    /// The carrier is out of resources.
    Congestion,
    /// The carrier does not let us place this call.
    Forbidden,
    /// The carrier refused our credentials.
    AuthenticationFailed,
    /// The carrier sent us elsewhere, which is refused.
    Redirected,
    /// Packets could not be sent.
    NetworkFailure,
    /// The carrier did not respond in time.
    Timeout,
    /// The two ends have no media in common.
    MediaRefused,
    /// Our own media came to a standstill.
    MediaFailure,
    /// The carrier broke the protocol, or says that we did.
    ProtocolError,
    /// The API's client took the call back.
    Cancelled,
    /// The daemon stopped while the call ran, or died after the INVITE may have left.
    Interrupted,
    /// The code's time was over before the phone was answered.
    Expired,
    /// No trunk was usable.
    NoTrunk,
    /// No RTP port was free: nothing was dialled.
    NoMediaPorts,
    /// The attempt could not be recorded: nothing was dialled.
    StoreFailure,
    /// Our own table of calls was full: nothing was dialled.
    Overloaded,
}

/// Whether and how another call may be tried after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// Another call would end the same way, or is not wanted.
    Never,
    /// The same trunk, after a while.
    Later,
    /// Another trunk, at once; this one after a while.
    OtherTrunk,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 24] = [
        Reason::Delivered,
        Reason::HungUpEarly,
        Reason::NotConfirmed,
        Reason::Busy,
        Reason::NoAnswer,
        Reason::Rejected,
        Reason::Unallocated,
        Reason::Unavailable,
        Reason::Congestion,
        Reason::Forbidden,
        Reason::AuthenticationFailed,
        Reason::Redirected,
        Reason::NetworkFailure,
        Reason::Timeout,
        Reason::MediaRefused,
        Reason::MediaFailure,
        Reason::ProtocolError,
        Reason::Cancelled,
        Reason::Interrupted,
        Reason::Expired,
        Reason::NoTrunk,
        Reason::NoMediaPorts,
        Reason::StoreFailure,
        Reason::Overloaded,
    ];

    /// The word of the API and of the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::Delivered => "delivered",
            Reason::HungUpEarly => "hung_up_early",
            Reason::NotConfirmed => "not_confirmed",
            Reason::Busy => "busy",
            Reason::NoAnswer => "no_answer",
            Reason::Rejected => "rejected",
            Reason::Unallocated => "unallocated",
            Reason::Unavailable => "unavailable",
            Reason::Congestion => "congestion",
            Reason::Forbidden => "forbidden",
            Reason::AuthenticationFailed => "authentication_failed",
            Reason::Redirected => "redirected",
            Reason::NetworkFailure => "network_failure",
            Reason::Timeout => "timeout",
            Reason::MediaRefused => "media_refused",
            Reason::MediaFailure => "media_failure",
            Reason::ProtocolError => "protocol_error",
            Reason::Cancelled => "cancelled",
            Reason::Interrupted => "interrupted",
            Reason::Expired => "expired",
            Reason::NoTrunk => "no_trunk",
            Reason::NoMediaPorts => "no_media_ports",
            Reason::StoreFailure => "store_failure",
            Reason::Overloaded => "overloaded",
        }
    }

    /// The reason of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Reason::ALL.into_iter().find(|reason| reason.as_str() == word)
    }

    /// How the call shows in the API's list: SUCCESS for a complete reading to an answered call, FAILURE for all else.
    pub const fn status(self) -> CallStatus {
        match self {
            Reason::Delivered => CallStatus::Success,
            _ => CallStatus::Failure,
        }
    }

    /// How the call ended, in the API's six words.
    pub const fn disposition(self) -> Disposition {
        match self {
            Reason::Delivered | Reason::HungUpEarly | Reason::NotConfirmed => Disposition::Answer,
            Reason::Busy | Reason::Rejected => Disposition::Busy,
            Reason::NoAnswer | Reason::Unavailable => Disposition::NoAnswer,
            Reason::Cancelled => Disposition::Cancel,
            Reason::Congestion | Reason::NoTrunk | Reason::NoMediaPorts | Reason::Overloaded => Disposition::Congestion,
            Reason::Unallocated
            | Reason::Forbidden
            | Reason::AuthenticationFailed
            | Reason::Redirected
            | Reason::NetworkFailure
            | Reason::Timeout
            | Reason::MediaRefused
            | Reason::MediaFailure
            | Reason::ProtocolError
            | Reason::Interrupted
            | Reason::Expired
            | Reason::StoreFailure => Disposition::Failed,
        }
    }

    /// Whether another call may be tried.
    pub const fn retry(self) -> Retry {
        match self {
            Reason::Delivered
            | Reason::Rejected
            | Reason::Unallocated
            | Reason::Cancelled
            | Reason::Interrupted
            | Reason::Expired => Retry::Never,
            Reason::HungUpEarly
            | Reason::NotConfirmed
            | Reason::Busy
            | Reason::NoAnswer
            | Reason::Unavailable
            | Reason::MediaFailure
            | Reason::NoTrunk
            | Reason::NoMediaPorts
            | Reason::StoreFailure
            | Reason::Overloaded => Retry::Later,
            Reason::Congestion
            | Reason::Forbidden
            | Reason::AuthenticationFailed
            | Reason::Redirected
            | Reason::NetworkFailure
            | Reason::Timeout
            | Reason::MediaRefused
            | Reason::ProtocolError => Retry::OtherTrunk,
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for Reason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_in_the_docs_is_what_the_code_does() {
        let rows: BTreeSet<String> = include_str!("reason.rs")
            .lines()
            .filter_map(|line| line.strip_prefix("//! | `"))
            .map(|row| row.replace(['`', '|'], " ").split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        let code: BTreeSet<String> = Reason::ALL
            .into_iter()
            .map(|reason| {
                let retry = match reason.retry() {
                    Retry::Never => "never",
                    Retry::Later => "later",
                    Retry::OtherTrunk => "other trunk",
                };
                format!("{reason} {} {} {retry}", reason.status().as_str(), reason.disposition().as_str())
            })
            .collect();
        assert_eq!(code.len(), Reason::ALL.len(), "ALL names each reason once");
        assert_eq!(rows, code);
    }

    #[test]
    fn words_read_back() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_word(reason.as_str()), Some(reason));
        }
        assert_eq!(Reason::from_word("answered"), None);
    }
}
