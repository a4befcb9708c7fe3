//! Roles and policies. Users and groups are not served: policies on them are refused.

use landfall_core::api::generated::iam as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::template::as_string_loose;
use serde_json::Value;

use super::{
    Built, Existing, Job, Properties, Provisioner, attributes, call, document, gone_is_fine,
    not_served, refuse_changes, request, retag, texts,
};
use crate::keep::roles;
use crate::tx::Tx;

/// `AWS::IAM::Role`.
pub const ROLE: Provisioner = Provisioner {
    create: create_role,
    update: update_role,
    delete: delete_role,
};
/// `AWS::IAM::Policy`.
pub const POLICY: Provisioner = Provisioner {
    create: create_policy,
    update: update_policy,
    delete: delete_policy,
};
/// `AWS::IAM::ManagedPolicy`.
pub const MANAGED_POLICY: Provisioner = Provisioner {
    create: create_managed,
    update: update_managed,
    delete: delete_managed,
};

fn create_role(tx: &mut Tx<'_>, job: &Job<'_>) -> Result<Built, ApiError> {
    let name = job.name(tx, "RoleName", 64);
    let mut properties = job.but(&["RoleName", "Policies", "ManagedPolicyArns"]);
    properties.insert("RoleName".to_owned(), Value::from(name.as_str()));
    let answer = call(
        tx,
        job.caller,
        &api::SERVICE,
        "CreateRole",
        request(&api::SERVICE, "CreateRole", properties)?,
        roles::create_role,
    )?;
    add_policies(tx, job, &name)?;
    Ok(built_role(name, answer.role.unwrap_or_default()))
}

fn built_role(name: String, role: api::Role) -> Built {
    let (arn, id) = (
        role.arn.unwrap_or_default(),
        role.role_id.unwrap_or_default(),
    );
    Built {
        physical_id: name,
        attributes: attributes([("Arn", &arn), ("RoleId", &id)]),
    }
}

/// Name and document of each inline policy.
fn inline_policies(properties: &Properties) -> Vec<(String, String)> {
    let list = properties.get("Policies").and_then(Value::as_array);
    let policy = |it: &Value| {
        let name = it.get("PolicyName").and_then(as_string_loose)?;
        Some((name, document(it.get("PolicyDocument"))?))
    };
    list.into_iter().flatten().filter_map(policy).collect()
}

fn add_policies(tx: &mut Tx<'_>, job: &Job<'_>, role: &str) -> Result<(), ApiError> {
    for (name, document) in inline_policies(job.properties) {
        put_inline(tx, job.caller, role, &name, &document)?;
    }
    for arn in texts(job.properties, "ManagedPolicyArns") {
        attach(tx, job.caller, role, &arn)?;
    }
    Ok(())
}

fn put_inline(
    tx: &mut Tx<'_>,
    caller: &Caller,
    role: &str,
    name: &str,
    document: &str,
) -> Result<(), ApiError> {
    let properties = [
        ("RoleName", role),
        ("PolicyName", name),
        ("PolicyDocument", document),
    ];
    let request = request(&api::SERVICE, "PutRolePolicy", attributes(properties))?;
    call(
        tx,
        caller,
        &api::SERVICE,
        "PutRolePolicy",
        request,
        roles::put_role_policy,
    )
}

fn attach(tx: &mut Tx<'_>, caller: &Caller, role: &str, arn: &str) -> Result<(), ApiError> {
    let properties = attributes([("RoleName", role), ("PolicyArn", arn)]);
    call(
        tx,
        caller,
        &api::SERVICE,
        "AttachRolePolicy",
        request(&api::SERVICE, "AttachRolePolicy", properties)?,
        roles::attach_role_policy,
    )
}

fn detach(tx: &mut Tx<'_>, caller: &Caller, role: &str, arn: &str) -> Result<(), ApiError> {
    let request = api::DetachRolePolicyRequest {
        role_name: Some(role.to_owned()),
        policy_arn: Some(arn.to_owned()),
    };
    gone_is_fine(call(
        tx,
        caller,
        &api::SERVICE,
        "DetachRolePolicy",
        request,
        roles::detach_role_policy,
    ))
}

