//! ListObjects in both versions, ListObjectVersions and ListMultipartUploads: markers and tokens around our pages.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_flow::land::bucket;
use landfall_flow::land::error::invalid_argument;
use landfall_flow::land::list::{self, After, Listing, Page, VersionMarker};
use landfall_flow::land::model::VersionRecord;
use s3s::dto;

use super::acl::owner;
use super::bucket::{page_size, shown};
use super::call::{Answer, Call, ok};
use super::convert::{check_encoding, coverage, encode, etag, size, time};

type Encoding = Option<dto::EncodingType>;

fn prefixes(prefixes: &[String], encoding: &Encoding) -> Option<dto::CommonPrefixList> {
    let each = prefixes.iter().map(|prefix| dto::CommonPrefix {
        prefix: Some(encode(prefix, encoding.as_ref())),
    });
    Some(each.collect::<Vec<_>>()).filter(|list| !list.is_empty())
}

fn objects(
    page: &Page<VersionRecord>,
    encoding: &Encoding,
    account: Option<&str>,
) -> Option<dto::ObjectList> {
    let each = page.entries.iter().map(|(key, version)| {
        let mut object = dto::Object::default();
        object.checksum_algorithm = algorithms(version);
        object.checksum_type = version.checksum.as_ref().map(|c| coverage(c.coverage));
        object.e_tag = Some(etag(&version.etag));
        object.key = Some(encode(key, encoding.as_ref()));
        object.last_modified = Some(time(version.modified_at));
        object.owner = account.map(owner);
        object.size = Some(size(version.size));
        object.storage_class = Some(dto::ObjectStorageClass::from(class(version)));
        object
    });
    Some(each.collect())
}

fn algorithms(version: &VersionRecord) -> Option<dto::ChecksumAlgorithmList> {
    let checksum = version.checksum.as_ref()?;
    Some(vec![dto::ChecksumAlgorithm::from(
        checksum.algorithm.name().to_owned(),
    )])
}

fn class(version: &VersionRecord) -> String {
    let class = version.attributes.storage_class.clone();
    class.unwrap_or_else(|| "STANDARD".to_owned())
}

/// Where a page begins when the marker names a key or, with a delimiter, a prefix that was rolled up.
fn after(marker: Option<&str>, prefix: &str, delimiter: Option<&str>) -> After {
    let Some(marker) = marker.filter(|m| !m.is_empty()) else {
        return After::Nothing;
    };
    let rolled_up = delimiter.filter(|d| !d.is_empty()).is_some_and(|d| {
        let rest = marker.strip_prefix(prefix).unwrap_or_default();
        rest.find(d).is_some_and(|at| at + d.len() == rest.len())
    });
    match rolled_up {
        true => After::Prefix(marker.to_owned()),
        false => After::Key(marker.to_owned()),
    }
}

fn text_of(after: &After) -> String {
    match after {
        After::Nothing => String::new(),
        After::Key(text) | After::Prefix(text) => text.clone(),
    }
}

/// A page of at most nothing is empty and not truncated, as on AWS.
fn objects_page(call: &Call, listing: &Listing) -> Result<Page<VersionRecord>, ApiError> {
    let mut page = list::list_objects(&call.flow.view(), listing)?;
    if listing.max == 0 {
        page.next = None;
    }
    Ok(page)
}

/// ListObjects.
pub(super) async fn list_objects(
    call: Call,
    input: dto::ListObjectsInput,
) -> Answer<dto::ListObjectsOutput> {
    check_encoding(input.encoding_type.as_ref())?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let delimiter = input.delimiter.clone();
    let listing = Listing {
        after: after(input.marker.as_deref(), &prefix, delimiter.as_deref()),
        bucket: input.bucket.clone(),
        prefix,
        delimiter,
        max: page_size(input.max_keys, limits::S3_LIST_KEYS_MAX)?,
    };
    let account = bucket::bucket(&call.flow.view(), &input.bucket)?.account;
    let page = objects_page(&call, &listing)?;
    let encoding = input.encoding_type;
    let encoded = |text: String| encode(&text, encoding.as_ref());
    let mut output = dto::ListObjectsOutput::default();
    output.contents = objects(&page, &encoding, Some(&account));
    output.common_prefixes = prefixes(&page.prefixes, &encoding);
    output.is_truncated = Some(page.next.is_some());
    let has_delimiter = input.delimiter.as_ref().is_some_and(|d| !d.is_empty());
    output.next_marker = page
        .next
        .filter(|_| has_delimiter)
        .map(|next| encoded(text_of(&next)));
    output.marker = Some(encoded(input.marker.unwrap_or_default()));
    output.prefix = Some(encoded(input.prefix.unwrap_or_default()));
    output.delimiter = input.delimiter.map(encoded);
    output.name = Some(input.bucket);
    output.max_keys = Some(shown(listing.max));
    output.encoding_type = encoding.clone();
    ok(output)
}

