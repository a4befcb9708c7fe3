//! Log groups. Never touches an event, except to remove all of them with their group.

use std::collections::BTreeMap;

use landfall_core::api::generated::logs as api;
use landfall_core::arn::{Arn, arn};
use landfall_core::caller::Caller;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::limits;
use serde::{Deserialize, Serialize};

use super::{invalid, stream};
use crate::keep::tags;
use crate::key::Key;
use crate::page::page;
use crate::tx::{Reader, Tx};

/// Days that events may be kept.
const RETENTIONS: [i32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];
const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// A log group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Unique in account and region.
    pub name: String,
    /// 12-digit account.
    pub account: String,
    /// Region.
    pub region: String,
    /// Days that events are kept; for ever when absent.
    pub retention_days: Option<i32>,
    /// Tells it from former groups of the same name: their streams are not its own.
    pub(super) id: u64,
    created: Timestamp,
    class: Option<String>,
    kms_key_id: Option<String>,
    is_protected: bool,
}
crate::record!(Group in Control);

impl Group {
    /// The group's ARN, without the `:*` that some answers add.
    pub fn arn(&self) -> String {
        arn(
            "logs",
            &self.region,
            &self.account,
            format_args!("log-group:{}", self.name),
        )
    }

    /// Events before this moment are gone (milliseconds since the epoch).
    pub(super) fn kept_from(&self, now: Timestamp) -> i64 {
        let age = self.retention_days.map(|days| i64::from(days) * DAY_MILLIS);
        age.map_or(0, |age| now.0.saturating_sub(age).max(0))
    }
}

/// The group of a name, when there is one.
pub fn lookup(
    db: &impl Reader,
    account: &str,
    region: &str,
    name: &str,
) -> Result<Option<Group>, ApiError> {
    db.get(&key(account, region, name))
}

/// Whether the group exists.
pub fn group_exists(db: &impl Reader, caller: &Caller, group: &str) -> Result<bool, ApiError> {
    Ok(lookup(db, &caller.account, &caller.region, group)?.is_some())
}

/// Makes the group unless it exists.
pub fn ensure_group(tx: &mut Tx<'_>, caller: &Caller, group: &str) -> Result<(), ApiError> {
    if group_exists(tx, caller, group)? {
        return Ok(());
    }
    let log_group_name = Some(group.to_owned());
    create_group(
        tx,
        caller,
        api::CreateLogGroupRequest {
            log_group_name,
            ..Default::default()
        },
    )
}

/// `CreateLogGroup`.
pub fn create_group(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::CreateLogGroupRequest,
) -> Result<(), ApiError> {
    let name = request.log_group_name.unwrap_or_default();
    if group_exists(tx, caller, &name)? {
        let text = "The specified log group already exists";
        return Err(ApiError::client("ResourceAlreadyExistsException", text));
    }
    if name.starts_with("aws/") {
        return Err(invalid(
            "Log groups starting with AWS/ are reserved for AWS.",
        ));
    }
    let group = Group {
        name,
        account: caller.account.clone(),
        region: caller.region.clone(),
        retention_days: None,
        id: tx.next_sequence(),
        created: tx.now(),
        class: request.log_group_class,
        kms_key_id: request.kms_key_id,
        is_protected: request.deletion_protection_enabled.unwrap_or_default(),
    };
    save(tx, &group)?;
    tags::add(tx, &group.arn(), request.tags.unwrap_or_default())
}

/// `DeleteLogGroup`: with all its streams.
pub fn delete_group(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: &api::DeleteLogGroupRequest,
) -> Result<(), ApiError> {
    let group = named(tx, caller, request.log_group_name.as_deref())?;
    if group.is_protected {
        let text = "The log group is protected against deletion.";
        return Err(ApiError::client("OperationAbortedException", text));
    }
    stream::remove_all(tx, &group)?;
    tags::clear(tx, &group.arn());
    tx.delete::<Group>(&key(&group.account, &group.region, &group.name));
    Ok(())
}

/// `PutRetentionPolicy`.
pub fn put_retention(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: &api::PutRetentionPolicyRequest,
) -> Result<(), ApiError> {
    let days = request.retention_in_days.unwrap_or_default();
    if !RETENTIONS.contains(&days) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: Member must \
             satisfy enum value set: {RETENTIONS:?}"
        )));
    }
    let mut group = named(tx, caller, request.log_group_name.as_deref())?;
    group.retention_days = Some(days);
    save(tx, &group)
}

