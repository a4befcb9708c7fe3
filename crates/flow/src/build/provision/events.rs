//! Rules with their targets, buses and bus policies. Never matches or delivers anything.

use landfall_core::api::generated::events as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use serde_json::{Value, json};

use super::{
    Built, Existing, Job, Properties, Provisioner, already_exists, attributes, call, gone_is_fine,
    request, retag,
};
use crate::route::bus::{self, BusKey, DEFAULT_BUS};
use crate::route::{rules, targets};
use crate::tx::Tx;

/// `AWS::Events::Rule`.
pub const RULE: Provisioner = Provisioner {
    create: create_rule,
    update: update_rule,
    delete: delete_rule,
};
/// `AWS::Events::EventBus`.
pub const BUS: Provisioner = Provisioner {
    create: create_bus,
    update: update_bus,
    delete: delete_bus,
};
/// `AWS::Events::EventBusPolicy`.
pub const BUS_POLICY: Provisioner = Provisioner {
    create: create_policy,
    update: update_policy,
    delete: delete_policy,
};

fn create_rule(tx: &mut Tx<'_>, job: &Job<'_>) -> Result<Built, ApiError> {
    let name = job.name(tx, "Name", 64);
    let bus = BusKey::of(job.caller, job.text("EventBusName").as_deref());
    bus::check_exists(tx, &bus)?;
    if rules::find(tx, &bus, &name).is_ok() {
        return Err(already_exists(&name));
    }
    put_rule(tx, job, name)
}

/// The id of a rule: its name, on another bus than the default one behind the name of the bus.
fn rule_id(bus: &BusKey, name: &str) -> String {
    match bus.name.as_str() {
        DEFAULT_BUS => name.to_owned(),
        other => format!("{other}|{name}"),
    }
}

fn put_rule(tx: &mut Tx<'_>, job: &Job<'_>, name: String) -> Result<Built, ApiError> {
    let bus = BusKey::of(job.caller, job.text("EventBusName").as_deref());
    let mut properties = job.but(&["Targets", "Name"]);
    properties.insert("Name".to_owned(), Value::from(name.as_str()));
    call(
        tx,
        job.caller,
        &api::SERVICE,
        "PutRule",
        request(&api::SERVICE, "PutRule", properties)?,
        rules::put,
    )?;
    if let Some(targets) = job.properties.get("Targets").filter(|it| **it != json!([])) {
        let mut properties = Properties::from_iter([
            ("Rule".to_owned(), Value::from(name.as_str())),
            ("Targets".to_owned(), targets.clone()),
        ]);
        if let Some(bus) = job.properties.get("EventBusName") {
            properties.insert("EventBusName".to_owned(), bus.clone());
        }
        call(
            tx,
            job.caller,
            &api::SERVICE,
            "PutTargets",
            request(&api::SERVICE, "PutTargets", properties)?,
            targets::put,
        )?;
    }
    let arn = bus.rule_arn(&name);
    Ok(Built {
        physical_id: rule_id(&bus, &name),
        attributes: attributes([("Arn", &arn)]),
    })
}

fn update_rule(tx: &mut Tx<'_>, job: &Job<'_>, existing: &Existing<'_>) -> Result<Built, ApiError> {
    let name = rule_name(existing.physical_id).to_owned();
    let (old, new) = (
        existing.properties.get("EventBusName"),
        job.properties.get("EventBusName"),
    );
    if old != new {
        delete_rule(tx, job.caller, existing)?;
        return put_rule(tx, job, name);
    }
    clear_targets(tx, job.caller, existing)?;
    let built = put_rule(tx, job, name)?;
    let bus = BusKey::of(job.caller, job.text("EventBusName").as_deref());
    retag(
        tx,
        &bus.rule_arn(rule_name(&built.physical_id)),
        existing.properties,
        job,
    )?;
    Ok(built)
}

fn rule_name(physical_id: &str) -> &str {
    physical_id
        .split_once('|')
        .map_or(physical_id, |(_, name)| name)
}

fn bus_name(existing: &Existing<'_>) -> Option<String> {
    existing
        .properties
        .get("EventBusName")
        .and_then(Value::as_str)
        .map(str::to_owned)
}

