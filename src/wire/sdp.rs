//! Session descriptions (RFC 8866), read tolerantly and written strictly.
//!
//! Own reading and writing, not `sdp-types` behind a cleaning pass: that crate refuses a whole description for one field
//! it cannot read (a `t=` with text, a `b=` without number, an `o=` version beyond 64 bits, a byte that is not UTF-8, a
//! second `c=`), so that the cleaning would have to understand every line first and leave nothing to parse. It is the
//! oracle of the tests. What we read is what an audio call needs: `o=`, `c=`, `m=` and `a=`; the other lines are
//! skipped, missing ones are no error.
//!
//! Bounds: [`MAX_BYTES`], [`MAX_MEDIA`], 128 formats a stream (there are 128 payload types), one `rtpmap` and one
//! `fmtp` a payload type, and [`MAX_ATTRIBUTES`] others a section, so that every later look-up is short whatever
//! the peer sent.

use std::fmt::{self, Write};
use std::net::{IpAddr, Ipv6Addr};

/// The longest description that is read, in bytes.
pub const MAX_BYTES: usize = 256 * 1024;

/// The most streams (`m=` lines) that are read.
pub const MAX_MEDIA: usize = 1024;

/// How many attributes beside `rtpmap` and `fmtp` are kept of the session and of each stream; more are skipped.
pub const MAX_ATTRIBUTES: usize = 256;

/// The most formats that are kept of a stream; more are skipped.
const MAX_FORMATS: usize = 128;

/// Bytes that are no session description, or one beyond our bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// No line of a session description is in it.
    #[error("no session description")]
    NotSdp,
    /// It is longer than [`MAX_BYTES`].
    #[error("the session description is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// It has more streams than [`MAX_MEDIA`].
    #[error("the session description has more than {MAX_MEDIA} streams")]
    TooManyMedia,
}

/// A session description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionDescription {
    /// `o=`
    pub origin: Origin,
    /// `c=` of the session; streams may have their own.
    pub connection: Option<Connection>,
    /// `a=` of the session.
    pub attributes: Vec<Attribute>,
    /// The streams, in order, those that cannot be used included, since an answer has as many.
    pub media: Vec<MediaDescription>,
}

/// `o=`: who described the session, and in which version (RFC 8866 §5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// `-` when there is none.
    pub username: String,
    /// Digits, by the RFC.
    pub session_id: String,
    /// Digits, by the RFC; unchanged means that the description is unchanged (RFC 3264 §8).
    pub version: String,
    /// An address or a domain name.
    pub address: String,
}

/// `c=`: where media goes (RFC 8866 §5.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// An address or a domain name, without `/ttl`.
    pub address: String,
}

/// `a=`: a name, and a value when there is a colon.
pub type Attribute = (String, Option<String>);

/// One stream: an `m=` line and what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaDescription {
    /// `audio`, `video` and so on, in lower case.
    pub kind: String,
    /// 0 when the stream is refused, or its port cannot be read.
    pub port: u16,
    /// `RTP/AVP` and so on, as written.
    pub protocol: String,
    /// Payload types, for RTP; without doubles.
    pub formats: Vec<String>,
    /// The stream's own `c=`.
    pub connection: Option<Connection>,
    /// The stream's `a=`, in order.
    pub attributes: Vec<Attribute>,
}

/// `rtpmap`: what a payload type means (RFC 8866 §6.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpMap<'a> {
    /// `PCMU` and so on, in the peer's case.
    pub encoding: &'a str,
    /// In Hz.
    pub clock_rate: u32,
    /// 1 when not told.
    pub channels: u8,
}

/// Which way media flows, as the describing side sees it (RFC 8866 §6.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// The describing side sends only.
    SendOnly,
    /// The describing side receives only.
    RecvOnly,
    /// Neither way.
    Inactive,
}

impl Direction {
    const ALL: [Direction; 4] = [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];

