//! Tests of the migration of templates as people write them, and of the proof.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::prove::{Given, Place, Proof, Side, Trial, Upload, prove, recorded};
use super::*;

const APPLICATION: &str = include_str!("../../../../examples/cloudtrail/application.yaml");
const LONG_FORM: &str = include_str!("fixtures/long_form.json");
const SEVERAL: &str = include_str!("fixtures/several.yaml");
const SYNTHESISED: &str = include_str!("fixtures/synthesised.json");
const PLAN: &str = include_str!("fixtures/plan.json");
const DIRECT: &str = include_str!("../../../../examples/direct/application.yaml");

pub(super) fn migrated(text: &str) -> Migration {
    let done = migrate(text, Options::default()).unwrap();
    assert!(done.refused.is_empty(), "{:#?}", done.notes);
    done
}

fn place() -> Place {
    Place {
        account: "000000000000".to_owned(),
        region: "us-east-1".to_owned(),
    }
}

pub(super) fn trial(uploads: usize) -> Trial {
    Trial {
        uploads,
        seed: 7,
        recorded: Vec::new(),
        place: place(),
        widened: false,
        strict: false,
    }
}

fn side(text: &str) -> Side {
    let given = Given {
        parameters: BTreeMap::new(),
        place: place(),
    };
    Side::of_template(text, &given).unwrap()
}

pub(super) fn proof(old: &str, new: &str, trial: &Trial) -> Proof {
    prove(&side(old), &side(new), trial)
}

fn tree(text: &str) -> serde_json::Value {
    crate::template::parse_document(text).unwrap().to_json()
}

/// The text that is left of the old one when everything is taken out that an edit replaced.
fn untouched(text: &str, edits: &[Edit]) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut done = 0;
    for edit in edits {
        pieces.push(text[done..edit.start].to_owned());
        done = edit.end;
    }
    pieces.push(text[done..].to_owned());
    pieces
}

#[test]
fn the_articles_former_stack_becomes_the_direct_one() {
    let done = migrated(APPLICATION);
    assert_eq!(done.moved, ["SampleEventsRule"]);
    let (mut new, direct) = (tree(&done.text), tree(DIRECT));
    // The direct example takes every reason; the former stack named three, which stay named.
    let detail = "/Resources/SampleEventsRule/Properties/EventPattern/detail";
    let reasons = new
        .pointer_mut(detail)
        .unwrap()
        .as_object_mut()
        .unwrap()
        .remove("reason");
    assert_eq!(
        reasons.unwrap(),
        serde_json::json!(["PutObject", "CopyObject", "CompleteMultipartUpload"])
    );
    assert_eq!(new, direct);
    let widened = Options {
        widen: true,
        ..Options::default()
    };
    assert_eq!(tree(&migrate(APPLICATION, widened).unwrap().text), direct);
}

#[test]
fn comments_of_what_stays_stay() {
    let text = migrated(APPLICATION).text;
    for comment in [
        "# The road of before 2021",
        "# AccessControl is kept as the template was before",
        "CsvName: # file that the batch reads",
        "reason: # every way in which an object comes to be",
        "- CompleteMultipartUpload # what the CLI and SDKs do with large files",
        "key: # the file that says that all others are there",
        "key: \"$.detail.object.key\" # becomes OBJECT_KEY of the container",
    ] {
        assert!(text.contains(comment), "{comment}");
    }
    for gone in [
        "CloudTrail looks at",
        "one of the five",
        "CloudTrailLogBucket",
        "cloudtrail",
    ] {
        assert!(!text.contains(gone), "{gone}");
    }
}

#[test]
fn migrating_twice_changes_nothing_the_second_time() {
    for text in [APPLICATION, LONG_FORM, SEVERAL, SYNTHESISED, DIRECT] {
        let once = migrated(text);
        let twice = migrated(&once.text);
        assert_eq!(twice.text, once.text);
        assert!(twice.edits.is_empty() && twice.moved.is_empty());
    }
    assert_eq!(migrated(DIRECT).text, DIRECT);
}

#[test]
fn what_no_edit_touches_stays_byte_for_byte() {
    for text in [APPLICATION, LONG_FORM, SEVERAL, SYNTHESISED] {
        let done = migrated(text);
        let mut rest = done.text.as_str();
        for piece in untouched(text, &done.edits) {
            let at = rest.find(&piece).unwrap_or_else(|| panic!("lost: {piece}"));
            rest = &rest[at + piece.len()..];
        }
    }
}

