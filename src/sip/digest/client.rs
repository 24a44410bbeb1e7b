//! The side that is challenged.

use super::algorithm::Algorithm;
use super::calculation::{Calculation, Qop};
use super::{Account, DigestError};
use crate::base::random::Random;
use crate::sip::message::{Challenge, Credentials, HeaderName, Headers, Request};

/// Requests with credentials in one chain: a request, its retries, and nothing else.
pub const MAX_TRIES: u8 = 2;

/// Protection spaces remembered at a time; the oldest makes room.
const MAX_SPACES: usize = 4;

/// Who asks: the far end (401) or a proxy on the way (407).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Server,
    Proxy,
}

impl Side {
    const ALL: [Side; 2] = [Side::Server, Side::Proxy];

    fn challenge(self) -> HeaderName {
        match self {
            Side::Server => HeaderName::WwwAuthenticate,
            Side::Proxy => HeaderName::ProxyAuthenticate,
        }
    }

    fn credentials(self) -> HeaderName {
        match self {
            Side::Server => HeaderName::Authorization,
            Side::Proxy => HeaderName::ProxyAuthorization,
        }
    }

    fn info(self) -> HeaderName {
        match self {
            Side::Server => HeaderName::AuthenticationInfo,
            Side::Proxy => HeaderName::ProxyAuthenticationInfo,
        }
    }
}

/// What is known of one realm that has challenged us.
#[derive(Clone, Debug)]
struct Space {
    side: Side,
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    /// Whether the challenge named its algorithm; only then do we (RFC 2617 clients did not know the parameter).
    algorithm_named: bool,
    qop: Option<Qop>,
    nonce_count: u32,
    /// The cnonce that a `-sess` key is bound to.
    session_cnonce: Option<String>,
    /// Whether a request of this chain carried credentials for the challenge.
    answered: bool,
}

/// The digest state of one user of an account: a registration, or one call's requests.
///
/// For each new request, call [`DigestState::begin`] and [`DigestState::sign`]; on 401 and 407,
/// [`DigestState::challenged`], and when that is `Ok`, send the request again with the same Call-ID and From tag, CSeq + 1
/// and a new branch after [`DigestState::sign`] (RFC 3261 §22.2).
#[derive(Clone, Debug, Default)]
pub struct DigestState {
    spaces: Vec<Space>,
    tries: u8,
}

impl DigestState {
    /// Knows nothing.
    pub fn new() -> Self {
        DigestState::default()
    }

    /// A new request begins that is no retry of another.
    pub fn begin(&mut self) {
        self.tries = 0;
        for space in &mut self.spaces {
            space.answered = false;
        }
    }

    /// Takes the challenges of a 401 or 407. `Ok` means that the request may be sent again, signed.
    ///
    /// # Errors
    /// [`DigestError`] says why it may not.
    pub fn challenged(&mut self, account: &Account, response: &Headers) -> Result<(), DigestError> {
        // Some carriers put a challenge under the other status's header; the header decides where the answer goes.
        let challenges = Side::ALL.into_iter().flat_map(|side| {
            let name = side.challenge();
            let read: Vec<_> = response.raw(&name).filter_map(|value| Challenge::parse_all(value).ok()).collect();
            read.into_iter().flatten().map(move |challenge| (side, challenge))
        });
        self.judge(account, challenges)
    }

    /// Puts credentials for every realm that is known to ask for them into `request`, in place of those it has.
    ///
    /// The method, the Request-URI and the body must not change afterwards.
    pub fn sign(&mut self, account: &Account, request: &mut Request, random: &mut Random) {
        for side in Side::ALL {
            request.headers_mut().remove(&side.credentials());
        }
        let mut signed = false;
        for space in &mut self.spaces {
            let credentials = space.answer(account, request, random);
            request.headers_mut().push(space.side.credentials(), credentials);
            signed = true;
        }
        self.tries += u8::from(signed);
    }

    /// Takes the `nextnonce` of a response's Authentication-Info (RFC 7616 §3.5). `rspauth` is not checked: there is
    /// nothing better to do than to go on when a registrar that we can reach cannot prove itself.
    pub fn informed(&mut self, response: &Headers) {
        for side in Side::ALL {
            let mut spaces = self.spaces.iter_mut().filter(|space| space.side == side);
            // The header names no realm.
            let (Some(space), None) = (spaces.next(), spaces.next()) else { continue };
            let name = side.info();
            let next = response.elements(&name).find_map(next_nonce);
            if let Some(nonce) = next.filter(|nonce| *nonce != space.nonce) {
                space.renew(nonce);
            }
        }
    }

