//! Between the S3 library's types and ours: times, tags, checksums, conditions, sizes. Never decides anything.

use http::HeaderValue;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_flow::land::checksum::{Algorithm, Checksum, Coverage};
use landfall_flow::land::condition::Tag as TagCondition;
use landfall_flow::land::error::{invalid_argument, malformed_xml};
use landfall_flow::land::model::Tags;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use s3s::dto;
use time::format_description::FormatItem;
use time::macros::format_description;

const HTTP_DATE: &[FormatItem<'static>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);

/// What `encoding-type=url` leaves as it is.
const URL_SAFE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'*')
    .remove(b'/');

/// A time as HTTP headers say it.
pub(super) fn http_date(at: Timestamp) -> String {
    at.calendar().format(HTTP_DATE).unwrap_or_default()
}

/// A time in the library's form.
pub(super) fn time(at: Timestamp) -> dto::Timestamp {
    at.calendar().into()
}

/// A time of the library's form.
pub(super) fn from_time(at: dto::Timestamp) -> Timestamp {
    let at: time::OffsetDateTime = at.into();
    Timestamp(i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX))
}

/// A size in the library's form.
pub(super) fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// A count in the library's form.
pub(super) fn count(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

/// An entity tag in the library's form.
pub(super) fn etag(tag: &str) -> dto::ETag {
    dto::ETag::Strong(tag.to_owned())
}

/// A condition on the entity tag.
pub(super) fn condition(condition: Option<dto::ETagCondition>) -> Option<TagCondition> {
    condition.map(|condition| match condition {
        dto::ETagCondition::Any => TagCondition::Any,
        dto::ETagCondition::ETag(tag) => TagCondition::Is(tag.into_value()),
    })
}

/// A key, prefix or marker as a listing with this encoding shows it.
pub(super) fn encode(text: &str, encoding: Option<&dto::EncodingType>) -> String {
    match encoding.map(dto::EncodingType::as_str) {
        Some("url") => utf8_percent_encode(text, URL_SAFE).to_string(),
        _ => text.to_owned(),
    }
}

/// A key as it stands in a URL path.
pub(super) fn encode_path(key: &str) -> String {
    utf8_percent_encode(key, URL_SAFE).to_string()
}

/// Whether the encoding of a listing is one that there is.
///
/// Errors: `InvalidArgument`.
pub(super) fn check_encoding(encoding: Option<&dto::EncodingType>) -> Result<(), ApiError> {
    match encoding.map(dto::EncodingType::as_str) {
        None | Some("url") => Ok(()),
        Some(other) => Err(invalid_argument(
            "Invalid Encoding Method specified in Request",
            "encoding-type",
            other,
        )),
    }
}

/// Tags of an XML document.
///
/// Errors: `MalformedXML`.
pub(super) fn tags(set: dto::TagSet) -> Result<Tags, ApiError> {
    set.into_iter()
        .map(|tag| match (tag.key, tag.value) {
            (Some(key), Some(value)) => Ok((key, value)),
            _ => Err(malformed_xml()),
        })
        .collect()
}

/// Tags as an XML document has them.
pub(super) fn tag_set(tags: &Tags) -> dto::TagSet {
    let each = tags.iter().map(|(key, value)| dto::Tag {
        key: Some(key.clone()),
        value: Some(value.clone()),
    });
    each.collect()
}

/// Tags of the `x-amz-tagging` header: a URL query.
///
/// Errors: `InvalidArgument`.
pub(super) fn header_tags(header: Option<&str>) -> Result<Tags, ApiError> {
    let Some(header) = header.filter(|h| !h.is_empty()) else {
        return Ok(Tags::new());
    };
    let bad = || {
        let message = "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters \
                       without tag name duplicates.";
        invalid_argument(message, "x-amz-tagging", header)
    };
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        let decoded = percent_decode_str(&text).decode_utf8();
        decoded.map(|t| t.into_owned()).map_err(|_| bad())
    };
    let mut tags = Tags::new();
    for pair in header.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let key = decode(key)?;
        if tags.iter().any(|(earlier, _)| *earlier == key) {
            return Err(bad());
        }
        tags.push((key, decode(value)?));
    }
    Ok(tags)
}

