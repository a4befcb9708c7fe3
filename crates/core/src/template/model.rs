//! A template's sections as types: parameters, mappings, conditions, resources, outputs, rules.
//!
//! Reads the sections and their members' shapes. References between them are the concern of `check`, values that of
//! `evaluate`.

use indexmap::IndexMap;

use super::error::{Names, TemplateError};
use super::node::{Entry, Node, Span, Value};
use crate::limits;

/// A template that has passed every check that needs no more than its text.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// The whole text as a tree.
    pub root: Node,
    /// `Description`.
    pub description: Option<String>,
    /// `Metadata`.
    pub metadata: Option<Node>,
    /// `Parameters`, in the order of the text like all that follow.
    pub parameters: IndexMap<String, ParameterDeclaration>,
    /// `Rules`.
    pub rules: IndexMap<String, Rule>,
    /// `Mappings`.
    pub mappings: IndexMap<String, Node>,
    /// `Conditions`.
    pub conditions: IndexMap<String, Node>,
    /// `Resources`.
    pub resources: IndexMap<String, Resource>,
    /// `Outputs`.
    pub outputs: IndexMap<String, Output>,
}

/// One declared parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterDeclaration {
    /// `String`, `Number`, `CommaDelimitedList`, `List<…>`, `AWS::SSM::Parameter::Value<…>`, `AWS::EC2::VPC::Id`, ….
    pub parameter_type: String,
    /// `Default`.
    pub default: Option<String>,
    /// `Description`.
    pub description: Option<String>,
    /// `NoEcho`: the value is shown as `****`.
    pub no_echo: bool,
    /// `AllowedValues`.
    pub allowed_values: Option<Vec<String>>,
    /// `AllowedPattern`, which must match the whole value.
    pub allowed_pattern: Option<String>,
    /// `MinLength` in characters.
    pub min_length: Option<usize>,
    /// `MaxLength` in characters.
    pub max_length: Option<usize>,
    /// `MinValue`.
    pub min_value: Option<f64>,
    /// `MaxValue`.
    pub max_value: Option<f64>,
    /// `ConstraintDescription`, shown instead of the constraint.
    pub constraint_description: Option<String>,
    /// Where it stands.
    pub span: Span,
}

/// One declared resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// `Type`.
    pub resource_type: String,
    /// Where the type stands.
    pub type_span: Span,
    /// `Properties`, not evaluated.
    pub properties: Option<Node>,
    /// `DependsOn`.
    pub depends_on: Vec<Named>,
    /// `Condition`.
    pub condition: Option<Named>,
    /// `DeletionPolicy`.
    pub deletion_policy: Policy,
    /// `UpdateReplacePolicy`.
    pub update_replace_policy: Policy,
    /// `Metadata`, not evaluated.
    pub metadata: Option<Node>,
    /// Where it stands.
    pub span: Span,
}

/// What becomes of a resource that the stack lets go of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// It is deleted.
    #[default]
    Delete,
    /// It stays.
    Retain,
    /// It stays, unless its own creation failed.
    RetainExceptOnCreate,
    /// A snapshot is taken, where the type has snapshots; else it is deleted.
    Snapshot,
}

/// A name and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The name.
    pub name: String,
    /// Where.
    pub span: Span,
}

/// One declared output.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// `Value`, not evaluated.
    pub value: Node,
    /// `Description`.
    pub description: Option<String>,
    /// `Export.Name`, not evaluated.
    pub export: Option<Node>,
    /// `Condition`.
    pub condition: Option<Named>,
    /// Where it stands.
    pub span: Span,
}

/// One rule over the parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// `RuleCondition`: the rule counts only if it holds.
    pub condition: Option<Node>,
    /// `Assertions`: `Assert` and `AssertDescription`.
    pub assertions: Vec<(Node, Option<String>)>,
}

const SECTIONS: &[&str] = &[
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Rules",
    "Transform",
];

const RESOURCE_MEMBERS: &[&str] = &[
    "Condition",
    "CreationPolicy",
    "DeletionPolicy",
    "DependsOn",
    "Description",
    "Metadata",
    "Properties",
    "Type",
    "UpdatePolicy",
    "UpdateReplacePolicy",
];

impl Template {
    /// A declared resource.
    pub fn resource(&self, logical_id: &str) -> Option<&Resource> {
        self.resources.get(logical_id)
    }

