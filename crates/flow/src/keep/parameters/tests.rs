//! Parameters through the flow, as clients see them.

use std::sync::Arc;

use landfall_core::api::generated::ssm as api;
use landfall_testkit::{FakeRuntime, MemoryContents, MemoryState, SeededIds, TestClock};

use super::*;
use crate::drive::{Flow, FlowParts};

fn flow() -> Flow {
    Flow::open(FlowParts {
        state: Arc::new(MemoryState::new()),
        contents: Arc::new(MemoryContents::new()),
        runtime: Arc::new(FakeRuntime::new()),
        clock: Arc::new(TestClock::at(Timestamp(1_700_000_000_000))),
        ids: Arc::new(SeededIds::new(3)),
        endpoint: "http://127.0.0.1:4566".to_owned(),
        container_credentials: None,
        settings: landfall_core::settings::Settings::default(),
    })
    .unwrap()
}

fn caller() -> Caller {
    Caller::service("test", "123456789012", "eu-west-1", "request".to_owned())
}

fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

fn plain(name: &str, value: &str) -> api::PutParameterRequest {
    api::PutParameterRequest {
        name: text(name),
        value: text(value),
        r#type: text("String"),
        ..Default::default()
    }
}

fn over(name: &str, value: &str) -> api::PutParameterRequest {
    api::PutParameterRequest {
        overwrite: Some(true),
        r#type: None,
        ..plain(name, value)
    }
}

async fn write(
    flow: &Flow,
    request: api::PutParameterRequest,
) -> Result<api::PutParameterResult, ApiError> {
    flow.write(move |tx| put(tx, &caller(), request)).await
}

fn read(flow: &Flow, name: &str, decrypt: bool) -> Result<api::Parameter, ApiError> {
    let request = api::GetParameterRequest {
        name: text(name),
        with_decryption: Some(decrypt),
    };
    get(&flow.view(), &caller(), &request).map(|r| r.parameter.unwrap())
}

#[tokio::test]
async fn versions_are_selected_by_number() {
    let flow = flow();
    assert_eq!(
        write(&flow, plain("/a/b", "one")).await.unwrap().version,
        Some(1)
    );
    let error = write(&flow, plain("/a/b", "two")).await.unwrap_err();
    assert_eq!(error.code, "ParameterAlreadyExists");
    assert_eq!(
        write(&flow, over("/a/b", "two")).await.unwrap().version,
        Some(2)
    );
    let arn = "arn:aws:ssm:eu-west-1:123456789012:parameter/a/b";
    let table = [
        ("/a/b", "two", None),
        ("/a/b:1", "one", Some(":1")),
        ("/a/b:2", "two", Some(":2")),
        (arn, "two", None),
    ];
    for (name, value, selector) in table {
        let found = read(&flow, name, false).unwrap();
        assert_eq!(found.value.as_deref(), Some(value), "{name}");
        assert_eq!(found.selector.as_deref(), selector, "{name}");
        assert_eq!(found.arn.as_deref(), Some(arn));
    }
    assert_eq!(
        read(&flow, "/a/b:3", false).unwrap_err().code,
        "ParameterVersionNotFound"
    );
    let error = read(&flow, "/none", false).unwrap_err();
    assert_eq!(
        (error.code.as_ref(), error.message.as_str()),
        ("ParameterNotFound", "")
    );
    let request = api::GetParameterHistoryRequest {
        name: text("/a/b"),
        ..Default::default()
    };
    let history = get_history(&flow.view(), &caller(), &request)
        .unwrap()
        .parameters
        .unwrap();
    let values: Vec<_> = history
        .iter()
        .map(|h| h.value.as_deref().unwrap())
        .collect();
    assert_eq!(values, ["one", "two"]);
}

