//! Addresses with an optional display name: From, To, Contact, Route and their kin (RFC 3261 §20.10, §25.1).

use std::fmt;

use super::lex::{
    BadValue, cut, is_blank, is_token_byte, printable, quoted_string, saturating_u32, trim, write_quoted,
};
use super::params::Params;
use super::uri::Uri;
use crate::base::secret::Masked;

/// `"Display name" <uri>;params`, or a bare `uri;params`. Written with `<>` always.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NameAddr {
    display_name: Option<Masked>,
    /// The address.
    pub uri: Uri,
    /// The header field's parameters, which follow `>`.
    pub params: Params,
}

impl NameAddr {
    /// An address without display name and parameters.
    pub fn new(uri: impl Into<Uri>) -> Self {
        NameAddr { display_name: None, uri: uri.into(), params: Params::new() }
    }

    /// The address with a display name; control characters are left out of it.
    pub fn with_display_name(mut self, name: &str) -> Self {
        self.display_name = Some(printable(name).into());
        self
    }

    /// The address with a parameter, as [`Params::set`] sets it.
    pub fn with_param(mut self, name: &str, value: Option<&str>) -> Self {
        self.params.set(name, value);
        self
    }

    /// The address with a tag.
    pub fn with_tag(self, tag: &str) -> Self {
        self.with_param("tag", Some(tag))
    }

    /// The display name, unquoted.
    pub fn display_name(&self) -> Option<&str> {
        self.display_name.as_deref()
    }

    /// The tag (RFC 3261 §19.3).
    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag")
    }

    /// The `expires` of a Contact in seconds; no number, or one too large, counts as the largest.
    pub fn expires(&self) -> Option<u32> {
        self.params.get("expires").map(|text| saturating_u32(text.as_bytes()).unwrap_or(u32::MAX))
    }

    /// Reads one address.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadValue> {
        let bad = |why| BadValue::new("address", why);
        let text = trim(bytes);
        let (display_name, rest) = match text {
            [b'"', ..] => {
                let (name, rest) = quoted_string(text).ok_or(bad("has an unclosed quote"))?;
                (Some(name.into()), trim(rest))
            }
            _ => match text.iter().position(|byte| *byte == b'<') {
                Some(0) => (None, text),
                Some(at) if text[..at].iter().all(|byte| is_token_byte(*byte) || is_blank(*byte)) => {
                    (Some(String::from_utf8_lossy(trim(&text[..at])).into_owned().into()), &text[at..])
                }
                Some(_) => return Err(bad("has a display name that needs quotes")),
                None => return NameAddr::parse_bare(text),
            },
        };
        let [b'<', inside @ ..] = rest else { return Err(bad("has no < after its display name")) };
        let end = inside.iter().position(|byte| *byte == b'>').ok_or(bad("has no closing >"))?;
        let uri = Uri::parse(&inside[..end])?;
        let params = Params::parse("address", &inside[end + 1..])?;
        Ok(NameAddr { display_name, uri, params })
    }

    /// RFC 3261 §20.10: without `<>`, parameters are the header field's, and the URI holds no comma, `?` or `;`.
    fn parse_bare(text: &[u8]) -> Result<Self, BadValue> {
        let (uri, _) = cut(text, b';');
        if uri.iter().any(|byte| matches!(byte, b',' | b'?')) {
            return Err(BadValue::new("address", "needs <> around its URI"));
        }
        let params = Params::parse("address", &text[uri.len()..])?;
        Ok(NameAddr { display_name: None, uri: Uri::parse(trim(uri))?, params })
    }
}

impl From<Uri> for NameAddr {
    fn from(uri: Uri) -> Self {
        NameAddr::new(uri)
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.display_name {
            write_quoted(f, name)?;
            f.write_str(" ")?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

/// A value of Contact.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Contact {
    /// `*`: every contact, in a REGISTER that removes them (RFC 3261 §10.2.2).
    Star,
    /// An address.
    Address(NameAddr),
}

impl Contact {
    /// Reads one Contact value.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadValue> {
        match trim(bytes) {
            b"*" => Ok(Contact::Star),
            address => NameAddr::parse(address).map(Contact::Address),
        }
    }

    /// The address, when it is one.
    pub fn address(&self) -> Option<&NameAddr> {
        match self {
            Contact::Star => None,
            Contact::Address(address) => Some(address),
        }
    }
}

impl fmt::Display for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Contact::Star => f.write_str("*"),
            Contact::Address(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> NameAddr {
        NameAddr::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn names_and_addresses_are_told_apart() {
        for (text, name, uri, tag) in [
            ("sip:vivekg@chair.example.com ;   tag    = 19", None, "sip:vivekg@chair.example.com", Some("19")),
            (
                "\"J Rosenberg \\\\\\\"\"  <sip:j@example.com> ; tag = 9",
                Some("J Rosenberg \\\""),
                "sip:j@example.com",
                Some("9"),
            ),
            ("caller<sip:caller@example.com>;tag=323", Some("caller"), "sip:caller@example.com", Some("323")),
            ("A. Bell <sip:a@example.com;tag=no>", Some("A. Bell"), "sip:a@example.com;tag=no", None),
            ("<sip:a,b@example.com?x=y>", None, "sip:a,b@example.com?x=y", None),
            ("\"\" <tel:+84919273027>", Some(""), "tel:+84919273027", None),
            ("isbn:2983792873", None, "isbn:2983792873", None),
            ("sip:+19725552222@gw1.example.net;unknownparam", None, "sip:+19725552222@gw1.example.net", None),
        ] {
            let address = read(text);
            assert_eq!((address.display_name(), address.uri.to_string().as_str(), address.tag()), (name, uri, tag));
        }
    }

    #[test]
    fn broken_addresses_are_refused() {
        for text in [
            "",
            "\"Mr. J. User <sip:j@example.com>",
            "\"Watson\" < sip:t@example.org >",
            "Bell, A <sip:a@example.com>",
            "sip:a@example.com?Route=%3Csip:b%3E",
            "<sip:a@example.com",
            "<>",
            "\"A\" sip:a@example.com",
            "\"Joe\" <sip:joe@example.org>;;;;",
            "<sip:a@example.com> x",
        ] {
            assert!(NameAddr::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn expires_never_wraps() {
        assert_eq!(read("<sip:a@b>;expires=280297596632815").expires(), Some(u32::MAX));
        assert_eq!(read("<sip:a@b>;Expires=60").expires(), Some(60));
        assert_eq!(read("<sip:a@b>").expires(), None);
    }

    #[test]
    fn a_display_name_cannot_break_out() {
        let address = NameAddr::new(read("sip:a@b").uri).with_display_name("x\"\r\nVia: y\\").with_tag("1");
        assert_eq!(address.to_string(), "\"x\\\"Via: y\\\\\" <sip:a@b>;tag=1");
    }

    #[test]
    fn a_star_is_a_contact_but_no_address() {
        assert_eq!(Contact::parse(b" * "), Ok(Contact::Star));
        assert!(NameAddr::parse(b"*").is_err());
    }
}
