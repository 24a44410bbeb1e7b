//! What a request must be before it reaches a call (RFC 3261 §8.2), as far as a user agent decides it.

use crate::sip::invite_session::add_allow;
use crate::sip::message::{HeaderName, HeaderValue, Headers, Method, Request, Response, check_request};

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status to answer with.
    pub status: u16,
    /// The reason phrase, where the usual one says too little.
    pub reason: Option<HeaderValue>,
    /// What the response says besides.
    pub header: Option<(HeaderName, HeaderValue)>,
}

impl Refusal {
    /// A refusal that its status explains.
    pub fn new(status: u16) -> Self {
        Refusal { status, reason: None, header: None }
    }

    fn with(status: u16, name: HeaderName, value: &str) -> Self {
        let header = HeaderValue::try_from(value).ok().map(|value| (name, value));
        Refusal { status, reason: None, header }
    }

    /// The response to `request`, without tag.
    pub fn response(self, request: &Request) -> Response {
        let mut response = Response::reply_to(request, self.status);
        if let Some(reason) = &self.reason {
            response = response.with_reason(reason);
        }
        if let Some((name, value)) = self.header {
            response.headers_mut().push(name, value);
        }
        if matches!(self.status, 405 | 501) {
            add_allow(response.headers_mut());
        }
        response
    }
}

/// Judges any request.
///
/// # Errors
/// The refusal to answer with.
pub fn screen(request: &Request) -> Result<(), Refusal> {
    check_request(request).map_err(|(status, reason)| Refusal {
        status,
        reason: HeaderValue::try_from(reason).ok(),
        header: None,
    })?;
    // RFC 3261 §8.2.2.3: no extension is supported. Proxy-Require is for proxies.
    let required = request.headers().require();
    if !required.is_empty() {
        return Err(Refusal::with(420, HeaderName::Unsupported, &required.join(", ")));
    }
    Ok(())
}

/// Judges the content of an INVITE outside of a dialog (RFC 3261 §8.2.3).
///
/// # Errors
/// The refusal to answer with.
pub fn screen_content(invite: &Request) -> Result<(), Refusal> {
    let headers = invite.headers();
    let optional = headers
        .first(&HeaderName::ContentDisposition)
        .is_some_and(|value| value.to_ascii_lowercase().ends_with(b"handling=optional"));
    if !invite.body().is_empty() && !optional {
        let encoded =
            headers.elements(&HeaderName::ContentEncoding).any(|coding| !coding.eq_ignore_ascii_case(b"identity"));
        if encoded {
            return Err(Refusal::with(415, HeaderName::AcceptEncoding, "identity"));
        }
        if headers.content_type().is_some_and(|kind| kind != "application/sdp") {
            return Err(Refusal::with(415, HeaderName::Accept, "application/sdp"));
        }
    }
    if !accepts_sdp(headers) {
        return Err(Refusal::new(406));
    }
    Ok(())
}

/// The refusal of a request outside of dialogs that nobody here takes.
pub fn unsupported(method: &Method) -> Refusal {
    match method {
        // They make sense inside of a dialog only.
        Method::Bye | Method::Info | Method::Update | Method::Prack => Refusal::new(481),
        // RFC 3261 §8.2.1, §21.5.2
        Method::Other(_) => Refusal::new(501),
        _ => Refusal::new(405),
    }
}

/// RFC 3261 §20.1: without Accept, application/sdp is accepted.
fn accepts_sdp(headers: &Headers) -> bool {
    let mut kinds = headers.elements(&HeaderName::Accept).peekable();
    kinds.peek().is_none()
        || kinds.any(|kind| {
            let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
            [&b"application/sdp"[..], b"application/*", b"*/*"].iter().any(|known| known.eq_ignore_ascii_case(kind))
        })
}
