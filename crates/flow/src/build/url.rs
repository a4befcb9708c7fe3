//! Templates that lie in a bucket: `TemplateURL` is read from Landfall's own S3. Never opens a connection.

use futures::StreamExt;
use landfall_core::error::ApiError;
use landfall_core::limits;

use super::plan::invalid;
use crate::drive::Flow;
use crate::land::condition::ReadCondition;
use crate::land::object::ObjectAt;
use crate::land::read::{ReadObject, Wanted, get_object};

/// The text that a `TemplateURL` leads to: `<endpoint>/<bucket>/<key>`, or `<bucket>.s3.…/<key>`.
///
/// # Errors
/// `ValidationError` for URLs that lead nowhere, and for templates that are too long or no text.
pub async fn fetch(flow: &Flow, url: &str) -> Result<String, ApiError> {
    let (bucket, key) = place(url).ok_or_else(|| {
        invalid("S3 error: Domain name specified in TemplateURL is not a valid S3 domain")
    })?;
    let request = ReadObject {
        at: ObjectAt {
            bucket,
            key,
            version_id: None,
        },
        condition: ReadCondition::default(),
        wanted: Wanted::All,
        method: "GET",
    };
    let (found, mut chunks) = get_object(flow, &request).await.map_err(|e| {
        invalid(format!("S3 error: {}\nFor more information check http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html", e.message))
    })?;
    let max = limits::CLOUDFORMATION_TEMPLATE_BYTES_MAX;
    if found.version.size > u64::try_from(max).unwrap_or(u64::MAX) {
        return Err(invalid(format!(
            "Template may not exceed {max} bytes in size."
        )));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    String::from_utf8(bytes)
        .map_err(|_| invalid("Template format error: the template is not UTF-8."))
}

/// Bucket and key of a URL.
fn place(url: &str) -> Option<(String, String)> {
    let rest = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"))?;
    let (host, path) = rest.split_once('/')?;
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let path = percent_encoding::percent_decode_str(path)
        .decode_utf8()
        .ok()?;
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    let virtual_bucket = host
        .split_once(".s3.")
        .or_else(|| host.split_once(".s3-"))
        .map(|(bucket, _)| bucket.to_owned());
    match virtual_bucket {
        Some(bucket) => Some((bucket, path.into_owned())),
        None => {
            let (bucket, key) = path.split_once('/')?;
            Some((bucket.to_owned(), key.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lead_to_buckets_and_keys() {
        let cases = [
            (
                "http://127.0.0.1:4566/cdk/a/b.json",
                Some(("cdk", "a/b.json")),
            ),
            (
                "https://s3.us-east-1.amazonaws.com/cdk/t.yaml",
                Some(("cdk", "t.yaml")),
            ),
            (
                "https://cdk.s3.us-east-1.amazonaws.com/t.yaml",
                Some(("cdk", "t.yaml")),
            ),
            (
                "http://cdk.s3.localhost:4566/a%20b.yaml?versionId=1",
                Some(("cdk", "a b.yaml")),
            ),
            ("http://127.0.0.1:4566/cdk", None),
            ("ftp://x/y/z", None),
        ];
        for (url, expected) in cases {
            let expected = expected.map(|(b, k)| (b.to_owned(), k.to_owned()));
            assert_eq!(place(url), expected, "{url}");
        }
    }
}
