//! Resource policies, as far as queues, log groups and the buckets of log files need them: may this principal do this to that?
//!
//! An explicit deny wins, silence denies. What is not understood never allows, and in a deny always denies.
//! Never evaluates identity policies.

mod condition;
pub mod glob;

use indexmap::IndexMap;
use serde::Deserialize;

use crate::arn::Arn;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Principal<'a> {
    /// A service, such as `events.amazonaws.com`.
    Service(&'a str),
    /// An account, by its 12 digits.
    Account(&'a str),
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRequest<'a> {
    /// Who.
    pub principal: Principal<'a>,
    /// Such as `sqs:SendMessage`.
    pub action: &'a str,
    /// ARN of the resource.
    pub resource: &'a str,
    /// Condition keys and their values, such as (`aws:SourceArn`, the rule's ARN). Names in any case.
    pub context: Vec<(&'a str, &'a str)>,
}

/// Whether the policy allows the request. A text that is no policy allows nothing.
pub fn allows(policy_json: &str, request: &PolicyRequest<'_>) -> bool {
    allow(&[policy_json], request)
}

/// Whether the policies together allow the request: what one of them denies is denied. A text that is no policy says
/// nothing.
pub fn allow(policies_json: &[&str], request: &PolicyRequest<'_>) -> bool {
    let policies = policies_json
        .iter()
        .filter_map(|text| serde_json::from_str::<Policy>(text).ok());
    let statements: Vec<Statement> = policies
        .flat_map(|policy| policy.statement.into_vec())
        .collect();
    let denies = |s: &Statement| s.effect != "Allow" && s.applies(request, true);
    let permits = |s: &Statement| s.effect == "Allow" && s.applies(request, false);
    !statements.iter().any(denies) && statements.iter().any(permits)
}

/// A value, or a list of values.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(value) => vec![value],
            Self::Many(values) => values,
        }
    }

    fn any(&self, test: impl FnMut(&T) -> bool) -> bool {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values.as_slice(),
        }
        .iter()
        .any(test)
    }
}

#[derive(Debug, Deserialize)]
struct Policy {
    #[serde(rename = "Statement")]
    statement: OneOrMany<Statement>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    effect: String,
    principal: Option<Principals>,
    not_principal: Option<Principals>,
    action: Option<OneOrMany<String>>,
    not_action: Option<OneOrMany<String>>,
    resource: Option<OneOrMany<String>>,
    not_resource: Option<OneOrMany<String>>,
    #[serde(default)]
    condition: condition::Conditions,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Principals {
    Everyone(String),
    Kinds(IndexMap<String, OneOrMany<String>>),
}

impl Statement {
    /// `doubt` is the answer of a condition that is not understood.
    fn applies(&self, request: &PolicyRequest<'_>, doubt: bool) -> bool {
        let is_action = |pattern: &String| glob::matches_ignoring_case(pattern, request.action);
        let is_resource = |pattern: &String| glob::matches(pattern, request.resource);
        either(&self.principal, &self.not_principal, |p| {
            p.include(request.principal)
        }) && either(&self.action, &self.not_action, |actions| {
            actions.any(is_action)
        }) && either(&self.resource, &self.not_resource, |resources| {
            resources.any(is_resource)
        }) && condition::hold(&self.condition, &request.context, doubt)
    }
}

/// An element or its `Not…` form; a statement that has neither applies to nothing.
fn either<T>(element: &Option<T>, negated: &Option<T>, test: impl Fn(&T) -> bool) -> bool {
    match (element, negated) {
        (Some(element), None) => test(element),
        (None, Some(negated)) => !test(negated),
        _ => false,
    }
}

impl Principals {
    fn include(&self, principal: Principal<'_>) -> bool {
        match self {
            Self::Everyone(star) => star == "*",
            Self::Kinds(kinds) => kinds.iter().any(|(kind, names)| {
                names.any(|name| match (kind.as_str(), principal) {
                    ("AWS", _) if name == "*" => true,
                    ("Service", Principal::Service(service)) => name == service,
                    ("AWS", Principal::Account(account)) => is_account(name, account),
                    _ => false,
                })
            }),
        }
    }
}

fn is_account(name: &str, account: &str) -> bool {
    name == account
        || Arn::parse(name).is_some_and(|arn| arn.account == account && arn.resource == "root")
}

#[cfg(test)]
mod tests;