#[test]
fn json_with_long_forms_and_advanced_selectors_moves() {
    let done = migrated(LONG_FORM);
    let new = tree(&done.text);
    let at = |path: &str| new.pointer(path).cloned().unwrap_or_default();
    assert_eq!(
        at("/Resources/Rule/Properties/EventPattern"),
        serde_json::json!({
            "source": ["aws.s3"],
            "detail-type": ["Object Created"],
            "detail": {
                "reason": ["PutObject", "POST Object", "CompleteMultipartUpload"],
                "object": {"key": [{"prefix": "in/"}, {"suffix": ".done"}]},
                "bucket": {"name": [{"Ref": "In"}]},
            },
        })
    );
    assert_eq!(
        at("/Resources/Rule/Properties/Targets/0/InputTransformer/InputPathsMap"),
        serde_json::json!({"key": "$.detail.object.key", "bucket": "$.detail.bucket.name", "at": "$.time"})
    );
    assert_eq!(
        at("/Resources/In/Properties/NotificationConfiguration"),
        serde_json::json!({"EventBridgeConfiguration": {"EventBridgeEnabled": true}})
    );
    assert_eq!(
        at("/Resources/Rule/DependsOn"),
        serde_json::json!(["Cluster"])
    );
    for gone in ["Logs", "LogsPolicy", "Trail"] {
        assert_eq!(
            at(&format!("/Resources/{gone}")),
            serde_json::Value::Null,
            "{gone}"
        );
    }
    assert_eq!(
        at("/Parameters"),
        tree(LONG_FORM)["Parameters"]["Stage"].clone().pipe("Stage")
    );
    assert_eq!(at("/Conditions").as_object().unwrap().len(), 1);
    assert_eq!(at("/Outputs").as_object().unwrap().len(), 1);
    serde_json::from_str::<serde_json::Value>(&done.text).unwrap();
    assert!(
        done.text
            .contains("    \"Cluster\": {\"Type\": \"AWS::ECS::Cluster\"}\n")
    );
}

trait Pipe {
    fn pipe(self, name: &str) -> serde_json::Value;
}

impl Pipe for serde_json::Value {
    fn pipe(self, name: &str) -> serde_json::Value {
        serde_json::json!({ name: self })
    }
}

#[test]
fn a_synthesised_template_moves() {
    let done = migrated(SYNTHESISED);
    let new = tree(&done.text);
    assert_eq!(
        new["Resources"]["InWritten3C"]["Properties"]["EventPattern"]["detail"],
        serde_json::json!({
            "reason": ["CompleteMultipartUpload", "CopyObject", "PutObject"],
            "bucket": {"name": [{"Ref": "InE8A1"}]},
            "object": {"key": ["in/done.txt"]},
        })
    );
    let ids: Vec<&String> = new["Resources"].as_object().unwrap().keys().collect();
    assert_eq!(ids, ["InE8A1", "InWritten3C", "ClusterEB", "CDKMetadata"]);
    for section in ["Conditions", "Parameters", "Rules"] {
        assert_eq!(
            new[section],
            tree(SYNTHESISED)[section],
            "what was unused before is none of this"
        );
    }
    // A bucket without any properties gets them in the indentation of its neighbours.
    let properties = "\n   \"Properties\": {\n    \"NotificationConfiguration\": {\n     \"EventBridgeConfiguration\"";
    assert!(done.text.contains(properties), "{}", done.text);
}

