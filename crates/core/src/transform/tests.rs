//! Tables for every row of the input rules, and the properties that keep a key from breaking out.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const CTX: RuleContext<'static> = RuleContext {
    rule_arn: "arn:aws:events:us-east-1:123456789012:rule/bus/r",
    rule_name: "r",
    ingestion_time: "2026-11-12T00:00:01Z",
};

const EVENT_TEXT: &str = r#"{
  "version": "0", "id": "17793124", "detail-type": "Object Created", "source": "aws.s3",
  "account": "111122223333", "time": "2026-11-12T00:00:00Z", "region": "ca-central-1",
  "resources": [ "arn:aws:s3:::in" ],
  "detail": { "s": "a/b é.csv", "esc": "x\u00e9\/y", "n": 1.50, "big": 12345678901234567890123, "t": true,
    "z": null, "o": { "acc_id": "0a787ecb-4015", "sf_id": "baz" }, "l": [ "ACTIVE", "INACTIVE" ],
    "one": ["HIGH"], "nums": [1, 2.0], "q": "say \"hi\"", "b": "back\\slash", "nl": "two\nlines",
    "empty": "", "re": "<v> <aws.events.rule-name>", "oq": { "k": "a\"b" } } }"#;

fn put(paths: &[(&str, &str)], template: &str) -> TargetInput {
    let paths = paths
        .iter()
        .map(|(n, p)| ((*n).to_owned(), (*p).to_owned()))
        .collect();
    TargetInput::Transformer {
        paths,
        template: template.to_owned(),
    }
}

/// Fills a template in which `<v>` stands for the named member of the detail.
fn fill(member: &str, template: &str) -> Result<String, TransformError> {
    let input = put(&[("v", &format!("$.detail.{member}"))], template);
    validate("t", &input).unwrap();
    transform(&input, EVENT_TEXT, &CTX)
}

