//! Values are read: one, several, or all below a path. Never changes anything.

use landfall_core::api::generated::ssm as api;
use landfall_core::api::value::EpochSeconds;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::limits;

use super::filter::{self, is_below};
use super::name::{Selected, Selector};
use super::{Parameter, prefix, select};
use crate::page::page;
use crate::tx::Reader;

/// `GetParameter`.
pub fn get(
    db: &impl Reader,
    caller: &Caller,
    request: &api::GetParameterRequest,
) -> Result<api::GetParameterResult, ApiError> {
    let name = request.name.as_deref().unwrap_or_default();
    let parameter = Some(one(db, caller, name, request.with_decryption)?);
    Ok(api::GetParameterResult { parameter })
}

/// `GetParameters`: names that are not there are told, and are no error.
pub fn get_many(
    db: &impl Reader,
    caller: &Caller,
    request: &api::GetParametersRequest,
) -> Result<api::GetParametersResult, ApiError> {
    let (mut found, mut invalid) = (Vec::new(), Vec::new());
    for name in request.names.iter().flatten() {
        match one(db, caller, name, request.with_decryption) {
            Ok(parameter) => found.push(parameter),
            Err(e) if e.status < 500 => invalid.push(name.clone()),
            Err(e) => return Err(e),
        }
    }
    Ok(api::GetParametersResult {
        parameters: Some(found),
        invalid_parameters: Some(invalid),
    })
}

/// `GetParametersByPath`.
pub fn get_by_path(
    db: &impl Reader,
    caller: &Caller,
    request: &api::GetParametersByPathRequest,
) -> Result<api::GetParametersByPathResult, ApiError> {
    let path = request.path.as_deref().unwrap_or_default();
    if !path.starts_with('/') {
        return Err(ApiError::validation(
            "The parameter path doesn't meet the requirements: it must begin with a forward slash \"/\".",
        ));
    }
    let recursive = request.recursive.unwrap_or_default();
    let filters = request.parameter_filters.as_deref().unwrap_or_default();
    if let Some(filter) = filters.iter().find(|f| {
        !matches!(
            f.key.as_deref(),
            Some("Type" | "KeyId" | "Label" | "DataType")
        )
    }) {
        let key = filter.key.as_deref().unwrap_or_default();
        let text = format!("The following filter key is not valid: {key}.");
        return Err(ApiError::client("InvalidFilterKey", text));
    }
    let mut found = Vec::new();
    for parameter in db.all::<Parameter>(&prefix(caller))? {
        if is_below(&parameter.name, path, recursive) && filter::passes(db, &parameter, filters)? {
            found.push(parameter);
        }
    }
    let token = request.next_token.as_deref();
    let (found, next_token) = page(found, token, request.max_results, limits::SSM_BY_PATH_MAX)?;
    let answer = |p: Parameter| describe(p, None, request.with_decryption);
    let parameters = Some(found.into_iter().map(answer).collect());
    Ok(api::GetParametersByPathResult {
        parameters,
        next_token,
    })
}

fn one(
    db: &impl Reader,
    caller: &Caller,
    name: &str,
    with_decryption: Option<bool>,
) -> Result<api::Parameter, ApiError> {
    let wanted = Selected::parse(name);
    let parameter = select(db, caller, &wanted)?;
    Ok(describe(
        parameter,
        wanted.selector.as_ref(),
        with_decryption,
    ))
}

fn describe(
    parameter: Parameter,
    selector: Option<&Selector>,
    with_decryption: Option<bool>,
) -> api::Parameter {
    api::Parameter {
        arn: Some(parameter.arn()),
        value: Some(parameter.shown(with_decryption)),
        name: Some(parameter.name),
        r#type: Some(parameter.kind),
        version: i64::try_from(parameter.version).ok(),
        selector: selector.map(Selector::text),
        source_result: None,
        last_modified_date: Some(EpochSeconds::from(parameter.modified)),
        data_type: Some(parameter.data_type),
    }
}
