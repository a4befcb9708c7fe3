//! Log files are written: records that wait become one object of the trail's bucket, in one commit with their removal;
//! a digest file follows. Runs beside the loop and hands it what is ready. Never loses a record, never delivers one
//! twice: whoever crashes before the commit begins anew.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use landfall_core::caller::Caller;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::event::CreatedReason;
use landfall_core::limits;
use landfall_store::Direction;
use sha2::{Digest as _, Sha256};
use time::macros::format_description;

use super::digest::{self, day};
use super::model::{
    Chain, Departed, PendingRecord, Trail, TrailKey, TrailStatus, Undigested, number_of_pending,
    region_of_pending,
};
use super::own::{Keep, S3Call};
use super::{own, policy};
use crate::drive::Flow;
use crate::key::Key;
use crate::land::condition::WriteCondition;
use crate::land::model::Attributes;
use crate::land::object::{self, NewObject};
use crate::land::receive::{Claims, Received, receive};
use crate::tx::{Reader, Tx};

const SERVICE: &str = "cloudtrail.amazonaws.com";
const STAMP: &[time::format_description::FormatItem<'static>] =
    format_description!("[year][month][day]T[hour][minute]Z");
/// Characters that make the name of a log file its own.
const UNIQUE: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A trail that delivers.
struct Sender {
    trail: Trail,
    /// What its records and chains are kept under.
    key: TrailKey,
    is_departed: bool,
}

/// Delivers what waits for a trail, and tells the loop how it went.
pub(crate) async fn deliver(flow: &Flow, key: TrailKey, until: u64) {
    let outcome = attempt(flow, &key, until).await;
    if let Err(e) = &outcome {
        tracing::warn!(trail = %key.name, error = %e, "log files cannot be delivered");
    }
    let told = flow.write(move |tx| ended(tx, &key, outcome)).await;
    if let Err(e) = told {
        tracing::error!(error = %e, "the end of a delivery of log files could not be told");
    }
}

fn sender(flow: &Flow, key: &TrailKey) -> Result<Option<Sender>, ApiError> {
    let sender = |trail, is_departed| Sender {
        trail,
        key: key.clone(),
        is_departed,
    };
    if let Some(trail) = flow.view().get::<Trail>(&key.record())? {
        return Ok(Some(sender(trail, false)));
    }
    let departed = flow.view().get::<Departed>(&key.departed())?;
    Ok(departed.map(|it| sender(it.trail, true)))
}

/// Writes the files that are due; when the first of the records was made that are too young yet.
async fn attempt(flow: &Flow, key: &TrailKey, until: u64) -> Result<Option<Timestamp>, ApiError> {
    let Some(sender) = sender(flow, key)? else {
        return Ok(None);
    };
    let now = flow.clock().now().0;
    let ripe = Ripe {
        until,
        made: match flow.trails().delay_millis() {
            0 => None,
            delay => Some(Timestamp(now - delay)),
        },
    };
    let mut young: Option<Timestamp> = None;
    for region in regions(flow, key)? {
        let mut found = next_batch(flow, key, &region, &ripe)?;
        while !found.keys.is_empty() {
            write_log(flow, &sender, found).await?;
            found = next_batch(flow, key, &region, &ripe)?;
        }
        young = young.into_iter().chain(found.young).min();
    }
    let chains: Vec<(Key, Chain)> = flow
        .view()
        .list::<Chain>(&key.chains(), Direction::Forward)
        .collect::<Result<_, _>>()?;
    for (at, chain) in chains {
        let idle_until = chain.listed_until.0 + limits::CLOUDTRAIL_DIGEST_MILLIS_MAX;
        let has_news = !chain.files.is_empty();
        let is_alive = sender.trail.logging && !sender.is_departed;
        if has_news || (is_alive && idle_until <= now) {
            write_digest(flow, &sender, at, chain).await?;
        }
    }
    Ok(young)
}

/// Which records a delivery takes.
struct Ripe {
    /// The last number of the store's sequence; what came later is due by itself.
    until: u64,
    /// When the last one was made; without a delay any time will do, also one that the clock was set back behind.
    made: Option<Timestamp>,
}

/// Records of one region for one log file.
struct Batch {
    region: String,
    keys: Vec<Key>,
    records: Vec<PendingRecord>,
    /// When the first was made that is too young.
    young: Option<Timestamp>,
}

/// The regions of a trail's records.
fn regions(flow: &Flow, key: &TrailKey) -> Result<Vec<String>, ApiError> {
    let (mut from, to) = key.pending().range();
    let mut regions = Vec::new();
    let view = flow.view();
    loop {
        let mut entries = view.list_between::<PendingRecord>(from, to.clone(), Direction::Forward);
        let Some(entry) = entries.next() else {
            return Ok(regions);
        };
        let region = region_of_pending(&entry?.0).unwrap_or_default();
        from = key.pending().part(&region).past();
        regions.push(region);
    }
}

/// The next records of a region, as many as go into one file.
fn next_batch(flow: &Flow, key: &TrailKey, region: &str, ripe: &Ripe) -> Result<Batch, ApiError> {
    let mut batch = Batch {
        region: region.to_owned(),
        keys: Vec::new(),
        records: Vec::new(),
        young: None,
    };
    let mut size = 0;
    let view = flow.view();
    let of_region = key.pending().part(region);
    for entry in view.list::<PendingRecord>(&of_region, Direction::Forward) {
        let (at, record) = entry?;
        let is_full = batch.keys.len() >= limits::CLOUDTRAIL_FILE_RECORDS_MAX
            || size >= limits::CLOUDTRAIL_FILE_BYTES_MAX;
        if is_full || number_of_pending(&at).is_some_and(|number| number > ripe.until) {
            break;
        }
        if ripe.made.is_some_and(|made| record.at > made) {
            batch.young = Some(record.at);
            break;
        }
        size += record.json.len();
        batch.keys.push(at);
        batch.records.push(record);
    }
    Ok(batch)
}

fn caller(flow: &Flow, trail: &Trail) -> Caller {
    Caller::service(SERVICE, &trail.account, &trail.home, flow.ids().uuid())
}

/// Takes in the bytes of a file; small ones wait in memory, large ones are durable now.
async fn packed(flow: &Flow, text: &str) -> Result<Received, ApiError> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    let written = gzip.write_all(text.as_bytes()).and_then(|()| gzip.finish());
    let bytes = written.map_err(|e| ApiError::internal(format!("cannot compress: {e}")))?;
    let body = futures::stream::iter([Ok(Bytes::from(bytes))]);
    receive(flow, body, Claims::default()).await
}

