//! The error that every verb of the API answers with: AWS's code, HTTP status and message.
//!
//! Codes shared by more than one service are made here and nowhere else; service-specific codes are made
//! with [`ApiError::client`] in the one module that owns them. Never knows how an error is spelled on the wire.

use std::borrow::Cow;

/// An error as AWS would answer it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// AWS's error code, such as `ResourceNotFoundException`.
    pub code: Cow<'static, str>,
    /// HTTP status: 4xx for the caller's fault, 5xx for ours.
    pub status: u16,
    /// AWS's message, shown to the user as it is.
    pub message: String,
    /// Further members of the error, by name (S3 writes them as elements, JSON services as members).
    pub members: Vec<(&'static str, String)>,
}

impl ApiError {
    /// The caller's fault, HTTP 400.
    pub fn client(code: &'static str, message: impl Into<String>) -> Self {
        Self::with_status(code, 400, message)
    }

    /// An error with a status of its own.
    pub fn with_status(code: &'static str, status: u16, message: impl Into<String>) -> Self {
        Self {
            code: Cow::Borrowed(code),
            status,
            message: message.into(),
            members: Vec::new(),
        }
    }

    /// Adds a further member, such as S3's `BucketName`.
    #[must_use]
    pub fn member(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.members.push((name, value.into()));
        self
    }

    /// `ValidationException`, the JSON services' word for bad input.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::client("ValidationException", message)
    }

    /// `ResourceNotFoundException`, as EventBridge, Logs and others say it.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::client("ResourceNotFoundException", message)
    }

    /// Our own fault: the state could not be read or written. Never says what is inside.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::with_status("InternalFailure", 500, message)
    }

    /// Something AWS has and Landfall does not honour: refused, never swallowed.
    pub fn not_implemented(message: impl Into<String>) -> Self {
        Self::with_status("NotImplemented", 501, message)
    }
}
