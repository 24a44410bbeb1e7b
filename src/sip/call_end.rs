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

    /// An end that no message told us of.
    pub fn plain(reason: EndReason, party: Party) -> Self {
        CallEnd { reason, party, sip_status: None, q850: None, text: None, retry_after: None }
    }

    /// The end that a final response of 300-699 makes. `rang` is whether a 180 or the like came before.
    pub fn of_status(status: u16, detail: EndDetail, rang: bool) -> Self {
        let (mut reason, mut party) = class_of_status(status, rang);
        // A cause says more than a status that carriers use for everything (RFC 3398 §8.2.6.1); a status that already
        // names the end keeps its word.
        if matches!(status, 400 | 408 | 480 | 487 | 500..=599)
            && let Some(refined) = detail.q850.and_then(class_of_cause)
        {
            (reason, party) = refined;
        }
        CallEnd {
            reason,
            party,
            sip_status: Some(status),
            q850: detail.q850,
            text: detail.text,
            retry_after: detail.retry_after,
        }
    }

    /// The end of an answered call by the peer's BYE.
    pub fn of_bye(party: Party, detail: EndDetail) -> Self {
        CallEnd { q850: detail.q850, text: detail.text, ..CallEnd::plain(EndReason::HungUp, party) }
    }
}

/// What a message says about the end besides its status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndDetail {
    /// The cause of its Reason header with protocol Q.850.
    pub q850: Option<u16>,
    /// The carrier's words, already fit to show.
    pub text: Option<String>,
    /// Its Retry-After.
    pub retry_after: Option<Duration>,
}

/// `text` with control characters escaped and its length bounded, so that it can stand in a log or on a terminal.
pub fn showable(text: &str) -> String {
    let unfit = |c: char| {
        c.is_control() || matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let escape = |c: char| if unfit(c) { c.escape_unicode().to_string() } else { c.to_string() };
    text.chars().take(CallEnd::TEXT_MAX).map(escape).collect::<String>().chars().take(CallEnd::TEXT_MAX).collect()
}

fn class_of_status(status: u16, rang: bool) -> (EndReason, Party) {
    use EndReason as R;
    match status {
        300..=399 => (R::Redirected, Party::Carrier),
        401 | 407 => (R::AuthenticationFailed, Party::Us),
        403 => (R::Forbidden, Party::Carrier),
        404 | 410 | 484 | 485 | 604 => (R::Unallocated, Party::Callee),
        408 => (R::NoAnswer, Party::Callee),
        480 if rang => (R::NoAnswer, Party::Callee),
        430 | 480 => (R::Unavailable, Party::Callee),
        486 | 600 => (R::Busy, Party::Callee),
        487 => (R::Cancelled, Party::Carrier),
        415 | 488 | 606 => (R::MediaRefused, Party::Carrier),
        603 => (R::Rejected, Party::Callee),
        // RFC 8197, RFC 8688: analytics of the carrier, not the callee, took it for spam.
        607 | 608 => (R::Rejected, Party::Carrier),
        402 | 406 | 433 | 436..=438 => (R::Forbidden, Party::Carrier),
        500..=599 if !matches!(status, 501 | 505 | 513) => (R::Congestion, Party::Carrier),
        600..=699 => (R::Rejected, Party::Callee),
        // What is left of 4xx and 5xx complains about our message.
        _ => (R::ProtocolError, Party::Us),
    }
}

/// Q.850 table 1, with RFC 3398 §7.2.4.1 and §8.2.6.1 for what each means in SIP; `None` for causes that say nothing.
fn class_of_cause(cause: u16) -> Option<(EndReason, Party)> {
    use EndReason as R;
    Some(match cause {
        1 | 2 | 3 | 22 | 26 | 28 => (R::Unallocated, Party::Callee),
        17 => (R::Busy, Party::Callee),
        18 | 19 => (R::NoAnswer, Party::Callee),
        20 | 27 => (R::Unavailable, Party::Callee),
        21 => (R::Rejected, Party::Callee),
        34 | 38 | 41 | 42 | 44 | 47 | 58 => (R::Congestion, Party::Carrier),
        29 | 50 | 55 | 57 | 87 => (R::Forbidden, Party::Carrier),
        65 | 70 | 88 => (R::MediaRefused, Party::Carrier),
        _ => return None,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(status: u16, q850: Option<u16>, rang: bool) -> EndReason {
        CallEnd::of_status(status, EndDetail { q850, ..EndDetail::default() }, rang).reason
    }

    #[test]
    fn each_status_has_its_class() {
        use EndReason as R;
        for (status, expected) in [
            (302, R::Redirected),
            (403, R::Forbidden),
            (404, R::Unallocated),
            (407, R::AuthenticationFailed),
            (408, R::NoAnswer),
            (480, R::Unavailable),
            (482, R::ProtocolError),
            (486, R::Busy),
            (487, R::Cancelled),
            (488, R::MediaRefused),
            (499, R::ProtocolError),
            (500, R::Congestion),
            (503, R::Congestion),
            (505, R::ProtocolError),
            (599, R::Congestion),
            (600, R::Busy),
            (603, R::Rejected),
            (604, R::Unallocated),
            (608, R::Rejected),
            (699, R::Rejected),
        ] {
            assert_eq!(reason(status, None, false), expected, "{status}");
        }
    }

    #[test]
    fn a_cause_refines_a_vague_status_and_no_other() {
        assert_eq!(reason(480, Some(18), false), EndReason::NoAnswer);
        assert_eq!(reason(480, Some(31), true), EndReason::NoAnswer);
        assert_eq!(reason(503, Some(1), false), EndReason::Unallocated);
        assert_eq!(reason(500, Some(16), false), EndReason::Congestion);
        assert_eq!(reason(486, Some(21), false), EndReason::Busy);
        assert_eq!(reason(603, Some(17), false), EndReason::Rejected);
    }

    #[test]
    fn the_carriers_words_cannot_move_a_cursor() {
        assert_eq!(showable("a\u{1b}[2Jb\r\n"), "a\\u{1b}[2Jb\\u{d}\\u{a}");
        assert_eq!(showable(&"\u{7}".repeat(1000)).chars().count(), CallEnd::TEXT_MAX);
    }
}
