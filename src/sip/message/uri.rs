//! URIs: `sip:`, `sips:`, `tel:` and any other kept as it is (RFC 3261 §19.1, RFC 3966).

use std::fmt;

use super::host::Host;
use super::lex::BadValue;
use super::uri_params::UriParams;
use super::user_part::{UserPart, is_password_byte, is_uri_header_byte, normalise, unescape};

/// A URI. `==` compares what is written; [`Uri::equivalent`] compares by RFC 3261 §19.1.4.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Uri {
    /// `sip:` or `sips:`
    Sip(SipUri),
    /// `tel:` (RFC 3966)
    Tel(TelUri),
    /// Any other scheme.
    Other(OtherUri),
}

/// A `sip:` or `sips:` URI.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SipUri {
    /// `sips:`
    pub secure: bool,
    /// What stands before `@`.
    pub user: Option<UserPart>,
    /// The escaped password after the user; read for faithfulness, never written by us.
    password: Option<String>,
    /// The host.
    pub host: Host,
    /// The port, when one is written.
    pub port: Option<u16>,
    /// `;transport=…`, `;lr` and so on.
    pub params: UriParams,
    /// What follows `?`, escaped.
    headers: Option<String>,
}

/// A `tel:` URI (RFC 3966).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TelUri {
    number: String,
    /// `;phone-context=…`, `;ext=…` and so on.
    pub params: UriParams,
}

/// A URI of a scheme that we do not know, in printable ASCII without blanks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OtherUri {
    scheme: String,
    rest: String,
}

const fn bad(why: &'static str) -> BadValue {
    BadValue::new("URI", why)
}

impl Uri {
    /// A `sip:` URI without parameters.
    pub fn sip(user: Option<UserPart>, host: Host, port: Option<u16>) -> Self {
        Uri::Sip(SipUri::new(user, host, port))
    }

    /// Reads a URI, without `<>` around it.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadValue> {
        if !bytes.iter().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'"')) {
            return Err(bad("holds a blank, a bracket or a byte beyond ASCII"));
        }
        let colon = bytes.iter().position(|byte| *byte == b':').ok_or(bad("has no scheme"))?;
        let (scheme, rest) = (&bytes[..colon], &bytes[colon + 1..]);
        let is_scheme = scheme.first().is_some_and(u8::is_ascii_alphabetic)
            && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
        if !is_scheme {
            return Err(bad("has no scheme"));
        }
        match scheme.to_ascii_lowercase().as_slice() {
            b"sip" => SipUri::parse(false, rest).map(Uri::Sip),
            b"sips" => SipUri::parse(true, rest).map(Uri::Sip),
            b"tel" => TelUri::parse(rest).map(Uri::Tel),
            scheme if !rest.is_empty() => Ok(Uri::Other(OtherUri {
                scheme: String::from_utf8_lossy(scheme).into_owned(),
                rest: String::from_utf8_lossy(rest).into_owned(),
            })),
            _ => Err(bad("has nothing after its scheme")),
        }
    }

    /// The scheme in lower case.
    pub fn scheme(&self) -> &str {
        match self {
            Uri::Sip(SipUri { secure: false, .. }) => "sip",
            Uri::Sip(SipUri { secure: true, .. }) => "sips",
            Uri::Tel(_) => "tel",
            Uri::Other(other) => &other.scheme,
        }
    }

    /// The SIP URI, when it is one.
    pub fn as_sip(&self) -> Option<&SipUri> {
        match self {
            Uri::Sip(uri) => Some(uri),
            Uri::Tel(_) | Uri::Other(_) => None,
        }
    }

    /// The SIP URI, to change, when it is one.
    pub fn as_sip_mut(&mut self) -> Option<&mut SipUri> {
        match self {
            Uri::Sip(uri) => Some(uri),
            Uri::Tel(_) | Uri::Other(_) => None,
        }
    }

    /// The escaped user part of a SIP URI, or the number of a `tel:` URI.
    pub fn user(&self) -> Option<&str> {
        match self {
            Uri::Sip(uri) => uri.user.as_ref().map(UserPart::as_str),
            Uri::Tel(uri) => Some(&uri.number),
            Uri::Other(_) => None,
        }
    }

    /// The host of a SIP URI.
    pub fn host(&self) -> Option<&Host> {
        self.as_sip().map(|uri| &uri.host)
    }

    /// The port of a SIP URI, when one is written.
    pub fn port(&self) -> Option<u16> {
        self.as_sip().and_then(|uri| uri.port)
    }

    /// The parameters of a SIP or `tel:` URI.
    pub fn params(&self) -> Option<&UriParams> {
        match self {
            Uri::Sip(uri) => Some(&uri.params),
            Uri::Tel(uri) => Some(&uri.params),
            Uri::Other(_) => None,
        }
    }

    /// Whether both name the same resource by RFC 3261 §19.1.4.
    pub fn equivalent(&self, other: &Uri) -> bool {
        match (self, other) {
            (Uri::Sip(a), Uri::Sip(b)) => a.equivalent(b),
            (Uri::Tel(a), Uri::Tel(b)) => a.digits() == b.digits() && a.params.equivalent(&b.params),
            (a, b) => a == b,
        }
    }
}

