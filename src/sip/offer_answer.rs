//! Offer and answer of one audio stream (RFC 3264), for G.711 with telephone-event.
//!
//! | rule | test |
//! |---|---|
//! | RFC 3264 §5.1, RFC 4733 §7.1.1: what an offer holds | `an_offer_lists_codecs_and_events` |
//! | §6.1: the answer's payload types, also remapped ones, static ones without rtpmap, names in any case | `answers_of_every_shape_are_used` |
//! | §6: a refused or foreign stream; no common codec | `unusable_answers_are_refused_with_their_reason` |
//! | §6: an answer has as many streams as the offer, the others refused | `an_answer_has_as_many_streams_as_the_offer` |
//! | §6.1: the answer keeps the offer's payload types | `an_answer_keeps_the_offers_payload_types` |
//! | §8.4: hold by sendonly, inactive and null address; direction reversed | `hold_in_all_its_forms` |
//! | RFC 4733 §2.1, requirement M3: telephone-event at the answered payload type and the codec's clock | `events_go_at_the_answered_payload_type` |
//! | RFC 8866 §6.4 what maxptime allows | `maxptime_is_kept` |
//! | requirement M1: 10,000 lines and 200 kB | `wire::sdp::tests` |
//!
//! A `c=` with a domain name is not resolved: this floor knows no DNS. The address of the peer that sent the description
//! stands in for it, which is right for every carrier whose media and signalling share an address, and the media
//! floor learns the source of what arrives anyway.

use std::net::{IpAddr, SocketAddr};

use crate::wire::codec::Codec;
pub use crate::wire::sdp::Direction;
use crate::wire::sdp::{Connection, MediaDescription, Origin, RtpMap, SdpError, SessionDescription};

/// Milliseconds of audio in a packet of ours.
const PTIME_MS: u8 = 20;

/// The encoding name of RFC 4733.
const TELEPHONE_EVENT: &str = "telephone-event";

/// The payload type under which everyone offers telephone-event, since an offer may choose any dynamic one.
pub const TELEPHONE_EVENT_PAYLOAD_TYPE: u8 = 101;

/// What we bring to the negotiation of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalMedia {
    /// Where our RTP socket is reachable.
    pub address: SocketAddr,
    /// The codecs that we speak, most wanted first.
    pub codecs: Vec<Codec>,
    /// The session id of our `o=` line (RFC 8866 §5.2).
    pub session_id: u64,
    /// The version of our `o=` line, for the first description that we send; it grows by one with each change.
    pub version: u64,
    /// The payload type under which we offer telephone-event (96-127).
    pub telephone_event: u8,
}

/// The result of an offer and its answer, as the media floor needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NegotiatedMedia {
    /// Where to send RTP.
    pub remote: SocketAddr,
    /// The host that sent the description: RTP of a peer with several addresses may come from there.
    pub signalled_by: IpAddr,
    /// The codec of what we send.
    pub codec: Codec,
    /// The payload type under which we send `codec`.
    pub send_payload_type: u8,
    /// The payload type under which we receive `codec`.
    pub receive_payload_type: u8,
    /// How telephone-event travels, when both sides speak it.
    pub telephone_event: Option<TelephoneEventFormat>,
    /// Our direction.
    pub direction: Direction,
    /// The longest packet that the peer's `maxptime` allows us, in milliseconds, and no more than 20. The media floor sends
    /// 20 whatever this says, for no carrier is known that asks for less.
    pub ptime_ms: u8,
}

/// How telephone-event (RFC 4733) travels on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelephoneEventFormat {
    /// The payload type under which we send events.
    pub send_payload_type: u8,
    /// The payload type under which we receive events.
    pub receive_payload_type: u8,
    /// RTP clock rate in Hz.
    pub clock_rate: u32,
}

/// Why a description cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MediaRefused {
    /// There is no description where one must stand.
    #[error("the session description is missing")]
    Missing,
    /// The bytes are no session description.
    #[error("the session description cannot be read: {0}")]
    Unreadable(SdpError),
    /// There is no audio stream over RTP/AVP, or it is refused with port 0.
    #[error("no usable audio stream")]
    NoAudio,
    /// No codec of the stream is ours.
    #[error("no common codec")]
    NoCommonCodec,
    /// The stream has no connection address.
    #[error("no connection address")]
    NoAddress,
}

