//! The carrier's registrar: who may call, and where a number can be reached (RFC 3261 §10.3, §22).
//!
//! Stateless towards the network: a copy of a request gets the same kind of answer again, so that no transaction is kept.
//!
//! | rule | test |
//! |---|---|
//! | RFC 3261 §22.1, RFC 7616 §3.7: challenges of several algorithms side by side | `a_register_is_challenged_and_then_bound` |
//! | RFC 7616 §3.3: an old nonce with the right password is `stale`, and only then | `an_old_nonce_is_stale_only_with_the_right_password` |
//! | RFC 7616 §3.4: a nonce count does not go back; a copy of the same request may repeat it | `a_replayed_count_is_challenged_again` |
//! | RFC 3261 §10.3 step 2-6: wrong password and foreign address of record | `a_stranger_and_a_foreign_address_are_refused` |
//! | RFC 3261 §10.2.2, §10.3 step 6: removal by `Expires: 0` and by `*` | `bindings_go_by_zero_star_and_time` |
//! | RFC 3261 §10.3 step 7, §21.4.17: 423 below the minimum, the maximum granted above it | `the_expiry_is_kept_within_bounds` |
//! | RFC 3581 §4: `rport` and `received` filled in | `answers_carry_the_source` |
//!
//! Not done: several contacts for one address (the last one counts, as for a telephone), Path, GRUU, order by Call-ID and
//! CSeq.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use crate::base::random::Random;
use crate::base::secret::{Masked, Secret};
use crate::base::time::Instant;
use crate::sip::digest::{self, Algorithm};
use crate::sip::message::{Credentials, HeaderName, Headers, NameAddr, Request, Response, Uri, Via};

/// How long a nonce serves.
const NONCE_LIFE: Duration = Duration::from_secs(300);

/// Nonces that are remembered; the oldest make room.
const MAX_NONCES: usize = 1024;

/// Addresses that can be bound at once; further ones get 503.
const MAX_BINDINGS: usize = 1024;

/// Digits that two numbers must share at their ends to be the same: national and international writing differ at the
/// front.
const SAME_DIGITS: usize = 8;

/// Who may use the carrier, and for how long a binding may stand.
#[derive(Clone, Debug)]
pub struct Accounts {
    /// The realm of every challenge.
    pub realm: String,
    /// The trunk's user name.
    pub username: String,
    /// The password of the trunk, and of every telephone: any number may register with it.
    pub password: Secret,
    /// The shortest expiry that is granted; less is answered with 423.
    pub min_expires: u32,
    /// The longest expiry that is granted.
    pub max_expires: u32,
}

/// Where an address of record can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The address that was registered; a request's new Request-URI.
    pub contact: Uri,
    /// Where the REGISTER came from: the way back through a translator of addresses.
    pub source: SocketAddr,
    /// When it ends.
    pub until: Instant,
}

/// What a REGISTER did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The user can be reached now, or still.
    Registered {
        /// User part of the address of record.
        user: Masked,
        /// Seconds granted.
        expires: u32,
    },
    /// The user has gone.
    Unregistered {
        /// User part of the address of record.
        user: Masked,
    },
}

/// Which pair of header fields asks and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// 401, WWW-Authenticate, Authorization.
    Server,
    /// 407, Proxy-Authenticate, Proxy-Authorization.
    Proxy,
}

struct Nonce {
    value: String,
    issued: Instant,
    /// The highest count that came, and the branch it came with.
    last_use: Option<(u32, String)>,
}

/// Users, nonces and bindings.
pub struct Registrar {
    accounts: Accounts,
    random: Random,
    tag_key: u64,
    nonces: VecDeque<Nonce>,
    bindings: BTreeMap<String, Binding>,
}

impl Registrar {
    /// A registrar without bindings.
    pub fn new(accounts: Accounts, mut random: Random) -> Self {
        let tag_key = random.u64();
        Registrar { accounts, random, tag_key, nonces: VecDeque::new(), bindings: BTreeMap::new() }
    }

