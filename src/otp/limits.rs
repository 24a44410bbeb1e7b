//! Where a call may go. Caps over many calls need a store and stand above this floor.
//!
//! Two calls never ring one number at the same time: the second would reach a busy line, or a voice mailbox behind it.
//! The dialer keeps that rule by holding the later call in its queue until the earlier has ended. It does not refuse or
//! replace either: both requests were accepted, and a client that checks codes by itself still needs its first one.

use thiserror::Error;

use super::phone_number::{Country, PhoneNumber};

/// The limits of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The country by whose rules national numbers are read.
    pub home: Country,
    /// The countries that may be called.
    pub countries: Vec<Country>,
}

impl Limits {
    /// The default: the home country only, the one defence against toll fraud that costs nothing.
    pub fn home_only(home: Country) -> Self {
        Limits { home, countries: vec![home] }
    }

    /// Whether `number` may be called.
    ///
    /// # Errors
    /// [`NotAllowed::Country`] for a number of another country, or of none that can be told.
    pub fn admit(&self, number: &PhoneNumber) -> Result<(), NotAllowed> {
        match number.country() {
            Some(country) if self.countries.contains(&country) => Ok(()),
            _ => Err(NotAllowed::Country),
        }
    }
}

/// Why a number may not be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotAllowed {
    /// Its country is not on the list.
    #[error("Destination not allowed.")]
    Country,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_countries_may_be_called() {
        let [vn, india, us] = ["VN", "IN", "US"].map(|code| code.parse().expect("a country"));
        let admit = |limits: &Limits, text| limits.admit(&PhoneNumber::parse(text, limits.home).expect("a number"));
        let home = Limits::home_only(vn);
        assert_eq!(admit(&home, "0919273027"), Ok(()));
        assert_eq!(admit(&home, "+919876543210"), Err(NotAllowed::Country));
        let both = Limits { home: vn, countries: vec![vn, india] };
        assert_eq!(admit(&both, "+919876543210"), Ok(()));
        // Jamaica shares +1 with the United States, and is a favourite of toll fraud.
        let states = Limits::home_only(us);
        assert_eq!(admit(&states, "(202) 555-0173"), Ok(()));
        assert_eq!(admit(&states, "+1 876 922 1234"), Err(NotAllowed::Country));
        assert_eq!(admit(&states, "+1 100 000 0000"), Err(NotAllowed::Country));
        // An international toll-free number belongs to no country.
        assert_eq!(admit(&home, "+800 1234 5678"), Err(NotAllowed::Country));
    }
}
