//! Why something ran for an object, or did not: gathers what is known of the object, its runs, the rules and the trails.
//! What decided is for `landfall_core::explain` to say. Never changes anything.

use landfall_core::caller::Caller;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::event::{CreatedReason, S3Event, S3EventKind, sequencer};
use landfall_core::explain;
use landfall_core::limits;
use landfall_core::retry::ErrorCode;
use serde::Serialize;
use serde_json::Value;

use super::judged::{self, Judged};
use super::query::{self, Filter};
use super::run::{Run, RunState, Start};
use crate::deliver::{self, Delivery, delivery_key};
use crate::land::bucket;
use crate::land::event::created_again;
use crate::land::model::BucketRecord;
use crate::land::object::ObjectAt;
use crate::route::bus::DEFAULT_BUS;
use crate::route::targets::{self, TargetKind};
use crate::route::{ObjectRef, StoredEvent};
use crate::tx::Reader;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// The object, or one version of it.
    pub at: ObjectAt,
    /// Whether to ask what an upload of it would do now.
    pub simulate: bool,
    /// The operation of an imagined upload.
    pub reason: CreatedReason,
    /// The size of an imagined upload in bytes.
    pub size: u64,
    /// Whether to list rules that are about something else.
    pub all: bool,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The whole of it in one sentence.
    pub verdict: String,
    /// What it is about.
    pub object: ObjectRef,
    /// What is known of the object.
    pub known: Known,
    /// The event that the rules are held against.
    pub event: Option<Value>,
    /// Why the bucket's uploads meet no rule on S3's own events, if they do not.
    pub bucket: Option<String>,
    /// What became of its matches, the newest first.
    pub runs: Vec<RunStory>,
    /// The rules, the nearest first.
    pub rules: Vec<Judged>,
    /// How many rules are left out since they are about something else.
    pub far: usize,
    /// The same in a sentence.
    pub far_sentence: Option<String>,
}

/// What is known of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Known {
    /// It is stored.
    Stored,
    /// It is not stored any more, and the ledger knows of it.
    Deleted,
    /// It was never seen, or long ago.
    Unknown,
    /// It was only imagined.
    Imagined,
}

/// One match, in sentences.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunStory {
    /// Number of the run.
    pub number: u64,
    /// Rule.
    pub rule: String,
    /// Bus of the rule.
    pub bus: String,
    /// How it stands.
    pub state: RunState,
    /// When the rule matched.
    pub matched_at: String,
    /// What the target was given.
    pub input: String,
    /// What it answered.
    pub answer: Option<String>,
    /// How the task ended, or stands.
    pub end: Option<String>,
}

impl RunStory {
    /// The sentence that tells most.
    fn gist(&self) -> &str {
        let last = self.end.as_deref().or(self.answer.as_deref());
        last.unwrap_or(&self.input)
    }
}

/// Explains an object.
///
/// Errors: none but those of the store; what is not there is part of the answer.
pub fn explain(
    db: &impl Reader,
    caller: &Caller,
    question: &Question,
    now: Timestamp,
) -> Result<Explanation, ApiError> {
    let at = &question.at;
    let bucket = bucket::bucket(db, &at.bucket).ok();
    let told = if question.simulate {
        Vec::new()
    } else {
        runs(db, at)?
    };
    let (known, event) = event(db, caller, question, bucket.as_ref(), &told, now)?;
    let stories = told.iter().map(|(run, delivery)| story(run, delivery));
    let mut found = Explanation {
        verdict: String::new(),
        object: ObjectRef {
            bucket: at.bucket.clone(),
            key: at.key.clone(),
            version_id: at.version_id.clone(),
        },
        known,
        event: event
            .as_ref()
            .and_then(|it| serde_json::from_str(&it.json).ok()),
        bucket: silence(at, bucket.as_ref()),
        runs: stories.collect(),
        rules: Vec::new(),
        far: 0,
        far_sentence: None,
    };
    if let Some(event) = &event {
        let sends = bucket.as_ref().is_none_or(|it| it.event_bridge);
        let mut rules = judged::rules(db, question, event, sends, &found.runs)?;
        if !question.all {
            let all = rules.len();
            rules.retain(|it| !it.is_far);
            found.far = all - rules.len();
        }
        found.rules = rules;
        found.far_sentence = explain::far(found.far);
    }
    found.verdict = verdict(&found);
    Ok(found)
}

