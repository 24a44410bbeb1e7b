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

#[cfg(test)]
mod tests {
    use super::*;

    /// The credentials of RFC 7616 §3.9.1, as its client writes them.
    fn credentials() -> Credentials {
        let text = "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", \
            algorithm=SHA-256, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, \
            cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, \
            response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\", \
            opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
        Credentials::parse(text.as_bytes()).expect("valid")
    }

    fn get() -> Method {
        Method::parse(b"GET").expect("a token")
    }

    #[test]
    fn right_credentials_verify_and_changed_ones_do_not() {
        let password = Secret::new("Circle of Life");
        assert!(verify(&credentials(), &get(), &password, b""));
        assert!(!verify(&credentials(), &get(), &Secret::new("circle of life"), b""));
        assert!(!verify(&credentials(), &Method::Register, &password, b""));
        for (name, value) in [
            ("username", "Scar"),
            ("realm", "other"),
            ("uri", "/"),
            ("algorithm", "MD5"),
            ("algorithm", "SHA-1"),
            ("nonce", "x"),
            ("nc", "00000002"),
            ("cnonce", "x"),
            ("qop", "auth-int"),
            ("qop", "token"),
            ("response", ""),
        ] {
            assert!(!verify(&credentials().with(name, value), &get(), &password, b""), "{name}={value}");
        }
    }

    #[test]
    fn challenges_stand_side_by_side() {
        let challenges = make_challenges("r", &[Algorithm::SHA_256, Algorithm::MD5], "n", false);
        let texts: Vec<String> = challenges.iter().map(Challenge::to_string).collect();
        let rest = "qop=\"auth,auth-int\"";
        assert_eq!(
            texts,
            [
                format!("Digest realm=\"r\", nonce=\"n\", algorithm=SHA-256, {rest}"),
                format!("Digest realm=\"r\", nonce=\"n\", algorithm=MD5, {rest}")
            ]
        );
        let stale = make_challenges("r", &[Algorithm::MD5], "n", true);
        assert!(stale[0].to_string().ends_with(", stale=TRUE"));
    }
}
