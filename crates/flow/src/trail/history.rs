//! The event history: management events of the last 90 days, the newest first, as many as fit its bound.
//! Never holds a data event.

use std::ops::Bound;

use landfall_core::api::generated::cloudtrail as api;
use landfall_core::caller::Caller;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_store::Direction;

use super::call::Call;
use super::model::{HistoryRecord, history_key};
use crate::key::{self, Key};
use crate::record::Record as _;
use crate::tx::{Reader, Tx};

/// Events that go at once when the history is full.
const TRIMMED_AT_ONCE: usize = 256;

/// The parameters that name resources, by service.
const NAMES: [(&str, &str, &str); 10] = [
    ("cloudformation", "stackName", "AWS::CloudFormation::Stack"),
    ("cloudtrail", "name", "AWS::CloudTrail::Trail"),
    ("cloudtrail", "trailName", "AWS::CloudTrail::Trail"),
    ("ecs", "clusterName", "AWS::ECS::Cluster"),
    ("ecs", "family", "AWS::ECS::TaskDefinition"),
    ("events", "name", "AWS::Events::Rule"),
    ("iam", "roleName", "AWS::IAM::Role"),
    ("logs", "logGroupName", "AWS::Logs::LogGroup"),
    ("sqs", "queueName", "AWS::SQS::Queue"),
    ("ssm", "name", "AWS::SSM::Parameter"),
];

/// The resources that a call names, with their types.
pub(super) fn named(call: &Call) -> impl Iterator<Item = (String, String)> {
    let service = call.source.split('.').next().unwrap_or_default();
    NAMES
        .iter()
        .filter(move |(known, ..)| *known == service)
        .filter_map(|(_, parameter, kind)| {
            let name = call.parameters.get(*parameter)?.as_str()?;
            Some(((*kind).to_owned(), name.to_owned()))
        })
}

/// Keeps an event; the oldest ones go when there are too many.
pub(super) fn keep(tx: &mut Tx<'_>, record: HistoryRecord) -> Result<(), ApiError> {
    let count = match tx.caches.trails.history {
        Some(count) => count,
        None => {
            let (from, to) = Key::new("call-history").range();
            tx.scan_raw(HistoryRecord::SPACE, from, to, Direction::Forward)
                .count()
        }
    };
    let number = tx.next_sequence();
    tx.put(&history_key(number), &record)?;
    let full = count + 1 >= limits::CLOUDTRAIL_HISTORY_EVENTS_MAX;
    let gone = if full { trim(tx)? } else { 0 };
    tx.caches.trails.history = Some((count + 1).saturating_sub(gone));
    Ok(())
}

fn trim(tx: &mut Tx<'_>) -> Result<usize, ApiError> {
    let (from, to) = Key::new("call-history").range();
    let oldest: Vec<Key> = tx
        .scan_raw(HistoryRecord::SPACE, from, to, Direction::Forward)
        .take(TRIMMED_AT_ONCE)
        .map(|entry| entry.map(|(key, _)| Key::from(key.as_ref())))
        .collect::<Result<_, _>>()?;
    for key in &oldest {
        tx.delete::<HistoryRecord>(key);
    }
    Ok(oldest.len())
}

/// `LookupEvents`.
pub fn lookup(
    db: &impl Reader,
    caller: &Caller,
    request: &api::LookupEventsRequest,
) -> Result<api::LookupEventsResponse, ApiError> {
    if request.event_category.is_some() {
        return Ok(api::LookupEventsResponse {
            events: Some(Vec::new()),
            next_token: None,
        });
    }
    let wanted = Wanted::of(caller, request)?;
    let limit = request
        .max_results
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(limits::CLOUDTRAIL_LOOKUP_EVENTS_MAX);
    let (from, mut to) = Key::new("call-history").range();
    if let Some(token) = &request.next_token {
        to = Bound::Excluded(history_key(parse(token)?).bytes().to_vec());
    }
    let mut events = Vec::new();
    let mut last = None;
    for entry in db.list_between::<HistoryRecord>(from, to, Direction::Backward) {
        let (key, record) = entry?;
        if !wanted.has(&record) {
            continue;
        }
        if events.len() == limit {
            return Ok(api::LookupEventsResponse {
                events: Some(events),
                next_token: last.map(token),
            });
        }
        last = number_of(&key);
        events.push(shown(record));
    }
    Ok(api::LookupEventsResponse {
        events: Some(events),
        next_token: None,
    })
}

fn number_of(key: &Key) -> Option<u64> {
    let parts = key::parts(key.bytes());
    parts.first().and_then(|part| key::number(part))
}

fn token(number: u64) -> String {
    hex::encode(format!("before:{number}"))
}

fn parse(token: &str) -> Result<u64, ApiError> {
    let text = hex::decode(token).ok();
    let text = text
        .as_deref()
        .and_then(|bytes| std::str::from_utf8(bytes).ok());
    let number = text.and_then(|text| text.strip_prefix("before:"));
    number
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| {
            ApiError::client("InvalidNextTokenException", "The next token is not valid.")
        })
}

/// What a look-up looks for.
struct Wanted<'a> {
    caller: &'a Caller,
    attribute: Option<(&'a str, &'a str)>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

impl<'a> Wanted<'a> {
    fn of(caller: &'a Caller, request: &'a api::LookupEventsRequest) -> Result<Self, ApiError> {
        let attributes = request.lookup_attributes.as_deref().unwrap_or_default();
        if attributes.len() > 1 {
            return Err(ApiError::client(
                "InvalidLookupAttributesException",
                "You can specify only one lookup attribute.",
            ));
        }
        let from = request.start_time.map(Timestamp::from);
        let to = request.end_time.map(Timestamp::from);
        if let (Some(from), Some(to)) = (from, to)
            && from > to
        {
            return Err(ApiError::client(
                "InvalidTimeRangeException",
                "The start time is after the end time.",
            ));
        }
        let attribute = attributes.first().map(|attribute| {
            let key = attribute.attribute_key.as_deref().unwrap_or_default();
            (
                key,
                attribute.attribute_value.as_deref().unwrap_or_default(),
            )
        });
        Ok(Self {
            caller,
            attribute,
            from,
            to,
        })
    }

    fn has(&self, record: &HistoryRecord) -> bool {
        let mine = record.account == self.caller.account && record.region == self.caller.region;
        let in_time = self.from.is_none_or(|from| record.at >= from)
            && self.to.is_none_or(|to| record.at <= to);
        mine && in_time
            && self.attribute.is_none_or(|(key, value)| match key {
                "EventId" => record.id == value,
                "EventName" => record.name == value,
                "ReadOnly" => record.read_only.to_string() == value,
                "Username" => record.user == value,
                "EventSource" => record.source == value,
                "AccessKeyId" => record.access_key == value,
                "ResourceType" => record.resources.iter().any(|(kind, _)| kind == value),
                _ => record.resources.iter().any(|(_, name)| name == value),
            })
    }
}

fn shown(record: HistoryRecord) -> api::Event {
    let resources = record
        .resources
        .into_iter()
        .map(|(kind, name)| api::Resource {
            resource_type: Some(kind),
            resource_name: Some(name),
        });
    api::Event {
        event_id: Some(record.id),
        event_name: Some(record.name),
        read_only: Some(record.read_only.to_string()),
        access_key_id: Some(record.access_key).filter(|key| !key.is_empty()),
        event_time: Some(record.at.into()),
        event_source: Some(record.source),
        username: Some(record.user).filter(|user| !user.is_empty()),
        resources: Some(resources.collect()),
        cloud_trail_event: Some(record.json),
    }
}
