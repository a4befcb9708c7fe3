//! Landfall's own pages below `/_landfall/`: health, the ledger and images as JSON, metrics as text. Never an AWS API.

mod images;
mod metrics;

use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_flow::{Flow, tell};
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

    async fn answer(&self, request: Request<Incoming>) -> Result<Value, ApiError> {
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
            (&Method::GET, "/runs") => {
                let after = number(&query, "after")?.unwrap_or(0);
                let limit = number(&query, "limit")?.unwrap_or(limits::RUNS_PER_PAGE_DEFAULT);
                let limit = limit.min(limits::RUNS_PER_PAGE_MAX);
                let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                let runs = tell::runs(&self.flow.view(), after, limit)?;
                Ok(json!({ "runs": runs }))
            }
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
    async fn call(&self, _: Caller, request: Request<Incoming>) -> Response<Body> {
        let is_metrics = request.method() == Method::GET
            && request.uri().path().strip_prefix(INTERNAL_PATH) == Some("/metrics");
        let answer = match is_metrics {
            true => metrics::page(&self.flow).map(|text| (text, metrics::CONTENT_TYPE)),
            false => self.answer(request).await.map(|it| (it.to_string(), JSON)),
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

fn number(query: &str, name: &str) -> Result<Option<u64>, ApiError> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let Some((_, text)) = pairs.into_iter().find(|(n, _)| *n == name) else {
        return Ok(None);
    };
    let bad = |_| ApiError::validation(format!("{name} must be a whole number, not {text}."));
    text.parse().map(Some).map_err(bad)
}
