//! Tests of the corners of the migration: shared buckets, references to what goes, matchers and alternatives, and ways
//! to write a template that editing in place stumbles over.

use super::tests::{migrated, proof, trial};
use super::*;

/// A template of a rule, its bucket, a trail and a log bucket; `more` are further sections and resources.
fn stack(detail: &str, values: &str, more: &str) -> String {
    format!(
        r#"Resources:
  In:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: in
  Logs:
    Type: AWS::S3::Bucket
  LogsPolicy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Logs
      PolicyDocument:
        Statement:
          - {{Effect: Allow, Principal: {{Service: cloudtrail.amazonaws.com}}, Action: 's3:*', Resource: '*'}}
  Trail:
    Type: AWS::CloudTrail::Trail
    DependsOn: LogsPolicy
    Properties:
      IsLogging: true
      S3BucketName: !Ref Logs
      EventSelectors:
        - IncludeManagementEvents: false
          ReadWriteType: WriteOnly
          DataResources:
            - Type: AWS::S3::Object
              Values: [{values}]
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventPattern:
        source: [aws.s3]
        detail-type: [AWS API Call via CloudTrail]
        detail:
          {detail}
      Targets:
        - Id: t
          Arn: cluster
          EcsParameters: {{TaskDefinitionArn: b}}
          InputTransformer:
            InputPathsMap: {{v: $.detail.requestParameters.key}}
            InputTemplate: '{{"containerOverrides":[{{"name":"a","command":[<v>]}}]}}'
{more}"#,
        detail = detail.replace('\n', "\n          "),
    )
}

const ALL: &str = "'arn:aws:s3:::in/'";
const PUT: &str = "eventName: [PutObject]\nrequestParameters:\n  bucketName: [in]";

fn proves(old: &str, new: &str) {
    let proof = proof(old, new, &trial(3_000));
    assert_eq!(proof.difference, None, "{new}");
    assert!(proof.starting > 10, "{}\n{new}", proof.starting);
}

/// Moves a stack and holds it to what every move promises.
fn moves(old: &str) -> Migration {
    let done = migrated(old);
    assert_eq!(done.moved, ["Rule"], "{:#?}", done.notes);
    proves(old, &done.text);
    let again = migrate(&done.text, Options::default()).unwrap();
    assert_eq!(again.text, done.text);
    assert!(again.edits.is_empty());
    done
}

fn refused(old: &str, words: &str) {
    let done = migrate(old, Options::default()).unwrap();
    assert_eq!(done.refused, ["Rule"], "{}", done.text);
    assert_eq!(done.text, old);
    assert!(
        done.notes.iter().any(|it| it.message.contains(words)),
        "{:#?}",
        done.notes
    );
}

#[test]
fn the_plain_stack_moves() {
    let done = moves(&stack(PUT, ALL, ""));
    for gone in ["Trail", "Logs"] {
        assert!(!done.text.contains(gone), "{gone}: {}", done.text);
    }
}

#[test]
fn a_trail_that_another_buckets_policy_names_stays() {
    let more = r#"  Guard:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref In
      PolicyDocument:
        Statement: [{Effect: Allow, Principal: '*', Action: 's3:Get*', Resource: !GetAtt Trail.Arn}]
"#;
    let done = moves(&stack(PUT, ALL, more));
    assert!(
        done.text.contains("AWS::CloudTrail::Trail"),
        "{}",
        done.text
    );
    assert!(
        done.notes
            .iter()
            .any(|it| it.kind == Kind::Left && it.message.contains("Guard")),
        "{:#?}",
        done.notes
    );
}

#[test]
fn a_log_bucket_that_stays_keeps_a_policy_that_names_nothing_gone() {
    let more = r#"  Other:
    Type: AWS::S3::Bucket
    Properties:
      LoggingConfiguration: {DestinationBucketName: !Ref Logs}
"#;
    let old = stack(PUT, ALL, more).replace(
        "Resource: '*'}",
        "Resource: '*', Condition: {StringEquals: {'aws:SourceArn': !GetAtt Trail.Arn}}}",
    );
    let old = old.replace("    DependsOn: LogsPolicy\n", "");
    let done = moves(&old);
    let stays = done.text.contains("  Logs:");
    assert!(stays, "{}", done.text);
}