#[test]
fn values_by_place() {
    const BARE: &str = r#"{"x": <v>}"#;
    const QUOTED: &str = r#"{"x": "<<v>>"}"#;
    const INSIDE: &str = r#"{"x": "p-<v>-s"}"#;
    const LINE: &str = "\"is <v>!\"";
    let table: [(&str, &str, &str); 45] = [
        ("s", BARE, r#"{"x": "a/b é.csv"}"#),
        ("s", INSIDE, r#"{"x": "p-a/b é.csv-s"}"#),
        ("s", QUOTED, r#"{"x": "<a/b é.csv>"}"#),
        ("s", LINE, "\"is a/b é.csv!\""),
        ("esc", BARE, r#"{"x": "x\u00e9\/y"}"#),
        ("esc", INSIDE, r#"{"x": "p-xé/y-s"}"#),
        ("esc", LINE, "\"is xé/y!\""),
        ("re", BARE, r#"{"x": "<v> <aws.events.rule-name>"}"#),
        ("re", INSIDE, r#"{"x": "p-<v> <aws.events.rule-name>-s"}"#),
        ("re", LINE, "\"is <v> <aws.events.rule-name>!\""),
        ("empty", BARE, r#"{"x": ""}"#),
        ("empty", INSIDE, r#"{"x": "p--s"}"#),
        ("empty", LINE, "\"is !\""),
        ("n", BARE, r#"{"x": 1.50}"#),
        ("n", INSIDE, r#"{"x": "p-1.50-s"}"#),
        ("n", LINE, "\"is 1.50!\""),
        ("big", BARE, r#"{"x": 12345678901234567890123}"#),
        ("big", INSIDE, r#"{"x": "p-12345678901234567890123-s"}"#),
        ("t", BARE, r#"{"x": true}"#),
        ("t", INSIDE, r#"{"x": "p-true-s"}"#),
        ("t", LINE, "\"is true!\""),
        ("z", BARE, r#"{"x": null}"#),
        ("z", INSIDE, r#"{"x": "p-null-s"}"#),
        ("z", LINE, "\"is null!\""),
        (
            "o",
            BARE,
            r#"{"x": {"acc_id":"0a787ecb-4015","sf_id":"baz"}}"#,
        ),
        ("o", LINE, "\"is {acc_id:0a787ecb-4015,sf_id:baz}!\""),
        ("l", BARE, r#"{"x": ["ACTIVE","INACTIVE"]}"#),
        ("l", LINE, "\"is [ACTIVE,INACTIVE]!\""),
        ("one", BARE, r#"{"x": ["HIGH"]}"#),
        ("one", LINE, "\"is [HIGH]!\""),
        ("nums", BARE, r#"{"x": [1,2.0]}"#),
        ("nums", INSIDE, r#"{"x": "p-[1,2.0]-s"}"#),
        ("nums", LINE, "\"is [1,2.0]!\""),
        ("o.*", BARE, r#"{"x": ["0a787ecb-4015","baz"]}"#),
        ("l[1]", BARE, r#"{"x": "INACTIVE"}"#),
        ("none", BARE, r#"{"x": ""}"#),
        ("none", INSIDE, r#"{"x": "p--s"}"#),
        ("none", LINE, "\"is !\""),
        ("q", BARE, r#"{"x": "say \"hi\""}"#),
        ("b", BARE, r#"{"x": "back\\slash"}"#),
        ("nl", BARE, r#"{"x": "two\nlines"}"#),
        ("oq", BARE, r#"{"x": {"k":"a\"b"}}"#),
        (
            "s",
            "\"one <v>\"\n\"two <v>\"",
            "\"one a/b é.csv\"\n\"two a/b é.csv\"",
        ),
        (
            "s",
            "\"quoted \\\"<v>\\\"\"",
            "\"quoted \\\"a/b é.csv\\\"\"",
        ),
        ("s", "  { \"x\" :\n<v> }", "  { \"x\" :\n\"a/b é.csv\" }"),
    ];
    for (member, template, expected) in table {
        assert_eq!(
            fill(member, template).as_deref(),
            Ok(expected),
            "{member} in {template}"
        );
    }
}

#[test]
fn values_that_break_out_fail_and_say_so() {
    let table = [
        ("q", r#"{"x": "<v>"}"#, "a double quote"),
        ("b", r#"{"x": "p-<v>"}"#, "a backslash"),
        ("nl", r#"{"x": "<v>"}"#, "a control character"),
        ("o", r#"{"x": "<v>"}"#, "a double quote"),
        ("l", r#"{"x": "<v>"}"#, "a double quote"),
        ("one", r#"{"x": "<v>"}"#, "a double quote"),
        ("q", "\"is <v>\"", "a double quote"),
        ("b", "\"is <v>\"", "a backslash"),
        ("nl", "\"is <v>\"", "a control character"),
        ("oq", "\"is <v>\"", "a backslash"),
    ];
    for (member, template, what) in table {
        let error = fill(member, template).unwrap_err();
        let text = error.to_string();
        assert!(
            matches!(error, TransformError::BreaksOut { .. }),
            "{member} in {template}: {text}"
        );
        for part in ["<v>", what, "unquoted form <v>", "break out"] {
            assert!(text.contains(part), "{part} missing in: {text}");
        }
    }
}

#[test]
fn results_that_are_not_json_fail() {
    let table: [(&str, &str); 6] = [
        ("s", r#"{"x": <v>"#),
        ("s", r#"{"x": <v><v>}"#),
        ("s", r#"{"x": "<v>}"#),
        ("s", r#"{"x": "\<v>"}"#),
        ("n", r#"{"x": "\u00<v>"}"#),
        ("s", "{\"x\": \"a\nb<v>\"}"),
    ];
    for (member, template) in table {
        let error = fill(member, template).unwrap_err();
        let expected = matches!(
            error,
            TransformError::NotJson(_) | TransformError::InsideEscape { .. }
        );
        assert!(expected, "{template}: {error}");
    }
    for template in [
        "<v>",
        "is <v>",
        "\"is <v>",
        "\"a\" <v>",
        "\"a\"\nb <v>",
        "[<v>]",
        "  ",
    ] {
        let error = fill("s", template).unwrap_err();
        assert!(
            matches!(error, TransformError::NotQuoted { .. }),
            "{template}: {error}"
        );
    }
}

#[test]
fn an_injected_environment_variable_fails_though_it_would_parse() {
    let template = r#"{"environment":[{"name":"OBJECT_KEY","value":"<v>"}]}"#;
    let event = json!({"detail": {"k": r#"a"},{"name":"LD_PRELOAD","value":"x"#}}).to_string();
    let raw = template.replace("<v>", r#"a"},{"name":"LD_PRELOAD","value":"x"#);
    assert!(
        serde_json::from_str::<Value>(&raw).is_ok(),
        "the attack must be a real one"
    );
    let error = transform(&put(&[("v", "$.detail.k")], template), &event, &CTX).unwrap_err();
    assert!(matches!(
        error,
        TransformError::BreaksOut { in_json: true, .. }
    ));
}

#[test]
fn reserved_placeholders() {
    let template = concat!(
        r#"{"arn":<aws.events.rule-arn>,"at":"<aws.events.event.ingestion-time>","#,
        r#""name":"<aws.events.rule-name>","e":<aws.events.event>}"#
    );
    let expected = concat!(
        r#"{"arn":"arn:aws:events:us-east-1:123456789012:rule/bus/r","at":"2026-11-12T00:00:01Z","#,
        r#""name":"r","e":{"id":"17793124","account":"111122223333","detailType":"Object Created","#,
        r#""time":"2026-11-12T00:00:00Z","source":"aws.s3","region":"ca-central-1","#,
        r#""resources":["arn:aws:s3:::in"],"version":"0"}}"#
    );
    let input = put(&[], template);
    validate("t", &input).unwrap();
    assert_eq!(transform(&input, EVENT_TEXT, &CTX).unwrap(), expected);

    let whole = transform(
        &put(&[], "{\"e\":<aws.events.event.json>}"),
        EVENT_TEXT,
        &CTX,
    )
    .unwrap();
    assert_eq!(whole, format!("{{\"e\":{}}}", json::minify(EVENT_TEXT)));
    let quoted = transform(
        &put(&[], "{\"e\":\"<aws.events.event>\"}"),
        EVENT_TEXT,
        &CTX,
    );
    assert!(matches!(quoted, Err(TransformError::BreaksOut { .. })));
}

#[test]
fn the_map_cannot_shadow_reserved_names() {
    let input = put(
        &[("aws.events.rule-name", "$.id")],
        "{\"n\":<aws.events.rule-name>}",
    );
    assert_eq!(
        transform(&input, EVENT_TEXT, &CTX).unwrap(),
        "{\"n\":\"r\"}"
    );
}

#[test]
fn inputs_without_template() {
    let path = |p: &str| transform(&TargetInput::Path(p.to_owned()), EVENT_TEXT, &CTX);
    assert_eq!(
        transform(&TargetInput::Event, EVENT_TEXT, &CTX).unwrap(),
        EVENT_TEXT
    );
    assert_eq!(
        transform(&TargetInput::Constant("{ }".into()), "", &CTX).unwrap(),
        "{ }"
    );
    assert_eq!(path("$.detail.o.sf_id").unwrap(), "\"baz\"");
    assert_eq!(path("$").unwrap(), json::minify(EVENT_TEXT));
    assert_eq!(
        path("$.notexisting"),
        Err(TransformError::Nothing {
            path: "$.notexisting".into()
        })
    );
    assert!(matches!(path("detail"), Err(TransformError::Path { .. })));
}

#[test]
fn validation_texts() {
    let message = |input: &TargetInput| {
        validate("T1", input)
            .map_or_else(|e| format!("{}: {}", e.code, e.message), |()| "ok".into())
    };
    let cases: Vec<(TargetInput, &str)> = vec![
        (TargetInput::Event, "ok"),
        (TargetInput::Constant("{\"a\":1}".into()), "ok"),
        (
            TargetInput::Constant("{".into()),
            "ValidationException: Input for target T1 is not a valid JSON text.",
        ),
        (
            TargetInput::Constant(format!("\"{}\"", "é".repeat(8190))),
            "ok",
        ),
        (
            TargetInput::Constant(format!("\"{}\"", "é".repeat(8191))),
            "ValidationException: 1 validation error detected: Value at 'input' failed to satisfy \
             constraint: Member must have length less than or equal to 8192",
        ),
        (TargetInput::Path("$.notexisting".into()), "ok"),
        (TargetInput::Path("not a path".into()), "ok"),
        (
            TargetInput::Path("x".repeat(257)),
            "ValidationException: 1 validation error detected: Value at 'inputPath' failed to satisfy \
             constraint: Member must have length less than or equal to 256",
        ),
        (
            put(&[("a", "$.a")], "\"<a> <b>\""),
            "ValidationException: InputTemplate for target T1 contains invalid placeholder b.",
        ),
        (
            put(&[], "{\"a\":<aws.events.nope>}"),
            "ValidationException: InputTemplate for target T1 contains invalid placeholder aws.events.nope.",
        ),
        (
            put(&[("AWSx", "$.a")], "\"<AWSx>\""),
            "ValidationException: InputPathsMap for target T1 contains the reserved key AWSx.",
        ),
        (
            put(&[], ""),
            "ValidationException: 1 validation error detected: Value at 'inputTransformer.inputTemplate' \
             failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (put(&[], &"x".repeat(8192)), "ok"),
        (
            put(&[], &"x".repeat(8193)),
            "ValidationException: 1 validation error detected: Value at 'inputTransformer.inputTemplate' \
             failed to satisfy constraint: Member must have length less than or equal to 8192",
        ),
        (put(&[(&"k".repeat(256), &"$".repeat(256))], "\"x\""), "ok"),
        (
            put(&[(&"k".repeat(257), "$")], "\"x\""),
            "ValidationException: 1 validation error detected: Value at 'inputTransformer.inputPathsMap' \
             failed to satisfy constraint: Member must have length less than or equal to 256",
        ),
        (
            put(&[("k", &"$".repeat(257))], "\"x\""),
            "ValidationException: 1 validation error detected: Value at 'inputTransformer.inputPathsMap' \
             failed to satisfy constraint: Member must have length less than or equal to 256",
        ),
    ];
    for (input, expected) in cases {
        assert_eq!(message(&input), expected, "{input:?}");
    }
    let many: Vec<_> = (0..101)
        .map(|n| (format!("k{n}"), "$".to_owned()))
        .collect();
    let too_many = TargetInput::Transformer {
        paths: many,
        template: "\"x\"".into(),
    };
    assert!(message(&too_many).contains("less than or equal to 100"));
    assert!(message(&put(&[("a b", "$")], "\"x\"")).contains("regular expression"));
}

#[test]
fn only_one_input_may_be_set() {
    let some = || Some("{}".to_owned());
    let error = TargetInput::from_parts("X", some(), some(), None).unwrap_err();
    assert_eq!(
        error.message,
        "Only one of Input, InputPath, or InputTransformer must be provided for target X."
    );
    assert_eq!(
        TargetInput::from_parts("X", None, None, None),
        Ok(TargetInput::Event)
    );
    assert_eq!(
        TargetInput::from_parts("X", None, some(), None),
        Ok(TargetInput::Path("{}".into()))
    );
}

fn key() -> impl Strategy<Value = String> {
    let nasty = "[\"\\\\\n\t\r\0<>{}\\[\\],:$()'&%+ aué😀\u{7f}\u{2028}]{0,24}";
    prop_oneof![nasty, any::<String>()]
}

const RUN: &str =
    r#"{"containerOverrides":[{"name":"c","environment":[{"name":"OBJECT_KEY","value":VALUE}]}]}"#;

fn run(key: &str, value: &str) -> Result<Value, TransformError> {
    let event = json!({"detail": {"object": {"key": key}}}).to_string();
    let input = put(
        &[("key", "$.detail.object.key")],
        &RUN.replace("VALUE", value),
    );
    transform(&input, &event, &CTX).map(|text| serde_json::from_str(&text).unwrap())
}

fn delivered(value: &str) -> Value {
    json!({"containerOverrides": [
        {"name": "c", "environment": [{"name": "OBJECT_KEY", "value": value}]}
    ]})
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn unquoted_carries_every_key(key in key()) {
        prop_assert_eq!(run(&key, "<key>"), Ok(delivered(&key)));
    }

    #[test]
    fn quoted_carries_the_key_or_fails(key in key(), before in "[a-z/é]{0,4}") {
        let is_safe = !key.chars().any(|c| c < ' ' || c == '"' || c == '\\');
        match run(&key, &format!("\"{before}<key>\"")) {
            Ok(run) => {
                prop_assert!(is_safe);
                prop_assert_eq!(run, delivered(&format!("{before}{key}")));
            }
            Err(error) => {
                prop_assert!(!is_safe);
                let is_break_out = matches!(error, TransformError::BreaksOut { .. });
                prop_assert!(is_break_out, "{}", error);
            }
        }
    }

    #[test]
    fn a_string_line_stays_one_string(key in key()) {
        let event = json!({"k": key}).to_string();
        match transform(&put(&[("k", "$.k")], "\"got <k>.\""), &event, &CTX) {
            Ok(line) => prop_assert_eq!(line, format!("\"got {key}.\"")),
            Err(error) => {
                let is_break_out = matches!(error, TransformError::BreaksOut { .. });
                prop_assert!(is_break_out, "{}", error);
            }
        }
    }

    #[test]
    fn no_template_panics_or_delivers_broken_json(template in "[{}\"\\\\<>k:,u0 \n]{0,20}", key in key()) {
        let event = json!({"k": key}).to_string();
        if let Ok(text) = transform(&put(&[("k", "$.k")], &template), &event, &CTX) {
            let whole = serde_json::from_str::<Value>(&text).is_ok();
            let lines = text.lines().all(|l| l.trim().is_empty() || l.trim().starts_with('"'));
            prop_assert!(whole || lines, "{:?}", text);
        }
    }
}
