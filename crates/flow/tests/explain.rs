//! Each thing that commonly keeps an upload from its task, or spoils it, is named in one sentence.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, dead_code)]

mod road;

use landfall_core::event::CreatedReason;
use landfall_core::settings::Settings;
use landfall_flow::land::bucket;
use landfall_flow::land::condition::WriteCondition;
use landfall_flow::land::object::{self, ObjectAt};
use landfall_flow::route::{bus, rules};
use landfall_flow::tell::explain::{Explanation, Known, Question, explain};
use landfall_flow::tell::{Filter, RunState};
use road::{BUCKET, Road, UNQUOTED, caller, on_objects, request, task_target};
use serde_json::{Value, json};

const QUOTED: &str = r#"{"containerOverrides":[{"name":"app","environment":[{"name":"OBJECT_KEY","value":"<key>"}]}]}"#;

fn question(key: &str) -> Question {
    Question {
        at: ObjectAt {
            bucket: BUCKET.to_owned(),
            key: key.to_owned(),
            version_id: None,
        },
        simulate: false,
        reason: CreatedReason::PutObject,
        size: 0,
        all: false,
    }
}

fn asked(road: &Road, question: &Question) -> Explanation {
    let view = road.flow.view();
    explain(&view, &caller(), question, road.flow.clock().now()).unwrap()
}

fn verdict(road: &Road, key: &str) -> String {
    asked(road, &question(key)).verdict
}

async fn road() -> Road {
    Road::new(Settings::default()).await
}

async fn ended(road: &Road) {
    let over = |road: &Road| {
        let runs = road.runs(&Filter::default());
        runs.iter().any(|run| run.ended_at.is_some())
    };
    road.until("a run has ended", over).await;
}