    /// Answers a REGISTER that came from `source`.
    pub fn register(&mut self, now: Instant, request: &Request, source: SocketAddr) -> (Response, Option<Change>) {
        let user = match self.authenticate(now, request, source, Side::Server) {
            Ok(user) => user,
            Err(challenge) => return (*challenge, None),
        };
        let address = request.headers().to().ok().and_then(|to| to.uri.as_sip()?.user.as_ref().map(|u| u.unescaped()));
        if address.as_deref() != Some(user.as_str()) {
            return (self.reply(request, source, 403), None);
        }
        let asked = request.headers().expires();
        let contacts = request.headers().contacts().unwrap_or_default();
        let Some(contact) = contacts.first() else {
            return (self.bound(now, request, source, &user), None);
        };
        // RFC 3261 §10.2.1.1: the Contact's own expiry before that of the header.
        let expires = contact.address().and_then(NameAddr::expires).or(asked).unwrap_or(self.accounts.max_expires);
        let Some(contact) = contact.address().filter(|_| expires > 0) else {
            let gone = self.bindings.remove(&user).is_some();
            let change = gone.then(|| Change::Unregistered { user: user.as_str().into() });
            return (self.bound(now, request, source, &user), change);
        };
        if expires < self.accounts.min_expires {
            let mut response = self.reply(request, source, 423);
            response.headers_mut().set(HeaderName::MinExpires, self.accounts.min_expires);
            return (response, None);
        }
        self.bindings.retain(|_, binding| binding.until > now);
        if self.bindings.len() >= MAX_BINDINGS && !self.bindings.contains_key(&user) {
            return (self.reply(request, source, 503), None);
        }
        let expires = expires.min(self.accounts.max_expires);
        let until = now + Duration::from_secs(expires.into());
        self.bindings.insert(user.clone(), Binding { contact: contact.uri.clone(), source, until });
        (self.bound(now, request, source, &user), Some(Change::Registered { user: user.into(), expires }))
    }

    /// Whether the sender of an INVITE may call: his user name, or the 407 or 403 that he gets.
    ///
    /// # Errors
    /// The response to send instead of doing what was asked.
    pub fn admit(&mut self, now: Instant, request: &Request, source: SocketAddr) -> Result<String, Box<Response>> {
        self.authenticate(now, request, source, Side::Proxy)
    }

    /// The telephone that is registered under `number`, in whatever writing. The trunk itself is no telephone.
    pub fn telephone(&self, now: Instant, number: &str) -> Option<&Binding> {
        let standing = |(user, binding): &(&String, &Binding)| {
            **user != self.accounts.username && binding.until > now && same_number(user, number)
        };
        self.bindings.iter().find(standing).map(|(_, binding)| binding)
    }

    /// Whether a binding came from `address`.
    pub fn knows(&self, now: Instant, address: SocketAddr) -> bool {
        self.bindings.values().any(|binding| binding.source == address && binding.until > now)
    }

    /// A response to `request` with a To tag that stays the same for its copies (RFC 3261 §8.2.7), and with its top Via
    /// completed.
    pub fn reply(&self, request: &Request, source: SocketAddr, status: u16) -> Response {
        let mut response = Response::reply_to(request, status);
        response.set_to_tag(&self.tag(request.headers()));
        stamp_source(&mut response, source);
        response
    }

    /// Whether `ack` is for a response of [`Registrar::reply`].
    pub fn has_refused(&self, ack: &Request) -> bool {
        ack.headers().to().is_ok_and(|to| to.tag() == Some(&self.tag(ack.headers())))
    }

    /// The same for a request, its copies and its ACK.
    fn tag(&self, headers: &Headers) -> String {
        let branch = headers.top_via().ok().and_then(|via| via.branch().map(str::to_owned)).unwrap_or_default();
        stable_token(self.tag_key, &[&branch, headers.call_id().unwrap_or_default()])
    }

