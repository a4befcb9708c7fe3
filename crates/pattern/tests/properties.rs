//! Generated patterns and events: the crate against the literal reference, the rule set against single patterns,
//! explanations against verdicts, and arbitrary text against the reader.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod reference;

use std::cmp::Ordering;
use std::collections::HashSet;

use landfall_pattern::{Event, Matcher, Pattern, Scratch, Snapshot};
use proptest::prelude::*;
use reference::{BLOCKS, Json, NUMBERS, Node, Value};

/// `PROPTEST_CASES` decides where it is set.
fn config() -> ProptestConfig {
    let default = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => default,
        None => ProptestConfig {
            cases: 3_000,
            ..default
        },
    }
}

fn few() -> ProptestConfig {
    let config = config();
    ProptestConfig {
        cases: config.cases / CASES_PER_FEW,
        ..config
    }
}

const CASES_PER_FEW: u32 = 20;

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "a.b", "b.a", "é"]).prop_map(str::to_owned)
}

fn text() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "",
        "x",
        "X",
        "xy",
        "yx",
        "é",
        "É",
        "ß",
        "SS",
        "ss",
        "😀",
        "x😀",
        "*",
        "null",
        "1",
        "10.0.0.1",
        "010.0.0.1",
        "::ffff:a00:1",
        "::1",
        "0:0:0:0:0:0:0:1",
        "ǆ",
        "ǅ",
        "İ",
        "i̇",
    ]);
    let long = prop::sample::select(vec!["x", "yx", "xyy", "éx"]);
    prop_oneof![
        60 => known.prop_map(str::to_owned),
        1 => long.prop_map(|part| part.repeat(260 / part.len())),
        40 => prop::collection::vec(prop::sample::select(vec!["x", "y", "é", "X"]), 0..5)
            .prop_map(|parts| parts.concat()),
    ]
}

fn or_x(text: String) -> String {
    if text.is_empty() {
        "x".to_owned()
    } else {
        text
    }
}

fn wildcard() -> impl Strategy<Value = String> {
    let literal = prop::sample::select(vec!["", "x", "y", "xy", "é", r"\*", r"\\"]);
    prop::collection::vec(literal, 1..4).prop_map(|parts| {
        let mut operand = parts.join("*");
        while operand.contains("**") {
            operand = operand.replace("**", "*");
        }
        operand.replace(r"\**", r"\*x*")
    })
}

fn comparable() -> impl Strategy<Value = usize> {
    let places = (0..NUMBERS.len()).filter(|place| NUMBERS[*place].1.is_some());
    prop::sample::select(places.collect::<Vec<_>>())
}

fn scalar() -> impl Strategy<Value = Json> {
    prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        (0..NUMBERS.len()).prop_map(Json::Number),
        (text(), any::<bool>()).prop_map(|(text, escaped)| Json::Text(text, escaped)),
    ]
}

fn object(value: impl Strategy<Value = Json>) -> impl Strategy<Value = Vec<(String, Json)>> {
    prop::collection::vec((name(), value), 0..4)
}

fn json() -> impl Strategy<Value = Json> {
    scalar().prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            2 => prop::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
            3 => object(inner).prop_map(Json::Object),
        ]
    })
}

fn value() -> impl Strategy<Value = Value> {
    let texts = || prop::collection::vec(text(), 1..3);
    let some_texts = || texts().prop_map(|texts| texts.into_iter().map(or_x).collect());
    prop_oneof![
        6 => scalar().prop_map(Value::Literal),
        1 => text().prop_map(Value::Exactly),
        1 => text().prop_map(Value::Prefix),
        1 => text().prop_map(Value::Suffix),
        1 => text().prop_map(Value::Fold),
        1 => text().prop_map(Value::PrefixFold),
        1 => text().prop_map(Value::SuffixFold),
        2 => wildcard().prop_map(Value::Wildcard),
        2 => numeric(),
        3 => any::<bool>().prop_map(Value::Exists),
        1 => texts().prop_map(Value::But),
        1 => prop::collection::vec(comparable(), 1..3).prop_map(Value::ButNumber),
        1 => some_texts().prop_map(Value::ButPrefix),
        1 => some_texts().prop_map(Value::ButSuffix),
        1 => texts().prop_map(Value::ButFold),
        1 => prop::collection::vec(wildcard(), 1..3).prop_map(Value::ButWildcard),
        1 => (0..BLOCKS.len()).prop_map(Value::Cidr),
    ]
}

