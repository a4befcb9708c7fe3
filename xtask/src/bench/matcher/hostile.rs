//! Events and patterns built to be slow, each with a thousand rules. Never asks the other engine.

use std::fmt::Write as _;
use std::time::Instant;

use anyhow::Result;
use landfall_pattern::{Matcher, Pattern, Scratch};

use super::sets::Set;

const RULES: usize = 1_000;
const GOAL_MILLIS: f64 = 50.0;
const ROUNDS: usize = 5;
const EVENT_BYTES: usize = 1_000_000;

/// One thing to try.
struct Attempt {
    what: &'static str,
    event: String,
    rules: Box<dyn Fn(usize) -> String>,
}

/// Tries all and shows the slowest of some rounds for each.
pub(super) fn table() -> Result<String> {
    let mut out = format!(
        "| a hostile event or pattern, {RULES} rules | ms | goal | met |\n|---|--:|--:|---|\n"
    );
    for attempt in attempts() {
        let rules: Result<Vec<_>, _> = (0..RULES)
            .map(|n| Pattern::parse(&(attempt.rules)(n)).map(|pattern| (n, pattern)))
            .collect();
        let mut matcher = Matcher::new();
        matcher.extend(rules?);
        let (snapshot, mut scratch) = (matcher.snapshot(), Scratch::default());
        let mut slowest: f64 = 0.0;
        for _ in 0..ROUNDS {
            let begin = Instant::now();
            let _ = snapshot.matches_with(&attempt.event, &mut scratch, |_| {});
            slowest = slowest.max(begin.elapsed().as_secs_f64() * 1e3);
        }
        let met = if slowest <= GOAL_MILLIS {
            "yes"
        } else {
            "**no**"
        };
        let _infallible = writeln!(
            out,
            "| {} | {slowest:.1} | {GOAL_MILLIS} | {met} |",
            attempt.what
        );
    }
    Ok(out)
}

fn attempts() -> Vec<Attempt> {
    let mixed = || -> Box<dyn Fn(usize) -> String> { Box::new(|n| Set::Mixed.rule(n)) };
    let of_key = |value: fn(usize) -> String| -> Box<dyn Fn(usize) -> String> {
        Box::new(move |n| format!(r#"{{"detail":{{"object":{{"key":[{}]}}}}}}"#, value(n)))
    };
    let pair: fn(usize) -> String =
        |n| format!(r#"{{"detail":{{"object":{{"key":["k{n}"],"size":[{n}]}}}}}}"#);
    vec![
        Attempt {
            what: "a key of 1 MB, mixed rules",
            event: key(&format!("\"{}\"", "a".repeat(EVENT_BYTES))),
            rules: mixed(),
        },
        Attempt {
            what: "100,000 keys in an array, mixed rules",
            event: key(&list(100_000, |n| format!("\"team-{n:06}/\""))),
            rules: mixed(),
        },
        Attempt {
            what: "50,000 objects in an array, mixed rules",
            event: objects(50_000),
            rules: mixed(),
        },
        Attempt {
            what: "arrays 1,000 deep",
            event: key(&format!("{}1{}", "[".repeat(990), "]".repeat(990))),
            rules: mixed(),
        },
        Attempt {
            what: "objects 200,000 deep that no rule asks for",
            event: format!(
                r#"{{"x":{}1{}}}"#,
                r#"{"a":"#.repeat(200_000),
                "}".repeat(200_000)
            ),
            rules: mixed(),
        },
        Attempt {
            what: "1 MB of backslashes",
            event: key(&format!("\"{}\"", r"\\".repeat(EVENT_BYTES / 2))),
            rules: mixed(),
        },
        Attempt {
            what: "100,000 repeated names",
            event: format!(
                "{{{}}}",
                (0..100_000)
                    .map(|_| r#""detail":1"#)
                    .collect::<Vec<_>>()
                    .join(",")
            ),
            rules: mixed(),
        },
        Attempt {
            what: "wildcards at the limit, a key of 1 MB",
            event: key(&format!("\"{}\"", "ab".repeat(EVENT_BYTES / 2))),
            rules: of_key(|n| format!(r#"{{"wildcard":"*a*b*{n}*"}}"#)),
        },
        Attempt {
            what: "wildcards that are all in the key but for their end",
            event: key(&format!(
                "\"{}{}\"",
                "ab".repeat(EVENT_BYTES / 2),
                (0..1_000).map(|n| format!("{n:04}")).collect::<String>()
            )),
            rules: of_key(|n| format!(r#"{{"wildcard":"*{n:04}*x"}}"#)),
        },
        Attempt {
            what: "one wildcard literal all over the key",
            event: key(&format!("\"{}\"", "aaaa".repeat(EVENT_BYTES / 4))),
            rules: of_key(|n| {
                format!(
                    r#"{{"wildcard":"*aaaa*{}"}}"#,
                    char::from(b'b' + (n % 20) as u8)
                )
            }),
        },
        Attempt {
            what: "100,000 numbers, 1,000 ranges",
            event: key(&list(100_000, |n| n.to_string())),
            rules: of_key(|n| format!(r#"{{"numeric":[">",{n}]}}"#)),
        },
        Attempt {
            what: "100,000 equal texts, 1,000 anything-but",
            event: key(&list(100_000, |_| "\"same\"".to_owned())),
            rules: of_key(|n| format!(r#"{{"anything-but":["same","{n}"]}}"#)),
        },
        Attempt {
            what: "50,000 objects, each rule needs two fields of one",
            event: objects(50_000),
            rules: Box::new(pair),
        },
        Attempt {
            what: "prefixes of 1,000 lengths, a key of 1 MB",
            event: key(&format!("\"{}\"", "a".repeat(EVENT_BYTES))),
            rules: of_key(|n| format!(r#"{{"prefix":"{}"}}"#, "a".repeat(n + 1))),
        },
    ]
}

fn key(value: &str) -> String {
    format!(
        r#"{{"source":"aws.s3","detail-type":"Object Created","detail":{{"bucket":{{"name":"bucket-000001"}},"object":{{"key":{value},"size":1000000}}}}}}"#
    )
}

fn list(count: usize, item: impl Fn(usize) -> String) -> String {
    format!("[{}]", (0..count).map(item).collect::<Vec<_>>().join(","))
}

/// Objects whose keys and sizes all exist, but never in the element where the other one is.
fn objects(count: usize) -> String {
    let object = |n: usize| format!(r#"{{"key":"k{}","size":{}}}"#, n % 1_000, (n + 1) % 1_000);
    let objects = list(count, object);
    format!(
        r#"{{"source":"aws.s3","detail-type":"Object Created","detail":{{"bucket":{{"name":"bucket-000001"}},"object":{objects}}}}}"#
    )
}
