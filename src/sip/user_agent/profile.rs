//! A trunk at work: its addresses, its identity, its registration.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::event::Policy;
use super::trunk::{Identity, Trunk};
use crate::base::random::Random;
use crate::base::time::Instant;
use crate::sip::digest::Account;
use crate::sip::invite_session::{Flow, add_allow};
use crate::sip::locate::Targets;
use crate::sip::message::{
    CSeq, HeaderName, HeaderValue, Host, MAX_FORWARDS, Method, NameAddr, Request, Response, SipUri, Uri, UserPart,
};
use crate::sip::registration::{Registration, RegistrationConfig, RegistrationState};
use crate::sip::transaction::{Path, Timings};

/// A trunk at work.
pub struct Profile {
    /// The trunk as configured.
    pub trunk: Trunk,
    /// Its registration, when it has one.
    pub registration: Option<Registration>,
    /// Where its registration stands.
    pub state: RegistrationState,
    /// Which of its addresses work.
    pub targets: Targets,
    host: Host,
    port: Option<u16>,
    contact: Uri,
    account: Option<Arc<Account>>,
    trusted: Arc<[IpAddr]>,
}

impl Profile {
    /// Sets `trunk` to work.
    ///
    /// A domain that is no host counts as the proxy's address, and a user that is none as absent: what configuration
    /// lets through is neither.
    pub fn new(trunk: Trunk, policy: &Policy, random: &mut Random) -> Self {
        let (host, port) = host_of(&trunk.domain, trunk.proxy);
        let contact: Uri =
            SipUri::new(user(&trunk.aor_user), policy.local.ip().into(), Some(policy.local.port())).into();
        let trusted = match trunk.accept_from.is_empty() {
            true => trunk.targets().map(|target| target.ip()).collect(),
            false => trunk.accept_from.iter().copied().chain(trunk.targets().map(|target| target.ip())).collect(),
        };
        let registration = trunk.register.then(|| {
            let (registrar, registrar_port) = match &trunk.registrar {
                Some(registrar) => host_of(registrar, trunk.proxy),
                None => (host.clone(), port),
            };
            let config = RegistrationConfig {
                registrar: SipUri::new(None, registrar, registrar_port).into(),
                aor: SipUri::new(user(&trunk.aor_user), host.clone(), port).into(),
                contact: contact.clone(),
                expires: trunk.expires,
                account: trunk.account.clone(),
                targets: trunk.targets().collect(),
            };
            Registration::new(config, random.fork())
        });
        Profile {
            targets: Targets::new(trunk.targets()),
            account: trunk.account.clone().map(Arc::new),
            state: RegistrationState::Unregistered,
            trunk,
            registration,
            host,
            port,
            contact,
            trusted,
        }
    }

    /// Whether packets from `source` belong to this trunk.
    pub fn accepts(&self, source: IpAddr) -> bool {
        self.trusted.contains(&source)
    }

    /// The way of a call over this trunk, towards `remote` or where the trunk's calls go now.
    pub fn flow(&self, now: Instant, remote: Option<SocketAddr>, policy: &Policy, agent: Option<HeaderValue>) -> Flow {
        let remote = remote.or_else(|| self.targets.select(now)).unwrap_or(self.trunk.proxy);
        Flow {
            local: policy.local,
            contact: self.contact.clone(),
            path: Path::udp(remote),
            pinned: false,
            agent,
            account: self.account.clone(),
            trusted: self.trusted.clone(),
            timings: Timings::default(),
        }
    }

    /// The INVITE of a call to `callee`, complete but for its Via and its body.
    pub fn invite(&self, callee: &UserPart, caller: Option<UserPart>, call_id: HeaderValue, tag: &str) -> Request {
        let address = |user: Option<UserPart>| NameAddr::new(SipUri::new(user, self.host.clone(), self.port));
        let account = user(&self.trunk.aor_user);
        let caller = caller.or_else(|| user(&self.trunk.caller_id)).or_else(|| account.clone());
        let to = address(Some(callee.clone()));
        // SIPconnect 1.1 §12.1: with an identity of its own in another field, From names the account.
        let from = match self.trunk.identity {
            Identity::From => caller.clone(),
            Identity::Pai | Identity::Ppi | Identity::Rpid => account.or_else(|| caller.clone()),
        };
        let mut request = Request::new(Method::Invite, to.uri.clone());
        let headers = request.headers_mut();
        headers.push(HeaderName::MaxForwards, MAX_FORWARDS);
        headers.push(HeaderName::From, address(from).with_tag(tag));
        headers.push(HeaderName::To, to);
        headers.push(HeaderName::CallId, call_id);
        headers.push(HeaderName::CSeq, CSeq::new(1, Method::Invite));
        headers.push(HeaderName::Contact, NameAddr::new(self.contact.clone()));
        add_allow(headers);
        match self.trunk.identity {
            Identity::From => {}
            Identity::Pai => headers.push(HeaderName::PAssertedIdentity, address(caller)),
            Identity::Ppi => headers.push(HeaderName::PPreferredIdentity, address(caller)),
            Identity::Rpid => {
                let party = address(caller).with_param("party", Some("calling")).with_param("screen", Some("yes"));
                headers.push(HeaderName::RemotePartyId, party.with_param("privacy", Some("off")));
            }
        }
        request
    }

    /// Takes note of the address that the carrier sees (RFC 3581 §4). Returns the Contact when it has changed.
    pub fn learn(&mut self, response: &Response, local: SocketAddr) -> Option<Uri> {
        let via = response.headers().top_via().ok().filter(|_| self.trunk.learn_contact)?;
        let port = via.rport().flatten()?;
        let seen = SocketAddr::new(via.received().unwrap_or(local.ip()), port);
        let contact: Uri = SipUri::new(user(&self.trunk.aor_user), seen.ip().into(), Some(seen.port())).into();
        if contact == self.contact {
            return None;
        }
        self.contact = contact.clone();
        Some(contact)
    }
}

fn host_of(text: &str, proxy: SocketAddr) -> (Host, Option<u16>) {
    Host::parse_with_port(text.as_bytes()).unwrap_or_else(|_| (proxy.ip().into(), Some(proxy.port())))
}

fn user(text: &str) -> Option<UserPart> {
    UserPart::new(text).ok()
}
