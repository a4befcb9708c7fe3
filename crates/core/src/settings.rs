//! What a host's owner may set in `landfall.toml`. Never reads a file, and never lets through what it does not know.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserializer, Unexpected, Visitor};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::limits;

/// The whole file; what it does not say is as the constants in [`limits`] say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Quotas that AWS raises on request.
    pub quotas: Quotas,
    /// How many tasks run at once, and how soon.
    pub launch: Launch,
    /// How much of the ledger is kept.
    pub ledger: Ledger,
}

/// Quotas that AWS raises on request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quotas {
    /// Rules on one event bus.
    #[serde(deserialize_with = "positive")]
    pub event_rules_per_bus: usize,
}

/// How many tasks run at once, and how soon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Launch {
    /// Tasks that run at once on this host.
    #[serde(deserialize_with = "positive")]
    pub max_running: usize,
    /// CPU units (1024 are one core) that running tasks take together; none: what the host has.
    #[serde(deserialize_with = "positive_if_any")]
    pub cpu_units: Option<u64>,
    /// Memory that running tasks take together; none: what the host has.
    #[serde(deserialize_with = "positive_if_any")]
    pub memory_mib: Option<u64>,
    /// Tasks that start within a second; none: as many as there is room for.
    #[serde(deserialize_with = "positive_if_any")]
    pub starts_per_second: Option<u64>,
    /// Tasks of one rule that run at once, for rules that do not say; none: as many as there is room for.
    #[serde(deserialize_with = "positive_if_any")]
    pub rule_max_running: Option<usize>,
}

/// How much of the ledger is kept: what is over any one of the bounds goes, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ledger {
    /// Entries.
    #[serde(deserialize_with = "positive")]
    pub entries_max: u64,
    /// Age of an entry.
    #[serde(deserialize_with = "positive")]
    pub age_days_max: u32,
    /// Bytes of all entries.
    #[serde(deserialize_with = "positive")]
    pub bytes_max: u64,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            event_rules_per_bus: limits::EVENTS_RULES_PER_BUS_MAX,
        }
    }
}

impl Default for Launch {
    fn default() -> Self {
        Self {
            max_running: limits::TASKS_PLACED_MAX,
            cpu_units: None,
            memory_mib: None,
            starts_per_second: None,
            rule_max_running: None,
        }
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            entries_max: limits::LEDGER_ENTRIES_MAX,
            age_days_max: limits::LEDGER_AGE_DAYS_MAX,
            bytes_max: limits::LEDGER_BYTES_MAX,
        }
    }
}

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {what}; correct this line or take it out")]
pub struct SettingsError {
    /// Lines count from 1.
    pub line: usize,
    /// One line of text.
    pub what: String,
}

impl Settings {
    /// Reads the text of a `landfall.toml`.
    ///
    /// # Errors
    /// What it does not know, and values that cannot be meant.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        toml::from_str(text).map_err(|e| SettingsError {
            line: line_of(text, e.span().map_or(0, |span| span.start)),
            what: e.message().lines().collect::<Vec<_>>().join(", "),
        })
    }
}

fn line_of(text: &str, position: usize) -> usize {
    let before = text.bytes().take(position);
    before.filter(|byte| *byte == b'\n').count() + 1
}

/// A whole number of at least 1 that the type can hold.
struct Positive<T>(PhantomData<T>);

impl<T: TryFrom<u64>> Visitor<'_> for Positive<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number of at least 1")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        let positive = u64::try_from(number).ok().filter(|n| *n > 0);
        let fitting = positive.and_then(|n| T::try_from(n).ok());
        fitting.ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        let fitting = Some(number).filter(|n| *n > 0);
        let fitting = fitting.and_then(|n| T::try_from(n).ok());
        fitting.ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
    }
}

fn positive<'de, T: TryFrom<u64>, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    from.deserialize_u64(Positive(PhantomData))
}

fn positive_if_any<'de, T: TryFrom<u64>, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    positive(from).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_said_is_what_the_constants_say() {
        let settings = Settings::parse("# nothing\n[ledger]\n").unwrap();
        assert_eq!(settings, Settings::default());
        assert_eq!(settings.quotas.event_rules_per_bus, 300);
        assert_eq!(settings.launch.max_running, 64);
        assert_eq!(settings.ledger.bytes_max, 4 << 30);
    }

    #[test]
    fn everything_can_be_said() {
        let text = "
            [quotas]
            event_rules_per_bus = 2_000
            [launch]
            max_running = 8
            cpu_units = 4096
            memory_mib = 8192
            starts_per_second = 10
            rule_max_running = 2
            [ledger]
            entries_max = 7
            age_days_max = 30
            bytes_max = 1_000_000
        ";
        let expected = Settings {
            quotas: Quotas {
                event_rules_per_bus: 2_000,
            },
            launch: Launch {
                max_running: 8,
                cpu_units: Some(4_096),
                memory_mib: Some(8_192),
                starts_per_second: Some(10),
                rule_max_running: Some(2),
            },
            ledger: Ledger {
                entries_max: 7,
                age_days_max: 30,
                bytes_max: 1_000_000,
            },
        };
        assert_eq!(Settings::parse(text).unwrap(), expected);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_line() {
        const WHOLE: &str = "expected a whole number of at least 1";
        let table = [
            ("[launch]\nmax_running = 0", 2, WHOLE),
            ("[launch]\n\nmax_running = -3", 3, WHOLE),
            ("[launch]\nmax_running = 1.5", 2, WHOLE),
            ("[launch]\nmax_running = \"many\"", 2, WHOLE),
            ("[ledger]\nage_days_max = 4294967296", 2, WHOLE),
            ("[launch]\nmax_runing = 1", 2, "unknown field `max_runing`"),
            ("\n[lunch]\n", 2, "unknown field `lunch`"),
            ("[launch]\nmax_running 3", 2, "expected"),
            ("launch = 3", 1, "invalid type: integer `3`"),
            ("[ledger]\nbytes_max = 1\nbytes_max = 2", 3, "duplicate key"),
        ];
        for (text, line, what) in table {
            let error = Settings::parse(text).unwrap_err();
            assert_eq!(error.line, line, "{text:?}: {error}");
            assert!(error.what.contains(what), "{text:?}: {error}");
            assert!(!error.to_string().contains('\n'), "{text:?}: {error}");
        }
    }
}
