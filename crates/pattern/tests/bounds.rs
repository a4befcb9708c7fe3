//! Inputs built to be slow: each of these would run for hours if the work grew with the product of its parts.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

use landfall_pattern::{Event, Pattern};

const FIELDS: usize = 8;

fn pattern(fields: usize) -> Pattern {
    let fields: Vec<String> = (0..fields).map(|n| format!(r#""f{n}":[1]"#)).collect();
    Pattern::parse(&format!(r#"{{"a":{{{}}}}}"#, fields.join(","))).unwrap()
}

/// An array of objects that have all fields but one, each lacking another.
fn elements(count: usize) -> String {
    let element = |lacking: usize| {
        let fields = (0..FIELDS).filter(|field| *field != lacking % FIELDS);
        let fields: Vec<String> = fields.map(|field| format!(r#""f{field}":1"#)).collect();
        format!("{{{}}}", fields.join(","))
    };
    (0..count).map(element).collect::<Vec<_>>().join(",")
}

#[test]
fn a_large_array_of_objects() {
    let none = format!(r#"{{"a":[{}]}}"#, elements(20_000));
    assert!(none.len() > 1_000_000);
    let event = Event::parse(&none).unwrap();
    assert!(!pattern(FIELDS).matches(&event));
    assert!(
        pattern(FIELDS - 1).matches(&event),
        "an element lacks the last field only"
    );
    assert_eq!(pattern(FIELDS).why_not(&event).len(), 1);
}

#[test]
fn many_arrays_side_by_side() {
    let fields: Vec<String> = (0..100)
        .map(|n| format!(r#""k{n}":{{"x":[1],"y":[1]}}"#))
        .collect();
    let pattern = Pattern::parse(&format!("{{{}}}", fields.join(","))).unwrap();
    let array = |last: &str| format!(r#"[{}{{"x":1,"y":{last}}}]"#, r#"{"x":1},"#.repeat(50));
    let event = |last: &str| {
        let mut arrays: Vec<String> = (0..100)
            .map(|n| format!(r#""k{n}":{}"#, array("1")))
            .collect();
        arrays[99] = format!(r#""k99":{}"#, array(last));
        format!("{{{}}}", arrays.join(","))
    };
    assert!(pattern.matches(&Event::parse(&event("1")).unwrap()));
    assert!(!pattern.matches(&Event::parse(&event("2")).unwrap()));
}

#[test]
fn repeated_keys_end_at_the_limit_of_choices() {
    let array = format!(r#""a":[{}]"#, elements(50));
    let event = format!("{{{}}}", vec![array; 50].join(","));
    let event = Event::parse(&event).unwrap();
    assert!(!pattern(FIELDS).matches(&event));
}

#[test]
fn deep_events() {
    let depth = 990;
    for (open, close) in [(r#"{"a":"#, "}"), (r#"{"a":["#, "]}")] {
        let levels = depth / open.matches(['{', '[']).count();
        let event = format!("{}1{}", open.repeat(levels), close.repeat(levels));
        let path = vec!["a"; levels].join(".");
        let pattern = Pattern::parse(&format!(r#"{{"{path}":[1]}}"#)).unwrap();
        assert!(pattern.matches(&Event::parse(&event).unwrap()));
    }
}

#[test]
fn long_names_at_every_level() {
    let name = "n".repeat(1_000);
    let level = format!(r#"{{"x":1,"{name}":"#);
    let event = format!("{}1{}", level.repeat(900), "}".repeat(900));
    let pattern = Pattern::parse(&format!(r#"{{"{name}.{name}.x":[1]}}"#)).unwrap();
    assert!(pattern.matches(&Event::parse(&event).unwrap()));
}

#[test]
fn wildcards_do_not_backtrack() {
    let pattern = Pattern::parse(r#"{"a":[{"wildcard":"*a*b*c*d"}]}"#).unwrap();
    let text = "ab".repeat(500_000);
    let event = format!(r#"{{"a":"{text}"}}"#);
    assert!(!pattern.matches(&Event::parse(&event).unwrap()));
}

#[test]
fn case_spellings_do_not_multiply() {
    let pattern = Pattern::parse(&format!(
        r#"{{"a":[{{"equals-ignore-case":"{}"}}]}}"#,
        "ßs".repeat(900)
    ));
    let event = format!(r#"{{"a":"{}"}}"#, "s".repeat(200_000));
    assert!(!pattern.unwrap().matches(&Event::parse(&event).unwrap()));
}

#[test]
fn the_complexity_check_ends() {
    let operand = |seed: usize| {
        let parts: Vec<String> = (0..40).map(|n| format!("{}", (n * seed) % 7)).collect();
        format!(r#"{{"wildcard":"*{}*"}}"#, parts.concat())
    };
    for count in 1..=4 {
        let values: Vec<String> = (1..=count).map(operand).collect();
        let text = format!(r#"{{"a":[{}]}}"#, values.join(","));
        if let Err(error) = Pattern::parse(&text) {
            assert!(error.reason().starts_with("Rule is too complex"), "{error}");
        }
    }
}
