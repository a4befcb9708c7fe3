//! Log groups and the resource policies of Logs. Never writes a log.

use landfall_core::api::generated::logs as api;
use landfall_core::arn::arn;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::template::as_i64_loose;
use serde_json::Value;

use super::{
    Built, Existing, Job, Provisioner, attributes, call, gone_is_fine, refuse_changes, request,
    retag,
};
use crate::keep::logs;
use crate::tx::Tx;

/// `AWS::Logs::LogGroup`.
pub const GROUP: Provisioner = Provisioner {
    create: create_group,
    update: update_group,
    delete: delete_group,
};
/// `AWS::Logs::ResourcePolicy`.
pub const RESOURCE_POLICY: Provisioner = Provisioner {
    create: put_policy,
    update: change_policy,
    delete: delete_policy,
};

fn create_group(tx: &mut Tx<'_>, job: &Job<'_>) -> Result<Built, ApiError> {
    let name = job.name(tx, "LogGroupName", 512);
    let mut properties = job.but(&["LogGroupName", "RetentionInDays"]);
    properties.insert("LogGroupName".to_owned(), Value::from(name.as_str()));
    call(
        tx,
        job.caller,
        &api::SERVICE,
        "CreateLogGroup",
        request(&api::SERVICE, "CreateLogGroup", properties)?,
        logs::create_group,
    )?;
    if job.properties.contains_key("RetentionInDays") {
        set_retention(tx, job, &name)?;
    }
    Ok(built_group(job.caller, name))
}

fn group_arn(caller: &Caller, name: &str) -> String {
    arn(
        "logs",
        &caller.region,
        &caller.account,
        format_args!("log-group:{name}"),
    )
}

fn built_group(caller: &Caller, name: String) -> Built {
    let arn = format!("{}:*", group_arn(caller, &name));
    Built {
        physical_id: name,
        attributes: attributes([("Arn", &arn)]),
    }
}

fn set_retention(tx: &mut Tx<'_>, job: &Job<'_>, name: &str) -> Result<(), ApiError> {
    let log_group_name = Some(name.to_owned());
    let Some(days) = job.properties.get("RetentionInDays") else {
        let request = api::DeleteRetentionPolicyRequest { log_group_name };
        return call(
            tx,
            job.caller,
            &api::SERVICE,
            "DeleteRetentionPolicy",
            request,
            |tx, caller, it| logs::delete_retention(tx, caller, &it),
        );
    };
    let retention_in_days = as_i64_loose(days).and_then(|days| i32::try_from(days).ok());
    let request = api::PutRetentionPolicyRequest {
        log_group_name,
        retention_in_days,
    };
    call(
        tx,
        job.caller,
        &api::SERVICE,
        "PutRetentionPolicy",
        request,
        |tx, caller, it| logs::put_retention(tx, caller, &it),
    )
}

fn update_group(
    tx: &mut Tx<'_>,
    job: &Job<'_>,
    existing: &Existing<'_>,
) -> Result<Built, ApiError> {
    let fixed = ["KmsKeyId", "LogGroupClass", "DeletionProtectionEnabled"];
    refuse_changes(job, existing, &fixed)?;
    let name = existing.physical_id;
    set_retention(tx, job, name)?;
    retag(tx, &group_arn(job.caller, name), existing.properties, job)?;
    Ok(built_group(job.caller, name.to_owned()))
}

fn delete_group(tx: &mut Tx<'_>, caller: &Caller, existing: &Existing<'_>) -> Result<(), ApiError> {
    let log_group_name = Some(existing.physical_id.to_owned());
    gone_is_fine(call(
        tx,
        caller,
        &api::SERVICE,
        "DeleteLogGroup",
        api::DeleteLogGroupRequest { log_group_name },
        |tx, caller, it| logs::delete_group(tx, caller, &it),
    ))
}

fn put_policy(tx: &mut Tx<'_>, job: &Job<'_>) -> Result<Built, ApiError> {
    let name = job.required("PolicyName")?;
    let request = request(&api::SERVICE, "PutResourcePolicy", job.but(&[]))?;
    call(
        tx,
        job.caller,
        &api::SERVICE,
        "PutResourcePolicy",
        request,
        logs::put_resource_policy,
    )?;
    Ok(Built {
        physical_id: name,
        ..Default::default()
    })
}

fn change_policy(tx: &mut Tx<'_>, job: &Job<'_>, _: &Existing<'_>) -> Result<Built, ApiError> {
    put_policy(tx, job)
}

fn delete_policy(
    tx: &mut Tx<'_>,
    caller: &Caller,
    existing: &Existing<'_>,
) -> Result<(), ApiError> {
    let policy_name = Some(existing.physical_id.to_owned());
    let request = api::DeleteResourcePolicyRequest {
        policy_name,
        ..Default::default()
    };
    gone_is_fine(call(
        tx,
        caller,
        &api::SERVICE,
        "DeleteResourcePolicy",
        request,
        |tx, caller, it| logs::delete_resource_policy(tx, caller, &it),
    ))
}
