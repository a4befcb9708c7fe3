//! Archives of event buses. Never touches the events in them.

use landfall_core::api::generated::events as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use serde_json::Value;

use super::{
    Built, Existing, Job, Properties, Provisioner, attributes, call, document, gone_is_fine,
    request,
};
use crate::route::archive;
use crate::tx::Tx;

/// `AWS::Events::Archive`.
pub const ARCHIVE: Provisioner = Provisioner {
    create,
    update,
    delete,
};

/// Characters of the name of an archive.
const NAME_CHARS_MAX: usize = 48;
/// What an update may change.
const CHANGEABLE: [&str; 3] = ["Description", "EventPattern", "KmsKeyIdentifier"];

fn create(tx: &mut Tx<'_>, job: &Job<'_>) -> Result<Built, ApiError> {
    let name = job.name(tx, "ArchiveName", NAME_CHARS_MAX);
    let mut properties = properties(job);
    properties.insert("ArchiveName".to_owned(), Value::from(name.as_str()));
    if let Some(source) = job.properties.get("SourceArn") {
        properties.insert("EventSourceArn".to_owned(), source.clone());
    }
    let request = request(&api::SERVICE, "CreateArchive", properties)?;
    let call = call(
        tx,
        job.caller,
        &api::SERVICE,
        "CreateArchive",
        request,
        archive::create,
    )?;
    Ok(built(name, &call.archive_arn.unwrap_or_default()))
}

/// Properties that were taken out of the template become empty, which removes them.
fn update(tx: &mut Tx<'_>, job: &Job<'_>, existing: &Existing<'_>) -> Result<Built, ApiError> {
    let name = existing.physical_id.to_owned();
    let mut properties = properties(job);
    properties.insert("ArchiveName".to_owned(), Value::from(name.as_str()));
    for property in CHANGEABLE {
        let entry = properties.entry(property);
        entry.or_insert_with(|| Value::from(""));
    }
    let entry = properties.entry("RetentionDays");
    entry.or_insert_with(|| Value::from(0));
    let request = request(&api::SERVICE, "UpdateArchive", properties)?;
    let call = call(
        tx,
        job.caller,
        &api::SERVICE,
        "UpdateArchive",
        request,
        archive::update,
    )?;
    Ok(built(name, &call.archive_arn.unwrap_or_default()))
}

fn delete(tx: &mut Tx<'_>, caller: &Caller, existing: &Existing<'_>) -> Result<(), ApiError> {
    let request = api::DeleteArchiveRequest {
        archive_name: Some(existing.physical_id.to_owned()),
    };
    gone_is_fine(call(
        tx,
        caller,
        &api::SERVICE,
        "DeleteArchive",
        request,
        |tx, caller, it| archive::delete(tx, caller, &it),
    ))
}

/// The properties that the calls take as they are, the pattern as text.
fn properties(job: &Job<'_>) -> Properties {
    let mut properties = job.but(&["ArchiveName", "SourceArn", "EventPattern"]);
    if let Some(pattern) = document(job.properties.get("EventPattern")) {
        properties.insert("EventPattern".to_owned(), Value::from(pattern));
    }
    properties
}

fn built(name: String, arn: &str) -> Built {
    let attributes = attributes([("Arn", arn), ("ArchiveName", &name)]);
    Built {
        physical_id: name,
        attributes,
    }
}
