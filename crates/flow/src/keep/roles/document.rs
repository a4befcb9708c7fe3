//! Policy documents as IAM takes and gives them. Never looks deeper than IAM's first glance.

use landfall_core::error::ApiError;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Refuses a document that is no JSON object with a `Statement`.
pub(super) fn check(document: &str) -> Result<(), ApiError> {
    let malformed = |message: &str| ApiError::client("MalformedPolicyDocument", message);
    let Ok(Value::Object(policy)) = serde_json::from_str(document) else {
        return Err(malformed("This policy contains invalid Json"));
    };
    match policy.get("Statement") {
        Some(Value::Object(_) | Value::Array(_)) => Ok(()),
        _ => Err(malformed("Syntax errors in policy.")),
    }
}

/// The form in which IAM answers a document: percent-encoded after RFC 3986.
pub(super) fn encoded(document: &str) -> String {
    utf8_percent_encode(document, ENCODED).to_string()
}
