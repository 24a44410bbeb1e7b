//! The OTP-app face.

use serde_json::{Value, json};

use crate::server::{Server, send};

const PHONE: &str = "+84919273027";

fn invalid(field: &str, message: &str, kind: &str) -> Value {
    json!({ "detail": [{ "loc": ["body", field], "msg": message, "type": kind }] })
}

#[tokio::test]
async fn a_code_is_sent_seen_and_verified_once() {
    let server = Server::start().await;
    let initiated = json!({ "status": "call_initiated", "phone": PHONE, "call_uuid": "*", "expires_in_seconds": 300, "max_attempts": 3 });
    let sent = server.expect(server.post("/send-otp", json!({ "phone": PHONE, "otp": "0123" })), 200, initiated).await;
    assert!(!sent.text.contains("0123"));

    let status = |state: &str, used: i64| {
        json!({ "phone": PHONE, "status": state, "expires_at": "*", "attempts_used": used,
        "attempts_remaining": 3 - used, "call_uuid": sent.body["call_uuid"], "delivery": null })
    };
    for path in
        ["/otp-status/%2B84919273027", "/otp-status/+84919273027", "/otp-status/84919273027", "/otp-status/0919273027/"]
    {
        server.expect(server.bob("GET", path), 200, status("pending", 0)).await;
    }
    let wrong = json!({ "valid": false, "verified": false, "reason": "invalid", "attempts_remaining": 2 });
    server.expect(server.post("/verify-otp", json!({ "phone": PHONE, "otp": "3210" })), 400, wrong).await;
    server.expect(server.bob("GET", "/otp-status/+84919273027"), 200, status("pending", 1)).await;
    let right = json!({ "valid": true, "verified": true, "reason": "verified" });
    server.expect(server.post("/verify-otp/", json!({ "phone": "0919273027", "otp": "0123" })), 200, right).await;
    let used = json!({ "valid": false, "verified": false, "reason": "already_used", "attempts_remaining": "*" });
    server.expect(server.post("/verify-otp", json!({ "phone": PHONE, "otp": "0123" })), 400, used).await;
    assert_eq!(send(server.bob("GET", "/otp-status/+84919273027")).await.body["status"], "used");
}

#[tokio::test]
async fn tries_run_out_even_for_the_right_code() {
    let server = Server::start().await;
    assert_eq!(send(server.post("/send-otp", json!({ "phone": PHONE, "otp": "0123" }))).await.status, 200);
    let verify = |otp: &str| server.post("/verify-otp", json!({ "phone": PHONE, "otp": otp }));
    for remaining in [2, 1] {
        let wrong = json!({ "valid": false, "verified": false, "reason": "invalid", "attempts_remaining": remaining });
        server.expect(verify("9999"), 400, wrong).await;
    }
    assert_eq!(send(verify("9999")).await.body["attempts_remaining"], 0);
    let over = json!({ "valid": false, "verified": false, "reason": "max_attempts", "attempts_remaining": 0 });
    server.expect(verify("0123"), 400, over).await;
}

#[tokio::test]
async fn a_new_code_replaces_the_old() {
    let server = Server::start().await;
    for otp in ["1111", "2222"] {
        assert_eq!(send(server.post("/send-otp", json!({ "phone": PHONE, "otp": otp }))).await.status, 200);
    }
    let verify = |otp: &str| server.post("/verify-otp", json!({ "phone": PHONE, "otp": otp }));
    assert_eq!(send(verify("1111")).await.body["reason"], "invalid");
    assert_eq!(send(verify("2222")).await.body["reason"], "verified");
}

#[tokio::test]
async fn both_faces_are_one_service() {
    let server = Server::start().await;
    let body = json!({ "alarm_phonenumber": "0919273027", "otp": "0123" });
    assert_eq!(send(server.post("/rest-api/voice-otp/", body)).await.status, 201);
    assert_eq!(send(server.bob("GET", "/otp-status/+84919273027")).await.body["status"], "pending");
    assert_eq!(send(server.post("/verify-otp", json!({ "phone": PHONE, "otp": "0123" }))).await.status, 200);
    assert_eq!(send(server.post("/send-otp", json!({ "phone": PHONE }))).await.status, 200);
    assert_eq!(send(server.bob("GET", "/rest-api/voice-otp/")).await.body["count"], 2);
}

#[tokio::test]
async fn an_unknown_number_has_no_code() {
    let server = Server::start().await;
    let none = json!({ "phone": PHONE, "status": "not_found", "expires_at": null, "attempts_used": 0,
        "attempts_remaining": 0, "call_uuid": null, "delivery": null });
    server.expect(server.bob("GET", "/otp-status/+84919273027"), 200, none).await;
    let verify = server.post("/verify-otp", json!({ "phone": PHONE, "otp": "0123" }));
    let not_found = json!({ "valid": false, "verified": false, "reason": "not_found", "attempts_remaining": 0 });
    server.expect(verify, 400, not_found).await;
    assert_eq!(send(server.bob("GET", "/otp-status/hello")).await.body["status"], "not_found");
}

