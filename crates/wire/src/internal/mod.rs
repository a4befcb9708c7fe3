//! Landfall's own pages below `/_landfall/`: health, the ledger with its explanations, replays and images as JSON, metrics
//! as text. Never an AWS API.

mod explain;
mod images;
mod metrics;
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

const JSON: &str = "application/json";

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
        let is_metrics = request.method() == Method::GET
            && request.uri().path().strip_prefix(INTERNAL_PATH) == Some("/metrics");
        let answer = match is_metrics {
            true => metrics::page(&self.flow).map(|text| (text, metrics::CONTENT_TYPE)),
            false => {
                let answer = self.answer(&caller, request).await;
                answer.map(|it| (it.to_string(), JSON))
            }
        };
        let (status, (text, content_type)) = match answer {
            Ok(page) => (StatusCode::OK, page),
            Err(e) => {
                let status = StatusCode::from_u16(e.status).unwrap_or(StatusCode::BAD_REQUEST);
                let told = json!({"code": e.code, "message": e.message});
                (status, (told.to_string(), JSON))
            }
        };
        let body = Full::new(Bytes::from(text));
        let mut response = Response::new(Body::new(body.map_err(|never| match never {})));
        *response.status_mut() = status;
        let content_type = http::HeaderValue::from_static(content_type);
        response
            .headers_mut()
            .insert(http::header::CONTENT_TYPE, content_type);
        response
    }
}
