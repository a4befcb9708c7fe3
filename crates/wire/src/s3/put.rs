//! PutObject and browser uploads, and what they share with the other writers: attributes and claims from headers.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use landfall_core::error::ApiError;
use landfall_core::event::CreatedReason;
use landfall_core::limits;
use landfall_flow::land::checksum::Algorithm;
use landfall_flow::land::condition::WriteCondition;
use landfall_flow::land::model::Attributes;
use landfall_flow::land::object::{self, NewObject};
use landfall_flow::land::receive::{Claims, receive};
use landfall_flow::land::{bucket, error};
use s3s::dto::{self, StreamingBlob};

use super::call::{Answer, Call, ok};
use super::convert::{condition, coverage, etag, given_checksum, header_tags, set_checksum};

/// Headers of functions that Landfall lacks: refused on every write.
pub(super) const REFUSED: [&str; 9] = [
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-server-side-encryption-customer-key",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-legal-hold",
    "x-amz-object-lock-retain-until-date",
    "x-amz-write-offset-bytes",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
];

/// How every object is answered to be encrypted.
pub(super) fn encryption() -> Option<dto::ServerSideEncryption> {
    Some(dto::ServerSideEncryption::from_static(
        dto::ServerSideEncryption::AES256,
    ))
}

/// Refuses an encryption that is not the one there is.
///
/// Errors: `NotImplemented`, `InvalidArgument`.
pub(super) fn check_encryption(asked: Option<&dto::ServerSideEncryption>) -> Result<(), ApiError> {
    match asked.map(dto::ServerSideEncryption::as_str) {
        None | Some("AES256") => Ok(()),
        Some("aws:kms" | "aws:kms:dsse") => Err(ApiError::not_implemented(
            "Server side encryption with AWS KMS managed keys is not implemented",
        )),
        Some(other) => Err(error::invalid_argument(
            "The encryption method specified is not supported",
            "x-amz-server-side-encryption",
            other,
        )),
    }
}

const STORAGE_CLASSES: [&str; 8] = [
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "DEEP_ARCHIVE",
    "GLACIER_IR",
];

/// The storage class to keep: kept and shown, without effect on how bytes are stored. Classes whose objects could
/// not be read at once are refused.
///
/// Errors: `InvalidStorageClass`, `NotImplemented`.
pub(super) fn storage_class(class: Option<&dto::StorageClass>) -> Result<Option<String>, ApiError> {
    match class.map(dto::StorageClass::as_str) {
        None | Some("STANDARD") => Ok(None),
        Some("GLACIER" | "DEEP_ARCHIVE") => Err(ApiError::not_implemented(
            "Archive storage classes are not implemented",
        )),
        Some(class) if STORAGE_CLASSES.contains(&class) => Ok(Some(class.to_owned())),
        Some(class) => {
            let message = "The storage class you specified is not valid";
            let e = ApiError::client("InvalidStorageClass", message);
            Err(e.member("StorageClassRequested", class))
        }
    }
}

/// User metadata with names in lower case.
pub(super) fn metadata(metadata: Option<dto::Metadata>) -> BTreeMap<String, String> {
    metadata
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect()
}

/// The attributes that an input gives, of the members that all writers share.
macro_rules! attributes {
    ($call:expr, $input:expr, $acl:expr) => {{
        let attributes = landfall_flow::land::model::Attributes {
            content_type: $input.content_type.take(),
            cache_control: $input.cache_control.take(),
            content_disposition: $input.content_disposition.take(),
            content_encoding: $crate::s3::put::without_chunking($input.content_encoding.take()),
            content_language: $input.content_language.take(),
            expires: $call.header("expires").map(str::to_owned),
            website_redirect: $input.website_redirect_location.take(),
            storage_class: $crate::s3::put::storage_class($input.storage_class.as_ref())?,
            acl: $acl,
            metadata: $crate::s3::put::metadata($input.metadata.take()),
        };
        landfall_flow::land::object::check_attributes(&attributes)?;
        attributes
    }};
}
pub(super) use attributes;

/// A content encoding without the coding of the transport.
pub(super) fn without_chunking(encoding: Option<String>) -> Option<String> {
    let encoding = encoding?;
    let kept: Vec<&str> = encoding
        .split(',')
        .map(str::trim)
        .filter(|coding| !coding.eq_ignore_ascii_case("aws-chunked") && !coding.is_empty())
        .collect();
    Some(kept.join(",")).filter(|kept| !kept.is_empty())
}

