//! The one place where versions of a key come, move and go, whatever caused it. Never checks conditions, never emits
//! an event.

use landfall_core::error::ApiError;
use landfall_store::{ContentId, Direction, Space};

use super::error;
use super::model::{
    Body, BucketRecord, ContentRecord, NULL_VERSION, PartsRecord, Stored, VersionRecord,
    Versioning, body_key, content_key, number_of_id, object_key, opaque_id, parts_key, version_key,
    versions_key,
};
use crate::key::Key;
use crate::tx::{Effect, Reader, Tx};

/// The current version of a key, delete marker or not.
pub fn current(
    reader: &impl Reader,
    bucket: &str,
    key: &str,
) -> Result<Option<VersionRecord>, ApiError> {
    reader.get(&object_key(bucket, key))
}

/// The version of that id; the current one when none is named.
///
/// Errors: `NoSuchKey`, `NoSuchVersion`, `InvalidArgument`.
pub fn find(
    reader: &impl Reader,
    bucket: &str,
    key: &str,
    version_id: Option<&str>,
) -> Result<(VersionRecord, bool), ApiError> {
    let current = current(reader, bucket, key)?;
    let Some(wanted) = version_id else {
        let version = current.ok_or_else(|| error::no_such_key(key))?;
        return Ok((version, true));
    };
    match current {
        Some(version) if version.shown_version_id() == wanted => Ok((version, true)),
        _ => former(reader, bucket, key, wanted)?
            .map(|(_, version)| (version, false))
            .ok_or_else(|| error::no_such_version(key, wanted)),
    }
}

fn former(
    reader: &impl Reader,
    bucket: &str,
    key: &str,
    version_id: &str,
) -> Result<Option<(Key, VersionRecord)>, ApiError> {
    if version_id == NULL_VERSION {
        return former_null(reader, bucket, key);
    }
    let number = number_of_id(version_id).ok_or_else(|| error::invalid_version_id(version_id))?;
    if number > i64::MAX.unsigned_abs() {
        return Ok(None);
    }
    let at = version_key(bucket, key, number);
    let version: Option<VersionRecord> = reader.get(&at)?;
    Ok(version
        .filter(|v| v.shown_version_id() == version_id)
        .map(|v| (at, v)))
}

fn former_null(
    reader: &impl Reader,
    bucket: &str,
    key: &str,
) -> Result<Option<(Key, VersionRecord)>, ApiError> {
    let prefix = versions_key(bucket).part(key);
    for entry in reader.list::<VersionRecord>(&prefix, Direction::Forward) {
        let (at, version) = entry?;
        if version.version_id.is_none() {
            return Ok(Some((at, version)));
        }
    }
    Ok(None)
}

/// Makes a version the current one: what was current becomes history or, when it is replaced, goes.
///
/// Fills in the version's number and id as the bucket's versioning wants them.
pub fn insert(
    tx: &mut Tx<'_>,
    bucket: &BucketRecord,
    key: &str,
    version: &mut VersionRecord,
    before: Option<VersionRecord>,
) -> Result<(), ApiError> {
    version.number = tx.next_sequence();
    version.version_id = match bucket.versioning {
        Versioning::Enabled => Some(draw_id(tx, version.number)),
        Versioning::Off | Versioning::Suspended => None,
    };
    let replaces = version.version_id.is_none();
    match before {
        Some(old) if replaces && old.version_id.is_none() => remove_body(tx, &old.body)?,
        Some(old) => {
            if replaces {
                remove_former_null(tx, &bucket.name, key)?;
            }
            tx.put(&version_key(&bucket.name, key, old.number), &old)?;
        }
        None => {}
    }
    tx.put(&object_key(&bucket.name, key), version)
}

fn draw_id(tx: &Tx<'_>, number: u64) -> String {
    let mut random = [0; 16];
    tx.ids().fill(&mut random);
    opaque_id(random, number)
}

fn remove_former_null(tx: &mut Tx<'_>, bucket: &str, key: &str) -> Result<(), ApiError> {
    if let Some((at, null)) = former_null(tx, bucket, key)? {
        remove_body(tx, &null.body)?;
        tx.delete::<VersionRecord>(&at);
    }
    Ok(())
}

/// Removes one version for good; the newest former one becomes current when the current one went.
pub fn remove(
    tx: &mut Tx<'_>,
    bucket: &str,
    key: &str,
    version: &VersionRecord,
    is_current: bool,
) -> Result<(), ApiError> {
    remove_body(tx, &version.body)?;
    if !is_current {
        tx.delete::<VersionRecord>(&version_key(bucket, key, version.number));
        return Ok(());
    }
    let prefix = versions_key(bucket).part(key);
    let newest = tx
        .list::<VersionRecord>(&prefix, Direction::Forward)
        .next()
        .transpose()?;
    match newest {
        Some((at, former)) => {
            tx.delete::<VersionRecord>(&at);
            tx.put(&object_key(bucket, key), &former)
        }
        None => {
            tx.delete::<VersionRecord>(&object_key(bucket, key));
            Ok(())
        }
    }
}

/// Writes a changed version back where it stands.
pub fn replace(
    tx: &mut Tx<'_>,
    bucket: &str,
    key: &str,
    version: &VersionRecord,
    is_current: bool,
) -> Result<(), ApiError> {
    match is_current {
        true => tx.put(&object_key(bucket, key), version),
        false => tx.put(&version_key(bucket, key, version.number), version),
    }
}

/// Gives the bytes of a version up.
pub fn remove_body(tx: &mut Tx<'_>, body: &Body) -> Result<(), ApiError> {
    match body {
        Body::Whole(stored) => remove_stored(tx, stored),
        Body::Parts(number) => {
            let at = parts_key(*number);
            let parts: Option<PartsRecord> = tx.get(&at)?;
            for part in parts.map(|p| p.parts).unwrap_or_default() {
                remove_stored(tx, &part.stored);
            }
            tx.delete::<PartsRecord>(&at);
        }
    }
    Ok(())
}

/// Gives a piece of bytes up.
pub fn remove_stored(tx: &mut Tx<'_>, stored: &Stored) {
    match stored {
        Stored::Empty => {}
        Stored::Inline(number) => tx.delete_raw(Space::Objects, &body_key(*number)),
        Stored::Content(id) => {
            tx.delete::<ContentRecord>(&content_key(id));
            tx.effect(Effect::RemoveContent(ContentId(id.clone())));
        }
    }
}