fn clear_targets(
    tx: &mut Tx<'_>,
    caller: &Caller,
    existing: &Existing<'_>,
) -> Result<(), ApiError> {
    let name = rule_name(existing.physical_id);
    let bus = BusKey::of(caller, bus_name(existing).as_deref());
    let rule = match rules::find(tx, &bus, name) {
        Ok(rule) => rule,
        Err(error) => return gone_is_fine::<()>(Err(error)),
    };
    let ids: Vec<String> = rule.targets.into_iter().filter_map(|it| it.id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let request = api::RemoveTargetsRequest {
        rule: Some(name.to_owned()),
        event_bus_name: bus_name(existing),
        ids: Some(ids),
        ..Default::default()
    };
    call(
        tx,
        caller,
        &api::SERVICE,
        "RemoveTargets",
        request,
        targets::remove,
    )
    .map(|_| ())
}

fn delete_rule(tx: &mut Tx<'_>, caller: &Caller, existing: &Existing<'_>) -> Result<(), ApiError> {
    clear_targets(tx, caller, existing)?;
    let request = api::DeleteRuleRequest {
        name: Some(rule_name(existing.physical_id).to_owned()),
        event_bus_name: bus_name(existing),
        ..Default::default()
    };
    gone_is_fine(call(
        tx,
        caller,
        &api::SERVICE,
        "DeleteRule",
        request,
        |tx, caller, it| rules::delete(tx, caller, &it),
    ))
}

fn create_bus(tx: &mut Tx<'_>, job: &Job<'_>) -> Result<Built, ApiError> {
    let properties = job.but(&["Policy"]);
    let name = job.required("Name")?;
    call(
        tx,
        job.caller,
        &api::SERVICE,
        "CreateEventBus",
        request(&api::SERVICE, "CreateEventBus", properties)?,
        bus::create,
    )?;
    put_bus_policy(tx, job, &name)?;
    Ok(built_bus(job, &name))
}

fn built_bus(job: &Job<'_>, name: &str) -> Built {
    let arn = BusKey::of(job.caller, Some(name)).arn();
    Built {
        physical_id: name.to_owned(),
        attributes: attributes([("Arn", &arn), ("Name", name)]),
    }
}

fn put_bus_policy(tx: &mut Tx<'_>, job: &Job<'_>, name: &str) -> Result<(), ApiError> {
    let request = match job.properties.get("Policy") {
        None => return Ok(()),
        Some(policy) => api::PutPermissionRequest {
            event_bus_name: Some(name.to_owned()),
            policy: Some(match policy {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            }),
            ..Default::default()
        },
    };
    call(
        tx,
        job.caller,
        &api::SERVICE,
        "PutPermission",
        request,
        |tx, caller, it| bus::put_permission(tx, caller, &it),
    )
}

fn update_bus(tx: &mut Tx<'_>, job: &Job<'_>, existing: &Existing<'_>) -> Result<Built, ApiError> {
    let name = existing.physical_id;
    let properties = job.but(&["Policy", "Tags", "EventSourceName"]);
    call(
        tx,
        job.caller,
        &api::SERVICE,
        "UpdateEventBus",
        request(&api::SERVICE, "UpdateEventBus", properties)?,
        bus::update,
    )?;
    if existing.properties.contains_key("Policy") && !job.properties.contains_key("Policy") {
        let request = api::RemovePermissionRequest {
            event_bus_name: Some(name.to_owned()),
            remove_all_permissions: Some(true),
            ..Default::default()
        };
        call(
            tx,
            job.caller,
            &api::SERVICE,
            "RemovePermission",
            request,
            |tx, caller, it| bus::remove_permission(tx, caller, &it),
        )?;
    }
    put_bus_policy(tx, job, name)?;
    retag(
        tx,
        &BusKey::of(job.caller, Some(name)).arn(),
        existing.properties,
        job,
    )?;
    Ok(built_bus(job, name))
}

fn delete_bus(tx: &mut Tx<'_>, caller: &Caller, existing: &Existing<'_>) -> Result<(), ApiError> {
    let name = Some(existing.physical_id.to_owned());
    gone_is_fine(call(
        tx,
        caller,
        &api::SERVICE,
        "DeleteEventBus",
        api::DeleteEventBusRequest { name },
        |tx, caller, it| bus::delete(tx, caller, &it),
    ))
}

fn create_policy(tx: &mut Tx<'_>, job: &Job<'_>) -> Result<Built, ApiError> {
    put_statement(tx, job)?;
    let physical_id = job.made_up(tx, 64);
    Ok(Built {
        physical_id,
        ..Default::default()
    })
}

/// A statement given whole carries its action, principal and condition within.
fn put_statement(tx: &mut Tx<'_>, job: &Job<'_>) -> Result<(), ApiError> {
    let mut properties = job.but(&["Statement"]);
    if let Some(statement) = job.properties.get("Statement") {
        let mut statement = statement.clone();
        if let Some(map) = statement.as_object_mut() {
            map.insert("Sid".to_owned(), Value::from(job.required("StatementId")?));
        }
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]});
        properties = job.but(&[
            "Statement",
            "StatementId",
            "Action",
            "Principal",
            "Condition",
        ]);
        properties.insert("Policy".to_owned(), Value::from(policy.to_string()));
    }
    call(
        tx,
        job.caller,
        &api::SERVICE,
        "PutPermission",
        request(&api::SERVICE, "PutPermission", properties)?,
        |tx, caller, it| bus::put_permission(tx, caller, &it),
    )
}

fn update_policy(
    tx: &mut Tx<'_>,
    job: &Job<'_>,
    existing: &Existing<'_>,
) -> Result<Built, ApiError> {
    put_statement(tx, job)?;
    Ok(Built {
        physical_id: existing.physical_id.to_owned(),
        ..Default::default()
    })
}

fn delete_policy(
    tx: &mut Tx<'_>,
    caller: &Caller,
    existing: &Existing<'_>,
) -> Result<(), ApiError> {
    let sid = existing
        .properties
        .get("StatementId")
        .and_then(Value::as_str);
    let request = api::RemovePermissionRequest {
        event_bus_name: bus_name(existing),
        statement_id: sid.map(str::to_owned),
        ..Default::default()
    };
    gone_is_fine(call(
        tx,
        caller,
        &api::SERVICE,
        "RemovePermission",
        request,
        |tx, caller, it| bus::remove_permission(tx, caller, &it),
    ))
}
