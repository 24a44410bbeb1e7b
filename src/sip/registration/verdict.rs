//! What a response to REGISTER means.

use crate::sip::message::{Contact, DEFAULT_PORT, HeaderName, Headers, NameAddr, Uri};

/// The longest interval that we ask for or believe in: a week. IMS registrars grant 600,000 s.
pub(super) const MAX_EXPIRES: u32 = 604_800;

/// What to do about a final response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// 2xx
    Accepted,
    /// 401, 407
    Challenged,
    /// 423
    TooBrief,
    /// The fault may pass, or lies with this target: back-off (RFC 3261 §21.5.4).
    Transient,
    /// The registrar understood and does not want it: only a change of configuration, theirs or ours, will help.
    Refused,
}

impl Verdict {
    /// The verdict on a status of 200 or more. A code that nobody knows counts as x00 (RFC 3261 §8.1.3.2).
    pub fn on(status: u16) -> Self {
        match status {
            200..=299 => Verdict::Accepted,
            401 | 407 => Verdict::Challenged,
            423 => Verdict::TooBrief,
            // Timeouts, overload, loops, dead flows and too many requests.
            408 | 429 | 430 | 480 | 481 | 482 | 483 | 486 | 487 | 491 => Verdict::Transient,
            // What no repetition cures: not implemented, another version, too large.
            501 | 505 | 513 => Verdict::Refused,
            500..=599 => Verdict::Transient,
            // 403 and 404 among them; and 3xx, which is not followed.
            _ => Verdict::Refused,
        }
    }
}

/// The interval to ask for after a 423 (RFC 3261 §10.2.8); `None` when Min-Expires is absent, absurd or no more than what
/// was asked for.
pub(super) fn raised_expires(response: &Headers, asked: u32) -> Option<u32> {
    response.min_expires().filter(|minimum| (asked + 1..=MAX_EXPIRES).contains(minimum))
}

/// The seconds for which the registrar holds `contact`, by a 2xx to a REGISTER that asked for `asked` (RFC 3261 §10.2.4).
///
/// The `expires` of our own Contact among all that come back. An SBC may have rewritten ours beyond recognition: then
/// the only one, or else the shortest. Expires, and what was asked, stand in for a missing `expires`.
pub(super) fn granted_expires(response: &Headers, contact: &Uri, asked: u32) -> u32 {
    let name = HeaderName::Contact;
    let bound: Vec<NameAddr> = response
        .elements(&name)
        .filter_map(|element| Contact::parse(element).ok())
        .filter_map(|contact| contact.address().cloned())
        .collect();
    let general = response.expires().unwrap_or(asked);
    let of = |address: &NameAddr| address.expires().unwrap_or(general);
    let ours = bound
        .iter()
        .find(|address| address.uri.equivalent(contact))
        .or_else(|| bound.iter().find(|address| is_same_endpoint(&address.uri, contact)));
    let granted = match ours {
        Some(address) => of(address),
        None => bound.iter().map(of).min().unwrap_or(general),
    };
    granted.min(MAX_EXPIRES)
}

/// Whether user, host and port agree; parameters come and go on the way.
fn is_same_endpoint(a: &Uri, b: &Uri) -> bool {
    let port = |uri: &Uri| uri.port().unwrap_or(DEFAULT_PORT);
    a.user() == b.user() && a.host() == b.host() && port(a) == port(b)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::sip::message::Message;

    fn headers(fields: &str) -> Headers {
        let text = format!("SIP/2.0 200 OK\r\n{fields}\r\n");
        match Message::parse(Bytes::from(text)) {
            Ok(message) => message.headers().clone(),
            Err(malformed) => panic!("{fields}: {malformed:?}"),
        }
    }

    #[test]
    fn statuses_are_judged() {
        let cases = [
            (&[200, 202, 299][..], Verdict::Accepted),
            (&[401, 407], Verdict::Challenged),
            (&[423], Verdict::TooBrief),
            (&[408, 429, 480, 482, 500, 502, 503, 504, 580, 599], Verdict::Transient),
            (&[301, 302, 400, 403, 404, 405, 416, 420, 499, 501, 505, 513, 600, 603, 699], Verdict::Refused),
        ];
        for (statuses, verdict) in cases {
            for status in statuses {
                assert_eq!(Verdict::on(*status), verdict, "{status}");
            }
        }
    }

    #[test]
    fn min_expires_must_be_more_than_asked_and_not_absurd() {
        for (field, raised) in [
            ("Min-Expires: 600\r\n", Some(600)),
            ("Min-Expires: 604800\r\n", Some(604_800)),
            ("", None),
            ("Min-Expires: 300\r\n", None),
            ("Min-Expires: 60\r\n", None),
            ("Min-Expires: 604801\r\n", None),
            ("Min-Expires: 99999999999999999999\r\n", None),
            ("Min-Expires: soon\r\n", None),
        ] {
            assert_eq!(raised_expires(&headers(field), 300), raised, "{field}");
        }
    }

    #[test]
    fn the_granted_interval_is_that_of_our_own_contact() {
        let ours = Uri::try_from("sip:alice@192.0.2.4:5070").expect("valid");
        for (fields, granted) in [
            ("Contact: <sip:alice@192.0.2.4:5070>;expires=120\r\n", 120),
            ("Contact: <sip:other@192.0.2.9>;expires=9, <sip:alice@192.0.2.4:5070>;expires=120\r\nExpires: 7\r\n", 120),
            ("m: <sip:other@192.0.2.9>;expires=9\r\nm: <sip:alice@192.0.2.4:5070>\r\nExpires: 700\r\n", 700),
            ("Contact: <sip:alice@192.0.2.4:5070;ob;transport=udp>;expires=50, <sip:x@y>;expires=3\r\n", 50),
            ("Contact: <sip:alice@sbc.example>;expires=80\r\n", 80),
            ("Contact: <sip:a@sbc.example>;expires=80, <sip:b@sbc.example>;expires=70\r\n", 70),
            ("Contact: <sip:alice@192.0.2.4:5070>\r\n", 3600),
            ("Expires: 1800\r\n", 1800),
            ("", 3600),
            ("Contact: <sip:alice@192.0.2.4:5070>;expires=0\r\n", 0),
            ("Contact: <sip:alice@192.0.2.4:5070>;expires=4294967296000\r\n", MAX_EXPIRES),
            ("Contact: broken, <sip:alice@192.0.2.4:5070>;expires=120\r\n", 120),
        ] {
            assert_eq!(granted_expires(&headers(fields), &ours, 3600), granted, "{fields}");
        }
    }
}
