//! Digest algorithms (RFC 7616 §6.1, RFC 8760 §2.2).

use std::fmt;

use md5::{Digest, Md5};
use sha2::{Sha256, Sha512_256};

use crate::base::hex;

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HashFunction {
    /// `MD5`
    Md5,
    /// `SHA-256`
    Sha256,
    /// `SHA-512-256`: SHA-512/256 of FIPS 180-4, not a SHA-512 that was cut.
    Sha512_256,
}

/// The value of an `algorithm` parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Algorithm {
    /// The hash.
    pub hash: HashFunction,
    /// Whether it is the `-sess` variant, whose key is bound to one nonce and cnonce.
    pub session: bool,
}

impl Algorithm {
    /// `MD5`, which is also meant where a challenge names no algorithm (RFC 7616 §3.3).
    pub const MD5: Algorithm = Algorithm { hash: HashFunction::Md5, session: false };
    /// `SHA-256`
    pub const SHA_256: Algorithm = Algorithm { hash: HashFunction::Sha256, session: false };
    /// `SHA-512-256`
    pub const SHA_512_256: Algorithm = Algorithm { hash: HashFunction::Sha512_256, session: false };

    /// Reads the parameter, without regard to case; `None` for an algorithm that we do not have.
    pub fn parse(text: &str) -> Option<Self> {
        let suffix = text.len().checked_sub("-sess".len()).and_then(|at| text.split_at_checked(at));
        let (name, session) = match suffix {
            Some((name, suffix)) if suffix.eq_ignore_ascii_case("-sess") => (name, true),
            _ => (text, false),
        };
        let hash = [HashFunction::Md5, HashFunction::Sha256, HashFunction::Sha512_256]
            .into_iter()
            .find(|hash| hash.name().eq_ignore_ascii_case(name))?;
        Some(Algorithm { hash, session })
    }

    /// The parameter's text.
    pub fn as_str(self) -> &'static str {
        match (self.hash, self.session) {
            (hash, false) => hash.name(),
            (HashFunction::Md5, true) => "MD5-sess",
            (HashFunction::Sha256, true) => "SHA-256-sess",
            (HashFunction::Sha512_256, true) => "SHA-512-256-sess",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl HashFunction {
    fn name(self) -> &'static str {
        match self {
            HashFunction::Md5 => "MD5",
            HashFunction::Sha256 => "SHA-256",
            HashFunction::Sha512_256 => "SHA-512-256",
        }
    }

    /// `H(part ":" part ":" …)` in lower-case hex (RFC 7616 §3.1.2), without joining the parts in memory.
    pub(super) fn of_parts(self, parts: &[&[u8]]) -> String {
        match self {
            HashFunction::Md5 => hex_of::<Md5>(parts),
            HashFunction::Sha256 => hex_of::<Sha256>(parts),
            HashFunction::Sha512_256 => hex_of::<Sha512_256>(parts),
        }
    }
}

fn hex_of<D: Digest>(parts: &[&[u8]]) -> String {
    let mut hasher = D::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            hasher.update(b":");
        }
        hasher.update(part);
    }
    hex::encode(&hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_case_and_unknown_ones_refused() {
        for name in ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"] {
            assert_eq!(Algorithm::parse(name).map(Algorithm::as_str), Some(name));
            assert_eq!(Algorithm::parse(&name.to_lowercase()).map(Algorithm::as_str), Some(name));
        }
        for name in ["", "-sess", "SHA-512", "SHA-1", "AKAv1-MD5", "token", "é-sess", "sess"] {
            assert_eq!(Algorithm::parse(name), None, "{name}");
        }
    }

    #[test]
    fn hashes_are_those_of_their_standards() {
        // RFC 1321 §A.5 and FIPS 180-4's "abc".
        assert_eq!(HashFunction::Md5.of_parts(&[b"abc"]), "900150983cd24fb0d6963f7d28e17f72");
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(HashFunction::Sha256.of_parts(&[b"abc"]), sha256);
        let sha512_256 = "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23";
        assert_eq!(HashFunction::Sha512_256.of_parts(&[b"abc"]), sha512_256);
        assert_eq!(HashFunction::Md5.of_parts(&[b"a", b"b"]), HashFunction::Md5.of_parts(&[b"a:b"]));
    }
}
