//! Session descriptions: those in the torture messages, bombs, and `sdp-types` as the oracle of what both can read.

use proptest::prelude::*;
use ringcode::sip::message::Message;
use ringcode::wire::sdp::{
    Connection, MAX_ATTRIBUTES, MAX_BYTES, MAX_MEDIA, MediaDescription, Origin, RtpMap, SdpError, SessionDescription,
};

use crate::corpus::everything;

const OFFER: &str = "v=0\r\no=- 17 3 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
    m=audio 20000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n";

/// Everything kept is bounded, and so is every later look-up.
fn assert_bounded(session: &SessionDescription) {
    assert!(session.media.len() <= MAX_MEDIA);
    assert!(session.attributes.len() <= MAX_ATTRIBUTES + 2 * 128);
    for media in &session.media {
        assert!(media.formats.len() <= 128 && media.attributes.len() <= MAX_ATTRIBUTES + 2 * 128);
        for payload_type in media.payload_types() {
            let _ = (media.rtpmap(payload_type), media.fmtp(payload_type));
        }
        let _ = (media.ptime(), media.maxptime(), session.direction_of(media), session.connection_of(media));
    }
}

#[test]
fn bombs_are_read_within_bounds() {
    let bombs = [
        ("10,000 lines of noise", "x=y\r\n".repeat(10_000), 1),
        ("10,000 attributes", "a=x:y\r\n".repeat(10_000), 1),
        ("10,000 rtpmaps of one type", "a=rtpmap:96 X/8000\r\n".repeat(10_000), 1),
        ("one codec name under each type", (0..128).map(|n| format!("a=rtpmap:{n} X/8000\r\n")).collect(), 1),
        ("hundreds of crypto lines", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n".repeat(900), 1),
        ("1,000 streams", "m=audio 5000 RTP/AVP 0\r\n".repeat(1000), 1001),
        ("200 kB in one line", format!("a=x:{}\r\n", "y".repeat(200_000)), 1),
        ("200 kB of formats", format!("m=audio 1 RTP/AVP{}\r\n", " 96".repeat(66_000)), 2),
        ("200 kB of line ends", "\r\n".repeat(100_000), 1),
        ("200 kB of equals signs", "=".repeat(200_000), 1),
    ];
    for (name, bomb, streams) in bombs {
        let session = SessionDescription::parse(format!("{OFFER}{bomb}").as_bytes());
        let session = session.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(session.media.len(), streams, "{name}");
        assert_eq!(session.media[0].fmtp(101), Some("0-15"), "{name}: what came first can be used");
        assert_bounded(&session);
    }
    assert_eq!(SessionDescription::parse(&vec![b'a'; MAX_BYTES + 1]), Err(SdpError::TooLong));
}

#[test]
fn the_bodies_of_the_torture_messages_are_read() {
    let mut read = 0;
    for (name, bytes) in everything() {
        let Ok(message) = Message::parse(bytes.clone()) else { continue };
        if message.headers().content_type().as_deref() != Some("application/sdp") || name == "mult-ip-in-sdp" {
            continue;
        }
        let session = SessionDescription::parse(message.body()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(session.media.first().is_some_and(|media| media.kind == "audio" && media.port > 0), "{name}");
        assert!(session.connection_of(&session.media[0]).and_then(Connection::ip).is_some(), "{name}");
        read += 1;
    }
    println!("{read} descriptions of torture messages read");
}

/// Why descriptions are not read by `sdp-types`: each of these is usable, and refused by it.
#[test]
fn one_odd_field_does_not_spoil_a_description() {
    let whole = SessionDescription::parse(OFFER.as_bytes()).expect("valid");
    assert!(sdp_types::Session::parse(OFFER.as_bytes()).is_ok());
    for (line, odd) in [
        ("t=0 0\r\n", &b"t=now later\r\n"[..]),
        ("t=0 0\r\n", b"b=CT:lots\r\nt=0 0\r\n"),
        ("- 17 3 IN", b"- 17 340282366920938463463374607431768211456 IN"),
        ("s=-\r\n", b"s=\xe9\xff\r\n"),
        ("c=IN IP4 192.0.2.1\r\n", b"c=IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.2\r\n"),
        ("s=-\r\n", b"s=-\r\ns=-\r\n"),
        ("v=0\r\n", b""),
    ] {
        let (before, after) = OFFER.split_once(line).expect("in the offer");
        let text = [before.as_bytes(), odd, after.as_bytes()].concat();
        assert!(sdp_types::Session::parse(&text).is_err(), "{}", odd.escape_ascii());
        let read = SessionDescription::parse(&text).expect("tolerated");
        assert_eq!((read.connection, read.media), (whole.connection.clone(), whole.media.clone()));
    }
}

#[test]
fn families_of_the_streams_may_differ() {
    let text = "v=0\r\no=bob 280744730 28977631 IN IP4 host.example.com\r\ns=\r\nt=0 0\r\n\
        m=audio 22334 RTP/AVP 0\r\nc=IN IP4 192.0.2.1\r\nm=video 6024 RTP/AVP 107\r\nc=IN IP6 2001:db8::1\r\n";
    let session = SessionDescription::parse(text.as_bytes()).expect("valid");
    let addresses: Vec<_> = session.media.iter().filter_map(|media| session.connection_of(media)?.ip()).collect();
    assert_eq!(
        addresses,
        ["192.0.2.1".parse::<std::net::IpAddr>().expect("IPv4"), "2001:db8::1".parse().expect("IPv6")]
    );
}

/// Descriptions as `sdp-types` can hold them.
fn any_session() -> impl Strategy<Value = SessionDescription> {
    let stream = (any::<u16>(), prop::collection::btree_set(0u8..128, 1..6), "[A-Za-z][A-Za-z0-9-]{0,9}", 1u32..96_000);
    let address = any::<std::net::IpAddr>();
    (any::<u64>(), any::<u64>(), address, prop::collection::vec(stream, 0..4)).prop_map(
        |(id, version, address, streams)| {
            let mut session =
                SessionDescription::new(Origin::new(id, version, address), Some(Connection::new(address)));
            for (port, payload_types, encoding, clock_rate) in streams {
                let mut media = MediaDescription::audio(port);
                for payload_type in payload_types {
                    media.add_format(payload_type, RtpMap { encoding: &encoding, clock_rate, channels: 1 });
                }
                session.media.push(media);
            }
            session
        },
    )
}

proptest! {
    #[test]
    fn what_we_write_reads_back_and_means_the_same_to_sdp_types(session in any_session()) {
        let written = session.to_bytes();
        let read = SessionDescription::parse(&written);
        prop_assert_eq!(read.as_ref(), Ok(&session));
        let oracle = sdp_types::Session::parse(&written).expect("what we write is strict");
        let origin = oracle.origin;
        prop_assert_eq!(origin.sess_id, session.origin.session_id);
        prop_assert_eq!(origin.sess_version.to_string(), session.origin.version);
        prop_assert_eq!(oracle.connection.map(|c| c.connection_address), session.connection.map(|c| c.address));
        prop_assert_eq!(oracle.medias.len(), session.media.len());
        for (theirs, ours) in oracle.medias.iter().zip(&session.media) {
            prop_assert_eq!((theirs.port, &theirs.fmt), (ours.port, &ours.formats.join(" ")));
            let attributes: Vec<_> = theirs.attributes.iter().map(|a| (a.attribute.clone(), a.value.clone())).collect();
            prop_assert_eq!(&attributes, &ours.attributes);
        }
    }

    #[test]
    fn text_in_a_description_begins_no_line(texts in prop::array::uniform4("[ -~\r\n\0\t\u{85}é]{0,20}")) {
        let [username, address, name, value] = texts;
        let mut session = SessionDescription::parse(OFFER.as_bytes()).expect("valid");
        session.origin.username = username;
        session.connection = Some(Connection { address });
        session.media[0].add(&name, Some(value));
        let written = session.to_bytes();
        prop_assert_eq!(written.iter().filter(|byte| **byte == b'\n').count(), OFFER.lines().count() + 1);
        prop_assert!(written.split(|byte| *byte == b'\n').all(|line| !line.strip_suffix(b"\r").unwrap_or(line).contains(&b'\r')));
    }

    #[test]
    fn noise_is_read_within_bounds(
        lines in prop::collection::vec(("[vocsmatbkzr=: x]{0,2}=?", "[ -~\\t\u{e9}]{0,60}", "\r\n|\n|\r"), 0..60)
    ) {
        let text: String = lines.iter().flat_map(|(key, value, end)| [key.as_str(), value, end]).collect();
        if let Ok(session) = SessionDescription::parse(text.as_bytes()) {
            assert_bounded(&session);
            let again = SessionDescription::parse(&session.to_bytes()).expect("what we write can be read");
            prop_assert_eq!(again.media.len(), session.media.len());
        }
    }
}
