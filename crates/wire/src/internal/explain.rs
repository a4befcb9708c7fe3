//! Explanations over HTTP: what happened to an object, or to an imagined one. Never changes anything.

use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::event::CreatedReason;
use landfall_flow::Flow;
use landfall_flow::land::object::{self, ObjectAt};
use landfall_flow::tell::explain::{self, Question};
use serde_json::{Value, json};

use super::query::{Query, invalid};

const NAMES: [&str; 7] = [
    "bucket",
    "key",
    "version_id",
    "simulate",
    "reason",
    "size",
    "all",
];
const REASONS: &str = "PutObject, POST Object, CopyObject and CompleteMultipartUpload";

/// Explains an object.
pub(super) fn explain(flow: &Flow, caller: &Caller, query: &str) -> Result<Value, ApiError> {
    let question = question(&Query::read(query, &NAMES)?)?;
    let told = explain::explain(&flow.view(), caller, &question, flow.clock().now())?;
    Ok(json!(told))
}

fn question(query: &Query) -> Result<Question, ApiError> {
    let needed = |name| {
        let given = query.text(name).filter(|it| !it.is_empty());
        given.ok_or_else(|| invalid(format!("{name} is needed.")))
    };
    let reason = query.word("reason", REASONS)?;
    let size = query.number("size")?;
    let question = Question {
        at: ObjectAt {
            bucket: needed("bucket")?,
            key: needed("key")?,
            version_id: query.text("version_id"),
        },
        simulate: query.flag("simulate")?,
        reason: reason.unwrap_or(CreatedReason::PutObject),
        size: size.unwrap_or(0),
        all: query.flag("all")?,
    };
    if !question.simulate && (reason.is_some() || size.is_some()) {
        let text = "reason and size are those of an imagined upload: ask with simulate.";
        return Err(invalid(text.to_owned()));
    }
    object::check_key(&question.at.key)?;
    Ok(question)
}
