//! What a received message must be before anything acts on it (RFC 3261 §8.1.1, §8.1.3.3, §8.2.2, §16.3).

use super::header_name::HeaderName;
use super::headers::Headers;
use super::lex::BadValue;
use super::method::Method;
use super::request::Request;
use super::response::Response;
use super::uri::{SipUri, Uri};

/// Fields that may stand once only (RFC 3261 §7.3.1, RFC 4475 §3.3.8).
const SINGLE: [HeaderName; 8] = [
    HeaderName::From,
    HeaderName::To,
    HeaderName::CallId,
    HeaderName::CSeq,
    HeaderName::MaxForwards,
    HeaderName::ContentLength,
    HeaderName::ContentType,
    HeaderName::Expires,
];

/// Judges a received request as a server must; the error is the status and reason phrase to answer with.
///
/// A missing Max-Forwards is forgiven, as RFC 2543 clients send none. Methods, extensions and body types are the user
/// agent's to judge (405, 420, 415).
pub fn check_request(request: &Request) -> Result<(), (u16, String)> {
    let headers = request.headers();
    let bad = |error: BadValue| (400, format!("Bad Request ({error})"));
    check_common(headers).map_err(bad)?;
    headers.contacts().map_err(bad)?;
    if let Some(value) = headers.first(&HeaderName::MaxForwards) {
        // RFC 3261 §20.22: 0 to 255; more is harmless, since nothing of ours forwards.
        super::lex::saturating_u32(value).ok_or(bad(BadValue::new("Max-Forwards", "is no number")))?;
    }
    let cseq = headers.cseq().map_err(bad)?;
    if cseq.method != *request.method() {
        return Err(bad(BadValue::new("CSeq", "names another method than the request line")));
    }
    if *request.method() == Method::Register {
        check_register(headers).map_err(bad)?;
    }
    match request.uri() {
        // RFC 3261 §19.1.1: headers are not allowed in a Request-URI, and never to be acted on.
        Uri::Sip(uri) if SipUri::headers(uri).is_some() => {
            Err(bad(BadValue::new("Request-URI", "carries header fields")))
        }
        Uri::Sip(_) | Uri::Tel(_) => Ok(()),
        Uri::Other(_) => Err((416, "Unsupported URI Scheme".to_owned())),
    }
}

/// Judges a received response as a client must; one that fails is dropped without a word.
pub fn check_response(response: &Response) -> Result<(), BadValue> {
    let headers = response.headers();
    check_common(headers)?;
    // RFC 3261 §8.1.3.3: more than one Via means that the response went astray.
    if headers.elements(&HeaderName::Via).count() > 1 {
        return Err(BadValue::new("Via", "is not ours alone"));
    }
    Ok(())
}

fn check_common(headers: &Headers) -> Result<(), BadValue> {
    for name in &SINGLE {
        if headers.raw(name).nth(1).is_some() {
            return Err(BadValue::new("header", "that may stand once stands twice"));
        }
    }
    if headers.vias()?.is_empty() {
        return Err(BadValue::new("Via", "is missing"));
    }
    headers.from()?;
    headers.to()?;
    headers.call_id()?;
    headers.cseq()?;
    Ok(())
}

/// RFC 3261 §10.2.2: `*` stands alone and with `Expires: 0`.
fn check_register(headers: &Headers) -> Result<(), BadValue> {
    let contacts = headers.contacts()?;
    let star = contacts.iter().any(|contact| contact.address().is_none());
    if star && (contacts.len() > 1 || headers.expires() != Some(0)) {
        return Err(BadValue::new("Contact", "is * without Expires: 0 or beside another"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::Message;
    use super::*;

    const GOOD: &str = "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\
        From: <sip:b@example.com>;tag=1\r\nTo: <sip:a@example.com>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n\
        Contact: <sip:a@h>\r\nMax-Forwards: 70\r\nExpires: 60\r\n\r\n";

    fn verdict(text: &str) -> u16 {
        match Message::parse(Bytes::from(text.to_owned())) {
            Ok(Message::Request(request)) => check_request(&request).err().map_or(200, |(status, _)| status),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_good_request_passes_also_without_max_forwards() {
        assert_eq!(verdict(GOOD), 200);
        assert_eq!(verdict(&GOOD.replace("Max-Forwards: 70\r\n", "")), 200);
        assert_eq!(
            verdict(&GOOD.replace("Contact: <sip:a@h>", "Contact: *").replace("Expires: 60", "Expires: 0")),
            200
        );
    }

    #[test]
    fn each_mandatory_field_is_missed_and_each_second_one_noticed() {
        for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
            let lines: Vec<&str> = GOOD.split_inclusive("\r\n").collect();
            let line = lines.iter().find(|line| line.starts_with(name)).expect("in the message");
            assert_eq!(verdict(&GOOD.replace(line, "")), 400, "{name}");
            let twice = verdict(&GOOD.replace(line, &format!("{line}{line}")));
            assert_eq!(twice, if name == "Via" { 200 } else { 400 }, "{name}");
        }
    }

    #[test]
    fn contradictions_are_refused() {
        for (from, to, status) in [
            ("CSeq: 1 REGISTER", "CSeq: 1 INVITE", 400),
            ("Max-Forwards: 70", "Max-Forwards: x", 400),
            ("Contact: <sip:a@h>", "Contact: *", 400),
            ("Contact: <sip:a@h>", "Contact: sip:a@h?Route=x", 400),
            ("REGISTER sip:example.com", "REGISTER sip:example.com?Route=%3Csip:x%3E", 400),
            ("REGISTER sip:example.com", "REGISTER http://example.com", 416),
            ("REGISTER sip:example.com", "REGISTER tel:+123", 200),
        ] {
            assert_eq!(verdict(&GOOD.replacen(from, to, 1)), status, "{to}");
        }
    }

    #[test]
    fn a_response_with_two_vias_is_not_for_us() {
        let read = |vias: &str| {
            let text = GOOD.replacen("REGISTER sip:example.com SIP/2.0", "SIP/2.0 200 OK", 1).replacen(
                "SIP/2.0/UDP h",
                vias,
                1,
            );
            match Message::parse(Bytes::from(text)) {
                Ok(Message::Response(response)) => check_response(&response),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(read("SIP/2.0/UDP h"), Ok(()));
        assert!(read("SIP/2.0/UDP g, SIP/2.0/UDP h").is_err());
    }
}
