//! The query of one of Landfall's own pages: named values, each at most once, and none that the page does not know.
//! Never looks at what they are for.

use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

/// What was asked.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query that may have these names.
    ///
    /// Errors: `ValidationException`.
    pub(super) fn read(text: &str, known: &[&str]) -> Result<Self, ApiError> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in text.split('&').filter(|it| !it.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if !known.contains(&name.as_str()) {
                let known = known.join(", ");
                return Err(invalid(format!(
                    "{name} cannot be asked here, only {known}."
                )));
            }
            if pairs.iter().any(|(other, _)| *other == name) {
                return Err(invalid(format!("{name} is given more than once.")));
            }
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    /// The value of a name.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    }

    /// A whole number.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let bad = |_| invalid(format!("{name} must be a whole number, not {text}."));
        text.parse().map(Some).map_err(bad)
    }

    /// Whether something is wanted: `true`, or the name alone.
    pub(super) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.text(name).as_deref() {
            None | Some("false") => Ok(false),
            Some("" | "true") => Ok(true),
            Some(other) => Err(invalid(format!(
                "{name} must be true or false, not {other}."
            ))),
        }
    }

    /// One of the words of a type.
    pub(super) fn word<T: DeserializeOwned>(
        &self,
        name: &str,
        words: &str,
    ) -> Result<Option<T>, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let bad = |_| invalid(format!("{name} must be one of {words}, not {text}."));
        serde_json::from_value(text.clone().into())
            .map(Some)
            .map_err(bad)
    }

    /// A moment: RFC 3339, or a span before now such as `90s`, `15m`, `2h` or `7d`.
    pub(super) fn moment(&self, name: &str, now: Timestamp) -> Result<Option<Timestamp>, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let found = span_millis(&text).map(|span| Timestamp(now.0.saturating_sub(span)));
        let found = found.or_else(|| Timestamp::parse_rfc3339(&text));
        found.map(Some).ok_or_else(|| {
            invalid(format!(
                "{name} must be a time such as 2026-11-23T23:56:52Z or a span such as 90s, 15m, 2h or 7d, not {text}."
            ))
        })
    }
}

fn span_millis(text: &str) -> Option<i64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let number: u32 = number.parse().ok()?;
    i64::from(number).checked_mul(seconds * 1_000)
}

fn decoded(text: &str) -> Result<String, ApiError> {
    let spaced = text.replace('+', " ");
    let bytes = percent_decode_str(&spaced).decode_utf8();
    let text = bytes.map_err(|_| invalid("The query is not UTF-8.".to_owned()))?;
    Ok(text.into_owned())
}

pub(super) fn invalid(message: String) -> ApiError {
    ApiError::validation(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_794_441_600_000);

    fn read(text: &str) -> Query {
        Query::read(text, &["since", "key", "limit", "all"]).unwrap()
    }

    #[test]
    fn a_moment_is_a_time_or_a_span_before_now() {
        let since = |text: &str| read(&format!("since={text}")).moment("since", NOW);
        assert_eq!(since("2h").unwrap(), Some(Timestamp(NOW.0 - 7_200_000)));
        assert_eq!(since("90s").unwrap(), Some(Timestamp(NOW.0 - 90_000)));
        assert_eq!(since("2026-11-12T00:00:00Z").unwrap(), Some(NOW));
        for bad in ["yesterday", "h", "-2h", "2w", ""] {
            assert!(since(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn values_are_decoded_and_what_is_not_known_is_refused() {
        assert_eq!(read("key=a%20b%2Bc+d").text("key").unwrap(), "a b+c d");
        assert!(read("all").flag("all").unwrap());
        assert!(read("limit=x").number("limit").is_err());
        for bad in ["states=failed", "key=a&key=b", "key=%ff"] {
            let refused = Query::read(bad, &["key"]).map(drop);
            assert_eq!(refused.unwrap_err().code, "ValidationException", "{bad}");
        }
    }
}
