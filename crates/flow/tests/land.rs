//! Objects land as a simple model says: whatever is written, deleted and restored, versions, listings and events agree.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt as _;
use landfall_core::caller::Caller;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::event::CreatedReason;
use landfall_flow::land::condition::{ReadCondition, WriteCondition};
use landfall_flow::land::event::created_again;
use landfall_flow::land::list::{After, Listing, VersionMarker, list_objects, list_versions};
use landfall_flow::land::model::{Attributes, ContentRecord, Tags, VersionRecord, Versioning};
use landfall_flow::land::multipart::{self, Completion, NamedPart, NewUpload};
use landfall_flow::land::object::{self, NewObject, ObjectAt};
use landfall_flow::land::read::{ReadObject, Wanted, get_object};
use landfall_flow::land::receive::{Claims, receive};
use landfall_flow::land::{bucket, sweep};
use landfall_flow::route::StoredEvent;
use landfall_flow::{Flow, FlowParts, Key, Reader as _};
use landfall_store::Contents;
use landfall_testkit::{FakeRuntime, MemoryContents, MemoryState, SeededIds, TestClock};
use proptest::prelude::*;

const BUCKET: &str = "bucket";

fn flow(contents: &Arc<MemoryContents>) -> Flow {
    Flow::open(FlowParts {
        state: Arc::new(MemoryState::new()),
        contents: Arc::clone(contents) as Arc<dyn Contents>,
        runtime: Arc::new(FakeRuntime::new()),
        clock: Arc::new(TestClock::default()),
        ids: Arc::new(SeededIds::new(1)),
        endpoint: "http://127.0.0.1:4566".to_owned(),
        container_credentials: None,
        settings: landfall_core::settings::Settings::default(),
    })
    .unwrap()
}

fn caller() -> Caller {
    Caller {
        source_ip: "192.0.2.7".to_owned(),
        ..Caller::service("test", "123456789012", "us-east-1", "REQUEST1".to_owned())
    }
}

async fn with_bucket(flow: &Flow) {
    let create =
        |tx: &mut landfall_flow::Tx<'_>| bucket::create_bucket(tx, &caller(), BUCKET, "us-east-1");
    flow.write(create).await.unwrap();
}

async fn version_bucket(flow: &Flow, versioning: Versioning) {
    flow.write(move |tx| bucket::put_versioning(tx, BUCKET, versioning))
        .await
        .unwrap();
}

async fn put(flow: &Flow, key: &str, body: &[u8]) -> Result<VersionRecord, ApiError> {
    let chunks: Vec<_> = body
        .chunks(4096)
        .map(|c| Ok(Bytes::copy_from_slice(c)))
        .collect();
    let received = receive(flow, futures::stream::iter(chunks), Claims::default()).await?;
    let new = NewObject {
        bucket: BUCKET.to_owned(),
        key: key.to_owned(),
        attributes: Attributes::default(),
        tags: Tags::new(),
        condition: WriteCondition::default(),
        reason: CreatedReason::PutObject,
    };
    received
        .commit(flow, move |tx, received| {
            object::put_object(tx, &caller(), new, received)
        })
        .await
}

async fn delete(flow: &Flow, key: &str, version: Option<String>) -> object::Deleted {
    let key = key.to_owned();
    let condition = WriteCondition::default();
    flow.write(move |tx| {
        object::delete_object(tx, &caller(), BUCKET, &key, version.as_deref(), &condition)
    })
    .await
    .unwrap()
}

async fn read(
    flow: &Flow,
    key: &str,
    version: Option<&str>,
    wanted: Wanted,
) -> Result<Vec<u8>, ApiError> {
    let request = ReadObject {
        at: ObjectAt {
            bucket: BUCKET.to_owned(),
            key: key.to_owned(),
            version_id: version.map(str::to_owned),
        },
        condition: ReadCondition::default(),
        wanted,
        method: "GET",
    };
    let (_, chunks) = get_object(flow, &request).await?;
    let chunks: Vec<Bytes> = chunks.try_collect().await.unwrap();
    Ok(chunks.concat())
}

