//! CIDR blocks as EC2 takes them: the bits behind the mask are cleared. Never resolves a name.

use ipnet::{Ipv4Net, Ipv6Net};
use landfall_core::error::ApiError;

use super::resource::invalid;

/// Addresses of each subnet that AWS keeps for itself.
const RESERVED_ADDRESSES: u32 = 5;
/// Masks that a VPC or subnet can have.
const MASK_BITS: std::ops::RangeInclusive<u8> = 16..=28;

/// An IPv4 block.
pub(super) fn ipv4(text: &str, parameter: &str) -> Result<Ipv4Net, ApiError> {
    text.parse::<Ipv4Net>()
        .map(|net| net.trunc())
        .map_err(|_| not_a_block(text, parameter))
}

/// An IPv6 block.
pub(super) fn ipv6(text: &str, parameter: &str) -> Result<Ipv6Net, ApiError> {
    text.parse::<Ipv6Net>()
        .map(|net| net.trunc())
        .map_err(|_| not_a_block(text, parameter))
}

/// The block of a VPC or subnet; `code` is said when its size is not between /16 and /28.
pub(super) fn network(text: Option<&str>, code: &'static str) -> Result<Ipv4Net, ApiError> {
    let text = text.ok_or_else(|| {
        ApiError::client(
            "MissingParameter",
            "Either 'cidrBlock' or 'ipv4IpamPoolId' should be provided.",
        )
    })?;
    let net = ipv4(text, "cidrBlock")?;
    match MASK_BITS.contains(&net.prefix_len()) {
        true => Ok(net),
        false => Err(ApiError::client(
            code,
            format!("The CIDR '{text}' is invalid."),
        )),
    }
}

/// Addresses that a subnet has to give away.
pub(super) fn available(block: &str) -> Option<i32> {
    let net: Ipv4Net = block.parse().ok()?;
    let all = 1_u32.checked_shl(u32::from(32 - net.prefix_len()))?;
    i32::try_from(all.saturating_sub(RESERVED_ADDRESSES)).ok()
}

fn not_a_block(text: &str, parameter: &str) -> ApiError {
    invalid(format!(
        "Value ({text}) for parameter {parameter} is invalid. This is not a valid CIDR block."
    ))
}
