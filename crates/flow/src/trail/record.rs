//! The record of a call: what stands in it, and where it goes. One place for all services, successes and failures.
//! Never asks whether the call was right.

use landfall_core::arn::arn;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::event::Envelope;
use landfall_core::limits;
use landfall_core::trail::calls::lowered;
use landfall_core::trail::{OBJECT, Subject};
use serde_json::{Map, Value, json};

use super::call::{Call, Said, Target};
use super::model::{Delayed, HistoryRecord, PendingRecord, Trail, delayed_key};
use super::watch::Place;
use super::{history, watch};
use crate::land::model::{BucketRecord, bucket_key};
use crate::route::{self, ObjectRef, StoredEvent};
use crate::tx::{Reader, Tx};

/// The version of the records' form.
const EVENT_VERSION: &str = "1.11";
/// Services whose events belong to one region, whatever region was asked.
const GLOBAL: [&str; 1] = ["iam.amazonaws.com"];
const GLOBAL_REGION: &str = "us-east-1";

/// Writes the record of a call into the transaction: to the trails that select it, to the event history, to the bus.
pub(super) fn write(
    tx: &mut Tx<'_>,
    trails: &[Trail],
    call: &Call,
    outcome: Result<Said, &ApiError>,
) -> Result<(), ApiError> {
    let (said, error) = match outcome {
        Ok(said) => (said, None),
        Err(error) => (Said::default(), Some(error)),
    };
    let mut call = std::borrow::Cow::Borrowed(call);
    if let Some(key) = &said.key {
        name_key(call.to_mut(), key);
    }
    let facts = Facts::of(tx, &call)?;
    let subject = facts.subject(&call);
    let takes = |trail: &&Trail| watch::takes(trail, &facts.place, &subject);
    let chosen: Vec<&Trail> = trails.iter().filter(takes).collect();
    if call.target.is_data() && chosen.is_empty() {
        return Ok(());
    }
    let elements = error.is_none().then(|| spelled(&call, said.elements));
    let json = Value::Object(members(&call, &facts, elements, error)).to_string();
    if !call.target.is_data() {
        history::keep(tx, entry(&call, &facts, json.clone()))?;
    }
    for trail in &chosen {
        wait_for_file(tx, trail, &facts, &json)?;
    }
    if chosen.is_empty() || call.read_only {
        return Ok(());
    }
    announce(tx, &call, &facts, &json)
}

/// Lets a record wait for the next log file of a trail. A trail that the call itself has deleted has no next one.
fn wait_for_file(
    tx: &mut Tx<'_>,
    trail: &Trail,
    facts: &Facts,
    json: &str,
) -> Result<(), ApiError> {
    let key = trail.key();
    if !tx.caches.trails.is_known && !tx.has::<Trail>(&key.record())? {
        return Ok(());
    }
    let number = tx.next_sequence();
    let at = key.pending().part(&facts.place.region).number(number);
    let pending = PendingRecord {
        at: facts.at,
        json: json.to_owned(),
    };
    tx.put(&at, &pending)?;
    tx.caches.trails.wait_for(key, facts.at);
    Ok(())
}

/// The answer as records spell it.
fn spelled(call: &Call, said: Map<String, Value>) -> Map<String, Value> {
    match call.answer {
        None => said,
        Some((model, shape)) => match lowered(model, shape, &Value::Object(said)) {
            Value::Object(members) => members,
            _ => Map::new(),
        },
    }
}

/// The key that only the request's body told.
fn name_key(call: &mut Call, name: &str) {
    if let Target::Object { key, .. } = &mut call.target {
        *key = Some(name.to_owned());
        call.parameters.insert("key".to_owned(), name.into());
    }
}

/// What the call itself does not say.
struct Facts {
    at: Timestamp,
    id: String,
    place: Place,
    owner: Option<String>,
    caller_arn: String,
    object_arn: Option<String>,
}

