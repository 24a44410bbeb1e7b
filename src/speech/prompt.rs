//! The names of the prompts that a pack holds.

use std::fmt;

/// One recording of a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PromptId {
    /// A digit, 0 to 9. [`PromptId::digit`] is the checked way to one.
    Digit(u8),
    /// "Your verification code is".
    Intro,
    /// "Again, your code is".
    Again,
    /// "Press one to hear it again".
    PressOne,
    /// The gate's words around a random key: "To hear your code, press", followed by a digit.
    PressKey,
    /// "Goodbye".
    Goodbye,
}

impl PromptId {
    /// Every prompt of a pack, digits first.
    pub const ALL: [PromptId; 15] = [
        PromptId::Digit(0),
        PromptId::Digit(1),
        PromptId::Digit(2),
        PromptId::Digit(3),
        PromptId::Digit(4),
        PromptId::Digit(5),
        PromptId::Digit(6),
        PromptId::Digit(7),
        PromptId::Digit(8),
        PromptId::Digit(9),
        PromptId::Intro,
        PromptId::Again,
        PromptId::PressOne,
        PromptId::PressKey,
        PromptId::Goodbye,
    ];

    /// The prompt of a digit; `None` above 9.
    pub const fn digit(digit: u8) -> Option<PromptId> {
        if digit < 10 { Some(PromptId::Digit(digit)) } else { None }
    }

    /// The file's path inside a pack, with `/` and without the extension: `digits/3`, `otp-intro`.
    pub fn file_stem(self) -> &'static str {
        const DIGITS: [&str; 10] = [
            "digits/0", "digits/1", "digits/2", "digits/3", "digits/4", "digits/5", "digits/6", "digits/7", "digits/8",
            "digits/9",
        ];
        match self {
            PromptId::Digit(digit) => DIGITS[usize::from(digit % 10)],
            PromptId::Intro => "otp-intro",
            PromptId::Again => "otp-again",
            PromptId::PressOne => "otp-press-1",
            PromptId::PressKey => "otp-press-key",
            PromptId::Goodbye => "goodbye",
        }
    }

    /// The file's path inside a pack: `digits/3.wav`.
    pub fn file_name(self) -> String {
        format!("{}.wav", self.file_stem())
    }

    /// The place in [`PromptId::ALL`]. A digit above 9, which [`PromptId::digit`] does not make, counts modulo 10, as
    /// in [`PromptId::file_stem`].
    pub(crate) fn index(self) -> usize {
        match self {
            PromptId::Digit(digit) => usize::from(digit % 10),
            PromptId::Intro => 10,
            PromptId::Again => 11,
            PromptId::PressOne => 12,
            PromptId::PressKey => 13,
            PromptId::Goodbye => 14,
        }
    }
}

impl fmt::Display for PromptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.file_stem())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prompt_has_its_own_place_and_file() {
        for (place, id) in PromptId::ALL.into_iter().enumerate() {
            assert_eq!(id.index(), place);
        }
        let mut stems: Vec<_> = PromptId::ALL.iter().map(|id| id.file_stem()).collect();
        stems.sort_unstable();
        stems.dedup();
        assert_eq!(stems.len(), PromptId::ALL.len());
        assert_eq!(PromptId::Digit(3).file_name(), "digits/3.wav");
        assert_eq!(PromptId::digit(10), None);
    }
}
