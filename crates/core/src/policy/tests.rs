//! Policies as people write them for dead-letter queues and queue targets, and the ways to get them wrong.

use super::*;

const QUEUE: &str = "arn:aws:sqs:us-east-1:123456789012:dlq";
const RULE: &str = "arn:aws:events:us-east-1:123456789012:rule/r";

fn request() -> PolicyRequest<'static> {
    PolicyRequest {
        principal: Principal::Service("events.amazonaws.com"),
        action: "sqs:SendMessage",
        resource: QUEUE,
        context: vec![("aws:SourceArn", RULE), ("aws:SecureTransport", "true")],
    }
}

/// A policy of one statement that would allow, with the named members replaced or added.
fn allowing(changes: &[(&str, serde_json::Value)]) -> bool {
    allows(&policy(&[changes]), &request())
}

fn policy(statements: &[&[(&str, serde_json::Value)]]) -> String {
    let statement = |changes: &&[(&str, serde_json::Value)]| {
        let mut statement = serde_json::json!({
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage", "Resource": QUEUE,
        });
        for (name, value) in *changes {
            statement[*name] = value.clone();
        }
        statement
    };
    let statements: Vec<_> = statements.iter().map(statement).collect();
    serde_json::json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

#[test]
fn of_several_policies_one_must_allow_and_none_may_deny() {
    let one = policy(&[&[]]);
    let other = policy(&[&[("Action", serde_json::json!("sqs:ReceiveMessage"))]]);
    let denying = policy(&[&[("Effect", serde_json::json!("Deny"))]]);
    let table: [(&[&str], bool); 6] = [
        (&[], false),
        (&["{"], false),
        (&[&other], false),
        (&[&other, "{", &one], true),
        (&[&one, &denying], false),
        (&[&denying, &one], false),
    ];
    for (policies, expected) in table {
        assert_eq!(allow(policies, &request()), expected, "{policies:?}");
    }
}

#[test]
fn elements() {
    use serde_json::json;
    let table = [
        ("Effect", json!("Allow"), true),
        ("Effect", json!("Deny"), false),
        ("Effect", json!("allow"), false),
        ("Principal", json!("*"), true),
        ("Principal", json!({"AWS": "*"}), true),
        ("Principal", json!({"AWS": "123456789012"}), false),
        (
            "Principal",
            json!({"Service": ["s3.amazonaws.com", "events.amazonaws.com"]}),
            true,
        ),
        ("Principal", json!({"Service": "s3.amazonaws.com"}), false),
        ("Principal", json!({"Service": "*"}), false),
        ("Principal", json!(null), false),
        ("Action", json!("SQS:sendmessage"), true),
        ("Action", json!("sqs:*"), true),
        ("Action", json!(["sqs:ReceiveMessage", "sqs:Send*"]), true),
        ("Action", json!("sqs:ReceiveMessage"), false),
        ("Resource", json!("*"), true),
        ("Resource", json!([QUEUE]), true),
        (
            "Resource",
            json!("arn:aws:sqs:us-east-1:123456789012:DLQ"),
            false,
        ),
        ("Resource", json!([]), false),
    ];
    for (name, value, expected) in table {
        assert_eq!(
            allowing(&[(name, value.clone())]),
            expected,
            "{name} {value}"
        );
    }
}

#[test]
fn conditions() {
    use serde_json::json;
    let table = [
        (json!({"ArnEquals": {"aws:SourceArn": RULE}}), true),
        (json!({"ArnEquals": {"AWS:sourcearn": [RULE, "x"]}}), true),
        (
            json!({"ArnEquals": {"aws:SourceArn": "arn:aws:events:us-east-1:123456789012:rule/x"}}),
            false,
        ),
        (
            json!({"ArnLike": {"aws:SourceArn": "arn:aws:events:*:*:rule/*"}}),
            true,
        ),
        (
            json!({"ArnLike": {"aws:SourceArn": "arn:aws:*:rule/*"}}),
            false,
        ),
        (json!({"StringEquals": {"aws:SourceArn": RULE}}), true),
        (
            json!({"StringEquals": {"aws:SourceArn": "arn:aws:events:*"}}),
            false,
        ),
        (
            json!({"StringLike": {"aws:SourceArn": "arn:aws:events:*/r"}}),
            true,
        ),
        (json!({"StringNotEquals": {"aws:SourceArn": RULE}}), false),
        (
            json!({"StringNotLike": {"aws:SourceArn": "arn:aws:sns:*"}}),
            true,
        ),
        (
            json!({"ArnNotLike": {"aws:Missing": "arn:aws:sns:*:*:*"}}),
            true,
        ),
        (
            json!({"StringEquals": {"aws:SourceAccount": "123456789012"}}),
            false,
        ),
        (
            json!({"StringEqualsIfExists": {"aws:SourceAccount": "123456789012"}}),
            true,
        ),
        (json!({"Bool": {"aws:SecureTransport": true}}), true),
        (json!({"Bool": {"aws:SecureTransport": "false"}}), false),
        (json!({"Null": {"aws:SourceAccount": "true"}}), true),
        (json!({"Null": {"aws:SourceArn": "true"}}), false),
        (
            json!({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}),
            false,
        ),
        (
            json!({"ArnEquals": {"aws:SourceArn": RULE}, "StringEquals": {"aws:SourceArn": "x"}}),
            false,
        ),
        (json!({}), true),
    ];
    for (condition, expected) in table {
        assert_eq!(
            allowing(&[("Condition", condition.clone())]),
            expected,
            "{condition}"
        );
    }
}

#[test]
fn a_deny_wins_wherever_it_stands() {
    use serde_json::json;
    let deny = [("Effect", json!("Deny"))];
    let insecure = [
        ("Effect", json!("Deny")),
        (
            "Condition",
            json!({"Bool": {"aws:SecureTransport": "false"}}),
        ),
    ];
    let unknown = [
        ("Effect", json!("Deny")),
        (
            "Condition",
            json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}),
        ),
    ];
    assert!(!allows(&policy(&[&[], &deny]), &request()));
    assert!(!allows(&policy(&[&deny, &[]]), &request()));
    assert!(
        allows(&policy(&[&insecure, &[]]), &request()),
        "the usual enforceSSL statement"
    );
    assert!(
        !allows(&policy(&[&unknown, &[]]), &request()),
        "doubt denies"
    );
}

