//! The Alice face.

use serde_json::{Value, json};

use crate::server::{Server, send};

const CALLS: &str = "/rest-api/voice-otp/";

/// A call that was just accepted, as the face shows it.
fn pending(server: &Server, id: i64, number: &str, otp: &str, maxretry: i64) -> Value {
    json!({
        "id": id,
        "url": format!("http://{}/rest-api/voice-otp/{id}/", server.address),
        "alarm_phonenumber": number,
        "otp": otp,
        "maxretry": maxretry,
        "status": 1,
        "status_display": "PENDING",
        "disposition": null,
        "num_attempt": 0,
        "created_date": "*",
    })
}

#[tokio::test]
async fn a_login_is_answered_in_the_framework_s_words() {
    let server = Server::start().await;
    let login = |body: Value| server.request("POST", "/rest-api/get-token/").json(&body);
    let required = json!(["This field is required."]);
    let wrong = json!({ "detail": "No active account found with the given credentials" });

    let good = json!({ "access_token": "*", "token_type": "Bearer", "expires_in": 3600 });
    let answer = server.expect(login(json!({ "username": "alice", "password": "alice-pw" })), 200, good).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    for (body, status, expected) in [
        (json!({}), 400, json!({ "username": required, "password": required })),
        (json!({ "password": "x" }), 400, json!({ "username": required })),
        (json!({ "username": "alice" }), 400, json!({ "password": required })),
        (json!({ "username": null, "password": "x" }), 400, json!({ "username": ["This field may not be null."] })),
        (
            json!({ "username": " ", "password": "" }),
            400,
            json!({ "username": ["This field may not be blank."], "password": ["This field may not be blank."] }),
        ),
        (json!({ "username": 1, "password": "x" }), 400, json!({ "username": ["Not a valid string."] })),
        (json!({ "username": "alice", "password": "bad" }), 401, wrong.clone()),
        (json!({ "username": "nobody", "password": "alice-pw" }), 401, wrong),
    ] {
        server.expect(login(body), status, expected).await;
    }
    server
        .expect(
            server.request("POST", "/rest-api/get-token"),
            400,
            json!({ "username": required, "password": required }),
        )
        .await;
}

#[tokio::test]
async fn a_token_opens_what_is_its_user_s() {
    let server = Server::start().await;
    let token = server.token().await;
    let body = json!({ "alarm_phonenumber": "0919273027", "otp": "123445" });
    let mine = server.expect(server.post(CALLS, body), 201, pending(&server, 1, "0919273027", "123445", 0)).await;
    let path = format!("{CALLS}{}/", mine.body["id"]);
    // Bob's call does not exist for Alice.
    let not_found = json!({ "detail": "Not found." });
    for method in ["GET", "DELETE"] {
        server.expect(server.request(method, &path).bearer_auth(&token), 404, not_found.clone()).await;
    }
    let empty = json!({ "count": 0, "next": null, "previous": null, "results": [] });
    server.expect(server.request("GET", CALLS).bearer_auth(&token), 200, empty).await;
}

#[tokio::test]
async fn without_credentials_nothing_opens() {
    let server = Server::start().await;
    let none = json!({ "detail": "Authentication credentials were not provided." });
    let invalid = json!({ "detail": "Given token not valid for any token type", "code": "token_not_valid" });
    for (method, path) in [
        ("GET", CALLS),
        ("POST", CALLS),
        ("GET", "/rest-api/voice-otp/1/"),
        ("DELETE", "/rest-api/voice-otp/1/"),
        ("POST", "/send-otp"),
        ("POST", "/verify-otp"),
        ("GET", "/otp-status/+84919273027"),
    ] {
        let answer = server.expect(server.request(method, path), 401, none.clone()).await;
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        server.expect(server.request(method, path).basic_auth("bob", Some("bobs-key")), 401, none.clone()).await;
        server.expect(server.request(method, path).bearer_auth("wrong"), 401, invalid.clone()).await;
        let query = format!("{path}?access_token=bobs-key&token=bobs-key");
        server.expect(server.request(method, &query), 401, none.clone()).await;
    }
}