/// The newest runs of an object, and the deliveries behind them.
fn runs(db: &impl Reader, at: &ObjectAt) -> Result<Vec<(Run, Delivery)>, ApiError> {
    let filter = Filter {
        bucket: Some(at.bucket.clone()),
        key: Some(at.key.clone()),
        ..Filter::default()
    };
    let page = query::runs(db, &filter, None, limits::EXPLAIN_RUNS_MAX)?;
    let mut found = Vec::with_capacity(page.runs.len());
    let is_meant = |run: &Run| at.version_id.is_none() || run.version_id == at.version_id;
    for run in page.runs.into_iter().rev().filter(is_meant) {
        let delivery = db.get::<Delivery>(&delivery_key(run.number))?;
        found.extend(delivery.map(|delivery| (run, delivery)));
    }
    Ok(found)
}

/// The event to hold rules against: that of the stored version, else the one that the ledger keeps, else an imagined one.
fn event(
    db: &impl Reader,
    caller: &Caller,
    question: &Question,
    bucket: Option<&BucketRecord>,
    told: &[(Run, Delivery)],
    now: Timestamp,
) -> Result<(Known, Option<StoredEvent>), ApiError> {
    let id = caller.request_id.clone();
    if question.simulate {
        let imagined = imagined(caller, question, bucket, now);
        return Ok((Known::Imagined, Some(imagined)));
    }
    match created_again(db, &question.at, id, now) {
        Ok(event) => return Ok((Known::Stored, Some(event))),
        Err(e) if e.status < 500 => {}
        Err(e) => return Err(e),
    }
    let newest = told.first().map(|(_, delivery)| delivery);
    let known = if newest.is_some() {
        Known::Deleted
    } else {
        Known::Unknown
    };
    let kept = newest
        .filter(|it| !it.event_json.is_empty())
        .map(kept_event);
    Ok((known, kept))
}

fn kept_event(delivery: &Delivery) -> StoredEvent {
    StoredEvent {
        id: delivery.event_id.clone(),
        account: delivery.account.clone(),
        region: delivery.region.clone(),
        bus: delivery.bus.clone(),
        json: delivery.event_json.clone(),
        ingested_at: delivery.ingested_at,
        object: delivery.object.clone(),
        hops: delivery.hops,
        again: None,
    }
}

fn imagined(
    caller: &Caller,
    question: &Question,
    bucket: Option<&BucketRecord>,
    now: Timestamp,
) -> StoredEvent {
    const ETAG: &str = "d41d8cd98f00b204e9800998ecf8427e";
    let event = S3Event {
        id: caller.request_id.clone(),
        time: now,
        account: bucket.map_or(&caller.account, |it| &it.account).clone(),
        region: bucket.map_or(&caller.region, |it| &it.region).clone(),
        bucket: question.at.bucket.clone(),
        key: question.at.key.clone(),
        version_id: question.at.version_id.clone(),
        request_id: caller.request_id.clone(),
        requester: caller.account.clone(),
        source_ip: caller.source_ip.clone(),
        kind: S3EventKind::Created {
            reason: question.reason,
            size: question.size,
            etag: ETAG.to_owned(),
            sequencer: sequencer(0),
        },
    };
    StoredEvent {
        json: event.to_json(),
        id: event.id,
        account: event.account,
        region: event.region,
        bus: DEFAULT_BUS.to_owned(),
        ingested_at: now,
        object: None,
        hops: 0,
        again: None,
    }
}

