//! Errors on their way out: ours keep their members beside the S3 library, which would drop them, and every error
//! body is written here with `Resource` and `RequestId`. Never decides which error it is.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_flow::land::{ETAG_MEMBER, MARKER_MEMBER, MODIFIED_MEMBER};
use s3s::{Body, S3Error, S3ErrorCode};

use super::convert::http_date;

/// Where the error of a request waits until its answer is written.
#[derive(Debug, Clone, Default)]
pub(super) struct Slot(Arc<Mutex<Option<ApiError>>>);

impl Slot {
    /// Keeps the error and gives the library one that stands for it.
    pub(super) fn keep(&self, error: ApiError) -> S3Error {
        let code = S3ErrorCode::from_bytes(error.code.as_bytes());
        let mut stand_in = S3Error::new(code.unwrap_or(S3ErrorCode::InternalError));
        stand_in.set_status_code(status_of(&error));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        stand_in
    }

    /// The kept error.
    pub(super) fn take(&self) -> Option<ApiError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

fn status_of(error: &ApiError) -> StatusCode {
    StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// What the answer to a failed request must name.
pub(super) struct Failed {
    /// Method of the request.
    pub(super) method: Method,
    /// Path of the request, as it came.
    pub(super) path: String,
    /// Request id.
    pub(super) request_id: String,
}

impl Failed {
    /// The answer for one of our errors.
    pub(super) fn answer(&self, error: &ApiError) -> Response<Body> {
        if error.status >= 500 && error.status != 501 && error.status != 503 {
            tracing::error!(error = %error, request_id = self.request_id, "a request failed");
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status_of(error);
        headers_of(error, response.headers_mut());
        // A client that waits for `100 Continue` does not send the body any more: the next request must not be taken
        // for it.
        if self.method == Method::PUT || self.method == Method::POST {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        let bodiless = error.status == 304 || self.method == Method::HEAD;
        if !bodiless {
            let xml = HeaderValue::from_static("application/xml");
            response.headers_mut().insert(CONTENT_TYPE, xml);
            *response.body_mut() = Body::from(self.xml(error));
        }
        response
    }

    fn xml(&self, error: &ApiError) -> String {
        let code = match error.code.as_ref() {
            "InternalFailure" => "InternalError",
            code => code,
        };
        let message = match code {
            "InternalError" => "We encountered an internal error. Please try again.",
            _ => &error.message,
        };
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
        element(&mut xml, "Code", code);
        element(&mut xml, "Message", message);
        for (name, value) in &error.members {
            if !name.starts_with('@') {
                element(&mut xml, name, value);
            }
        }
        element(&mut xml, "Resource", &self.path);
        element(&mut xml, "RequestId", &self.request_id);
        element(&mut xml, "HostId", super::HOST_ID);
        xml.push_str("</Error>");
        xml
    }

    /// The answer for one of our errors, with the error.
    pub(super) fn told(&self, error: ApiError) -> (Response<Body>, Option<ApiError>) {
        (self.answer(&error), Some(error))
    }
}

/// An error that the library found by itself; `written` is the body that it wrote.
pub(super) fn of_library(status: StatusCode, written: &[u8]) -> ApiError {
    let text = String::from_utf8_lossy(written);
    let code = between(&text, "<Code>", "</Code>").unwrap_or("InternalError");
    let message = between(&text, "<Message>", "</Message>");
    let message = match message.map(quick_xml::escape::unescape) {
        Some(Ok(message)) => message.into_owned(),
        _ => standard_message(code).to_owned(),
    };
    let mut error = ApiError::with_status("InternalError", status.as_u16(), message);
    error.code = code.to_owned().into();
    error
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(inner, _)| inner)
}

/// Messages for the errors that the library gives without one.
fn standard_message(code: &str) -> &'static str {
    match code {
        "AccessDenied" => "Access Denied",
        "SignatureDoesNotMatch" => {
            "The request signature we calculated does not match the signature you provided. Check your key and \
             signing method."
        }
        "InvalidAccessKeyId" => "The AWS Access Key Id you provided does not exist in our records.",
        "MalformedXML" => {
            "The XML you provided was not well-formed or did not validate against our published schema"
        }
        "InvalidBucketName" => "The specified bucket is not valid.",
        "KeyTooLongError" => "Your key is too long",
        "InvalidURI" => "Couldn't parse the specified URI.",
        "MissingContentLength" => "You must provide the Content-Length HTTP header.",
        "MethodNotAllowed" => "The specified method is not allowed against this resource.",
        "IncompleteBody" => {
            "You did not provide the number of bytes specified by the Content-Length HTTP header"
        }
        "NotImplemented" => {
            "A header or parameter you provided implies functionality that is not implemented"
        }
        _ => "We encountered an internal error. Please try again.",
    }
}

/// The members of an error that are headers of its answer.
fn headers_of(error: &ApiError, headers: &mut HeaderMap) {
    let mut set = |name: http::HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    for (name, value) in &error.members {
        match *name {
            ETAG_MEMBER => set(ETAG, &format!("\"{value}\"")),
            MODIFIED_MEMBER => {
                let at = Timestamp(value.parse().unwrap_or_default());
                set(LAST_MODIFIED, &http_date(at));
            }
            MARKER_MEMBER => {
                set(http::HeaderName::from_static("x-amz-delete-marker"), "true");
                if value != "null" {
                    set(http::HeaderName::from_static("x-amz-version-id"), value);
                }
            }
            "ActualObjectSize" if error.status == 416 => {
                set(CONTENT_RANGE, &format!("bytes */{value}"));
            }
            _ => {}
        }
    }
    headers.remove(CONTENT_LENGTH);
}

/// Writes an element whose text may hold anything.
pub(super) fn element(xml: &mut String, name: &str, text: &str) {
    let _ = write!(xml, "<{name}>");
    for c in quick_xml::escape::escape(text).chars() {
        match c {
            '\t' | '\n' | '\r' | '\0'..='\u{1f}' => {
                let _ = write!(xml, "&#x{:x};", u32::from(c));
            }
            c => xml.push(c),
        }
    }
    let _ = write!(xml, "</{name}>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_members_and_keeps_header_members_out() {
        let failed = Failed {
            method: Method::GET,
            path: "/b/a&b".to_owned(),
            request_id: "R".to_owned(),
        };
        let error = landfall_flow::land::error::no_such_key("a&b\u{1}").member(MARKER_MEMBER, "v1");
        let xml = failed.xml(&error);
        assert!(xml.contains("<Code>NoSuchKey</Code>"), "{xml}");
        assert!(xml.contains("<Key>a&amp;b&#x1;</Key>"), "{xml}");
        assert!(
            xml.contains("<Resource>/b/a&amp;b</Resource><RequestId>R</RequestId>"),
            "{xml}"
        );
        assert!(!xml.contains('@'), "{xml}");
        let answer = failed.answer(&error);
        assert_eq!(answer.headers()["x-amz-delete-marker"], "true");
        assert_eq!(answer.headers()["x-amz-version-id"], "v1");
    }
}
