//! `AddPermission` and `RemovePermission`: statements of a queue's policy, by label. Never evaluates a policy.

use landfall_core::api::generated::sqs as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use serde_json::{Value, json};

use super::{Queue, find, invalid_value, save};
use crate::tx::Tx;

/// `AddPermission`.
pub fn add_permission(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: &api::AddPermissionRequest,
) -> Result<(), ApiError> {
    let queue = find(tx, caller, request.queue_url.as_deref())?;
    let label = request.label.as_deref().unwrap_or_default();
    let mut statements = statements(&queue);
    if statements.iter().any(|s| is_labelled(s, label)) {
        return Err(invalid_value(label, "Label", "Already exists."));
    }
    let accounts = request.aws_account_ids.iter().flatten();
    let principals: Vec<String> = accounts.map(|a| format!("arn:aws:iam::{a}:root")).collect();
    let actions: Vec<String> = request
        .actions
        .iter()
        .flatten()
        .map(|a| format!("SQS:{a}"))
        .collect();
    statements.push(json!({
        "Sid": label,
        "Effect": "Allow",
        "Principal": {"AWS": one_or_many(principals)},
        "Action": one_or_many(actions),
        "Resource": queue.arn(),
    }));
    store(tx, queue, statements)
}

/// `RemovePermission`.
pub fn remove_permission(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: &api::RemovePermissionRequest,
) -> Result<(), ApiError> {
    let queue = find(tx, caller, request.queue_url.as_deref())?;
    let label = request.label.as_deref().unwrap_or_default();
    let mut statements = statements(&queue);
    let before = statements.len();
    statements.retain(|s| !is_labelled(s, label));
    if statements.len() == before {
        return Err(invalid_value(label, "Label", "can't find label."));
    }
    store(tx, queue, statements)
}

fn statements(queue: &Queue) -> Vec<Value> {
    let policy = queue.attributes.get("Policy");
    let policy: Option<Value> = policy.and_then(|p| serde_json::from_str(p).ok());
    match policy.as_ref().and_then(|p| p.get("Statement")) {
        Some(Value::Array(all)) => all.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    }
}

fn store(tx: &mut Tx<'_>, mut queue: Queue, statements: Vec<Value>) -> Result<(), ApiError> {
    if statements.is_empty() {
        queue.attributes.remove("Policy");
    } else {
        let policy = json!({
            "Version": "2012-10-17",
            "Id": format!("{}/SQSDefaultPolicy", queue.arn()),
            "Statement": statements,
        });
        queue
            .attributes
            .insert("Policy".to_owned(), policy.to_string());
    }
    queue.modified = tx.now();
    save(tx, &queue)
}

fn is_labelled(statement: &Value, label: &str) -> bool {
    statement.get("Sid").and_then(Value::as_str) == Some(label)
}

fn one_or_many(mut texts: Vec<String>) -> Value {
    match texts.pop() {
        Some(only) if texts.is_empty() => Value::String(only),
        Some(last) => {
            texts.push(last);
            json!(texts)
        }
        None => json!([]),
    }
}
