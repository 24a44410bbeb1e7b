//! Whatever a value is made of, what we write of it reads back as that value, and adds no line to the message.

use proptest::prelude::*;
use ringcode::sip::message::{
    CSeq, Challenge, Contact, Credentials, HeaderName, HeaderValue, Host, Message, Method, NameAddr, Params, Reason,
    Request, SipUri, TelUri, Token, Uri, UserPart, Via,
};

/// Text as it comes from outside: anything, and often what breaks lines and quotes.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[\"\\\\<>,;=:@%?\r\n\0\t a]{0,20}", "[ -~]{0,20}"]
}

fn any_token() -> impl Strategy<Value = Token> {
    "[A-Za-z0-9.!%*_+`'~-]{1,12}".prop_map(|text| Token::try_from(text.as_str()).expect("a token"))
}

fn any_host() -> impl Strategy<Value = Host> {
    prop_oneof![
        any::<std::net::IpAddr>().prop_map(Host::from),
        "[A-Za-z][A-Za-z0-9_-]{0,10}(\\.[a-z]{2,5}){0,2}"
            .prop_map(|name| Host::try_from(name.as_str()).expect("a name")),
    ]
}

fn any_params() -> impl Strategy<Value = Vec<(String, Option<String>)>> {
    prop::collection::vec((any_text(), prop::option::of(any_text())), 0..5)
}

fn any_sip_uri() -> impl Strategy<Value = SipUri> {
    (any::<bool>(), prop::option::of(any_text()), any_host(), any::<Option<u16>>(), any_params()).prop_map(
        |(secure, user, host, port, params)| {
            let mut uri = SipUri::new(user.and_then(|user| UserPart::new(&user).ok()), host, port);
            uri.secure = secure;
            for (name, value) in params {
                uri.params.set(&name, value.as_deref());
            }
            uri
        },
    )
}

fn any_uri() -> impl Strategy<Value = Uri> {
    prop_oneof![
        any_sip_uri().prop_map(Uri::from),
        "\\+?[0-9*#A-F().-]{0,10}[0-9]".prop_map(|number| Uri::from(TelUri::new(&number).expect("a number"))),
        "[a-z][a-z0-9+.-]{0,8}x:[!#-;=?-~]{1,20}".prop_map(|text| Uri::try_from(text.as_str()).expect("a URI")),
    ]
}

fn fill(params: &mut Params, from: &[(String, Option<String>)]) {
    for (name, value) in from {
        params.set(name, value.as_deref());
    }
}

fn any_name_addr() -> impl Strategy<Value = NameAddr> {
    (any_uri(), prop::option::of(any_text()), any_params(), any_text()).prop_map(|(uri, name, params, tag)| {
        let mut address = NameAddr::new(uri).with_tag(&tag);
        if let Some(name) = name {
            address = address.with_display_name(&name);
        }
        fill(&mut address.params, &params);
        address
    })
}

fn any_via() -> impl Strategy<Value = Via> {
    (any_token(), any_host(), any::<Option<u16>>(), any_text(), any_params()).prop_map(
        |(transport, host, port, unique, params)| {
            let mut via = Via::new(transport, host, port, &unique);
            fill(&mut via.params, &params);
            via
        },
    )
}

fn any_method() -> impl Strategy<Value = Method> {
    prop_oneof![
        Just(Method::Invite),
        any_token().prop_map(|token| Method::parse(token.as_str().as_bytes()).expect("a token")),
    ]
}

/// The parameters of digest authentication, with any text.
fn any_auth_texts() -> impl Strategy<Value = [String; 6]> {
    [any_text(), any_text(), any_text(), any_text(), any_text(), any_text()]
}

const AUTH_NAMES: [&str; 6] = ["realm", "nonce", "algorithm", "qop", "nc", "stale"];

