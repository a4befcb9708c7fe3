//! The head of a request of S3, kept for its record. Never reads a body, and never decides what is recorded.

use std::sync::Arc;

use http::header::HOST;
use http::{HeaderMap, Method, Request};
use landfall_core::caller::Caller;
use landfall_core::trail::s3::Head;
use landfall_flow::Flow;
use landfall_flow::trail::Ongoing;

use super::host;

/// The head of a request, as it came.
#[derive(Debug)]
struct Kept {
    method: Method,
    headers: HeaderMap,
    query: Vec<(String, String)>,
    bucket: String,
    key: String,
}

/// A call that may be recorded.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    /// What becomes of it.
    pub(super) ongoing: Arc<Ongoing>,
    kept: Arc<Kept>,
}

/// Watches a request, unless nobody would record it: calls on objects are looked at only when a trail wants them.
pub(super) fn watch<B>(flow: &Flow, request: &Request<B>) -> Option<Watched> {
    let header = |name| request.headers().get(name).and_then(|v| v.to_str().ok());
    let path = request.uri().path();
    let path = path.strip_prefix('/').unwrap_or(path);
    let (bucket, key) = match header(HOST).and_then(host::bucket_of) {
        Some(bucket) => (bucket, path),
        None => path.split_once('/').unwrap_or((path, "")),
    };
    if !key.is_empty() && !flow.records_data() {
        return None;
    }
    let decoded = percent_encoding::percent_decode_str(key).decode_utf8_lossy();
    let kept = Kept {
        method: request.method().clone(),
        headers: request.headers().clone(),
        query: super::convert::query_pairs(request.uri().query()),
        bucket: bucket.to_owned(),
        key: decoded.into_owned(),
    };
    Some(Watched {
        ongoing: Arc::default(),
        kept: Arc::new(kept),
    })
}

impl Watched {
    /// Says which operation it is.
    pub(super) fn begin(&self, flow: &Flow, operation: &str, caller: &Caller) {
        if self.ongoing.is_begun() {
            return;
        }
        let kept = &*self.kept;
        let text = |(name, value): (&'_ http::HeaderName, &'_ http::HeaderValue)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        };
        let headers: Vec<(String, String)> = kept.headers.iter().filter_map(text).collect();
        let borrowed = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let head = Head {
            is_post: kept.method == Method::POST,
            bucket: &kept.bucket,
            key: &kept.key,
            query: &kept.query,
            headers: &borrowed.collect::<Vec<_>>(),
        };
        let call = head.call(&camel(operation), caller);
        if !call.target.is_data() || flow.records_data() {
            self.ongoing.begin(call);
        }
    }
}

/// `put_object` as the API writes it.
fn camel(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|c| c.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    name.split('_').map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_of_the_library_have_the_names_of_the_api() {
        for (operation, name) in [
            ("put_object", "PutObject"),
            ("list_objects_v2", "ListObjectsV2"),
            ("complete_multipart_upload", "CompleteMultipartUpload"),
        ] {
            assert_eq!(camel(operation), name);
        }
    }
}