impl From<SdpError> for MediaRefused {
    fn from(error: SdpError) -> Self {
        MediaRefused::Unreadable(error)
    }
}

/// Reads the description in `body`.
///
/// # Errors
/// [`MediaRefused::Missing`] for an empty body, [`MediaRefused::Unreadable`] for one that is no description.
pub fn read_description(body: &[u8]) -> Result<SessionDescription, MediaRefused> {
    if body.is_empty() {
        return Err(MediaRefused::Missing);
    }
    Ok(SessionDescription::parse(body)?)
}

/// The offer of `local`: its codecs at their static payload types, and telephone-event.
pub fn offer(local: &LocalMedia, direction: Direction) -> SessionDescription {
    let mut stream = MediaDescription::audio(local.address.port());
    for codec in &local.codecs {
        if let Some(payload_type) = codec.static_payload_type() {
            stream.add_format(payload_type, rtpmap_of(*codec));
        }
    }
    add_events(&mut stream, local.telephone_event, 8000);
    finish(&mut stream, direction);
    let mut description = describe(local);
    description.media.push(stream);
    description
}

/// What the answer to [`offer`] agrees on. `peer` is who sent it, for a `c=` that holds a name.
///
/// # Errors
/// [`MediaRefused`] when there is no stream, address or codec that we can use.
pub fn accept_answer(
    local: &LocalMedia,
    answer: &SessionDescription,
    peer: IpAddr,
) -> Result<NegotiatedMedia, MediaRefused> {
    let (_, stream) = audio_of(answer).ok_or(MediaRefused::NoAudio)?;
    let (codec, send_payload_type) = common_codec(local, stream).ok_or(MediaRefused::NoCommonCodec)?;
    let receive_payload_type = codec.static_payload_type().unwrap_or(send_payload_type);
    let telephone_event = events_of(stream, codec).map(|payload_type| TelephoneEventFormat {
        send_payload_type: payload_type,
        receive_payload_type: local.telephone_event,
        clock_rate: codec.clock_rate(),
    });
    Ok(NegotiatedMedia {
        remote: remote_of(answer, stream, peer)?,
        signalled_by: peer,
        codec,
        send_payload_type,
        receive_payload_type,
        telephone_event,
        direction: direction_towards(answer, stream),
        ptime_ms: ptime_of(stream),
    })
}

/// Our answer to `offer`, and what it agrees on. `peer` is who sent it, for a `c=` that holds a name.
///
/// # Errors
/// [`MediaRefused`] when there is no stream, address or codec that we can use: to be answered with 488.
pub fn answer_offer(
    local: &LocalMedia,
    offer: &SessionDescription,
    peer: IpAddr,
) -> Result<(SessionDescription, NegotiatedMedia), MediaRefused> {
    let (index, offered) = audio_of(offer).ok_or(MediaRefused::NoAudio)?;
    let (codec, payload_type) = common_codec(local, offered).ok_or(MediaRefused::NoCommonCodec)?;
    let remote = remote_of(offer, offered, peer)?;
    let direction = direction_towards(offer, offered);

    let mut stream = MediaDescription::audio(local.address.port());
    stream.protocol.clone_from(&offered.protocol);
    stream.add_format(payload_type, rtpmap_of(codec));
    let events = events_of(offered, codec);
    if let Some(events) = events {
        add_events(&mut stream, events, codec.clock_rate());
    }
    finish(&mut stream, direction);
    let mut description = describe(local);
    for (at, other) in offer.media.iter().enumerate() {
        description.media.push(if at == index { stream.clone() } else { refused(other) });
    }
    let negotiated = NegotiatedMedia {
        remote,
        signalled_by: peer,
        codec,
        send_payload_type: payload_type,
        receive_payload_type: payload_type,
        telephone_event: events.map(|events| TelephoneEventFormat {
            send_payload_type: events,
            receive_payload_type: events,
            clock_rate: codec.clock_rate(),
        }),
        direction,
        ptime_ms: ptime_of(offered),
    };
    Ok((description, negotiated))
}