    /// The attribute's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    /// The same flow as the other side describes it (RFC 3264 §6.1).
    pub const fn reversed(self) -> Direction {
        match self {
            Direction::SendOnly => Direction::RecvOnly,
            Direction::RecvOnly => Direction::SendOnly,
            both => both,
        }
    }

    /// Whether the describing side sends.
    pub const fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    /// Whether the describing side receives.
    pub const fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    fn of(attributes: &[Attribute]) -> Option<Direction> {
        let named = |(name, _): &Attribute| Direction::ALL.into_iter().find(|d| d.as_str().eq_ignore_ascii_case(name));
        attributes.iter().find_map(named)
    }
}

impl Origin {
    /// An origin of ours.
    pub fn new(session_id: u64, version: u64, address: IpAddr) -> Self {
        Origin {
            username: "-".to_owned(),
            session_id: session_id.to_string(),
            version: version.to_string(),
            address: address.to_string(),
        }
    }

    /// What a description without a usable `o=` has.
    fn unknown() -> Self {
        Origin { username: "-".into(), session_id: "0".into(), version: "0".into(), address: "0.0.0.0".into() }
    }

    fn read(value: &str) -> Self {
        let mut origin = Origin::unknown();
        let mut words = value.split_ascii_whitespace();
        for field in [&mut origin.username, &mut origin.session_id, &mut origin.version] {
            if let Some(word) = words.next() {
                word.clone_into(field);
            }
        }
        if let Some(address) = words.nth(2) {
            address.clone_into(&mut origin.address);
        }
        origin
    }
}

impl Connection {
    /// A connection of ours.
    pub fn new(address: IpAddr) -> Self {
        Connection { address: address.to_string() }
    }

    /// The address, when it is no domain name.
    pub fn ip(&self) -> Option<IpAddr> {
        self.address.parse().ok()
    }

    /// Whether it is the null address that RFC 2543 phones put a call on hold with (RFC 3264 §8.4).
    pub fn is_null(&self) -> bool {
        self.ip().is_some_and(|ip| ip.is_unspecified())
    }

    /// The last word is the address, whatever the words before it say; `/ttl` and `/count` are for multicast.
    fn read(value: &str) -> Option<Self> {
        let address = value.split_ascii_whitespace().last()?;
        let address = address.split('/').next().filter(|address| !address.is_empty())?;
        Some(Connection { address: address.to_owned() })
    }
}

impl MediaDescription {
    /// An RTP audio stream without formats.
    pub fn audio(port: u16) -> Self {
        MediaDescription {
            kind: "audio".to_owned(),
            port,
            protocol: "RTP/AVP".to_owned(),
            formats: Vec::new(),
            connection: None,
            attributes: Vec::new(),
        }
    }

    /// Adds a payload type and its `rtpmap`.
    pub fn add_format(&mut self, payload_type: u8, map: RtpMap<'_>) {
        self.formats.push(payload_type.to_string());
        let channels = if map.channels > 1 { format!("/{}", map.channels) } else { String::new() };
        self.add("rtpmap", Some(format!("{payload_type} {}/{}{channels}", map.encoding, map.clock_rate)));
    }

    /// Adds an attribute.
    pub fn add(&mut self, name: &str, value: Option<String>) {
        self.attributes.push((name.to_owned(), value));
    }

