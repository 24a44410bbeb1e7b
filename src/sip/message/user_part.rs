//! The user part of a SIP URI (RFC 3261 §25.1 `user`, §19.1.2 escaping).

use std::fmt;

use super::lex::BadValue;

/// The user part of a SIP URI, kept as it is written: escaped.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserPart(String);

impl UserPart {
    /// Escapes `text` as the rules of a user part ask; refuses an empty text and control characters.
    pub fn new(text: &str) -> Result<Self, BadValue> {
        if text.is_empty() {
            return Err(BadValue::new("user part", "is empty"));
        }
        if text.chars().any(char::is_control) {
            return Err(BadValue::new("user part", "holds a control character"));
        }
        Ok(UserPart(escape(text.as_bytes(), is_user_byte)))
    }

    /// Takes a user part from a message, with its escapes as they are.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, BadValue> {
        if bytes.is_empty() {
            return Err(BadValue::new("URI", "has an empty user part"));
        }
        normalise(bytes, is_user_byte).map(UserPart).ok_or(BadValue::new("URI", "has a bad user part"))
    }

    /// The user part as it stands in a URI.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The user part with its escapes resolved; bytes that are not UTF-8 are replaced.
    ///
    /// This may hold control characters (`%00` is a legal user) and is for comparing and showing only.
    pub fn unescaped(&self) -> String {
        String::from_utf8_lossy(&unescape(&self.0)).into_owned()
    }
}

impl fmt::Display for UserPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A user part is often a phone number, so only its end is shown.
impl fmt::Debug for UserPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tail = self.0.len().saturating_sub(2);
        write!(f, "UserPart(…{})", &self.0[tail..])
    }
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')')
}

/// `unreserved / user-unreserved` of RFC 3261 §25.1.
const fn is_user_byte(byte: u8) -> bool {
    is_unreserved(byte) || matches!(byte, b'&' | b'=' | b'+' | b'$' | b',' | b';' | b'?' | b'/')
}

/// The bytes of a password: `unreserved / "&" / "=" / "+" / "$" / ","`.
pub(super) const fn is_password_byte(byte: u8) -> bool {
    is_unreserved(byte) || matches!(byte, b'&' | b'=' | b'+' | b'$' | b',')
}

/// The bytes of a URI parameter: `param-unreserved / unreserved`.
pub(super) const fn is_uri_param_byte(byte: u8) -> bool {
    is_unreserved(byte) || matches!(byte, b'[' | b']' | b'/' | b':' | b'&' | b'+' | b'$')
}

/// The bytes of a URI's header: `hnv-unreserved / unreserved`.
pub(super) const fn is_uri_header_byte(byte: u8) -> bool {
    is_unreserved(byte) || matches!(byte, b'[' | b']' | b'/' | b'?' | b':' | b'+' | b'$')
}

/// Escapes every byte that is not `allowed`, percent signs included.
pub(super) fn escape(bytes: &[u8], allowed: fn(u8) -> bool) -> String {
    let mut escaped = String::with_capacity(bytes.len());
    for byte in bytes {
        push_escaped(&mut escaped, *byte, allowed);
    }
    escaped
}

fn push_escaped(text: &mut String, byte: u8, allowed: fn(u8) -> bool) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    if allowed(byte) {
        text.push(char::from(byte));
    } else {
        text.push('%');
        text.push(char::from(HEX[usize::from(byte >> 4)]));
        text.push(char::from(HEX[usize::from(byte & 15)]));
    }
}

/// Keeps escapes as they are and escapes what peers forget to (`#` in dial strings, for one).
///
/// `None` when an escape is incomplete, or a byte could never stand in a URI: blanks, controls, `"<>@` and bytes
/// beyond ASCII.
pub(super) fn normalise(bytes: &[u8], allowed: fn(u8) -> bool) -> Option<String> {
    let mut text = String::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'%' => {
                let hex = bytes.get(at + 1..at + 3).filter(|hex| hex.iter().all(u8::is_ascii_hexdigit))?;
                text.push('%');
                text.extend(hex.iter().map(|digit| char::from(*digit)));
                at += 2;
            }
            b'"' | b'<' | b'>' | b'@' => return None,
            byte if !byte.is_ascii_graphic() => return None,
            byte => push_escaped(&mut text, *byte, allowed),
        }
        at += 1;
    }
    Some(text)
}

/// Resolves the escapes of `text`.
pub(super) fn unescape(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let pair = bytes.get(at + 1).copied().and_then(value).zip(bytes.get(at + 2).copied().and_then(value));
        match (byte, pair) {
            (b'%', Some((high, low))) => {
                plain.push(high << 4 | low);
                at += 3;
            }
            _ => {
                plain.push(*byte);
                at += 1;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_comes_back() {
        for (text, written) in
            [("+84919273027", "+84919273027"), ("a b@c", "a%20b%40c"), ("50%", "50%25"), ("é", "%C3%A9")]
        {
            let user = UserPart::new(text).expect("printable");
            assert_eq!((user.as_str(), user.unescaped().as_str()), (written, text));
        }
    }

    #[test]
    fn control_characters_and_emptiness_are_refused() {
        for bad in ["", "a\r\nVia: x", "\0", "\u{7f}"] {
            assert!(UserPart::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn received_escapes_stay() {
        let user = UserPart::parse(b"null-%00-null#").expect("readable");
        assert_eq!(user.as_str(), "null-%00-null%23");
        assert_eq!(user.unescaped(), "null-\0-null#");
        for bad in [&b"%Z"[..], b"%4", b"a b", b"a\"", b"\xff", b""] {
            assert!(UserPart::parse(bad).is_err());
        }
    }

    #[test]
    fn debug_shows_only_the_end() {
        assert_eq!(format!("{:?}", UserPart::new("+84919273027").expect("printable")), "UserPart(…27)");
    }
}
