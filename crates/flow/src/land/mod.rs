//! An object lands: its bytes, its metadata and its event become durable in one commit.
//!
//! Read `model` first (what is stored), then `receive` (bytes come in), `object` and `version` (a key changes),
//! `read` and `list`. Requests and answers are plain types: no word of HTTP or XML here.

pub mod bucket;
pub mod checksum;
pub mod condition;
pub mod config;
pub mod copy;
pub mod error;
pub mod event;
pub mod list;
pub mod model;
pub mod multipart;
pub mod object;
pub mod read;
pub mod receive;
pub mod sweep;
mod version;

/// Member of an error that is the object's ETag, for a header of the answer and never for its body.
pub const ETAG_MEMBER: &str = "@etag";
/// Member of an error that is the object's last change in milliseconds, for a header only.
pub const MODIFIED_MEMBER: &str = "@modified";
/// Member of an error that is the version id of the delete marker in the way, for headers only.
pub const MARKER_MEMBER: &str = "@marker";