    /// Reads the sections of a document.
    pub(super) fn read(root: Node) -> Result<Self, TemplateError> {
        let Some(sections) = root.entries() else {
            return Err(TemplateError::format(root.span, "unsupported structure."));
        };
        refuse_unknown(sections)?;
        refuse_nulls(&root, &mut String::new())?;
        refuse_transforms(&root)?;
        check_version(&root)?;
        let resources = section(
            &root,
            "Resources",
            limits::CLOUDFORMATION_RESOURCES_MAX,
            resource,
        )?;
        if resources.is_empty() {
            return Err(TemplateError::format(
                root.span,
                "At least one Resources member must be defined.",
            ));
        }
        let node = |_: &str, node: &Node| Ok(node.clone());
        let items = limits::CLOUDFORMATION_SECTION_ITEMS_MAX;
        Ok(Self {
            description: description(&root)?,
            metadata: root.get("Metadata").cloned(),
            parameters: section(&root, "Parameters", items, parameter)?,
            rules: section(&root, "Rules", items, rule)?,
            mappings: section(&root, "Mappings", items, mapping)?,
            conditions: section(&root, "Conditions", items, node)?,
            resources,
            outputs: section(&root, "Outputs", items, output)?,
            root,
        })
    }
}

fn section<T>(
    root: &Node,
    name: &str,
    max: usize,
    read: impl Fn(&str, &Node) -> Result<T, TemplateError>,
) -> Result<IndexMap<String, T>, TemplateError> {
    let Some(node) = root.get(name) else {
        return Ok(IndexMap::new());
    };
    let entries = map(node, name)?;
    if entries.len() > max {
        let (count, section) = (entries.len(), name.to_lowercase());
        return Err(TemplateError::format(
            node.span,
            format_args!("Number of {section}, {count}, is greater than maximum allowed, {max}"),
        ));
    }
    let mut members = IndexMap::with_capacity(entries.len());
    for entry in entries {
        check_name(name, entry)?;
        members.insert(entry.key.clone(), read(&entry.key, &entry.value)?);
    }
    Ok(members)
}

fn map<'a>(node: &'a Node, path: &str) -> Result<&'a [Entry], TemplateError> {
    node.entries().ok_or_else(|| {
        TemplateError::format(
            node.span,
            format_args!("[/{path}] {path} must be an object."),
        )
    })
}

fn check_name(section: &str, entry: &Entry) -> Result<(), TemplateError> {
    let kind = section.trim_end_matches('s');
    let fits = entry.key.chars().all(|c| c.is_ascii_alphanumeric()) && !entry.key.is_empty();
    if fits || section == "Conditions" {
        return Ok(());
    }
    let name = &entry.key;
    Err(TemplateError::format(
        entry.key_span,
        format_args!("{kind} name {name} is non alphanumeric."),
    ))
}

fn refuse_unknown(sections: &[Entry]) -> Result<(), TemplateError> {
    let unknown: Vec<&Entry> = sections
        .iter()
        .filter(|entry| !SECTIONS.contains(&entry.key.as_str()))
        .collect();
    let Some(first) = unknown.first() else {
        return Ok(());
    };
    let names: Vec<&str> = unknown.iter().map(|entry| entry.key.as_str()).collect();
    let names = Names(&names);
    Err(TemplateError::format(
        first.key_span,
        format_args!("Invalid template property or properties {names}"),
    ))
}

fn refuse_nulls(node: &Node, path: &mut String) -> Result<(), TemplateError> {
    let mut below = |key: &str, child: &Node| {
        let length = path.len();
        path.push('/');
        path.push_str(key);
        let result = refuse_nulls(child, path);
        path.truncate(length);
        result
    };
    match &node.value {
        Value::Null => Err(TemplateError::format(
            node.span,
            format_args!("[{path}] 'null' values are not allowed in templates"),
        )),
        Value::List(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(at, item)| below(&at.to_string(), item)),
        Value::Map(entries) => entries
            .iter()
            .try_for_each(|entry| below(&entry.key, &entry.value)),
        _ => Ok(()),
    }
}

