//! Every error answer of both faces: status, headers and body.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::body::{BodyError, MAX_BODY};
use crate::service::{CancelError, LoginError, PlaceCallError, ServiceError};

/// In whose manner an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// Django REST Framework's.
    Alice,
    /// FastAPI's.
    OtpApp,
}

/// A refused field of the OTP-app face, in FastAPI's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The field; `None`: the body itself.
    pub field: Option<&'static str>,
    /// The sentence.
    pub message: String,
    /// FastAPI's name of the kind of error.
    pub kind: &'static str,
}

/// An answer that is no success.
#[derive(Debug)]
pub enum ApiError {
    /// 400 of the Alice face: messages by field, in the order of the request.
    Fields(Vec<(&'static str, String)>),
    /// 422 of the OTP-app face.
    Invalid(Vec<Invalid>),
    /// 400: the body is no JSON.
    Malformed(String),
    /// 422: the body is no JSON; the byte at which reading stopped.
    MalformedAt(usize),
    /// 400: the Host header is missing or foreign.
    Host,
    /// 401: no token and no key.
    Unauthenticated,
    /// 401: a token or key that is not valid, or no longer.
    InvalidToken,
    /// 401: wrong name or password.
    NoAccount,
    /// 403: the Origin header names another site.
    Origin,
    /// 403.
    DestinationDenied,
    /// 404.
    NotFound(Face),
    /// 404: there is no such page of the list.
    InvalidPage,
    /// 405.
    MethodNotAllowed(Face, Method),
    /// 408: the body did not come in time.
    BodyTimeout,
    /// 409: there was nothing left to cancel.
    AlreadyEnded,
    /// 413.
    BodyTooLarge,
    /// 415 with the media type that came.
    MediaType(String),
    /// 429.
    Throttled(Duration),
    /// 503.
    NoTrunk,
    /// 503.
    ShuttingDown,
    /// 503: the request was not made durable, so it was not accepted.
    Store,
    /// 500.
    Panic,
}

impl ApiError {
    /// The answer to a body that could not be read, in the manner of `face`.
    pub fn from_body(face: Face, error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => ApiError::BodyTooLarge,
            BodyError::TimedOut => ApiError::BodyTimeout,
            BodyError::MediaType(media_type) => ApiError::MediaType(media_type),
            BodyError::Broken => ApiError::Malformed("the body ended early".into()),
            BodyError::Malformed { offset, .. } if face == Face::OtpApp => ApiError::MalformedAt(offset),
            BodyError::Malformed { message, .. } => ApiError::Malformed(message),
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            ApiError::Fields(_) | ApiError::Malformed(_) | ApiError::Host => StatusCode::BAD_REQUEST,
            ApiError::Invalid(_) | ApiError::MalformedAt(_) => StatusCode::UNPROCESSABLE_ENTITY,
            ApiError::Unauthenticated | ApiError::InvalidToken | ApiError::NoAccount => StatusCode::UNAUTHORIZED,
            ApiError::Origin | ApiError::DestinationDenied => StatusCode::FORBIDDEN,
            ApiError::NotFound(_) | ApiError::InvalidPage => StatusCode::NOT_FOUND,
            ApiError::MethodNotAllowed(..) => StatusCode::METHOD_NOT_ALLOWED,
            ApiError::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            ApiError::AlreadyEnded => StatusCode::CONFLICT,
            ApiError::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ApiError::MediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ApiError::Throttled(_) => StatusCode::TOO_MANY_REQUESTS,
            ApiError::NoTrunk | ApiError::ShuttingDown | ApiError::Store => StatusCode::SERVICE_UNAVAILABLE,
            ApiError::Panic => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn body(&self) -> Value {
        let detail = |text: &str| json!({ "detail": text });
        match self {
            ApiError::Fields(fields) => {
                let mut body = Map::new();
                for (field, message) in fields {
                    let messages = body.entry(*field).or_insert_with(|| json!([]));
                    if let Value::Array(messages) = messages {
                        messages.push(json!(message));
                    }
                }
                Value::Object(body)
            }
            ApiError::Invalid(invalid) => {
                let entry = |error: &Invalid| {
                    let loc: Vec<&str> = ["body"].into_iter().chain(error.field).collect();
                    json!({ "loc": loc, "msg": error.message, "type": error.kind })
                };
                json!({ "detail": invalid.iter().map(entry).collect::<Vec<_>>() })
            }
            ApiError::MalformedAt(offset) => {
                json!({ "detail": [{ "loc": ["body", offset], "msg": "JSON decode error", "type": "json_invalid" }] })
            }
            ApiError::Malformed(reason) => detail(&format!("JSON parse error - {reason}")),
            ApiError::Host => detail("Invalid Host header."),
            ApiError::Unauthenticated => detail("Authentication credentials were not provided."),
            ApiError::InvalidToken => {
                json!({ "detail": "Given token not valid for any token type", "code": "token_not_valid" })
            }
            ApiError::NoAccount => detail("No active account found with the given credentials"),
            ApiError::Origin => detail("Requests from other sites are not allowed."),
            ApiError::DestinationDenied => {
                json!({ "detail": "Destination not allowed.", "code": "destination_denied" })
            }
            ApiError::NotFound(Face::Alice) => detail("Not found."),
            ApiError::NotFound(Face::OtpApp) => detail("Not Found"),
            ApiError::InvalidPage => detail("Invalid page."),
            ApiError::MethodNotAllowed(Face::Alice, method) => detail(&format!("Method \"{method}\" not allowed.")),
            ApiError::MethodNotAllowed(Face::OtpApp, _) => detail("Method Not Allowed"),
            ApiError::BodyTimeout => detail("The request body did not arrive in time."),
            ApiError::AlreadyEnded => json!({ "detail": "The call has already ended.", "code": "already_ended" }),
            ApiError::BodyTooLarge => detail(&format!("The request body is larger than {MAX_BODY} bytes.")),
            ApiError::MediaType(media_type) => detail(&format!("Unsupported media type \"{media_type}\" in request.")),
            ApiError::Throttled(wait) => {
                let seconds = whole_seconds(*wait);
                let plural = if seconds == 1 { "" } else { "s" };
                detail(&format!("Request was throttled. Expected available in {seconds} second{plural}."))
            }
            ApiError::NoTrunk => json!({ "detail": "No trunk available.", "code": "no_trunk" }),
            ApiError::ShuttingDown => json!({ "detail": "The service is shutting down.", "code": "shutting_down" }),
            ApiError::Store => {
                json!({ "detail": "The store does not answer. Nothing was accepted.", "code": "store_unavailable" })
            }
            ApiError::Panic => detail("Internal server error."),
        }
    }

    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            // RFC 9110 §11.6.1
            ApiError::Unauthenticated | ApiError::InvalidToken | ApiError::NoAccount => {
                Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")))
            }
            ApiError::Throttled(wait) => Some((header::RETRY_AFTER, HeaderValue::from(whole_seconds(*wait)))),
            // The rest of the body is not read, so the connection cannot be used again (RFC 9112 §9.3).
            ApiError::BodyTimeout | ApiError::BodyTooLarge => {
                Some((header::CONNECTION, HeaderValue::from_static("close")))
            }
            _ => None,
        }
    }
}

/// At least 1, and rounded up, so that whoever waits that long is not refused again.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1)
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status(), axum::Json(self.body())).into_response();
        if let Some((name, value)) = self.header() {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> Self {
        let ServiceError::Store(error) = error;
        store_failed(&error)
    }
}

