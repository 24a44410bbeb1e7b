//! The requests that the layer makes itself out of an INVITE: the ACK for a refusal, and CANCEL.

use crate::sip::message::{CSeq, HeaderName, MAX_FORWARDS, Method, Request, Response};

/// The ACK for a final response other than 2xx (RFC 3261 §17.1.1.3).
pub(super) fn ack(invite: &Request, response: &Response) -> Request {
    let mut ack = derive(invite, Method::Ack);
    // The To of the response, for its tag.
    if let Ok(to) = response.headers().to() {
        ack.headers_mut().set(HeaderName::To, to);
    }
    ack
}

/// The CANCEL of an INVITE (RFC 3261 §9.1): nothing in To that the INVITE did not have.
pub(super) fn cancel(invite: &Request) -> Request {
    derive(invite, Method::Cancel)
}

fn derive(invite: &Request, method: Method) -> Request {
    let mut derived = Request::new(method.clone(), invite.uri().clone());
    let from = invite.headers();
    let headers = derived.headers_mut();
    if let Ok(via) = from.top_via() {
        headers.push(HeaderName::Via, via);
    }
    for name in [HeaderName::Route, HeaderName::From, HeaderName::To, HeaderName::CallId] {
        headers.copy(from, &name);
    }
    if let Ok(cseq) = from.cseq() {
        headers.push(HeaderName::CSeq, CSeq::new(cseq.number, method));
    }
    headers.push(HeaderName::MaxForwards, MAX_FORWARDS);
    derived
}
