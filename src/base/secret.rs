//! Strings that cannot print themselves: passwords, tokens and codes, and phone numbers in whatever writing.

use std::fmt;
use std::ops::Deref;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A secret string. `Debug` and `Display` redact it, dropping it wipes it, and equality takes the same time wherever
/// two secrets of one length differ.
#[derive(Clone, Default)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes `text` as a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(Zeroizing::new(text.into()))
    }

    /// The text itself. Every call of this is a place to look at when a secret has leaked.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A phone number as somebody wrote it, or what should be one. `Debug` shows its last two characters only, and there is no
/// `Display`; where it is meant to be shown it is a `str`.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Masked(String);

impl Masked {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Masked {
    fn from(text: String) -> Self {
        Masked(text)
    }
}

impl From<&str> for Masked {
    fn from(text: &str) -> Self {
        Masked(text.to_owned())
    }
}

impl Deref for Masked {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = self.0.chars().count().saturating_sub(2);
        write!(f, "…{}", self.0.chars().skip(hidden).collect::<String>().escape_debug())
    }
}

impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Secret::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints() {
        let secret = Secret::new("918273");
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
        assert_eq!(secret, Secret::new("918273"));
        assert_ne!(secret, Secret::new("918274"));
    }

    #[test]
    fn a_number_shows_its_end_alone() {
        let shown = ["+84919273027", "é\u{1b}", "7", ""].map(|text| format!("{:?}", Masked::from(text)));
        assert_eq!(shown, ["…27", "…é\\u{1b}", "…7", "…"]);
    }
}
