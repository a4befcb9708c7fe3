//! Listings of keys, versions and uploads: by prefix, rolled up at a delimiter, a page at a time. Never walks what a
//! delimiter rolls up.

use std::ops::Bound;

use landfall_core::error::ApiError;
use landfall_store::Direction;

use super::bucket;
use super::model::{
    BucketRecord, UploadRecord, VersionRecord, Versioning, number_of_id, objects_key, uploads_key,
    versions_key,
};
use crate::key::{self, Key};
use crate::tx::Reader;

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum After {
    /// At the beginning.
    #[default]
    Nothing,
    /// Behind a key.
    Key(String),
    /// Behind all keys with a prefix.
    Prefix(String),
}

/// What to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// Bucket.
    pub bucket: String,
    /// Only keys that begin so.
    pub prefix: String,
    /// Rolls up what follows it behind the prefix; none when empty.
    pub delimiter: Option<String>,
    /// Where the page begins.
    pub after: After,
    /// Most entries of the page, prefixes included.
    pub max: usize,
}

/// A page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// Keys and what they name, in order.
    pub entries: Vec<(String, T)>,
    /// Rolled up prefixes, in order.
    pub prefixes: Vec<String>,
    /// Where the next page begins; none when this is the last.
    pub next: Option<After>,
}

/// The current objects of a bucket.
///
/// Errors: `NoSuchBucket`.
pub fn list_objects(
    reader: &impl Reader,
    listing: &Listing,
) -> Result<Page<VersionRecord>, ApiError> {
    bucket::bucket(reader, &listing.bucket)?;
    page(
        reader,
        &objects_key(&listing.bucket),
        listing,
        |v: &VersionRecord| !v.delete_marker,
    )
}

/// The unfinished uploads of a bucket, by key and then by age; `after_upload` is the last one seen of the key of
/// `listing.after`.
///
/// Errors: `NoSuchBucket`.
pub fn list_uploads(
    reader: &impl Reader,
    listing: &Listing,
    after_upload: Option<&str>,
) -> Result<Page<UploadRecord>, ApiError> {
    bucket::bucket(reader, &listing.bucket)?;
    let seen = after_upload.and_then(number_of_id);
    let (After::Key(key), Some(seen)) = (&listing.after, seen) else {
        return page(reader, &uploads_key(&listing.bucket), listing, |_| true);
    };
    let same_key = uploads_key(&listing.bucket).part(key);
    let mut entries = Vec::new();
    for upload in reader.all::<UploadRecord>(&same_key)? {
        if upload.number > seen && entries.len() < listing.max {
            entries.push((key.clone(), upload));
        }
    }
    let rest = Listing {
        max: listing.max - entries.len(),
        ..listing.clone()
    };
    let mut page = page(reader, &uploads_key(&listing.bucket), &rest, |_| true)?;
    entries.append(&mut page.entries);
    page.entries = entries;
    Ok(page)
}

/// Walks the records under `root`, whose next part is the object key.
fn page<R: crate::Record>(
    reader: &impl Reader,
    root: &Key,
    listing: &Listing,
    wanted: impl Fn(&R) -> bool,
) -> Result<Page<R>, ApiError> {
    let mut page = Page {
        entries: Vec::new(),
        prefixes: Vec::new(),
        next: None,
    };
    let mut last = After::Nothing;
    let end = root.clone().beginning(&listing.prefix).range().1;
    let mut from = start(root, listing);
    'seek: loop {
        for entry in reader.list_between::<R>(from, end.clone(), Direction::Forward) {
            let (at, record) = entry?;
            if !wanted(&record) {
                continue;
            }
            if page.entries.len() + page.prefixes.len() >= listing.max {
                page.next = Some(last);
                return Ok(page);
            }
            let key = key_of(&at)?;
            if let Some(prefix) = rolled_up(listing, &key) {
                last = After::Prefix(prefix.clone());
                from = root.clone().beginning(&prefix).past();
                page.prefixes.push(prefix);
                continue 'seek;
            }
            last = After::Key(key.clone());
            page.entries.push((key, record));
        }
        return Ok(page);
    }
}

fn start(root: &Key, listing: &Listing) -> Bound<Vec<u8>> {
    let first = root.clone().beginning(&listing.prefix).range().0;
    let after = match &listing.after {
        After::Nothing => return first,
        After::Key(key) => root.clone().part(key).past(),
        After::Prefix(prefix) => root.clone().beginning(prefix).past(),
    };
    match (&first, &after) {
        (Bound::Included(a), Bound::Included(b)) if a > b => first,
        _ => after,
    }
}

fn key_of(at: &Key) -> Result<String, ApiError> {
    let part = key::parts(at.bytes())
        .into_iter()
        .nth(1)
        .unwrap_or_default();
    String::from_utf8(part).map_err(|_| ApiError::internal("a stored object key is not UTF-8"))
}