#[tokio::test]
async fn an_accepted_call_is_told_with_its_code_once() {
    let server = Server::start().await;
    let body = json!({ "alarm_phonenumber": "091 927 30 27", "otp": "0123", "maxretry": 2 });
    let answer = server.expect(server.post(CALLS, body), 201, pending(&server, 1, "091 927 30 27", "0123", 2)).await;
    assert_eq!(answer.header("location"), format!("http://{}/rest-api/voice-otp/1/", server.address));
    // The vendor's order of keys.
    let order = [
        "id",
        "url",
        "alarm_phonenumber",
        "otp",
        "maxretry",
        "status",
        "status_display",
        "disposition",
        "num_attempt",
        "created_date",
    ];
    let places: Vec<_> = order.iter().map(|key| answer.text.find(&format!("\"{key}\":")).unwrap()).collect();
    assert!(places.is_sorted(), "{}", answer.text);
    let created = answer.body["created_date"].as_str().unwrap();
    assert!(created.len() == 20 && created.ends_with('Z'), "{created}");

    let mut masked = pending(&server, 1, "091 927 30 27", "****", 2);
    let page = json!({ "count": 1, "next": null, "previous": null, "results": [masked] });
    server.expect(server.bob("GET", CALLS), 200, page).await;
    masked["delivery"] = Value::Null;
    masked["timeline"] = json!([]);
    for path in ["/rest-api/voice-otp/1/", "/rest-api/voice-otp/1"] {
        let one = send(server.bob("GET", path)).await;
        assert_eq!(one.status, 200);
        assert!(!one.text.contains("0123"), "{}", one.text);
        assert!(one.body["timeline"].is_array() && one.body["delivery"].is_null(), "{}", one.text);
        assert_eq!(one.body["otp"], "****");
    }
}

#[tokio::test]
async fn a_code_is_drawn_when_none_is_given() {
    let server = Server::start().await;
    for body in [
        json!({ "alarm_phonenumber": "0919273027" }),
        json!({ "alarm_phonenumber": "0919273027", "otp": "" }),
        json!({ "alarm_phonenumber": "0919273027", "otp": null }),
    ] {
        let answer = send(server.post("/rest-api/voice-otp", body)).await;
        let code = answer.body["otp"].as_str().unwrap();
        assert!(answer.status == 201 && code.len() == 6 && code.bytes().all(|b| b.is_ascii_digit()), "{}", answer.text);
    }
}

#[tokio::test]
async fn wrong_fields_are_all_told() {
    let server = Server::start().await;
    let number = "0919273027";
    let integer = json!(["A valid integer is required."]);
    for (body, expected) in [
        (json!({}), json!({ "alarm_phonenumber": ["This field is required."] })),
        (json!({ "alarm_phonenumber": null }), json!({ "alarm_phonenumber": ["This field may not be null."] })),
        (json!({ "alarm_phonenumber": " " }), json!({ "alarm_phonenumber": ["This field may not be blank."] })),
        (json!({ "alarm_phonenumber": 919273027 }), json!({ "alarm_phonenumber": ["Not a valid string."] })),
        (json!({ "alarm_phonenumber": "hello" }), json!({ "alarm_phonenumber": ["*"] })),
        (json!({ "alarm_phonenumber": "0919273027\r\nX: y" }), json!({ "alarm_phonenumber": ["*"] })),
        (json!({ "alarm_phonenumber": number, "otp": 123445 }), json!({ "otp": ["Not a valid string."] })),
        (json!({ "alarm_phonenumber": number, "otp": "123" }), json!({ "otp": ["*"] })),
        (json!({ "alarm_phonenumber": number, "otp": "12345678901" }), json!({ "otp": ["*"] })),
        (json!({ "alarm_phonenumber": number, "otp": "12a4" }), json!({ "otp": ["*"] })),
        (json!({ "alarm_phonenumber": number, "otp": "１２３４" }), json!({ "otp": ["*"] })),
        (json!({ "alarm_phonenumber": number, "maxretry": -1 }), json!({ "maxretry": ["*"] })),
        (json!({ "alarm_phonenumber": number, "maxretry": 11 }), json!({ "maxretry": ["*"] })),
        (json!({ "alarm_phonenumber": number, "maxretry": 1.5 }), json!({ "maxretry": integer })),
        (json!({ "alarm_phonenumber": number, "maxretry": "x" }), json!({ "maxretry": integer })),
        (json!({ "alarm_phonenumber": number, "maxretry": true }), json!({ "maxretry": integer })),
        (
            json!({ "alarm_phonenumber": number, "maxretry": 99999999999999999999u128 as f64 }),
            json!({ "maxretry": integer }),
        ),
        (
            json!({ "alarm_phonenumber": number, "maxretry": null }),
            json!({ "maxretry": ["This field may not be null."] }),
        ),
        (
            json!({ "otp": 1, "maxretry": [] }),
            json!({ "alarm_phonenumber": ["This field is required."], "otp": ["*"], "maxretry": integer }),
        ),
        (
            json!({ "alarm_phonenumber": "1", "otp": "1", "maxretry": 11 }),
            json!({ "alarm_phonenumber": ["*"], "otp": ["*"], "maxretry": ["*"] }),
        ),
        (
            json!({ "alarm_phonenumber": number, "gate": true }),
            json!({ "gate": ["This option is not supported by this version."] }),
        ),
        (json!({ "alarm_phonenumber": number, "language": "xx" }), json!({ "language": ["*"] })),
        (json!([]), json!({ "non_field_errors": ["Invalid data. Expected a dictionary, but got list."] })),
        (json!("x"), json!({ "non_field_errors": ["Invalid data. Expected a dictionary, but got str."] })),
    ] {
        let text = body.to_string();
        let answer = server.expect(server.post(CALLS, body), 400, expected).await;
        assert_eq!(answer.header("content-type"), "application/json", "{text}");
    }
    let empty = json!({ "count": 0, "next": null, "previous": null, "results": [] });
    server.expect(server.bob("GET", CALLS), 200, empty).await;
}

