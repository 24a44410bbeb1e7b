//! How transactions are named and found (RFC 3261 §17.1.3, §17.2.3).

use crate::sip::message::{BadValue, Host, Method, Request, Via};

use super::path::Transport;

/// Our name of a client transaction. Never used twice in one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientKey(pub(super) u64);

/// Our name of a server transaction. Never used twice in one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerKey(pub(super) u64);

/// What a response has in common with its request (RFC 3261 §17.1.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ClientMatch {
    branch: String,
    method: Method,
}

impl ClientMatch {
    /// `None` without a branch, which every request of ours has.
    pub fn of(via: &Via, method: Method) -> Option<Self> {
        Some(ClientMatch { branch: via.branch()?.to_ascii_lowercase(), method })
    }
}

/// `sent-by` with its port spelled out (RFC 3261 §18.2.2).
pub(super) fn sent_by(via: &Via) -> (Host, u16) {
    let default = if via.transport.is("TLS") { Transport::Tls } else { Transport::Udp }.default_port();
    (via.host.clone(), via.port.unwrap_or(default))
}

/// What the copies of a request, its ACK and its CANCEL have in common (RFC 3261 §17.2.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum ServerMatch {
    /// The branch begins with the cookie and goes on.
    Branch { branch: String, sent_by: (Host, u16), method: Method },
    /// An RFC 2543 client, or a branch that is nothing but the cookie.
    Fields(Box<Fields>),
}

/// The fields that name a transaction where the branch does not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Fields {
    uri: String,
    to_tag: Option<String>,
    from_tag: Option<String>,
    call_id: String,
    cseq: u32,
    via: String,
    method: Method,
}

impl ServerMatch {
    /// The key under which a transaction of `method` for `request` is found. `via` is its top Via as it was received.
    pub fn of(request: &Request, via: &Via, method: Method) -> Result<Self, BadValue> {
        if via.has_rfc3261_branch() {
            let branch = via.branch().unwrap_or_default().to_ascii_lowercase();
            return Ok(ServerMatch::Branch { branch, sent_by: sent_by(via), method });
        }
        let headers = request.headers();
        Ok(ServerMatch::Fields(Box::new(Fields {
            uri: request.uri().to_string(),
            to_tag: headers.to()?.tag().map(str::to_owned),
            from_tag: headers.from()?.tag().map(str::to_owned),
            call_id: headers.call_id()?.to_owned(),
            cseq: headers.cseq()?.number,
            via: via.to_string(),
            method,
        })))
    }

    /// The key under which `request` itself is looked up: an ACK asks for its INVITE.
    pub fn of_received(request: &Request, via: &Via) -> Result<Self, BadValue> {
        let method = match request.method() {
            // An ACK of RFC 2543 carries the To tag of the response, so it has a key of its own; see `for_ack`.
            Method::Ack if via.has_rfc3261_branch() => Method::Invite,
            method => method.clone(),
        };
        ServerMatch::of(request, via, method)
    }

    /// The further key of an INVITE transaction under which the ACK of an RFC 2543 client is found, once a response with
    /// `to_tag` has been sent; `None` where the branch does it.
    pub fn for_ack(&self, to_tag: Option<&str>) -> Option<Self> {
        match self {
            ServerMatch::Branch { .. } => None,
            ServerMatch::Fields(fields) => Some(ServerMatch::Fields(Box::new(Fields {
                to_tag: to_tag.map(str::to_owned),
                method: Method::Ack,
                ..(**fields).clone()
            }))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::request_via;
    use super::*;

    fn key_of(method: &str, via: &str) -> ServerMatch {
        let request = request_via(method, Transport::Udp, via);
        let via = request.headers().top_via().expect("valid");
        ServerMatch::of_received(&request, &via).expect("valid")
    }

    #[test]
    fn branch_sent_by_and_method_name_a_server_transaction() {
        let invite = key_of("INVITE", "a.example;branch=z9hG4bKx");
        assert_eq!(invite, key_of("INVITE", "A.example:5060;rport;branch=z9hG4bKX"));
        assert_eq!(invite, key_of("ACK", "a.example;branch=z9hG4bKx"));
        for other in ["b.example;branch=z9hG4bKx", "a.example:5070;branch=z9hG4bKx", "a.example;branch=z9hG4bKy"] {
            assert_ne!(invite, key_of("INVITE", other), "{other}");
        }
        assert_ne!(invite, key_of("CANCEL", "a.example;branch=z9hG4bKx"));
        assert_ne!(invite, key_of("BYE", "a.example;branch=z9hG4bKx"));
    }

    #[test]
    fn without_a_proper_branch_the_fields_do() {
        for via in ["a.example", "a.example;branch=z9hG4bK", "a.example;branch=1"] {
            let invite = key_of("INVITE", via);
            assert_eq!(invite, key_of("INVITE", via));
            assert!(matches!(invite, ServerMatch::Fields(_)), "{via}");
            assert_ne!(invite, key_of("INVITE", "b.example"), "{via}");
            // The ACK's To tag is that of the response.
            assert_ne!(invite, key_of("ACK", via), "{via}");
            assert_eq!(invite.for_ack(None), Some(key_of("ACK", via)), "{via}");
            assert_ne!(invite.for_ack(Some("t")), Some(key_of("ACK", via)), "{via}");
        }
        assert_eq!(key_of("INVITE", "a.example;branch=z9hG4bKx").for_ack(Some("t")), None);
    }
}
