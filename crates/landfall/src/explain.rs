//! `landfall explain`: why something ran for an object, or did not, as sentences or as JSON. Never decides it: the server
//! does.

use std::process::ExitCode;

use anyhow::{Result, bail};
use serde_json::Value;

use crate::cli::{ExplainArgs, Output};
use crate::client::Client;
use crate::runs::{object_url, path, shown};

/// Exit status when no rule took the object.
const NO_RULE: u8 = 3;
/// Exit status when nothing is known of it.
const UNKNOWN: u8 = 4;

/// Runs the command.
pub async fn run(args: ExplainArgs) -> Result<ExitCode> {
    let (bucket, key) = object_url(&args.object)?;
    if key.is_empty() {
        bail!("{} is a bucket: write s3://bucket/key", args.object);
    }
    let flag = |wanted: bool| wanted.then(|| "true".to_owned());
    let given = [
        ("bucket", Some(bucket)),
        ("key", Some(key)),
        ("version_id", args.version_id),
        ("simulate", flag(args.simulate)),
        ("reason", args.reason),
        ("size", args.size.map(|it| it.to_string())),
        ("all", flag(args.all)),
    ];
    let given = given.into_iter();
    let query: Vec<_> = given
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    let client = Client::new(&args.endpoint.url)?;
    let told = client.get_json(&path("explain", &query)).await?;
    match args.output {
        Output::Json => println!("{}", serde_json::to_string_pretty(&told)?),
        Output::Table => print!("{}", page(&told)),
    }
    Ok(status(&told))
}

fn status(told: &Value) -> ExitCode {
    let is_match = |rule: &Value| rule.get("is_match").and_then(Value::as_bool) == Some(true);
    if !list(told, "runs").is_empty() || list(told, "rules").iter().any(is_match) {
        return ExitCode::SUCCESS;
    }
    match text(told, "known") {
        "unknown" => UNKNOWN.into(),
        _ => NO_RULE.into(),
    }
}

/// The verdict, then what it rests on.
fn page(told: &Value) -> String {
    let mut lines = vec![text(told, "verdict").to_owned()];
    let mut part = |title: &str, sentences: Vec<String>| {
        if !sentences.is_empty() {
            lines.push(String::new());
            lines.push(title.to_owned());
            lines.extend(sentences.into_iter().map(|it| format!("  {it}")));
        }
    };
    part("Bucket", sentences(told, &["bucket"]));
    for run in list(told, "runs") {
        let title = format!(
            "Run {} of rule {}: {}, matched {}",
            run.get("number").and_then(Value::as_u64).unwrap_or(0),
            text(run, "rule"),
            text(run, "state"),
            text(run, "matched_at"),
        );
        part(&title, sentences(run, &["input", "answer", "end"]));
    }
    let rules = list(told, "rules").iter().flat_map(rule);
    part(
        "Rules",
        rules.chain(sentences(told, &["far_sentence"])).collect(),
    );
    let lines = lines.iter().map(|line| shown(line) + "\n");
    lines.collect()
}

fn rule(rule: &Value) -> Vec<String> {
    let mark = match rule.get("is_match").and_then(Value::as_bool) {
        Some(true) => "+",
        _ => "-",
    };
    let mut lines = vec![format!("{mark} {}", text(rule, "sentence"))];
    for target in list(rule, "targets") {
        let more = sentences(target, &["input", "answer"]);
        lines.extend(more.into_iter().map(|it| format!("    {it}")));
    }
    lines
}

fn sentences(of: &Value, names: &[&str]) -> Vec<String> {
    let found = names.iter().map(|name| text(of, name));
    found
        .filter(|it| !it.is_empty())
        .map(str::to_owned)
        .collect()
}

fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of.get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_verdict_comes_first_and_no_key_plays_with_the_terminal() {
        let told = json!({
            "verdict": "Rule a takes it.", "known": "stored", "bucket": null,
            "runs": [{"number": 7, "rule": "a", "state": "failed", "matched_at": "now", "input": "I.", "answer": "A.", "end": "E \u{1b}[2J."}],
            "rules": [{"is_match": false, "sentence": "Rule b does not.", "targets": []}],
            "far_sentence": "1 other rule is elsewhere.",
        });
        assert_eq!(
            page(&told),
            "Rule a takes it.\n\nRun 7 of rule a: failed, matched now\n  I.\n  A.\n  E \\u{1b}[2J.\n\nRules\n  \
             - Rule b does not.\n  1 other rule is elsewhere.\n"
        );
    }
}
