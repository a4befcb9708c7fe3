//! The road from an event to a task's end, over a store in memory and a runtime that the test plays.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::sync::Arc;

use landfall_core::api::generated::ecs;
use landfall_core::caller::{Caller, Identity, account_of};
use landfall_core::limits;
use landfall_flow::keep::roles::token;
use landfall_flow::route::{StoredEvent, put_events, rules, targets};
use landfall_flow::run::{self, Failure, TaskRecord, cluster, definition, task};
use landfall_flow::runtime::Runtime as _;
use landfall_flow::trail::HistoryRecord;
use landfall_flow::{Flow, FlowParts, deliver};
use landfall_flow::{Key, Reader};
use landfall_testkit::{
    FakeRuntime, MemoryContents, MemoryState, Random, SeededIds, TestClock, new_seed,
};

const CLUSTER: &str = "arn:aws:ecs:us-east-1:000000000000:cluster/batch";

struct House {
    state: Arc<MemoryState>,
    runtime: FakeRuntime,
    clock: Arc<TestClock>,
    flow: Flow,
}

fn open(state: Arc<MemoryState>, runtime: &FakeRuntime, clock: &Arc<TestClock>) -> Flow {
    Flow::open(FlowParts {
        state,
        contents: Arc::new(MemoryContents::new()),
        runtime: Arc::new(runtime.clone()),
        clock: Arc::clone(clock) as Arc<_>,
        ids: Arc::new(SeededIds::new(7)),
        endpoint: "http://127.0.0.1:4566".to_owned(),
        container_credentials: None,
    })
    .expect("the flow opens")
}

impl House {
    fn new() -> Self {
        let (state, runtime) = (Arc::new(MemoryState::new()), FakeRuntime::new());
        let clock = Arc::new(TestClock::default());
        let flow = open(Arc::clone(&state), &runtime, &clock);
        Self {
            state,
            runtime,
            clock,
            flow,
        }
    }

    async fn furnish(&self, template: &str) {
        let template = template.to_owned();
        let made = self.flow.write(move |tx| {
            let me = caller();
            cluster::create(
                tx,
                &me,
                ecs::CreateClusterRequest {
                    cluster_name: Some("batch".to_owned()),
                    ..Default::default()
                },
            )?;
            let definition = serde_json::json!({
                "family": "csv",
                "containerDefinitions": [{
                    "name": "app", "image": "app:1", "memory": 64,
                    "environment": [{"name": "OBJECT_KEY", "value": "unset"}, {"name": "A", "value": "1"}],
                }],
            });
            definition::register(tx, &me, serde_json::from_value(definition).unwrap())?;
            let rule = serde_json::json!({
                "Name": "arrivals",
                "EventPattern": r#"{"source":["demo"],"detail":{"key":[{"prefix":"in/"}]}}"#,
            });
            rules::put(tx, &me, serde_json::from_value(rule).unwrap())?;
            let target = serde_json::json!({
                "Rule": "arrivals",
                "Targets": [{
                    "Id": "ecs", "Arn": CLUSTER, "RoleArn": "arn:aws:iam::000000000000:role/x",
                    "EcsParameters": {"TaskDefinitionArn": "csv"},
                    "InputTransformer": {"InputPathsMap": {"key": "$.detail.key"}, "InputTemplate": template},
                    "RetryPolicy": {"MaximumRetryAttempts": 3},
                }],
            });
            targets::put(tx, &me, serde_json::from_value(target).unwrap())
        });
        made.await.expect("furnished");
    }

    async fn arrive(&self, key: &str) {
        let detail = serde_json::json!({"key": key}).to_string();
        let put = self.flow.write(move |tx| {
            let entry = serde_json::json!({
                "Entries": [{"Source": "demo", "DetailType": "arrival", "Detail": detail}]
            });
            put_events::put(tx, &caller(), serde_json::from_value(entry).unwrap())
        });
        assert_eq!(put.await.expect("put").failed_entry_count, Some(0));
    }

    fn tasks(&self) -> Vec<TaskRecord> {
        self.flow
            .view()
            .all::<TaskRecord>(&Key::new("task"))
            .unwrap()
    }