/// The prefix up to and with the first delimiter behind the listing's prefix.
fn rolled_up(listing: &Listing, key: &str) -> Option<String> {
    let delimiter = listing.delimiter.as_deref().filter(|d| !d.is_empty())?;
    let rest = key.strip_prefix(&listing.prefix)?;
    let (before, _) = rest.split_once(delimiter)?;
    Some(format!("{}{before}{delimiter}", listing.prefix))
}

/// A version in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedVersion {
    /// The version.
    pub version: VersionRecord,
    /// Whether it is the current one.
    pub is_latest: bool,
}

/// Where a page of versions begins: behind a key, or behind one version of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VersionMarker {
    /// The version id behind which to go on within the key of [`Listing::after`].
    pub version_id: Option<String>,
}

/// All versions of a bucket, the newest of a key first.
///
/// Errors: `NoSuchBucket`, `InvalidArgument`.
pub fn list_versions(
    reader: &impl Reader,
    listing: &Listing,
    marker: &VersionMarker,
) -> Result<Page<ListedVersion>, ApiError> {
    let bucket = bucket::bucket(reader, &listing.bucket)?;
    let mut page = Page {
        entries: Vec::new(),
        prefixes: Vec::new(),
        next: None,
    };
    if let (After::Key(key), Some(id)) = (&listing.after, &marker.version_id) {
        let rest = versions_behind(reader, &bucket, key, id)?;
        if push_versions(&mut page, listing.max, key, rest) {
            return Ok(page);
        }
    }
    let mut after = listing.after.clone();
    loop {
        let step = Listing {
            after,
            max: (listing.max - page.entries.len() - page.prefixes.len()).max(1),
            ..listing.clone()
        };
        let keys =
            self::page::<VersionRecord>(reader, &objects_key(&bucket.name), &step, |_| true)?;
        if merge(reader, &bucket, listing, &mut page, &keys)? {
            return Ok(page);
        }
        match keys.next {
            Some(next) => after = next,
            None => return Ok(page),
        }
    }
}

/// Takes keys and prefixes over in order, each key with its versions; whether the page is full.
fn merge(
    reader: &impl Reader,
    bucket: &BucketRecord,
    listing: &Listing,
    page: &mut Page<ListedVersion>,
    keys: &Page<VersionRecord>,
) -> Result<bool, ApiError> {
    let mut prefixes = keys.prefixes.iter().peekable();
    let mut entries = keys.entries.iter().peekable();
    loop {
        let prefix_first = match (prefixes.peek(), entries.peek()) {
            (None, None) => return Ok(false),
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some(prefix), Some((key, _))) => *prefix < key,
        };
        if prefix_first {
            if let Some(prefix) = prefixes.next() {
                if page.entries.len() + page.prefixes.len() >= listing.max {
                    page.next = last_of(page);
                    return Ok(true);
                }
                page.prefixes.push(prefix.clone());
            }
        } else if let Some((key, current)) = entries.next() {
            let versions = versions_of(reader, bucket, key, current)?;
            if push_versions(page, listing.max, key, versions) {
                return Ok(true);
            }
        }
    }
}

fn last_of(page: &Page<ListedVersion>) -> Option<After> {
    let key = page.entries.last().map(|(key, _)| key);
    match (key, page.prefixes.last()) {
        (Some(key), Some(prefix)) if prefix > key => Some(After::Prefix(prefix.clone())),
        (Some(key), _) => Some(After::Key(key.clone())),
        (None, Some(prefix)) => Some(After::Prefix(prefix.clone())),
        (None, None) => Some(After::Nothing),
    }
}

fn push_versions(
    page: &mut Page<ListedVersion>,
    max: usize,
    key: &str,
    versions: Vec<ListedVersion>,
) -> bool {
    for version in versions {
        if page.entries.len() + page.prefixes.len() >= max {
            page.next = last_of(page);
            return true;
        }
        page.entries.push((key.to_owned(), version));
    }
    false
}

fn versions_of(
    reader: &impl Reader,
    bucket: &BucketRecord,
    key: &str,
    current: &VersionRecord,
) -> Result<Vec<ListedVersion>, ApiError> {
    let mut all = vec![ListedVersion {
        version: current.clone(),
        is_latest: true,
    }];
    if bucket.versioning != Versioning::Off {
        let former: Vec<VersionRecord> = reader.all(&versions_key(&bucket.name).part(key))?;
        all.extend(former.into_iter().map(|version| ListedVersion {
            version,
            is_latest: false,
        }));
    }
    Ok(all)
}

fn versions_behind(
    reader: &impl Reader,
    bucket: &BucketRecord,
    key: &str,
    version_id: &str,
) -> Result<Vec<ListedVersion>, ApiError> {
    let Some(current) = super::version::current(reader, &bucket.name, key)? else {
        return Ok(Vec::new());
    };
    let all = versions_of(reader, bucket, key, &current)?;
    let number = match all
        .iter()
        .find(|v| v.version.shown_version_id() == version_id)
    {
        Some(seen) => seen.version.number,
        None => {
            number_of_id(version_id).ok_or_else(|| super::error::invalid_version_id(version_id))?
        }
    };
    Ok(all
        .into_iter()
        .filter(|v| v.version.number < number)
        .collect())
}
