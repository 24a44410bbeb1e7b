//! The Alice face: `/rest-api/…`, in the manner of Django REST Framework.

use std::fmt::Write as _;

use axum::Json;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Api;
use super::auth::TOKEN_SECONDS;
use super::body::read_json;
use super::error::{ApiError, Face};
use super::guard::base_url;
use crate::base::secret::{Masked, Secret};
use crate::service::types::{CallRecord, CallStatus};
use crate::service::{
    CallDetail, CallFilter, CancelAnswer, Delivery, Field, FieldError, Page, PlaceCall, TimelineEntry,
};

const REQUIRED: &str = "This field is required.";
const NULL: &str = "This field may not be null.";
const BLANK: &str = "This field may not be blank.";
const NO_STRING: &str = "Not a valid string.";
const NO_INTEGER: &str = "A valid integer is required.";
const LATER: &str = "This option is not supported by this version.";

const DEFAULT_PAGE_SIZE: u32 = 10;
const MAX_PAGE_SIZE: u32 = 100;

/// A call as this face shows it, in the vendor's order of keys.
#[derive(Serialize)]
struct Shown<'a> {
    id: i64,
    url: String,
    alarm_phonenumber: &'a str,
    otp: String,
    maxretry: i64,
    status: i64,
    status_display: &'static str,
    disposition: Option<&'static str>,
    num_attempt: i64,
    created_date: String,
}

impl<'a> Shown<'a> {
    /// The code stands in the answer to the request that placed the call, and is a mask everywhere else.
    fn new(record: &'a CallRecord, base: &str) -> Self {
        Shown {
            id: record.id,
            url: format!("{base}/rest-api/voice-otp/{}/", record.id),
            alarm_phonenumber: &record.number,
            otp: record.otp.as_ref().map_or_else(|| record.masked_otp(), |otp| otp.expose().to_string()),
            maxretry: record.maxretry,
            status: record.status.number(),
            status_display: record.status.as_str(),
            disposition: record.disposition.map(|disposition| disposition.as_str()),
            num_attempt: record.num_attempt,
            created_date: record.created_at.to_string(),
        }
    }
}

#[derive(Serialize)]
struct ShownDetail<'a> {
    #[serde(flatten)]
    call: Shown<'a>,
    delivery: Option<&'a Delivery>,
    timeline: Vec<ShownStep<'a>>,
}

#[derive(Serialize)]
struct ShownStep<'a> {
    at: String,
    event: &'a str,
    detail: &'a Value,
}

impl<'a> ShownStep<'a> {
    fn new(entry: &'a TimelineEntry) -> Self {
        let whole = entry.at.to_string();
        let at = format!("{}.{:03}Z", whole.trim_end_matches('Z'), entry.at.as_millis().rem_euclid(1000));
        ShownStep { at, event: &entry.event, detail: &entry.detail }
    }
}

/// `POST /rest-api/get-token/`
pub async fn get_token(State(api): State<Api>, request: Request) -> Result<Response, ApiError> {
    let body = read_object(&api, request).await?;
    let mut refused = Vec::new();
    let mut text = |field: &'static str, trim: bool| match body.get(field) {
        None => refuse(&mut refused, field, REQUIRED),
        Some(Value::Null) => refuse(&mut refused, field, NULL),
        Some(Value::String(text)) if text.is_empty() || (trim && text.trim().is_empty()) => {
            refuse(&mut refused, field, BLANK)
        }
        Some(Value::String(text)) => Some(text.clone()),
        Some(_) => refuse(&mut refused, field, NO_STRING),
    };
    let (username, password) = (text("username", true), text("password", false));
    let (Some(username), Some(password)) = (username, password) else { return Err(ApiError::Fields(refused)) };
    let user = api.service.login(&username, &Secret::new(password)).await?;
    let token = api.shared.gatekeeper.issue(&user, (api.shared.now)()).ok_or(ApiError::Panic)?;
    Ok(Json(json!({ "access_token": token.expose(), "token_type": "Bearer", "expires_in": TOKEN_SECONDS }))
        .into_response())
}

