//! Dialogs (RFC 3261 §12): the tags, sequence numbers, target and route of one call between two user agents.
//!
//! | rule | test |
//! |---|---|
//! | RFC 3261 §12.1.2: the client's route set is Record-Route reversed | `requests_follow_the_route_set` |
//! | §12.1.1: the server's is Record-Route as it stands | `the_server_keeps_the_order_of_record_route` |
//! | §12.2.1.1: Contact is the Request-URI, Route the route set | `requests_follow_the_route_set` |
//! | §12.2.1.1: a strict router's URI is the Request-URI, the target the last Route | `a_strict_router_gets_its_uri_first` |
//! | §12.2.1.1: CSeq grows by one; ACK has the INVITE's | `sequence_numbers_grow_and_ack_repeats` |
//! | §12.2.2: a lower CSeq is out of order, gaps are fine | `only_lower_sequence_numbers_are_out_of_order` |
//! | §12.2.2: re-INVITE and UPDATE refresh the target, never the route set | `a_refresh_moves_the_target_only` |
//! | §8.1.2, §18.1.1: the next hop is the topmost Route or the target | `the_next_hop_is_the_first_address_on_the_way` |
//!
//! Deviations: a response without Contact keeps the Request-URI of the INVITE as its target, for some gateways forget
//! it; a peer without a tag is taken as RFC 2543 asks (§12.1.2).

use std::net::SocketAddr;

use super::message::{
    BadValue, CSeq, DEFAULT_PORT, HeaderName, HeaderValue, Headers, MAX_FORWARDS, Method, NameAddr, Request, Response,
    Uri,
};

/// One end of a dialog.
#[derive(Clone, Debug)]
pub struct Dialog {
    call_id: HeaderValue,
    local: NameAddr,
    remote: NameAddr,
    target: Uri,
    routes: Vec<NameAddr>,
    local_cseq: u32,
    remote_cseq: Option<u32>,
}

impl Dialog {
    /// The dialog that `response`, a 2xx to our `invite`, makes (RFC 3261 §12.1.2).
    ///
    /// # Errors
    /// When From, To, Call-ID, CSeq or a Record-Route cannot be read.
    pub fn of_response(invite: &Request, response: &Response) -> Result<Self, BadValue> {
        let (sent, got) = (invite.headers(), response.headers());
        let target = got.contact().map_or_else(|| invite.uri().clone(), |contact| contact.uri);
        Dialog::as_client(sent.from()?, sent.cseq()?.number, target, got)
    }

    /// The dialog of a 2xx whose INVITE we no longer have: enough to end it.
    ///
    /// # Errors
    /// As [`Dialog::of_response`].
    pub fn of_orphan(response: &Response) -> Result<Self, BadValue> {
        let headers = response.headers();
        let target = headers.contact().map_or_else(|| headers.to().map(|to| to.uri), |contact| Ok(contact.uri))?;
        Dialog::as_client(headers.from()?, headers.cseq()?.number, target, headers)
    }

    fn as_client(local: NameAddr, local_cseq: u32, target: Uri, response: &Headers) -> Result<Self, BadValue> {
        let mut routes = response.record_routes()?;
        routes.reverse();
        Ok(Dialog {
            call_id: HeaderValue::try_from(response.call_id()?)?,
            local,
            remote: response.to()?,
            target,
            routes,
            local_cseq,
            remote_cseq: None,
        })
    }

    /// The dialog that our 2xx with `local_tag` to `invite` makes (RFC 3261 §12.1.1).
    ///
    /// # Errors
    /// When From, To, Call-ID, CSeq or a Record-Route cannot be read, or there is no Contact.
    pub fn of_request(invite: &Request, local_tag: &str) -> Result<Self, BadValue> {
        let headers = invite.headers();
        Ok(Dialog {
            call_id: HeaderValue::try_from(headers.call_id()?)?,
            local: headers.to()?.with_tag(local_tag),
            remote: headers.from()?,
            target: headers.contact().ok_or(BadValue { subject: "Contact", why: "is missing" })?.uri,
            routes: headers.record_routes()?,
            local_cseq: 0,
            remote_cseq: Some(headers.cseq()?.number),
        })
    }

    /// The peer's tag; empty for an RFC 2543 peer.
    pub fn remote_tag(&self) -> &str {
        self.remote.tag().unwrap_or_default()
    }

