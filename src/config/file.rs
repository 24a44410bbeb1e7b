//! The configuration as written: every key that a file may hold, nothing checked but the kind of each value.
//!
//! Keys of type [`Later`] are known, so that the answer to them is "not supported by this version" and not "unknown".

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::values::{Later, Ports, Server, Text, Whole};
use crate::base::secret::Secret;

/// A key that may be absent, with its place in the file.
pub type Key<T> = Option<Spanned<T>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    #[serde(default)]
    pub http: Http,
    #[serde(default)]
    pub user: Vec<Spanned<User>>,
    #[serde(default)]
    pub store: Store,
    #[serde(default)]
    pub otp: Otp,
    #[serde(default)]
    pub call: Call,
    #[serde(default)]
    pub speech: Speech,
    #[serde(default)]
    pub media: Media,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub sip: Sip,
    #[serde(default)]
    pub trunk: Vec<Spanned<Trunk>>,
    pub webhook: Key<Later>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    pub listen: Key<Text<SocketAddr>>,
    pub insecure: Key<bool>,
    pub hosts: Key<Vec<Spanned<String>>>,
    pub token_secret: Key<Secret>,
    pub token_secret_file: Key<String>,
    pub token_secret_env: Key<String>,
    pub tls: Key<Later>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    pub username: Key<String>,
    pub password_hash: Key<String>,
    pub api_key_hash: Key<String>,
    pub caller_id: Key<Later>,
    pub countries: Key<Later>,
    pub caps: Key<Later>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    pub url: Key<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Otp {
    pub length: Key<Whole>,
    pub ttl: Key<Text<Duration>>,
    pub max_checks: Key<Whole>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    pub ring_timeout: Key<Text<Duration>>,
    pub answer_settle: Key<Text<Duration>>,
    pub digit_gap: Key<Text<Duration>>,
    pub repeat_key: Key<String>,
    pub max_repeats: Key<Whole>,
    pub listen_window: Key<Text<Duration>>,
    pub gate: Key<bool>,
    pub redial: Option<Redial>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redial {
    pub max: Key<Whole>,
    #[serde(rename = "after")]
    pub _after: Option<Later>,
    #[serde(rename = "on")]
    pub _on: Option<Later>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Speech {
    pub dir: Key<String>,
    pub language: Key<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Media {
    pub address: Key<Text<IpAddr>>,
    pub ports: Key<Text<Ports>>,
    pub codecs: Key<Vec<Spanned<String>>>,
    pub srtp: Key<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub country: Key<String>,
    pub countries: Key<Vec<Spanned<String>>>,
    pub max_calls: Key<Whole>,
    pub per_number: Key<Later>,
    pub per_prefix: Key<Later>,
    pub per_user: Key<Later>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sip {
    pub listen: Key<Text<SocketAddr>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trunk {
    pub name: Key<String>,
    pub registrar: Key<Text<Server>>,
    pub gateway: Key<Text<Server>>,
    pub transport: Key<String>,
    pub domain: Key<Text<Server>>,
    pub outbound_proxy: Key<Text<Server>>,
    pub username: Key<String>,
    pub auth_username: Key<String>,
    pub password: Key<Secret>,
    pub password_file: Key<String>,
    pub password_env: Key<String>,
    pub realm: Key<String>,
    pub caller_id: Key<String>,
    pub register: Key<bool>,
    pub expires: Key<Text<Duration>>,
    pub cps: Key<Whole>,
    pub max_calls: Key<Whole>,
    pub priority: Key<Whole>,
    pub prefixes: Key<Later>,
    pub identity: Key<String>,
}
