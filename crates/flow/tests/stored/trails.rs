//! The trails' part of the day: a trail with work waiting and one that was stopped. Never leaves a log file behind, for
//! its bytes are the compressor's and would change with it. The signing key comes from the seed like all ids: another
//! way of looking for primes in the library would give another key, in the same form.

use std::sync::Arc;
use std::time::Duration;

use landfall_core::limits;
use landfall_flow::keep::parameters;
use landfall_flow::land::bucket;
use landfall_flow::land::condition::WriteCondition;
use landfall_flow::land::config::Policy;
use landfall_flow::land::list::{Listing, list_objects};
use landfall_flow::land::object;
use landfall_flow::trail::{
    Call, Ongoing, Target, TrailKey, TrailStatus, scope, selectors, trails,
};
use landfall_flow::{Key, Reader as _, Tx};
use serde_json::{Map, Value, json};

use super::house::{House, caller, request};
use super::scenario::{STEP_MILLIS, arn, put, rule};

/// The bucket whose objects are watched.
const WATCHED: &str = "watched";
/// The bucket of the log files.
pub const LOGS: &str = "logs";
/// How long what the last call left behind waits.
const DELAY_SECONDS: u64 = 900;

/// What names the trail that records.
pub fn busy() -> TrailKey {
    let caller = caller();
    TrailKey {
        account: caller.account,
        home: caller.region,
        name: "busy".to_owned(),
    }
}

/// What became of the deliveries of the trail that records.
pub fn status(house: &House) -> TrailStatus {
    let found = house.flow.view().get(&busy().status()).unwrap();
    found.unwrap_or_default()
}

/// The keys of all files that were delivered.
pub fn files(house: &House) -> Vec<String> {
    let listing = Listing {
        bucket: LOGS.to_owned(),
        max: 100,
        ..Listing::default()
    };
    let found = list_objects(&house.flow.view(), &listing).unwrap();
    found.entries.into_iter().map(|(key, _)| key).collect()
}

/// Two files delivered, of which a digest lists one; then a record that waits for a file, of a trail that is there and of
/// one that is gone, and an event that waits for its time.
pub async fn trail(house: &House) {
    make_buckets(house).await;
    make_busy(house).await;
    make_stopped(house).await;

    let columns = json!({"Name": "/csv/columns", "Value": "a,b,c", "Overwrite": true});
    let mut changed = call("ssm.amazonaws.com", "PutParameter", Target::Control);
    changed.parameters = Map::from_iter([("name".to_owned(), "/csv/columns".into())]);
    recorded(house, changed, house.give(parameters::put, columns)).await;
    upload(house, "listed").await;
    flush(house).await;
    assert_eq!(status(house).error, None);

    house.state.fail_reads_of(Key::new("trail-key").bytes(), 0);
    upload(house, "unlisted").await;
    flush(house).await;
    assert!(status(house).error.is_some(), "no digest without its key");
    house.state.heal_reads();
    forget_files(house).await;

    let calls = json!({"source": ["aws.s3"], "detail-type": ["AWS API Call via CloudTrail"]});
    let names =
        json!({"Id": "queue", "Arn": arn("sqs", "letters"), "InputPath": "$.detail.eventName"});
    rule(house, "calls", calls, names).await;
    house.flow.delay_trails(Duration::from_secs(DELAY_SECONDS));
    make_gone(house).await;
    upload(house, "waiting").await;
    house.later(STEP_MILLIS);
    let gone = || request(json!({"Name": "gone"}));
    house
        .write(move |tx: &mut Tx<'_>| trails::delete(tx, &caller(), &gone()))
        .await;
}

/// A trail that is deleted while a record waits for its file.
async fn make_gone(house: &House) {
    let gone = json!({"Name": "gone", "S3BucketName": LOGS, "S3KeyPrefix": "gone"});
    house.give(trails::create, gone).await;
    let objects = json!({"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::watched/"]});
    let takes = json!({"TrailName": "gone", "EventSelectors": [
        {"IncludeManagementEvents": false, "DataResources": [objects]},
    ]});
    house.give(selectors::put, takes).await;
    set_logging(house, "gone", true).await;
}

