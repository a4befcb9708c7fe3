//! Every bound in the house under a name: AWS's quotas and Landfall's own. Never a bare number elsewhere.

// --- Landfall's own -------------------------------------------------------------------------------------------

/// Jobs that share one commit at most.
pub const COMMIT_GROUP_JOBS_MAX: usize = 256;
/// Jobs that may wait for the decider; the next one is refused with `SlowDown`/503.
pub const DECIDER_QUEUE_JOBS_MAX: usize = 4_096;
/// Events routed in one turn of the loop.
pub const ROUTE_EVENTS_PER_TURN_MAX: usize = 256;
/// Deliveries attempted in one turn of the loop.
pub const DELIVERIES_PER_TURN_MAX: usize = 256;
/// Objects up to this size live beside their metadata.
pub const INLINE_OBJECT_BYTES_MAX: u64 = 16 * 1024;
/// Body of a request to any service but S3 objects.
pub const API_BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Nesting of JSON and YAML taken from outside.
pub const DOCUMENT_DEPTH_MAX: usize = 64;

// --- Amazon S3 ------------------------------------------------------------------------------------------------

/// Largest object by one PUT.
pub const S3_PUT_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;
/// Largest object at all (50 TB since 2025; parts of 5 GiB).
pub const S3_OBJECT_BYTES_MAX: u64 = 50 * 1024 * 1024 * 1024 * 1024;
/// Smallest part but the last.
pub const S3_PART_BYTES_MIN: u64 = 5 * 1024 * 1024;
/// Part numbers go from 1 to this.
pub const S3_PARTS_MAX: u16 = 10_000;
/// Keys are at most this many bytes of UTF-8.
pub const S3_KEY_BYTES_MAX: usize = 1_024;
/// Names of keys in one listing.
pub const S3_LIST_KEYS_MAX: i32 = 1_000;
/// Keys in one DeleteObjects.
pub const S3_DELETE_KEYS_MAX: usize = 1_000;
/// User metadata, names and values together.
pub const S3_USER_METADATA_BYTES_MAX: usize = 2 * 1024;
/// Tags on an object.
pub const S3_OBJECT_TAGS_MAX: usize = 10;
/// Tags on a bucket.
pub const S3_BUCKET_TAGS_MAX: usize = 50;

// --- Amazon EventBridge ---------------------------------------------------------------------------------------

/// Rules on one bus.
pub const EVENTS_RULES_PER_BUS_MAX: usize = 300;
/// Targets of one rule.
pub const EVENTS_TARGETS_PER_RULE_MAX: usize = 5;
/// Event buses of an account and region.
pub const EVENTS_BUSES_MAX: usize = 100;
/// Entries of one PutEvents.
pub const EVENTS_PUT_ENTRIES_MAX: usize = 10;
/// Size of one PutEvents entry (1 MB since 2026-01-29).
pub const EVENTS_ENTRY_BYTES_MAX: usize = 1024 * 1024;
/// Characters of an event pattern.
pub const EVENTS_PATTERN_CHARS_MAX: usize = 4_096;
/// Default and largest number of retries of a target.
pub const EVENTS_RETRY_ATTEMPTS_MAX: u32 = 185;
/// Default and largest age of an event in seconds before its delivery is given up.
pub const EVENTS_RETRY_AGE_SECONDS_MAX: u32 = 86_400;

// --- Amazon ECS -----------------------------------------------------------------------------------------------

/// Characters of the overrides of one RunTask, JSON formatting included.
pub const ECS_OVERRIDES_CHARS_MAX: usize = 8_192;
/// Tasks of one RunTask.
pub const ECS_RUN_TASK_COUNT_MAX: i32 = 10;
/// Seconds from SIGTERM to SIGKILL when the task definition does not say.
pub const ECS_STOP_TIMEOUT_SECONDS_DEFAULT: u32 = 30;