#[test]
fn a_watched_bucket_never_goes_although_logs_go_into_it() {
    let old = stack(PUT, ALL, "").replace("S3BucketName: !Ref Logs", "S3BucketName: in");
    let old = old.replace("Bucket: !Ref Logs", "Bucket: in");
    let done = moves(&old);
    assert!(done.text.contains("BucketName: in"), "{}", done.text);
    assert!(
        done.text.contains("EventBridgeEnabled: true"),
        "{}",
        done.text
    );
}

#[test]
fn buckets_that_a_matcher_names_send_their_events() {
    let matcher = PUT.replace("[in]", "[{prefix: i}]");
    refused(&stack(&matcher, ALL, ""), "buckets that no trail");
    refused(
        &stack("eventName: [PutObject]", ALL, ""),
        "buckets that no trail",
    );
    let everything = "'arn:aws:s3:::'";
    let done = moves(&stack(&matcher, everything, ""));
    assert!(
        done.text.contains("EventBridgeEnabled: true"),
        "{}",
        done.text
    );
    let is_told = |it: &Note| it.kind == Kind::Left && it.message.contains("matcher");
    assert!(done.notes.iter().any(is_told), "{:#?}", done.notes);
    let both = PUT.replace("[in]", "[{prefix: zzz}, in]");
    moves(&stack(&both, everything, ""));
}

#[test]
fn an_alternative_without_the_trails_prefix_is_not_widened() {
    let detail = "eventName: [PutObject]\n$or:\n  - requestParameters: {bucketName: [in], key: [{prefix: in/}]}\n  - \
                  sourceIPAddress: [203.0.113.7]";
    refused(
        &stack(detail, "'arn:aws:s3:::in/in/'", ""),
        "no trail of this template logs",
    );
}

#[test]
fn a_trail_that_logs_some_calls_only_is_not_widened() {
    let advanced = r#"      AdvancedEventSelectors:
        - FieldSelectors:
            - {Field: eventCategory, Equals: [Data]}
            - {Field: resources.type, Equals: ['AWS::S3::Object']}
            - {Field: eventName, Equals: [PutObject]}
"#;
    let names = PUT.replace("[PutObject]", "[PutObject, CopyObject]");
    let old = stack(&names, ALL, "");
    let from = old.find("      EventSelectors:").unwrap();
    let to = old.find("  Rule:").unwrap();
    let old = format!("{}{advanced}{}", &old[..from], &old[to..]);
    refused(&old, "only some calls");
    moves(&old.replace("[PutObject, CopyObject]", "[PutObject]"));
}

#[test]
fn matchers_on_the_names_of_calls_become_the_reasons_that_they_take() {
    for (names, reasons) in [
        (
            "[{equals-ignore-case: putobject}]",
            "reason: [\"PutObject\"]",
        ),
        (
            "[{prefix: CopyO}, PutObject]",
            "reason: [\"CopyObject\", PutObject]",
        ),
        (
            "\n  - wildcard: 'Comp*Upload'\n  - PutObject",
            "- \"CompleteMultipartUpload\"\n",
        ),
        (
            "[{wildcard: 'P*tObject'}]",
            "reason: [\"PutObject\", \"POST Object\"]",
        ),
    ] {
        let old = stack(&PUT.replace(" [PutObject]", &format!(" {names}")), ALL, "");
        let done = moves(&old);
        assert!(done.text.contains(reasons), "{reasons}: {}", done.text);
    }
    for (names, words) in [
        ("[{prefix: Put}]", "PutObjectLegalHold"),
        ("[{anything-but: [DeleteObject]}]", "UploadPart"),
        ("[{suffix: MultipartUpload}]", "CreateMultipartUpload"),
        ("[{prefix: Nothing}]", "takes no call"),
    ] {
        refused(&stack(&PUT.replace("[PutObject]", names), ALL, ""), words);
    }
}

#[test]
fn a_filter_on_the_size_stands_beside_the_one_on_the_key() {
    let size = "additionalEventData:\n  bytesTransferredIn: [{numeric: ['>', 4]}]";
    for request in [
        "requestParameters:\n  bucketName: [in]\n  key: [{suffix: x}]",
        "requestParameters:\n  key:\n    - suffix: x\n  bucketName: [in]",
        "requestParameters: {bucketName: [in], key: [{suffix: x}]}",
        "requestParameters: {key: [{suffix: x}], bucketName: [in]}",
        "requestParameters:\n  key: [{suffix: x}] # the key",
    ] {
        for detail in [
            format!("eventName: [PutObject]\n{request}\n{size}"),
            format!("eventName: [PutObject]\n{size}\n{request}"),
        ] {
            let done = moves(&stack(&detail, "'arn:aws:s3:::'", ""));
            let pattern = crate::template::parse_document(&done.text)
                .unwrap()
                .to_json();
            let object = pattern
                .pointer("/Resources/Rule/Properties/EventPattern/detail/object")
                .unwrap();
            assert_eq!(
                *object,
                serde_json::json!({"key": [{"suffix": "x"}], "size": [{"numeric": [">", 4]}]}),
                "{}",
                done.text
            );
        }
    }
}

