//! What is kept of a code so that it can be verified: for how long, how often, and against what.
//!
//! The rules, in the order in which [`Challenge::verify`] asks them:
//!
//! 1. no code for this number: `not_found`
//! 2. verified before: `already_used` (a code works once)
//! 3. no tries left: `max_attempts`
//! 4. its time is over: `expired`
//! 5. another code: `invalid`, and one try is gone
//! 6. this code: `verified`, and it is used up
//!
//! A new code for a number replaces the one before it: only the newest challenge of a number is ever asked.
//!
//! All answers cost the same work: the hash of what was given is computed and compared in constant time even when
//! nothing is there to compare it with, so that time tells nobody whether a number has a code, or how near a guess is.
//! What is kept is an HMAC-SHA256 (RFC 2104) under a key that is not in the store, over a random salt, the number and
//! the code: whoever steals the store alone cannot try the million codes.

use std::fmt;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::code::Code;
use super::phone_number::PhoneNumber;
use crate::base::hex;
use crate::base::random::Random;
use crate::base::time::UnixTime;

/// The rules of a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtpPolicy {
    /// Digits of a generated code, 4 to 10.
    pub length: u8,
    /// How long a code can be verified.
    pub ttl: Duration,
    /// Wrong tries after which a code is void, 1 to 10.
    pub max_checks: u8,
}

impl Default for OtpPolicy {
    /// Six digits, five minutes, three tries.
    fn default() -> Self {
        OtpPolicy { length: 6, ttl: Duration::from_secs(300), max_checks: 3 }
    }
}

/// The key under which codes are hashed. Never prints; wiped when dropped.
#[derive(Clone)]
pub struct CodeKey(Zeroizing<[u8; 32]>);

impl CodeKey {
    /// Takes 256 bits from the operating system's generator, or from wherever they were kept.
    pub fn new(bytes: [u8; 32]) -> Self {
        CodeKey(Zeroizing::new(bytes))
    }

    /// Draws a key.
    pub fn generate(random: &mut Random) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        random.fill(&mut *bytes);
        CodeKey(bytes)
    }

    /// The key itself, for the one place that keeps it.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    fn mac(&self, salt: &[u8; 16], number: &PhoneNumber, code: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&*self.0).expect("HMAC takes a key of any length");
        mac.update(salt);
        // A number holds no NUL, so that no other number and code make the same input.
        mac.update(number.e164().as_bytes());
        mac.update(&[0]);
        mac.update(code);
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for CodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A code as it is kept: salt and hash. Says nothing about the code without the [`CodeKey`].
#[derive(Clone, PartialEq, Eq)]
pub struct StoredCode {
    salt: [u8; 16],
    mac: [u8; 32],
}

impl StoredCode {
    /// Hashes `code`, bound to `number`.
    pub fn new(key: &CodeKey, number: &PhoneNumber, code: &Code, random: &mut Random) -> Self {
        let mut salt = [0; 16];
        random.fill(&mut salt);
        StoredCode { salt, mac: key.mac(&salt, number, code.expose().as_bytes()) }
    }

    /// 96 lower-case hex digits: salt, then hash.
    pub fn to_text(&self) -> String {
        hex::encode(&self.salt) + &hex::encode(&self.mac)
    }

    /// Reads back what [`StoredCode::to_text`] gave; `None` for anything else.
    pub fn from_text(text: &str) -> Option<Self> {
        let bytes = hex::decode(text)?;
        let (salt, mac) = bytes.split_first_chunk()?;
        Some(StoredCode { salt: *salt, mac: mac.try_into().ok()? })
    }

    /// The stand-in that is compared with when there is no code: no code hashes to it.
    const NONE: StoredCode = StoredCode { salt: [0; 16], mac: [0; 32] };
}

impl fmt::Debug for StoredCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Where a challenge stands, apart from its time and its tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChallengeState {
    /// It can be verified.
    Open,
    /// It was verified.
    Used,
}

/// A code that was sent, or is to be sent, to a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The number that the code belongs to.
    pub number: PhoneNumber,
    /// What a given code is compared with; `None` once it was wiped.
    pub stored: Option<StoredCode>,
    /// When the code ceases to be valid: the first instant at which it is not.
    pub expires_at: UnixTime,
    /// Tries that were made and counted.
    pub checks_used: u8,
    /// Tries after which the code is void.
    pub max_checks: u8,
    /// Open, used, replaced.
    pub state: ChallengeState,
}