    fn judge(
        &mut self,
        account: &Account,
        challenges: impl Iterator<Item = (Side, Challenge)>,
    ) -> Result<(), DigestError> {
        let mut usable: Vec<(Space, bool)> = Vec::new();
        let mut foreign = false;
        for (side, challenge) in challenges {
            let Some(space) = Space::of(side, &challenge) else { continue };
            if account.realm.as_ref().is_some_and(|realm| *realm != space.realm) {
                foreign = true;
                continue;
            }
            // RFC 8760 §2.4: of several for one realm, the topmost that we can answer.
            if usable.len() < MAX_SPACES && !usable.iter().any(|(known, _)| known.is_same_space(&space)) {
                let stale = challenge.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true"));
                usable.push((space, stale));
            }
        }
        if usable.is_empty() {
            return Err(if foreign { DigestError::ForeignRealm } else { DigestError::NoUsableChallenge });
        }
        // RFC 3261 §22.2: credentials that were refused without `stale` are wrong. Those that were sent unasked with the
        // nonce of an earlier chain prove nothing: many registrars just forget nonces.
        let is_answered = |space: &Space| self.spaces.iter().any(|known| known.is_same_space(space) && known.answered);
        if usable.iter().any(|(space, stale)| !stale && is_answered(space)) {
            return Err(DigestError::Rejected);
        }
        if self.tries >= MAX_TRIES {
            return Err(DigestError::TooManyTries);
        }
        for (space, _) in usable {
            self.adopt(space);
        }
        Ok(())
    }

    fn adopt(&mut self, mut space: Space) {
        if let Some(at) = self.spaces.iter().position(|known| known.is_same_space(&space)) {
            let known = self.spaces.remove(at);
            if known.nonce == space.nonce {
                space.nonce_count = known.nonce_count;
            }
        } else if self.spaces.len() >= MAX_SPACES {
            self.spaces.remove(0);
        }
        space.answered = true;
        self.spaces.push(space);
    }
}

impl Space {
    /// What `challenge` asks for, when we can answer it at all.
    fn of(side: Side, challenge: &Challenge) -> Option<Self> {
        if !challenge.is_digest() {
            return None;
        }
        let qop = match challenge.get("qop").map(str::trim) {
            // RFC 2069
            None | Some("") => None,
            Some(options) => Some(preferred(options)?),
        };
        let algorithm = challenge.get("algorithm");
        Some(Space {
            side,
            realm: challenge.get("realm")?.to_owned(),
            nonce: challenge.get("nonce")?.to_owned(),
            opaque: challenge.get("opaque").map(str::to_owned),
            algorithm: algorithm.map_or(Some(Algorithm::MD5), Algorithm::parse)?,
            algorithm_named: algorithm.is_some(),
            qop,
            nonce_count: 0,
            session_cnonce: None,
            answered: false,
        })
    }

    fn is_same_space(&self, other: &Space) -> bool {
        self.side == other.side && self.realm == other.realm
    }

    fn renew(&mut self, nonce: String) {
        self.nonce = nonce;
        self.nonce_count = 0;
        // RFC 7616 §3.4.2 binds the key to the first nonce. A registrar that recomputes it from what the header shows
        // needs the new pair; one that kept the old key challenges again.
        self.session_cnonce = None;
    }

    fn answer(&mut self, account: &Account, request: &Request, random: &mut Random) -> Credentials {
        // RFC 7616 §3.4: the count begins at 1 for each nonce and never repeats.
        self.nonce_count = self.nonce_count.saturating_add(1);
        let nonce_count = format!("{:08x}", self.nonce_count);
        let cnonce = match (self.algorithm.session, self.qop) {
            (true, _) => self.session_cnonce.get_or_insert_with(|| random.token()).clone(),
            (false, Some(_)) => random.token(),
            (false, None) => String::new(),
        };
        let uri = request.uri().to_string();
        let response = Calculation {
            algorithm: self.algorithm,
            username: &account.username,
            realm: &self.realm,
            password: &account.password,
            nonce: &self.nonce,
            cnonce: &cnonce,
            qop: self.qop.map(|qop| (qop, nonce_count.as_str())),
            method: request.method().as_str(),
            uri: &uri,
            body: request.body(),
        }
        .response();
        let mut credentials = Credentials::digest()
            .with("username", &account.username)
            .with("realm", &self.realm)
            .with("nonce", &self.nonce)
            .with("uri", &uri)
            .with("response", &response);
        if self.algorithm_named {
            credentials = credentials.with("algorithm", self.algorithm.as_str());
        }
        if !cnonce.is_empty() {
            credentials = credentials.with("cnonce", &cnonce);
        }
        if let Some(opaque) = &self.opaque {
            credentials = credentials.with("opaque", opaque);
        }
        if let Some(qop) = self.qop {
            credentials = credentials.with("qop", qop.as_str()).with("nc", &nonce_count);
        }
        credentials
    }
}