/// What a request claims of the body that it carries.
///
/// Errors: `InvalidRequest`.
pub(super) fn claims(
    call: &Call,
    length: Option<i64>,
    md5: Option<String>,
    checksum: Option<(Algorithm, String)>,
) -> Result<Claims, ApiError> {
    let declared = call
        .header("x-amz-trailer")
        .map(|t| t.trim().to_ascii_lowercase());
    let trailing = declared.and_then(|name| {
        Algorithm::ALL
            .into_iter()
            .find(|algorithm| algorithm.header() == name)
    });
    let sdk = call.header("x-amz-sdk-checksum-algorithm");
    let announced = super::convert::algorithm(sdk)?;
    let (algorithm, value) = match checksum {
        Some((algorithm, value)) => (Some(algorithm), Some(value)),
        None => (trailing.or(announced), None),
    };
    let length = call
        .header("x-amz-decoded-content-length")
        .and_then(|v| v.parse().ok())
        .or_else(|| length.and_then(|n| u64::try_from(n).ok()));
    Ok(Claims {
        length,
        md5,
        sha256: call.sha256(),
        algorithm,
        checksum: value,
        trailer: trailing.map(|_| call.trailers()),
        keep: algorithm,
        max: Some(limits::S3_PUT_BYTES_MAX),
    })
}

/// The body of a request, with errors that say whose fault they are.
pub(super) fn body(
    blob: Option<StreamingBlob>,
) -> impl Stream<Item = Result<Bytes, ApiError>> + Send {
    futures::stream::iter(blob)
        .flatten()
        .map(|chunk| chunk.map_err(broken))
}

/// What a broken body means: our own words where they are ours, else what the library found.
fn broken(cause: s3s::StdError) -> ApiError {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(cause.as_ref());
    while let Some(e) = next {
        if let Some(ours) = e.downcast_ref::<ApiError>() {
            return ours.clone();
        }
        next = e.source();
    }
    let text = format!("{cause:?} {cause}").to_lowercase();
    if text.contains("signature") {
        let message = "The request signature we calculated does not match the signature you provided. Check your key \
                       and signing method.";
        return ApiError::with_status("SignatureDoesNotMatch", 403, message);
    }
    if text.contains("checksum") || text.contains("sha256") {
        let message =
            "The provided 'x-amz-content-sha256' header does not match what was computed.";
        return ApiError::client("XAmzContentSHA256Mismatch", message);
    }
    error::incomplete_body()
}

/// PutObject; the library brings a browser's form uploads here too.
pub(super) async fn put_object(
    call: Call,
    mut input: dto::PutObjectInput,
) -> Answer<dto::PutObjectOutput> {
    let reason = match call.method == http::Method::POST {
        true => CreatedReason::PostObject,
        false => CreatedReason::PutObject,
    };
    call.refuse_headers(&REFUSED)?;
    object::check_key(&input.key)?;
    check_encryption(input.server_side_encryption.as_ref())?;
    bucket::check_exists(&call.flow.view(), &input.bucket)?;
    let acl = super::acl::check_object_acl(&call.flow.view(), &input.bucket, input.acl.take())?;
    let checksum = given_checksum!(input)?;
    let claims = claims(
        &call,
        input.content_length,
        input.content_md5.take(),
        checksum,
    )?;
    let tags = header_tags(input.tagging.as_deref())?;
    bucket::check_tags(&tags, limits::S3_OBJECT_TAGS_MAX)?;
    let attributes: Attributes = attributes!(call, input, acl);
    let new = NewObject {
        bucket: input.bucket,
        key: input.key,
        attributes,
        tags,
        condition: WriteCondition {
            if_match: condition(input.if_match),
            if_none_match: condition(input.if_none_match),
        },
        reason,
    };
    let received = receive(&call.flow, body(input.body), claims).await?;
    let caller = call.caller;
    let made = received
        .commit(&call.flow, move |tx, received| {
            object::put_object(tx, &caller, new, received)
        })
        .await?;
    call.flow.totals().count_put();
    let mut output = dto::PutObjectOutput::default();
    set_checksum!(output, made.checksum.as_ref());
    output.checksum_type = made.checksum.as_ref().map(|c| coverage(c.coverage));
    output.e_tag = Some(etag(&made.etag));
    output.server_side_encryption = encryption();
    output.version_id = made.version_id;
    ok(output)
}