/// Why uploads to the bucket meet no rule on S3's own events.
fn silence(at: &ObjectAt, bucket: Option<&BucketRecord>) -> Option<String> {
    match bucket {
        None => Some(format!("There is no bucket {}.", at.bucket)),
        Some(bucket) => (!bucket.event_bridge).then(|| explain::bucket_is_off(&bucket.name)),
    }
}

fn story(run: &Run, delivery: &Delivery) -> RunStory {
    let target = target_name(delivery);
    // A task that was not started was taken all the same: what is against it is told of its end.
    let refusal = delivery.last_refusal.as_ref();
    let refusal = refusal.filter(|it| it.code != ErrorCode::TaskFailedToStart);
    let refusal = refusal.map(|it| (it.code.name(), it.message.as_str()));
    let taken = match run.tasks.is_empty() {
        true => delivery.former_tasks.last().into_iter().collect(),
        false => run.tasks.iter().collect::<Vec<_>>(),
    };
    let tasks: Vec<String> = taken.into_iter().map(|arn| id_of(arn).to_owned()).collect();
    let (input, is_made) = match deliver::input(delivery) {
        _ if delivery.event_json.is_empty() => {
            (format!("{target} was given what is no longer known."), true)
        }
        Ok(text) => (explain::input(&target, &text), true),
        Err(e) => (explain::input_refused(&target, &e.to_string()), false),
    };
    // The task that decides: one that counts, or the last of those that others take the place of.
    let failed = |start: &&Start| start.status == "STOPPED";
    let starts = || run.starts.iter().rev();
    let decisive = starts()
        .find(|it| !it.former)
        .or_else(|| starts().find(failed));
    RunStory {
        number: run.number,
        rule: run.rule.clone(),
        bus: run.bus.clone(),
        state: run.state,
        matched_at: run.matched_at.clone(),
        input,
        answer: is_made.then(|| explain::answer(&target, run.attempts, &tasks, refusal)),
        end: decisive.map(|start| explain::end(&task_end(start))),
    }
}

fn task_end(start: &Start) -> explain::TaskEnd {
    let container = |it: &super::Container| explain::ContainerEnd {
        name: it.name.clone(),
        exit_code: it.exit_code,
        reason: it.reason.clone(),
    };
    explain::TaskEnd {
        id: id_of(&start.task).to_owned(),
        status: start.status.clone(),
        stop_code: start.stop_code.clone(),
        stopped_reason: start.stopped_reason.clone(),
        containers: start.containers.iter().map(container).collect(),
    }
}

/// The target of a delivery, as the subject of a sentence.
pub(super) fn target_name(delivery: &Delivery) -> String {
    let arn = delivery.target.arn.as_deref().unwrap_or_default();
    match targets::kind(arn) {
        Some(TargetKind::EcsTask) => "RunTask".to_owned(),
        Some(TargetKind::Queue) => format!("The queue {arn}"),
        Some(TargetKind::LogGroup) => format!("The log group {arn}"),
        Some(TargetKind::Bus) => format!("The bus {arn}"),
        None => format!("The target {arn}"),
    }
}

fn id_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

fn verdict(found: &Explanation) -> String {
    let object = &found.object;
    if let Some(run) = found.runs.first() {
        let (rule, number) = (&run.rule, run.number);
        let is_its = |it: &&Judged| it.rule == run.rule && it.bus == run.bus;
        let judged = found.rules.iter().find(is_its);
        if let Some(judged) = judged.filter(|it| it.is_either) {
            return judged.sentence.clone();
        }
        return format!("Rule {rule} took it (run {number}): {}", run.gist());
    }
    if found.known == Known::Unknown {
        return explain::is_unknown(&format!("s3://{}/{}", object.bucket, object.key));
    }
    match (found.rules.first(), &found.bucket) {
        (Some(rule), _) if rule.is_match => rule.sentence.clone(),
        (_, Some(silence)) => silence.clone(),
        (Some(rule), None) => rule.sentence.clone(),
        (None, None) => "No rule is about uploads to this bucket.".to_owned(),
    }
}
