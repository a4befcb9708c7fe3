//! GetObject, HeadObject and GetObjectAttributes.

use futures::TryStreamExt as _;
use http::{HeaderMap, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use landfall_core::error::ApiError;
use landfall_flow::land::bucket;
use landfall_flow::land::condition::ReadCondition;
use landfall_flow::land::model::PartRecord;
use landfall_flow::land::object::ObjectAt;
use landfall_flow::land::read::{self, Chunks, Found, ReadObject, Wanted};
use s3s::dto::{self, StreamingBlob};
use s3s::{Body, S3Response};

use super::call::{Answer, Call};
use super::convert::{
    condition, count, coverage, etag, from_time, header, set_checksum, size, time,
};
use super::put::encryption;

/// The request that a GET or HEAD input makes.
macro_rules! read_request {
    ($input:expr, $method:literal) => {{
        ReadObject {
            at: ObjectAt {
                bucket: std::mem::take(&mut $input.bucket),
                key: std::mem::take(&mut $input.key),
                version_id: $input.version_id.take(),
            },
            condition: ReadCondition {
                if_match: condition($input.if_match.take()),
                if_none_match: condition($input.if_none_match.take()),
                if_modified_since: $input.if_modified_since.take().map(from_time),
                if_unmodified_since: $input.if_unmodified_since.take().map(from_time),
            },
            wanted: wanted($input.range.take(), $input.part_number)?,
            method: $method,
        }
    }};
}

fn wanted(range: Option<dto::Range>, part: Option<i32>) -> Result<Wanted, ApiError> {
    match (range, part) {
        (Some(_), Some(_)) => Err(landfall_flow::land::error::invalid_request(
            "Cannot specify both Range header and partNumber query parameter",
        )),
        (None, Some(number)) => {
            landfall_flow::land::multipart::check_part_number(number)?;
            Ok(Wanted::Part(number))
        }
        (Some(dto::Range::Int { first, last }), None) => Ok(Wanted::Between(first, last)),
        (Some(dto::Range::Suffix { length }), None) => Ok(Wanted::Last(length)),
        (None, None) => Ok(Wanted::All),
    }
}

/// Sets the members that GET and HEAD answer alike.
macro_rules! describe {
    ($output:expr, $found:expr, $with_checksum:expr) => {{
        let version = &$found.version;
        let attributes = &version.attributes;
        let default_type = || "binary/octet-stream".to_owned();
        $output.accept_ranges = Some("bytes".to_owned());
        $output.cache_control = attributes.cache_control.clone();
        $output.content_disposition = attributes.content_disposition.clone();
        $output.content_encoding = attributes.content_encoding.clone();
        $output.content_language = attributes.content_language.clone();
        $output.content_type = attributes
            .content_type
            .clone()
            .or_else(|| Some(default_type()));
        $output.content_length = Some(size($found.length));
        $output.content_range = content_range($found);
        $output.e_tag = Some(etag(&version.etag));
        $output.last_modified = Some(time(version.modified_at));
        $output.metadata = Some(attributes.metadata.clone().into_iter().collect());
        $output.parts_count = $found.parts_count.map(count);
        $output.server_side_encryption = encryption();
        $output.storage_class = attributes
            .storage_class
            .clone()
            .map(dto::StorageClass::from);
        $output.version_id = shown_version($found);
        $output.website_redirect_location = attributes.website_redirect.clone();
        if $with_checksum {
            let checksum = match &$found.part {
                Some(part) => part.checksum.as_ref(),
                None => version.checksum.as_ref(),
            };
            set_checksum!($output, checksum);
            $output.checksum_type = version.checksum.as_ref().map(|c| coverage(c.coverage));
        }
    }};
}

/// `null` is answered only where there are version ids at all: clients ask again for what they are told.
fn shown_version(found: &Found) -> Option<String> {
    use landfall_flow::land::model::Versioning;
    match found.bucket.versioning {
        Versioning::Off => None,
        _ => Some(found.version.shown_version_id().to_owned()),
    }
}

fn content_range(found: &Found) -> Option<String> {
    let last = (found.offset + found.length).checked_sub(1)?;
    found
        .partial
        .then(|| format!("bytes {}-{last}/{}", found.offset, found.version.size))
}

/// Checksums are answered for the whole object or a whole part, and only when asked for.
fn wants_checksum(mode: Option<&dto::ChecksumMode>, found: &Found, ranged: bool) -> bool {
    mode.is_some_and(|m| m.as_str().eq_ignore_ascii_case("ENABLED"))
        && (!ranged || found.length == found.version.size)
}

fn answer<T>(found: &Found, output: T) -> S3Response<T> {
    let mut headers = HeaderMap::new();
    if let Some(value) = found.version.attributes.expires.as_deref().and_then(header) {
        headers.insert(http::header::EXPIRES, value);
    }
    let mut response = S3Response::with_headers(output, headers);
    if found.partial {
        response.status = Some(StatusCode::PARTIAL_CONTENT);
    }
    response
}

fn blob(chunks: Chunks) -> StreamingBlob {
    let frames = chunks.map_ok(Frame::data);
    StreamingBlob::from(Body::http_body_unsync(StreamBody::new(frames)))
}

/// GetObject.
pub(super) async fn get_object(
    call: Call,
    mut input: dto::GetObjectInput,
) -> Answer<dto::GetObjectOutput> {
    let overrides = overrides(&mut input)?;
    let ranged = input.range.is_some();
    let request = read_request!(input, "GET");
    let (found, chunks) = read::get_object(&call.flow, &request).await?;
    let mut output = dto::GetObjectOutput::default();
    let with_checksum = wants_checksum(input.checksum_mode.as_ref(), &found, ranged);
    describe!(output, &found, with_checksum);
    output.tag_count = Some(count(found.version.tags.len())).filter(|n| *n > 0);
    output.body = Some(blob(chunks));
    let mut response = answer(&found, output);
    response.headers.extend(overrides);
    Ok(response)
}

/// HeadObject.
pub(super) async fn head_object(
    call: Call,
    mut input: dto::HeadObjectInput,
) -> Answer<dto::HeadObjectOutput> {
    let overrides = overrides_of_head(&mut input)?;
    let ranged = input.range.is_some();
    let request = read_request!(input, "HEAD");
    let found = read::find_object(&call.flow.view(), &request)?;
    let mut output = dto::HeadObjectOutput::default();
    let with_checksum = wants_checksum(input.checksum_mode.as_ref(), &found, ranged);
    describe!(output, &found, with_checksum);
    let mut response = answer(&found, output);
    response.headers.extend(overrides);
    Ok(response)
}

macro_rules! response_overrides {
    ($input:expr) => {{
        let mut headers = HeaderMap::new();
        let texts = [
            (
                http::header::CACHE_CONTROL,
                $input.response_cache_control.take(),
            ),
            (
                http::header::CONTENT_DISPOSITION,
                $input.response_content_disposition.take(),
            ),
            (
                http::header::CONTENT_ENCODING,
                $input.response_content_encoding.take(),
            ),
            (
                http::header::CONTENT_LANGUAGE,
                $input.response_content_language.take(),
            ),
            (
                http::header::CONTENT_TYPE,
                $input.response_content_type.take(),
            ),
            (
                http::header::EXPIRES,
                $input
                    .response_expires
                    .take()
                    .map(|t| super::convert::http_date(from_time(t))),
            ),
        ];
        for (name, value) in texts {
            let Some(value) = value else { continue };
            let value = header(&value).ok_or_else(|| {
                landfall_flow::land::error::invalid_argument(
                    "The header value is not valid",
                    name.as_str(),
                    &value,
                )
            })?;
            headers.insert(name, value);
        }
        Ok(headers)
    }};
}

fn overrides(input: &mut dto::GetObjectInput) -> Result<HeaderMap, ApiError> {
    response_overrides!(input)
}

fn overrides_of_head(input: &mut dto::HeadObjectInput) -> Result<HeaderMap, ApiError> {
    response_overrides!(input)
}

/// GetObjectAttributes.
pub(super) async fn get_object_attributes(
    call: Call,
    input: dto::GetObjectAttributesInput,
) -> Answer<dto::GetObjectAttributesOutput> {
    let view = call.flow.view();
    let found = bucket::bucket(&view, &input.bucket)?;
    let at = ObjectAt {
        bucket: input.bucket,
        key: input.key,
        version_id: input.version_id,
    };
    let version = read::live(&view, &at, "GET")?;
    let asked = input
        .object_attributes
        .iter()
        .flat_map(|a| a.as_str().split(','));
    let asked: Vec<&str> = asked.map(str::trim).collect();
    let has = |name: &str| asked.contains(&name);
    let mut output = dto::GetObjectAttributesOutput::default();
    if has("ETag") {
        output.e_tag = Some(etag(&version.etag));
    }
    if let Some(checksum) = version.checksum.as_ref().filter(|_| has("Checksum")) {
        let mut shown = dto::Checksum::default();
        set_checksum!(shown, Some(checksum));
        shown.checksum_type = Some(coverage(checksum.coverage));
        output.checksum = Some(shown);
    }
    if has("ObjectSize") {
        output.object_size = Some(size(version.size));
    }
    if has("StorageClass") {
        let class = version.attributes.storage_class.clone();
        let class = class.unwrap_or_else(|| "STANDARD".to_owned());
        output.storage_class = Some(dto::StorageClass::from(class));
    }
    if let Some(parts) = read::parts_of(&view, &version)?.filter(|_| has("ObjectParts")) {
        output.object_parts = Some(parts_page(
            &parts,
            input.part_number_marker,
            input.max_parts,
        ));
    }
    output.last_modified = Some(time(version.modified_at));
    output.version_id = match found.versioning {
        landfall_flow::land::model::Versioning::Off => None,
        _ => Some(version.shown_version_id().to_owned()),
    };
    super::call::ok(output)
}

fn parts_page(
    parts: &[PartRecord],
    marker: Option<i32>,
    max: Option<i32>,
) -> dto::GetObjectAttributesParts {
    let marker = marker.unwrap_or(0);
    let max = usize::try_from(max.unwrap_or(1000).clamp(0, 1000)).unwrap_or(0);
    let behind = parts.iter().filter(|p| i32::from(p.number) > marker);
    let shown: Vec<&PartRecord> = behind.clone().take(max).collect();
    let mut page = dto::GetObjectAttributesParts::default();
    page.is_truncated = Some(behind.count() > shown.len());
    page.max_parts = Some(count(max));
    page.part_number_marker = Some(marker);
    page.next_part_number_marker = shown.last().map(|p| i32::from(p.number));
    page.total_parts_count = Some(count(parts.len()));
    let each = shown.iter().map(|part| {
        let mut entry = dto::ObjectPart::default();
        entry.part_number = Some(i32::from(part.number));
        entry.size = Some(size(part.size));
        set_checksum!(entry, part.checksum.as_ref());
        entry
    });
    page.parts = Some(each.collect());
    page
}
