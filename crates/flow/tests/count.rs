//! What EventBridge counts: that it is in the commit of what it counts, and what CloudWatch's API tells of it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing)]

#[allow(dead_code)]
#[path = "stored/house.rs"]
mod house;

use landfall_core::api::generated::cloudwatch as api;
use landfall_core::caller::Caller;
use landfall_core::clock::Clock as _;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_core::metrics::Metric;
use landfall_flow::count::{Minute, cloudwatch};
use landfall_flow::deliver::{Delivery, Outcome};
use landfall_flow::keep::queues;
use landfall_flow::route::{StoredEvent, bus, emit, put_events, rules, targets};
use landfall_flow::run::{cluster, definition};
use landfall_flow::{Key, Reader, Tx, View};
use landfall_testkit::{FakeRuntime, MemoryContents, MemoryState};
use serde_json::{Value, json};

use house::{BEGIN, ENDPOINT, House, caller, request};

const OPEN: &str =
    r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"sqs:*","Resource":"*"}}"#;

fn arn(service: &str, resource: &str) -> String {
    format!("arn:aws:{service}:us-east-1:000000000000:{resource}")
}

/// A house with the queues `q` and `dlq`, which all may send to, `shut`, which nobody may, and a bus.
async fn furnished() -> House {
    let house = House::open(
        MemoryState::new(),
        MemoryContents::new(),
        FakeRuntime::new(),
        BEGIN,
    );
    for (name, attributes) in [
        ("q", json!({"Policy": OPEN})),
        ("dlq", json!({"Policy": OPEN})),
        ("shut", json!({})),
    ] {
        let create = |tx: &mut Tx<'_>, c: &Caller, q| queues::create(tx, c, ENDPOINT, q);
        let asked = json!({"QueueName": name, "Attributes": attributes});
        house.give(create, asked).await;
    }
    house.give(bus::create, json!({"Name": "own"})).await;
    house
}

async fn rule(house: &House, bus: &str, name: &str, target: Value) {
    let pattern = r#"{"source":["demo"]}"#;
    let put = json!({"Name": name, "EventBusName": bus, "EventPattern": pattern});
    house.give(rules::put, put).await;
    let put = json!({"Rule": name, "EventBusName": bus, "Targets": [target]});
    house.give(targets::put, put).await;
}

fn to(queue: &str, dead: Option<&str>) -> Value {
    let mut target = json!({"Id": "t", "Arn": arn("sqs", queue)});
    if let Some(dead) = dead {
        target["DeadLetterConfig"] = json!({"Arn": arn("sqs", dead)});
    }
    target
}

async fn send(house: &House, bus: &str) {
    let entry = json!({"EventBusName": bus, "Source": "demo", "DetailType": "d", "Detail": "{}"});
    let sent = house
        .give(put_events::put, json!({"Entries": [entry]}))
        .await;
    assert_eq!(sent.failed_entry_count, Some(0));
    house.quiet().await;
}

/// The named dimensions of a metric.
fn by(dimensions: &[(&str, &str)]) -> Value {
    let all = dimensions.iter();
    all.map(|(name, value)| json!({"Name": name, "Value": value}))
        .collect()
}

/// All that was ever counted of a metric: samples and sum.
fn counted(db: &impl Reader, metric: &str, dimensions: &[(&str, &str)]) -> (f64, f64) {
    let begin = BEGIN.0 / 1_000;
    let asked = json!({
        "Namespace": "AWS/Events", "MetricName": metric, "Dimensions": by(dimensions),
        "StartTime": begin, "EndTime": begin + 30 * 86_400, "Period": 30 * 86_400,
        "Statistics": ["Sum", "SampleCount"],
    });
    let told = cloudwatch::get_metric_statistics(db, &caller(), &request(asked)).unwrap();
    let points = told.datapoints.unwrap();
    let point = points.first();
    point.map_or((0.0, 0.0), |it| (it.sample_count.unwrap(), it.sum.unwrap()))
}