/// Contents that a record claims.
fn claims(flow: &Flow) -> usize {
    let claims: Vec<ContentRecord> = flow.view().all(&Key::new("content")).unwrap();
    claims.len()
}

/// The events that wait for their rules.
fn events(flow: &Flow) -> Vec<serde_json::Value> {
    let stored: Vec<StoredEvent> = flow.view().all(&Key::new("event")).unwrap();
    let parsed = stored
        .iter()
        .map(|e| serde_json::from_str(&e.json).unwrap());
    parsed.collect()
}

#[derive(Debug, Clone)]
enum Step {
    Put(u8, u8, bool),
    Delete(u8),
    DeleteNth(u8, u8),
    Versioning(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4_u8, any::<u8>(), any::<bool>()).prop_map(|(k, b, big)| Step::Put(k, b, big)),
        2 => (0..4_u8).prop_map(Step::Delete),
        2 => (0..4_u8, 0..4_u8).prop_map(|(k, n)| Step::DeleteNth(k, n)),
        1 => any::<bool>().prop_map(Step::Versioning),
    ]
}

const KEYS: [&str; 4] = ["a", "a/b", "a\0", "b+é"];

/// Per key, newest first: version id, and bytes or nothing for a marker.
type Model = BTreeMap<String, Vec<(String, Option<Vec<u8>>)>>;

fn push(model: &mut Model, key: &str, id: Option<String>, body: Option<Vec<u8>>) {
    let versions = model.entry(key.to_owned()).or_default();
    let id = id.unwrap_or_else(|| "null".to_owned());
    versions.retain(|(other, _)| id != "null" || other != "null");
    versions.insert(0, (id, body));
}

async fn apply(flow: &Flow, model: &mut Model, state: &mut Versioning, step: Step) {
    match step {
        Step::Put(k, byte, big) => {
            let key = KEYS[usize::from(k)];
            let body = vec![byte; if big { 20_000 } else { 10 }];
            let made = put(flow, key, &body).await.unwrap();
            push(model, key, made.version_id, Some(body));
        }
        Step::Delete(k) => {
            let key = KEYS[usize::from(k)];
            let deleted = delete(flow, key, None).await;
            match state {
                Versioning::Off => drop(model.remove(key)),
                _ => push(model, key, deleted.version_id, None),
            }
        }
        Step::DeleteNth(k, n) => {
            let key = KEYS[usize::from(k)];
            let versions = model.entry(key.to_owned()).or_default();
            if let Some((id, body)) = versions.get(usize::from(n)).cloned() {
                versions.remove(usize::from(n));
                let deleted = delete(flow, key, Some(id)).await;
                assert_eq!(deleted.delete_marker, body.is_none());
            }
        }
        Step::Versioning(on) => {
            *state = if on {
                Versioning::Enabled
            } else {
                Versioning::Suspended
            };
            version_bucket(flow, *state).await;
        }
    }
    model.retain(|_, versions| !versions.is_empty());
}

async fn agree(flow: &Flow, model: &Model) {
    for key in KEYS {
        let current = model
            .get(key)
            .and_then(|v| v.first())
            .and_then(|(_, body)| body.clone());
        assert_eq!(
            read(flow, key, None, Wanted::All).await.ok(),
            current,
            "{key:?}"
        );
        for (id, body) in model.get(key).into_iter().flatten() {
            let stored = read(flow, key, Some(id), Wanted::All).await.ok();
            assert_eq!(&stored, body, "{key:?} {id}");
        }
    }
    let listing = Listing {
        bucket: BUCKET.to_owned(),
        max: 1,
        ..Listing::default()
    };
    let live = model
        .iter()
        .filter(|(_, v)| v[0].1.is_some())
        .map(|(k, _)| k.clone());
    assert_eq!(all_keys(flow, listing.clone()), live.collect::<Vec<_>>());
    let all = model
        .iter()
        .flat_map(|(k, v)| v.iter().map(move |(id, _)| (k.clone(), id.clone())));
    assert_eq!(all_versions(flow, listing), all.collect::<Vec<_>>());
}

