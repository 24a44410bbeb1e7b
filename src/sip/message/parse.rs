//! The one pass over a message's bytes (RFC 3261 §7, §18.3).

use std::ops::Range;

use bytes::Bytes;

use super::Message;
use super::header_name::HeaderName;
use super::headers::Headers;
use super::lex::is_token;
use super::method::Method;
use super::request::Request;
use super::response::Response;
use super::status::StatusCode;
use super::uri::Uri;

/// The longest message that is read, in bytes: start line, headers and body.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// The longest start line and headers together, in bytes.
pub const MAX_HEADER_BYTES: usize = 16 * 1024;

/// The most header fields.
pub const MAX_HEADER_FIELDS: usize = 256;

/// Bytes that are no SIP message, and what a server would answer to them.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{status} {why}")]
pub struct Malformed {
    status: u16,
    why: &'static str,
    reply: Option<Box<Response>>,
}

impl Malformed {
    /// The status that fits: 400, 505 or 513.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// What is wrong.
    pub fn reason(&self) -> &'static str {
        self.why
    }

    /// The answer to a malformed request, when its Via, From, To, Call-ID and CSeq were there to copy.
    ///
    /// `None` means: drop. Responses, ACKs and bytes that are no SIP at all are never answered.
    pub fn reply(&self) -> Option<Response> {
        self.reply.as_deref().cloned()
    }
}

/// What went wrong before it is known whether an answer can be given.
struct Fault {
    status: u16,
    why: &'static str,
}

const fn bad_request(why: &'static str) -> Fault {
    Fault { status: 400, why }
}

const fn too_large(why: &'static str) -> Fault {
    Fault { status: 513, why }
}

pub(super) fn parse(bytes: Bytes) -> Result<Message, Malformed> {
    let mut headers = Headers::over(bytes.clone());
    let mut start_line = None;
    let scanned = scan(&bytes, &mut start_line, &mut headers);
    let line = &bytes[start_line.unwrap_or(0..0)];
    let read = scanned.and_then(|body_start| {
        let body_end = body_end(&bytes, body_start, &headers)?;
        Ok((read_start_line(line)?, bytes.slice(body_start..body_end)))
    });
    match read {
        Ok((StartLine::Request(method, uri), body)) => {
            Ok(Message::Request(Request::from_parts(method, uri, headers, body)))
        }
        Ok((StartLine::Response(status, reason), body)) => {
            Ok(Message::Response(Response::from_parts(status, bytes.slice_ref(reason), headers, body)))
        }
        Err(Fault { status, why }) => {
            Err(Malformed { status, why, reply: reply(line, &headers, status).map(Box::new) })
        }
    }
}

/// Notes the start line and every header field; returns where the body begins.
///
/// Lines end with CRLF, or with LF alone as some devices write; a CR elsewhere is refused, since others may take it
/// for a line end.
fn scan(bytes: &[u8], start_line: &mut Option<Range<usize>>, headers: &mut Headers) -> Result<usize, Fault> {
    let mut at = 0;
    // RFC 3261 §7.5: empty lines before the start line.
    while matches!(bytes.get(at), Some(b'\r' | b'\n')) {
        at += 1;
    }
    let head_start = at;
    let mut fault = None;
    loop {
        let Some(end) = line_end(bytes, at) else {
            return Err(fault.unwrap_or(bad_request("The message ends inside of its headers")));
        };
        if end.next - head_start > MAX_HEADER_BYTES {
            return Err(too_large("The headers are longer than 16 kB"));
        }
        let line = at..end.line;
        at = end.next;
        if start_line.is_none() {
            *start_line = Some(line.clone());
        }
        if end.stray_cr {
            // Nothing of this line may get into an answer.
            fault = fault.or(Some(bad_request("A line holds a CR")));
            continue;
        }
        if line.start == head_start {
            continue;
        }
        match bytes[line.clone()].first() {
            None => return fault.map_or(Ok(at), Err),
            Some(b' ' | b'\t') if !headers.is_empty() => {
                headers.continue_last(line);
                continue;
            }
            Some(_) => {}
        }
        if headers.len() == MAX_HEADER_FIELDS {
            return Err(too_large("There are more than 256 header fields"));
        }
        let colon = bytes[line.clone()].iter().position(|byte| *byte == b':').map(|colon| line.start + colon);
        let name = colon.map(|colon| {
            let blanks = bytes[line.start..colon].iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            line.start..colon - blanks
        });
        match (name, colon) {
            (Some(name), Some(colon)) if is_token(&bytes[name.clone()]) => {
                headers.note(name, colon + 1..line.end);
            }
            _ => fault = fault.or(Some(bad_request("A header line has no valid name"))),
        }
    }
}

struct LineEnd {
    /// Where the line's content ends.
    line: usize,
    /// Where the next line begins.
    next: usize,
    stray_cr: bool,
}