fn sum(house: &House, metric: &str, dimensions: &[(&str, &str)]) -> u64 {
    let (_, sum) = counted(&house.flow.view(), metric, dimensions);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let sum = sum as u64;
    sum
}

#[track_caller]
fn check(house: &House, dimensions: &[(&str, &str)], expected: &[(&str, u64)]) {
    for (metric, count) in expected {
        let found = sum(house, metric, dimensions);
        assert_eq!(found, *count, "{metric} {dimensions:?}");
    }
}

#[tokio::test]
async fn each_metric_counts_by_the_dimensions_that_aws_tells_it_by() {
    let house = furnished().await;
    rule(&house, "default", "a", to("q", None)).await;
    rule(&house, "default", "b", to("q", None)).await;
    rule(&house, "own", "a", to("q", None)).await;
    for bus in ["default", "default", "own"] {
        send(&house, bus).await;
    }
    let of_a = [
        ("MatchedEvents", 2),
        ("TriggeredRules", 2),
        ("Invocations", 2),
        ("InvocationAttempts", 2),
        ("SuccessfulInvocationAttempts", 2),
        ("RetryInvocationAttempts", 0),
        ("FailedInvocations", 0),
        ("InvocationsCreated", 0),
        ("PutEventsEntriesCount", 0),
    ];
    check(&house, &[("RuleName", "a")], &of_a);
    check(
        &house,
        &[("EventBusName", "own"), ("RuleName", "a")],
        &[("Invocations", 1)],
    );
    // Of the default bus a rule goes by its name alone.
    let long = [("EventBusName", "default"), ("RuleName", "a")];
    check(&house, &long, &[("Invocations", 0)]);
    let of_bus = [
        ("MatchedEvents", 2),
        ("TriggeredRules", 4),
        ("InvocationAttempts", 4),
        ("Invocations", 0),
    ];
    check(&house, &[("EventBusName", "default")], &of_bus);
    let of_all = [
        ("TriggeredRules", 5),
        ("Invocations", 5),
        ("InvocationsCreated", 5),
        ("MatchedEvents", 0),
        ("PutEventsApproximateCallCount", 3),
        ("PutEventsApproximateSuccessCount", 3),
        ("PutEventsEntriesCount", 3),
        ("PutEventsFailedEntriesCount", 0),
        ("PutEventsRequestSize", 3 * (14 + 4 + 1 + 2)),
    ];
    check(&house, &[], &of_all);
}

#[tokio::test]
async fn failures_count_once_and_dead_letters_by_whether_they_arrived() {
    let house = furnished().await;
    rule(&house, "default", "sent", to("none", Some("dlq"))).await;
    rule(&house, "default", "lost", to("none", Some("shut"))).await;
    rule(&house, "default", "dropped", to("none", None)).await;
    send(&house, "default").await;
    for (rule, sent, lost) in [("sent", 1, 0), ("lost", 0, 1), ("dropped", 0, 0)] {
        let expected = [
            ("FailedInvocations", 1),
            ("Invocations", 1),
            ("InvocationAttempts", 1),
            ("SuccessfulInvocationAttempts", 0),
            ("InvocationsSentToDlq", sent),
            ("InvocationsFailedToBeSentToDlq", lost),
        ];
        check(&house, &[("RuleName", rule)], &expected);
    }
}

