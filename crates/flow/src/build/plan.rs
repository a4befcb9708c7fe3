//! What an operation would do: the template read and checked, its values found, the changes named. Never does it.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use landfall_core::api::generated::cloudformation as api;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_core::template::{
    Change, Evaluator, Graph, Planned, Replacement, ResourceState, Supply, Template, changes,
    check_type_changes,
};

use super::model::{
    CURRENT, ResourceRecord, StackRecord, Wanted, parameter_records, resources_key, template_text,
};
use super::provision;
use super::world::{World, pseudo, wanted_state};
use crate::tx::Reader;

/// What a caller asks for.
#[derive(Debug, Default)]
pub struct Wish {
    /// `TemplateBody`.
    pub body: Option<String>,
    /// The text that `TemplateURL` led to.
    pub fetched: Option<String>,
    /// `UsePreviousTemplate`.
    pub use_previous: bool,
    /// `Parameters`.
    pub parameters: Vec<api::Parameter>,
    /// `Tags`; `None` keeps those there are.
    pub tags: Option<Vec<api::Tag>>,
    /// `Capabilities`.
    pub capabilities: Vec<String>,
    /// `RoleARN`.
    pub role_arn: Option<String>,
    /// `ResourceTypes`: the only ones that the template may have; `None` allows all.
    pub resource_types: Option<Vec<String>>,
}

/// What an operation would do.
#[derive(Debug)]
pub struct Plan {
    /// The template's text.
    pub text: String,
    /// What the stack is to be.
    pub wanted: Wanted,
    /// Logical ids in the order they are made in.
    pub order: Vec<String>,
    /// What changes.
    pub changes: Vec<Change>,
    /// Whether anything at all changes.
    pub does_anything: bool,
}

/// CloudFormation's word for all that is wrong with a request.
pub fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::client("ValidationError", message)
}

/// The template that a request means.
///
/// # Errors
/// `ValidationError` when it names none, more than one, or one that is too long.
pub fn template_of(
    db: &impl Reader,
    wish: &Wish,
    stack_id: Option<&str>,
) -> Result<String, ApiError> {
    let max = limits::CLOUDFORMATION_TEMPLATE_BODY_BYTES_MAX;
    match (&wish.body, &wish.fetched, wish.use_previous, stack_id) {
        (Some(body), None, false, _) if body.len() > max => Err(invalid(format!(
            "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have \
             length less than or equal to {max}"
        ))),
        (Some(body), None, false, _) => Ok(body.clone()),
        (None, Some(text), false, _) => Ok(text.clone()),
        (None, None, true, Some(id)) => template_text(db, id, CURRENT),
        (None, None, ..) => Err(invalid(
            "Either Template URL or Template Body must be specified.",
        )),
        _ => Err(invalid(
            "Only one of TemplateBody, TemplateURL or UsePreviousTemplate may be specified.",
        )),
    }
}

/// Reads a template and refuses what cannot be built here.
///
/// # Errors
/// CloudFormation's words; types that Landfall does not serve by name.
pub fn read_template(text: &str) -> Result<Template, ApiError> {
    let template = Template::parse(text)?;
    template.check_types(provision::is_served)?;
    let custom: Vec<&str> = template
        .resources
        .values()
        .map(|it| it.resource_type.as_str())
        .filter(|it| !provision::is_served(it))
        .collect();
    if custom.is_empty() {
        return Ok(template);
    }
    Err(invalid(format!(
        "Template format error: Unrecognized resource types: [{}]: not served by Landfall",
        custom.join(", ")
    )))
}

/// Works out what a request would do to a stack.
///
/// # Errors
/// Everything that can be told before the first resource is touched.
pub fn plan(db: &impl Reader, stack: &StackRecord, wish: Wish) -> Result<Plan, ApiError> {
    let text = template_of(db, &wish, Some(&stack.id))?;
    let template = read_template(&text)?;
    check_capabilities(&template, &wish.capabilities)?;
    check_allowed_types(&template, wish.resource_types.as_deref())?;
    let caller = stack.caller(String::new());
    let world = World::new(db, &caller, &stack.id);
    let lookup = Planned(&world);
    let previous: BTreeMap<String, String> = stack
        .wanted
        .parameters
        .iter()
        .map(|it| (it.name.clone(), it.supplied.clone()))
        .collect();
    let parameters =
        template.resolve_parameters(&supplied(&wish.parameters)?, &previous, &lookup)?;
    let tags = wish.tags.unwrap_or_else(|| stack.wanted.tags.clone());
    check_tags(&tags)?;
    let pseudo = pseudo(stack);
    let evaluator = Evaluator::new(&template, &parameters, &pseudo, &lookup)?;
    evaluator.check_rules()?;
    let order = Graph::new(&template, evaluator.conditions()).creation_order()?;
    let (old, new) = states(db, stack, &world, &evaluator, &template, &order, &tags)?;
    check_type_changes(&old, &new)?;
    let changes = changes(&old, &new);
    let outputs = planned_outputs(&evaluator, &template)?;
    let does_anything =
        !changes.is_empty() || outputs != stack.outputs || tags != stack.wanted.tags;
    drop(evaluator);
    let wanted = Wanted {
        description: template.description.clone(),
        parameters: parameter_records(&parameters),
        tags,
        capabilities: wish.capabilities,
        role_arn: wish.role_arn.or_else(|| stack.wanted.role_arn.clone()),
    };
    Ok(Plan {
        text,
        wanted,
        order,
        changes,
        does_anything,
    })
}

