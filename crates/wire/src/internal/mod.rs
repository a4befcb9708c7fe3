//! Landfall's own pages below `/_landfall/`: health, the ledger with its explanations, replays and images as JSON. Never
//! an AWS API.

mod explain;
mod images;
mod query;
mod replay;
mod runs;

use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_flow::Flow;
use serde_json::{Value, json};

use crate::dispatch::{INTERNAL_PATH, RawHandler};
use crate::http::Body;

/// Serves the pages.
pub struct Internal {
    flow: Flow,
    scratch: PathBuf,
}

impl Internal {
    /// `scratch` is a directory for uploads on their way to the runtime.
    pub fn new(flow: Flow, scratch: PathBuf) -> Self {
        Self { flow, scratch }
    }

    async fn answer(&self, caller: &Caller, request: Request<Incoming>) -> Result<Value, ApiError> {
        let path = request
            .uri()
            .path()
            .strip_prefix(INTERNAL_PATH)
            .unwrap_or_default()
            .to_owned();
        let query = request.uri().query().unwrap_or_default().to_owned();
        match (request.method(), path.as_str()) {
            (&Method::GET, "/health") => {
                let runtime = self.flow.runtime().name();
                let version = env!("CARGO_PKG_VERSION");
                Ok(json!({"status": "ok", "version": version, "runtime": runtime}))
            }
            (&Method::GET, "/replay") => replay::told(&self.flow, &query),
            (&Method::POST, "/replay") => replay::asked(&self.flow, request.into_body()).await,
            (&Method::GET, "/explain") => explain::explain(&self.flow, caller, &query),
            (&Method::GET, "/runs") => runs::page(&self.flow, &query),
            (&Method::GET, "/runs/changes") => runs::changes(&self.flow, &query).await,
            (&Method::GET, path) if path.starts_with("/runs/") => runs::single(&self.flow, path),
            (&Method::GET, "/images") => images::list(&self.flow).await,
            (&Method::POST, "/images") => {
                images::load(&self.flow, &self.scratch, request.into_body()).await
            }
            (method, _) => Err(ApiError::with_status(
                "NotFound",
                404,
                format!("There is no {method} {INTERNAL_PATH}{path}."),
            )),
        }
    }
}

#[async_trait]
impl RawHandler for Internal {
    async fn call(&self, caller: Caller, request: Request<Incoming>) -> Response<Body> {
        let (status, value) = match self.answer(&caller, request).await {
            Ok(value) => (StatusCode::OK, value),
            Err(e) => {
                let status = StatusCode::from_u16(e.status).unwrap_or(StatusCode::BAD_REQUEST);
                (status, json!({"code": e.code, "message": e.message}))
            }
        };
        let body = Full::new(Bytes::from(value.to_string()));
        let mut response = Response::new(Body::new(body.map_err(|never| match never {})));
        *response.status_mut() = status;
        let json = http::HeaderValue::from_static("application/json");
        response
            .headers_mut()
            .insert(http::header::CONTENT_TYPE, json);
        response
    }
}
