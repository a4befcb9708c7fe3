//! Tasks.

pub(crate) mod effects;

use landfall_core::error::ApiError;

use crate::drive::Pending;
use crate::tx::Tx;

/// One step of the loop.
pub(crate) fn turn(_: &mut Tx<'_>) -> Result<Pending, ApiError> {
    Ok(Pending::default())
}

/// The first step after a start.
pub(crate) fn recover(_: &mut Tx<'_>) -> Result<Pending, ApiError> {
    Ok(Pending::default())
}
