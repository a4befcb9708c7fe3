//! `landfall replay`: asks the server to run again what has run before, part by part, and waits for it when told to. Never
//! decides what can run again.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use bytes::Bytes;
use comfy_table::{Table, presets};
use http_body_util::{BodyExt, Full};
use landfall_core::clock::{Clock as _, Timestamp};
use landfall_core::limits;
use serde_json::{Map, Value, json};

use crate::cli::{Output, ReplayArgs};
use crate::client::Client;
use crate::runs::{field, object};
use crate::system::SystemClock;

/// Between two looks at runs that have not ended.
const LOOK_PAUSE: Duration = Duration::from_millis(200);
const LISTS: [&str; 3] = ["replayed", "under_way", "refused"];

/// All that the server answered.
#[derive(Default)]
struct Done {
    replayed: Vec<Value>,
    under_way: Vec<Value>,
    refused: Vec<Value>,
    /// How the runs stood in the end, when that was waited for.
    ended: Vec<Value>,
}

/// Runs the command.
pub async fn run(args: ReplayArgs) -> Result<ExitCode> {
    let client = Client::new(&args.endpoint.url)?;
    let mut done = ask(&client, question(&args)?).await?;
    if args.wait {
        done.ended = wait(&client, &done).await?;
    }
    match args.output {
        Output::Json => println!("{}", serde_json::to_string_pretty(&done.json())?),
        Output::Table => println!("{}", done.table()),
    }
    Ok(done.verdict(&args))
}

fn question(args: &ReplayArgs) -> Result<Map<String, Value>> {
    let mut ask = Map::new();
    let mut put = |name: &str, value: Option<&String>| {
        if let Some(value) = value {
            ask.insert(name.to_owned(), Value::from(value.as_str()));
        }
    };
    let time = |text: &Option<String>| text.as_deref().map(time).transpose();
    put("since", time(&args.since)?.as_ref());
    put("until", time(&args.until)?.as_ref());
    put("rule", args.rule.as_ref());
    put("bucket", args.bucket.as_ref());
    put("version_id", args.version_id.as_ref());
    if let Some(url) = &args.object {
        let (bucket, key) = place(url)?;
        put("bucket", Some(&bucket));
        put("key", Some(&key));
    }
    ask.insert("failed".to_owned(), Value::from(args.failed));
    ask.insert("dry_run".to_owned(), Value::from(args.dry_run));
    Ok(ask)
}

/// The bucket and the key of an `s3://` URL. The key is taken as it is: nothing in it is an escape.
fn place(url: &str) -> Result<(String, String)> {
    let rest = url.strip_prefix("s3://").and_then(|it| it.split_once('/'));
    let whole = rest.filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty());
    let (bucket, key) =
        whole.ok_or_else(|| anyhow!("{url} is no object: write it as s3://bucket/key"))?;
    Ok((bucket.to_owned(), key.to_owned()))
}

/// A time as the server takes it: as it is, or so long before now.
fn time(text: &str) -> Result<String> {
    if Timestamp::parse_rfc3339(text).is_some() {
        return Ok(text.to_owned());
    }
    let bad = || {
        anyhow!(
            "{text} is no time: write 2026-11-12T00:00:00Z, or 90m, 2h or 7d for a span before now"
        )
    };
    let (number, unit) = text
        .split_at_checked(text.len().saturating_sub(1))
        .ok_or_else(bad)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(bad()),
    };
    let number: u32 = number.parse().map_err(|_| bad())?;
    let millis = i64::from(number) * seconds * 1_000;
    Ok(SystemClock.now().plus_millis(-millis).iso8601_millis())
}

/// Asks until the server has done all of it.
async fn ask(client: &Client, mut ask: Map<String, Value>) -> Result<Done> {
    let mut done = Done::default();
    loop {
        let body = Full::new(Bytes::from(serde_json::to_vec(&ask)?));
        let body = body.map_err(|never| match never {}).boxed_unsync();
        let mut answer = client.post("/_landfall/replay", body).await?;
        let mut take = |name: &str| match answer.get_mut(name).map(Value::take) {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        };
        done.replayed.extend(take("replayed"));
        done.under_way.extend(take("under_way"));
        done.refused.extend(take("refused"));
        let Some(Value::Object(next)) = answer.get_mut("next").map(Value::take) else {
            return Ok(done);
        };
        ask.extend(next);
    }
}

/// Waits until each run has ended; how they stand then.
async fn wait(client: &Client, done: &Done) -> Result<Vec<Value>> {
    let number = |item: &Value| {
        let replay = item.get("replay").and_then(Value::as_u64);
        replay.or_else(|| item.get("run").and_then(Value::as_u64))
    };
    let both = done.replayed.iter().chain(&done.under_way);
    let numbers: Vec<String> = both.filter_map(number).map(|it| it.to_string()).collect();
    let mut ended = Vec::new();
    for part in numbers.chunks(limits::REPLAY_RUNS_PER_COMMIT_MAX) {
        let path = format!("/_landfall/replay?runs={}", part.join(","));
        loop {
            let mut answer = client.get_json(&path).await?;
            let runs = answer.get_mut("runs").and_then(Value::as_array_mut);
            let runs = std::mem::take(runs.context("the server did not tell of the runs")?);
            ensure!(
                runs.len() == part.len(),
                "a run is not in the ledger any more"
            );
            if runs.iter().all(is_final) {
                ended.extend(runs);
                break;
            }
            tokio::time::sleep(LOOK_PAUSE).await;
        }
    }
    Ok(ended)
}

