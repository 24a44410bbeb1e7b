//! Torture messages, broken further: nothing panics, and what is kept stays within bounds.

use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::Index;
use ringcode::sip::framing::{Frame, StreamFramer};
use ringcode::sip::message::{
    HeaderName, MAX_HEADER_FIELDS, MAX_MESSAGE_BYTES, Message, Response, check_request, check_response,
};
use ringcode::wire::sdp::SessionDescription;

use crate::corpus::everything;
use crate::facts::{assert_readable, outcome};

/// What breaks parsers: separators, line ends, lengths, and the beginnings of other things.
const SHARDS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n ",
    b"\0",
    b"\"",
    b"\\",
    b"<",
    b">",
    b",",
    b";",
    b"=",
    b":",
    b"@",
    b"%",
    b"%0",
    b"[",
    b"]",
    b"?",
    b" ",
    b"\t",
    b"\xff\xfe",
    b"\r\n\r\n",
    b"SIP/2.0",
    b"*",
    b"Digest ",
    b"\r\nl: 5\r\n",
    b"\r\nv: SIP/2.0/UDP x\r\n",
    b"99999999999999999999",
    b"-1",
    b"sip:",
    b"tel:",
    b"\r\nContact: *\r\n",
    b"z9hG4bK",
    b";;;;;;;;",
    b",,,,,,,,",
];

#[derive(Clone, Debug)]
enum Mutation {
    Flip(Index, u8),
    Cut(Index, Index),
    Repeat(Index, Index, u8),
    Insert(Index, Index),
    Splice(Index, Index, Index),
}

fn any_mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Flip(at, byte)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Mutation::Cut(from, to)),
        (any::<Index>(), any::<Index>(), 1u8..40).prop_map(|(from, to, times)| Mutation::Repeat(from, to, times)),
        (any::<Index>(), any::<Index>()).prop_map(|(at, shard)| Mutation::Insert(at, shard)),
        (any::<Index>(), any::<Index>(), any::<Index>())
            .prop_map(|(at, other, from)| Mutation::Splice(at, other, from)),
    ]
}

fn mutate(mut bytes: Vec<u8>, mutation: &Mutation, others: &[(String, Bytes)]) -> Vec<u8> {
    let at = |index: &Index, bytes: &[u8]| index.index(bytes.len() + 1);
    let range = |from: &Index, to: &Index, bytes: &[u8]| {
        let (from, to) = (at(from, bytes), at(to, bytes));
        from.min(to)..from.max(to).min(from.min(to) + 200)
    };
    match mutation {
        Mutation::Flip(index, byte) if !bytes.is_empty() => {
            let at = index.index(bytes.len());
            bytes[at] = *byte;
        }
        Mutation::Flip(..) => {}
        Mutation::Cut(from, to) => drop(bytes.drain(range(from, to, &bytes))),
        Mutation::Repeat(from, to, times) => {
            let range = range(from, to, &bytes);
            let copies = bytes[range.clone()].repeat(usize::from(*times));
            bytes.splice(range.end..range.end, copies);
        }
        Mutation::Insert(index, shard) => {
            let at = at(index, &bytes);
            bytes.splice(at..at, shard.get(SHARDS).iter().copied());
        }
        Mutation::Splice(index, other, from) => {
            let other = &other.get(others).1;
            bytes.truncate(at(index, &bytes));
            bytes.extend_from_slice(&other[at(from, other)..]);
        }
    }
    bytes
}

/// Asks everything of a datagram that anybody asks of one.
fn exercise(bytes: &Bytes) {
    let _ = outcome(bytes);
    let Ok(message) = Message::parse(bytes.clone()) else { return };
    let headers = message.headers();
    // What is kept is no more than what came; unfolding copies, and joins lines by one space each.
    let kept: usize = headers.iter().map(|(_, value)| value.len()).sum();
    assert!(headers.len() <= MAX_HEADER_FIELDS && kept <= bytes.len() && message.body().len() <= MAX_MESSAGE_BYTES);
    assert!(headers.iter().all(|(_, value)| !value.iter().any(|byte| matches!(byte, b'\r' | b'\n'))));
    let _ = (headers.from(), headers.to(), headers.cseq(), headers.call_id(), headers.contacts(), headers.contact());
    let _ = (headers.routes(), headers.record_routes(), headers.service_routes(), headers.reasons());
    let _ = (headers.expires(), headers.min_expires(), headers.retry_after(), headers.max_forwards());
    let _ = (headers.allow(), headers.require(), headers.supported(), headers.content_type(), headers.content_length());
    let _ = (headers.challenges(401), headers.challenges(407), headers.server(), headers.user_agent());
    let _ = (headers.credentials(&HeaderName::Authorization), headers.addresses(&HeaderName::PAssertedIdentity));
    for via in headers.vias().iter().flatten() {
        let _ = (via.branch(), via.has_rfc3261_branch(), via.rport(), via.received(), via.maddr(), via.ttl());
    }
    match &message {
        Message::Request(request) => {
            let _ = check_request(request);
            let mut reply = Response::reply_to(request, 200);
            reply.set_to_tag("tag");
            assert_readable(&reply.into());
        }
        Message::Response(response) => {
            let _ = (check_response(response), response.reason());
        }
    }
    if let Some(again) = assert_readable(&message) {
        assert_eq!((again.headers().len(), again.body()), (fields_written(&message), message.body()));
    }
    let _ = SessionDescription::parse(message.body());
}

/// All fields, with one Content-Length.
fn fields_written(message: &Message) -> usize {
    message.headers().iter().filter(|(name, _)| *name != b"Content-Length").count() + 1
}

/// The frames of a stream that comes in pieces of these lengths, and then whole.
fn frames(stream: &[u8], pieces: &[usize]) -> Vec<Frame> {
    let mut framer = StreamFramer::new();
    let mut frames = Vec::new();
    let mut rest = stream;
    let mut pieces = pieces.iter();
    while !rest.is_empty() {
        let length = pieces.next().map_or(rest.len(), |length| (*length).min(rest.len()));
        framer.push(&rest[..length]);
        rest = &rest[length..];
        while let Ok(Some(frame)) = framer.next_frame() {
            frames.push(frame);
        }
        assert!(framer.held() <= MAX_MESSAGE_BYTES + length);
    }
    frames
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn broken_messages_end_well(
        seed in any::<Index>(),
        mutations in prop::collection::vec(any_mutation(), 1..8),
    ) {
        let samples = everything();
        let start = seed.get(samples).1.to_vec();
        exercise(&Bytes::from(mutations.iter().fold(start, |bytes, mutation| mutate(bytes, mutation, samples))));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_stream_is_cut_alike_whatever_pieces_it_comes_in(
        seeds in prop::collection::vec(any::<Index>(), 1..4),
        mutation in any_mutation(),
        pieces in prop::collection::vec(1usize..200, 0..60),
    ) {
        let samples = everything();
        let stream = seeds.iter().flat_map(|seed| seed.get(samples).1.to_vec()).collect();
        let stream = mutate(stream, &mutation, samples);
        prop_assert_eq!(frames(&stream, &pieces), frames(&stream, &[]));
    }
}

#[test]
fn every_message_survives_being_cut_anywhere() {
    for (_, bytes) in everything() {
        for end in 0..bytes.len().min(2000) {
            exercise(&bytes.slice(..end));
        }
    }
}
