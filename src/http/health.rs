//! `/healthz` and `/readyz`: for supervisors, without a login.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Api;
use crate::service::UserId;

/// The process answers.
pub async fn healthz() -> Json<serde_json::Value> {
    Json(json!({ "status": "ok" }))
}

/// Whether calls can be taken on: a trunk is usable and the store answers. 503 with the reasons otherwise.
pub async fn readyz(State(api): State<Api>) -> Response {
    let mut reasons = Vec::new();
    if !(api.shared.trunk_usable)() {
        reasons.push("no trunk is usable");
    }
    // Nobody has this call; looking for it is the cheapest question to the store.
    if api.service.get_call(&UserId::new(""), 0).await.is_err() {
        reasons.push("the store does not answer");
    }
    if reasons.is_empty() {
        Json(json!({ "status": "ready" })).into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "not ready", "reasons": reasons }))).into_response()
    }
}
