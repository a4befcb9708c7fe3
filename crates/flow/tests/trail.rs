//! The old road over a store in memory: which calls are recorded, where the records go, and that a crash at any commit
//! loses none and delivers none twice.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use landfall_core::api::generated::cloudtrail as api;
use landfall_core::caller::{Caller, Identity};
use landfall_core::error::ApiError;
use landfall_core::event::CreatedReason;
use landfall_core::limits;
use landfall_flow::deliver;
use landfall_flow::keep::queues;
use landfall_flow::land::bucket;
use landfall_flow::land::condition::{ReadCondition, Tag, WriteCondition};
use landfall_flow::land::config::Policy;
use landfall_flow::land::model::{Attributes, VersionRecord, objects_key};
use landfall_flow::land::object::{self, NewObject, ObjectAt};
use landfall_flow::land::read::{self, ReadObject, Wanted};
use landfall_flow::land::receive::{Claims, receive};
use landfall_flow::route::{rules, targets};
use landfall_flow::trail::{
    Call, Departed, HistoryRecord, Ongoing, PendingRecord, Target, TrailStatus, history, scope,
    selectors, trails,
};
use landfall_flow::{Flow, FlowParts, Key, Reader};
use landfall_store::Direction;
use landfall_testkit::{FakeRuntime, MemoryContents, MemoryState, SeededIds, TestClock};
use serde_json::{Map, Value, json};

const POLICY: &str = r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},
    "Action":["s3:GetBucketAcl","s3:PutObject"],"Resource":["arn:aws:s3:::logs","arn:aws:s3:::logs/*"]}]}"#;
const BUCKET: &str = "source";

struct House {
    state: Arc<MemoryState>,
    contents: Arc<MemoryContents>,
    clock: Arc<TestClock>,
    flow: Flow,
}

fn caller() -> Caller {
    Caller {
        source_ip: "127.0.0.1".to_owned(),
        access_key_id: "test".to_owned(),
        identity: Identity::Root,
        ..Caller::service("test", "000000000000", "us-east-1", "REQUEST1".to_owned())
    }
}

fn call(name: &str, target: Target, read_only: bool) -> Call {
    Call {
        source: "s3.amazonaws.com".to_owned(),
        name: name.to_owned(),
        caller: caller(),
        signed: true,
        host: "h".to_owned(),
        target,
        read_only,
        parameters: Map::new(),
        elements: Map::new(),
        answer: None,
        additional: Map::new(),
    }
}

fn object_call(name: &str, key: &str, read_only: bool) -> Call {
    let target = Target::Object {
        bucket: BUCKET.to_owned(),
        key: Some(key.to_owned()),
    };
    let mut call = call(name, target, read_only);
    call.parameters.insert("key".to_owned(), key.into());
    call
}

fn selecting(prefix: &str) -> Value {
    json!({"TrailName": "trail", "EventSelectors": [{
        "IncludeManagementEvents": false,
        "DataResources": [{"Type": "AWS::S3::Object", "Values": [format!("arn:aws:s3:::{prefix}")]}],
    }]})
}

impl House {
    fn over(state: Arc<MemoryState>, contents: Arc<MemoryContents>, seed: u64) -> Self {
        let clock = Arc::new(TestClock::default());
        let flow = Flow::open(FlowParts {
            state: Arc::clone(&state) as Arc<_>,
            contents: Arc::clone(&contents) as Arc<_>,
            runtime: Arc::new(FakeRuntime::new()),
            clock: Arc::clone(&clock) as Arc<_>,
            ids: Arc::new(SeededIds::new(seed)),
            endpoint: "http://127.0.0.1:4566".to_owned(),
            container_credentials: None,
        })
        .expect("the flow opens");
        Self {
            state,
            contents,
            clock,
            flow,
        }
    }

    /// A bucket for files and one for logs.
    async fn new() -> Self {
        let house = Self::over(Arc::default(), Arc::default(), 7);
        let made = house.flow.write(|tx| {
            bucket::create_bucket(tx, &caller(), BUCKET, "us-east-1")?;
            bucket::create_bucket(tx, &caller(), "logs", "us-east-1")?;
            bucket::put_config(tx, "logs", &Policy::parse(POLICY.to_owned())?)
        });
        made.await.unwrap();
        house
    }

