//! Tokens (RFC 3261 §25.1): the words that methods, transports, schemes and parameter names are made of.

use std::borrow::Cow;
use std::fmt;

use super::lex::{BadValue, is_token, is_token_byte};

/// A non-empty word of token characters, which never needs quoting.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(Cow<'static, str>);

impl Token {
    /// A token that stands in the program.
    ///
    /// # Panics
    /// When `text` is no token; in a `const`, at compile time.
    pub const fn from_static(text: &'static str) -> Self {
        let bytes = text.as_bytes();
        assert!(!bytes.is_empty(), "a token has at least one character");
        let mut at = 0;
        while at < bytes.len() {
            assert!(is_token_byte(bytes[at]), "a token holds token characters only");
            at += 1;
        }
        Token(Cow::Borrowed(text))
    }

    /// Reads a token.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadValue> {
        if !is_token(bytes) {
            return Err(BadValue::new("token", "holds a character that no token may hold"));
        }
        Ok(Token(Cow::Owned(String::from_utf8_lossy(bytes).into_owned())))
    }

    /// The token's text, in the case it was written in.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is `text` when case is ignored.
    pub fn is(&self, text: &str) -> bool {
        self.0.eq_ignore_ascii_case(text)
    }
}

impl TryFrom<&str> for Token {
    type Error = BadValue;

    fn try_from(text: &str) -> Result<Self, BadValue> {
        Token::parse(text.as_bytes())
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_hold_token_characters_only() {
        assert_eq!(Token::try_from("RE%47IST%45R").map(|t| t.to_string()), Ok("RE%47IST%45R".to_owned()));
        for bad in ["", "a b", "a\r\nb", "a;b", "é"] {
            assert!(Token::try_from(bad).is_err(), "{bad:?}");
        }
    }
}