fn describe(local: &LocalMedia) -> SessionDescription {
    let address = local.address.ip();
    let origin = Origin::new(local.session_id, local.version, address);
    SessionDescription::new(origin, Some(Connection::new(address)))
}

fn rtpmap_of(codec: Codec) -> RtpMap<'static> {
    RtpMap { encoding: codec.encoding_name(), clock_rate: codec.clock_rate(), channels: 1 }
}

fn add_events(stream: &mut MediaDescription, payload_type: u8, clock_rate: u32) {
    stream.add_format(payload_type, RtpMap { encoding: TELEPHONE_EVENT, clock_rate, channels: 1 });
    stream.add("fmtp", Some(format!("{payload_type} 0-15")));
}

fn finish(stream: &mut MediaDescription, direction: Direction) {
    stream.add("ptime", Some(PTIME_MS.to_string()));
    stream.add(direction.as_str(), None);
}

/// RFC 3264 §6: a stream is refused with port 0 and any of its formats.
fn refused(offered: &MediaDescription) -> MediaDescription {
    MediaDescription {
        port: 0,
        formats: vec![offered.formats.first().cloned().unwrap_or_else(|| "0".to_owned())],
        connection: None,
        attributes: Vec::new(),
        ..offered.clone()
    }
}

/// The first stream that we could speak on.
fn audio_of(description: &SessionDescription) -> Option<(usize, &MediaDescription)> {
    let is_rtp = |protocol: &str| ["RTP/AVP", "RTP/AVPF"].iter().any(|known| known.eq_ignore_ascii_case(protocol));
    let usable = |stream: &MediaDescription| stream.kind == "audio" && stream.port != 0 && is_rtp(&stream.protocol);
    description.media.iter().enumerate().find(|(_, stream)| usable(stream))
}

/// The peer's most wanted codec among ours, and its payload type there.
fn common_codec(local: &LocalMedia, stream: &MediaDescription) -> Option<(Codec, u8)> {
    stream.payload_types().find_map(|payload_type| {
        let map = stream.rtpmap(payload_type)?;
        let is_it = |codec: &&Codec| {
            map.encoding.eq_ignore_ascii_case(codec.encoding_name())
                && map.clock_rate == codec.clock_rate()
                && map.channels == 1
        };
        local.codecs.iter().find(is_it).map(|codec| (*codec, payload_type))
    })
}

/// The payload type of telephone-event at the clock of `codec`: events share the RTP timestamps of the audio beside them
/// (RFC 4733 §2.1), so one at another clock is of no use.
fn events_of(stream: &MediaDescription, codec: Codec) -> Option<u8> {
    stream.payload_types().find(|payload_type| {
        stream.rtpmap(*payload_type).is_some_and(|map| {
            map.encoding.eq_ignore_ascii_case(TELEPHONE_EVENT) && map.clock_rate == codec.clock_rate()
        })
    })
}

fn remote_of(
    description: &SessionDescription,
    stream: &MediaDescription,
    peer: IpAddr,
) -> Result<SocketAddr, MediaRefused> {
    let connection = description.connection_of(stream).ok_or(MediaRefused::NoAddress)?;
    Ok(SocketAddr::new(connection.ip().unwrap_or(peer), stream.port))
}

/// Our direction, given the peer's description (RFC 3264 §6.1, §8.4).
fn direction_towards(description: &SessionDescription, stream: &MediaDescription) -> Direction {
    let ours = description.direction_of(stream).reversed();
    let null = description.connection_of(stream).is_some_and(Connection::is_null);
    match ours {
        Direction::SendRecv if null => Direction::RecvOnly,
        Direction::SendOnly if null => Direction::Inactive,
        direction => direction,
    }
}

