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
