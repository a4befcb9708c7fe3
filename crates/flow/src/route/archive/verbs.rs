//! Archives as the API knows them. Never touches what they hold.

use landfall_core::api::generated::events as api;
use landfall_core::arn::Arn;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_store::Direction;
use serde_json::{Value, json};

use super::record::{Archive, Departed, Tally, departed_key, find, held_prefix, prefix, tally_key};
use super::{MANAGER, rule_name};
use crate::page::page;
use crate::route::bus::check_exists;
use crate::route::{BusKey, Rule, StoredEvent, epoch, limit_exceeded, rules};
use crate::tx::{Reader, Tx};

/// Landfall's archives are ready when the call that made them answers.
const STATE: &str = "ENABLED";
const PAGE_ITEMS_MAX: usize = 100;

/// `CreateArchive`.
pub fn create(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::CreateArchiveRequest,
) -> Result<api::CreateArchiveResponse, ApiError> {
    let name = request.archive_name.unwrap_or_default();
    let bus = source(tx, caller, request.event_source_arn.as_deref())?;
    if find(tx, &caller.account, &caller.region, &name).is_ok() {
        let text = format!("Archive {name} already exists.");
        return Err(ApiError::client("ResourceAlreadyExistsException", text));
    }
    if rules::get(tx, &bus, &rule_name(&name))?.is_some() {
        let text = format!("Rule {} already exists.", rule_name(&name));
        return Err(ApiError::client("ResourceAlreadyExistsException", text));
    }
    let all = rules::prefix(&bus);
    let rules = tx.list::<Rule>(&all, Direction::Forward).count();
    if rules >= tx.settings().quotas.event_rules_per_bus {
        return Err(limit_exceeded());
    }
    let archive = Archive {
        id: tx.ids().uuid(),
        name,
        account: bus.account,
        region: bus.region,
        bus: bus.name,
        description: request.description,
        pattern: request.event_pattern.filter(|it| !it.is_empty()),
        retention_days: days(request.retention_days),
        kms_key: request.kms_key_identifier,
        created: tx.now(),
    };
    store(tx, &archive)?;
    Ok(api::CreateArchiveResponse {
        archive_arn: Some(archive.arn()),
        state: Some(STATE.to_owned()),
        creation_time: epoch(archive.created),
        ..Default::default()
    })
}

/// `UpdateArchive`: what the request leaves out stays as it is; an empty text removes.
pub fn update(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::UpdateArchiveRequest,
) -> Result<api::UpdateArchiveResponse, ApiError> {
    let name = request.archive_name.as_deref().unwrap_or_default();
    let mut archive = find(tx, &caller.account, &caller.region, name)?;
    let given = |new: Option<String>, old: Option<String>| match new {
        Some(text) => Some(text).filter(|it| !it.is_empty()),
        None => old,
    };
    archive.description = given(request.description, archive.description);
    archive.pattern = given(request.event_pattern, archive.pattern);
    archive.kms_key = given(request.kms_key_identifier, archive.kms_key);
    if request.retention_days.is_some() {
        archive.retention_days = days(request.retention_days);
    }
    store(tx, &archive)?;
    Ok(api::UpdateArchiveResponse {
        archive_arn: Some(archive.arn()),
        state: Some(STATE.to_owned()),
        creation_time: epoch(archive.created),
        ..Default::default()
    })
}

/// `DeleteArchive`: what it held is removed bit by bit afterwards.
pub fn delete(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: &api::DeleteArchiveRequest,
) -> Result<(), ApiError> {
    let name = request.archive_name.as_deref().unwrap_or_default();
    let archive = find(tx, &caller.account, &caller.region, name)?;
    rules::remove(tx, &archive.source(), &rule_name(name));
    tx.delete::<Archive>(&archive.key());
    tx.delete::<Tally>(&tally_key(&archive.id));
    let held = held_prefix(&archive.id);
    if tx
        .list::<StoredEvent>(&held, Direction::Forward)
        .next()
        .is_some()
    {
        tx.put(&departed_key(&archive.id), &Departed {})?;
        tx.caches.archives.look_now();
    }
    Ok(())
}

/// `DescribeArchive`.
pub fn describe(
    db: &impl Reader,
    caller: &Caller,
    request: &api::DescribeArchiveRequest,
) -> Result<api::DescribeArchiveResponse, ApiError> {
    let name = request.archive_name.as_deref().unwrap_or_default();
    let archive = find(db, &caller.account, &caller.region, name)?;
    let short = summary(db, archive.clone())?;
    Ok(api::DescribeArchiveResponse {
        archive_arn: Some(archive.arn()),
        archive_name: short.archive_name,
        event_source_arn: short.event_source_arn,
        description: archive.description,
        event_pattern: archive.pattern,
        state: short.state,
        kms_key_identifier: archive.kms_key,
        retention_days: short.retention_days,
        size_bytes: short.size_bytes,
        event_count: short.event_count,
        creation_time: short.creation_time,
        ..Default::default()
    })
}

