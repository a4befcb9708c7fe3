//! Uploads in parts, but for copies into parts.

use http::StatusCode;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_flow::land::condition::WriteCondition;
use landfall_flow::land::error::malformed_xml;
use landfall_flow::land::model::UploadRecord;
use landfall_flow::land::multipart::{self, Completion, NamedPart, NewUpload};
use landfall_flow::land::receive::receive;
use landfall_flow::land::{bucket, object};
use s3s::{S3Response, dto};

use super::acl::{canonical_id, owner};
use super::bucket::{page_size, shown};
use super::call::{Answer, Call, ok};
use super::convert::{
    condition, coverage, etag, from_coverage, given_checksum, header_tags, set_checksum, size, time,
};
use super::put::{REFUSED, attributes, body, check_encryption, claims, encryption};

/// CreateMultipartUpload.
pub(super) async fn create_multipart_upload(
    call: Call,
    mut input: dto::CreateMultipartUploadInput,
) -> Answer<dto::CreateMultipartUploadOutput> {
    call.refuse_headers(&REFUSED)?;
    object::check_key(&input.key)?;
    check_encryption(input.server_side_encryption.as_ref())?;
    bucket::bucket(&call.flow.view(), &input.bucket)?;
    let acl = super::acl::check_object_acl(&call.flow.view(), &input.bucket, input.acl.take())?;
    let tags = header_tags(input.tagging.as_deref())?;
    bucket::check_tags(&tags, limits::S3_OBJECT_TAGS_MAX)?;
    let algorithm = input.checksum_algorithm.as_ref().map(|a| a.as_str());
    let new = NewUpload {
        algorithm: super::convert::algorithm(algorithm)?,
        coverage: from_coverage(input.checksum_type.take())?,
        attributes: attributes!(call, input, acl),
        bucket: input.bucket.clone(),
        key: input.key.clone(),
        tags,
    };
    let upload = call
        .flow
        .write(move |tx| multipart::create_upload(tx, new))
        .await?;
    let mut output = dto::CreateMultipartUploadOutput::default();
    output.bucket = Some(input.bucket);
    output.key = Some(input.key);
    let algorithm = upload.algorithm.map(|a| a.name().to_owned());
    output.checksum_type = algorithm.as_ref().map(|_| coverage(upload.coverage));
    output.checksum_algorithm = algorithm.map(dto::ChecksumAlgorithm::from);
    output.server_side_encryption = encryption();
    output.upload_id = Some(upload.upload_id);
    ok(output)
}

/// UploadPart.
pub(super) async fn upload_part(
    call: Call,
    mut input: dto::UploadPartInput,
) -> Answer<dto::UploadPartOutput> {
    call.refuse_headers(&REFUSED)?;
    let number = multipart::check_part_number(input.part_number)?;
    let view = call.flow.view();
    let upload = multipart::upload(&view, &input.bucket, &input.key, &input.upload_id)?;
    let checksum = given_checksum!(input)?;
    let mut claims = claims(
        &call,
        input.content_length,
        input.content_md5.take(),
        checksum,
    )?;
    multipart::check_part_algorithm(&upload, claims.algorithm)?;
    let given = claims.algorithm;
    claims.keep = Some(upload.kept_algorithm());
    let received = receive(&call.flow, body(input.body), claims).await?;
    let (bucket, key, id) = (input.bucket, input.key, input.upload_id);
    let part = received
        .commit(&call.flow, move |tx, received| {
            multipart::put_part(tx, &bucket, &key, &id, number, received)
        })
        .await?;
    let mut output = dto::UploadPartOutput::default();
    let asked = upload.algorithm.or(given);
    let checksum = part.checksum.as_ref();
    set_checksum!(output, checksum.filter(|c| Some(c.algorithm) == asked));
    output.e_tag = Some(etag(&part.etag));
    output.server_side_encryption = encryption();
    ok(output)
}

