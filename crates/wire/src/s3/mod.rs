//! S3 over HTTP: requests pass through the S3 library into typed operations, whose answers come from the pipeline.
//!
//! Before the library, signatures are taken off on servers without credentials (`open`); behind it, errors are
//! written with everything that AWS says (`error`). One file per family of operations; `adapter` is their table.

#![allow(
    clippy::field_reassign_with_default,
    reason = "the library's outputs have dozens of members, of which an operation sets a few"
)]

mod acl;
mod adapter;
mod bucket;
mod call;
mod chunked;
mod config;
mod convert;
mod copy;
mod delete;
mod error;
mod form;
mod get;
mod host;
mod list;
mod multipart;
mod open;
mod put;
mod record;
mod tagging;

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::trail::s3::HOST_ID;
use landfall_flow::Flow;
use landfall_flow::land::bucket::{bucket as find_bucket, check_owner};
use landfall_flow::trail::scope;
use s3s::Body;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey, SimpleAuth};
use s3s::service::{S3Service, S3ServiceBuilder};

use self::call::Context;
use self::error::{Failed, Slot};
use self::open::Stripped;
use self::record::Watched;
use crate::dispatch::RawHandler;
use crate::session::{self, Unbelieved};

const HOST_ID_HEADER: HeaderName = HeaderName::from_static("x-amz-id-2");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");

/// Serves S3.
pub struct S3Handler {
    flow: Flow,
    service: S3Service,
    is_open: bool,
    /// Access key ids that were configured.
    configured: HashSet<String>,
}

/// Lets in whoever the signature has let in.
struct Access {
    flow: Flow,
    /// Whether nobody has to sign.
    is_open: bool,
}

#[async_trait]
impl S3Access for Access {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> s3s::S3Result<()> {
        // Here the operation is known and the body unread: a body that the library refuses is still a call.
        let operation = cx.s3_op().name().to_owned();
        if let Some(context) = cx.extensions_mut().get::<Context>() {
            context.begin(&self.flow, &operation);
        }
        match self.is_open || cx.credentials().is_some() {
            true => Ok(()),
            false => Err(s3s::s3_error!(AccessDenied, "Access Denied")),
        }
    }
}

tokio::task_local! {
    /// Access key id and secret of the session that the request in hand has proved to be of.
    static SESSION: Option<(String, String)>;
}

/// The configured keys and the session's, with AWS's word for one that is not among them.
struct Keys(SimpleAuth);

#[async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> s3s::S3Result<SecretKey> {
        let secret = self.0.lookup(access_key).cloned().or_else(|| {
            let session = SESSION.try_with(Clone::clone).ok().flatten();
            let session = session.filter(|(id, _)| id == access_key);
            session.map(|(_, secret)| secret.into())
        });
        secret.ok_or_else(|| s3s::S3Error::new(s3s::S3ErrorCode::InvalidAccessKeyId))
    }
}

impl S3Handler {
    /// A handler over a pipeline. With `credentials` (access key id and secret) every request must be signed with
    /// one of them; without, any signature and none is accepted.
    pub fn new(flow: Flow, credentials: impl IntoIterator<Item = (String, String)>) -> Self {
        let adapter = adapter::Adapter { flow: flow.clone() };
        let mut builder = S3ServiceBuilder::new(adapter);
        builder.set_host(host::Hosts);
        let mut auth = SimpleAuth::new();
        let mut configured = HashSet::new();
        for (id, secret) in credentials {
            auth.register(id.clone(), secret.into());
            configured.insert(id);
        }
        let is_open = configured.is_empty();
        // Without configured keys no signature is left for the library to check: see `open`.
        builder.set_auth(Keys(auth));
        builder.set_access(Access {
            flow: flow.clone(),
            is_open,
        });
        Self {
            flow,
            service: builder.build(),
            is_open,
            configured,
        }
    }

    /// Answers one request; the answer and the events it causes bear the caller's request id.
    pub async fn answer(&self, caller: Caller, request: Request<Body>) -> Response<Body> {
        let failed = Failed {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            request_id: caller.request_id.clone(),
        };
        let watched = record::watch(&self.flow, &request);
        let session = self.session(&caller, &request);
        let prepared =
            session.and_then(|it| Ok((it, self.prepare(caller, request, watched.clone())?)));
        let mut response = match prepared {
            Ok((session, (mut request, slot))) => {
                if session.is_some() {
                    session::show_token(&mut request);
                }
                let running = self.run_watched(request, &slot, &failed, watched);
                SESSION.scope(session, running).await
            }
            Err(e) => failed.answer(&e),
        };
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::from_str(&failed.request_id) {
            headers.insert(REQUEST_ID, id);
        }
        headers.insert(HOST_ID_HEADER, HeaderValue::from_static(HOST_ID));
        headers.insert(http::header::SERVER, HeaderValue::from_static("AmazonS3"));
        response
    }