    /// A trail that records what the selectors take.
    async fn with_trail(selectors: Value) -> Self {
        let house = Self::new().await;
        let made = house.flow.write(move |tx| {
            let trail = json!({"Name": "trail", "S3BucketName": "logs"});
            trails::create(tx, &caller(), serde_json::from_value(trail).unwrap())?;
            selectors::put(tx, &caller(), serde_json::from_value(selectors).unwrap())?;
            trails::set_logging(tx, &caller(), Some("trail"), true)
        });
        made.await.unwrap();
        house
    }

    /// An upload as the wire does it: inside the scope of its call.
    async fn upload(
        &self,
        key: &str,
        condition: WriteCondition,
    ) -> Result<VersionRecord, ApiError> {
        let ongoing = Ongoing::of(object_call("PutObject", key, false));
        let new = NewObject {
            bucket: BUCKET.to_owned(),
            key: key.to_owned(),
            attributes: Attributes::default(),
            tags: Vec::new(),
            condition,
            reason: CreatedReason::PutObject,
        };
        let body = futures::stream::iter([Ok(Bytes::from_static(b"x"))]);
        let put = async {
            let received = receive(&self.flow, body, Claims::default()).await?;
            received
                .commit(&self.flow, move |tx, received| {
                    object::put_object(tx, &caller(), new, received)
                })
                .await
        };
        let made = scope(Arc::clone(&ongoing), put).await;
        let error = made.as_ref().err().cloned();
        ongoing.finish(&self.flow, error, 0).await;
        made
    }

    fn pending(&self) -> Vec<Value> {
        let all: Vec<PendingRecord> = self.flow.view().all(&Key::new("trail-pending")).unwrap();
        all.iter()
            .map(|it| serde_json::from_str(&it.json).unwrap())
            .collect()
    }

    /// The records in the delivered log files.
    async fn delivered(&self) -> Vec<Value> {
        let root = objects_key("logs");
        let keys: Vec<Key> = self
            .flow
            .view()
            .list::<VersionRecord>(&root, Direction::Forward)
            .map(|entry| entry.unwrap().0)
            .collect();
        let mut records = Vec::new();
        for key in keys {
            let name = landfall_flow::key::parts(key.bytes()).pop().unwrap();
            let request = ReadObject {
                at: ObjectAt {
                    bucket: "logs".to_owned(),
                    key: String::from_utf8(name).unwrap(),
                    version_id: None,
                },
                condition: ReadCondition::default(),
                wanted: Wanted::All,
                method: "GET",
            };
            let (_, chunks) = read::get_object(&self.flow, &request).await.unwrap();
            let bytes: Vec<Bytes> = chunks.try_collect().await.unwrap();
            let (bytes, mut text) = (bytes.concat(), String::new());
            flate2::read::GzDecoder::new(&bytes[..])
                .read_to_string(&mut text)
                .unwrap();
            let file: Value = serde_json::from_str(&text).unwrap();
            records.extend(file["Records"].as_array().unwrap().clone());
        }
        records
    }

    fn uploaded(&self) -> BTreeSet<String> {
        let name = |entry: Result<(Key, VersionRecord), ApiError>| {
            let parts = landfall_flow::key::parts(entry.unwrap().0.bytes());
            String::from_utf8(parts[1].clone()).unwrap()
        };
        let view = self.flow.view();
        view.list::<VersionRecord>(&objects_key(BUCKET), Direction::Forward)
            .map(name)
            .collect()
    }