/// `ListArchives`.
pub fn list(
    db: &impl Reader,
    caller: &Caller,
    request: &api::ListArchivesRequest,
) -> Result<api::ListArchivesResponse, ApiError> {
    let (begin, state) = (request.name_prefix.as_deref(), request.state.as_deref());
    let source_arn = request.event_source_arn.as_deref();
    one_filter("ListArchives", [begin, source_arn, state])?;
    if source_arn.is_some() {
        source(db, caller, source_arn)?;
    }
    let all = prefix(&caller.account, &caller.region).beginning(begin.unwrap_or_default());
    let mut archives = db.all::<Archive>(&all)?;
    archives.retain(|it| source_arn.is_none_or(|arn| it.source().arn() == arn));
    archives.retain(|_| state.is_none_or(|state| state == STATE));
    let token = request.next_token.as_deref();
    let (archives, next_token) = page(archives, token, request.limit, PAGE_ITEMS_MAX)?;
    let shown = archives.into_iter().map(|it| summary(db, it));
    Ok(api::ListArchivesResponse {
        archives: Some(shown.collect::<Result<_, _>>()?),
        next_token,
    })
}

/// Refuses what AWS refuses: more than one filter in one listing.
pub(in crate::route) fn one_filter(
    operation: &str,
    filters: [Option<&str>; 3],
) -> Result<(), ApiError> {
    if filters.iter().flatten().count() <= 1 {
        return Ok(());
    }
    Err(ApiError::validation(format!(
        "At most one filter is allowed for {operation}. Use either : State, EventSourceArn, or NamePrefix."
    )))
}

fn summary(db: &impl Reader, archive: Archive) -> Result<api::Archive, ApiError> {
    let tally = db
        .get::<Tally>(&tally_key(&archive.id))?
        .unwrap_or_default();
    let shown = |number: u64| i64::try_from(number).ok();
    Ok(api::Archive {
        event_source_arn: Some(archive.source().arn()),
        archive_name: Some(archive.name),
        state: Some(STATE.to_owned()),
        retention_days: i32::try_from(archive.retention_days).ok(),
        size_bytes: shown(tally.bytes),
        event_count: shown(tally.events),
        creation_time: epoch(archive.created),
        ..Default::default()
    })
}

/// The bus that an archive's `EventSourceArn` names: one of the caller's own.
fn source(db: &impl Reader, caller: &Caller, arn: Option<&str>) -> Result<BusKey, ApiError> {
    let arn = arn.unwrap_or_default();
    let is_bus = Arn::parse(arn).is_some_and(|it| it.resource.starts_with("event-bus/"));
    if !is_bus {
        return Err(ApiError::validation(
            "Parameter EventSourceArn is not valid. Reason: Must contain an event bus ARN.",
        ));
    }
    let bus = BusKey::of(caller, Some(arn));
    if (&bus.account, &bus.region) != (&caller.account, &caller.region) {
        let text = format!("Event bus {} does not exist.", bus.name);
        return Err(ApiError::not_found(text));
    }
    check_exists(db, &bus)?;
    Ok(bus)
}

fn days(given: Option<i32>) -> u32 {
    given.and_then(|it| u32::try_from(it).ok()).unwrap_or(0)
}

/// Writes an archive and the managed rule that feeds it.
fn store(tx: &mut Tx<'_>, archive: &Archive) -> Result<(), ApiError> {
    let rule = managed_rule(archive)?;
    tx.caches.archives.look_now();
    rules::store(tx, &archive.source(), &rule)?;
    tx.put(&archive.key(), archive)
}

/// The rule as AWS shows it: the archive's pattern, but no event that a replay sends.
fn managed_rule(archive: &Archive) -> Result<Rule, ApiError> {
    let mut pattern = json!({});
    if let Some(given) = &archive.pattern {
        rules::check_pattern(given)?;
        pattern = serde_json::from_str(given)
            .map_err(|e| ApiError::client("InvalidEventPatternException", e.to_string()))?;
    }
    if let Some(members) = pattern.as_object_mut() {
        members.insert("replay-name".to_owned(), json!([{"exists": false}]));
    }
    let name = rule_name(&archive.name);
    let template = format!(
        "{{\"archive-arn\": \"{}:{}\", \"event\": <aws.events.event.json>, \
         \"ingestion-time\": <aws.events.event.ingestion-time>}}",
        archive.arn(),
        archive.id,
    );
    let target: Value = json!({
        "Id": name,
        "Arn": format!("arn:aws:events:{}:::", archive.region),
        "InputTransformer": {"InputPathsMap": {}, "InputTemplate": template},
    });
    let target = serde_json::from_value(target)
        .map_err(|e| ApiError::internal(format!("the target of an archive: {e}")))?;
    Ok(Rule {
        name,
        pattern: pattern.to_string(),
        state: STATE.to_owned(),
        description: None,
        role_arn: None,
        targets: vec![target],
        managed_by: Some(MANAGER.to_owned()),
    })
}
