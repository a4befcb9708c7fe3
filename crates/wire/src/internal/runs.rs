//! The ledger over HTTP: pages of runs, one run, and what has changed. Never changes it.

use std::time::Duration;

use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_flow::Flow;
use landfall_flow::tell::{self, Filter};
use serde_json::{Value, json};

use super::query::{Query, invalid};

const FILTERS: [&str; 7] = ["bucket", "prefix", "key", "rule", "state", "since", "after"];
const STATES: &str =
    "matched, delivered, queued, starting, running, succeeded, failed and dead-lettered";

/// One page, the newest runs first asked for; older ones behind `next_token`.
pub(super) fn page(flow: &Flow, query: &str) -> Result<Value, ApiError> {
    let query = Query::read(query, &known(&["limit", "token"]))?;
    let limit = query.number("limit")?;
    let limit = limit
        .unwrap_or(limits::RUNS_PER_PAGE_DEFAULT)
        .min(limits::RUNS_PER_PAGE_MAX);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let before = query.number("token")?;
    let page = tell::runs(&flow.view(), &filter(flow, &query)?, before, limit)?;
    let token = page.next.map(|it| it.to_string());
    Ok(json!({"runs": page.runs, "next_token": token}))
}

/// The run whose number ends a path.
pub(super) fn single(flow: &Flow, path: &str) -> Result<Value, ApiError> {
    let text = path.rsplit('/').next().unwrap_or_default();
    let number = text.parse().map_err(|_| no_run(text))?;
    let run = tell::single(&flow.view(), number)?;
    run.map(|run| json!(run)).ok_or_else(|| no_run(text))
}

fn no_run(number: &str) -> ApiError {
    ApiError::with_status("NotFound", 404, format!("There is no run {number}."))
}

/// The runs that have changed since a position; waits for the first one as long as asked.
pub(super) async fn changes(flow: &Flow, query: &str) -> Result<Value, ApiError> {
    let query = Query::read(query, &known(&["from", "wait"]))?;
    let wait = query
        .number("wait")?
        .unwrap_or(0)
        .min(limits::LEDGER_WAIT_SECONDS_MAX);
    let filter = filter(flow, &query)?;
    let from = query.text("from");
    let changes = tell::changes(flow, &filter, from.as_deref(), Duration::from_secs(wait)).await?;
    Ok(json!({"runs": changes.runs, "position": changes.position, "missed": changes.missed}))
}

fn known(own: &[&'static str]) -> Vec<&'static str> {
    FILTERS.iter().chain(own).copied().collect()
}

fn filter(flow: &Flow, query: &Query) -> Result<Filter, ApiError> {
    let filter = Filter {
        bucket: query.text("bucket"),
        prefix: query.text("prefix"),
        key: query.text("key"),
        rule: query.text("rule"),
        state: query.word("state", STATES)?,
        since: query.moment("since", flow.clock().now())?,
        after: query.number("after")?.unwrap_or(0),
    };
    if filter.bucket.is_none() && (filter.prefix.is_some() || filter.key.is_some()) {
        return Err(invalid("A key or its prefix needs a bucket.".to_owned()));
    }
    Ok(filter)
}