    /// Lets the time for a log file come, and waits until nothing waits for one.
    async fn deliver(&self) {
        self.clock.advance_millis(limits::CLOUDTRAIL_FLUSH_MILLIS);
        for _ in 0..2_000 {
            self.flow.write(|_| Ok(())).await.unwrap();
            if self.pending().is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("never delivered: {:#?}", self.pending());
    }
}

fn keys(records: &[Value]) -> Vec<String> {
    let key = |record: &Value| {
        record["requestParameters"]["key"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    records.iter().map(key).collect()
}

#[tokio::test]
async fn without_a_trail_an_upload_is_one_commit_and_leaves_no_record() {
    let house = House::new().await;
    let before = house.state.commits();
    for n in 0..5 {
        house
            .upload(&format!("k{n}"), WriteCondition::default())
            .await
            .unwrap();
    }
    assert_eq!(house.state.commits() - before, 5);
    assert!(!house.flow.records_data());
    assert!(house.pending().is_empty());
}

#[tokio::test]
async fn an_upload_and_its_record_become_durable_in_one_commit() {
    let house = House::with_trail(selecting("source/in/")).await;
    assert!(house.flow.records_data());
    let before = house.state.commits();
    house
        .upload("in/a", WriteCondition::default())
        .await
        .unwrap();
    house
        .upload("out/a", WriteCondition::default())
        .await
        .unwrap();
    assert_eq!(house.state.commits() - before, 2);
    let records = house.pending();
    assert_eq!(keys(&records), ["in/a"]);
    let record = &records[0];
    assert_eq!(record["eventName"], "PutObject");
    assert_eq!(record["requestID"], "REQUEST1");
    assert_eq!(record["eventTime"], "2026-11-12T00:00:00Z");
    assert_eq!(record["resources"][0]["ARN"], "arn:aws:s3:::source/in/a");
    assert!(record.get("errorCode").is_none());
}

#[tokio::test]
async fn a_call_that_fails_leaves_its_record_and_nothing_else() {
    let house = House::with_trail(selecting("source/")).await;
    let only_new = || WriteCondition {
        if_match: None,
        if_none_match: Some(Tag::Any),
    };
    house.upload("k", only_new()).await.unwrap();
    let refused = house.upload("k", only_new()).await.unwrap_err();
    assert_eq!(refused.code, "PreconditionFailed");
    let records = house.pending();
    assert_eq!(records.len(), 2);
    assert_eq!(records[1]["errorCode"], "PreconditionFailed");
    assert_eq!(records[1]["errorMessage"], refused.message.as_str());
    assert_eq!(records[1]["responseElements"], Value::Null);
}

#[tokio::test]
async fn a_call_that_only_reads_is_recorded_before_its_answer() {
    let house = House::with_trail(selecting("source/")).await;
    let ongoing = Ongoing::of(object_call("GetObject", "k", true));
    scope(Arc::clone(&ongoing), async {}).await;
    ongoing.finish(&house.flow, None, 42).await;
    let records = house.pending();
    assert_eq!(records[0]["readOnly"], true);
    assert_eq!(records[0]["additionalEventData"]["bytesTransferredOut"], 42);
}

#[tokio::test]
async fn after_a_crash_at_any_commit_each_upload_has_exactly_one_record() {
    let house = House::with_trail(selecting("source/")).await;
    let before = house.state.commits();
    for round in 0..3 {
        for n in 0..3 {
            let key = format!("{round}/{n}");
            house.upload(&key, WriteCondition::default()).await.unwrap();
        }
        house.deliver().await;
    }
    let (after, mut seen) = (house.state.commits(), BTreeSet::new());
    for commits in before..=after {
        let state = Arc::new(house.state.crash(commits));
        let seed = 100 + commits as u64;
        let reborn = House::over(state, Arc::clone(&house.contents), seed);
        reborn.deliver().await;
        let mut recorded = keys(&reborn.delivered().await);
        recorded.sort();
        let uploaded: Vec<String> = reborn.uploaded().into_iter().collect();
        assert_eq!(recorded, uploaded, "after {commits} commits");
        seen.insert(uploaded.len());
    }
    assert_eq!(seen, (0..=9).collect());
}

#[tokio::test]
async fn records_wait_while_the_bucket_takes_no_files() {
    let house = House::with_trail(selecting("source/")).await;
    let closed = house
        .flow
        .write(|tx| bucket::delete_config::<Policy>(tx, "logs"));
    closed.await.unwrap();
    house.upload("k", WriteCondition::default()).await.unwrap();
    house.clock.advance_millis(limits::CLOUDTRAIL_FLUSH_MILLIS);
    let error = || {
        let all: Vec<TrailStatus> = house.flow.view().all(&Key::new("trail-status")).unwrap();
        all.into_iter().find_map(|status| status.error)
    };
    for _ in 0..2_000 {
        house.flow.write(|_| Ok(())).await.unwrap();
        if error().is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(error().as_deref(), Some("AccessDenied"));
    assert_eq!(keys(&house.pending()), ["k"]);
    let opened = house
        .flow
        .write(|tx| bucket::put_config(tx, "logs", &Policy::parse(POLICY.to_owned())?));
    opened.await.unwrap();
    house.clock.advance_millis(limits::CLOUDTRAIL_RETRY_MILLIS);
    house.deliver().await;
    assert_eq!(keys(&house.delivered().await), ["k"]);
}

#[tokio::test]
async fn the_event_history_forgets_the_oldest_and_answers_in_pages() {
    let house = House::new().await;
    let count = limits::CLOUDTRAIL_HISTORY_EVENTS_MAX + 20;
    for n in 0..count {
        let ongoing = Ongoing::of(call(&format!("Call{n}"), Target::Control, false));
        let write = house.flow.write(|_| Ok(()));
        scope(Arc::clone(&ongoing), write).await.unwrap();
        ongoing.finish(&house.flow, None, 0).await;
    }
    let lookup = |request: Value| {
        let request: api::LookupEventsRequest = serde_json::from_value(request).unwrap();
        history::lookup(&house.flow.view(), &caller(), &request).unwrap()
    };
    let named = |name: String| {
        let by_name = json!({"AttributeKey": "EventName", "AttributeValue": name});
        lookup(json!({"LookupAttributes": [by_name]}))
            .events
            .unwrap()
            .len()
    };
    assert_eq!(named("Call0".to_owned()), 0);
    assert_eq!(named(format!("Call{}", count - 1)), 1);
    let (mut names, mut token) = (Vec::new(), None::<String>);
    for _ in 0..3 {
        let page = lookup(json!({"MaxResults": 7, "NextToken": token}));
        names.extend(
            page.events
                .unwrap()
                .into_iter()
                .map(|it| it.event_name.unwrap()),
        );
        token = page.next_token;
    }
    let newest: Vec<String> = (0..21)
        .map(|back| format!("Call{}", count - 1 - back))
        .collect();
    assert_eq!(names, newest);
    let held: Vec<HistoryRecord> = house.flow.view().all(&Key::new("call-history")).unwrap();
    assert!(held.len() <= limits::CLOUDTRAIL_HISTORY_EVENTS_MAX);
}

/// Waits until a condition on the committed state holds; every look is a turn of the loop.
async fn until(house: &House, what: &str, holds: impl Fn(&House) -> bool) {
    for _ in 0..2_000 {
        house.flow.write(|_| Ok(())).await.unwrap();
        if holds(house) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("never happened: {what}: {:#?}", house.pending());
}

fn departed(house: &House) -> usize {
    let all: Vec<Departed> = house.flow.view().all(&Key::new("trail-departed")).unwrap();
    all.len()
}

async fn delete_trail(house: &House) {
    let deleting = Ongoing::of(call("DeleteTrail", Target::Control, false));
    let named = || serde_json::from_value(json!({"Name": "trail"})).unwrap();
    let delete = house
        .flow
        .write(move |tx| trails::delete(tx, &caller(), &named()));
    scope(deleting, delete).await.unwrap();
}

#[tokio::test]
async fn a_deleted_trail_delivers_what_it_had_accepted_and_its_own_end() {
    let mut selectors = selecting("source/");
    selectors["EventSelectors"][0]["IncludeManagementEvents"] = true.into();
    let house = House::with_trail(selectors).await;
    house.upload("k", WriteCondition::default()).await.unwrap();
    delete_trail(&house).await;
    let again = house.flow.write(|tx| {
        let trail = json!({"Name": "trail", "S3BucketName": "logs", "S3KeyPrefix": "second"});
        trails::create(tx, &caller(), serde_json::from_value(trail).unwrap())
    });
    again.await.unwrap();
    house.deliver().await;
    let names: Vec<Value> = house
        .delivered()
        .await
        .into_iter()
        .map(|record| record["eventName"].clone())
        .collect();
    assert_eq!(names, ["PutObject", "DeleteTrail"]);
    until(&house, "the trail is forgotten", |house| {
        departed(house) == 0
    })
    .await;
}

#[tokio::test]
async fn records_of_a_deleted_trail_go_with_its_bucket() {
    let house = House::with_trail(selecting("source/")).await;
    house.upload("k", WriteCondition::default()).await.unwrap();
    delete_trail(&house).await;
    let emptied = house.flow.write(|tx| bucket::delete_bucket(tx, "logs"));
    emptied.await.unwrap();
    house.clock.advance_millis(limits::CLOUDTRAIL_FLUSH_MILLIS);
    until(&house, "the trail is forgotten", |house| {
        departed(house) == 0
    })
    .await;
    assert!(house.pending().is_empty());
}

#[tokio::test]
async fn a_file_takes_no_record_younger_than_the_imitated_delay() {
    let house = House::with_trail(selecting("source/")).await;
    let delay_millis = 60_000;
    house.flow.delay_trails(Duration::from_millis(60_000));
    house
        .upload("old", WriteCondition::default())
        .await
        .unwrap();
    house.clock.advance_millis(delay_millis - 1);
    house
        .upload("young", WriteCondition::default())
        .await
        .unwrap();
    house
        .clock
        .advance_millis(limits::CLOUDTRAIL_FLUSH_MILLIS + 1);
    until(&house, "the first file", |house| house.pending().len() == 1).await;
    assert_eq!(keys(&house.delivered().await), ["old"]);
    house.clock.advance_millis(delay_millis);
    house.deliver().await;
    assert_eq!(keys(&house.delivered().await), ["old", "young"]);
}

#[tokio::test]
async fn the_delivery_of_a_file_is_a_call_that_trails_record_at_the_pace_of_aws() {
    let house = House::with_trail(selecting("")).await;
    house.upload("k", WriteCondition::default()).await.unwrap();
    house.clock.advance_millis(limits::CLOUDTRAIL_FLUSH_MILLIS);
    let is_delivery = |record: &Value| record["userIdentity"]["type"] == "AWSService";
    let of_delivery = |house: &House| {
        let pending = house.pending();
        pending.len() == 1 && is_delivery(&pending[0])
    };
    until(&house, "the file", of_delivery).await;
    let record = house.pending().remove(0);
    assert_eq!(
        record["userIdentity"],
        json!({"type": "AWSService", "invokedBy": "cloudtrail.amazonaws.com"})
    );
    for (member, value) in [
        ("eventName", "PutObject"),
        ("sourceIPAddress", "cloudtrail.amazonaws.com"),
        ("userAgent", "cloudtrail.amazonaws.com"),
    ] {
        assert_eq!(record[member], value);
    }
    let parameters = &record["requestParameters"];
    assert_eq!(parameters["bucketName"], "logs");
    assert_eq!(parameters["x-amz-acl"], "bucket-owner-full-control");
    house
        .clock
        .advance_millis(limits::CLOUDTRAIL_RECURSION_MILLIS - 1);
    let first = house.pending();
    for _ in 0..50 {
        house.flow.write(|_| Ok(())).await.unwrap();
    }
    assert_eq!(house.pending(), first);
    house.clock.advance_millis(1);
    until(&house, "the next file", |house| {
        of_delivery(house) && house.pending() != first
    })
    .await;
    let delivered = house.delivered().await;
    assert_eq!(delivered.len(), 2);
    assert!(is_delivery(&delivered[1]));
}

#[tokio::test]
async fn a_trail_without_recursive_logging_takes_no_delivery() {
    let house = House::with_trail(selecting("")).await;
    let update = json!({"Name": "trail", "RecursiveLogging": false});
    let updated = house
        .flow
        .write(move |tx| trails::update(tx, &caller(), serde_json::from_value(update).unwrap()));
    assert_eq!(updated.await.unwrap().recursive_logging, Some(false));
    house.upload("k", WriteCondition::default()).await.unwrap();
    house.deliver().await;
    assert_eq!(keys(&house.delivered().await), ["k"]);
}

#[tokio::test]
async fn only_rules_that_ask_for_them_get_management_events_that_only_read() {
    let management = json!({"TrailName": "trail", "EventSelectors": [{"DataResources": []}]});
    let house = House::with_trail(management).await;
    let all = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS";
    let furnished = house.flow.write(move |tx| {
        let policy = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"sqs:SendMessage","Resource":"*"}}"#;
        let queue = json!({"QueueName": "q", "Attributes": {"Policy": policy}});
        queues::create(
            tx,
            &caller(),
            "http://h",
            serde_json::from_value(queue).unwrap(),
        )?;
        for (name, state) in [("all", all), ("plain", "ENABLED"), ("off", "DISABLED")] {
            let pattern = r#"{"detail-type":["AWS API Call via CloudTrail"]}"#;
            let rule = json!({"Name": name, "EventPattern": pattern, "State": state});
            rules::put(tx, &caller(), serde_json::from_value(rule).unwrap())?;
            let target = json!({"Id": "q", "Arn": "arn:aws:sqs:us-east-1:000000000000:q"});
            let asked = json!({"Rule": name, "Targets": [target]});
            targets::put(tx, &caller(), serde_json::from_value(asked).unwrap())?;
        }
        Ok(())
    });
    furnished.await.unwrap();
    for (name, reads) in [
        ("GetRule", true),
        ("TestEventPattern", true),
        ("PutRule", false),
    ] {
        let mut asked = call(name, Target::Control, reads);
        asked.source = "events.amazonaws.com".to_owned();
        Ongoing::of(asked).finish(&house.flow, None, 0).await;
    }
    let met = |house: &House| {
        let all: Vec<deliver::Delivery> = house.flow.view().all(&Key::new("delivery")).unwrap();
        all.into_iter().map(|it| it.rule).collect::<Vec<_>>()
    };
    until(&house, "the deliveries", |house| met(house).len() >= 5).await;
    assert_eq!(met(&house), ["all", "all", "plain", "all", "plain"]);
}
