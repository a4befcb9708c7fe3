//! Uploads into a bucket that notifies, on a server with one rule and on one with a thousand of which the same one
//! matches, slice by slice in turn. Never begins a slice before the other server has delivered all of its own.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use landfall_testkit::Server;
use landfall_testkit::http::Client;
use serde_json::{Value, json};

use super::Bench;
use super::load::{self, BUCKET, Until};
use super::matcher::mixed_rule;
use super::report::{Row, Samples};

const RULES: usize = 1_000;
const CLIENTS: usize = 16;
const RATIO_MIN: f64 = 0.95;
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(50);

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let mut one = Side::new(bench, "one-rule", 1)?;
    let mut many = Side::new(bench, "many-rules", RULES)?;
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for slice in 0..bench.slices {
        let (single, put) = (one.slice(bench, slice)?, many.slice(bench, slice)?);
        println!(
            "{RULES} rules: {put:.0} uploads/s, one rule: {single:.0} uploads/s, ratio {:.2}",
            put / single
        );
        ours.push(put);
        theirs.push(single);
        ratios.push(put / single);
    }
    let ratios = Samples::new(ratios);
    Ok(vec![Row {
        what: format!(
            "durable 1 KiB uploads that notify, {CLIENTS} clients, {RULES} rules of which one matches"
        ),
        measured: Samples::new(ours).show(0, "/s"),
        beside: format!(
            "one rule {}; ratio {}",
            Samples::new(theirs).show(0, "/s"),
            ratios.show(2, "")
        ),
        goal: format!("ratio at least {RATIO_MIN:.2}"),
        is_met: ratios.median() >= RATIO_MIN,
    }])
}

/// A server with its rules, and the queue to which each upload's event goes.
struct Side {
    server: Server,
    queue: String,
}

impl Side {
    fn new(bench: &Bench, name: &str, rules: usize) -> Result<Self> {
        let (data, settings) = (bench.path(name), bench.path(&format!("{name}.toml")));
        std::fs::write(
            &settings,
            format!("[quotas]\nevent_rules_per_bus = {rules}\n"),
        )?;
        let text = |path: &std::path::Path| path.to_str().map(str::to_owned);
        let (Some(data), Some(settings)) = (text(&data), text(&settings)) else {
            anyhow::bail!("the directory's name is not UTF-8");
        };
        let server = bench.serve_with(&["--data", &data, "--config", &settings])?;
        let mut side = Self {
            server,
            queue: String::new(),
        };
        bench.runtime.block_on(side.furnish(rules))?;
        side.slice(bench, usize::MAX)?;
        Ok(side)
    }

    async fn furnish(&mut self, rules: usize) -> Result<()> {
        let mut client = Client::connect(self.server.endpoint()).await?;
        client.create_bucket(BUCKET, true).await?;
        let queue = json!({"QueueName": "events"});
        let queue = client.json_call("AmazonSQS.CreateQueue", &queue).await?;
        self.queue = member(&queue, "QueueUrl")?.to_owned();
        let wanted = json!({"QueueUrl": self.queue, "AttributeNames": ["QueueArn"]});
        let told = client
            .json_call("AmazonSQS.GetQueueAttributes", &wanted)
            .await?;
        let arn = told
            .get("Attributes")
            .context("a queue without attributes")?;
        let target = json!({"Id": "queue", "Arn": member(arn, "QueueArn")?});
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": "*",
        }]});
        let open = json!({"QueueUrl": self.queue, "Attributes": {"Policy": policy.to_string()}});
        client
            .json_call("AmazonSQS.SetQueueAttributes", &open)
            .await?;
        let matching = format!(
            r#"{{"source":["aws.s3"],"detail-type":["Object Created"],"detail":{{"bucket":{{"name":["{BUCKET}"]}}}}}}"#
        );
        let others = (1..rules).map(mixed_rule);
        for (n, pattern) in std::iter::once(matching).chain(others).enumerate() {
            let rule = json!({"Name": format!("rule-{n}"), "EventPattern": pattern});
            client.json_call("AWSEvents.PutRule", &rule).await?;
        }
        let targets = json!({"Rule": "rule-0", "Targets": [target]});
        let answer = client.json_call("AWSEvents.PutTargets", &targets).await?;
        ensure!(
            answer.get("FailedEntryCount") == Some(&json!(0)),
            "refused: {answer}"
        );
        Ok(())
    }

    /// Uploads per second; returns when the queue has the event of each, and empties it.
    fn slice(&mut self, bench: &Bench, slice: usize) -> Result<f64> {
        let time = Duration::from_secs(bench.seconds);
        let endpoint = self.server.endpoint();
        bench.runtime.block_on(async {
            let until = Until::After(time);
            let uploads = load::uploads(endpoint, &format!("s-{slice}"), CLIENTS, until).await?;
            let mut client = Client::connect(endpoint).await?;
            let begin = Instant::now();
            while self.delivered(&mut client).await? < uploads.count {
                ensure!(begin.elapsed() < PATIENCE, "events are still on their way");
                tokio::time::sleep(LOOK).await;
            }
            let queue = json!({"QueueUrl": self.queue});
            client.json_call("AmazonSQS.PurgeQueue", &queue).await?;
            Ok(uploads.per_second)
        })
    }

    async fn delivered(&self, client: &mut Client) -> Result<u64> {
        const COUNT: &str = "ApproximateNumberOfMessages";
        let wanted = json!({"QueueUrl": self.queue, "AttributeNames": [COUNT]});
        let told = client
            .json_call("AmazonSQS.GetQueueAttributes", &wanted)
            .await?;
        let told = told
            .get("Attributes")
            .context("a queue without attributes")?;
        Ok(member(told, COUNT)?.parse()?)
    }
}

fn member<'v>(value: &'v Value, name: &str) -> Result<&'v str> {
    let member = value.get(name).and_then(Value::as_str);
    member.with_context(|| format!("no {name} in {value}"))
}
