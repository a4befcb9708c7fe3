//! Judges a server by the clients' records: nothing acknowledged is missing, nothing is there that nobody sent, and
//! every upload that a rule matches has its run, its container and its message exactly once. Never repairs anything.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use serde_json::{Value, json};

use super::book::{Book, text};
use super::model::{Fate, fates};
use super::record::{self, Body};
use super::{BUCKET, PATIENCE, QUEUE, Report, STARTING, TOLD, once, wrong};
use crate::Arrivals;
use crate::http::Client;

/// Messages of one ReceiveMessage.
const MESSAGES: u64 = 10;

/// What the records say.
pub(super) struct Judge {
    fates: BTreeMap<String, Fate>,
}

/// What was found.
pub(super) struct Found {
    objects: u64,
    happened: u64,
    containers: u64,
    messages: u64,
}

impl Found {
    pub(super) fn into_report(self, report: &mut Report) {
        report.objects = self.objects;
        report.happened = self.happened;
        report.containers = self.containers;
        report.messages = self.messages;
    }
}

impl Judge {
    pub(super) fn read(records: &Path) -> io::Result<Self> {
        let mut all = Vec::new();
        for entry in std::fs::read_dir(records)? {
            all.extend(record::read(&entry?.path())?);
        }
        Ok(Self { fates: fates(&all) })
    }

    pub(super) async fn all(
        &self,
        endpoint: &str,
        book: &mut Book,
        arrivals: Option<&Arrivals>,
    ) -> io::Result<Found> {
        let mut client = Client::connect(endpoint).await?;
        let there = keys(&mut client).await?;
        self.objects(&mut client, &there).await?;
        book.settle(&mut client).await?;
        let expected = self.expected(&there);
        let by_rule = |prefix: &str| -> BTreeSet<&str> {
            let matching = expected.iter().filter(|key| key.starts_with(prefix));
            matching.copied().collect()
        };
        let (starting, told) = (by_rule(STARTING), by_rule(TOLD));
        if told.is_empty() || (arrivals.is_some() && starting.is_empty()) {
            return Err(wrong("no event was asked for: nothing was tested"));
        }
        runs(book, &starting, &told)?;
        if let Some(arrivals) = arrivals {
            containers(arrivals, &starting)?;
        }
        messages(&mut client, &told).await?;
        let unanswered = |key: &&String| self.fates.get(*key).is_some_and(|f| f.acknowledged == 0);
        Ok(Found {
            objects: there.len() as u64,
            happened: there.iter().filter(unanswered).count() as u64,
            containers: starting.len() as u64,
            messages: told.len() as u64,
        })
    }

    /// Every key holds what it may hold, and there is no other.
    async fn objects(&self, client: &mut Client, there: &BTreeSet<String>) -> io::Result<()> {
        if let Some(key) = there.iter().find(|key| !self.fates.contains_key(*key)) {
            return Err(wrong(format_args!(
                "{key} is there, and nobody ever sent it"
            )));
        }
        for (key, fate) in &self.fates {
            if !there.contains(key) {
                if !fate.allowed.contains(&None) {
                    return Err(wrong(format_args!("{key} was acknowledged and is gone")));
                }
                continue;
            }
            let found = client.get_object(BUCKET, key).await?.success()?;
            let found = Body::of(&found.body);
            if !fate.allowed.contains(&Some(found)) {
                return Err(wrong(format_args!(
                    "{key} holds {found:?}, and not {fate:?}"
                )));
            }
        }
        Ok(())
    }

    /// The keys whose event there must be: they are uploaded once and never touched again, so an unanswered upload
    /// happened if its object is there.
    fn expected<'a>(&'a self, there: &BTreeSet<String>) -> BTreeSet<&'a str> {
        let happened = |key: &&String| there.contains(*key);
        self.fates
            .keys()
            .filter(happened)
            .map(String::as_str)
            .collect()
    }
}

/// Each key has one run, which ended well; nothing else has one.
fn runs(book: &Book, starting: &BTreeSet<&str>, told: &BTreeSet<&str>) -> io::Result<()> {
    let mut by_key: BTreeMap<String, usize> = BTreeMap::new();
    for run in book.runs() {
        let is_start = text(run, "key").starts_with(STARTING);
        let wanted = if is_start { "succeeded" } else { "delivered" };
        if text(run, "state") != wanted || (is_start && run.get("exit_codes") != Some(&json!([0])))
        {
            return Err(wrong(format_args!("a run did not end well: {run}")));
        }
        *by_key.entry(text(run, "key").to_owned()).or_default() += 1;
    }
    once("in the ledger", &by_key, starting.union(told).copied())
}

