//! What a stored day leads to: whatever waited in the store is taken up, in every room. Asserts as it goes.

use std::collections::BTreeMap;
use std::io::Read as _;

use futures::TryStreamExt as _;
use landfall_core::clock::Timestamp;
use landfall_flow::deliver::{Delivery, Outcome};
use landfall_flow::keep::{logs, parameters, queues};
use landfall_flow::land::condition::{ReadCondition, WriteCondition};
use landfall_flow::land::list::{Listing, list_objects};
use landfall_flow::land::model::{
    Body, PartRecord, PartsRecord, Stored, UploadRecord, VersionRecord,
};
use landfall_flow::land::multipart::{self, Completion, NamedPart};
use landfall_flow::land::object::{self, ObjectAt};
use landfall_flow::land::read::{ReadObject, Wanted, get_object};
use landfall_flow::land::sweep;
use landfall_flow::route::bus;
use landfall_flow::run::{TaskRecord, definition};
use landfall_flow::runtime::{ContainerSpec, Runtime as _};
use landfall_flow::trail::{Departed, PendingRecord, keys};
use landfall_flow::{Key, Reader as _, Tx, View, build};
use landfall_store::{Batch, ContentId, Direction, Space, State as _};
use landfall_testkit::{FakeRuntime, MemoryContents, MemoryState};
use serde_json::{Value, json};

use super::house::{House, bytes, caller, request};
use super::scenario::{EVENTS_MAY, IN_FLIGHT, stack_is};
use super::trails;

/// Opens a stored day and sees it through.
pub async fn see_through(state: MemoryState, now: Timestamp) {
    let contents = contents(&View::new(&state));
    let runtime = containers(&View::new(&state)).await;
    permit(&state);
    let house = House::open(state, contents, runtime, now);
    tasks(&house).await;
    deliveries(&house).await;
    stacks(&house).await;
    objects(&house).await;
    unfinished_upload(&house).await;
    definitions(&house).await;
    log_files(&house).await;
    messages(&house).await;
    delayed_event(&house).await;
}

/// The stores of versions that asked no policy have none: whoever comes from there attaches them.
fn permit(state: &MemoryState) {
    let view = View::new(state);
    let mut writes = Vec::new();
    for (kind, member) in [("queue", "Policy"), ("log-policy", "document")] {
        let (from, to) = Key::new(kind).range();
        for entry in view.scan_raw(Space::Control, from, to, Direction::Forward) {
            let (key, value) = entry.unwrap();
            let mut record: Value = serde_json::from_slice(&value[1..]).unwrap();
            let holder = match kind {
                "queue" => &mut record["attributes"],
                _ => &mut record,
            };
            holder[member] = EVENTS_MAY.into();
            let bytes = [&value[..1], record.to_string().as_bytes()].concat();
            writes.push((Space::Control, key.to_vec(), Some(bytes.into())));
        }
    }
    state.commit(Batch { writes }).unwrap();
}

/// The large bodies that the records name.
fn contents(view: &View<'_>) -> MemoryContents {
    let contents = MemoryContents::new();
    let add = |stored: &Stored, size: u64| {
        if let Stored::Content(id) = stored {
            let size = usize::try_from(size).unwrap();
            contents.replace(&ContentId(id.clone()), bytes(size));
        }
    };
    let former: Vec<VersionRecord> = view.all(&Key::new("version")).unwrap();
    let current: Vec<VersionRecord> = view.all(&Key::new("object")).unwrap();
    for version in former.iter().chain(&current) {
        if let Body::Whole(stored) = &version.body {
            add(stored, version.size);
        }
    }
    let mut parts: Vec<PartRecord> = view.all(&Key::new("part")).unwrap();
    let lists: Vec<PartsRecord> = view.all(&Key::new("parts")).unwrap();
    parts.extend(lists.into_iter().flat_map(|list| list.parts));
    parts.iter().for_each(|part| add(&part.stored, part.size));
    contents
}