/// ListObjectsV2.
pub(super) async fn list_objects_v2(
    call: Call,
    input: dto::ListObjectsV2Input,
) -> Answer<dto::ListObjectsV2Output> {
    check_encoding(input.encoding_type.as_ref())?;
    let start = match (&input.continuation_token, &input.start_after) {
        (Some(token), _) => from_token(token)?,
        (None, Some(key)) if !key.is_empty() => After::Key(key.clone()),
        (None, _) => After::Nothing,
    };
    let listing = Listing {
        bucket: input.bucket.clone(),
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: input.delimiter.clone(),
        after: start,
        max: page_size(input.max_keys, limits::S3_LIST_KEYS_MAX)?,
    };
    let account = bucket::bucket(&call.flow.view(), &input.bucket)?.account;
    let account = Some(account.as_str()).filter(|_| input.fetch_owner == Some(true));
    let page = objects_page(&call, &listing)?;
    let encoding = input.encoding_type;
    let encoded = |text: String| encode(&text, encoding.as_ref());
    let mut output = dto::ListObjectsV2Output::default();
    output.key_count = Some(shown(page.entries.len() + page.prefixes.len()));
    output.contents = objects(&page, &encoding, account);
    output.common_prefixes = prefixes(&page.prefixes, &encoding);
    output.is_truncated = Some(page.next.is_some());
    output.next_continuation_token = page.next.as_ref().map(to_token);
    output.continuation_token = input.continuation_token;
    output.prefix = Some(encoded(input.prefix.unwrap_or_default()));
    output.delimiter = input.delimiter.map(encoded);
    output.start_after = input.start_after.map(encoded);
    output.name = Some(input.bucket);
    output.max_keys = Some(shown(listing.max));
    output.encoding_type = encoding.clone();
    ok(output)
}

fn to_token(after: &After) -> String {
    let text = match after {
        After::Nothing => "n".to_owned(),
        After::Key(key) => format!("k{key}"),
        After::Prefix(prefix) => format!("p{prefix}"),
    };
    URL_SAFE_NO_PAD.encode(text)
}

fn from_token(token: &str) -> Result<After, ApiError> {
    let decoded = URL_SAFE_NO_PAD.decode(token).ok();
    let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    let text = text.as_deref().unwrap_or_default();
    match (text.strip_prefix('k'), text.strip_prefix('p')) {
        (Some(key), _) => Ok(After::Key(key.to_owned())),
        (_, Some(prefix)) => Ok(After::Prefix(prefix.to_owned())),
        _ if text == "n" => Ok(After::Nothing),
        _ => Err(invalid_argument(
            "The continuation token provided is incorrect",
            "continuation-token",
            token,
        )),
    }
}

/// ListObjectVersions.
pub(super) async fn list_object_versions(
    call: Call,
    input: dto::ListObjectVersionsInput,
) -> Answer<dto::ListObjectVersionsOutput> {
    check_encoding(input.encoding_type.as_ref())?;
    let version_id = input.version_id_marker.clone().filter(|m| !m.is_empty());
    let key_marker = input.key_marker.as_deref();
    if version_id.is_some() && key_marker.is_none_or(str::is_empty) {
        let message = "A version-id marker cannot be specified without a key marker.";
        let value = version_id.as_deref().unwrap_or_default();
        return Err(invalid_argument(message, "version-id-marker", value));
    }
    let prefix = input.prefix.clone().unwrap_or_default();
    let listing = Listing {
        after: after(key_marker, &prefix, input.delimiter.as_deref()),
        bucket: input.bucket.clone(),
        prefix,
        delimiter: input.delimiter.clone(),
        max: page_size(input.max_keys, limits::S3_LIST_KEYS_MAX)?,
    };
    let account = bucket::bucket(&call.flow.view(), &input.bucket)?.account;
    let page = match listing.max {
        0 => Page {
            entries: Vec::new(),
            prefixes: Vec::new(),
            next: None,
        },
        _ => list::list_versions(&call.flow.view(), &listing, &VersionMarker { version_id })?,
    };
    let encoding = input.encoding_type;
    let encoded = |text: &str| encode(text, encoding.as_ref());
    let mut output = dto::ListObjectVersionsOutput::default();
    let (versions, markers) = versions(&page, &encoding, &account);
    output.versions = versions;
    output.delete_markers = markers;
    output.common_prefixes = prefixes(&page.prefixes, &encoding);
    output.is_truncated = Some(page.next.is_some());
    if let Some(next) = &page.next {
        output.next_key_marker = Some(encoded(&text_of(next)));
        let last = page
            .entries
            .last()
            .filter(|_| matches!(next, After::Key(_)));
        output.next_version_id_marker =
            last.map(|(_, listed)| listed.version.shown_version_id().to_owned());
    }
    output.key_marker = Some(encoded(key_marker.unwrap_or_default()));
    output.version_id_marker = Some(input.version_id_marker.unwrap_or_default());
    output.prefix = Some(encoded(&listing.prefix));
    output.delimiter = input.delimiter.as_deref().map(encoded);
    output.name = Some(input.bucket);
    output.max_keys = Some(shown(listing.max));
    output.encoding_type = encoding.clone();
    ok(output)
}