fn file(trail: &Trail, key: &str, metadata: &[(&'static str, String)]) -> NewObject {
    let metadata = metadata.iter().cloned();
    NewObject {
        bucket: trail.bucket.clone(),
        key: key.to_owned(),
        attributes: Attributes {
            content_type: Some("application/json".to_owned()),
            content_encoding: Some("gzip".to_owned()),
            acl: Some("bucket-owner-full-control".to_owned()),
            metadata: metadata
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            ..Attributes::default()
        },
        tags: Vec::new(),
        condition: WriteCondition::default(),
        reason: CreatedReason::PutObject,
    }
}

/// Puts a file into the bucket: a call of S3 like any other, which trails may record.
fn put(
    tx: &mut Tx<'_>,
    caller: &Caller,
    new: NewObject,
    received: &Received,
) -> Result<(), ApiError> {
    let (bucket, key) = (new.bucket.clone(), new.key.clone());
    let size = received.size.to_string();
    let asked = S3Call {
        operation: "PutObject",
        bucket: &bucket,
        key: &key,
        query: "",
        headers: &[
            ("content-length", &size),
            ("x-amz-acl", "bucket-owner-full-control"),
            ("x-amz-server-side-encryption", "AES256"),
        ],
    };
    let decide = |tx: &mut Tx<'_>| {
        own::s3(tx, caller, asked, |tx| {
            object::put_object(tx, caller, new, received)
        })
    };
    own::recorded(tx, Keep::Failures, decide)?.map(|_| ())
}

async fn write_log(flow: &Flow, sender: &Sender, batch: Batch) -> Result<(), ApiError> {
    let trail = &sender.trail;
    let records: Vec<&str> = batch.records.iter().map(|it| it.json.as_str()).collect();
    let text = format!("{{\"Records\":[{}]}}", records.join(","));
    let times = || batch.records.iter().map(|it| it.at);
    let events = (
        times().min().unwrap_or_default(),
        times().max().unwrap_or_default(),
    );
    let key = log_key(flow, trail, &batch.region);
    let undigested = Undigested {
        bucket: trail.bucket.clone(),
        key: key.clone(),
        hash: hex::encode(Sha256::digest(&text)),
        events,
    };
    let received = packed(flow, &text).await?;
    let (caller, trail) = (caller(flow, trail), trail.clone());
    let (new, at) = (file(&trail, &key, &[]), sender.key.clone());
    let commit = move |tx: &mut Tx<'_>, received: &Received| {
        take_out(tx, &batch.keys)?;
        may_write(tx, &trail)?;
        put(tx, &caller, new, received)?;
        if trail.validation {
            let at = at.chains().part(&batch.region);
            let mut chain = tx.get::<Chain>(&at)?.unwrap_or_else(|| Chain {
                listed_until: trail.started_at.unwrap_or(undigested.events.0),
                last: None,
                files: Vec::new(),
            });
            chain.files.push(undigested);
            tx.put(&at, &chain)?;
        }
        let now = tx.now();
        note(tx, &at, |status| status.delivered_at = Some(now))
    };
    received.commit(flow, commit).await
}

