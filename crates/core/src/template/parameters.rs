//! Turns what a caller supplies, what the stack had before and what the template declares into parameter values.
//!
//! Never fetches an SSM parameter itself: the [`Lookup`] does.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::Value;

use super::error::{Names, TemplateError};
use super::evaluate::Lookup;
use super::model::{ParameterDeclaration, Template};

/// What a caller says about one parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Supply {
    /// `ParameterValue`.
    Value(String),
    /// `UsePreviousValue`.
    Previous,
}

/// One parameter with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// As supplied: what DescribeStacks shows and what the next update keeps. For SSM types the SSM name.
    pub supplied: String,
    /// What `Ref` gives: a string, or a list of strings for list types.
    pub value: Value,
    /// For SSM types, the value fetched: `ResolvedValue` of DescribeStacks.
    pub resolved: Option<String>,
    /// Whether it is shown as `****`.
    pub no_echo: bool,
}

/// All parameters of a stack, by name in the order of the template.
pub type Parameters = IndexMap<String, Parameter>;

impl Template {
    /// Finds and checks the value of every parameter.
    ///
    /// `previous` holds the `supplied` texts of the stack as it is; empty for a new one.
    ///
    /// # Errors
    /// CloudFormation's words for unknown, missing and ill-fitting values, and for SSM parameters that are not there.
    pub fn resolve_parameters(
        &self,
        supplied: &BTreeMap<String, Supply>,
        previous: &BTreeMap<String, String>,
        lookup: &dyn Lookup,
    ) -> Result<Parameters, TemplateError> {
        self.refuse_unknown(supplied)?;
        let mut missing = Vec::new();
        let mut parameters = Parameters::new();
        for (name, declared) in &self.parameters {
            let text = match supplied.get(name) {
                Some(Supply::Value(text)) => Some(text.clone()),
                Some(Supply::Previous) => Some(previous_value(name, previous)?),
                None => declared.default.clone(),
            };
            match text {
                Some(text) => {
                    parameters.insert(name.clone(), resolve(name, declared, text, lookup)?);
                }
                None => missing.push(name.as_str()),
            }
        }
        if missing.is_empty() {
            return Ok(parameters);
        }
        Err(TemplateError::new(format!(
            "Parameters: {} must have values",
            Names(&missing)
        )))
    }

    fn refuse_unknown(&self, supplied: &BTreeMap<String, Supply>) -> Result<(), TemplateError> {
        let unknown: Vec<&String> = supplied
            .keys()
            .filter(|name| !self.parameters.contains_key(*name))
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let unknown = Names(&unknown);
        Err(TemplateError::new(format!(
            "Parameters: {unknown} do not exist in the template"
        )))
    }
}

fn previous_value(
    name: &str,
    previous: &BTreeMap<String, String>,
) -> Result<String, TemplateError> {
    previous.get(name).cloned().ok_or_else(|| {
        TemplateError::new(format!(
            "Invalid input for parameter key {name}. Cannot specify usePreviousValue as true for a \
             parameter key not in the previous template"
        ))
    })
}

/// What kind of value a type's name stands for.
enum Kind<'a> {
    Text,
    Number,
    Texts,
    Numbers,
    Stored(&'a str),
}

fn kind(parameter_type: &str) -> Option<Kind<'_>> {
    let inside = |prefix: &str| parameter_type.strip_prefix(prefix)?.strip_suffix('>');
    if let Some(inner) = inside("AWS::SSM::Parameter::Value<") {
        return Some(Kind::Stored(inner));
    }
    match (parameter_type, inside("List<")) {
        ("String", _) => Some(Kind::Text),
        ("Number", _) => Some(Kind::Number),
        ("CommaDelimitedList", _) => Some(Kind::Texts),
        (_, Some("Number")) => Some(Kind::Numbers),
        (_, Some(inner)) if inner == "String" || is_aws_type(inner) => Some(Kind::Texts),
        (other, None) if is_aws_type(other) => Some(Kind::Text),
        _ => None,
    }
}

fn is_aws_type(name: &str) -> bool {
    const KNOWN: &[&str] = &[
        "AWS::EC2::AvailabilityZone::Name",
        "AWS::EC2::Image::Id",
        "AWS::EC2::Instance::Id",
        "AWS::EC2::KeyPair::KeyName",
        "AWS::EC2::SecurityGroup::GroupName",
        "AWS::EC2::SecurityGroup::Id",
        "AWS::EC2::Subnet::Id",
        "AWS::EC2::VPC::Id",
        "AWS::EC2::Volume::Id",
        "AWS::Route53::HostedZone::Id",
        "AWS::SSM::Parameter::Name",
    ];
    KNOWN.contains(&name)
}

