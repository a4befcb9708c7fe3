//! Archives and replays over a store in memory: what is kept, what is sent again, and that nothing is sent twice.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::sync::Arc;

use landfall_core::caller::{Caller, Identity};
use landfall_core::clock::{Clock as _, Timestamp};
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_core::settings::Settings;
use landfall_flow::deliver::{Delivery, Outcome};
use landfall_flow::keep::queues;
use landfall_flow::route::archive::{self, Tally};
use landfall_flow::route::{StoredEvent, bus, put_events, replay, rules, targets};
use landfall_flow::{Flow, FlowParts, Key, Reader as _, Tx};
use landfall_testkit::{FakeRuntime, MemoryContents, MemoryState, SeededIds, TestClock};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const BEGIN: &str = "2026-11-12T00:00:00Z";
const BUS: &str = "arn:aws:events:us-east-1:000000000000:event-bus/default";
const ARCHIVE: &str = "arn:aws:events:us-east-1:000000000000:archive/all";
const DAY_MILLIS: i64 = 24 * 3_600 * 1_000;

struct House {
    state: Arc<MemoryState>,
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

impl House {
    fn over(state: Arc<MemoryState>, clock: Arc<TestClock>) -> Self {
        let flow = Flow::open(FlowParts {
            state: Arc::clone(&state) as Arc<_>,
            contents: Arc::new(MemoryContents::new()),
            runtime: Arc::new(FakeRuntime::new()),
            clock: Arc::clone(&clock) as Arc<_>,
            ids: Arc::new(SeededIds::new(7)),
            endpoint: "http://127.0.0.1:4566".to_owned(),
            container_credentials: None,
            settings: Settings::default(),
        });
        let flow = flow.expect("the flow opens");
        Self { state, clock, flow }
    }

