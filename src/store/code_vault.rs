//! Codes at rest: sealed while their calls may still happen, then only a keyed hash.
//!
//! A sealed code is `hex(nonce ‖ XChaCha20-Poly1305(code))` with a random 192-bit nonce, so that nonces never need to be
//! counted, and the challenge's uuid as associated data, so that a row cannot be given another row's code.

use std::sync::{Mutex, PoisonError};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::error::StoreError;
use super::key_file::KEY_BYTES;
use crate::base::hex;
use crate::base::random::Random;
use crate::base::secret::Secret;

const NONCE_BYTES: usize = 24;

/// Seals, opens and fingerprints codes with keys derived from the key file's one.
pub struct CodeVault {
    cipher: XChaCha20Poly1305,
    hash_key: Zeroizing<[u8; KEY_BYTES]>,
    fingerprint: String,
    random: Mutex<Random>,
}

impl CodeVault {
    /// A vault under `key`; `random` gives the nonces.
    pub fn new(key: &[u8; KEY_BYTES], random: Random) -> Self {
        CodeVault {
            cipher: XChaCha20Poly1305::new(&(*derive(key, "ringcode seal 1")).into()),
            hash_key: derive(key, "ringcode hash 1"),
            fingerprint: hex::encode(&derive(key, "ringcode fingerprint 1")[..16]),
            random: Mutex::new(random),
        }
    }

    /// A value by which a database recognises its key, and which tells nothing about it.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The key of the hashes by which codes are verified.
    pub fn hash_key(&self) -> &[u8; KEY_BYTES] {
        &self.hash_key
    }

    /// Seals `code` for the challenge `uuid`.
    pub fn seal(&self, uuid: &str, code: &Secret) -> String {
        let mut nonce = [0; NONCE_BYTES];
        self.random.lock().unwrap_or_else(PoisonError::into_inner).fill(&mut nonce);
        let sealed = self
            .cipher
            .encrypt(&XNonce::from(nonce), Payload { msg: code.expose().as_bytes(), aad: uuid.as_bytes() })
            .expect("a code is shorter than the cipher's 256 GiB");
        hex::encode(&[&nonce[..], &sealed].concat())
    }

    /// Opens what [`seal`](Self::seal) made for the same challenge.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when it was made with another key, for another challenge, or was changed.
    pub fn open(&self, uuid: &str, sealed: &str) -> Result<Secret, StoreError> {
        let broken = || StoreError::Corrupt(format!("the sealed code of {uuid} cannot be opened"));
        let bytes = hex::decode(sealed).ok_or_else(broken)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or_else(broken)?;
        let code = self
            .cipher
            .decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: uuid.as_bytes() })
            .map(Zeroizing::new)
            .map_err(|_| broken())?;
        Ok(Secret::new(std::str::from_utf8(&code).map_err(|_| broken())?))
    }
}

impl std::fmt::Debug for CodeVault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CodeVault")
    }
}

fn derive(key: &[u8; KEY_BYTES], purpose: &str) -> Zeroizing<[u8; KEY_BYTES]> {
    let mut mac = <Hmac<Sha256>>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(purpose.as_bytes());
    Zeroizing::new(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(key: u8) -> CodeVault {
        CodeVault::new(&[key; KEY_BYTES], Random::from_seed(1))
    }

    #[test]
    fn a_code_opens_only_with_its_key_and_for_its_challenge() {
        let sealed = vault(1).seal("a", &Secret::new("918273"));
        assert_eq!(vault(1).open("a", &sealed).unwrap(), Secret::new("918273"));
        assert!(vault(2).open("a", &sealed).is_err());
        assert!(vault(1).open("b", &sealed).is_err());
        assert!(vault(1).open("a", &sealed[2..]).is_err());
        assert!(vault(1).open("a", "").is_err());
    }

    #[test]
    fn the_same_code_is_never_sealed_alike_and_does_not_show() {
        let vault = vault(1);
        let (one, two) = (vault.seal("a", &Secret::new("918273")), vault.seal("a", &Secret::new("918273")));
        assert_ne!(one, two);
        assert!(!one.contains(&hex::encode(b"918273")));
    }

    #[test]
    fn keys_of_different_purposes_differ() {
        let vault = vault(1);
        assert_ne!(vault.fingerprint(), &hex::encode(vault.hash_key())[..32]);
        assert_ne!(vault.fingerprint(), super::tests::vault(2).fingerprint());
    }
}