fn all_keys(flow: &Flow, mut listing: Listing) -> Vec<String> {
    let mut keys = Vec::new();
    loop {
        let page = list_objects(&flow.view(), &listing).unwrap();
        keys.extend(page.entries.into_iter().map(|(key, _)| key));
        match page.next {
            Some(next) => listing.after = next,
            None => return keys,
        }
    }
}

fn all_versions(flow: &Flow, mut listing: Listing) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    let mut marker = VersionMarker::default();
    loop {
        let page = list_versions(&flow.view(), &listing, &marker).unwrap();
        let entries = page.entries.into_iter();
        all.extend(entries.map(|(k, v)| (k, v.version.shown_version_id().to_owned())));
        match page.next {
            Some(next) => {
                listing.after = next;
                marker.version_id = all.last().map(|(_, id)| id.clone());
            }
            None => return all,
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn versions_are_what_the_model_says(steps in prop::collection::vec(step(), 0..25)) {
        runtime().block_on(async {
            let contents = Arc::new(MemoryContents::new());
            let flow = flow(&contents);
            with_bucket(&flow).await;
            let (mut model, mut state) = (Model::new(), Versioning::Off);
            for step in steps {
                apply(&flow, &mut model, &mut state, step).await;
            }
            agree(&flow, &model).await;
            let bodies = model.values().flatten().filter_map(|(_, body)| body.as_ref());
            let large = bodies.filter(|body| body.len() > 16 * 1024).count();
            assert_eq!(claims(&flow), large);
        });
    }

    #[test]
    fn a_delimiter_rolls_up_as_a_walk_over_all_keys_would(
        keys in prop::collection::btree_set("[ab/]{1,4}", 0..12),
        prefix in "[ab/]{0,2}",
        max in 1..4_usize,
    ) {
        runtime().block_on(async {
            let flow = flow(&Arc::new(MemoryContents::new()));
            with_bucket(&flow).await;
            for key in &keys {
                put(&flow, key, b"x").await.unwrap();
            }
            let mut expected: Vec<String> = Vec::new();
            for key in keys.iter().filter(|k| k.starts_with(&prefix)) {
                let rest = &key[prefix.len()..];
                let shown = match rest.split_once('/') {
                    Some((before, _)) => format!("{prefix}{before}/"),
                    None => key.clone(),
                };
                if expected.last() != Some(&shown) {
                    expected.push(shown);
                }
            }
            let mut listing = Listing {
                bucket: BUCKET.to_owned(),
                prefix,
                delimiter: Some("/".to_owned()),
                after: After::Nothing,
                max,
            };
            let mut seen: Vec<String> = Vec::new();
            loop {
                let page = list_objects(&flow.view(), &listing).unwrap();
                let mut both: Vec<String> = page.entries.into_iter().map(|(k, _)| k).collect();
                both.extend(page.prefixes);
                both.sort();
                seen.extend(both);
                match page.next {
                    Some(next) => listing.after = next,
                    None => break,
                }
            }
            assert_eq!(seen, expected);
        });
    }
}

#[tokio::test]
async fn events_are_written_with_their_change_and_only_when_wanted() {
    let flow = flow(&Arc::new(MemoryContents::new()));
    with_bucket(&flow).await;
    put(&flow, "silent", b"x").await.unwrap();
    assert!(events(&flow).is_empty());
    // Events leave their space once they are routed, so the verbs are looked at inside their own transaction.
    let seen = flow
        .write(|tx| {
            bucket::put_event_bridge(tx, BUCKET, true)?;
            object::delete_object(
                tx,
                &caller(),
                BUCKET,
                "silent",
                None,
                &WriteCondition::default(),
            )?;
            object::delete_object(
                tx,
                &caller(),
                BUCKET,
                "never there",
                None,
                &WriteCondition::default(),
            )?;
            bucket::put_versioning(tx, BUCKET, Versioning::Enabled)?;
            object::delete_object(
                tx,
                &caller(),
                BUCKET,
                "a+b c",
                None,
                &WriteCondition::default(),
            )?;
            tx.all::<StoredEvent>(&Key::new("event"))
        })
        .await
        .unwrap();
    assert_eq!(seen.len(), 2);
    assert!(
        seen.iter()
            .all(|e| e.bus == "default" && e.account == "123456789012")
    );
    let details: Vec<serde_json::Value> = seen
        .iter()
        .map(|e| serde_json::from_str(&e.json).unwrap())
        .collect();
    let gone = &details[0]["detail"];
    assert_eq!(details[0]["detail-type"], "Object Deleted");
    assert_eq!(gone["deletion-type"], "Permanently Deleted");
    assert_eq!(gone["request-id"], "REQUEST1");
    assert_eq!(gone["source-ip-address"], "192.0.2.7");
    let members: Vec<&String> = gone["object"].as_object().unwrap().keys().collect();
    assert_eq!(members, ["key", "sequencer"]);
    let marked = &details[1]["detail"];
    assert_eq!(marked["deletion-type"], "Delete Marker Created");
    assert_eq!(marked["object"]["key"], "a+b c");
    assert_eq!(marked["object"]["version-id"].as_str().unwrap().len(), 32);
    assert!(marked["object"]["sequencer"].as_str() > gone["object"]["sequencer"].as_str());
}

#[tokio::test]
async fn the_event_of_a_stored_version_is_made_again_as_it_was() {
    let flow = flow(&Arc::new(MemoryContents::new()));
    with_bucket(&flow).await;
    version_bucket(&flow, Versioning::Enabled).await;
    flow.write(|tx| bucket::put_event_bridge(tx, BUCKET, true))
        .await
        .unwrap();
    let at = |version_id| ObjectAt {
        bucket: BUCKET.to_owned(),
        key: "a+b c".to_owned(),
        version_id,
    };
    let body = futures::stream::iter([Ok(Bytes::from_static(b"abc"))]);
    let received = receive(&flow, body, Claims::default()).await.unwrap();
    // Events leave their space once they are routed, so the first one is looked at inside its own transaction.
    let (made, first) = received
        .commit(&flow, move |tx, received| {
            let new = NewObject {
                bucket: BUCKET.to_owned(),
                key: "a+b c".to_owned(),
                attributes: Attributes::default(),
                tags: Tags::new(),
                condition: WriteCondition::default(),
                reason: CreatedReason::PostObject,
            };
            let made = object::put_object(tx, &caller(), new, received)?;
            Ok((made, tx.all::<StoredEvent>(&Key::new("event"))?))
        })
        .await
        .unwrap();
    put(&flow, "a+b c", b"later").await.unwrap();
    let now = Timestamp(77);
    let again = created_again(&flow.view(), &at(made.version_id), "ID".to_owned(), now).unwrap();
    let expected = StoredEvent {
        id: "ID".to_owned(),
        json: first[0].json.replace(&first[0].id, "ID"),
        ingested_at: now,
        ..first[0].clone()
    };
    assert_eq!(again, expected);
    assert!(again.json.contains(r#""reason":"POST Object""#));

    delete(&flow, "a+b c", None).await;
    let gone = created_again(&flow.view(), &at(None), "ID".to_owned(), now);
    assert_eq!(gone.unwrap_err().code, "NoSuchKey");
}

#[tokio::test]
async fn parts_become_one_object_and_leave_nothing_behind() {
    let contents = Arc::new(MemoryContents::new());
    let flow = flow(&contents);
    with_bucket(&flow).await;
    let new = NewUpload {
        bucket: BUCKET.to_owned(),
        key: "k".to_owned(),
        attributes: Attributes::default(),
        tags: Tags::new(),
        algorithm: None,
        coverage: None,
    };
    let upload = flow
        .write(move |tx| multipart::create_upload(tx, new))
        .await
        .unwrap();
    let big = vec![7_u8; 5 * 1024 * 1024];
    let mut named = Vec::new();
    for (number, bytes) in [
        (1, big.clone()),
        (2, big.clone()),
        (3, b"left out".to_vec()),
        (9, b"end".to_vec()),
    ] {
        let body = futures::stream::iter([Ok(Bytes::from(bytes))]);
        let received = receive(&flow, body, Claims::default()).await.unwrap();
        let id = upload.upload_id.clone();
        let put = move |tx: &mut landfall_flow::Tx<'_>, r: &_| {
            multipart::put_part(tx, BUCKET, "k", &id, number, r)
        };
        let part = received.commit(&flow, put).await.unwrap();
        if number != 3 {
            named.push(NamedPart {
                number: i32::from(number),
                etag: part.etag,
                checksum: None,
            });
        }
    }
    let completion = Completion {
        bucket: BUCKET.to_owned(),
        key: "k".to_owned(),
        upload_id: upload.upload_id.clone(),
        parts: named,
        condition: WriteCondition::default(),
        checksum: None,
        coverage: None,
        size: None,
    };
    let again = completion.clone();
    let made = flow
        .write(move |tx| multipart::complete_upload(tx, &caller(), &completion))
        .await
        .unwrap();
    assert!(made.etag.ends_with("-3"));
    let whole = [big.clone(), big.clone(), b"end".to_vec()].concat();
    assert_eq!(read(&flow, "k", None, Wanted::All).await.unwrap(), whole);
    let across = read(
        &flow,
        "k",
        None,
        Wanted::Between(5_242_878, Some(5_242_882)),
    )
    .await
    .unwrap();
    assert_eq!(across, &whole[5_242_878..=5_242_882]);
    assert_eq!(
        read(&flow, "k", None, Wanted::Part(9)).await.unwrap(),
        b"end"
    );
    let gone = flow
        .write(move |tx| multipart::complete_upload(tx, &caller(), &again))
        .await;
    assert_eq!(gone.unwrap_err().code, "NoSuchUpload");
    delete(&flow, "k", None).await;
    assert_eq!(claims(&flow), 0);
}

#[tokio::test]
async fn bytes_that_no_commit_names_are_swept_and_others_stay() {
    let contents = Arc::new(MemoryContents::new());
    let flow = flow(&contents);
    with_bucket(&flow).await;
    put(&flow, "kept", &[1; 50_000]).await.unwrap();
    let mut orphan = contents.create().await.unwrap();
    orphan.write(Bytes::from_static(b"orphan")).await.unwrap();
    let orphan = orphan.finish().await.unwrap();
    let unclaimed = sweep::unclaimed(&flow).await.unwrap();
    assert_eq!(unclaimed, [orphan]);
    assert_eq!(sweep::sweep(&flow, unclaimed).await.unwrap(), 1);
    assert_eq!(
        read(&flow, "kept", None, Wanted::All).await.unwrap(),
        [1; 50_000]
    );
    assert_eq!(contents.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_refused_write_leaves_neither_bytes_nor_version() {
    let contents = Arc::new(MemoryContents::new());
    let flow = flow(&contents);
    let missing = put(&flow, "k", &[1; 50_000]).await.unwrap_err();
    assert_eq!(missing.code, "NoSuchBucket");
    assert!(contents.list().await.unwrap().is_empty());
    with_bucket(&flow).await;
    let claims = Claims {
        md5: Some("1B2M2Y8AsgTpgAmY7PhCfg==".to_owned()),
        ..Claims::default()
    };
    let body = futures::stream::iter([Ok(Bytes::from(vec![1; 50_000]))]);
    assert_eq!(
        receive(&flow, body, claims).await.unwrap_err().code,
        "BadDigest"
    );
    assert!(contents.list().await.unwrap().is_empty());
}
