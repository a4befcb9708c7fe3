//! `PutEvents`: custom events taken in, entry by entry. Never fails the good entries for a bad one.

use landfall_core::api::generated::events as api;
use landfall_core::caller::Caller;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::event::Envelope;
use landfall_core::limits;
use landfall_core::metrics::Metric;

use super::bus::{BusKey, check_exists};
use super::event::{StoredEvent, emit};
use crate::count::{Series, amount, once};
use crate::tx::Tx;

/// What the time of an entry weighs, given or not.
const TIME_BYTES: usize = 14;

/// `PutEvents`.
pub fn put(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::PutEventsRequest,
) -> Result<api::PutEventsResponse, ApiError> {
    if request.endpoint_id.is_some() {
        let text = "Global endpoints do not exist in Landfall; leave out EndpointId.";
        return Err(ApiError::validation(text));
    }
    let entries = request.entries.unwrap_or_default();
    if entries.len() > limits::EVENTS_PUT_ENTRIES_MAX {
        return Err(ApiError::validation(format!(
            "1 validation error detected: Value '{entries:?}' at 'entries' failed to satisfy constraint: Member must \
             have length less than or equal to 10"
        )));
    }
    let (count, bytes) = (entries.len(), entries.iter().map(size).sum());
    let mut failed = 0;
    let mut results = Vec::new();
    for entry in entries {
        results.push(match tx.attempt(|tx| put_entry(tx, caller, &entry)) {
            Ok(id) => api::PutEventsResultEntry {
                event_id: Some(id),
                ..Default::default()
            },
            Err(e) if e.status >= 500 => return Err(e),
            Err(e) => {
                failed += 1;
                api::PutEventsResultEntry {
                    error_code: Some(e.code.into_owned()),
                    error_message: Some(e.message),
                    ..Default::default()
                }
            }
        });
    }
    tx.count(
        Series::of_account(&caller.account, &caller.region),
        vec![
            once(Metric::PutEventsApproximateCallCount),
            once(Metric::PutEventsApproximateSuccessCount),
            amount(Metric::PutEventsEntriesCount, count),
            (Metric::PutEventsFailedEntriesCount, f64::from(failed)),
            amount(Metric::PutEventsRequestSize, bytes),
        ],
    );
    Ok(api::PutEventsResponse {
        failed_entry_count: Some(failed),
        entries: Some(results),
    })
}

/// What an entry weighs. Bytes.
fn size(entry: &api::PutEventsRequestEntry) -> usize {
    let given = [&entry.source, &entry.detail_type, &entry.detail];
    let texts = given.into_iter().flatten();
    let resources = entry.resources.iter().flatten();
    TIME_BYTES + texts.chain(resources).map(String::len).sum::<usize>()
}

fn put_entry(
    tx: &mut Tx<'_>,
    caller: &Caller,
    entry: &api::PutEventsRequestEntry,
) -> Result<String, ApiError> {
    let invalid = |text: String| ApiError::client("InvalidArgument", text);
    let given = |value: &Option<String>, name: &str| {
        value.clone().filter(|v| !v.is_empty()).ok_or_else(|| {
            invalid(format!(
                "Parameter {name} is not valid. Reason: {name} is a required argument."
            ))
        })
    };
    let source = given(&entry.source, "Source")?;
    let detail_type = given(&entry.detail_type, "DetailType")?;
    let detail = given(&entry.detail, "Detail")?;
    if source.starts_with("aws.") {
        let text = "Not authorized for the source.";
        return Err(ApiError::client("NotAuthorizedForSourceException", text));
    }
    let resources = entry.resources.clone().unwrap_or_default();
    if size(entry) > limits::EVENTS_ENTRY_BYTES_MAX {
        return Err(invalid(format!(
            "The entry is larger than {} bytes.",
            limits::EVENTS_ENTRY_BYTES_MAX
        )));
    }
    let bus = BusKey::of(caller, entry.event_bus_name.as_deref());
    check_exists(tx, &bus)?;
    let id = tx.ids().uuid();
    #[allow(clippy::cast_possible_truncation)]
    let at = entry
        .time
        .as_ref()
        .map_or(tx.now(), |t| Timestamp((t.0 * 1000.0) as i64));
    let envelope = Envelope {
        id: id.clone(),
        time: at,
        account: caller.account.clone(),
        region: caller.region.clone(),
        source,
        detail_type,
        resources,
    };
    let json = envelope
        .with_detail(&detail)
        .map_err(|e| ApiError::client("MalformedDetail", e.to_string()))?;
    let event = StoredEvent {
        id: id.clone(),
        account: bus.account,
        region: bus.region,
        bus: bus.name,
        json,
        ingested_at: tx.now(),
        object: None,
        hops: 0,
        again: None,
    };
    emit(tx, &event)?;
    Ok(id)
}
