//! DeleteObject and DeleteObjects.

use http::StatusCode;
use landfall_core::error::ApiError;
use landfall_flow::land::condition::{Tag, WriteCondition};
use landfall_flow::land::error::malformed_xml;
use landfall_flow::land::object::{self, DeleteEntry, Deleted};
use s3s::{S3Response, dto};

use super::call::{Answer, Call, ok};
use super::convert::condition;

/// DeleteObject.
pub(super) async fn delete_object(
    call: Call,
    input: dto::DeleteObjectInput,
) -> Answer<dto::DeleteObjectOutput> {
    call.refuse_headers(&["x-amz-if-match-last-modified-time", "x-amz-if-match-size"])?;
    let condition = WriteCondition {
        if_match: condition(input.if_match),
        if_none_match: None,
    };
    let caller = call.caller;
    let deleted = call
        .flow
        .write(move |tx| {
            let version_id = input.version_id.as_deref();
            object::delete_object(
                tx,
                &caller,
                &input.bucket,
                &input.key,
                version_id,
                &condition,
            )
        })
        .await?;
    let mut output = dto::DeleteObjectOutput::default();
    output.delete_marker = deleted.delete_marker.then_some(true);
    output.version_id = deleted.version_id;
    Ok(S3Response::with_status(output, StatusCode::NO_CONTENT))
}

/// DeleteObjects.
pub(super) async fn delete_objects(
    call: Call,
    input: dto::DeleteObjectsInput,
) -> Answer<dto::DeleteObjectsOutput> {
    let quiet = input.delete.quiet == Some(true);
    let entries = input.delete.objects.into_iter().map(entry);
    let entries = entries.collect::<Result<Vec<DeleteEntry>, ApiError>>()?;
    let (caller, bucket) = (call.caller, input.bucket);
    let (entries, results) = call
        .flow
        .write(move |tx| {
            let results = object::delete_objects(tx, &caller, &bucket, &entries)?;
            Ok((entries, results))
        })
        .await?;
    let mut deleted = Vec::new();
    let mut errors = Vec::new();
    for (entry, result) in entries.into_iter().zip(results) {
        match result {
            Ok(_) if quiet => {}
            Ok(done) => deleted.push(shown(entry, done)),
            Err(e) => errors.push(failed(entry, e)),
        }
    }
    let mut output = dto::DeleteObjectsOutput::default();
    output.deleted = Some(deleted);
    output.errors = Some(errors);
    ok(output)
}

fn entry(object: dto::ObjectIdentifier) -> Result<DeleteEntry, ApiError> {
    if object.key.is_empty() {
        return Err(malformed_xml());
    }
    Ok(DeleteEntry {
        key: object.key,
        version_id: object.version_id.filter(|v| !v.is_empty()),
        condition: WriteCondition {
            if_match: object.e_tag.map(|tag| Tag::Is(tag.into_value())),
            if_none_match: None,
        },
    })
}

fn shown(entry: DeleteEntry, done: Deleted) -> dto::DeletedObject {
    let mut shown = dto::DeletedObject::default();
    shown.key = Some(entry.key);
    shown.delete_marker = done.delete_marker.then_some(true);
    if done.delete_marker {
        shown.delete_marker_version_id = done.version_id;
    }
    shown.version_id = entry.version_id;
    shown
}

fn failed(entry: DeleteEntry, error: ApiError) -> dto::Error {
    let mut shown = dto::Error::default();
    shown.code = Some(error.code.into_owned());
    shown.message = Some(error.message);
    shown.key = Some(entry.key);
    shown.version_id = entry.version_id;
    shown
}