impl SipUri {
    /// A `sip:` URI without parameters.
    pub fn new(user: Option<UserPart>, host: Host, port: Option<u16>) -> Self {
        SipUri { secure: false, user, password: None, host, port, params: UriParams::new(), headers: None }
    }

    /// The URI with the parameter `name`, escaped as needed.
    pub fn with_param(mut self, name: &str, value: Option<&str>) -> Self {
        self.params.set(name, value);
        self
    }

    /// The escaped headers after `?`, when there are any.
    pub fn headers(&self) -> Option<&str> {
        self.headers.as_deref()
    }

    /// RFC 3261 §12.2.1.1, §19.1.1: what a Request-URI may not carry (`method` and headers) is taken off.
    pub fn as_request_uri(&self) -> SipUri {
        let mut uri = self.clone();
        uri.params.remove("method");
        uri.headers = None;
        uri
    }

    fn parse(secure: bool, bytes: &[u8]) -> Result<Self, BadValue> {
        // The user part may hold `;` and `?`, so the `@` is looked for first; it may not stand anywhere else.
        let (userinfo, rest) = match bytes.iter().position(|byte| *byte == b'@') {
            Some(at) => (Some(&bytes[..at]), &bytes[at + 1..]),
            None => (None, bytes),
        };
        let (user, password) = match userinfo {
            None => (None, None),
            Some(userinfo) => {
                let colon = userinfo.iter().position(|byte| *byte == b':');
                let (user, password) = match colon {
                    Some(at) => (&userinfo[..at], Some(&userinfo[at + 1..])),
                    None => (userinfo, None),
                };
                let password = password
                    .map(|password| normalise(password, is_password_byte).ok_or(bad("has a bad password")))
                    .transpose()?;
                (Some(UserPart::parse(user)?), password)
            }
        };
        let (rest, headers) = match rest.iter().position(|byte| *byte == b'?') {
            Some(at) => (&rest[..at], Some(read_headers(&rest[at + 1..])?)),
            None => (rest, None),
        };
        let (hostport, params) = match rest.iter().position(|byte| *byte == b';') {
            Some(at) => (&rest[..at], UriParams::parse(&rest[at + 1..])?),
            None => (rest, UriParams::new()),
        };
        let (host, port) = Host::parse_with_port(hostport).map_err(|error| bad(error.why))?;
        Ok(SipUri { secure, user, password, host, port, params, headers })
    }

    fn equivalent(&self, other: &SipUri) -> bool {
        let plain = |text: &Option<String>| text.as_deref().map(unescape);
        self.secure == other.secure
            && self.user.as_ref().map(|user| unescape(user.as_str()))
                == other.user.as_ref().map(|user| unescape(user.as_str()))
            && plain(&self.password) == plain(&other.password)
            && self.host == other.host
            && self.port == other.port
            && self.params.equivalent(&other.params)
            && header_set(&self.headers) == header_set(&other.headers)
    }
}

fn read_headers(bytes: &[u8]) -> Result<String, BadValue> {
    let is_shape_byte = |byte| is_uri_header_byte(byte) || matches!(byte, b'&' | b'=');
    let well_formed = bytes.split(|byte| *byte == b'&').all(|header| header.iter().position(|b| *b == b'=') > Some(0));
    if !well_formed {
        return Err(bad("has a bad header"));
    }
    normalise(bytes, is_shape_byte).ok_or(bad("has a bad header"))
}

fn header_set(headers: &Option<String>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut set: Vec<_> = headers
        .iter()
        .flat_map(|headers| headers.split('&'))
        .filter_map(|header| header.split_once('='))
        .map(|(name, value)| (unescape(&name.to_ascii_lowercase()), unescape(value)))
        .collect();
    set.sort();
    set
}

impl TelUri {
    /// A `tel:` URI of `number`: digits, `*`, `#`, `A`-`F`, visual separators `-.()`, and a leading `+`.
    pub fn new(number: &str) -> Result<Self, BadValue> {
        TelUri::parse(number.as_bytes()).and_then(|uri| {
            if uri.params == UriParams::new() { Ok(uri) } else { Err(bad("is a number with parameters")) }
        })
    }

    /// The number as it is written.
    pub fn number(&self) -> &str {
        &self.number
    }