#[test]
fn several_rules_selectors_and_spellings_move() {
    let done = migrated(SEVERAL);
    assert_eq!(done.moved, ["FirstRule", "SecondRule"]);
    let new = tree(&done.text);
    let at = |path: &str| new.pointer(path).cloned().unwrap_or_default();
    assert_eq!(at("/Parameters"), serde_json::Value::Null, "{}", done.text);
    assert_eq!(at("/Resources/Trail"), serde_json::Value::Null);
    for bucket in ["First", "Second"] {
        let path = format!(
            "/Resources/{bucket}/Properties/NotificationConfiguration/EventBridgeConfiguration"
        );
        assert_eq!(
            at(&path),
            serde_json::json!({"EventBridgeEnabled": true}),
            "{bucket}"
        );
    }
    let first = at("/Resources/FirstRule/Properties/EventPattern");
    let first: serde_json::Value = serde_json::from_str(first.as_str().unwrap()).unwrap();
    assert_eq!(
        first,
        serde_json::json!({
            "source": ["aws.s3"],
            "detail-type": ["Object Created"],
            "detail": {
                "reason": ["PutObject"],
                "bucket": {"name": ["first"]},
                "object": {"key": [{"wildcard": "*/a.csv"}]},
            },
        })
    );
    assert_eq!(
        at("/Resources/SecondRule/Properties/EventPattern"),
        serde_json::json!({
            "source": ["aws.s3"],
            "detail-type": ["Object Created"],
            "detail": {"reason": ["CopyObject", "POST Object"], "bucket": {"name": [{"Ref": "Second"}]}},
        })
    );
    assert!(
        done.text
            .contains("reason: ['CopyObject', \"POST Object\"]"),
        "{}",
        done.text
    );
    assert!(
        done.text.contains("EventBridgeEnabled: true}} # not yet"),
        "{}",
        done.text
    );
    assert!(
        done.text
            .contains("InputPathsMap: {k: $.detail.object.key} # flow"),
        "{}",
        done.text
    );
    assert!(done.text.contains("# wakes the batch\n"));
}

#[test]
fn the_fixtures_prove_over_ten_thousand_uploads() {
    for text in [APPLICATION, LONG_FORM, SEVERAL, SYNTHESISED] {
        let proof = proof(text, &migrated(text).text, &trial(10_000));
        assert_eq!(proof.difference, None);
        assert_eq!(proof.uploads, 10_000);
        assert!(proof.starting > 100, "{}", proof.starting);
        assert!(proof.failed_calls > 500);
    }
}

/// The former stack with its rule's detail and input path exchanged.
fn with_detail(detail: &str, path: &str) -> String {
    format!(
        "Resources:\n  In:\n    Type: AWS::S3::Bucket\n    Properties:\n      BucketName: in\n  Rule:\n    Type: \
         AWS::Events::Rule\n    Properties:\n      EventPattern:\n        source: [aws.s3]\n        detail-type: [AWS API \
         Call via CloudTrail]\n        detail:\n          {}\n      Targets:\n        - Id: t\n          Arn: cluster\n          \
         EcsParameters: {{TaskDefinitionArn: b}}\n          InputTransformer:\n            InputPathsMap: {{v: \
         \"{path}\"}}\n            InputTemplate: '{{\"containerOverrides\":[{{\"name\":\"a\",\"command\":[<v>]}}]}}'\n",
        detail.replace('\n', "\n          ")
    )
}

const NAMED: &str = "eventName: [PutObject]\nrequestParameters:\n  bucketName: [in]\n";
const KEY: &str = "$.detail.requestParameters.key";

#[test]
fn what_has_no_twin_is_refused_with_its_line_and_the_rule_stays() {
    let table = [
        ("userIdentity: {arn: [x]}", KEY, 16, "`userIdentity.arn`"),
        (
            "userIdentity:\n  type: [IAMUser]",
            KEY,
            17,
            "`userIdentity.type`",
        ),
        ("errorCode: [AccessDenied]", KEY, 16, "calls that fail"),
        ("userAgent: [x]", KEY, 16, "`userAgent`"),
        ("readOnly: [true]", KEY, 16, "never takes an upload"),
        ("awsRegion: [eu-west-1]", KEY, 16, "`awsRegion`"),
        ("eventID: [x]", KEY, 16, "`eventID`"),
        ("vpcEndpointId: [x]", KEY, 16, "`vpcEndpointId`"),
        (
            "",
            "$.detail.userIdentity.arn",
            22,
            "`$.detail.userIdentity.arn`",
        ),
        ("", "$.detail", 22, "`$.detail`"),
        ("", "$.detail.errorCode", 22, "`$.detail.errorCode`"),
        ("", "$.detail.requestParameters.Host", 22, "Host"),
        ("", "$.detail-type", 22, "`$.detail-type`"),
        ("", "$..key", 22, "`$..key`"),
    ];
    for (more, path, line, words) in table {
        let text = with_detail(&format!("{NAMED}{more}"), path);
        let done = migrate(&text, Options::default()).unwrap();
        assert_eq!(done.refused, ["Rule"], "{more} {path}");
        assert_eq!(done.text, text);
        let note = &done.notes[0];
        assert_eq!(note.kind, Kind::Refused);
        assert!(note.message.contains(words), "{}", note.message);
        assert_eq!(note.span.unwrap().start.line, line, "{more} {path}");
        assert!(note.advice.is_some());
    }
    for names in [
        "[GetObject]",
        "[{prefix: Put}]",
        "!Ref AWS::Region",
        "[PutObject, UploadPart]",
        "[PutObject, PutObjectAcl]",
    ] {
        let text = with_detail(&NAMED.replace("[PutObject]", names), KEY);
        let done = migrate(&text, Options::default()).unwrap();
        assert_eq!(done.refused, ["Rule"], "{names}");
    }
}

