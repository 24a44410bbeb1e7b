//! Digest access authentication (RFC 7616, RFC 8760, RFC 2617, RFC 2069) from both sides.

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