impl Challenge {
    /// A challenge for `code` that begins now and lives for `ttl`.
    pub fn new(
        number: PhoneNumber,
        code: &Code,
        key: &CodeKey,
        now: UnixTime,
        ttl: Duration,
        max_checks: u8,
        random: &mut Random,
    ) -> Self {
        let stored = Some(StoredCode::new(key, &number, code, random));
        Challenge { number, stored, expires_at: now + ttl, checks_used: 0, max_checks, state: ChallengeState::Open }
    }

    /// Tries that are left.
    pub fn checks_remaining(&self) -> u8 {
        self.max_checks.saturating_sub(self.checks_used)
    }

    /// Whether the code's time is over.
    pub fn is_expired(&self, now: UnixTime) -> bool {
        now >= self.expires_at
    }

    /// Checks `given` against the newest challenge of `number`, if there is one, and changes that challenge: a right
    /// code uses it up, a wrong one costs a try. The caller reads and writes it within one transaction, so that
    /// guesses that come at the same time are counted one by one.
    pub fn verify(
        challenge: Option<&mut Challenge>,
        key: &CodeKey,
        number: &PhoneNumber,
        given: &str,
        now: UnixTime,
    ) -> Verification {
        let stored = challenge.as_ref().and_then(|challenge| challenge.stored.clone()).unwrap_or(StoredCode::NONE);
        let mac = key.mac(&stored.salt, number, given.as_bytes());
        let matches: bool = mac.ct_eq(&stored.mac).into();

        let Some(challenge) = challenge else {
            return Verification { reason: VerifyReason::NotFound, attempts_remaining: 0 };
        };
        let reason = if challenge.state == ChallengeState::Used {
            VerifyReason::AlreadyUsed
        } else if challenge.checks_remaining() == 0 {
            VerifyReason::MaxAttempts
        } else if challenge.is_expired(now) {
            VerifyReason::Expired
        } else if matches {
            challenge.state = ChallengeState::Used;
            VerifyReason::Verified
        } else {
            challenge.checks_used = challenge.checks_used.saturating_add(1);
            VerifyReason::Invalid
        };
        let attempts_remaining = match reason {
            VerifyReason::Invalid => challenge.checks_remaining(),
            _ => 0,
        };
        Verification { reason, attempts_remaining }
    }
}

/// The answer to a given code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verification {
    /// How it ended.
    pub reason: VerifyReason,
    /// Tries that are left; 0 unless the code was [`VerifyReason::Invalid`] and may be tried again.
    pub attempts_remaining: u8,
}

/// How a verification ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VerifyReason {
    /// The code is right; it is used up now.
    Verified,
    /// The code is wrong.
    Invalid,
    /// The code's time is over.
    Expired,
    /// The code was verified before.
    AlreadyUsed,
    /// All tries are used up.
    MaxAttempts,
    /// No code was sent to this number.
    NotFound,
}

impl VerifyReason {
    /// The word of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            VerifyReason::Verified => "verified",
            VerifyReason::Invalid => "invalid",
            VerifyReason::Expired => "expired",
            VerifyReason::AlreadyUsed => "already_used",
            VerifyReason::MaxAttempts => "max_attempts",
            VerifyReason::NotFound => "not_found",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bench {
        key: CodeKey,
        challenge: Challenge,
    }

    impl Bench {
        fn new() -> Self {
            let mut random = Random::from_seed(5);
            let key = CodeKey::generate(&mut random);
            let code = Code::parse("610389").expect("a code");
            let ttl = Duration::from_secs(300);
            let challenge = Challenge::new(number(), &code, &key, UnixTime::from_millis(0), ttl, 3, &mut random);
            Bench { key, challenge }
        }

        fn verify(&mut self, given: &str, second: i64) -> (&'static str, u8) {
            let now = UnixTime::from_millis(second * 1000);
            let verification = Challenge::verify(Some(&mut self.challenge), &self.key, &number(), given, now);
            (verification.reason.as_str(), verification.attempts_remaining)
        }
    }

