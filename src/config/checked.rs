//! The configuration as used: every value parsed, every combination possible, every secret read.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use crate::base::secret::Secret;
pub use crate::otp::{CallPolicy as CallConfig, Country, OtpPolicy as OtpConfig};
pub use crate::sip::user_agent::Identity;
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
    pub password_hash: String,
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
    /// The UDP ports for RTP; starts even, holds at least one pair.
    pub ports: RangeInclusive<u16>,
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
    /// E.164 prefixes (`+84`) that the trunk serves; empty: all.
    pub prefixes: Vec<String>,
    /// How the caller is named.
    pub identity: Identity,
}
