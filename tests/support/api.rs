//! The HTTP API as a client program sees it.

use std::time::Duration;

use serde_json::{Value, json};

/// A logged-in client.
pub struct Api {
    client: reqwest::Client,
    url: String,
    token: String,
}

impl Api {
    /// Logs in through `/rest-api/get-token/`.
    pub async fn login(url: &str, username: &str, password: &str) -> Api {
        let client = reqwest::Client::builder().no_proxy().build().expect("a plain client can be built");
        let answer = client
            .post(format!("{url}/rest-api/get-token/"))
            .json(&json!({"username": username, "password": password}))
            .send()
            .await
            .expect("the daemon answers");
        assert_eq!(answer.status(), 200, "login");
        let body: Value = answer.json().await.expect("a token answer is JSON");
        let token = body["access_token"].as_str().expect("access_token is a string").to_owned();
        Api { client, url: url.to_owned(), token }
    }

    /// Sends JSON and returns (status, body).
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = self.client.post(format!("{}{path}", self.url)).bearer_auth(&self.token).json(body);
        Self::read(request).await
    }

    /// Gets (status, body).
    pub async fn get(&self, path: &str) -> (u16, Value) {
        Self::read(self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.token)).await
    }

    /// Deletes and returns (status, body).
    pub async fn delete(&self, path: &str) -> (u16, Value) {
        Self::read(self.client.delete(format!("{}{path}", self.url)).bearer_auth(&self.token)).await
    }

    async fn read(request: reqwest::RequestBuilder) -> (u16, Value) {
        let answer = request.send().await.expect("the daemon answers");
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("a body can be read");
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Posts a call through the Alice face and returns its id.
    pub async fn call(&self, number: &str, otp: &str, maxretry: u8) -> i64 {
        let body = json!({"alarm_phonenumber": number, "otp": otp, "maxretry": maxretry});
        let (status, answer) = self.post("/rest-api/voice-otp/", &body).await;
        assert_eq!(status, 201, "{answer}");
        answer["id"].as_i64().expect("id is an integer")
    }

    /// The record of a call.
    pub async fn record(&self, id: i64) -> Value {
        let (status, record) = self.get(&format!("/rest-api/voice-otp/{id}/")).await;
        assert_eq!(status, 200, "{record}");
        record
    }

    /// The record once `holds` is true of it, within 60 s.
    pub async fn wait_until(&self, id: i64, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let wait = async {
            let mut tick = tokio::time::interval(Duration::from_millis(50));
            loop {
                tick.tick().await;
                last = self.record(id).await;
                if holds(&last) {
                    return;
                }
            }
        };
        if tokio::time::timeout(Duration::from_secs(60), wait).await.is_err() {
            panic!("call {id} never came to be {what}: {last:#}");
        }
        last
    }

    /// The record once the call has ended in FAILURE (3) or SUCCESS (5).
    pub async fn ended(&self, id: i64) -> Value {
        self.wait_until(id, "ended", |record| matches!(record["status"].as_i64(), Some(3 | 5))).await
    }

    /// Waits until a trunk is usable, as `/readyz` tells.
    pub async fn ready(&self) {
        let wait = async {
            let mut tick = tokio::time::interval(Duration::from_millis(50));
            loop {
                tick.tick().await;
                if self.get("/readyz").await.0 == 200 {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), wait).await.expect("the daemon becomes ready");
    }
}
