//! Challenges and credentials as they stand in header fields (RFC 3261 §20.7, §20.44, RFC 7616); `sip::digest` computes.

use std::fmt;

use super::lex::{BadValue, MAX_PARAMS, is_blank, is_token, pieces, printable, quoted_string, trim, write_quoted};
use super::token::Token;

/// A challenge of WWW-Authenticate or Proxy-Authenticate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Challenge {
    /// `Digest` or another.
    pub scheme: Token,
    params: AuthParams,
}

/// What Authorization or Proxy-Authorization carries.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Credentials {
    /// `Digest` or another.
    pub scheme: Token,
    params: AuthParams,
}

/// Names and unquoted values, in order.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
struct AuthParams(Vec<(String, String)>);

/// Shows names only: a nonce and its response are all that is needed to guess the password offline.
impl fmt::Debug for AuthParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// RFC 7616 §3.3: what a challenge writes without quotes.
const CHALLENGE_TOKENS: [&str; 4] = ["algorithm", "stale", "charset", "userhash"];

/// RFC 7616 §3.4: what credentials write without quotes.
const CREDENTIALS_TOKENS: [&str; 4] = ["algorithm", "qop", "nc", "userhash"];

impl AuthParams {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn set(&mut self, name: &Token, value: &str) {
        let value = printable(value);
        match self.0.iter_mut().find(|(known, _)| name.is(known)) {
            Some(param) => param.1 = value,
            None => self.0.push((name.as_str().to_owned(), value)),
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, scheme: &Token, tokens: &[&str]) -> fmt::Result {
        f.write_str(scheme.as_str())?;
        for (index, (name, value)) in self.0.iter().enumerate() {
            write!(f, "{}{name}=", if index == 0 { " " } else { ", " })?;
            let bare = tokens.iter().any(|token| token.eq_ignore_ascii_case(name)) && is_token(value.as_bytes());
            if bare { f.write_str(value)? } else { write_quoted(f, value)? }
        }
        Ok(())
    }
}

macro_rules! auth_accessors {
    ($type:ident, $tokens:ident) => {
        impl $type {
            /// An empty one of `scheme`.
            pub fn new(scheme: Token) -> Self {
                $type { scheme, params: AuthParams::default() }
            }

            /// An empty one of the scheme `Digest`.
            pub fn digest() -> Self {
                $type::new(Token::from_static("Digest"))
            }

            /// Adds the parameter `name`; control characters of `value` are left out.
            pub fn with(mut self, name: &'static str, value: &str) -> Self {
                self.params.set(&Token::from_static(name), value);
                self
            }

            /// The unquoted value of the parameter `name`.
            pub fn get(&self, name: &str) -> Option<&str> {
                self.params.get(name)
            }

            /// Names and unquoted values, in order.
            pub fn params(&self) -> impl Iterator<Item = (&str, &str)> {
                self.params.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
            }

            /// Whether the scheme is Digest.
            pub fn is_digest(&self) -> bool {
                self.scheme.is("Digest")
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.params.write(f, &self.scheme, &$tokens)
            }
        }
    };
}

auth_accessors!(Challenge, CHALLENGE_TOKENS);
auth_accessors!(Credentials, CREDENTIALS_TOKENS);

impl Challenge {
    /// Reads the challenges of one header field: one by RFC 3261 §20.44, several by RFC 7235 §4.1.
    pub fn parse_all(bytes: &[u8]) -> Result<Vec<Self>, BadValue> {
        let bad = |why| BadValue::new("challenge", why);
        let mut challenges: Vec<Challenge> = Vec::new();
        for piece in pieces(bytes, b',').filter(|piece| !piece.is_empty()) {
            let param = match scheme_and_rest(piece) {
                Some((scheme, rest)) => {
                    challenges.push(Challenge::new(scheme));
                    rest
                }
                None => piece,
            };
            let challenge = challenges.last_mut().ok_or(bad("has no scheme"))?;
            read_param(&mut challenge.params, param).ok_or(bad("has a bad parameter"))?;
        }
        if challenges.is_empty() { Err(bad("is empty")) } else { Ok(challenges) }
    }
}

impl Credentials {
    /// Reads the credentials of one header field.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadValue> {
        let bad = |why| BadValue::new("credentials", why);
        let text = trim(bytes);
        let (scheme, rest) = scheme_and_rest(text).ok_or(bad("have no scheme"))?;
        let mut credentials = Credentials::new(scheme);
        for piece in pieces(rest, b',').filter(|piece| !piece.is_empty()) {
            read_param(&mut credentials.params, piece).ok_or(bad("have a bad parameter"))?;
        }
        Ok(credentials)
    }
}

