//! Checksums of object bytes: the algorithms that S3 knows, computed as bytes pass, compared with what the client
//! claims, and combined over parts. Never sees a whole object at once.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use md5::Md5;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// A checksum algorithm of S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Algorithm {
    /// CRC-32 (ISO-HDLC).
    Crc32,
    /// CRC-32C (iSCSI).
    Crc32c,
    /// CRC-64/NVME.
    Crc64Nvme,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

/// Whether a checksum covers the bytes or the checksums of the parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Coverage {
    /// All bytes in one run.
    #[default]
    FullObject,
    /// The checksum of the parts' checksums.
    Composite,
}

/// A stored checksum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    /// How it was computed.
    pub algorithm: Algorithm,
    /// Over what.
    #[serde(default)]
    pub coverage: Coverage,
    /// Base64 as the API carries it; composite ones end in `-` and the number of parts.
    pub value: String,
}

impl Algorithm {
    /// All algorithms.
    pub const ALL: [Self; 5] = [
        Self::Crc32,
        Self::Crc32c,
        Self::Crc64Nvme,
        Self::Sha1,
        Self::Sha256,
    ];

    /// The API's name, such as `CRC64NVME`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The header that carries a value, such as `x-amz-checksum-crc64nvme`.
    pub fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// The algorithm of that name, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|a| a.name().eq_ignore_ascii_case(name))
    }

    /// Bytes of a value.
    pub fn length(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// What an upload in parts has by default.
    pub fn default_coverage(self) -> Coverage {
        match self {
            Self::Crc64Nvme => Coverage::FullObject,
            _ => Coverage::Composite,
        }
    }

    /// Whether the algorithm can be had in this coverage over parts.
    pub fn allows(self, coverage: Coverage) -> bool {
        !matches!(
            (self, coverage),
            (Self::Crc64Nvme, Coverage::Composite)
                | (Self::Sha1 | Self::Sha256, Coverage::FullObject)
        )
    }

    /// Whether `value` has the form of a value: base64 of the right number of bytes.
    pub fn accepts(self, value: &str) -> bool {
        STANDARD
            .decode(value)
            .is_ok_and(|bytes| bytes.len() == self.length())
    }

    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }

    fn encode_crc(self, value: u64) -> String {
        let bytes = value.to_be_bytes();
        STANDARD.encode(bytes.get(8 - self.length().min(8)..).unwrap_or_default())
    }
}

enum Running {
    Crc(Box<crc_fast::Digest>),
    Sha1(Box<Sha1>),
    Sha256(Box<Sha256>),
}

/// One checksum being computed.
pub struct Hasher {
    algorithm: Algorithm,
    running: Running,
}

impl Hasher {
    /// A fresh one.
    pub fn new(algorithm: Algorithm) -> Self {
        let running = match algorithm.crc() {
            Some(crc) => Running::Crc(Box::new(crc_fast::Digest::new(crc))),
            None if algorithm == Algorithm::Sha1 => Running::Sha1(Box::default()),
            None => Running::Sha256(Box::default()),
        };
        Self { algorithm, running }
    }

    /// Takes the next bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.running {
            Running::Crc(digest) => digest.update(bytes),
            Running::Sha1(digest) => digest.update(bytes),
            Running::Sha256(digest) => digest.update(bytes),
        }
    }

    /// The value over all bytes.
    pub fn finish(self) -> Checksum {
        let value = match self.running {
            Running::Crc(digest) => self.algorithm.encode_crc(digest.finalize()),
            Running::Sha1(digest) => STANDARD.encode(digest.finalize()),
            Running::Sha256(digest) => STANDARD.encode(digest.finalize()),
        };
        Checksum {
            algorithm: self.algorithm,
            coverage: Coverage::FullObject,
            value,
        }
    }
}

/// The checksum of an object made of parts, from the parts' values and sizes; `None` when a part lacks its value.
pub fn over_parts<'a>(
    algorithm: Algorithm,
    coverage: Coverage,
    parts: impl IntoIterator<Item = (Option<&'a Checksum>, u64)>,
) -> Option<Checksum> {
    let mut values = Vec::new();
    for (checksum, size) in parts {
        let checksum = checksum.filter(|c| c.algorithm == algorithm)?;
        values.push((STANDARD.decode(&checksum.value).ok()?, size));
    }
    let value = match coverage {
        Coverage::Composite => composite(algorithm, &values),
        Coverage::FullObject => combined(algorithm, &values)?,
    };
    Some(Checksum {
        algorithm,
        coverage,
        value,
    })
}

fn composite(algorithm: Algorithm, parts: &[(Vec<u8>, u64)]) -> String {
    let mut hasher = Hasher::new(algorithm);
    for (value, _) in parts {
        hasher.update(value);
    }
    format!("{}-{}", hasher.finish().value, parts.len())
}

fn combined(algorithm: Algorithm, parts: &[(Vec<u8>, u64)]) -> Option<String> {
    let crc = algorithm.crc()?;
    let number = |bytes: &[u8]| bytes.iter().fold(0, |n: u64, b| (n << 8) | u64::from(*b));
    let (first, rest) = parts.split_first()?;
    let whole = rest.iter().fold(number(&first.0), |whole, (value, size)| {
        crc_fast::checksum_combine(crc, whole, number(value), *size)
    });
    Some(algorithm.encode_crc(whole))
}

/// The ETag of an object made of parts, without quotes: MD5 over the parts' MD5s and the number of parts.
pub fn etag_over_parts<'a>(etags: impl IntoIterator<Item = &'a str>) -> String {
    let mut digest = Md5::new();
    let mut count = 0;
    for etag in etags {
        digest.update(hex::decode(etag).unwrap_or_default());
        count += 1;
    }
    format!("{}-{count}", hex::encode(digest.finalize()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(algorithm: Algorithm, bytes: &[u8]) -> Checksum {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    #[test]
    fn known_values() {
        let cases = [
            (Algorithm::Crc32, "y/Q5Jg=="),
            (Algorithm::Crc32c, "4waSgw=="),
            (Algorithm::Crc64Nvme, "rosUhgp5mIg="),
            (Algorithm::Sha1, "98O8HYCOBHMq32eZZczDTKeuNEE="),
            (
                Algorithm::Sha256,
                "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
            ),
        ];
        for (algorithm, value) in cases {
            assert_eq!(of(algorithm, b"123456789").value, value, "{algorithm:?}");
        }
        for (algorithm, value) in cases {
            assert!(algorithm.accepts(value), "{algorithm:?}");
            assert!(!algorithm.accepts("AAA="), "{algorithm:?}");
        }
    }

    #[test]
    fn the_etag_over_parts_is_the_md5_of_md5s() {
        let part = hex::encode(Md5::digest(b"hello"));
        let both: Vec<u8> = [Md5::digest(b"hello"), Md5::digest(b"hello")].concat();
        let expected = format!("{}-2", hex::encode(Md5::digest(both)));
        assert_eq!(etag_over_parts([part.as_str(), part.as_str()]), expected);
    }

    proptest! {
        #[test]
        fn full_object_over_parts_is_the_checksum_of_the_whole(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..6),
        ) {
            for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
                let sums: Vec<_> = parts.iter().map(|p| (of(algorithm, p), p.len() as u64)).collect();
                let over = over_parts(
                    algorithm,
                    Coverage::FullObject,
                    sums.iter().map(|(c, n)| (Some(c), *n)),
                );
                prop_assert_eq!(over.unwrap().value, of(algorithm, &parts.concat()).value);
            }
        }
    }
}
