//! Runs that run again, over a store in memory and a runtime that the test plays.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::sync::Arc;

use landfall_core::caller::{Caller, Identity};
use landfall_core::clock::Clock as _;
use landfall_core::limits;
use landfall_core::settings::Settings;
use landfall_flow::deliver::Delivery;
use landfall_flow::repeat::{Answer, Ask, repeat};
use landfall_flow::route::{BusKey, put_events, rules, targets};
use landfall_flow::run::{cluster, definition};
use landfall_flow::tell::{self, Run, RunState};
use landfall_flow::{Flow, FlowParts, Key, Reader as _, Tx};
use landfall_testkit::{FakeRuntime, MemoryContents, MemoryState, SeededIds, TestClock};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const CLUSTER: &str = "arn:aws:ecs:us-east-1:000000000000:cluster/batch";

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

fn request<Q: DeserializeOwned>(json: Value) -> Q {
    serde_json::from_value(json).unwrap()
}

fn failed() -> Ask {
    Ask {
        failed: true,
        ..Ask::default()
    }
}

impl House {
    fn over(state: Arc<MemoryState>, runtime: FakeRuntime, clock: Arc<TestClock>) -> Self {
        let flow = Flow::open(FlowParts {
            state: Arc::clone(&state) as Arc<_>,
            contents: Arc::new(MemoryContents::new()),
            runtime: Arc::new(runtime.clone()),
            clock: Arc::clone(&clock) as Arc<_>,
            ids: Arc::new(SeededIds::new(7)),
            endpoint: "http://127.0.0.1:4566".to_owned(),
            container_credentials: None,
            settings: Settings::default(),
        });
        let flow = flow.expect("the flow opens");
        Self {
            state,
            runtime,
            clock,
            flow,
        }
    }

