//! Each AWS protocol once, for all services: how a request is read, an answer and an error written. Never knows what an
//! operation does.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use landfall_core::error::ApiError;

use crate::http::Body;

pub mod cbor;
pub mod json;
pub mod query;
pub mod sigv4;
pub mod xml;

/// The header that carries the id of a request in answers of all services but S3.
pub const REQUEST_ID: &str = "x-amzn-requestid";

/// An answer that is wholly in memory.
pub(crate) fn answer(
    status: u16,
    content_type: &str,
    request_id: &str,
    body: impl Into<Bytes>,
) -> Response<Body> {
    let mut response = Response::new(full(body));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    set(&mut response, "content-type", content_type);
    set(&mut response, REQUEST_ID, request_id);
    response
}

/// A body that is wholly in memory.
pub fn full(body: impl Into<Bytes>) -> Body {
    Full::new(body.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// Sets a header; a value that no header can carry is left out.
pub(crate) fn set(response: &mut Response<Body>, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// The service's `SerializationException` or its like: the request cannot be read.
pub(crate) fn malformed(code: &'static str, message: impl Into<String>) -> ApiError {
    ApiError::client(code, message)
}