/// `POST /rest-api/voice-otp/`
pub async fn place(State(api): State<Api>, request: Request) -> Result<Response, ApiError> {
    let user = api.identify(request.headers())?;
    let base = base_url(request.headers());
    let body = read_object(&api, request).await?;
    let record = api.service.place_call(&user, read_call(&body, &api.shared.language)?).await;
    let record = record.map_err(|error| ApiError::from_place(error, refuse_fields))?;
    let shown = Shown::new(&record, &base);
    Ok((StatusCode::CREATED, [(header::LOCATION, shown.url.clone())], Json(shown)).into_response())
}

/// `GET /rest-api/voice-otp/`
pub async fn list(
    State(api): State<Api>,
    headers: HeaderMap,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, ApiError> {
    let user = api.identify(&headers)?;
    let given = |name: &str| query.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.trim());
    let number = match given("page") {
        None => 1,
        Some(page) => page.parse::<u32>().ok().filter(|page| *page > 0).ok_or(ApiError::InvalidPage)?,
    };
    // As the framework does it: a size that makes no sense is the default, one that is too large the largest.
    let size = given("page_size").and_then(|size| size.parse::<u32>().ok()).filter(|size| *size > 0);
    let page = Page { number, size: size.unwrap_or(DEFAULT_PAGE_SIZE).min(MAX_PAGE_SIZE) };
    let mut filter = CallFilter::default();
    if let Some(status) = given("status").filter(|status| !status.is_empty()) {
        let known = status.parse().ok().and_then(CallStatus::from_number);
        let message = || format!("Select a valid choice. {status} is not one of the available choices.");
        filter.status = Some(known.ok_or_else(|| ApiError::Fields(vec![("status", message())]))?);
    }
    filter.number = given("alarm_phonenumber").filter(|number| !number.is_empty()).map(Masked::from);
    let calls = api.service.list_calls(&user, &filter, page).await?;

    let before = i64::from(page.number - 1) * i64::from(page.size);
    if page.number > 1 && before >= calls.count {
        return Err(ApiError::InvalidPage);
    }
    let base = base_url(&headers);
    let link = |number: u32| {
        let mut link = format!("{base}/rest-api/voice-otp/");
        let others = query.iter().filter(|(key, _)| key != "page").map(|(key, value)| (key.as_str(), value.as_str()));
        let page = number.to_string();
        // The first page has no number.
        let page = (number > 1).then_some(("page", page.as_str()));
        for (index, (key, value)) in others.chain(page).enumerate() {
            link.push(if index == 0 { '?' } else { '&' });
            push_encoded(&mut link, key);
            link.push('=');
            push_encoded(&mut link, value);
        }
        link
    };
    let next = (before + i64::from(page.size) < calls.count).then(|| link(page.number.saturating_add(1)));
    let previous = (page.number > 1).then(|| link(page.number - 1));
    let results: Vec<_> = calls.calls.iter().map(|record| Shown::new(record, &base)).collect();

    #[derive(Serialize)]
    struct ShownPage<'a> {
        count: i64,
        next: Option<String>,
        previous: Option<String>,
        results: Vec<Shown<'a>>,
    }
    Ok(Json(ShownPage { count: calls.count, next, previous, results }).into_response())
}

/// `GET /rest-api/voice-otp/{id}/`
pub async fn one(State(api): State<Api>, headers: HeaderMap, Path(id): Path<String>) -> Result<Response, ApiError> {
    let user = api.identify(&headers)?;
    let detail = api.service.get_call(&user, read_id(&id)?).await?;
    let CallDetail { record, delivery, timeline } = &detail.ok_or(ApiError::NotFound(Face::Alice))?;
    let call = Shown::new(record, &base_url(&headers));
    let timeline = timeline.iter().map(ShownStep::new).collect();
    Ok(Json(ShownDetail { call, delivery: delivery.as_ref(), timeline }).into_response())
}

/// `DELETE /rest-api/voice-otp/{id}/`
pub async fn cancel(State(api): State<Api>, headers: HeaderMap, Path(id): Path<String>) -> Result<Response, ApiError> {
    let user = api.identify(&headers)?;
    match api.service.cancel_call(&user, read_id(&id)?).await? {
        CancelAnswer::Cancelled | CancelAnswer::HangingUp => Ok(StatusCode::NO_CONTENT.into_response()),
        CancelAnswer::AlreadyEnded => Err(ApiError::AlreadyEnded),
    }
}

fn read_id(text: &str) -> Result<i64, ApiError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or(ApiError::NotFound(Face::Alice))
}

