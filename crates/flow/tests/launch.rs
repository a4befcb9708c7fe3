//! Tasks wait for their place in lines, durably: within what the host and the caps of rules and clusters allow, first
//! come first served in each line, and no line starves another. Over a store in memory and a runtime that the test plays.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing)]

use std::sync::Arc;
use std::time::Duration;

use landfall_core::api::generated::{ecs, events};
use landfall_core::caller::{Caller, Identity};
use landfall_core::limits;
use landfall_core::settings::{Launch, Settings};
use landfall_flow::deliver::{self, Delivery, Outcome};
use landfall_flow::keep::tags;
use landfall_flow::route::{put_events, rules, targets};
use landfall_flow::run::{self, TaskRecord, cluster, definition, task};
use landfall_flow::{Flow, FlowParts, Key, Reader as _};
use landfall_testkit::{FakeRuntime, MemoryContents, MemoryState, SeededIds, TestClock};
use serde_json::{Value, json};

const CLUSTER: &str = "arn:aws:ecs:us-east-1:000000000000:cluster/batch";
const RULES: [&str; 3] = ["a", "b", "c"];

struct House {
    state: Arc<MemoryState>,
    runtime: FakeRuntime,
    clock: Arc<TestClock>,
    flow: Flow,
}

fn caller() -> Caller {
    Caller {
        account: "000000000000".to_owned(),
        region: "us-east-1".to_owned(),
        request_id: "r".to_owned(),
        access_key_id: String::new(),
        source_ip: "127.0.0.1".to_owned(),
        user_agent: "test".to_owned(),
        identity: Identity::Root,
    }
}

fn request<T: serde::de::DeserializeOwned>(json: Value) -> T {
    serde_json::from_value(json).expect("a request")
}

fn rule_arn(name: &str) -> String {
    format!("arn:aws:events:us-east-1:000000000000:rule/{name}")
}

/// A host on which only this is set.
fn host(launch: Launch) -> Settings {
    Settings {
        launch,
        ..Settings::default()
    }
}

fn running(max_running: usize) -> Settings {
    host(Launch {
        max_running,
        ..Launch::default()
    })
}

fn open(state: MemoryState, runtime: FakeRuntime, settings: Settings) -> House {
    let (state, clock) = (Arc::new(state), Arc::new(TestClock::default()));
    let flow = Flow::open(FlowParts {
        state: Arc::clone(&state) as Arc<_>,
        contents: Arc::new(MemoryContents::new()),
        runtime: Arc::new(runtime.clone()),
        clock: Arc::clone(&clock) as Arc<_>,
        ids: Arc::new(SeededIds::new(7)),
        endpoint: "http://127.0.0.1:4566".to_owned(),
        container_credentials: None,
        settings,
    });
    House {
        state,
        runtime,
        clock,
        flow: flow.expect("the flow opens"),
    }
}

impl House {
    /// A cluster, and for each rule a definition of its name: 256 CPU units and 100 MiB.
    async fn furnished(settings: Settings) -> Self {
        let house = open(MemoryState::new(), FakeRuntime::new(), settings);
        let made = house.flow.write(|tx| {
            let me = caller();
            cluster::create(tx, &me, request(json!({"clusterName": "batch"})))?;
            for name in RULES {
                let container = json!({"name": "app", "image": name, "cpu": 256, "memory": 100});
                let family = json!({"family": name, "containerDefinitions": [container]});
                definition::register(tx, &me, request(family))?;
                let pattern = json!({"source": ["demo"], "detail-type": [name]}).to_string();
                rules::put(
                    tx,
                    &me,
                    request(json!({"Name": name, "EventPattern": pattern})),
                )?;
                let target = json!({
                    "Id": "ecs", "Arn": CLUSTER, "RoleArn": "arn:aws:iam::000000000000:role/x",
                    "EcsParameters": {"TaskDefinitionArn": name}, "Input": "{}",
                    "RetryPolicy": {"MaximumRetryAttempts": 1},
                });
                targets::put(tx, &me, request(json!({"Rule": name, "Targets": [target]})))?;
            }
            Ok(())
        });
        made.await.expect("furnished");
        house
    }

    /// Lets a rule match so often, in one commit.
    async fn arrive(&self, rule: &'static str, count: usize) {
        let put = self.flow.write(move |tx| {
            let entry = json!({"Source": "demo", "DetailType": rule, "Detail": "{}"});
            for _ in 0..count {
                put_events::put(tx, &caller(), request(json!({"Entries": [entry]})))?;
            }
            Ok(())
        });
        put.await.expect("put");
        self.nudge().await;
    }