#[test]
fn what_has_a_twin_is_translated_and_proves() {
    let table = [
        (
            "",
            "$.detail.requestParameters.bucketName",
            "$.detail.bucket.name",
        ),
        ("", "$.detail.sourceIPAddress", "$.detail.source-ip-address"),
        ("", "$.detail.requestID", "$.detail.request-id"),
        ("", "$.detail.eventTime", "$.time"),
        ("", "$.detail.userIdentity.accountId", "$.detail.requester"),
        ("", "$.detail.eventName", "$.detail.reason"),
        ("", "$.detail.awsRegion", "$.region"),
        (
            "",
            "$.detail.additionalEventData.bytesTransferredIn",
            "$.detail.object.size",
        ),
        (
            "",
            "$.detail.responseElements['x-amz-version-id']",
            "$.detail.object.version-id",
        ),
        ("", "$.detail.resources[1].ARN", "$.resources[0]"),
        (
            "sourceIPAddress: [{cidr: 10.0.0.0/8}]",
            KEY,
            "source-ip-address: [{cidr",
        ),
        (
            "userIdentity:\n  accountId: ['000000000000']",
            KEY,
            "requester: ['000000000000']",
        ),
        (
            "userIdentity: {accountId: ['000000000000']}",
            KEY,
            "requester: ['000000000000']\n",
        ),
        (
            "additionalEventData:\n  bytesTransferredIn: [{numeric: ['>', 4]}]",
            KEY,
            "object:\n            size:",
        ),
        ("awsRegion: [!Ref AWS::Region]", KEY, "reason: [PutObject]"),
        (
            "eventType: [AwsApiCall]\nmanagementEvent: [false]\neventCategory: [Data]",
            KEY,
            "reason: [PutObject]",
        ),
        (
            "$or:\n  - sourceIPAddress: [203.0.113.7]\n  - requestParameters:\n      key: [{prefix: x}]",
            KEY,
            "- object:",
        ),
        (
            "resources:\n  ARN: [!GetAtt In.Arn]",
            KEY,
            "reason: [PutObject]",
        ),
    ];
    for (more, path, wanted) in table {
        let text = with_detail(&format!("{NAMED}{more}"), path);
        let done = migrated(&text);
        assert!(done.text.contains(wanted), "{wanted}\n{}", done.text);
        assert!(!done.text.contains("CloudTrail"), "{}", done.text);
        let proof = proof(&text, &done.text, &trial(3_000));
        assert_eq!(proof.difference, None, "{more} {path}\n{}", done.text);
        assert!(proof.starting > 50, "{more} {path}: {}", proof.starting);
        assert!(proof.logged_elsewhere);
    }
    let cdk = NAMED.replace(
        "requestParameters:\n  bucketName: [in]",
        "resources: {ARN: [!GetAtt In.Arn]}",
    );
    let done = migrated(&with_detail(&cdk, KEY));
    assert!(
        done.text.contains("bucket: {name: [!Ref In]}"),
        "{}",
        done.text
    );
}

