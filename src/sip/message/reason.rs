//! Reason (RFC 3326): why a request was sent or a call ended.

use std::fmt;

use super::lex::{BadValue, cut, trim};
use super::params::Params;
use super::token::Token;

/// One reason: `Q.850;cause=16;text="Normal call clearing"`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reason {
    /// `SIP`, `Q.850` or another.
    pub protocol: Token,
    params: Params,
}

impl Reason {
    /// A cause of ITU-T Q.850, 0 to 127.
    pub fn q850(cause: u8, text: Option<&str>) -> Self {
        Reason::new(Token::from_static("Q.850"), u16::from(cause), text)
    }

    /// A SIP status as the reason.
    pub fn sip(status: u16, text: Option<&str>) -> Self {
        Reason::new(Token::from_static("SIP"), status, text)
    }

    fn new(protocol: Token, cause: u16, text: Option<&str>) -> Self {
        let mut params = Params::new();
        params.set("cause", Some(&cause.to_string()));
        if let Some(text) = text {
            params.set("text", Some(text));
        }
        Reason { protocol, params }
    }

    /// Reads one reason.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadValue> {
        let (protocol, _) = cut(bytes, b';');
        let params = Params::parse("Reason", &bytes[protocol.len()..])?;
        let protocol = Token::parse(trim(protocol)).map_err(|_| BadValue::new("Reason", "has a bad protocol"))?;
        Ok(Reason { protocol, params })
    }

    /// The cause number, when it is one.
    pub fn cause(&self) -> Option<u16> {
        self.params.get("cause")?.parse().ok()
    }

    /// The text for people; it comes from the peer and must be escaped where it is shown.
    pub fn text(&self) -> Option<&str> {
        self.params.get("text")
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.protocol, self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_and_texts_are_read() {
        let reason = Reason::parse(b"Q.850 ;cause=16 ;text=\"Normal; call clearing\"").expect("valid");
        assert!(reason.protocol.is("q.850"));
        assert_eq!((reason.cause(), reason.text()), (Some(16), Some("Normal; call clearing")));
        assert_eq!(Reason::parse(b"SIP;cause=99999999").expect("valid").cause(), None);
        assert!(Reason::parse(b";cause=16").is_err());
        assert_eq!(Reason::q850(17, Some("User busy")).to_string(), "Q.850;cause=17;text=\"User busy\"");
    }
}