/// `DeleteRetentionPolicy`.
pub fn delete_retention(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: &api::DeleteRetentionPolicyRequest,
) -> Result<(), ApiError> {
    let mut group = named(tx, caller, request.log_group_name.as_deref())?;
    group.retention_days = None;
    save(tx, &group)
}

/// `DescribeLogGroups`.
pub fn describe_groups(
    db: &impl Reader,
    caller: &Caller,
    request: &api::DescribeLogGroupsRequest,
) -> Result<api::DescribeLogGroupsResponse, ApiError> {
    let begin = request.log_group_name_prefix.as_deref().unwrap_or_default();
    let pattern = request
        .log_group_name_pattern
        .as_deref()
        .unwrap_or_default();
    if !begin.is_empty() && !pattern.is_empty() {
        return Err(invalid(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        ));
    }
    let identifiers: BTreeMap<&str, ()> = request
        .log_group_identifiers
        .iter()
        .flatten()
        .map(|i| (name_in(i), ()))
        .collect();
    let class = request.log_group_class.as_deref();
    let mut groups = db.all::<Group>(&prefix(caller).beginning(begin))?;
    groups.retain(|g| {
        g.name.contains(pattern)
            && (identifiers.is_empty() || identifiers.contains_key(g.name.as_str()))
            && class.is_none_or(|c| c == g.class.as_deref().unwrap_or("STANDARD"))
    });
    let token = request.next_token.as_deref();
    let (groups, next_token) = page(groups, token, request.limit, limits::LOGS_DESCRIBE_MAX)?;
    let answers: Result<_, ApiError> = groups.into_iter().map(|g| describe(db, g)).collect();
    Ok(api::DescribeLogGroupsResponse {
        log_groups: Some(answers?),
        next_token,
    })
}

/// The group that a request names by name, or AWS's error.
pub(super) fn named(
    db: &impl Reader,
    caller: &Caller,
    name: Option<&str>,
) -> Result<Group, ApiError> {
    lookup(
        db,
        &caller.account,
        &caller.region,
        name.unwrap_or_default(),
    )?
    .ok_or_else(|| ApiError::not_found("The specified log group does not exist."))
}

/// The group that a request names by exactly one of name and identifier (name or ARN).
pub(super) fn identified(
    db: &impl Reader,
    caller: &Caller,
    name: Option<&str>,
    identifier: Option<&str>,
) -> Result<Group, ApiError> {
    match (name, identifier) {
        (Some(name), None) => named(db, caller, Some(name)),
        (None, Some(identifier)) => named(db, caller, Some(name_in(identifier))),
        _ => Err(invalid(
            "Exactly one of logGroupName and logGroupIdentifier must be provided.",
        )),
    }
}

/// The group of an ARN, with or without `:*`.
pub(super) fn by_arn(db: &impl Reader, text: &str) -> Result<Group, ApiError> {
    let arn = Arn::parse(text).filter(|a| a.service == "logs" && a.resource.contains("log-group:"));
    let Some(arn) = arn else {
        return Err(invalid(format!("{text} is no log group ARN.")));
    };
    lookup(db, arn.account, arn.region, name_in(text))?
        .ok_or_else(|| ApiError::not_found("The specified log group does not exist."))
}

fn name_in(identifier: &str) -> &str {
    let Some((_, name)) = identifier.split_once(":log-group:") else {
        return identifier;
    };
    name.split(':').next().unwrap_or_default()
}

fn describe(db: &impl Reader, group: Group) -> Result<api::LogGroup, ApiError> {
    let arn = group.arn();
    Ok(api::LogGroup {
        stored_bytes: Some(stream::stored_bytes(db, &group)?),
        arn: Some(format!("{arn}:*")),
        log_group_arn: Some(arn),
        log_group_name: Some(group.name),
        creation_time: Some(group.created.0),
        retention_in_days: group.retention_days,
        metric_filter_count: Some(0),
        kms_key_id: group.kms_key_id,
        log_group_class: Some(group.class.unwrap_or_else(|| "STANDARD".to_owned())),
        deletion_protection_enabled: group.is_protected.then_some(true),
        ..Default::default()
    })
}

fn save(tx: &mut Tx<'_>, group: &Group) -> Result<(), ApiError> {
    tx.put(&key(&group.account, &group.region, &group.name), group)
}

fn prefix(caller: &Caller) -> Key {
    Key::new("log-group")
        .part(&caller.account)
        .part(&caller.region)
}

fn key(account: &str, region: &str, name: &str) -> Key {
    Key::new("log-group").part(account).part(region).part(name)
}
