//! Gives a template's parts their values: conditions, rules, properties, outputs.
//!
//! Never knows resources itself: the [`Lookup`] answers for what exists. Never changes anything.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::error::TemplateError;
use super::functions::call;
use super::model::{Output, Resource, Template};
use super::node::{Node, Value};
use super::parameters::{Parameters, name_and_version};

/// What a change set shows for a value that is not known before the change is made.
pub const KNOWN_AFTER_APPLY: &str = "{{changeSet:KNOWN_AFTER_APPLY}}";

/// What exists outside the template. `None` always means: not there (yet).
pub trait Lookup {
    /// What `Fn::GetAtt` gives for a resource of this stack.
    fn attribute(&self, logical_id: &str, attribute: &str) -> Option<Json>;
    /// What `Ref` gives for a resource of this stack.
    fn physical_id(&self, logical_id: &str) -> Option<String>;
    /// The value that some stack exports under a name.
    fn import(&self, export_name: &str) -> Option<String>;
    /// An SSM parameter's value, by version or the latest.
    fn ssm_parameter(&self, name: &str, version: Option<u64>) -> Option<String>;
    /// The availability zones of a region.
    fn availability_zones(&self, region: &str) -> Vec<String> {
        ["a", "b", "c"]
            .iter()
            .map(|letter| format!("{region}{letter}"))
            .collect()
    }
}

/// A lookup for change sets: what does not exist yet is [`KNOWN_AFTER_APPLY`].
pub struct Planned<'a>(pub &'a dyn Lookup);

impl Lookup for Planned<'_> {
    fn attribute(&self, logical_id: &str, attribute: &str) -> Option<Json> {
        self.0
            .attribute(logical_id, attribute)
            .or_else(|| Some(Json::from(KNOWN_AFTER_APPLY)))
    }
    fn physical_id(&self, logical_id: &str) -> Option<String> {
        self.0
            .physical_id(logical_id)
            .or_else(|| Some(KNOWN_AFTER_APPLY.to_owned()))
    }
    fn import(&self, export_name: &str) -> Option<String> {
        self.0.import(export_name)
    }
    fn ssm_parameter(&self, name: &str, version: Option<u64>) -> Option<String> {
        self.0.ssm_parameter(name, version)
    }
    fn availability_zones(&self, region: &str) -> Vec<String> {
        self.0.availability_zones(region)
    }
}

/// The values of the pseudo parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pseudo {
    /// `AWS::AccountId`.
    pub account_id: String,
    /// `AWS::Region`.
    pub region: String,
    /// `AWS::Partition`.
    pub partition: String,
    /// `AWS::URLSuffix`.
    pub url_suffix: String,
    /// `AWS::StackName`.
    pub stack_name: String,
    /// `AWS::StackId`.
    pub stack_id: String,
    /// `AWS::NotificationARNs`.
    pub notification_arns: Vec<String>,
}

impl Pseudo {
    fn get(&self, name: &str) -> Option<Json> {
        Some(match name {
            "AWS::AccountId" => Json::from(self.account_id.as_str()),
            "AWS::Region" => Json::from(self.region.as_str()),
            "AWS::Partition" => Json::from(self.partition.as_str()),
            "AWS::URLSuffix" => Json::from(self.url_suffix.as_str()),
            "AWS::StackName" => Json::from(self.stack_name.as_str()),
            "AWS::StackId" => Json::from(self.stack_id.as_str()),
            "AWS::NotificationARNs" => Json::from(self.notification_arns.clone()),
            _ => return None,
        })
    }
}

/// Whether a name is one of CloudFormation's own.
pub(super) fn is_pseudo_parameter(name: &str) -> bool {
    name == "AWS::NoValue" || Pseudo::default().get(name).is_some()
}

/// Which conditions hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions(BTreeMap<String, bool>);

impl Conditions {
    /// Whether a condition holds; `None` if it is not declared.
    pub fn get(&self, name: &str) -> Option<bool> {
        self.0.get(name).copied()
    }

    /// Whether a resource is to exist.
    pub fn holds(&self, resource: &Resource) -> bool {
        resource
            .condition
            .as_ref()
            .is_none_or(|it| self.get(&it.name) == Some(true))
    }
}

/// The value of an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputValue {
    /// `OutputValue`.
    pub value: String,
    /// `ExportName`.
    pub export: Option<String>,
}