impl Facts {
    fn of(tx: &Tx<'_>, call: &Call) -> Result<Self, ApiError> {
        let bucket: Option<BucketRecord> = match call.target.bucket() {
            Some(name) => tx.get(&bucket_key(name))?,
            None => None,
        };
        let is_global = GLOBAL.contains(&call.source.as_str());
        let region = match &bucket {
            Some(bucket) => bucket.region.clone(),
            None if is_global => GLOBAL_REGION.to_owned(),
            None => call.caller.region.clone(),
        };
        let owner = bucket.map(|bucket| bucket.account);
        let account = owner.as_ref().unwrap_or(&call.caller.account);
        Ok(Self {
            at: tx.now(),
            id: tx.ids().uuid(),
            place: Place {
                account: account.clone(),
                region,
                is_global,
            },
            owner,
            caller_arn: arn("iam", "", &call.caller.account, "root"),
            object_arn: object_arn(&call.target),
        })
    }

    fn subject<'a>(&'a self, call: &'a Call) -> Subject<'a> {
        Subject {
            source: &call.source,
            name: &call.name,
            read_only: call.read_only,
            caller_arn: &self.caller_arn,
            object_arn: self.object_arn.as_deref(),
        }
    }
}

/// The ARN of the object, or the beginning of the ARNs of the bucket's objects.
pub(super) fn object_arn(target: &Target) -> Option<String> {
    match target {
        Target::Object { bucket, key } => {
            let key = key.as_deref().unwrap_or_default();
            Some(format!("arn:aws:s3:::{bucket}/{key}"))
        }
        _ => None,
    }
}

fn identity(call: &Call, facts: &Facts) -> Value {
    let caller = &call.caller;
    if !call.signed {
        return json!({"type": "AWSAccount", "principalId": "", "accountId": "ANONYMOUS_PRINCIPAL"});
    }
    json!({
        "type": "Root",
        "principalId": caller.account,
        "arn": facts.caller_arn,
        "accountId": caller.account,
        "accessKeyId": caller.access_key_id,
    })
}

/// The members of the record, in AWS's order.
fn members(
    call: &Call,
    facts: &Facts,
    said: Option<Map<String, Value>>,
    error: Option<&ApiError>,
) -> Map<String, Value> {
    let caller = &call.caller;
    let mut record = Map::new();
    let mut put = |name: &str, value: Value| {
        record.insert(name.to_owned(), value);
    };
    put("eventVersion", EVENT_VERSION.into());
    put("userIdentity", identity(call, facts));
    put("eventTime", facts.at.rfc3339_seconds().into());
    put("eventSource", call.source.clone().into());
    put("eventName", call.name.clone().into());
    put("awsRegion", facts.place.region.clone().into());
    put("sourceIPAddress", caller.source_ip.clone().into());
    put("userAgent", user_agent(call).into());
    if let Some(error) = error {
        put("errorCode", error_code(call, error).into());
        put("errorMessage", error.message.clone().into());
    }
    put("requestParameters", or_null(call.parameters.clone()));
    let elements = said.map(|said| call.elements.clone().into_iter().chain(said).collect());
    put("responseElements", elements.map_or(Value::Null, or_null));
    if !call.additional.is_empty() {
        put("additionalEventData", call.additional.clone().into());
    }
    put("requestID", caller.request_id.clone().into());
    put("eventID", facts.id.clone().into());
    put("readOnly", call.read_only.into());
    if let Some(resources) = resources(call, facts) {
        put("resources", resources);
    }
    let is_data = call.target.is_data();
    put("eventType", "AwsApiCall".into());
    put("managementEvent", (!is_data).into());
    put("recipientAccountId", facts.place.account.clone().into());
    let category = if is_data { "Data" } else { "Management" };
    put("eventCategory", category.into());
    let host = Map::from_iter([(
        "clientProvidedHostHeader".to_owned(),
        call.host.clone().into(),
    )]);
    put("tlsDetails", host.into());
    record
}

