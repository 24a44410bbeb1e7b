//! The side that challenges: the built-in carrier.

use subtle::ConstantTimeEq;

use super::algorithm::Algorithm;
use super::calculation::{Calculation, Qop};
use crate::base::secret::Secret;
use crate::sip::message::{Challenge, Credentials, Method};

/// Challenges of `realm` with one `nonce`, one for each of `algorithms` in their order, all with `qop="auth,auth-int"`.
pub fn make_challenges(realm: &str, algorithms: &[Algorithm], nonce: &str, stale: bool) -> Vec<Challenge> {
    let challenge = |algorithm: &Algorithm| {
        let challenge = Challenge::digest()
            .with("realm", realm)
            .with("nonce", nonce)
            .with("algorithm", algorithm.as_str())
            .with("qop", "auth,auth-int");
        if stale { challenge.with("stale", "TRUE") } else { challenge }
    };
    algorithms.iter().map(challenge).collect()
}

/// Whether `credentials` prove that their sender knows `password`, for a request with this method and body.
///
/// The user name, the realm, the nonce and its count, and whether `uri` is the request's, are the caller's to judge.
pub fn verify(credentials: &Credentials, method: &Method, password: &Secret, body: &[u8]) -> bool {
    expected(credentials, method, password, body).is_some_and(|expected| {
        let given = credentials.get("response").unwrap_or_default().to_ascii_lowercase();
        given.as_bytes().ct_eq(expected.as_bytes()).into()
    })
}

fn expected(credentials: &Credentials, method: &Method, password: &Secret, body: &[u8]) -> Option<String> {
    if !credentials.is_digest() {
        return None;
    }
    let qop = match credentials.get("qop") {
        Some(qop) => Some((Qop::parse(qop)?, credentials.get("nc")?)),
        None => None,
    };
    let calculation = Calculation {
        algorithm: credentials.get("algorithm").map_or(Some(Algorithm::MD5), Algorithm::parse)?,
        username: credentials.get("username")?,
        realm: credentials.get("realm")?,
        password,
        nonce: credentials.get("nonce")?,
        cnonce: credentials.get("cnonce").unwrap_or_default(),
        qop,
        method: method.as_str(),
        uri: credentials.get("uri")?,
        body,
    };
    Some(calculation.response())
}
