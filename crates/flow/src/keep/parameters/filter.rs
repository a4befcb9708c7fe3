//! `DescribeParameters` and its filters. Never tells a value.

use landfall_core::api::generated::ssm as api;
use landfall_core::api::value::EpochSeconds;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::limits;

use super::{Parameter, prefix};
use crate::keep::tags;
use crate::page::page;
use crate::tx::Reader;

/// `DescribeParameters`.
pub fn describe(
    db: &impl Reader,
    caller: &Caller,
    request: &api::DescribeParametersRequest,
) -> Result<api::DescribeParametersResult, ApiError> {
    let filters = request.parameter_filters.as_deref().unwrap_or_default();
    let old = request.filters.as_deref().unwrap_or_default();
    if !filters.is_empty() && !old.is_empty() {
        return Err(ApiError::validation(
            "You can use either Filters or ParameterFilters in a single request.",
        ));
    }
    filters.iter().try_for_each(check)?;
    let mut found = Vec::new();
    for parameter in db.all::<Parameter>(&prefix(caller))? {
        if passes(db, &parameter, filters)? && old.iter().all(|f| passes_old(&parameter, f)) {
            found.push(parameter);
        }
    }
    let token = request.next_token.as_deref();
    let (found, next_token) = page(found, token, request.max_results, limits::SSM_DESCRIBE_MAX)?;
    let parameters = Some(found.into_iter().map(metadata).collect());
    Ok(api::DescribeParametersResult {
        parameters,
        next_token,
    })
}

/// Whether a parameter passes all filters.
pub(super) fn passes(
    db: &impl Reader,
    parameter: &Parameter,
    filters: &[api::ParameterStringFilter],
) -> Result<bool, ApiError> {
    for filter in filters {
        if !passes_one(db, parameter, filter)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a name lies right below a path, or anywhere below it. A name without a slash lies below `/`.
pub(super) fn is_below(name: &str, path: &str, recursive: bool) -> bool {
    let name = name.trim_start_matches('/');
    let path = path.trim_matches('/');
    let rest = match path {
        "" => Some(name),
        _ => name
            .strip_prefix(path)
            .and_then(|rest| rest.strip_prefix('/')),
    };
    rest.is_some_and(|rest| recursive || !rest.contains('/'))
}

fn check(filter: &api::ParameterStringFilter) -> Result<(), ApiError> {
    let key = filter.key.as_deref().unwrap_or_default();
    let options: &[&str] = match key {
        "Name" => &["Equals", "BeginsWith", "Contains"],
        "Path" => &["OneLevel", "Recursive"],
        "Type" | "KeyId" | "Tier" | "DataType" => &["Equals", "BeginsWith"],
        _ if key.starts_with("tag:") => &["Equals"],
        _ => {
            let text = format!("The following filter key is not valid: {key}.");
            return Err(ApiError::client("InvalidFilterKey", text));
        }
    };
    let option = filter.option.as_deref();
    if let Some(option) = option.filter(|o| !options.contains(o)) {
        let text = format!(
            "The following filter option is not valid: {option}. Valid options include: {options:?}."
        );
        return Err(ApiError::client("InvalidFilterOption", text));
    }
    if filter.values.as_ref().is_none_or(Vec::is_empty) && !key.starts_with("tag:") {
        let text =
            "The following filter values are missing : null for filter key ".to_owned() + key;
        return Err(ApiError::client("InvalidFilterValue", text));
    }
    Ok(())
}

fn passes_one(
    db: &impl Reader,
    parameter: &Parameter,
    filter: &api::ParameterStringFilter,
) -> Result<bool, ApiError> {
    let key = filter.key.as_deref().unwrap_or_default();
    let values = filter.values.as_deref().unwrap_or_default();
    let option = filter.option.as_deref().unwrap_or_default();
    if let Some(tag) = key.strip_prefix("tag:") {
        let tags = tags::of(db, &parameter.arn())?;
        let found = tags.0.get(tag);
        return Ok(found.is_some_and(|found| values.is_empty() || values.contains(found)));
    }
    let compare = |text: &str| {
        values.iter().any(|value| match option {
            "BeginsWith" => text.starts_with(value.as_str()),
            "Contains" => text.contains(value.as_str()),
            _ => text == value,
        })
    };
    Ok(match key {
        "Name" => compare(&parameter.name),
        "Type" => compare(&parameter.kind),
        "Tier" => compare(&parameter.tier),
        "DataType" => compare(&parameter.data_type),
        "KeyId" => parameter.key_id.as_deref().is_some_and(compare),
        "Path" => values
            .iter()
            .any(|path| is_below(&parameter.name, path, option == "Recursive")),
        _ => false,
    })
}

/// The filters of the API's first form: any value that the field contains.
fn passes_old(parameter: &Parameter, filter: &api::ParametersFilter) -> bool {
    let mut values = filter.values.iter().flatten();
    match filter.key.as_deref() {
        Some("Name") => values.any(|v| parameter.name.contains(v.as_str())),
        Some("Type") => values.any(|v| parameter.kind == *v),
        Some("KeyId") => values.any(|v| parameter.key_id.as_ref() == Some(v)),
        _ => false,
    }
}

fn metadata(parameter: Parameter) -> api::ParameterMetadata {
    api::ParameterMetadata {
        arn: Some(parameter.arn()),
        name: Some(parameter.name),
        r#type: Some(parameter.kind),
        key_id: parameter.key_id,
        last_modified_date: Some(EpochSeconds::from(parameter.modified)),
        last_modified_user: Some(parameter.modified_by),
        description: parameter.description,
        allowed_pattern: parameter.allowed_pattern,
        version: i64::try_from(parameter.version).ok(),
        tier: Some(parameter.tier),
        policies: Some(Vec::new()),
        data_type: Some(parameter.data_type),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_hold_their_children() {
        let table = [
            ("/a/b", "/a", false, true),
            ("/a/b", "/a/", false, true),
            ("/a/b/c", "/a", false, false),
            ("/a/b/c", "/a", true, true),
            ("/ab/c", "/a", true, false),
            ("/a", "/a", true, false),
            ("x", "/", false, true),
            ("/a/b", "/", false, false),
            ("/a/b", "/", true, true),
        ];
        for (name, path, recursive, expected) in table {
            assert_eq!(
                is_below(name, path, recursive),
                expected,
                "{name} below {path}"
            );
        }
    }
}
