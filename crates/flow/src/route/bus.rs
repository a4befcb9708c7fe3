//! Event buses: the default one that every account and region has, and those made by name. Never holds rules.

use landfall_core::api::generated::events as api;
use landfall_core::arn::{Arn, arn};
use landfall_core::caller::Caller;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_store::Direction;
use serde::{Deserialize, Serialize};

use super::Rule;
use crate::keep::tags;
use crate::key::Key;
use crate::page::page;
use crate::tx::{Reader, Tx};

/// The bus that AWS services send to.
pub const DEFAULT_BUS: &str = "default";

/// Where a bus is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BusKey {
    /// 12-digit account.
    pub account: String,
    /// Region.
    pub region: String,
    /// Name, `default` for the default bus.
    pub name: String,
}

/// A bus made by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bus {
    name: String,
    description: Option<String>,
    policy: Option<serde_json::Value>,
    created: Timestamp,
    modified: Timestamp,
}
crate::record!(Bus in Control);

impl BusKey {
    /// The bus that a request names: by name, by ARN, or the default one when it names none.
    pub fn of(caller: &Caller, name_or_arn: Option<&str>) -> Self {
        let name = name_or_arn.filter(|n| !n.is_empty()).unwrap_or(DEFAULT_BUS);
        match Arn::parse(name) {
            Some(arn) => Self {
                account: arn.account.to_owned(),
                region: arn.region.to_owned(),
                name: arn.resource_name().to_owned(),
            },
            None => Self {
                account: caller.account.clone(),
                region: caller.region.clone(),
                name: name.to_owned(),
            },
        }
    }

    /// The bus's ARN.
    pub fn arn(&self) -> String {
        arn(
            "events",
            &self.region,
            &self.account,
            format_args!("event-bus/{}", self.name),
        )
    }

    /// ARN of a rule on this bus.
    pub fn rule_arn(&self, rule: &str) -> String {
        if self.name == DEFAULT_BUS {
            arn(
                "events",
                &self.region,
                &self.account,
                format_args!("rule/{rule}"),
            )
        } else {
            let name = &self.name;
            arn(
                "events",
                &self.region,
                &self.account,
                format_args!("rule/{name}/{rule}"),
            )
        }
    }

    fn key(&self) -> Key {
        Key::new("bus")
            .part(&self.account)
            .part(&self.region)
            .part(&self.name)
    }
}

/// Refuses a bus that does not exist.
pub fn check_exists(db: &impl Reader, bus: &BusKey) -> Result<(), ApiError> {
    if bus.name == DEFAULT_BUS || db.has::<Bus>(&bus.key())? {
        return Ok(());
    }
    Err(ApiError::not_found(format!(
        "Event bus {} does not exist.",
        bus.name
    )))
}

/// `CreateEventBus`.
pub fn create(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::CreateEventBusRequest,
) -> Result<api::CreateEventBusResponse, ApiError> {
    let name = request.name.unwrap_or_default();
    if request.event_source_name.is_some() {
        let text = "Partner event sources do not exist in Landfall; leave out EventSourceName.";
        return Err(ApiError::validation(text));
    }
    if name.contains('/') {
        return Err(ApiError::validation("Event bus name must not contain '/'."));
    }
    let bus = BusKey::of(caller, Some(&name));
    if name == DEFAULT_BUS || tx.has::<Bus>(&bus.key())? {
        let text = format!("Event bus {name} already exists.");
        return Err(ApiError::client("ResourceAlreadyExistsException", text));
    }
    let all = Key::new("bus").part(&bus.account).part(&bus.region);
    if tx.list::<Bus>(&all, Direction::Forward).count() + 1 >= limits::EVENTS_BUSES_MAX {
        return Err(super::limit_exceeded());
    }
    let description = request.description.clone();
    let now = tx.now();
    let record = Bus {
        name,
        description: description.clone(),
        policy: None,
        created: now,
        modified: now,
    };
    tx.put(&bus.key(), &record)?;
    tags::add(tx, &bus.arn(), tags::pairs(request.tags))?;
    let event_bus_arn = Some(bus.arn());
    Ok(api::CreateEventBusResponse {
        event_bus_arn,
        description,
        ..Default::default()
    })
}

/// `UpdateEventBus`.
pub fn update(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::UpdateEventBusRequest,
) -> Result<api::UpdateEventBusResponse, ApiError> {
    let bus = BusKey::of(caller, request.name.as_deref());
    check_exists(tx, &bus)?;
    let mut record = load(tx, &bus)?;
    record.description.clone_from(&request.description);
    record.modified = tx.now();
    tx.put(&bus.key(), &record)?;
    Ok(api::UpdateEventBusResponse {
        arn: Some(bus.arn()),
        name: Some(bus.name),
        description: request.description,
        ..Default::default()
    })
}

/// `DeleteEventBus`: deleting what is not there is no error, as on AWS.
pub fn delete(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: &api::DeleteEventBusRequest,
) -> Result<(), ApiError> {
    let bus = BusKey::of(caller, request.name.as_deref());
    if bus.name == DEFAULT_BUS {
        return Err(ApiError::validation("Cannot delete event bus default."));
    }
    let rules = super::rules::prefix(&bus);
    if tx.list::<Rule>(&rules, Direction::Forward).next().is_some() {
        return Err(ApiError::validation(
            "Event bus can't be deleted since it has rules.",
        ));
    }
    tx.delete::<Bus>(&bus.key());
    tags::clear(tx, &bus.arn());
    Ok(())
}

