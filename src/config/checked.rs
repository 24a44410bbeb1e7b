//! The configuration as used: every value parsed, every combination possible, every secret read.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::base::secret::Secret;
use crate::dialer::DialTrunk;
use crate::net::ports::PortRange;
pub use crate::otp::{CallPolicy as CallConfig, Country, OtpPolicy as OtpConfig};
use crate::sip::digest::Account;
use crate::sip::message::DEFAULT_PORT;
pub use crate::sip::user_agent::Identity;
use crate::sip::user_agent::{Trunk, TrunkId};
use crate::wire::codec::Codec;

/// All that the daemon needs to know. Holding one means that every rule of the file has been checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The HTTP listener.
    pub http: HttpConfig,
    /// Who may use the API; at least one.
    pub users: Vec<User>,
    /// The database.
    pub store: StoreConfig,
    /// The rules of a code.
    pub otp: OtpConfig,
    /// The rules of a call.
    pub call: CallConfig,
    /// The recordings.
    pub speech: SpeechConfig,
    /// RTP.
    pub media: MediaConfig,
    /// Where and how much may be called.
    pub limits: LimitsConfig,
    /// The signalling socket.
    pub sip: SipConfig,
    /// The carriers, in the order of the file; at least one.
    pub trunks: Vec<TrunkConfig>,
}

/// `[http]`
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// Where the API listens; beyond loopback only when the file said so in words.
    pub listen: SocketAddr,
    /// Host names, besides the listen address and `localhost`, under which clients may address the API.
    pub hosts: Vec<String>,
    /// The key that signs access tokens; `None`: the daemon draws one at start, so that tokens end with it.
    pub token_secret: Option<Secret>,
}

/// `[[user]]`
#[derive(Clone, Debug)]
pub struct User {
    /// Unique among the users.
    pub username: String,
    /// An argon2id PHC string.
    pub password_hash: Secret,
    /// The SHA-256 of the user's API key, 32 bytes.
    pub api_key_hash: Option<[u8; 32]>,
}

/// `[store]`
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// `sqlite:<path>`.
    pub url: String,
}

/// `[speech]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpeechConfig {
    /// The folder that holds one folder a language.
    pub dir: PathBuf,
    /// The language, which is the name of its folder.
    pub language: String,
}

/// `[media]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaConfig {
    /// The address that is offered for RTP; `None`: the one from which the trunk is reached.
    pub address: Option<IpAddr>,
    /// The UDP ports for RTP.
    pub ports: PortRange,
    /// What is offered, best first; at least one, none twice.
    pub codecs: Vec<Codec>,
}

/// `[limits]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitsConfig {
    /// The home country, by whose rules national numbers are read.
    pub country: Country,
    /// The countries that may be called; at least one, none twice.
    pub countries: Vec<Country>,
    /// Calls at a time over all trunks.
    pub max_calls: u32,
}

/// `[sip]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SipConfig {
    /// The local address of signalling; an unspecified IP means the one from which the trunk is reached, and port 0
    /// any free one.
    pub listen: SocketAddr,
}

/// A host as written, with its port: an IP address or a name that is looked up at start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// An IP address, IPv6 without brackets, or a DNS name.
    pub host: String,
    /// The UDP port.
    pub port: u16,
}

impl fmt::Display for HostPort {
    /// As it stands in a SIP URI: without the port when that is 5060, IPv6 in brackets (RFC 3261 §25.1 `hostport`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?
        } else {
            f.write_str(&self.host)?
        }
        if self.port == DEFAULT_PORT { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

/// `[[trunk]]`
#[derive(Clone, Debug)]
pub struct TrunkConfig {
    /// Unique among the trunks; stands in records and logs.
    pub name: String,
    /// The registrar, or the gateway of a trunk that does not register.
    pub server: HostPort,
    /// Where packets go instead of `server`.
    pub outbound_proxy: Option<HostPort>,
    /// The host part of our address and of request URIs, with `:port` when the server was written with one.
    pub domain: String,
    /// The user part of our address of record; always there when `register`.
    pub username: Option<String>,
    /// The name in digest credentials when it is not `username`.
    pub auth_username: Option<String>,
    /// The digest password.
    pub password: Option<Secret>,
    /// The only realm that gets credentials, when pinned.
    pub realm: Option<String>,
    /// The number that is shown to the callee.
    pub caller_id: String,
    /// Whether the trunk registers.
    pub register: bool,
    /// What is asked of the registrar.
    pub expires: Duration,
    /// New calls a second.
    pub cps: u32,
    /// Calls at a time.
    pub max_calls: u32,
    /// Lower is tried first.
    pub priority: u32,
    /// How the caller is named.
    pub identity: Identity,
}

impl TrunkConfig {
    /// Where this trunk's packets go: the host that is to be looked up.
    pub fn next_hop(&self) -> &HostPort {
        self.outbound_proxy.as_ref().unwrap_or(&self.server)
    }

    /// The trunk as the user agent knows it. `targets` are the addresses of [`TrunkConfig::next_hop`], best first;
    /// `None` when there is none.
    pub fn sip_trunk(&self, id: TrunkId, targets: &[SocketAddr]) -> Option<Trunk> {
        let (proxy, fallbacks) = targets.split_first()?;
        let registrar = self.server.to_string();
        let login = self.auth_username.as_ref().or(self.username.as_ref());
        let account = login.zip(self.password.as_ref()).map(|(username, password)| Account {
            username: username.clone(),
            password: password.clone(),
            realm: self.realm.clone(),
        });
        Some(Trunk {
            id,
            name: self.name.clone(),
            registrar: Some(registrar).filter(|registrar| *registrar != self.domain),
            domain: self.domain.clone(),
            proxy: *proxy,
            fallbacks: fallbacks.to_vec(),
            account,
            register: self.register,
            expires: u32::try_from(self.expires.as_secs()).unwrap_or(u32::MAX),
            caller_id: self.caller_id.clone(),
            aor_user: self.username.clone().unwrap_or_else(|| self.caller_id.clone()),
            accept_from: Vec::new(),
            identity: self.identity,
            learn_contact: true,
        })
    }

    /// The trunk as the dialer knows it.
    pub fn dial_trunk(&self, id: TrunkId) -> DialTrunk {
        DialTrunk {
            id,
            name: self.name.clone(),
            register: self.register,
            priority: self.priority,
            cps: self.cps,
            max_calls: self.max_calls,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_print_as_in_a_sip_uri() {
        for (host, port, text) in [
            ("sip.example.net", 5060, "sip.example.net"),
            ("127.0.0.1", 5070, "127.0.0.1:5070"),
            ("2001:db8::1", 5060, "[2001:db8::1]"),
            ("2001:db8::1", 5061, "[2001:db8::1]:5061"),
        ] {
            assert_eq!(HostPort { host: host.into(), port }.to_string(), text);
        }
    }
}
