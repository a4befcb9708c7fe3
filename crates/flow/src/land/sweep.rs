//! Collects contents that no commit ever named: bytes of uploads that a crash cut off. Must look before the server
//! takes uploads, or it would take those for litter whose commit is still to come.

use landfall_core::error::ApiError;
use landfall_store::ContentId;

use super::model::{ContentRecord, content_key};
use crate::drive::Flow;
use crate::tx::Reader;

/// The contents that no record claims. Call it before the first upload can arrive.
pub async fn unclaimed(flow: &Flow) -> Result<Vec<ContentId>, ApiError> {
    let mut contents = flow.contents().list().await?;
    let mut failure = None;
    contents.retain(
        |id| match flow.view().has::<ContentRecord>(&content_key(&id.0)) {
            Ok(claimed) => !claimed,
            Err(e) => {
                failure = Some(e);
                false
            }
        },
    );
    match failure {
        Some(e) => Err(e),
        None => Ok(contents),
    }
}

/// Removes unclaimed contents; how many went. May run beside everything else.
pub async fn sweep(flow: &Flow, unclaimed: Vec<ContentId>) -> Result<usize, ApiError> {
    let count = unclaimed.len();
    for id in unclaimed {
        flow.contents().remove(&id).await?;
    }
    if count > 0 {
        tracing::info!(count, "removed object bytes that no commit names");
    }
    Ok(count)
}
