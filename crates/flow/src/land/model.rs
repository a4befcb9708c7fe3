//! What is stored of buckets, object versions and uploads, and under which keys.
//!
//! The current version of a key stands under `object`, so a read is one lookup and a listing never walks history;
//! former versions stand under `version`, newest first. Bytes stand apart from their metadata: small ones raw under
//! `body`, large ones in content files that a `content` record claims. Never decides anything.

use std::collections::BTreeMap;

use landfall_core::caller::Caller;
use landfall_core::clock::Timestamp;
use landfall_core::event::CreatedReason;
use serde::{Deserialize, Serialize};

use super::checksum::{Algorithm, Checksum, Coverage};
use crate::key::Key;

/// Whether a bucket keeps former versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Versioning {
    /// Never has.
    #[default]
    Off,
    /// Every write makes a version.
    Enabled,
    /// Writes replace the null version; former versions stay.
    Suspended,
}

/// A bucket, with all that a write needs to know of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketRecord {
    /// Name, unique in the whole server.
    pub name: String,
    /// Owner's 12-digit account.
    pub account: String,
    /// Region.
    pub region: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// Versioning.
    #[serde(default)]
    pub versioning: Versioning,
    /// Whether its events go to the default bus.
    #[serde(default)]
    pub event_bridge: bool,
}
crate::record!(BucketRecord in Control);

/// A configuration of a bucket, as a document of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigRecord {
    /// The configuration as JSON text.
    pub json: String,
}
crate::record!(ConfigRecord in Control);

/// Tags, in the order in which they were given.
pub type Tags = Vec<(String, String)>;

/// What a client says about an object besides its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Attributes {
    /// `Content-Type`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// `Cache-Control`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    /// `Content-Encoding`, without `aws-chunked`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    /// `Expires`, as it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// `x-amz-website-redirect-location`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub website_redirect: Option<String>,
    /// `x-amz-storage-class`; none is `STANDARD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// Canned ACL; none is `private`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acl: Option<String>,
    /// `x-amz-meta-…`, names in lower case.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// Where bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stored {
    /// There are none.
    Empty,
    /// Raw under `body` and this number.
    Inline(u64),
    /// In the content of this id.
    Content(String),
}

/// The bytes of an object version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// In one piece.
    Whole(Stored),
    /// In the pieces that the [`PartsRecord`] of this number lists.
    Parts(u64),
}

/// A version of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionRecord {
    /// Number in the store's sequence: later versions have larger ones.
    pub number: u64,
    /// Version id; none is the null version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// Whether it marks a deletion and has no bytes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delete_marker: bool,
    /// Bytes.
    pub size: u64,
    /// Entity tag without quotes; empty for a delete marker.
    pub etag: String,
    /// When it was written.
    pub modified_at: Timestamp,
    /// Its checksum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Checksum>,
    /// Its bytes.
    pub body: Body,
    /// What the client said about it.
    pub attributes: Attributes,
    /// Its tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Tags,
    /// The call that wrote it; none for delete markers and for what a version before this one wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}
crate::record!(VersionRecord in Objects);

/// The call that wrote a version, as its event tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The operation.
    pub reason: CreatedReason,
    /// `x-amz-request-id` of the answer.
    pub request_id: String,
    /// Account of the caller.
    pub requester: String,
    /// Address of the caller.
    pub source_ip: String,
}

impl Origin {
    /// A call of `caller`.
    pub fn of(caller: &Caller, reason: CreatedReason) -> Self {
        Self {
            reason,
            request_id: caller.request_id.clone(),
            requester: caller.account.clone(),
            source_ip: caller.source_ip.clone(),
        }
    }
}

impl VersionRecord {
    /// The version id as listings show it.
    pub fn shown_version_id(&self) -> &str {
        self.version_id.as_deref().unwrap_or(NULL_VERSION)
    }
}

/// How the API names the version that has no id.
pub const NULL_VERSION: &str = "null";

/// One part of an object that was uploaded in parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRecord {
    /// Part number, 1 to 10,000.
    pub number: u16,
    /// Bytes.
    pub size: u64,
    /// MD5 in hex.
    pub etag: String,
    /// When it was uploaded.
    pub modified_at: Timestamp,
    /// Its checksum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Checksum>,
    /// Its bytes.
    pub stored: Stored,
}
crate::record!(PartRecord in Objects);

/// The parts of a completed object, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartsRecord {
    /// The parts.
    pub parts: Vec<PartRecord>,
}
crate::record!(PartsRecord in Objects);

