//! The HTTP faces: `alice` (paths, requests and errors in the manner of Django REST Framework), `otp_app` (in the manner
//! of FastAPI) and `health`, over one [`OtpService`]. A trailing slash is optional everywhere.
//!
//! | room | holds |
//! |---|---|
//! | [`server`] | the listener: connection cap, time limits, shutdown |
//! | `guard` | what is asked of every request: Host, Origin, no caching of answers, no panic that takes the daemon along |
//! | `auth` | access tokens (JWT, HS256) and API keys |
//! | `body` | a bounded, timed JSON body |
//! | `error` | every error answer of both faces |

mod alice;
mod auth;
mod body;
mod error;
mod guard;
mod health;
mod otp_app;
pub mod server;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, Method};
use axum::routing::{any, get, post};

use crate::base::secret::Secret;
use crate::base::time::UnixTime;
use crate::config::checked::{HttpConfig, User};
use crate::service::{OtpService, UserId};

use auth::Gatekeeper;
use error::{ApiError, Face};
use guard::Hosts;

/// What the faces need besides the service.
pub struct ApiSettings {
    /// The listener's configuration; `listen` is the address that was bound.
    pub http: HttpConfig,
    /// Who may use the API.
    pub users: Vec<User>,
    /// The language of the prompts, the only one that requests may name.
    pub language: String,
    /// The key that signs access tokens: the configured one, or 32 and more random characters.
    pub token_key: Secret,
    /// How long a client may take to send a body; [`BODY_TIMEOUT`] unless a test is in a hurry.
    pub body_timeout: Duration,
    /// The wall clock.
    pub now: Arc<dyn Fn() -> UnixTime + Send + Sync>,
}

/// What handlers share.
#[derive(Clone)]
struct Api {
    service: OtpService,
    shared: Arc<Shared>,
}

struct Shared {
    gatekeeper: Gatekeeper,
    hosts: Hosts,
    language: String,
    now: Arc<dyn Fn() -> UnixTime + Send + Sync>,
    body_timeout: Duration,
}

impl Api {
    /// The user whose token or key the headers carry.
    fn identify(&self, headers: &HeaderMap) -> Result<UserId, ApiError> {
        self.shared.gatekeeper.identify(headers, (self.shared.now)())
    }
}

/// How long a client may usually take to send a body.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The whole API over `service`, ready for [`server::serve`].
pub fn router(service: OtpService, settings: ApiSettings) -> Router {
    let shared = Shared {
        gatekeeper: Gatekeeper::new(&settings.token_key, &settings.users),
        hosts: Hosts::new(settings.http.listen, settings.http.hosts),
        language: settings.language,
        now: settings.now,
        body_timeout: settings.body_timeout,
    };
    let api = Api { service, shared: Arc::new(shared) };
    let alice = Router::new()
        .route("/get-token", post(alice::get_token))
        .route("/get-token/", post(alice::get_token))
        .route("/voice-otp", get(alice::list).post(alice::place))
        .route("/voice-otp/", get(alice::list).post(alice::place))
        .route("/voice-otp/{id}", get(alice::one).delete(alice::cancel))
        .route("/voice-otp/{id}/", get(alice::one).delete(alice::cancel))
        .fallback(|| async { ApiError::NotFound(Face::Alice) })
        .method_not_allowed_fallback(|method: Method| async { ApiError::MethodNotAllowed(Face::Alice, method) });
    let router = Router::new()
        .nest("/rest-api", alice)
        // The nest leaves this one path to the other face.
        .route("/rest-api/", any(|| async { ApiError::NotFound(Face::Alice) }))
        .route("/send-otp", post(otp_app::send))
        .route("/send-otp/", post(otp_app::send))
        .route("/verify-otp", post(otp_app::verify))
        .route("/verify-otp/", post(otp_app::verify))
        .route("/otp-status/{phone}", get(otp_app::status))
        .route("/otp-status/{phone}/", get(otp_app::status))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .fallback(|| async { ApiError::NotFound(Face::OtpApp) })
        .method_not_allowed_fallback(|method: Method| async { ApiError::MethodNotAllowed(Face::OtpApp, method) })
        .with_state(api.clone());
    guard::wrap(router, api)
}