fn drop_inline(tx: &mut Tx<'_>, caller: &Caller, role: &str, name: &str) -> Result<(), ApiError> {
    let request = api::DeleteRolePolicyRequest {
        role_name: Some(role.to_owned()),
        policy_name: Some(name.to_owned()),
    };
    gone_is_fine(call(
        tx,
        caller,
        &api::SERVICE,
        "DeleteRolePolicy",
        request,
        roles::delete_role_policy,
    ))
}

fn drop_policies(
    tx: &mut Tx<'_>,
    caller: &Caller,
    existing: &Existing<'_>,
) -> Result<(), ApiError> {
    for (name, _) in inline_policies(existing.properties) {
        drop_inline(tx, caller, existing.physical_id, &name)?;
    }
    for arn in texts(existing.properties, "ManagedPolicyArns") {
        detach(tx, caller, existing.physical_id, &arn)?;
    }
    Ok(())
}

fn update_role(tx: &mut Tx<'_>, job: &Job<'_>, existing: &Existing<'_>) -> Result<Built, ApiError> {
    refuse_changes(job, existing, &["PermissionsBoundary"])?;
    let name = existing.physical_id.to_owned();
    let trust = document(job.properties.get("AssumeRolePolicyDocument")).unwrap_or_default();
    let properties = attributes([("RoleName", &name), ("PolicyDocument", &trust)]);
    let request_trust = request(&api::SERVICE, "UpdateAssumeRolePolicy", properties)?;
    call(
        tx,
        job.caller,
        &api::SERVICE,
        "UpdateAssumeRolePolicy",
        request_trust,
        roles::update_assume_role_policy,
    )?;
    let keep = ["Description", "MaxSessionDuration"];
    let mut properties = job.but(&[]);
    properties.retain(|name, _| keep.contains(&name.as_str()));
    properties.entry("Description").or_insert(Value::from(""));
    properties
        .entry("MaxSessionDuration")
        .or_insert(Value::from(3600));
    properties.insert("RoleName".to_owned(), Value::from(name.as_str()));
    call(
        tx,
        job.caller,
        &api::SERVICE,
        "UpdateRole",
        request(&api::SERVICE, "UpdateRole", properties)?,
        roles::update_role,
    )?;
    drop_policies(tx, job.caller, existing)?;
    add_policies(tx, job, &name)?;
    let asked = api::GetRoleRequest {
        role_name: Some(name.clone()),
    };
    let role = roles::get_role(tx, job.caller, asked)?
        .role
        .unwrap_or_default();
    retag(
        tx,
        role.arn.as_deref().unwrap_or_default(),
        existing.properties,
        job,
    )?;
    Ok(built_role(name, role))
}

fn delete_role(tx: &mut Tx<'_>, caller: &Caller, existing: &Existing<'_>) -> Result<(), ApiError> {
    drop_policies(tx, caller, existing)?;
    let role_name = Some(existing.physical_id.to_owned());
    gone_is_fine(call(
        tx,
        caller,
        &api::SERVICE,
        "DeleteRole",
        api::DeleteRoleRequest { role_name },
        roles::delete_role,
    ))
}

fn refuse_users(properties: &Properties) -> Result<(), ApiError> {
    let foreign = ["Users", "Groups"]
        .iter()
        .find(|it| !texts(properties, it).is_empty());
    match foreign {
        Some(name) => Err(not_served(&format!("The property {name} of an IAM policy"))),
        None => Ok(()),
    }
}

fn create_policy(tx: &mut Tx<'_>, job: &Job<'_>) -> Result<Built, ApiError> {
    refuse_users(job.properties)?;
    let name = job.required("PolicyName")?;
    let document = document(job.properties.get("PolicyDocument")).unwrap_or_default();
    for role in texts(job.properties, "Roles") {
        put_inline(tx, job.caller, &role, &name, &document)?;
    }
    Ok(Built {
        attributes: attributes([("Id", &name)]),
        physical_id: name,
    })
}

fn update_policy(
    tx: &mut Tx<'_>,
    job: &Job<'_>,
    existing: &Existing<'_>,
) -> Result<Built, ApiError> {
    delete_policy(tx, job.caller, existing)?;
    create_policy(tx, job)
}

