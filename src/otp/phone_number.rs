//! Telephone numbers in E.164 (ITU-T E.164 §6.2), read with the habits of a home country.
//!
//! What is accepted: international numbers (`+84 91 927 30 27`), the same behind the home country's international
//! prefix (`0084…`), and national numbers of the home country (`0919273027`), with the separators people write (space,
//! `-`, `.`, `/`, brackets). A number need not be assigned: one whose length is possible in its country is enough, since
//! numbering plans change faster than their metadata and only the carrier knows. Letters, extensions, `tel:` addresses
//! and every control character are refused, so that what reaches a carrier is digits.

use std::fmt;
use std::str::FromStr;

use rlibphonenumber::{
    NumberLengthType, PHONE_NUMBER_UTIL, ParseError, PhoneNumberFormat, Region, ValidationError,
    errors::NotANumberError,
};
use thiserror::Error;

/// Longest input that is looked at, in bytes: 15 digits with every separator that anyone writes.
const MAX_TEXT: usize = 40;

/// A country by its ISO 3166-1 alpha-2 code, one that has a numbering plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country(Region);

impl Country {
    /// The code in two upper-case letters: `VN`.
    pub fn code(self) -> String {
        self.0.to_string()
    }
}

/// Text that names no country with a numbering plan.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not a country; write its two letters of ISO 3166, such as \"VN\"")]
pub struct UnknownCountry(String);

impl FromStr for Country {
    type Err = UnknownCountry;

