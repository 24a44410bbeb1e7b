//! Digest access authentication (RFC 7616, RFC 8760, RFC 2617, RFC 2069) from both sides.
//!
//! | rule | test |
//! |---|---|
//! | RFC 7616 §3.4.1-3.4.3, RFC 2617 §3.5, RFC 2069 §2.4: the response, with every option | `calculation::tests` |
//! | RFC 7616 §6.1: names of algorithms, with and without `-sess` | `algorithm::tests` |
//! | RFC 8760 §2.4: topmost supported challenge; unknown algorithms and schemes skipped | `client::tests::the_topmost_supported_challenge_is_answered` |
//! | RFC 7616 §3.4: `algorithm`, `qop`, `nc` without quotes; `opaque` echoed; `uri` is the Request-URI | `client::tests::credentials_are_written_as_the_rfc_wants` |
//! | RFC 7616 §3.3: `qop` absent is RFC 2069, an unknown one cannot be answered, `auth` before `auth-int` | `client::tests::qop_is_chosen_among_those_offered` |
//! | RFC 7616 §3.4: `nc` + 1 for each use of a nonce, a fresh cnonce | `client::tests::the_count_rises_with_each_use_of_a_nonce` |
//! | RFC 7616 §3.4.2: a `-sess` key keeps its cnonce | `client::tests::a_session_key_keeps_its_cnonce` |
//! | RFC 7616 §3.5: `nextnonce` | `client::tests::nextnonce_begins_a_new_count` |
//! | RFC 3261 §22.2: refused credentials are not sent again; `stale` gives one more try; two tries in all | `client::tests::{a_second_challenge_without_stale_is_a_rejection, a_stale_nonce_gives_one_more_try_and_no_third, new_nonces_for_ever_end}` |
//! | RFC 3261 §22.3: 401 and 407, several realms, only the configured one answered | `client::tests::{a_proxy_and_a_registrar_are_answered_together, a_foreign_realm_gets_nothing, the_header_decides_not_the_status}` |
//! | verification on the server's side | `server::tests` |
//!
//! Not done, with the reason: `userhash` (RFC 7616 §3.4.4) and `username*`, for no carrier asks for them; the check of
//! `rspauth`, see [`DigestState::informed`]; `domain`, for a trunk has one flow.

mod algorithm;
mod calculation;
mod client;
mod server;

pub use algorithm::{Algorithm, HashFunction};
pub use calculation::Qop;
pub use client::{DigestState, MAX_TRIES};
pub use server::{make_challenges, verify};

use crate::base::secret::Secret;

/// Who we are towards one carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The digest user name; need not be the number that is called from (SIPconnect).
    pub username: String,
    /// Its password.
    pub password: Secret,
    /// The only realm whose challenges are answered; `None` answers any realm that the trunk's own flow asks for.
    pub realm: Option<String>,
}

/// Why a challenged request is not sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// No challenge has a scheme, an algorithm and a quality of protection that we have.
    #[error("no challenge that we can answer")]
    NoUsableChallenge,
    /// Challenges came, but none of the configured realm.
    #[error("the challenge is of another realm than the configured one")]
    ForeignRealm,
    /// The credentials were refused: the user name or the password is wrong.
    #[error("the credentials were refused")]
    Rejected,
    /// [`MAX_TRIES`] requests with credentials were not enough, though none was refused for good.
    #[error("challenged again and again")]
    TooManyTries,
}
