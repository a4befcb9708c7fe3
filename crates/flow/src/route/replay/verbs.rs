//! Replays as the API knows them. Never sends an event itself: see `turn.rs`.

use landfall_core::api::generated::events as api;
use landfall_core::api::value::EpochSeconds;
use landfall_core::arn::Arn;
use landfall_core::caller::Caller;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_store::Direction;

use super::record::{Active, Replay, active_prefix, find, prefix};
use crate::page::page;
use crate::route::archive::{self, Archive};
use crate::route::bus::check_exists;
use crate::route::{BusKey, epoch, limit_exceeded, rules};
use crate::tx::{Reader, Tx};

const PAGE_ITEMS_MAX: usize = 100;

/// `StartReplay`.
pub fn start(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::StartReplayRequest,
) -> Result<api::StartReplayResponse, ApiError> {
    let name = request.replay_name.unwrap_or_default();
    let destination = request.destination.unwrap_or_default();
    let source_arn = request.event_source_arn.unwrap_or_default();
    let archive = source(tx, caller, &source_arn, &destination)?;
    let (from, until) = span(request.event_start_time, request.event_end_time)?;
    if find(tx, &caller.account, &caller.region, &name).is_ok() {
        let text = format!("Replay {name} already exists.");
        return Err(ApiError::client("ResourceAlreadyExistsException", text));
    }
    let active = active_prefix(&caller.account, &caller.region);
    let active = tx.list::<Active>(&active, Direction::Forward).count();
    if active >= limits::EVENTS_REPLAYS_ACTIVE_MAX {
        return Err(limit_exceeded());
    }
    let replay = Replay {
        name,
        account: caller.account.clone(),
        region: caller.region.clone(),
        number: tx.next_sequence(),
        source_arn,
        archive: archive.name,
        archive_id: archive.id,
        description: request.description,
        destination,
        from,
        until,
        state: "STARTING".to_owned(),
        state_reason: None,
        started_at: tx.now(),
        ended_at: None,
        sent: None,
    };
    tx.put(&replay.key(), &replay)?;
    tx.put(&replay.active_key(), &Active {})?;
    tx.caches.replays_active = true;
    Ok(api::StartReplayResponse {
        replay_arn: Some(replay.arn()),
        state: Some(replay.state),
        replay_start_time: epoch(replay.started_at),
        ..Default::default()
    })
}

/// `CancelReplay`: what it has sent stays sent.
pub fn cancel(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: &api::CancelReplayRequest,
) -> Result<api::CancelReplayResponse, ApiError> {
    let name = request.replay_name.as_deref().unwrap_or_default();
    let mut replay = find(tx, &caller.account, &caller.region, name)?;
    if !matches!(replay.state.as_str(), "STARTING" | "RUNNING") {
        let text = format!("Replay {name} is not in a valid state for this operation.");
        return Err(ApiError::client("IllegalStatusException", text));
    }
    "CANCELLING".clone_into(&mut replay.state);
    tx.put(&replay.key(), &replay)?;
    Ok(api::CancelReplayResponse {
        replay_arn: Some(replay.arn()),
        state: Some(replay.state),
        ..Default::default()
    })
}

/// `DescribeReplay`.
pub fn describe(
    db: &impl Reader,
    caller: &Caller,
    request: &api::DescribeReplayRequest,
) -> Result<api::DescribeReplayResponse, ApiError> {
    let name = request.replay_name.as_deref().unwrap_or_default();
    let replay = find(db, &caller.account, &caller.region, name)?;
    let arn = replay.arn();
    let (description, destination) = (replay.description.clone(), replay.destination.clone());
    let short = summary(replay);
    Ok(api::DescribeReplayResponse {
        replay_name: short.replay_name,
        replay_arn: Some(arn),
        description,
        state: short.state,
        state_reason: short.state_reason,
        event_source_arn: short.event_source_arn,
        destination: Some(destination),
        event_start_time: short.event_start_time,
        event_end_time: short.event_end_time,
        event_last_replayed_time: short.event_last_replayed_time,
        replay_start_time: short.replay_start_time,
        replay_end_time: short.replay_end_time,
    })
}

