//! SIP messages (RFC 3261 §7, §25): bytes in, typed values on demand, bytes out.
//!
//! Reading is one bounded pass over the datagram that notes where each header field stands ([`Message::parse`]);
//! nothing is interpreted until it is asked for ([`Headers`]). What we write goes through types that cannot hold a
//! line break, so that no value can add a header field of its own ([`HeaderValue`], [`UserPart`]).
//!
//! | rule | where | test |
//! |---|---|---|
//! | RFC 3261 §7.3.1 folding, case, repeated fields and comma lists are one | `parse`, `headers` | `parse::tests`, `headers::tests` |
//! | §7.3.3 compact forms | `header_name` | `header_name::tests` |
//! | §7.5 empty lines before the start line are skipped | `parse` | `parse::tests` |
//! | §8.1.1, §8.2.2 mandatory and single fields, CSeq's method, 416 | `check` | `check::tests` |
//! | §8.1.3.3 a response with more than one Via is dropped | `check` | `check::tests` |
//! | §8.2.6.2 a response copies Via, From, To, Call-ID, CSeq | `response` | `response::tests` |
//! | §18.3 what follows Content-Length in a datagram is ignored; too few bytes is an error | `parse` | `parse::tests` |
//! | §19.1.2, §19.1.4 escaping and comparing URIs | `uri` | `uri::tests` |
//! | §20.10 an address without `<>` holds no comma, `?` or `;` of the URI | `name_addr` | `name_addr::tests` |
//! | §21.5.7 513 for a message beyond our limits | `parse` | `parse::tests` |
//! | RFC 4475, RFC 5118 torture messages | everywhere | `tests/malformed` |
//!
//! Not here, because they are a user agent's decisions: 405/501, 415, 420 and matching of RFC 2543 keys.

mod auth;
mod check;
mod cseq;
mod header_name;
mod header_value;
mod headers;
mod host;
mod lex;
mod method;
mod name_addr;
mod params;
mod parse;
mod reason;
mod request;
mod response;
mod status;
mod token;
mod uri;
mod uri_params;
mod user_part;
mod via;

pub use auth::{Challenge, Credentials};
pub use check::{check_request, check_response};
pub use cseq::CSeq;
pub use header_name::HeaderName;
pub use header_value::HeaderValue;
pub use headers::Headers;
pub use host::{DEFAULT_PORT, Host, HostName};
pub use lex::BadValue;
pub use method::Method;
pub use name_addr::{Contact, NameAddr};
pub use params::Params;
pub(super) use parse::announced_length;
pub use parse::{MAX_HEADER_BYTES, MAX_HEADER_FIELDS, MAX_MESSAGE_BYTES, Malformed};
pub use reason::Reason;
pub use request::{MAX_FORWARDS, Request};
pub use response::Response;
pub use status::StatusCode;
pub use token::Token;
pub use uri::{OtherUri, SipUri, TelUri, Uri};
pub use uri_params::UriParams;
pub use user_part::UserPart;
pub use via::{MAGIC_COOKIE, Via};

use bytes::Bytes;

/// A request or a response. Cloning shares the received bytes.
#[derive(Clone, Debug)]
pub enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

impl Message {
    /// Reads the message that a datagram, or a frame cut from a stream, holds.
    ///
    /// Only the start line, the shape of the header lines, Content-Length and the limits are judged here; the rest is
    /// judged by [`check_request`], [`check_response`] or on typed access. A [`Malformed`] request says what to
    /// answer.
    pub fn parse(bytes: Bytes) -> Result<Message, Malformed> {
        parse::parse(bytes)
    }

    /// The message as it goes on the wire, with the Content-Length that its body has.
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Message::Request(request) => request.to_bytes(),
            Message::Response(response) => response.to_bytes(),
        }
    }

    /// The header fields.
    pub fn headers(&self) -> &Headers {
        match self {
            Message::Request(request) => request.headers(),
            Message::Response(response) => response.headers(),
        }
    }

    /// The header fields, to change.
    pub fn headers_mut(&mut self) -> &mut Headers {
        match self {
            Message::Request(request) => request.headers_mut(),
            Message::Response(response) => response.headers_mut(),
        }
    }

    /// The body; empty when there is none.
    pub fn body(&self) -> &[u8] {
        match self {
            Message::Request(request) => request.body(),
            Message::Response(response) => response.body(),
        }
    }
}

impl From<Request> for Message {
    fn from(request: Request) -> Self {
        Message::Request(request)
    }
}

impl From<Response> for Message {
    fn from(response: Response) -> Self {
        Message::Response(response)
    }
}