/// Puts a value into a message, and takes its first element out of what the message is on the wire.
fn through_a_message(name: HeaderName, value: impl Into<HeaderValue>) -> Result<Vec<u8>, TestCaseError> {
    let uri = Uri::try_from("sip:a@b").expect("a URI");
    let mut request = Request::new(Method::Options, uri);
    request.headers_mut().push(name.clone(), value);
    request.headers_mut().push(HeaderName::UserAgent, HeaderValue::try_from("x").expect("printable"));
    let written = request.to_bytes();
    let message =
        Message::parse(written.clone()).map_err(|error| TestCaseError::fail(format!("{error}: {written:?}")))?;
    prop_assert_eq!(message.headers().len(), 3, "{:?}", written);
    prop_assert_eq!(written.iter().filter(|byte| **byte == b'\r' || **byte == b'\n').count(), 10);
    Ok(message.headers().first(&name).unwrap_or_default().to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn uris(uri in any_uri()) {
        prop_assert_eq!(Uri::parse(uri.to_string().as_bytes()), Ok(uri.clone()));
        prop_assert!(uri.equivalent(&uri));
        prop_assert!(uri.to_string().bytes().all(|byte| byte.is_ascii_graphic()));
    }

    #[test]
    fn user_parts(text in any_text()) {
        match UserPart::new(&text) {
            Ok(user) => {
                prop_assert_eq!(user.unescaped(), text);
                prop_assert!(user.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
            }
            Err(_) => prop_assert!(text.is_empty() || text.chars().any(char::is_control)),
        }
    }

    #[test]
    fn addresses(address in any_name_addr()) {
        let written = through_a_message(HeaderName::From, &address)?;
        prop_assert_eq!(NameAddr::parse(&written), Ok(address.clone()));
        let contact = Contact::Address(address);
        prop_assert_eq!(Contact::parse(&through_a_message(HeaderName::Contact, &contact)?), Ok(contact));
    }

    #[test]
    fn lists_of_addresses(addresses in prop::collection::vec(any_name_addr(), 1..4)) {
        let uri = Uri::try_from("sip:a@b").expect("a URI");
        let mut request = Request::new(Method::Options, uri);
        request.headers_mut().push(HeaderName::Route, HeaderValue::list(addresses.clone()));
        let message = Message::parse(request.to_bytes()).expect("a message");
        prop_assert_eq!(message.headers().routes(), Ok(addresses));
    }

    #[test]
    fn vias(via in any_via()) {
        prop_assert_eq!(Via::parse(&through_a_message(HeaderName::Via, &via)?), Ok(via));
    }

    #[test]
    fn sequence_numbers(number in 0u32..=0x7fff_ffff, method in any_method()) {
        let cseq = CSeq::new(number, method);
        prop_assert_eq!(CSeq::parse(&through_a_message(HeaderName::CSeq, &cseq)?), Ok(cseq));
    }

    #[test]
    fn reasons(cause in any::<u8>(), status in any::<u16>(), text in prop::option::of(any_text())) {
        for reason in [Reason::q850(cause, text.as_deref()), Reason::sip(status, text.as_deref())] {
            prop_assert_eq!(Reason::parse(&through_a_message(HeaderName::Reason, &reason)?), Ok(reason));
        }
    }

    #[test]
    fn challenges(scheme in any_token(), texts in any_auth_texts()) {
        let challenge = AUTH_NAMES.into_iter().zip(&texts).fold(Challenge::new(scheme), |c, (name, text)| c.with(name, text));
        let written = through_a_message(HeaderName::WwwAuthenticate, &challenge)?;
        prop_assert_eq!(Challenge::parse_all(&written), Ok(vec![challenge]));
    }

    #[test]
    fn credentials(scheme in any_token(), texts in any_auth_texts()) {
        let credentials = AUTH_NAMES.into_iter().zip(&texts).fold(Credentials::new(scheme), |c, (name, text)| c.with(name, text));
        let written = through_a_message(HeaderName::Authorization, &credentials)?;
        prop_assert_eq!(Credentials::parse(&written), Ok(credentials));
    }

    #[test]
    fn free_values(text in any_text()) {
        match HeaderValue::try_from(text.as_str()) {
            Ok(value) => {
                let written = through_a_message(HeaderName::Subject, value)?;
                prop_assert_eq!(&String::from_utf8_lossy(&written), text.trim_matches(' '));
            }
            Err(_) => prop_assert!(text.chars().any(char::is_control)),
        }
    }

    /// What is read from anywhere is written so that it reads the same again.
    #[test]
    fn what_is_read_is_stable(text in prop_oneof![
        any_text(), "[ -~]{0,30}", "(sips?|tel|x):[ -~]{1,30}", "\"[ -~\0\u{7f}é]{0,10}\" *<sip:[!-~]{1,20}>(;[!-~]{1,10}){0,3}",
        "SIP */ *2.0 */ *[A-Z]{1,3} [ -~]{1,30}", "Digest [a-z]{1,5}=[ -~]{0,30}",
    ]) {
        let bytes = text.as_bytes();
        if let Ok(uri) = Uri::parse(bytes) {
            prop_assert_eq!(Uri::parse(uri.to_string().as_bytes()), Ok(uri));
        }
        if let Ok(address) = NameAddr::parse(bytes) {
            prop_assert!(!address.to_string().contains(['\r', '\n']));
            prop_assert_eq!(NameAddr::parse(address.to_string().as_bytes()), Ok(address));
        }
        if let Ok(via) = Via::parse(bytes) {
            prop_assert!(!via.to_string().contains(['\r', '\n']));
            prop_assert_eq!(Via::parse(via.to_string().as_bytes()), Ok(via));
        }
        if let Ok(credentials) = Credentials::parse(bytes) {
            prop_assert!(!credentials.to_string().contains(['\r', '\n']));
            prop_assert_eq!(Credentials::parse(credentials.to_string().as_bytes()), Ok(credentials));
        }
    }
}