/// `auth` before `auth-int`: proxies that touch bodies are more common than attackers who do.
fn preferred(options: &str) -> Option<Qop> {
    let offered: Vec<Qop> = options.split(',').filter_map(|option| Qop::parse(option.trim())).collect();
    [Qop::Auth, Qop::AuthInt].into_iter().find(|qop| offered.contains(qop))
}

fn next_nonce(element: &[u8]) -> Option<String> {
    let (name, value) = std::str::from_utf8(element).ok()?.split_once('=')?;
    let value = value.trim().strip_prefix('"')?.strip_suffix('"')?;
    (name.trim().eq_ignore_ascii_case("nextnonce") && !value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::server::verify;
    use super::*;
    use crate::base::secret::Secret;
    use crate::sip::message::{Message, Method, Uri};

    const PASSWORD: &str = "zanzibar";

    fn account() -> Account {
        Account { username: "bob".to_owned(), password: Secret::new(PASSWORD), realm: None }
    }

    fn headers(fields: &[&str]) -> Headers {
        let text = format!("SIP/2.0 401 Unauthorized\r\n{}\r\n\r\n", fields.join("\r\n"));
        match Message::parse(Bytes::from(text)) {
            Ok(message) => message.headers().clone(),
            Err(malformed) => panic!("{fields:?}: {malformed:?}"),
        }
    }

    fn register() -> Request {
        Request::new(Method::Register, Uri::try_from("sip:biloxi.com").expect("valid"))
    }

    /// One client, its request and its carrier's challenges.
    struct Client {
        account: Account,
        state: DigestState,
        random: Random,
    }

    impl Client {
        fn new() -> Self {
            Client { account: account(), state: DigestState::new(), random: Random::from_seed(1) }
        }

        fn challenged(&mut self, fields: &[&str]) -> Result<(), DigestError> {
            self.state.challenged(&self.account, &headers(fields))
        }

        /// The credentials of a request that is signed now, each proven right.
        fn sign(&mut self, mut request: Request) -> Vec<Credentials> {
            self.state.sign(&self.account, &mut request, &mut self.random);
            let names = [HeaderName::Authorization, HeaderName::ProxyAuthorization];
            let all: Vec<Credentials> = names.iter().flat_map(|name| request.headers().credentials(name)).collect();
            for credentials in &all {
                assert!(verify(credentials, request.method(), &self.account.password, request.body()));
            }
            all
        }

        fn sign_one(&mut self) -> Credentials {
            let mut all = self.sign(register());
            assert_eq!(all.len(), 1);
            all.remove(0)
        }
    }

    #[test]
    fn the_topmost_supported_challenge_is_answered() {
        let challenge = |algorithm: &str| {
            format!(
                "WWW-Authenticate: Digest realm=\"r\", nonce=\"n-{algorithm}\", qop=\"auth\", algorithm={algorithm}"
            )
        };
        for (algorithms, answered) in [
            (&["SHA-256", "MD5"][..], "SHA-256"),
            (&["MD5", "SHA-256"], "MD5"),
            (&["SHA-512", "AKAv1-MD5", "SHA-512-256", "MD5"], "SHA-512-256"),
            (&["SHA-256-sess", "MD5"], "SHA-256-sess"),
        ] {
            let mut fields = vec!["WWW-Authenticate: Basic realm=\"r\"".to_owned()];
            fields.extend(algorithms.iter().map(|algorithm| challenge(algorithm)));
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            let mut client = Client::new();
            assert_eq!(client.challenged(&fields), Ok(()));
            let credentials = client.sign_one();
            assert_eq!(credentials.get("algorithm"), Some(answered));
            assert_eq!(credentials.get("nonce"), Some(format!("n-{answered}").as_str()));
        }
        for unusable in [
            "WWW-Authenticate: Basic realm=\"r\"",
            "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm=SHA-1",
            "WWW-Authenticate: Digest realm=\"r\"",
            "WWW-Authenticate: Digest nonce=\"n\"",
            "X: y",
        ] {
            assert_eq!(Client::new().challenged(&[unusable]), Err(DigestError::NoUsableChallenge), "{unusable}");
        }
    }

    #[test]
    fn credentials_are_written_as_the_rfc_wants() {
        let mut client = Client::new();
        let challenge = "WWW-Authenticate: Digest realm=\"a \\\"b\\\"\", nonce=\"n==\", opaque=\"\", qop=\"auth\", \
            algorithm=sha-256";
        assert_eq!(client.challenged(&[challenge]), Ok(()));
        let written = client.sign_one().to_string();
        for part in [
            "Digest username=\"bob\"",
            "realm=\"a \\\"b\\\"\"",
            "nonce=\"n==\"",
            "uri=\"sip:biloxi.com\"",
            "algorithm=SHA-256",
            "opaque=\"\"",
            "qop=auth",
            "nc=00000001",
        ] {
            assert!(written.split(", ").any(|param| param == part), "{part} in {written}");
        }
        assert!(!written.contains(PASSWORD));
    }

    #[test]
    fn qop_is_chosen_among_those_offered() {
        for (offered, chosen) in [
            (", qop=\"auth\"", Ok(Some("auth"))),
            (", qop=\"auth-int,auth\"", Ok(Some("auth"))),
            (", qop=\"auth-int\"", Ok(Some("auth-int"))),
            (", qop=\"token , AUTH\"", Ok(Some("auth"))),
            (", qop=auth", Ok(Some("auth"))),
            ("", Ok(None)),
            (", qop=\"\"", Ok(None)),
            (", qop=\"token\"", Err(DigestError::NoUsableChallenge)),
        ] {
            let mut client = Client::new();
            let challenge = format!("WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"{offered}");
            let judged = client.challenged(&[&challenge]);
            assert_eq!(judged, chosen.map(|_| ()), "{offered}");
            if let Ok(chosen) = chosen {
                let sdp = crate::sip::message::HeaderValue::try_from("application/sdp").expect("printable");
                let credentials = client.sign(register().with_body(sdp, &b"v=0\r\n"[..])).remove(0);
                assert_eq!(credentials.get("qop"), chosen, "{offered}");
                // RFC 2069 has neither; an algorithm that was not named is not named back.
                let counted = chosen.is_some();
                assert_eq!((credentials.get("nc").is_some(), credentials.get("cnonce").is_some()), (counted, counted));
                assert_eq!(credentials.get("algorithm"), None);
            }
        }
    }

    #[test]
    fn the_count_rises_with_each_use_of_a_nonce() {
        let mut client = Client::new();
        let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"";
        assert_eq!(client.challenged(&[challenge]), Ok(()));
        let first = client.sign_one();
        client.state.begin();
        let second = client.sign_one();
        assert_eq!((first.get("nc"), second.get("nc")), (Some("00000001"), Some("00000002")));
        assert_ne!(first.get("cnonce"), second.get("cnonce"));
        // The same nonce again, and then a new one.
        assert_eq!(client.challenged(&[challenge]), Ok(()));
        assert_eq!(client.sign_one().get("nc"), Some("00000003"));
        client.state.begin();
        let new = "WWW-Authenticate: Digest realm=\"r\", nonce=\"m\", qop=\"auth\"";
        assert_eq!(client.challenged(&[new]), Ok(()));
        assert_eq!(client.sign_one().get("nc"), Some("00000001"));
    }

    #[test]
    fn a_session_key_keeps_its_cnonce() {
        let mut client = Client::new();
        let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=MD5-sess";
        assert_eq!(client.challenged(&[challenge]), Ok(()));
        let (first, second) = (client.sign_one(), client.sign_one());
        assert_eq!(first.get("cnonce"), second.get("cnonce"));
        assert_ne!(first.get("response"), second.get("response"));
    }

    #[test]
    fn nextnonce_begins_a_new_count() {
        let mut client = Client::new();
        assert_eq!(client.challenged(&["WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\""]), Ok(()));
        client.sign_one();
        client.state.informed(&headers(&["Authentication-Info: qop=auth, NextNonce=\"a,b\", nc=00000001"]));
        let credentials = client.sign_one();
        assert_eq!((credentials.get("nonce"), credentials.get("nc")), (Some("a,b"), Some("00000001")));
        for ignored in ["Authentication-Info: nextnonce=\"\"", "Proxy-Authentication-Info: nextnonce=\"x\"", "X: y"] {
            client.state.informed(&headers(&[ignored]));
            assert_eq!(client.sign_one().get("nonce"), Some("a,b"), "{ignored}");
        }
    }

    #[test]
    fn a_second_challenge_without_stale_is_a_rejection() {
        let mut client = Client::new();
        assert_eq!(client.challenged(&["WWW-Authenticate: Digest realm=\"r\", nonce=\"n\""]), Ok(()));
        client.sign_one();
        let again = ["WWW-Authenticate: Digest realm=\"r\", nonce=\"m\", stale=false"];
        assert_eq!(client.challenged(&again), Err(DigestError::Rejected));
        // In a request of its own it is a first challenge again, even of credentials that were sent unasked.
        client.state.begin();
        client.sign_one();
        assert_eq!(client.challenged(&again), Ok(()));
        client.sign_one();
        assert_eq!(client.challenged(&again), Err(DigestError::Rejected));
    }

    #[test]
    fn a_stale_nonce_gives_one_more_try_and_no_third() {
        let mut client = Client::new();
        assert_eq!(client.challenged(&["WWW-Authenticate: Digest realm=\"r\", nonce=\"n\""]), Ok(()));
        client.sign_one();
        let stale = ["WWW-Authenticate: Digest realm=\"r\", nonce=\"m\", stale=TRUE"];
        assert_eq!(client.challenged(&stale), Ok(()));
        assert_eq!(client.sign_one().get("nonce"), Some("m"));
        assert_eq!(client.challenged(&stale), Err(DigestError::TooManyTries));
    }

    #[test]
    fn new_nonces_for_ever_end() {
        let mut client = Client::new();
        let mut signed = 0;
        for n in 0..10 {
            // A new realm each time is no way round the cap either.
            let challenge = format!("WWW-Authenticate: Digest realm=\"r{n}\", nonce=\"n{n}\", stale=true");
            if client.challenged(&[&challenge]).is_err() {
                break;
            }
            client.sign(register());
            signed += 1;
        }
        assert_eq!(signed, 2);
    }

    #[test]
    fn many_realms_do_not_grow_the_state() {
        let mut client = Client::new();
        let fields: Vec<String> =
            (0..100).map(|n| format!("WWW-Authenticate: Digest realm=\"r{n}\", nonce=\"n\"")).collect();
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        assert_eq!(client.challenged(&fields), Ok(()));
        let realms: Vec<_> =
            client.sign(register()).iter().map(|one| one.get("realm").unwrap_or_default().to_owned()).collect();
        assert_eq!(realms, ["r0", "r1", "r2", "r3"]);
        client.state.begin();
        assert_eq!(client.challenged(&["WWW-Authenticate: Digest realm=\"new\", nonce=\"n\""]), Ok(()));
        let signed = client.sign(register());
        assert_eq!(signed.len(), MAX_SPACES);
        assert_eq!(signed[MAX_SPACES - 1].get("realm"), Some("new"));
    }

    #[test]
    fn a_proxy_and_a_registrar_are_answered_together() {
        let mut client = Client::new();
        assert_eq!(client.challenged(&["Proxy-Authenticate: Digest realm=\"p\", nonce=\"1\""]), Ok(()));
        assert_eq!(client.sign_one().get("realm"), Some("p"));
        assert_eq!(client.challenged(&["WWW-Authenticate: Digest realm=\"r\", nonce=\"2\""]), Ok(()));
        let realms: Vec<_> =
            client.sign(register()).iter().map(|one| one.get("realm").unwrap_or_default().to_owned()).collect();
        assert_eq!(realms, ["r", "p"]);
        assert_eq!(
            client.challenged(&["Proxy-Authenticate: Digest realm=\"p\", nonce=\"3\""]),
            Err(DigestError::Rejected)
        );
    }

    #[test]
    fn a_foreign_realm_gets_nothing() {
        let mut client = Client::new();
        client.account.realm = Some("mine".to_owned());
        let foreign = "WWW-Authenticate: Digest realm=\"theirs\", nonce=\"n\"";
        let mine = "WWW-Authenticate: Digest realm=\"mine\", nonce=\"n\", algorithm=MD5";
        assert_eq!(client.challenged(&[foreign]), Err(DigestError::ForeignRealm));
        assert_eq!(client.sign(register()), []);
        assert_eq!(client.challenged(&[foreign, mine]), Ok(()));
        assert_eq!(client.sign_one().get("realm"), Some("mine"));
    }

    #[test]
    fn the_header_decides_not_the_status() {
        let mut client = Client::new();
        // `headers` makes a 401.
        assert_eq!(client.challenged(&["Proxy-Authenticate: Digest realm=\"p\", nonce=\"1\""]), Ok(()));
        let mut request = register();
        client.state.sign(&client.account, &mut request, &mut client.random);
        assert!(request.headers().has(&HeaderName::ProxyAuthorization));
        assert!(!request.headers().has(&HeaderName::Authorization));
        // Signing again replaces what stands there.
        client.state.sign(&client.account, &mut request, &mut client.random);
        assert_eq!(request.headers().raw(&HeaderName::ProxyAuthorization).count(), 1);
    }
}
