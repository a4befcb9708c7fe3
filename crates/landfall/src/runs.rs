//! `landfall runs`: the ledger as a table or as JSON, at once or as it goes on. Never changes it.

use std::collections::HashMap;
use std::process::ExitCode;

use anyhow::{Result, bail};
use comfy_table::{Table, presets};
use form_urlencoded::Serializer;
use landfall_core::limits;
use serde_json::Value;

use crate::cli::{Output, RunsArgs};
use crate::client::Client;

/// Exit status when filters were given and no run passes them.
const NONE_PASSES: u8 = 3;

/// Runs the command.
pub async fn run(args: RunsArgs) -> Result<ExitCode> {
    let client = Client::new(&args.endpoint.url)?;
    let filters = filters(&args)?;
    if args.follow {
        let shown = Follower::begin(&client, &filters).await?;
        let runs = fetch(&client, &filters, args.limit).await?;
        return shown
            .follow(&client, runs, &|run: &Value| print_line(args.output, run))
            .await;
    }
    let runs = fetch(&client, &filters, args.limit).await?;
    match args.output {
        Output::Json => println!("{}", serde_json::to_string_pretty(&runs)?),
        Output::Table if !runs.is_empty() => println!("{}", table(&runs)),
        Output::Table if filters.is_empty() => println!("No rule has matched anything yet."),
        Output::Table => println!("No run passes these filters."),
    }
    let is_answer = !runs.is_empty() || filters.is_empty();
    Ok(if is_answer {
        ExitCode::SUCCESS
    } else {
        NONE_PASSES.into()
    })
}

