//! What CloudFormation's registry says about a resource type: its properties and attributes, and how a change is made.
//!
//! Never looks at a template or a stack; knows types and property names only.

use serde_json::{Map, Value};

use super::resources::SCHEMAS;

/// One resource type. Lists are separated by blanks.
pub struct ResourceSchema {
    /// `AWS::S3::Bucket`.
    pub resource_type: &'static str,
    pub(super) properties: &'static str,
    pub(super) attributes: &'static str,
}

/// One property of a resource type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PropertySchema {
    /// Its name.
    pub name: &'static str,
    /// Whether a resource without it is refused.
    pub required: bool,
    /// Whether the resource is replaced when it changes.
    pub replaces: bool,
}

/// The schema of a type; `None` for types that are not in the table, custom resources among them.
pub fn schema(resource_type: &str) -> Option<&'static ResourceSchema> {
    let index = SCHEMAS
        .binary_search_by(|schema| schema.resource_type.cmp(resource_type))
        .ok()?;
    SCHEMAS.get(index)
}

/// Whether a type is a custom resource: `Custom::…` or `AWS::CloudFormation::CustomResource`.
pub fn is_custom(resource_type: &str) -> bool {
    resource_type.starts_with("Custom::") || resource_type == "AWS::CloudFormation::CustomResource"
}

impl ResourceSchema {
    /// The properties in alphabetical order.
    pub fn properties(&self) -> impl Iterator<Item = PropertySchema> {
        self.properties
            .split_ascii_whitespace()
            .map(|marked| PropertySchema {
                name: marked.trim_end_matches(['*', '!']),
                required: marked.contains('*'),
                replaces: marked.contains('!'),
            })
    }

    /// A property by name.
    pub fn property(&self, name: &str) -> Option<PropertySchema> {
        self.properties().find(|property| property.name == name)
    }

    /// The names that `Fn::GetAtt` can ask for.
    pub fn attributes(&self) -> impl Iterator<Item = &'static str> {
        self.attributes.split_ascii_whitespace()
    }

    /// Whether resources of the type take any property.
    fn open(&self) -> bool {
        is_custom(self.resource_type) || self.resource_type == "AWS::CDK::Metadata"
    }
}

/// Whether `Fn::GetAtt` may ask a type for an attribute. Custom resources and nested stacks answer to any.
pub fn has_attribute(resource_type: &str, attribute: &str) -> bool {
    let Some(schema) = schema(resource_type) else {
        return true;
    };
    let nested = resource_type == "AWS::CloudFormation::Stack" && attribute.starts_with("Outputs.");
    schema.open() || nested || schema.attributes().any(|known| known == attribute)
}

/// Checks a resource's resolved properties against its type: unknown and missing required ones.
///
/// # Errors
/// The reason for the resource's `CREATE_FAILED` or `UPDATE_FAILED` event. Types without a schema pass.
pub fn check_properties(
    logical_id: &str,
    resource_type: &str,
    properties: &Map<String, Value>,
) -> Result<(), String> {
    let Some(schema) = schema(resource_type) else {
        return Ok(());
    };
    let unknown = properties
        .keys()
        .filter(|name| !schema.open() && schema.property(name).is_none())
        .map(|name| format!("#: extraneous key [{name}] is not permitted"));
    let missing = schema
        .properties()
        .filter(|property| property.required && !properties.contains_key(property.name))
        .map(|property| format!("#: required key [{}] not found", property.name));
    let faults: Vec<String> = unknown.chain(missing).collect();
    if faults.is_empty() {
        return Ok(());
    }
    let faults = faults.join("\n");
    Err(format!(
        "Properties validation failed for resource {logical_id} with message:\n{faults}"
    ))
}
