//! Checking passwords: slow on purpose, bounded, and telling nobody whether the name or the password was wrong.

use std::collections::HashMap;
use std::sync::Arc;

use argon2::{Argon2, PasswordVerifier};
use tokio::sync::Semaphore;

use super::types::{LoginError, UserId};
use crate::base::secret::Secret;
use crate::config::checked::User;

/// Passwords that are checked at a time: each takes a core and, with argon2's defaults, 19 MiB.
const AT_ONCE: usize = 2;
/// Logins that may wait for their turn; one more is refused as busy.
const WAITING: usize = 64;

/// Checks passwords against the configured hashes.
pub struct Logins {
    hashes: HashMap<String, Arc<str>>,
    /// Checked in place of an unknown user's hash, so that an unknown name costs what a known one does.
    decoy: Arc<str>,
    turns: Arc<Semaphore>,
    places: Semaphore,
}

/// What stands in when no user is configured at all: argon2id with the crate's default costs, of no known password.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

impl Logins {
    /// For these users; their hashes are PHC strings that the configuration has checked.
    pub fn new(users: &[User]) -> Self {
        let hashes = users.iter().map(|user| (user.username.clone(), Arc::from(user.password_hash.expose())));
        Logins {
            hashes: hashes.collect(),
            decoy: Arc::from(users.first().map_or(NOBODY, |user| user.password_hash.expose())),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            places: Semaphore::new(WAITING + AT_ONCE),
        }
    }

    /// Whether there is a user of that name.
    pub fn knows(&self, username: &str) -> bool {
        self.hashes.contains_key(username)
    }

    /// Checks a password on a thread of its own.
    ///
    /// # Errors
    /// [`LoginError`].
    pub async fn check(&self, username: &str, password: &Secret) -> Result<UserId, LoginError> {
        let _place = self.places.try_acquire().map_err(|_| LoginError::Busy)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| LoginError::Busy)?;
        let known = self.hashes.get(username);
        let hash = Arc::clone(known.unwrap_or(&self.decoy));
        let password = password.clone();
        let verify = move || {
            // Held to the end of the work: whoever hangs up meanwhile does not make room for more of it.
            let _turn = turn;
            Argon2::default().verify_password(password.expose().as_bytes(), &*hash).is_ok()
        };
        // A check that cannot be made is a check that failed.
        let right = tokio::task::spawn_blocking(verify).await.unwrap_or(false);
        if right && known.is_some() { Ok(UserId::new(username)) } else { Err(LoginError::WrongCredentials) }
    }
}

#[cfg(test)]
mod tests {
    use argon2::{Algorithm, Params, PasswordHasher, Version};

    use super::*;

    fn user(name: &str, password: &str) -> User {
        let cheap = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap());
        let hash = cheap.hash_password_with_salt(password.as_bytes(), b"salt of 16 bytes").unwrap();
        User { username: name.to_owned(), password_hash: Secret::new(hash.to_string()), api_key_hash: None }
    }

    #[tokio::test]
    async fn only_the_right_pair_enters() {
        let logins = Logins::new(&[user("ann", "one"), user("bob", "two")]);
        let enter = async |name, password| logins.check(name, &Secret::new(password)).await;
        assert_eq!(enter("ann", "one").await, Ok(UserId::new("ann")));
        assert_eq!(enter("bob", "two").await, Ok(UserId::new("bob")));
        // The last but one is the decoy's own password under a name that nobody has.
        for (name, password) in [("ann", "two"), ("ann", ""), ("Ann", "one"), ("eve", "one"), ("", "")] {
            assert_eq!(enter(name, password).await, Err(LoginError::WrongCredentials), "{name} {password}");
        }
    }

    #[tokio::test]
    async fn nobody_enters_where_there_are_no_users_and_the_decoy_is_a_hash() {
        let logins = Logins::new(&[]);
        assert_eq!(logins.check("", &Secret::new("")).await, Err(LoginError::WrongCredentials));
        assert!(argon2::PasswordHash::new(NOBODY).is_ok());
    }

    #[tokio::test]
    async fn too_many_at_once_are_told_to_come_again() {
        let logins = Logins::new(&[user("ann", "one")]);
        let places = logins.places.try_acquire_many(u32::try_from(WAITING + AT_ONCE).unwrap()).unwrap();
        assert_eq!(logins.check("ann", &Secret::new("one")).await, Err(LoginError::Busy));
        drop(places);
        assert!(logins.check("ann", &Secret::new("one")).await.is_ok());
    }
}
