//! What is asked of every request, whatever its path: a Host that is ours (against DNS rebinding), no foreign Origin
//! (against pages that post to the local port), and answers that nobody caches. A panic in a handler ends as a 500.

use std::net::{IpAddr, SocketAddr};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header, uri::Authority};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;

use super::Api;
use super::error::ApiError;

/// The names under which clients may address the API.
pub struct Hosts {
    listen: IpAddr,
    names: Vec<String>,
}

impl Hosts {
    /// `localhost`, `names`, and the addresses that lead to `listen`.
    pub fn new(listen: SocketAddr, names: Vec<String>) -> Self {
        Hosts { listen: listen.ip(), names }
    }

    /// Whether `authority`, a Host header or the like, is ours. The port is the client's business: a proxy or a tunnel
    /// may change it.
    fn allows(&self, authority: &str) -> bool {
        // An authority has no user part here; with one, what looks like our host could be a password.
        let Some(authority) = authority.parse::<Authority>().ok().filter(|a| !a.as_str().contains('@')) else {
            return false;
        };
        let host = authority.host();
        if let Ok(ip) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            // Rebinding needs a name, so that an address can only be ours; but it must lead to where we listen.
            return ip == self.listen
                || self.listen.is_unspecified()
                || (ip.is_loopback() && self.listen.is_loopback());
        }
        let host = host.strip_suffix('.').unwrap_or(host);
        host.eq_ignore_ascii_case("localhost") || self.names.iter().any(|name| host.eq_ignore_ascii_case(name))
    }

    fn check(&self, request: &Request) -> Result<(), ApiError> {
        let mut hosts = request.headers().get_all(header::HOST).iter();
        let host = hosts.next().and_then(|host| host.to_str().ok()).ok_or(ApiError::Host)?;
        if hosts.next().is_some() || !self.allows(host) {
            return Err(ApiError::Host);
        }
        // RFC 9112 §3.2.2: the authority of an absolute request target stands above Host.
        if request.uri().authority().is_some_and(|authority| !self.allows(authority.as_str())) {
            return Err(ApiError::Host);
        }
        let Some(origin) = request.headers().get(header::ORIGIN) else { return Ok(()) };
        let origin = origin.to_str().unwrap_or("");
        let site = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        // The same host and port, so that another server on this machine is another site too.
        if site == Some(host) { Ok(()) } else { Err(ApiError::Origin) }
    }
}

/// `scheme://host` of a request that has passed, for absolute links. A proxy in front of us says when it speaks TLS.
pub fn base_url(headers: &HeaderMap) -> String {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let scheme = if text("x-forwarded-proto") == Some("https") { "https" } else { "http" };
    format!("{scheme}://{}", text("host").unwrap_or("localhost"))
}

/// Puts the guard around `router`.
pub fn wrap(router: Router, api: Api) -> Router {
    router.layer(CatchPanicLayer::custom(|_| ApiError::Panic.into_response())).layer(from_fn_with_state(api, watch))
}

async fn watch(State(api): State<Api>, request: Request, next: Next) -> Response {
    let mut response = match api.shared.hosts.check(&request) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(listen: &str) -> Hosts {
        Hosts::new(listen.parse().expect("an address"), vec!["otp.example.net".into()])
    }

    #[test]
    fn only_our_own_names_are_hosts() {
        let local = hosts("127.0.0.1:8080");
        for host in
            ["127.0.0.1:8080", "127.0.0.1", "localhost:9", "LOCALHOST", "[::1]:8080", "otp.example.net", "localhost."]
        {
            assert!(local.allows(host), "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "192.0.2.1:8080",
            "localhost@evil.example",
            "evil@localhost",
            "otp.example.net.evil.example",
            "",
            "a b",
        ] {
            assert!(!local.allows(host), "{host}");
        }
        assert!(hosts("0.0.0.0:8080").allows("192.0.2.1:8080"));
        assert!(!hosts("0.0.0.0:8080").allows("evil.example"));
        assert!(!hosts("192.0.2.1:8080").allows("127.0.0.1"));
    }

    #[test]
    fn only_our_own_pages_may_ask() {
        let local = hosts("127.0.0.1:8080");
        let check = |origin: Option<&str>| {
            let mut request = Request::builder().uri("/").header("host", "localhost:8080");
            if let Some(origin) = origin {
                request = request.header("origin", origin);
            }
            local.check(&request.body(axum::body::Body::empty()).expect("a request")).is_ok()
        };
        assert!(check(None));
        assert!(check(Some("http://localhost:8080")));
        for origin in
            ["null", "http://evil.example", "http://localhost:3000", "http://localhost", "file://localhost:8080"]
        {
            assert!(!check(Some(origin)), "{origin}");
        }
    }
}