/// Refuses types that CloudFormation does not know.
pub(super) fn check_types(template: &Template) -> Result<(), TemplateError> {
    for (name, declared) in &template.parameters {
        let known = match kind(&declared.parameter_type) {
            Some(Kind::Stored(inner)) => kind(inner).is_some(),
            other => other.is_some(),
        };
        if !known {
            return Err(TemplateError::format(
                declared.span,
                format_args!(
                    "Unrecognized parameter type: {} (parameter {name})",
                    declared.parameter_type
                ),
            ));
        }
    }
    Ok(())
}

fn resolve(
    name: &str,
    declared: &ParameterDeclaration,
    supplied: String,
    lookup: &dyn Lookup,
) -> Result<Parameter, TemplateError> {
    check(name, declared, &supplied).map_err(|error| error.or_at(declared.span))?;
    let mut parameter = Parameter {
        value: value(&declared.parameter_type, &supplied),
        supplied,
        resolved: None,
        no_echo: declared.no_echo,
    };
    if let Some(Kind::Stored(inner)) = kind(&declared.parameter_type) {
        let found = stored(&parameter.supplied, lookup)?;
        parameter.value = value(inner, &found);
        parameter.resolved = Some(found);
    }
    Ok(parameter)
}

fn stored(name: &str, lookup: &dyn Lookup) -> Result<String, TemplateError> {
    let (path, version) = name_and_version(name);
    lookup.ssm_parameter(path, version).ok_or_else(|| {
        TemplateError::new(format!(
            "Unable to fetch parameters [{name}] from parameter store for this account."
        ))
    })
}

/// Cuts `name:3` into name and version.
pub(super) fn name_and_version(name: &str) -> (&str, Option<u64>) {
    match name.rsplit_once(':') {
        Some((path, version)) if version.parse::<u64>().is_ok() => (path, version.parse().ok()),
        _ => (name, None),
    }
}

fn value(parameter_type: &str, text: &str) -> Value {
    match kind(parameter_type) {
        Some(Kind::Texts | Kind::Numbers) => items(text).map(Value::from).collect(),
        _ => Value::from(text),
    }
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    let parts = if text.is_empty() {
        None
    } else {
        Some(text.split(',').map(str::trim))
    };
    parts.into_iter().flatten()
}

fn check(name: &str, declared: &ParameterDeclaration, text: &str) -> Result<(), TemplateError> {
    let list = matches!(
        kind(&declared.parameter_type),
        Some(Kind::Texts | Kind::Numbers)
    );
    let values: Vec<&str> = if list {
        items(text).collect()
    } else {
        vec![text]
    };
    let broken = values
        .iter()
        .find_map(|value| broken_constraint(declared, value).transpose());
    match broken.transpose()? {
        None => Ok(()),
        Some(broken) => Err(TemplateError::new(match &declared.constraint_description {
            Some(described) => {
                format!("Parameter {name} failed to satisfy constraint: {described}")
            }
            None => format!("Parameter '{name}' {broken}"),
        })),
    }
}

/// The constraint that a value breaks, worded to follow the parameter's name.
fn broken_constraint(
    declared: &ParameterDeclaration,
    text: &str,
) -> Result<Option<String>, TemplateError> {
    if declared
        .allowed_values
        .as_ref()
        .is_some_and(|allowed| !allowed.iter().any(|it| it == text))
    {
        return Ok(Some("must be one of AllowedValues".to_owned()));
    }
    if let Some(pattern) = &declared.allowed_pattern
        && !matches(pattern, text)?
    {
        return Ok(Some(format!("must match pattern {pattern}")));
    }
    let length = text.chars().count();
    if let Some(min) = declared.min_length.filter(|min| length < *min) {
        return Ok(Some(format!("must contain at least {min} characters")));
    }
    if let Some(max) = declared.max_length.filter(|max| length > *max) {
        return Ok(Some(format!("must contain at most {max} characters")));
    }
    Ok(broken_number(declared, text))
}

fn broken_number(declared: &ParameterDeclaration, text: &str) -> Option<String> {
    if !matches!(
        kind(&declared.parameter_type),
        Some(Kind::Number | Kind::Numbers)
    ) {
        return None;
    }
    let Some(number) = text
        .trim()
        .parse::<f64>()
        .ok()
        .filter(|number| number.is_finite())
    else {
        return Some("must be a number".to_owned());
    };
    if let Some(min) = declared.min_value.filter(|min| number < *min) {
        return Some(format!("must be a number not less than {min}"));
    }
    let max = declared.max_value.filter(|max| number > *max)?;
    Some(format!("must be a number not greater than {max}"))
}

// Lookaheads are common in these patterns (passwords), hence the backtracking engine; it gives up at a bound.
fn matches(pattern: &str, text: &str) -> Result<bool, TemplateError> {
    let fault = |_| {
        TemplateError::new(format!(
            "Template format error: AllowedPattern {pattern} is not a usable regular expression"
        ))
    };
    let whole = fancy_regex::Regex::new(&format!("^(?:{pattern})$")).map_err(fault)?;
    whole.is_match(text).map_err(fault)
}