/// S3 writes agents in brackets.
fn user_agent(call: &Call) -> String {
    match call.target {
        Target::Control => call.caller.user_agent.clone(),
        _ => format!("[{}]", call.caller.user_agent),
    }
}

/// Our own word for our own fault is not S3's.
fn error_code(call: &Call, error: &ApiError) -> String {
    match (&call.target, error.code.as_ref()) {
        (Target::Bucket(_) | Target::Object { .. }, "InternalFailure") => {
            "InternalError".to_owned()
        }
        (_, code) => code.to_owned(),
    }
}

fn or_null(members: Map<String, Value>) -> Value {
    match members.is_empty() {
        true => Value::Null,
        false => Value::Object(members),
    }
}

fn resources(call: &Call, facts: &Facts) -> Option<Value> {
    let bucket = call.target.bucket()?;
    let mut bucket = json!({"type": "AWS::S3::Bucket", "ARN": format!("arn:aws:s3:::{bucket}")});
    if let (Some(owner), Some(members)) = (&facts.owner, bucket.as_object_mut()) {
        members.shift_insert(0, "accountId".to_owned(), owner.clone().into());
    }
    let object = match &call.target {
        Target::Object { key: Some(_), .. } => {
            Some(json!({"type": OBJECT, "ARN": facts.object_arn}))
        }
        Target::Object { key: None, .. } => {
            Some(json!({"type": OBJECT, "ARNPrefix": facts.object_arn}))
        }
        _ => None,
    };
    Some(object.into_iter().chain([bucket]).collect())
}

fn entry(call: &Call, facts: &Facts, json: String) -> HistoryRecord {
    let bucket = call
        .target
        .bucket()
        .map(|bucket| ("AWS::S3::Bucket".to_owned(), bucket.to_owned()));
    HistoryRecord {
        account: facts.place.account.clone(),
        region: facts.place.region.clone(),
        at: facts.at,
        id: facts.id.clone(),
        name: call.name.clone(),
        source: call.source.clone(),
        read_only: call.read_only,
        user: "root".to_owned(),
        access_key: call.caller.access_key_id.clone(),
        resources: bucket.into_iter().chain(history::named(call)).collect(),
        json,
    }
}

/// Puts the event on the bus, at once or after the imitated delay.
fn announce(tx: &mut Tx<'_>, call: &Call, facts: &Facts, json: &str) -> Result<(), ApiError> {
    if json.len() > limits::CLOUDTRAIL_EVENT_BYTES_MAX {
        tracing::warn!(event = %facts.id, "a record is too large for the event bus");
        return Ok(());
    }
    let delay = tx.caches.trails.delay_millis();
    let due = tx.now().plus_millis(delay);
    let service = call
        .source
        .strip_suffix(".amazonaws.com")
        .unwrap_or(&call.source);
    let envelope = Envelope {
        id: tx.ids().uuid(),
        time: facts.at,
        account: facts.place.account.clone(),
        region: facts.place.region.clone(),
        source: format!("aws.{service}"),
        detail_type: "AWS API Call via CloudTrail".to_owned(),
        resources: Vec::new(),
    };
    let event = StoredEvent {
        json: envelope
            .with_detail(json)
            .map_err(|e| ApiError::internal(e.to_string()))?,
        id: envelope.id,
        account: envelope.account,
        region: envelope.region,
        bus: "default".to_owned(),
        ingested_at: due,
        object: object(call),
        hops: 0,
    };
    if delay == 0 {
        return route::emit(tx, &event).map(|_| ());
    }
    let number = tx.next_sequence();
    tx.caches.trails.event_due(due);
    tx.put(&delayed_key(due, number), &Delayed { event })
}

fn object(call: &Call) -> Option<ObjectRef> {
    match &call.target {
        Target::Object {
            bucket,
            key: Some(key),
        } => Some(ObjectRef {
            bucket: bucket.clone(),
            key: key.clone(),
            version_id: None,
        }),
        _ => None,
    }
}