#[test]
fn wrong_translations_are_caught_with_the_smallest_upload() {
    let good = migrated(APPLICATION).text;
    let table = [
        (
            "prefix: !Ref CompletionKeyPrefix",
            "prefix: test/aaa/complete",
            "test/aaa/complete",
        ),
        (
            "prefix: !Ref CompletionKeyPrefix",
            "suffix: complete.txt",
            "complete.txt",
        ),
        (
            "prefix: !Ref CompletionKeyPrefix",
            "test/aaa/complete.txt",
            "test/aaa/complete.txta",
        ),
        (
            "EventBridgeEnabled: true",
            "EventBridgeEnabled: false",
            "test/aaa/complete.txt",
        ),
        (
            "$.detail.object.key",
            "$.detail.object.etag",
            "test/aaa/complete.txt",
        ),
        ("            - CopyObject\n", "", "test/aaa/complete.txt"),
        (
            "- !Ref SampleBucket\n          object",
            "- another-bucket\n          object",
            "test/aaa/complete.txt",
        ),
        ("\"<key>\"", "<key>", "test/aaa/complete.txt\""),
    ];
    for (from, to, key) in table {
        assert!(good.contains(from), "{from}");
        let proof = proof(APPLICATION, &good.replacen(from, to, 1), &trial(4_000));
        let found = proof
            .difference
            .unwrap_or_else(|| panic!("{from} -> {to} is not caught"));
        let size = found.upload.key.chars().count();
        assert!(
            size <= key.chars().count(),
            "{from} -> {to}: {:?}",
            found.upload
        );
        assert!(
            !found.upload.versioned && found.upload.size == 0,
            "{:?}",
            found.upload
        );
        assert_ne!(found.old, found.new);
    }
}

#[test]
fn widening_is_compared_where_it_was_asked_not_to_differ() {
    let options = Options {
        widen: true,
        ..Options::default()
    };
    let text = with_detail(NAMED, KEY);
    let new = migrate(&text, options).unwrap().text;
    let mut trial = trial(2_000);
    let difference = proof(&text, &new, &trial).difference.unwrap();
    assert_ne!(difference.upload.operation.event_name(), "PutObject");
    trial.widened = true;
    assert_eq!(proof(&text, &new, &trial).difference, None);
}

#[test]
fn failed_calls_differ_only_when_they_count() {
    let mut trial = trial(2_000);
    let new = migrated(APPLICATION).text;
    let proof_of = |trial: &Trial| proof(APPLICATION, &new, trial);
    assert!(proof_of(&trial).failed_calls_differ > 0);
    trial.strict = true;
    let found = proof_of(&trial).difference.unwrap();
    assert!(found.upload.fails && !found.old.is_empty() && found.new.is_empty());
}

#[test]
fn recorded_uploads_are_held_too() {
    let text = serde_json::json!({"Records": [
        {"eventSource": "s3.amazonaws.com", "eventName": "PutObject", "eventTime": "2026-11-12T01:02:03Z",
         "readOnly": false, "sourceIPAddress": "192.0.2.1", "userIdentity": {"accountId": "1"}, "requestID": "R",
         "requestParameters": {"bucketName": "sample-bucket", "key": "test/aaa/complete.txt.1"}},
        {"eventSource": "ec2.amazonaws.com", "eventName": "RunInstances"},
        {"eventSource": "s3.amazonaws.com", "eventName": "CreateBucket", "requestParameters": {"bucketName": "b"}},
    ]});
    let of_log = recorded(&text.to_string(), &place()).unwrap();
    assert_eq!(of_log.len(), 1);
    let runs = serde_json::json!([{"bucket": "sample-bucket", "key": "test/aaa/complete.txt"}, {"bucket": null}]);
    let of_ledger: Vec<Upload> = recorded(&runs.to_string(), &place()).unwrap();
    assert_eq!(of_ledger.len(), 1);
    let trial = Trial {
        recorded: of_log.into_iter().chain(of_ledger).collect(),
        ..trial(0)
    };
    let proof = proof(APPLICATION, &migrated(APPLICATION).text, &trial);
    assert_eq!((proof.uploads, proof.recorded, proof.starting), (2, 2, 2));
    assert_eq!(proof.difference, None);
    for bad in ["", "{}", "{\"Records\": 1}", "3"] {
        recorded(bad, &place()).unwrap_err();
    }
}

#[test]
fn trails_stay_where_something_needs_them() {
    let kept = |text: &str, options| {
        let done = migrate(text, options).unwrap();
        assert!(
            done.text.contains("AWS::CloudTrail::Trail"),
            "{}",
            done.text
        );
        let note = done.notes.iter().find(|it| it.kind == Kind::Left).unwrap();
        note.message.clone()
    };
    let keep = Options {
        keep_trail: true,
        ..Options::default()
    };
    assert!(kept(APPLICATION, keep).contains("--keep-trail"));
    let other = APPLICATION.replace("${SampleBucket}/test", "someone-elses/");
    assert!(kept(&other, Options::default()).contains("no rule of this template watches"));
    let used = APPLICATION.replace("Value: !Ref AppName\n", "Value: x\n").replace(
        "      ClusterName: sample-ecs\n",
        "      ClusterName: sample-ecs\n      Tags: [{Key: t, Value: !GetAtt CloudTrail.Arn}]\n",
    );
    assert!(kept(&used, Options::default()).contains("ECSCluster refers to it"));
    let refused = SEVERAL
        .replace("['CopyObject', \"POST", "['GetObject', \"POST")
        .replace("\"PostObject\"]", "GetObject]");
    assert!(kept(&refused, Options::default()).contains("SecondRule still needs it"));
}