fn refuse_transforms(root: &Node) -> Result<(), TemplateError> {
    let Some(node) = root.get("Transform") else {
        return Ok(());
    };
    let names: Vec<String> = match node.items() {
        Some(items) => items.iter().filter_map(Node::scalar_text).collect(),
        None => vec![
            node.scalar_text()
                .unwrap_or_else(|| "Fn::Transform".to_owned()),
        ],
    };
    if names.is_empty() {
        return Ok(());
    }
    Err(TemplateError::template(
        node.span,
        format_args!(
            "the transforms {} are not run here. Deploy the processed template instead",
            Names(&names)
        ),
    ))
}

fn check_version(root: &Node) -> Result<(), TemplateError> {
    match root.get("AWSTemplateFormatVersion") {
        Some(node) if node.scalar_text().as_deref() != Some("2010-09-09") => {
            Err(TemplateError::format(
                node.span,
                "unsupported value for AWSTemplateFormatVersion. The only one is 2010-09-09.",
            ))
        }
        _ => Ok(()),
    }
}

fn description(root: &Node) -> Result<Option<String>, TemplateError> {
    let Some(node) = root.get("Description") else {
        return Ok(None);
    };
    let Some(text) = node.scalar_text() else {
        return Err(TemplateError::format(
            node.span,
            "Description must be a string.",
        ));
    };
    let max = limits::CLOUDFORMATION_DESCRIPTION_BYTES_MAX;
    if text.len() > max {
        return Err(TemplateError::format(
            node.span,
            format_args!("'Description' length is greater than {max}."),
        ));
    }
    Ok(Some(text))
}

fn text(node: &Node, section: &str, member: &str) -> Result<Option<String>, TemplateError> {
    let Some(found) = node.get(member) else {
        return Ok(None);
    };
    found.scalar_text().map(Some).ok_or_else(|| {
        TemplateError::format(
            found.span,
            format_args!("Every {section} object's {member} member must be a string."),
        )
    })
}

fn named(node: &Node, section: &str, member: &str) -> Result<Option<Named>, TemplateError> {
    let span = node.get(member).map_or(node.span, |found| found.span);
    Ok(text(node, section, member)?.map(|name| Named { name, span }))
}

fn parameter(name: &str, node: &Node) -> Result<ParameterDeclaration, TemplateError> {
    map(node, &format!("Parameters/{name}"))?;
    let member = |member: &str| text(node, "Parameters", member);
    let Some(parameter_type) = member("Type")? else {
        return Err(TemplateError::format(
            node.span,
            "Every Parameters object must contain a Type member.",
        ));
    };
    Ok(ParameterDeclaration {
        parameter_type,
        default: default(node)?,
        description: member("Description")?,
        no_echo: member("NoEcho")?.is_some_and(|flag| flag.eq_ignore_ascii_case("true")),
        allowed_values: allowed_values(node)?,
        allowed_pattern: member("AllowedPattern")?,
        min_length: number(node, "MinLength")?,
        max_length: number(node, "MaxLength")?,
        min_value: number(node, "MinValue")?,
        max_value: number(node, "MaxValue")?,
        constraint_description: member("ConstraintDescription")?,
        span: node.span,
    })
}

fn default(node: &Node) -> Result<Option<String>, TemplateError> {
    let Some(found) = node.get("Default") else {
        return Ok(None);
    };
    found
        .scalar_text()
        .map(Some)
        .ok_or_else(|| TemplateError::format(found.span, "Every Default member must be a string."))
}

fn allowed_values(node: &Node) -> Result<Option<Vec<String>>, TemplateError> {
    let Some(found) = node.get("AllowedValues") else {
        return Ok(None);
    };
    let Some(items) = found.items() else {
        return Err(TemplateError::format(
            found.span,
            "Every AllowedValues member must be a list.",
        ));
    };
    Ok(Some(items.iter().filter_map(Node::scalar_text).collect()))
}

fn number<T: std::str::FromStr>(node: &Node, member: &str) -> Result<Option<T>, TemplateError> {
    let Some(found) = node.get(member) else {
        return Ok(None);
    };
    found
        .scalar_text()
        .and_then(|text| text.parse().ok())
        .map(Some)
        .ok_or_else(|| {
            TemplateError::format(
                found.span,
                format_args!("Every {member} member must be a number."),
            )
        })
}

fn mapping(name: &str, node: &Node) -> Result<Node, TemplateError> {
    for top in map(node, &format!("Mappings/{name}"))? {
        if top.value.entries().is_none() {
            return Err(TemplateError::format(
                top.value.span,
                format_args!(
                    "Every Mappings attribute must be a map; /{name}/{} is not.",
                    top.key
                ),
            ));
        }
    }
    Ok(node.clone())
}