/// What to ask the ledger for, as names and values of its query.
pub type Filters = Vec<(&'static str, String)>;

fn filters(args: &RunsArgs) -> Result<Filters> {
    let (mut bucket, mut prefix) = (args.bucket.clone(), args.prefix.clone());
    if let Some(url) = &args.objects {
        let (name, key) = object_url(url)?;
        bucket = Some(name);
        prefix = Some(key).filter(|it| !it.is_empty());
    }
    let given = [
        ("bucket", bucket),
        ("prefix", prefix),
        ("rule", args.rule.clone()),
        ("state", args.state.clone()),
        ("since", args.since.clone()),
    ];
    let given = given.into_iter();
    Ok(given
        .filter_map(|(name, value)| Some((name, value?)))
        .collect())
}

/// Bucket and key, or the beginning of keys, of `s3://bucket/key`.
pub fn object_url(url: &str) -> Result<(String, String)> {
    let Some(rest) = url.strip_prefix("s3://").filter(|it| !it.is_empty()) else {
        bail!("{url} is no object: write s3://bucket/key");
    };
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    Ok((bucket.to_owned(), key.to_owned()))
}

/// A path with a query.
pub fn path(page: &str, query: &[(&str, String)]) -> String {
    let query = Serializer::new(String::new()).extend_pairs(query).finish();
    format!("/_landfall/{page}?{query}")
}

/// The newest `limit` runs that pass, oldest first.
pub async fn fetch(client: &Client, filters: &Filters, limit: u64) -> Result<Vec<Value>> {
    let (mut pages, mut count, mut token) = (Vec::new(), 0, None);
    loop {
        let mut query = filters.clone();
        query.push(("limit", (limit - count).to_string()));
        query.extend(token.map(|it| ("token", it)));
        let mut answer = client.get_json(&path("runs", &query)).await?;
        let runs = taken(&mut answer);
        count += runs.len() as u64;
        pages.push(runs);
        token = answer
            .get("next_token")
            .and_then(Value::as_str)
            .map(str::to_owned);
        if token.is_none() || count >= limit {
            return Ok(pages.into_iter().rev().flatten().collect());
        }
    }
}

fn taken(answer: &mut Value) -> Vec<Value> {
    let runs = answer.get_mut("runs").and_then(|r| r.as_array_mut());
    runs.map(std::mem::take).unwrap_or_default()
}

/// Follows the ledger from one moment on.
pub struct Follower {
    filters: Filters,
    position: String,
    /// How each run stood when it was last shown.
    shown: HashMap<u64, (String, u64)>,
}

impl Follower {
    /// From now on nothing is missed.
    pub async fn begin(client: &Client, filters: &Filters) -> Result<Self> {
        let answer = client.get_json(&path("runs/changes", filters)).await?;
        Ok(Self {
            filters: filters.clone(),
            position: position(&answer),
            shown: HashMap::new(),
        })
    }

    /// Shows these runs and then each one whenever its state has changed. Never ends by itself.
    pub async fn follow(
        mut self,
        client: &Client,
        runs: Vec<Value>,
        show: &dyn Fn(&Value),
    ) -> Result<ExitCode> {
        self.show(&runs, show);
        loop {
            let mut query = self.filters.clone();
            query.push(("from", self.position.clone()));
            query.push(("wait", limits::LEDGER_WAIT_SECONDS_MAX.to_string()));
            let mut answer = client.get_json(&path("runs/changes", &query)).await?;
            self.position = position(&answer);
            let mut runs = taken(&mut answer);
            if answer.get("missed").and_then(Value::as_bool) == Some(true) {
                eprintln!("landfall: changes were missed; the newest runs as they stand now:");
                runs = fetch(client, &self.filters, limits::RUNS_PER_PAGE_DEFAULT).await?;
            }
            self.show(&runs, show);
        }
    }

    fn show(&mut self, runs: &[Value], show: &dyn Fn(&Value)) {
        for run in runs {
            let number = run.get("number").and_then(Value::as_u64).unwrap_or(0);
            let attempts = run.get("attempts").and_then(Value::as_u64).unwrap_or(0);
            let stands = (field(run, "state"), attempts);
            if self.shown.get(&number) != Some(&stands) {
                show(run);
                self.shown.insert(number, stands);
            }
        }
        self.forget();
    }

    /// Runs of long ago do not change any more.
    fn forget(&mut self) {
        let most = limits::LEDGER_CHANGES_REMEMBERED_MAX;
        if self.shown.len() > most {
            let mut numbers: Vec<u64> = self.shown.keys().copied().collect();
            numbers.sort_unstable();
            for number in numbers.iter().take(most / 2) {
                self.shown.remove(number);
            }
        }
    }
}

fn position(answer: &Value) -> String {
    field(answer, "position")
}

fn print_line(output: Output, run: &Value) {
    match output {
        Output::Json => println!("{run}"),
        Output::Table => println!("{}", line(run)),
    }
}

/// A run in one line.
pub fn line(run: &Value) -> String {
    let codes = exit_codes(run);
    let exit = match codes.as_str() {
        "" | "-" => codes,
        _ => format!("exit {codes}"),
    };
    let (rule, state) = (field(run, "rule"), field(run, "state"));
    let line = format!(
        "{rule}  {state:<13} {}  {exit} {}",
        object(run),
        field(run, "reason")
    );
    line.trim_end().to_owned()
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

/// The object of a run as a URL.
pub fn object(run: &Value) -> String {
    match (field(run, "bucket"), field(run, "key")) {
        (bucket, _) if bucket.is_empty() => "-".to_owned(),
        (bucket, key) => format!("s3://{bucket}/{}", shown(&key)),
    }
}

/// A text with its control characters escaped, so that no key can play with the terminal.
pub fn shown(text: &str) -> String {
    let one = |c: char| -> String {
        match c.is_control() {
            true => c.escape_default().collect(),
            false => c.to_string(),
        }
    };
    text.chars().map(one).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_a_bucket_and_what_its_key_begins_with() {
        let of = |url: &str| object_url(url).unwrap();
        assert_eq!(
            of("s3://b/in/a.csv"),
            ("b".to_owned(), "in/a.csv".to_owned())
        );
        assert_eq!(of("s3://b"), ("b".to_owned(), String::new()));
        for bad in ["b/in", "s3://", "https://b/k"] {
            assert!(object_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_query_is_encoded() {
        let query = [("bucket", "b".to_owned()), ("prefix", "a b&c=é".to_owned())];
        let expected = "/_landfall/runs?bucket=b&prefix=a+b%26c%3D%C3%A9";
        assert_eq!(path("runs", &query), expected);
    }
}