#[tokio::test]
async fn harmless_options_and_numbers_in_quotes_are_taken() {
    let server = Server::start().await;
    let body =
        json!({ "alarm_phonenumber": "+84919273027", "maxretry": "10", "language": "en", "gate": false, "x": 1 });
    let answer = send(server.post(CALLS, body)).await;
    assert_eq!((answer.status, &answer.body["maxretry"]), (201, &json!(10)), "{}", answer.text);
}

#[tokio::test]
async fn a_call_that_cannot_be_placed_is_refused() {
    let server = Server::start().await;
    let call = |number: &str| server.post(CALLS, json!({ "alarm_phonenumber": number }));
    let denied = json!({ "detail": "Destination not allowed.", "code": "destination_denied" });
    server.expect(call("+919876543210"), 403, denied).await;
    server.lose_trunk();
    let no_trunk = json!({ "detail": "No trunk available.", "code": "no_trunk" });
    server.expect(call("0919273027"), 503, no_trunk).await;
    server.driver.set_trunks(|states| states.stopping = true);
    let stopping = json!({ "detail": "The service is shutting down.", "code": "shutting_down" });
    server.expect(call("0919273027"), 503, stopping).await;
}

#[tokio::test]
async fn a_store_that_is_gone_accepts_nothing() {
    let server = Server::start().await;
    server.store.close().await;
    let gone = json!({ "detail": "*", "code": "store_unavailable" });
    server.expect(server.post(CALLS, json!({ "alarm_phonenumber": "0919273027" })), 503, gone.clone()).await;
    server.expect(server.bob("GET", CALLS), 503, gone).await;
}