fn resource(name: &str, node: &Node) -> Result<Resource, TemplateError> {
    let entries = map(node, &format!("Resources/{name}"))?;
    if let Some(entry) = entries
        .iter()
        .find(|it| !RESOURCE_MEMBERS.contains(&it.key.as_str()))
    {
        return Err(TemplateError::at(
            entry.key_span,
            format!(
                "Template validation error: Invalid template resource property '{}'",
                entry.key
            ),
        ));
    }
    let Some(Named {
        name: resource_type,
        span: type_span,
    }) = named(node, "Resources", "Type")?
    else {
        return Err(TemplateError::format(
            node.span,
            format_args!("[/Resources/{name}] Every Resources object must contain a Type member."),
        ));
    };
    let properties = node.get("Properties").cloned();
    if let Some(properties) = &properties {
        map(properties, &format!("Resources/{name}/Properties"))?;
    }
    Ok(Resource {
        resource_type,
        type_span,
        properties,
        depends_on: depends_on(name, node)?,
        condition: named(node, "Resources", "Condition")?,
        deletion_policy: policy(node, "DeletionPolicy")?,
        update_replace_policy: policy(node, "UpdateReplacePolicy")?,
        metadata: node.get("Metadata").cloned(),
        span: node.span,
    })
}

fn depends_on(name: &str, node: &Node) -> Result<Vec<Named>, TemplateError> {
    let Some(found) = node.get("DependsOn") else {
        return Ok(Vec::new());
    };
    let read = |item: &Node| {
        let name = item.as_str().map(str::to_owned);
        name.map(|name| Named {
            name,
            span: item.span,
        })
    };
    let names: Option<Vec<Named>> = match found.items() {
        Some(items) => items.iter().map(read).collect(),
        None => read(found).map(|one| vec![one]),
    };
    names.ok_or_else(|| {
        TemplateError::format(
            found.span,
            format_args!(
                "[/Resources/{name}/DependsOn] DependsOn must be a string or list of strings."
            ),
        )
    })
}

fn policy(node: &Node, member: &str) -> Result<Policy, TemplateError> {
    match text(node, "Resources", member)?.as_deref() {
        None | Some("Delete") => Ok(Policy::Delete),
        Some("Retain") => Ok(Policy::Retain),
        Some("RetainExceptOnCreate") if member == "DeletionPolicy" => {
            Ok(Policy::RetainExceptOnCreate)
        }
        Some("Snapshot") => Ok(Policy::Snapshot),
        Some(other) => Err(TemplateError::format(
            node.get(member).map_or(node.span, |found| found.span),
            format_args!("Unrecognized {member} {other}"),
        )),
    }
}

fn output(name: &str, node: &Node) -> Result<Output, TemplateError> {
    map(node, &format!("Outputs/{name}"))?;
    let Some(value) = node.get("Value").cloned() else {
        return Err(TemplateError::format(
            node.span,
            format_args!("Output {name} must have a Value."),
        ));
    };
    let export = match node.get("Export") {
        None => None,
        Some(export) => Some(export.get("Name").cloned().ok_or_else(|| {
            TemplateError::format(
                export.span,
                format_args!("Output {name} is malformed. Export must have a Name."),
            )
        })?),
    };
    Ok(Output {
        value,
        description: text(node, "Outputs", "Description")?,
        export,
        condition: named(node, "Outputs", "Condition")?,
        span: node.span,
    })
}

fn rule(name: &str, node: &Node) -> Result<Rule, TemplateError> {
    map(node, &format!("Rules/{name}"))?;
    let assertions = node
        .get("Assertions")
        .and_then(Node::items)
        .unwrap_or_default();
    let read = |item: &Node| {
        let assert = item.get("Assert").cloned().ok_or_else(|| {
            TemplateError::format(
                item.span,
                format_args!("Rule {name} is malformed. Every assertion must have an Assert."),
            )
        })?;
        Ok((assert, text(item, "Rules", "AssertDescription")?))
    };
    Ok(Rule {
        condition: node.get("RuleCondition").cloned(),
        assertions: assertions.iter().map(read).collect::<Result<_, _>>()?,
    })
}
