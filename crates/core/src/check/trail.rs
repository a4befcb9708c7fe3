//! Faults between rules on CloudTrail's events and the trails that have to make them.

use super::{Fault, Finding, Severity, Subject};
use crate::migrate::facts::{Scope, Selects, TRAIL, names_bucket, of_type, old_buckets, selects};
use crate::migrate::pattern::Road;
use crate::migrate::symbol::Symbol;
use crate::template::{Node, Resource, as_bool_loose};

pub(super) const NO_TRAIL: Fault = Fault {
    code: "LF001",
    title: "rule on CloudTrail events without a trail that logs them",
    find: no_trail,
};

pub(super) const NO_SLASH: Fault = Fault {
    code: "LF002",
    title: "data selector without the slash behind the bucket",
    find: no_slash,
};

pub(super) const NOT_LOGGING: Fault = Fault {
    code: "LF003",
    title: "trail that does not log",
    find: not_logging,
};

pub(super) const READ_ONLY: Fault = Fault {
    code: "LF004",
    title: "selector of reads only, although a rule waits for uploads",
    find: read_only,
};

fn trails<'a>(subject: &Subject<'a>) -> Vec<(&'a Resource, Selects<'a>)> {
    let template = subject.template;
    of_type(template, TRAIL)
        .map(|(_, trail)| (trail, selects(trail, template)))
        .collect()
}

fn waits_for_calls(subject: &Subject<'_>) -> bool {
    subject.rules.iter().any(|it| it.road == Road::Old)
}

fn no_trail(subject: &Subject<'_>) -> Vec<Finding> {
    let trails = trails(subject);
    let mut findings = Vec::new();
    for rule in subject.rules.iter().filter(|it| it.road == Road::Old) {
        let names = old_buckets(&rule.pattern);
        let buckets: Vec<Symbol> = names
            .iter()
            .filter_map(|it| names_bucket(it, subject.template))
            .collect();
        let logs = |found: &Selects<'_>| {
            found.values.iter().any(|value| match &value.scope {
                Scope::All | Scope::Unknown => true,
                Scope::Bucket(name, _) | Scope::NoSlash(name) => {
                    buckets.is_empty() || buckets.contains(name)
                }
            })
        };
        if trails.iter().any(|(_, found)| logs(found)) {
            continue;
        }
        let span = rule
            .pattern
            .get("detail-type")
            .map_or(rule.written.span, |it| rule.place(it.span));
        let (severity, message) = if trails.is_empty() {
            (
                Severity::Warning,
                format!(
                    "{} waits for CloudTrail's record of an S3 call, and no trail is in this template",
                    rule.id
                ),
            )
        } else {
            (
                Severity::Error,
                format!(
                    "{} waits for CloudTrail's record of an S3 call, and no trail of this template logs the objects \
                     of its bucket",
                    rule.id
                ),
            )
        };
        findings.push(NO_TRAIL.at(
            severity,
            span,
            message,
            "add a data resource AWS::S3::Object for the bucket to a trail, or leave this road with `landfall migrate`",
        ));
    }
    findings
}

fn no_slash(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (_, found) in trails(subject) {
        for value in found
            .values
            .iter()
            .filter(|it| matches!(it.scope, Scope::NoSlash(_)))
        {
            findings.push(NO_SLASH.at(
                Severity::Error,
                value.node.span,
                "the ARN of a bucket is no prefix of its objects' ARNs without the slash behind it: nothing is logged"
                    .to_owned(),
                "write a slash behind the bucket's name: arn:aws:s3:::BUCKET/",
            ));
        }
    }
    findings
}

fn not_logging(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (id, trail) in of_type(subject.template, TRAIL) {
        let logging = trail.properties.as_ref().and_then(|it| it.get("IsLogging"));
        let Some(node) = logging.filter(|it| as_bool_loose(&it.to_json()) == Some(false)) else {
            continue;
        };
        let mut logging =
            of_type(subject.template, TRAIL).filter(|(_, it)| logs_writes(it, subject));
        let severity = if waits_for_calls(subject) && logging.next().is_none() {
            Severity::Error
        } else {
            Severity::Warning
        };
        findings.push(NOT_LOGGING.at(
            severity,
            node.span,
            format!("{id} does not log: no event of it reaches a rule"),
            "set IsLogging: true",
        ));
    }
    findings
}

fn read_only(subject: &Subject<'_>) -> Vec<Finding> {
    if !waits_for_calls(subject) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let trails = trails(subject);
    let has_writes = |found: &Selects<'_>| found.values.iter().any(|it| !it.reads_only);
    // A trail of reads beside one that logs the uploads is somebody's audit, not a fault.
    if trails.iter().any(|(_, found)| has_writes(found)) {
        return findings;
    }
    for (trail, found) in trails {
        if found.values.is_empty() {
            continue;
        }
        let span = written_kind(trail).map_or(trail.type_span, |it| it.span);
        findings.push(READ_ONLY.at(
            Severity::Error,
            span,
            "the trail logs only calls that read, and an upload writes".to_owned(),
            "set ReadWriteType to WriteOnly, or take the field readOnly out of the selector",
        ));
    }
    findings
}

/// Whether a trail is on and logs writes of objects.
fn logs_writes(trail: &Resource, subject: &Subject<'_>) -> bool {
    let logging = trail.properties.as_ref().and_then(|it| it.get("IsLogging"));
    let is_off = logging.is_some_and(|it| as_bool_loose(&it.to_json()) == Some(false));
    let found = selects(trail, subject.template);
    !is_off && found.values.iter().any(|it| !it.reads_only)
}

fn written_kind(trail: &Resource) -> Option<&Node> {
    let properties = trail.properties.as_ref()?;
    let basic = properties.get("EventSelectors").and_then(Node::items);
    let basic = basic
        .unwrap_or_default()
        .iter()
        .find_map(|it| it.get("ReadWriteType"));
    let advanced = || {
        let selectors = properties.get("AdvancedEventSelectors")?.items()?;
        let fields = selectors
            .iter()
            .filter_map(|it| it.get("FieldSelectors")?.items());
        fields
            .flatten()
            .find(|it| it.get("Field").and_then(Node::as_str) == Some("readOnly"))
    };
    basic.or_else(advanced)
}