/// The containers that survived the server: those of running tasks.
async fn containers(view: &View<'_>) -> FakeRuntime {
    let runtime = FakeRuntime::new();
    for task in view.all::<TaskRecord>(&Key::new("task")).unwrap() {
        if task.task.last_status.as_deref() == Some("RUNNING") {
            let spec = ContainerSpec {
                id: format!("{}-0", task.id),
                image: "app".to_owned(),
                entry_point: None,
                command: None,
                environment: Vec::new(),
                working_directory: None,
                user: None,
                memory_bytes_max: None,
                cpu_units: None,
                read_only_root: false,
                stop_timeout_seconds: 1,
                labels: BTreeMap::new(),
            };
            runtime.start(&spec).await.unwrap();
        }
    }
    runtime
}

/// The one that waited starts, those that ran are watched again, the one that was to stop is told so again.
async fn tasks(house: &House) {
    house
        .until("three containers", |house| {
            house.runtime.starts().len() == 3
        })
        .await;
    let starts = house.runtime.starts();
    let waited = starts.iter().find(|spec| spec.image == "app:1").unwrap();
    let all: Vec<TaskRecord> = house.flow.view().all(&Key::new("task")).unwrap();
    let of = |container: &str| {
        let of = |task: &&TaskRecord| container.starts_with(&task.id);
        all.iter().find(of).unwrap().arn().to_owned()
    };
    house.task_is(&of(&waited.id), "RUNNING").await;
    house
        .until("the unwanted one is stopped", |house| {
            !house.runtime.stops().is_empty()
        })
        .await;
    assert_eq!(house.runtime.stops().len(), 1);
    for spec in starts {
        assert!(house.runtime.exit(&spec.id, 0));
        house.task_is(&of(&spec.id), "STOPPED").await;
    }
    let unwanted = house.task(&of(&house.runtime.stops()[0])).task;
    assert_eq!(unwanted.stopped_reason.as_deref(), Some("enough"));
}

