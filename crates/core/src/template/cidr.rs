//! Cuts an address block into subnets, for `Fn::Cidr`.
//!
//! Arithmetic only; never asks whether a block is free.

use core::net::IpAddr;
use core::net::Ipv4Addr;
use core::net::Ipv6Addr;

use crate::limits::CLOUDFORMATION_CIDR_BLOCKS_MAX;

/// The first `count` subnets with `host_bits` bits for hosts; as many bits as fit if `None`.
pub(super) fn cut(block: &str, count: u32, host_bits: Option<u32>) -> Option<Vec<String>> {
    if !(1..=CLOUDFORMATION_CIDR_BLOCKS_MAX).contains(&count) {
        return None;
    }
    let (address, prefix) = block.split_once('/')?;
    let prefix: u32 = prefix.parse().ok()?;
    let (base, width) = match address.parse().ok()? {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let free = u32::checked_sub(width, prefix)?;
    let bits = host_bits.unwrap_or_else(|| free.saturating_sub(count.next_power_of_two().ilog2()));
    let fits = bits <= free && (free - bits >= 32 || u64::from(count) <= 1 << (free - bits));
    if !fits || bits >= 128 {
        return None;
    }
    let base = if free == 128 { 0 } else { base >> free << free };
    let subnets = (0..u128::from(count)).map(|index| {
        let address = base + (index << bits);
        format!("{}/{}", spell(address, width), width - bits)
    });
    Some(subnets.collect())
}

fn spell(address: u128, width: u32) -> IpAddr {
    match u32::try_from(address) {
        Ok(address) if width == 32 => IpAddr::V4(Ipv4Addr::from_bits(address)),
        _ => IpAddr::V6(Ipv6Addr::from_bits(address)),
    }
}
