//! A server of both faces for one test, and what its answers are compared with.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use ringcode::base::secret::Secret;
use ringcode::commands::hash_password::hash;
use ringcode::config::checked::{HttpConfig, OtpConfig, User};
use ringcode::dialer::DialTrunk;
use ringcode::http::{self, ApiSettings};
use ringcode::net::{clock::Clock, entropy};
use ringcode::otp::Limits;
use ringcode::service::call_link::{CallLinkDriver, TrunkStates, call_link};
use ringcode::service::{OtpService, ServiceSettings};
use ringcode::sip::user_agent::TrunkId;
use ringcode::store::Store;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// Beyond any wait; only ends a test that fails.
pub const FAR: Duration = Duration::from_secs(30);

pub struct Server {
    pub address: SocketAddr,
    pub driver: CallLinkDriver,
    pub store: Store,
    client: reqwest::Client,
    _dir: tempfile::TempDir,
    _stop: oneshot::Sender<()>,
}

impl Server {
    /// A server with the users `alice` (password `alice-pw`) and `bob` (API key `bobs-key`), and a trunk that takes
    /// calls as soon as it is asked to. Home is Vietnam, the only country that may be called.
    pub async fn start() -> Server {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::start();
        let url = format!("sqlite:{}", dir.path().join("ringcode.db").display());
        let store = Store::open(&url, entropy::system(), clock.unix_now()).await.unwrap();
        let password_hash = hash(&Secret::new("alice-pw")).unwrap();
        let user = |username: &str, api_key_hash| User {
            username: username.into(),
            password_hash: Secret::new(password_hash.clone()),
            api_key_hash,
        };
        let users = vec![user("alice", None), user("bob", Some(Sha256::digest("bobs-key").into()))];
        let vietnam = "VN".parse().unwrap();
        let limits = Limits::home_only(vietnam);
        let settings = ServiceSettings { users: users.clone(), otp: OtpConfig::default(), limits };
        let (link, driver) = call_link(TrunkStates::new(&[trunk(false)]));
        let service = OtpService::new(settings, store.clone(), link, clock.clone(), entropy::system());

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let settings = ApiSettings {
            http: HttpConfig { listen: address, hosts: vec!["otp.example.net".into()], token_secret: None },
            users,
            language: "en".into(),
            token_key: Secret::new("a key of at least 32 characters, in tests"),
            body_timeout: Duration::from_millis(300),
            now: Arc::new(move || clock.unix_now()),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async {
            let _ = stopped.await;
        };
        let router = http::router(service, settings);
        tokio::spawn(http::server::serve(listener, router, http::server::ServerLimits::default(), stopped));
        let client = reqwest::Client::builder().no_proxy().timeout(FAR).build().unwrap();
        Server { address, driver, store, client, _dir: dir, _stop: stop }
    }

    /// From now on the only trunk has to register and has not.
    pub fn lose_trunk(&self) {
        self.driver.set_trunks(|states| *states = TrunkStates::new(&[trunk(true)]));
    }

    /// A request as anyone may send it.
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.client.request(method.parse::<Method>().unwrap(), format!("http://{}{path}", self.address))
    }

    /// Bob's request.
    pub fn bob(&self, method: &str, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth("bobs-key")
    }

    /// Bob's POST of JSON.
    pub fn post(&self, path: &str, body: Value) -> RequestBuilder {
        self.bob("POST", path).json(&body)
    }

    /// Alice's access token.
    pub async fn token(&self) -> String {
        let body = json!({ "username": "alice", "password": "alice-pw" });
        let answer = send(self.request("POST", "/rest-api/get-token/").json(&body)).await;
        answer.body["access_token"].as_str().unwrap().to_string()
    }

    /// Compares the answer to `request` with `status` and `body`; `"*"` stands for any value.
    pub async fn expect(&self, request: RequestBuilder, status: u16, body: Value) -> Answer {
        let answer = send(request).await;
        assert!(
            answer.status == status && matches(&body, &answer.body),
            "wanted {status} {body}\n   got {} {}",
            answer.status,
            answer.text
        );
        answer
    }
}

fn trunk(register: bool) -> DialTrunk {
    DialTrunk { id: TrunkId(0), name: "t".into(), register, priority: 0, cps: 1, max_calls: 1 }
}

pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
    pub body: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }
}

pub async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(json!(text)) };
    Answer { status, headers, text, body }
}

fn matches(wanted: &Value, got: &Value) -> bool {
    match (wanted, got) {
        (Value::String(any), got) if any == "*" => !got.is_null(),
        (Value::Object(wanted), Value::Object(got)) => {
            wanted.len() == got.len()
                && wanted.iter().all(|(key, value)| got.get(key).is_some_and(|got| matches(value, got)))
        }
        (Value::Array(wanted), Value::Array(got)) => {
            wanted.len() == got.len() && wanted.iter().zip(got).all(|(wanted, got)| matches(wanted, got))
        }
        (wanted, got) => wanted == got,
    }
}
