//! Who asks: access tokens (JWT with HS256, RFC 7519) and API keys, both as `Authorization: Bearer …` (RFC 6750 §2.1).
//! Nothing is read from the query or from a cookie.

use axum::http::{HeaderMap, header};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::error::ApiError;
use crate::base::secret::Secret;
use crate::base::time::UnixTime;
use crate::config::checked::User;
use crate::service::UserId;

/// Seconds for which an access token is valid.
pub const TOKEN_SECONDS: i64 = 3600;

/// Makes and reads access tokens, and knows the API keys.
pub struct Gatekeeper {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    users: Vec<(UserId, Option<[u8; 32]>)>,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    iat: i64,
    exp: i64,
}

impl Gatekeeper {
    /// Signs with `key`; knows `users`.
    pub fn new(key: &Secret, users: &[User]) -> Self {
        let key = key.expose().as_bytes();
        let mut validation = Validation::new(Algorithm::HS256);
        // The crate would read the machine's clock; `identify` compares with the time that it is given.
        validation.validate_exp = false;
        Gatekeeper {
            encoding: EncodingKey::from_secret(key),
            decoding: DecodingKey::from_secret(key),
            validation,
            users: users.iter().map(|user| (UserId::new(&user.username), user.api_key_hash)).collect(),
        }
    }

    /// An access token for `user`; `None` when it cannot be encoded, which would be a fault of ours.
    pub fn issue(&self, user: &UserId, now: UnixTime) -> Option<Secret> {
        let iat = now.as_secs();
        let claims = Claims { sub: user.as_str().to_string(), iat, exp: iat.saturating_add(TOKEN_SECONDS) };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding).ok().map(Secret::new)
    }

    /// The user whose token or key the headers carry.
    ///
    /// # Errors
    /// [`ApiError::Unauthenticated`] without a Bearer header, [`ApiError::InvalidToken`] with a wrong or old one.
    pub fn identify(&self, headers: &HeaderMap, now: UnixTime) -> Result<UserId, ApiError> {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (scheme, credentials) =
            given.and_then(|value| value.trim().split_once(' ')).ok_or(ApiError::Unauthenticated)?;
        let credentials = credentials.trim();
        if !scheme.eq_ignore_ascii_case("Bearer") || credentials.is_empty() {
            return Err(ApiError::Unauthenticated);
        }
        let user = self.token_owner(credentials, now).or_else(|| self.key_owner(credentials));
        user.ok_or(ApiError::InvalidToken)
    }

    fn token_owner(&self, token: &str, now: UnixTime) -> Option<UserId> {
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation).ok()?.claims;
        let owner = self.users.iter().find(|(user, _)| user.as_str() == claims.sub);
        owner.filter(|_| now.as_secs() < claims.exp).map(|(user, _)| user.clone())
    }

    fn key_owner(&self, key: &str) -> Option<UserId> {
        let given: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        let mut owner = None;
        // Every key is compared, so that time does not tell which one came close.
        for (user, hash) in &self.users {
            if hash.is_some_and(|hash| bool::from(hash.ct_eq(&given))) {
                owner = Some(user.clone());
            }
        }
        owner
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_millis(1_767_225_600_000);

    fn gatekeeper(key: &str) -> Gatekeeper {
        let user = |username: &str, api_key: Option<&str>| User {
            username: username.into(),
            password_hash: Secret::default(),
            api_key_hash: api_key.map(|key| Sha256::digest(key.as_bytes()).into()),
        };
        Gatekeeper::new(&Secret::new(key), &[user("alice", None), user("bob", Some("bobs-key"))])
    }

    fn identify(gatekeeper: &Gatekeeper, authorization: &str, now: UnixTime) -> Result<String, u16> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, authorization.parse().expect("a header value"));
        match gatekeeper.identify(&headers, now) {
            Ok(user) => Ok(user.as_str().to_string()),
            Err(ApiError::Unauthenticated) => Err(0),
            Err(ApiError::InvalidToken) => Err(1),
            Err(other) => panic!("{other:?}"),
        }
    }

    fn seconds(seconds: i64) -> UnixTime {
        UnixTime::from_millis(NOW.as_millis() + seconds * 1000)
    }

    #[test]
    fn a_token_names_its_user_for_an_hour() {
        let keeper = gatekeeper("k");
        let token = keeper.issue(&UserId::new("alice"), NOW).expect("a token");
        let bearer = format!("Bearer {}", token.expose());
        assert_eq!(identify(&keeper, &bearer, NOW), Ok("alice".into()));
        assert_eq!(identify(&keeper, &bearer.replace("Bearer", "bearer"), seconds(3599)), Ok("alice".into()));
        assert_eq!(identify(&keeper, &bearer, seconds(3600)), Err(1));
        assert_eq!(identify(&gatekeeper("other"), &bearer, NOW), Err(1));
    }

    #[test]
    fn a_token_of_a_user_who_is_gone_is_void() {
        let keeper = gatekeeper("k");
        let token = keeper.issue(&UserId::new("carol"), NOW).expect("a token");
        assert_eq!(identify(&keeper, &format!("Bearer {}", token.expose()), NOW), Err(1));
    }

    #[test]
    fn an_unsigned_or_otherwise_signed_token_is_void() {
        let keeper = gatekeeper("k");
        let claims = Claims { sub: "alice".into(), iat: NOW.as_secs(), exp: NOW.as_secs() + 60 };
        // {"alg":"none","typ":"JWT"}
        let signed = keeper.issue(&UserId::new("alice"), NOW).expect("a token");
        let payload = signed.expose().split('.').nth(1).expect("a payload").to_string();
        let none = format!("Bearer eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.");
        assert_eq!(identify(&keeper, &none, NOW), Err(1));
        let longer = jsonwebtoken::encode(&Header::new(Algorithm::HS512), &claims, &keeper.encoding).expect("a token");
        assert_eq!(identify(&keeper, &format!("Bearer {longer}"), NOW), Err(1));
    }

    #[test]
    fn an_api_key_names_its_user() {
        let keeper = gatekeeper("k");
        assert_eq!(identify(&keeper, "Bearer bobs-key", NOW), Ok("bob".into()));
        assert_eq!(identify(&keeper, "Bearer Bobs-key", NOW), Err(1));
    }

    #[test]
    fn other_schemes_and_empty_ones_are_no_credentials() {
        let keeper = gatekeeper("k");
        for authorization in ["", "Bearer", "Bearer ", "Basic Ym9iczprZXk=", "bobs-key"] {
            assert_eq!(identify(&keeper, authorization, NOW), Err(0), "{authorization:?}");
        }
    }
}
