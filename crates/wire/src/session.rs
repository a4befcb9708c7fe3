//! Sessions among those who call: the token that a request bears, and whether it is good for its access key.
//! Never checks a signature.

use http::HeaderMap;
use landfall_core::caller::{Identity, SESSION_PREFIX};
use landfall_core::clock::Timestamp;
use landfall_flow::Flow;
use landfall_flow::keep::roles::token;

use crate::protocol::sigv4::query_value;

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
    let header = headers.get("x-amz-security-token");
    let header = header.and_then(|it| it.to_str().ok()).map(str::to_owned);
    header.or_else(|| query_value(query, "X-Amz-Security-Token"))
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
