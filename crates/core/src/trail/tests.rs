//! Selectors as people write them, the ways to get them wrong, and a second, slower opinion on what they take.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn object(arn: &str, read_only: bool) -> Subject<'_> {
    Subject {
        source: "s3.amazonaws.com",
        name: if read_only { "GetObject" } else { "PutObject" },
        read_only,
        caller_arn: "arn:aws:iam::000000000000:root",
        object_arn: Some(arn),
    }
}

fn management(source: &str, read_only: bool) -> Subject<'_> {
    Subject {
        source,
        name: if read_only { "DescribeKey" } else { "PutRule" },
        read_only,
        caller_arn: "arn:aws:iam::000000000000:root",
        object_arn: None,
    }
}

fn put(selectors: &Value) -> Result<impl Fn(&Subject<'_>) -> bool + use<>, ApiError> {
    let request = serde_json::from_value(selectors.clone()).expect("the shape of a request");
    let (basic, advanced) = checked(request)?;
    Ok(move |subject: &Subject<'_>| take(&basic, &advanced, subject))
}

fn basic(members: Value) -> Value {
    json!({"EventSelectors": [members]})
}

fn data(values: &[&str]) -> Value {
    json!({"DataResources": [{"Type": OBJECT, "Values": values}]})
}

fn advanced(fields: Value) -> Value {
    json!({"AdvancedEventSelectors": [{"FieldSelectors": fields}]})
}

fn data_fields(more: Value) -> Value {
    let mut fields = vec![
        json!({"Field": "eventCategory", "Equals": ["Data"]}),
        json!({"Field": "resources.type", "Equals": [OBJECT]}),
    ];
    fields.extend(more.as_array().expect("a list").iter().cloned());
    advanced(Value::Array(fields))
}

#[test]
fn a_trail_that_was_told_nothing_takes_management_events_only() {
    let standard = [standard()];
    assert!(take(
        &standard,
        &[],
        &management("events.amazonaws.com", false)
    ));
    assert!(take(
        &standard,
        &[],
        &management("events.amazonaws.com", true)
    ));
    assert!(!take(&standard, &[], &object("arn:aws:s3:::b/k", false)));
    assert!(!take_data(&standard, &[]));
}

#[test]
fn basic_selectors_of_data_events() {
    let key = "arn:aws:s3:::sample-bucket/test/aaa/complete.txt";
    let table = [
        (basic(data(&["arn:aws:s3"])), true),
        (basic(data(&["arn:aws:s3:::"])), true),
        (basic(data(&["arn:aws:s3:::sample-bucket/"])), true),
        (basic(data(&["arn:aws:s3:::sample-bucket/test"])), true),
        (basic(data(&["arn:aws:s3:::sample-bucket/te"])), true),
        (basic(data(&["arn:aws:s3:::sample-bucket/test/b"])), false),
        (basic(data(&["arn:aws:s3:::sample/"])), false),
        (
            basic(data(&["arn:aws:s3:::x/", "arn:aws:s3:::sample-bucket/"])),
            true,
        ),
        (basic(data(&[])), false),
        (
            basic(
                json!({"DataResources": [{"Type": "AWS::Lambda::Function", "Values": ["arn:aws:lambda"]}]}),
            ),
            false,
        ),
        (
            json!({"EventSelectors": [{"ReadWriteType": "ReadOnly"}, data(&["arn:aws:s3:::"])]}),
            true,
        ),
    ];
    for (selectors, expected) in table {
        let takes = put(&selectors).unwrap_or_else(|e| panic!("{selectors}: {e}"));
        assert_eq!(takes(&object(key, false)), expected, "{selectors}");
    }
}

#[test]
fn reading_and_writing() {
    for (kind, reads, writes) in [
        ("All", true, true),
        ("ReadOnly", true, false),
        ("WriteOnly", false, true),
    ] {
        let mut selector = data(&["arn:aws:s3:::b/"]);
        selector["ReadWriteType"] = kind.into();
        let takes = put(&basic(selector)).unwrap();
        assert_eq!(takes(&object("arn:aws:s3:::b/k", true)), reads, "{kind}");
        assert_eq!(takes(&object("arn:aws:s3:::b/k", false)), writes, "{kind}");
        assert_eq!(
            takes(&management("ecs.amazonaws.com", true)),
            reads,
            "{kind}"
        );
        assert_eq!(
            takes(&management("ecs.amazonaws.com", false)),
            writes,
            "{kind}"
        );
    }
}

#[test]
fn management_events_can_be_left_out_as_a_whole_or_by_source() {
    let takes = put(&basic(json!({"IncludeManagementEvents": false}))).unwrap();
    assert!(!takes(&management("ecs.amazonaws.com", false)));
    let takes = put(&basic(
        json!({"ExcludeManagementEventSources": ["kms.amazonaws.com"]}),
    ))
    .unwrap();
    assert!(!takes(&management("kms.amazonaws.com", true)));
    assert!(takes(&management("ecs.amazonaws.com", true)));
}

#[test]
fn advanced_selectors() {
    let key = "arn:aws:s3:::b/in/complete.csv";
    let arn = |condition: Value| {
        let mut field = condition;
        field["Field"] = "resources.ARN".into();
        json!([field])
    };
    let table = [
        (json!([]), true),
        (json!([{"Field": "readOnly", "Equals": ["false"]}]), true),
        (json!([{"Field": "readOnly", "Equals": ["true"]}]), false),
        (
            json!([{"Field": "eventName", "Equals": ["CopyObject", "PutObject"]}]),
            true,
        ),
        (
            json!([{"Field": "eventName", "StartsWith": ["Get", "Head"]}]),
            false,
        ),
        (
            json!([{"Field": "eventName", "NotEquals": ["PutObject"]}]),
            false,
        ),
        (
            json!([{"Field": "userIdentity.arn", "EndsWith": [":root"]}]),
            true,
        ),
        (arn(json!({"StartsWith": ["arn:aws:s3:::b/in/"]})), true),
        (arn(json!({"StartsWith": ["arn:aws:s3:::b/out/"]})), false),
        (
            arn(json!({"StartsWith": ["arn:aws:s3:::x/"], "EndsWith": [".csv"]})),
            true,
        ),
        (
            arn(json!({"StartsWith": ["arn:aws:s3:::b/"], "NotEndsWith": [".csv"]})),
            false,
        ),
        (
            arn(json!({"NotStartsWith": ["arn:aws:s3:::log/"], "NotEndsWith": [".tmp"]})),
            true,
        ),
        (
            arn(json!({"NotStartsWith": ["arn:aws:s3:::log/", "arn:aws:s3:::b/"]})),
            false,
        ),
    ];
    for (more, expected) in table {
        let takes = put(&data_fields(more.clone())).unwrap_or_else(|e| panic!("{more}: {e}"));
        assert_eq!(takes(&object(key, false)), expected, "{more}");
        assert!(!takes(&management("ecs.amazonaws.com", false)), "{more}");
    }
    let takes = put(&advanced(
        json!([{"Field": "eventCategory", "Equals": ["Management"]}]),
    ))
    .unwrap();
    assert!(takes(&management("ecs.amazonaws.com", false)));
    assert!(!takes(&object(key, false)));
}

#[test]
fn what_aws_refuses() {
    let category = |values: Value| advanced(json!([{"Field": "eventCategory", "Equals": values}]));
    let many = |count: usize| -> Vec<String> {
        (0..count).map(|n| format!("arn:aws:s3:::b/{n}")).collect()
    };
    let values = |count: usize| json!([{"Field": "resources.ARN", "Equals": many(count)}]);
    let table = [
        (json!({}), "at least one"),
        (
            json!({"EventSelectors": [{}], "AdvancedEventSelectors": data_fields(json!([]))["AdvancedEventSelectors"]}),
            "both",
        ),
        (json!({"EventSelectors": vec![json!({}); 6]}), "limit of 5"),
        (
            basic(json!({"DataResources": [{"Type": OBJECT, "Values": many(251)}]})),
            "limit of 250",
        ),
        (
            basic(
                json!({"DataResources": [{"Type": "AWS::S3::Bucket", "Values": ["arn:aws:s3:::b/"]}]}),
            ),
            "Type",
        ),
        (
            basic(data(&["arn:aws:s3:::b"])),
            "Value arn:aws:s3:::b for DataResources.Values is invalid.",
        ),
        (basic(data(&["arn:aws:s3:::*/*"])), "is invalid"),
        (basic(data(&["arn:aws:s3:::*"])), "is invalid"),
        (basic(data(&["arn:aws:s3:::/"])), "is invalid"),
        (basic(data(&["s3://b/"])), "is invalid"),
        (basic(data(&["arn:aws:sqs"])), "is invalid"),
        (
            basic(json!({"ExcludeManagementEventSources": ["s3.amazonaws.com"]})),
            "Exclude",
        ),
        (
            advanced(json!([{"Field": "readOnly", "Equals": ["true"]}])),
            "eventCategory",
        ),
        (category(json!(["Data", "Management"])), "eventCategory"),
        (category(json!(["Insight"])), "Insight"),
        (category(json!(["Data"])), "resources.type"),
        (
            data_fields(json!([{"Field": "readOnly", "Equals": ["yes"]}])),
            "readOnly",
        ),
        (
            data_fields(json!([{"Field": "vpcEndpointId", "Equals": ["x"]}])),
            "vpcEndpointId",
        ),
        (data_fields(json!([{"Field": "eventName"}])), "no operator"),
        (
            data_fields(
                json!([{"Field": "eventName", "Equals": ["a"]}, {"Field": "eventName", "Equals": ["b"]}]),
            ),
            "more than once",
        ),
        (data_fields(values(499)), "limit of 500"),
    ];
    for (selectors, told) in table {
        let error = put(&selectors)
            .err()
            .unwrap_or_else(|| panic!("{selectors} was taken"));
        assert_eq!(error.code, "InvalidEventSelectorsException", "{selectors}");
        assert!(error.message.contains(told), "{}", error.message);
    }
    assert!(put(&data_fields(values(498))).is_ok());
    assert!(
        put(&basic(
            json!({"DataResources": [{"Type": OBJECT, "Values": many(250)}]})
        ))
        .is_ok()
    );
}

#[test]
fn names() {
    for name in ["abc", "sample-events", "A.b_c-1", &"x".repeat(128)] {
        assert_eq!(name::check(name), Ok(()), "{name}");
    }
    let table = [
        ("", "blank"),
        (
            "ab",
            "Minimum allowed length: 3 characters. Specified name length: 2 characters.",
        ),
        (&"x".repeat(129), "Maximum allowed length: 128"),
        ("my trail", "can only contain"),
        ("-abc", "starts with"),
        ("abc-", "ends with"),
        ("my-_name", "adjacent"),
        ("192.168.5.4", "IP address"),
    ];
    for (name, told) in table {
        let error = name::check(name).expect_err(name);
        assert_eq!(error.code, "InvalidTrailNameException");
        assert!(error.message.contains(told), "{}", error.message);
    }
    let caller = Caller::service("x", "000000000000", "us-east-1", String::new());
    let named = name::parse(
        &caller,
        "arn:aws:cloudtrail:eu-west-1:111122223333:trail/abc",
    )
    .unwrap();
    assert_eq!(named.region.as_deref(), Some("eu-west-1"));
    assert_eq!(
        (named.account.as_str(), named.name.as_str()),
        ("111122223333", "abc")
    );
    for arn in [
        "arn:aws:s3:::trail/abc",
        "arn:aws:cloudtrail:eu-west-1:111122223333:abc",
        "arn:x",
    ] {
        let error = name::parse(&caller, arn).expect_err(arn);
        assert_eq!(error.code, "CloudTrailARNInvalidException");
    }
}

use crate::caller::Caller;

const OPERATORS: [&str; 6] = [
    "Equals",
    "StartsWith",
    "EndsWith",
    "NotEquals",
    "NotStartsWith",
    "NotEndsWith",
];

fn condition() -> impl Strategy<Value = Vec<(usize, Vec<String>)>> {
    let value = "[ab/]{1,3}";
    proptest::collection::vec(
        (0..OPERATORS.len(), proptest::collection::vec(value, 1..3)),
        1..4,
    )
}

/// What one field selector says of a value, spelled out from the documentation.
fn model(conditions: &[(usize, Vec<String>)], value: &str) -> bool {
    let mut given: [Option<&[String]>; 6] = [None; 6];
    for (operator, values) in conditions {
        given[*operator] = Some(values);
    }
    let said = |index: usize| {
        given[index].map(|values| {
            values.iter().any(|wanted| match index % 3 {
                0 => value == wanted,
                1 => value.get(..wanted.len()) == Some(wanted.as_str()),
                _ => {
                    value.len() >= wanted.len()
                        && value.get(value.len() - wanted.len()..) == Some(wanted.as_str())
                }
            })
        })
    };
    let selecting: Vec<bool> = (0..3).filter_map(said).collect();
    let deselecting: Vec<bool> = (3..6).filter_map(said).collect();
    (selecting.is_empty() || selecting.contains(&true)) && !deselecting.contains(&true)
}

proptest! {
    #[test]
    fn a_field_selector_is_what_the_documentation_says(conditions in condition(), value in "[ab/]{0,4}") {
        let mut field = json!({"Field": "resources.ARN"});
        for (operator, values) in &conditions {
            field[OPERATORS[*operator]] = json!(values);
        }
        let takes = put(&data_fields(json!([field]))).unwrap();
        prop_assert_eq!(takes(&object(&value, false)), model(&conditions, &value));
    }

    #[test]
    fn a_basic_selector_takes_exactly_the_arns_that_begin_with_one_of_its_values(
        prefixes in proptest::collection::vec("b/[xy]{0,3}", 1..4), key in "b/[xy]{0,4}"
    ) {
        let values: Vec<String> = prefixes.iter().map(|p| format!("arn:aws:s3:::{p}")).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let takes = put(&basic(data(&values))).unwrap();
        let expected = prefixes.iter().any(|p| key.get(..p.len()) == Some(p.as_str()));
        prop_assert_eq!(takes(&object(&format!("arn:aws:s3:::{key}"), false)), expected);
    }

    #[test]
    fn who_cannot_take_data_takes_none(only_management: bool, read_only: bool, key in "[a-z/]{0,8}") {
        let selectors = if only_management { standard() } else { api::EventSelector::default() };
        prop_assert!(!take_data(std::slice::from_ref(&selectors), &[]));
        prop_assert!(!take(&[selectors], &[], &object(&key, read_only)));
    }
}
