//! CloudFormation's looseness about scalars: `"true"` is a boolean, `5` is a string, `"5"` a number.
//!
//! Never converts lists or maps.

use serde_json::Value;

/// The value as a boolean: `true`, `"true"`, `"True"`, and the same for false.
pub fn as_bool_loose(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// The value as an integer: `5`, `5.0`, `"5"`.
pub fn as_i64_loose(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The value as a string: text as it is, `5` as `"5"`, `true` as `"true"`.
pub fn as_string_loose(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Whether two values are the same to CloudFormation: scalars are compared as strings, maps without their order.
pub fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| same(l, r))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, value)| right.get(key).is_some_and(|other| same(value, other)))
        }
        _ => match (as_string_loose(left), as_string_loose(right)) {
            (Some(left), Some(right)) => left == right,
            _ => left == right,
        },
    }
}

fn whole(number: f64) -> Option<i64> {
    let fits = number.fract() == 0.0 && number.abs() < 9.0e15;
    // Checked above: whole and well within range.
    #[allow(clippy::cast_possible_truncation)]
    fits.then_some(number as i64)
}
