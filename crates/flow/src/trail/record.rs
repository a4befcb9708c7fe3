//! Where the record of a call goes: to the trails that select it, to the event history, to the bus. One place for all
//! services, successes and failures. Never asks whether the call was right.

use landfall_core::caller::Identity;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_core::trail::calls::is_quiet;
use landfall_core::trail::record::{Facts, Outcome, members};
use serde_json::Value;

use super::call::{Call, Said, Target};
use super::model::{Delayed, Departed, HistoryRecord, PendingRecord, Trail, delayed_key};
use super::{history, watch};
use crate::key::Key;
use crate::land::model::{BucketRecord, bucket_key};
use crate::route::{self, ObjectRef, StoredEvent};
use crate::tx::{Reader, Tx};

/// Writes the record of a call into the transaction: to the trails that select it, to the event history, to the bus.
pub(super) fn write(
    tx: &mut Tx<'_>,
    trails: &[Trail],
    call: &Call,
    outcome: Result<Said, &ApiError>,
) -> Result<(), ApiError> {
    let mut call = std::borrow::Cow::Borrowed(call);
    let outcome = match outcome {
        Ok(said) => {
            if let Some(key) = &said.key {
                call.to_mut().name_key(key);
            }
            Outcome::Done(said.elements)
        }
        Err(error) => Outcome::Failed(error),
    };
    let facts = facts(tx, &call)?;
    let subject = facts.subject(&call);
    let is_delivery = call.is_delivery();
    let takes =
        |trail: &&Trail| (trail.recursive || !is_delivery) && watch::takes(trail, &facts, &subject);
    let chosen: Vec<&Trail> = trails.iter().filter(takes).collect();
    if call.target.is_data() && chosen.is_empty() {
        return Ok(());
    }
    let json = Value::Object(members(&call, &facts, outcome)).to_string();
    if !call.target.is_data() {
        history::keep(tx, entry(&call, &facts, json.clone()))?;
    }
    for trail in &chosen {
        wait_for_file(tx, trail, &call, &facts, &json)?;
    }
    match chosen.is_empty() || !goes_on_bus(tx, &call, &facts)? {
        true => Ok(()),
        false => announce(tx, &call, &facts, &json),
    }
}

/// Whether an event tells of the call: reads of objects never have one, reads of the control plane where a rule asks.
fn goes_on_bus(tx: &mut Tx<'_>, call: &Call, facts: &Facts) -> Result<bool, ApiError> {
    match (call.read_only, call.target.is_data()) {
        (false, _) => Ok(true),
        (true, true) => Ok(false),
        (true, false) if !is_quiet(&call.source, &call.name) => Ok(true),
        (true, false) => route::wants_reads(tx, &facts.account, &facts.region),
    }
}

/// Lets a record wait for the next log file of a trail; of one that is gone by now, for the last.
fn wait_for_file(
    tx: &mut Tx<'_>,
    trail: &Trail,
    call: &Call,
    facts: &Facts,
    json: &str,
) -> Result<(), ApiError> {
    let mut key = trail.key();
    if !tx.has::<Trail>(&key.record())? {
        let of_account = Key::new("trail-departed")
            .part(&key.account)
            .part(&key.home);
        let departed: Vec<Departed> = tx.all(&of_account)?;
        let same = departed.iter().filter(|it| it.trail.name == trail.name);
        let Some(last) = same.max_by_key(|it| it.number) else {
            return Ok(());
        };
        key = last.key();
    }
    let number = tx.next_sequence();
    let at = key.pending().part(&facts.region).number(number);
    let pending = PendingRecord {
        at: facts.at,
        json: json.to_owned(),
    };
    tx.put(&at, &pending)?;
    match call.is_delivery() {
        true => tx.caches.trails.wait_for_delivery(key, facts.at),
        false => tx.caches.trails.wait_for(key, facts.at),
    }
    Ok(())
}

/// Who owns a call's bucket and where it is, as far as the store knows.
fn facts(tx: &Tx<'_>, call: &Call) -> Result<Facts, ApiError> {
    let bucket: Option<BucketRecord> = match call.target.bucket() {
        Some(name) => tx.get(&bucket_key(name))?,
        None => None,
    };
    let bucket = bucket.map(|bucket| (bucket.account, bucket.region));
    Ok(Facts::of(call, tx.now(), tx.ids().uuid(), bucket))
}

fn entry(call: &Call, facts: &Facts, json: String) -> HistoryRecord {
    let bucket = call
        .target
        .bucket()
        .map(|bucket| ("AWS::S3::Bucket".to_owned(), bucket.to_owned()));
    HistoryRecord {
        account: facts.account.clone(),
        region: facts.region.clone(),
        at: facts.at,
        id: facts.id.clone(),
        name: call.name.clone(),
        source: call.source.clone(),
        read_only: call.read_only,
        user: match &call.caller.identity {
            Identity::Root => "root".to_owned(),
            Identity::Role(session) => session.name.clone(),
            Identity::Service => String::new(),
        },
        access_key: call.caller.access_key_id.clone(),
        resources: bucket.into_iter().chain(history::named(call)).collect(),
        json,
    }
}

/// Puts the event on the bus, at once or after the imitated delay.
fn announce(tx: &mut Tx<'_>, call: &Call, facts: &Facts, json: &str) -> Result<(), ApiError> {
    if json.len() > limits::CLOUDTRAIL_EVENT_BYTES_MAX {
        tracing::warn!(event = %facts.id, "a record is too large for the event bus");
        return Ok(());
    }
    let delay = tx.caches.trails.delay_millis();
    let due = tx.now().plus_millis(delay);
    let envelope = facts.envelope(call, tx.ids().uuid());
    let event = StoredEvent {
        json: envelope
            .with_detail(json)
            .map_err(|e| ApiError::internal(e.to_string()))?,
        id: envelope.id,
        account: envelope.account,
        region: envelope.region,
        bus: "default".to_owned(),
        ingested_at: due,
        object: object(call),
        hops: 0,
        again: None,
    };
    if delay == 0 {
        return route::emit(tx, &event).map(|_| ());
    }
    let number = tx.next_sequence();
    tx.caches.trails.event_due(due);
    tx.put(&delayed_key(due, number), &Delayed { event })
}

fn object(call: &Call) -> Option<ObjectRef> {
    match &call.target {
        Target::Object {
            bucket,
            key: Some(key),
        } => Some(ObjectRef {
            bucket: bucket.clone(),
            key: key.clone(),
            version_id: None,
        }),
        _ => None,
    }
}
