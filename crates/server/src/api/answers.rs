//! Answers that are not errors.

use super::problem::ApiError;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// What a handler gives back.
pub(super) type Answer = Result<Response, ApiError>;

/// A JSON answer.
pub(super) fn json(value: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(value).expect("the API's shapes are JSON");
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// An answer of bytes.
pub(super) fn bytes(bytes: Vec<u8>) -> Answer {
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
}