/// The pairs of a query, decoded.
pub(super) fn query_pairs(query: Option<&str>) -> Vec<(String, String)> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8_lossy().into_owned()
    };
    let pairs = query
        .unwrap_or_default()
        .split('&')
        .filter(|p| !p.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

/// The library's name of a coverage.
pub(super) fn coverage(coverage: Coverage) -> dto::ChecksumType {
    dto::ChecksumType::from_static(match coverage {
        Coverage::FullObject => dto::ChecksumType::FULL_OBJECT,
        Coverage::Composite => dto::ChecksumType::COMPOSITE,
    })
}

/// A coverage of the library's name.
///
/// Errors: `InvalidRequest`.
pub(super) fn from_coverage(
    coverage: Option<dto::ChecksumType>,
) -> Result<Option<Coverage>, ApiError> {
    match coverage.as_ref().map(dto::ChecksumType::as_str) {
        None => Ok(None),
        Some("FULL_OBJECT") => Ok(Some(Coverage::FullObject)),
        Some("COMPOSITE") => Ok(Some(Coverage::Composite)),
        Some(_) => Err(landfall_flow::land::error::invalid_request(
            "Value for x-amz-checksum-type header is invalid.",
        )),
    }
}

/// An algorithm of the library's name.
///
/// Errors: `InvalidRequest`.
pub(super) fn algorithm(name: Option<&str>) -> Result<Option<Algorithm>, ApiError> {
    let Some(name) = name else {
        return Ok(None);
    };
    let message = "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, \
                   CRC32C, CRC64NVME, SHA1, SHA256]";
    let bad = || landfall_flow::land::error::invalid_request(message);
    Algorithm::parse(name).map(Some).ok_or_else(bad)
}

/// The value of a checksum when it is of this algorithm.
pub(super) fn value_of(checksum: Option<&Checksum>, algorithm: Algorithm) -> Option<String> {
    checksum
        .filter(|c| c.algorithm == algorithm)
        .map(|c| c.value.clone())
}

/// Sets the five checksum members of an output.
macro_rules! set_checksum {
    ($output:expr, $checksum:expr) => {{
        use landfall_flow::land::checksum::Algorithm as A;
        let checksum: Option<&landfall_flow::land::checksum::Checksum> = $checksum;
        $output.checksum_crc32 = $crate::s3::convert::value_of(checksum, A::Crc32);
        $output.checksum_crc32c = $crate::s3::convert::value_of(checksum, A::Crc32c);
        $output.checksum_crc64nvme = $crate::s3::convert::value_of(checksum, A::Crc64Nvme);
        $output.checksum_sha1 = $crate::s3::convert::value_of(checksum, A::Sha1);
        $output.checksum_sha256 = $crate::s3::convert::value_of(checksum, A::Sha256);
    }};
}

/// The checksum that an input gives, of its five members.
macro_rules! given_checksum {
    ($input:expr) => {{
        use landfall_flow::land::checksum::Algorithm as A;
        let given = [
            (A::Crc32, $input.checksum_crc32.take()),
            (A::Crc32c, $input.checksum_crc32c.take()),
            (A::Crc64Nvme, $input.checksum_crc64nvme.take()),
            (A::Sha1, $input.checksum_sha1.take()),
            (A::Sha256, $input.checksum_sha256.take()),
        ];
        $crate::s3::convert::only_one(given)
    }};
}

pub(super) use {given_checksum, set_checksum};

/// The one checksum among these.
///
/// Errors: `InvalidRequest` for more than one.
pub(super) fn only_one(
    given: [(Algorithm, Option<String>); 5],
) -> Result<Option<(Algorithm, String)>, ApiError> {
    let mut values = given
        .into_iter()
        .filter_map(|(algorithm, value)| value.map(|v| (algorithm, v)));
    match (values.next(), values.next()) {
        (one, None) => Ok(one),
        _ => Err(landfall_flow::land::error::invalid_request(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        )),
    }
}

/// A header value, or nothing when the text cannot be one.
pub(super) fn header(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_bytes(text.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let url = dto::EncodingType::from_static("url");
        assert_eq!(encode("a b/é+%.csv", Some(&url)), "a%20b/%C3%A9%2B%25.csv");
        assert_eq!(encode("a b", None), "a b");
        assert_eq!(
            http_date(Timestamp(784_111_777_000)),
            "Sun, 06 Nov 1994 08:49:37 GMT"
        );
        let tags = header_tags(Some("a=1&b%20c=x+y&d")).unwrap();
        let expected = [("a", "1"), ("b c", "x y"), ("d", "")];
        assert!(
            tags.iter()
                .map(|(k, v)| (k.as_str(), v.as_str()))
                .eq(expected)
        );
        assert_eq!(
            header_tags(Some("a=1&a=2")).unwrap_err().code,
            "InvalidArgument"
        );
    }
}