/// Uploads against which one rule decides: pattern, key, reason of the upload, and the verdict.
#[tokio::test]
async fn a_rule_that_does_not_take_an_upload_says_which_field_decided() {
    let direct = |detail: &str| on_objects(detail);
    let table: [(String, &str, CreatedReason, &str); 5] = [
        (
            direct(r#","object":{"key":[{"prefix":"input/"}]}"#),
            "inputs/a.csv",
            CreatedReason::PutObject,
            r#"Rule r wants detail.object.key to be one of [{"prefix":"input/"}], and it is "inputs/a.csv": the first 5 of 6 characters are the same."#,
        ),
        (
            r#"{"source":["aws.s3"],"detail-type":["Object Created"],"detail":{"requestParameters":{"bucketName":["inbox"]}}}"#.to_owned(),
            "a",
            CreatedReason::PutObject,
            "Rule r asks for detail.requestParameters.bucketName, a field of CloudTrail's events; S3's own event has \
             detail.bucket.name instead.",
        ),
        (
            r#"{"source":["aws.s3"],"detail-type":["Object created"]}"#.to_owned(),
            "a",
            CreatedReason::PutObject,
            r#"Rule r wants detail-type to be one of ["Object created"], and it is "Object Created": only upper and lower case differ."#,
        ),
        (
            direct(r#","reason":["PutObject"]"#),
            "a",
            CreatedReason::CompleteMultipartUpload,
            r#"Rule r wants detail.reason to be one of ["PutObject"], and the object was uploaded in parts, which is a CompleteMultipartUpload (the AWS CLI does so from 8 MiB on)."#,
        ),
        (
            r#"{"source":["aws.s3"],"detail-type":["AWS API Call via CloudTrail"],"detail":{"eventName":["PutObject"]}}"#.to_owned(),
            "a",
            CreatedReason::PutObject,
            "Rule r waits for CloudTrail's record of the call, but there is no trail.",
        ),
    ];
    for (pattern, key, reason, expected) in table {
        let road = road().await;
        road.rule(
            json!({"Name": "r", "EventPattern": pattern}),
            task_target(UNQUOTED),
        )
        .await;
        road.rule(
            json!({"Name": "far", "EventPattern": r#"{"source":["aws.ecs"]}"#}),
            task_target(UNQUOTED),
        )
        .await;
        road.put_as(key, reason).await;
        let told = asked(&road, &question(key));
        assert_eq!(told.verdict, expected);
        assert_eq!((told.known, told.far), (Known::Stored, 1));
        assert!(told.runs.is_empty() && told.rules.len() == 1);
    }
}

#[tokio::test]
async fn a_prefix_and_a_suffix_in_one_list_are_said_to_be_alternatives() {
    let road = road().await;
    road.task_rule(
        "r",
        r#","object":{"key":[{"prefix":"in/"},{"suffix":".csv"}]}"#,
        UNQUOTED,
    )
    .await;
    road.runtime.exit_at_once(Some(0));
    road.put("in/notes.txt").await;
    ended(&road).await;
    let told = asked(&road, &question("in/notes.txt"));
    assert!(told.rules[0].sentence.starts_with(
        r#"Rule r takes it because detail.object.key begins with "in/", although it does not end with ".csv": the members of a list are alternatives, and for both at once one writes {"wildcard":"in/*.csv"}."#
    ));
    assert!(told.verdict.contains("alternatives"), "{}", told.verdict);
}

#[tokio::test]
async fn a_silent_bucket_a_disabled_rule_and_a_rule_on_another_bus_are_named() {
    let road = road().await;
    road.task_rule("r", "", UNQUOTED).await;
    road.write(|tx| bucket::put_event_bridge(tx, BUCKET, false))
        .await;
    road.put("a").await;
    let silent = verdict(&road, "a");
    assert!(
        silent.starts_with("The bucket inbox does not send its events to EventBridge"),
        "{silent}"
    );

    road.write(|tx| {
        bucket::put_event_bridge(tx, BUCKET, true)?;
        let bus = landfall_flow::route::BusKey::of(&caller(), None);
        rules::set_state(tx, &bus, "r", "DISABLED")
    })
    .await;
    road.put("a").await;
    assert_eq!(
        verdict(&road, "a"),
        "Rule r would take it, but the rule is disabled."
    );

    let road = self::road().await;
    road.write(|tx| bus::create(tx, &caller(), request(json!({"Name": "orders"}))))
        .await;
    let rule = json!({"Name": "r", "EventBusName": "orders", "EventPattern": on_objects("")});
    road.rule(rule, task_target(UNQUOTED)).await;
    road.put("a").await;
    let wrong_bus = "Rule r would take it, but it is on the bus orders, and S3 sends its events to the default bus only.";
    assert_eq!(verdict(&road, "a"), wrong_bus);
    let onward =
        json!({"Id": "b", "Arn": "arn:aws:events:us-east-1:000000000000:event-bus/orders"});
    road.rule(
        json!({"Name": "onward", "EventPattern": r#"{"source":["aws.s3"]}"#}),
        onward,
    )
    .await;
    let told = asked(&road, &question("a"));
    assert!(
        told.rules.iter().all(|rule| rule.is_match),
        "a bus that a rule passes events on to is reached"
    );
}

/// What becomes of a match: the template of the input, what is done to the container, and the verdict behind the run.
#[tokio::test]
async fn a_match_that_comes_to_nothing_says_where_it_failed() {
    let wrong_name = UNQUOTED.replace("\"app\"", "\"web\"");
    let table: [(&str, &str, &[&str]); 3] = [
        (
            &wrong_name,
            "in/a",
            &[
                "RunTask refused it at the first attempt (INVALID_PARAMETER): ",
                "Override for container named web is not a container in the TaskDefinition.",
            ],
        ),
        (
            QUOTED,
            r#"in/a"b"#,
            &[
                "The input for RunTask cannot be made: ",
                "unquoted form <key>",
            ],
        ),
        (UNQUOTED, "in/a", &["since its image cannot be pulled: "]),
    ];
    for (template, key, expected) in table {
        let road = road().await;
        road.task_rule("r", "", template).await;
        road.runtime.fail_pulls_of("app:1");
        road.put(key).await;
        ended(&road).await;
        let told = asked(&road, &question(key));
        let run = &told.runs[0];
        assert_eq!(run.state, RunState::DeadLettered);
        assert!(
            told.verdict.starts_with("Rule r took it (run "),
            "{}",
            told.verdict
        );
        for part in expected {
            assert!(told.verdict.contains(part), "{}", told.verdict);
        }
    }
}

#[tokio::test]
async fn exit_code_137_says_whether_it_was_the_memory_limit() {
    for (out_of_memory, expected) in [
        (
            true,
            "was killed because it used more memory than its limit (exit code 137).",
        ),
        (
            false,
            "was killed with SIGKILL from outside, not by its memory limit (exit code 137).",
        ),
    ] {
        let road = road().await;
        road.task_rule("r", "", UNQUOTED).await;
        road.put("in/a").await;
        let id = road.runtime.wait_for_starts(1).await[0].id.clone();
        let is_ended = match out_of_memory {
            true => road.runtime.run_out_of_memory(&id),
            false => road.runtime.exit(&id, 137),
        };
        assert!(is_ended);
        ended(&road).await;
        let told = asked(&road, &question("in/a"));
        let run = &told.runs[0];
        assert!(
            run.input
                .starts_with("RunTask is given {\"containerOverrides\""),
            "{}",
            run.input
        );
        assert!(
            run.answer
                .as_deref()
                .unwrap()
                .starts_with("RunTask started task ")
        );
        assert!(told.verdict.ends_with(expected), "{}", told.verdict);
    }
}

#[tokio::test]
async fn an_imagined_upload_is_told_what_it_would_start() {
    let road = road().await;
    road.task_rule("good", r#","object":{"key":[{"prefix":"in/"}]}"#, UNQUOTED)
        .await;
    road.task_rule(
        "wrong",
        r#","object":{"size":[{"numeric":[">",5]}]}"#,
        &UNQUOTED.replace("\"app\"", "\"web\""),
    )
    .await;
    let imagined = Question {
        simulate: true,
        size: 6,
        ..question("in/a")
    };
    let told = asked(&road, &imagined);
    assert_eq!(told.known, Known::Imagined);
    let answers: Vec<_> = told
        .rules
        .iter()
        .map(|rule| rule.targets[0].answer.clone().unwrap())
        .collect();
    assert_eq!(
        answers,
        [
            "RunTask would start a task of csv:1.",
            "RunTask would refuse it: Override for container named web is not a container in the TaskDefinition.",
        ]
    );
    assert!(road.runs(&Filter::default()).is_empty() && road.runtime.starts().is_empty());
    let small = Question {
        size: 5,
        ..imagined
    };
    assert!(!asked(&road, &small).rules[1].is_match);
}

#[tokio::test]
async fn objects_that_are_gone_are_explained_from_the_ledger_and_others_are_said_to_be_unknown() {
    let road = road().await;
    road.task_rule("r", r#","object":{"key":[{"prefix":"in/"}]}"#, UNQUOTED)
        .await;
    road.runtime.exit_at_once(Some(3));
    road.put("in/a").await;
    ended(&road).await;
    road.write(|tx| {
        object::delete_object(
            tx,
            &caller(),
            BUCKET,
            "in/a",
            None,
            &WriteCondition::default(),
        )
    })
    .await;
    let told = asked(&road, &question("in/a"));
    assert_eq!(told.known, Known::Deleted);
    assert!(
        told.verdict
            .ends_with("container app ended with exit code 3."),
        "{}",
        told.verdict
    );
    assert_eq!(
        told.event.unwrap()["detail"]["object"]["key"],
        Value::from("in/a")
    );
    let unknown = asked(&road, &question("never"));
    assert_eq!(unknown.known, Known::Unknown);
    assert!(unknown.rules.is_empty());
    assert!(
        unknown.verdict.contains("is not stored"),
        "{}",
        unknown.verdict
    );
}

#[tokio::test]
async fn a_rule_that_came_after_the_upload_says_so() {
    let road = road().await;
    road.put("in/a").await;
    road.until("routed", |_| true).await;
    road.task_rule("late", "", UNQUOTED).await;
    let told = verdict(&road, "in/a");
    assert!(
        told.starts_with("Rule late takes it. The ledger has no run of it: the rule"),
        "{told}"
    );
}
