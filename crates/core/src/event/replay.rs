//! What an archive reads of an event, and what a replay adds to it. Never changes how anything else in the event is
//! written.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::clock::Timestamp;

/// Replays are told apart from first comers by this member.
const REPLAY_NAME: &str = "replay-name";
/// AWS writes it behind this one.
const IN_FRONT: &str = "region";

#[derive(Deserialize)]
struct Timed<'a> {
    #[serde(borrow)]
    time: Cow<'a, str>,
}

/// The time in an event; `None` when it has none that can be read.
pub fn time_of(event_json: &str) -> Option<Timestamp> {
    let timed: Timed<'_> = serde_json::from_str(event_json).ok()?;
    Timestamp::parse_rfc3339(&timed.time)
}

/// The event as a replay sends it: everything as it was, and the replay's name. `None` when the text is no object.
pub fn replayed(event_json: &str, replay_name: &str) -> Option<String> {
    let mut members: IndexMap<String, &RawValue> = serde_json::from_str(event_json).ok()?;
    members.shift_remove(REPLAY_NAME);
    let name = serde_json::value::to_raw_value(replay_name).ok()?;
    let behind = members.get_index_of(IN_FRONT).map(|place| place + 1);
    let place = behind.unwrap_or(members.len());
    members.shift_insert(place, REPLAY_NAME.to_owned(), &name);
    serde_json::to_string(&members).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_goes_behind_the_region_and_nothing_else_changes() {
        let event = r#"{"version":"0","time":"2026-11-12T00:00:00Z","region":"r","resources":[],"detail":{"n":1.0,"e":"\u00e9"}}"#;
        let found = replayed(event, "again \"1\"").unwrap();
        let expected = event.replace(
            r#""region":"r","#,
            r#""region":"r","replay-name":"again \"1\"","#,
        );
        assert_eq!(found, expected);
        assert_eq!(replayed(&found, "again \"1\"").unwrap(), expected);
        let bare = replayed(r#"{"a":1}"#, "x").unwrap();
        assert_eq!(bare, r#"{"a":1,"replay-name":"x"}"#);
        assert_eq!(replayed("[1]", "x"), None);
    }

    #[test]
    fn the_time_is_the_events_own() {
        let at = |text: &str| time_of(text).map(Timestamp::rfc3339_seconds);
        let time = r#"{"time":"2026-11-12T01:02:03Z"}"#;
        assert_eq!(at(time).as_deref(), Some("2026-11-12T01:02:03Z"));
        for none in ["{}", r#"{"time":1}"#, r#"{"time":"now"}"#, "["] {
            assert_eq!(at(none), None, "{none}");
        }
    }
}