#[tokio::test]
async fn other_rooms_read_values_by_name_arn_and_version() {
    let flow = flow();
    write(&flow, plain("short", "one")).await.unwrap();
    write(&flow, over("short", "two")).await.unwrap();
    let view = flow.view();
    let arn = "arn:aws:ssm:eu-west-1:123456789012:parameter/short";
    let table = [
        ("short", Some("two")),
        ("short:1", Some("one")),
        (arn, Some("two")),
        ("x", None),
    ];
    for (name, expected) in table {
        assert_eq!(
            value(&view, &caller(), name).unwrap().as_deref(),
            expected,
            "{name}"
        );
    }
    let look = |version| lookup(&view, "123456789012", "eu-west-1", "short", version).unwrap();
    assert_eq!(look(None).as_deref(), Some("two"));
    assert_eq!(look(Some(1)).as_deref(), Some("one"));
    assert_eq!(look(Some(9)), None);
}

#[tokio::test]
async fn a_secret_is_shown_only_when_asked() {
    let flow = flow();
    let request = api::PutParameterRequest {
        r#type: text("SecureString"),
        ..plain("/s", "hunter2")
    };
    write(&flow, request).await.unwrap();
    assert_eq!(
        read(&flow, "/s", true).unwrap().value.as_deref(),
        Some("hunter2")
    );
    let hidden = read(&flow, "/s", false).unwrap().value.unwrap();
    assert!(!hidden.contains("hunter2"));
    assert_eq!(
        value(&flow.view(), &caller(), "/s").unwrap().as_deref(),
        Some("hunter2")
    );
}

#[tokio::test]
async fn what_aws_refuses_is_refused() {
    let flow = flow();
    write(&flow, plain("/p", "x")).await.unwrap();
    let base = || plain("/new", "12a");
    let tag = api::Tag {
        key: text("k"),
        value: text("v"),
    };
    let table = [
        (
            api::PutParameterRequest {
                r#type: None,
                ..base()
            },
            "ValidationException",
        ),
        (plain("/new", ""), "ValidationException"),
        (plain("/new", &"x".repeat(4097)), "ValidationException"),
        (
            api::PutParameterRequest {
                allowed_pattern: text("\\d+"),
                ..base()
            },
            "ParameterPatternMismatchException",
        ),
        (
            api::PutParameterRequest {
                allowed_pattern: text("("),
                ..base()
            },
            "InvalidAllowedPatternException",
        ),
        (
            api::PutParameterRequest {
                r#type: text("SecureString"),
                ..over("/p", "y")
            },
            "HierarchyTypeMismatchException",
        ),
        (
            api::PutParameterRequest {
                tags: Some(vec![tag]),
                ..over("/p", "y")
            },
            "ValidationException",
        ),
        (
            api::PutParameterRequest {
                policies: text("[{\"Type\":\"Expiration\"}]"),
                ..base()
            },
            "InvalidPolicyTypeException",
        ),
    ];
    for (request, code) in table {
        let shown = format!("{request:?}");
        assert_eq!(
            write(&flow, request).await.unwrap_err().code,
            code,
            "{shown}"
        );
    }
    assert_eq!(
        read(&flow, "/new", false).unwrap_err().code,
        "ParameterNotFound"
    );
}

#[tokio::test]
async fn tiers_follow_the_size() {
    let flow = flow();
    let large = "x".repeat(4097);
    let tiered = |tier: &str, request| api::PutParameterRequest {
        tier: text(tier),
        ..request
    };
    let made = write(&flow, tiered("Intelligent-Tiering", plain("/i", &large)))
        .await
        .unwrap();
    assert_eq!(made.tier.as_deref(), Some("Advanced"));
    let error = write(&flow, tiered("Standard", over("/i", "x")))
        .await
        .unwrap_err();
    assert!(error.message.contains("downgrade"));
    let made = write(&flow, tiered("Intelligent-Tiering", plain("/j", "x")))
        .await
        .unwrap();
    assert_eq!(made.tier.as_deref(), Some("Standard"));
}

