//! IP addresses and address blocks as event patterns read them. Never resolves a name.

use std::net::Ipv6Addr;

/// Longest dotted quad that counts as an address: leading zeros are fine as long as they fit.
const DOTTED_QUAD_BYTES_MAX: usize = 15;

/// An address of either family. An IPv4 address mapped into IPv6 is the IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Address {
    V4(u32),
    V6(u128),
}

/// A block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Block {
    base: Address,
    bits: u32,
}

impl Address {
    /// Reads a dotted quad, or an IPv6 address without one in it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if looks_like_v4(text) {
            return parse_v4(text).map(Self::V4);
        }
        if !looks_like_v6(text) {
            return None;
        }
        let address: Ipv6Addr = text.parse().ok()?;
        match address.to_ipv4_mapped() {
            Some(mapped) => Some(Self::V4(mapped.to_bits())),
            None => Some(Self::V6(address.to_bits())),
        }
    }
}

impl Block {
    /// Reads `address/bits`; the error is the reason that EventBridge gives.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let [address, bits] = split_once_only(text).ok_or("Malformed CIDR, one '/' required")?;
        let bits: i32 = bits
            .parse()
            .map_err(|_| "Malformed CIDR, mask bits must be an integer".to_owned())?;
        let bits = u32::try_from(bits)
            .map_err(|_| "Malformed CIDR, mask bits must not be negative".to_owned())?;
        let base = Address::parse(address).ok_or_else(|| {
            let kind = if looks_like_v4(address) || looks_like_v6(address) {
                "Invalid"
            } else {
                "Nonstandard"
            };
            format!("{kind} IP address: {address}")
        })?;
        match base {
            Address::V4(_) if bits > 31 => Err("IPv4 mask bits must be < 32".to_owned()),
            Address::V6(_) if bits > 127 => Err("IPv6 mask bits must be < 128".to_owned()),
            _ => Ok(Self { base, bits }),
        }
    }

    /// The block of one address.
    pub(crate) fn only(base: Address) -> Self {
        let bits = match base {
            Address::V4(_) => u32::BITS,
            Address::V6(_) => u128::BITS,
        };
        Self { base, bits }
    }

    pub(crate) fn base(&self) -> Address {
        self.base
    }

    pub(crate) fn bits(&self) -> u32 {
        self.bits
    }

    pub(crate) fn contains(self, address: Address) -> bool {
        match (self.base, address) {
            (Address::V4(base), Address::V4(other)) => {
                (base ^ other).checked_shr(32 - self.bits).unwrap_or(0) == 0
            }
            (Address::V6(base), Address::V6(other)) => {
                (base ^ other).checked_shr(128 - self.bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// The two parts around the slash; empty parts at the end do not count.
fn split_once_only(text: &str) -> Option<[&str; 2]> {
    let (address, bits) = text.trim_end_matches('/').split_once('/')?;
    (!bits.contains('/')).then_some([address, bits])
}

fn looks_like_v4(text: &str) -> bool {
    let mut parts = 0;
    let digits_only = text.split('.').all(|part| {
        parts += 1;
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
    });
    digits_only && parts == 4
}

fn looks_like_v6(text: &str) -> bool {
    text.contains(':')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b':')
}

fn parse_v4(text: &str) -> Option<u32> {
    if text.len() > DOTTED_QUAD_BYTES_MAX {
        return None;
    }
    text.split('.').try_fold(0, |address, part| {
        Some(address << 8 | u32::from(part.parse::<u8>().ok()?))
    })
}
