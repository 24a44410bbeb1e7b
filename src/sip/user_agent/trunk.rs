//! A carrier's trunk, as data.

use std::net::{IpAddr, SocketAddr};

use crate::sip::digest::Account;

/// Our number of a trunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrunkId(pub u16);

/// A carrier's trunk: everything in which one carrier differs from another.
#[derive(Clone, Debug)]
pub struct Trunk {
    /// Our number of it; one of its kind in a user agent.
    pub id: TrunkId,
    /// Its name in configuration and reports.
    pub name: String,
    /// The registrar's host, for the R-URI of REGISTER, when it is another than `domain`.
    pub registrar: Option<String>,
    /// The domain (a host, with `:port` when needed) of R-URI, From and To.
    pub domain: String,
    /// Where the packets go.
    pub proxy: SocketAddr,
    /// Where they go, in this order, while `proxy` fails (RFC 3263 §4.3); often none.
    pub fallbacks: Vec<SocketAddr>,
    /// With what challenges are answered.
    pub account: Option<Account>,
    /// Whether to register.
    pub register: bool,
    /// The expiry asked for in REGISTER, in seconds.
    pub expires: u32,
    /// The user part of From of calls that bring no caller id of their own; empty means `aor_user`.
    pub caller_id: String,
    /// The user part of the address of record.
    pub aor_user: String,
    /// Addresses whose packets we take; empty means those of the proxy and its fallbacks.
    pub accept_from: Vec<IpAddr>,
    /// Where the caller id stands.
    pub identity: Identity,
    /// Whether the address that the carrier sees (RFC 3581 `received` and `rport`) goes into Contact from then on.
    pub learn_contact: bool,
}

impl Trunk {
    /// Whether packets from `source` belong to this trunk.
    pub fn accepts(&self, source: IpAddr) -> bool {
        if self.accept_from.is_empty() {
            self.targets().any(|target| target.ip() == source)
        } else {
            self.accept_from.contains(&source)
        }
    }

    /// Where packets go, in order of preference.
    pub fn targets(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        std::iter::once(self.proxy).chain(self.fallbacks.iter().copied())
    }
}

/// Where a call's caller id stands (RFC 3325).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Identity {
    /// In From.
    #[default]
    From,
    /// In P-Asserted-Identity; From carries the account's user.
    Pai,
    /// In P-Preferred-Identity; From carries the account's user.
    Ppi,
    /// In Remote-Party-ID; From carries the account's user.
    Rpid,
}