    fn deliveries(&self) -> Vec<deliver::Delivery> {
        self.flow
            .view()
            .all::<deliver::Delivery>(&Key::new("delivery"))
            .unwrap()
    }

    /// Waits until a condition on the committed state holds; every commit is followed by a look.
    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..2_000 {
            if holds(self) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        panic!(
            "never happened: {what}\n{:#?}\n{:#?}",
            self.tasks(),
            self.deliveries()
        );
    }
}

fn caller() -> Caller {
    Caller {
        account: "000000000000".to_owned(),
        region: "us-east-1".to_owned(),
        request_id: "r".to_owned(),
        access_key_id: String::new(),
        source_ip: "127.0.0.1".to_owned(),
        user_agent: "test".to_owned(),
        identity: landfall_core::caller::Identity::Root,
    }
}

const UNQUOTED: &str = r#"{"containerOverrides":[{"name":"app","environment":[{"name":"OBJECT_KEY","value":<key>}]}]}"#;
const QUOTED: &str = r#"{"containerOverrides":[{"name":"app","environment":[{"name":"OBJECT_KEY","value":"<key>"}]}]}"#;

fn environment(runtime: &FakeRuntime, start: usize, name: &str) -> Option<String> {
    let spec = runtime.starts()[start].clone();
    spec.environment
        .into_iter()
        .find(|(n, _)| n == name)
        .map(|(_, value)| value)
}

#[tokio::test]
async fn a_matching_event_starts_one_container_with_its_key_and_its_end_is_remembered() {
    let house = House::new();
    house.furnish(UNQUOTED).await;
    house.arrive("out/no").await;
    house.arrive("in/a b+é%.csv").await;
    house.runtime.wait_for_starts(1).await;
    assert_eq!(
        environment(&house.runtime, 0, "OBJECT_KEY").as_deref(),
        Some("in/a b+é%.csv")
    );
    assert_eq!(environment(&house.runtime, 0, "A").as_deref(), Some("1"));
    let endpoint = environment(&house.runtime, 0, "AWS_ENDPOINT_URL");
    assert_eq!(endpoint.as_deref(), Some("http://127.0.0.1:4566"));
    house
        .until("running", |h| {
            h.tasks()[0].task.last_status.as_deref() == Some("RUNNING")
        })
        .await;
    let id = house.runtime.starts()[0].id.clone();
    assert!(house.runtime.exit(&id, 3));
    house
        .until("stopped", |h| {
            h.tasks()[0].task.last_status.as_deref() == Some("STOPPED")
        })
        .await;
    let task = &house.tasks()[0].task;
    assert_eq!(task.started_by.as_deref(), Some("events-rule/arrivals"));
    assert_eq!(task.stop_code.as_deref(), Some("EssentialContainerExited"));
    assert_eq!(task.containers.as_ref().unwrap()[0].exit_code, Some(3));
    assert_eq!(house.deliveries().len(), 1);
    assert_eq!(house.deliveries()[0].outcome, deliver::Outcome::Delivered);
    assert_eq!(house.runtime.starts().len(), 1);
}

