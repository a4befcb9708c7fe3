//! Reads uploads that happened: a CloudTrail log file, or the ledger as `landfall runs --output json` prints it.
//!
//! Never makes up what a record does not say, except what the ledger never holds: the way the object was made.

use serde_json::Value;

use super::ProveError;
use super::upload::{Operation, Place, Upload};
use crate::limits::PROVE_RECORDED_MAX;

/// The uploads of a file.
///
/// # Errors
/// [`ProveError::Recorded`] for a text that is neither kind, and for more than [`PROVE_RECORDED_MAX`] of them.
pub fn recorded(text: &str, place: &Place) -> Result<Vec<Upload>, ProveError> {
    let document: Value = serde_json::from_str(text)
        .map_err(|e| ProveError::Recorded(format!("the recorded uploads are not JSON: {e}")))?;
    let uploads: Vec<Upload> = match (document.get("Records"), document.as_array()) {
        (Some(Value::Array(records)), _) => records.iter().filter_map(Upload::of_record).collect(),
        (_, Some(runs)) => runs.iter().filter_map(|run| of_run(run, place)).collect(),
        _ => {
            return Err(ProveError::Recorded(
                "the recorded uploads are neither a CloudTrail log file ({\"Records\": […]}) nor what `landfall runs \
                 --output json` prints"
                    .to_owned(),
            ));
        }
    };
    if uploads.len() > PROVE_RECORDED_MAX {
        return Err(ProveError::Recorded(format!(
            "{} recorded uploads are more than {PROVE_RECORDED_MAX}",
            uploads.len()
        )));
    }
    Ok(uploads)
}

fn of_run(run: &Value, place: &Place) -> Option<Upload> {
    let text = |name: &str| run.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(Upload {
        bucket: text("bucket")?,
        key: text("key")?,
        operation: Operation::PutObject,
        size: 0,
        source_ip: "127.0.0.1".to_owned(),
        account: place.account.clone(),
        versioned: text("version_id").is_some(),
        fails: false,
        record: None,
    })
}