#[tokio::test]
async fn a_hundred_versions_are_kept() {
    let flow = flow();
    write(&flow, plain("/v", "1")).await.unwrap();
    for number in 2..=103 {
        write(&flow, over("/v", &number.to_string())).await.unwrap();
    }
    assert_eq!(
        read(&flow, "/v:3", false).unwrap_err().code,
        "ParameterVersionNotFound"
    );
    assert_eq!(
        read(&flow, "/v:4", false).unwrap().value.as_deref(),
        Some("4")
    );
}

#[tokio::test]
async fn paths_and_filters_select() {
    let flow = flow();
    for name in ["/app/a", "/app/b", "/app/deep/c", "/apple", "root"] {
        write(&flow, plain(name, "v")).await.unwrap();
    }
    let by_path = |path: &str, recursive, token: Option<String>, count| {
        let request = api::GetParametersByPathRequest {
            path: text(path),
            recursive: Some(recursive),
            max_results: count,
            next_token: token,
            ..Default::default()
        };
        let answer = get_by_path(&flow.view(), &caller(), &request).unwrap();
        let names: Vec<_> = answer
            .parameters
            .unwrap()
            .into_iter()
            .filter_map(|p| p.name)
            .collect();
        (names, answer.next_token)
    };
    assert_eq!(by_path("/app", false, None, None).0, ["/app/a", "/app/b"]);
    assert_eq!(by_path("/app", true, None, None).0.len(), 3);
    let (first, token) = by_path("/app", true, None, Some(2));
    assert_eq!(first.len(), 2);
    assert_eq!(
        by_path("/app", true, token, Some(2)),
        (vec!["/app/deep/c".to_owned()], None)
    );
    let described = |key: &str, option: Option<&str>, value: &str| {
        let filter = api::ParameterStringFilter {
            key: text(key),
            option: option.map(str::to_owned),
            values: Some(vec![value.to_owned()]),
        };
        let request = api::DescribeParametersRequest {
            parameter_filters: Some(vec![filter]),
            ..Default::default()
        };
        describe(&flow.view(), &caller(), &request).map(|r| r.parameters.unwrap().len())
    };
    assert_eq!(described("Name", None, "/app/a").unwrap(), 1);
    assert_eq!(described("Name", Some("BeginsWith"), "/app").unwrap(), 4);
    assert_eq!(described("Type", None, "SecureString").unwrap(), 0);
    assert_eq!(described("Path", Some("Recursive"), "/app").unwrap(), 3);
    assert_eq!(
        described("Name", Some("Near"), "x").unwrap_err().code,
        "InvalidFilterOption"
    );
    assert_eq!(
        described("Label", None, "x").unwrap_err().code,
        "InvalidFilterKey"
    );
}

#[tokio::test]
async fn a_deleted_parameter_leaves_neither_history_nor_tags() {
    let flow = flow();
    let tag = api::Tag {
        key: text("k"),
        value: text("v"),
    };
    let request = api::PutParameterRequest {
        tags: Some(vec![tag.clone()]),
        ..plain("/d", "1")
    };
    write(&flow, request).await.unwrap();
    let tags = |name: &str| {
        let request = api::ListTagsForResourceRequest {
            resource_type: text("Parameter"),
            resource_id: text(name),
        };
        list_tags(&flow.view(), &caller(), &request).map(|r| r.tag_list.unwrap())
    };
    assert_eq!(tags("/d").unwrap(), [tag]);
    let names = Some(vec!["/d".to_owned(), "/none".to_owned()]);
    let request = api::DeleteParametersRequest { names };
    let answer = flow
        .write(move |tx| delete_many(tx, &caller(), request))
        .await
        .unwrap();
    assert_eq!(answer.deleted_parameters.unwrap(), ["/d"]);
    assert_eq!(answer.invalid_parameters.unwrap(), ["/none"]);
    assert_eq!(tags("/d").unwrap_err().code, "InvalidResourceId");
    write(&flow, plain("/d", "new")).await.unwrap();
    assert!(tags("/d").unwrap().is_empty());
    assert_eq!(
        value(&flow.view(), &caller(), "/d:1").unwrap().as_deref(),
        Some("new")
    );
}
