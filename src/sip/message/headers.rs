//! The header fields of one message: where they stand, and their typed reading.

use std::fmt;
use std::ops::Range;

use bytes::{BufMut, Bytes};

use super::auth::{Challenge, Credentials};
use super::cseq::CSeq;
use super::header_name::HeaderName;
use super::header_value::HeaderValue;
use super::lex::{BadValue, pieces, saturating_u32, text, trim, trim_start};
use super::name_addr::{Contact, NameAddr};
use super::reason::Reason;
use super::token::Token;
use super::via::Via;

/// Header fields in order. Received ones stay in the received bytes; added and unfolded ones stand in one buffer of
/// our own, so that a field costs no allocation.
#[derive(Clone, Default)]
pub struct Headers {
    received: Bytes,
    written: Vec<u8>,
    fields: Vec<Field>,
}

#[derive(Clone, Debug)]
struct Field {
    /// `None` for a name that is not among the named ones; `spelling` tells it.
    known: Option<HeaderName>,
    spelling: Span,
    value: Span,
}

/// A stretch of one of the two buffers.
#[derive(Clone, Debug)]
enum Span {
    Received(Range<usize>),
    Written(Range<usize>),
}

impl Headers {
    /// No header fields.
    pub fn new() -> Self {
        Headers::default()
    }

    /// For the reader: fields that will stand in `received`.
    pub(super) fn over(received: Bytes) -> Self {
        // A usual message has 10 to 20 fields; one allocation holds them.
        Headers { received, written: Vec::new(), fields: Vec::with_capacity(20) }
    }

    /// For the reader: a field whose name and untrimmed value stand at these offsets of the received bytes.
    pub(super) fn note(&mut self, name: Range<usize>, value: Range<usize>) {
        let known = HeaderName::known(&self.received[name.clone()]);
        let value = self.trimmed(value);
        self.fields.push(Field { known, spelling: Span::Received(name), value: Span::Received(value) });
    }

    /// For the reader: a continuation line of the last field, joined by one space (RFC 3261 §7.3.1).
    pub(super) fn continue_last(&mut self, line: Range<usize>) {
        let line = self.trimmed(line);
        let Some(field) = self.fields.last_mut() else { return };
        let start = match &field.value {
            Span::Written(value) => value.start,
            Span::Received(value) => {
                let start = self.written.len();
                self.written.extend_from_slice(&self.received[value.clone()]);
                start
            }
        };
        if !line.is_empty() {
            if self.written.len() > start {
                self.written.push(b' ');
            }
            self.written.extend_from_slice(&self.received[line]);
        }
        field.value = Span::Written(start..self.written.len());
    }

    fn trimmed(&self, range: Range<usize>) -> Range<usize> {
        let without_lead = trim_start(&self.received[range.clone()]);
        let start = range.end - without_lead.len();
        start..start + trim(without_lead).len()
    }

    /// How many fields there are; a comma list counts once.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The value of each field `name` in order, unfolded and trimmed; compact forms are the same field.
    pub fn raw<'a>(&'a self, name: &'a HeaderName) -> impl Iterator<Item = &'a [u8]> {
        self.fields.iter().filter(move |field| self.is_named(field, name)).map(|field| self.bytes(&field.value))
    }

    /// The first value of `name`, unfolded and trimmed.
    pub fn first(&self, name: &HeaderName) -> Option<&[u8]> {
        self.fields.iter().find(|field| self.is_named(field, name)).map(|field| self.bytes(&field.value))
    }

    /// The first value of `name` as text, when it is UTF-8 without control characters.
    pub fn text(&self, name: &HeaderName) -> Option<&str> {
        text(self.first(name)?)
    }

    /// Each comma-separated element of the fields `name`, in order; commas in quotes and `<>` do not separate.
    pub fn elements<'a>(&'a self, name: &'a HeaderName) -> impl Iterator<Item = &'a [u8]> {
        self.raw(name).flat_map(|value| pieces(value, b',')).filter(|element| !element.is_empty())
    }

    /// The elements of `name` that are text: option tags, methods, media types.
    fn words<'a>(&'a self, name: &'a HeaderName) -> Vec<&'a str> {
        self.elements(name).filter_map(text).collect()
    }

