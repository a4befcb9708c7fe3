//! Parameters of SSM. Never reads one.

use landfall_core::api::generated::ssm as api;
use landfall_core::arn::arn;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use serde_json::Value;

use super::{
    Built, Existing, Job, Properties, Provisioner, attributes, call, gone_is_fine, request, retag,
};
use crate::keep::parameters;
use crate::tx::Tx;

/// `AWS::SSM::Parameter`.
pub const PARAMETER: Provisioner = Provisioner {
    create,
    update,
    delete,
};

fn create(tx: &mut Tx<'_>, job: &Job<'_>) -> Result<Built, ApiError> {
    let name = job.name(tx, "Name", 1011);
    let properties = job.but(&["Name"]);
    put(tx, job, name, properties, false)
}

fn update(tx: &mut Tx<'_>, job: &Job<'_>, existing: &Existing<'_>) -> Result<Built, ApiError> {
    let name = existing.physical_id;
    let built = put(tx, job, name.to_owned(), job.but(&["Name", "Tags"]), true)?;
    let path = name.strip_prefix('/').unwrap_or(name);
    let caller = job.caller;
    let arn = arn(
        "ssm",
        &caller.region,
        &caller.account,
        format_args!("parameter/{path}"),
    );
    retag(tx, &arn, existing.properties, job)?;
    Ok(built)
}

fn put(
    tx: &mut Tx<'_>,
    job: &Job<'_>,
    name: String,
    mut properties: Properties,
    overwrite: bool,
) -> Result<Built, ApiError> {
    properties.insert("Name".to_owned(), Value::from(name.as_str()));
    properties.insert("Overwrite".to_owned(), Value::from(overwrite));
    call(
        tx,
        job.caller,
        &api::SERVICE,
        "PutParameter",
        request(&api::SERVICE, "PutParameter", properties)?,
        parameters::put,
    )?;
    let (kind, value) = (job.required("Type")?, job.required("Value")?);
    Ok(Built {
        physical_id: name,
        attributes: attributes([("Type", &kind), ("Value", &value)]),
    })
}

fn delete(tx: &mut Tx<'_>, caller: &Caller, existing: &Existing<'_>) -> Result<(), ApiError> {
    let name = Some(existing.physical_id.to_owned());
    gone_is_fine(call(
        tx,
        caller,
        &api::SERVICE,
        "DeleteParameter",
        api::DeleteParameterRequest { name },
        |tx, caller, it| parameters::delete(tx, caller, &it),
    ))
}
