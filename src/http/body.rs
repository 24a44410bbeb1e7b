//! A JSON body that is bounded in size and in time.

use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::header;
use serde_json::Value;

/// The most bytes of a body.
pub const MAX_BODY: usize = 65_536;

/// Why there is no JSON value.
#[derive(Debug, PartialEq, Eq)]
pub enum BodyError {
    /// More than [`MAX_BODY`] bytes, said or sent.
    TooLarge,
    /// Not all of it came in time.
    TimedOut,
    /// The connection broke, or the chunks were wrong.
    Broken,
    /// Not `application/json`; the media type that came.
    MediaType(String),
    /// No JSON.
    Malformed {
        /// What the reader says; never a part of the body.
        message: String,
        /// The byte at which it stopped.
        offset: usize,
    },
}

/// Reads the JSON body of `request`; `None` when there is no body at all.
///
/// # Errors
/// [`BodyError`].
pub async fn read_json(request: Request, timeout: Duration) -> Result<Option<Value>, BodyError> {
    if request.body().size_hint().lower() > MAX_BODY as u64 {
        return Err(BodyError::TooLarge);
    }
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return Ok(None);
    }
    let media_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = media_type.split(';').next().unwrap_or("").trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(BodyError::MediaType(media_type.chars().take(100).collect()));
    }
    let bytes = match tokio::time::timeout(timeout, read(body)).await {
        Ok(bytes) => bytes?,
        Err(_) => return Err(BodyError::TimedOut),
    };
    if bytes.is_empty() {
        return Ok(None);
    }
    match serde_json::from_slice(&bytes) {
        Ok(value) => Ok(Some(value)),
        Err(error) => {
            let lines = bytes.split(|byte| *byte == b'\n').take(error.line().saturating_sub(1));
            let before: usize = lines.map(|line| line.len() + 1).sum();
            let offset = before + error.column().saturating_sub(1);
            let offset = if error.is_eof() { bytes.len() } else { offset.min(bytes.len()) };
            Err(BodyError::Malformed { message: error.to_string(), offset })
        }
    }
}

async fn read(mut body: Body) -> Result<Vec<u8>, BodyError> {
    let mut bytes = Vec::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        if bytes.len() + data.len() > MAX_BODY {
            return Err(BodyError::TooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_text(content_type: &str, text: &str) -> Result<Option<Value>, BodyError> {
        let request = Request::builder().header(header::CONTENT_TYPE, content_type).body(Body::from(text.to_string()));
        read_json(request.expect("a request"), Duration::from_secs(5)).await
    }

    #[tokio::test]
    async fn json_is_read_and_anything_else_is_told_apart() {
        let json = "application/json; charset=utf-8";
        assert_eq!(read_text(json, "").await, Ok(None));
        assert_eq!(read_text(json, "{\"a\":1}").await, Ok(Some(serde_json::json!({ "a": 1 }))));
        assert_eq!(read_text("text/plain", "{}").await, Err(BodyError::MediaType("text/plain".into())));
        assert_eq!(read_text("", "{}").await, Err(BodyError::MediaType(String::new())));
        assert_eq!(read_text(json, &" ".repeat(MAX_BODY + 1)).await, Err(BodyError::TooLarge));
    }

    #[tokio::test]
    async fn what_is_no_json_is_told_by_place_and_not_by_content() {
        let Err(BodyError::Malformed { message, offset }) = read_text("application/json", "{\n\"otp\":918273x}").await
        else {
            panic!("it is no JSON");
        };
        assert_eq!(offset, 14);
        assert!(message.contains("line 2") && !message.contains("918273"), "{message}");
    }
}