type States = IndexMap<String, ResourceState>;

/// The stack's resources as they are, and as the template wants them.
fn states<R: Reader>(
    db: &R,
    stack: &StackRecord,
    world: &World<'_, R>,
    evaluator: &Evaluator<'_>,
    template: &Template,
    order: &[String],
    tags: &[api::Tag],
) -> Result<(States, States), ApiError> {
    let old: States = db
        .all::<ResourceRecord>(&resources_key(&stack.id))?
        .into_iter()
        .filter(|it| it.exists)
        .map(|it| (it.logical_id.clone(), it.state()))
        .collect();
    let mut new = States::new();
    for id in order {
        let Some(resource) = template.resource(id) else {
            continue;
        };
        let state = wanted_state(evaluator, resource, tags)?;
        if let Some(before) = old.get(id) {
            let alone = |state: &ResourceState| States::from([(id.clone(), state.clone())]);
            let change = changes(&alone(before), &alone(&state));
            if change
                .iter()
                .any(|it| it.replacement.is_some_and(|r| r != Replacement::False))
            {
                world.unknown.borrow_mut().insert(id.clone());
            }
        }
        new.insert(id.clone(), state);
    }
    Ok((old, new))
}

/// Values of the outputs, as far as they are known.
pub fn planned_outputs(
    evaluator: &Evaluator<'_>,
    template: &Template,
) -> Result<Vec<api::Output>, ApiError> {
    let mut outputs = Vec::new();
    for (name, output) in &template.outputs {
        let Some(value) = evaluator.output(output)? else {
            continue;
        };
        outputs.push(api::Output {
            output_key: Some(name.clone()),
            output_value: Some(value.value),
            description: output.description.clone(),
            export_name: value.export,
        });
    }
    Ok(outputs)
}

fn supplied(parameters: &[api::Parameter]) -> Result<BTreeMap<String, Supply>, ApiError> {
    let mut all = BTreeMap::new();
    for parameter in parameters {
        let name = parameter.parameter_key.clone().unwrap_or_default();
        let supply = match (&parameter.parameter_value, parameter.use_previous_value) {
            (Some(_), Some(true)) => {
                return Err(invalid(format!(
                    "Invalid input for parameter key {name}. Cannot specify usePreviousValue as true and \
                     non empty value for a parameter"
                )));
            }
            (_, Some(true)) => Supply::Previous,
            (Some(value), _) => Supply::Value(value.clone()),
            (None, _) => {
                return Err(invalid(format!(
                    "Parameter '{name}' must have a value or UsePreviousValue."
                )));
            }
        };
        if all.insert(name.clone(), supply).is_some() {
            return Err(invalid(format!(
                "Parameters: [{name}] are given more than once"
            )));
        }
    }
    Ok(all)
}

fn check_tags(tags: &[api::Tag]) -> Result<(), ApiError> {
    if tags.len() > limits::CLOUDFORMATION_STACK_TAGS_MAX {
        let max = limits::CLOUDFORMATION_STACK_TAGS_MAX;
        return Err(invalid(format!(
            "Number of tags, {}, is greater than maximum allowed, {max}",
            tags.len()
        )));
    }
    let reserved = |tag: &&api::Tag| {
        tag.key
            .as_deref()
            .is_some_and(|key| key.starts_with("aws:"))
    };
    match tags.iter().find(reserved) {
        None => Ok(()),
        Some(_) => Err(invalid(
            "aws: prefixed tag key names are not allowed for external use.",
        )),
    }
}

fn check_allowed_types(template: &Template, allowed: Option<&[String]>) -> Result<(), ApiError> {
    let Some(allowed) = allowed else {
        return Ok(());
    };
    let is_allowed = |it: &str| {
        allowed
            .iter()
            .any(|pattern| match pattern.strip_suffix('*') {
                Some(prefix) => it.starts_with(prefix),
                None => it == pattern,
            })
    };
    let types = template.resources.values();
    match types
        .map(|it| it.resource_type.as_str())
        .find(|it| !is_allowed(it))
    {
        Some(other) => Err(invalid(format!(
            "Resource type {other} is not allowed by parameter ResourceTypes"
        ))),
        None => Ok(()),
    }
}

fn check_capabilities(template: &Template, given: &[String]) -> Result<(), ApiError> {
    let Some(required) = template.required_capability() else {
        return Ok(());
    };
    let enough = |it: &String| it == required || it == "CAPABILITY_NAMED_IAM";
    if given.iter().any(enough) {
        return Ok(());
    }
    Err(ApiError::client(
        "InsufficientCapabilitiesException",
        format!("Requires capabilities : [{required}]"),
    ))
}