    /// The first value of the attribute `name`, in any case.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let (_, value) = self.attributes.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        value.as_deref()
    }

    /// The formats that are RTP payload types, in order of preference.
    pub fn payload_types(&self) -> impl Iterator<Item = u8> {
        self.formats.iter().filter_map(|format| format.parse().ok()).filter(|payload_type| *payload_type < 128)
    }

    /// What `payload_type` means here: by its `rtpmap`, else by RFC 3551 §6 for static ones.
    pub fn rtpmap(&self, payload_type: u8) -> Option<RtpMap<'_>> {
        self.of_payload_type("rtpmap", payload_type).and_then(read_rtpmap).or_else(|| static_rtpmap(payload_type))
    }

    /// The format parameters of `payload_type`.
    pub fn fmtp(&self, payload_type: u8) -> Option<&str> {
        self.of_payload_type("fmtp", payload_type)
    }

    /// The stream's own direction; [`SessionDescription::direction_of`] adds the session's and the default.
    pub fn direction(&self) -> Option<Direction> {
        Direction::of(&self.attributes)
    }

    /// `ptime` in milliseconds.
    pub fn ptime(&self) -> Option<u32> {
        self.attribute("ptime").and_then(read_millis)
    }

    /// `maxptime` in milliseconds.
    pub fn maxptime(&self) -> Option<u32> {
        self.attribute("maxptime").and_then(read_millis)
    }

    fn of_payload_type(&self, name: &str, payload_type: u8) -> Option<&str> {
        self.attributes.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).find_map(|(_, value)| {
            let (of, rest) = split_payload_type(value.as_deref()?)?;
            (of == payload_type).then_some(rest)
        })
    }

    fn read(value: &str) -> Self {
        let mut words = value.split_ascii_whitespace();
        let kind = words.next().unwrap_or_default().to_ascii_lowercase();
        // `port/number of ports`; what is no port makes the stream unusable, as 0 does.
        let port = words.next().and_then(|word| word.split('/').next()?.parse().ok()).unwrap_or(0);
        let protocol = words.next().unwrap_or_default().to_owned();
        let mut formats: Vec<String> = Vec::new();
        let mut seen = 0u128;
        for word in words {
            if formats.len() == MAX_FORMATS {
                break;
            }
            if word.parse().ok().is_none_or(|payload_type| first_time(&mut seen, payload_type)) {
                formats.push(word.to_owned());
            }
        }
        MediaDescription { kind, port, protocol, formats, connection: None, attributes: Vec::new() }
    }
}

/// Notes a payload type in a set of 128; `false` when it was there, or is none.
fn first_time(seen: &mut u128, payload_type: u8) -> bool {
    let bit = 1u128.checked_shl(u32::from(payload_type)).unwrap_or(0);
    let first = *seen & bit == 0 && bit != 0;
    *seen |= bit;
    first
}

fn split_payload_type(value: &str) -> Option<(u8, &str)> {
    let (payload_type, rest) = value.split_once([' ', '\t'])?;
    Some((payload_type.parse().ok()?, rest.trim()))
}

fn read_rtpmap(value: &str) -> Option<RtpMap<'_>> {
    let mut parts = value.split('/').map(str::trim);
    let encoding = parts.next().filter(|encoding| !encoding.is_empty())?;
    let clock_rate = parts.next()?.parse().ok().filter(|rate| *rate > 0)?;
    let channels = parts.next().and_then(|channels| channels.parse().ok()).unwrap_or(1);
    Some(RtpMap { encoding, clock_rate, channels })
}

/// RFC 3551 §6, tables 4 and 5, as far as telephones send them. G722's clock is 8,000 by §4.5.2.
fn static_rtpmap(payload_type: u8) -> Option<RtpMap<'static>> {
    let encoding = match payload_type {
        0 => "PCMU",
        3 => "GSM",
        4 => "G723",
        8 => "PCMA",
        9 => "G722",
        13 => "CN",
        15 => "G728",
        18 => "G729",
        _ => return None,
    };
    Some(RtpMap { encoding, clock_rate: 8000, channels: 1 })
}

/// Whole milliseconds of `20` and `20.0`.
fn read_millis(value: &str) -> Option<u32> {
    value.trim().split('.').next()?.parse().ok().filter(|millis| *millis > 0)
}

/// The attributes of one section while it is read, within the bounds of the module.
#[derive(Default)]
struct Bounded {
    rtpmaps: u128,
    fmtps: u128,
    others: usize,
}

impl Bounded {
    fn admit(&mut self, (name, value): &Attribute) -> bool {
        let seen = match name {
            name if name.eq_ignore_ascii_case("rtpmap") => &mut self.rtpmaps,
            name if name.eq_ignore_ascii_case("fmtp") => &mut self.fmtps,
            _ => {
                self.others += 1;
                return self.others <= MAX_ATTRIBUTES;
            }
        };
        let payload_type = value.as_deref().and_then(split_payload_type);
        payload_type.is_some_and(|(payload_type, _)| first_time(seen, payload_type))
    }
}

