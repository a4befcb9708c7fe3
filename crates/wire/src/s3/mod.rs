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

use std::sync::Arc;

use async_trait::async_trait;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
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

/// The `x-amz-id-2` of every answer: there is only one host.
const HOST_ID: &str = "bGFuZGZhbGw=";
const HOST_ID_HEADER: HeaderName = HeaderName::from_static("x-amz-id-2");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");

/// Serves S3.
pub struct S3Handler {
    flow: Flow,
    service: S3Service,
    is_open: bool,
}

/// Lets in whoever the signature has let in.
struct Signed(Flow);

#[async_trait]
impl S3Access for Signed {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> s3s::S3Result<()> {
        match cx.credentials() {
            Some(_) => Ok(()),
            None => {
                let operation = cx.s3_op().name().to_owned();
                if let Some(context) = cx.extensions_mut().get::<Context>() {
                    context.begin(&self.0, &operation);
                }
                Err(s3s::s3_error!(AccessDenied, "Access Denied"))
            }
        }
    }
}

/// The configured keys, with AWS's word for one that is not among them.
struct Keys(SimpleAuth);

#[async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> s3s::S3Result<SecretKey> {
        let secret = self.0.lookup(access_key).cloned();
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
        let mut is_open = true;
        for (id, secret) in credentials {
            auth.register(id, secret.into());
            is_open = false;
        }
        if !is_open {
            builder.set_auth(Keys(auth));
            builder.set_access(Signed(flow.clone()));
        }
        Self {
            flow,
            service: builder.build(),
            is_open,
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
        let mut response = match self.prepare(caller, request, watched.clone()) {
            Ok((request, slot)) => self.run_watched(request, &slot, &failed, watched).await,
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
