//! What foreign parsers make of our messages, and we of theirs, on what they can represent.
//!
//! rsip 0.4 knows the RFC's methods only, one Via a field, no folded or compact fields, no IPv6 host with a port and no
//! `tel:`; ezk-sip-types 0.6 knows UTF-8 only, and `sip:` and `sips:` only.

use bytes::Bytes;
use ezk_sip_types::Name;
use ezk_sip_types::header::typed;
use ezk_sip_types::msg::{Line, MessageLine, PullParser};
use ezk_sip_types::parse::Parse;
use ezk_sip_types::print::AppendCtx;
use proptest::prelude::*;
use ringcode::sip::message::{
    CSeq, HeaderName, HeaderValue, Host, Message, Method, NameAddr, Request, Response, SipUri, StatusCode, Token,
    UserPart, Via,
};
use rsip::headers::{ToTypedHeader, UntypedHeader};
use rsip::message::{HasHeaders, HeadersExt};

use crate::corpus::everything;
use crate::facts::{Facts, Outcome, facts, outcome};

/// Reads a message with rsip; `None` where it cannot.
fn by_rsip(bytes: &Bytes) -> Option<Facts> {
    let message = rsip::SipMessage::try_from(bytes.as_ref()).ok()?;
    let from = message.from_header().ok()?.typed().ok()?;
    let to = message.to_header().ok()?.typed().ok()?;
    let cseq = message.cseq_header().ok()?.typed().ok()?;
    let address = |uri: &rsip::Uri, tag: Option<&rsip::param::Tag>| {
        format!("{uri}|{}", tag.map(ToString::to_string).unwrap_or_default())
    };
    let vias = message.headers().iter().filter_map(|header| match header {
        rsip::Header::Via(via) => Some(via.typed()),
        _ => None,
    });
    let contacts = message.contact_headers().into_iter().map(|contact| contact.typed());
    Some(Facts {
        start: match &message {
            rsip::SipMessage::Request(request) => request.method().to_string(),
            rsip::SipMessage::Response(response) => response.status_code().code().to_string(),
        },
        vias: vias.map(|via| via.ok().map(|via| format!("{}/{}", via.transport, via.uri))).collect::<Option<_>>()?,
        from: address(&from.uri, from.tag()),
        to: address(&to.uri, to.tag()),
        cseq: cseq.to_string(),
        call_id: message.call_id_header().ok()?.value().to_owned(),
        contacts: contacts.map(|contact| Some(contact.ok()?.uri.to_string())).collect::<Option<_>>()?,
        body: message.body().clone(),
    })
}

/// Reads a message with ezk-sip-types; `None` where it cannot.
fn by_ezk(bytes: &Bytes) -> Option<Facts> {
    let mut parser = PullParser::new(bytes, 0);
    let start = std::str::from_utf8(parser.next()?.ok()?).ok()?;
    let (_, start) = MessageLine::parse(bytes)(start).ok()?;
    let mut headers = ezk_sip_types::Headers::new();
    for line in parser.by_ref() {
        let (_, line) = Line::parse(bytes, std::str::from_utf8(line.ok()?).ok()?).ok()?;
        headers.insert(line.name, line.value);
    }
    let body = bytes.get(parser.head_end()..)?;
    let body_length = match headers.contains(&Name::CONTENT_LENGTH) {
        true => headers.get_named::<typed::ContentLength>().ok()?.0,
        false => body.len(),
    };
    let address = |address: typed::FromTo| {
        format!("{}|{}", address.uri.uri.default_print_ctx(), address.tag.as_deref().unwrap_or_default())
    };
    let cseq = headers.get_named::<typed::CSeq>().ok()?;
    let vias = headers.get_named::<Vec<typed::Via>>().ok()?;
    let contacts = match headers.contains(&Name::CONTACT) {
        true => headers.get_named::<Vec<typed::Contact>>().ok()?,
        false => Vec::new(),
    };
    Some(Facts {
        start: match &start {
            MessageLine::Request(line) => line.method.to_string(),
            MessageLine::Response(line) => line.code.into_u16().to_string(),
        },
        vias: vias.iter().map(|via| format!("{}/{}", via.transport, via.sent_by.default_print_ctx())).collect(),
        from: address(headers.get(Name::FROM).ok()?),
        to: address(headers.get(Name::TO).ok()?),
        cseq: format!("{} {}", cseq.cseq, cseq.method),
        call_id: headers.get_named::<typed::CallID>().ok()?.0.to_string(),
        contacts: contacts.iter().map(|contact| contact.uri.uri.default_print_ctx().to_string()).collect(),
        // It reads heads only; the body is for its caller to cut.
        body: body.get(..body_length.min(body.len()))?.to_vec(),
    })
}

fn any_uri() -> impl Strategy<Value = SipUri> {
    let host = prop_oneof![
        "[a-z][a-z0-9-]{0,8}[a-z0-9]\\.example\\.(com|net)"
            .prop_map(|name| Host::try_from(name.as_str()).expect("a name")),
        any::<std::net::Ipv4Addr>().prop_map(Host::V4),
    ];
    let user = prop::option::of("\\+?[a-z0-9][a-z0-9._-]{0,12}");
    (user, host, prop::option::of(1024u16..)).prop_map(|(user, host, port)| {
        SipUri::new(user.map(|user| UserPart::new(&user).expect("printable")), host, port)
    })
}