/// `Digest realm="x"` begins with a scheme, `realm="x"` and `realm = "x"` do not; a lone word is a scheme.
fn scheme_and_rest(piece: &[u8]) -> Option<(Token, &[u8])> {
    let end = piece.iter().position(|byte| is_blank(*byte)).unwrap_or(piece.len());
    let rest = trim(&piece[end..]);
    if rest.first() == Some(&b'=') {
        return None;
    }
    Token::parse(&piece[..end]).ok().map(|scheme| (scheme, rest))
}

/// Adds `name=value`; the first of two with one name stays. Nothing at all is fine after a lone scheme. `None` for
/// what is no parameter, and for one too many.
fn read_param(params: &mut AuthParams, piece: &[u8]) -> Option<()> {
    if piece.is_empty() {
        return Some(());
    }
    let equals = piece.iter().position(|byte| *byte == b'=')?;
    let name = Token::parse(trim(&piece[..equals])).ok()?;
    let value = match trim(&piece[equals + 1..]) {
        quoted @ [b'"', ..] => match quoted_string(quoted)? {
            (decoded, []) => decoded,
            _ => return None,
        },
        plain => super::lex::text(plain).filter(|text| !text.contains(['"', ' ', '\t']))?.to_owned(),
    };
    if params.0.len() == MAX_PARAMS {
        return None;
    }
    if params.get(name.as_str()).is_none() {
        params.0.push((name.as_str().to_owned(), value));
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::HeaderValue;

    #[test]
    fn debug_shows_no_values() {
        let credentials = Credentials::digest().with("username", "bob").with("response", "6629fae4");
        let shown = format!("{credentials:?} {:?}", HeaderValue::from(&credentials));
        assert!(shown.contains("response") && !shown.contains("bob") && !shown.contains("6629fae4"), "{shown}");
    }

    #[test]
    fn challenges_of_asterisk_and_others_are_read() {
        let read = Challenge::parse_all(
            b"Digest realm=\"a, \\\"b\\\"\",nonce=\"1763780637/4a==\", opaque=\"\",algorithm=SHA-256,qop=\"auth,auth-int\" , stale = TRUE",
        )
        .expect("valid");
        assert_eq!(read.len(), 1);
        let challenge = &read[0];
        assert!(challenge.is_digest());
        assert_eq!(challenge.get("REALM"), Some("a, \"b\""));
        assert_eq!(challenge.get("opaque"), Some(""));
        assert_eq!((challenge.get("qop"), challenge.get("stale")), (Some("auth,auth-int"), Some("TRUE")));
        assert_eq!(challenge.get("nonce"), Some("1763780637/4a=="));
    }

    #[test]
    fn several_challenges_in_one_field_are_told_apart() {
        let read =
            Challenge::parse_all(b"Negotiate, Digest realm=\"a\", nonce=\"b\", Basic realm = \"c\"").expect("valid");
        let schemes: Vec<_> = read.iter().map(|challenge| challenge.scheme.as_str()).collect();
        assert_eq!(schemes, ["Negotiate", "Digest", "Basic"]);
        assert_eq!(read[2].get("realm"), Some("c"));
    }

    #[test]
    fn broken_ones_are_refused() {
        let numbers = 0..=MAX_PARAMS;
        let too_many = format!("Digest {}", numbers.map(|n| format!("a{n}=b")).collect::<Vec<_>>().join(","));
        for bad in [&too_many, "", ",", "realm=\"x\"", "Digest realm=\"x", "Digest realm=\"x\"y", "Digest =x"] {
            assert!(Challenge::parse_all(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(Credentials::parse(b"").is_err());
        assert!(Credentials::parse(b"NoOneKnowsThisScheme opaque-data=here").is_ok_and(|c| !c.is_digest()));
    }

    #[test]
    fn quotes_stand_where_the_rfc_wants_them() {
        let credentials =
            Credentials::digest().with("username", "bo\"b\r\n").with("algorithm", "SHA-256").with("nc", "00000001");
        assert_eq!(credentials.to_string(), "Digest username=\"bo\\\"b\", algorithm=SHA-256, nc=00000001");
        let challenge = Challenge::digest().with("realm", "x").with("qop", "auth").with("stale", "true");
        assert_eq!(challenge.to_string(), "Digest realm=\"x\", qop=\"auth\", stale=true");
    }
}