fn line_end(bytes: &[u8], start: usize) -> Option<LineEnd> {
    let length = bytes[start..].iter().position(|byte| *byte == b'\n')?;
    let next = start + length + 1;
    let line = &bytes[start..start + length];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    Some(LineEnd { line: start + line.len(), next, stray_cr: line.contains(&b'\r') })
}

/// RFC 3261 §18.3: a datagram's bytes after Content-Length are ignored; fewer bytes than that are an error.
fn body_end(bytes: &[u8], body_start: usize, headers: &Headers) -> Result<usize, Fault> {
    let length = headers.content_length().map_err(|error| {
        bad_request(match error.why {
            "contradicts another" => "Content-Length is given twice, differently",
            _ => "Content-Length is no number",
        })
    })?;
    let available = bytes.len() - body_start;
    let length = match length {
        None => available,
        Some(length) => usize::try_from(length).unwrap_or(usize::MAX),
    };
    if body_start.saturating_add(length) > MAX_MESSAGE_BYTES && length <= available {
        return Err(too_large("The message is longer than 64 kB"));
    }
    if length > available {
        return Err(bad_request("The body is shorter than Content-Length"));
    }
    Ok(body_start + length)
}

/// For the framer of streams: the Content-Length of a head that ends with its empty line; `Err` when the header lines
/// or the length are malformed.
pub(in crate::sip) fn announced_length(head: &[u8]) -> Result<Option<usize>, ()> {
    let head = Bytes::copy_from_slice(head);
    let mut headers = Headers::over(head.clone());
    scan(&head, &mut None, &mut headers).map_err(|_| ())?;
    let length = headers.content_length().map_err(|_| ())?;
    Ok(length.map(|length| usize::try_from(length).unwrap_or(usize::MAX)))
}

enum StartLine<'a> {
    Request(Method, Uri),
    Response(StatusCode, &'a [u8]),
}

/// RFC 3261 §7.1, §7.2: single spaces, and nothing repaired, since a repaired Request-URI may be another one.
fn read_start_line(line: &[u8]) -> Result<StartLine<'_>, Fault> {
    if let Some(rest) = status_line(line) {
        let (code, reason) = match rest.iter().position(|byte| *byte == b' ') {
            Some(at) => (&rest[..at], &rest[at + 1..]),
            None => (rest, &rest[rest.len()..]),
        };
        let code = match code {
            [a @ b'1'..=b'6', b @ b'0'..=b'9', c @ b'0'..=b'9'] => {
                StatusCode::new([a, b, c].iter().fold(0, |sum, digit| sum * 10 + u16::from(**digit - b'0')))
            }
            _ => None,
        };
        return code.map(|code| StartLine::Response(code, reason)).ok_or(bad_request("The status code is no such"));
    }
    let mut words = line.split(|byte| *byte == b' ');
    let (Some(method), Some(uri), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(bad_request("The request line has not three words"));
    };
    match version {
        b if b.eq_ignore_ascii_case(b"SIP/2.0") => {}
        [b'S' | b's', b'I' | b'i', b'P' | b'p', b'/', rest @ ..] if is_version(rest) => {
            return Err(Fault { status: 505, why: "Version Not Supported" });
        }
        _ => return Err(bad_request("The request line has no SIP version")),
    }
    let method = Method::parse(method).map_err(|_| bad_request("The method is no token"))?;
    let uri = Uri::parse(uri).map_err(|_| bad_request("The Request-URI is malformed"))?;
    Ok(StartLine::Request(method, uri))
}

fn is_version(text: &[u8]) -> bool {
    let mut numbers = text.split(|byte| *byte == b'.');
    let is_number = |part: Option<&[u8]>| part.is_some_and(|p| !p.is_empty() && p.iter().all(u8::is_ascii_digit));
    is_number(numbers.next()) && is_number(numbers.next()) && numbers.next().is_none()
}

/// What follows `SIP/2.0 ` when the line is a status line.
fn status_line(line: &[u8]) -> Option<&[u8]> {
    let (version, rest) = line.split_at_checked(8)?;
    version.eq_ignore_ascii_case(b"SIP/2.0 ").then_some(rest)
}

