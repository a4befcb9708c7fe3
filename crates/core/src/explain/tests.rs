//! Each cause by an example of its own, as the sentence that a user reads.

use super::*;
use crate::caller::DEFAULT_ACCOUNT;
use crate::clock::Timestamp;
use crate::event::{CreatedReason, S3Event, S3EventKind, sequencer};
use crate::migrate::prove::{Operation, Place, Upload as Proven};

fn event(key: &str, reason: CreatedReason) -> String {
    let event = S3Event {
        id: "17793124-05d4-b198-2fde-7ededc63b103".to_owned(),
        time: Timestamp(0),
        account: DEFAULT_ACCOUNT.to_owned(),
        region: "us-east-1".to_owned(),
        bucket: "inbox".to_owned(),
        key: key.to_owned(),
        version_id: None,
        request_id: "N4N7GDK58NMKJ12R".to_owned(),
        requester: DEFAULT_ACCOUNT.to_owned(),
        source_ip: "127.0.0.1".to_owned(),
        kind: S3EventKind::Created {
            reason,
            size: 5,
            etag: "b194".to_owned(),
            sequencer: sequencer(1),
        },
    };
    event.to_json()
}

fn told(key: &str) -> Vec<String> {
    let upload = Proven {
        bucket: "inbox".to_owned(),
        key: key.to_owned(),
        operation: Operation::PutObject,
        size: 5,
        source_ip: "127.0.0.1".to_owned(),
        account: DEFAULT_ACCOUNT.to_owned(),
        versioned: false,
        fails: false,
        record: None,
    };
    let place = Place {
        account: DEFAULT_ACCOUNT.to_owned(),
        region: "us-east-1".to_owned(),
    };
    upload.told_all(&place)
}

/// A rule on the events of the bucket, with this in its detail as well.
fn on_objects(detail: &str) -> String {
    format!(
        r#"{{"source":["aws.s3"],"detail-type":["Object Created"],"detail":{{"bucket":{{"name":["inbox"]}},{detail}}}}}"#
    )
}

const NO_TRAILS: Trails = Trails::NoneSelects(0);
const RULE: RuleFacts<'_> = RuleFacts {
    name: "arrivals",
    bus: "default",
    is_reached: true,
    is_enabled: true,
    pattern: "",
};

fn judged(rule: RuleFacts<'_>, pattern: &str, key: &str, trails: &Trails) -> (Judgement, String) {
    let rule = RuleFacts { pattern, ..rule };
    let direct = event(key, CreatedReason::PutObject);
    let told = told(key);
    let upload = Upload {
        bucket: "inbox",
        direct: &direct,
        told: &told,
        bucket_sends: true,
        trails,
    };
    let judgement = judge(&rule, &upload);
    let sentence = judgement.sentence(&rule);
    (judgement, sentence)
}

fn sentence(pattern: &str, key: &str) -> String {
    judged(RULE, pattern, key, &NO_TRAILS).1
}