fn numeric() -> impl Strategy<Value = Value> {
    let end = || (comparable(), any::<bool>());
    let range = (end(), end()).prop_map(|(one, other)| {
        match NUMBERS[one.0].1.partial_cmp(&NUMBERS[other.0].1) {
            Some(Ordering::Less) => Value::Numeric(Some(one), Some(other)),
            Some(Ordering::Greater) => Value::Numeric(Some(other), Some(one)),
            _ => Value::Numeric(None, Some(other)),
        }
    });
    prop_oneof![
        end().prop_map(|end| Value::Numeric(Some(end), None)),
        end().prop_map(|end| Value::Numeric(None, Some(end))),
        comparable().prop_map(|one| Value::Numeric(Some((one, true)), Some((one, true)))),
        range,
    ]
}

fn fields(node: impl Strategy<Value = Node> + Clone) -> impl Strategy<Value = Vec<(String, Node)>> {
    let member = (name(), node).prop_map(|(name, node)| match node {
        Node::Or(_) => ("$or".to_owned(), node),
        _ => (name, node),
    });
    prop::collection::vec(member, 1..4)
}

fn pattern() -> impl Strategy<Value = Vec<(String, Node)>> {
    let leaf = prop::collection::vec(value(), 1..3).prop_map(Node::Values);
    let node = leaf.prop_recursive(3, 10, 3, |inner| {
        prop_oneof![
            3 => fields(inner.clone()).prop_map(Node::Fields),
            1 => prop::collection::vec(fields(inner), 2..4).prop_map(Node::Or),
        ]
    });
    fields(node)
}

/// As much of an object as keeps the promise of distinct names.
fn distinct(fields: &[(String, Json)]) -> Vec<(String, Json)> {
    let mut names = HashSet::new();
    let kept = fields
        .iter()
        .filter(|(name, _)| !name.contains('.') && names.insert(name));
    kept.map(|(name, value)| (name.clone(), distinct_within(value)))
        .collect()
}

fn distinct_within(value: &Json) -> Json {
    match value {
        Json::Object(fields) => Json::Object(distinct(fields)),
        Json::Array(elements) => Json::Array(elements.iter().map(distinct_within).collect()),
        other => other.clone(),
    }
}

/// What is found when the promise of distinct names is made.
fn matches_distinct(rules: &Snapshot<usize>, json: &str, scratch: &mut Scratch) -> Vec<usize> {
    let mut ids = Vec::new();
    rules
        .matches_distinct_with(json, scratch, |id| ids.push(*id))
        .unwrap();
    ids.sort_unstable();
    ids
}

fn quoted(text: &str, escaped: bool) -> String {
    if !escaped {
        return serde_json::to_string(text).unwrap();
    }
    let units: String = text
        .encode_utf16()
        .map(|unit| format!("\\u{unit:04x}"))
        .collect();
    format!("\"{units}\"")
}

fn list<T>(items: &[T], spell: impl Fn(&T) -> String) -> String {
    format!(
        "[{}]",
        items.iter().map(spell).collect::<Vec<_>>().join(" , ")
    )
}

fn spell(json: &Json) -> String {
    match json {
        Json::Null => "null".to_owned(),
        Json::Bool(value) => value.to_string(),
        Json::Number(number) => NUMBERS[*number].0.to_owned(),
        Json::Text(text, escaped) => quoted(text, *escaped),
        Json::Array(elements) => list(elements, spell),
        Json::Object(fields) => spell_object(fields, spell),
    }
}