    fn authenticate(
        &mut self,
        now: Instant,
        request: &Request,
        source: SocketAddr,
        side: Side,
    ) -> Result<String, Box<Response>> {
        let given = request
            .headers()
            .raw(side.answer())
            .filter_map(|value| Credentials::parse(value).ok())
            .find(|credentials| credentials.is_digest() && credentials.get("realm") == Some(&self.accounts.realm));
        let Some(given) = given else {
            return Err(Box::new(self.challenge(now, request, source, side, false)));
        };
        let user = given.get("username").unwrap_or_default().to_owned();
        if user != self.accounts.username && !is_number(&user) {
            return Err(Box::new(self.reply(request, source, 403)));
        }
        // RFC 7616 §3.4.6: credentials for another resource prove nothing about this one.
        let uri = given.get("uri").and_then(|uri| Uri::parse(uri.as_bytes()).ok());
        if !uri.is_some_and(|uri| uri.equivalent(request.uri()))
            || !digest::verify(&given, request.method(), &self.accounts.password, request.body())
        {
            return Err(Box::new(self.challenge(now, request, source, side, false)));
        }
        match self.take_nonce(now, request, &given) {
            true => Ok(user),
            false => Err(Box::new(self.challenge(now, request, source, side, true))),
        }
    }

    /// Whether the nonce of `given` is ours, fresh, and not used with this count by another request.
    fn take_nonce(&mut self, now: Instant, request: &Request, given: &Credentials) -> bool {
        let value = given.get("nonce").unwrap_or_default();
        let Some(nonce) = self.nonces.iter_mut().find(|nonce| nonce.value == value) else { return false };
        if now.saturating_duration_since(nonce.issued) >= NONCE_LIFE {
            return false;
        }
        // RFC 2069 has no count; its requests are as good as the nonce is young.
        let Some(count) = given.get("nc") else { return true };
        let Ok(count) = u32::from_str_radix(count, 16) else { return false };
        let branch = request.headers().top_via().ok().and_then(|via| via.branch().map(str::to_owned));
        let this_use = (count, branch.unwrap_or_default());
        match &nonce.last_use {
            Some(last) if this_use.0 <= last.0 && this_use != *last => false,
            _ => {
                nonce.last_use = Some(this_use);
                true
            }
        }
    }

    fn challenge(&mut self, now: Instant, request: &Request, source: SocketAddr, side: Side, stale: bool) -> Response {
        let value = self.random.token();
        if self.nonces.len() >= MAX_NONCES {
            self.nonces.pop_front();
        }
        self.nonces.push_back(Nonce { value: value.clone(), issued: now, last_use: None });
        let mut response = self.reply(request, source, side.status());
        for challenge in digest::make_challenges(&self.accounts.realm, self.offered(request), &value, stale) {
            response.headers_mut().push(side.question(), challenge);
        }
        response
    }

    /// The algorithms that the sender of `request` is offered.
    fn offered(&self, request: &Request) -> &'static [Algorithm] {
        let from = request.headers().from().ok();
        let user = from.as_ref().and_then(|from| from.uri.as_sip()?.user.as_ref().map(|user| user.unescaped()));
        match user {
            Some(user) if user == self.accounts.username => &OFFERED_TO_TRUNK,
            _ => &OFFERED_TO_TELEPHONES,
        }
    }

    /// 200 with what is bound.
    fn bound(&self, now: Instant, request: &Request, source: SocketAddr, user: &str) -> Response {
        let mut response = self.reply(request, source, 200);
        if let Some(binding) = self.bindings.get(user).filter(|binding| binding.until > now) {
            let left = binding.until.saturating_duration_since(now).as_secs();
            let contact = NameAddr::new(binding.contact.clone()).with_param("expires", Some(&left.to_string()));
            response.headers_mut().push(HeaderName::Contact, contact);
        }
        response
    }
}

/// What the trunk is offered, side by side, the better first, as Asterisk does (RFC 8760 §2.4).
const OFFERED_TO_TRUNK: [Algorithm; 2] = [Algorithm::SHA_256, Algorithm::MD5];

/// What telephones are offered. Many of them give the registration up when any challenge is of an algorithm that they do
/// not know (baresip 1.0 ends with "Function not implemented"), instead of passing it over (RFC 7616 §3.7).
const OFFERED_TO_TELEPHONES: [Algorithm; 1] = [Algorithm::MD5];

impl Side {
    fn status(self) -> u16 {
        match self {
            Side::Server => 401,
            Side::Proxy => 407,
        }
    }

    fn question(self) -> HeaderName {
        match self {
            Side::Server => HeaderName::WwwAuthenticate,
            Side::Proxy => HeaderName::ProxyAuthenticate,
        }
    }

