//! Names and ARNs of trails: what AWS takes, and its words for what it does not take.

use crate::arn::{Arn, arn};
use crate::caller::Caller;
use crate::error::ApiError;
use crate::limits::{
    CLOUDTRAIL_NAME_CHARS_MAX, CLOUDTRAIL_NAME_CHARS_MIN, CLOUDTRAIL_PREFIX_CHARS_MAX,
};

/// A trail as a request names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Account.
    pub account: String,
    /// Home region; none when only a name was given.
    pub region: Option<String>,
    /// Name.
    pub name: String,
}

/// The ARN of a trail.
pub fn arn_of(account: &str, region: &str, name: &str) -> String {
    arn("cloudtrail", region, account, format!("trail/{name}"))
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::client("InvalidTrailNameException", message)
}

/// Whether a name is one.
///
/// # Errors
/// `InvalidTrailNameException`
pub fn check(name: &str) -> Result<(), ApiError> {
    let (min, max) = (CLOUDTRAIL_NAME_CHARS_MIN, CLOUDTRAIL_NAME_CHARS_MAX);
    let length = name.chars().count();
    let plain = |c: char| c.is_ascii_alphanumeric();
    let mark = |c: char| matches!(c, '.' | '-' | '_');
    if length == 0 {
        return Err(invalid("Trail name cannot be blank!"));
    }
    if length < min {
        return Err(invalid(format!(
            "Trail name too short. Minimum allowed length: {min} characters. Specified name length: {length} characters."
        )));
    }
    if length > max {
        return Err(invalid(format!(
            "Trail name too long. Maximum allowed length: {max} characters. Specified name length: {length} characters."
        )));
    }
    if !name.chars().all(|c| plain(c) || mark(c)) {
        return Err(invalid(
            "Trail name or ARN can only contain uppercase letters, lowercase letters, numbers, periods (.), hyphens \
             (-), and underscores (_).",
        ));
    }
    if !name.starts_with(plain) {
        return Err(invalid("Trail name must starts with a letter or number."));
    }
    if !name.ends_with(plain) {
        return Err(invalid("Trail name must ends with a letter or number."));
    }
    let doubled = name
        .chars()
        .zip(name.chars().skip(1))
        .any(|(a, b)| mark(a) && mark(b));
    let is_address = name.parse::<std::net::Ipv4Addr>().is_ok();
    match (doubled, is_address) {
        (true, _) => Err(invalid(
            "Trail name cannot have adjacent periods, hyphens or underscores.",
        )),
        (_, true) => Err(invalid("Trail name cannot be in IP address format.")),
        _ => Ok(()),
    }
}

/// The trail that a name or an ARN names.
///
/// # Errors
/// `InvalidTrailNameException`, `CloudTrailARNInvalidException`
pub fn parse(caller: &Caller, text: &str) -> Result<Named, ApiError> {
    if !text.starts_with("arn:") {
        check(text)?;
        return Ok(Named {
            account: caller.account.clone(),
            region: None,
            name: text.to_owned(),
        });
    }
    let malformed = || {
        ApiError::client(
            "CloudTrailARNInvalidException",
            format!("The specified ARN {text} is not valid for a trail."),
        )
    };
    let parsed = Arn::parse(text).ok_or_else(malformed)?;
    let name = parsed
        .resource
        .strip_prefix("trail/")
        .ok_or_else(malformed)?;
    if parsed.service != "cloudtrail" || parsed.region.is_empty() {
        return Err(malformed());
    }
    check(name)?;
    Ok(Named {
        account: parsed.account.to_owned(),
        region: Some(parsed.region.to_owned()),
        name: name.to_owned(),
    })
}

/// Whether a prefix of the keys of log files is one.
///
/// # Errors
/// `InvalidS3PrefixException`
pub fn check_prefix(prefix: &str) -> Result<(), ApiError> {
    let max = CLOUDTRAIL_PREFIX_CHARS_MAX;
    if prefix.chars().count() > max {
        return Err(ApiError::client(
            "InvalidS3PrefixException",
            format!("S3 prefix is longer than maximum length: {max} characters."),
        ));
    }
    Ok(())
}
