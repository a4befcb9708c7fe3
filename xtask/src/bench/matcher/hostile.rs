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
    rules: Rules,
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

type Rules = Box<dyn Fn(usize) -> String>;

fn attempts() -> Vec<Attempt> {
    events().into_iter().chain(patterns()).collect()
}

fn attempt(what: &'static str, event: String, rules: Rules) -> Attempt {
    Attempt { what, event, rules }
}

/// Events that are slow to read, with ordinary rules.
fn events() -> Vec<Attempt> {
    let of_mixed = |what, event| attempt(what, event, Box::new(|n| Set::Mixed.rule(n)));
    let deep = format!("{}1{}", "[".repeat(990), "]".repeat(990));
    let unasked = format!(
        r#"{{"x":{}1{}}}"#,
        r#"{"a":"#.repeat(200_000),
        "}".repeat(200_000)
    );
    let names = vec![r#""detail":1"#; 100_000].join(",");
    vec![
        of_mixed("a key of 1 MB, mixed rules", repeated("a")),
        of_mixed(
            "100,000 keys in an array, mixed rules",
            key(&list(100_000, |n| format!("\"team-{n:06}/\""))),
        ),
        of_mixed("50,000 objects in an array, mixed rules", objects(50_000)),
        of_mixed("arrays 1,000 deep", key(&deep)),
        of_mixed("objects 200,000 deep that no rule asks for", unasked),
        of_mixed("1 MB of backslashes", repeated(r"\\")),
        of_mixed("100,000 repeated names", format!("{{{names}}}")),
    ]
}

/// Rules that are slow to hold against their events.
fn patterns() -> Vec<Attempt> {
    let four = (0..RULES).map(|n| format!("{n:04}")).collect::<String>();
    let all_but_the_end = key(&format!("\"{}{four}\"", "ab".repeat(EVENT_BYTES / 2)));
    let numbers = key(&list(100_000, |n| n.to_string()));
    let same = key(&list(100_000, |_| "\"same\"".to_owned()));
    let letter = |n: usize| char::from(b'b' + (n % 20) as u8);
    let pair = |n| format!(r#"{{"detail":{{"object":{{"key":["k{n}"],"size":[{n}]}}}}}}"#);
    vec![
        attempt(
            "wildcards at the limit, a key of 1 MB",
            repeated("ab"),
            of_key(|n| format!(r#"{{"wildcard":"*a*b*{n}*"}}"#)),
        ),
        attempt(
            "wildcards that are all in the key but for their end",
            all_but_the_end,
            of_key(|n| format!(r#"{{"wildcard":"*{n:04}*x"}}"#)),
        ),
        attempt(
            "one wildcard literal all over the key",
            repeated("aaaa"),
            of_key(move |n| format!(r#"{{"wildcard":"*aaaa*{}"}}"#, letter(n))),
        ),
        attempt(
            "100,000 numbers, 1,000 ranges",
            numbers,
            of_key(|n| format!(r#"{{"numeric":[">",{n}]}}"#)),
        ),
        attempt(
            "100,000 equal texts, 1,000 anything-but",
            same,
            of_key(|n| format!(r#"{{"anything-but":["same","{n}"]}}"#)),
        ),
        attempt(
            "50,000 objects, each rule needs two fields of one",
            objects(50_000),
            Box::new(pair),
        ),
        attempt(
            "prefixes of 1,000 lengths, a key of 1 MB",
            repeated("a"),
            of_key(|n| format!(r#"{{"prefix":"{}"}}"#, "a".repeat(n + 1))),
        ),
    ]
}

fn of_key(value: impl Fn(usize) -> String + 'static) -> Rules {
    Box::new(move |n| format!(r#"{{"detail":{{"object":{{"key":[{}]}}}}}}"#, value(n)))
}

/// An event with a key of 1 MB.
fn repeated(part: &str) -> String {
    key(&format!("\"{}\"", part.repeat(EVENT_BYTES / part.len())))
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
