//! Values of header fields that we write.

use std::fmt;

use super::auth::{Challenge, Credentials};
use super::cseq::CSeq;
use super::lex::BadValue;
use super::method::Method;
use super::name_addr::{Contact, NameAddr};
use super::reason::Reason;
use super::token::Token;
use super::via::Via;

/// The text of one header field, which cannot hold a control character and so cannot begin another field.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HeaderValue(String);

impl HeaderValue {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A list of `elements`, joined by commas.
    pub fn list<T: fmt::Display + Into<HeaderValue>>(elements: impl IntoIterator<Item = T>) -> Self {
        let texts: Vec<String> = elements.into_iter().map(|element| element.into().0).collect();
        HeaderValue(texts.join(", "))
    }

    /// What a typed value displays. The types keep line breaks out of themselves; other control characters in what
    /// was received (RFC 4475 §3.1.1.2 has NUL in a quoted pair) are dropped here with their backslash.
    fn of_typed(value: &impl fmt::Display) -> Self {
        let text = value.to_string();
        if !text.chars().any(char::is_control) {
            return HeaderValue(text);
        }
        let mut clean = String::with_capacity(text.len());
        let mut escaped = false;
        for c in text.chars() {
            if c.is_control() {
                if escaped {
                    clean.pop();
                }
                escaped = false;
            } else {
                escaped = c == '\\' && !escaped;
                clean.push(c);
            }
        }
        HeaderValue(clean)
    }
}

impl TryFrom<&str> for HeaderValue {
    type Error = BadValue;

    /// Takes `text` without the blanks at its ends; refuses control characters.
    fn try_from(text: &str) -> Result<Self, BadValue> {
        if text.chars().any(char::is_control) {
            return Err(BadValue::new("header value", "holds a control character"));
        }
        Ok(HeaderValue(text.trim_matches(' ').to_owned()))
    }
}

impl TryFrom<String> for HeaderValue {
    type Error = BadValue;

    fn try_from(text: String) -> Result<Self, BadValue> {
        HeaderValue::try_from(text.as_str())
    }
}

impl From<u32> for HeaderValue {
    fn from(number: u32) -> Self {
        HeaderValue(number.to_string())
    }
}

macro_rules! from_typed {
    ($($typed:ty)*) => {$(
        impl From<&$typed> for HeaderValue {
            fn from(value: &$typed) -> Self {
                HeaderValue::of_typed(value)
            }
        }

        impl From<$typed> for HeaderValue {
            fn from(value: $typed) -> Self {
                HeaderValue::of_typed(&value)
            }
        }
    )*};
}

from_typed!(Challenge Contact Credentials CSeq Method NameAddr Reason Token Via);

/// Shows the length only: the text can be a number or credentials.
impl fmt::Debug for HeaderValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HeaderValue({} bytes)", self.0.len())
    }
}

impl fmt::Display for HeaderValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_refused() {
        for bad in ["a\r\nVia: x", "a\nb", "a\rb", "a\0b", "\u{7f}", "a\tb", "\u{85}"] {
            assert!(HeaderValue::try_from(bad).is_err(), "{bad:?}");
        }
        assert_eq!(HeaderValue::try_from(" Grüße ").map(|v| v.to_string()), Ok("Grüße".to_owned()));
    }

    #[test]
    fn control_characters_of_a_received_value_are_dropped() {
        let received = NameAddr::parse(b"\"BEL:\\\x07 NUL:\\\x00 \\\\\" <sip:a@example.com>").expect("valid");
        assert_eq!(HeaderValue::from(&received).as_str(), "\"BEL: NUL: \\\\\" <sip:a@example.com>");
    }

    #[test]
    fn lists_are_joined() {
        let allow = HeaderValue::list([Method::Invite, Method::Ack]);
        assert_eq!(allow.as_str(), "INVITE, ACK");
    }
}