    fn number() -> PhoneNumber {
        PhoneNumber::from_e164("+84919273027").expect("a number")
    }

    #[test]
    fn a_code_works_once() {
        let mut bench = Bench::new();
        assert_eq!(bench.verify("610389", 1), ("verified", 0));
        assert_eq!(bench.verify("610389", 2), ("already_used", 0));
        assert_eq!(bench.verify("000000", 2), ("already_used", 0));
    }

    #[test]
    fn wrong_tries_run_out_and_then_the_right_code_fails_too() {
        let mut bench = Bench::new();
        assert_eq!(bench.verify("610388", 1), ("invalid", 2));
        assert_eq!(bench.verify("", 1), ("invalid", 1));
        assert_eq!(bench.verify("6103890", 1), ("invalid", 0));
        assert_eq!(bench.verify("610389", 1), ("max_attempts", 0));
    }

    #[test]
    fn a_try_is_left_for_the_right_code() {
        let mut bench = Bench::new();
        assert_eq!(bench.verify("000000", 1), ("invalid", 2));
        assert_eq!(bench.verify("000000", 1), ("invalid", 1));
        assert_eq!(bench.verify("610389", 1), ("verified", 0));
    }

    #[test]
    fn a_code_ends_with_its_time() {
        let mut bench = Bench::new();
        assert_eq!(bench.verify("610389", 300), ("expired", 0));
        assert_eq!(bench.verify("610388", 301), ("expired", 0));
        assert_eq!(bench.challenge.checks_used, 0);
        assert_eq!(bench.verify("610389", 299), ("verified", 0));
    }

    #[test]
    fn nothing_is_found_where_nothing_is_and_a_wiped_code_is_wrong() {
        let mut bench = Bench::new();
        let none = Challenge::verify(None, &bench.key, &number(), "610389", UnixTime::from_millis(0));
        assert_eq!(none, Verification { reason: VerifyReason::NotFound, attempts_remaining: 0 });
        bench.challenge.stored = None;
        assert_eq!(bench.verify("610389", 1), ("invalid", 2));
    }

    #[test]
    fn a_hash_fits_its_number_key_and_salt_only() {
        let mut random = Random::from_seed(6);
        let bench = Bench::new();
        let code = Code::parse("610389").expect("a code");
        let stored = bench.challenge.stored.clone().expect("just made");
        assert_ne!(stored, StoredCode::new(&bench.key, &number(), &code, &mut random), "the salt is new each time");
        let other = PhoneNumber::from_e164("+84919273028").expect("a number");
        assert_ne!(bench.key.mac(&stored.salt, &other, b"610389"), stored.mac);
        assert_ne!(CodeKey::new([7; 32]).mac(&stored.salt, &number(), b"610389"), stored.mac);
        assert_eq!(bench.key.mac(&stored.salt, &number(), b"610389"), stored.mac);
    }

    #[test]
    fn the_hash_is_hmac_sha256() {
        // Against Python's hmac.new(bytes(range(32)), bytes(16) + b"+84919273027\x00610389", "sha256").
        let key = CodeKey::new(std::array::from_fn(|i| i as u8));
        let hex = hex::encode(&key.mac(&[0; 16], &number(), b"610389"));
        assert_eq!(hex, "a13ab3c38470c45c26e437b821fc4f6fa263765fbb1bfabf38b77d344e7fd908");
    }

    #[test]
    fn a_stored_code_reads_back_from_its_text_and_nothing_else_does() {
        let stored = Bench::new().challenge.stored.expect("just made");
        let text = stored.to_text();
        assert_eq!(text.len(), 96);
        assert_eq!(StoredCode::from_text(&text), Some(stored));
        for bad in ["", "00", &text[..94], &format!("{text}00"), &text.replace(&text[..1], "g"), &"é".repeat(48)] {
            assert_eq!(StoredCode::from_text(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn neither_key_nor_hash_prints() {
        let bench = Bench::new();
        let shown = format!("{:?} {:?}", bench.key, bench.challenge);
        assert!(!shown.contains("610389") && !shown.contains("84919273027"), "{shown}");
        assert!(!shown.contains(&bench.challenge.stored.expect("just made").to_text()[..8]), "{shown}");
    }
}