#[tokio::test]
async fn a_retry_counts_as_one_and_success_is_measured_from_when_the_event_came() {
    let house = furnished().await;
    rule(&house, "default", "r", to("q", None)).await;
    house.state.fail_reads_of(Key::new("queue").bytes(), 0);
    send(&house, "default").await;
    house.state.heal_reads();
    house.later(60_000);
    house.write(|_| Ok(())).await;
    house
        .until("delivered", |house| {
            let all: Vec<Delivery> = house.flow.view().all(&Key::new("delivery")).unwrap();
            all[0].outcome == Outcome::Delivered
        })
        .await;
    let r = [("RuleName", "r")];
    let expected = [
        ("InvocationAttempts", 2),
        ("RetryInvocationAttempts", 1),
        ("SuccessfulInvocationAttempts", 1),
        ("Invocations", 1),
        ("FailedInvocations", 0),
        ("IngestionToInvocationStartLatency", 0),
        ("IngestionToInvocationCompleteLatency", 0),
        ("IngestionToInvocationSuccessLatency", 60_000),
    ];
    check(&house, &r, &expected);
    let view = house.flow.view();
    let (samples, _) = counted(&view, "IngestionToInvocationStartLatency", &r);
    assert!((samples - 1.0).abs() < 1e-9);
}

#[tokio::test]
async fn a_task_that_could_not_be_started_fails_an_invocation_that_counts_once() {
    let house = furnished().await;
    house
        .give(cluster::create, json!({"clusterName": "batch"}))
        .await;
    let csv = json!({"family": "csv", "containerDefinitions": [{"name": "app", "image": "app:1", "memory": 64}]});
    house.give(definition::register, csv).await;
    house.runtime.fail_pulls_of("app:1");
    let target = json!({"Id": "t", "Arn": arn("ecs", "cluster/batch"), "RoleArn": "arn:aws:iam::000000000000:role/x",
                        "EcsParameters": {"TaskDefinitionArn": "csv"}, "RetryPolicy": {"MaximumRetryAttempts": 0}});
    rule(&house, "default", "r", target).await;
    send(&house, "default").await;
    house
        .until("given up", |house| {
            let all: Vec<Delivery> = house.flow.view().all(&Key::new("delivery")).unwrap();
            matches!(all[0].outcome, Outcome::GivenUp(_))
        })
        .await;
    let expected = [
        ("InvocationAttempts", 1),
        ("SuccessfulInvocationAttempts", 1),
        ("Invocations", 1),
        ("FailedInvocations", 1),
    ];
    check(&house, &[("RuleName", "r")], &expected);
}

/// Whatever is lost in a crash, the counts and what they count are lost together.
#[tokio::test]
async fn after_a_crash_at_any_commit_the_counts_are_those_of_the_deliveries_there_are() {
    let house = furnished().await;
    rule(&house, "default", "good", to("q", None)).await;
    rule(&house, "default", "bad", to("none", Some("dlq"))).await;
    let before = house.state.commits();
    for _ in 0..4 {
        send(&house, "default").await;
    }
    for commits in before..=house.state.commits() {
        let state = house.state.crash(commits);
        let view = View::new(&state);
        let all: Vec<Delivery> = view.all(&Key::new("delivery")).unwrap();
        for rule in ["good", "bad"] {
            let of = all.iter().filter(|d| d.rule == rule);
            let matched = of.clone().count();
            let settled = of.filter(|d| d.finished_at.is_some()).count();
            for (metric, count) in [("MatchedEvents", matched), ("Invocations", settled)] {
                let (_, sum) = counted(&view, metric, &[("RuleName", rule)]);
                assert!(
                    (sum - f64::from(u32::try_from(count).unwrap())).abs() < 1e-9,
                    "{metric} of {rule} after {commits}"
                );
            }
        }
    }
}

fn minutes(house: &House) -> usize {
    let all: Vec<Minute> = house.flow.view().all(&Key::new("metric")).unwrap();
    all.len()
}

