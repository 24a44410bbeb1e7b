//! What a message comes to, in terms that every parser can be asked for.

use bytes::Bytes;
use ringcode::sip::message::{
    Contact, Message, Method, NameAddr, Request, Response, Via, check_request, check_response,
};

/// What we write can be read again, unless it was at our limits when it came: compact names become full ones.
pub fn assert_readable(message: &Message) -> Option<Message> {
    let written = message.to_bytes();
    match (Message::parse(written.clone()), message) {
        (Ok(read @ Message::Request(_)), Message::Request(_)) => Some(read),
        (Ok(read @ Message::Response(_)), Message::Response(_)) => Some(read),
        (Err(malformed), _) if malformed.status() == 513 => None,
        (other, _) => panic!("{} reads as {other:?}", written.escape_ascii()),
    }
}

/// How a message ends that arrives at a server or client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is handed on.
    Passes,
    /// It is answered with this status and goes no further.
    Answered(u16),
    /// It is dropped without a word.
    Dropped,
}

/// What the message layer does with a datagram. Every answer must itself be a message.
pub fn outcome(bytes: &Bytes) -> Outcome {
    let answer = match Message::parse(bytes.clone()) {
        Err(malformed) => malformed.reply().inspect(|reply| assert_eq!(reply.status(), malformed.status())),
        Ok(Message::Response(response)) => match check_response(&response) {
            Ok(()) => return Outcome::Passes,
            Err(_) => None,
        },
        Ok(Message::Request(request)) => match check_request(&request) {
            Ok(()) => return Outcome::Passes,
            Err(_) if *request.method() == Method::Ack => None,
            Err((status, _)) => Some(Response::reply_to(&request, status)),
        },
    };
    match answer {
        Some(answer) => {
            let status = answer.status();
            assert_readable(&answer.into());
            Outcome::Answered(status)
        }
        None => Outcome::Dropped,
    }
}

/// The typed values of a message, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The method, or the status.
    pub start: String,
    /// `TRANSPORT/host[:port]`, topmost first.
    pub vias: Vec<String>,
    /// `uri|tag`
    pub from: String,
    /// `uri|tag`
    pub to: String,
    /// `number METHOD`
    pub cseq: String,
    /// Call-ID.
    pub call_id: String,
    /// URIs, and `*`.
    pub contacts: Vec<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Reads a message that must be valid.
pub fn facts(name: &str, bytes: &Bytes) -> Facts {
    let message = Message::parse(bytes.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
    let headers = message.headers();
    let via = |via: Via| match via.port {
        Some(port) => format!("{}/{}:{port}", via.transport, via.host),
        None => format!("{}/{}", via.transport, via.host),
    };
    let address = |address: NameAddr| format!("{}|{}", address.uri, address.tag().unwrap_or_default());
    let contact = |contact: Contact| match contact {
        Contact::Star => "*".to_owned(),
        Contact::Address(address) => address.uri.to_string(),
    };
    let fail = |error| panic!("{name}: {error}");
    Facts {
        start: match &message {
            Message::Request(request) => request.method().to_string(),
            Message::Response(response) => response.status().to_string(),
        },
        vias: headers.vias().unwrap_or_else(fail).into_iter().map(via).collect(),
        from: address(headers.from().unwrap_or_else(|error| panic!("{name}: {error}"))),
        to: address(headers.to().unwrap_or_else(|error| panic!("{name}: {error}"))),
        cseq: headers.cseq().unwrap_or_else(|error| panic!("{name}: {error}")).to_string(),
        call_id: headers.call_id().unwrap_or_else(|error| panic!("{name}: {error}")).to_owned(),
        contacts: headers
            .contacts()
            .unwrap_or_else(|error| panic!("{name}: {error}"))
            .into_iter()
            .map(contact)
            .collect(),
        body: message.body().to_vec(),
    }
}

/// Reads a request that must be valid.
pub fn request(name: &str, bytes: &Bytes) -> Request {
    match Message::parse(bytes.clone()) {
        Ok(Message::Request(request)) => request,
        other => panic!("{name} is no request: {other:?}"),
    }
}

/// Reads a response that must be valid.
pub fn response(name: &str, bytes: &Bytes) -> Response {
    match Message::parse(bytes.clone()) {
        Ok(Message::Response(response)) => response,
        other => panic!("{name} is no response: {other:?}"),
    }
}
