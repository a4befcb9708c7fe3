//! Checks what the parts of a template say about one another: references, conditions, circles, types, capabilities.
//!
//! Never evaluates: a reference counts whether or not its branch is taken.

use std::collections::BTreeSet;

use super::error::{Names, TemplateError};
use super::evaluate::is_pseudo_parameter;
use super::graph::Graph;
use super::model::{Named, Template};
use super::node::{Node, Span};
use super::references::{Reference, Target, references};
use super::schema;

/// Everything that the text alone can tell.
pub(super) fn check(template: &Template) -> Result<(), TemplateError> {
    check_conditions(template)?;
    check_resources(template)?;
    check_outputs(template)?;
    Graph::of_all(template).waves().map(drop)
}

impl Template {
    /// Checks resource types and the attributes asked of them.
    ///
    /// # Errors
    /// `Template format error: Unrecognized resource types: […]` for types that `known` refuses (custom resources
    /// always pass), `Template error: resource X does not support attribute type Y in Fn::GetAtt`.
    pub fn check_types(&self, known: impl Fn(&str) -> bool) -> Result<(), TemplateError> {
        let strange =
            |resource_type: &str| !schema::is_custom(resource_type) && !known(resource_type);
        let unknown: Vec<_> = self
            .resources
            .values()
            .filter(|it| strange(&it.resource_type))
            .collect();
        if let Some(first) = unknown.first() {
            let names: BTreeSet<&str> =
                unknown.iter().map(|it| it.resource_type.as_str()).collect();
            let names: Vec<&str> = names.into_iter().collect();
            return Err(TemplateError::format(
                first.type_span,
                format_args!("Unrecognized resource types: {}", Names(&names)),
            ));
        }
        self.values()
            .flat_map(references)
            .try_for_each(|reference| self.check_attribute(&reference))
    }

    fn check_attribute(&self, reference: &Reference) -> Result<(), TemplateError> {
        let Target::Attribute(id, attribute) = &reference.target else {
            return Ok(());
        };
        let Some(resource) = self.resource(id) else {
            return Ok(());
        };
        if attribute.is_empty() || schema::has_attribute(&resource.resource_type, attribute) {
            return Ok(());
        }
        Err(TemplateError::template(
            reference.span,
            format_args!("resource {id} does not support attribute type {attribute} in Fn::GetAtt"),
        ))
    }

    /// The capabilities that a caller has to acknowledge: `CAPABILITY_IAM` or `CAPABILITY_NAMED_IAM`, if any.
    pub fn required_capability(&self) -> Option<&'static str> {
        let named = |resource_type: &str| match resource_type {
            "AWS::IAM::Role" => Some("RoleName"),
            "AWS::IAM::ManagedPolicy" => Some("ManagedPolicyName"),
            "AWS::IAM::InstanceProfile" => Some("InstanceProfileName"),
            "AWS::IAM::User" => Some("UserName"),
            "AWS::IAM::Group" => Some("GroupName"),
            "AWS::IAM::Policy" | "AWS::IAM::AccessKey" | "AWS::IAM::UserToGroupAddition" => {
                Some("")
            }
            _ => None,
        };
        let needs = self.resources.values().filter_map(|resource| {
            let name = named(&resource.resource_type)?;
            Some(
                resource
                    .properties
                    .as_ref()
                    .is_some_and(|it| it.get(name).is_some()),
            )
        });
        needs.max().map(|named| {
            if named {
                "CAPABILITY_NAMED_IAM"
            } else {
                "CAPABILITY_IAM"
            }
        })
    }

    /// Every node that is evaluated for the stack: properties, metadata and outputs.
    fn values(&self) -> impl Iterator<Item = &Node> {
        let resources = self
            .resources
            .values()
            .flat_map(|it| it.properties.iter().chain(&it.metadata));
        let outputs = self
            .outputs
            .values()
            .flat_map(|it| [&it.value].into_iter().chain(&it.export));
        resources.chain(outputs)
    }
}

fn check_conditions(template: &Template) -> Result<(), TemplateError> {
    for node in template.conditions.values() {
        for reference in references(node) {
            match &reference.target {
                Target::Name(name) if !is_value(template, name) => {
                    return Err(TemplateError::format(
                        reference.span,
                        format_args!(
                            "Unresolved dependencies [{name}]. Cannot reference resources in the \
                             Conditions block of the template"
                        ),
                    ));
                }
                Target::Condition(name) if !template.conditions.contains_key(name) => {
                    return Err(TemplateError::format(
                        reference.span,
                        format_args!(
                            "Unresolved condition dependency {name} in the Conditions block of the \
                             template"
                        ),
                    ));
                }
                _ => {}
            }
        }
    }
    check_condition_circles(template)
}

