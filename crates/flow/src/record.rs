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

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct First {
        name: String,
    }
    crate::record!(First in Control);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Second {
        names: Vec<String>,
    }

    impl Record for Second {
        const SPACE: Space = Space::Control;
        const VERSION: u8 = 2;
        type Previous = First;

        fn from_previous(previous: First) -> Self {
            Self {
                names: vec![previous.name],
            }
        }
    }

    #[test]
    fn a_former_version_is_lifted_and_the_present_one_is_read_as_it_is() {
        let first = First {
            name: "a".to_owned(),
        };
        let second = Second {
            names: vec!["a".to_owned()],
        };
        assert_eq!(Second::decode(&first.encode().unwrap()).unwrap(), second);
        assert_eq!(Second::decode(&second.encode().unwrap()).unwrap(), second);
    }

    #[test]
    fn a_later_version_and_damaged_bytes_are_refused() {
        let later = b"\x03{\"names\":[]}";
        let unknown = "a stored record has a version that this binary does not know";
        for bytes in [&later[..], b"", b"\x00{}"] {
            assert_eq!(Second::decode(bytes).unwrap_err().message, unknown);
        }
        let damaged = Second::decode(b"\x02{").unwrap_err().message;
        assert!(damaged.starts_with("a stored record is damaged: "));
    }
}
