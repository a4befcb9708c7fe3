//! `landfall runs`: the ledger as a table or as JSON. Never changes it.

use std::process::ExitCode;

use anyhow::Result;
use comfy_table::{Table, presets};
use serde_json::Value;

use crate::cli::{Output, RunsArgs};
use crate::client::Client;

/// Runs the command.
pub async fn run(args: RunsArgs) -> Result<ExitCode> {
    let client = Client::new(&args.endpoint.url)?;
    let runs = fetch(&client, 0, args.limit).await?;
    match args.output {
        Output::Json => println!("{}", serde_json::to_string_pretty(&runs)?),
        Output::Table if runs.is_empty() => println!("No rule has matched anything yet."),
        Output::Table => println!("{}", table(&runs)),
    }
    Ok(ExitCode::SUCCESS)
}

/// The newest lines of the ledger behind number `after`.
pub async fn fetch(client: &Client, after: u64, limit: u64) -> Result<Vec<Value>> {
    let path = format!("/_landfall/runs?after={after}&limit={limit}");
    let mut answer = client.get_json(&path).await?;
    Ok(answer
        .get_mut("runs")
        .and_then(|r| r.as_array_mut())
        .map(std::mem::take)
        .unwrap_or_default())
}

fn table(runs: &[Value]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header([
        "MATCHED", "OBJECT", "RULE", "STATE", "EXIT", "TASK", "REASON",
    ]);
    for run in runs {
        table.add_row([
            field(run, "matched_at"),
            object(run),
            field(run, "rule"),
            state(run),
            exit_codes(run),
            task(run),
            field(run, "reason"),
        ]);
    }
    table
}

/// A member of a run that is text.
pub fn field(run: &Value, name: &str) -> String {
    run.get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// The state of a run, and whether it repeats another one or was repeated.
fn state(run: &Value) -> String {
    let is_replay = run.get("replay").is_some_and(|it| !it.is_null());
    let replays = run.get("replayed_as").and_then(Value::as_array);
    let mark = match (is_replay, replays.is_some_and(|it| !it.is_empty())) {
        (true, _) => " (replay)",
        (_, true) => " (replayed)",
        _ => "",
    };
    format!("{}{mark}", field(run, "state"))
}

/// Keys are shown with their control characters escaped, so that no key can play with the terminal.
pub fn object(run: &Value) -> String {
    match (field(run, "bucket"), field(run, "key")) {
        (bucket, _) if bucket.is_empty() => "-".to_owned(),
        (bucket, key) => {
            let shown: String = key
                .chars()
                .flat_map(|c| {
                    let escaped: Vec<char> = if c.is_control() {
                        c.escape_default().collect()
                    } else {
                        vec![c]
                    };
                    escaped
                })
                .collect();
            format!("s3://{bucket}/{shown}")
        }
    }
}

/// The exit codes of a run's containers.
pub fn exit_codes(run: &Value) -> String {
    let codes = run.get("exit_codes").and_then(Value::as_array);
    let show = |code: &Value| {
        code.as_i64()
            .map_or_else(|| "-".to_owned(), |c| c.to_string())
    };
    let all: Vec<String> = codes.into_iter().flatten().map(show).collect();
    all.join(",")
}

fn task(run: &Value) -> String {
    let arns = run.get("tasks").and_then(Value::as_array);
    let id = |arn: &Value| {
        arn.as_str()
            .and_then(|a| a.rsplit('/').next())
            .map(str::to_owned)
    };
    arns.into_iter()
        .flatten()
        .filter_map(id)
        .collect::<Vec<_>>()
        .join(",")
}