    /// Name and value of every field in order; names that we know in their full form, others as spelled.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|field| (self.name_of(field), self.bytes(&field.value)))
    }

    /// Whether there is a field `name`.
    pub fn has(&self, name: &HeaderName) -> bool {
        self.first(name).is_some()
    }

    /// Adds a field after all others.
    pub fn push(&mut self, name: HeaderName, value: impl Into<HeaderValue>) {
        let field = self.write_field(name, value.into().as_str().as_bytes());
        self.fields.push(field);
    }

    /// Adds a field before all others, as a Via asks.
    pub fn push_front(&mut self, name: HeaderName, value: impl Into<HeaderValue>) {
        let field = self.write_field(name, value.into().as_str().as_bytes());
        self.fields.insert(0, field);
    }

    /// Replaces the first field `name` in its place and removes its others; adds it when there is none.
    pub fn set(&mut self, name: HeaderName, value: impl Into<HeaderValue>) {
        let at = self.fields.iter().position(|field| self.is_named(field, &name));
        self.remove(&name);
        let field = self.write_field(name, value.into().as_str().as_bytes());
        self.fields.insert(at.unwrap_or(self.fields.len()), field);
    }

    /// Removes every field `name`.
    pub fn remove(&mut self, name: &HeaderName) {
        let mut fields = std::mem::take(&mut self.fields);
        fields.retain(|field| !self.is_named(field, name));
        self.fields = fields;
    }

    /// Adds `;name=value` to the first field of `header`, whose other bytes stay as they are. Nothing happens when
    /// there is none.
    pub(super) fn append_param(&mut self, header: &HeaderName, name: &Token, value: &Token) {
        let Some(at) = self.fields.iter().position(|field| self.is_named(field, header)) else { return };
        let mut text = self.bytes(&self.fields[at].value).to_vec();
        if text.ends_with(b";") {
            text.pop();
        }
        text.extend_from_slice(format!(";{name}={value}").as_bytes());
        self.fields[at] = self.write_field(header.clone(), &text);
    }

    /// Adds the first field `name` of `from` as its bytes are.
    pub fn copy_first(&mut self, from: &Headers, name: &HeaderName) {
        if let Some(value) = from.first(name) {
            let field = self.write_field(name.clone(), value);
            self.fields.push(field);
        }
    }

    /// Adds every field `name` of `from` as its bytes are.
    pub fn copy(&mut self, from: &Headers, name: &HeaderName) {
        for value in from.raw(name) {
            let field = self.write_field(name.clone(), value);
            self.fields.push(field);
        }
    }

    /// All Vias, the topmost first.
    pub fn vias(&self) -> Result<Vec<Via>, BadValue> {
        self.elements(&HeaderName::Via).map(Via::parse).collect()
    }

    /// The topmost Via.
    pub fn top_via(&self) -> Result<Via, BadValue> {
        Via::parse(self.elements(&HeaderName::Via).next().ok_or(BadValue::new("Via", "is missing"))?)
    }

    /// Replaces the topmost Via element and keeps the others, also those of the same field.
    pub fn set_top_via(&mut self, via: &Via) {
        let Some(at) = self.fields.iter().position(|field| self.is_named(field, &HeaderName::Via)) else {
            return self.push_front(HeaderName::Via, via);
        };
        let mut value = HeaderValue::from(via).as_str().as_bytes().to_vec();
        for element in pieces(self.bytes(&self.fields[at].value), b',').filter(|piece| !piece.is_empty()).skip(1) {
            value.extend_from_slice(b", ");
            value.extend_from_slice(element);
        }
        self.fields[at] = self.write_field(HeaderName::Via, &value);
    }

    /// Removes the topmost Via element and keeps the others, also those of the same field.
    pub fn remove_top_via(&mut self) {
        let Some(at) = self.fields.iter().position(|field| self.is_named(field, &HeaderName::Via)) else { return };
        let value = self.bytes(&self.fields[at].value);
        let rest: Vec<&[u8]> = pieces(value, b',').filter(|piece| !piece.is_empty()).skip(1).collect();
        if rest.is_empty() {
            self.fields.remove(at);
        } else {
            let value = rest.join(&b", "[..]);
            self.fields[at] = self.write_field(HeaderName::Via, &value);
        }
    }

    /// From.
    pub fn from(&self) -> Result<NameAddr, BadValue> {
        self.address(&HeaderName::From, "From")
    }

    /// To.
    pub fn to(&self) -> Result<NameAddr, BadValue> {
        self.address(&HeaderName::To, "To")
    }

    fn address(&self, name: &HeaderName, subject: &'static str) -> Result<NameAddr, BadValue> {
        let value = self.first(name).ok_or(BadValue::new(subject, "is missing"))?;
        NameAddr::parse(value).map_err(|error| BadValue::new(subject, error.why))
    }

    /// Call-ID. Compared byte by byte (RFC 3261 §20.8).
    pub fn call_id(&self) -> Result<&str, BadValue> {
        let bad = |why| BadValue::new("Call-ID", why);
        let value = text(self.first(&HeaderName::CallId).ok_or(bad("is missing"))?).ok_or(bad("is not printable"))?;
        if value.is_empty() || value.contains([' ', ',']) {
            return Err(bad("is empty or holds a separator"));
        }
        Ok(value)
    }

    /// CSeq.
    pub fn cseq(&self) -> Result<CSeq, BadValue> {
        CSeq::parse(self.first(&HeaderName::CSeq).ok_or(BadValue::new("CSeq", "is missing"))?)
    }

    /// All Contacts; none is no error.
    pub fn contacts(&self) -> Result<Vec<Contact>, BadValue> {
        let in_contact = |error: BadValue| BadValue::new("Contact", error.why);
        self.elements(&HeaderName::Contact).map(|element| Contact::parse(element).map_err(in_contact)).collect()
    }

    /// The first Contact that is an address: a dialog's remote target.
    pub fn contact(&self) -> Option<NameAddr> {
        NameAddr::parse(self.elements(&HeaderName::Contact).next()?).ok()
    }

    /// The addresses of a list: P-Asserted-Identity, Path, Diversion and the like.
    pub fn addresses(&self, name: &HeaderName) -> Result<Vec<NameAddr>, BadValue> {
        self.elements(name).map(NameAddr::parse).collect()
    }

    /// Route, topmost first.
    pub fn routes(&self) -> Result<Vec<NameAddr>, BadValue> {
        self.addresses(&HeaderName::Route)
    }

    /// Record-Route, topmost first.
    pub fn record_routes(&self) -> Result<Vec<NameAddr>, BadValue> {
        self.addresses(&HeaderName::RecordRoute)
    }

    /// Service-Route (RFC 3608), topmost first.
    pub fn service_routes(&self) -> Result<Vec<NameAddr>, BadValue> {
        self.addresses(&HeaderName::ServiceRoute)
    }

    /// Expires in seconds; more than 2³²−1 counts as that (RFC 3261 §20.19).
    pub fn expires(&self) -> Option<u32> {
        saturating_u32(self.first(&HeaderName::Expires)?)
    }

    /// Min-Expires in seconds, bounded like [`Headers::expires`].
    pub fn min_expires(&self) -> Option<u32> {
        saturating_u32(self.first(&HeaderName::MinExpires)?)
    }

    /// Retry-After in seconds, bounded like [`Headers::expires`]; comment and parameters are left aside.
    pub fn retry_after(&self) -> Option<u32> {
        let value = self.first(&HeaderName::RetryAfter)?;
        let end = value.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(value.len());
        let follows_well = matches!(value.get(end), None | Some(b' ' | b'\t' | b'(' | b';'));
        if follows_well { saturating_u32(&value[..end]) } else { None }
    }

    /// Max-Forwards, bounded like [`Headers::expires`].
    pub fn max_forwards(&self) -> Option<u32> {
        saturating_u32(self.first(&HeaderName::MaxForwards)?)
    }

    /// The methods of Allow, as written.
    pub fn allow(&self) -> Vec<&str> {
        self.words(&HeaderName::Allow)
    }

    /// The option tags of Require.
    pub fn require(&self) -> Vec<&str> {
        self.words(&HeaderName::Require)
    }

    /// The option tags of Supported.
    pub fn supported(&self) -> Vec<&str> {
        self.words(&HeaderName::Supported)
    }

    /// Content-Type without parameters, in lower case: `application/sdp`. Blanks around the slash are left out.
    pub fn content_type(&self) -> Option<String> {
        let (media_type, _) = super::lex::cut(self.first(&HeaderName::ContentType)?, b';');
        Some(text(media_type)?.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase())
    }

    /// Content-Length. Several that agree count as one.
    pub fn content_length(&self) -> Result<Option<u32>, BadValue> {
        let bad = |why| BadValue::new("Content-Length", why);
        let mut length = None;
        for value in self.raw(&HeaderName::ContentLength) {
            let this = saturating_u32(value).ok_or(bad("is no number"))?;
            if length.is_some_and(|length| length != this) {
                return Err(bad("contradicts another"));
            }
            length = Some(this);
        }
        Ok(length)
    }

    /// The challenges of a 401 (WWW-Authenticate) and a 407 (Proxy-Authenticate), topmost first; what cannot be read
    /// is skipped, as an unknown scheme would be. Some servers put a 401's challenge into the other field
    /// (requirement D4), so both are read, the right one first; [`Headers::has`] tells where they came from.
    pub fn challenges(&self, status: u16) -> Vec<Challenge> {
        let names = match status {
            407 => [HeaderName::ProxyAuthenticate, HeaderName::WwwAuthenticate],
            _ => [HeaderName::WwwAuthenticate, HeaderName::ProxyAuthenticate],
        };
        let read = |name| self.raw(name).filter_map(|value| Challenge::parse_all(value).ok()).flatten().collect();
        names.iter().map(read).find(|found: &Vec<Challenge>| !found.is_empty()).unwrap_or_default()
    }

    /// The credentials of `name` (Authorization or Proxy-Authorization); what cannot be read is skipped.
    pub fn credentials(&self, name: &HeaderName) -> Vec<Credentials> {
        self.raw(name).filter_map(|value| Credentials::parse(value).ok()).collect()
    }

    /// The reasons (RFC 3326) that can be read.
    pub fn reasons(&self) -> Vec<Reason> {
        self.elements(&HeaderName::Reason).filter_map(|element| Reason::parse(element).ok()).collect()
    }

    /// Server. It comes from the peer and must be escaped where it is shown.
    pub fn server(&self) -> Option<&str> {
        self.text(&HeaderName::Server)
    }

    /// User-Agent. It comes from the peer and must be escaped where it is shown.
    pub fn user_agent(&self) -> Option<&str> {
        self.text(&HeaderName::UserAgent)
    }

    /// Writes every field but Content-Length, each with its line end.
    pub(super) fn write(&self, out: &mut impl BufMut) {
        for field in &self.fields {
            if field.known == Some(HeaderName::ContentLength) {
                continue;
            }
            out.put_slice(self.name_of(field));
            out.put_slice(b": ");
            out.put_slice(self.bytes(&field.value));
            out.put_slice(b"\r\n");
        }
    }

    fn is_named(&self, field: &Field, name: &HeaderName) -> bool {
        match (&field.known, name) {
            (None, HeaderName::Other(token)) => {
                self.bytes(&field.spelling).eq_ignore_ascii_case(token.as_str().as_bytes())
            }
            (Some(known), name) => known == name,
            (None, _) => false,
        }
    }

    fn name_of<'a>(&'a self, field: &'a Field) -> &'a [u8] {
        match &field.known {
            Some(name) => name.as_str().as_bytes(),
            None => self.bytes(&field.spelling),
        }
    }

    fn bytes(&self, span: &Span) -> &[u8] {
        match span {
            Span::Received(range) => &self.received[range.clone()],
            Span::Written(range) => &self.written[range.clone()],
        }
    }

    fn write_field(&mut self, name: HeaderName, value: &[u8]) -> Field {
        let known = HeaderName::known(name.as_str().as_bytes());
        let spelling = match known {
            Some(_) => Span::Written(0..0),
            None => self.write_span(name.as_str().as_bytes()),
        };
        Field { known, spelling, value: self.write_span(value) }
    }

    fn write_span(&mut self, bytes: &[u8]) -> Span {
        let start = self.written.len();
        self.written.extend_from_slice(bytes);
        Span::Written(start..self.written.len())
    }
}

