//! A one-time code: 4 to 10 digits that never print.

use std::fmt;

use thiserror::Error;

use crate::base::random::Random;
use crate::base::secret::Secret;

/// Fewest digits of a code.
pub const MIN_LENGTH: u8 = 4;
/// Most digits of a code.
pub const MAX_LENGTH: u8 = 10;

/// A code in clear. `Debug` and `Display` redact it, and dropping it wipes it.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(Secret);

impl Code {
    /// Reads a code; leading zeros count.
    ///
    /// # Errors
    /// Anything but 4 to 10 ASCII digits.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(CodeError::NotDigits);
        }
        if !(usize::from(MIN_LENGTH)..=usize::from(MAX_LENGTH)).contains(&text.len()) {
            return Err(CodeError::Length);
        }
        Ok(Code(Secret::new(text)))
    }

    /// Draws a code of `length` digits, each code as likely as any other. A length outside 4 to 10 is brought to the
    /// nearer bound.
    pub fn generate(length: u8, random: &mut Random) -> Self {
        let length = usize::from(length.clamp(MIN_LENGTH, MAX_LENGTH));
        let number = random.below(10u64.pow(u32::try_from(length).expect("at most 10")));
        Code(Secret::new(format!("{number:0length$}")))
    }

    /// The digits' values in the order of reading.
    pub fn digits(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.expose().bytes().map(|byte| byte - b'0')
    }

    /// How many digits: 4 to 10.
    pub fn length(&self) -> u8 {
        u8::try_from(self.0.expose().len()).expect("a code has at most 10 digits")
    }

    /// One star a digit, for lists: `******`.
    pub fn masked(&self) -> String {
        "*".repeat(usize::from(self.length()))
    }

    /// The code itself. Every call of this is a place to look at when a code has leaked.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Why a text is no code. The texts fit behind the name of a field and do not repeat the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CodeError {
    /// Something other than ASCII digits.
    #[error("A code holds digits only.")]
    NotDigits,
    /// Fewer than 4 or more than 10 digits.
    #[error("A code has 4 to 10 digits.")]
    Length,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_4_to_10_ascii_digits() {
        for good in ["0000", "610389", "0123456789"] {
            assert_eq!(Code::parse(good).expect(good).expose(), good);
        }
        for (bad, reason) in [
            ("", CodeError::Length),
            ("123", CodeError::Length),
            ("12345678901", CodeError::Length),
            ("12a4", CodeError::NotDigits),
            (" 1234", CodeError::NotDigits),
            ("١٢٣٤", CodeError::NotDigits),
            ("1234\n", CodeError::NotDigits),
        ] {
            assert_eq!(Code::parse(bad), Err(reason), "{bad:?}");
        }
    }

    #[test]
    fn generated_codes_have_their_length_and_every_digit_at_every_place() {
        let mut random = Random::from_seed(1);
        let mut seen = [[false; 10]; 6];
        for _ in 0..500 {
            let code = Code::generate(6, &mut random);
            assert_eq!(code.length(), 6);
            code.digits().enumerate().for_each(|(place, digit)| seen[place][usize::from(digit)] = true);
        }
        assert_eq!(seen, [[true; 10]; 6]);
        assert_eq!(Code::generate(0, &mut random).length(), 4);
        assert_eq!(Code::generate(200, &mut random).length(), 10);
    }

    #[test]
    fn a_code_never_prints() {
        let code = Code::parse("918273").expect("a code");
        assert_eq!(format!("{code} {code:?} {}", code.masked()), "*** *** ******");
        assert_eq!(code.digits().collect::<Vec<_>>(), [9, 1, 8, 2, 7, 3]);
    }
}
