//! Names of header fields (RFC 3261 §7.3.1: without case; §7.3.3: compact forms).

use std::fmt;
use std::hash::{Hash, Hasher};

use super::lex::BadValue;
use super::token::Token;

macro_rules! header_names {
    ($($variant:ident $name:literal $($compact:literal)?;)*) => {
        /// The name of a header field. Equal without regard to case or compact form.
        #[derive(Clone, Debug)]
        pub enum HeaderName {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
            /// Any other.
            Other(Token),
        }

        impl HeaderName {
            const KNOWN: &[(&'static str, HeaderName)] = &[$(($name, HeaderName::$variant),)*];

            /// The name as we write it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(HeaderName::$variant => $name,)*
                    HeaderName::Other(token) => token.as_str(),
                }
            }

            const fn of_compact(letter: u8) -> Option<HeaderName> {
                match letter {
                    $($($compact => Some(HeaderName::$variant),)?)*
                    _ => None,
                }
            }
        }
    };
}

header_names! {
    Accept "Accept";
    AcceptContact "Accept-Contact" b'a';
    AcceptEncoding "Accept-Encoding";
    AcceptLanguage "Accept-Language";
    AlertInfo "Alert-Info";
    Allow "Allow";
    AllowEvents "Allow-Events" b'u';
    AuthenticationInfo "Authentication-Info";
    Authorization "Authorization";
    CallId "Call-ID" b'i';
    CallInfo "Call-Info";
    Contact "Contact" b'm';
    ContentDisposition "Content-Disposition";
    ContentEncoding "Content-Encoding" b'e';
    ContentLanguage "Content-Language";
    ContentLength "Content-Length" b'l';
    ContentType "Content-Type" b'c';
    CSeq "CSeq";
    Date "Date";
    Diversion "Diversion";
    ErrorInfo "Error-Info";
    Event "Event" b'o';
    Expires "Expires";
    From "From" b'f';
    HistoryInfo "History-Info";
    Identity "Identity" b'y';
    InReplyTo "In-Reply-To";
    MaxForwards "Max-Forwards";
    MimeVersion "MIME-Version";
    MinExpires "Min-Expires";
    MinSe "Min-SE";
    Organization "Organization";
    PAssertedIdentity "P-Asserted-Identity";
    PAssociatedUri "P-Associated-URI";
    Path "Path";
    PEarlyMedia "P-Early-Media";
    PPreferredIdentity "P-Preferred-Identity";
    Priority "Priority";
    Privacy "Privacy";
    ProxyAuthenticate "Proxy-Authenticate";
    ProxyAuthenticationInfo "Proxy-Authentication-Info";
    ProxyAuthorization "Proxy-Authorization";
    ProxyRequire "Proxy-Require";
    RAck "RAck";
    Reason "Reason";
    RecordRoute "Record-Route";
    ReferredBy "Referred-By" b'b';
    ReferTo "Refer-To" b'r';
    RejectContact "Reject-Contact" b'j';
    RemotePartyId "Remote-Party-ID";
    Replaces "Replaces";
    ReplyTo "Reply-To";
    RequestDisposition "Request-Disposition" b'd';
    Require "Require";
    RetryAfter "Retry-After";
    Route "Route";
    RSeq "RSeq";
    Server "Server";
    ServiceRoute "Service-Route";
    SessionExpires "Session-Expires" b'x';
    Subject "Subject" b's';
    SubscriptionState "Subscription-State";
    Supported "Supported" b'k';
    Timestamp "Timestamp";
    To "To" b't';
    Unsupported "Unsupported";
    UserAgent "User-Agent";
    Via "Via" b'v';
    Warning "Warning";
    WwwAuthenticate "WWW-Authenticate";
}

/// Slots of the table of known names; a power of two, at least twice the number of names.
const SLOTS: usize = 256;

/// Marks a slot that holds no name.
const FREE: u8 = u8::MAX;

/// Open addressing over [`HeaderName::KNOWN`], so that a name costs one comparison.
static TABLE: [u8; SLOTS] = build_table();

const fn slot_of(name: &[u8]) -> usize {
    let first = name[0].to_ascii_lowercase() as usize;
    let last = name[name.len() - 1].to_ascii_lowercase() as usize;
    let middle = name[name.len() / 2].to_ascii_lowercase() as usize;
    (name.len() * 5 + first * 7 + last * 31 + middle * 59) % SLOTS
}

const fn build_table() -> [u8; SLOTS] {
    let mut table = [FREE; SLOTS];
    assert!(HeaderName::KNOWN.len() < SLOTS / 2, "the table of names is at most half full");
    let mut index = 0;
    while index < HeaderName::KNOWN.len() {
        let mut slot = slot_of(HeaderName::KNOWN[index].0.as_bytes());
        while table[slot] != FREE {
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = index as u8;
        index += 1;
    }
    table
}

impl HeaderName {
    /// Reads a name, full or compact, in any case.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadValue> {
        match HeaderName::known(bytes) {
            Some(name) => Ok(name),
            None => Ok(HeaderName::Other(
                Token::parse(bytes)
                    .map_err(|_| BadValue::new("header name", "holds a character that none may hold"))?,
            )),
        }
    }

    /// The name, when it is one of the named ones; allocates nothing.
    pub(super) fn known(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [] => return None,
            [letter] => return HeaderName::of_compact(letter.to_ascii_lowercase()),
            _ => {}
        }
        let mut slot = slot_of(bytes);
        while TABLE[slot] != FREE {
            let (name, header) = &HeaderName::KNOWN[usize::from(TABLE[slot])];
            if name.as_bytes().eq_ignore_ascii_case(bytes) {
                return Some(header.clone());
            }
            slot = (slot + 1) % SLOTS;
        }
        None
    }
}

impl PartialEq for HeaderName {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (HeaderName::Other(a), HeaderName::Other(b)) => a.is(b.as_str()),
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

impl Eq for HeaderName {}

impl Hash for HeaderName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.as_str().bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
    }
}

impl TryFrom<&str> for HeaderName {
    type Error = BadValue;

    fn try_from(text: &str) -> Result<Self, BadValue> {
        HeaderName::parse(text.as_bytes())
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_found_in_any_case() {
        for (name, header) in HeaderName::KNOWN {
            assert_eq!(HeaderName::known(name.as_bytes()).as_ref(), Some(header), "{name}");
            assert_eq!(HeaderName::known(name.to_uppercase().as_bytes()).as_ref(), Some(header), "{name}");
        }
    }

    #[test]
    fn compact_forms_are_the_same_names() {
        for (letter, name) in [
            ("i", HeaderName::CallId),
            ("M", HeaderName::Contact),
            ("e", HeaderName::ContentEncoding),
            ("l", HeaderName::ContentLength),
            ("c", HeaderName::ContentType),
            ("f", HeaderName::From),
            ("s", HeaderName::Subject),
            ("k", HeaderName::Supported),
            ("t", HeaderName::To),
            ("V", HeaderName::Via),
        ] {
            assert_eq!(HeaderName::parse(letter.as_bytes()), Ok(name));
        }
    }

    #[test]
    fn other_names_keep_their_spelling_and_escapes_mean_nothing() {
        let name = HeaderName::parse(b"C%6Fntact").expect("a token");
        assert_ne!(name, HeaderName::Contact);
        assert_eq!(name.as_str(), "C%6Fntact");
        assert_eq!(HeaderName::parse(b"X-Foo"), HeaderName::parse(b"x-fOO"));
        assert!(HeaderName::parse(b"X Foo").is_err());
        assert!(HeaderName::parse(b"").is_err());
    }
}