/// Removes the records of a file. One that is gone is in another file: this one must not be.
fn take_out(tx: &mut Tx<'_>, keys: &[Key]) -> Result<(), ApiError> {
    for key in keys {
        if !tx.has::<PendingRecord>(key)? {
            return Err(ApiError::client(
                "Delivered",
                "A record is delivered already.",
            ));
        }
        tx.delete::<PendingRecord>(key);
    }
    Ok(())
}

/// Whether the bucket still takes files.
fn may_write(tx: &Tx<'_>, trail: &Trail) -> Result<(), ApiError> {
    policy::check(tx, trail).map_err(|e| match e.code.as_ref() {
        "S3BucketDoesNotExistException" => ApiError::with_status("NoSuchBucket", 404, e.message),
        _ => ApiError::with_status("AccessDenied", 403, e.message),
    })
}

fn log_key(flow: &Flow, trail: &Trail, region: &str) -> String {
    let now = flow.clock().now();
    let (account, unique) = (&trail.account, flow.ids().text(16, UNIQUE));
    let stamp = now.calendar().format(STAMP).unwrap_or_default();
    format!(
        "{}/CloudTrail/{region}/{}/{account}_CloudTrail_{region}_{stamp}_{unique}.json.gz",
        policy::root(trail.prefix.as_deref(), account),
        day(now),
    )
}

async fn write_digest(flow: &Flow, sender: &Sender, at: Key, chain: Chain) -> Result<(), ApiError> {
    let trail = &sender.trail;
    let region = region_of_pending(&at).unwrap_or_default();
    let digest = digest::next(flow, trail, &region, &chain).await?;
    let received = packed(flow, &digest.text).await?;
    let new = file(trail, &digest.key, &digest.metadata);
    let (caller, trail, key) = (caller(flow, trail), trail.clone(), sender.key.clone());
    let commit = move |tx: &mut Tx<'_>, received: &Received| {
        if tx.get::<Chain>(&at)?.as_ref() != Some(&chain) {
            return Ok(());
        }
        may_write(tx, &trail)?;
        put(tx, &caller, new, received)?;
        let next = Chain {
            listed_until: digest.until,
            last: Some(digest.last),
            files: Vec::new(),
        };
        match tx.get::<Trail>(&key.record())? {
            Some(now) if now.logging && now.validation => tx.put(&at, &next)?,
            _ => tx.delete::<Chain>(&at),
        }
        let now = tx.now();
        note(tx, &key, |status| status.digested_at = Some(now))
    };
    received.commit(flow, commit).await
}

fn note(
    tx: &mut Tx<'_>,
    key: &TrailKey,
    change: impl FnOnce(&mut TrailStatus),
) -> Result<(), ApiError> {
    if !tx.has::<Trail>(&key.record())? {
        return Ok(());
    }
    let mut status: TrailStatus = tx.get(&key.status())?.unwrap_or_default();
    change(&mut status);
    tx.put(&key.status(), &status)
}

