//! Forwards calls to telephones that have registered, without keeping state (RFC 3261 §16.11).
//!
//! | rule | test |
//! |---|---|
//! | RFC 3261 §16.3 step 3, §16.6 step 3: Max-Forwards | `a_request_that_has_hopped_enough_is_refused` |
//! | §16.4, §16.6 step 4: our Route goes, our Record-Route comes | `a_dialog_comes_back_through_us` |
//! | §16.6 step 8, §16.11: the branch depends on the request, so that ACK and CANCEL follow their INVITE | `cancel_and_ack_get_the_branch_of_their_invite` |
//! | §16.7 step 3, §18.2.2: a response goes back by the next Via | `a_response_goes_back_where_its_request_came_from` |
//!
//! Not done: forking, timers and CANCEL of its own, which need state; loop detection, for Max-Forwards ends a loop.

use std::net::SocketAddr;

use bytes::Bytes;

use crate::lab::registrar::{stable_token, stamp_via};
use crate::sip::message::{
    DEFAULT_PORT, HeaderName, HeaderValue, Host, MAGIC_COOKIE, MAX_FORWARDS, Method, NameAddr, Request, Response,
    SipUri, Token, Uri, Via,
};

/// Marks our branches among those of the carrier's own user agent.
const BRANCH_MARK: &str = "lab-";

/// The forwarding half of the carrier.
#[derive(Debug)]
pub struct Proxy {
    local: SocketAddr,
    key: u64,
}

/// A message and whom it goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarded {
    /// To whom.
    pub remote: SocketAddr,
    /// All of it.
    pub bytes: Bytes,
}

impl Proxy {
    /// A proxy that is reached at `local`; `key` makes its branches its own.
    pub fn new(local: SocketAddr, key: u64) -> Self {
        Proxy { local, key }
    }

    /// Whether `uri` is the carrier itself.
    pub fn is_us(&self, uri: &Uri) -> bool {
        socket_address(uri) == Some(self.local)
    }

    /// Takes our own address from the top of the route (RFC 3261 §16.4).
    pub fn strip_route(&self, request: &mut Request) {
        let Ok(routes) = request.headers().routes() else { return };
        if routes.first().is_some_and(|route| self.is_us(&route.uri)) {
            request.headers_mut().remove(&HeaderName::Route);
            for route in routes.into_iter().skip(1) {
                request.headers_mut().push(HeaderName::Route, route);
            }
        }
    }

    /// Where a request inside a dialog goes next: the rest of its route, else its Request-URI. `None` for a host name,
    /// which the lab does not resolve.
    pub fn next_hop(&self, request: &Request) -> Option<SocketAddr> {
        match request.headers().routes().ok()?.first() {
            Some(route) => socket_address(&route.uri),
            None => socket_address(request.uri()),
        }
    }

    /// Forwards `request`, which came from `source`, to `remote`, with `target` as its new Request-URI.
    ///
    /// # Errors
    /// The status to answer with instead.
    pub fn forward(
        &self,
        request: &Request,
        source: SocketAddr,
        target: Option<&Uri>,
        remote: SocketAddr,
    ) -> Result<Forwarded, u16> {
        // RFC 3261 §16.6 step 3.
        let hops = request.headers().max_forwards().unwrap_or(MAX_FORWARDS);
        if hops == 0 {
            return Err(483);
        }
        let mut headers = request.headers().clone();
        let mut via = headers.top_via().map_err(|_| 400u16)?;
        let branch = self.branch(&via);
        stamp_via(&mut via, source);
        headers.set_top_via(&via);
        let our_host = Host::from(self.local.ip());
        let our_via = Via::new(Token::from_static("UDP"), our_host.clone(), Some(self.local.port()), &branch);
        headers.push_front(HeaderName::Via, our_via);
        headers.set(HeaderName::MaxForwards, hops - 1);
        if *request.method() == Method::Invite {
            let us = SipUri::new(None, our_host, Some(self.local.port())).with_param("lr", None);
            headers.push_front(HeaderName::RecordRoute, NameAddr::new(Uri::from(us)));
        }
        let uri = target.unwrap_or(request.uri()).clone();
        let mut onward = Request::new(request.method().clone(), uri);
        if let Some(content_type) = request.headers().text(&HeaderName::ContentType) {
            let content_type = HeaderValue::try_from(content_type).map_err(|_| 400u16)?;
            onward = onward.with_body(content_type, request.body().to_vec());
        }
        *onward.headers_mut() = headers;
        Ok(Forwarded { remote, bytes: onward.to_bytes() })
    }

    /// Whether `response` is to a request that was forwarded, rather than to one of the carrier's own.
    pub fn has_forwarded(&self, response: &Response) -> bool {
        let mark =
            |via: Via| via.branch().is_some_and(|branch| branch.starts_with(&format!("{MAGIC_COOKIE}{BRANCH_MARK}")));
        response.headers().top_via().is_ok_and(mark)
    }

    /// Sends a response on by the Via below ours. `None` when there is none that leads anywhere, or when the branch above
    /// it was not made from it: nobody has us send what we were not sent.
    pub fn send_back(&self, response: &Response) -> Option<Forwarded> {
        let ours = response.headers().top_via().ok()?;
        let mut response = response.clone();
        response.headers_mut().remove_top_via();
        let via = response.headers().top_via().ok()?;
        if ours.branch()?.strip_prefix(MAGIC_COOKIE) != Some(self.branch(&via).as_str()) {
            return None;
        }
        // RFC 3261 §18.2.2, RFC 3581 §4.
        let ip = via.received().or(via.host.ip())?;
        let port = via.rport().flatten().or(via.port).unwrap_or(DEFAULT_PORT);
        Some(Forwarded { remote: SocketAddr::new(ip, port), bytes: response.to_bytes() })
    }