#[test]
fn a_prefix_that_misses_by_one_character_says_how_far_it_is_the_same() {
    let pattern = on_objects(r#""object":{"key":[{"prefix":"input/"}]}"#);
    assert_eq!(
        sentence(&pattern, "inputs/a.csv"),
        r#"Rule arrivals wants detail.object.key to be one of [{"prefix":"input/"}], and it is "inputs/a.csv": the first 5 of 6 characters are the same."#
    );
}

#[test]
fn a_prefix_and_a_suffix_that_were_meant_as_both_are_named_where_one_holds() {
    let pattern = on_objects(r#""object":{"key":[{"prefix":"in/"},{"suffix":".csv"}]}"#);
    assert_eq!(
        sentence(&pattern, "in/notes.txt"),
        r#"Rule arrivals takes it because detail.object.key begins with "in/", although it does not end with ".csv": the members of a list are alternatives, and for both at once one writes {"wildcard":"in/*.csv"}."#
    );
    assert!(
        sentence(&pattern, "out/a.csv")
            .contains(r#"ends with ".csv", although it does not begin with "in/""#)
    );
    assert_eq!(sentence(&pattern, "in/a.csv"), "Rule arrivals takes it.");
}

#[test]
fn field_names_of_the_other_road_are_named_with_their_twin() {
    let pattern = r#"{"source":["aws.s3"],"detail-type":["Object Created"],
        "detail":{"eventSource":["s3.amazonaws.com"],"requestParameters":{"bucketName":["inbox"]}}}"#;
    let (judgement, _) = judged(RULE, pattern, "a", &NO_TRAILS);
    assert!(matches!(
        judgement.cause,
        Cause::OtherRoad {
            is_direct: true,
            ..
        }
    ));
    let pattern = r#"{"detail-type":["Object Created"],"detail":{"requestParameters":{"bucketName":["inbox"]}}}"#;
    assert_eq!(
        sentence(pattern, "a"),
        "Rule arrivals asks for detail.requestParameters.bucketName, a field of CloudTrail's events; S3's own event \
         has detail.bucket.name instead."
    );
    let pattern =
        r#"{"detail-type":["AWS API Call via CloudTrail"],"detail":{"object":{"key":["a"]}}}"#;
    assert_eq!(
        sentence(pattern, "a"),
        "Rule arrivals asks for detail.object.key, a field of S3's own events; CloudTrail's event has \
         detail.requestParameters.key instead."
    );
}

#[test]
fn a_wrong_case_of_the_detail_type_is_said_to_be_one() {
    let pattern = r#"{"source":["aws.s3"],"detail-type":["object created"]}"#;
    assert_eq!(
        sentence(pattern, "a"),
        r#"Rule arrivals wants detail-type to be one of ["object created"], and it is "Object Created": only upper and lower case differ."#
    );
}

#[test]
fn what_keeps_a_pattern_that_fits_from_the_upload_is_said() {
    let pattern = on_objects(r#""object":{"key":["a"]}"#);
    let disabled = RuleFacts {
        is_enabled: false,
        ..RULE
    };
    assert_eq!(
        judged(disabled, &pattern, "a", &NO_TRAILS).1,
        "Rule arrivals would take it, but the rule is disabled."
    );
    let elsewhere = RuleFacts {
        bus: "orders",
        is_reached: false,
        ..RULE
    };
    assert_eq!(
        judged(elsewhere, &pattern, "a", &NO_TRAILS).1,
        "Rule arrivals would take it, but it is on the bus orders, and S3 sends its events to the default bus only."
    );
    let direct = event("a", CreatedReason::PutObject);
    let upload = Upload {
        bucket: "inbox",
        direct: &direct,
        told: &[],
        bucket_sends: false,
        trails: &NO_TRAILS,
    };
    let rule = RuleFacts {
        pattern: &pattern,
        ..RULE
    };
    assert_eq!(
        judge(&rule, &upload).sentence(&rule),
        "Rule arrivals would take it, but the bucket does not send its events to EventBridge."
    );
}

#[test]
fn parts_against_put_object_are_said_to_be_parts() {
    let pattern = on_objects(r#""reason":["PutObject"]"#);
    let direct = event("a", CreatedReason::CompleteMultipartUpload);
    let upload = Upload {
        bucket: "inbox",
        direct: &direct,
        told: &[],
        bucket_sends: true,
        trails: &NO_TRAILS,
    };
    let rule = RuleFacts {
        pattern: &pattern,
        ..RULE
    };
    assert_eq!(
        judge(&rule, &upload).sentence(&rule),
        r#"Rule arrivals wants detail.reason to be one of ["PutObject"], and the object was uploaded in parts, which is a CompleteMultipartUpload (the AWS CLI does so from 8 MiB on)."#
    );
}

#[test]
fn a_rule_on_records_needs_a_trail_that_logs() {
    let pattern = r#"{"source":["aws.s3"],"detail-type":["AWS API Call via CloudTrail"],
        "detail":{"eventName":["PutObject"],"requestParameters":{"bucketName":["inbox"],"key":[{"prefix":"in/"}]}}}"#;
    let of = |trails: Trails, key: &str| judged(RULE, pattern, key, &trails).1;
    let log = || Trails::Log("audit".to_owned());
    assert_eq!(of(log(), "in/a"), "Rule arrivals takes it.");
    assert!(of(log(), "in").contains("the first 2 of 3 characters are the same"));
    let waits = "Rule arrivals waits for CloudTrail's record of the call, but ";
    assert_eq!(of(NO_TRAILS, "in/a"), format!("{waits}there is no trail."));
    assert_eq!(
        of(Trails::Stopped("audit".to_owned()), "in/a"),
        format!(
            "{waits}the trail audit, which selects the object's calls, does not log (StartLogging would start it)."
        )
    );
    assert_eq!(
        of(Trails::NoneSelects(2), "in/a"),
        format!("{waits}none of the 2 trails selects the calls on the objects of this bucket.")
    );
}

#[test]
fn nearer_misses_come_first_and_rules_on_other_things_are_far() {
    let of = |pattern: &str| judged(RULE, pattern, "in/a.csv", &NO_TRAILS).0;
    let near = of(&on_objects(r#""object":{"key":[{"prefix":"in/b"}]}"#));
    let farther = of(&on_objects(r#""object":{"key":[{"prefix":"out/"}]}"#));
    let two = of(&on_objects(
        r#""object":{"key":[{"prefix":"in/b"}]},"reason":["CopyObject"]"#,
    ));
    assert!(near.distance() < farther.distance());
    assert!(farther.distance() < two.distance());
    assert!(!near.is_far && !farther.is_far && !two.is_far);
    for pattern in [
        r#"{"source":["aws.ecs"]}"#,
        r#"{"source":["aws.s3"],"detail":{"bucket":{"name":["elsewhere"]}}}"#,
        r#"{"detail-type":["Object Created"],"detail":{"requestParameters":{"bucketName":["elsewhere"]}}}"#,
    ] {
        assert!(of(pattern).is_far, "{pattern}");
    }
    assert!(!of(r#"{"detail":{"bucket":{"name":["inbox2"]}}}"#).is_far);
}

#[test]
fn exit_code_137_is_the_memory_limit_a_stop_or_somebody_else() {
    let task = |stop_code: &str, reason: Option<&str>| TaskEnd {
        id: "7f".to_owned(),
        status: "STOPPED".to_owned(),
        stop_code: Some(stop_code.to_owned()),
        stopped_reason: Some("enough".to_owned()),
        containers: vec![ContainerEnd {
            name: "app".to_owned(),
            exit_code: Some(137),
            reason: reason.map(str::to_owned),
        }],
    };
    let memory = "OutOfMemoryError: Container killed due to memory usage";
    let ended = "EssentialContainerExited";
    assert_eq!(
        end(&task(ended, Some(memory))),
        "Task 7f failed: container app was killed because it used more memory than its limit (exit code 137)."
    );
    assert_eq!(
        end(&task(ended, None)),
        "Task 7f failed: container app was killed with SIGKILL from outside, not by its memory limit (exit code 137)."
    );
    assert_eq!(
        end(&task("UserInitiated", None)),
        "Task 7f failed: container app was killed when it did not end in time after the task was stopped (enough; exit \
         code 137)."
    );
}