    fn prepare(
        &self,
        caller: Caller,
        request: Request<Body>,
        watched: Option<Watched>,
    ) -> Result<(Request<Body>, Slot), ApiError> {
        self.check_expected_owner(&request)?;
        let (mut request, stripped) = match self.is_open {
            true => {
                let query = convert::query_pairs(request.uri().query());
                open::strip(request, &query, self.flow.clock().now())?
            }
            false => (request, Stripped::default()),
        };
        let slot = Slot::default();
        request.extensions_mut().insert(Context {
            caller,
            stripped,
            slot: slot.clone(),
            watched,
        });
        Ok((request, slot))
    }

    /// The key of the session that a request bears the token of, where signatures are checked.
    ///
    /// Errors: `InvalidToken`, `ExpiredToken`.
    fn session(
        &self,
        caller: &Caller,
        request: &Request<Body>,
    ) -> Result<Option<(String, String)>, ApiError> {
        let key = &caller.access_key_id;
        if self.is_open || !session::is_session(key) || self.configured.contains(key) {
            return Ok(None);
        }
        let (headers, now) = (request.headers(), self.flow.clock().now());
        let query = request.uri().query().unwrap_or_default();
        match session::secret(&self.flow, headers, query, key, now) {
            Ok(secret) => Ok(Some((key.clone(), secret))),
            Err(Unbelieved::Invalid) => Err(ApiError::client(
                "InvalidToken",
                "The provided token is malformed or otherwise invalid.",
            )),
            Err(Unbelieved::Expired) => Err(ApiError::client(
                "ExpiredToken",
                "The provided token has expired.",
            )),
        }
    }

    /// `x-amz-expected-bucket-owner` holds for every operation, so it is held against the bucket once, here.
    fn check_expected_owner(&self, request: &Request<Body>) -> Result<(), ApiError> {
        let header = |name: &str| request.headers().get(name).and_then(|v| v.to_str().ok());
        let Some(expected) = header("x-amz-expected-bucket-owner") else {
            return Ok(());
        };
        let in_path = request
            .uri()
            .path()
            .trim_start_matches('/')
            .split('/')
            .next();
        let name = header("host").and_then(host::bucket_of).or(in_path);
        let Ok(record) = find_bucket(&self.flow.view(), name.unwrap_or_default()) else {
            return Ok(());
        };
        check_owner(&record, Some(expected))
    }

    /// Runs a request that may be recorded: its first write takes the record along, and what wrote nothing is recorded
    /// when its answer is known.
    async fn run_watched(
        &self,
        request: Request<Body>,
        slot: &Slot,
        failed: &Failed,
        watched: Option<Watched>,
    ) -> Response<Body> {
        let Some(Watched { ongoing, .. }) = watched else {
            return self.run(request, slot, failed).await.0;
        };
        let serving = self.run(request, slot, failed);
        let (response, error) = scope(Arc::clone(&ongoing), serving).await;
        let sent = response.headers().get(http::header::CONTENT_LENGTH);
        let sent = sent.and_then(|v| v.to_str().ok()?.parse().ok());
        ongoing
            .finish(&self.flow, error, sent.unwrap_or_default())
            .await;
        response
    }

    /// The answer, and the error that it tells, if it tells one.
    async fn run(
        &self,
        request: Request<Body>,
        slot: &Slot,
        failed: &Failed,
    ) -> (Response<Body>, Option<ApiError>) {
        let response = match self.service.call(request).await {
            Ok(response) => response,
            Err(e) => return failed.told(ApiError::internal(format!("{e:?}"))),
        };
        if let Some(e) = slot.take() {
            return failed.told(e);
        }
        if !response.status().is_client_error() && !response.status().is_server_error() {
            return (response, None);
        }
        let status = response.status();
        let written = response.into_body().collect().await;
        let written = written
            .map(http_body_util::Collected::to_bytes)
            .unwrap_or_default();
        failed.told(error::of_library(status, &written))
    }
}

#[async_trait]
impl RawHandler for S3Handler {
    async fn call(
        &self,
        caller: Caller,
        request: Request<Incoming>,
    ) -> Response<crate::http::Body> {
        let response = self.answer(caller, request.map(Body::from)).await;
        response.map(crate::http::Body::new)
    }
}