#[test]
fn alternatives_at_the_top_and_of_names_are_translated() {
    let top = "Resources:\n  In:\n    Type: AWS::S3::Bucket\n    Properties: {BucketName: in}\n  Rule:\n    Type: \
               AWS::Events::Rule\n    Properties:\n      EventPattern:\n        source: [aws.s3]\n        detail-type: \
               [AWS API Call via CloudTrail]\n        $or:\n          - detail:\n              eventName: \
               [PutObject]\n              requestParameters: {bucketName: [in], key: [{prefix: a}]}\n          - \
               detail:\n              eventName: [CopyObject]\n              requestParameters: {bucketName: \
               [in]}\n      Targets: [{Id: t, Arn: c, EcsParameters: {TaskDefinitionArn: b}, Input: '{}'}]\n";
    let done = moves(top);
    assert!(done.text.contains("reason: [PutObject]"), "{}", done.text);
    assert!(done.text.contains("reason: [CopyObject]"), "{}", done.text);
    let inner = "requestParameters:\n  bucketName: [in]\n$or:\n  - eventName: [PutObject]\n    sourceIPAddress: \
                 [203.0.113.7]\n  - eventName: [CopyObject]";
    let done = moves(&stack(inner, ALL, ""));
    assert!(done.text.contains("- reason: [PutObject]"), "{}", done.text);
    let some = inner.replace(
        "  - eventName: [CopyObject]",
        "  - sourceIPAddress: [10.0.0.1]",
    );
    refused(&stack(&some, ALL, ""), "no `eventName`");
    let mixed = inner
        .replace("[CopyObject]", "[PutObjectAcl]")
        .replace("[PutObject]", "[PutObjectTagging]");
    refused(&stack(&mixed, ALL, ""), "different events");
}

#[test]
fn what_refers_to_what_goes_goes_or_holds_it() {
    let more = r#"Outputs:
  Joined: {Value: !Join ['/', [!Ref Trail, x]]}
  Substituted: {Value: !Sub 'arn:aws:s3:::${Logs}/x'}
  Kept: {Value: !Ref In}
"#;
    let done = moves(&stack(PUT, ALL, more));
    assert!(
        done.text.contains("Kept: {Value: !Ref In}"),
        "{}",
        done.text
    );
    assert!(!done.text.contains("Joined") && !done.text.contains("Substituted"));
    let alone = moves(&stack(PUT, ALL, "Outputs:\n  Gone: {Value: !Ref Trail}\n"));
    assert!(!alone.text.contains("Outputs"), "{}", alone.text);
    let depends = "  After:\n    Type: AWS::SQS::Queue\n    DependsOn: [Trail, In]\n  Then:\n    Type: \
                   AWS::SQS::Queue\n    DependsOn: Trail\n  Last: {Type: AWS::SQS::Queue, DependsOn: [Logs, Trail]}\n";
    let done = moves(&stack(PUT, ALL, depends));
    assert!(done.text.contains("DependsOn: [In]"), "{}", done.text);
    assert!(
        done.text.contains("Last: {Type: AWS::SQS::Queue}"),
        "{}",
        done.text
    );
}

#[test]
fn conditions_go_only_with_what_alone_used_them() {
    let old = format!(
        "Parameters:\n  Stage: {{Type: String, Default: dev}}\n  Audit: {{Type: String, Default: 'yes'}}\nConditions:\n  \
         IsAudited: !Equals [!Ref Audit, 'yes']\n  IsProd: !Equals [!Ref Stage, prod]\n  Both: !And [!Condition \
         IsAudited, !Condition IsProd]\n{}",
        stack(PUT, ALL, "")
            .replace("    DependsOn: LogsPolicy\n", "    Condition: IsAudited\n    DependsOn: LogsPolicy\n")
            .replace("      BucketName: in\n", "      BucketName: in\n      AccessControl: !If [IsProd, Private, !Ref AWS::NoValue]\n")
    );
    let done = moves(&old);
    assert!(done.text.contains("IsProd: !Equals"), "{}", done.text);
    // `Both` was used by nothing before: it stays, and what it needs with it.
    assert!(done.text.contains("IsAudited: !Equals"), "{}", done.text);
    let without = old.replace(
        "  Both: !And [!Condition IsAudited, !Condition IsProd]\n",
        "",
    );
    let done = moves(&without);
    for gone in ["IsAudited", "Audit:"] {
        assert!(!done.text.contains(gone), "{gone}: {}", done.text);
    }
}