impl From<CancelError> for ApiError {
    fn from(error: CancelError) -> Self {
        match error {
            CancelError::NotFound => ApiError::NotFound(Face::Alice),
            CancelError::Store(error) => store_failed(&error),
        }
    }
}

impl From<LoginError> for ApiError {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::WrongCredentials => ApiError::NoAccount,
            LoginError::Busy => ApiError::Throttled(Duration::from_secs(1)),
        }
    }
}

impl ApiError {
    /// The answer to a call that was not taken on; `invalid` writes the refused fields in the manner of the face.
    pub fn from_place(
        error: PlaceCallError,
        invalid: impl FnOnce(Vec<crate::service::FieldError>) -> ApiError,
    ) -> Self {
        match error {
            PlaceCallError::Invalid(fields) => invalid(fields),
            PlaceCallError::DestinationDenied => ApiError::DestinationDenied,
            PlaceCallError::NoTrunk => ApiError::NoTrunk,
            PlaceCallError::Throttled { retry_after } => ApiError::Throttled(retry_after),
            PlaceCallError::ShuttingDown => ApiError::ShuttingDown,
            PlaceCallError::Store(error) => store_failed(&error),
        }
    }
}

fn store_failed(error: &crate::service::types::StoreError) -> ApiError {
    tracing::error!(%error, "the store failed a request");
    ApiError::Store
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_whole_seconds_rounded_up() {
        let error = ApiError::Throttled(Duration::from_millis(29_001));
        assert_eq!(error.body(), json!({ "detail": "Request was throttled. Expected available in 30 seconds." }));
        assert_eq!(error.header().map(|(_, value)| value), Some(HeaderValue::from_static("30")));
        assert_eq!(
            ApiError::Throttled(Duration::ZERO).body(),
            json!({ "detail": "Request was throttled. Expected available in 1 second." })
        );
    }

    #[test]
    fn several_messages_of_one_field_stand_in_one_list() {
        let error = ApiError::Fields(vec![("otp", "a".into()), ("maxretry", "b".into()), ("otp", "c".into())]);
        assert_eq!(error.body(), json!({ "otp": ["a", "c"], "maxretry": ["b"] }));
    }

    #[test]
    fn refusals_of_the_service_have_their_status_and_code() {
        for (error, status, code) in [
            (PlaceCallError::DestinationDenied, 403, "destination_denied"),
            (PlaceCallError::NoTrunk, 503, "no_trunk"),
            (PlaceCallError::ShuttingDown, 503, "shutting_down"),
        ] {
            let error = ApiError::from_place(error, |_| ApiError::Panic);
            assert_eq!(error.status().as_u16(), status);
            assert_eq!(error.body()["code"], code);
        }
    }
}