#[tokio::test]
async fn a_list_has_pages_newest_first() {
    let server = Server::start().await;
    for last in 0..12 {
        let body = json!({ "alarm_phonenumber": format!("09192730{last:02}"), "otp": "1234" });
        assert_eq!(send(server.post(CALLS, body)).await.status, 201);
    }
    let base = format!("http://{}/rest-api/voice-otp/", server.address);
    for (query, ids, next, previous) in [
        ("", (3..=12).rev().collect::<Vec<i64>>(), json!(format!("{base}?page=2")), Value::Null),
        ("?page=2", vec![2, 1], Value::Null, json!(base)),
        (
            "?page_size=5&page=2",
            vec![7, 6, 5, 4, 3],
            json!(format!("{base}?page_size=5&page=3")),
            json!(format!("{base}?page_size=5")),
        ),
        ("?page_size=5&page=3", vec![2, 1], Value::Null, json!(format!("{base}?page_size=5&page=2"))),
        ("?page_size=0", (3..=12).rev().collect(), json!(format!("{base}?page_size=0&page=2")), Value::Null),
        ("?page_size=1000", (1..=12).rev().collect(), Value::Null, Value::Null),
        ("?alarm_phonenumber=%2B84919273003", vec![4], Value::Null, Value::Null),
        ("?alarm_phonenumber=0919273003", vec![4], Value::Null, Value::Null),
        (
            "?status=1&page_size=11",
            (2..=12).rev().collect(),
            json!(format!("{base}?status=1&page_size=11&page=2")),
            Value::Null,
        ),
        ("?status=5", vec![], Value::Null, Value::Null),
        ("?status=", (3..=12).rev().collect(), json!(format!("{base}?status=&page=2")), Value::Null),
    ] {
        let answer = send(server.bob("GET", &format!("{CALLS}{query}"))).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text);
        let found: Vec<i64> =
            answer.body["results"].as_array().unwrap().iter().map(|c| c["id"].as_i64().unwrap()).collect();
        assert_eq!(found, ids, "{query}");
        assert_eq!((&answer.body["next"], &answer.body["previous"]), (&next, &previous), "{query}");
    }
    // Links can be followed.
    let first = send(server.bob("GET", CALLS)).await;
    let path = first.body["next"].as_str().unwrap().split_once("/rest-api").unwrap().1.to_string();
    assert_eq!(send(server.bob("GET", &format!("/rest-api{path}"))).await.body["results"].as_array().unwrap().len(), 2);

    let invalid = json!({ "detail": "Invalid page." });
    for page in ["0", "-1", "x", "3", "99999999999999999999", "4294967295"] {
        server.expect(server.bob("GET", &format!("{CALLS}?page={page}")), 404, invalid.clone()).await;
    }
    for status in ["0", "6", "PENDING"] {
        let message = format!("Select a valid choice. {status} is not one of the available choices.");
        server
            .expect(server.bob("GET", &format!("{CALLS}?status={status}")), 400, json!({ "status": [message] }))
            .await;
    }
}

#[tokio::test]
async fn a_waiting_call_is_cancelled_once() {
    let server = Server::start().await;
    assert_eq!(send(server.post(CALLS, json!({ "alarm_phonenumber": "0919273027" }))).await.status, 201);
    let answer = server.expect(server.bob("DELETE", "/rest-api/voice-otp/1/"), 204, Value::Null).await;
    assert_eq!(answer.text, "");
    let ended = json!({ "detail": "The call has already ended.", "code": "already_ended" });
    server.expect(server.bob("DELETE", "/rest-api/voice-otp/1"), 409, ended).await;
    let one = send(server.bob("GET", "/rest-api/voice-otp/1/")).await;
    assert_eq!((&one.body["status"], &one.body["disposition"]), (&json!(3), &json!("CANCEL")), "{}", one.text);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let server = Server::start().await;
    let not_found = json!({ "detail": "Not found." });
    for path in [
        "/rest-api/voice-otp/9/",
        "/rest-api/voice-otp/x/",
        "/rest-api/voice-otp/-1",
        "/rest-api/voice-otp/+1",
        "/rest-api/voice-otp/99999999999999999999/",
        "/rest-api/",
        "/rest-api",
        "/rest-api/nothing",
        "/rest-api/voice-otp/1/x",
    ] {
        server.expect(server.bob("GET", path), 404, not_found.clone()).await;
    }
    server.expect(server.bob("DELETE", "/rest-api/voice-otp/9/"), 404, not_found).await;
}

#[tokio::test]
async fn a_wrong_method_is_told_with_the_right_ones() {
    let server = Server::start().await;
    for (method, path, allowed) in [
        ("PUT", "/rest-api/voice-otp/", "GET,HEAD,POST"),
        ("DELETE", "/rest-api/voice-otp", "GET,HEAD,POST"),
        ("PATCH", "/rest-api/voice-otp/1/", "GET,HEAD,DELETE"),
        ("GET", "/rest-api/get-token/", "POST"),
        ("OPTIONS", "/rest-api/voice-otp/", "GET,HEAD,POST"),
    ] {
        let expected = json!({ "detail": format!("Method \"{method}\" not allowed.") });
        let answer = server.expect(server.bob(method, path), 405, expected).await;
        assert_eq!(answer.header("allow"), allowed, "{method} {path}");
    }
}
