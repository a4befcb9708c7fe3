//! Replays of runs: a POST asks for one and does a part of it, a GET tells how runs stand. Never decides what is repeated.

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_flow::repeat::{self, Ask};
use landfall_flow::{Flow, tell};
use serde_json::{Value, json};

use super::query::{Query, invalid};

/// Does a part of what the body asks for; `next` in the answer says what to add to the body for the rest.
pub(super) async fn asked(flow: &Flow, body: Incoming) -> Result<Value, ApiError> {
    let bad =
        |e: String| ApiError::validation(format!("The request for a replay is not valid: {e}."));
    let body = Limited::new(body, limits::API_BODY_BYTES_MAX);
    let body = body.collect().await.map_err(|e| bad(e.to_string()))?;
    let ask: Ask = serde_json::from_slice(&body.to_bytes()).map_err(|e| bad(e.to_string()))?;
    let answer = repeat::repeat(flow, ask).await?;
    serde_json::to_value(answer).map_err(|e| ApiError::internal(e.to_string()))
}

/// How the runs with the numbers in `runs` stand.
pub(super) fn told(flow: &Flow, query: &str) -> Result<Value, ApiError> {
    let query = Query::read(query, &["runs"])?;
    let text = query.text("runs").unwrap_or_default();
    let numbers = text.split(',').filter(|it| !it.is_empty()).map(str::parse);
    let numbers: Vec<u64> = numbers
        .take(limits::REPLAY_RUNS_LOOKED_AT_MAX)
        .collect::<Result<_, _>>()
        .map_err(|_| invalid(format!("runs must be numbers of runs, not {text}.")))?;
    let runs = tell::some(&flow.view(), &numbers)?;
    Ok(json!({ "runs": runs }))
}
