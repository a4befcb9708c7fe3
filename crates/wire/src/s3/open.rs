//! The road of servers without credentials: whatever signature a request bears is taken off before the S3 library
//! sees it, so that any client works. Only a presigned URL that has expired is refused, as it says so itself.

use bytes::Bytes;
use futures::TryStreamExt as _;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, HeaderValue, Request, Uri};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_flow::land::error::invalid_argument;
use s3s::Body;
use time::format_description::FormatItem;
use time::macros::format_description;

use super::chunked::{Trailers, decode};
use super::form::{is_form, unsigned};

const AMZ_DATE: &[FormatItem<'static>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");

/// Query parameters that belong to a signature.
const SIGNATURE_PARAMETERS: [&str; 10] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
    "X-Amz-Security-Token",
    "AWSAccessKeyId",
    "Signature",
    "Expires",
];

/// What the signature said about the bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct Stripped {
    /// SHA-256 of the payload in hex, when it was signed.
    pub(super) sha256: Option<String>,
    /// Where trailers appear when the body has ended.
    pub(super) trailers: Trailers,
}

/// Takes the signature and the chunked coding off a request.
///
/// Errors: `AccessDenied` for an expired URL, `InvalidArgument` for headers that cannot be.
pub(super) fn strip(
    request: Request<Body>,
    query: &[(String, String)],
    now: Timestamp,
) -> Result<(Request<Body>, Stripped), ApiError> {
    refuse_expired(query, now)?;
    let (mut parts, body) = request.into_parts();
    parts.headers.remove(AUTHORIZATION);
    if is_presigned(query) {
        parts.uri = without_signature(&parts.uri);
    }
    let mut stripped = Stripped::default();
    let content = parts.headers.remove("x-amz-content-sha256");
    let content = content
        .as_ref()
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    let body = match content {
        _ if is_form(&parts.method, &parts.headers) => {
            let fields = unsigned(body.into_data_stream());
            Body::http_body_unsync(StreamBody::new(fields.map_ok(Frame::<Bytes>::data)))
        }
        _ if content.starts_with("STREAMING-") || is_chunked(&parts.headers) => {
            unwrap_headers(&mut parts.headers)?;
            unwrap_body(body, &stripped.trailers)
        }
        "" | "UNSIGNED-PAYLOAD" => body,
        hash if is_sha256(hash) => {
            stripped.sha256 = Some(hash.to_owned());
            body
        }
        other => {
            let message = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
                           STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, \
                           STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, \
                           STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value.";
            return Err(invalid_argument(message, "x-amz-content-sha256", other));
        }
    };
    Ok((Request::from_parts(parts, body), stripped))
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn is_chunked(headers: &HeaderMap) -> bool {
    let encodings = headers.get_all(CONTENT_ENCODING).iter();
    encodings
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .any(|coding| coding.trim().eq_ignore_ascii_case("aws-chunked"))
}

/// The headers as they would be without the chunked coding.
fn unwrap_headers(headers: &mut HeaderMap) -> Result<(), ApiError> {
    let kept: Vec<String> = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .map(|coding| coding.trim().to_owned())
        .filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    headers.remove(CONTENT_ENCODING);
    if let Ok(value) = HeaderValue::from_str(&kept.join(","))
        && !kept.is_empty()
    {
        headers.insert(CONTENT_ENCODING, value);
    }
    headers.remove(CONTENT_LENGTH);
    let Some(length) = headers.remove("x-amz-decoded-content-length") else {
        let message = "You must provide the Content-Length HTTP header.";
        return Err(ApiError::with_status("MissingContentLength", 411, message));
    };
    headers.insert(CONTENT_LENGTH, length);
    Ok(())
}

fn unwrap_body(body: Body, trailers: &Trailers) -> Body {
    let chunks = body.into_data_stream();
    let decoded = decode(chunks, trailers.clone());
    Body::http_body_unsync(StreamBody::new(decoded.map_ok(Frame::<Bytes>::data)))
}

fn is_presigned(query: &[(String, String)]) -> bool {
    query
        .iter()
        .any(|(name, _)| name == "X-Amz-Signature" || name == "Signature")
}

fn without_signature(uri: &Uri) -> Uri {
    let query = uri.query().unwrap_or_default();
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| {
            let name = pair.split('=').next().unwrap_or_default();
            !SIGNATURE_PARAMETERS.contains(&name)
        })
        .collect();
    let path = match kept.is_empty() {
        true => uri.path().to_owned(),
        false => format!("{}?{}", uri.path(), kept.join("&")),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = path.parse().ok().or(parts.path_and_query);
    Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
}

fn refuse_expired(query: &[(String, String)], now: Timestamp) -> Result<(), ApiError> {
    let of = |name: &str| {
        query
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    };
    let ends = match (
        of("X-Amz-Date"),
        of("X-Amz-Expires"),
        of("Signature"),
        of("Expires"),
    ) {
        (Some(date), Some(seconds), _, _) => v4_end(date, seconds)?,
        (_, _, Some(_), Some(end)) => end
            .parse::<i64>()
            .map_err(|_| invalid_argument("Expires must be a number of seconds", "Expires", end))?,
        _ => return Ok(()),
    };
    if ends.saturating_mul(1000) >= now.0 {
        return Ok(());
    }
    let at = |t: Timestamp| t.rfc3339_seconds();
    Err(
        ApiError::with_status("AccessDenied", 403, "Request has expired")
            .member("Expires", at(Timestamp(ends.saturating_mul(1000))))
            .member("ServerTime", at(now)),
    )
}

fn v4_end(date: &str, seconds: &str) -> Result<i64, ApiError> {
    let malformed = |message: &str| ApiError::client("AuthorizationQueryParametersError", message);
    let start = time::PrimitiveDateTime::parse(date, AMZ_DATE).map_err(|_| {
        malformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    })?;
    let seconds: i64 = seconds
        .parse()
        .map_err(|_| malformed("X-Amz-Expires should be a number"))?;
    match seconds {
        ..0 => Err(malformed("X-Amz-Expires must be non-negative")),
        604_801.. => Err(malformed(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than \
             604800 seconds",
        )),
        _ => Ok(start.assume_utc().unix_timestamp() + seconds),
    }
}
