//! A client of the daemon's own API, for the commands that place calls: the same requests that anyone may send.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::base::secret::Secret;

/// How long an answer may take. Logins cost the daemon tens of milliseconds, everything else less.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// A user's way to a daemon.
pub struct ApiClient {
    http: reqwest::Client,
    base: String,
    bearer: Secret,
}

/// A call that was taken on.
#[derive(Debug, Deserialize)]
pub struct PlacedCall {
    /// Its number.
    pub id: i64,
    /// The code, told this one time.
    pub otp: Secret,
}

/// Where a call stands, as `GET /rest-api/voice-otp/{id}/` tells it.
#[derive(Clone, Debug, Deserialize)]
pub struct CallView {
    /// `PENDING`, `IN_PROCESS`, `FAILURE`, `RETRY` or `SUCCESS`.
    pub status_display: String,
    /// `ANSWER`, `BUSY`, …; `None` while it runs.
    pub disposition: Option<String>,
    /// The truth about the last attempt; `None` before it.
    pub delivery: Option<Value>,
    /// What happened, in order.
    pub timeline: Vec<Step>,
}

impl CallView {
    /// Whether nothing more will happen.
    pub fn has_ended(&self) -> bool {
        matches!(self.status_display.as_str(), "SUCCESS" | "FAILURE")
    }
}

/// One line of a timeline.
#[derive(Clone, Debug, Deserialize)]
pub struct Step {
    /// When: RFC 3339 with milliseconds.
    pub at: String,
    /// What: `ringing`, `digit_read`, …
    pub event: String,
    /// More about it.
    #[serde(default)]
    pub detail: Value,
}

impl ApiClient {
    /// Logs in at `base` (`http://127.0.0.1:8080`).
    ///
    /// # Errors
    /// The daemon cannot be reached, or refuses the user.
    pub async fn login(base: &str, username: &str, password: &Secret) -> anyhow::Result<Self> {
        let mut client = ApiClient::with_key(base, Secret::default())?;
        let body = json!({ "username": username, "password": password.expose() });
        let answer = client.send(client.request(Method::POST, "/rest-api/get-token/").json(&body)).await?;

        #[derive(Deserialize)]
        struct Token {
            access_token: Secret,
        }
        let token: Token = serde_json::from_value(answer).context("the daemon's answer holds no token")?;
        client.bearer = token.access_token;
        Ok(client)
    }

    /// A client that shows an API key instead of a token.
    ///
    /// # Errors
    /// The machine cannot make an HTTP client.
    pub fn with_key(base: &str, key: Secret) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(ANSWER_TIMEOUT).no_proxy().build();
        Ok(ApiClient { http: http.context("no HTTP client")?, base: base.trim_end_matches('/').into(), bearer: key })
    }

    /// Places a call; without `otp` the daemon draws a code.
    ///
    /// # Errors
    /// The daemon cannot be reached, or refuses the call; its words are told.
    pub async fn place(&self, number: &str, otp: Option<&Secret>, maxretry: u8) -> anyhow::Result<PlacedCall> {
        let body = json!({
            "alarm_phonenumber": number,
            "otp": otp.map(|otp| otp.expose()).unwrap_or_default(),
            "maxretry": maxretry,
        });
        let answer = self.send(self.request(Method::POST, "/rest-api/voice-otp/").json(&body)).await?;
        serde_json::from_value(answer).context("the daemon's answer holds no call")
    }

    /// Where call `id` stands.
    ///
    /// # Errors
    /// The daemon cannot be reached, or knows no such call.
    pub async fn call(&self, id: i64) -> anyhow::Result<CallView> {
        let answer = self.send(self.request(Method::GET, &format!("/rest-api/voice-otp/{id}/"))).await?;
        serde_json::from_value(answer).context("the daemon's answer holds no call")
    }

    /// The user's newest calls, as the daemon lists them.
    ///
    /// # Errors
    /// The daemon cannot be reached.
    pub async fn list(&self) -> anyhow::Result<Value> {
        self.send(self.request(Method::GET, "/rest-api/voice-otp/")).await
    }

    /// Hangs call `id` up, or takes it out of the queue.
    ///
    /// # Errors
    /// The daemon cannot be reached, or the call has ended.
    pub async fn cancel(&self, id: i64) -> anyhow::Result<()> {
        self.send(self.request(Method::DELETE, &format!("/rest-api/voice-otp/{id}/"))).await.map(drop)
    }

    /// The `reason` of verifying `otp` for `phone`: `verified`, `invalid`, …
    ///
    /// # Errors
    /// The daemon cannot be reached, or its answer has no reason.
    pub async fn verify(&self, phone: &str, otp: &Secret) -> anyhow::Result<String> {
        let body = json!({ "phone": phone, "otp": otp.expose() });
        let (status, answer) = self.exchange(self.request(Method::POST, "/verify-otp").json(&body)).await?;
        match answer["reason"].as_str() {
            Some(reason) => Ok(reason.to_string()),
            None => bail!("{}", refusal(status, &answer)),
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        if self.bearer.expose().is_empty() { request } else { request.bearer_auth(self.bearer.expose()) }
    }

    async fn send(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        let (status, answer) = self.exchange(request).await?;
        if !status.is_success() {
            bail!("{}", refusal(status, &answer));
        }
        Ok(answer)
    }

    async fn exchange(&self, request: RequestBuilder) -> anyhow::Result<(StatusCode, Value)> {
        // Without its URL: that of a status request holds a telephone number.
        let answer = request.send().await.map_err(reqwest::Error::without_url);
        let answer = answer.with_context(|| format!("the daemon at {} does not answer; is it running?", self.base))?;
        let status = answer.status();
        let bytes =
            answer.bytes().await.map_err(reqwest::Error::without_url).context("the daemon's answer broke off")?;
        Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
    }
}

/// A refusal in one line: the sentence of the daemon, or its sentences by field.
fn refusal(status: StatusCode, answer: &Value) -> String {
    let text = match answer {
        Value::Object(fields) => match fields.get("detail") {
            Some(Value::String(detail)) => detail.clone(),
            _ => {
                let sentence = |messages: &Value| match messages {
                    Value::Array(all) => all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
                    other => other.to_string(),
                };
                let all = fields.iter().map(|(field, messages)| format!("{field}: {}", sentence(messages)));
                all.collect::<Vec<_>>().join("; ")
            }
        },
        _ => String::new(),
    };
    format!("the daemon refuses with {status}{}{}", if text.is_empty() { "" } else { ": " }, text.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_one_line() {
        let status = StatusCode::BAD_REQUEST;
        let fields =
            json!({ "otp": ["Enter a code of 4 to 10 digits."], "maxretry": ["A valid integer is required."] });
        assert_eq!(
            refusal(status, &fields),
            "the daemon refuses with 400 Bad Request: maxretry: A valid integer is required.; \
             otp: Enter a code of 4 to 10 digits."
        );
        let detail = json!({ "detail": "No trunk\u{1b}[2J\r\n available." });
        assert!(refusal(status, &detail).ends_with("No trunk\\u{1b}[2J\\r\\n available."));
        assert_eq!(refusal(status, &Value::Null), "the daemon refuses with 400 Bad Request");
    }
}