    /// A request of ours, complete but for Via, Contact and body. Uses up a sequence number.
    pub fn request(&mut self, method: Method) -> Request {
        let number = self.next_cseq();
        self.build(method, number)
    }

    /// The ACK for a 2xx to our INVITE with the sequence number `number` (RFC 3261 §13.2.2.4), without Via.
    pub fn ack(&self, number: u32) -> Request {
        self.build(Method::Ack, number)
    }

    /// Uses up a sequence number.
    pub fn next_cseq(&mut self) -> u32 {
        // RFC 3261 §8.1.1.5 bounds it to 31 bits; a call would have to last for centuries.
        self.local_cseq = self.local_cseq.saturating_add(1);
        self.local_cseq
    }

    /// Takes note of the sequence number of a request of the peer's. `false` when it is out of order, to be answered
    /// with 500.
    pub fn accept_cseq(&mut self, number: u32) -> bool {
        if self.remote_cseq.is_some_and(|last| number < last) {
            return false;
        }
        self.remote_cseq = Some(number);
        true
    }

    /// Takes the Contact of a re-INVITE or UPDATE, or of the 2xx to one (RFC 3261 §12.2).
    pub fn refresh_target(&mut self, headers: &Headers) {
        if let Some(contact) = headers.contact() {
            self.target = contact.uri;
        }
    }

    /// Where the next request goes, when the way names an address that datagrams reach; `None` leaves it to the trunk.
    pub fn next_hop(&self) -> Option<SocketAddr> {
        let uri = self.routes.first().map_or(&self.target, |route| &route.uri).as_sip()?;
        let over_udp = uri.params.get("transport").is_none_or(|transport| transport.eq_ignore_ascii_case("udp"));
        let address = uri.host.ip().filter(|_| over_udp && !uri.secure)?;
        Some(SocketAddr::new(address, uri.port.unwrap_or(DEFAULT_PORT)))
    }

