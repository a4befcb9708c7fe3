//! A flow over a store in memory, with a clock, ids and containers that the test plays. Never draws on the machine.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use landfall_core::caller::{Caller, Identity};
use landfall_core::clock::{Clock as _, Timestamp};
use landfall_core::error::ApiError;
use landfall_flow::deliver::Due;
use landfall_flow::route::StoredEvent;
use landfall_flow::run::TaskRecord;
use landfall_flow::{Flow, FlowParts, Key, Reader as _, Tx};
use landfall_store::Direction;
use landfall_testkit::{FakeRuntime, MemoryContents, MemoryState, SeededIds, TestClock};
use serde::de::DeserializeOwned;
use serde_json::Value;

pub const ENDPOINT: &str = "http://127.0.0.1:4566";
/// When the scenario begins: 2026-11-12T00:00:00Z.
pub const BEGIN: Timestamp = Timestamp(1_794_441_600_000);

/// The flow and what it stands on.
pub struct House {
    pub state: Arc<MemoryState>,
    pub contents: MemoryContents,
    pub runtime: FakeRuntime,
    pub clock: Arc<TestClock>,
    pub flow: Flow,
}

/// Who asks for everything here.
pub fn caller() -> Caller {
    Caller {
        access_key_id: "AKIAGOLDEN".to_owned(),
        source_ip: "192.0.2.7".to_owned(),
        user_agent: "golden".to_owned(),
        identity: Identity::Root,
        ..Caller::service("", "000000000000", "us-east-1", "REQUEST1".to_owned())
    }
}

/// A request as the API writes it.
pub fn request<Q: DeserializeOwned>(json: Value) -> Q {
    let text = json.to_string();
    serde_json::from_value(json).unwrap_or_else(|e| panic!("{e}: {text}"))
}

impl House {
    /// Opens the flow over what there is, its clock at `now`.
    pub fn open(
        state: MemoryState,
        contents: MemoryContents,
        runtime: FakeRuntime,
        now: Timestamp,
    ) -> Self {
        let state = Arc::new(state);
        let clock = Arc::new(TestClock::at(now));
        runtime.set_now_millis(now.0);
        let flow = Flow::open(FlowParts {
            state: Arc::clone(&state) as Arc<_>,
            contents: Arc::new(contents.clone()),
            runtime: Arc::new(runtime.clone()),
            clock: Arc::clone(&clock) as Arc<_>,
            ids: Arc::new(SeededIds::new(7)),
            endpoint: ENDPOINT.to_owned(),
            container_credentials: None,
            settings: landfall_core::settings::Settings::default(),
        })
        .expect("the flow opens");
        Self {
            state,
            contents,
            runtime,
            clock,
            flow,
        }
    }

    /// Turns the clock forward.
    pub fn later(&self, millis: i64) {
        self.clock.advance_millis(millis);
        self.runtime.set_now_millis(self.clock.now().0);
    }

    /// Has a change decided.
    pub async fn write<A: Send + 'static>(
        &self,
        decide: impl FnOnce(&mut Tx<'_>) -> Result<A, ApiError> + Send + 'static,
    ) -> A {
        self.flow.write(decide).await.expect("the write is taken")
    }

    /// Calls a verb that takes its request.
    pub async fn give<Q, A>(
        &self,
        verb: impl FnOnce(&mut Tx<'_>, &Caller, Q) -> Result<A, ApiError> + Send + 'static,
        json: Value,
    ) -> A
    where
        Q: DeserializeOwned + Send + 'static,
        A: Send + 'static,
    {
        let asked: Q = request(json);
        self.write(move |tx| verb(tx, &caller(), asked)).await
    }

    /// Calls a verb that looks at its request.
    pub async fn lend<Q, A>(
        &self,
        verb: impl FnOnce(&mut Tx<'_>, &Caller, &Q) -> Result<A, ApiError> + Send + 'static,
        json: Value,
    ) -> A
    where
        Q: DeserializeOwned + Send + 'static,
        A: Send + 'static,
    {
        let asked: Q = request(json);
        self.write(move |tx| verb(tx, &caller(), &asked)).await
    }

    /// Waits until a condition on the committed state holds.
    pub async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..5_000 {
            if holds(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("never happened: {what}");
    }

    /// Waits until every event has met its rules and nothing that is due is left.
    pub async fn quiet(&self) {
        self.until("quiet", |house| {
            let view = house.flow.view();
            let events = view.all::<StoredEvent>(&Key::new("event")).unwrap();
            let all = Key::new("due");
            let mut due = view.list::<Due>(&all, Direction::Forward);
            let now = Key::new("due").number(u64::try_from(house.clock.now().0).unwrap() + 1);
            events.is_empty() && due.all(|entry| entry.unwrap().0 >= now)
        })
        .await;
    }

    /// The task with an ARN.
    pub fn task(&self, arn: &str) -> TaskRecord {
        let found = landfall_flow::run::task::by_arn(&self.flow.view(), arn);
        found.unwrap().expect("the task exists")
    }

    /// Waits for a status of a task.
    pub async fn task_is(&self, arn: &str, status: &str) {
        self.until(&format!("{arn} {status}"), |house| {
            house.task(arn).task.last_status.as_deref() == Some(status)
        })
        .await;
        self.quiet().await;
    }
}

/// Bytes of any length that are the same every time.
pub fn bytes(length: usize) -> Bytes {
    (0..length)
        .map(|i| u8::try_from(i % 251).unwrap())
        .collect()
}