/// The refused one is tried again, the event that waited meets its rule, and numbers go on behind all former ones.
async fn deliveries(house: &House) {
    house.quiet().await;
    let all: Vec<Delivery> = house.flow.view().all(&Key::new("delivery")).unwrap();
    let of = |rule: &str| -> Vec<(u32, Outcome)> {
        let of = all.iter().filter(|d| d.rule == rule);
        of.map(|d| (d.attempts, d.outcome.clone())).collect()
    };
    let once = (1, Outcome::Delivered);
    assert_eq!(of("letters"), [once.clone(), (2, Outcome::Delivered)]);
    assert_eq!(of("notes"), [once.clone(), once]);
    let numbers = landfall_flow::tell::runs(&house.flow.view(), 1 << 20, 100).unwrap();
    let rules: Vec<&str> = numbers.iter().map(|run| run.rule.as_str()).collect();
    assert_eq!(rules, ["notes"]);
    let ask = request(json!({"logGroupName": "/csv", "logStreamNamePrefix": "notes/"}));
    let now = house.flow.clock().now();
    let told = logs::filter_events(&house.flow.view(), &caller(), now, &ask).unwrap();
    assert_eq!(told.events.unwrap().len(), 2);
    assert_eq!(bodies(house, "letters").await, [r#"{"n":1}"#; 2]);
}

/// The interrupted update is done, a change set is executed, a stack goes with what its failure left over.
async fn stacks(house: &House) {
    stack_is(house, "moving", "UPDATE_COMPLETE").await;
    let view = house.flow.view();
    let value = |name: &str| parameters::value(&view, &caller(), name).unwrap();
    for n in 1..=9 {
        assert_eq!(value(&format!("/moving/{n}")).as_deref(), Some("new"));
    }
    assert_eq!(
        buses(house),
        ["default", "left-one", "left-two", "moved-on", "orders"]
    );
    let left = json!({"StackName": "left"});
    let id = {
        let asked = request(left.clone());
        let told = build::describe_stacks(&view, &caller(), &asked).unwrap();
        told.stacks.unwrap()[0].stack_id.clone().unwrap()
    };
    house.give(build::delete_stack, left).await;
    stack_is(house, &id, "DELETE_COMPLETE").await;
    let first = json!({"StackName": "review", "ChangeSetName": "first"});
    house.give(build::execute_change_set, first).await;
    stack_is(house, "review", "CREATE_COMPLETE").await;
    assert_eq!(buses(house), ["default", "moved-on", "orders", "reviewed"]);
}

fn buses(house: &House) -> Vec<String> {
    let asked = request(json!({}));
    let told = bus::list(&house.flow.view(), &caller(), &asked).unwrap();
    let buses = told.event_buses.unwrap().into_iter();
    buses.map(|bus| bus.name.unwrap()).collect()
}

async fn read(house: &House, bucket: &str, key: &str) -> Vec<u8> {
    let request = ReadObject {
        at: ObjectAt {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version_id: None,
        },
        condition: ReadCondition::default(),
        wanted: Wanted::All,
        method: "GET",
    };
    let (_, chunks) = get_object(&house.flow, &request).await.expect(key);
    let chunks: Vec<bytes::Bytes> = chunks.try_collect().await.unwrap();
    chunks.concat()
}

/// Every object has its bytes, none of them is swept, and a former version comes back.
async fn objects(house: &House) {
    let mut read_back = 0;
    for name in ["inbox", "kept", "plain"] {
        let listing = Listing {
            bucket: name.to_owned(),
            max: 100,
            ..Listing::default()
        };
        for (key, version) in list_objects(&house.flow.view(), &listing).unwrap().entries {
            let size = usize::try_from(version.size).unwrap();
            let expected = match key.as_str() {
                "parts" => [bytes(size - 9), bytes(9)].concat(),
                _ => bytes(size).to_vec(),
            };
            assert!(read(house, name, &key).await == expected, "{name} {key:?}");
            read_back += 1;
        }
    }
    assert_eq!(read_back, 6);
    let orphan = ContentId("f".repeat(32));
    house.contents.replace(&orphan, bytes(1));
    assert_eq!(sweep::unclaimed(&house.flow).await.unwrap(), [orphan]);
    let delete = |tx: &mut Tx<'_>| {
        let condition = WriteCondition::default();
        object::delete_object(tx, &caller(), "kept", "twice", Some("null"), &condition)
    };
    house.write(delete).await;
    assert_eq!(read(house, "kept", "twice").await, *bytes(2));
}

async fn unfinished_upload(house: &House) {
    let view = house.flow.view();
    let uploads: Vec<UploadRecord> = view.all(&Key::new("upload")).unwrap();
    let parts = multipart::parts(&view, &uploads[0], 0).unwrap();
    let name = |part: PartRecord| NamedPart {
        number: i32::from(part.number),
        etag: part.etag,
        checksum: None,
    };
    let completion = Completion {
        bucket: "plain".to_owned(),
        key: "unfinished".to_owned(),
        upload_id: uploads[0].upload_id.clone(),
        parts: parts.into_iter().map(name).collect(),
        condition: WriteCondition::default(),
        checksum: None,
        coverage: None,
        size: None,
    };
    let complete = move |tx: &mut Tx<'_>| multipart::complete_upload(tx, &caller(), &completion);
    let made = house.write(complete).await;
    let size = usize::try_from(made.size).unwrap();
    let expected = [bytes(size - 5), bytes(5)].concat();
    assert!(read(house, "plain", "unfinished").await == expected);
}

async fn definitions(house: &House) {
    let next = json!({"family": "csv", "containerDefinitions": [{"name": "app", "image": "app:1", "memory": 64}]});
    let made = house.give(definition::register, next).await;
    assert_eq!(made.task_definition.unwrap().revision, Some(3));
}

/// Receives what is visible in a queue, and deletes it.
async fn bodies(house: &House, queue: &'static str) -> Vec<String> {
    let ask = json!({"QueueUrl": queue, "MaxNumberOfMessages": 10});
    let messages = house.lend(queues::receive, ask).await.messages;
    let mut bodies = Vec::new();
    for message in messages.into_iter().flatten() {
        bodies.push(message.body.unwrap());
        let delete = json!({"QueueUrl": queue, "ReceiptHandle": message.receipt_handle});
        house.lend(queues::delete_message, delete).await;
    }
    bodies
}

/// Messages come out at their times, the handle of a former receive is good, and what is deleted does not come back.
async fn messages(house: &House) {
    assert_eq!(bodies(house, "work").await, ["visible"]);
    let show = json!({"QueueUrl": "work", "ReceiptHandle": IN_FLIGHT, "VisibilityTimeout": 0});
    house.lend(queues::change_visibility, show).await;
    assert_eq!(bodies(house, "work").await, ["in flight"]);
    house.later(900_000);
    assert_eq!(bodies(house, "work").await, ["delayed"]);
    house.later(12 * 3_600_000);
    let none: [&str; 0] = [];
    assert_eq!(bodies(house, "work").await, none);
    let dead = bodies(house, "dead").await;
    assert!(dead[0].contains(r#""detail-type":"doomed""#), "{dead:?}");
}

async fn delivered(house: &House, key: &str) -> Value {
    let packed = read(house, trails::LOGS, key).await;
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed[..])
        .read_to_string(&mut text)
        .expect(key);
    serde_json::from_str(&text).expect(key)
}

/// The keys of the objects in the records of a log file.
fn keys_of(file: &Value) -> Vec<&str> {
    let records = file["Records"].as_array().unwrap().iter();
    records
        .filter_map(|it| it["requestParameters"]["key"].as_str())
        .collect()
}

/// The record that waited gets its file, and the chain goes on with a digest of both files that none had listed.
async fn log_files(house: &House) {
    let now = house.flow.clock().now();
    house
        .until("the files are delivered", |house| {
            let status = trails::status(house);
            status.attempted_at == Some(now) && status.error.is_none()
        })
        .await;
    house
        .until("the deleted trail is forgotten", |house| {
            let gone: Vec<Departed> = house.flow.view().all(&Key::new("trail-departed")).unwrap();
            gone.is_empty()
        })
        .await;
    let waiting: Vec<PendingRecord> = house.flow.view().all(&Key::new("trail-pending")).unwrap();
    // The stack that goes on makes calls of its own meanwhile.
    let is_ours = |it: &PendingRecord| !it.json.contains("cloudformation.amazonaws.com");
    assert_eq!(waiting.into_iter().find(is_ours), None);
    let files = trails::files(house);
    let [digest, log, gone] = &files[..] else {
        panic!("{files:?}");
    };
    let last = delivered(house, gone).await;
    assert_eq!(keys_of(&last), ["waiting"]);
    let (digest, records) = (delivered(house, digest).await, delivered(house, log).await);
    assert_eq!(keys_of(&records), ["waiting"]);
    let listed = digest["logFiles"].as_array().unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[1]["s3Object"], log.as_str());
    let signature = digest["previousDigestSignature"].as_str();
    assert_eq!(signature.map(str::len), Some(512), "{digest}");
    let signer = digest["digestPublicKeyFingerprint"].as_str();
    let former = request(json!({"EndTime": now.0 / 1_000 - 1}));
    let former = keys::list(&house.flow.view(), &caller(), &former).unwrap();
    let former = former.public_key_list.unwrap();
    assert_eq!(
        former[0].fingerprint.as_deref(),
        signer,
        "signed by the stored key"
    );
}

/// The event that was held back comes at its time.
async fn delayed_event(house: &House) {
    house
        .until("the event is delivered", |house| {
            let all: Vec<Delivery> = house.flow.view().all(&Key::new("delivery")).unwrap();
            let is_it = |d: &Delivery| d.rule == "calls" && d.outcome == Outcome::Delivered;
            all.iter().any(is_it)
        })
        .await;
    assert_eq!(bodies(house, "letters").await, [r#""PutObject""#]);
}