    async fn run(&self, ask: Value) -> ecs::RunTaskResponse {
        let run =
            move |tx: &mut landfall_flow::Tx<'_>| run::run_task(tx, &caller(), request(ask), None);
        self.flow.write(run).await.expect("taken")
    }

    async fn tag(&self, arn: String, name: &'static str, value: &'static str) {
        let tag = [(name.to_owned(), value.to_owned())];
        let tagged = self.flow.write(move |tx| tags::add(tx, &arn, tag));
        tagged.await.expect("tagged");
    }

    /// Lets the loop take turns until it has nothing left to do.
    async fn nudge(&self) {
        let mut before = usize::MAX;
        while self.state.commits() != before {
            before = self.state.commits();
            self.flow.write(|_| Ok(())).await.expect("a turn");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Rules of the containers that were started, in order.
    fn started(&self) -> Vec<String> {
        let starts = self.runtime.starts().into_iter();
        starts.map(|spec| spec.image).collect()
    }

    /// Ends the `index`-th container that was started, and lets the loop see to what follows.
    async fn end(&self, index: usize) {
        let id = self.runtime.starts()[index].id.clone();
        assert!(self.runtime.exit(&id, 0));
        self.until("the task has stopped", |house| {
            let of = |task: &&TaskRecord| id.starts_with(&task.id);
            let tasks = house.tasks();
            tasks.iter().find(of).unwrap().task.last_status.as_deref() == Some("STOPPED")
        })
        .await;
        self.nudge().await;
    }

    fn tasks(&self) -> Vec<TaskRecord> {
        self.flow.view().all(&Key::new("task")).unwrap()
    }

    fn deliveries(&self) -> Vec<Delivery> {
        self.flow.view().all(&Key::new("delivery")).unwrap()
    }

    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..2_000 {
            if holds(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("never happened: {what}\n{:#?}", self.tasks());
    }

    async fn starts_are(&self, expected: &[&str]) {
        let what = format!("{expected:?} start");
        self.until(&what, |house| {
            house.runtime.starts().len() >= expected.len()
        })
        .await;
        self.nudge().await;
        assert_eq!(self.started(), expected);
    }
}

#[tokio::test]
async fn tasks_wait_for_room_and_come_in_order() {
    let house = House::furnished(running(2)).await;
    house.arrive("a", 3).await;
    house.starts_are(&["a", "a"]).await;
    let waits = |t: &&TaskRecord| t.task.last_status.as_deref() == Some("PROVISIONING");
    let waiting: Vec<_> = house
        .tasks()
        .iter()
        .filter(waits)
        .map(|t| t.requested_at)
        .collect();
    assert_eq!(waiting.len(), 1);
    house.end(0).await;
    house.starts_are(&["a"; 3]).await;
}

#[tokio::test]
async fn tasks_run_while_their_cpu_and_memory_fit() {
    for (cpu_units, memory_mib) in [(Some(600), None), (None, Some(299))] {
        let launch = Launch {
            cpu_units,
            memory_mib,
            ..Launch::default()
        };
        let house = House::furnished(host(launch)).await;
        house.arrive("a", 3).await;
        house.starts_are(&["a", "a"]).await;
        house.end(1).await;
        house.starts_are(&["a"; 3]).await;
    }
}

#[tokio::test]
async fn what_can_never_fit_is_a_failure_that_says_what_there_is() {
    let launch = Launch {
        cpu_units: Some(255),
        ..Launch::default()
    };
    let house = House::furnished(host(launch)).await;
    let ask = json!({"cluster": "batch", "taskDefinition": "a", "count": 2});
    let answer = house.run(ask).await;
    assert_eq!(answer.tasks.unwrap(), Vec::new());
    let failures = answer.failures.unwrap();
    assert_eq!(failures.len(), 2);
    assert_eq!(failures[0].reason.as_deref(), Some("RESOURCE:CPU"));
    let detail = "the task wants 256 CPU units and there are 255 for all tasks; [launch] cpu_units in landfall.toml \
                  raises that";
    assert_eq!(failures[0].detail.as_deref(), Some(detail));
    let small = json!({"containerOverrides": [{"name": "app", "cpu": 10}]});
    let ask = json!({"cluster": "batch", "taskDefinition": "a", "overrides": small});
    assert_eq!(house.run(ask).await.tasks.unwrap().len(), 1);

    house.arrive("a", 1).await;
    house.clock.advance_millis(limits::RETRY_DELAY_MILLIS_MAX);
    house.nudge().await;
    let delivery = &house.deliveries()[0];
    let given_up = Outcome::GivenUp(deliver::DeadLetter::NoQueue);
    assert_eq!((&delivery.outcome, delivery.attempts), (&given_up, 2));
    let refusal = delivery.last_refusal.as_ref().unwrap();
    assert_eq!(refusal.code.name(), "TASK_FAILED_TO_START");
    assert_eq!(refusal.message, format!("RESOURCE:CPU: {detail}"));
    assert_eq!(house.tasks().len(), 1);
}

#[tokio::test]
async fn a_waiting_task_that_no_longer_fits_goes_back_to_its_delivery() {
    let house = House::furnished(running(1)).await;
    house.arrive("a", 2).await;
    house.starts_are(&["a"]).await;
    let launch = Launch {
        memory_mib: Some(99),
        ..Launch::default()
    };
    let state = house.state.crash(house.state.commits());
    let house = open(state, house.runtime.clone(), host(launch));
    house
        .until("failed", |h| h.deliveries()[1].last_refusal.is_some())
        .await;
    let refusal = house.deliveries()[1].last_refusal.clone().unwrap();
    assert!(
        refusal
            .message
            .starts_with("RESOURCE:MEMORY: the task wants 100 MiB")
    );
    house.starts_are(&["a"]).await;
}

#[tokio::test]
async fn caps_are_tags_and_a_change_reaches_what_waits() {
    let house = House::furnished(Settings::default()).await;
    house.tag(rule_arn("a"), "landfall:max-running", "1").await;
    house
        .tag(CLUSTER.to_owned(), "landfall:max-running", "3")
        .await;
    house.arrive("a", 3).await;
    house.arrive("b", 1).await;
    // The first of one rule is blocked by its cap, and does not block another rule.
    house.starts_are(&["a", "b"]).await;
    house.tag(rule_arn("a"), "landfall:max-running", "9").await;
    house.starts_are(&["a", "b", "a"]).await;
    let arn = CLUSTER.to_owned();
    let name = ["landfall:max-running".to_owned()];
    let untagged = house.flow.write(move |tx| tags::remove(tx, &arn, &name));
    untagged.await.unwrap();
    house.starts_are(&["a", "b", "a", "a"]).await;
}

#[tokio::test]
async fn a_task_of_no_rule_counts_once_for_its_cluster() {
    let house = House::furnished(Settings::default()).await;
    house
        .tag(CLUSTER.to_owned(), "landfall:max-running", "2")
        .await;
    let ask = json!({"cluster": "batch", "taskDefinition": "c", "count": 3});
    house.run(ask).await;
    house.starts_are(&["c", "c"]).await;
    let ask = json!({"cluster": "batch"});
    let view = house.flow.view();
    let shown = cluster::describe(&view, &caller(), &request(json!({"clusters": ["batch"]})));
    let shown = &shown.unwrap().clusters.unwrap()[0];
    assert_eq!(
        (shown.running_tasks_count, shown.pending_tasks_count),
        (Some(2), Some(1))
    );
    let refused = house
        .flow
        .write(move |tx| cluster::delete(tx, &caller(), &request(ask)));
    assert_eq!(
        refused.await.unwrap_err().code,
        "ClusterContainsTasksException"
    );
    house.end(0).await;
    house.starts_are(&["c"; 3]).await;
}

#[tokio::test]
async fn the_hosts_owner_caps_every_rule() {
    let launch = Launch {
        rule_max_running: Some(2),
        ..Launch::default()
    };
    let house = House::furnished(host(launch)).await;
    house.tag(rule_arn("a"), "landfall:max-running", "9").await;
    house.tag(rule_arn("b"), "landfall:max-running", "1").await;
    house.arrive("a", 3).await;
    house.arrive("b", 2).await;
    house.starts_are(&["a", "a", "b"]).await;
}

#[tokio::test]
async fn a_flood_of_one_rule_does_not_starve_another() {
    let house = House::furnished(running(1)).await;
    house.arrive("a", 100).await;
    house.arrive("b", 2).await;
    house.arrive("c", 1).await;
    for index in 0..5 {
        house.end(index).await;
    }
    let first: Vec<String> = house.started().into_iter().take(6).collect();
    assert_eq!(first, ["a", "a", "b", "c", "a", "b"]);
}

#[tokio::test]
async fn a_large_task_is_passed_over_only_so_often() {
    let launch = Launch {
        memory_mib: Some(200),
        ..Launch::default()
    };
    let house = House::furnished(host(launch)).await;
    house.arrive("a", 2).await;
    house.starts_are(&["a", "a"]).await;
    let large = json!({"containerOverrides": [{"name": "app", "memory": 200}]});
    let ask = json!({"cluster": "batch", "taskDefinition": "c", "overrides": large});
    house.run(ask).await;
    let rounds = usize::try_from(limits::TASK_PASSED_OVER_MAX).unwrap() + 4;
    house.arrive("a", rounds).await;
    let mut ended = 0;
    while !house.started().contains(&"c".to_owned()) {
        assert!(ended <= rounds, "it is passed over for ever");
        house.end(ended).await;
        ended += 1;
    }
    assert!(ended > 10, "others are let past at first");
}

#[tokio::test]
async fn starts_keep_the_pace_of_host_cluster_and_rule() {
    let paced = Launch {
        starts_per_second: Some(1),
        ..Launch::default()
    };
    for (settings, arn) in [
        (host(paced), None),
        (Settings::default(), Some(CLUSTER.to_owned())),
        (Settings::default(), Some(rule_arn("a"))),
    ] {
        let house = House::furnished(settings).await;
        if let Some(arn) = arn {
            house.tag(arn, "landfall:starts-per-second", "1").await;
        }
        house.arrive("a", 3).await;
        house.starts_are(&["a"]).await;
        house.clock.advance_millis(900);
        house.starts_are(&["a"]).await;
        for so_far in 2..=3 {
            house.clock.advance_millis(1_000);
            house.starts_are(&vec!["a"; so_far]).await;
        }
    }
}

#[tokio::test]
async fn tags_that_ask_for_what_cannot_be_are_refused_when_they_are_set() {
    let house = House::furnished(Settings::default()).await;
    let wishes = [
        ("landfall:max-running", "0"),
        ("landfall:starts-per-second", "1.5"),
        ("landfall:fast", "1"),
    ];
    for (name, value) in wishes {
        let made = house.flow.write(move |tx| {
            let tag = ecs::Tag {
                key: Some(name.to_owned()),
                value: Some(value.to_owned()),
            };
            let ask = ecs::CreateClusterRequest {
                cluster_name: Some("other".to_owned()),
                tags: Some(vec![tag]),
                ..Default::default()
            };
            cluster::create(tx, &caller(), ask)
        });
        let error = made.await.unwrap_err();
        assert_eq!(error.code, "InvalidParameterException", "{error}");
        assert!(error.message.contains(name), "{error}");
        let made = house.flow.write(move |tx| {
            let tag = events::Tag {
                key: Some(name.to_owned()),
                value: Some(value.to_owned()),
            };
            let ask = events::PutRuleRequest {
                name: Some("other".to_owned()),
                event_pattern: Some(r#"{"source":["x"]}"#.to_owned()),
                tags: Some(vec![tag]),
                ..Default::default()
            };
            rules::put(tx, &caller(), ask)
        });
        assert_eq!(made.await.unwrap_err().code, "ValidationException");
    }
    let view = house.flow.view();
    let shown = cluster::list(&view, &caller(), &request(json!({}))).unwrap();
    assert_eq!(shown.cluster_arns.unwrap().len(), 1);
}

#[tokio::test]
async fn a_stopped_task_leaves_its_line() {
    let house = House::furnished(running(1)).await;
    house.arrive("a", 3).await;
    house.starts_are(&["a"]).await;
    let waits = |t: &TaskRecord| t.task.last_status.as_deref() == Some("PROVISIONING");
    let waiting = house.tasks().into_iter().find(waits).unwrap();
    let id = waiting.id.clone();
    let stop = house.flow.write(move |tx| {
        task::stop(
            tx,
            &caller(),
            &request(json!({"cluster": "batch", "task": id})),
        )
    });
    stop.await.unwrap();
    let shown = cluster::describe(
        &house.flow.view(),
        &caller(),
        &request(json!({"clusters": ["batch"]})),
    );
    assert_eq!(
        shown.unwrap().clusters.unwrap()[0].pending_tasks_count,
        Some(1)
    );
    house.end(0).await;
    house.starts_are(&["a"; 2]).await;
    let of = |spec: &landfall_flow::runtime::ContainerSpec| spec.id.starts_with(&waiting.id);
    assert!(!house.runtime.starts().iter().any(of));
}

#[tokio::test]
async fn a_restart_goes_on_with_every_line_and_reads_none_of_what_waits() {
    let house = House::furnished(running(1)).await;
    house.arrive("a", 200).await;
    house.arrive("b", 200).await;
    house.starts_are(&["a"]).await;
    house
        .until("all wait", |house| house.tasks().len() == 400)
        .await;
    for (kind, reads) in [("waiting", 8), ("task", 60)] {
        let state = house.state.crash(house.state.commits());
        // A scan is one read: each line is looked for, then the first few in it.
        state.fail_reads_of(Key::new(kind).bytes(), reads);
        let again = open(state, house.runtime.clone(), running(1));
        again.nudge().await;
        assert_eq!(again.state.failed_reads(), 0, "{kind}");
    }
    let state = house.state.crash(house.state.commits());
    let house = open(state, house.runtime.clone(), running(2));
    house.starts_are(&["a", "a"]).await;
    house.end(0).await;
    house.starts_are(&["a", "a", "b"]).await;
}