#[tokio::test]
async fn a_key_that_would_break_out_of_its_quotes_fails_with_the_reason_and_starts_nothing() {
    let house = House::new();
    house.furnish(QUOTED).await;
    house.arrive(r#"in/x"},{"name":"EVIL","value":"1"#).await;
    house
        .until("given up", |h| {
            h.deliveries().iter().any(|d| d.finished_at.is_some())
        })
        .await;
    let delivery = &house.deliveries()[0];
    let reason = &delivery.last_refusal.as_ref().unwrap().message;
    assert!(reason.contains("unquoted form <key>"), "{reason}");
    assert!(house.tasks().is_empty());
}

#[tokio::test]
async fn a_target_whose_cluster_is_gone_is_given_up_at_once_with_its_reason() {
    let house = House::new();
    house.furnish(UNQUOTED).await;
    let deleted = house.flow.write(|tx| {
        let request = ecs::DeleteClusterRequest {
            cluster: Some("batch".to_owned()),
        };
        cluster::delete(tx, &caller(), &request)
    });
    deleted.await.unwrap();
    house.arrive("in/a").await;
    house
        .until("given up", |h| {
            h.deliveries().iter().any(|d| d.finished_at.is_some())
        })
        .await;
    let delivery = &house.deliveries()[0];
    assert_eq!(delivery.attempts, 1);
    assert!(matches!(
        delivery.outcome,
        deliver::Outcome::GivenUp(deliver::DeadLetter::NoQueue)
    ));
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_stops_the_task_with_the_reason() {
    let house = House::new();
    house.furnish(UNQUOTED).await;
    house.runtime.fail_pulls_of("app:1");
    house.arrive("in/a").await;
    house
        .until("stopped", |h| {
            h.tasks()
                .first()
                .is_some_and(|t| t.task.last_status.as_deref() == Some("STOPPED"))
        })
        .await;
    let task = &house.tasks()[0].task;
    assert_eq!(task.stop_code.as_deref(), Some("TaskFailedToStart"));
    let reason = task.stopped_reason.as_deref().unwrap();
    assert!(reason.starts_with("CannotPullContainerError: "), "{reason}");
}

/// Waits until the delivery waits for its next attempt after so many.
async fn refused(house: &House, attempts: u32) {
    house
        .until("refused", |h| {
            h.deliveries()
                .first()
                .is_some_and(|d| d.attempts == attempts && d.outcome == deliver::Outcome::Pending)
        })
        .await;
}

/// Waits until the delivery waits for its next attempt after so many, then lets that time come.
async fn retry_after(house: &House, attempts: u32) {
    refused(house, attempts).await;
    house.clock.advance_millis(limits::RETRY_DELAY_MILLIS_MAX);
    house.flow.write(|_| Ok(())).await.unwrap();
}

#[tokio::test]
async fn a_task_that_cannot_be_started_is_retried_and_the_delivery_comes_home_when_it_can() {
    let house = House::new();
    house.furnish(UNQUOTED).await;
    house.runtime.fail_pulls_of("app:1");
    house.arrive("in/a").await;
    retry_after(&house, 1).await;
    retry_after(&house, 2).await;
    refused(&house, 3).await;
    house.runtime.heal("app:1");
    retry_after(&house, 3).await;
    house.runtime.wait_for_starts(1).await;
    house
        .until("running", |h| h.deliveries()[0].tasks.len() == 1)
        .await;
    let delivery = &house.deliveries()[0];
    assert_eq!(delivery.outcome, deliver::Outcome::Delivered);
    assert_eq!((delivery.attempts, delivery.starts), (4, 4));
    assert_eq!(delivery.former_tasks.len(), 3);
    assert_eq!(delivery.last_refusal, None);
    let mut all = delivery.former_tasks.clone();
    all.extend(delivery.tasks.clone());
    let known: BTreeSet<String> = house.tasks().iter().map(|t| t.arn().to_owned()).collect();
    assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), known);
    assert_eq!(house.runtime.starts().len(), 1);
}

#[tokio::test]
async fn retries_that_are_used_up_leave_the_reason_of_the_last_task() {
    let house = House::new();
    house.furnish(UNQUOTED).await;
    house.runtime.fail_starts_of("app:1", "no such file");
    house.arrive("in/a").await;
    for attempts in 1..=3 {
        retry_after(&house, attempts).await;
    }
    house
        .until("given up", |h| {
            matches!(h.deliveries()[0].outcome, deliver::Outcome::GivenUp(_))
        })
        .await;
    let delivery = &house.deliveries()[0];
    let no_queue = deliver::Outcome::GivenUp(deliver::DeadLetter::NoQueue);
    assert_eq!((&delivery.outcome, delivery.attempts), (&no_queue, 4));
    let refusal = delivery.last_refusal.as_ref().unwrap();
    assert_eq!(refusal.code.name(), "TASK_FAILED_TO_START");
    assert_eq!(refusal.message, "CannotStartContainerError: no such file");
    assert_eq!((delivery.tasks.len(), delivery.former_tasks.len()), (1, 3));
    assert!(house.runtime.starts().is_empty());
}