    /// A queue that two rules send everything to, and an archive of what comes from `demo`.
    async fn new() -> Self {
        let clock = TestClock::at(Timestamp::parse_rfc3339(BEGIN).unwrap());
        let house = Self::over(Arc::new(MemoryState::new()), Arc::new(clock));
        let made = house.flow.write(|tx| {
            let allow = json!({"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage", "Resource": "*",
            }]});
            let queue = json!({"QueueName": "q", "Attributes": {"Policy": allow.to_string()}});
            let (me, queue) = (caller(), request(queue));
            queues::create(tx, &me, "http://127.0.0.1:4566", queue)?;
            for name in ["first", "second"] {
                let rule = json!({"Name": name, "EventPattern": r#"{"source":["demo","other"]}"#});
                rules::put(tx, &me, request(rule))?;
                let arn = "arn:aws:sqs:us-east-1:000000000000:q";
                let target = json!({"Rule": name, "Targets": [{"Id": "q", "Arn": arn}]});
                targets::put(tx, &me, request(target))?;
            }
            create(tx, json!({"EventPattern": r#"{"source":["demo"]}"#}))
        });
        made.await.expect("furnished");
        house
    }

    async fn write<T: Send + 'static>(
        &self,
        decide: impl FnOnce(&mut Tx<'_>) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        self.flow.write(decide).await
    }

    /// An event of a source with a time of so many seconds after the beginning.
    async fn arrive(&self, source: &str, seconds: i64) {
        let begin = Timestamp::parse_rfc3339(BEGIN).unwrap();
        let time = begin.plus_millis(seconds * 1_000).epoch_seconds();
        let entry =
            json!({"Source": source, "DetailType": "t", "Detail": "{\"n\":1.0}", "Time": time});
        let put = self
            .write(move |tx| put_events::put(tx, &caller(), request(json!({"Entries": [entry]}))));
        assert_eq!(put.await.unwrap().failed_entry_count, Some(0));
    }

    async fn arrive_many(&self, count: usize) {
        for n in 0..count {
            self.arrive("demo", i64::try_from(n).unwrap()).await;
        }
    }

    fn all<R: landfall_flow::Record>(&self, kind: &str) -> Vec<R> {
        self.flow.view().all::<R>(&Key::new(kind)).unwrap()
    }

    /// The events that replays have delivered by a rule, in order.
    fn replayed(&self, rule: &str) -> Vec<Delivery> {
        let mut all = self.all::<Delivery>("delivery");
        all.retain(|it| it.replay.is_some() && it.rule == rule && it.outcome == Outcome::Delivered);
        all
    }

    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..5_000 {
            if holds(self) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        panic!("never happened: {what}");
    }

    /// Lets sweeps begin until so many events are left. One that was under way when the time moved on has passed over what
    /// expired behind it; that goes with the next one.
    async fn swept(&self, left: usize) {
        for _ in 0..20 {
            self.turn().await;
            for _ in 0..200 {
                if self.held() == left {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
            self.clock
                .advance_millis(limits::ARCHIVE_SWEEP_PAUSE_MILLIS);
        }
        panic!("{} events are left, not {left}", self.held());
    }

    /// A change that changes nothing: the loop takes a turn at the time that the clock now has.
    async fn turn(&self) {
        self.write(|_| Ok(())).await.unwrap();
    }

    fn tally(&self) -> Tally {
        self.all::<Tally>("archive-tally").pop().unwrap_or_default()
    }

    fn held(&self) -> usize {
        self.all::<StoredEvent>("archived").len()
    }

    fn described(
        &self,
        name: &str,
    ) -> landfall_core::api::generated::events::DescribeReplayResponse {
        let asked = request(json!({"ReplayName": name}));
        replay::describe(&self.flow.view(), &caller(), &asked).unwrap()
    }

    async fn ended(&self, name: &str, state: &str) {
        self.until(state, |h| h.described(name).state.as_deref() == Some(state))
            .await;
    }
}

fn create(tx: &mut Tx<'_>, more: Value) -> Result<(), ApiError> {
    let mut archive = json!({"ArchiveName": "all", "EventSourceArn": BUS});
    archive
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    archive::create(tx, &caller(), request(archive)).map(|_| ())
}

fn delete(tx: &mut Tx<'_>) -> Result<(), ApiError> {
    archive::delete(tx, &caller(), &request(json!({"ArchiveName": "all"})))
}

/// A replay of the seconds from one to another one after the beginning.
fn start(tx: &mut Tx<'_>, name: &str, seconds: (i64, i64), rules: &[&str]) -> Result<(), ApiError> {
    let begin = Timestamp::parse_rfc3339(BEGIN).unwrap();
    let at = |seconds: i64| begin.plus_millis(seconds * 1_000).epoch_seconds();
    let asked = json!({
        "ReplayName": name, "EventSourceArn": ARCHIVE,
        "EventStartTime": at(seconds.0), "EventEndTime": at(seconds.1),
        "Destination": {"Arn": BUS, "FilterArns": rules},
    });
    let answer = replay::start(tx, &caller(), request(asked))?;
    assert_eq!(answer.state.as_deref(), Some("STARTING"));
    Ok(())
}

fn code<T: std::fmt::Debug>(result: Result<T, ApiError>) -> (String, String) {
    let error = result.unwrap_err();
    (error.code.into_owned(), error.message)
}

#[tokio::test]
async fn a_replay_sends_the_events_of_its_span_once_more_in_the_order_of_their_times() {
    let house = House::new().await;
    for (source, second) in [
        ("demo", 30),
        ("other", 10),
        ("demo", 10),
        ("demo", 20),
        ("demo", 40),
    ] {
        house.arrive(source, second).await;
    }
    assert_eq!(house.tally().events, 4, "what does not match is not kept");
    let bytes: usize = house
        .all::<StoredEvent>("archived")
        .iter()
        .map(|it| it.json.len())
        .sum();
    assert_eq!(house.tally().bytes, bytes as u64);

    house
        .write(|tx| start(tx, "again", (10, 40), &[]))
        .await
        .unwrap();
    house.ended("again", "COMPLETED").await;
    house
        .until("six deliveries", |h| {
            h.replayed("first").len() == 3 && h.replayed("second").len() == 3
        })
        .await;
    let sent = house.replayed("first");
    let times: Vec<String> = sent
        .iter()
        .map(|it| serde_json::from_str::<Value>(&it.event_json).unwrap())
        .map(|event| {
            assert_eq!(event["replay-name"], "again");
            event["time"].as_str().unwrap()[17..19].to_owned()
        })
        .collect();
    assert_eq!(times, ["10", "20", "30"], "the end is not part of the span");
    assert!(sent[0].event_json.contains(r#"{"n":1.0}"#));

    let all = house.all::<Delivery>("delivery");
    let ids: BTreeSet<&String> = all.iter().map(|it| &it.id).collect();
    assert_eq!(ids.len(), all.len(), "each delivery has an id of its own");
    let firsts = all.iter().filter(|it| it.replay.is_none());
    let first_ids: BTreeSet<&String> = firsts.map(|it| &it.event_id).collect();
    assert!(sent.iter().all(|it| first_ids.contains(&it.event_id)));
    assert_eq!(house.tally().events, 4, "nothing is archived again");
    let told = house.described("again");
    let at = |seconds: f64| {
        let begin = Timestamp::parse_rfc3339(BEGIN).unwrap();
        begin.epoch_seconds() + seconds
    };
    assert_eq!(told.event_last_replayed_time.unwrap().0, at(30.0));
    assert_eq!(told.event_end_time.unwrap().0, at(40.0));
    assert!(told.replay_end_time.is_some());
}

#[tokio::test]
async fn a_replay_goes_to_the_rules_that_it_names_and_to_no_others() {
    let house = House::new().await;
    house.arrive("demo", 1).await;
    let only = "arn:aws:events:us-east-1:000000000000:rule/second";
    house
        .write(move |tx| start(tx, "only", (0, 60), &[only]))
        .await
        .unwrap();
    house
        .until("sent", |h| h.replayed("second").len() == 1)
        .await;
    assert!(house.replayed("first").is_empty());
}

#[tokio::test]
async fn after_a_crash_at_any_commit_a_replay_has_sent_every_event_once() {
    let house = House::new().await;
    let count = limits::REPLAY_EVENTS_PER_TURN_MAX * 2 + 3;
    house.arrive_many(count).await;
    let before = house.state.commits();
    house
        .write(|tx| start(tx, "again", (0, 10_000), &[]))
        .await
        .unwrap();
    house
        .until("all sent", |h| h.replayed("first").len() == count)
        .await;
    let after = house.state.commits();
    assert!(after > before + 2, "it takes several steps");
    for commits in before + 1..=after {
        let state = Arc::new(house.state.crash(commits));
        let reborn = House::over(state, Arc::clone(&house.clock));
        reborn.ended("again", "COMPLETED").await;
        reborn
            .until("all sent", |h| h.replayed("first").len() >= count)
            .await;
        let sent = reborn.replayed("first");
        let events: BTreeSet<&String> = sent.iter().map(|it| &it.event_id).collect();
        assert_eq!(
            (events.len(), sent.len()),
            (count, count),
            "{commits} commits"
        );
    }
}

#[tokio::test]
async fn a_cancelled_replay_sends_nothing_more_and_one_without_its_archive_fails() {
    let house = House::new().await;
    house.arrive("demo", 1).await;
    let cancel = |name: &str| json!({"ReplayName": name});
    let asked = cancel("one");
    let answer = house
        .write(move |tx| {
            start(tx, "one", (0, 60), &[])?;
            replay::cancel(tx, &caller(), &request(asked))
        })
        .await
        .unwrap();
    assert_eq!(answer.state.as_deref(), Some("CANCELLING"));
    house.ended("one", "CANCELLED").await;
    assert!(house.replayed("first").is_empty());
    let asked = cancel("one");
    let again = house.write(move |tx| replay::cancel(tx, &caller(), &request(asked)));
    let (code, text) = code(again.await);
    assert_eq!(code, "IllegalStatusException");
    assert_eq!(
        text,
        "Replay one is not in a valid state for this operation."
    );

    house
        .write(|tx| {
            start(tx, "two", (0, 60), &[])?;
            delete(tx)?;
            create(tx, json!({}))
        })
        .await
        .unwrap();
    house.ended("two", "FAILED").await;
    let reason = house.described("two").state_reason;
    assert_eq!(reason.as_deref(), Some("Archive all does not exist."));
    assert!(house.replayed("first").is_empty());
}

#[tokio::test]
async fn expired_events_go_step_by_step_and_late_arrivals_stay() {
    let house = House::new().await;
    let count = limits::ARCHIVE_SWEEP_EVENTS_PER_TURN_MAX + 10;
    house.arrive_many(count).await;
    house
        .write(|tx| {
            let asked = json!({"ArchiveName": "all", "RetentionDays": 2});
            archive::update(tx, &caller(), request(asked)).map(|_| ())
        })
        .await
        .unwrap();
    assert_eq!(house.held(), count);
    house.clock.advance_millis(DAY_MILLIS + DAY_MILLIS / 2);
    house.arrive("demo", 5).await;
    house.clock.advance_millis(DAY_MILLIS);
    house.swept(1).await;
    assert_eq!(house.tally().events, 1);
    let left = &house.all::<StoredEvent>("archived")[0];
    assert!(
        left.json.contains("2026-11-12T00:00:05Z"),
        "old by its time, young in the archive"
    );
    house.clock.advance_millis(2 * DAY_MILLIS);
    house.swept(0).await;
    assert_eq!(house.tally(), Tally::default());
}

#[tokio::test]
async fn what_a_deleted_archive_held_goes_and_its_name_begins_anew() {
    let house = House::new().await;
    let count = limits::ARCHIVE_SWEEP_EVENTS_PER_TURN_MAX + 10;
    house.arrive_many(count).await;
    house
        .write(|tx| {
            delete(tx)?;
            create(tx, json!({}))
        })
        .await
        .unwrap();
    house.until("gone", |h| h.held() == 0).await;
    assert_eq!(house.tally(), Tally::default());
    house.arrive("other", 1).await;
    assert_eq!(
        house.tally().events,
        1,
        "without a pattern it takes everything"
    );
    house.write(delete).await.unwrap();
    house.arrive("demo", 1).await;
    house.until("gone again", |h| h.held() == 0).await;
}

#[tokio::test]
async fn replays_that_ended_long_ago_are_forgotten() {
    let house = House::new().await;
    house
        .write(|tx| start(tx, "one", (0, 1), &[]))
        .await
        .unwrap();
    house.ended("one", "COMPLETED").await;
    house.clock.advance_millis(89 * DAY_MILLIS);
    house.turn().await;
    let taken = house.write(|tx| start(tx, "one", (0, 1), &[])).await;
    assert_eq!(code(taken).1, "Replay one already exists.");
    house.clock.advance_millis(2 * DAY_MILLIS);
    house.turn().await;
    house
        .until("forgotten", |h| {
            h.all::<replay::Replay>("replay").is_empty()
        })
        .await;
}

#[tokio::test]
async fn ten_replays_may_be_under_way_and_no_more() {
    let house = House::new().await;
    let refused = house.write(|tx| {
        for n in 0..limits::EVENTS_REPLAYS_ACTIVE_MAX {
            start(tx, &format!("r{n}"), (0, 1), &[])?;
        }
        start(tx, "one-too-many", (0, 1), &[])
    });
    assert_eq!(code(refused.await).0, "LimitExceededException");
    assert!(
        house.all::<replay::Replay>("replay").is_empty(),
        "none of them"
    );
}

#[tokio::test]
async fn the_rule_of_an_archive_is_shown_and_left_to_its_archive() {
    let house = House::new().await;
    let name = "Events-Archive-all";
    let view = house.flow.view();
    let described = rules::describe(&view, &caller(), &request(json!({"Name": name}))).unwrap();
    assert_eq!(
        described.managed_by.as_deref(),
        Some("prod.vhs.events.aws.internal")
    );
    let pattern: Value = serde_json::from_str(&described.event_pattern.unwrap()).unwrap();
    assert_eq!(
        pattern,
        json!({"source": ["demo"], "replay-name": [{"exists": false}]})
    );

    type Change = fn(&mut Tx<'_>) -> Result<(), ApiError>;
    let changes: [Change; 4] = [
        |tx| {
            let rule = json!({"Name": "Events-Archive-all", "EventPattern": r#"{"source":["x"]}"#});
            rules::put(tx, &caller(), request(rule)).map(|_| ())
        },
        |tx| {
            rules::delete(
                tx,
                &caller(),
                &request(json!({"Name": "Events-Archive-all"})),
            )
        },
        |tx| {
            let bus = landfall_flow::route::BusKey::of(&caller(), None);
            rules::set_state(tx, &bus, "Events-Archive-all", "DISABLED")
        },
        |tx| {
            let targets = json!({"Rule": "Events-Archive-all", "Ids": ["Events-Archive-all"]});
            targets::remove(tx, &caller(), request(targets)).map(|_| ())
        },
    ];
    for change in changes {
        let (code, text) = code(house.write(change).await);
        assert_eq!(code, "ManagedRuleException");
        let words =
            "Events-Archive-all is a managed rule. Set 'force' parameter to true to override.";
        assert_eq!(text, words);
    }
    house.write(delete).await.unwrap();
    let gone = rules::describe(
        &house.flow.view(),
        &caller(),
        &request(json!({"Name": name})),
    );
    assert_eq!(code(gone).0, "ResourceNotFoundException");
}

#[tokio::test]
async fn a_bus_with_an_archive_cannot_be_deleted() {
    let house = House::new().await;
    let refused = house.write(|tx| {
        bus::create(tx, &caller(), request(json!({"Name": "own"})))?;
        let arn = "arn:aws:events:us-east-1:000000000000:event-bus/own";
        create(tx, json!({"ArchiveName": "own", "EventSourceArn": arn}))?;
        bus::delete(tx, &caller(), &request(json!({"Name": "own"})))
    });
    assert_eq!(
        code(refused.await).1,
        "Event bus can't be deleted since it has rules."
    );
}

#[tokio::test]
async fn what_cannot_be_is_refused_in_aws_words() {
    let house = House::new().await;
    let archives = [
        (json!({}), "Archive all already exists."),
        (
            json!({"ArchiveName": "b", "EventSourceArn": format!("{BUS}x")}),
            "Event bus defaultx does not exist.",
        ),
        (
            json!({"ArchiveName": "b", "EventSourceArn": BUS.replace("us-east-1", "us-west-2")}),
            "Event bus default does not exist.",
        ),
        (
            json!({"ArchiveName": "b", "EventSourceArn": ARCHIVE}),
            "Parameter EventSourceArn is not valid. Reason: Must contain an event bus ARN.",
        ),
    ];
    for (asked, message) in archives {
        assert_eq!(
            code(house.write(move |tx| create(tx, asked)).await).1,
            message
        );
    }
    let pattern = json!({"ArchiveName": "b", "EventPattern": "{"});
    let refused = house.write(move |tx| create(tx, pattern)).await;
    assert_eq!(code(refused).0, "InvalidEventPatternException");

    let fine = json!({
        "ReplayName": "r", "EventSourceArn": ARCHIVE, "EventStartTime": 1, "EventEndTime": 2,
        "Destination": {"Arn": BUS},
    });
    let replays = [
        (
            json!({"Destination": {"Arn": ARCHIVE}}),
            "Parameter Destination.Arn is not valid. Reason: Must contain an event bus ARN.",
        ),
        (
            json!({"Destination": {"Arn": format!("{BUS}x")}}),
            "Event bus defaultx does not exist.",
        ),
        (
            json!({"EventSourceArn": ARCHIVE.replace("all", "none")}),
            "Parameter EventSourceArn is not valid. Reason: Archive none does not exist.",
        ),
        (
            json!({"EventStartTime": 2}),
            "Parameter EventEndTime is not valid. Reason: EventStartTime must be before EventEndTime.",
        ),
        (
            json!({"Destination": {"Arn": BUS, "FilterArns": ["arn:aws:events:us-east-1:000000000000:rule/none"]}}),
            "Rule none does not exist on EventBus default.",
        ),
        (
            json!({"Destination": {"Arn": BUS, "FilterArns": [ARCHIVE]}}),
            "Parameter Destination.FilterArns is not valid. Reason: arn:aws:events:us-east-1:000000000000:archive/all is not the ARN of a rule of event bus default.",
        ),
    ];
    for (change, message) in replays {
        let mut asked = fine.clone();
        asked
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let refused = house.write(move |tx| replay::start(tx, &caller(), request(asked)));
        assert_eq!(code(refused.await).1, message);
    }
    let cross = house.write(move |tx| {
        bus::create(tx, &caller(), request(json!({"Name": "own"})))?;
        let mut asked = fine.clone();
        asked["Destination"]["Arn"] = json!("arn:aws:events:us-east-1:000000000000:event-bus/own");
        replay::start(tx, &caller(), request(asked))
    });
    let words =
        "Parameter Destination.Arn is not valid. Reason: Cross event bus replay is not permitted.";
    assert_eq!(code(cross.await).1, words);

    let view = house.flow.view();
    let both = json!({"NamePrefix": "a", "State": "ENABLED"});
    let words = "At most one filter is allowed for ListArchives. Use either : State, EventSourceArn, or NamePrefix.";
    assert_eq!(
        code(archive::list(&view, &caller(), &request(both))).1,
        words
    );
    let none = request(json!({"ArchiveName": "none"}));
    assert_eq!(
        code(archive::describe(&view, &caller(), &none)).1,
        "Archive none does not exist."
    );
    let none = request(json!({"ReplayName": "none"}));
    assert_eq!(
        code(replay::describe(&view, &caller(), &none)).1,
        "Replay none does not exist."
    );
    assert_eq!(house.clock.now().rfc3339_seconds(), BEGIN);
}
