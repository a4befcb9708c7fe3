//! Pulls an image from its registry. Never pulls what is there already, and words its failures as ECS does.

use super::store::{ImageStore, StoredImage};
use crate::RuntimeError;

/// Pulls `reference` into the store.
pub(crate) async fn pull(
    _store: &ImageStore,
    reference: &str,
) -> Result<StoredImage, RuntimeError> {
    Err(cannot_pull(reference, "not found"))
}

/// ECS's own words for an image that cannot be had.
fn cannot_pull(reference: &str, why: impl std::fmt::Display) -> RuntimeError {
    RuntimeError::CannotPull(format!(
        "pull image manifest has been retried 1 time(s): failed to resolve ref {reference}: {why}"
    ))
}