impl SessionDescription {
    /// A description of ours, without streams.
    pub fn new(origin: Origin, connection: Option<Connection>) -> Self {
        SessionDescription { origin, connection, attributes: Vec::new(), media: Vec::new() }
    }

    /// Reads a description: lines ended by CRLF, LF or CR, in any order within their section, with any of them missing.
    ///
    /// The first of several `o=` counts, and the first of several `c=` of a section. Bytes that are not UTF-8 are
    /// replaced.
    pub fn parse(bytes: &[u8]) -> Result<Self, SdpError> {
        if bytes.len() > MAX_BYTES {
            return Err(SdpError::TooLong);
        }
        let text = String::from_utf8_lossy(bytes);
        let mut origin = None;
        let mut session = SessionDescription::new(Origin::unknown(), None);
        let mut bounded = Bounded::default();
        let mut is_sdp = false;
        for line in text.split(['\r', '\n']) {
            let Some((key, value)) = line.split_once('=') else { continue };
            let value = value.trim();
            match key.trim() {
                "v" => {}
                "o" if origin.is_none() => origin = Some(Origin::read(value)),
                "c" => {
                    let connection = match session.media.last_mut() {
                        Some(media) => &mut media.connection,
                        None => &mut session.connection,
                    };
                    if connection.is_none() {
                        *connection = Connection::read(value);
                    }
                }
                "m" if session.media.len() == MAX_MEDIA => return Err(SdpError::TooManyMedia),
                "m" => {
                    session.media.push(MediaDescription::read(value));
                    bounded = Bounded::default();
                }
                "a" => {
                    let attribute = match value.split_once(':') {
                        Some((name, value)) => (name.trim().to_owned(), Some(value.trim().to_owned())),
                        None => (value.to_owned(), None),
                    };
                    if bounded.admit(&attribute) {
                        session.media.last_mut().map_or(&mut session.attributes, |m| &mut m.attributes).push(attribute);
                    }
                    continue;
                }
                _ => continue,
            }
            is_sdp = true;
        }
        session.origin = origin.unwrap_or_else(Origin::unknown);
        if is_sdp { Ok(session) } else { Err(SdpError::NotSdp) }
    }

    /// Where the media of `media`, a stream of this description, goes.
    pub fn connection_of<'a>(&'a self, media: &'a MediaDescription) -> Option<&'a Connection> {
        media.connection.as_ref().or(self.connection.as_ref())
    }

    /// Which way `media`, a stream of this description, flows: its own word, else the session's, else both ways.
    pub fn direction_of(&self, media: &MediaDescription) -> Direction {
        media.direction().or_else(|| Direction::of(&self.attributes)).unwrap_or_default()
    }

    /// The description with the lines in the order of RFC 8866 §5, and CRLF. Control characters are left out.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_string().into_bytes()
    }
}

impl fmt::Display for SessionDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Origin { username, session_id, version, address } = &self.origin;
        f.write_str("v=0\r\n")?;
        line(f, format_args!("o={username} {session_id} {version} {}", network(address)))?;
        // RFC 8866 §5.3: a session without a name is called `-`; §5.9: an unbounded one lasts from 0 to 0.
        f.write_str("s=-\r\n")?;
        write_connection(f, self.connection.as_ref())?;
        f.write_str("t=0 0\r\n")?;
        write_attributes(f, &self.attributes)?;
        for media in &self.media {
            let MediaDescription { kind, port, protocol, formats, .. } = media;
            line(f, format_args!("m={kind} {port} {protocol} {}", formats.join(" ")))?;
            write_connection(f, media.connection.as_ref())?;
            write_attributes(f, &media.attributes)?;
        }
        Ok(())
    }
}

