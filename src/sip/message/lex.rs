//! The lexical floor of header values (RFC 3261 §25.1): tokens, quoted strings, and lists split outside of quotes.

use std::fmt;

/// A header value, or a part of one, that does not follow its grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{subject}: {why}")]
pub struct BadValue {
    /// What was being read: a header field's name, or `URI`.
    pub subject: &'static str,
    /// What is wrong with it.
    pub why: &'static str,
}

impl BadValue {
    pub(super) const fn new(subject: &'static str, why: &'static str) -> Self {
        BadValue { subject, why }
    }
}

/// The most parameters of one value. They are searched one by one, so their number bounds the work.
pub(super) const MAX_PARAMS: usize = 64;

/// A byte of `token` (RFC 3261 §25.1).
pub(super) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
}

/// Whether `text` is a `token`.
pub(super) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| is_token_byte(*byte))
}

/// A blank inside of a line; values are unfolded before they get here.
pub(super) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// `text` without blanks at its start.
pub(super) fn trim_start(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_blank(*first)
    {
        text = rest;
    }
    text
}

/// `text` without blanks at both ends.
pub(super) fn trim(text: &[u8]) -> &[u8] {
    let mut text = trim_start(text);
    while let [rest @ .., last] = text
        && is_blank(*last)
    {
        text = rest;
    }
    text
}

/// Cuts `text` at the first `separator` that stands outside of quoted strings and `<>`.
pub(super) fn cut(text: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    let mut quoted = false;
    let mut bracketed = false;
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' if quoted => at += 1,
            b'"' if !bracketed => quoted = !quoted,
            _ if quoted => {}
            b'<' => bracketed = true,
            b'>' => bracketed = false,
            byte if *byte == separator && !bracketed => return (&text[..at], Some(&text[at + 1..])),
            _ => {}
        }
        at += 1;
    }
    (text, None)
}

/// The pieces of `text` between `separator`s outside of quoted strings and `<>`, trimmed, empty ones included.
pub(super) fn pieces(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let (piece, after) = cut(rest?, separator);
        rest = after;
        Some(trim(piece))
    })
}

/// Reads the quoted string that `text` begins with: its decoded content, and what follows it.
///
/// `None` when `text` begins with no quote, or the string is not closed or holds a line break. Bytes that are not
/// UTF-8 are replaced in the decoded content; the header field's own bytes stay as they are.
pub(super) fn quoted_string(text: &[u8]) -> Option<(String, &[u8])> {
    let [b'"', body @ ..] = text else { return None };
    let mut decoded = Vec::new();
    let mut at = 0;
    loop {
        match *body.get(at)? {
            b'"' => return Some((String::from_utf8_lossy(&decoded).into_owned(), &body[at + 1..])),
            b'\r' | b'\n' => return None,
            b'\\' => {
                at += 1;
                match *body.get(at)? {
                    b'\r' | b'\n' => return None,
                    byte => decoded.push(byte),
                }
            }
            byte => decoded.push(byte),
        }
        at += 1;
    }
}

/// Writes `text` as a quoted string.
///
/// Line breaks cannot be written in one, and no type that is written through here can hold them.
pub(super) fn write_quoted(f: &mut impl fmt::Write, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        if matches!(c, '"' | '\\') || c.is_ascii_control() {
            f.write_char('\\')?;
        }
        f.write_char(c)?;
    }
    f.write_char('"')
}

/// `text` without control characters, for the setters of free text.
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// Reads decimal digits, and stays at the largest value when they say more.
pub(super) fn saturating_u32(text: &[u8]) -> Option<u32> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0u32, |sum, digit| sum.saturating_mul(10).saturating_add(u32::from(digit - b'0'))))
}

/// Reads the decimal number of a port.
pub(super) fn port(text: &[u8]) -> Option<u16> {
    saturating_u32(text).and_then(|number| u16::try_from(number).ok())
}

/// Reads a byte string that must be printable ASCII or UTF-8 without control characters.
pub(super) fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| !text.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_split_outside_of_quotes_and_brackets() {
        let list: Vec<_> = pieces(b"\"a, \\\" b\" <sip:a,b@c> , d,,e", b',').collect();
        assert_eq!(list, [&b"\"a, \\\" b\" <sip:a,b@c>"[..], b"d", b"", b"e"]);
    }

    #[test]
    fn quoted_strings_decode_and_must_close() {
        assert_eq!(quoted_string(b"\"J \\\\\\\"\" rest"), Some(("J \\\"".to_owned(), &b" rest"[..])));
        assert_eq!(quoted_string(b"\"open"), None);
        assert_eq!(quoted_string(b"\"open\\"), None);
        assert_eq!(quoted_string(b"\"a\r\nb\""), None);
    }

    #[test]
    fn numbers_stay_at_the_top() {
        assert_eq!(saturating_u32(b"0068"), Some(68));
        assert_eq!(saturating_u32(b"949302838503028349304023988"), Some(u32::MAX));
        assert_eq!(saturating_u32(b"-1"), None);
        assert_eq!(saturating_u32(b""), None);
        assert_eq!(port(b"65536"), None);
    }
}
