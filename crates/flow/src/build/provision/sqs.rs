//! Queues and their policies. Never sends a message.

use std::collections::BTreeMap;

use landfall_core::api::generated::sqs as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use serde_json::Value;

use super::{
    Built, Existing, Job, Properties, Provisioner, already_exists, attributes, call, document,
    gone_is_fine, retag, texts,
};
use crate::keep::queues;
use crate::tx::Tx;

/// `AWS::SQS::Queue`.
pub const QUEUE: Provisioner = Provisioner {
    create,
    update,
    delete,
};
/// `AWS::SQS::QueuePolicy`.
pub const QUEUE_POLICY: Provisioner = Provisioner {
    create: put_policy,
    update: change_policy,
    delete: clear_policy,
};

/// What an attribute is when it is not given.
const DEFAULTS: &[(&str, &str)] = &[
    ("DelaySeconds", "0"),
    ("KmsMasterKeyId", ""),
    ("MaximumMessageSize", "1048576"),
    ("MessageRetentionPeriod", "345600"),
    ("ReceiveMessageWaitTimeSeconds", "0"),
    ("RedriveAllowPolicy", ""),
    ("RedrivePolicy", ""),
    ("VisibilityTimeout", "30"),
];

fn queue_attributes(properties: &Properties) -> BTreeMap<String, String> {
    let own = properties
        .iter()
        .filter(|(name, _)| !["QueueName", "Tags"].contains(&name.as_str()));
    own.filter_map(|(name, value)| Some((name.clone(), document(Some(value))?)))
        .collect()
}

fn create(tx: &mut Tx<'_>, job: &Job<'_>) -> Result<Built, ApiError> {
    let name = job.name(tx, "QueueName", 80);
    let caller = job.caller;
    if queues::lookup(tx, &caller.account, &caller.region, &name)?.is_some() {
        return Err(already_exists(&name));
    }
    let request = api::CreateQueueRequest {
        queue_name: Some(name.clone()),
        attributes: Some(queue_attributes(job.properties)),
        tags: Some(job.tags().into_iter().collect()),
    };
    let create = |tx: &mut Tx<'_>, caller: &Caller, request| {
        queues::create(tx, caller, job.endpoint, request)
    };
    let url = call(tx, caller, &api::SERVICE, "CreateQueue", request, create)?
        .queue_url
        .unwrap_or_default();
    built(tx, caller, url)
}

fn built(tx: &Tx<'_>, caller: &Caller, url: String) -> Result<Built, ApiError> {
    let queue = queues::find(tx, caller, Some(&url))?;
    let attributes = attributes([
        ("Arn", &queue.arn()),
        ("QueueName", &queue.name),
        ("QueueUrl", &url),
    ]);
    Ok(Built {
        physical_id: url,
        attributes,
    })
}

fn update(tx: &mut Tx<'_>, job: &Job<'_>, existing: &Existing<'_>) -> Result<Built, ApiError> {
    let url = existing.physical_id.to_owned();
    let mut wanted = queue_attributes(job.properties);
    for name in queue_attributes(existing.properties).into_keys() {
        let default = DEFAULTS.iter().find(|(known, _)| *known == name);
        if let Some((_, default)) = default {
            wanted.entry(name).or_insert_with(|| (*default).to_owned());
        }
    }
    set_attributes(tx, job.caller, &url, wanted)?;
    let built = built(tx, job.caller, url)?;
    let arn = built
        .attributes
        .get("Arn")
        .and_then(Value::as_str)
        .unwrap_or_default();
    retag(tx, arn, existing.properties, job)?;
    Ok(built)
}

fn set_attributes(
    tx: &mut Tx<'_>,
    caller: &Caller,
    url: &str,
    attributes: BTreeMap<String, String>,
) -> Result<(), ApiError> {
    if attributes.is_empty() {
        return Ok(());
    }
    let request = api::SetQueueAttributesRequest {
        queue_url: Some(url.to_owned()),
        attributes: Some(attributes),
    };
    call(
        tx,
        caller,
        &api::SERVICE,
        "SetQueueAttributes",
        request,
        queues::set_attributes,
    )
}

fn delete(tx: &mut Tx<'_>, caller: &Caller, existing: &Existing<'_>) -> Result<(), ApiError> {
    let queue_url = Some(existing.physical_id.to_owned());
    gone_is_fine(call(
        tx,
        caller,
        &api::SERVICE,
        "DeleteQueue",
        api::DeleteQueueRequest { queue_url },
        |tx, caller, it| queues::delete(tx, caller, &it),
    ))
}

fn set_policy(
    tx: &mut Tx<'_>,
    caller: &Caller,
    queues: &[String],
    policy: &str,
) -> Result<(), ApiError> {
    for url in queues {
        let policy = BTreeMap::from([("Policy".to_owned(), policy.to_owned())]);
        set_attributes(tx, caller, url, policy)?;
    }
    Ok(())
}

fn put_policy(tx: &mut Tx<'_>, job: &Job<'_>) -> Result<Built, ApiError> {
    let policy = document(job.properties.get("PolicyDocument")).unwrap_or_default();
    set_policy(tx, job.caller, &texts(job.properties, "Queues"), &policy)?;
    let id = job.made_up(tx, 255);
    Ok(Built {
        attributes: attributes([("Id", &id)]),
        physical_id: id,
    })
}

fn change_policy(
    tx: &mut Tx<'_>,
    job: &Job<'_>,
    existing: &Existing<'_>,
) -> Result<Built, ApiError> {
    clear_policy(tx, job.caller, existing)?;
    let id = existing.physical_id.to_owned();
    put_policy(tx, job)?;
    Ok(Built {
        attributes: attributes([("Id", &id)]),
        physical_id: id,
    })
}

fn clear_policy(tx: &mut Tx<'_>, caller: &Caller, existing: &Existing<'_>) -> Result<(), ApiError> {
    for url in texts(existing.properties, "Queues") {
        gone_is_fine(set_policy(tx, caller, &[url], ""))?;
    }
    Ok(())
}
