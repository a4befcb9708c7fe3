//! Browser uploads on servers without credentials: the form's signature fields are renamed so that the S3 library
//! ignores them, and `${filename}` becomes the file's name; the policy stays and holds. Never touches the file.

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method};
use landfall_core::error::ApiError;
use landfall_core::limits;

/// Signature fields and names of the same length that a policy does not have to allow.
const RENAMED: [(&[u8], &[u8]); 2] = [
    (b"name=\"x-amz-signature\"", b"name=\"x-ignore-amzsig\""),
    (b"name=\"signature\"", b"name=\"x-ignore-\""),
];

/// Whether the request is a form upload.
pub(super) fn is_form(method: &Method, headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    let form = b"multipart/form-data";
    method == Method::POST
        && content_type
            .and_then(|t| t.get(..form.len()))
            .is_some_and(|t| t.eq_ignore_ascii_case(form))
}

/// The same form without signature fields.
pub(super) fn unsigned<S, E>(body: S) -> impl Stream<Item = Result<Bytes, ApiError>> + Send
where
    S: Stream<Item = Result<Bytes, E>> + Send + Unpin + 'static,
    E: std::fmt::Display,
{
    let state = (body, Some(BytesMut::new()));
    futures::stream::try_unfold(state, |(mut body, mut head)| async move {
        loop {
            let next = body.next().await.transpose();
            let next = next.map_err(|e| ApiError::client("IncompleteBody", e.to_string()))?;
            match (next, head.take()) {
                (Some(bytes), None) => return Ok(Some((bytes, (body, None)))),
                (None, None) => return Ok(None),
                (None, Some(head)) => return Ok(Some((rename(head), (body, None)))),
                (Some(bytes), Some(mut fields)) => {
                    fields.extend_from_slice(&bytes);
                    if is_complete(&fields) {
                        return Ok(Some((rename(fields), (body, None))));
                    }
                    head = Some(fields);
                }
            }
        }
    })
}

/// The file comes last in a form, so what precedes it holds all fields.
fn is_complete(fields: &[u8]) -> bool {
    fields.len() > limits::S3_FORM_FIELDS_BYTES_MAX
        || file_at(fields).is_some_and(|at| {
            let rest = fields.get(at..).unwrap_or_default();
            memchr::memchr(b'\n', rest).is_some()
        })
}

fn file_at(fields: &[u8]) -> Option<usize> {
    memchr::memmem::find(fields, b"name=\"file\"")
}

fn rename(mut fields: BytesMut) -> Bytes {
    let end = file_at(&fields).unwrap_or(fields.len());
    for (from, to) in RENAMED {
        for at in 0..end.saturating_sub(from.len()) {
            if let Some(place) = fields.get_mut(at..at + from.len())
                && place.eq_ignore_ascii_case(from)
            {
                place.copy_from_slice(to);
            }
        }
    }
    let rest = fields.split_off(end);
    let mut named = name_the_file(&fields, &rest);
    named.extend_from_slice(&rest);
    named.freeze()
}

/// Puts the file's name in the place of `${filename}`.
fn name_the_file(fields: &[u8], file: &[u8]) -> BytesMut {
    const PLACE: &[u8] = b"${filename}";
    let mark = b"filename=\"";
    let name = memchr::memmem::find(file, mark)
        .and_then(|at| file.get(at + mark.len()..))
        .and_then(|rest| rest.split(|b| *b == b'"').next())
        .unwrap_or_default();
    let name = name
        .rsplit(|b| matches!(b, b'/' | b'\\'))
        .next()
        .unwrap_or_default();
    let mut named = BytesMut::with_capacity(fields.len() + file.len());
    let mut from = 0;
    for at in memchr::memmem::find_iter(fields, PLACE) {
        named.extend_from_slice(fields.get(from..at).unwrap_or_default());
        named.extend_from_slice(name);
        from = at + PLACE.len();
    }
    named.extend_from_slice(fields.get(from..).unwrap_or_default());
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_field_names_before_the_file_change() {
        let form = b"; name=\"X-Amz-Signature\"\r\n\r\nab; name=\"file\"\r\n\r\nname=\"signature\"";
        let expected =
            b"; name=\"x-ignore-amzsig\"\r\n\r\nab; name=\"file\"\r\n\r\nname=\"signature\"";
        assert_eq!(rename(BytesMut::from(&form[..])), &expected[..]);
    }

    #[test]
    fn the_file_names_the_key() {
        let form = b"in/${filename}\r\n; name=\"file\"; filename=\"d\\a b.csv\"\r\n\r\n${filename}";
        let expected = b"in/a b.csv\r\n; name=\"file\"; filename=\"d\\a b.csv\"\r\n\r\n${filename}";
        assert_eq!(rename(BytesMut::from(&form[..])), &expected[..]);
    }
}
