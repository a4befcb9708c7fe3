//! One template a fault, and the place and code that it is found with.

use super::*;

const HEAD: &str =
    "Resources:\n  In:\n    Type: AWS::S3::Bucket\n    Properties:\n      BucketName: in\n";

fn rule(kind: &str, detail: &str, target: &str) -> String {
    format!(
        "  Rule:\n    Type: AWS::Events::Rule\n    Properties:\n      EventPattern:\n        source: [aws.s3]\n        \
         detail-type: [{kind}]\n        detail: {detail}\n      Targets:\n        - Id: t\n          Arn: cluster\n          \
         EcsParameters: {{TaskDefinitionArn: b}}\n{target}"
    )
}

const OLD: &str = "AWS API Call via CloudTrail";
const OLD_DETAIL: &str =
    "{eventName: [PutObject, CompleteMultipartUpload], requestParameters: {bucketName: [!Ref In]}}";
const INPUT: &str = "          Input: '{}'\n";

fn trail(selectors: &str, logging: &str) -> String {
    format!(
        "  Trail:\n    Type: AWS::CloudTrail::Trail\n    Properties:\n      S3BucketName: logs\n      IsLogging: \
         {logging}\n      {selectors}\n"
    )
}

fn selector(value: &str) -> String {
    format!("EventSelectors: [{{DataResources: [{{Type: AWS::S3::Object, Values: [{value}]}}]}}]")
}

fn codes(text: &str) -> Vec<(&'static str, Severity, usize)> {
    let found = check(text);
    found
        .iter()
        .map(|it| (it.code, it.severity, it.span.line))
        .collect()
}

#[test]
fn a_sound_template_has_no_findings() {
    let sound = [
        format!(
            "{HEAD}{}{}",
            rule(OLD, OLD_DETAIL, INPUT),
            trail(&selector("arn:aws:s3:::in/"), "true")
        ),
        format!(
            "{HEAD}{}{}",
            rule(OLD, OLD_DETAIL, INPUT),
            trail(&selector("!Sub '${In.Arn}/x'"), "true")
        ),
        format!(
            "{HEAD}{}{}",
            rule(OLD, OLD_DETAIL, INPUT),
            trail(&selector("'arn:aws:s3:::'"), "true")
        ),
        include_str!("../../../../examples/direct/network.yaml").to_owned(),
    ];
    for text in sound {
        assert_eq!(codes(&text), [], "{text}");
    }
}

#[test]
fn each_fault_is_found_where_it_is() {
    use Severity::{Error, Warning};
    let old = rule(OLD, OLD_DETAIL, INPUT);
    let direct = "{bucket: {name: [!Ref In]}}";
    let on =
        "      NotificationConfiguration: {EventBridgeConfiguration: {EventBridgeEnabled: true}}\n";
    let created = |detail: &str, target: &str| {
        format!("{HEAD}{on}{}", rule("Object Created", detail, target))
    };
    let transformer = |paths: &str, template: &str| {
        format!(
            "          InputTransformer:\n            InputPathsMap: {{{paths}}}\n            InputTemplate: '{template}'\n"
        )
    };
    let table = [
        (format!("{HEAD}{old}"), vec![("LF001", Warning, 11)]),
        (
            format!(
                "{HEAD}{old}{}",
                trail(&selector("arn:aws:s3:::other/"), "true")
            ),
            vec![("LF001", Error, 11)],
        ),
        (
            format!(
                "{HEAD}{old}{}",
                trail("IncludeGlobalServiceEvents: true", "true")
            ),
            vec![("LF001", Error, 11)],
        ),
        (
            format!("{HEAD}{old}{}", trail(&selector("arn:aws:s3:::in"), "true")),
            vec![("LF002", Error, 23)],
        ),
        (
            format!(
                "{HEAD}{old}{}",
                trail(&selector("arn:aws:s3:::in/"), "false")
            ),
            vec![("LF003", Error, 22)],
        ),
        (
            format!(
                "{HEAD}{old}{}",
                trail(
                    &selector("arn:aws:s3:::in/")
                        .replace("[{Data", "[{ReadWriteType: ReadOnly, Data"),
                    "true"
                )
            ),
            vec![("LF004", Error, 23)],
        ),
        (
            format!(
                "{HEAD}{old}{}",
                trail(
                    "AdvancedEventSelectors: [{FieldSelectors: [{Field: eventCategory, Equals: [Data]}, {Field: \
                     resources.type, Equals: [AWS::S3::Object]}, {Field: readOnly, Equals: ['true']}]}]",
                    "true"
                )
            ),
            vec![("LF004", Error, 23)],
        ),
        (
            format!("{HEAD}{}", rule("Object Created", direct, INPUT)),
            vec![("LF005", Error, 12)],
        ),
        (
            created(
                direct,
                &transformer("k: $.detail.object.key", r#"{"a":"<k>"}"#),
            ),
            vec![("LF006", Warning, 20)],
        ),
        (
            created(
                direct,
                &transformer("k: $.detail.object.key", r#"{"a":<k>}"#),
            ),
            vec![],
        ),
        (
            created(
                direct,
                &transformer("k: $.detail.requestParameters.key", r#"{"a":<k>}"#),
            ),
            vec![("LF007", Error, 19)],
        ),
        (
            created(
                direct,
                &transformer("k: $.detail.object.name", r#"{"a":<k>}"#),
            ),
            vec![("LF007", Error, 19)],
        ),
        (
            created("{object: {key: [{prefix: a/}, {suffix: .csv}]}}", INPUT),
            vec![("LF008", Warning, 13)],
        ),
        (created(direct, ""), vec![("LF009", Warning, 16)]),
        (
            created("{reason: [PutObject]}", INPUT),
            vec![("LF010", Warning, 13)],
        ),
        ("Resources:\n  A: [".to_owned(), vec![("LF000", Error, 2)]),
    ];
    for (text, wanted) in table {
        assert_eq!(codes(&text), wanted, "{text}");
    }
}

#[test]
fn a_finding_covers_what_it_is_about() {
    let text = format!("{HEAD}{}", trail(&selector("arn:aws:s3:::in"), "true"));
    let found = check(&text);
    let span = found[0].span;
    assert_eq!(&text[span.start..span.end], "arn:aws:s3:::in");
    assert_eq!(span.end_column - span.column, "arn:aws:s3:::in".len());
}

#[test]
fn codes_are_given_once() {
    let mut codes: Vec<&str> = FAULTS.iter().map(|it| it.code).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), FAULTS.len());
}

#[test]
fn a_trail_beside_the_one_that_logs_the_uploads_is_no_error() {
    let old = rule(OLD, OLD_DETAIL, INPUT);
    let logs = trail(&selector("arn:aws:s3:::in/"), "true");
    let reads = selector("arn:aws:s3:::in/").replace("[{", "[{ReadWriteType: ReadOnly, ");
    let audit = trail(&reads, "true").replace("  Trail:", "  Audit:");
    assert_eq!(codes(&format!("{HEAD}{old}{logs}{audit}")), []);
    let paused = trail(&selector("arn:aws:s3:::in/"), "false").replace("  Trail:", "  Audit:");
    let found = codes(&format!("{HEAD}{old}{logs}{paused}"));
    let kinds: Vec<_> = found
        .iter()
        .map(|(code, severity, _)| (*code, *severity))
        .collect();
    assert_eq!(kinds, [("LF003", Severity::Warning)]);
}
