//! The truth of delivery: what was read to whom, and who ended the call.

use serde::Serialize;

use super::reason::Reason;
use crate::base::time::UnixTime;

/// Who caused the end of a call. As JSON: `"us"`, `"carrier"`, `"callee"`, `"caller"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// This daemon, by its own rules.
    Us,
    /// The trunk, or what lies between it and the callee.
    Carrier,
    /// The called person or device.
    Callee,
    /// The API's client.
    Caller,
}

impl Party {
    /// The word of the API and of the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Party::Us => "us",
            Party::Carrier => "carrier",
            Party::Callee => "callee",
            Party::Caller => "caller",
        }
    }

    /// The party of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Party::Us, Party::Carrier, Party::Callee, Party::Caller].into_iter().find(|party| party.as_str() == word)
    }
}

/// What became of one attempt to read a code to someone. Serializes as the `delivery` object of the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// When the callee answered: RFC 3339, `null` when nobody did.
    #[serde(serialize_with = "rfc_3339")]
    pub answered_at: Option<UnixTime>,
    /// Readings of which every digit was sent to the last sample.
    pub readings_completed: u32,
    /// Digits sent to the last sample in the reading that was begun last; the code's length when it was completed.
    pub digits_read: u32,
    /// How often the callee started the reading again.
    pub repeats: u32,
    /// Who ended an answered call; `null` when it was not answered.
    pub hung_up_by: Option<Party>,
    /// The name of the trunk; `null` when no trunk was chosen.
    pub trunk: Option<String>,
    /// The final SIP status, when one ended the attempt.
    pub sip_status: Option<u16>,
    /// Why the attempt ended.
    pub reason: Reason,
    /// The Q.850 cause, when the carrier gave one.
    pub q850: Option<u16>,
}

impl Delivery {
    /// Of an attempt that ended before anything was dialled, over `trunk` when one was chosen.
    pub fn undialled(reason: Reason, trunk: Option<String>) -> Self {
        Delivery {
            answered_at: None,
            readings_completed: 0,
            digits_read: 0,
            repeats: 0,
            hung_up_by: None,
            trunk,
            sip_status: None,
            reason,
            q850: None,
        }
    }
}

fn rfc_3339<S: serde::Serializer>(at: &Option<UnixTime>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(|at| at.to_string()).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delivery_has_the_documented_json() {
        let delivery = Delivery {
            answered_at: Some(UnixTime::from_millis(1_767_225_600_000)),
            readings_completed: 1,
            digits_read: 2,
            repeats: 1,
            hung_up_by: Some(Party::Callee),
            trunk: Some("lab".to_owned()),
            sip_status: Some(200),
            reason: Reason::Delivered,
            q850: Some(16),
        };
        let json = serde_json::to_string(&delivery).expect("plain values");
        assert_eq!(
            json,
            r#"{"answered_at":"2026-01-01T00:00:00Z","readings_completed":1,"digits_read":2,"repeats":1,"hung_up_by":"callee","trunk":"lab","sip_status":200,"reason":"delivered","q850":16}"#
        );
        let never = Delivery { answered_at: None, hung_up_by: None, trunk: None, q850: None, ..delivery };
        let json = serde_json::to_value(&never).expect("plain values");
        assert!(["answered_at", "hung_up_by", "trunk", "q850"].iter().all(|key| json[key].is_null()), "{json}");
    }

    #[test]
    fn party_words_read_back_and_are_those_of_the_json() {
        for party in [Party::Us, Party::Carrier, Party::Callee, Party::Caller] {
            assert_eq!(Party::from_word(party.as_str()), Some(party));
            assert_eq!(serde_json::to_value(party).expect("a word"), party.as_str());
        }
    }
}
