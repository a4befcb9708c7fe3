//! The ledger: each step of a run with its time, questions by object, rule, state and time, what has changed, and that it
//! stays within its bounds whatever happens.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, dead_code)]

mod road;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use landfall_core::clock::Clock as _;
use landfall_core::limits;
use landfall_core::settings::{Ledger, Settings};
use landfall_flow::keep::tags;
use landfall_flow::run::{self, TaskRecord};
use landfall_flow::tell::{self, Ended, Filter, Listed, RunState, Tally};
use landfall_flow::{Key, Reader as _};
use landfall_store::Direction;
use proptest::prelude::*;
use road::{BEGIN, BUCKET, QUEUE, Road, UNQUOTED, caller, on_objects, request};
use serde_json::json;

const IN: &str = r#","object":{"key":[{"prefix":"in/"}]}"#;
const DAY_MILLIS: i64 = 86_400_000;

async fn with_rules(settings: Settings) -> Road {
    let road = Road::new(settings).await;
    road.task_rule("tasks", IN, UNQUOTED).await;
    let letters = json!({"Name": "letters", "EventPattern": on_objects(r#","object":{"key":[{"prefix":"mail/"}]}"#)});
    road.rule(letters, json!({"Id": "q", "Arn": QUEUE})).await;
    road
}

fn of(filter: Filter) -> Filter {
    Filter {
        bucket: Some(BUCKET.to_owned()),
        ..filter
    }
}

#[tokio::test]
async fn a_run_tells_each_step_with_its_time() {
    let road = with_rules(Settings::default()).await;
    road.put("in/a").await;
    road.runtime.wait_for_starts(1).await;
    let is = |state: RunState| move |road: &Road| road.runs(&Filter::default())[0].state == state;
    road.until("running", is(RunState::Running)).await;
    road.later(5_000).await;
    assert!(road.runtime.run_out_of_memory(&road.runtime.starts()[0].id));
    road.until("failed", is(RunState::Failed)).await;
    let run = &road.runs(&Filter::default())[0];
    let began = Some(BEGIN.iso8601_millis());
    assert_eq!(Some(&run.matched_at), began.as_ref());
    assert_eq!(
        (&run.queued_at, &run.starting_at, &run.running_at),
        (&began, &began, &began)
    );
    assert_eq!(
        run.ended_at,
        Some(BEGIN.plus_millis(5_000).iso8601_millis())
    );
    let [start] = &run.starts[..] else {
        panic!("{:?}", run.starts);
    };
    assert_eq!((start.status.as_str(), start.former), ("STOPPED", false));
    let container = &start.containers[0];
    assert_eq!(
        (container.name.as_str(), container.exit_code),
        ("app", Some(137))
    );
    assert!(
        container
            .reason
            .as_deref()
            .unwrap()
            .starts_with("OutOfMemoryError")
    );
    assert_eq!(
        tell::single(&road.flow.view(), run.number)
            .unwrap()
            .as_ref(),
        Some(run)
    );
}

#[tokio::test]
async fn questions_are_answered_from_the_index_and_from_the_ledger_alike() {
    let road = with_rules(Settings::default()).await;
    road.runtime.exit_at_once(Some(0));
    for key in ["in/a", "mail/b", "in/a", "in/ab", "else"] {
        road.later(1_000).await;
        road.put(key).await;
    }
    let is_over = |road: &Road| {
        let runs = road.runs(&Filter::default());
        runs.len() == 4 && runs.iter().all(|run| run.ended_at.is_some())
    };
    road.until("four runs", is_over).await;
    let keys = |filter: Filter| -> Vec<String> {
        let runs = road.runs(&filter).into_iter();
        runs.map(|run| run.key.unwrap()).collect()
    };
    let none = Filter::default;
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(keys(none()), ["in/a", "mail/b", "in/a", "in/ab"]);
    assert_eq!(keys(of(none())), keys(none()));
    assert_eq!(
        keys(of(Filter {
            key: text("in/a"),
            ..none()
        })),
        ["in/a", "in/a"]
    );
    assert_eq!(
        keys(of(Filter {
            prefix: text("in/a"),
            ..none()
        })),
        ["in/a", "in/a", "in/ab"]
    );
    assert_eq!(
        keys(of(Filter {
            key: text("else"),
            ..none()
        })),
        [""; 0]
    );
    assert_eq!(
        keys(Filter {
            rule: text("letters"),
            ..none()
        }),
        ["mail/b"]
    );
    assert_eq!(
        keys(Filter {
            state: Some(RunState::Delivered),
            ..none()
        }),
        ["mail/b"]
    );
    let since = Some(BEGIN.plus_millis(3_000));
    assert_eq!(keys(Filter { since, ..none() }), ["in/a", "in/ab"]);
    let elsewhere = Filter {
        bucket: text("other"),
        ..none()
    };
    assert_eq!(keys(elsewhere), [""; 0]);

    for filter in [
        none(),
        of(none()),
        of(Filter {
            state: Some(RunState::Succeeded),
            ..none()
        }),
    ] {
        let (mut paged, mut token) = (Vec::new(), None);
        loop {
            let page = tell::runs(&road.flow.view(), &filter, token, 1).unwrap();
            assert!(page.runs.len() <= 1);
            paged.extend(page.runs.into_iter().map(|run| run.number));
            token = page.next;
            if token.is_none() {
                break;
            }
        }
        paged.reverse();
        let whole: Vec<u64> = road.runs(&filter).iter().map(|run| run.number).collect();
        assert_eq!(paged, whole, "{filter:?}");
    }
}

#[tokio::test]
async fn who_follows_is_woken_by_changes_and_told_when_some_were_missed() {
    let road = with_rules(Settings::default()).await;
    let ask = |from: Option<String>, filter: Filter, wait: u64| {
        let flow = road.flow.clone();
        async move {
            let wait = Duration::from_secs(wait);
            tell::changes(&flow, &filter, from.as_deref(), wait)
                .await
                .unwrap()
        }
    };
    let begin = ask(None, Filter::default(), 20).await;
    assert!(begin.runs.is_empty() && !begin.missed);
    let mail = Filter {
        rule: Some("letters".to_owned()),
        ..Filter::default()
    };
    let (told, ()) = tokio::join!(ask(Some(begin.position.clone()), mail, 20), async {
        road.put("in/a").await;
        road.put("mail/b").await;
    });
    let told: Vec<_> = told
        .runs
        .iter()
        .map(|run| run.key.as_deref().unwrap())
        .collect();
    assert_eq!(told, ["mail/b"], "what does not pass wakes nobody for good");
    road.runtime.wait_for_starts(1).await;
    let all = ask(Some(begin.position), Filter::default(), 20).await;
    assert_eq!(all.runs.len(), 2, "each run once");
    for foreign in ["1-0", "x", ""] {
        assert!(
            ask(Some(foreign.to_owned()), Filter::default(), 20)
                .await
                .missed,
            "{foreign}"
        );
    }
}

#[derive(Debug, Clone)]
enum Step {
    Mail,
    Task,
    Exit(usize),
    Days(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Mail),
        Just(Step::Task),
        (0_usize..4).prop_map(Step::Exit),
        (1_i64..3).prop_map(Step::Days),
    ]
}

/// What the ledger must hold, told by what was done alone.
#[derive(Debug, Default)]
struct Model {
    /// Key of each run, and when it ended.
    runs: BTreeMap<String, Option<i64>>,
    /// Keys whose tasks run, in order of their starts.
    running: Vec<String>,
}

impl Model {
    fn expire(&mut self, now: i64, ledger: &Ledger) {
        let mut ended: Vec<(i64, String)> = self
            .runs
            .iter()
            .filter_map(|(key, at)| Some(((*at)?, key.clone())))
            .collect();
        ended.sort();
        let age = i64::from(ledger.age_days_max) * DAY_MILLIS;
        let over = ended
            .len()
            .saturating_sub(usize::try_from(ledger.entries_max).unwrap());
        for (place, (at, key)) in ended.iter().enumerate() {
            if place < over || at + age <= now {
                self.runs.remove(key);
            }
        }
    }
}

/// Whether the ledger, its index, its counts and the tasks are all that the model says and nothing else.
fn agrees(road: &Road, model: &Model) -> bool {
    let view = road.flow.view();
    let runs = road.runs(&Filter::default());
    let told: BTreeMap<_, _> = runs
        .iter()
        .map(|run| (run.key.clone().unwrap(), run.ended_at.clone()))
        .collect();
    let expected: BTreeMap<_, _> = model
        .runs
        .iter()
        .map(|(key, at)| {
            (
                key.clone(),
                at.map(|at| landfall_core::clock::Timestamp(at).iso8601_millis()),
            )
        })
        .collect();
    let indexed = view
        .list::<Listed>(&Key::new("run-object"), Direction::Forward)
        .count();
    let ended: Vec<Ended> = view.all(&Key::new("run-ended")).unwrap();
    let tally: Vec<Tally> = view.all(&Key::new("run-tally")).unwrap();
    let tally = tally.first().cloned().unwrap_or_default();
    let tasks: Vec<TaskRecord> = view.all(&Key::new("task")).unwrap();
    let tasks: BTreeSet<String> = tasks.iter().map(|task| task.arn().to_owned()).collect();
    let needed: BTreeSet<String> = runs.iter().flat_map(|run| run.tasks.clone()).collect();
    told == expected
        && indexed == runs.len()
        && tally.entries == ended.len() as u64
        && tally.bytes == ended.iter().map(|it| it.bytes).sum::<u64>()
        && ended.len() == model.runs.values().flatten().count()
        && tasks == needed
}

async fn play(steps: Vec<Step>, ledger: Ledger) {
    let settings = Settings {
        ledger: ledger.clone(),
        ..Settings::default()
    };
    let road = with_rules(settings).await;
    let mut model = Model::default();
    for (number, step) in steps.into_iter().enumerate() {
        // No two runs end in the same millisecond, so that their order is known.
        road.later(1).await;
        let now = road.clock.now().0;
        match step {
            Step::Mail => {
                let key = format!("mail/{number}");
                road.put(&key).await;
                model.runs.insert(key, Some(now));
            }
            Step::Task => {
                let key = format!("in/{number}");
                let started = road.runtime.starts().len() + 1;
                road.put(&key).await;
                road.runtime.wait_for_starts(started).await;
                model.runs.insert(key.clone(), None);
                model.running.push(key);
            }
            Step::Exit(which) if which < model.running.len() => {
                let key = model.running.remove(which);
                let starts = road.runtime.starts();
                let has_key = |spec: &&landfall_flow::runtime::ContainerSpec| {
                    spec.environment.iter().any(|(_, value)| *value == key)
                };
                assert!(
                    road.runtime
                        .exit(&starts.iter().find(has_key).unwrap().id, 0)
                );
                model.runs.insert(key, Some(now));
            }
            Step::Exit(_) => {}
            Step::Days(days) => road.later(days * DAY_MILLIS).await,
        }
        model.expire(road.clock.now().0, &ledger);
        road.until(&format!("what the model says: {model:#?}"), |road| {
            agrees(road, &model)
        })
        .await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_holds_the_newest_that_ended_and_all_that_have_not(
        steps in prop::collection::vec(step(), 1..24),
        entries_max in 1_u64..5,
        age_days_max in 1_u32..5,
    ) {
        let ledger = Ledger { entries_max, age_days_max, ..Ledger::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(steps, ledger));
    }
}

#[tokio::test]
async fn bytes_are_a_bound_too() {
    let bytes_max = 20_000;
    let ledger = Ledger {
        bytes_max,
        ..Ledger::default()
    };
    let settings = Settings {
        ledger,
        ..Settings::default()
    };
    let road = with_rules(settings).await;
    for n in 0..100 {
        road.put(&format!("mail/{n:03}")).await;
    }
    let newest = |road: &Road| {
        road.runs(&Filter::default())
            .last()
            .and_then(|run| run.key.clone())
    };
    road.until("the last one", |road| {
        newest(road).as_deref() == Some("mail/099")
    })
    .await;
    let tally = |road: &Road| {
        road.flow
            .view()
            .all::<Tally>(&Key::new("run-tally"))
            .unwrap()[0]
            .clone()
    };
    road.until("within bounds", |road| tally(road).bytes <= bytes_max)
        .await;
    let kept = tally(&road).entries;
    assert!(kept > 5 && kept < 50, "{kept}");
    let keys: Vec<_> = road
        .runs(&Filter::default())
        .into_iter()
        .filter_map(|run| run.key)
        .collect();
    let expected: Vec<_> = (100 - kept..100).map(|n| format!("mail/{n:03}")).collect();
    assert_eq!(keys, expected);
}

#[tokio::test]
async fn many_that_are_too_old_go_in_more_than_one_turn() {
    let road = with_rules(Settings::default()).await;
    let many = limits::LEDGER_DROPPED_PER_TURN_MAX * 2;
    for n in 0..many {
        road.put(&format!("mail/{n:03}")).await;
    }
    road.until("all", |road| road.runs(&Filter::default()).len() == many)
        .await;
    let old = i64::from(limits::LEDGER_AGE_DAYS_MAX) * DAY_MILLIS;
    road.later(old - 1_000).await;
    assert_eq!(road.runs(&Filter::default()).len(), many);
    road.later(1_000).await;
    road.until("nothing", |road| road.runs(&Filter::default()).is_empty())
        .await;
}

#[tokio::test]
async fn a_stopped_task_that_no_rule_started_goes_after_a_day_with_its_tags() {
    let road = with_rules(Settings::default()).await;
    road.runtime.exit_at_once(Some(0));
    let asked =
        json!({"cluster": "batch", "taskDefinition": "csv", "tags": [{"key": "a", "value": "b"}]});
    let answer = road
        .write(move |tx| run::run_task(tx, &caller(), request(asked), None))
        .await;
    let arn = answer.tasks.unwrap()[0].task_arn.clone().unwrap();
    let task = |road: &Road| run::task::by_arn(&road.flow.view(), &arn).unwrap();
    road.until("stopped", |road| task(road).unwrap().ended_at.is_some())
        .await;
    road.later(limits::TASK_KEPT_MILLIS - 1_000).await;
    assert!(task(&road).is_some());
    road.later(1_000).await;
    road.until("gone", |road| task(road).is_none()).await;
    assert!(tags::of(&road.flow.view(), &arn).unwrap().0.is_empty());
}
