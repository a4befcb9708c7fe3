//! Stored types: each names its space, its version and the type it grew out of. Never stores without a version.

use landfall_core::error::ApiError;
use landfall_store::Space;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A type that lives in the store: one version byte, then JSON.
///
/// A change that old bytes cannot be read as needs a new version whose `Previous` is the old type.
pub trait Record: Serialize + DeserializeOwned {
    /// The space it lives in.
    const SPACE: Space;
    /// Written as the first byte; versions of one chain never repeat.
    const VERSION: u8;
    /// What it was before.
    type Previous: Record;

    /// Lifts the former version.
    fn from_previous(previous: Self::Previous) -> Self;

    /// The stored bytes.
    fn encode(&self) -> Result<Vec<u8>, ApiError> {
        let mut bytes = vec![Self::VERSION];
        serde_json::to_writer(&mut bytes, self)
            .map_err(|e| ApiError::internal(format!("cannot encode a record: {e}")))?;
        Ok(bytes)
    }

    /// Reads this version or any former one.
    fn decode(bytes: &[u8]) -> Result<Self, ApiError> {
        match bytes.split_first() {
            Some((version, json)) if *version == Self::VERSION => serde_json::from_slice(json)
                .map_err(|e| ApiError::internal(format!("a stored record is damaged: {e}"))),
            _ => Self::Previous::decode(bytes).map(Self::from_previous),
        }
    }
}

/// The end of a chain of versions: there was nothing before.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub enum NoPrevious {}

impl Record for NoPrevious {
    const SPACE: Space = Space::Control;
    const VERSION: u8 = 0;
    type Previous = Self;

    fn from_previous(previous: Self) -> Self {
        previous
    }

    fn decode(_: &[u8]) -> Result<Self, ApiError> {
        Err(ApiError::internal(
            "a stored record has a version that this binary does not know",
        ))
    }
}

/// Declares a first-version record: `record!(Rule in Control);`.
#[macro_export]
macro_rules! record {
    ($type:ident in $space:ident) => {
        impl $crate::record::Record for $type {
            const SPACE: landfall_store::Space = landfall_store::Space::$space;
            const VERSION: u8 = 1;
            type Previous = $crate::record::NoPrevious;

            fn from_previous(previous: Self::Previous) -> Self {
                match previous {}
            }
        }
    };
}