/// Shows names only: the values hold numbers and credentials.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned())).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Message, Uri};
    use super::*;

    fn headers(fields: &str) -> Headers {
        let text = format!("SIP/2.0 200 OK\r\n{fields}\r\n");
        Message::parse(Bytes::from(text)).unwrap_or_else(|error| panic!("{fields}: {error}")).headers().clone()
    }

    fn hosts(headers: &Headers) -> Vec<String> {
        headers.vias().expect("valid").iter().map(|via| via.host.to_string()).collect()
    }

    #[test]
    fn compact_full_and_listed_fields_are_one_list() {
        let headers = headers("v: SIP/2.0/UDP a , SIP/2.0/TCP b\r\nX: 1\r\nVIA : SIP/2.0/UDP c\r\n");
        assert_eq!(hosts(&headers), ["a", "b", "c"]);
        assert_eq!(headers.top_via().expect("valid").host.to_string(), "a");
        assert_eq!((headers.raw(&HeaderName::Via).count(), headers.elements(&HeaderName::Via).count()), (2, 3));
    }

    #[test]
    fn the_top_via_is_replaced_and_removed_alone() {
        let mut headers = headers("v: SIP/2.0/UDP a, SIP/2.0/TCP b\r\nVia: SIP/2.0/UDP c\r\n");
        let mut via = headers.top_via().expect("valid");
        via.params.set("received", Some("192.0.2.1"));
        headers.set_top_via(&via);
        assert_eq!(hosts(&headers), ["a", "b", "c"]);
        assert_eq!(headers.top_via(), Ok(via));
        headers.remove_top_via();
        assert_eq!(hosts(&headers), ["b", "c"]);
        headers.remove_top_via();
        headers.remove_top_via();
        headers.remove_top_via();
        assert!(!headers.has(&HeaderName::Via));
    }

    #[test]
    fn fields_are_added_set_and_removed_in_place() {
        let mut headers = headers("Route: <sip:a;lr>\r\nX-Y: 1\r\nRoute: <sip:b;lr>\r\n");
        headers.set(HeaderName::Route, NameAddr::new(Uri::try_from("sip:c;lr").expect("valid")));
        headers.set(HeaderName::try_from("x-y").expect("a token"), 2);
        headers.push_front(HeaderName::MaxForwards, 70);
        headers.remove(&HeaderName::Expires);
        let all: Vec<_> =
            headers.iter().map(|(name, value)| [name, value].map(String::from_utf8_lossy).join("=")).collect();
        assert_eq!(all, ["Max-Forwards=70", "Route=<sip:c;lr>", "x-y=2"]);
    }

    #[test]
    fn numbers_never_wrap() {
        let headers =
            headers("Retry-After: 18000;duration=3600\r\nExpires: 99999999999999999999\r\nMin-Expires: x\r\n");
        let numbers = (headers.retry_after(), headers.expires(), headers.min_expires(), headers.max_forwards());
        assert_eq!(numbers, (Some(18000), Some(u32::MAX), None, None));
        let retry_after = |value: &str| super::tests::headers(&format!("Retry-After: {value}\r\n")).retry_after();
        assert_eq!(retry_after("120 (I'm in a meeting)"), Some(120));
        assert_eq!(retry_after("949302838503028349304023988"), Some(u32::MAX));
        assert_eq!(retry_after("Fri, 01 Jan 2027"), None);
        assert_eq!(retry_after("12x"), None);
    }

    #[test]
    fn call_ids_are_words() {
        assert_eq!(headers("i: a)(><:\\/\"][?}{@b\r\n").call_id(), Ok("a)(><:\\/\"][?}{@b"));
        for bad in ["", "Call-ID:\r\n", "i: a b\r\n", "i: a\x01\r\n"] {
            assert!(headers(bad).call_id().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn challenges_are_found_also_in_the_wrong_field_and_unreadable_ones_skipped() {
        let headers = headers("WWW-Authenticate: Digest realm=\"x\r\nWWW-Authenticate: Digest realm=\"y\"\r\n");
        let realms = |status| -> Vec<_> {
            headers.challenges(status).iter().filter_map(|c| c.get("realm").map(str::to_owned)).collect()
        };
        assert_eq!((realms(401), realms(407)), (vec!["y".to_owned()], vec!["y".to_owned()]));
    }

    #[test]
    fn media_types_lose_parameters_blanks_and_case() {
        let headers = headers("c: Application / SDP ;charset=utf-8\r\n");
        assert_eq!(headers.content_type().as_deref(), Some("application/sdp"));
    }

    #[test]
    fn lists_of_words_are_read() {
        let headers = headers("k: 100rel, timer\r\nAllow: INVITE,ACK\r\nAllow: UPDATE\r\nRequire:\r\n");
        assert_eq!(headers.supported(), ["100rel", "timer"]);
        assert_eq!(headers.allow(), ["INVITE", "ACK", "UPDATE"]);
        assert!(headers.require().is_empty());
    }

    #[test]
    fn debug_shows_names_only() {
        assert_eq!(format!("{:?}", headers("To: <sip:+84919273027@h>\r\nX-Y: z\r\n")), "[\"To\", \"X-Y\"]");
    }
}
