//! Trails as the API knows them: made, changed, described, started, stopped and deleted. Never records a call.

use landfall_core::api::generated::cloudtrail as api;
use landfall_core::caller::Caller;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_core::trail::{name, standard};
use landfall_store::Direction;

use super::model::{
    Chain, Departed, PendingRecord, Trail, TrailStatus, number_of_pending, region_of_pending,
    trails_key,
};
use super::{policy, tags};
use crate::page::page;
use crate::tx::{Reader, Tx};

fn check_served(request: &api::CreateTrailRequest) -> Result<(), ApiError> {
    refuse(&[
        ("SnsTopicName", request.sns_topic_name.is_some()),
        (
            "CloudWatchLogsLogGroupArn",
            request.cloud_watch_logs_log_group_arn.is_some(),
        ),
        (
            "CloudWatchLogsRoleArn",
            request.cloud_watch_logs_role_arn.is_some(),
        ),
        ("KmsKeyId", request.kms_key_id.is_some()),
    ])?;
    refuse_organization(request.is_organization_trail)
}

/// `CreateTrail`.
pub fn create(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::CreateTrailRequest,
) -> Result<api::CreateTrailResponse, ApiError> {
    check_served(&request)?;
    let wanted = request.name.unwrap_or_default();
    name::check(&wanted)?;
    let bucket = request.s3_bucket_name.unwrap_or_default();
    let prefix = request.s3_key_prefix.filter(|prefix| !prefix.is_empty());
    name::check_prefix(prefix.as_deref().unwrap_or_default())?;
    let trail = Trail {
        account: caller.account.clone(),
        home: caller.region.clone(),
        name: wanted,
        bucket,
        prefix,
        global: request.include_global_service_events.unwrap_or(true),
        multi_region: request.is_multi_region_trail.unwrap_or(false),
        validation: request.enable_log_file_validation.unwrap_or(false),
        selectors: vec![standard()],
        advanced: Vec::new(),
        custom: false,
        logging: false,
        started_at: None,
        stopped_at: None,
        recursive: request.recursive_logging.unwrap_or(true),
    };
    check_global(&trail)?;
    if tx.has::<Trail>(&trail.key().record())? {
        return Err(ApiError::client(
            "TrailAlreadyExistsException",
            format!(
                "Trail {} already exists for customer: {}",
                trail.name, trail.account
            ),
        ));
    }
    check_room(tx, &trail)?;
    let arn = trail.arn();
    policy::check(tx, &trail)?;
    tags::put(tx, &arn, request.tags_list.unwrap_or_default())?;
    save(tx, &trail)?;
    Ok(api::CreateTrailResponse {
        name: Some(trail.name),
        s3_bucket_name: Some(trail.bucket),
        s3_key_prefix: trail.prefix,
        include_global_service_events: Some(trail.global),
        is_multi_region_trail: Some(trail.multi_region),
        trail_arn: Some(arn),
        log_file_validation_enabled: Some(trail.validation),
        is_organization_trail: Some(false),
        recursive_logging: Some(trail.recursive),
        ..Default::default()
    })
}

