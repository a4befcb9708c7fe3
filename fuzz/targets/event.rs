//! Events: a pattern and an event are two texts in one input. Never expects anything of text that is not JSON but an
//! answer; on JSON the pattern, its explanation and a set of rules have to agree, and so have both ways to ask the set
//! where the event's names are distinct.
#![no_main]

use std::collections::HashSet;
use std::fmt;

use landfall_pattern::{Event, Matcher, Pattern, Scratch};
use libfuzzer_sys::fuzz_target;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

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
    let mut found_distinct = Vec::new();
    let answer = rules
        .snapshot()
        .matches_distinct_with(text, &mut Scratch::default(), |id| found_distinct.push(*id));
    let Ok(event) = event else {
        return;
    };
    let found = found.unwrap();
    let is_match = pattern.matches(&event);
    assert_eq!(is_match, pattern.why_not(&event).is_empty());
    assert_eq!(is_match, found.contains(&"one"));
    if serde_json::from_str::<Distinct>(text).is_ok() {
        answer.unwrap();
        found_distinct.sort_unstable();
        assert_eq!(found, found_distinct);
    }
});

/// Anything in which no object has a name twice and no name has a dot in it.
struct Distinct;

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Distinct {
    type Value = Self;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("distinct names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        let mut names = HashSet::new();
        while let Some((name, Self)) = members.next_entry::<String, Self>()? {
            if name.contains('.') || !names.insert(name) {
                return Err(A::Error::custom("a path may come twice"));
            }
        }
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self, A::Error> {
        while elements.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }
}
