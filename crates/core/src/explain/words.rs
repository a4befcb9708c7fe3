//! The sentences that say what decided on a rule. Never decides it.

use super::{Cause, Either, Judgement, Missed, RuleFacts, Trails};

impl Judgement {
    /// What decided, in one sentence.
    pub fn sentence(&self, rule: &RuleFacts<'_>) -> String {
        let name = rule.name;
        match &self.cause {
            Cause::Matches => format!("Rule {name} takes it."),
            Cause::MatchesEither(either) => matches_either(name, either),
            Cause::BucketIsOff => format!(
                "Rule {name} would take it, but the bucket does not send its events to EventBridge."
            ),
            Cause::Disabled => format!("Rule {name} would take it, but the rule is disabled."),
            Cause::OtherBus => format!(
                "Rule {name} would take it, but it is on the bus {}, and S3 sends its events to the default bus only.",
                rule.bus
            ),
            Cause::NoTrail(trails) => no_trail(name, trails),
            Cause::OtherRoad {
                miss,
                is_direct,
                instead,
            } => other_road(name, miss, *is_direct, *instead),
            Cause::Field(miss) => field(name, miss),
            Cause::Unreadable(why) => format!("Rule {name} cannot be read: {why}"),
        }
    }
}

fn matches_either(name: &str, either: &Either) -> String {
    let Either {
        path,
        prefix,
        suffix,
        has_prefix,
    } = either;
    let (holds, fails) = if *has_prefix {
        (
            format!("begins with {prefix:?}"),
            format!("end with {suffix:?}"),
        )
    } else {
        (
            format!("ends with {suffix:?}"),
            format!("begin with {prefix:?}"),
        )
    };
    format!(
        "Rule {name} takes it because {path} {holds}, although it does not {fails}: the members of a list are \
         alternatives, and for both at once one writes {{\"wildcard\":\"{prefix}*{suffix}\"}}."
    )
}

fn no_trail(name: &str, trails: &Trails) -> String {
    let why = match trails {
        Trails::Log(trail) => format!("the trail {trail} logs it"),
        Trails::Stopped(trail) => format!(
            "the trail {trail}, which selects the object's calls, does not log (StartLogging would start it)"
        ),
        Trails::NoneSelects(0) => "there is no trail".to_owned(),
        Trails::NoneSelects(1) => {
            "the one trail does not select the calls on the objects of this bucket".to_owned()
        }
        Trails::NoneSelects(count) => {
            format!("none of the {count} trails selects the calls on the objects of this bucket")
        }
    };
    format!("Rule {name} waits for CloudTrail's record of the call, but {why}.")
}

fn other_road(name: &str, miss: &Missed, is_direct: bool, instead: Option<&str>) -> String {
    let (own, other) = match is_direct {
        true => ("S3's own event", "CloudTrail's events"),
        false => ("CloudTrail's event", "S3's own events"),
    };
    let instead = instead.map_or_else(
        || format!("{own} has nothing in its place"),
        |path| format!("{own} has {path} instead"),
    );
    format!(
        "Rule {name} asks for {}, a field of {other}; {instead}.",
        miss.path
    )
}

fn field(name: &str, miss: &Missed) -> String {
    let Missed {
        path,
        wanted,
        found,
        near,
    } = miss;
    if path == "detail.reason" && found.as_deref() == Some("\"CompleteMultipartUpload\"") {
        return format!(
            "Rule {name} wants detail.reason to be one of {wanted}, and the object was uploaded in parts, which is a \
             CompleteMultipartUpload (the AWS CLI does so from 8 MiB on)."
        );
    }
    let found = found.as_deref().map_or_else(
        || "the event has no such field".to_owned(),
        |found| format!("it is {found}"),
    );
    let near = near
        .as_ref()
        .map_or_else(String::new, |near| format!(": {near}"));
    format!("Rule {name} wants {path} to be one of {wanted}, and {found}{near}.")
}

/// The bucket sends nothing.
pub fn bucket_is_off(bucket: &str) -> String {
    format!(
        "The bucket {bucket} does not send its events to EventBridge, so that no upload to it meets a rule on S3's own \
         events: put the notification configuration {{\"EventBridgeConfiguration\": {{}}}}."
    )
}

/// Rules that are about something else.
pub fn far(count: usize) -> Option<String> {
    match count {
        0 => None,
        1 => Some("1 other rule is about other events or other buckets.".to_owned()),
        _ => Some(format!(
            "{count} other rules are about other events or other buckets."
        )),
    }
}

/// Nothing is known of the object.
pub fn is_unknown(url: &str) -> String {
    format!(
        "{url} is not stored, and the ledger knows of no run of it; with --simulate it is explained as if it were \
         uploaded now."
    )
}