#[tokio::test]
async fn what_matches_nothing_writes_nothing_and_a_turn_writes_one_record_for_a_rule_and_minute() {
    let house = furnished().await;
    let event = |n: u32| StoredEvent {
        id: format!("e{n}"),
        account: "000000000000".to_owned(),
        region: "us-east-1".to_owned(),
        bus: "default".to_owned(),
        json: r#"{"source":"demo","detail":{}}"#.to_owned(),
        ingested_at: BEGIN,
        object: None,
        hops: 0,
        again: None,
    };
    house.write(move |tx| emit(tx, &event(0))).await;
    house.quiet().await;
    assert_eq!(minutes(&house), 0);
    rule(&house, "default", "r", to("q", None)).await;
    for n in 1..=5 {
        house.write(move |tx| emit(tx, &event(n))).await;
    }
    house.quiet().await;
    assert_eq!(minutes(&house), 1);
    house.later(60_000);
    house.write(move |tx| emit(tx, &event(6))).await;
    house.quiet().await;
    assert_eq!(minutes(&house), 2);
    check(&house, &[("RuleName", "r")], &[("Invocations", 6)]);
}

#[tokio::test]
async fn what_is_taken_back_is_not_counted() {
    let house = furnished().await;
    let refused = house.flow.write(|tx| {
        let entry = json!({"Source": "demo", "DetailType": "d", "Detail": "{}"});
        let asked = request(json!({"Entries": [entry]}));
        put_events::put(tx, &caller(), asked)?;
        Err::<(), _>(ApiError::validation("no"))
    });
    refused.await.unwrap_err();
    assert_eq!(minutes(&house), 0);
    let totals = house.flow.totals().all();
    assert!(totals.is_empty(), "{totals:?}");
}

#[tokio::test]
async fn old_minutes_go_as_new_ones_come() {
    let house = furnished().await;
    rule(&house, "default", "former", to("q", None)).await;
    for _ in 0..9 {
        send(&house, "default").await;
        house.later(60_000);
    }
    let put = json!({"Rule": "former", "Ids": ["t"]});
    house.give(targets::remove, put).await;
    let delete = json!({"Name": "former"});
    house.lend(rules::delete, delete).await;
    rule(&house, "default", "r", to("q", None)).await;
    assert_eq!(minutes(&house), 18);
    house.later(i64::try_from(limits::METRICS_MINUTES_KEPT).unwrap() * 60_000);
    for _ in 0..12 {
        send(&house, "default").await;
        house.later(60_000);
    }
    // Both the rule's and the account's records: only those of the last minutes are left.
    assert_eq!(minutes(&house), 24);
    check(&house, &[("RuleName", "former")], &[("Invocations", 0)]);
    check(&house, &[("RuleName", "r")], &[("Invocations", 12)]);
}

fn data(house: &House, asked: Value) -> Result<api::GetMetricDataOutput, ApiError> {
    cloudwatch::get_metric_data(&house.flow.view(), &caller(), &request(asked))
}

fn query(id: &str, metric: &str, stat: &str) -> Value {
    json!({"Id": id, "MetricStat": {"Period": 60, "Stat": stat, "Metric": {
        "Namespace": "AWS/Events", "MetricName": metric, "Dimensions": by(&[("RuleName", "r")])}}})
}