fn spell_object<T>(fields: &[(String, T)], spell: impl Fn(&T) -> String) -> String {
    let members = fields
        .iter()
        .map(|(name, value)| format!("{}: {}", quoted(name, false), spell(value)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

fn spell_node(node: &Node) -> String {
    match node {
        Node::Values(values) => list(values, spell_value),
        Node::Fields(fields) => spell_object(fields, spell_node),
        Node::Or(branches) => list(branches, |branch| spell_object(branch, spell_node)),
    }
}

fn spell_value(value: &Value) -> String {
    let one = |operator: &str, text: &str| format!("{{\"{operator}\":{}}}", quoted(text, false));
    let all = |texts: &[String]| list(texts, |text| quoted(text, false));
    let but = |operand: String| format!("{{\"anything-but\":{operand}}}");
    let nested = |operator: &str, texts: &[String]| match texts {
        [text] => but(one(operator, text)),
        texts => but(format!("{{\"{operator}\":{}}}", all(texts))),
    };
    match value {
        Value::Literal(literal) => spell(literal),
        Value::Exactly(text) => one("exactly", text),
        Value::Prefix(text) => one("prefix", text),
        Value::Suffix(text) => one("suffix", text),
        Value::Fold(text) => one("equals-ignore-case", text),
        Value::PrefixFold(text) => format!("{{\"prefix\":{}}}", one("equals-ignore-case", text)),
        Value::SuffixFold(text) => format!("{{\"suffix\":{}}}", one("equals-ignore-case", text)),
        Value::Wildcard(text) => one("wildcard", text),
        Value::Numeric(bottom, top) => spell_numeric(*bottom, *top),
        Value::Exists(wanted) => format!("{{\"exists\":{wanted}}}"),
        Value::But(texts) => but(all(texts)),
        Value::ButNumber(numbers) => but(list(numbers, |number| NUMBERS[*number].0.to_owned())),
        Value::ButPrefix(texts) => nested("prefix", texts),
        Value::ButSuffix(texts) => nested("suffix", texts),
        Value::ButFold(texts) => nested("equals-ignore-case", texts),
        Value::ButWildcard(texts) => nested("wildcard", texts),
        Value::Cidr(block) => one("cidr", BLOCKS[*block].0),
    }
}

fn spell_numeric(bottom: Option<(usize, bool)>, top: Option<(usize, bool)>) -> String {
    let part = |operator: &str, end: Option<(usize, bool)>| {
        end.map(|(number, closed)| {
            format!(
                "\"{operator}{}\",{}",
                if closed { "=" } else { "" },
                NUMBERS[number].0
            )
        })
    };
    let parts = match (bottom, top) {
        (Some((bottom, _)), Some((top, _))) if bottom == top => {
            vec![format!("\"=\",{}", NUMBERS[bottom].0)]
        }
        _ => part(">", bottom)
            .into_iter()
            .chain(part("<", top))
            .collect(),
    };
    format!("{{\"numeric\":[{}]}}", parts.join(","))
}

const LIMITS: [&str; 2] = ["Rule is too complex", "rule combinations"];

/// `None` for a pattern that is valid but over a limit.
fn parse(pattern: &[(String, Node)]) -> Option<Pattern> {
    let text = spell_object(pattern, spell_node);
    match Pattern::parse(&text) {
        Ok(pattern) => Some(pattern),
        Err(error) if LIMITS.iter().any(|limit| error.reason().contains(limit)) => None,
        Err(error) => panic!("{text}: {error}"),
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn verdicts_are_those_of_the_reference(
        pattern in pattern(),
        events in prop::collection::vec(object(json()), 6),
    ) {
        let Some(parsed) = parse(&pattern) else { return Ok(()) };
        let mut matcher = Matcher::new();
        matcher.add(7, &parsed);
        for fields in &events {
            let text = spell_object(fields, spell);
            let event = Event::parse(&text).unwrap();
            let expected = reference::matches(&pattern, fields);
            prop_assert_eq!(parsed.matches(&event), expected, "{} on {}", parsed.text(), text);
            prop_assert_eq!(parsed.why_not(&event).is_empty(), expected, "why not, on {}", text);
            let found = matcher.matches(&text).unwrap();
            prop_assert_eq!(found == [7], expected, "as a rule: {} on {}", parsed.text(), text);
        }
    }

    #[test]
    fn distinct_names_are_read_as_far_as_rules_ask(
        patterns in prop::collection::vec(pattern(), 1..4),
        events in prop::collection::vec(object(json()), 6),
    ) {
        let mut matcher = Matcher::new();
        let parsed = patterns.iter().map(|pattern| parse(pattern));
        matcher.extend(parsed.enumerate().filter_map(|(id, pattern)| Some((id, pattern?))));
        let (rules, mut scratch) = (matcher.snapshot(), Scratch::default());
        for fields in &events {
            let fields = distinct(fields);
            let text = spell_object(&fields, spell);
            let found = matches_distinct(&rules, &text, &mut scratch);
            prop_assert_eq!(&found, &rules.matches(&text).unwrap(), "read whole: {}", text);
            for (id, pattern) in patterns.iter().enumerate().filter(|(_, pattern)| parse(pattern).is_some()) {
                let expected = reference::matches(pattern, &fields);
                let pattern = spell_object(pattern, spell_node);
                prop_assert_eq!(found.contains(&id), expected, "{} on {}", pattern, text);
            }
        }
    }

    #[test]
    fn one_value_on_one_field(value in value(), leaf in json()) {
        let pattern = vec![("a".to_owned(), Node::Values(vec![value]))];
        let fields = vec![("a".to_owned(), leaf)];
        let Some(parsed) = parse(&pattern) else { return Ok(()) };
        let text = spell_object(&fields, spell);
        let event = Event::parse(&text).unwrap();
        let expected = reference::matches(&pattern, &fields);
        prop_assert_eq!(parsed.matches(&event), expected, "{} on {}", parsed.text(), text);
    }

    #[test]
    fn arrays_of_objects(
        patterns in prop::collection::vec(prop::sample::select(vec!["1", "2", "false"]), 4),
        elements in prop::collection::vec((0..3_usize, 0..3_usize, 0..3_usize, 0..3_usize), 0..4),
    ) {
        let paths = ["b", "c.a", "c.b", "d"];
        let fields: Vec<(String, Node)> = paths
            .iter()
            .zip(&patterns)
            .map(|(path, wanted)| {
                let value = match *wanted {
                    "1" => Value::Literal(Json::Number(0)),
                    "2" => Value::Literal(Json::Number(6)),
                    _ => Value::Exists(false),
                };
                (format!("a.{path}"), Node::Values(vec![value]))
            })
            .collect();
        let leaf = |name: &str, kind: usize| {
            let number = [None, Some(0), Some(6)][kind];
            number.map(|number| (name.to_owned(), Json::Number(number)))
        };
        let elements = elements.iter().map(|&(b, ca, cb, d)| {
            let halves = [leaf("a", ca), leaf("b", cb)].map(|half| Json::Object(half.into_iter().collect()));
            let inner = [leaf("b", b), leaf("d", d), Some(("c".to_owned(), Json::Array(halves.into())))];
            Json::Object(inner.into_iter().flatten().collect())
        });
        let event = vec![("a".to_owned(), Json::Array(elements.collect()))];
        let text = spell_object(&event, spell);
        let parsed = parse(&fields).unwrap();
        let expected = reference::matches(&fields, &event);
        prop_assert_eq!(parsed.matches(&Event::parse(&text).unwrap()), expected, "{}", text);
    }

    #[test]
    fn arbitrary_text_is_read_or_refused(text in "[ {}\\[\\]\",:a-c$\\\\u0-9.eE+*-]{0,40}", other in any::<String>()) {
        for text in [text, other] {
            let _ = Pattern::parse(&text);
            let is_object = serde_json::from_str::<serde_json::Map<_, serde_json::Value>>(&text).is_ok();
            if is_object {
                prop_assert!(Event::parse(&text).is_ok(), "{}", text);
            }
        }
    }
}

// Many rules, or many leaves of which the reference tries every pick, take long.
proptest! {
    #![proptest_config(few())]

    #[test]
    fn a_matcher_finds_what_its_patterns_match(
        patterns in prop::collection::vec(pattern(), 1..8),
        copies in 0..150_usize,
        replaced in prop::collection::vec((0..160_usize, any::<bool>()), 0..40),
        events in prop::collection::vec(object(json()), 3),
    ) {
        let parsed: Vec<Pattern> = patterns.iter().filter_map(|pattern| parse(pattern)).collect();
        let mut matcher = Matcher::new();
        let mut rules = std::collections::BTreeMap::new();
        for (id, pattern) in parsed.iter().enumerate() {
            matcher.add(id, pattern);
            rules.insert(id, pattern.clone());
        }
        for (copy, pattern) in (8..8 + copies).zip(parsed.iter().cycle()) {
            matcher.add(copy, pattern);
            rules.insert(copy, pattern.clone());
        }
        let (before, rules_before) = (matcher.snapshot(), rules.clone());
        for (id, again) in replaced {
            prop_assert_eq!(matcher.remove(&id), rules.remove(&id).is_some());
            if let Some(pattern) = parsed.first().filter(|_| again) {
                matcher.add(id, pattern);
                rules.insert(id, pattern.clone());
            }
        }
        prop_assert_eq!(matcher.len(), rules.len());
        prop_assert_eq!(matcher.is_empty(), rules.is_empty());
        let mut scratch = Scratch::default();
        for fields in &events {
            let text = spell_object(fields, spell);
            let event = Event::parse(&text).unwrap();
            let expected = |rules: &std::collections::BTreeMap<usize, Pattern>| -> Vec<usize> {
                rules.iter().filter(|(_, rule)| rule.matches(&event)).map(|(id, _)| *id).collect()
            };
            prop_assert_eq!(matcher.matches(&text).unwrap(), expected(&rules));
            prop_assert_eq!(before.matches(&text).unwrap(), expected(&rules_before), "the snapshot");
            let distinct = spell_object(&distinct(fields), spell);
            let found = matches_distinct(&before, &distinct, &mut scratch);
            prop_assert_eq!(found, before.matches(&distinct).unwrap(), "distinct names: {}", distinct);
        }
    }

    #[test]
    fn many_leaves_of_one_path(
        one in prop::collection::vec(value(), 1..3),
        other in prop::collection::vec(value(), 1..3),
        elements in prop::collection::vec((scalar(), prop::option::of(scalar()), any::<bool>()), 50..90),
    ) {
        let pattern = vec![
            ("a".to_owned(), Node::Values(one)),
            ("b".to_owned(), Node::Values(other)),
        ];
        let Some(_) = parse(&pattern) else { return Ok(()) };
        let element = |(one, other, is_bare): &(Json, Option<Json>, bool)| match other {
            None if *is_bare => one.clone(),
            None => Json::Object(vec![("a".to_owned(), one.clone())]),
            Some(other) => Json::Object(vec![("a".to_owned(), one.clone()), ("b".to_owned(), other.clone())]),
        };
        let objects = Json::Array(elements.iter().map(element).collect());
        let fields = vec![("o".to_owned(), objects)];
        let pattern = vec![("o".to_owned(), Node::Fields(pattern))];
        let text = spell_object(&fields, spell);
        let parsed = parse(&pattern).unwrap();
        let mut matcher = Matcher::new();
        matcher.add(7, &parsed);
        let expected = reference::matches(&pattern, &fields);
        prop_assert_eq!(parsed.matches(&Event::parse(&text).unwrap()), expected, "{} on {}", parsed.text(), text);
        prop_assert_eq!(matcher.matches(&text).unwrap() == [7], expected, "{} on {}", parsed.text(), text);
        let found = matches_distinct(&matcher.snapshot(), &text, &mut Scratch::default());
        prop_assert_eq!(found == [7], expected, "distinct names: {} on {}", parsed.text(), text);
    }
}
