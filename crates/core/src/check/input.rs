//! Faults of what targets receive.

use super::{Fault, Finding, Severity, Subject};
use crate::migrate::facts::RuleFacts;
use crate::migrate::input::{dotted, is_task};
use crate::migrate::pattern::{Road, holds};
use crate::migrate::symbol::Symbol;
use crate::migrate::table::{Twin, twin};
use crate::template::{Entry, Node};
use crate::transform;
use serde_json::json;

pub(super) const QUOTED: Fault = Fault {
    code: "LF006",
    title: "placeholder within quotes that a key can break out of",
    find: quoted,
};

pub(super) const NO_SUCH_PATH: Fault = Fault {
    code: "LF007",
    title: "input path that the event does not have",
    find: no_such_path,
};

pub(super) const NO_INPUT: Fault = Fault {
    code: "LF009",
    title: "task that is not told which object started it",
    find: no_input,
};

fn targets<'a>(rule: &'a RuleFacts<'a>) -> &'a [Node] {
    let targets = rule.properties.get("Targets").and_then(Node::items);
    targets.unwrap_or_default()
}

fn is_about_objects(rule: &RuleFacts<'_>) -> bool {
    is_created(rule) || rule.road == Road::Old
}

fn is_created(rule: &RuleFacts<'_>) -> bool {
    rule.pattern
        .get("detail-type")
        .is_some_and(|it| holds(it, &json!("Object Created")))
}

/// The input paths of a target, by name.
fn paths(target: &Node) -> &[Entry] {
    target
        .get("InputTransformer")
        .and_then(|it| it.get("InputPathsMap")?.entries())
        .unwrap_or_default()
}

fn quoted(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in subject.rules.iter().filter(|it| is_about_objects(it)) {
        for target in targets(rule) {
            let template = target
                .get("InputTransformer")
                .and_then(|it| it.get("InputTemplate"));
            let Some(node) = template else {
                continue;
            };
            let symbol = Symbol::of(node, subject.template);
            let Some(text) = symbol.as_ref().and_then(Symbol::literal) else {
                continue;
            };
            let carries_key = |name: &str| {
                paths(target).iter().any(|it| {
                    let path = it.value.as_str().and_then(dotted).unwrap_or_default();
                    it.key == name
                        && matches!(
                            path.as_str(),
                            "detail.object.key" | "detail.requestParameters.key"
                        )
                })
            };
            let template = transform::Template::parse(text);
            let Some(name) = template.quoted_placeholders().find(|it| carries_key(it)) else {
                continue;
            };
            findings.push(QUOTED.at(
                Severity::Warning,
                node.span,
                format!(
                    "<{name}> stands within quotes: a key with a quote or a backslash fails its delivery, or on AWS \
                     writes a part of the overrides itself"
                ),
                &format!("leave the quotes around <{name}> out: EventBridge then writes a correct JSON string"),
            ));
        }
    }
    findings
}

fn no_such_path(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in subject.rules.iter().filter(|it| is_about_objects(it)) {
        for target in targets(rule) {
            let single = target.get("InputPath");
            for node in paths(target).iter().map(|it| &it.value).chain(single) {
                let Some(text) = node.as_str() else {
                    continue;
                };
                let Some(advice) = missing(text, rule) else {
                    continue;
                };
                findings.push(NO_SUCH_PATH.at(
                    Severity::Error,
                    node.span,
                    format!("the event has no `{text}`: what is filled in is empty"),
                    &advice,
                ));
            }
        }
    }
    findings
}

/// Advice on a path that the rule's events do not have; `None` if they may.
fn missing(path: &str, rule: &RuleFacts<'_>) -> Option<String> {
    const HEAD: [&str; 9] = [
        "",
        "id",
        "time",
        "region",
        "account",
        "source",
        "version",
        "detail",
        "detail-type",
    ];
    const CREATED: [&str; 13] = [
        "version",
        "bucket",
        "bucket.name",
        "object",
        "object.key",
        "object.size",
        "object.etag",
        "object.version-id",
        "object.sequencer",
        "request-id",
        "requester",
        "source-ip-address",
        "reason",
    ];
    const RECORD: [&str; 13] = [
        "eventVersion",
        "userIdentity",
        "userAgent",
        "requestParameters",
        "responseElements",
        "additionalEventData",
        "eventID",
        "resources",
        "tlsDetails",
        "sharedEventID",
        "vpcEndpointId",
        "vpcEndpointAccountId",
        "insightDetails",
    ];
    let Some(steps) = dotted(path) else {
        return (!path.starts_with('$')).then(|| "an input path begins with $".to_owned());
    };
    if HEAD.contains(&steps.as_str()) || steps.starts_with("resources") {
        return None;
    }
    let below = steps.strip_prefix("detail.");
    let in_record = below.is_some_and(|it| {
        let first = it.split(['.', '[']).next().unwrap_or_default();
        RECORD.contains(&first) || !matches!(twin(it), Twin::None(_))
    });
    if rule.road == Road::Old {
        return (!in_record).then(|| {
            "CloudTrail's event has the bucket at $.detail.requestParameters.bucketName and the key at \
             $.detail.requestParameters.key"
                .to_owned()
        });
    }
    if below.is_some_and(|it| CREATED.contains(&it)) {
        return None;
    }
    Some(match below.map(twin) {
        Some(Twin::At(to) | Twin::Nearly(to, _)) => {
            format!("that is CloudTrail's event; in S3's own it is $.{to}")
        }
        _ => "S3's own event has the bucket at $.detail.bucket.name and the key at $.detail.object.key".to_owned(),
    })
}

fn no_input(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in subject.rules.iter().filter(|it| is_about_objects(it)) {
        for target in targets(rule).iter().filter(|it| is_task(it)) {
            let told = ["Input", "InputPath", "InputTransformer"];
            if told.iter().any(|it| target.get(it).is_some()) {
                continue;
            }
            let span = target.get("Arn").map_or(target.span, |it| it.span);
            findings.push(NO_INPUT.at(
                Severity::Warning,
                span,
                "the target gets the whole event as overrides, of which it has none: the task is not told the key"
                    .to_owned(),
                "add an InputTransformer that sets containerOverrides",
            ));
        }
    }
    findings
}
