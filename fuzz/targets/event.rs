//! Events: a pattern and an event are two texts in one input. Never expects anything of text that is not JSON but an
//! answer; on JSON the pattern, its explanation and a set of rules have to agree.
#![no_main]

use landfall_pattern::{Event, Matcher, Pattern};
use libfuzzer_sys::fuzz_target;

const DEFAULT_PATTERN: &str = r#"{"a":[{"exists":true}]}"#;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (pattern, text) = text.split_once('\0').unwrap_or((DEFAULT_PATTERN, text));
    let is_object = serde_json::from_str::<serde_json::Map<_, serde_json::Value>>(text).is_ok();
    let event = Event::parse(text);
    assert!(!is_object || event.is_ok());
    let Ok(pattern) = Pattern::parse(pattern) else {
        return;
    };
    let mut rules = Matcher::new();
    rules.extend([
        ("default", Pattern::parse(DEFAULT_PATTERN).unwrap()),
        ("one", pattern.clone()),
    ]);
    let found = rules.matches(text);
    let Ok(event) = event else {
        return;
    };
    let is_match = pattern.matches(&event);
    assert_eq!(is_match, pattern.why_not(&event).is_empty());
    assert_eq!(is_match, found.unwrap().contains(&"one"));
});
