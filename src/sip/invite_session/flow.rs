//! The way between us and one peer, as far as a call needs to know it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::sip::dialog::Dialog;
use crate::sip::digest::Account;
use crate::sip::message::{HeaderName, HeaderValue, Headers, Method, NameAddr, Uri};
use crate::sip::transaction::{Path, Timings};

/// The methods that we take (RFC 3261 §20.5). UPDATE stands among them since some borders drop calls without it.
pub const ALLOWED: [Method; 7] =
    [Method::Invite, Method::Ack, Method::Bye, Method::Cancel, Method::Options, Method::Info, Method::Update];

/// The way between us and one peer.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Our address, for Via.
    pub local: SocketAddr,
    /// Where we want requests of the dialog to go.
    pub contact: Uri,
    /// Where packets go unless the dialog's route names an address.
    pub path: Path,
    /// Whether everything goes to `path`, wherever the dialog's route leads: for what could be a trick to make us send
    /// packets to somebody else.
    pub pinned: bool,
    /// User-Agent and Server; none when it holds what a header cannot.
    pub agent: Option<HeaderValue>,
    /// With what challenges are answered.
    pub account: Option<Arc<Account>>,
    /// The addresses that may see our credentials and whose challenges count.
    pub trusted: Arc<[IpAddr]>,
    /// The times of RFC 3261.
    pub timings: Timings,
}

impl Flow {
    /// Whether `address` is one of the trunk's own.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.contains(&address)
    }

    /// Where the next request of `dialog` goes.
    pub fn path_of(&self, dialog: &Dialog) -> Path {
        let trunk = self.path.remote;
        let reachable =
            |hop: &SocketAddr| hop.is_ipv4() == trunk.is_ipv4() && (!is_private(hop.ip()) || is_private(trunk.ip()));
        match dialog.next_hop().filter(|hop| !self.pinned && reachable(hop)) {
            Some(remote) => Path { remote, ..self.path },
            // A name that is not resolved, another transport, an address of the family that our socket is not of, or a
            // private address that a carrier forgot to rewrite (RFC 3261 §8.1.2 leaves such exceptions to local policy).
            None => self.path,
        }
    }

    /// Says where we can be reached.
    pub fn add_contact(&self, headers: &mut Headers) {
        headers.set(HeaderName::Contact, NameAddr::new(self.contact.clone()));
    }
}

/// Says which methods we take.
pub fn add_allow(headers: &mut Headers) {
    headers.set(HeaderName::Allow, HeaderValue::list(&ALLOWED));
}

/// Whether an address cannot be reached from the public network.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_loopback() || v6.is_unicast_link_local() || v6.is_unspecified(),
    }
}
