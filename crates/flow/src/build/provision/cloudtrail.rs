//! Trails with their selectors, switched on or off as the template says. Never writes a log file.

use landfall_core::api::generated::cloudtrail as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::template::as_bool_loose;
use landfall_core::trail::name::arn_of;
use serde_json::{Value, json};

use super::{
    Built, Existing, Job, Properties, Provisioner, already_exists, attributes, call, gone_is_fine,
    not_served, plain, request, retag,
};
use crate::trail::{selectors, trails};
use crate::tx::Tx;

/// `AWS::CloudTrail::Trail`.
pub const TRAIL: Provisioner = Provisioner {
    create,
    update,
    delete,
};

/// Longest name that is made up.
const NAME_CHARS: usize = 128;
/// Properties that other calls than CreateTrail and UpdateTrail take.
const BY_OTHERS: [&str; 7] = [
    "AdvancedEventSelectors",
    "AggregationConfigurations",
    "EventSelectors",
    "InsightSelectors",
    "IsLogging",
    "Tags",
    "TrailName",
];
const SELECTORS: [&str; 2] = ["EventSelectors", "AdvancedEventSelectors"];

fn create(tx: &mut Tx<'_>, job: &Job<'_>) -> Result<Built, ApiError> {
    refuse_unserved(job)?;
    let name = job.name(tx, "TrailName", NAME_CHARS);
    let mut properties = job.but(&BY_OTHERS);
    properties.insert("Name".to_owned(), Value::from(name.as_str()));
    if let Some(tags) = job.properties.get("Tags") {
        properties.insert("TagsList".to_owned(), tags.clone());
    }
    let made = request(&api::SERVICE, "CreateTrail", properties)?;
    call(
        tx,
        job.caller,
        &api::SERVICE,
        "CreateTrail",
        made,
        trails::create,
    )
    .map_err(|e| match e.code.as_ref() {
        "TrailAlreadyExistsException" => already_exists(&name),
        _ => e,
    })?;
    if is_given(job.properties) {
        put_selectors(tx, job, &name)?;
    }
    switch(tx, job, &name)?;
    Ok(built(job.caller, name))
}

fn built(caller: &Caller, name: String) -> Built {
    let arn = arn_of(&caller.account, &caller.region, &name);
    Built {
        attributes: attributes([("Arn", &arn)]),
        physical_id: name,
    }
}

/// What no call serves is refused where it asks for something.
fn refuse_unserved(job: &Job<'_>) -> Result<(), ApiError> {
    let asks = |name: &&&str| {
        let value = job.properties.get(**name);
        value.is_some_and(|it| *it != json!([]))
    };
    let unserved = ["AggregationConfigurations", "InsightSelectors"];
    match unserved.iter().find(asks) {
        None => Ok(()),
        Some(name) => Err(not_served(&format!(
            "The property {name} of AWS::CloudTrail::Trail"
        ))),
    }
}

fn is_given(properties: &Properties) -> bool {
    SELECTORS
        .iter()
        .any(|name| properties.get(*name).is_some_and(|it| *it != json!([])))
}

fn put_selectors(tx: &mut Tx<'_>, job: &Job<'_>, name: &str) -> Result<(), ApiError> {
    let chosen = job
        .properties
        .iter()
        .filter(|(name, _)| SELECTORS.contains(&name.as_str()));
    let mut properties: Properties = chosen.map(|(n, v)| (n.clone(), v.clone())).collect();
    properties.insert("TrailName".to_owned(), name.into());
    let wanted = request(&api::SERVICE, "PutEventSelectors", properties)?;
    call(
        tx,
        job.caller,
        &api::SERVICE,
        "PutEventSelectors",
        wanted,
        selectors::put,
    )
    .map(|_| ())
}

fn switch(tx: &mut Tx<'_>, job: &Job<'_>, name: &str) -> Result<(), ApiError> {
    let wanted = job.properties.get("IsLogging").and_then(as_bool_loose);
    let Some(logging) = wanted else {
        let message = "#/IsLogging: expected type: Boolean";
        return Err(ApiError::client("InvalidRequest", message));
    };
    let operation = match logging {
        true => "StartLogging",
        false => "StopLogging",
    };
    let parameters = json!({"name": name});
    plain(
        tx,
        job.caller,
        ("cloudtrail", operation),
        parameters,
        |tx| trails::set_logging(tx, job.caller, Some(name), logging),
    )
}

fn update(tx: &mut Tx<'_>, job: &Job<'_>, existing: &Existing<'_>) -> Result<Built, ApiError> {
    refuse_unserved(job)?;
    let name = existing.physical_id.to_owned();
    let mut properties = job.but(&BY_OTHERS);
    properties.insert("Name".to_owned(), Value::from(name.as_str()));
    let defaults = [
        ("EnableLogFileValidation", json!(false)),
        ("IncludeGlobalServiceEvents", json!(true)),
        ("IsMultiRegionTrail", json!(false)),
        ("S3KeyPrefix", json!("")),
    ];
    for (property, default) in defaults {
        properties.entry(property).or_insert(default);
    }
    let wanted = request(&api::SERVICE, "UpdateTrail", properties)?;
    call(
        tx,
        job.caller,
        &api::SERVICE,
        "UpdateTrail",
        wanted,
        trails::update,
    )?;
    let differs = |name: &&str| job.properties.get(*name) != existing.properties.get(*name);
    if SELECTORS.iter().any(differs) {
        match is_given(job.properties) {
            true => put_selectors(tx, job, &name)?,
            false => reset_selectors(tx, job, &name)?,
        }
    }
    switch(tx, job, &name)?;
    let arn = arn_of(&job.caller.account, &job.caller.region, &name);
    retag(tx, &arn, existing.properties, job)?;
    Ok(built(job.caller, name))
}

fn reset_selectors(tx: &mut Tx<'_>, job: &Job<'_>, name: &str) -> Result<(), ApiError> {
    let parameters = json!({
        "trailName": name,
        "eventSelectors": [{"readWriteType": "All", "includeManagementEvents": true}],
    });
    let operation = ("cloudtrail", "PutEventSelectors");
    plain(tx, job.caller, operation, parameters, |tx| {
        selectors::reset(tx, job.caller, name)
    })
}

fn delete(tx: &mut Tx<'_>, caller: &Caller, existing: &Existing<'_>) -> Result<(), ApiError> {
    let name = Some(existing.physical_id.to_owned());
    gone_is_fine(call(
        tx,
        caller,
        &api::SERVICE,
        "DeleteTrail",
        api::DeleteTrailRequest { name },
        |tx, caller, it| trails::delete(tx, caller, &it),
    ))
}
