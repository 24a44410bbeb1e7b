//! Hosts: names, IPv4 addresses and IPv6 references (RFC 3261 §25.1, RFC 5118).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::lex::BadValue;

/// The port meant where a Via or a SIP URI gives none, TLS aside (RFC 3261 §18.2.2, §19.1.2).
pub const DEFAULT_PORT: u16 = 5060;

/// The host of a URI or a Via. Names compare without case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// A domain name.
    Name(HostName),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address; written in brackets.
    V6(Ipv6Addr),
}

/// A domain name: letters, digits, `-`, `_` and dots. Kept in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(String);

impl HostName {
    /// The name in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Host {
    /// Reads a host without port; an IPv6 address stands in brackets.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadValue> {
        match Host::parse_with_port(bytes)? {
            (host, None) => Ok(host),
            (_, Some(_)) => Err(BadValue::new("host", "is followed by a port")),
        }
    }

    /// Reads `host [":" port]`, with blanks around the colon as Via allows (`sent-by`).
    pub fn parse_with_port(bytes: &[u8]) -> Result<(Self, Option<u16>), BadValue> {
        let bad = |why| BadValue::new("host", why);
        let (host, rest) = match bytes {
            [b'[', inside @ ..] => {
                let end = inside.iter().position(|byte| *byte == b']').ok_or(bad("lacks the closing bracket"))?;
                (Host::V6(ipv6(&inside[..end]).ok_or(bad("is no IPv6 address"))?), &inside[end + 1..])
            }
            _ => {
                let end = bytes.iter().position(|byte| matches!(byte, b':' | b' ' | b'\t')).unwrap_or(bytes.len());
                (name_or_ipv4(&bytes[..end])?, &bytes[end..])
            }
        };
        match super::lex::trim(rest) {
            [] => Ok((host, None)),
            [b':', port @ ..] => {
                let port = super::lex::port(super::lex::trim(port)).ok_or(bad("has a bad port"))?;
                Ok((host, Some(port)))
            }
            _ => Err(bad("is followed by something else")),
        }
    }

    /// The address, when it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Host::Name(_) => None,
            Host::V4(address) => Some(IpAddr::V4(*address)),
            Host::V6(address) => Some(IpAddr::V6(*address)),
        }
    }
}

fn name_or_ipv4(bytes: &[u8]) -> Result<Host, BadValue> {
    let is_name_byte = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if bytes.is_empty() {
        return Err(BadValue::new("host", "is empty"));
    }
    if !bytes.iter().all(is_name_byte) {
        return Err(BadValue::new("host", "holds a character that no host may hold"));
    }
    let text = String::from_utf8_lossy(bytes);
    match text.parse::<Ipv4Addr>() {
        Ok(address) => Ok(Host::V4(address)),
        Err(_) => Ok(Host::Name(HostName(text.to_ascii_lowercase()))),
    }
}

/// RFC 5118 §4.10: the grammar of RFC 3261 led some to write three colons before an embedded IPv4 address.
fn ipv6(bytes: &[u8]) -> Option<Ipv6Addr> {
    let text = std::str::from_utf8(bytes).ok()?;
    text.parse().ok().or_else(|| text.replacen(":::", "::", 1).parse().ok())
}

impl TryFrom<&str> for Host {
    type Error = BadValue;

    /// Reads a host; an IPv6 address may stand without brackets.
    fn try_from(text: &str) -> Result<Self, BadValue> {
        match text.parse::<IpAddr>() {
            Ok(address) => Ok(Host::from(address)),
            Err(_) => Host::parse(text.as_bytes()),
        }
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Host::V4(address),
            IpAddr::V6(address) => Host::V6(address),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => name.fmt(f),
            Host::V4(address) => address.fmt(f),
            Host::V6(address) => write!(f, "[{address}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_follow_names_and_bracketed_addresses() {
        let read = |text: &str| Host::parse_with_port(text.as_bytes()).map(|(host, port)| (host.to_string(), port));
        assert_eq!(read("Host.Example.COM:5070"), Ok(("host.example.com".to_owned(), Some(5070))));
        assert_eq!(read("192.0.2.1 : 5060"), Ok(("192.0.2.1".to_owned(), Some(5060))));
        assert_eq!(read("[2001:db8::10]:5070"), Ok(("[2001:db8::10]".to_owned(), Some(5070))));
        assert_eq!(read("[2001:db8::10:5070]"), Ok(("[2001:db8::10:5070]".to_owned(), None)));
        for bad in ["", "2001:db8::10", "[2001:db8::10", "[::g]", "a b", "host:", "host:65536", "[::1]x", ":5060"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn three_colons_of_the_old_grammar_are_read_as_two() {
        assert_eq!(Host::parse(b"[2001:db8:::192.0.2.1]"), Host::parse(b"[2001:db8::192.0.2.1]"));
    }
}