/// What follows from an attempt: when the next one is due.
fn ended(
    tx: &mut Tx<'_>,
    key: &TrailKey,
    outcome: Result<Option<Timestamp>, ApiError>,
) -> Result<(), ApiError> {
    tx.caches.trails.ended(key);
    if let Ok(Some(young)) = outcome {
        tx.caches.trails.wait_for(key.clone(), young);
    }
    if tx.has::<Departed>(&key.departed())? {
        return departed_ended(tx, key, &outcome);
    }
    let Some(trail) = tx.get::<Trail>(&key.record())? else {
        return Ok(());
    };
    let now = tx.now();
    let status: TrailStatus = tx.get(&key.status())?.unwrap_or_default();
    let error = outcome.err().map(|e| e.code.into_owned());
    let is_news = error.is_some() || status.error.is_some();
    let delivered = status.delivered_at.max(status.digested_at);
    if is_news || delivered > status.attempted_at {
        note(tx, key, |status| {
            status.attempted_at = Some(now);
            status.error.clone_from(&error);
        })?;
    }
    if error.is_some() {
        retry(tx, key)?;
    } else if trail.logging && trail.validation {
        let due = now.plus_millis(limits::CLOUDTRAIL_DIGEST_MILLIS_MAX);
        tx.caches.trails.wait_until(key.clone(), due.0);
    }
    Ok(())
}

fn retry(tx: &mut Tx<'_>, key: &TrailKey) -> Result<(), ApiError> {
    drop_outdated(tx, key)?;
    let due = tx.now().plus_millis(limits::CLOUDTRAIL_RETRY_MILLIS);
    tx.caches.trails.wait_until(key.clone(), due.0);
    Ok(())
}

/// A deleted trail is forgotten when it has nothing to deliver any more, or nowhere to deliver it to.
fn departed_ended(
    tx: &mut Tx<'_>,
    key: &TrailKey,
    outcome: &Result<Option<Timestamp>, ApiError>,
) -> Result<(), ApiError> {
    let has_place = outcome.as_ref().err().is_none_or(|e| e.status != 404);
    let waiting: Vec<Key> = tx
        .list::<PendingRecord>(&key.pending(), Direction::Forward)
        .take(limits::CLOUDTRAIL_RECORDS_DROPPED_MAX)
        .map(|entry| entry.map(|(at, _)| at))
        .collect::<Result<_, _>>()?;
    if has_place && !waiting.is_empty() {
        return match outcome {
            Err(_) => retry(tx, key),
            Ok(_) => Ok(()),
        };
    }
    for at in &waiting {
        tx.delete::<PendingRecord>(at);
    }
    if waiting.len() == limits::CLOUDTRAIL_RECORDS_DROPPED_MAX {
        let now = tx.now().0;
        tx.caches.trails.wait_until(key.clone(), now);
        return Ok(());
    }
    let chains: Vec<Key> = tx
        .list::<Chain>(&key.chains(), Direction::Forward)
        .map(|entry| entry.map(|(at, _)| at))
        .collect::<Result<_, _>>()?;
    for at in &chains {
        tx.delete::<Chain>(at);
    }
    tx.delete::<Departed>(&key.departed());
    Ok(())
}

/// Records that could not be delivered for too long go.
fn drop_outdated(tx: &mut Tx<'_>, key: &TrailKey) -> Result<(), ApiError> {
    let limit = Timestamp(tx.now().0 - limits::CLOUDTRAIL_RECORD_MILLIS_MAX);
    let outdated: Vec<Key> = tx
        .list::<PendingRecord>(&key.pending(), Direction::Forward)
        .take_while(|entry| entry.as_ref().is_ok_and(|(_, record)| record.at < limit))
        .take(limits::CLOUDTRAIL_RECORDS_DROPPED_MAX)
        .map(|entry| entry.map(|(at, _)| at))
        .collect::<Result<_, _>>()?;
    for at in &outdated {
        tx.delete::<PendingRecord>(at);
    }
    Ok(())
}