    fn answer(self) -> &'static HeaderName {
        match self {
            Side::Server => &HeaderName::Authorization,
            Side::Proxy => &HeaderName::ProxyAuthorization,
        }
    }
}

/// Fills `received` and `rport` of the top Via in (RFC 3581 §4).
pub(super) fn stamp_source(response: &mut Response, source: SocketAddr) {
    if let Ok(mut via) = response.headers().top_via() {
        stamp_via(&mut via, source);
        response.headers_mut().set_top_via(&via);
    }
}

/// Fills `received` and `rport` in.
pub(super) fn stamp_via(via: &mut Via, source: SocketAddr) {
    if via.rport().is_some() {
        via.params.set("rport", Some(&source.port().to_string()));
        via.params.set("received", Some(&source.ip().to_string()));
    } else if via.host.ip() != Some(source.ip()) {
        via.params.set("received", Some(&source.ip().to_string()));
    }
}

/// A token that depends on `parts` and `key` alone.
pub(super) fn stable_token(key: u64, parts: &[&str]) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (key, salt, parts).hash(&mut hasher);
        hasher.finish()
    };
    format!("{:016x}{:016x}", half(0), half(1))
}

/// Whether `user` is a telephone number: digits, with `+` or without.
fn is_number(user: &str) -> bool {
    let digits = user.strip_prefix('+').unwrap_or(user);
    !digits.is_empty() && digits.len() <= 20 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether two writings mean one telephone: equal, or alike in their last digits.
fn same_number(one: &str, other: &str) -> bool {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let (one, other) = (digits(one), digits(other));
    let (one, other) = (one.trim_start_matches('0'), other.trim_start_matches('0'));
    let (short, long) = if one.len() < other.len() { (one, other) } else { (other, one) };
    !short.is_empty() && (short == long || short.len() >= SAME_DIGITS && long.ends_with(short))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::sip::digest::{Account, DigestState};
    use crate::sip::message::{CSeq, HeaderValue, Host, Method, Token, UserPart};

    pub(crate) fn accounts() -> Accounts {
        Accounts {
            realm: "lab".to_owned(),
            username: "ringcode".to_owned(),
            password: Secret::new("ringcode-lab"),
            min_expires: 30,
            max_expires: 600,
        }
    }

    fn registrar() -> Registrar {
        Registrar::new(accounts(), Random::from_seed(1))
    }

    fn source() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 40_000))
    }

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    pub(crate) fn request(method: Method, user: &str, contact: Option<&str>, expires: Option<u32>) -> Request {
        let host = Host::try_from("127.0.0.1").unwrap();
        let address = Uri::sip(Some(UserPart::new(user).unwrap()), host.clone(), Some(5070));
        let mut request = Request::new(method.clone(), Uri::sip(None, host.clone(), Some(5070)));
        let headers = request.headers_mut();
        headers.push(HeaderName::Via, Via::new(Token::from_static("UDP"), host, Some(40_000), "b1"));
        headers.push(HeaderName::From, NameAddr::new(address.clone()).with_tag("f"));
        headers.push(HeaderName::To, NameAddr::new(address));
        headers.push(HeaderName::CallId, HeaderValue::try_from("call").unwrap());
        headers.push(HeaderName::CSeq, CSeq::new(1, method));
        if let Some(contact) = contact {
            headers.push(HeaderName::Contact, HeaderValue::try_from(contact).unwrap());
        }
        if let Some(expires) = expires {
            headers.push(HeaderName::Expires, expires);
        }
        request
    }

    /// Answers the challenge of `response` in `request`, as its sender's `state` goes on.
    pub(crate) fn prove(request: &mut Request, response: &Response, user: &str, password: &str) -> DigestState {
        let mut state = DigestState::new();
        let account = account(user, password);
        state.challenged(&account, response.headers()).unwrap();
        state.sign(&account, request, &mut Random::from_seed(9));
        state
    }

    fn account(user: &str, password: &str) -> Account {
        Account { username: user.to_owned(), password: Secret::new(password), realm: None }
    }

    /// Registers with a fresh challenge: status, change.
    fn registered(
        registrar: &mut Registrar,
        now: Instant,
        user: &str,
        contact: Option<&str>,
        expires: Option<u32>,
    ) -> (Response, Option<Change>) {
        let mut request = request(Method::Register, user, contact, expires);
        let (challenge, change) = registrar.register(now, &request, source());
        assert_eq!((challenge.status(), change), (401, None));
        prove(&mut request, &challenge, user, "ringcode-lab");
        registrar.register(now, &request, source())
    }

    const CONTACT: Option<&str> = Some("<sip:x@127.0.0.1:40000>");

    #[test]
    fn a_register_is_challenged_and_then_bound() {
        let mut registrar = registrar();
        let mut offered = |user: &str| {
            let (challenge, _) = registrar.register(at(0), &request(Method::Register, user, CONTACT, None), source());
            let challenges = challenge.headers().challenges(401);
            challenges.iter().filter_map(|c| c.get("algorithm").map(str::to_owned)).collect::<Vec<_>>()
        };
        assert_eq!(offered("ringcode"), ["SHA-256", "MD5"]);
        assert_eq!(offered("0919273027"), ["MD5"], "old telephones fail at an algorithm that they do not know");
        let (response, change) = registered(&mut registrar, at(0), "0919273027", CONTACT, Some(60));
        assert_eq!(response.status(), 200);
        assert_eq!(change, Some(Change::Registered { user: "0919273027".into(), expires: 60 }));
        assert_eq!(response.headers().contact().and_then(|contact| contact.expires()), Some(60));
        let binding = registrar.telephone(at(59), "+84919273027").unwrap();
        assert_eq!((binding.contact.to_string().as_str(), binding.source), ("sip:x@127.0.0.1:40000", source()));
        assert_eq!(registrar.telephone(at(59), "0919273028"), None);
        assert_eq!(registrar.telephone(at(59), "27"), None);
    }

    #[test]
    fn the_trunk_registers_but_is_no_telephone() {
        let mut registrar = registrar();
        let (response, change) = registered(&mut registrar, at(0), "ringcode", CONTACT, Some(60));
        assert_eq!((response.status(), change.is_some()), (200, true));
        assert_eq!(registrar.telephone(at(1), "ringcode"), None);
        assert!(registrar.knows(at(1), source()));
        assert!(!registrar.knows(at(60), source()));
    }

    #[test]
    fn a_stranger_and_a_foreign_address_are_refused() {
        let mut registrar = registrar();
        let mut wrong = request(Method::Register, "ringcode", CONTACT, None);
        let (challenge, _) = registrar.register(at(0), &wrong, source());
        prove(&mut wrong, &challenge, "ringcode", "guess");
        let (response, change) = registrar.register(at(0), &wrong, source());
        assert_eq!((response.status(), change), (401, None));
        assert_eq!(response.headers().challenges(401)[0].get("stale"), None);
        for user in ["nobody", "0919273027"] {
            let mut request = request(Method::Register, "ringcode", CONTACT, None);
            prove(&mut request, &challenge, user, "ringcode-lab");
            assert_eq!(registrar.register(at(0), &request, source()).0.status(), 403, "{user}");
        }
        assert!(!registrar.knows(at(0), source()));
    }

    #[test]
    fn credentials_for_another_request_prove_nothing() {
        let mut registrar = registrar();
        let mut invite = request(Method::Invite, "ringcode", None, None);
        let challenge = registrar.admit(at(0), &invite, source()).unwrap_err();
        assert_eq!(challenge.status(), 407);
        prove(&mut invite, &challenge, "ringcode", "ringcode-lab");
        assert_eq!(registrar.admit(at(0), &invite, source()).unwrap(), "ringcode");
        let host = Host::try_from("127.0.0.1").unwrap();
        let mut elsewhere = Request::new(Method::Invite, Uri::sip(Some(UserPart::new("900").unwrap()), host, None));
        *elsewhere.headers_mut() = invite.headers().clone();
        assert_eq!(registrar.admit(at(0), &elsewhere, source()).unwrap_err().status(), 407);
    }

    #[test]
    fn an_old_nonce_is_stale_only_with_the_right_password() {
        let mut registrar = registrar();
        let mut request = request(Method::Register, "ringcode", CONTACT, None);
        let (challenge, _) = registrar.register(at(0), &request, source());
        let mut state = prove(&mut request, &challenge, "ringcode", "ringcode-lab");
        let (response, _) = registrar.register(at(300), &request, source());
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers().challenges(401)[0].get("stale"), Some("TRUE"));
        state.challenged(&account("ringcode", "ringcode-lab"), response.headers()).unwrap();
        state.sign(&account("ringcode", "ringcode-lab"), &mut request, &mut Random::from_seed(3));
        assert_eq!(registrar.register(at(300), &request, source()).0.status(), 200);
        prove(&mut request, &challenge, "ringcode", "guess");
        let (response, _) = registrar.register(at(300), &request, source());
        assert_eq!(response.headers().challenges(401)[0].get("stale"), None);
    }

    #[test]
    fn a_replayed_count_is_challenged_again() {
        let mut registrar = registrar();
        let mut request = request(Method::Register, "ringcode", CONTACT, None);
        let (challenge, _) = registrar.register(at(0), &request, source());
        prove(&mut request, &challenge, "ringcode", "ringcode-lab");
        assert_eq!(registrar.register(at(0), &request, source()).0.status(), 200);
        assert_eq!(registrar.register(at(1), &request, source()).0.status(), 200, "a copy of the same request");
        let host = Host::try_from("127.0.0.1").unwrap();
        request.headers_mut().set(HeaderName::Via, Via::new(Token::from_static("UDP"), host, Some(40_000), "b2"));
        assert_eq!(registrar.register(at(1), &request, source()).0.status(), 401, "the count by another request");
    }

    #[test]
    fn bindings_go_by_zero_star_and_time() {
        let mut registrar = registrar();
        for (contact, expires) in
            [(CONTACT, Some(0)), (Some("<sip:x@127.0.0.1:40000>;expires=0"), None), (Some("*"), Some(0))]
        {
            registered(&mut registrar, at(0), "0919273027", CONTACT, Some(60));
            let (response, change) = registered(&mut registrar, at(1), "0919273027", contact, expires);
            assert_eq!((response.status(), response.headers().contact()), (200, None));
            assert_eq!(change, Some(Change::Unregistered { user: "0919273027".into() }));
            assert_eq!(registrar.telephone(at(1), "0919273027"), None);
        }
        registered(&mut registrar, at(0), "0919273027", CONTACT, Some(60));
        assert_eq!(registrar.telephone(at(60), "0919273027"), None);
        let (query, change) = registered(&mut registrar, at(20), "0919273027", None, None);
        assert_eq!(query.headers().contact().and_then(|contact| contact.expires()), Some(40));
        assert_eq!(change, None);
    }

    #[test]
    fn the_expiry_is_kept_within_bounds() {
        let mut registrar = registrar();
        let (short, change) = registered(&mut registrar, at(0), "ringcode", CONTACT, Some(29));
        assert_eq!((short.status(), short.headers().min_expires(), change), (423, Some(30), None));
        for expires in [None, Some(u32::MAX)] {
            let (long, _) = registered(&mut registrar, at(0), "ringcode", CONTACT, expires);
            assert_eq!(long.headers().contact().and_then(|contact| contact.expires()), Some(600));
        }
    }

    #[test]
    fn answers_carry_the_source() {
        let registrar = registrar();
        let elsewhere = SocketAddr::from(([127, 0, 0, 9], 1234));
        let response = registrar.reply(&request(Method::Register, "ringcode", CONTACT, None), elsewhere, 200);
        let via = response.headers().top_via().unwrap();
        assert_eq!((via.received(), via.rport()), (Some(elsewhere.ip()), Some(Some(1234))));
        let again = registrar.reply(&request(Method::Register, "ringcode", CONTACT, None), elsewhere, 200);
        assert_eq!(response.to_bytes(), again.to_bytes());
    }

    #[test]
    fn nonces_and_bindings_are_bounded() {
        let mut registrar = registrar();
        for number in 0..MAX_BINDINGS + 1 {
            let (response, _) = registered(&mut registrar, at(0), &format!("{}", 100_000_000 + number), CONTACT, None);
            assert_eq!(response.status(), if number < MAX_BINDINGS { 200 } else { 503 });
        }
        assert_eq!(registrar.nonces.len(), MAX_NONCES);
        let (later, _) = registered(&mut registrar, at(601), "0919273027", CONTACT, None);
        assert_eq!(later.status(), 200);
    }
}
