//! Resource policies of an account: kept, told, and asked whether EventBridge may write for a rule. Never asks an identity
//! policy.

use landfall_core::api::generated::logs as api;
use landfall_core::caller::Caller;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::limits;
use serde::{Deserialize, Serialize};

use super::group::Group;
use super::invalid;
use crate::keep::permit::{self, ForRule};
use crate::key::Key;
use crate::page::page;
use crate::tx::{Reader, Tx};

/// A resource policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Policy {
    name: String,
    document: String,
    updated: Timestamp,
}
crate::record!(Policy in Control);

/// `PutResourcePolicy`.
pub fn put_resource_policy(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::PutResourcePolicyRequest,
) -> Result<api::PutResourcePolicyResponse, ApiError> {
    refuse_resource(request.resource_arn.as_deref())?;
    let name = request.policy_name.unwrap_or_default();
    let document = request.policy_document.unwrap_or_default();
    let parsed = serde_json::from_str::<serde_json::Value>(&document);
    if name.is_empty() || !parsed.is_ok_and(|d| d.is_object()) {
        return Err(invalid(
            "PolicyName and a PolicyDocument that is JSON must be provided.",
        ));
    }
    let others = tx.all::<Policy>(&of(caller))?;
    let is_new = !others.iter().any(|p| p.name == name);
    if is_new && others.len() >= limits::LOGS_RESOURCE_POLICIES_MAX {
        return Err(ApiError::client(
            "LimitExceededException",
            "Resource limit exceeded.",
        ));
    }
    let policy = Policy {
        name,
        document,
        updated: tx.now(),
    };
    tx.put(&of(caller).part(&policy.name), &policy)?;
    let resource_policy = Some(describe(policy));
    Ok(api::PutResourcePolicyResponse {
        resource_policy,
        revision_id: None,
    })
}

/// `DeleteResourcePolicy`.
pub fn delete_resource_policy(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: &api::DeleteResourcePolicyRequest,
) -> Result<(), ApiError> {
    refuse_resource(request.resource_arn.as_deref())?;
    let name = request.policy_name.as_deref().unwrap_or_default();
    let key = of(caller).part(name);
    if !tx.has::<Policy>(&key)? {
        let text = format!("Policy with name [{name}] does not exist");
        return Err(ApiError::not_found(text));
    }
    tx.delete::<Policy>(&key);
    Ok(())
}

/// `DescribeResourcePolicies`.
pub fn describe_resource_policies(
    db: &impl Reader,
    caller: &Caller,
    request: &api::DescribeResourcePoliciesRequest,
) -> Result<api::DescribeResourcePoliciesResponse, ApiError> {
    refuse_resource(request.resource_arn.as_deref())?;
    let policies = db.all::<Policy>(&of(caller))?;
    let token = request.next_token.as_deref();
    let (policies, next_token) = page(policies, token, request.limit, limits::LOGS_DESCRIBE_MAX)?;
    let resource_policies = Some(policies.into_iter().map(describe).collect());
    Ok(api::DescribeResourcePoliciesResponse {
        resource_policies,
        next_token,
    })
}

/// Who puts events into log groups for EventBridge: AWS's documentation names both, and either will do.
const WRITERS: [&str; 2] = [permit::SERVICE, "delivery.logs.amazonaws.com"];
/// What it takes to write: each target has a stream of its own.
const WRITES: [&str; 2] = ["logs:CreateLogStream", "logs:PutLogEvents"];

/// Refuses what no policy allows EventBridge to put into a stream of a group for a rule.
pub(super) fn check(
    db: &impl Reader,
    group: &Group,
    rule: ForRule<'_>,
    stream: &str,
) -> Result<(), ApiError> {
    let policies = db.all::<Policy>(&prefix(&group.account, &group.region))?;
    let documents: Vec<&str> = policies.iter().map(|p| p.document.as_str()).collect();
    let group_arn = group.arn();
    let stream_arn = format!("{group_arn}:log-stream:{stream}");
    let may = |action: &&str| rule.may(&WRITERS, action, &stream_arn, &documents);
    if WRITES.iter().all(may) {
        return Ok(());
    }
    let whose = "No resource policy of CloudWatch Logs in this account and region";
    Err(rule.refusal(whose, &WRITES, &format!("{group_arn}:*")))
}

fn refuse_resource(arn: Option<&str>) -> Result<(), ApiError> {
    match arn {
        Some(_) => Err(invalid(
            "Policies of single log groups (resourceArn) are not supported by Landfall; use policies of the account.",
        )),
        None => Ok(()),
    }
}

fn describe(policy: Policy) -> api::ResourcePolicy {
    api::ResourcePolicy {
        policy_name: Some(policy.name),
        policy_document: Some(policy.document),
        last_updated_time: Some(policy.updated.0),
        ..Default::default()
    }
}

fn prefix(account: &str, region: &str) -> Key {
    Key::new("log-policy").part(account).part(region)
}

fn of(caller: &Caller) -> Key {
    prefix(&caller.account, &caller.region)
}