fn is_final(run: &Value) -> bool {
    is_good(run) || matches!(field(run, "state").as_str(), "failed" | "dead-lettered")
}

fn is_good(run: &Value) -> bool {
    matches!(field(run, "state").as_str(), "succeeded" | "delivered")
}

impl Done {
    fn json(&self) -> Value {
        json!({
            "replayed": self.replayed,
            "under_way": self.under_way,
            "refused": self.refused,
            "ended": self.ended,
        })
    }

    fn lists(&self) -> [&[Value]; 3] {
        [&self.replayed, &self.under_way, &self.refused]
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        table.set_header(["RUN", "OBJECT", "RULE", "REPLAY", "AS", "STATE", "REASON"]);
        for (name, items) in LISTS.iter().zip(self.lists()) {
            for item in items {
                let end = self.end(item);
                let reason = end.map_or_else(|| field(item, "reason"), |run| field(run, "reason"));
                table.add_row([
                    number(item, "run"),
                    object(item),
                    field(item, "rule"),
                    name.replace('_', " "),
                    number(item, "replay"),
                    end.map_or_else(String::new, |run| field(run, "state")),
                    reason,
                ]);
            }
        }
        table
    }

    /// How the run of an item stood in the end.
    fn end(&self, item: &Value) -> Option<&Value> {
        let number = ["replay", "run"]
            .iter()
            .find_map(|name| item.get(name).filter(|it| !it.is_null()))?;
        self.ended
            .iter()
            .find(|run| run.get("number") == Some(number))
    }

    /// Says in one sentence how it went.
    fn verdict(&self, args: &ReplayArgs) -> ExitCode {
        let asked: usize = self.lists().iter().map(|items| items.len()).sum();
        let bad = self.ended.iter().filter(|run| !is_good(run));
        let bad: Vec<&Value> = bad.collect();
        let (sentence, code) = match (asked, self.refused.first(), bad.first()) {
            (0, ..) => nothing(args),
            (_, Some(first), _) => (
                format!(
                    "{} of {asked} runs cannot run again: {}",
                    self.refused.len(),
                    field(first, "reason")
                ),
                ExitCode::FAILURE,
            ),
            (_, _, Some(first)) => (
                format!(
                    "{} of {asked} runs failed again: {}",
                    bad.len(),
                    field(first, "reason")
                ),
                ExitCode::FAILURE,
            ),
            _ => (self.good(args), ExitCode::SUCCESS),
        };
        eprintln!("landfall: {sentence}");
        code
    }

    fn good(&self, args: &ReplayArgs) -> String {
        let (new, old) = (self.replayed.len(), self.under_way.len());
        if args.dry_run {
            return format!("{new} would run again, {old} are under way");
        }
        let what = if args.wait {
            "came to a good end"
        } else {
            "run again"
        };
        match (args.wait, old) {
            (false, 1..) => format!("{new} {what}, {old} are still under way"),
            _ => format!("{} {what}", new + old),
        }
    }
}

/// An object that no rule wants is a fault of whoever asked; that nothing has failed is none.
fn nothing(args: &ReplayArgs) -> (String, ExitCode) {
    match (&args.object, &args.rule) {
        (Some(object), None) => (format!("no rule matches {object} now"), ExitCode::FAILURE),
        (Some(object), Some(rule)) => (
            format!("rule {rule} does not match {object} now"),
            ExitCode::FAILURE,
        ),
        _ => (
            "there is nothing to run again".to_owned(),
            ExitCode::SUCCESS,
        ),
    }
}

fn number(item: &Value, name: &str) -> String {
    let number = item.get(name).and_then(Value::as_u64);
    number.map_or_else(|| "-".to_owned(), |number| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_taken_as_they_are() {
        let found = place("s3://b/a/%20?x=1").unwrap();
        assert_eq!(found, ("b".to_owned(), "a/%20?x=1".to_owned()));
        for bad in ["b/a", "s3://b", "s3://b/", "s3:///a"] {
            assert!(place(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_are_times_or_spans() {
        let given = "2026-11-12T00:00:00+09:00";
        assert_eq!(time(given).unwrap(), given);
        let before = SystemClock.now().plus_millis(-2 * 3_600_000);
        let found = Timestamp::parse_rfc3339(&time("2h").unwrap()).unwrap();
        assert!((found.0 - before.0).abs() < 60_000, "{found:?} {before:?}");
        for bad in ["", "h", "2", "2w", "-1h", "yesterday", "é"] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }
}