async fn make_buckets(house: &House) {
    house.later(STEP_MILLIS);
    let policy = json!({"Statement": [{
        "Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"},
        "Action": ["s3:GetBucketAcl", "s3:PutObject"],
        "Resource": ["arn:aws:s3:::logs", "arn:aws:s3:::logs/*"],
    }]});
    let make = move |tx: &mut Tx<'_>| {
        bucket::create_bucket(tx, &caller(), WATCHED, "us-east-1")?;
        bucket::create_bucket(tx, &caller(), LOGS, "us-east-1")?;
        bucket::put_config(tx, LOGS, &Policy::parse(policy.to_string())?)
    };
    house.write(make).await;
}

async fn set_logging(house: &House, name: &'static str, logging: bool) {
    house.later(STEP_MILLIS);
    let set = move |tx: &mut Tx<'_>| trails::set_logging(tx, &caller(), Some(name), logging);
    house.write(set).await;
}

async fn make_busy(house: &House) {
    let busy = json!({
        "Name": "busy", "S3BucketName": LOGS, "IsMultiRegionTrail": true, "EnableLogFileValidation": true,
        "TagsList": [{"Key": "team", "Value": "a"}],
    });
    let mut made = call("cloudtrail.amazonaws.com", "CreateTrail", Target::Control);
    made.parameters = Map::from_iter([("name".to_owned(), "busy".into())]);
    recorded(house, made, house.give(trails::create, busy)).await;
    let objects = json!({"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::watched/"]});
    let takes = json!({"TrailName": "busy", "EventSelectors": [
        {"ReadWriteType": "WriteOnly", "ExcludeManagementEventSources": ["kms.amazonaws.com"],
         "DataResources": [objects]},
    ]});
    house.give(selectors::put, takes).await;
    set_logging(house, "busy", true).await;
}

async fn make_stopped(house: &House) {
    let stopped = json!({"Name": "stopped", "S3BucketName": LOGS, "S3KeyPrefix": "old",
                         "IncludeGlobalServiceEvents": false});
    house.give(trails::create, stopped).await;
    let takes = json!({"TrailName": "stopped", "AdvancedEventSelectors": [{
        "Name": "uploads", "FieldSelectors": [
            {"Field": "eventCategory", "Equals": ["Data"]},
            {"Field": "resources.type", "Equals": ["AWS::S3::Object"]},
            {"Field": "eventName", "StartsWith": ["Put"], "NotEquals": ["PutObjectAcl"]},
        ],
    }]});
    house.give(selectors::put, takes).await;
    set_logging(house, "stopped", true).await;
    set_logging(house, "stopped", false).await;
}

/// A call that changes something, as the wire describes it.
fn call(source: &str, name: &str, target: Target) -> Call {
    Call {
        source: source.to_owned(),
        name: name.to_owned(),
        caller: caller(),
        signed: true,
        host: "127.0.0.1:4566".to_owned(),
        target,
        read_only: false,
        parameters: Map::new(),
        elements: Map::new(),
        answer: None,
        additional: Map::new(),
    }
}

/// Serves a call so that it is recorded.
async fn recorded<T>(house: &House, call: Call, serving: impl Future<Output = T>) -> T {
    let ongoing = Ongoing::of(call);
    let served = scope(Arc::clone(&ongoing), serving).await;
    ongoing.finish(&house.flow, None, 0).await;
    served
}

async fn upload(house: &House, key: &str) {
    let target = Target::Object {
        bucket: WATCHED.to_owned(),
        key: Some(key.to_owned()),
    };
    let mut call = call("s3.amazonaws.com", "PutObject", target);
    let parameters: [(_, Value); 2] = [("bucketName", WATCHED.into()), ("key", key.into())];
    call.parameters = parameters
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect();
    recorded(house, call, put(house, WATCHED, key, 1, None)).await;
}

/// Lets the time for a log file come, and waits until the attempt has ended.
async fn flush(house: &House) {
    house.later(limits::CLOUDTRAIL_FLUSH_MILLIS);
    house.write(|_| Ok(())).await;
    let now = house.flow.clock().now();
    house
        .until("an attempt has ended", |house| {
            status(house).attempted_at == Some(now)
        })
        .await;
}

async fn forget_files(house: &House) {
    for key in files(house) {
        let delete = move |tx: &mut Tx<'_>| {
            let condition = WriteCondition::default();
            object::delete_object(tx, &caller(), LOGS, &key, None, &condition)
        };
        house.write(delete).await;
    }
}