async fn read_object(api: &Api, request: Request) -> Result<Map<String, Value>, ApiError> {
    let body = read_json(request, api.shared.body_timeout).await;
    match body.map_err(|error| ApiError::from_body(Face::Alice, error))? {
        None => Ok(Map::new()),
        Some(Value::Object(object)) => Ok(object),
        Some(other) => {
            let kind = match other {
                Value::Null => "null",
                Value::Bool(_) => "bool",
                Value::Number(_) => "number",
                Value::String(_) => "str",
                Value::Array(_) | Value::Object(_) => "list",
            };
            let message = format!("Invalid data. Expected a dictionary, but got {kind}.");
            Err(ApiError::Fields(vec![("non_field_errors", message)]))
        }
    }
}

fn refuse<T>(refused: &mut Vec<(&'static str, String)>, field: &'static str, message: &str) -> Option<T> {
    refused.push((field, message.to_string()));
    None
}

fn read_call(body: &Map<String, Value>, language: &str) -> Result<PlaceCall, ApiError> {
    let mut refused = Vec::new();
    let number = match body.get("alarm_phonenumber") {
        None => refuse(&mut refused, "alarm_phonenumber", REQUIRED),
        Some(Value::Null) => refuse(&mut refused, "alarm_phonenumber", NULL),
        Some(Value::String(text)) if text.trim().is_empty() => refuse(&mut refused, "alarm_phonenumber", BLANK),
        Some(Value::String(text)) => Some(text.clone()),
        Some(_) => refuse(&mut refused, "alarm_phonenumber", NO_STRING),
    };
    let otp = match body.get("otp") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.trim().is_empty() => None,
        Some(Value::String(text)) => Some(Secret::new(text.as_str())),
        // An integer has lost its leading zeros before it came here.
        Some(_) => refuse(&mut refused, "otp", NO_STRING),
    };
    let maxretry = read_integer(body, "maxretry", &mut refused).unwrap_or(0);
    let ttl = read_integer(body, "ttl_seconds", &mut refused).and_then(|seconds| match u64::try_from(seconds) {
        Ok(seconds) => Some(std::time::Duration::from_secs(seconds)),
        Err(_) => refuse(&mut refused, "ttl_seconds", "Ensure this value is greater than or equal to 0."),
    });
    refuse_later(body, language, |field| refused.push((field, LATER.to_string())));
    match number {
        Some(number) if refused.is_empty() => Ok(PlaceCall { number: number.into(), otp, maxretry, ttl }),
        _ => Err(ApiError::Fields(refused)),
    }
}

/// Options that the design knows and this version does not: refused, since a call without them would not be the one
/// that was asked for. Their harmless values are taken.
pub(super) fn refuse_later(body: &Map<String, Value>, language: &str, mut refuse: impl FnMut(&'static str)) {
    let asks = |field: &str| body.get(field).filter(|value| !value.is_null());
    if asks("gate").is_some_and(|gate| *gate != Value::Bool(false)) {
        refuse("gate");
    }
    if asks("language").is_some_and(|asked| asked.as_str() != Some(language)) {
        refuse("language");
    }
    if asks("caller_id").is_some() {
        refuse("caller_id");
    }
    if asks("client_ref").is_some() {
        refuse("client_ref");
    }
}

/// An integer, written as one or, as the framework allows, as a string of one; `None` when it is absent or refused.
fn read_integer(
    body: &Map<String, Value>,
    field: &'static str,
    refused: &mut Vec<(&'static str, String)>,
) -> Option<i64> {
    let read = match body.get(field)? {
        Value::Null => return refuse(refused, field, NULL),
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    read.or_else(|| refuse(refused, field, NO_INTEGER))
}

fn refuse_fields(errors: Vec<FieldError>) -> ApiError {
    let message = |error: FieldError| {
        let field = match error.field {
            Field::Number => "alarm_phonenumber",
            Field::Otp => "otp",
            Field::MaxRetry => "maxretry",
            Field::Ttl => "ttl_seconds",
        };
        (field, error.problem.to_string())
    };
    ApiError::Fields(errors.into_iter().map(message).collect())
}

/// RFC 3986 §2.1
fn push_encoded(link: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            link.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(link, "%{byte:02X}");
        }
    }
}