#[tokio::test]
async fn a_bad_body_is_told_in_fastapi_s_words() {
    let server = Server::start().await;
    let no_object = json!({ "detail": [{ "loc": ["body"],
        "msg": "Input should be a valid dictionary or object to extract fields from", "type": "model_attributes_type" }] });
    let required = |field: &str| invalid(field, "Field required", "missing");
    let string = |field: &str| invalid(field, "Input should be a valid string", "string_type");
    let integer = |field: &str| invalid(field, "Input should be a valid integer", "int_type");
    for (path, body, expected) in [
        ("/send-otp", json!({}), required("phone")),
        ("/send-otp", json!({ "phone": null }), string("phone")),
        ("/send-otp", json!({ "phone": 84919273027i64 }), string("phone")),
        ("/send-otp", json!({ "phone": "hello" }), invalid("phone", "*", "value_error")),
        ("/send-otp", json!({ "phone": PHONE, "otp": 1234 }), string("otp")),
        (
            "/send-otp",
            json!({ "phone": PHONE, "otp": "12" }),
            invalid("otp", "String should match pattern '^[0-9]{4,10}$'", "string_pattern_mismatch"),
        ),
        ("/send-otp", json!({ "phone": PHONE, "maxretry": [] }), integer("maxretry")),
        (
            "/send-otp",
            json!({ "phone": PHONE, "maxretry": "x" }),
            invalid("maxretry", "Input should be a valid integer, unable to parse string as an integer", "int_parsing"),
        ),
        ("/send-otp", json!({ "phone": PHONE, "maxretry": 11 }), invalid("maxretry", "*", "value_error")),
        ("/send-otp", json!({ "phone": PHONE, "ttl_seconds": 1.5 }), integer("ttl_seconds")),
        (
            "/send-otp",
            json!({ "phone": PHONE, "ttl_seconds": -1 }),
            invalid("ttl_seconds", "Input should be greater than or equal to 0", "greater_than_equal"),
        ),
        ("/send-otp", json!({ "phone": PHONE, "ttl_seconds": 0 }), invalid("ttl_seconds", "*", "value_error")),
        (
            "/send-otp",
            json!({ "phone": PHONE, "gate": true }),
            invalid("gate", "This option is not supported by this version", "value_error"),
        ),
        ("/send-otp", json!([]), no_object.clone()),
        ("/verify-otp", json!("x"), no_object),
        ("/verify-otp", json!({ "otp": "1234" }), required("phone")),
        ("/verify-otp", json!({ "phone": PHONE }), required("otp")),
        ("/verify-otp", json!({ "phone": PHONE, "otp": 1234 }), string("otp")),
        ("/verify-otp", json!({ "phone": {} , "otp": "1234" }), string("phone")),
    ] {
        server.expect(server.post(path, body), 422, expected).await;
    }
    let both = json!({ "detail": [{ "loc": ["body", "phone"], "msg": "Field required", "type": "missing" },
        { "loc": ["body", "otp"], "msg": "Field required", "type": "missing" }] });
    server.expect(server.post("/verify-otp", json!({})), 422, both).await;
    let nothing = json!({ "detail": [{ "loc": ["body"], "msg": "Field required", "type": "missing" }] });
    server.expect(server.bob("POST", "/send-otp"), 422, nothing).await;
    let broken = server.bob("POST", "/send-otp").header("content-type", "application/json").body("{\"phone\":");
    let no_json = json!({ "detail": [{ "loc": ["body", 9], "msg": "JSON decode error", "type": "json_invalid" }] });
    server.expect(broken, 422, no_json).await;
}

#[tokio::test]
async fn a_code_s_time_can_be_asked_for() {
    let server = Server::start().await;
    let answer = send(server.post("/send-otp", json!({ "phone": PHONE, "ttl_seconds": 120 }))).await;
    assert_eq!((answer.status, &answer.body["expires_in_seconds"]), (200, &json!(120)), "{}", answer.text);
}

#[tokio::test]
async fn a_call_that_cannot_be_placed_is_refused() {
    let server = Server::start().await;
    let send_otp = |phone: &str| server.post("/send-otp", json!({ "phone": phone }));
    let denied = json!({ "detail": "Destination not allowed.", "code": "destination_denied" });
    server.expect(send_otp("+919876543210"), 403, denied).await;
    server.lose_trunk();
    let no_trunk = json!({ "detail": "No trunk available.", "code": "no_trunk" });
    server.expect(send_otp(PHONE), 503, no_trunk).await;
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods_are_told() {
    let server = Server::start().await;
    for path in ["/", "/nothing", "/otp-status", "/otp-status/", "/send-otp/x"] {
        server.expect(server.bob("GET", path), 404, json!({ "detail": "Not Found" })).await;
    }
    for (method, path, allowed) in [
        ("GET", "/send-otp", "POST"),
        ("PUT", "/verify-otp/", "POST"),
        ("DELETE", "/otp-status/+84919273027", "GET,HEAD"),
        ("POST", "/healthz", "GET,HEAD"),
    ] {
        let answer = server.expect(server.bob(method, path), 405, json!({ "detail": "Method Not Allowed" })).await;
        assert_eq!(answer.header("allow"), allowed, "{method} {path}");
    }
}
