//! CopyObject and UploadPartCopy.

use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_flow::land::condition::{ReadCondition, WriteCondition};
use landfall_flow::land::copy::{self, CopyObject, CopyPart};
use landfall_flow::land::error::invalid_argument;
use landfall_flow::land::object::{self, ObjectAt};
use landfall_flow::land::{bucket, multipart};
use s3s::dto;

use super::call::{Answer, Call, ok};
use super::convert::{condition, coverage, etag, from_time, header_tags, set_checksum, time};
use super::put::{REFUSED, attributes, check_encryption, encryption};

fn source(source: dto::CopySource) -> Result<ObjectAt, ApiError> {
    match source {
        dto::CopySource::Bucket {
            bucket,
            key,
            version_id,
        } => Ok(ObjectAt {
            bucket: bucket.into(),
            key: key.into(),
            version_id: version_id.map(String::from),
        }),
        _ => Err(ApiError::not_implemented(
            "Copying from an access point is not implemented",
        )),
    }
}

macro_rules! source_condition {
    ($input:expr) => {
        ReadCondition {
            if_match: condition($input.copy_source_if_match.take()),
            if_none_match: condition($input.copy_source_if_none_match.take()),
            if_modified_since: $input.copy_source_if_modified_since.take().map(from_time),
            if_unmodified_since: $input.copy_source_if_unmodified_since.take().map(from_time),
        }
    };
}

/// Whether a directive says `REPLACE`.
fn replaces(directive: Option<&str>, name: &str) -> Result<bool, ApiError> {
    match directive {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(other) => Err(invalid_argument("Unknown metadata directive.", name, other)),
    }
}

/// CopyObject.
pub(super) async fn copy_object(
    call: Call,
    mut input: dto::CopyObjectInput,
) -> Answer<dto::CopyObjectOutput> {
    call.refuse_headers(&REFUSED)?;
    object::check_key(&input.key)?;
    check_encryption(input.server_side_encryption.as_ref())?;
    let acl = super::acl::check_object_acl(&call.flow.view(), &input.bucket, input.acl.take())?;
    let directive = input.metadata_directive.as_ref().map(|d| d.as_str());
    let replace = replaces(directive, "x-amz-metadata-directive")?;
    let directive = input.tagging_directive.as_ref().map(|d| d.as_str());
    let new_tags = match replaces(directive, "x-amz-tagging-directive")? {
        true => Some(header_tags(input.tagging.as_deref())?),
        false => None,
    };
    if let Some(tags) = &new_tags {
        bucket::check_tags(tags, limits::S3_OBJECT_TAGS_MAX)?;
    }
    let algorithm = input.checksum_algorithm.as_ref().map(|a| a.as_str());
    let changes = replace
        || input.storage_class.is_some()
        || input.website_redirect_location.is_some()
        || input.server_side_encryption.is_some();
    let attributes = attributes!(call, input, acl);
    let request = CopyObject {
        condition: source_condition!(input),
        source: source(input.copy_source)?,
        bucket: input.bucket,
        key: input.key,
        storage_class: attributes.storage_class.clone(),
        acl: attributes.acl.clone(),
        website_redirect: attributes.website_redirect.clone(),
        replace: replace.then_some(attributes),
        tags: new_tags,
        algorithm: super::convert::algorithm(algorithm)?,
        changes,
        write_condition: WriteCondition {
            if_match: write_condition(&call, "if-match"),
            if_none_match: write_condition(&call, "if-none-match"),
        },
    };
    let copied = copy::copy_object(&call.flow, &call.caller, request).await?;
    let made = copied.made;
    let mut result = dto::CopyObjectResult::default();
    set_checksum!(result, made.checksum.as_ref());
    result.checksum_type = made.checksum.as_ref().map(|c| coverage(c.coverage));
    result.e_tag = Some(etag(&made.etag));
    result.last_modified = Some(time(made.modified_at));
    let mut output = dto::CopyObjectOutput::default();
    output.copy_object_result = Some(result);
    output.copy_source_version_id = copied.source_version_id;
    output.server_side_encryption = encryption();
    output.version_id = made.version_id;
    ok(output)
}

/// A condition that the library does not know on copies.
fn write_condition(call: &Call, name: &str) -> Option<landfall_flow::land::condition::Tag> {
    use landfall_flow::land::condition::Tag;
    let value = call.header(name)?;
    Some(match value {
        "*" => Tag::Any,
        value => Tag::Is(value.trim_matches('"').to_owned()),
    })
}

/// UploadPartCopy.
pub(super) async fn upload_part_copy(
    call: Call,
    mut input: dto::UploadPartCopyInput,
) -> Answer<dto::UploadPartCopyOutput> {
    call.refuse_headers(&REFUSED)?;
    let number = multipart::check_part_number(input.part_number)?;
    let range = input
        .copy_source_range
        .as_deref()
        .map(part_range)
        .transpose()?;
    let request = CopyPart {
        condition: source_condition!(input),
        source: source(input.copy_source)?,
        range,
        bucket: input.bucket,
        key: input.key,
        upload_id: input.upload_id,
        number,
    };
    let view = call.flow.view();
    let upload = multipart::upload(&view, &request.bucket, &request.key, &request.upload_id)?;
    let copied = copy::copy_part(&call.flow, request).await?;
    let mut result = dto::CopyPartResult::default();
    let asked = upload.algorithm.is_some();
    set_checksum!(result, copied.made.checksum.as_ref().filter(|_| asked));
    result.e_tag = Some(etag(&copied.made.etag));
    result.last_modified = Some(time(copied.made.modified_at));
    let mut output = dto::UploadPartCopyOutput::default();
    output.copy_part_result = Some(result);
    output.copy_source_version_id = copied.source_version_id;
    output.server_side_encryption = encryption();
    ok(output)
}

fn part_range(text: &str) -> Result<(u64, u64), ApiError> {
    let bad = || {
        let message = "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last \
                       are the zero-based offsets of the first and last bytes to copy";
        invalid_argument(message, "x-amz-copy-source-range", text)
    };
    let (first, last) = text
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
        .ok_or_else(bad)?;
    match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => Ok((first, last)),
        _ => Err(bad()),
    }
}
