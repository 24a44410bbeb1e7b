//! Parameters of a URI (RFC 3261 §19.1.1), kept escaped.

use std::fmt;

use super::lex::{BadValue, MAX_PARAMS};
use super::user_part::{escape, is_uri_param_byte, normalise, unescape};

/// The `;name=value` parameters of a URI, in order. Names compare without case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct UriParams(Vec<(String, Option<String>)>);

impl UriParams {
    /// No parameters.
    pub const fn new() -> Self {
        UriParams(Vec::new())
    }

    /// Reads what follows the first `;`.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, BadValue> {
        let bad = BadValue::new("URI", "has a bad parameter");
        let mut params = Vec::new();
        for piece in bytes.split(|byte| *byte == b';') {
            if params.len() == MAX_PARAMS {
                return Err(BadValue::new("URI", "has too many parameters"));
            }
            let (name, value) = match piece.iter().position(|byte| *byte == b'=') {
                Some(at) => (&piece[..at], Some(&piece[at + 1..])),
                None => (piece, None),
            };
            if name.is_empty() {
                return Err(bad);
            }
            let name = normalise(name, is_uri_param_byte).ok_or(bad)?;
            let value = value.map(|value| normalise(value, is_uri_param_byte).ok_or(bad)).transpose()?;
            params.push((name, value));
        }
        Ok(UriParams(params))
    }

    /// Whether there is a parameter `name`.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The escaped value of `name`; `None` when the parameter is missing or has no value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.find(name)?.1.as_deref()
    }

    /// Sets `name`, escaping both as needed; an earlier value is replaced. An empty name changes nothing.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        let name = &escape(name.as_bytes(), is_uri_param_byte);
        let value = value.map(|value| escape(value.as_bytes(), is_uri_param_byte));
        if let Some(param) = self.0.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            param.1 = value;
        } else if !name.is_empty() {
            self.0.push((name.clone(), value));
        }
    }

    /// Removes every parameter `name`.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    /// Names and escaped values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    /// RFC 3261 §19.1.4: a parameter in both must match; `transport`, `user`, `ttl`, `method` and `maddr` never match
    /// their absence.
    pub(super) fn equivalent(&self, other: &UriParams) -> bool {
        const NEVER_DEFAULT: [&str; 5] = ["transport", "user", "ttl", "method", "maddr"];
        let agrees = |a: &UriParams, b: &UriParams| {
            a.iter().all(|(name, value)| match b.find(name) {
                Some((_, other)) => same(value, other.as_deref()),
                None => !NEVER_DEFAULT.iter().any(|known| known.eq_ignore_ascii_case(name)),
            })
        };
        agrees(self, other) && agrees(other, self)
    }

    fn find(&self, name: &str) -> Option<&(String, Option<String>)> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))
    }
}

fn same(a: Option<&str>, b: Option<&str>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => unescape(a).eq_ignore_ascii_case(&unescape(b)),
        (None, None) => true,
        _ => false,
    }
}

impl fmt::Display for UriParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.iter() {
            write!(f, ";{name}")?;
            if let Some(value) = value {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_when_set_and_kept_when_read() {
        let mut params = UriParams::parse(b"%6C%72;n%61me=v%61lue%25%34%31;lr").expect("valid");
        assert_eq!(params.to_string(), ";%6C%72;n%61me=v%61lue%25%34%31;lr");
        params.set("x", Some("a;b\r\n"));
        params.set("LR", Some("on"));
        assert_eq!(params.to_string(), ";%6C%72;n%61me=v%61lue%25%34%31;lr=on;x=a%3Bb%0D%0A");
    }

    #[test]
    fn empty_parameters_and_blanks_are_refused() {
        let too_many = "a;".repeat(MAX_PARAMS) + "a";
        for bad in [&too_many, "", "a;", ";a", " lr", "=x", "a=\"b\""] {
            assert!(UriParams::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