/// `DescribeEventBus`.
pub fn describe(
    db: &impl Reader,
    caller: &Caller,
    request: &api::DescribeEventBusRequest,
) -> Result<api::DescribeEventBusResponse, ApiError> {
    let bus = BusKey::of(caller, request.name.as_deref());
    check_exists(db, &bus)?;
    let record = load(db, &bus)?;
    Ok(api::DescribeEventBusResponse {
        name: Some(bus.name.clone()),
        arn: Some(bus.arn()),
        description: record.description,
        policy: record.policy.map(|p| p.to_string()),
        creation_time: super::epoch(record.created),
        last_modified_time: super::epoch(record.modified),
        ..Default::default()
    })
}

/// `ListEventBuses`.
pub fn list(
    db: &impl Reader,
    caller: &Caller,
    request: &api::ListEventBusesRequest,
) -> Result<api::ListEventBusesResponse, ApiError> {
    let prefix = Key::new("bus").part(&caller.account).part(&caller.region);
    let mut names = vec![DEFAULT_BUS.to_owned()];
    names.extend(db.all::<Bus>(&prefix)?.into_iter().map(|b| b.name));
    names.dedup();
    let begin = request.name_prefix.as_deref().unwrap_or_default();
    names.retain(|n| n.starts_with(begin));
    let mut buses = Vec::new();
    for name in names {
        let bus = BusKey::of(caller, Some(&name));
        let record = load(db, &bus)?;
        buses.push(api::EventBus {
            arn: Some(bus.arn()),
            name: Some(name),
            description: record.description,
            policy: record.policy.map(|p| p.to_string()),
            creation_time: super::epoch(record.created),
            last_modified_time: super::epoch(record.modified),
        });
    }
    let (buses, next_token) = page(buses, request.next_token.as_deref(), request.limit, 100)?;
    Ok(api::ListEventBusesResponse {
        event_buses: Some(buses),
        next_token,
    })
}

/// `PutPermission`: keeps the statement in the bus's policy.
pub fn put_permission(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: &api::PutPermissionRequest,
) -> Result<(), ApiError> {
    let bus = BusKey::of(caller, request.event_bus_name.as_deref());
    check_exists(tx, &bus)?;
    let mut record = load(tx, &bus)?;
    if let Some(policy) = &request.policy {
        let parsed = serde_json::from_str::<serde_json::Value>(policy).ok();
        let Some(policy) = parsed.filter(serde_json::Value::is_object) else {
            return Err(ApiError::client(
                "InvalidPolicyDocument",
                "The policy is not valid JSON.",
            ));
        };
        record.policy = Some(policy);
    } else {
        let sid = request.statement_id.clone().unwrap_or_default();
        let principal = match request.principal.as_deref() {
            Some("*") | None => serde_json::json!("*"),
            Some(account) => serde_json::json!({"AWS": format!("arn:aws:iam::{account}:root")}),
        };
        let mut statement = serde_json::json!({
            "Sid": sid, "Effect": "Allow", "Principal": principal,
            "Action": request.action, "Resource": bus.arn(),
        });
        if let (Some(c), Some(map)) = (&request.condition, statement.as_object_mut()) {
            let key = c.key.clone().unwrap_or_default();
            let condition =
                serde_json::json!({c.r#type.clone().unwrap_or_default(): {key: c.value}});
            map.insert("Condition".to_owned(), condition);
        }
        let mut statements = statements(record.policy.as_ref());
        statements.retain(|s| s.get("Sid").and_then(|s| s.as_str()) != Some(&sid));
        statements.push(statement);
        record.policy = Some(serde_json::json!({"Version": "2012-10-17", "Statement": statements}));
    }
    record.modified = tx.now();
    tx.put(&bus.key(), &record)
}

/// `RemovePermission`.
pub fn remove_permission(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: &api::RemovePermissionRequest,
) -> Result<(), ApiError> {
    let bus = BusKey::of(caller, request.event_bus_name.as_deref());
    check_exists(tx, &bus)?;
    let mut record = load(tx, &bus)?;
    if request.remove_all_permissions == Some(true) {
        record.policy = None;
    } else {
        let mut statements = statements(record.policy.as_ref());
        let before = statements.len();
        statements
            .retain(|s| s.get("Sid").and_then(|s| s.as_str()) != request.statement_id.as_deref());
        if statements.len() == before {
            return Err(ApiError::not_found(
                "Statement with the provided id does not exist.",
            ));
        }
        record.policy = (!statements.is_empty())
            .then(|| serde_json::json!({"Version": "2012-10-17", "Statement": statements}));
    }
    record.modified = tx.now();
    tx.put(&bus.key(), &record)
}

fn statements(policy: Option<&serde_json::Value>) -> Vec<serde_json::Value> {
    policy
        .and_then(|p| p.get("Statement"))
        .and_then(|s| s.as_array())
        .cloned()
        .unwrap_or_default()
}

fn load(db: &impl Reader, bus: &BusKey) -> Result<Bus, ApiError> {
    Ok(db.get::<Bus>(&bus.key())?.unwrap_or_else(|| Bus {
        name: bus.name.clone(),
        description: None,
        policy: None,
        created: Timestamp::default(),
        modified: Timestamp::default(),
    }))
}
