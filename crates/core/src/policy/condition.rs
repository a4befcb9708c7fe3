//! The `Condition` block of a statement: operators on strings, ARNs, booleans and presence.
//! Never guesses at an operator it does not know: the caller says what doubt means.

use indexmap::IndexMap;
use serde::Deserialize;

use super::{OneOrMany, glob};

/// Operator → condition key → wanted values.
pub(super) type Conditions = IndexMap<String, IndexMap<String, OneOrMany<Scalar>>>;

/// Policies write `true` and `"true"`, `5` and `"5"` alike.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Scalar {
    Text(String),
    Bool(bool),
    Number(serde_json::Number),
}

impl Scalar {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Bool(value) => value.to_string(),
            Self::Number(value) => value.to_string(),
        }
    }
}

/// Whether all conditions hold. `doubt` stands for an operator that is not known.
pub(super) fn hold(conditions: &Conditions, context: &[(&str, &str)], doubt: bool) -> bool {
    conditions.iter().all(|(operator, keys)| {
        keys.iter().all(|(key, wanted)| {
            let found = context
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(key))
                .map(|(_, value)| *value);
            holds(operator, wanted, found).unwrap_or(doubt)
        })
    })
}

/// `None` when the operator is not known.
fn holds(operator: &str, wanted: &OneOrMany<Scalar>, found: Option<&str>) -> Option<bool> {
    if operator == "Null" {
        return Some(wanted.any(|value| value.text() == found.is_none().to_string()));
    }
    let (operator, if_exists) = match operator.strip_suffix("IfExists") {
        Some(operator) => (operator, true),
        None => (operator, false),
    };
    let (compare, is_negated) = comparison(operator)?;
    Some(match found {
        Some(found) => wanted.any(|value| compare(&value.text(), found)) != is_negated,
        // A key that is not there satisfies only the negated operators.
        None => if_exists || is_negated,
    })
}

type Compare = fn(wanted: &str, found: &str) -> bool;

fn comparison(operator: &str) -> Option<(Compare, bool)> {
    let equals: Compare = |wanted, found| wanted == found;
    let equals_ignoring_case: Compare = |wanted, found| wanted.eq_ignore_ascii_case(found);
    Some(match operator {
        "StringEquals" => (equals, false),
        "StringNotEquals" => (equals, true),
        "StringEqualsIgnoreCase" | "Bool" => (equals_ignoring_case, false),
        "StringNotEqualsIgnoreCase" => (equals_ignoring_case, true),
        "StringLike" => (glob::matches, false),
        "StringNotLike" => (glob::matches, true),
        "ArnEquals" | "ArnLike" => (glob::matches_arn, false),
        "ArnNotEquals" | "ArnNotLike" => (glob::matches_arn, true),
        _ => return None,
    })
}