/// RFC 3261 §8.2.6: an answer needs what it copies. ACKs and responses get none.
fn reply(line: &[u8], headers: &Headers, status: u16) -> Option<Response> {
    let method = line.split(|byte| *byte == b' ').next().unwrap_or_default();
    let is_response = line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/"));
    if is_response || !is_token(method) || method == b"ACK" {
        return None;
    }
    let needed = [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq];
    if !needed.iter().all(|name| headers.has(name)) {
        return None;
    }
    Some(Response::reply_to_headers(headers, StatusCode::new(status)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "OPTIONS sip:a@example.com SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\
        From: <sip:b@example.com>;tag=1\r\nTo: <sip:a@example.com>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n";

    fn read(text: impl Into<Vec<u8>>) -> Result<Message, Malformed> {
        Message::parse(Bytes::from(text.into()))
    }

    fn fault(text: impl Into<Vec<u8>>) -> (u16, bool) {
        let malformed = read(text).expect_err("malformed");
        (malformed.status(), malformed.reply().is_some())
    }

    #[test]
    fn bytes_after_content_length_are_ignored() {
        let message = read(format!("\r\n\r\n{HEAD}l: 3\r\n\r\nabcdef")).expect("valid");
        assert_eq!(message.body(), b"abc");
    }

    #[test]
    fn without_content_length_the_body_is_the_rest() {
        assert_eq!(read(format!("{HEAD}\r\nabc\n")).expect("valid").body(), b"abc\n");
        assert_eq!(fault(HEAD), (400, true), "the empty line is missing");
    }

    #[test]
    fn content_lengths_that_cannot_be_are_refused() {
        for length in ["4", "-1", "99999999999999999999", "0x1", "", "1 1"] {
            assert_eq!(fault(format!("{HEAD}Content-Length: {length}\r\n\r\nabc")), (400, true), "{length}");
        }
        assert_eq!(fault(format!("{HEAD}Content-Length: 3\r\nl: 2\r\n\r\nabc")), (400, true));
        assert_eq!(read(format!("{HEAD}Content-Length: 3\r\nl: 3\r\n\r\nabc")).expect("they agree").body(), b"abc");
    }

    #[test]
    fn folded_lines_are_joined() {
        let message = read(format!("{HEAD}Subject:\r\n  a\r\n\t b \r\n \r\nX: y\r\n z\r\n\r\n")).expect("valid");
        assert_eq!(message.headers().first(&HeaderName::Subject), Some(&b"a b"[..]));
        let x = HeaderName::try_from("x").expect("a token");
        assert_eq!(message.headers().first(&x), Some(&b"y z"[..]));
    }

    #[test]
    fn line_feeds_alone_end_lines_and_a_cr_alone_does_not() {
        assert!(read(HEAD.replace("\r\n", "\n") + "\n").is_ok());
        assert_eq!(fault(format!("{HEAD}Subject: a\rX: b\r\n\r\n")), (400, true));
        let folded = read(format!("{HEAD} \rX: b\r\n\r\n")).expect_err("malformed");
        let answer = folded.reply().expect("answered").to_bytes();
        assert!(Message::parse(answer).is_ok(), "the CR does not get into the answer");
    }

    #[test]
    fn limits_answer_513() {
        let long = "x".repeat(MAX_HEADER_BYTES);
        assert_eq!(fault(format!("{HEAD}X: {long}\r\n\r\n")), (513, true));
        assert_eq!(fault(format!("{HEAD}{}\r\n", "X: y\r\n".repeat(MAX_HEADER_FIELDS))), (513, true));
        let body = "x".repeat(MAX_MESSAGE_BYTES);
        assert_eq!(fault(format!("{HEAD}\r\n{body}")), (513, true));
        assert_eq!(fault(format!("{HEAD}l: {}\r\n\r\n{body}", body.len())), (513, true));
        assert!(read(format!("{HEAD}l: 1\r\n\r\n{body}")).is_ok());
    }

    #[test]
    fn start_lines_are_not_repaired() {
        for line in [
            "OPTIONS  sip:a@example.com SIP/2.0",
            "OPTIONS sip:a@example.com SIP/2.0 ",
            "OPTIONS <sip:a@example.com> SIP/2.0",
            "OPTIONS sip:a@example.com; lr SIP/2.0",
            "OPTIONS sip:a@example.com",
            "OPTIONS sip:a@example.com HTTP/1.1",
            "OPTIONS sip:a@example.com SIP/2",
        ] {
            let message = HEAD.replacen("OPTIONS sip:a@example.com SIP/2.0", line, 1) + "\r\n";
            assert_eq!(fault(message), (400, true), "{line}");
        }
        assert_eq!(fault(HEAD.replacen("SIP/2.0", "SIP/7.0", 1) + "\r\n"), (505, true));
    }

    #[test]
    fn responses_acks_and_noise_are_dropped() {
        let tail = HEAD.split_once("\r\n").expect("has a start line").1;
        for line in ["SIP/2.0 4294967301 x", "SIP/2.0 099 x", "SIP/2.0 20 x", "SIP/2.0 700 x", "SIP/3.0 200 OK"] {
            assert!(!fault(format!("{line}\r\n{tail}\r\n")).1, "{line}");
        }
        assert_eq!(fault(format!("ACK <sip:a> SIP/2.0\r\n{tail}\r\n")), (400, false));
        for noise in [&b""[..], b"\r\n\r\n", b"\0\0", b"GET / HTTP/1.1\r\n\r\n", b"\xff\xfe\n\n"] {
            assert!(!fault(noise).1, "{noise:?}");
        }
        assert!(read(format!("SIP/2.0 100\r\n{tail}\r\n")).is_ok());
    }
}
