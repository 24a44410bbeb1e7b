//! Parameters of header fields (RFC 3261 §25.1 `generic-param`), kept with their quoting resolved.

use std::fmt;

use super::lex::{BadValue, MAX_PARAMS, cut, is_token, printable, quoted_string, trim, write_quoted};

/// The `;name=value` parameters of a header field, in order. Names compare without case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Params(Vec<(String, Option<String>)>);

impl Params {
    /// No parameters.
    pub const fn new() -> Self {
        Params(Vec::new())
    }

    /// Reads what stands after a value: nothing, or `;` and parameters. One `;` too many at the end is forgiven.
    pub(super) fn parse(subject: &'static str, bytes: &[u8]) -> Result<Self, BadValue> {
        let bad = |why| BadValue::new(subject, why);
        let mut params = Vec::new();
        let mut rest = match trim(bytes) {
            [] => None,
            [b';', rest @ ..] => Some(rest),
            _ => return Err(bad("is followed by something else than parameters")),
        };
        while let Some(text) = rest {
            let (piece, after) = cut(text, b';');
            rest = after;
            let piece = trim(piece);
            if piece.is_empty() {
                if rest.is_none() && !params.is_empty() {
                    break;
                }
                return Err(bad("has an empty parameter"));
            }
            if params.len() == MAX_PARAMS {
                return Err(bad("has too many parameters"));
            }
            params.push(read_param(piece).ok_or(bad("has a bad parameter"))?);
        }
        Ok(Params(params))
    }

    /// Whether there is a parameter `name`.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The value of `name`, unquoted; `None` when the parameter is missing or has no value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.find(name)?.1.as_deref()
    }

    /// Sets `name`; an earlier value is replaced. Control characters of `value` are left out, and a value that is no
    /// token is quoted when written. A `name` that is no token changes nothing.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        let value = value.map(printable);
        if let Some(param) = self.0.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            param.1 = value;
        } else if is_token(name.as_bytes()) {
            self.0.push((name.to_owned(), value));
        }
    }

    /// Removes every parameter `name`.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    /// Names and unquoted values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn find(&self, name: &str) -> Option<&(String, Option<String>)> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))
    }
}

fn read_param(piece: &[u8]) -> Option<(String, Option<String>)> {
    let (name, value) = match piece.iter().position(|byte| *byte == b'=') {
        Some(at) => (trim(&piece[..at]), Some(trim(&piece[at + 1..]))),
        None => (piece, None),
    };
    if !is_token(name) {
        return None;
    }
    let value = match value {
        None => None,
        Some(quoted @ [b'"', ..]) => match quoted_string(quoted)? {
            (decoded, []) => Some(decoded),
            _ => return None,
        },
        Some(plain) if is_plain(plain) => Some(String::from_utf8_lossy(plain).into_owned()),
        Some(_) => return None,
    };
    Some((String::from_utf8_lossy(name).into_owned(), value))
}

/// What stands unquoted in the field: tokens and hosts by the grammar; base64 and other printable text by custom.
fn is_plain(value: &[u8]) -> bool {
    !value.is_empty()
        && value.iter().all(|byte| *byte > b' ' && *byte != 0x7f && !matches!(byte, b'"' | b'<' | b'>' | b',' | b';'))
        && std::str::from_utf8(value).is_ok_and(|text| !text.chars().any(char::is_control))
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.iter() {
            write!(f, ";{name}")?;
            if let Some(value) = value {
                f.write_str("=")?;
                // `token / host` of RFC 3261 §25.1; an IPv6 address in `received` stands bare (RFC 5118 §4.5).
                let bare = !value.is_empty()
                    && value.bytes().all(|byte| super::lex::is_token_byte(byte) || matches!(byte, b':' | b'[' | b']'));
                if bare { f.write_str(value)? } else { write_quoted(f, value)? }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, BadValue> {
        Params::parse("test", text.as_bytes()).map(|params| params.to_string())
    }

    #[test]
    fn blanks_quotes_and_hosts_are_read() {
        assert_eq!(read(" ;   tag    = 1918181833n").as_deref(), Ok(";tag=1918181833n"));
        assert_eq!(read(";text=\"a; \\\"b\\\"\";lr").as_deref(), Ok(";text=\"a; \\\"b\\\"\";lr"));
        assert_eq!(read(";received=2001:db8::9:255;rport").as_deref(), Ok(";received=2001:db8::9:255;rport"));
        assert_eq!(read(";branch=z9hG4bK-.!%66*_+`'~").as_deref(), Ok(";branch=z9hG4bK-.!%66*_+`'~"));
        assert_eq!(read(";a=").ok(), None);
        assert_eq!(read("").as_deref(), Ok(""));
    }

    #[test]
    fn one_trailing_semicolon_is_forgiven_and_no_more() {
        assert_eq!(read(";lr;").as_deref(), Ok(";lr"));
        let too_many = ";a".repeat(MAX_PARAMS + 1);
        for bad in [&too_many, ";", ";;lr", ";lr;;", ";;;;", "lr", ";a b", ";a=\"b", ";a=\"b\"c", ";a=<b>"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_set_cannot_break_out() {
        let mut params = Params::new();
        params.set("text", Some("a\r\nVia: \"x\";y"));
        params.set("bad name", Some("x"));
        params.set("TEXT", Some("b\0\"c"));
        assert_eq!(params.to_string(), ";text=\"b\\\"c\"");
    }
}
