//! What a target receives: the event, a constant, a part of the event, or a template filled from it.
//!
//! A value inside quotes that would break out of its JSON string fails the delivery ([`TransformError::BreaksOut`]):
//! the one place where Landfall is stricter than AWS on purpose. Never looks at what kind of target it works for.

mod json;
mod path;
mod template;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

pub use path::JsonPath;
pub use template::Template;

use crate::error::ApiError;
use crate::limits::{EVENTS_INPUT_CHARS_MAX, EVENTS_INPUT_PATH_CHARS_MAX, EVENTS_INPUT_PATHS_MAX};

/// What the target of a rule wants to receive.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum TargetInput {
    /// The whole event.
    #[default]
    Event,
    /// `Input`: this JSON text, whatever the event.
    Constant(String),
    /// `InputPath`: the part of the event that this path selects.
    Path(String),
    /// `InputTransformer`.
    Transformer {
        /// Placeholder names and the paths of their values.
        paths: Vec<(String, String)>,
        /// Text with `<name>` placeholders.
        template: String,
    },
}

impl TargetInput {
    /// From the three members of a target, of which at most one may be set.
    ///
    /// # Errors
    /// AWS's `ValidationException` when more than one is.
    pub fn from_parts(
        target_id: &str,
        input: Option<String>,
        path: Option<String>,
        transformer: Option<(Vec<(String, String)>, String)>,
    ) -> Result<Self, ApiError> {
        match (input, path, transformer) {
            (None, None, None) => Ok(Self::Event),
            (Some(text), None, None) => Ok(Self::Constant(text)),
            (None, Some(path), None) => Ok(Self::Path(path)),
            (None, None, Some((paths, template))) => Ok(Self::Transformer { paths, template }),
            _ => Err(ApiError::validation(format!(
                "Only one of Input, InputPath, or InputTransformer must be provided for target {target_id}."
            ))),
        }
    }
}

/// What the predefined placeholders say about the rule and the event's arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleContext<'a> {
    /// `aws.events.rule-arn`.
    pub rule_arn: &'a str,
    /// `aws.events.rule-name`.
    pub rule_name: &'a str,
    /// `aws.events.event.ingestion-time`, ISO 8601 UTC.
    pub ingestion_time: &'a str,
}

/// Why an event cannot be turned into what the target receives. Permanent: the same event fails again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransformError {
    /// The event's text could not be read.
    #[error("the event is not valid JSON: {0}")]
    Event(String),
    /// The path is outside the supported subset of JSONPath.
    #[error("the input path {path} cannot be followed: {why}")]
    Path {
        /// The path as written.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// `InputPath` selects nothing, so there is nothing to deliver.
    #[error("the InputPath {path} selects nothing in this event")]
    Nothing {
        /// The path as written.
        path: String,
    },
    /// The template names a placeholder that neither the map nor AWS defines.
    #[error("the InputTemplate contains the invalid placeholder <{0}>")]
    UnknownPlaceholder(String),
    /// A value inside quotes would end or reshape the JSON string around it.
    #[error(
        "the value of <{placeholder}> contains {what}, which would break out of the quoted string that the \
         placeholder stands in; {advice} the unquoted form <{placeholder}>, which carries every value intact",
        advice = if *.in_json { "use" } else { "use a JSON template with" }
    )]
    BreaksOut {
        /// The placeholder's name.
        placeholder: String,
        /// The offending kind of character.
        what: &'static str,
        /// Whether the template is a JSON template (else lines of strings).
        in_json: bool,
    },
    /// The placeholder stands behind a backslash or within `\uXXXX`, where any value would change its meaning.
    #[error(
        "<{placeholder}> stands in the middle of an escape sequence of the InputTemplate; \
         use the unquoted form <{placeholder}>, or write the backslash twice"
    )]
    InsideEscape {
        /// The placeholder's name.
        placeholder: String,
    },
    /// The filled JSON template is not JSON.
    #[error("the InputTemplate does not give valid JSON for this event: {0}")]
    NotJson(String),
    /// A line of the filled string template is not one string in double quotes.
    #[error("line {line} of the filled InputTemplate is not a string in double quotes")]
    NotQuoted {
        /// Counted from 1.
        line: usize,
    },
}

