//! A prefix and a suffix in one list take either, which few who write them mean. Never decides whether a rule matches.

use serde_json::Value;

/// A list of which one filter holds and the other does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Either {
    /// The field's names, joined with dots.
    pub path: String,
    /// What the value may begin with.
    pub prefix: String,
    /// What the value may end with.
    pub suffix: String,
    /// Whether it is the prefix that holds.
    pub has_prefix: bool,
}

/// The first list of a pattern that an event meets in one of the two ways only.
pub(super) fn either(pattern: &str, event: &str) -> Option<Either> {
    let pattern: Value = serde_json::from_str(pattern).ok()?;
    let event: Value = serde_json::from_str(event).ok()?;
    below(&pattern, &event, &mut Vec::new())
}

fn below<'a>(pattern: &'a Value, event: &Value, path: &mut Vec<&'a str>) -> Option<Either> {
    if let Value::Array(items) = pattern {
        return of_list(items, event.as_str()?, path);
    }
    for (name, inner) in pattern.as_object()? {
        let Some(value) = event.get(name) else {
            continue;
        };
        path.push(name);
        let found = below(inner, value, path);
        path.pop();
        if found.is_some() {
            return found;
        }
    }
    None
}

fn of_list(items: &[Value], value: &str, path: &[&str]) -> Option<Either> {
    let named = |name: &str| items.iter().find_map(|it| it.get(name)?.as_str());
    // Any further member may be what holds.
    let (Some(prefix), Some(suffix), 2) = (named("prefix"), named("suffix"), items.len()) else {
        return None;
    };
    let has_prefix = value.starts_with(prefix);
    (has_prefix != value.ends_with(suffix)).then(|| Either {
        path: path.join("."),
        prefix: prefix.to_owned(),
        suffix: suffix.to_owned(),
        has_prefix,
    })
}