#[test]
fn trails_that_share_a_log_bucket_take_it_with_them() {
    let trail = |name: &str| {
        format!(
            "  {name}:\n    Type: AWS::CloudTrail::Trail\n    Properties:\n      IsLogging: true\n      S3BucketName: !Ref \
             Logs\n      EventSelectors: [{{DataResources: [{{Type: AWS::S3::Object, Values: [!Sub '${{In.Arn}}/']}}]}}]\n"
        )
    };
    let logs = "  Logs:\n    Type: AWS::S3::Bucket\n";
    let text = with_detail(NAMED, KEY) + &trail("One") + &trail("Two") + logs;
    let done = migrated(&text);
    for gone in ["One:", "Two:", "Logs:"] {
        assert!(!done.text.contains(gone), "{}", done.text);
    }
    let two = trail("Two").replace("${In.Arn}/", "arn:aws:s3:::elsewhere/");
    let done = migrated(&(with_detail(NAMED, KEY) + &trail("One") + &two + logs));
    assert!(
        !done.text.contains("One:") && done.text.contains("Two:") && done.text.contains("Logs:")
    );
}

#[test]
fn a_trail_that_logs_less_than_the_rule_takes_refuses_the_rule() {
    let text = APPLICATION.replace("/test # all keys", "/other # all keys");
    let may = migrate(&text, Options::default()).unwrap();
    assert_eq!(may.refused.len(), 0, "a parameter may begin with anything");
    assert!(proof(&text, &may.text, &trial(10_000)).difference.is_some());
    let text = text.replace("prefix: !Ref CompletionKeyPrefix", "prefix: test/aaa");
    let done = migrate(&text, Options::default()).unwrap();
    assert_eq!(done.refused, ["SampleEventsRule"], "{:#?}", done.notes);
    assert!(
        done.notes[0].message.contains("`other`"),
        "{}",
        done.notes[0].message
    );
}

#[test]
fn a_plan_gets_what_to_write_instead_and_proves() {
    assert!(terraform::is_plan(PLAN) && !terraform::is_plan(LONG_FORM));
    let done = terraform::suggest(PLAN, Options::default()).unwrap();
    assert_eq!(done.moved, ["module.t.aws_cloudwatch_event_rule.r"]);
    for wanted in [
        "\"Object Created\"",
        "\"key\": \"$.detail.object.key\"",
        "bucket      = aws_s3_bucket.in.id",
        "# take out module.t.aws_cloudtrail.t\n",
        "# take out aws_s3_bucket.logs\n",
        "# take out aws_s3_bucket_policy.logs\n",
    ] {
        assert!(done.text.contains(wanted), "{wanted}\n{}", done.text);
    }
    let (old, new) = done.sides().unwrap();
    let proof = prove(&old, &new, &trial(10_000));
    assert_eq!(proof.difference, None);
    assert!(proof.starting > 100);
    let more = PLAN.replace(
        "\"arn:aws:s3:::in/\"",
        "\"arn:aws:s3:::in/\", \"arn:aws:s3:::audited/\"",
    );
    let done = terraform::suggest(&more, Options::default()).unwrap();
    assert!(!done.text.contains("take out"), "{}", done.text);
    assert!(
        done.notes
            .iter()
            .any(|it| it.kind == Kind::Left && it.message.contains("audited"))
    );
    let refused = PLAN.replace(
        "\\\"eventName\\\":[\\\"PutObject\\\"]",
        "\\\"userIdentity\\\":{\\\"arn\\\":[\\\"x\\\"]}",
    );
    let done = terraform::suggest(&refused, Options::default()).unwrap();
    assert_eq!(done.moved.len(), 0);
    assert_eq!(done.refused.len(), 1);
}