const RULE_ARN: &str = "aws.events.rule-arn";
const RULE_NAME: &str = "aws.events.rule-name";
const INGESTION_TIME: &str = "aws.events.event.ingestion-time";
const EVENT: &str = "aws.events.event";
const EVENT_JSON: &str = "aws.events.event.json";
const RESERVED: [&str; 5] = [RULE_ARN, RULE_NAME, INGESTION_TIME, EVENT, EVENT_JSON];

/// Checks a target's input as PutTargets does.
///
/// # Errors
/// `ValidationException` with AWS's texts. Paths are not judged, as on AWS: a malformed one fails its deliveries.
pub fn validate(target_id: &str, input: &TargetInput) -> Result<(), ApiError> {
    match input {
        TargetInput::Event => Ok(()),
        TargetInput::Constant(text) => {
            check_length("input", text, 0, EVENTS_INPUT_CHARS_MAX)?;
            json::check(text).map_err(|_| {
                ApiError::validation(format!(
                    "Input for target {target_id} is not a valid JSON text."
                ))
            })
        }
        TargetInput::Path(path) => check_length("inputPath", path, 0, EVENTS_INPUT_PATH_CHARS_MAX),
        TargetInput::Transformer { paths, template } => {
            check_paths(target_id, paths)?;
            check_length(
                "inputTransformer.inputTemplate",
                template,
                1,
                EVENTS_INPUT_CHARS_MAX,
            )?;
            check_placeholders(target_id, paths, template)
        }
    }
}

fn check_paths(target_id: &str, paths: &[(String, String)]) -> Result<(), ApiError> {
    if paths.len() > EVENTS_INPUT_PATHS_MAX {
        return Err(constraint(
            "inputTransformer.inputPathsMap",
            &format!("Member must have length less than or equal to {EVENTS_INPUT_PATHS_MAX}"),
        ));
    }
    for (name, path) in paths {
        check_length(
            "inputTransformer.inputPathsMap",
            name,
            1,
            EVENTS_INPUT_PATH_CHARS_MAX,
        )?;
        check_length(
            "inputTransformer.inputPathsMap",
            path,
            0,
            EVENTS_INPUT_PATH_CHARS_MAX,
        )?;
        if !name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        {
            return Err(constraint(
                "inputTransformer.inputPathsMap",
                "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: \
                 [A-Za-z0-9\\_\\-]+]",
            ));
        }
        if name.starts_with("AWS") {
            return Err(ApiError::validation(format!(
                "InputPathsMap for target {target_id} contains the reserved key {name}."
            )));
        }
    }
    Ok(())
}

fn check_placeholders(
    target_id: &str,
    paths: &[(String, String)],
    template: &str,
) -> Result<(), ApiError> {
    let is_known =
        |name: &str| RESERVED.contains(&name) || paths.iter().any(|(key, _)| key == name);
    match Template::parse(template)
        .placeholders()
        .find(|name| !is_known(name))
    {
        None => Ok(()),
        Some(name) => Err(ApiError::validation(format!(
            "InputTemplate for target {target_id} contains invalid placeholder {name}."
        ))),
    }
}

fn check_length(member: &str, text: &str, min: usize, max: usize) -> Result<(), ApiError> {
    let chars = text.chars().count();
    if chars > max {
        let text = format!("Member must have length less than or equal to {max}");
        return Err(constraint(member, &text));
    }
    if chars < min {
        let text = format!("Member must have length greater than or equal to {min}");
        return Err(constraint(member, &text));
    }
    Ok(())
}

fn constraint(member: &str, what: &str) -> ApiError {
    ApiError::validation(format!(
        "1 validation error detected: Value at '{member}' failed to satisfy constraint: {what}"
    ))
}

