//! The OTP-app face: `/send-otp`, `/verify-otp`, `/otp-status/{phone}`, in the manner of FastAPI.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Api;
use super::alice::refuse_later;
use super::body::read_json;
use super::error::{ApiError, Face, Invalid};
use crate::base::secret::Secret;
use crate::otp::code::{MAX_LENGTH, MIN_LENGTH};
use crate::service::{Delivery, Field, FieldError, PlaceCall, Problem, VerifyReason};

/// `POST /send-otp`
pub async fn send(State(api): State<Api>, request: Request) -> Result<Response, ApiError> {
    let user = api.identify(request.headers())?;
    let body = read_object(&api, request).await?;
    let call = read_call(&body, &api.shared.language)?;
    let record = api.service.send_otp(&user, call).await;
    let record = record.map_err(|error| ApiError::from_place(error, refuse_fields))?;

    #[derive(Serialize)]
    struct Initiated<'a> {
        status: &'static str,
        phone: &'a str,
        call_uuid: &'a str,
        expires_in_seconds: u64,
        max_attempts: u8,
    }
    Ok(Json(Initiated {
        status: "call_initiated",
        phone: &record.phone,
        call_uuid: &record.call_uuid,
        expires_in_seconds: record.expires_at.saturating_duration_since(record.created_at).as_secs(),
        max_attempts: api.service.max_checks(),
    })
    .into_response())
}

/// `POST /verify-otp`
pub async fn verify(State(api): State<Api>, request: Request) -> Result<Response, ApiError> {
    let user = api.identify(request.headers())?;
    let body = read_object(&api, request).await?;
    let mut invalid = Vec::new();
    let (phone, otp) = (text(&body, "phone", &mut invalid), text(&body, "otp", &mut invalid));
    let (Some(phone), Some(otp)) = (phone, otp) else { return Err(ApiError::Invalid(invalid)) };
    let answer = api.service.verify_otp(&user, phone, &Secret::new(otp)).await?;
    let reason = answer.reason.as_str();
    if answer.reason == VerifyReason::Verified {
        return Ok(Json(json!({ "valid": true, "verified": true, "reason": reason })).into_response());
    }
    let remaining = answer.attempts_remaining;
    let body = json!({ "valid": false, "verified": false, "reason": reason, "attempts_remaining": remaining });
    Ok((StatusCode::BAD_REQUEST, Json(body)).into_response())
}

/// `GET /otp-status/{phone}`
pub async fn status(
    State(api): State<Api>,
    headers: HeaderMap,
    Path(phone): Path<String>,
) -> Result<Response, ApiError> {
    let user = api.identify(&headers)?;
    let status = api.service.otp_status(&user, &phone).await?;

    #[derive(Serialize)]
    struct Status<'a> {
        phone: &'a str,
        status: &'static str,
        expires_at: Option<String>,
        attempts_used: i64,
        attempts_remaining: i64,
        call_uuid: Option<&'a str>,
        delivery: Option<&'a Delivery>,
    }
    Ok(Json(Status {
        phone: &status.phone,
        status: status.state.as_str(),
        expires_at: status.expires_at.map(|at| at.to_string()),
        attempts_used: status.attempts_used,
        attempts_remaining: status.attempts_remaining,
        call_uuid: status.call_uuid.as_deref(),
        delivery: status.delivery.as_ref(),
    })
    .into_response())
}

async fn read_object(api: &Api, request: Request) -> Result<Map<String, Value>, ApiError> {
    let body = read_json(request, api.shared.body_timeout).await;
    match body.map_err(|error| ApiError::from_body(Face::OtpApp, error))? {
        Some(Value::Object(object)) => Ok(object),
        None => Err(ApiError::Invalid(vec![missing(None)])),
        Some(_) => {
            let message = "Input should be a valid dictionary or object to extract fields from".into();
            Err(ApiError::Invalid(vec![Invalid { field: None, message, kind: "model_attributes_type" }]))
        }
    }
}

fn missing(field: Option<&'static str>) -> Invalid {
    Invalid { field, message: "Field required".into(), kind: "missing" }
}

fn text<'a>(body: &'a Map<String, Value>, field: &'static str, invalid: &mut Vec<Invalid>) -> Option<&'a str> {
    match body.get(field) {
        Some(Value::String(text)) => return Some(text),
        None => invalid.push(missing(Some(field))),
        Some(_) => invalid.push(no_string(field)),
    }
    None
}

fn no_string(field: &'static str) -> Invalid {
    Invalid { field: Some(field), message: "Input should be a valid string".into(), kind: "string_type" }
}

fn integer(body: &Map<String, Value>, field: &'static str, invalid: &mut Vec<Invalid>) -> Option<i64> {
    let (read, message, kind) = match body.get(field)? {
        Value::Null => return None,
        Value::Number(number) => (number.as_i64(), "Input should be a valid integer", "int_type"),
        Value::String(text) => {
            let message = "Input should be a valid integer, unable to parse string as an integer";
            (text.trim().parse().ok(), message, "int_parsing")
        }
        _ => (None, "Input should be a valid integer", "int_type"),
    };
    if read.is_none() {
        invalid.push(Invalid { field: Some(field), message: message.into(), kind });
    }
    read
}

fn read_call(body: &Map<String, Value>, language: &str) -> Result<PlaceCall, ApiError> {
    let mut invalid = Vec::new();
    let number = text(body, "phone", &mut invalid).map(str::to_string);
    let otp = match body.get("otp") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.trim().is_empty() => None,
        Some(Value::String(text)) => Some(Secret::new(text.as_str())),
        Some(_) => {
            invalid.push(no_string("otp"));
            None
        }
    };
    let maxretry = integer(body, "maxretry", &mut invalid).unwrap_or(0);
    let seconds = integer(body, "ttl_seconds", &mut invalid);
    if seconds.is_some_and(|seconds| seconds < 0) {
        let message = "Input should be greater than or equal to 0".into();
        invalid.push(Invalid { field: Some("ttl_seconds"), message, kind: "greater_than_equal" });
    }
    let ttl = seconds.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
    refuse_later(body, language, |field| {
        let message = "This option is not supported by this version".into();
        invalid.push(Invalid { field: Some(field), message, kind: "value_error" });
    });
    match number {
        Some(number) if invalid.is_empty() => Ok(PlaceCall { number: number.into(), otp, maxretry, ttl }),
        _ => Err(ApiError::Invalid(invalid)),
    }
}

fn refuse_fields(errors: Vec<FieldError>) -> ApiError {
    let entry = |error: FieldError| {
        let field = match error.field {
            Field::Number => "phone",
            Field::Otp => "otp",
            Field::MaxRetry => "maxretry",
            Field::Ttl => "ttl_seconds",
        };
        let (message, kind) = match error.problem {
            Problem::Number(error) => (format!("Value error, {error}"), "value_error"),
            Problem::Code(_) => (
                format!("String should match pattern '^[0-9]{{{MIN_LENGTH},{MAX_LENGTH}}}$'"),
                "string_pattern_mismatch",
            ),
            Problem::OutOfRange { min, max } => (format!("Input should be from {min} to {max}"), "value_error"),
        };
        Invalid { field: Some(field), message, kind }
    };
    ApiError::Invalid(errors.into_iter().map(entry).collect())
}
