//! Scalars of the AWS APIs that serde has no type for: points in time and bytes. Never depends on a protocol.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::clock::Timestamp;

/// Seconds since the Unix epoch with a fraction, as the JSON protocols carry time. A whole number is written without a
/// fraction.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct EpochSeconds(pub f64);

impl From<Timestamp> for EpochSeconds {
    fn from(at: Timestamp) -> Self {
        Self(at.epoch_seconds())
    }
}

impl From<EpochSeconds> for Timestamp {
    #[allow(clippy::cast_possible_truncation)]
    fn from(at: EpochSeconds) -> Self {
        Self((at.0 * 1000.0).round() as i64)
    }
}

impl Serialize for EpochSeconds {
    #[allow(clippy::cast_possible_truncation)]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.fract() == 0.0 && self.0.abs() < 1e15 {
            serializer.serialize_i64(self.0 as i64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for EpochSeconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(Self)
    }
}

/// Bytes, base64 in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Blob(pub Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD
            .decode(text)
            .map(Self)
            .map_err(|_| D::Error::custom("not base64"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_seconds_are_written_without_a_fraction() {
        let text = |at: f64| serde_json::to_string(&EpochSeconds(at)).unwrap();
        assert_eq!(text(1_700_000_000.0), "1700000000");
        assert_eq!(text(1_700_000_000.25), "1700000000.25");
    }

    #[test]
    fn time_survives_the_round_trip_to_the_millisecond() {
        let at = Timestamp(1_763_000_123_457);
        let text = serde_json::to_string(&EpochSeconds::from(at)).unwrap();
        let back: EpochSeconds = serde_json::from_str(&text).unwrap();
        assert_eq!(Timestamp::from(back), at);
    }

    #[test]
    fn bytes_are_base64() {
        let blob: Blob = serde_json::from_str("\"aGVsbG8=\"").unwrap();
        assert_eq!(blob.0, b"hello");
        assert!(serde_json::from_str::<Blob>("\"not base64!\"").is_err());
    }
}
