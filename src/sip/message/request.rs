//! Requests (RFC 3261 §7.1).

use std::fmt;

use bytes::{Bytes, BytesMut};

use super::header_name::HeaderName;
use super::header_value::HeaderValue;
use super::headers::Headers;
use super::method::Method;
use super::uri::Uri;

/// Max-Forwards of a request that begins here (RFC 3261 §8.1.1.6).
pub const MAX_FORWARDS: u32 = 70;

/// A request. Cloning shares the received bytes.
#[derive(Clone)]
pub struct Request {
    method: Method,
    uri: Uri,
    headers: Headers,
    body: Bytes,
}

impl Request {
    /// A request without header fields and body.
    pub fn new(method: Method, uri: impl Into<Uri>) -> Self {
        Request { method, uri: uri.into(), headers: Headers::new(), body: Bytes::new() }
    }

    pub(super) fn from_parts(method: Method, uri: Uri, headers: Headers, body: Bytes) -> Self {
        Request { method, uri, headers, body }
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The Request-URI.
    pub fn uri(&self) -> &Uri {
        &self.uri
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

    /// The request with a body and its Content-Type.
    pub fn with_body(mut self, content_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        self.headers.set(HeaderName::ContentType, content_type);
        self.body = body.into();
        self
    }

    /// The request as it goes on the wire; Content-Length is the body's length.
    pub fn to_bytes(&self) -> Bytes {
        let start_line = format!("{} {} SIP/2.0\r\n", self.method, self.uri);
        write_message(&start_line.into_bytes(), &self.headers, &self.body)
    }
}

/// Shows no header values, URI or body: they hold numbers and credentials.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("method", &self.method).field("headers", &self.headers).finish_non_exhaustive()
    }
}

pub(super) fn write_message(start_line: &[u8], headers: &Headers, body: &[u8]) -> Bytes {
    // Enough for the usual message; it grows when it is not.
    let mut out = BytesMut::with_capacity(1024 + body.len());
    out.extend_from_slice(start_line);
    headers.write(&mut out);
    out.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    out.extend_from_slice(body);
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::super::{CSeq, Message, NameAddr, Token, Via};
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let uri = Uri::try_from("sip:+84919273027@127.0.0.1:5070").expect("valid");
        let mut request = Request::new(Method::Invite, uri.clone());
        let via = Via::new(Token::from_static("UDP"), "127.0.0.1".try_into().expect("valid"), Some(5060), "abc");
        request.headers_mut().push(HeaderName::Via, &via);
        request.headers_mut().push(HeaderName::From, NameAddr::new(uri.clone()).with_tag("x"));
        request.headers_mut().push(HeaderName::CSeq, CSeq::new(1, Method::Invite));
        request.headers_mut().push(HeaderName::ContentLength, 99);
        let sdp = HeaderValue::try_from("application/sdp").expect("printable");
        let request = request.with_body(sdp, &b"v=0\r\n"[..]);
        let Ok(Message::Request(read)) = Message::parse(request.to_bytes()) else { panic!("a request") };
        assert_eq!((read.method(), read.uri(), read.body()), (&Method::Invite, &uri, &b"v=0\r\n"[..]));
        assert_eq!(read.headers().top_via(), Ok(via));
        assert_eq!(read.headers().content_length(), Ok(Some(5)));
        assert_eq!(read.content_type().as_deref(), Some("application/sdp"));
        assert_eq!(read.to_bytes(), request.to_bytes());
    }
}