/// Everything needed to give a node its value.
pub struct Evaluator<'a> {
    pub(super) template: &'a Template,
    pub(super) parameters: &'a Parameters,
    pub(super) pseudo: &'a Pseudo,
    pub(super) lookup: &'a dyn Lookup,
    conditions: Conditions,
}

/// A value, or nothing for `AWS::NoValue`.
pub(super) type Resolved = Result<Option<Json>, TemplateError>;

impl<'a> Evaluator<'a> {
    /// Evaluates the conditions, on which everything else stands.
    ///
    /// # Errors
    /// A condition that cannot be evaluated, worded as CloudFormation does.
    pub fn new(
        template: &'a Template,
        parameters: &'a Parameters,
        pseudo: &'a Pseudo,
        lookup: &'a dyn Lookup,
    ) -> Result<Self, TemplateError> {
        let conditions = Conditions::default();
        let mut evaluator = Self {
            template,
            parameters,
            pseudo,
            lookup,
            conditions,
        };
        for name in template.conditions.keys() {
            evaluator.settle(name)?;
        }
        Ok(evaluator)
    }

    /// Which conditions hold.
    pub fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// Checks the template's rules.
    ///
    /// # Errors
    /// The assertion that fails, in its own words.
    pub fn check_rules(&self) -> Result<(), TemplateError> {
        for (name, rule) in &self.template.rules {
            if let Some(condition) = &rule.condition
                && !self.truth(condition)?
            {
                continue;
            }
            for (assert, description) in &rule.assertions {
                if !self.truth(assert)? {
                    let words = description
                        .as_deref()
                        .unwrap_or("an assertion does not hold");
                    return Err(TemplateError::at(
                        assert.span,
                        format!("Rule {name} failed: {words}"),
                    ));
                }
            }
        }
        Ok(())
    }

    /// A resource's properties with every function and dynamic reference resolved.
    ///
    /// # Errors
    /// The first function that has no value, worded as CloudFormation does.
    pub fn properties(&self, resource: &Resource) -> Result<Map<String, Json>, TemplateError> {
        let Some(node) = &resource.properties else {
            return Ok(Map::new());
        };
        match self.node(node)? {
            Some(Json::Object(mut properties)) => {
                properties
                    .values_mut()
                    .try_for_each(|value| self.dynamic(value))?;
                Ok(properties)
            }
            None => Ok(Map::new()),
            Some(_) => Err(TemplateError::format(
                node.span,
                "Properties must be an object.",
            )),
        }
    }

    /// An output's value and export name; `None` if its condition does not hold.
    ///
    /// # Errors
    /// As [`Self::properties`], and for values that are no string.
    pub fn output(&self, output: &Output) -> Result<Option<OutputValue>, TemplateError> {
        let condition = output.condition.as_ref();
        if condition.is_some_and(|it| self.conditions.get(&it.name) != Some(true)) {
            return Ok(None);
        }
        let value = self.text(&output.value, "The Value field of every Outputs member")?;
        let export = output.export.as_ref();
        let export = export.map(|name| self.text(name, "The Name field of every Export member"));
        Ok(Some(OutputValue {
            value,
            export: export.transpose()?,
        }))
    }

    /// The value of any node; `None` for `AWS::NoValue`.
    ///
    /// # Errors
    /// As [`Self::properties`].
    pub fn node(&self, node: &Node) -> Result<Option<Json>, TemplateError> {
        if let Some((name, argument)) = node.function()
            && (name != "Condition"
                || self
                    .conditions
                    .get(argument.as_str().unwrap_or(""))
                    .is_some())
        {
            return call(self, name, argument).map_err(|error| error.or_at(node.span));
        }
        match &node.value {
            Value::List(items) => self.list(items).map(|items| Some(Json::Array(items))),
            Value::Map(entries) => {
                let mut map = Map::new();
                for entry in entries {
                    if let Some(value) = self.node(&entry.value)? {
                        map.insert(entry.key.clone(), value);
                    }
                }
                Ok(Some(Json::Object(map)))
            }
            _ => Ok(Some(node.to_json())),
        }
    }

    /// The values of a list's items, those that are `AWS::NoValue` left out.
    pub(super) fn list(&self, items: &[Node]) -> Result<Vec<Json>, TemplateError> {
        items
            .iter()
            .filter_map(|item| self.node(item).transpose())
            .collect()
    }