    async fn new() -> Self {
        let (state, clock) = (Arc::new(MemoryState::new()), Arc::default());
        let house = Self::over(state, FakeRuntime::new(), clock);
        house
            .change(|tx, me| {
                let cluster = request(json!({"clusterName": "batch"}));
                cluster::create(tx, me, cluster).unwrap();
                let containers = json!([{"name": "app", "image": "app:1", "memory": 64}]);
                let family = json!({"family": "csv", "containerDefinitions": containers});
                definition::register(tx, me, request(family)).unwrap();
                let rule = json!({"Name": "arrivals", "EventPattern": r#"{"source":["demo"]}"#});
                rules::put(tx, me, request(rule)).unwrap();
                target(tx, me, "csv", 0);
            })
            .await;
        house
    }

    async fn change(&self, change: impl FnOnce(&mut Tx<'_>, &Caller) + Send + 'static) {
        let changed = self.flow.write(move |tx| {
            change(tx, &caller());
            Ok(())
        });
        changed.await.unwrap();
    }

    async fn arrive(&self, count: usize) {
        for _ in 0..count {
            self.change(|tx, me| {
                let entry = json!({"Source": "demo", "DetailType": "t", "Detail": "{}"});
                put_events::put(tx, me, request(json!({"Entries": [entry]}))).unwrap();
            })
            .await;
        }
    }

    async fn ask(&self, ask: Ask) -> Answer {
        repeat(&self.flow, ask).await.unwrap()
    }

    /// Asks until all of it is done.
    async fn ask_all(&self, mut ask: Ask) -> Vec<u64> {
        let mut replays = Vec::new();
        loop {
            let answer = self.ask(ask.clone()).await;
            replays.extend(answer.replayed.iter().filter_map(|it| it.replay));
            let Some(next) = answer.next else {
                return replays;
            };
            (ask.after, ask.up_to) = (next.after, Some(next.up_to));
        }
    }

    fn runs(&self) -> Vec<Run> {
        tell::runs(&self.flow.view(), &tell::Filter::default(), None, 100_000)
            .unwrap()
            .runs
    }

    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..5_000 {
            if holds(self) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        panic!("never happened: {what}\n{:#?}", self.runs());
    }

    async fn ended(&self, count: usize) -> Vec<Run> {
        let ended = |h: &Self| {
            let runs = h.runs();
            runs.len() == count && runs.iter().all(|run| run.state.is_final())
        };
        self.until(&format!("{count} ended"), ended).await;
        self.runs()
    }
}

/// The rule's one target.
fn target(tx: &mut Tx<'_>, me: &Caller, family: &str, retries: u32) {
    let target = json!({
        "Rule": "arrivals",
        "Targets": [{
            "Id": "ecs", "Arn": CLUSTER, "RoleArn": "arn:aws:iam::000000000000:role/x",
            "EcsParameters": {"TaskDefinitionArn": family},
            "RetryPolicy": {"MaximumRetryAttempts": retries, "MaximumEventAgeInSeconds": 3600},
        }],
    });
    targets::put(tx, me, request(target)).unwrap();
}

fn states(runs: &[Run]) -> Vec<RunState> {
    runs.iter().map(|run| run.state).collect()
}

#[tokio::test]
async fn what_failed_comes_home_after_the_fault_is_mended_and_is_not_repeated_then() {
    let house = House::new().await;
    house.runtime.fail_pulls_of("app:1");
    house.arrive(1).await;
    house.ended(1).await;
    house.runtime.heal("app:1");
    house.runtime.exit_at_once(Some(1));
    house.arrive(1).await;
    let runs = house.ended(2).await;
    assert_eq!(states(&runs), [RunState::DeadLettered, RunState::Failed]);

    house.runtime.exit_at_once(Some(0));
    let plan = house
        .ask(Ask {
            dry_run: true,
            ..failed()
        })
        .await;
    assert_eq!(plan.replayed.len(), 2);
    assert!(plan.replayed.iter().all(|it| it.replay.is_none()));
    assert_eq!(house.runs().len(), 2, "a plan changes nothing");

    let answer = house.ask(failed()).await;
    assert_eq!((answer.replayed.len(), answer.next), (2, None));
    let runs = house.ended(4).await;
    assert!(
        states(&runs[2..])
            .iter()
            .all(|state| *state == RunState::Succeeded)
    );
    for (first, again) in [(0, 2), (1, 3)] {
        assert_eq!(runs[again].replay_of, Some(runs[first].number));
        assert_eq!(runs[again].replay.as_deref(), Some("landfall"));
        assert_eq!(runs[first].replayed_as, [runs[again].number]);
        assert_eq!(runs[again].event_id, runs[first].event_id);
    }
    let again = house.ask(failed()).await;
    assert!(again.replayed.is_empty() && again.under_way.is_empty() && again.refused.is_empty());
}

#[tokio::test]
async fn a_repetition_that_fails_is_repeated_once_more_and_one_that_runs_is_not() {
    let house = House::new().await;
    house.runtime.exit_at_once(Some(1));
    house.arrive(1).await;
    house.ended(1).await;
    house.ask(failed()).await;
    house.ended(2).await;
    house.runtime.exit_at_once(None);
    let answer = house.ask(failed()).await;
    assert_eq!(
        answer.replayed.len(),
        1,
        "the first one, not its repetition too"
    );
    let first = answer.replayed[0].run;
    house
        .until("running", |h| h.runs()[2].state == RunState::Running)
        .await;
    let answer = house.ask(failed()).await;
    assert!(answer.replayed.is_empty());
    assert_eq!(
        (answer.under_way[0].run, answer.under_way[0].replay),
        (first, Some(house.runs()[2].number))
    );
    let starts: BTreeSet<String> = house.runtime.starts().into_iter().map(|it| it.id).collect();
    assert_eq!((starts.len(), house.runtime.starts().len()), (3, 3));
    let of: Vec<Option<u64>> = house.runs().iter().map(|run| run.replay_of).collect();
    assert_eq!(of, [None, first, first]);
}

#[tokio::test]
async fn runs_meet_the_rule_and_the_target_as_they_are_now() {
    let house = House::new().await;
    house.runtime.fail_pulls_of("app:1");
    house.arrive(1).await;
    house.ended(1).await;
    house
        .change(|tx, _| {
            rules::set_state(tx, &BusKey::of(&caller(), None), "arrivals", "DISABLED").unwrap()
        })
        .await;
    let refused = |answer: Answer| answer.refused[0].reason.clone().unwrap();
    assert_eq!(
        refused(house.ask(failed()).await),
        "rule arrivals is disabled"
    );
    house
        .change(|tx, me| {
            rules::set_state(tx, &BusKey::of(me, None), "arrivals", "ENABLED").unwrap();
            let containers = json!([{"name": "app", "image": "good:1", "memory": 64}]);
            let family = json!({"family": "mended", "containerDefinitions": containers});
            definition::register(tx, me, request(family)).unwrap();
            target(tx, me, "mended", 0);
        })
        .await;
    house.runtime.exit_at_once(Some(0));
    house.ask(failed()).await;
    let runs = house.ended(2).await;
    assert_eq!(runs[1].state, RunState::Succeeded);
    assert_eq!(house.runtime.starts().last().unwrap().image, "good:1");

    house
        .change(|tx, me| {
            let gone = json!({"Rule": "arrivals", "Ids": ["ecs"]});
            targets::remove(tx, me, request(gone)).unwrap();
        })
        .await;
    let since = || Ask {
        since: Some("1970-01-01T00:00:00Z".to_owned()),
        ..Ask::default()
    };
    assert_eq!(
        refused(house.ask(since()).await),
        "rule arrivals has no target ecs any more"
    );
    house
        .change(|tx, me| rules::delete(tx, me, &request(json!({"Name": "arrivals"}))).unwrap())
        .await;
    assert_eq!(
        refused(house.ask(since()).await),
        "rule arrivals does not exist any more"
    );
}

#[tokio::test]
async fn a_span_of_time_takes_runs_whatever_their_end_and_no_repetitions() {
    let house = House::new().await;
    house.runtime.exit_at_once(Some(0));
    house.arrive(1).await;
    house.ended(1).await;
    house.clock.advance_millis(60_000);
    let middle = house.clock.now().iso8601_millis();
    house.arrive(1).await;
    let runs = house.ended(2).await;
    let span = |since: Option<String>, until: Option<String>, rule: Option<&str>| Ask {
        since: since.or_else(|| Some("1970-01-01T00:00:00Z".to_owned())),
        until,
        rule: rule.map(str::to_owned),
        ..Ask::default()
    };
    let of = |answer: Answer| {
        answer
            .replayed
            .iter()
            .map(|it| it.run.unwrap())
            .collect::<Vec<_>>()
    };
    let other = house.ask(span(None, None, Some("other"))).await;
    assert!(of(other).is_empty());
    let late = house.ask(span(Some(middle.clone()), None, None)).await;
    assert_eq!(of(late), [runs[1].number]);
    house.ended(3).await;
    let early = house.ask(span(None, Some(middle), Some("arrivals"))).await;
    assert_eq!(of(early), [runs[0].number]);
    house.ended(4).await;
    let all = house.ask(span(None, None, None)).await;
    assert_eq!(of(all), [runs[0].number, runs[1].number]);
    house.ended(6).await;
}

#[tokio::test]
async fn many_runs_are_repeated_in_parts_and_a_crash_between_them_repeats_none_twice() {
    let house = House::new().await;
    house.runtime.fail_pulls_of("app:1");
    let count = limits::REPLAY_RUNS_PER_COMMIT_MAX + 5;
    house.arrive(count).await;
    house.ended(count).await;
    house.runtime.heal("app:1");
    house.runtime.exit_at_once(Some(0));
    let before = house.state.commits();
    let first = house.ask(failed()).await;
    assert_eq!(first.replayed.len(), limits::REPLAY_RUNS_PER_COMMIT_MAX);
    let next = first.next.expect("there is more");
    let rest = Ask {
        after: next.after,
        up_to: Some(next.up_to),
        ..failed()
    };
    assert_eq!(house.ask_all(rest).await.len(), 5);
    house.ended(2 * count).await;
    let after = house.state.commits();
    for commits in (before..=after).step_by((after - before) / 12 + 1) {
        let runtime = FakeRuntime::new();
        runtime.exit_at_once(Some(0));
        let state = Arc::new(house.state.crash(commits));
        let reborn = House::over(state, runtime, Arc::clone(&house.clock));
        reborn
            .until("nothing under way", |h| {
                h.runs().iter().all(|run| run.state.is_final())
            })
            .await;
        reborn.ask_all(failed()).await;
        reborn
            .until("nothing under way", |h| {
                h.runs().iter().all(|run| run.state.is_final())
            })
            .await;
        let asked = reborn.ask(failed()).await;
        assert!(asked.replayed.is_empty(), "{asked:?}");
        let all = reborn
            .flow
            .view()
            .all::<Delivery>(&Key::new("delivery"))
            .unwrap();
        let ids: BTreeSet<&String> = all.iter().map(|it| &it.id).collect();
        assert_eq!(ids.len(), all.len(), "{commits} commits");
        let starts = reborn.runtime.starts();
        let started: BTreeSet<&String> = starts.iter().map(|it| &it.id).collect();
        assert_eq!(started.len(), starts.len(), "no id starts twice");
    }
}

#[tokio::test]
async fn a_repetition_has_all_its_retries_however_old_its_event_is() {
    let house = House::new().await;
    house.runtime.fail_pulls_of("app:1");
    house.arrive(1).await;
    house.ended(1).await;
    house.clock.advance_millis(2 * 24 * 3_600 * 1_000);
    house.change(|tx, me| target(tx, me, "csv", 3)).await;
    house.ask(failed()).await;
    house
        .until("the repetition waits for its retry", |h| {
            let run = &h.runs()[1];
            run.attempts == 1 && run.state == RunState::Matched && run.reason.is_some()
        })
        .await;
    house.runtime.heal("app:1");
    house.runtime.exit_at_once(Some(0));
    house.clock.advance_millis(600_000);
    house.change(|_, _| ()).await;
    assert_eq!(house.ended(2).await[1].state, RunState::Succeeded);
}

#[tokio::test]
async fn a_question_that_means_nothing_is_refused() {
    let house = House::new().await;
    let text = |value: &str| Some(value.to_owned());
    let asks = [
        (Ask::default(), "Say what to replay"),
        (
            Ask {
                key: text("k"),
                ..Ask::default()
            },
            "A key needs its bucket.",
        ),
        (
            Ask {
                version_id: text("v"),
                ..failed()
            },
            "A version needs its bucket and key.",
        ),
        (
            Ask {
                bucket: text("b"),
                key: text("k"),
                ..failed()
            },
            "not for both",
        ),
        (
            Ask {
                since: text("noon"),
                ..Ask::default()
            },
            "since must be a time such as",
        ),
        (
            Ask {
                bucket: text("none"),
                key: text("k"),
                ..Ask::default()
            },
            "The specified bucket does not exist",
        ),
    ];
    for (ask, message) in asks {
        let refused = repeat(&house.flow, ask).await.unwrap_err();
        assert!(refused.message.contains(message), "{}", refused.message);
    }
}