#[test]
fn a_template_all_in_flow_style_moves() {
    let block = stack(PUT, ALL, "");
    let tree = crate::template::parse_document(&block).unwrap().to_json();
    let on_one_line = tree.to_string();
    let indented = serde_json::to_string_pretty(&tree).unwrap();
    for old in [&on_one_line, &indented] {
        let done = moves(old);
        let parsed: serde_json::Value = serde_json::from_str(&done.text).expect(&done.text);
        assert!(parsed.pointer("/Resources/Trail").is_none());
        assert_eq!(
            parsed.pointer("/Resources/In/Properties/NotificationConfiguration"),
            Some(&serde_json::json!({"EventBridgeConfiguration": {"EventBridgeEnabled": true}}))
        );
    }
}

#[test]
fn comments_within_and_around_what_goes_go_with_it_and_others_stay() {
    let old = stack(PUT, ALL, "# at the end\n")
        .replace(
            "  Trail:\n",
            "  # of the trail\n  Trail: # the trail\n    # inside\n",
        )
        .replace("  Rule:\n", "\n  # of the rule\n  Rule:\n")
        .replace("  Logs:\n", "  # of the logs\n  Logs:\n");
    let done = moves(&old);
    for kept in ["# of the rule", "# at the end"] {
        assert!(done.text.contains(kept), "{kept}: {}", done.text);
    }
    for gone in ["# of the trail", "# the trail", "# inside", "# of the logs"] {
        assert!(!done.text.contains(gone), "{gone}: {}", done.text);
    }
}

const PLAN: &str = include_str!("fixtures/plan.json");

fn with_more(resource: &str) -> String {
    PLAN.replace(
        "    \"resources\": [\n",
        &format!("    \"resources\": [\n{resource},\n"),
    )
}

#[test]
fn a_plan_keeps_the_log_bucket_of_a_trail_that_stays() {
    let audit = r#"{"address": "aws_cloudtrail.audit", "type": "aws_cloudtrail", "values": {
        "s3_bucket_name": "logs", "enable_logging": true}}"#;
    let done = terraform::suggest(&with_more(audit), Options::default()).unwrap();
    assert!(done.text.contains("# take out module.t.aws_cloudtrail.t\n"));
    for kept in ["aws_s3_bucket.logs", "aws_s3_bucket_policy.logs"] {
        let gone = format!("# take out {kept}\n");
        assert!(!done.text.contains(&gone), "{}", done.text);
    }
    let twin = r#"{"address": "aws_cloudtrail.twin", "type": "aws_cloudtrail", "values": {
        "s3_bucket_name": "logs", "enable_logging": true, "event_selector": [{"data_resource": [
          {"type": "AWS::S3::Object", "values": ["arn:aws:s3:::in/"]}]}]}}"#;
    let done = terraform::suggest(&with_more(twin), Options::default()).unwrap();
    let gone = done.text.matches("# take out aws_s3_bucket.logs\n");
    assert_eq!(gone.count(), 1, "{}", done.text);
}

#[test]
fn a_plan_switches_on_the_buckets_that_a_matcher_takes_or_that_are_logged() {
    let matcher = PLAN.replace(
        "\\\"bucketName\\\":[\\\"in\\\"]",
        "\\\"bucketName\\\":[{\\\"prefix\\\":\\\"i\\\"}]",
    );
    let open = PLAN.replace("\\\"bucketName\\\":[\\\"in\\\"],", "");
    for plan in [matcher, open] {
        assert_ne!(plan, PLAN);
        let done = terraform::suggest(&plan, Options::default()).unwrap();
        assert_eq!(done.moved.len(), 1, "{:#?}", done.notes);
        assert!(
            done.text.contains("bucket      = aws_s3_bucket.in.id"),
            "{}",
            done.text
        );
    }
}
