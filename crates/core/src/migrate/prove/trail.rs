//! Which calls a trail logs, with every value resolved.
//!
//! Knows data events of S3 objects only.

use serde_json::Value;

use super::upload::Upload;
use crate::migrate::facts::OBJECT;
use crate::template::as_bool_loose;

/// One trail.
pub(super) struct Trail {
    is_logging: bool,
    basic: Vec<Basic>,
    advanced: Vec<Vec<Field>>,
}

struct Basic {
    reads: bool,
    writes: bool,
    prefixes: Vec<String>,
}

struct Field {
    name: String,
    tests: Vec<(String, Vec<String>)>,
}

impl Trail {
    /// From the properties that CloudFormation has for it.
    pub(super) fn new(properties: &Value) -> Self {
        let list = |name: &str| {
            let items = properties.get(name).and_then(Value::as_array);
            items.map_or(&[][..], Vec::as_slice)
        };
        let logging = properties.get("IsLogging").and_then(as_bool_loose);
        Self {
            is_logging: logging != Some(false),
            basic: list("EventSelectors").iter().map(basic).collect(),
            advanced: list("AdvancedEventSelectors")
                .iter()
                .map(advanced)
                .collect(),
        }
    }

    pub(super) fn logs_objects(&self) -> bool {
        let is_about = |fields: &Vec<Field>| {
            fields
                .iter()
                .any(|it| it.name == "resources.type" && it.holds(OBJECT))
        };
        self.basic.iter().any(|it| !it.prefixes.is_empty()) || self.advanced.iter().any(is_about)
    }

    /// The objects that it logs, as `bucket/key-prefix`.
    pub(super) fn prefixes(&self) -> impl Iterator<Item = &str> {
        let basic = self.basic.iter().flat_map(|it| &it.prefixes);
        let advanced = self
            .advanced
            .iter()
            .flatten()
            .filter(|it| it.name == "resources.ARN")
            .flat_map(|it| it.tests.iter().flat_map(|(_, values)| values));
        basic
            .chain(advanced)
            .filter_map(|it| it.strip_prefix("arn:aws:s3:::"))
    }

    /// Whether it logs a call on the object of an upload.
    pub(super) fn logs(&self, event_name: &str, is_read: bool, upload: &Upload) -> bool {
        let arn = format!("arn:aws:s3:::{}/{}", upload.bucket, upload.key);
        let by_basic = |it: &Basic| {
            (if is_read { it.reads } else { it.writes })
                && it.prefixes.iter().any(|prefix| covers(prefix, &arn))
        };
        let value = |name: &str| match name {
            "eventCategory" => Some("Data"),
            "resources.type" => Some(OBJECT),
            "resources.ARN" => Some(arn.as_str()),
            "eventName" => Some(event_name),
            "readOnly" => Some(if is_read { "true" } else { "false" }),
            _ => None,
        };
        let by_advanced = |fields: &Vec<Field>| {
            let is_data = fields
                .iter()
                .any(|it| it.name == "eventCategory" && it.holds("Data"));
            is_data
                && fields
                    .iter()
                    .all(|it| value(&it.name).is_some_and(|v| it.holds(v)))
        };
        self.is_logging
            && (self.basic.iter().any(by_basic) || self.advanced.iter().any(by_advanced))
    }
}

/// Whether a selector, basic or advanced, takes calls of a name.
pub(crate) fn takes_name(selector: &Value, event_name: &str) -> bool {
    let fields = advanced(selector);
    let mut named = fields.iter().filter(|it| it.name == "eventName");
    named.all(|it| it.holds(event_name))
}

/// Whether a value of a basic selector covers an object. A bucket's ARN without the slash covers none.
fn covers(prefix: &str, arn: &str) -> bool {
    let is_all = matches!(prefix, "arn:aws:s3" | "arn:aws:s3:::");
    is_all || (prefix.contains('/') && arn.starts_with(prefix))
}

fn strings(value: Option<&Value>) -> Vec<String> {
    let items = value.and_then(Value::as_array).into_iter().flatten();
    items
        .map(|it| it.as_str().map_or_else(|| it.to_string(), str::to_owned))
        .collect()
}

fn basic(selector: &Value) -> Basic {
    let kind = selector.get("ReadWriteType").and_then(Value::as_str);
    let resources = selector.get("DataResources").and_then(Value::as_array);
    let objects = resources
        .into_iter()
        .flatten()
        .filter(|it| it.get("Type").and_then(Value::as_str) == Some(OBJECT));
    Basic {
        reads: kind != Some("WriteOnly"),
        writes: kind != Some("ReadOnly"),
        prefixes: objects.flat_map(|it| strings(it.get("Values"))).collect(),
    }
}

fn advanced(selector: &Value) -> Vec<Field> {
    let fields = selector.get("FieldSelectors").and_then(Value::as_array);
    let read = |field: &Value| Field {
        name: field
            .get("Field")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        tests: field
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, _)| *name != "Field")
            .map(|(name, values)| (name.clone(), strings(Some(values))))
            .collect(),
    };
    fields.into_iter().flatten().map(read).collect()
}

impl Field {
    /// Positive operators widen one another, negative ones each narrow.
    fn holds(&self, value: &str) -> bool {
        let any = |values: &[String], test: &dyn Fn(&str) -> bool| values.iter().any(|it| test(it));
        let met = |name: &str, values: &[String]| match name.trim_start_matches("Not") {
            "Equals" => any(values, &|it| value == it),
            "StartsWith" => any(values, &|it| value.starts_with(it)),
            "EndsWith" => any(values, &|it| value.ends_with(it)),
            _ => false,
        };
        let mut is_asked = false;
        let mut is_met = false;
        for (name, values) in &self.tests {
            let met = met(name, values);
            if name.starts_with("Not") {
                if met {
                    return false;
                }
            } else {
                is_asked = true;
                is_met |= met;
            }
        }
        is_met || !is_asked
    }
}
