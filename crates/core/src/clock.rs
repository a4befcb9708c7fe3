//! Points in time and where they come from. Never reads a clock itself.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::FormatItem;
use time::macros::format_description;

/// Milliseconds since the Unix epoch, UTC.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

const SECONDS: &[FormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
const MILLIS: &[FormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

impl Timestamp {
    /// RFC 3339 with whole seconds: `2026-11-12T00:00:00Z`, as event envelopes carry it.
    pub fn rfc3339_seconds(self) -> String {
        self.calendar().format(SECONDS).unwrap_or_default()
    }

    /// ISO 8601 with milliseconds: `2026-11-12T00:00:00.000Z`, as S3 and CloudFormation answer it.
    pub fn iso8601_millis(self) -> String {
        self.calendar().format(MILLIS).unwrap_or_default()
    }

    /// Seconds since the epoch with a fraction, as the JSON services answer it.
    #[allow(clippy::cast_precision_loss)]
    pub fn epoch_seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// Later by `millis`.
    #[must_use]
    pub fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Parses an RFC 3339 text; `None` when it is none.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let t = OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()?;
        i64::try_from(t.unix_timestamp_nanos() / 1_000_000)
            .ok()
            .map(Self)
    }

    /// The calendar form, UTC.
    pub fn calendar(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

/// A source of time. The server reads the system's, tests turn their own.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;
}