/// An upload in parts that is neither completed nor aborted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadRecord {
    /// Number in the store's sequence.
    pub number: u64,
    /// The id that the client knows.
    pub upload_id: String,
    /// Key of the object to be.
    pub key: String,
    /// When it began.
    pub initiated_at: Timestamp,
    /// What the client said about the object.
    pub attributes: Attributes,
    /// The object's tags.
    pub tags: Tags,
    /// The checksum algorithm that the client asked for.
    pub algorithm: Option<Algorithm>,
    /// What the object's checksum will cover.
    pub coverage: Coverage,
}
crate::record!(UploadRecord in Objects);

impl UploadRecord {
    /// The algorithm that every part's checksum is kept in.
    pub fn kept_algorithm(&self) -> Algorithm {
        self.algorithm.unwrap_or(Algorithm::Crc64Nvme)
    }
}

/// That a committed record names a content: what no such record names may be swept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentRecord {}
crate::record!(ContentRecord in Objects);

/// Key of a bucket; with an empty name the beginning of all of them.
pub fn bucket_key(name: &str) -> Key {
    Key::new("bucket").part(name)
}

/// Key of a bucket's configuration.
pub fn config_key(bucket: &str, kind: &str) -> Key {
    Key::new("bucket-config").part(bucket).part(kind)
}

/// Beginning of the keys of all current versions of a bucket.
pub fn objects_key(bucket: &str) -> Key {
    Key::new("object").part(bucket)
}

/// Key of the current version.
pub fn object_key(bucket: &str, key: &str) -> Key {
    objects_key(bucket).part(key)
}

/// Beginning of the keys of all former versions of a bucket.
pub fn versions_key(bucket: &str) -> Key {
    Key::new("version").part(bucket)
}

/// Key of a former version: newer ones sort first.
pub fn version_key(bucket: &str, key: &str, number: u64) -> Key {
    versions_key(bucket).part(key).number(u64::MAX - number)
}

/// Key of small bytes.
pub fn body_key(number: u64) -> Key {
    Key::new("body").number(number)
}

/// Key of a list of parts.
pub fn parts_key(number: u64) -> Key {
    Key::new("parts").number(number)
}

/// Beginning of the keys of all uploads of a bucket.
pub fn uploads_key(bucket: &str) -> Key {
    Key::new("upload").part(bucket)
}

/// Key of an upload.
pub fn upload_key(bucket: &str, key: &str, number: u64) -> Key {
    uploads_key(bucket).part(key).number(number)
}

/// Beginning of the keys of an upload's parts.
pub fn upload_parts_key(upload: u64) -> Key {
    Key::new("part").number(upload)
}

/// Key of a part of an upload.
pub fn part_key(upload: u64, number: u16) -> Key {
    upload_parts_key(upload).number(u64::from(number))
}

/// Key of the claim on a content.
pub fn content_key(id: &str) -> Key {
    Key::new("content").part(id)
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";

/// A version or upload id: 16 random bytes and the number, so that the id leads to its key.
pub fn opaque_id(random: [u8; 16], number: u64) -> String {
    let mut bytes = random.to_vec();
    let mask = u64::from_be_bytes(std::array::from_fn(|i| {
        random.get(i).copied().unwrap_or_default()
    }));
    bytes.extend((number ^ mask).to_be_bytes());
    let mut text = String::with_capacity(32);
    for three in bytes.chunks(3) {
        let group = three
            .iter()
            .fold(0_usize, |n, b| (n << 8) | usize::from(*b));
        for shift in [18, 12, 6, 0] {
            let index = (group >> shift) & 63;
            text.push(char::from(ALPHABET.get(index).copied().unwrap_or(b'A')));
        }
    }
    text
}

/// The number in an id; `None` when the text is no id.
pub fn number_of_id(id: &str) -> Option<u64> {
    if id.len() != 32 {
        return None;
    }
    let mut bytes = Vec::with_capacity(24);
    for four in id.as_bytes().chunks(4) {
        let mut group = 0_u32;
        for byte in four {
            let index = ALPHABET.iter().position(|c| c == byte)?;
            group = (group << 6) | u32::try_from(index).ok()?;
        }
        bytes.extend(group.to_be_bytes().get(1..)?);
    }
    let mask = u64::from_be_bytes(bytes.get(..8)?.try_into().ok()?);
    let masked = u64::from_be_bytes(bytes.get(16..)?.try_into().ok()?);
    Some(masked ^ mask)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_id_leads_back_to_its_number(random: [u8; 16], number: u64) {
            let id = opaque_id(random, number);
            prop_assert_eq!(id.len(), 32);
            prop_assert_eq!(number_of_id(&id), Some(number));
        }

        #[test]
        fn any_text_is_an_id_or_none(text in ".{0,40}") {
            let _ = number_of_id(&text);
        }

        #[test]
        fn newer_versions_sort_first(a: u64, b: u64) {
            let order = version_key("b", "k", a).cmp(&version_key("b", "k", b));
            prop_assert_eq!(order, b.cmp(&a));
        }
    }
}