/// A target's input with its paths and its template taken apart: prepare once, apply to every event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prepared {
    /// The whole event.
    Event,
    /// This text.
    Constant(String),
    /// What the path selects.
    Path(JsonPath),
    /// The template, filled from the paths.
    Transformer {
        /// By placeholder name.
        paths: IndexMap<String, JsonPath>,
        /// Taken apart.
        template: Template,
    },
}

impl Prepared {
    /// Takes the input apart. Never fails: [`validate`] has judged the input when it was put.
    pub fn new(input: &TargetInput) -> Self {
        match input {
            TargetInput::Event => Self::Event,
            TargetInput::Constant(text) => Self::Constant(text.clone()),
            TargetInput::Path(path) => Self::Path(JsonPath::new(path)),
            TargetInput::Transformer { paths, template } => Self::Transformer {
                paths: paths
                    .iter()
                    .map(|(name, path)| (name.clone(), JsonPath::new(path)))
                    .collect(),
                template: Template::parse(template),
            },
        }
    }

    /// The text to deliver for this event.
    ///
    /// # Errors
    /// Any [`TransformError`]; all are permanent.
    pub fn apply(&self, event_json: &str, ctx: &RuleContext<'_>) -> Result<String, TransformError> {
        match self {
            Self::Event => Ok(event_json.to_owned()),
            Self::Constant(text) => Ok(text.clone()),
            Self::Path(path) => path
                .select(event_json)?
                .ok_or_else(|| TransformError::Nothing {
                    path: path.text().to_owned(),
                }),
            Self::Transformer { paths, template } => {
                template.fill(|name| value_of(name, paths, event_json, ctx))
            }
        }
    }
}

/// Prepares and applies in one step.
///
/// # Errors
/// Any [`TransformError`]; all are permanent.
pub fn transform(
    input: &TargetInput,
    event_json: &str,
    ctx: &RuleContext<'_>,
) -> Result<String, TransformError> {
    Prepared::new(input).apply(event_json, ctx)
}

fn value_of(
    name: &str,
    paths: &IndexMap<String, JsonPath>,
    event_json: &str,
    ctx: &RuleContext<'_>,
) -> Result<Option<String>, TransformError> {
    match name {
        RULE_ARN => Ok(Some(json::quote(ctx.rule_arn))),
        RULE_NAME => Ok(Some(json::quote(ctx.rule_name))),
        INGESTION_TIME => Ok(Some(json::quote(ctx.ingestion_time))),
        EVENT => event_without_detail(event_json).map(Some),
        EVENT_JSON => Ok(Some(json::minify(event_json))),
        _ => match paths.get(name) {
            Some(path) => path.select(event_json),
            None => Err(TransformError::UnknownPlaceholder(name.to_owned())),
        },
    }
}

/// Members of `aws.events.event` by the names they have in the event, in the order AWS writes them.
const EVENT_ORDER: [&str; 8] = [
    "id",
    "account",
    "detail-type",
    "time",
    "source",
    "region",
    "resources",
    "version",
];

fn event_without_detail(event_json: &str) -> Result<String, TransformError> {
    let bad = |why: String| TransformError::Event(why);
    let mut members = json::members(event_json.trim_ascii())
        .map_err(|e| bad(e.to_string()))?
        .ok_or_else(|| bad("it is not an object".to_owned()))?;
    members.shift_remove("detail");
    let mut written = Vec::new();
    for name in EVENT_ORDER {
        let written_as = if name == "detail-type" {
            "detailType"
        } else {
            name
        };
        written.extend(
            members
                .shift_remove(name)
                .map(|raw| member(written_as, raw)),
        );
    }
    written.extend(members.iter().map(|(name, raw)| member(name, raw)));
    Ok(format!("{{{}}}", written.join(",")))
}

fn member(name: &str, raw: &str) -> String {
    format!("{}:{}", json::quote(name), json::minify(raw))
}

#[cfg(test)]
mod tests;