    /// Reads two letters in any case.
    fn from_str(text: &str) -> Result<Self, UnknownCountry> {
        let region = Region::from_code(text).ok().filter(|region| *region != Region::World);
        region
            .filter(|region| PHONE_NUMBER_UTIL.get_country_code_for_region(*region).is_some())
            .map(Country)
            .ok_or_else(|| UnknownCountry(text.chars().take(20).collect()))
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A number in E.164. `Debug` and `Display` mask it (`+8491*****27`); [`PhoneNumber::e164`] tells it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhoneNumber {
    e164: String,
    country: Option<Country>,
}

impl PhoneNumber {
    /// Reads a number as someone in `home` would write it.
    ///
    /// # Errors
    /// What is wrong with the text; see [`PhoneNumberError`].
    pub fn parse(text: &str, home: Country) -> Result<Self, PhoneNumberError> {
        let text = text.trim_matches(' ');
        if text.is_empty() {
            return Err(PhoneNumberError::Empty);
        }
        if text.len() > MAX_TEXT {
            return Err(PhoneNumberError::TooLong);
        }
        let (sign, rest) = text.strip_prefix('+').map_or(("", text), |rest| ("+", rest));
        if !rest.chars().all(|c| c.is_ascii_digit() || " -./()".contains(c)) {
            return Err(PhoneNumberError::BadCharacter);
        }
        let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
        let number = PHONE_NUMBER_UTIL.parse(format!("{sign}{digits}"), Some(home.0))?;
        match number.is_possible_with_reason() {
            Ok(NumberLengthType::IsPossible) => {}
            Ok(NumberLengthType::IsPossibleLocalOnly) => return Err(PhoneNumberError::TooShort),
            Err(error) => return Err(error.into()),
        }
        let e164 = number.format_as(PhoneNumberFormat::E164).into_owned();
        // ITU-T E.164 §6.2.1: at most 15 digits.
        if e164.len() > 16 {
            return Err(PhoneNumberError::TooLong);
        }
        let country = number.get_region_code().or_else(|| only_region(number.country_code));
        Ok(PhoneNumber { e164, country: country.filter(|region| *region != Region::World).map(Country) })
    }

    /// Reads back what [`PhoneNumber::e164`] gave, from a store for instance.
    ///
    /// # Errors
    /// As [`PhoneNumber::parse`]; a text without its `+` is [`PhoneNumberError::NotInternational`].
    pub fn from_e164(text: &str) -> Result<Self, PhoneNumberError> {
        if !text.starts_with('+') {
            return Err(PhoneNumberError::NotInternational);
        }
        // The home country has no say in a number that starts with `+`.
        PhoneNumber::parse(text, Country(Region::VN))
    }

    /// The whole number: `+84919273027`. Every call of this is a place to look at when a number has leaked.
    pub fn e164(&self) -> &str {
        &self.e164
    }

    /// The country, when the numbering plan tells: a number under a shared code (`+1`) that is not in the plan has
    /// none.
    pub fn country(&self) -> Option<Country> {
        self.country
    }

    /// The number with its middle hidden, as it prints: `+8491*****27`.
    pub fn masked(&self) -> String {
        let length = self.e164.len();
        let head = length.saturating_sub(7).min(5);
        let tail = length.saturating_sub(2);
        self.e164.char_indices().map(|(i, c)| if i < head || i >= tail { c } else { '*' }).collect()
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// Why a text is no number that can be called. The texts fit behind the name of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PhoneNumberError {
    /// Nothing but spaces.
    #[error("A phone number is required.")]
    Empty,
    /// Something other than digits, one leading `+`, and separators.
    #[error("A phone number holds digits only, with an optional leading \"+\".")]
    BadCharacter,
    /// Digits, but no number.
    #[error("This is not a phone number.")]
    NotANumber,
    /// Fewer digits than any number of its country.
    #[error("The phone number is too short.")]
    TooShort,
    /// More digits than any number of its country.
    #[error("The phone number is too long.")]
    TooLong,
    /// A length that no number of its country has.
    #[error("No phone number of that country has this length.")]
    BadLength,
    /// `+` and a code that is no country's.
    #[error("The phone number's country code does not exist.")]
    UnknownCountryCode,
    /// E.164 was asked for, and the `+` is missing.
    #[error("The phone number must start with \"+\" and the country code.")]
    NotInternational,
}

impl From<ParseError> for PhoneNumberError {
    fn from(error: ParseError) -> Self {
        match error {
            ParseError::InvalidCountryCode => PhoneNumberError::UnknownCountryCode,
            ParseError::NotANumber(NotANumberError::FailedToParseNumberAsInt(_)) | ParseError::TooLongNsn => {
                PhoneNumberError::TooLong
            }
            ParseError::NotANumber(_) => PhoneNumberError::NotANumber,
            ParseError::TooShortAfterIdd | ParseError::TooShortNsn => PhoneNumberError::TooShort,
        }
    }
}

impl From<ValidationError> for PhoneNumberError {
    fn from(error: ValidationError) -> Self {
        match error {
            ValidationError::InvalidCountryCode => PhoneNumberError::UnknownCountryCode,
            ValidationError::TooShort => PhoneNumberError::TooShort,
            ValidationError::InvalidLength => PhoneNumberError::BadLength,
            ValidationError::TooLong => PhoneNumberError::TooLong,
        }
    }
}

/// The region of a country calling code that only one region uses.
fn only_region(country_code: i32) -> Option<Region> {
    let mut regions = PHONE_NUMBER_UTIL.get_regions_for_country_calling_code(country_code)?;
    let first = regions.next();
    if regions.next().is_none() { first } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn country(code: &str) -> Country {
        code.parse().expect("a country")
    }

    fn vn(text: &str) -> Result<String, PhoneNumberError> {
        PhoneNumber::parse(text, country("VN")).map(|number| number.e164().to_owned())
    }

    #[test]
    fn national_and_international_forms_are_one_number() {
        let forms = [
            "0919273027",
            "+84919273027",
            "0084919273027",
            "84919273027",
            "+84 91 927 30 27",
            "(091) 927-3027",
            "091.927.3027",
            "  0919273027 ",
        ];
        for form in forms {
            assert_eq!(vn(form).as_deref(), Ok("+84919273027"), "{form}");
        }
    }

    #[test]
    fn the_home_country_reads_national_numbers() {
        let parse = |text, home| PhoneNumber::parse(text, country(home)).map(|number| number.e164().to_owned());
        assert_eq!(parse("98765 43210", "IN").as_deref(), Ok("+919876543210"));
        assert_eq!(parse("(202) 555-0173", "US").as_deref(), Ok("+12025550173"));
        assert_eq!(parse("011 84 919273027", "US").as_deref(), Ok("+84919273027"));
        assert_eq!(parse("+919876543210", "VN").as_deref(), Ok("+919876543210"));
    }

    #[test]
    fn the_lab_numbers_are_numbers_of_the_shipped_home_country() {
        for last in ["0000", "0001", "0486", "0480", "0404", "0603", "0408", "0503", "0100", "0200"] {
            let number = PhoneNumber::parse(&format!("091927{last}"), country("VN")).expect(last);
            assert_eq!(number.e164(), format!("+8491927{last}"));
            assert_eq!(number.country(), Some(country("VN")));
        }
    }

    #[test]
    fn a_possible_number_is_enough() {
        // No range of Vietnam's plan starts with 20000, but its numbers may have nine digits.
        let unassigned = "+84200000000";
        assert!(!rlibphonenumber::PhoneNumber::parse(unassigned, None).expect("parses").is_valid());
        assert_eq!(vn(unassigned).as_deref(), Ok(unassigned));
        assert_eq!(PhoneNumber::from_e164(unassigned).expect("possible").country(), Some(country("VN")));
        // Many countries share +1; a number outside its plan belongs to none of them.
        assert_eq!(PhoneNumber::from_e164("+11000000000").expect("possible").country(), None);
    }

    #[test]
    fn garbage_is_refused_with_its_reason() {
        for (text, reason) in [
            ("", PhoneNumberError::Empty),
            ("   ", PhoneNumberError::Empty),
            ("hello", PhoneNumberError::BadCharacter),
            ("1-800-FLOWERS", PhoneNumberError::BadCharacter),
            ("0919273027 ext. 5", PhoneNumberError::BadCharacter),
            ("tel:+84919273027", PhoneNumberError::BadCharacter),
            ("0919273027\r\nVia: x", PhoneNumberError::BadCharacter),
            ("0919273027\0", PhoneNumberError::BadCharacter),
            ("0919\t273027", PhoneNumberError::BadCharacter),
            ("+84+919273027", PhoneNumberError::BadCharacter),
            ("٠٩١٩٢٧٣٠٢٧", PhoneNumberError::BadCharacter),
            ("+", PhoneNumberError::NotANumber),
            ("113", PhoneNumberError::TooShort),
            ("+849", PhoneNumberError::TooShort),
            ("+999123456789", PhoneNumberError::UnknownCountryCode),
            ("+849192730271234567", PhoneNumberError::TooLong),
            ("00000000000000000000000000000000000000000000000000", PhoneNumberError::TooLong),
        ] {
            assert_eq!(vn(text), Err(reason), "{text:?}");
        }
    }

    #[test]
    fn a_number_prints_masked() {
        let number = PhoneNumber::parse("0919273027", country("VN")).expect("a number");
        assert_eq!(format!("{number} {number:?}"), "+8491*****27 +8491*****27");
        let short = PhoneNumber { e164: "+4712345".to_owned(), country: None };
        assert_eq!(short.to_string(), "+*****45");
    }

    #[test]
    fn countries_have_a_numbering_plan() {
        assert_eq!(country("vn").to_string(), "VN");
        for text in ["", "V", "VNM", "001", "XX", "ZZ", "V\n"] {
            assert!(text.parse::<Country>().is_err(), "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_accepted_is_digits_and_reads_back(text in "\\PC{0,30}|[+0-9 ().-]{1,30}") {
            if let Ok(number) = PhoneNumber::parse(&text, country("VN")) {
                let digits = number.e164().strip_prefix('+').expect("a leading +");
                proptest::prop_assert!(digits.len() <= 15 && digits.bytes().all(|b| b.is_ascii_digit()));
                proptest::prop_assert_eq!(PhoneNumber::from_e164(number.e164()), Ok(number));
            }
        }
    }
}