/// Each key has one container that really started; they say so themselves.
fn containers(arrivals: &Arrivals, starting: &BTreeSet<&str>) -> io::Result<()> {
    // A run that has ended has reported before; the listener may still be reading.
    let last = starting.len().saturating_sub(1);
    if arrivals.nth(last, PATIENCE).is_none() {
        let count = arrivals.count();
        let all = starting.len();
        return Err(wrong(format_args!("{count} of {all} containers reported")));
    }
    once(
        "among the containers that started",
        &arrivals.by_line(),
        starting.iter().copied(),
    )
}

/// Each key has one message.
async fn messages(client: &mut Client, told: &BTreeSet<&str>) -> io::Result<()> {
    let mut by_key: BTreeMap<String, usize> = BTreeMap::new();
    let url = queue_url(client).await?;
    loop {
        let ask = json!({"QueueUrl": url, "MaxNumberOfMessages": MESSAGES});
        let answer = client.json_call("AmazonSQS.ReceiveMessage", &ask).await?;
        let received = answer.get("Messages").and_then(Value::as_array);
        let received = received.map_or(&[][..], Vec::as_slice);
        if received.is_empty() {
            return once("in the queue", &by_key, told.iter().copied());
        }
        let mut entries = Vec::new();
        for (number, message) in received.iter().enumerate() {
            let key: Value = serde_json::from_str(text(message, "Body"))?;
            let key = key.as_str().unwrap_or_default().to_owned();
            *by_key.entry(key).or_default() += 1;
            let handle = text(message, "ReceiptHandle");
            entries.push(json!({"Id": number.to_string(), "ReceiptHandle": handle}));
        }
        let gone = json!({"QueueUrl": url, "Entries": entries});
        client
            .json_call("AmazonSQS.DeleteMessageBatch", &gone)
            .await?;
    }
}

/// Reads one key back and compares.
pub(super) async fn read_back(client: &mut Client, key: &str, body: Body) -> io::Result<()> {
    let answer = client.get_object(BUCKET, key).await?;
    let (status, found) = (answer.status, Body::of(&answer.body));
    if status == 200 && found == body {
        return Ok(());
    }
    Err(wrong(format_args!(
        "{key} was acknowledged as {body:?}, and is {found:?}, {status}"
    )))
}

/// All keys of the bucket.
async fn keys(client: &mut Client) -> io::Result<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    let mut last = String::new();
    loop {
        let path = format!("/{BUCKET}?list-type=2&start-after={last}");
        let answer = client.send("GET", &path, &[], b"").await?.success()?;
        let page = String::from_utf8_lossy(&answer.body).into_owned();
        let keys = page.split("<Key>").skip(1);
        let keys = keys.filter_map(|rest| rest.split_once("</Key>").map(|(key, _)| key.to_owned()));
        let before = all.len();
        for key in keys {
            last.clone_from(&key);
            all.insert(key);
        }
        if all.len() == before {
            return Ok(all);
        }
    }
}

async fn queue_url(client: &mut Client) -> io::Result<String> {
    let asked = json!({"QueueName": QUEUE});
    let answer = client.json_call("AmazonSQS.GetQueueUrl", &asked).await?;
    Ok(text(&answer, "QueueUrl").to_owned())
}

/// The second rule: the event of each told key goes to the queue.
pub(super) async fn make_queue(client: &mut Client) -> io::Result<()> {
    let made = client
        .json_call("AmazonSQS.CreateQueue", &json!({"QueueName": QUEUE}))
        .await?;
    let url = text(&made, "QueueUrl").to_owned();
    let ask = json!({"QueueUrl": url, "AttributeNames": ["QueueArn"]});
    let answer = client
        .json_call("AmazonSQS.GetQueueAttributes", &ask)
        .await?;
    let arn = answer.pointer("/Attributes/QueueArn").cloned();
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage", "Resource": arn,
    }]});
    let attributes = json!({"Policy": policy.to_string(), "VisibilityTimeout": "3600"});
    let set = json!({"QueueUrl": url, "Attributes": attributes});
    client
        .json_call("AmazonSQS.SetQueueAttributes", &set)
        .await?;
    let pattern = json!({
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [BUCKET]}, "object": {"key": [{"prefix": TOLD}]}},
    });
    let rule = json!({"Name": QUEUE, "EventPattern": pattern.to_string()});
    client.json_call("AWSEvents.PutRule", &rule).await?;
    let targets = json!({
        "Rule": QUEUE,
        "Targets": [{"Id": "queue", "Arn": arn, "InputPath": "$.detail.object.key"}],
    });
    let answer = client.json_call("AWSEvents.PutTargets", &targets).await?;
    match answer.get("FailedEntryCount").and_then(Value::as_i64) {
        Some(0) => Ok(()),
        _ => Err(wrong(format_args!("refused: {answer}"))),
    }
}