#[tokio::test]
async fn a_task_that_a_client_started_is_not_retried() {
    let house = House::new();
    house.furnish(UNQUOTED).await;
    house.runtime.fail_pulls_of("app:1");
    let request = ecs::RunTaskRequest {
        cluster: Some("batch".to_owned()),
        task_definition: Some("csv".to_owned()),
        ..Default::default()
    };
    let run = house
        .flow
        .write(move |tx| run::run_task(tx, &caller(), request, None));
    run.await.unwrap();
    house
        .until("stopped", |h| {
            h.tasks()[0].task.last_status.as_deref() == Some("STOPPED")
        })
        .await;
    house.clock.advance_millis(86_400_000);
    house.flow.write(|_| Ok(())).await.unwrap();
    assert_eq!((house.tasks().len(), house.deliveries().len()), (1, 0));
}

#[tokio::test]
async fn a_runtime_that_does_not_answer_is_asked_again_and_no_running_task_is_taken_for_dead() {
    let house = House::new();
    house.furnish(UNQUOTED).await;
    house.arrive("in/a").await;
    house.runtime.wait_for_starts(1).await;
    house
        .until("running", |h| {
            h.tasks()[0].task.last_status.as_deref() == Some("RUNNING")
        })
        .await;
    // The container outlives the server, and the former server sees nothing of what follows.
    let spec = house.runtime.starts()[0].clone();
    let runtime = FakeRuntime::new();
    runtime.start(&spec).await.unwrap();
    runtime.silence(true);
    let state = Arc::new(house.state.crash(house.state.commits()));
    let flow = open(Arc::clone(&state), &runtime, &house.clock);
    let reborn = House {
        state,
        runtime: runtime.clone(),
        clock: house.clock.clone(),
        flow,
    };
    runtime.wait_for_questions(2).await;
    assert_eq!(
        reborn.tasks()[0].task.last_status.as_deref(),
        Some("RUNNING")
    );
    runtime.silence(false);
    assert!(runtime.exit(&spec.id, 0));
    reborn
        .until("stopped", |h| {
            h.tasks()[0].task.last_status.as_deref() == Some("STOPPED")
        })
        .await;
    let task = &reborn.tasks()[0].task;
    assert_eq!(task.containers.as_ref().unwrap()[0].exit_code, Some(0));
    assert_eq!(runtime.starts().len(), 1);
}

#[tokio::test]
async fn after_a_crash_at_any_commit_a_retried_start_has_one_live_container_and_no_id_starts_twice()
{
    let house = House::new();
    house.furnish(UNQUOTED).await;
    house.runtime.fail_pulls_of("app:1");
    let before = house.state.commits();
    house.arrive("in/a").await;
    retry_after(&house, 1).await;
    refused(&house, 2).await;
    house.runtime.heal("app:1");
    retry_after(&house, 2).await;
    house.runtime.wait_for_starts(1).await;
    house
        .until("running", |h| {
            let running = |t: &TaskRecord| t.task.last_status.as_deref() == Some("RUNNING");
            h.tasks().iter().any(running)
        })
        .await;
    for commits in before..=house.state.commits() {
        // Each crash has its own world: what ran in another one did not run here.
        let runtime = FakeRuntime::new();
        let state = Arc::new(house.state.crash(commits));
        let flow = open(Arc::clone(&state), &runtime, &house.clock);
        let reborn = House {
            state,
            runtime: runtime.clone(),
            clock: house.clock.clone(),
            flow,
        };
        if reborn.deliveries().is_empty()
            && reborn
                .flow
                .view()
                .all::<StoredEvent>(&Key::new("event"))
                .unwrap()
                .is_empty()
        {
            continue;
        }
        reborn
            .until("one task that runs, or was lost with its container", |h| {
                let running = |t: &TaskRecord| t.task.last_status.as_deref() == Some("RUNNING");
                let lost = |t: &TaskRecord| t.failure == Some(Failure::Exit);
                let all = h.deliveries();
                all.len() == 1
                    && all[0].tasks.len() == 1
                    && h.tasks().iter().filter(|t| running(t) || lost(t)).count() == 1
            })
            .await;
        let ids: Vec<_> = runtime.starts().into_iter().map(|s| s.id).collect();
        assert!(ids.len() <= 1, "{ids:?} after {commits} commits");
    }
}

