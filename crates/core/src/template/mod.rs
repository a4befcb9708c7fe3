//! CloudFormation templates: text → tree with places → checked template → values, order and changes.
//!
//! The way of a template through this module, which is also the way a stack operation takes:
//!
//! 1. [`Template::parse`] reads YAML or JSON and checks what the text alone can tell; [`Template::check_types`] adds
//!    what the caller can build.
//! 2. [`Template::resolve_parameters`] takes supplied, previous and default values to [`Parameters`].
//! 3. [`Evaluator::new`] settles the conditions, [`Evaluator::check_rules`] the rules; [`Evaluator::properties`] and
//!    [`Evaluator::output`] give values, asking a [`Lookup`] for what exists. For change sets the lookup is wrapped in
//!    [`Planned`].
//! 4. [`Graph`] says in which order resources are made; [`changes`] what an update does to each.
//!
//! Never builds, stores or fetches anything.

mod change;
mod check;
mod cidr;
mod error;
mod evaluate;
mod functions;
mod graph;
mod json;
mod loose;
mod model;
mod node;
mod parameters;
mod references;
mod resources;
mod schema;
#[cfg(test)]
mod tests;
mod yaml;

pub use change::{
    Action, Change, PropertyChange, Replacement, ResourceState, changes, check_type_changes,
};
pub use error::TemplateError;
pub use evaluate::{
    Conditions, Evaluator, KNOWN_AFTER_APPLY, Lookup, OutputValue, Planned, Pseudo,
};
pub use graph::Graph;
pub use loose::{as_bool_loose, as_i64_loose, as_string_loose, same};
pub use model::{Named, Output, ParameterDeclaration, Policy, Resource, Rule, Template};
pub use node::{Entry, Node, Position, Span, Value};
pub use parameters::{Parameter, Parameters, Supply};
pub(crate) use references::{Piece, attribute_of, pieces};
pub use references::{Reference, Target, references, references_where};
pub use schema::{
    PropertySchema, ResourceSchema, check_properties, has_attribute, is_custom, schema,
};

use crate::limits::CLOUDFORMATION_TEMPLATE_BYTES_MAX;

/// Reads a document into a tree. Text that begins with `{` is JSON, anything else YAML.
///
/// # Errors
/// `Template format error: … not well-formed. (line L, column C)` with the place.
pub fn parse_document(text: &str) -> Result<Node, TemplateError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > CLOUDFORMATION_TEMPLATE_BYTES_MAX {
        return Err(TemplateError::new(format!(
            "Template may not exceed {CLOUDFORMATION_TEMPLATE_BYTES_MAX} bytes in size."
        )));
    }
    if text.trim_start().starts_with('{') {
        json::parse(text)
    } else {
        yaml::parse(text)
    }
}

impl Template {
    /// Reads and checks a template.
    ///
    /// # Errors
    /// As [`parse_document`], and CloudFormation's words for sections and members that are misshapen, references to
    /// what is not there, and circles.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let template = Self::read(parse_document(text)?)?;
        parameters::check_types(&template)?;
        check::check(&template)?;
        Ok(template)
    }
}