/// `UpdateTrail`.
pub fn update(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::UpdateTrailRequest,
) -> Result<api::UpdateTrailResponse, ApiError> {
    let text = |value: &Option<String>| value.as_deref().is_some_and(|text| !text.is_empty());
    refuse(&[
        ("SnsTopicName", text(&request.sns_topic_name)),
        (
            "CloudWatchLogsLogGroupArn",
            text(&request.cloud_watch_logs_log_group_arn),
        ),
        (
            "CloudWatchLogsRoleArn",
            text(&request.cloud_watch_logs_role_arn),
        ),
        ("KmsKeyId", text(&request.kms_key_id)),
    ])?;
    refuse_organization(request.is_organization_trail)?;
    let before = at_home(tx, caller, request.name.as_deref())?;
    let mut trail = before.clone();
    if let Some(bucket) = request.s3_bucket_name {
        trail.bucket = bucket;
    }
    if let Some(prefix) = request.s3_key_prefix {
        name::check_prefix(&prefix)?;
        trail.prefix = Some(prefix).filter(|prefix| !prefix.is_empty());
    }
    trail.global = request
        .include_global_service_events
        .unwrap_or(trail.global);
    trail.multi_region = request.is_multi_region_trail.unwrap_or(trail.multi_region);
    trail.validation = request
        .enable_log_file_validation
        .unwrap_or(trail.validation);
    trail.recursive = request.recursive_logging.unwrap_or(trail.recursive);
    check_global(&trail)?;
    if trail.multi_region && !before.multi_region {
        check_room(tx, &trail)?;
    }
    let arn = trail.arn();
    policy::check(tx, &trail)?;
    if before.validation && !trail.validation {
        break_chains(tx, &trail)?;
    }
    save(tx, &trail)?;
    Ok(api::UpdateTrailResponse {
        name: Some(trail.name),
        s3_bucket_name: Some(trail.bucket),
        s3_key_prefix: trail.prefix,
        include_global_service_events: Some(trail.global),
        is_multi_region_trail: Some(trail.multi_region),
        trail_arn: Some(arn),
        log_file_validation_enabled: Some(trail.validation),
        is_organization_trail: Some(false),
        recursive_logging: Some(trail.recursive),
        ..Default::default()
    })
}

/// What Landfall does not do is refused, never swallowed.
fn refuse(given: &[(&str, bool)]) -> Result<(), ApiError> {
    match given.iter().find(|(_, is_given)| *is_given) {
        None => Ok(()),
        Some((what, _)) => Err(ApiError::client(
            "UnsupportedOperationException",
            format!("{what} is not served by Landfall."),
        )),
    }
}

fn refuse_organization(wanted: Option<bool>) -> Result<(), ApiError> {
    match wanted {
        Some(true) => Err(ApiError::client(
            "OrganizationsNotInUseException",
            "The account is not part of an organization.",
        )),
        _ => Ok(()),
    }
}

fn check_global(trail: &Trail) -> Result<(), ApiError> {
    match trail.multi_region && !trail.global {
        false => Ok(()),
        true => Err(ApiError::client(
            "InvalidParameterCombinationException",
            "Multi-Region trail must include global service events.",
        )),
    }
}

/// Whether one more trail fits: a multi-region trail counts in each region that has trails.
fn check_room(tx: &Tx<'_>, trail: &Trail) -> Result<(), ApiError> {
    let mut others: Vec<Trail> = tx.all(&trails_key(&trail.account))?;
    others.retain(|other| other.key() != trail.key());
    let everywhere = others.iter().filter(|other| other.multi_region).count();
    let homes = others.iter().map(|other| other.home.as_str());
    let regions = homes.filter(|home| trail.multi_region || *home == trail.home);
    for region in regions.chain([trail.home.as_str()]) {
        let alone = others
            .iter()
            .filter(|other| !other.multi_region && other.home == region);
        if alone.count() + everywhere >= limits::CLOUDTRAIL_TRAILS_MAX {
            return Err(ApiError::client(
                "MaximumNumberOfTrailsExceededException",
                format!(
                    "User: {} already has {} trails in {region}.",
                    trail.account,
                    limits::CLOUDTRAIL_TRAILS_MAX
                ),
            ));
        }
    }
    Ok(())
}

/// Writes a trail, so that the next call sees it.
pub(super) fn save(tx: &mut Tx<'_>, trail: &Trail) -> Result<(), ApiError> {
    tx.caches.trails.forget();
    tx.put(&trail.key().record(), trail)
}

fn unknown(caller: &Caller, given: &str) -> ApiError {
    let user = &caller.account;
    ApiError::client(
        "TrailNotFoundException",
        format!("Unknown trail: {given} for the user: {user}"),
    )
}

