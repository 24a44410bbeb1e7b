//! `/healthz` and `/readyz`: for supervisors, without a login.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Api;

/// The process answers.
pub async fn healthz() -> Json<serde_json::Value> {
    Json(json!({ "status": "ok" }))
}

/// Whether calls can be taken on: a trunk is usable, the store answers, and nobody has stopped the daemon. 503 with the
/// reasons otherwise.
pub async fn readyz(State(api): State<Api>) -> Response {
    let readiness = api.service.readiness().await;
    let reasons: Vec<_> = [
        (readiness.trunk, "no trunk is usable"),
        (readiness.store, "the store does not answer"),
        (readiness.open, "the service is shutting down"),
    ]
    .into_iter()
    .filter_map(|(fine, reason)| (!fine).then_some(reason))
    .collect();
    if readiness.is_ready() {
        Json(json!({ "status": "ready" })).into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "not ready", "reasons": reasons }))).into_response()
    }
}