#[test]
fn negated_elements() {
    let statement = |members: &str| format!(r#"{{"Statement":{{"Effect":"Allow",{members}}}}}"#);
    let table = [
        (
            r#""NotPrincipal":{"AWS":"1"},"NotAction":"sqs:DeleteQueue","NotResource":"x""#,
            true,
        ),
        (r#""NotPrincipal":"*","Action":"*","Resource":"*""#, false),
        (
            r#""Principal":"*","NotAction":"sqs:*","Resource":"*""#,
            false,
        ),
        (r#""Principal":"*","Action":"*""#, false),
        (r#""Action":"*","Resource":"*""#, false),
    ];
    for (members, expected) in table {
        assert_eq!(
            allows(&statement(members), &request()),
            expected,
            "{members}"
        );
    }
}

#[test]
fn accounts() {
    let by = |name: &str| policy(&[&[("Principal", serde_json::json!({"AWS": name}))]]);
    let request = PolicyRequest {
        principal: Principal::Account("123456789012"),
        ..request()
    };
    assert!(allows(&by("123456789012"), &request));
    assert!(allows(&by("arn:aws:iam::123456789012:root"), &request));
    assert!(!allows(&by("arn:aws:iam::210987654321:root"), &request));
    assert!(!allows(&policy(&[&[]]), &request));
}

#[test]
fn what_is_no_policy_allows_nothing() {
    for text in [
        "",
        "{}",
        "[]",
        "null",
        r#"{"Statement":[]}"#,
        r#"{"Statement":"Allow"}"#,
        r#"{"Statement":[{}]}"#,
    ] {
        assert!(!allows(text, &request()), "{text}");
    }
}