/// CompleteMultipartUpload.
pub(super) async fn complete_multipart_upload(
    call: Call,
    mut input: dto::CompleteMultipartUploadInput,
) -> Answer<dto::CompleteMultipartUploadOutput> {
    let parts = input.multipart_upload.take().and_then(|m| m.parts);
    let parts = parts.unwrap_or_default().into_iter().map(named);
    let completion = Completion {
        checksum: given_checksum!(input)?,
        coverage: from_coverage(input.checksum_type.take())?,
        parts: parts.collect::<Result<Vec<NamedPart>, ApiError>>()?,
        condition: WriteCondition {
            if_match: condition(input.if_match.take()),
            if_none_match: condition(input.if_none_match.take()),
        },
        size: input.mpu_object_size.and_then(|n| u64::try_from(n).ok()),
        bucket: input.bucket.clone(),
        key: input.key.clone(),
        upload_id: input.upload_id,
    };
    let host = call.header("host").unwrap_or("localhost").to_owned();
    let caller = call.caller;
    let made = call
        .flow
        .write(move |tx| multipart::complete_upload(tx, &caller, &completion))
        .await?;
    let mut output = dto::CompleteMultipartUploadOutput::default();
    let path = super::convert::encode_path(&input.key);
    output.location = Some(format!("http://{host}/{}/{path}", input.bucket));
    output.bucket = Some(input.bucket);
    output.key = Some(input.key);
    set_checksum!(output, made.checksum.as_ref());
    output.checksum_type = made.checksum.as_ref().map(|c| coverage(c.coverage));
    output.e_tag = Some(etag(&made.etag));
    output.server_side_encryption = encryption();
    output.version_id = made.version_id;
    ok(output)
}

fn named(mut part: dto::CompletedPart) -> Result<NamedPart, ApiError> {
    let checksum = given_checksum!(part)?;
    match (part.part_number, part.e_tag) {
        (Some(number), Some(etag)) => Ok(NamedPart {
            number,
            etag: etag.into_value(),
            checksum,
        }),
        _ => Err(malformed_xml()),
    }
}

/// AbortMultipartUpload.
pub(super) async fn abort_multipart_upload(
    call: Call,
    input: dto::AbortMultipartUploadInput,
) -> Answer<dto::AbortMultipartUploadOutput> {
    call.flow
        .write(move |tx| multipart::abort_upload(tx, &input.bucket, &input.key, &input.upload_id))
        .await?;
    Ok(S3Response::with_status(
        dto::AbortMultipartUploadOutput::default(),
        StatusCode::NO_CONTENT,
    ))
}

/// ListParts.
pub(super) async fn list_parts(
    call: Call,
    input: dto::ListPartsInput,
) -> Answer<dto::ListPartsOutput> {
    let view = call.flow.view();
    let account = bucket::bucket(&view, &input.bucket)?.account;
    let upload = multipart::upload(&view, &input.bucket, &input.key, &input.upload_id)?;
    let max = page_size(input.max_parts, limits::S3_LIST_KEYS_MAX)?;
    let marker = u16::try_from(input.part_number_marker.unwrap_or(0)).unwrap_or(u16::MAX);
    let mut parts = multipart::parts(&view, &upload, marker)?;
    let is_truncated = parts.len() > max;
    parts.truncate(max);
    let mut output = dto::ListPartsOutput::default();
    output.is_truncated = Some(is_truncated);
    output.next_part_number_marker = parts.last().map(|p| i32::from(p.number));
    output.part_number_marker = Some(i32::from(marker));
    output.max_parts = Some(shown(max));
    describe(&mut output, &upload, &account);
    let shows_checksum = upload.algorithm.is_some();
    let each = parts.iter().map(|part| {
        let mut entry = dto::Part::default();
        entry.e_tag = Some(etag(&part.etag));
        entry.last_modified = Some(time(part.modified_at));
        entry.part_number = Some(i32::from(part.number));
        entry.size = Some(size(part.size));
        set_checksum!(entry, part.checksum.as_ref().filter(|_| shows_checksum));
        entry
    });
    output.parts = Some(each.collect());
    output.bucket = Some(input.bucket);
    output.key = Some(input.key);
    output.upload_id = Some(input.upload_id);
    ok(output)
}

fn describe(output: &mut dto::ListPartsOutput, upload: &UploadRecord, account: &str) {
    let algorithm = upload.algorithm.map(|a| a.name().to_owned());
    output.checksum_type = algorithm.as_ref().map(|_| coverage(upload.coverage));
    output.checksum_algorithm = algorithm.map(dto::ChecksumAlgorithm::from);
    let class = upload.attributes.storage_class.clone();
    let class = class.unwrap_or_else(|| "STANDARD".to_owned());
    output.storage_class = Some(dto::StorageClass::from(class));
    output.owner = Some(owner(account));
    output.initiator = Some(dto::Initiator {
        display_name: None,
        id: Some(canonical_id(account)),
    });
}
