//! IAM's pages: `Marker`, `MaxItems`, `IsTruncated`. Never decides the order of what it cuts.

use landfall_core::error::ApiError;

use crate::page::page;

const ITEMS_DEFAULT: i32 = 100;
const ITEMS_MAX: usize = 1_000;

/// A part of a listing.
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) is_truncated: Option<bool>,
    pub(super) marker: Option<String>,
}

/// Cuts the page that the caller asked for.
pub(super) fn cut<T>(
    items: Vec<T>,
    marker: Option<&str>,
    max_items: Option<i32>,
) -> Result<Page<T>, ApiError> {
    let limit = max_items.or(Some(ITEMS_DEFAULT));
    let (items, marker) = page(items, marker, limit, ITEMS_MAX)
        .map_err(|_| ApiError::client("ValidationError", "Invalid Marker."))?;
    Ok(Page {
        items,
        is_truncated: Some(marker.is_some()),
        marker,
    })
}