// Strikes out conditions that need only struck-out ones; what stays is a circle.
fn check_condition_circles(template: &Template) -> Result<(), TemplateError> {
    let mut left: Vec<(&String, Vec<String>)> = template
        .conditions
        .iter()
        .map(|(name, node)| (name, conditions_of(node)))
        .collect();
    while !left.is_empty() {
        let names: BTreeSet<&str> = left.iter().map(|(name, _)| name.as_str()).collect();
        let before = left.len();
        let names = names
            .into_iter()
            .map(str::to_owned)
            .collect::<BTreeSet<String>>();
        left.retain(|(_, needs)| needs.iter().any(|need| names.contains(need)));
        if left.len() == before {
            let names: Vec<String> = names.into_iter().collect();
            return Err(TemplateError::new(format!(
                "Template format error: Circular dependency between conditions: {}",
                Names(&names)
            )));
        }
    }
    Ok(())
}

fn conditions_of(node: &Node) -> Vec<String> {
    let names = references(node)
        .into_iter()
        .filter_map(|reference| match reference.target {
            Target::Condition(name) => Some(name),
            _ => None,
        });
    names.collect()
}

fn check_resources(template: &Template) -> Result<(), TemplateError> {
    let mut unresolved = Vec::new();
    for resource in template.resources.values() {
        check_condition(template, resource.condition.as_ref())?;
        let lost = |it: &&Named| !template.resources.contains_key(&it.name);
        let lost = resource.depends_on.iter().filter(lost);
        unresolved.extend(lost.map(|it| (it.name.clone(), it.span)));
        for node in resource.properties.iter().chain(&resource.metadata) {
            check_references(template, node, &mut unresolved)?;
        }
    }
    refuse_unresolved(unresolved, "Resources")
}

fn check_outputs(template: &Template) -> Result<(), TemplateError> {
    let mut unresolved = Vec::new();
    for (name, output) in &template.outputs {
        check_condition(template, output.condition.as_ref())?;
        check_references(template, &output.value, &mut unresolved)?;
        if let Some(export) = &output.export {
            check_export(template, name, export)?;
        }
    }
    refuse_unresolved(unresolved, "Outputs")
}

fn check_export(template: &Template, output: &str, export: &Node) -> Result<(), TemplateError> {
    let depends = references(export)
        .into_iter()
        .any(|reference| match &reference.target {
            Target::Name(name) => !is_value(template, name),
            Target::Attribute(..) => true,
            Target::Condition(_) | Target::Mapping(_) => false,
        });
    if !depends {
        return Ok(());
    }
    Err(TemplateError::format(
        export.span,
        format_args!(
            "Output {output} is malformed. The Name field of Export must not depend on any \
             resources, imported values, or Fn::GetAZs."
        ),
    ))
}

fn check_condition(template: &Template, condition: Option<&Named>) -> Result<(), TemplateError> {
    match condition {
        Some(Named { name, span }) if !template.conditions.contains_key(name) => {
            Err(TemplateError::format(
                *span,
                format_args!(
                    "Unresolved condition dependency {name} in the Resources block of the template"
                ),
            ))
        }
        _ => Ok(()),
    }
}

fn check_references(
    template: &Template,
    node: &Node,
    unresolved: &mut Vec<(String, Span)>,
) -> Result<(), TemplateError> {
    for Reference { target, span } in references(node) {
        match target {
            Target::Name(name)
                if !is_value(template, &name) && !template.resources.contains_key(&name) =>
            {
                unresolved.push((name, span));
            }
            Target::Attribute(id, _) if !template.resources.contains_key(&id) => {
                return Err(TemplateError::template(
                    span,
                    format_args!("instance of Fn::GetAtt references undefined resource {id}"),
                ));
            }
            Target::Condition(name) if !template.conditions.contains_key(&name) => {
                return Err(TemplateError::template(
                    span,
                    format_args!("unresolved condition dependency {name} in Fn::If"),
                ));
            }
            Target::Mapping(name) if !template.mappings.contains_key(&name) => {
                return Err(TemplateError::template(
                    span,
                    format_args!(
                        "Mapping named '{name}' is not present in the 'Mappings' section of template."
                    ),
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_value(template: &Template, name: &str) -> bool {
    template.parameters.contains_key(name) || is_pseudo_parameter(name)
}

fn refuse_unresolved(unresolved: Vec<(String, Span)>, block: &str) -> Result<(), TemplateError> {
    let Some((_, span)) = unresolved.first().cloned() else {
        return Ok(());
    };
    let names: BTreeSet<String> = unresolved.into_iter().map(|(name, _)| name).collect();
    let names: Vec<String> = names.into_iter().collect();
    Err(TemplateError::format(
        span,
        format_args!(
            "Unresolved resource dependencies {} in the {block} block of the template",
            Names(&names)
        ),
    ))
}
