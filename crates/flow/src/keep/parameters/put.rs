//! Parameters are written and deleted. Never answers with a value.

use fancy_regex::RegexBuilder;
use landfall_core::api::generated::ssm as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_store::Direction;

use super::name::{self, Selected};
use super::{Parameter, SECURE, find, history, key, not_found, save};
use crate::keep::tags;
use crate::tx::{Reader, Tx};

const STANDARD: &str = "Standard";
const ADVANCED: &str = "Advanced";

/// `PutParameter`: a first version, or the next one when `Overwrite` says so. What an overwriting request leaves out
/// stays as it was.
pub fn put(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::PutParameterRequest,
) -> Result<api::PutParameterResult, ApiError> {
    let name = request.name.clone().unwrap_or_default();
    name::check(&name)?;
    refuse_policies(request.policies.as_deref())?;
    let former = tx.get::<Parameter>(&key(&caller.account, &caller.region, &name))?;
    let overwrite = request.overwrite.unwrap_or_default();
    if former.is_some() && !overwrite {
        let text = "The parameter already exists. To overwrite this value, set the overwrite option in the request to \
                    true.";
        return Err(ApiError::client("ParameterAlreadyExists", text));
    }
    let new_tags = request.tags.clone().unwrap_or_default();
    if overwrite && !new_tags.is_empty() {
        return Err(ApiError::validation(
            "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove \
             overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or \
             RemoveTagsFromResource.",
        ));
    }
    let parameter = next(tx, caller, request, former)?;
    check_pattern(parameter.allowed_pattern.as_deref(), &parameter.value)?;
    save(tx, &parameter)?;
    forget_oldest(tx, &parameter)?;
    let pairs = new_tags
        .into_iter()
        .filter_map(|t| Some((t.key?, t.value.unwrap_or_default())));
    tags::add(tx, &parameter.arn(), pairs)?;
    Ok(api::PutParameterResult {
        version: i64::try_from(parameter.version).ok(),
        tier: Some(parameter.tier),
    })
}

/// `DeleteParameter`: with its history and tags.
pub fn delete(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: &api::DeleteParameterRequest,
) -> Result<api::DeleteParameterResult, ApiError> {
    let wanted = Selected::parse(request.name.as_deref().unwrap_or_default());
    if wanted.selector.is_some() {
        return Err(not_found());
    }
    let parameter = find(tx, caller, &wanted)?;
    let Parameter {
        account,
        region,
        name,
        ..
    } = &parameter;
    for version in versions(tx, &parameter)? {
        tx.delete::<Parameter>(&history::key(account, region, name, version));
    }
    tx.delete::<Parameter>(&key(account, region, name));
    tags::clear(tx, &parameter.arn());
    Ok(api::DeleteParameterResult {})
}

/// `DeleteParameters`: names that are not there are told, and are no error.
pub fn delete_many(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::DeleteParametersRequest,
) -> Result<api::DeleteParametersResult, ApiError> {
    let (mut deleted, mut invalid) = (Vec::new(), Vec::new());
    for name in request.names.unwrap_or_default() {
        match delete(
            tx,
            caller,
            &api::DeleteParameterRequest {
                name: Some(name.clone()),
            },
        ) {
            Ok(_) => deleted.push(name),
            Err(e) if e.status < 500 => invalid.push(name),
            Err(e) => return Err(e),
        }
    }
    Ok(api::DeleteParametersResult {
        deleted_parameters: Some(deleted),
        invalid_parameters: Some(invalid),
    })
}