/// Messages of ours that both oracles can represent.
fn any_message() -> impl Strategy<Value = Message> {
    let method = prop::sample::select(vec![
        Method::Invite,
        Method::Ack,
        Method::Bye,
        Method::Cancel,
        Method::Register,
        Method::Options,
        Method::Info,
        Method::Update,
        Method::Prack,
        Method::Subscribe,
        Method::Notify,
        Method::Refer,
        Method::Message,
        Method::Publish,
    ]);
    let start =
        (method, prop::option::of(prop::sample::select(vec![100u16, 180, 183, 200, 302, 401, 404, 486, 503, 603])));
    let vias =
        prop::collection::vec((any_uri(), "[a-zA-Z0-9]{8,32}", prop::sample::select(vec!["UDP", "TCP", "TLS"])), 1..4);
    let tag = || "[a-zA-Z0-9.-]{1,20}";
    let addresses = (any_uri(), any_uri(), tag(), prop::option::of(tag()), prop::collection::vec(any_uri(), 0..3));
    let rest = ("[a-zA-Z0-9.-]{1,30}(@[a-z0-9.]{1,20})?", 0u32..0x7fff_ffff, prop::collection::vec(any::<u8>(), 0..80));
    (start, any_uri(), vias, addresses, rest).prop_map(
        |((method, status), uri, vias, (from, to, from_tag, to_tag, contacts), (call_id, number, body))| {
            let content_type = HeaderValue::try_from("application/octet-stream").expect("printable");
            let mut message: Message = match status.and_then(StatusCode::new) {
                Some(status) => Response::new(status, None).with_body(content_type, body).into(),
                None => Request::new(method.clone(), uri).with_body(content_type, body).into(),
            };
            let headers = message.headers_mut();
            for (uri, branch, transport) in vias {
                headers.push(HeaderName::Via, Via::new(Token::from_static(transport), uri.host, uri.port, &branch));
            }
            headers.push(HeaderName::From, NameAddr::new(from).with_tag(&from_tag));
            let to = NameAddr::new(to);
            headers.push(HeaderName::To, to_tag.iter().fold(to, |to, tag| to.with_tag(tag)));
            headers.push(HeaderName::CallId, HeaderValue::try_from(call_id).expect("printable"));
            headers.push(HeaderName::CSeq, CSeq::new(number, method));
            for contact in contacts {
                headers.push(HeaderName::Contact, NameAddr::new(contact));
            }
            message
        },
    )
}

proptest! {
    #[test]
    fn what_we_write_means_the_same_to_both(message in any_message()) {
        let bytes = message.to_bytes();
        let ours = facts("ours", &bytes);
        prop_assert_eq!(by_rsip(&bytes), Some(ours.clone()));
        prop_assert_eq!(by_ezk(&bytes), Some(ours));
    }
}

/// Where an oracle reads a torture message otherwise than we do, and why it is wrong.
const DIFFERENT: &[(&str, &str, &str)] = &[
    ("rsip", "lower_case_method.sip", "takes methods without regard to case"),
    ("ezk", "lower_case_method.sip", "takes methods without regard to case"),
    ("rsip", "trailing_bytes.sip", "takes what follows Content-Length for the body"),
    ("rsip", "response.sip", "writes the transport of a URI in capitals"),
    ("rsip", "regescrt.dat", "knows no compact Contact"),
    ("ezk", "escapes.sip", "resolves escapes"),
    ("ezk", "esc01.dat", "resolves escapes"),
    ("ezk", "folded.sip", "loses a port after a folded line"),
    ("ezk", "quotes.sip", "takes an address out of a quoted name"),
    ("ezk", "unregister.sip", "knows no Contact *"),
];

#[test]
fn what_an_oracle_reads_of_the_torture_messages_we_read_alike() {
    let (mut by_one, mut by_other) = (0, 0);
    for (name, bytes) in everything().iter().filter(|(_, bytes)| outcome(bytes) == Outcome::Passes) {
        let ours = facts(name, bytes);
        let readings = [("rsip", by_rsip(bytes), &mut by_one), ("ezk", by_ezk(bytes), &mut by_other)];
        for (oracle, theirs, count) in readings {
            let Some(theirs) = theirs else { continue };
            if let Some((.., why)) = DIFFERENT.iter().find(|(who, what, _)| *who == oracle && what == name) {
                assert_ne!(theirs, ours, "{oracle} and {name}: no longer {why}");
                continue;
            }
            assert_eq!(theirs, ours, "{oracle} and {name}");
            *count += 1;
        }
    }
    println!("{by_one} messages alike with rsip, {by_other} with ezk-sip-types");
    assert!(by_one >= 10 && by_other >= 10, "{by_one} and {by_other} messages compared");
}
