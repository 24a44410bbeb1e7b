//! Responses (RFC 3261 §7.2, §8.2.6).

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use super::header_name::HeaderName;
use super::header_value::HeaderValue;
use super::headers::Headers;
use super::request::{Request, write_message};
use super::status::StatusCode;
use super::token::Token;

/// A response. Cloning shares the received bytes.
#[derive(Clone)]
pub struct Response {
    status: StatusCode,
    reason: Bytes,
    headers: Headers,
    body: Bytes,
}

impl Response {
    /// A response without header fields and body; without `reason`, the default phrase of the status.
    pub fn new(status: StatusCode, reason: Option<HeaderValue>) -> Self {
        let reason = match reason {
            Some(reason) => Bytes::from(reason.to_string()),
            None => Bytes::from_static(status.default_reason().as_bytes()),
        };
        Response { status, reason, headers: Headers::new(), body: Bytes::new() }
    }

    pub(super) fn from_parts(status: StatusCode, reason: Bytes, headers: Headers, body: Bytes) -> Self {
        Response { status, reason, headers, body }
    }

    /// The answer `status` to `request`, with what RFC 3261 §8.2.6.2 copies, and Record-Route and Timestamp where
    /// they are copied (§12.1.1, §8.2.6.1). The caller sets the To tag.
    ///
    /// A `status` outside of 100 to 699 counts as 500.
    pub fn reply_to(request: &Request, status: u16) -> Self {
        let status = StatusCode::new(status).unwrap_or(StatusCode::SERVER_INTERNAL_ERROR);
        let mut response = Response::reply_to_headers(request.headers(), status);
        if status.class() <= 2 {
            response.headers.copy(request.headers(), &HeaderName::RecordRoute);
        }
        if status.get() == 100 {
            response.headers.copy(request.headers(), &HeaderName::Timestamp);
        }
        response
    }

    pub(super) fn reply_to_headers(headers: &Headers, status: StatusCode) -> Self {
        let mut response = Response::new(status, None);
        response.headers.copy(headers, &HeaderName::Via);
        // A malformed request may have several; an answer has one.
        for name in [HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq] {
            response.headers.copy_first(headers, &name);
        }
        response
    }

    /// The response with another reason phrase.
    pub fn with_reason(mut self, reason: &HeaderValue) -> Self {
        self.reason = Bytes::from(reason.to_string());
        self
    }

    /// The status code as a number.
    pub fn status(&self) -> u16 {
        self.status.get()
    }

    /// The status code.
    pub fn status_code(&self) -> StatusCode {
        self.status
    }

    /// The reason phrase; bytes that are not UTF-8 are replaced. It comes from the peer and must be escaped where it
    /// is shown.
    pub fn reason(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.reason)
    }

    /// The header fields.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The header fields, to change.
    pub fn headers_mut(&mut self) -> &mut Headers {
        &mut self.headers
    }

    /// The body; empty when there is none.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Content-Type without parameters, in lower case.
    pub fn content_type(&self) -> Option<String> {
        self.headers.content_type()
    }

    /// Gives To the tag `tag`, unless it has one already (RFC 3261 §8.2.6.2) or cannot be read; the rest of the field
    /// stays byte by byte. A `tag` that is no token changes nothing.
    pub fn set_to_tag(&mut self, tag: &str) {
        if let Ok(tag) = Token::try_from(tag)
            && self.headers.to().is_ok_and(|to| to.tag().is_none())
        {
            self.headers.append_param(&HeaderName::To, &Token::from_static("tag"), &tag);
        }
    }

    /// The response with a body and its Content-Type.
    pub fn with_body(mut self, content_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        self.headers.set(HeaderName::ContentType, content_type);
        self.body = body.into();
        self
    }

    /// The response as it goes on the wire; Content-Length is the body's length.
    pub fn to_bytes(&self) -> Bytes {
        let mut start_line = format!("SIP/2.0 {} ", self.status).into_bytes();
        start_line.extend_from_slice(&self.reason);
        start_line.extend_from_slice(b"\r\n");
        write_message(&start_line, &self.headers, &self.body)
    }
}

/// Shows no header values, URI or body: they hold numbers and credentials.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status).field("headers", &self.headers).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Message;
    use super::*;

    fn invite() -> Request {
        let text = b"INVITE sip:a@b SIP/2.0\r\nv: SIP/2.0/UDP one, SIP/2.0/UDP two\r\nVia: SIP/2.0/UDP three\r\n\
            Record-Route: <sip:p;lr>\r\nt: \"A\xe9\" <sip:a@b>\r\nf: <sip:c@d>;tag=1\r\ni: x\r\nCSeq: 7 INVITE\r\n\r\n";
        match Message::parse(Bytes::from_static(text)) {
            Ok(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_reply_copies_what_it_must() {
        let mut response = Response::reply_to(&invite(), 180);
        response.set_to_tag("t");
        response.set_to_tag("again");
        let vias: Vec<_> = response.headers().vias().expect("valid").iter().map(|via| via.host.to_string()).collect();
        assert_eq!(vias, ["one", "two", "three"]);
        assert_eq!(response.headers().to().expect("valid").tag(), Some("t"));
        assert_eq!(response.headers().first(&HeaderName::To), Some(&b"\"A\xe9\" <sip:a@b>;tag=t"[..]));
        assert_eq!(response.headers().call_id(), Ok("x"));
        assert_eq!(response.headers().record_routes().expect("valid").len(), 1);
        assert!(response.to_bytes().starts_with(b"SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP one, SIP/2.0/UDP two\r\n"));
        assert!(!Response::reply_to(&invite(), 486).headers().has(&HeaderName::RecordRoute));
    }

    #[test]
    fn a_reason_stays_as_it_was_written() {
        let bytes = Bytes::from_static(b"SIP/2.0 200 = 2**3 \xd0\xbd\xff\r\n\r\n");
        let Ok(Message::Response(response)) = Message::parse(bytes) else { panic!("a response") };
        assert_eq!(response.reason(), "= 2**3 н\u{fffd}");
        assert!(response.to_bytes().starts_with(b"SIP/2.0 200 = 2**3 \xd0\xbd\xff\r\n"));
    }
}
