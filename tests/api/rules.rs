//! What holds for every request: bodies, hosts, origins, and the health of the daemon.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::{FAR, Server};

const CALLS: &str = "/rest-api/voice-otp/";

#[tokio::test]
async fn only_json_is_read() {
    let server = Server::start().await;
    for path in [CALLS, "/send-otp", "/verify-otp"] {
        for (media_type, shown) in [
            ("text/plain", "text/plain"),
            ("application/x-www-form-urlencoded", "application/x-www-form-urlencoded"),
            ("multipart/form-data; boundary=x", "multipart/form-data; boundary=x"),
            ("application/jsonx", "application/jsonx"),
        ] {
            let request = server.bob("POST", path).header("content-type", media_type).body("{}");
            let expected = json!({ "detail": format!("Unsupported media type \"{shown}\" in request.") });
            server.expect(request, 415, expected).await;
        }
        let expected = json!({ "detail": "Unsupported media type \"\" in request." });
        server.expect(server.bob("POST", path).body("{}"), 415, expected).await;
    }
    let login = server.request("POST", "/rest-api/get-token/").header("content-type", "text/plain").body("{}");
    server.expect(login, 415, json!({ "detail": "Unsupported media type \"text/plain\" in request." })).await;
}

#[tokio::test]
async fn what_is_no_json_is_told_without_repeating_it() {
    let server = Server::start().await;
    let body = "{\"alarm_phonenumber\":\"0919273027\",\"otp\":\"918273\"";
    let request = server.bob("POST", CALLS).header("content-type", "application/json; charset=utf-8").body(body);
    let answer = server.expect(request, 400, json!({ "detail": "*" })).await;
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(detail.starts_with("JSON parse error - ") && !detail.contains("918273"), "{detail}");
    let deep = "[".repeat(20_000);
    let request = server.bob("POST", CALLS).header("content-type", "application/json").body(deep);
    server.expect(request, 400, json!({ "detail": "*" })).await;
    let request = server.bob("POST", CALLS).header("content-type", "application/json").body(vec![b'"', 0xff, b'"']);
    server.expect(request, 400, json!({ "detail": "*" })).await;
}

#[tokio::test]
async fn a_body_has_a_size() {
    let server = Server::start().await;
    let large = json!({ "detail": "The request body is larger than 65536 bytes." });
    let fits = format!("{{\"x\":\"{}\"}}", "x".repeat(65_536 - 8));
    let request = |body: String| server.bob("POST", CALLS).header("content-type", "application/json").body(body);
    server.expect(request(fits.clone()), 400, json!({ "alarm_phonenumber": ["*"] })).await;
    server.expect(request(format!("{fits} ")), 413, large.clone()).await;
    // Before a byte of it was sent, when the length is said.
    let said = exchange(&server, "Content-Length: 1000000\r\nContent-Type: application/json\r\n\r\n").await;
    assert!(said.starts_with("HTTP/1.1 413"), "{said}");
    // As it arrives, when it is not.
    let chunk = format!("{:x}\r\n{}\r\n", 40_000, "x".repeat(40_000));
    let sent = format!("Transfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n{chunk}{chunk}");
    let answer = exchange(&server, &sent).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let server = Server::start().await;
    let answer = exchange(&server, "Content-Length: 10\r\nContent-Type: application/json\r\n\r\n{").await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.ends_with("{\"detail\":\"The request body did not arrive in time.\"}"), "{answer}");
}

/// Posts a call as Bob with the rest of a request as it stands; everything until the server closes.
async fn exchange(server: &Server, rest: &str) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!("POST {CALLS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer bobs-key\r\n");
    stream.write_all((head + rest).as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let reading = async {
        let mut buffer = [0; 4096];
        // A reset after the answer is as good as an end.
        while let Ok(length @ 1..) = stream.read(&mut buffer).await {
            answer.extend_from_slice(&buffer[..length]);
        }
    };
    tokio::time::timeout(FAR, reading).await.expect("the server keeps the connection");
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_refused() {
    let server = Server::start().await;
    let host = json!({ "detail": "Invalid Host header." });
    for name in ["evil.example", "evil.example:8080", "localhost.evil.example", "192.0.2.1"] {
        for path in [CALLS, "/otp-status/1", "/healthz"] {
            server.expect(server.bob("GET", path).header("host", name), 400, host.clone()).await;
        }
    }
    for name in ["localhost", "otp.example.net", "127.0.0.1:1"] {
        let answer = server
            .expect(
                server.bob("GET", CALLS).header("host", name),
                200,
                json!({ "count": 0, "next": null, "previous": null, "results": [] }),
            )
            .await;
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
    let origin = json!({ "detail": "Requests from other sites are not allowed." });
    for site in ["http://evil.example", "null", "http://127.0.0.1:1"] {
        let request = server.post(CALLS, json!({ "alarm_phonenumber": "0919273027" })).header("origin", site);
        server.expect(request, 403, origin.clone()).await;
    }
    let own = format!("http://{}", server.address);
    let request = server.post(CALLS, json!({ "alarm_phonenumber": "0919273027" })).header("origin", own);
    assert_eq!(request.send().await.unwrap().status(), 201);
}

#[tokio::test]
async fn links_follow_the_name_that_the_client_uses() {
    let server = Server::start().await;
    let request = server.post(CALLS, json!({ "alarm_phonenumber": "0919273027" }));
    let request = request.header("host", "otp.example.net").header("x-forwarded-proto", "https");
    let answer = crate::server::send(request).await;
    assert_eq!(answer.body["url"], "https://otp.example.net/rest-api/voice-otp/1/");
}

#[tokio::test]
async fn health_needs_no_login_and_tells_the_truth() {
    let server = Server::start().await;
    server.expect(server.request("GET", "/healthz"), 200, json!({ "status": "ok" })).await;
    server.expect(server.request("GET", "/readyz"), 200, json!({ "status": "ready" })).await;
    server.lose_trunk();
    let not_ready = |reasons: Value| json!({ "status": "not ready", "reasons": reasons });
    let reasons = json!(["no trunk is usable"]);
    server.expect(server.request("GET", "/readyz"), 503, not_ready(reasons)).await;
    server.store.close().await;
    let reasons = json!(["no trunk is usable", "the store does not answer"]);
    server.expect(server.request("GET", "/readyz"), 503, not_ready(reasons)).await;
    server.expect(server.request("GET", "/healthz"), 200, json!({ "status": "ok" })).await;
}