fn delete_policy(
    tx: &mut Tx<'_>,
    caller: &Caller,
    existing: &Existing<'_>,
) -> Result<(), ApiError> {
    for role in texts(existing.properties, "Roles") {
        drop_inline(tx, caller, &role, existing.physical_id)?;
    }
    Ok(())
}

fn create_managed(tx: &mut Tx<'_>, job: &Job<'_>) -> Result<Built, ApiError> {
    let name = job.name(tx, "ManagedPolicyName", 128);
    make_managed(tx, job, &name)
}

fn make_managed(tx: &mut Tx<'_>, job: &Job<'_>, name: &str) -> Result<Built, ApiError> {
    refuse_users(job.properties)?;
    let mut properties = job.but(&["ManagedPolicyName", "Roles", "Users", "Groups"]);
    properties.insert("PolicyName".to_owned(), Value::from(name));
    let answer = call(
        tx,
        job.caller,
        &api::SERVICE,
        "CreatePolicy",
        request(&api::SERVICE, "CreatePolicy", properties)?,
        roles::create_policy,
    )?;
    let policy = answer.policy.unwrap_or_default();
    let (arn, id) = (
        policy.arn.unwrap_or_default(),
        policy.policy_id.unwrap_or_default(),
    );
    for role in texts(job.properties, "Roles") {
        attach(tx, job.caller, &role, &arn)?;
    }
    let attributes = attributes([("PolicyArn", &arn), ("PolicyId", &id)]);
    Ok(Built {
        physical_id: arn,
        attributes,
    })
}

/// Policies have one version here: a new document means the same policy made anew, under the same ARN, for the same
/// roles.
fn update_managed(
    tx: &mut Tx<'_>,
    job: &Job<'_>,
    existing: &Existing<'_>,
) -> Result<Built, ApiError> {
    let arn = existing.physical_id;
    let own = texts(existing.properties, "Roles");
    let others: Vec<String> = roles_with(tx, job.caller, arn)?
        .into_iter()
        .filter(|it| !own.contains(it))
        .collect();
    for role in &others {
        detach(tx, job.caller, role, arn)?;
    }
    delete_managed(tx, job.caller, existing)?;
    let name = arn
        .rsplit_once('/')
        .map_or(arn, |(_, name)| name)
        .to_owned();
    let built = make_managed(tx, job, &name)?;
    for role in &others {
        attach(tx, job.caller, role, arn)?;
    }
    Ok(built)
}

/// Names of the roles that a policy is attached to.
fn roles_with(tx: &Tx<'_>, caller: &Caller, arn: &str) -> Result<Vec<String>, ApiError> {
    let mut found = Vec::new();
    let mut marker = None;
    loop {
        let asked = api::ListRolesRequest {
            marker,
            ..Default::default()
        };
        let page = roles::list_roles(tx, caller, asked)?;
        for name in page
            .roles
            .into_iter()
            .flatten()
            .filter_map(|it| it.role_name)
        {
            let asked = api::ListAttachedRolePoliciesRequest {
                role_name: Some(name.clone()),
                ..Default::default()
            };
            let attached = roles::list_attached_role_policies(tx, caller, asked)?;
            let mut arns = attached.attached_policies.into_iter().flatten();
            if arns.any(|it| it.policy_arn.as_deref() == Some(arn)) {
                found.push(name);
            }
        }
        match page.marker {
            Some(next) => marker = Some(next),
            None => return Ok(found),
        }
    }
}

fn delete_managed(
    tx: &mut Tx<'_>,
    caller: &Caller,
    existing: &Existing<'_>,
) -> Result<(), ApiError> {
    let arn = existing.physical_id;
    for role in texts(existing.properties, "Roles") {
        detach(tx, caller, &role, arn)?;
    }
    let policy_arn = Some(arn.to_owned());
    gone_is_fine(call(
        tx,
        caller,
        &api::SERVICE,
        "DeletePolicy",
        api::DeletePolicyRequest { policy_arn },
        roles::delete_policy,
    ))
}