#[tokio::test]
async fn metric_data_comes_in_pages_newest_first_unless_asked_otherwise() {
    let house = furnished().await;
    rule(&house, "default", "r", to("q", None)).await;
    for _ in 0..3 {
        send(&house, "default").await;
        send(&house, "default").await;
        house.later(60_000);
    }
    let begin = BEGIN.0 / 1_000;
    let mut asked = json!({
        "MetricDataQueries": [query("a", "Invocations", "Sum"), query("b", "Invocations", "Maximum"),
                              query("none", "FailedInvocations", "Sum")],
        "StartTime": begin + 30, "EndTime": begin + 180, "MaxDatapoints": 4,
    });
    let told = data(&house, asked.clone()).unwrap();
    let results = told.metric_data_results.unwrap();
    let values = |at: usize| results[at].values.clone().unwrap();
    assert_eq!((values(0), values(1)), (vec![2.0; 3], vec![1.0]));
    assert!(values(2).is_empty());
    let times: Vec<f64> = results[0]
        .timestamps
        .iter()
        .flatten()
        .map(|at| at.0)
        .collect();
    #[allow(clippy::cast_precision_loss)]
    let expected = [120, 60, 0].map(|at| (begin + at) as f64);
    assert_eq!(times, expected);
    let states: Vec<_> = results
        .iter()
        .map(|it| it.status_code.as_deref().unwrap())
        .collect();
    assert_eq!(states, ["Complete", "PartialData", "Complete"]);
    assert_eq!(results[0].label.as_deref(), Some("Invocations"));
    asked["NextToken"] = json!(told.next_token.expect("more"));
    let rest = data(&house, asked.clone()).unwrap();
    assert_eq!(rest.next_token, None);
    let results = rest.metric_data_results.unwrap();
    assert_eq!(results[0].values.as_deref(), Some(&[][..]));
    assert_eq!(results[1].values.as_deref(), Some(&[1.0, 1.0][..]));
    asked["NextToken"] = Value::Null;
    asked["ScanBy"] = json!("TimestampAscending");
    let told = data(&house, asked).unwrap();
    let first = told.metric_data_results.unwrap().remove(0);
    let times: Vec<f64> = first
        .timestamps
        .into_iter()
        .flatten()
        .map(|at| at.0)
        .collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[tokio::test]
async fn what_cannot_be_told_is_refused_by_name() {
    let house = furnished().await;
    let with = |changes: Value| {
        let mut query = query("a", "Invocations", "Sum");
        for (name, value) in changes.as_object().unwrap() {
            query[name] = value.clone();
        }
        let begin = BEGIN.0 / 1_000;
        json!({"MetricDataQueries": [query], "StartTime": begin, "EndTime": begin + 60})
    };
    let stat = |name: &str, value: Value| {
        let mut stat = query("a", "Invocations", "Sum")["MetricStat"].take();
        stat[name] = value;
        json!({"MetricStat": stat})
    };
    let table = [
        (
            json!({"Id": "A"}),
            "MetricDataQueries.member.1.Id is not matching",
        ),
        (
            json!({"Expression": "a*2"}),
            "MetricDataQueries.member.1.Expression: Landfall evaluates no metric math",
        ),
        (
            json!({"Label": "${MAX}"}),
            "MetricDataQueries.member.1.Label: Landfall fills no dynamic labels",
        ),
        (json!({"AccountId": "111111111111"}), "AccountId"),
        (json!({"MetricStat": null}), "Exactly one of"),
        (
            stat("Stat", json!("p99")),
            "The value p99 for parameter MetricDataQueries.member.1.MetricStat.Stat is not a valid statistic.",
        ),
        (
            stat("Period", json!(61)),
            "The parameter Period must be a value in the set",
        ),
    ];
    for (changes, text) in table {
        let error = data(&house, with(changes.clone())).unwrap_err();
        assert_eq!(error.code, "ValidationError", "{changes}");
        assert!(error.message.contains(text), "{}", error.message);
    }
    let mut same = with(json!({}));
    same["EndTime"] = same["StartTime"].clone();
    let error = data(&house, same).unwrap_err();
    assert_eq!(
        error.message,
        "The parameter StartTime must not equal parameter EndTime."
    );
    let mut twice = with(json!({}));
    twice["MetricDataQueries"] = json!([query("a", "X", "Sum"), query("a", "X", "Sum")]);
    let error = data(&house, twice).unwrap_err();
    assert!(
        error.message.contains("member.2.Id is not unique"),
        "{}",
        error.message
    );
    let mut lost = with(json!({}));
    lost["NextToken"] = json!("x");
    assert_eq!(data(&house, lost).unwrap_err().code, "InvalidNextToken");
}

#[tokio::test]
async fn statistics_have_their_limits() {
    let house = furnished().await;
    let ask = |changes: Value| {
        let begin = BEGIN.0 / 1_000;
        let mut asked = json!({
            "Namespace": "AWS/Events", "MetricName": "Invocations", "StartTime": begin,
            "EndTime": begin + 86_400, "Period": 60, "Statistics": ["Sum"],
        });
        for (name, value) in changes.as_object().unwrap() {
            asked[name] = value.clone();
        }
        cloudwatch::get_metric_statistics(&house.flow.view(), &caller(), &request(asked))
    };
    assert_eq!(ask(json!({})).unwrap().datapoints, Some(Vec::new()));
    let end = BEGIN.0 / 1_000 + 86_460;
    let table = [
        (
            json!({"EndTime": end}),
            "InvalidParameterCombination",
            "You have requested up to 1,441 datapoints, which exceeds the limit of 1,440.",
        ),
        (
            json!({"EndTime": 0}),
            "InvalidParameterValue",
            "The parameter StartTime must be less than the parameter EndTime.",
        ),
        (
            json!({"Statistics": []}),
            "MissingParameter",
            "Must specify either Statistics or ExtendedStatistics",
        ),
        (
            json!({"ExtendedStatistics": ["p99"]}),
            "InvalidParameterValue",
            "ExtendedStatistics are not supported by Landfall",
        ),
    ];
    for (changes, code, text) in table {
        let error = ask(changes).unwrap_err();
        assert_eq!(error.code, code);
        assert!(error.message.starts_with(text), "{}", error.message);
    }
}

fn listed(house: &House, asked: Value) -> Vec<String> {
    let now = house.clock.now();
    let told = cloudwatch::list_metrics(&house.flow.view(), &caller(), now, &request(asked));
    let metrics = told.unwrap().metrics.unwrap().into_iter();
    let told = metrics.map(|metric| {
        let dimensions = metric.dimensions.unwrap().into_iter();
        let told = dimensions.map(|it| format!("{}={}", it.name.unwrap(), it.value.unwrap()));
        let told: Vec<_> = told.collect();
        format!("{} {}", metric.metric_name.unwrap(), told.join(" "))
    });
    told.collect()
}

#[tokio::test]
async fn metrics_are_listed_that_were_counted_lately() {
    let house = furnished().await;
    rule(&house, "default", "r", to("q", None)).await;
    rule(&house, "own", "r", to("none", None)).await;
    send(&house, "default").await;
    send(&house, "own").await;
    let failed = listed(&house, json!({"MetricName": "FailedInvocations"}));
    assert_eq!(failed, ["FailedInvocations EventBusName=own RuleName=r"]);
    let matched = listed(
        &house,
        json!({"Namespace": "AWS/Events", "MetricName": "MatchedEvents"}),
    );
    let expected = [
        "MatchedEvents EventBusName=default",
        "MatchedEvents EventBusName=own",
        "MatchedEvents EventBusName=own RuleName=r",
        "MatchedEvents RuleName=r",
    ];
    assert_eq!(matched, expected);
    let own =
        json!({"Dimensions": [{"Name": "EventBusName", "Value": "own"}, {"Name": "RuleName"}]});
    assert!(
        listed(&house, own)
            .iter()
            .all(|it| it.ends_with(" EventBusName=own RuleName=r"))
    );
    assert!(listed(&house, json!({"Namespace": "AWS/SQS"})).is_empty());
    house.later(4 * 3_600_000);
    assert!(listed(&house, json!({"RecentlyActive": "PT3H"})).is_empty());
    assert!(!listed(&house, json!({})).is_empty());
    house.later(15 * 86_400_000);
    assert!(listed(&house, json!({})).is_empty());
}

#[tokio::test]
async fn totals_are_the_same_counts() {
    let house = furnished().await;
    rule(&house, "default", "r", to("q", None)).await;
    send(&house, "default").await;
    send(&house, "default").await;
    let all = house.flow.totals().all();
    let of_rule = all.iter().find(|(series, _)| series.rule == "r");
    let (_, totals) = of_rule.expect("the rule is counted");
    assert_eq!(totals.get(Metric::Invocations), (2, 2));
    assert_eq!(totals.get(Metric::FailedInvocations), (0, 0));
}
