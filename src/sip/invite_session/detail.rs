//! What calls read from messages: why they end, and the description they carry.

use std::time::Duration;

use crate::sip::call_end::{EndDetail, showable};
use crate::sip::message::{Headers, Response};
use crate::sip::offer_answer::{MediaRefused, read_description};
use crate::wire::sdp::SessionDescription;

/// What a response says about the end of the call.
pub fn of_response(response: &Response) -> EndDetail {
    let mut detail = of_headers(response.headers());
    if detail.text.is_none() {
        detail.text = Some(showable(&response.reason())).filter(|text| !text.is_empty());
    }
    detail
}

/// What a BYE or CANCEL says about the end of the call (RFC 3326); of several reasons the first Q.850 cause counts, and
/// its text before those of others.
pub fn of_headers(headers: &Headers) -> EndDetail {
    let reasons = headers.reasons();
    let q850 = reasons.iter().find(|reason| reason.protocol.is("Q.850"));
    let text = q850.and_then(|reason| reason.text()).or_else(|| reasons.iter().find_map(|reason| reason.text()));
    EndDetail {
        q850: q850.and_then(|reason| reason.cause()),
        text: text.map(showable).filter(|text| !text.is_empty()),
        retry_after: headers.retry_after().map(|seconds| Duration::from_secs(u64::from(seconds))),
    }
}

/// The session description that a message with these `headers` and this `body` carries.
///
/// # Errors
/// [`MediaRefused::Missing`] when there is no body, or one of another type. A body without a type is tried.
pub fn read(headers: &Headers, body: &[u8]) -> Result<SessionDescription, MediaRefused> {
    match headers.content_type() {
        Some(kind) if kind != "application/sdp" => Err(MediaRefused::Missing),
        _ => read_description(body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::Message;

    fn response(text: &str) -> Response {
        match Message::parse(text.replace('\n', "\r\n").into_bytes().into()) {
            Ok(Message::Response(response)) => response,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn several_reasons_are_read() {
        let text = "SIP/2.0 480 Gone\nReason: SIP;cause=480;text=\"off\", Q.850;cause=18;text=\"No user\u{7f}\"\nRetry-After: 30\n\n";
        let detail = of_response(&response(text));
        assert_eq!((detail.q850, detail.retry_after), (Some(18), Some(Duration::from_secs(30))));
        assert_eq!(detail.text.as_deref(), Some("No user\\u{7f}"));
        assert_eq!(of_response(&response("SIP/2.0 486 Busy \u{1b}[1m\n\n")).text.as_deref(), Some("Busy \\u{1b}[1m"));
    }

    #[test]
    fn a_body_of_another_type_is_no_description() {
        let text = |kind: &str| format!("SIP/2.0 200 OK\n{kind}Content-Length: 26\n\nv=0\nm=audio 4 RTP/AVP 0\n");
        let read = |kind: &str| {
            let response = response(&text(kind));
            read(response.headers(), response.body())
        };
        assert!(read("").is_ok() && read("Content-Type: application/SDP;x=y\n").is_ok());
        assert_eq!(read("Content-Type: multipart/mixed;boundary=x\n"), Err(MediaRefused::Missing));
    }
}