    fn build(&self, method: Method, number: u32) -> Request {
        let is_loose = |route: &NameAddr| route.uri.params().is_some_and(|params| params.has("lr"));
        let mut routes = self.routes.clone();
        let mut uri = self.target.clone();
        if routes.first().is_some_and(|first| !is_loose(first)) {
            // RFC 3261 §12.2.1.1, §16.12: an RFC 2543 proxy routes by the Request-URI.
            let first = routes.remove(0).uri;
            let last = std::mem::replace(&mut uri, first);
            routes.push(NameAddr::new(last));
        }
        let uri = match &uri {
            Uri::Sip(sip) => sip.as_request_uri().into(),
            other => other.clone(),
        };
        let mut request = Request::new(method.clone(), uri);
        let headers = request.headers_mut();
        for route in routes {
            headers.push(HeaderName::Route, route);
        }
        headers.push(HeaderName::MaxForwards, MAX_FORWARDS);
        headers.push(HeaderName::From, &self.local);
        headers.push(HeaderName::To, &self.remote);
        headers.push(HeaderName::CallId, self.call_id.clone());
        headers.push(HeaderName::CSeq, CSeq::new(number, method));
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::Message;

    fn request(text: &str) -> Request {
        match Message::parse(text.replace('\n', "\r\n").into_bytes().into()) {
            Ok(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    fn response(text: &str) -> Response {
        match Message::parse(text.replace('\n', "\r\n").into_bytes().into()) {
            Ok(Message::Response(response)) => response,
            other => panic!("{other:?}"),
        }
    }

    fn invite(more: &str) -> Request {
        request(&format!(
            "INVITE sip:bob@example.com SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKa\nFrom: <sip:a@example.com>;tag=af\n\
             To: <sip:bob@example.com>\nCall-ID: c1\nCSeq: 7 INVITE\nContact: <sip:a@127.0.0.1:5071>\n{more}\n"
        ))
    }

    fn client(more: &str) -> Dialog {
        let ok = format!(
            "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKa\nFrom: <sip:a@example.com>;tag=af\n\
             To: <sip:bob@example.com>;tag=bt\nCall-ID: c1\nCSeq: 7 INVITE\n{more}\n"
        );
        Dialog::of_response(&invite(""), &response(&ok)).expect("a dialog")
    }

    fn routes(request: &Request) -> Vec<String> {
        request.headers().routes().expect("readable").iter().map(|route| route.uri.to_string()).collect()
    }

    #[test]
    fn requests_follow_the_route_set() {
        let mut dialog = client(
            "Contact: <sip:bob@192.0.2.7:5080;transport=tls?X=y>\nRecord-Route: <sip:p2.example.com;lr>, <sip:p1.example.com;lr>\n",
        );
        let bye = dialog.request(Method::Bye);
        assert_eq!(bye.uri().to_string(), "sip:bob@192.0.2.7:5080;transport=tls");
        assert_eq!(routes(&bye), ["sip:p1.example.com;lr", "sip:p2.example.com;lr"]);
        assert_eq!(bye.headers().to().expect("To").tag(), Some("bt"));
        assert_eq!(bye.headers().from().expect("From").tag(), Some("af"));
        assert_eq!(dialog.remote_tag(), "bt");
    }

    #[test]
    fn the_server_keeps_the_order_of_record_route() {
        let invite = invite("Record-Route: <sip:p1.example.com;lr>\nRecord-Route: <sip:p2.example.com;lr>\n");
        let mut dialog = Dialog::of_request(&invite, "bt").expect("a dialog");
        let bye = dialog.request(Method::Bye);
        assert_eq!(routes(&bye), ["sip:p1.example.com;lr", "sip:p2.example.com;lr"]);
        assert_eq!(bye.uri().to_string(), "sip:a@127.0.0.1:5071");
        assert_eq!(bye.headers().from().expect("From").tag(), Some("bt"));
    }

    #[test]
    fn a_strict_router_gets_its_uri_first() {
        let mut dialog = client(
            "Contact: <sip:bob@192.0.2.7>\nRecord-Route: <sip:p2.example.com;lr>\nRecord-Route: <sip:p1.example.com;method=INVITE>\n",
        );
        let bye = dialog.request(Method::Bye);
        assert_eq!(bye.uri().to_string(), "sip:p1.example.com");
        assert_eq!(routes(&bye), ["sip:p2.example.com;lr", "sip:bob@192.0.2.7"]);
    }

    #[test]
    fn sequence_numbers_grow_and_ack_repeats() {
        let mut dialog = client("Contact: <sip:bob@192.0.2.7>\n");
        let number = |request: Request| request.headers().cseq().map(|cseq| cseq.to_string());
        assert_eq!(number(dialog.ack(7)), Ok("7 ACK".to_owned()));
        assert_eq!(number(dialog.request(Method::Bye)), Ok("8 BYE".to_owned()));
        assert_eq!(number(dialog.request(Method::Bye)), Ok("9 BYE".to_owned()));
    }

    #[test]
    fn only_lower_sequence_numbers_are_out_of_order() {
        let mut dialog = client("");
        assert!(dialog.accept_cseq(4) && dialog.accept_cseq(90));
        assert!(!dialog.accept_cseq(89));
        assert!(dialog.accept_cseq(91));
    }

    #[test]
    fn a_refresh_moves_the_target_only() {
        let mut dialog = client("Contact: <sip:bob@192.0.2.7>\nRecord-Route: <sip:p1.example.com;lr>\n");
        dialog.refresh_target(invite("Record-Route: <sip:evil.example;lr>\n").headers());
        let bye = dialog.request(Method::Bye);
        assert_eq!(bye.uri().to_string(), "sip:a@127.0.0.1:5071");
        assert_eq!(routes(&bye), ["sip:p1.example.com;lr"]);
    }

    #[test]
    fn the_next_hop_is_the_first_address_on_the_way() {
        let hop = |more: &str| client(more).next_hop();
        assert_eq!(hop("Contact: <sip:bob@192.0.2.7:5080>\n"), Some(SocketAddr::from(([192, 0, 2, 7], 5080))));
        let routed = "Contact: <sip:bob@192.0.2.7:5080>\nRecord-Route: <sip:192.0.2.1;lr>\n";
        assert_eq!(hop(routed), Some(SocketAddr::from(([192, 0, 2, 1], 5060))));
        assert_eq!(hop("Contact: <sip:bob@host.example>\n"), None);
        assert_eq!(hop("Contact: <sip:bob@192.0.2.7;transport=tcp>\n"), None);
        assert_eq!(hop("Contact: <tel:+123>\n"), None);
    }

    #[test]
    fn a_response_without_contact_keeps_the_request_uri() {
        assert_eq!(client("").request(Method::Bye).uri().to_string(), "sip:bob@example.com");
    }
}