#[test]
fn malformed_templates_get_a_located_error() {
    for (text, line) in [
        ("Resources:\n  A: [", 2),
        ("{\"Resources\": {\n \"A\": }", 2),
        ("Resources:\n  A:\n    Type: !Nope x\n", 3),
        (
            "Resources:\n  A:\n    Type: AWS::S3::Bucket\n    Type: AWS::S3::Bucket\n",
            4,
        ),
        (
            "Resources:\n  A:\n    Type: AWS::S3::Bucket\n    Properties:\n      BucketName: !Ref Nothing\n",
            5,
        ),
    ] {
        let MigrateError::Template(error) = migrate(text, Options::default()).unwrap_err() else {
            panic!("{text}");
        };
        let at = error.span.unwrap().start.line;
        assert!((line..=line + 1).contains(&at), "{text}: {at}");
    }
}

#[test]
fn byte_order_marks_and_windows_line_ends_stay() {
    let text = format!("\u{feff}{}", APPLICATION.replace('\n', "\r\n"));
    let done = migrated(&text);
    assert!(done.text.starts_with('\u{feff}'));
    assert_eq!(
        done.text
            .replace("\r\n", "\n")
            .trim_start_matches('\u{feff}'),
        migrated(APPLICATION).text
    );
    assert!(!done.text.replace("\r\n", "").contains('\n'));
}

/// One way to write the same rule, drawn.
fn spelling() -> impl Strategy<Value = String> {
    let quotes = prop::sample::select(vec!["", "'", "\""]);
    let order = any::<[bool; 5]>();
    let comment = prop::sample::select(vec!["", " # note", "  # key: [x]"]);
    (quotes, order, comment, 0..3_usize).prop_map(|(q, flags, comment, blank)| {
        let list = |items: &[&str]| {
            let quoted: Vec<String> = items.iter().map(|it| format!("{q}{it}{q}")).collect();
            if flags[0] {
                format!(" [{}]{comment}", quoted.join(", "))
            } else {
                let lines: Vec<String> = quoted
                    .iter()
                    .map(|it| format!("\n    - {it}{comment}"))
                    .collect();
                lines.concat()
            }
        };
        let bucket = format!("  bucketName:{}", list(&["in"]));
        let key = format!("  key:{}", list(&["a/b.csv", "c"]));
        let request = match (flags[1], flags[2]) {
            (true, _) => format!("requestParameters:{comment}\n{bucket}\n{key}"),
            (false, true) => format!("requestParameters:{comment}\n{key}\n  # between\n{bucket}"),
            (false, false) => format!(
                "requestParameters: {{bucketName: [{q}in{q}], key: [{q}a/b.csv{q}]}}{comment}"
            ),
        };
        let names = format!("eventName:{}", list(&["PutObject", "CopyObject"]));
        let source = format!("eventSource:{}", list(&["s3.amazonaws.com"]));
        let gap = "\n".repeat(blank + 1);
        let detail = match (flags[3], flags[4]) {
            (true, true) => [source, names, request].join(&gap),
            (true, false) => [names, request, source].join(&gap),
            (false, true) => [request, source, names].join(&gap),
            (false, false) => [names, source, request].join(&gap),
        };
        with_detail(&detail, KEY)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_spelling_moves_once_keeps_its_comments_and_proves(text in spelling()) {
        let done = migrate(&text, Options::default()).unwrap();
        prop_assert_eq!(&done.moved, &["Rule"], "{}", text);
        let again = migrate(&done.text, Options::default()).unwrap();
        prop_assert_eq!(&again.text, &done.text);
        let mut rest = done.text.as_str();
        for piece in untouched(&text, &done.edits) {
            let at = rest.find(&piece);
            prop_assert!(at.is_some(), "lost {} of {}", piece, text);
            rest = &rest[at.unwrap() + piece.len()..];
        }
        let proof = proof(&text, &done.text, &trial(300));
        prop_assert_eq!(proof.difference, None, "{}", done.text);
        prop_assert!(proof.starting > 0, "{}", done.text);
    }

    #[test]
    fn any_text_is_refused_or_moved_without_a_crash(cut in 0..APPLICATION.len(), noise in "[ -~\n]{0,6}") {
        if APPLICATION.is_char_boundary(cut) {
            let (before, behind) = APPLICATION.split_at(cut);
            let _ = migrate(&format!("{before}{noise}{behind}"), Options::default());
            let _ = crate::check::check(&format!("{before}{noise}"));
        }
    }
}