type Listed = (Option<dto::ObjectVersionList>, Option<dto::DeleteMarkers>);

fn versions(page: &Page<list::ListedVersion>, encoding: &Encoding, account: &str) -> Listed {
    let mut versions = Vec::new();
    let mut markers = Vec::new();
    for (key, listed) in &page.entries {
        let version = &listed.version;
        let key = Some(encode(key, encoding.as_ref()));
        if version.delete_marker {
            markers.push(dto::DeleteMarkerEntry {
                is_latest: Some(listed.is_latest),
                key,
                last_modified: Some(time(version.modified_at)),
                owner: Some(owner(account)),
                version_id: Some(version.shown_version_id().to_owned()),
            });
            continue;
        }
        let mut shown = dto::ObjectVersion::default();
        shown.checksum_algorithm = algorithms(version);
        shown.checksum_type = version.checksum.as_ref().map(|c| coverage(c.coverage));
        shown.e_tag = Some(etag(&version.etag));
        shown.is_latest = Some(listed.is_latest);
        shown.key = key;
        shown.last_modified = Some(time(version.modified_at));
        shown.owner = Some(owner(account));
        shown.size = Some(size(version.size));
        shown.storage_class = Some(dto::ObjectVersionStorageClass::from(class(version)));
        shown.version_id = Some(version.shown_version_id().to_owned());
        versions.push(shown);
    }
    (Some(versions), Some(markers))
}

/// ListMultipartUploads.
pub(super) async fn list_multipart_uploads(
    call: Call,
    input: dto::ListMultipartUploadsInput,
) -> Answer<dto::ListMultipartUploadsOutput> {
    check_encoding(input.encoding_type.as_ref())?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let key_marker = input.key_marker.as_deref();
    let listing = Listing {
        after: after(key_marker, &prefix, input.delimiter.as_deref()),
        bucket: input.bucket.clone(),
        prefix,
        delimiter: input.delimiter.clone(),
        max: page_size(input.max_uploads, limits::S3_LIST_KEYS_MAX)?,
    };
    let account = bucket::bucket(&call.flow.view(), &input.bucket)?.account;
    let marker = input.upload_id_marker.as_deref();
    let page = list::list_uploads(&call.flow.view(), &listing, marker)?;
    let encoding = input.encoding_type;
    let encoded = |text: &str| encode(text, encoding.as_ref());
    let mut output = dto::ListMultipartUploadsOutput::default();
    let each = page.entries.iter().map(|(key, upload)| {
        let mut shown = dto::MultipartUpload::default();
        let algorithm = upload.algorithm.map(|a| a.name().to_owned());
        shown.checksum_type = algorithm.as_ref().map(|_| coverage(upload.coverage));
        shown.checksum_algorithm = algorithm.map(dto::ChecksumAlgorithm::from);
        shown.initiated = Some(time(upload.initiated_at));
        shown.key = Some(encoded(key));
        shown.owner = Some(owner(&account));
        let class = upload.attributes.storage_class.clone();
        let class = class.unwrap_or_else(|| "STANDARD".to_owned());
        shown.storage_class = Some(dto::StorageClass::from(class));
        shown.upload_id = Some(upload.upload_id.clone());
        shown
    });
    output.uploads = Some(each.collect());
    output.common_prefixes = prefixes(&page.prefixes, &encoding);
    output.is_truncated = Some(page.next.is_some() && listing.max > 0);
    if let Some(next) = &page.next {
        output.next_key_marker = Some(encoded(&text_of(next)));
        let last = page
            .entries
            .last()
            .filter(|_| matches!(next, After::Key(_)));
        output.next_upload_id_marker = last.map(|(_, upload)| upload.upload_id.clone());
    }
    output.key_marker = Some(encoded(key_marker.unwrap_or_default()));
    output.upload_id_marker = Some(input.upload_id_marker.unwrap_or_default());
    output.prefix = Some(encoded(&listing.prefix));
    output.delimiter = input.delimiter.as_deref().map(encoded);
    output.bucket = Some(input.bucket);
    output.max_uploads = Some(shown(listing.max));
    output.encoding_type = encoding.clone();
    ok(output)
}
