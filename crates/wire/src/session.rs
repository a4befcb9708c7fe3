//! Sessions among those who call: the token that a request bears, and whether it is good for its access key.
//! Never checks a signature.

use http::{HeaderMap, HeaderValue, Request};
use landfall_core::caller::{Identity, SESSION_PREFIX};
use landfall_core::clock::Timestamp;
use landfall_flow::Flow;
use landfall_flow::keep::roles::token;

use crate::protocol::sigv4::query_value;

const SECURITY_TOKEN: &str = "x-amz-security-token";

/// Why a session is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unbelieved {
    /// No token, or one that was made elsewhere or for another key.
    Invalid,
    /// Its time is over.
    Expired,
}

/// Whether an access key id is that of a session.
pub(crate) fn is_session(access_key_id: &str) -> bool {
    access_key_id.starts_with(SESSION_PREFIX)
}

fn token_of(headers: &HeaderMap, query: &str) -> Option<String> {
    let header = headers.get(SECURITY_TOKEN);
    let header = header.and_then(|it| it.to_str().ok()).map(str::to_owned);
    // Version 2 of the signature writes the parameter in small letters.
    header
        .or_else(|| query_value(query, "X-Amz-Security-Token"))
        .or_else(|| query_value(query, "x-amz-security-token"))
}

/// The session of a request: who it is, if its token was made here for its key.
fn session(
    flow: &Flow,
    headers: &HeaderMap,
    query: &str,
    access_key_id: &str,
) -> Option<token::Session> {
    let token = token_of(headers, query)?;
    let read = token::read(&flow.view(), &token).ok().flatten();
    read.filter(|it| it.access_key_id == access_key_id)
}

/// Version 2 of the signature covers the token as a header, also where a presigned URL carries it in its query.
pub(crate) fn show_token<B>(request: &mut Request<B>) {
    let query = request.uri().query().unwrap_or_default();
    let is_version_2 = query_value(query, "AWSAccessKeyId").is_some();
    let token = query_value(query, "x-amz-security-token").filter(|_| is_version_2);
    let value = token.and_then(|it| HeaderValue::from_str(&it).ok());
    if let Some(value) = value {
        request.headers_mut().insert(SECURITY_TOKEN, value);
    }
}

/// Who calls, as far as a token tells it.
pub(crate) fn identity(
    flow: &Flow,
    headers: &HeaderMap,
    query: &str,
    access_key_id: &str,
) -> Identity {
    if !is_session(access_key_id) {
        return Identity::Root;
    }
    session(flow, headers, query, access_key_id).map_or(Identity::Root, |it| it.identity)
}

/// The secret of a session's key, if the request bears the session's token.
///
/// # Errors
/// Why it is not believed.
pub(crate) fn secret(
    flow: &Flow,
    headers: &HeaderMap,
    query: &str,
    access_key_id: &str,
    now: Timestamp,
) -> Result<String, Unbelieved> {
    let session = session(flow, headers, query, access_key_id).ok_or(Unbelieved::Invalid)?;
    if session.has_expired(now) {
        return Err(Unbelieved::Expired);
    }
    let secret = token::secret(&flow.view(), access_key_id).ok().flatten();
    secret.ok_or(Unbelieved::Invalid)
}
