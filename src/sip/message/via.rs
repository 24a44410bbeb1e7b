//! Via (RFC 3261 §20.42, RFC 3581).

use std::fmt;
use std::net::IpAddr;

use super::host::Host;
use super::lex::{BadValue, is_blank, trim};
use super::params::Params;
use super::token::Token;

/// The start of every branch of an RFC 3261 element (§8.1.1.7).
pub const MAGIC_COOKIE: &str = "z9hG4bK";

/// One hop: `SIP/2.0/UDP host:port;branch=…`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Via {
    /// `UDP`, `TCP`, `TLS` or another.
    pub transport: Token,
    /// The host that responses go to, unless `received` or `maddr` says otherwise.
    pub host: Host,
    /// The port, when one is written.
    pub port: Option<u16>,
    /// `branch`, `rport`, `received` and others.
    pub params: Params,
}

impl Via {
    /// A hop with `;rport` (RFC 3581 §3) and the branch `z9hG4bK` + `unique`.
    pub fn new(transport: Token, host: Host, port: Option<u16>, unique: &str) -> Self {
        let mut params = Params::new();
        params.set("rport", None);
        params.set("branch", Some(&format!("{MAGIC_COOKIE}{unique}")));
        Via { transport, host, port, params }
    }

    /// Reads one Via value; blanks may stand around its slashes and its colon.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadValue> {
        let bad = |why| BadValue::new("Via", why);
        let mut rest = trim(bytes);
        for (part, why) in [("SIP", "is not for SIP"), ("2.0", "is not for SIP/2.0")] {
            let slash = rest.iter().position(|byte| *byte == b'/').ok_or(bad("lacks its protocol"))?;
            if !trim(&rest[..slash]).eq_ignore_ascii_case(part.as_bytes()) {
                return Err(bad(why));
            }
            rest = trim(&rest[slash + 1..]);
        }
        let end = rest.iter().position(|byte| is_blank(*byte)).ok_or(bad("lacks its host"))?;
        let transport = Token::parse(&rest[..end]).map_err(|_| bad("has a bad transport"))?;
        let rest = trim(&rest[end..]);
        let end = rest.iter().position(|byte| *byte == b';').unwrap_or(rest.len());
        let (host, port) = Host::parse_with_port(trim(&rest[..end])).map_err(|error| bad(error.why))?;
        let params = Params::parse("Via", &rest[end..])?;
        Ok(Via { transport, host, port, params })
    }

    /// The branch, with its magic cookie.
    pub fn branch(&self) -> Option<&str> {
        self.params.get("branch")
    }

    /// Whether the branch identifies the transaction (RFC 3261 §17.2.3): the cookie and something after it.
    pub fn has_rfc3261_branch(&self) -> bool {
        self.branch().and_then(|branch| branch.strip_prefix(MAGIC_COOKIE)).is_some_and(|unique| !unique.is_empty())
    }

    /// `None` without `rport`; `Some(None)` for one that waits for its value (RFC 3581 §3).
    pub fn rport(&self) -> Option<Option<u16>> {
        let value = self.params.get("rport");
        self.params.has("rport").then(|| value.and_then(|value| super::lex::port(value.as_bytes())))
    }

    /// The address the server saw; IPv6 with or without brackets (RFC 5118 §4.5).
    pub fn received(&self) -> Option<IpAddr> {
        self.params.get("received")?.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }

    /// The multicast or forced address (RFC 3261 §18.2.2).
    pub fn maddr(&self) -> Option<&str> {
        self.params.get("maddr")
    }

    /// The time-to-live of a multicast request.
    pub fn ttl(&self) -> Option<u8> {
        self.params.get("ttl")?.parse().ok()
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        self.params.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Via {
        Via::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn blanks_may_stand_everywhere() {
        let via = read("SIP  /    2.0   / UDP  192.168.255.111 : 5062  ; branch= z9hG4bK30239");
        assert_eq!(via.to_string(), "SIP/2.0/UDP 192.168.255.111:5062;branch=z9hG4bK30239");
        assert!(via.has_rfc3261_branch());
        assert!(!read("SIP/2.0/UDP a;branch=z9hG4bK").has_rfc3261_branch());
        assert!(!read("SIP/2.0/UDP a;branch=390skdjuw").has_rfc3261_branch());
    }

    #[test]
    fn rport_has_three_states() {
        assert_eq!(read("SIP/2.0/UDP a").rport(), None);
        assert_eq!(read("SIP/2.0/UDP a;rport").rport(), Some(None));
        assert_eq!(read("SIP/2.0/UDP a;rport=5062").rport(), Some(Some(5062)));
    }

    #[test]
    fn received_may_be_bracketed() {
        let address = "2001:db8::9:255".parse().ok();
        assert_eq!(read("SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255]").received(), address);
        assert_eq!(read("SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255").received(), address);
    }

    #[test]
    fn broken_hops_are_refused() {
        for bad in [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0 UDP a",
            "SIP/7.0/UDP a",
            "HTTP/2.0/UDP a",
            "SIP/2.0/UDP 192.0.2.15;;",
            "SIP/2.0/UDP a b",
            "SIP/2.0/ a",
            "SIP/2.0/UDP ;branch=x",
        ] {
            assert!(Via::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