/// The trail that a name or ARN means: by name one of this region, or the shadow of a multi-region trail.
pub(super) fn find(
    db: &impl Reader,
    caller: &Caller,
    given: Option<&str>,
) -> Result<Trail, ApiError> {
    let given = given.unwrap_or_default();
    let named = name::parse(caller, given)?;
    let mut trails: Vec<Trail> = db.all(&trails_key(&named.account))?;
    trails.retain(|trail| trail.name == named.name && trail.account == caller.account);
    let mine = |trail: &Trail| match &named.region {
        Some(region) => trail.home == *region,
        None => trail.home == caller.region,
    };
    let shadow = |trail: &Trail| named.region.is_none() && trail.multi_region;
    let at = trails
        .iter()
        .position(mine)
        .or_else(|| trails.iter().position(shadow));
    at.map(|at| trails.swap_remove(at))
        .ok_or_else(|| unknown(caller, given))
}

/// The trail, which only its home region may change.
pub(super) fn at_home(
    db: &impl Reader,
    caller: &Caller,
    given: Option<&str>,
) -> Result<Trail, ApiError> {
    let trail = find(db, caller, given)?;
    if trail.home == caller.region {
        return Ok(trail);
    }
    Err(ApiError::client(
        "InvalidHomeRegionException",
        format!(
            "The trail {} can be changed only from its home region {}.",
            trail.arn(),
            trail.home
        ),
    ))
}

/// `DescribeTrails`.
pub fn describe(
    db: &impl Reader,
    caller: &Caller,
    request: &api::DescribeTrailsRequest,
) -> Result<api::DescribeTrailsResponse, ApiError> {
    let shadows = request.include_shadow_trails.unwrap_or(true);
    let names = request.trail_name_list.as_deref().unwrap_or_default();
    let mut trails = Vec::new();
    if names.is_empty() {
        let all: Vec<Trail> = db.all(&trails_key(&caller.account))?;
        let here = |trail: &Trail| trail.home == caller.region || (shadows && trail.multi_region);
        trails.extend(all.into_iter().filter(here));
    }
    for given in names {
        match find(db, caller, Some(given)) {
            Ok(trail) => trails.push(trail),
            Err(e) if e.code == "TrailNotFoundException" => {}
            Err(e) => return Err(e),
        }
    }
    Ok(api::DescribeTrailsResponse {
        trail_list: Some(trails.into_iter().map(shown).collect()),
    })
}

/// `GetTrail`.
pub fn get(
    db: &impl Reader,
    caller: &Caller,
    request: &api::GetTrailRequest,
) -> Result<api::GetTrailResponse, ApiError> {
    let trail = find(db, caller, request.name.as_deref())?;
    Ok(api::GetTrailResponse {
        trail: Some(shown(trail)),
    })
}

fn shown(trail: Trail) -> api::Trail {
    api::Trail {
        trail_arn: Some(trail.arn()),
        name: Some(trail.name),
        s3_bucket_name: Some(trail.bucket),
        s3_key_prefix: trail.prefix,
        include_global_service_events: Some(trail.global),
        is_multi_region_trail: Some(trail.multi_region),
        home_region: Some(trail.home),
        log_file_validation_enabled: Some(trail.validation),
        has_custom_event_selectors: Some(trail.custom),
        has_insight_selectors: Some(false),
        is_organization_trail: Some(false),
        recursive_logging: Some(trail.recursive),
        ..Default::default()
    }
}

/// `ListTrails`: those of all regions.
pub fn list(
    db: &impl Reader,
    caller: &Caller,
    request: &api::ListTrailsRequest,
) -> Result<api::ListTrailsResponse, ApiError> {
    let all: Vec<Trail> = db.all(&trails_key(&caller.account))?;
    let (trails, next_token) = page(all, request.next_token.as_deref(), None, usize::MAX)?;
    let short = |trail: Trail| api::TrailInfo {
        trail_arn: Some(trail.arn()),
        name: Some(trail.name),
        home_region: Some(trail.home),
    };
    Ok(api::ListTrailsResponse {
        trails: Some(trails.into_iter().map(short).collect()),
        next_token,
    })
}

