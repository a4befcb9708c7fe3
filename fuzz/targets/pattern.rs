//! Patterns: any text is read or refused with a reason, and what is read stays the same when it is read again. Never
//! holds it against more than one event; that is the other target's part.
#![no_main]

use landfall_pattern::{Event, Matcher, Pattern};
use libfuzzer_sys::fuzz_target;

const EVENT: &str =
    r#"{"source":"aws.s3","detail":{"a":["x",{"b":1.5}],"n":null,"t":true},"ip":"10.0.0.1"}"#;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let event = Event::parse(EVENT).unwrap();
    let mut rules = Matcher::new();
    match Pattern::parse(text) {
        Ok(pattern) => {
            let again = Pattern::parse(pattern.text()).unwrap();
            let matches = pattern.matches(&event);
            assert_eq!(matches, again.matches(&event));
            assert_eq!(matches, pattern.why_not(&event).is_empty());
            rules.add("one", &pattern);
            assert_eq!(matches, !rules.matches(EVENT).unwrap().is_empty());
        }
        Err(error) => assert!(!error.reason().is_empty()),
    }
});