/// `ListReplays`.
pub fn list(
    db: &impl Reader,
    caller: &Caller,
    request: &api::ListReplaysRequest,
) -> Result<api::ListReplaysResponse, ApiError> {
    let (begin, state) = (request.name_prefix.as_deref(), request.state.as_deref());
    let source_arn = request.event_source_arn.as_deref();
    archive::one_filter("ListReplays", [begin, source_arn, state])?;
    let all = prefix(&caller.account, &caller.region).beginning(begin.unwrap_or_default());
    let mut replays = db.all::<Replay>(&all)?;
    replays.retain(|it| source_arn.is_none_or(|arn| it.source_arn == arn));
    replays.retain(|it| state.is_none_or(|state| it.state == state));
    let token = request.next_token.as_deref();
    let (replays, next_token) = page(replays, token, request.limit, PAGE_ITEMS_MAX)?;
    Ok(api::ListReplaysResponse {
        replays: Some(replays.into_iter().map(summary).collect()),
        next_token,
    })
}

fn summary(replay: Replay) -> api::Replay {
    api::Replay {
        replay_name: Some(replay.name),
        event_source_arn: Some(replay.source_arn),
        state: Some(replay.state),
        state_reason: replay.state_reason,
        event_start_time: Some(replay.from.into()),
        event_end_time: Some(replay.until.into()),
        event_last_replayed_time: replay.sent.map(|(time, _)| time.into()),
        replay_start_time: epoch(replay.started_at),
        replay_end_time: replay.ended_at.and_then(epoch),
    }
}

/// The archive that a request names, when its events may go where the request says.
fn source(
    db: &impl Reader,
    caller: &Caller,
    source_arn: &str,
    destination: &api::ReplayDestination,
) -> Result<Archive, ApiError> {
    let to = destination.arn.as_deref().unwrap_or_default();
    let is_bus = Arn::parse(to).is_some_and(|it| it.resource.starts_with("event-bus/"));
    if !is_bus {
        return Err(invalid("Destination.Arn", "Must contain an event bus ARN."));
    }
    let bus = BusKey::of(caller, Some(to));
    check_exists(db, &bus)?;
    let named = Arn::parse(source_arn).and_then(|it| it.resource.strip_prefix("archive/"));
    let Some(name) = named else {
        return Err(invalid("EventSourceArn", "Must contain an archive ARN."));
    };
    let archive = archive::find(db, &caller.account, &caller.region, name)
        .ok()
        .filter(|archive| archive.arn() == source_arn)
        .ok_or_else(|| invalid("EventSourceArn", &format!("Archive {name} does not exist.")))?;
    if archive.source() != bus {
        let reason = "Cross event bus replay is not permitted.";
        return Err(invalid("Destination.Arn", reason));
    }
    for arn in destination.filter_arns.iter().flatten() {
        check_rule(db, &bus, arn)?;
    }
    Ok(archive)
}

/// A rule that is not there would let the replay pass by in silence.
fn check_rule(db: &impl Reader, bus: &BusKey, arn: &str) -> Result<(), ApiError> {
    let name = arn.rsplit('/').next().unwrap_or_default();
    if bus.rule_arn(name) != arn {
        let reason = format!("{arn} is not the ARN of a rule of event bus {}.", bus.name);
        return Err(invalid("Destination.FilterArns", &reason));
    }
    rules::find(db, bus, name).map(|_| ())
}

fn span(
    from: Option<EpochSeconds>,
    until: Option<EpochSeconds>,
) -> Result<(Timestamp, Timestamp), ApiError> {
    let (from, until): (Timestamp, Timestamp) = (
        from.unwrap_or_default().into(),
        until.unwrap_or_default().into(),
    );
    if from < until {
        return Ok((from, until));
    }
    let reason = "EventStartTime must be before EventEndTime.";
    Err(invalid("EventEndTime", reason))
}

fn invalid(parameter: &str, reason: &str) -> ApiError {
    ApiError::validation(format!(
        "Parameter {parameter} is not valid. Reason: {reason}"
    ))
}