/// `StartLogging` and `StopLogging`.
pub fn set_logging(
    tx: &mut Tx<'_>,
    caller: &Caller,
    given: Option<&str>,
    logging: bool,
) -> Result<(), ApiError> {
    let mut trail = at_home(tx, caller, given)?;
    if trail.logging == logging {
        return Ok(());
    }
    trail.logging = logging;
    match logging {
        true => trail.started_at = Some(tx.now()),
        false => trail.stopped_at = Some(tx.now()),
    }
    if logging && trail.validation {
        let due = tx.now().plus_millis(limits::CLOUDTRAIL_DIGEST_MILLIS_MAX);
        tx.caches.trails.wait_until(trail.key(), due.0);
    }
    if !logging {
        break_chains(tx, &trail)?;
    }
    save(tx, &trail)
}

/// The next digest file begins a new chain. Log files that none lists yet are listed by the last of the old one.
fn break_chains(tx: &mut Tx<'_>, trail: &Trail) -> Result<(), ApiError> {
    let chains: Vec<_> = tx
        .list::<Chain>(&trail.key().chains(), Direction::Forward)
        .collect::<Result<_, _>>()?;
    for (at, chain) in chains {
        if chain.files.is_empty() {
            tx.delete::<Chain>(&at);
        }
    }
    Ok(())
}

/// `GetTrailStatus`.
pub fn status(
    db: &impl Reader,
    caller: &Caller,
    request: &api::GetTrailStatusRequest,
) -> Result<api::GetTrailStatusResponse, ApiError> {
    let trail = find(db, caller, request.name.as_deref())?;
    let status: TrailStatus = db.get(&trail.key().status())?.unwrap_or_default();
    let text =
        |at: Option<Timestamp>| Some(at.map_or_else(String::new, Timestamp::rfc3339_seconds));
    let succeeded = status.attempted_at.filter(|_| status.error.is_none());
    Ok(api::GetTrailStatusResponse {
        is_logging: Some(trail.logging),
        latest_delivery_error: status.error,
        latest_delivery_time: status.delivered_at.map(Into::into),
        start_logging_time: trail.started_at.map(Into::into),
        stop_logging_time: trail.stopped_at.map(Into::into),
        latest_digest_delivery_time: status.digested_at.map(Into::into),
        latest_delivery_attempt_time: text(status.attempted_at),
        latest_notification_attempt_time: text(None),
        latest_notification_attempt_succeeded: text(None),
        latest_delivery_attempt_succeeded: text(succeeded),
        time_logging_started: text(trail.started_at),
        time_logging_stopped: text(trail.stopped_at),
        ..Default::default()
    })
}

/// `DeleteTrail`: the log files stay, and records that wait for one still get it.
pub fn delete(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: &api::DeleteTrailRequest,
) -> Result<(), ApiError> {
    let trail = at_home(tx, caller, request.name.as_deref())?;
    let key = trail.key();
    tx.delete::<TrailStatus>(&key.status());
    tx.delete::<Trail>(&key.record());
    crate::keep::tags::clear(tx, &trail.arn());
    tx.caches.trails.forget();
    depart(tx, trail)
}

/// Sets what a deleted trail has still to deliver apart.
fn depart(tx: &mut Tx<'_>, trail: Trail) -> Result<(), ApiError> {
    let key = trail.key();
    let departed = Departed {
        trail,
        number: tx.next_sequence(),
    };
    let apart = departed.key();
    let now = tx.now();
    tx.caches.trails.wait_for(apart.clone(), now);
    let waiting: Vec<_> = tx
        .list::<PendingRecord>(&key.pending(), Direction::Forward)
        .collect::<Result<_, _>>()?;
    for (at, record) in waiting {
        let (region, number) = (region_of_pending(&at), number_of_pending(&at));
        if let (Some(region), Some(number)) = (region, number) {
            tx.put(&apart.pending().part(&region).number(number), &record)?;
            tx.caches.trails.wait_for(apart.clone(), record.at);
        }
        tx.delete::<PendingRecord>(&at);
    }
    let chains: Vec<_> = tx
        .list::<Chain>(&key.chains(), Direction::Forward)
        .collect::<Result<_, _>>()?;
    for (at, chain) in chains {
        if let Some(region) = region_of_pending(&at) {
            tx.put(&apart.chains().part(&region), &chain)?;
        }
        tx.delete::<Chain>(&at);
    }
    tx.put(&apart.departed(), &departed)
}
