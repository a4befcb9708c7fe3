//! Events: a pattern and an event are two texts in one input. Never expects anything of text that is not JSON but an
//! answer; on JSON the verdict of one pattern and that of its explanation are the same.
#![no_main]

use landfall_pattern::{Event, Pattern};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (pattern, event) = text.split_once('\0').unwrap_or((r#"{"a":[{"exists":true}]}"#, text));
    let is_object = serde_json::from_str::<serde_json::Map<_, serde_json::Value>>(event).is_ok();
    let event = Event::parse(event);
    assert!(!is_object || event.is_ok());
    let (Ok(pattern), Ok(event)) = (Pattern::parse(pattern), event) else {
        return;
    };
    assert_eq!(pattern.matches(&event), pattern.why_not(&event).is_empty());
});
