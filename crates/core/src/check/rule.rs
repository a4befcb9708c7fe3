//! Faults of rules on S3's own events.

use super::{Fault, Finding, Severity, Subject};
use crate::migrate::facts::{bucket_named, direct_buckets, names_bucket};
use crate::migrate::pattern::{find, holds};
use crate::migrate::switch::{Switch, switch};
use crate::template::{Entry, Node};
use serde_json::json;

pub(super) const NO_EVENTS: Fault = Fault {
    code: "LF005",
    title: "rule on the events of a bucket that sends none",
    find: no_events,
};

pub(super) const EITHER_OR: Fault = Fault {
    code: "LF008",
    title: "prefix and suffix in one list take either, not both",
    find: either_or,
};

pub(super) const MISSES_PARTS: Fault = Fault {
    code: "LF010",
    title: "rule on PutObject misses files that are uploaded in parts",
    find: misses_parts,
};

fn is_direct(pattern: &Node) -> bool {
    pattern.get("detail-type").is_some_and(|it| {
        holds(it, &json!("Object Created")) || holds(it, &json!("Object Deleted"))
    })
}

fn no_events(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in subject.rules.iter().filter(|it| is_direct(&it.pattern)) {
        for name in direct_buckets(&rule.pattern) {
            let symbol = names_bucket(name, subject.template);
            let Some(id) = symbol.and_then(|it| bucket_named(&it, subject.template)) else {
                continue;
            };
            let is_off = subject
                .template
                .resource(id)
                .is_some_and(|it| switch(id, it, subject.template) == Switch::Off);
            if is_off {
                findings.push(NO_EVENTS.at(
                    Severity::Error,
                    rule.place(name.span),
                    format!("{id} sends no events to EventBridge, so that {} never starts anything", rule.id),
                    "give the bucket `NotificationConfiguration: {EventBridgeConfiguration: {EventBridgeEnabled: true}}`",
                ));
            }
        }
    }
    findings
}

/// The filters on the key of either road.
fn key_filters(pattern: &Node) -> Vec<&Entry> {
    let detail = pattern.get("detail");
    let below = |outer: &str| detail.and_then(|it| find(it.get(outer)?, "key"));
    [below("object"), below("requestParameters")]
        .into_iter()
        .flatten()
        .collect()
}

fn either_or(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in subject.rules {
        for entry in key_filters(&rule.pattern) {
            let items = entry.value.items().unwrap_or_default();
            let has = |name: &str| items.iter().any(|it| it.get(name).is_some());
            if has("prefix") && has("suffix") {
                findings.push(EITHER_OR.at(
                    Severity::Warning,
                    rule.place(entry.key_span),
                    "a list takes what any of its members takes: every key with the prefix, and every key with the \
                     suffix"
                        .to_owned(),
                    "for keys that have both, write one member: {wildcard: \"PREFIX*SUFFIX\"}",
                ));
            }
        }
    }
    findings
}

fn misses_parts(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in subject.rules {
        let Some(detail) = rule.pattern.get("detail") else {
            continue;
        };
        for name in ["reason", "eventName"] {
            let Some(entry) = find(detail, name) else {
                continue;
            };
            let takes = |it: &str| holds(&entry.value, &json!(it));
            if takes("PutObject") && !takes("CompleteMultipartUpload") {
                findings.push(MISSES_PARTS.at(
                    Severity::Warning,
                    rule.place(entry.key_span),
                    "clients upload large files in parts (the AWS CLI from 8 MiB on), and that is no PutObject"
                        .to_owned(),
                    "add CompleteMultipartUpload, or take the filter out",
                ));
            }
        }
    }
    findings
}