    fn branch(&self, via: &Via) -> String {
        let sent_by = format!("{}:{}", via.host, via.port.unwrap_or(DEFAULT_PORT));
        let token = stable_token(self.key, &[via.branch().unwrap_or_default(), &sent_by]);
        format!("{BRANCH_MARK}{token}")
    }
}

/// The address of a SIP URI that gives one, with the default port.
fn socket_address(uri: &Uri) -> Option<SocketAddr> {
    let uri = uri.as_sip()?;
    Some(SocketAddr::new(uri.host.ip()?, uri.port.unwrap_or(DEFAULT_PORT)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::registrar::tests::request;
    use crate::sip::message::{CSeq, Message};

    const LOCAL: &str = "127.0.0.1:5070";

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn proxy() -> Proxy {
        Proxy::new(address(LOCAL), 7)
    }

    fn parsed(forwarded: &Forwarded) -> Request {
        match Message::parse(forwarded.bytes.clone()).unwrap() {
            Message::Request(request) => request,
            Message::Response(_) => panic!("a response"),
        }
    }

    fn forwarded(method: Method) -> Request {
        let source = address("127.0.0.8:4444");
        let target = Uri::parse(b"sip:bob@127.0.0.9:5090;x=1").unwrap();
        let request = request(method, "0919273027", Some("<sip:me@127.0.0.8:4444>"), None)
            .with_body(HeaderValue::try_from("application/sdp").unwrap(), "v=0\r\n");
        parsed(&proxy().forward(&request, source, Some(&target), address("127.0.0.9:5090")).unwrap())
    }

    #[test]
    fn a_dialog_comes_back_through_us() {
        let invite = forwarded(Method::Invite);
        assert_eq!(invite.uri().to_string(), "sip:bob@127.0.0.9:5090;x=1");
        assert_eq!(invite.body(), b"v=0\r\n");
        assert_eq!(invite.headers().max_forwards(), Some(69));
        let route = invite.headers().record_routes().unwrap().remove(0);
        assert!(proxy().is_us(&route.uri) && route.uri.params().unwrap().has("lr"), "{route}");
        let mut bye = request(Method::Bye, "0919273027", None, None);
        bye.headers_mut().push(HeaderName::Route, route);
        bye.headers_mut().push(HeaderName::Route, NameAddr::new(Uri::parse(b"sip:127.0.0.7;lr").unwrap()));
        proxy().strip_route(&mut bye);
        assert_eq!(proxy().next_hop(&bye), Some(address("127.0.0.7:5060")));
        proxy().strip_route(&mut bye);
        assert_eq!(bye.headers().routes().unwrap().len(), 1, "a route that is not ours stays");
    }

    #[test]
    fn cancel_and_ack_get_the_branch_of_their_invite() {
        let branch = |method| forwarded(method).headers().top_via().unwrap().branch().unwrap().to_owned();
        let invite = branch(Method::Invite);
        assert_eq!((branch(Method::Cancel), branch(Method::Ack)), (invite.clone(), invite.clone()));
        let other = Proxy::new(address(LOCAL), 8);
        let request = request(Method::Invite, "1", None, None);
        let other = parsed(&other.forward(&request, address(LOCAL), None, address(LOCAL)).unwrap());
        assert_ne!(other.headers().top_via().unwrap().branch().unwrap(), invite);
    }

    #[test]
    fn a_response_goes_back_where_its_request_came_from() {
        let invite = forwarded(Method::Invite);
        let response = Response::reply_to(&invite, 180);
        assert!(proxy().has_forwarded(&response));
        let back = proxy().send_back(&response).unwrap();
        assert_eq!(back.remote, address("127.0.0.8:4444"));
        let Message::Response(response) = Message::parse(back.bytes).unwrap() else { panic!("a request") };
        assert_eq!(response.headers().vias().unwrap().len(), 1);
        assert_eq!(response.headers().record_routes().unwrap().len(), 1);
        assert!(!proxy().has_forwarded(&response));
        assert_eq!(proxy().send_back(&response), None);
    }

    #[test]
    fn a_response_to_what_we_never_forwarded_goes_nowhere() {
        let mut response = Response::reply_to(&forwarded(Method::Invite), 180);
        let ours = response.headers().top_via().unwrap();
        response.headers_mut().remove_top_via();
        let mut elsewhere = response.headers().top_via().unwrap();
        elsewhere.host = Host::try_from("127.0.0.66").unwrap();
        response.headers_mut().set_top_via(&elsewhere);
        response.headers_mut().push_front(HeaderName::Via, ours);
        assert_eq!(proxy().send_back(&response), None);
    }

    #[test]
    fn a_request_that_has_hopped_enough_is_refused() {
        let mut request = request(Method::Invite, "1", None, None);
        request.headers_mut().set(HeaderName::MaxForwards, 0);
        assert_eq!(proxy().forward(&request, address(LOCAL), None, address(LOCAL)), Err(483));
        request.headers_mut().set(HeaderName::MaxForwards, 1);
        let onward = parsed(&proxy().forward(&request, address(LOCAL), None, address(LOCAL)).unwrap());
        assert_eq!(onward.headers().max_forwards(), Some(0));
    }

    #[test]
    fn a_next_hop_by_name_is_not_followed() {
        let host = Host::try_from("example.com").unwrap();
        let mut request = Request::new(Method::Bye, Uri::sip(None, host, None));
        request.headers_mut().push(HeaderName::CSeq, CSeq::new(1, Method::Bye));
        assert_eq!(proxy().next_hop(&request), None);
    }
}
