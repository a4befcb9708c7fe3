//! The rules of an account and region, each held against one upload, the nearest first. Never says by itself what decided.

use std::collections::BTreeSet;

use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::event::CreatedReason;
use landfall_core::explain::{self, Cause, Judgement, Missed, RuleFacts, Trails, Upload};
use landfall_core::limits;
use landfall_core::migrate::prove::{Operation, Place, Upload as Imagined};
use landfall_core::trail::Subject;
use landfall_store::Direction;
use serde::Serialize;

use super::explain::{Question, RunStory, target_name};
use crate::deliver;
use crate::key::{self, Key};
use crate::route::bus::DEFAULT_BUS;
use crate::route::targets::{self, TargetKind};
use crate::route::{BusKey, Rule, StoredEvent};
use crate::run;
use crate::trail;
use crate::tx::Reader;

/// What was found of one rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// Its name.
    pub rule: String,
    /// Its bus.
    pub bus: String,
    /// `ENABLED`, `DISABLED` or `ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS`.
    pub state: String,
    /// Whether it takes the upload.
    pub is_match: bool,
    /// Whether it takes the upload for one of two filters that look as if both had to hold.
    pub is_either: bool,
    /// Whether it is about something else altogether.
    pub is_far: bool,
    /// What decided.
    pub sentence: String,
    /// Every field that is against it, the deciding one first.
    pub misses: Vec<JudgedField>,
    /// What its targets would be given and answer, when it takes the upload and there is no run of it.
    pub targets: Vec<JudgedTarget>,
}

/// A field that is against a rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JudgedField {
    /// Its names, joined with dots.
    pub path: String,
    /// The list of values as the rule has it.
    pub wanted: String,
    /// The value of the event as JSON.
    pub found: Option<String>,
    /// How near it came.
    pub near: Option<String>,
}

/// What a target would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JudgedTarget {
    /// ARN of the target.
    pub target: String,
    /// What it would be given.
    pub input: String,
    /// What it would answer, where that can be told.
    pub answer: Option<String>,
}

impl From<&Missed> for JudgedField {
    fn from(miss: &Missed) -> Self {
        Self {
            path: miss.path.clone(),
            wanted: miss.wanted.clone(),
            found: miss.found.clone(),
            near: miss.near.as_ref().map(ToString::to_string),
        }
    }
}

/// Holds every rule of the account and region of an event against it.
pub(super) fn rules(
    db: &impl Reader,
    question: &Question,
    event: &StoredEvent,
    sends: bool,
    runs: &[RunStory],
) -> Result<Vec<Judged>, ApiError> {
    let imagined = told(question, event);
    let place = Place {
        account: event.account.clone(),
        region: event.region.clone(),
    };
    let told = imagined.told_all(&place);
    let trails = trails(db, &imagined, event)?;
    let upload = Upload {
        bucket: &question.at.bucket,
        direct: &event.json,
        told: &told,
        bucket_sends: sends,
        trails: &trails,
    };
    let rules = load(db, event)?;
    let reached = reached(&rules, &upload);
    let mut all = Vec::with_capacity(rules.len());
    for (bus, rule) in &rules {
        let facts = facts(bus, rule, &reached);
        let judgement = explain::judge(&facts, &upload);
        let judged = told_of(db, (bus, rule), &judgement, (question, event, runs))?;
        all.push((judgement.distance(), judged));
    }
    all.sort_by(|(a, one), (b, other)| (a, &one.bus, &one.rule).cmp(&(b, &other.bus, &other.rule)));
    Ok(all.into_iter().map(|(_, judged)| judged).collect())
}

fn load(db: &impl Reader, event: &StoredEvent) -> Result<Vec<(BusKey, Rule)>, ApiError> {
    let all = Key::new("rule").part(&event.account).part(&event.region);
    let some = db.list::<Rule>(&all, Direction::Forward);
    some.take(limits::EXPLAIN_RULES_MAX)
        .map(|entry| {
            let (key, rule) = entry?;
            let bus = key::parts(key.bytes())
                .into_iter()
                .nth(2)
                .unwrap_or_default();
            let bus = BusKey {
                account: event.account.clone(),
                region: event.region.clone(),
                name: String::from_utf8_lossy(&bus).into_owned(),
            };
            Ok((bus, rule))
        })
        .collect()
}

fn facts<'a>(bus: &'a BusKey, rule: &'a Rule, reached: &BTreeSet<String>) -> RuleFacts<'a> {
    RuleFacts {
        name: &rule.name,
        bus: &bus.name,
        is_reached: reached.contains(&bus.name),
        is_enabled: rule.is_enabled(),
        pattern: &rule.pattern,
    }
}

/// The buses that the event comes to: the default one, and those that matching rules pass it on to.
fn reached(rules: &[(BusKey, Rule)], upload: &Upload<'_>) -> BTreeSet<String> {
    let mut reached = BTreeSet::from([DEFAULT_BUS.to_owned()]);
    for _ in 0..limits::EVENTS_BUS_HOPS_MAX {
        let before = reached.len();
        for (bus, rule) in rules {
            let next = || next_buses(bus, rule);
            let facts = facts(bus, rule, &reached);
            if next().next().is_some() && explain::judge(&facts, upload).is_match() {
                reached.extend(next());
            }
        }
        if reached.len() == before {
            break;
        }
    }
    reached
}

