//! What every operation knows of its request besides its input. Never holds a body.

use http::HeaderMap;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_flow::Flow;
use landfall_flow::land::receive::Trailer;
use s3s::{S3Request, S3Response, TrailingHeaders};

use super::error::Slot;
use super::open::Stripped;
use super::record::Watched;

/// What travels with a request through the S3 library.
#[derive(Debug, Clone)]
pub(super) struct Context {
    /// Who calls.
    pub(super) caller: Caller,
    /// What the signature said, on servers without credentials.
    pub(super) stripped: Stripped,
    /// Where errors wait.
    pub(super) slot: Slot,
    /// The call's record to be, when one may be.
    pub(super) watched: Option<Watched>,
}

impl Context {
    /// Says which operation the request is.
    pub(super) fn begin(&self, flow: &Flow, operation: &str) {
        if let Some(watched) = &self.watched {
            watched.begin(flow, operation, &self.caller);
        }
    }
}

/// One call of one operation.
pub(super) struct Call {
    /// The pipeline.
    pub(super) flow: Flow,
    /// Who calls.
    pub(super) caller: Caller,
    /// Method of the request.
    pub(super) method: http::Method,
    /// Headers as the library saw them.
    pub(super) headers: HeaderMap,
    stripped: Stripped,
    library_trailers: Option<TrailingHeaders>,
}

impl Call {
    /// Takes what the operation needs out of its request.
    pub(super) fn new<T>(flow: &Flow, context: Context, request: &mut S3Request<T>) -> Self {
        Self {
            flow: flow.clone(),
            caller: context.caller,
            method: request.method.clone(),
            headers: std::mem::take(&mut request.headers),
            stripped: context.stripped,
            library_trailers: request.trailing_headers.take(),
        }
    }

    /// A header's value as text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    /// The payload hash that the signature covers, where the library does not check it.
    pub(super) fn sha256(&self) -> Option<String> {
        self.stripped.sha256.clone()
    }

    /// A look-up of trailers, for after the body.
    pub(super) fn trailers(&self) -> Trailer {
        let stripped = self.stripped.trailers.clone();
        let library = self.library_trailers.clone();
        Box::new(move |name| {
            let of_library = library.and_then(|trailers| {
                trailers.read(|headers| {
                    let value = headers.get(name).and_then(|v| v.to_str().ok());
                    value.map(str::to_owned)
                })
            });
            of_library.flatten().or_else(|| stripped.get(name))
        })
    }

    /// Refuses headers whose meaning Landfall does not honour.
    ///
    /// Errors: `NotImplemented`.
    pub(super) fn refuse_headers(&self, names: &[&str]) -> Result<(), ApiError> {
        let given = self.headers.keys().map(http::HeaderName::as_str);
        match given.into_iter().find(|given| names.contains(given)) {
            None => Ok(()),
            Some(name) => Err(ApiError::not_implemented(format!(
                "A header you provided implies functionality that is not implemented: {name}"
            ))
            .member("Header", name)),
        }
    }
}

/// What an operation answers.
pub(super) type Answer<T> = Result<S3Response<T>, ApiError>;

/// An answer with nothing beside its output.
pub(super) fn ok<T>(output: T) -> Answer<T> {
    Ok(S3Response::new(output))
}