fn ptime_of(stream: &MediaDescription) -> u8 {
    let most = stream.maxptime().and_then(|most| u8::try_from(most).ok()).unwrap_or(PTIME_MS);
    // Whole steps of 10 ms, the shortest packet that telephones send.
    (most.min(PTIME_MS) / 10 * 10).max(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 9));

    fn local() -> LocalMedia {
        LocalMedia {
            address: SocketAddr::from(([127, 0, 0, 3], 20000)),
            codecs: vec![Codec::Pcma, Codec::Pcmu],
            session_id: 77,
            version: 1,
            telephone_event: 101,
        }
    }

    fn sdp(text: &str) -> SessionDescription {
        read_description(text.as_bytes()).expect("a description")
    }

    fn accepted(text: &str) -> NegotiatedMedia {
        accept_answer(&local(), &sdp(text), PEER).expect(text)
    }

    #[test]
    fn an_offer_lists_codecs_and_events() {
        let text = offer(&local(), Direction::SendRecv).to_string();
        for line in [
            "o=- 77 1 IN IP4 127.0.0.3\r\n",
            "c=IN IP4 127.0.0.3\r\n",
            "m=audio 20000 RTP/AVP 8 0 101\r\n",
            "a=rtpmap:8 PCMA/8000\r\n",
            "a=rtpmap:101 telephone-event/8000\r\n",
            "a=fmtp:101 0-15\r\n",
            "a=ptime:20\r\n",
            "a=sendrecv\r\n",
        ] {
            assert!(text.contains(line), "{line:?} in {text}");
        }
    }

    #[test]
    fn answers_of_every_shape_are_used() {
        let plain = accepted(
            "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n",
        );
        assert_eq!((plain.codec, plain.send_payload_type, plain.receive_payload_type), (Codec::Pcmu, 0, 0));
        assert_eq!((plain.remote, plain.telephone_event), (SocketAddr::from(([192, 0, 2, 1], 4000)), None));
        // LF only, no `s=`, c= at media level, a name in it, names in odd case, a remapped payload type.
        let odd = accepted(
            "v=0\no=x\nm=audio 4002 rtp/avp 97 96\nc=IN IP4 media.example.com\na=rtpmap:97 iLBC/8000\na=rtpmap:96 pcmA/8000/1\n",
        );
        assert_eq!((odd.codec, odd.send_payload_type, odd.receive_payload_type), (Codec::Pcma, 96, 8));
        assert_eq!(odd.remote, SocketAddr::new(PEER, 4002));
        // Several codecs: the peer's order counts.
        assert_eq!(accepted("v=0\nc=IN IP4 192.0.2.1\nm=audio 4 RTP/AVP 18 0 8 101\n").codec, Codec::Pcmu);
        // A refused stream before the one that is meant.
        let second = accepted("v=0\nc=IN IP6 2001:db8::1\nm=audio 0 RTP/AVP 0\nm=audio 6 RTP/AVP 8\n");
        assert_eq!(second.remote, SocketAddr::from((std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 6)));
    }

    #[test]
    fn unusable_answers_are_refused_with_their_reason() {
        let refusal = |text: &str| accept_answer(&local(), &sdp(text), PEER).expect_err(text);
        assert_eq!(refusal("v=0\nc=IN IP4 192.0.2.1\n"), MediaRefused::NoAudio);
        assert_eq!(refusal("v=0\nc=IN IP4 192.0.2.1\nm=audio 0 RTP/AVP 0\n"), MediaRefused::NoAudio);
        assert_eq!(refusal("v=0\nc=IN IP4 192.0.2.1\nm=audio 4 RTP/SAVP 0\n"), MediaRefused::NoAudio);
        assert_eq!(refusal("v=0\nc=IN IP4 192.0.2.1\nm=video 4 RTP/AVP 0\n"), MediaRefused::NoAudio);
        assert_eq!(refusal("v=0\nc=IN IP4 192.0.2.1\nm=audio 4 RTP/AVP 18 101\n"), MediaRefused::NoCommonCodec);
        assert_eq!(
            refusal("v=0\nc=IN IP4 192.0.2.1\nm=audio 4 RTP/AVP 96\na=rtpmap:96 PCMU/16000\n"),
            MediaRefused::NoCommonCodec
        );
        assert_eq!(refusal("v=0\nm=audio 4 RTP/AVP 0\n"), MediaRefused::NoAddress);
        assert_eq!(read_description(b""), Err(MediaRefused::Missing));
        assert_eq!(read_description(b"hello"), Err(MediaRefused::Unreadable(SdpError::NotSdp)));
    }

    #[test]
    fn events_go_at_the_answered_payload_type() {
        let at = |text: &str| accepted(text).telephone_event.map(|e| (e.send_payload_type, e.receive_payload_type));
        let head = "v=0\nc=IN IP4 192.0.2.1\nm=audio 4 RTP/AVP 0 96 97\n";
        assert_eq!(at(&format!("{head}a=rtpmap:97 Telephone-Event/8000\n")), Some((97, 101)));
        assert_eq!(
            at(&format!("{head}a=rtpmap:96 telephone-event/48000\na=rtpmap:97 telephone-event/8000\n")),
            Some((97, 101))
        );
        assert_eq!(at(&format!("{head}a=rtpmap:96 telephone-event/48000\n")), None);
    }

    #[test]
    fn an_answer_has_as_many_streams_as_the_offer() {
        let offer = sdp("v=0\nc=IN IP4 192.0.2.1\nm=video 4 RTP/AVP 31 32\nm=audio 6 RTP/AVP 0\nm=audio 8 RTP/AVP 8\n");
        let (answer, media) = answer_offer(&local(), &offer, PEER).expect("PCMU is common");
        let ports: Vec<_> = answer.media.iter().map(|m| (m.kind.as_str(), m.port, m.formats.join(" "))).collect();
        let expected = [("video", 0, "31".to_owned()), ("audio", 20000, "0".to_owned()), ("audio", 0, "8".to_owned())];
        assert_eq!(ports, expected);
        assert_eq!(media.remote.port(), 6);
    }

    #[test]
    fn an_answer_keeps_the_offers_payload_types() {
        let offer = sdp(
            "v=0\nc=IN IP4 192.0.2.1\nm=audio 6 RTP/AVP 110 96\na=rtpmap:110 PCMU/8000\na=rtpmap:96 telephone-event/8000\n",
        );
        let (answer, media) = answer_offer(&local(), &offer, PEER).expect("PCMU is common");
        assert_eq!(answer.media[0].formats, ["110", "96"]);
        assert_eq!((media.send_payload_type, media.receive_payload_type), (110, 110));
        let events = TelephoneEventFormat { send_payload_type: 96, receive_payload_type: 96, clock_rate: 8000 };
        assert_eq!(media.telephone_event, Some(events));
        assert_eq!(accept_answer(&local(), &answer, PEER).expect("our own answer").codec, Codec::Pcmu);
    }

    #[test]
    fn hold_in_all_its_forms() {
        for (connection, attribute, ours) in [
            ("192.0.2.1", "sendrecv", Direction::SendRecv),
            ("192.0.2.1", "sendonly", Direction::RecvOnly),
            ("192.0.2.1", "recvonly", Direction::SendOnly),
            ("192.0.2.1", "inactive", Direction::Inactive),
            ("0.0.0.0", "sendrecv", Direction::RecvOnly),
            ("0.0.0.0", "recvonly", Direction::Inactive),
        ] {
            let offer = sdp(&format!("v=0\nc=IN IP4 {connection}\nm=audio 6 RTP/AVP 0\na={attribute}\n"));
            let (answer, media) = answer_offer(&local(), &offer, PEER).expect("PCMU is common");
            assert_eq!(media.direction, ours, "{connection} {attribute}");
            assert_eq!(answer.direction_of(&answer.media[0]), ours, "{connection} {attribute}");
        }
    }

    #[test]
    fn maxptime_is_kept() {
        let ptime = |line: &str| accepted(&format!("v=0\nc=IN IP4 192.0.2.1\nm=audio 4 RTP/AVP 0\n{line}")).ptime_ms;
        assert_eq!([ptime(""), ptime("a=ptime:30\n"), ptime("a=maxptime:150\n")], [20, 20, 20]);
        assert_eq!([ptime("a=maxptime:10\n"), ptime("a=maxptime:15\n")], [10, 10]);
    }
}