#[tokio::test]
async fn after_a_crash_at_any_commit_each_acknowledged_event_has_exactly_one_start() {
    let house = House::new();
    house.furnish(UNQUOTED).await;
    let before = house.state.commits();
    for n in 0..5 {
        house.arrive(&format!("in/{n}")).await;
    }
    house.until("five tasks", |h| h.tasks().len() == 5).await;
    house.runtime.wait_for_starts(5).await;
    let after = house.state.commits();
    for commits in before..=after {
        let state = Arc::new(house.state.crash(commits));
        let flow = open(Arc::clone(&state), &house.runtime, &house.clock);
        let reborn = House {
            state,
            runtime: house.runtime.clone(),
            clock: house.clock.clone(),
            flow,
        };
        let promised = reborn.tasks().len();
        reborn
            .until("all running", |h| {
                h.tasks()
                    .iter()
                    .all(|t| t.task.last_status.as_deref() == Some("RUNNING"))
            })
            .await;
        assert!(reborn.tasks().len() >= promised);
    }
    let mut ids: Vec<_> = house.runtime.starts().into_iter().map(|s| s.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(
        ids.len(),
        house.runtime.starts().len(),
        "an id was started twice"
    );
    assert_eq!(ids.len(), 5);
}

#[tokio::test]
async fn stopping_a_task_asks_the_runtime_and_keeps_the_users_reason() {
    let house = House::new();
    house.furnish(UNQUOTED).await;
    house.arrive("in/a").await;
    house.runtime.wait_for_starts(1).await;
    let request = ecs::StopTaskRequest {
        cluster: Some("batch".to_owned()),
        task: Some(house.tasks()[0].id.clone()),
        reason: Some("enough".to_owned()),
    };
    house
        .flow
        .write(move |tx| task::stop(tx, &caller(), &request))
        .await
        .unwrap();
    house
        .until("asked", |h| !h.runtime.stops().is_empty())
        .await;
    let id = house.runtime.starts()[0].id.clone();
    house.runtime.exit(&id, 143);
    house
        .until("stopped", |h| {
            h.tasks()[0].task.last_status.as_deref() == Some("STOPPED")
        })
        .await;
    let task = &house.tasks()[0].task;
    assert_eq!(task.stop_code.as_deref(), Some("UserInitiated"));
    assert_eq!(task.stopped_reason.as_deref(), Some("enough"));
}

#[tokio::test]
async fn run_task_with_the_same_token_answers_with_the_same_task() {
    let house = House::new();
    house.furnish(UNQUOTED).await;
    let request = || ecs::RunTaskRequest {
        cluster: Some("batch".to_owned()),
        task_definition: Some("csv".to_owned()),
        client_token: Some("token".to_owned()),
        ..Default::default()
    };
    let mut arns = Vec::new();
    for _ in 0..2 {
        let answer = house
            .flow
            .write(move |tx| run::run_task(tx, &caller(), request(), None));
        arns.push(answer.await.unwrap().tasks.unwrap()[0].task_arn.clone());
    }
    assert_eq!(arns[0], arns[1]);
    house.runtime.wait_for_starts(1).await;
    assert_eq!(house.tasks().len(), 1);
}

#[tokio::test]
async fn a_rule_that_starts_a_task_calls_run_task_as_the_role_of_its_target() {
    let house = House::new();
    house.furnish(QUOTED).await;
    house.arrive("in/a.csv").await;
    house
        .until("a task", |house| house.tasks().len() == 1)
        .await;
    let all: Vec<HistoryRecord> = house.flow.view().all(&Key::new("call-history")).unwrap();
    assert_eq!(all.len(), 1);
    let record: serde_json::Value = serde_json::from_str(&all[0].json).unwrap();
    assert_eq!(record["eventName"], "RunTask");
    assert_eq!(record["sourceIPAddress"], "events.amazonaws.com");
    let who = &record["userIdentity"];
    assert_eq!(who["type"], "AssumedRole");
    assert_eq!(who["invokedBy"], "events.amazonaws.com");
    let session = house.deliveries()[0].id[..32].to_owned();
    assert_eq!(
        who["arn"],
        format!("arn:aws:sts::000000000000:assumed-role/x/{session}")
    );
    let issuer = &who["sessionContext"]["sessionIssuer"];
    assert_eq!(issuer["arn"], "arn:aws:iam::000000000000:role/x");
    assert_eq!(record["requestParameters"]["cluster"], CLUSTER);
    let started = &record["responseElements"]["tasks"][0]["taskArn"];
    assert_eq!(*started, house.tasks()[0].arn());
}

#[tokio::test]
async fn a_task_with_a_role_acts_as_a_session_of_it() {
    let house = House::new();
    house.furnish(QUOTED).await;
    let role = "arn:aws:iam::000000000000:role/batch/worker";
    let request = serde_json::json!({
        "cluster": "batch", "taskDefinition": "csv", "overrides": {"taskRoleArn": role},
    });
    let run = house.flow.write(move |tx| {
        run::run_task(
            tx,
            &caller(),
            serde_json::from_value(request).unwrap(),
            None,
        )
    });
    run.await.unwrap();
    house
        .until("a container", |house| !house.runtime.starts().is_empty())
        .await;
    let environment = house.runtime.starts()[0].environment.clone();
    let value = |name: &str| {
        let found = environment.iter().find(|(other, _)| other == name);
        found.unwrap().1.clone()
    };
    let view = house.flow.view();
    let session = token::read(&view, &value("AWS_SESSION_TOKEN")).unwrap();
    let session = session.expect("made here");
    assert_eq!(session.access_key_id, value("AWS_ACCESS_KEY_ID"));
    assert_eq!(account_of(&session.access_key_id), "000000000000");
    let secret = token::secret(&view, &session.access_key_id).unwrap();
    assert_eq!(secret, Some(value("AWS_SECRET_ACCESS_KEY")));
    assert_eq!(session.expires, None);
    let Identity::Role(acting) = session.identity else {
        panic!("{:?}", session.identity);
    };
    let id = &house.tasks()[0].id;
    assert_eq!(acting.role_arn, role);
    assert_eq!(
        acting.arn(),
        format!("arn:aws:sts::000000000000:assumed-role/worker/{id}")
    );
}

/// A number from the environment, for the long form.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// The long form is `cargo xtask prove clock`.
#[tokio::test]
async fn wherever_the_clock_jumps_every_arrival_starts_once_and_soon() {
    let seed = setting("LANDFALL_PROVE_SEED", new_seed());
    println!("LANDFALL_PROVE_SEED={seed}");
    for round in 0..setting("LANDFALL_PROVE_ROUNDS", 4) {
        clock_jumps(&Random::new(seed.wrapping_add(round))).await;
    }
}

async fn clock_jumps(random: &Random) {
    const HOURS_12: u64 = 12 * 3_600 * 1_000;
    let house = House::new();
    house.furnish(UNQUOTED).await;
    let mut arrivals = 0;
    for _ in 0..6 {
        let is_retried = random.below(2) == 0;
        if is_retried {
            house.runtime.fail_starts_of("app:1", "no room");
        }
        arrivals += 1;
        house.arrive(&format!("in/{arrivals}")).await;
        if is_retried {
            let refused = |d: &deliver::Delivery| d.attempts > 0 && d.last_refusal.is_some();
            house
                .until("refused", |h| h.deliveries().iter().any(refused))
                .await;
        }
        let jump = i64::try_from(random.below(HOURS_12)).unwrap();
        let backwards = random.below(2) == 0;
        house
            .clock
            .advance_millis(if backwards { -jump } else { jump });
        house.runtime.heal("app:1");
        // So much time goes by, and the loop looks at the clock, as it does now and then.
        house.clock.advance_millis(limits::RETRY_DELAY_MILLIS_MAX);
        house.flow.write(|_| Ok(())).await.unwrap();
        let started = |h: &House| h.runtime.starts().len() == arrivals;
        house.until("started", started).await;
    }
    let keys: BTreeSet<_> = (0..arrivals)
        .map(|start| environment(&house.runtime, start, "OBJECT_KEY"))
        .collect();
    assert_eq!(keys.len(), arrivals, "one start for each arrival");
    for start in house.runtime.starts() {
        assert!(house.runtime.exit(&start.id, 0));
    }
    house
        .until("ended", |h| {
            let stopped = |t: &TaskRecord| t.task.last_status.as_deref() == Some("STOPPED");
            let ended = h.tasks().iter().filter(|t| stopped(t)).count();
            ended >= arrivals && h.deliveries().iter().all(|d| d.finished_at.is_some())
        })
        .await;
    assert_eq!(house.runtime.starts().len(), arrivals);
}