    /// A node's value as a string.
    pub(super) fn text(&self, node: &Node, what: &str) -> Result<String, TemplateError> {
        if node.function().is_none()
            && let Some(text) = node.scalar_text()
        {
            return Ok(text);
        }
        let value = self.node(node)?;
        value
            .as_ref()
            .and_then(super::loose::as_string_loose)
            .ok_or_else(|| {
                TemplateError::format(node.span, format_args!("{what} must evaluate to a String."))
            })
    }

    /// A node's value as a boolean.
    pub(super) fn truth(&self, node: &Node) -> Result<bool, TemplateError> {
        let value = self.node(node)?;
        value
            .as_ref()
            .and_then(super::loose::as_bool_loose)
            .ok_or_else(|| {
                TemplateError::template(node.span, "every condition must evaluate to a boolean")
            })
    }

    /// What `Ref` gives.
    pub(super) fn reference(&self, name: &str) -> Resolved {
        if name == "AWS::NoValue" {
            return Ok(None);
        }
        if let Some(parameter) = self.parameters.get(name) {
            return Ok(Some(parameter.value.clone()));
        }
        let resource = || {
            let resource = self.template.resource(name)?;
            let exists = self.conditions.holds(resource);
            exists
                .then(|| self.lookup.physical_id(name).map(Json::from))
                .flatten()
        };
        self.pseudo
            .get(name)
            .or_else(resource)
            .map(Some)
            .ok_or_else(|| unresolved(name))
    }

    /// What `Fn::GetAtt` gives.
    pub(super) fn attribute(&self, logical_id: &str, attribute: &str) -> Resolved {
        let exists = self
            .template
            .resource(logical_id)
            .is_some_and(|it| self.conditions.holds(it));
        if !exists {
            return Err(unresolved(logical_id));
        }
        self.lookup.attribute(logical_id, attribute).map(Some).ok_or_else(|| {
            TemplateError::new(format!(
                "Template error: resource {logical_id} does not support attribute type {attribute} \
                 in Fn::GetAtt"
            ))
        })
    }

    /// Evaluates a condition after those it stands on. The check has ruled out circles.
    fn settle(&mut self, name: &str) -> Result<bool, TemplateError> {
        if let Some(known) = self.conditions.get(name) {
            return Ok(known);
        }
        let template = self.template;
        let Some(node) = template.conditions.get(name) else {
            return Err(TemplateError::new(format!(
                "Template error: unresolved condition dependency {name}"
            )));
        };
        for reference in super::references::references(node) {
            if let super::references::Target::Condition(needed) = reference.target {
                self.settle(&needed)?;
            }
        }
        let holds = self.truth(node)?;
        self.conditions.0.insert(name.to_owned(), holds);
        Ok(holds)
    }

    /// Replaces `{{resolve:ssm:…}}` in every string below a value.
    fn dynamic(&self, value: &mut Json) -> Result<(), TemplateError> {
        match value {
            Json::String(text) if text.contains("{{resolve:") => {
                *text = self.dynamic_text(text)?;
                Ok(())
            }
            Json::Array(items) => items.iter_mut().try_for_each(|item| self.dynamic(item)),
            Json::Object(map) => map.values_mut().try_for_each(|item| self.dynamic(item)),
            _ => Ok(()),
        }
    }

    fn dynamic_text(&self, text: &str) -> Result<String, TemplateError> {
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{resolve:") {
            let Some((reference, behind)) = after.split_once("}}") else {
                break;
            };
            result.push_str(before);
            result.push_str(&self.dynamic_value(reference)?);
            rest = behind;
        }
        result.push_str(rest);
        Ok(result)
    }

    fn dynamic_value(&self, reference: &str) -> Result<String, TemplateError> {
        let name = reference
            .strip_prefix("ssm:")
            .or_else(|| reference.strip_prefix("ssm-secure:"));
        let Some(name) = name else {
            return Err(TemplateError::new(format!(
                "Template error: the dynamic reference {{{{resolve:{reference}}}}} is not supported; \
                 ssm and ssm-secure are"
            )));
        };
        let (path, version) = name_and_version(name);
        self.lookup.ssm_parameter(path, version).ok_or_else(|| {
            TemplateError::new(format!(
                "Parameters: [{reference}] could not be resolved: no such parameter in SSM"
            ))
        })
    }
}

fn unresolved(name: &str) -> TemplateError {
    TemplateError::new(format!(
        "Template format error: Unresolved resource dependencies [{name}] in the Resources block of \
         the template"
    ))
}
