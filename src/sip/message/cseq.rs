//! CSeq (RFC 3261 §20.16).

use std::fmt;

use super::lex::{BadValue, is_blank, saturating_u32};
use super::method::Method;

/// A sequence number and the method it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CSeq {
    /// Below 2³¹ (RFC 3261 §8.1.1.5).
    pub number: u32,
    /// The request's method.
    pub method: Method,
}

impl CSeq {
    /// The number and method of a request.
    pub fn new(number: u32, method: Method) -> Self {
        CSeq { number, method }
    }

    /// Reads a CSeq value; a number of 2³¹ or more is refused, not wrapped.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadValue> {
        let bad = |why| BadValue::new("CSeq", why);
        let at = bytes.iter().position(|byte| is_blank(*byte)).ok_or(bad("lacks a method"))?;
        let (number, method) = bytes.split_at(at);
        let number = saturating_u32(number).ok_or(bad("has no number"))?;
        if number > i32::MAX as u32 {
            return Err(bad("is 2^31 or more"));
        }
        let method = Method::parse(super::lex::trim(method)).map_err(|_| bad("has no valid method"))?;
        Ok(CSeq { number, method })
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_a_limit_and_blanks_do_not_matter() {
        assert_eq!(CSeq::parse(b"0009   INVITE"), Ok(CSeq::new(9, Method::Invite)));
        assert_eq!(CSeq::parse(b"2147483647 BYE"), Ok(CSeq::new(2_147_483_647, Method::Bye)));
        for bad in ["2147483648 BYE", "36893488147419103232 REGISTER", "8", "INVITE", "-1 BYE", "8 ", "8 A B"] {
            assert!(CSeq::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