/// Buses of the same account and region that a rule passes events on to.
fn next_buses<'a>(bus: &'a BusKey, rule: &'a Rule) -> impl Iterator<Item = String> + use<'a> {
    let arns = rule.targets.iter().filter_map(|it| it.arn.as_deref());
    let to_bus = arns.filter(|arn| targets::kind(arn) == Some(TargetKind::Bus));
    to_bus.filter_map(|arn| {
        let caller = Caller::service("", &bus.account, &bus.region, String::new());
        let to = BusKey::of(&caller, Some(arn));
        (to.account == bus.account && to.region == bus.region).then_some(to.name)
    })
}

/// The upload as CloudTrail would tell of it.
fn told(question: &Question, event: &StoredEvent) -> Imagined {
    let json: serde_json::Value = serde_json::from_str(&event.json).unwrap_or_default();
    let text = |path: &str| {
        let found = json.pointer(path).and_then(serde_json::Value::as_str);
        found.unwrap_or_default().to_owned()
    };
    let reason = json.pointer("/detail/reason").cloned();
    let reason = reason.and_then(|it| serde_json::from_value(it).ok());
    let size = json.pointer("/detail/object/size");
    Imagined {
        bucket: question.at.bucket.clone(),
        key: question.at.key.clone(),
        operation: match reason.unwrap_or(question.reason) {
            CreatedReason::PutObject => Operation::PutObject,
            CreatedReason::PostObject => Operation::PostObject,
            CreatedReason::CopyObject => Operation::CopyObject,
            CreatedReason::CompleteMultipartUpload => Operation::CompleteMultipartUpload,
        },
        size: size.and_then(serde_json::Value::as_u64).unwrap_or(0),
        source_ip: text("/detail/source-ip-address"),
        account: text("/detail/requester"),
        versioned: !text("/detail/object/version-id").is_empty(),
        fails: false,
        record: None,
    }
}

/// What the trails make of the upload's calls.
fn trails(db: &impl Reader, upload: &Imagined, event: &StoredEvent) -> Result<Trails, ApiError> {
    let caller_arn = format!("arn:aws:iam::{}:root", upload.account);
    let object_arn = format!("arn:aws:s3:::{}/{}", upload.bucket, upload.key);
    let subject = Subject {
        source: "s3.amazonaws.com",
        name: upload.operation.event_name(),
        read_only: false,
        caller_arn: &caller_arn,
        object_arn: Some(&object_arn),
    };
    trail::of_object(db, &event.account, &event.region, &subject)
}

fn told_of(
    db: &impl Reader,
    (bus, rule): (&BusKey, &Rule),
    judgement: &Judgement,
    (question, event, runs): (&Question, &StoredEvent, &[RunStory]),
) -> Result<Judged, ApiError> {
    let facts = facts(bus, rule, &BTreeSet::new());
    let run = runs
        .iter()
        .find(|it| it.rule == rule.name && it.bus == bus.name);
    let mut sentence = judgement.sentence(&facts);
    let is_match = judgement.is_match();
    match run {
        Some(run) if is_match => sentence.push_str(&format!(" It did: run {}.", run.number)),
        None if is_match && !question.simulate => sentence.push_str(
            " The ledger has no run of it: the rule, or the bucket's notifications, came after the upload, or the run \
             has expired.",
        ),
        _ => {}
    }
    let is_imagined = is_match && run.is_none();
    let targets = rule.targets.iter().filter(|_| is_imagined);
    let targets = targets.map(|target| {
        let delivery = deliver::fresh(bus, rule, target, event, event.ingested_at);
        would(db, &delivery)
    });
    Ok(Judged {
        rule: rule.name.clone(),
        bus: bus.name.clone(),
        state: rule.state.clone(),
        is_match,
        is_either: matches!(judgement.cause, Cause::MatchesEither(_)),
        is_far: judgement.is_far,
        sentence,
        misses: judgement.misses.iter().map(JudgedField::from).collect(),
        targets: targets.collect(),
    })
}

/// What a target would be given and answer.
fn would(db: &impl Reader, delivery: &deliver::Delivery) -> JudgedTarget {
    let name = target_name(delivery);
    let (input, answer) = match deliver::input(delivery) {
        Err(e) => (explain::input_refused(&name, &e.to_string()), None),
        Ok(text) => (
            explain::input(&name, &text),
            would_start(db, delivery, &text),
        ),
    };
    JudgedTarget {
        target: delivery.target.arn.clone().unwrap_or_default(),
        input,
        answer,
    }
}

fn would_start(db: &impl Reader, delivery: &deliver::Delivery, input: &str) -> Option<String> {
    let parameters = delivery.target.ecs_parameters.as_ref()?;
    let caller = Caller::service(
        "events.amazonaws.com",
        &delivery.account,
        &delivery.region,
        String::new(),
    );
    let asked = run::from_rule(delivery, parameters, input)
        .and_then(|request| run::task::checked(db, &caller, &request));
    Some(match asked {
        Ok((_, definition, count)) => explain::would_start(
            count,
            definition.family.as_deref().unwrap_or_default(),
            definition.revision.unwrap_or_default(),
        ),
        Err(e) => explain::would_refuse(&e.message),
    })
}
