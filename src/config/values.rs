//! The kinds of values that a configuration is written in. Each says what it expects, for the error message.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

use super::checked::HostPort;
use crate::sip::message::DEFAULT_PORT;

/// A value that is written as a TOML string.
pub trait Written: Sized {
    /// What a reader of the error message should write.
    const EXPECTED: &'static str;

    /// Reads the text between the quotes.
    fn read(text: &str) -> Option<Self>;
}

/// A value that is written as a TOML string of some form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text<T>(pub T);

struct TextVisitor<T>(std::marker::PhantomData<T>);

impl<T: Written> Visitor<'_> for TextVisitor<T> {
    type Value = Text<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        T::read(text).map(Text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

impl<'de, T: Written> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor(std::marker::PhantomData))
    }
}

impl Written for Duration {
    const EXPECTED: &'static str = "a duration such as \"500ms\", \"1s\", \"5m\" or \"1h\"";

    fn read(text: &str) -> Option<Self> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_lowercase());
        let number: u32 = if digits.bytes().all(|b| b.is_ascii_digit()) { digits.parse().ok()? } else { return None };
        let number = u64::from(number);
        match &text[digits.len()..] {
            "ms" => Some(Duration::from_millis(number)),
            "s" => Some(Duration::from_secs(number)),
            "m" => Some(Duration::from_secs(number * 60)),
            "h" => Some(Duration::from_secs(number * 3600)),
            _ => None,
        }
    }
}

/// Writes a duration as the configuration does.
pub fn duration_text(duration: Duration) -> String {
    let millis = duration.as_millis();
    match millis {
        0 => "0s".into(),
        _ if millis.is_multiple_of(3_600_000) => format!("{}h", millis / 3_600_000),
        _ if millis.is_multiple_of(60_000) => format!("{}m", millis / 60_000),
        _ if millis.is_multiple_of(1000) => format!("{}s", millis / 1000),
        _ => format!("{millis}ms"),
    }
}

impl Written for SocketAddr {
    const EXPECTED: &'static str = "an IP address and a port, such as \"127.0.0.1:8080\" or \"[::1]:8080\"";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Written for IpAddr {
    const EXPECTED: &'static str = "an IP address, such as \"192.0.2.10\"";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// A range of ports as written, `first-last`; whether calls can use it is the rules' business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// The first port.
    pub first: u16,
    /// The last.
    pub last: u16,
}

impl Written for Ports {
    const EXPECTED: &'static str = "a range of ports, such as \"20000-29999\"";

    fn read(text: &str) -> Option<Self> {
        let (first, last) = text.split_once('-')?;
        let port = |text: &str| text.trim().parse().ok();
        Some(Ports { first: port(first)?, last: port(last)? })
    }
}

/// A host with or without a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The host and its port, 5060 when none is written.
    pub host_port: HostPort,
    /// As written, for the host part of URIs.
    pub written: String,
}

impl Written for Server {
    const EXPECTED: &'static str = "a host with or without a port, such as \"sip.example.net\" or \"192.0.2.1:5060\"";

    fn read(text: &str) -> Option<Self> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']')?;
                host.parse::<std::net::Ipv6Addr>().ok()?;
                (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
            }
            None => {
                let (host, port) = match text.split_once(':') {
                    Some((host, port)) => (host, Some(port)),
                    None => (text, None),
                };
                if !is_host(host) {
                    return None;
                }
                (host, port)
            }
        };
        let port = match port {
            Some(port) => port.parse::<u16>().ok().filter(|port| *port > 0)?,
            None => DEFAULT_PORT,
        };
        Some(Server { host_port: HostPort { host: host.to_string(), port }, written: text.to_string() })
    }
}

/// Whether `text` is an IPv4 address or a DNS name (RFC 3261 §25.1 `hostname`, RFC 1035 §2.3.4 lengths).
pub fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return text.parse::<std::net::Ipv4Addr>().is_ok();
    }
    text.len() <= 253 && text.strip_suffix('.').unwrap_or(text).split('.').all(label)
}

/// A whole number. Its range is the rules' business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole(pub i64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WholeVisitor;
        impl Visitor<'_> for WholeVisitor {
            type Value = Whole;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number without quotes")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Whole, E> {
                Ok(Whole(number))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Whole, E> {
                Ok(Whole(i64::try_from(number).unwrap_or(i64::MAX)))
            }
        }
        deserializer.deserialize_i64(WholeVisitor)
    }
}

/// Any value at all, of a key that a later version will read.
#[derive(Clone, Copy, Debug)]
pub struct Later;

impl<'de> Deserialize<'de> for Later {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Later)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_unit_and_written_back() {
        for (text, millis) in [("500ms", 500), ("1s", 1000), ("90s", 90_000), ("5m", 300_000), ("1h", 3_600_000)] {
            assert_eq!(Duration::read(text), Some(Duration::from_millis(millis)), "{text}");
            assert_eq!(
                Duration::read(&duration_text(Duration::from_millis(millis))).map(|d| d.as_millis() as u64),
                Some(millis)
            );
        }
        for text in ["", "5", "s", "1.5s", "-1s", "+1s", "1d", "1 s", "99999999999s", "1S"] {
            assert_eq!(Duration::read(text), None, "{text}");
        }
    }

    #[test]
    fn servers_are_addresses_or_names_with_or_without_port() {
        for (text, host, port) in [
            ("127.0.0.1:5070", "127.0.0.1", 5070),
            ("sip.example.net", "sip.example.net", 5060),
            ("sip.example.net:5080", "sip.example.net", 5080),
            ("[2001:db8::1]", "2001:db8::1", 5060),
            ("[2001:db8::1]:5061", "2001:db8::1", 5061),
        ] {
            let server = Server::read(text).unwrap();
            assert_eq!((server.host_port.host.as_str(), server.host_port.port), (host, port), "{text}");
        }
        for text in [
            "",
            ":5060",
            "sip:example.net",
            "a b",
            "example.net:0",
            "example.net:70000",
            "1.2.3",
            "2001:db8::1",
            "[x]",
            "a..b",
            "-a",
            "a\r\nb",
        ] {
            assert_eq!(Server::read(text), None, "{text}");
        }
    }

    #[test]
    fn ports_are_two_numbers() {
        assert_eq!(Ports::read("20000-29999"), Some(Ports { first: 20000, last: 29999 }));
        for text in ["", "20000", "1-70000", "a-b", "1-2-3"] {
            assert_eq!(Ports::read(text), None, "{text}");
        }
    }
}