fn network(address: &str) -> String {
    let version = if address.parse::<Ipv6Addr>().is_ok() { 6 } else { 4 };
    format!("IN IP{version} {address}")
}

fn write_connection(f: &mut fmt::Formatter<'_>, connection: Option<&Connection>) -> fmt::Result {
    match connection {
        Some(connection) => line(f, format_args!("c={}", network(&connection.address))),
        None => Ok(()),
    }
}

fn write_attributes(f: &mut fmt::Formatter<'_>, attributes: &[Attribute]) -> fmt::Result {
    attributes.iter().try_for_each(|(name, value)| match value {
        Some(value) => line(f, format_args!("a={name}:{value}")),
        None => line(f, format_args!("a={name}")),
    })
}

/// Writes one line; the text cannot begin another.
fn line(f: &mut fmt::Formatter<'_>, text: fmt::Arguments<'_>) -> fmt::Result {
    struct Printable<'a, 'b>(&'a mut fmt::Formatter<'b>);

    impl Write for Printable<'_, '_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            text.chars().filter(|c| !c.is_control()).try_for_each(|c| self.0.write_char(c))
        }
    }

    Printable(f).write_fmt(text)?;
    f.write_str("\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\no=- 17 3 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
        m=audio 20000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
        a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";

    fn read(text: impl AsRef<[u8]>) -> SessionDescription {
        SessionDescription::parse(text.as_ref()).expect("readable")
    }

    fn ours() -> SessionDescription {
        let address = "192.0.2.1".parse().expect("an address");
        let mut session = SessionDescription::new(Origin::new(17, 3, address), Some(Connection::new(address)));
        let mut audio = MediaDescription::audio(20000);
        for (payload_type, encoding) in [(0, "PCMU"), (8, "PCMA"), (101, "telephone-event")] {
            audio.add_format(payload_type, RtpMap { encoding, clock_rate: 8000, channels: 1 });
        }
        audio.add("fmtp", Some("101 0-15".to_owned()));
        audio.add("ptime", Some("20".to_owned()));
        audio.add(Direction::SendRecv.as_str(), None);
        session.media.push(audio);
        session
    }

    #[test]
    fn ours_is_written_in_order_and_reads_back() {
        assert_eq!(ours().to_string(), OFFER);
        assert_eq!(read(OFFER), ours());
    }

    #[test]
    fn line_ends_order_and_missing_lines_do_not_matter() {
        let whole = read(OFFER);
        assert_eq!(read(OFFER.replace("\r\n", "\n")), whole);
        assert_eq!(read(OFFER.replace("\r\n", "\r")), whole);
        assert_eq!(read(OFFER.replace("s=-\r\n", "").replace("t=0 0\r\n", "").replace("v=0\r\n", "")), whole);
        assert_eq!(read(OFFER.replace("t=0 0", "t=now never\r\nb=much\r\nk=\r\nz=z\r\njunk\r\n=\r\nx y")), whole);
        assert_eq!(read(OFFER.trim_end()), whole);
    }

    #[test]
    fn static_payload_types_need_no_rtpmap() {
        let session = read("m=audio 4000 RTP/AVP 0 8 18 96\n");
        let encodings: Vec<_> = [0, 8, 18, 96].map(|pt| session.media[0].rtpmap(pt).map(|map| map.encoding)).into();
        assert_eq!(encodings, [Some("PCMU"), Some("PCMA"), Some("G729"), None]);
        assert_eq!(session.origin, Origin::unknown());
    }

    #[test]
    fn names_are_read_in_any_case() {
        let session = read("M=no\nm=Audio 4000/2 rtp/avp 0\na=RTPMAP:0 pcmu/8000/1\na=SendOnly\na=MaxPTime: 40.0\n");
        let audio = &session.media[0];
        let map = audio.rtpmap(0).expect("mapped");
        assert_eq!((audio.kind.as_str(), audio.port, map.encoding, map.channels), ("audio", 4000, "pcmu", 1));
        assert_eq!((audio.direction(), audio.maxptime(), audio.ptime()), (Some(Direction::SendOnly), Some(40), None));
    }

    #[test]
    fn connections_are_the_streams_before_the_sessions() {
        let session =
            read("c=IN IP4 192.0.2.1/127\nm=audio 1 RTP/AVP 0\nm=audio 2 RTP/AVP 0\nc=IN IP4 media.example.com\n");
        let addresses: Vec<_> =
            session.media.iter().map(|m| session.connection_of(m).expect("there").address.as_str()).collect();
        assert_eq!(addresses, ["192.0.2.1", "media.example.com"]);
        assert_eq!(session.connection_of(&session.media[1]).and_then(Connection::ip), None);
        assert!(read("c=IN IP4 0.0.0.0\n").connection.is_some_and(|connection| connection.is_null()));
        assert!(read("c=IN IP6 2001:db8::1\n").to_string().contains("c=IN IP6 2001:db8::1\r\n"));
    }

    #[test]
    fn directions_fall_back_to_the_session_and_reverse() {
        let session = read("a=inactive\nm=audio 1 RTP/AVP 0\nm=audio 2 RTP/AVP 0\na=recvonly\n");
        let directions: Vec<_> = session.media.iter().map(|media| session.direction_of(media)).collect();
        assert_eq!(directions, [Direction::Inactive, Direction::RecvOnly]);
        assert_eq!(Direction::RecvOnly.reversed(), Direction::SendOnly);
        assert_eq!(read("v=0\n").direction_of(&session.media[0]), Direction::SendRecv);
    }

    #[test]
    fn streams_that_cannot_be_used_keep_their_place() {
        let session = read("m=audio none RTP/AVP 0\nm=\nm=audio 70000 RTP/AVP 0\nm=audio 5000 RTP/AVP 0\n");
        let ports: Vec<_> = session.media.iter().map(|media| media.port).collect();
        assert_eq!(ports, [0, 0, 0, 5000]);
    }

    #[test]
    fn what_is_no_description_is_refused() {
        for bytes in [&b""[..], b"\0\0", b"<xml/>", b"Signal=5\r\nDuration=160\r\n", b"=\n=\n"] {
            assert_eq!(SessionDescription::parse(bytes), Err(SdpError::NotSdp), "{bytes:?}");
        }
        assert!(!read(b"v=0\ns=\xff\nm=audio 1 RTP/AVP 0 \xff\n").media.is_empty());
    }

    #[test]
    fn what_is_kept_has_bounds() {
        let many = |line: &str, count: usize| OFFER.to_owned() + &line.repeat(count);
        assert_eq!(SessionDescription::parse(many("a=x\r\n", 60_000).as_bytes()), Err(SdpError::TooLong));
        assert_eq!(read(many("a=crypto:1 x\r\n", 10_000)).media[0].attributes.len(), 4 + MAX_ATTRIBUTES);
        assert_eq!(read(many("a=rtpmap:0 X/1\r\n", 10_000)), ours(), "the first of two rtpmaps counts");
        assert_eq!(read(many("m=audio 1 RTP/AVP 0\r\n", MAX_MEDIA - 1)).media.len(), MAX_MEDIA);
        let too_many = many("m=audio 1 RTP/AVP 0\r\n", MAX_MEDIA);
        assert_eq!(SessionDescription::parse(too_many.as_bytes()), Err(SdpError::TooManyMedia));
        let formats = (0..5000).map(|n| format!("{n} ")).collect::<String>();
        assert_eq!(read(format!("m=audio 1 RTP/AVP {formats}0 0 0")).media[0].formats.len(), MAX_FORMATS);
    }

    #[test]
    fn nothing_written_can_begin_a_line() {
        let mut session = ours();
        session.origin.username = "a\r\nm=audio 1 RTP/AVP 0".to_owned();
        session.media[0].add("x", Some("y\na=inactive".to_owned()));
        let lines = session.to_string().lines().count();
        assert_eq!(lines, OFFER.lines().count() + 1);
    }
}