/// The version that a request makes.
fn next(
    tx: &Tx<'_>,
    caller: &Caller,
    request: api::PutParameterRequest,
    former: Option<Parameter>,
) -> Result<Parameter, ApiError> {
    let value = request.value.unwrap_or_default();
    let kind = kind(request.r#type, former.as_ref())?;
    let tier = tier(request.tier.as_deref(), &value, former.as_ref())?;
    let version = former.as_ref().map_or(1, |f| f.version.saturating_add(1));
    let (description, allowed_pattern, key_id, data_type) = match former {
        Some(f) => (
            f.description,
            f.allowed_pattern,
            f.key_id,
            Some(f.data_type),
        ),
        None => (None, None, None, None),
    };
    let data_type = request
        .data_type
        .or(data_type)
        .unwrap_or_else(|| "text".to_owned());
    if !matches!(
        data_type.as_str(),
        "text" | "aws:ec2:image" | "aws:ssm:integration"
    ) {
        let text = format!("The following data type is not supported: {data_type}.");
        return Err(ApiError::validation(text));
    }
    let default_key = || Some("alias/aws/ssm".to_owned());
    let key_id = request
        .key_id
        .or(key_id)
        .or_else(default_key)
        .filter(|_| kind == SECURE);
    Ok(Parameter {
        name: request.name.unwrap_or_default(),
        account: caller.account.clone(),
        region: caller.region.clone(),
        kind,
        value,
        version,
        modified: tx.now(),
        modified_by: format!("arn:aws:iam::{}:root", caller.account),
        description: request.description.or(description),
        allowed_pattern: request
            .allowed_pattern
            .or(allowed_pattern)
            .filter(|p| !p.is_empty()),
        key_id,
        tier,
        data_type,
    })
}

fn kind(given: Option<String>, former: Option<&Parameter>) -> Result<String, ApiError> {
    match (given, former) {
        (Some(given), Some(former)) if given != former.kind => {
            let text = format!(
                "Parameter Store doesn't support changing a parameter's type from {} to {given}: create a new \
                 parameter.",
                former.kind
            );
            Err(ApiError::client("HierarchyTypeMismatchException", text))
        }
        (Some(given), _) => Ok(given),
        (None, Some(former)) => Ok(former.kind.clone()),
        (None, None) => Err(ApiError::validation(
            "A parameter type is required when you create a parameter.",
        )),
    }
}

fn tier(wish: Option<&str>, value: &str, former: Option<&Parameter>) -> Result<String, ApiError> {
    if value.is_empty() {
        return Err(ApiError::validation(
            "1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member must have length \
             greater than or equal to 1.",
        ));
    }
    let was_advanced = former.is_some_and(|f| f.tier == ADVANCED);
    let is_large = value.len() > limits::SSM_STANDARD_VALUE_BYTES_MAX;
    if was_advanced && wish == Some(STANDARD) {
        return Err(ApiError::validation(
            "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the \
             advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced \
             parameter and recreate it as a standard parameter.",
        ));
    }
    let is_advanced =
        was_advanced || wish == Some(ADVANCED) || (wish == Some("Intelligent-Tiering") && is_large);
    let (tier, max) = if is_advanced {
        (ADVANCED, limits::SSM_ADVANCED_VALUE_BYTES_MAX)
    } else {
        (STANDARD, limits::SSM_STANDARD_VALUE_BYTES_MAX)
    };
    if value.len() > max {
        let more = if is_advanced {
            ""
        } else {
            " To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier."
        };
        return Err(ApiError::validation(format!(
            "{tier} tier parameters support a maximum parameter value of {max} characters.{more}"
        )));
    }
    Ok(tier.to_owned())
}

fn check_pattern(pattern: Option<&str>, value: &str) -> Result<(), ApiError> {
    let Some(pattern) = pattern else {
        return Ok(());
    };
    let regex = RegexBuilder::new(&format!("^(?:{pattern})$"))
        .backtrack_limit(limits::SSM_PATTERN_STEPS_MAX)
        .build()
        .map_err(|_| {
            let text =
                format!("The request does not meet the regular expression requirement: {pattern}");
            ApiError::client("InvalidAllowedPatternException", text)
        })?;
    if regex.is_match(value).unwrap_or(false) {
        return Ok(());
    }
    let text = format!("Parameter value, cannot be validated against allowedPattern: {pattern}");
    Err(ApiError::client("ParameterPatternMismatchException", text))
}

fn refuse_policies(policies: Option<&str>) -> Result<(), ApiError> {
    match policies.map(str::trim) {
        None | Some("" | "[]" | "{}") => Ok(()),
        Some(_) => Err(ApiError::client(
            "InvalidPolicyTypeException",
            "Parameter policies are not supported by Landfall.",
        )),
    }
}

fn forget_oldest(tx: &mut Tx<'_>, parameter: &Parameter) -> Result<(), ApiError> {
    let Parameter {
        account,
        region,
        name,
        version,
        ..
    } = parameter;
    let oldest = version.saturating_sub(limits::SSM_VERSIONS_MAX);
    for version in versions(tx, parameter)?
        .into_iter()
        .filter(|v| *v <= oldest)
    {
        tx.delete::<Parameter>(&history::key(account, region, name, version));
    }
    Ok(())
}

fn versions(tx: &Tx<'_>, parameter: &Parameter) -> Result<Vec<u64>, ApiError> {
    let prefix = history::prefix(&parameter.account, &parameter.region, &parameter.name);
    tx.list::<Parameter>(&prefix, Direction::Forward)
        .map(|entry| entry.map(|(_, former)| former.version))
        .collect()
}