    fn parse(bytes: &[u8]) -> Result<Self, BadValue> {
        let (number, params) = match bytes.iter().position(|byte| *byte == b';') {
            Some(at) => (&bytes[..at], UriParams::parse(&bytes[at + 1..])?),
            None => (bytes, UriParams::new()),
        };
        let digits = number.strip_prefix(b"+").unwrap_or(number);
        let is_digit = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b'*' | b'#');
        let is_separator = |byte: &u8| matches!(byte, b'-' | b'.' | b'(' | b')');
        if !digits.iter().any(is_digit) || !digits.iter().all(|byte| is_digit(byte) || is_separator(byte)) {
            return Err(bad("has a bad telephone number"));
        }
        Ok(TelUri { number: String::from_utf8_lossy(number).into_owned(), params })
    }

    /// RFC 3966 §5: separators do not count when numbers are compared.
    fn digits(&self) -> String {
        self.number.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')')).collect::<String>().to_ascii_lowercase()
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Uri::Sip(uri) => uri.fmt(f),
            Uri::Tel(uri) => uri.fmt(f),
            Uri::Other(uri) => uri.fmt(f),
        }
    }
}

impl fmt::Display for SipUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secure { "sips:" } else { "sip:" })?;
        if let Some(user) = &self.user {
            user.fmt(f)?;
            if let Some(password) = &self.password {
                write!(f, ":{password}")?;
            }
            f.write_str("@")?;
        }
        self.host.fmt(f)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        self.params.fmt(f)?;
        match &self.headers {
            Some(headers) => write!(f, "?{headers}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for TelUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tel:{}{}", self.number, self.params)
    }
}

/// Shows only the end of the number.
impl fmt::Debug for TelUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tail = self.number.len().saturating_sub(2);
        write!(f, "TelUri(…{}{})", &self.number[tail..], self.params)
    }
}

impl fmt::Display for OtherUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.scheme, self.rest)
    }
}

impl From<SipUri> for Uri {
    fn from(uri: SipUri) -> Self {
        Uri::Sip(uri)
    }
}

impl From<TelUri> for Uri {
    fn from(uri: TelUri) -> Self {
        Uri::Tel(uri)
    }
}

impl TryFrom<&str> for Uri {
    type Error = BadValue;

    fn try_from(text: &str) -> Result<Self, BadValue> {
        Uri::parse(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        Uri::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn what_is_written_comes_back() {
        for text in [
            "sip:example.com",
            "sips:alice:secretword@example.com;transport=tcp",
            "sip:+1-212-555-1212:1234@gateway.com;user=phone",
            "sip:sips%3Auser%40example.com@example.net",
            "sip:user;par=u%40example.net@example.com",
            "sip:alice@[2001:db8::1]:5070;lr?subject=project%20x&priority=urgent",
            "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
            "tel:+1-201-555-0123;phone-context=example.com",
            "soap.beep://192.0.2.103:3002",
            "isbn:2983792873",
        ] {
            assert_eq!(uri(text).to_string(), text);
        }
    }

    #[test]
    fn parts_are_told_apart() {
        let read = uri("SIP:user;par=u%40example.net@Example.COM:5070;LR;maddr=[::1]");
        assert_eq!((read.scheme(), read.user(), read.port()), ("sip", Some("user;par=u%40example.net"), Some(5070)));
        assert_eq!(read.host().map(Host::to_string).as_deref(), Some("example.com"));
        let params = read.params().expect("a SIP URI has parameters");
        assert_eq!((params.has("lr"), params.get("maddr")), (true, Some("[::1]")));
    }

    #[test]
    fn what_is_no_uri_is_refused() {
        for text in [
            "",
            "sip:",
            "alice",
            "sip:@example.com",
            "sip:a@b@c",
            "sip:a@b;x=y@z",
            "sip:a@b?x=y@z",
            "sip:a b@c",
            "<sip:a@b>",
            "sip:a@b;",
            "sip:a@b:x",
            "sip:2001:db8::10",
            "sip:a@b?x",
            "sip:a@b?=x",
            "1sip:a@b",
            "tel:",
            "tel:+",
            "tel:call-me",
            "http:",
            "sip:a@b;\"x\"",
            "sip:a%zz@b",
        ] {
            assert!(Uri::parse(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    /// The pairs of RFC 3261 §19.1.4.
    #[test]
    fn equivalence_follows_the_rfc() {
        for (a, b) in [
            ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
            ("tel:+1-201-555-0123", "tel:+1(201)5550123"),
        ] {
            assert!(uri(a).equivalent(&uri(b)) && uri(b).equivalent(&uri(a)), "{a} {b}");
        }
        for (a, b) in [
            ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
            ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ] {
            assert!(!uri(a).equivalent(&uri(b)) && !uri(b).equivalent(&uri(a)), "{a} {b}");
        }
    }

    #[test]
    fn a_request_uri_loses_headers_and_method() {
        let read = uri("sip:a@b;method=BYE;lr?Route=%3Csip:evil%3E");
        let request_uri = read.as_sip().expect("a SIP URI").as_request_uri();
        assert_eq!(request_uri.to_string(), "sip:a@b;lr");
    }
}
