//! Templates as the API shows and checks them. Never changes a stack.

use landfall_core::api::generated::cloudformation as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::template::{ParameterDeclaration, Template};

use super::change_set::find_change_set;
use super::find::required;
use super::model::{CURRENT, NEXT, TemplateRecord, template_key, template_text};
use super::plan::{Wish, read_template, template_of};
use crate::tx::Reader;

const IAM: &str = "The following resource(s) require capabilities: ";

/// `GetTemplate`: of a stack, or of a change set.
pub fn get_template(
    db: &impl Reader,
    caller: &Caller,
    request: &api::GetTemplateInput,
) -> Result<api::GetTemplateOutput, ApiError> {
    let name = request.stack_name.as_deref();
    let body = match request.change_set_name.as_deref() {
        Some(wish) => {
            let (stack, set) = find_change_set(db, caller, name, Some(wish))?;
            template_text(db, &stack.id, &set.id)?
        }
        None => text_of_stack(db, &required(db, caller, name)?.id)?,
    };
    Ok(api::GetTemplateOutput {
        template_body: Some(body),
        stages_available: Some(vec!["Original".to_owned(), "Processed".to_owned()]),
    })
}

/// The template that a stack has, or is getting while it has none.
fn text_of_stack(db: &impl Reader, stack_id: &str) -> Result<String, ApiError> {
    match db.get::<TemplateRecord>(&template_key(stack_id, CURRENT))? {
        Some(record) => Ok(record.text),
        None => template_text(db, stack_id, NEXT),
    }
}

/// `GetTemplateSummary`. `fetched` is the text that `TemplateURL` leads to.
pub fn get_template_summary(
    db: &impl Reader,
    caller: &Caller,
    request: api::GetTemplateSummaryInput,
    fetched: Option<String>,
) -> Result<api::GetTemplateSummaryOutput, ApiError> {
    let text = match &request.stack_name {
        Some(name) => text_of_stack(db, &required(db, caller, Some(name))?.id)?,
        None => given(db, request.template_body, fetched)?,
    };
    let template = read_template(&text)?;
    let mut types: Vec<String> = template
        .resources
        .values()
        .map(|it| it.resource_type.clone())
        .collect();
    types.sort();
    types.dedup();
    let parameter = |(name, it): (&String, &ParameterDeclaration)| api::ParameterDeclaration {
        parameter_key: Some(name.clone()),
        default_value: it.default.clone(),
        parameter_type: Some(it.parameter_type.clone()),
        no_echo: Some(it.no_echo),
        description: it.description.clone(),
        parameter_constraints: Some(api::ParameterConstraints {
            allowed_values: it.allowed_values.clone(),
        }),
    };
    Ok(api::GetTemplateSummaryOutput {
        parameters: Some(template.parameters.iter().map(parameter).collect()),
        description: template.description.clone(),
        capabilities: Some(capabilities(&template)),
        capabilities_reason: reason(&template),
        resource_types: Some(types),
        version: Some("2010-09-09".to_owned()),
        metadata: template
            .metadata
            .as_ref()
            .map(|it| it.to_json().to_string()),
        declared_transforms: Some(Vec::new()),
        ..Default::default()
    })
}

fn given(
    db: &impl Reader,
    body: Option<String>,
    fetched: Option<String>,
) -> Result<String, ApiError> {
    template_of(
        db,
        &Wish {
            body,
            fetched,
            ..Default::default()
        },
        None,
    )
}

fn capabilities(template: &Template) -> Vec<String> {
    template
        .required_capability()
        .map(str::to_owned)
        .into_iter()
        .collect()
}

fn reason(template: &Template) -> Option<String> {
    template.required_capability()?;
    let types = template
        .resources
        .values()
        .map(|it| it.resource_type.as_str());
    let mut types: Vec<&str> = types.filter(|it| it.starts_with("AWS::IAM::")).collect();
    types.sort_unstable();
    types.dedup();
    Some(format!("{IAM}[{}]", types.join(", ")))
}

/// `ValidateTemplate`. `fetched` is the text that `TemplateURL` leads to.
pub fn validate_template(
    db: &impl Reader,
    request: api::ValidateTemplateInput,
    fetched: Option<String>,
) -> Result<api::ValidateTemplateOutput, ApiError> {
    let template = read_template(&given(db, request.template_body, fetched)?)?;
    let parameter = |(name, it): (&String, &ParameterDeclaration)| api::TemplateParameter {
        parameter_key: Some(name.clone()),
        default_value: it.default.clone(),
        no_echo: Some(it.no_echo),
        description: it.description.clone(),
    };
    Ok(api::ValidateTemplateOutput {
        parameters: Some(template.parameters.iter().map(parameter).collect()),
        description: template.description.clone(),
        capabilities: Some(capabilities(&template)),
        capabilities_reason: reason(&template),
        declared_transforms: Some(Vec::new()),
    })
}
