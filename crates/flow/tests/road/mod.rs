//! A bucket, a cluster, a queue and the rules that a test asks for, over a store in memory and a runtime that it plays.
//! Never a test itself.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use landfall_core::caller::{Caller, Identity};
use landfall_core::clock::{Clock as _, Timestamp};
use landfall_core::event::CreatedReason;
use landfall_core::settings::Settings;
use landfall_flow::keep::queues;
use landfall_flow::land::bucket;
use landfall_flow::land::condition::WriteCondition;
use landfall_flow::land::model::{Attributes, Tags};
use landfall_flow::land::object::{self, NewObject};
use landfall_flow::land::receive::{Claims, receive};
use landfall_flow::route::{StoredEvent, rules, targets};
use landfall_flow::run::{cluster, definition};
use landfall_flow::tell::{self, Filter, Run};
use landfall_flow::{Flow, FlowParts, Key, Reader as _, Tx};
use landfall_testkit::{FakeRuntime, MemoryContents, MemoryState, SeededIds, TestClock};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub const CLUSTER: &str = "arn:aws:ecs:us-east-1:000000000000:cluster/batch";
pub const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:letters";
pub const BUCKET: &str = "inbox";
pub const UNQUOTED: &str = r#"{"containerOverrides":[{"name":"app","environment":[{"name":"OBJECT_KEY","value":<key>}]}]}"#;
/// A policy that lets rules send.
const OPEN: &str =
    r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}"#;
/// When every test begins: 2026-11-12T00:00:00Z.
pub const BEGIN: Timestamp = Timestamp(1_794_441_600_000);

pub struct Road {
    pub runtime: FakeRuntime,
    pub clock: Arc<TestClock>,
    pub flow: Flow,
}

pub fn caller() -> Caller {
    Caller {
        account: "000000000000".to_owned(),
        region: "us-east-1".to_owned(),
        request_id: "REQUEST1".to_owned(),
        access_key_id: String::new(),
        source_ip: "127.0.0.1".to_owned(),
        user_agent: "test".to_owned(),
        identity: Identity::Root,
    }
}

/// A request as the API writes it.
pub fn request<Q: DeserializeOwned>(json: Value) -> Q {
    serde_json::from_value(json).unwrap()
}

/// The pattern of a rule on objects of the bucket, with this in its detail as well.
pub fn on_objects(detail: &str) -> String {
    format!(
        r#"{{"source":["aws.s3"],"detail-type":["Object Created"],"detail":{{"bucket":{{"name":["inbox"]}}{detail}}}}}"#
    )
}

impl Road {
    /// Bucket, cluster, definition and queue, and no rule.
    pub async fn new(settings: Settings) -> Self {
        let runtime = FakeRuntime::new();
        runtime.set_now_millis(BEGIN.0);
        let clock = Arc::new(TestClock::at(BEGIN));
        let flow = Flow::open(FlowParts {
            state: Arc::new(MemoryState::new()),
            contents: Arc::new(MemoryContents::new()),
            runtime: Arc::new(runtime.clone()),
            clock: Arc::clone(&clock) as Arc<_>,
            ids: Arc::new(SeededIds::new(7)),
            endpoint: "http://127.0.0.1:4566".to_owned(),
            container_credentials: None,
            settings,
        });
        let road = Self {
            runtime,
            clock,
            flow: flow.unwrap(),
        };
        road.write(|tx| {
            let me = caller();
            bucket::create_bucket(tx, &me, BUCKET, "us-east-1")?;
            bucket::put_event_bridge(tx, BUCKET, true)?;
            cluster::create(tx, &me, request(json!({"clusterName": "batch"})))?;
            let definition = json!({
                "family": "csv",
                "containerDefinitions": [{"name": "app", "image": "app:1", "memory": 64}],
            });
            definition::register(tx, &me, request(definition))?;
            queues::create(
                tx,
                &me,
                "http://127.0.0.1:4566",
                request(json!({"QueueName": "letters", "Attributes": {"Policy": OPEN}})),
            )?;
            Ok(())
        })
        .await;
        road
    }

    pub async fn write<A: Send + 'static>(
        &self,
        decide: impl FnOnce(&mut Tx<'_>) -> Result<A, landfall_core::error::ApiError> + Send + 'static,
    ) -> A {
        self.flow.write(decide).await.unwrap()
    }

    /// A rule with one target.
    pub async fn rule(&self, rule: Value, target: Value) {
        let targets = json!({"Rule": rule["Name"], "EventBusName": rule.get("EventBusName"), "Targets": [target]});
        self.write(move |tx| {
            rules::put(tx, &caller(), request(rule))?;
            targets::put(tx, &caller(), request(targets))
        })
        .await;
    }

    /// A rule on objects of the bucket that starts a task.
    pub async fn task_rule(&self, name: &str, detail: &str, template: &str) {
        let rule = json!({"Name": name, "EventPattern": on_objects(detail)});
        self.rule(rule, task_target(template)).await;
    }

    pub async fn put(&self, key: &str) {
        self.put_as(key, CreatedReason::PutObject).await;
    }

    pub async fn put_as(&self, key: &str, reason: CreatedReason) {
        let body = futures::stream::iter([Ok(Bytes::from_static(b"abc"))]);
        let received = receive(&self.flow, body, Claims::default()).await.unwrap();
        let new = NewObject {
            bucket: BUCKET.to_owned(),
            key: key.to_owned(),
            attributes: Attributes::default(),
            tags: Tags::new(),
            condition: WriteCondition::default(),
            reason,
        };
        received
            .commit(&self.flow, move |tx, received| {
                object::put_object(tx, &caller(), new, received)
            })
            .await
            .unwrap();
    }

    /// Turns the clock, and the loop with it.
    pub async fn later(&self, millis: i64) {
        self.clock.advance_millis(millis);
        self.runtime.set_now_millis(self.clock.now().0);
        self.write(|_| Ok(())).await;
    }

    /// Every run, oldest first.
    pub fn runs(&self, filter: &Filter) -> Vec<Run> {
        tell::runs(&self.flow.view(), filter, None, 1_000)
            .unwrap()
            .runs
    }

    /// Waits until a condition on the committed state holds, and every event has met its rules.
    pub async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..5_000 {
            let events: Vec<StoredEvent> = self.flow.view().all(&Key::new("event")).unwrap();
            if events.is_empty() && holds(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!(
            "never happened: {what}\n{:#?}",
            self.runs(&Filter::default())
        );
    }
}

pub fn task_target(template: &str) -> Value {
    json!({
        "Id": "ecs", "Arn": CLUSTER, "RoleArn": "arn:aws:iam::000000000000:role/x",
        "EcsParameters": {"TaskDefinitionArn": "csv"},
        "InputTransformer": {"InputPathsMap": {"key": "$.detail.object.key"}, "InputTemplate": template},
        "RetryPolicy": {"MaximumRetryAttempts": 0},
    })
}
