//! Takes a service model from botocore's data folder and keeps what is served. Never keeps documentation text.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

use super::model::{ErrorTrait, Member, Model};
use super::operations::Served;

/// Reads the newest model of the service under `data` and writes its served part to `models`.
pub fn import(data: &Path, models: &Path, served: &Served) -> anyhow::Result<()> {
    let mut model: Model = serde_json::from_str(&newest(&data.join(served.service))?)?;
    model.reduce(served.operations)?;
    if served.service == "sqs" {
        restore_sqs_query(&mut model);
    }
    fs::create_dir_all(models)?;
    fs::write(
        models.join(format!("{}.json", served.service)),
        lines(&model)?,
    )?;
    Ok(())
}

/// The text of the model in the last dated folder.
fn newest(service: &Path) -> anyhow::Result<String> {
    let mut dates: Vec<PathBuf> = fs::read_dir(service)?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<Result<_, _>>()?;
    dates.sort();
    let folder = dates.pop().context("no dated folder")?;
    let mut text = String::new();
    match fs::File::open(folder.join("service-2.json.gz")) {
        Ok(file) => flate2::read::GzDecoder::new(file).read_to_string(&mut text)?,
        Err(_) => fs::File::open(folder.join("service-2.json"))?.read_to_string(&mut text)?,
    };
    Ok(text)
}

/// One line for each operation and shape, so that a change of the models reads well in a diff.
fn lines(model: &Model) -> anyhow::Result<String> {
    fn block<T: Serialize>(
        items: &std::collections::BTreeMap<String, T>,
    ) -> anyhow::Result<String> {
        let line = |(name, item): (&String, &T)| {
            Ok(format!(
                "{}:{}",
                serde_json::to_string(name)?,
                serde_json::to_string(item)?
            ))
        };
        Ok(items
            .iter()
            .map(line)
            .collect::<anyhow::Result<Vec<_>>>()?
            .join(",\n"))
    }
    Ok(format!(
        "{{\"metadata\":{},\n\"operations\":{{\n{}\n}},\n\"shapes\":{{\n{}\n}}}}\n",
        serde_json::to_string(&model.metadata)?,
        block(&model.operations)?,
        block(&model.shapes)?,
    ))
}

/// Names that SQS's Query protocol gives to the items of its lists.
const SQS_ITEMS: &[(&str, &str)] = &[
    ("AWSAccountIdList", "AWSAccountId"),
    ("ActionNameList", "ActionName"),
    ("AttributeNameList", "AttributeName"),
    ("BatchResultErrorEntryList", "BatchResultErrorEntry"),
    ("BinaryList", "BinaryListValue"),
    (
        "ChangeMessageVisibilityBatchRequestEntryList",
        "ChangeMessageVisibilityBatchRequestEntry",
    ),
    (
        "ChangeMessageVisibilityBatchResultEntryList",
        "ChangeMessageVisibilityBatchResultEntry",
    ),
    (
        "DeleteMessageBatchRequestEntryList",
        "DeleteMessageBatchRequestEntry",
    ),
    (
        "DeleteMessageBatchResultEntryList",
        "DeleteMessageBatchResultEntry",
    ),
    ("MessageAttributeNameList", "MessageAttributeName"),
    ("MessageList", "Message"),
    ("MessageSystemAttributeList", "MessageSystemAttributeName"),
    ("QueueUrlList", "QueueUrl"),
    (
        "SendMessageBatchRequestEntryList",
        "SendMessageBatchRequestEntry",
    ),
    (
        "SendMessageBatchResultEntryList",
        "SendMessageBatchResultEntry",
    ),
    ("StringList", "StringListValue"),
    ("TagKeyList", "TagKey"),
];

/// Names that SQS's Query protocol gives to its maps, their keys and their values.
const SQS_MAPS: &[(&str, &str, &str, &str)] = &[
    ("QueueAttributeMap", "Attribute", "Name", "Value"),
    ("MessageSystemAttributeMap", "Attribute", "Name", "Value"),
    (
        "MessageBodyAttributeMap",
        "MessageAttribute",
        "Name",
        "Value",
    ),
    (
        "MessageBodySystemAttributeMap",
        "MessageSystemAttribute",
        "Name",
        "Value",
    ),
    ("TagMap", "Tag", "Key", "Value"),
];

/// Codes and statuses of SQS's Query protocol that differ from the names of the error shapes.
const SQS_ERRORS: &[(&str, &str, u16)] = &[
    (
        "BatchEntryIdsNotDistinct",
        "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
        400,
    ),
    (
        "BatchRequestTooLong",
        "AWS.SimpleQueueService.BatchRequestTooLong",
        400,
    ),
    (
        "EmptyBatchRequest",
        "AWS.SimpleQueueService.EmptyBatchRequest",
        400,
    ),
    (
        "InvalidBatchEntryId",
        "AWS.SimpleQueueService.InvalidBatchEntryId",
        400,
    ),
    (
        "MessageNotInflight",
        "AWS.SimpleQueueService.MessageNotInflight",
        400,
    ),
    ("OverLimit", "OverLimit", 403),
    (
        "PurgeQueueInProgress",
        "AWS.SimpleQueueService.PurgeQueueInProgress",
        403,
    ),
    (
        "QueueDeletedRecently",
        "AWS.SimpleQueueService.QueueDeletedRecently",
        400,
    ),
    (
        "QueueDoesNotExist",
        "AWS.SimpleQueueService.NonExistentQueue",
        400,
    ),
    ("QueueNameExists", "QueueAlreadyExists", 400),
    (
        "TooManyEntriesInBatchRequest",
        "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
        400,
    ),
    (
        "UnsupportedOperation",
        "AWS.SimpleQueueService.UnsupportedOperation",
        400,
    ),
];

/// Botocore's model of SQS describes its JSON protocol only; older SDKs still speak Query to it.
fn restore_sqs_query(model: &mut Model) {
    for (list, item) in SQS_ITEMS {
        if let Some(member) = model.shapes.get_mut(*list).and_then(|s| s.member.as_mut()) {
            member.location_name = Some((*item).to_owned());
        }
    }
    for (map, _, key, value) in SQS_MAPS {
        if let Some(shape) = model.shapes.get_mut(*map) {
            let name = |member: &mut Option<Member>, name: &str| {
                if let Some(member) = member {
                    member.location_name = Some(name.to_owned());
                }
            };
            name(&mut shape.key, key);
            name(&mut shape.value, value);
        }
    }
    for shape in model.shapes.values_mut() {
        for member in shape.members.values_mut() {
            let target = member.get("shape").and_then(|s| s.as_str());
            let found = SQS_MAPS.iter().find(|(map, ..)| Some(*map) == target);
            if let (Some((_, name, ..)), Some(member)) = (found, member.as_object_mut()) {
                member.insert("queryName".to_owned(), (*name).into());
            }
        }
    }
    for (name, code, status) in SQS_ERRORS {
        if let Some(shape) = model.shapes.get_mut(*name) {
            shape.error = Some(ErrorTrait {
                code: Some((*code).to_owned()),
                http_status_code: Some(*status),
                sender_fault: true,
            });
        }
    }
}
