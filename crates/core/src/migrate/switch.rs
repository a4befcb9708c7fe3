//! Switches S3's own events on at a bucket of the template, in whatever shape its notifications are written.
//!
//! Never replaces notifications that are there.

use super::edit::{Draft, Source, append};
use super::note::{Kind, Note};
use crate::template::{Node, Resource, Template, as_bool_loose};

const NOTIFICATION: &str = "NotificationConfiguration";
const EVENT_BRIDGE: &str = "EventBridgeConfiguration";
const ENABLED: &str = "EventBridgeEnabled";

/// How a bucket stands to S3's own events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Switch {
    On,
    Off,
    /// Not to be told from the text.
    Unknown,
}

/// Whether a bucket sends its events to EventBridge.
pub(crate) fn switch(id: &str, bucket: &Resource, template: &Template) -> Switch {
    if custom(id, template).is_some_and(|it| it.get(EVENT_BRIDGE).is_some()) {
        return Switch::On;
    }
    let configuration = bucket
        .properties
        .as_ref()
        .and_then(|it| it.get(NOTIFICATION));
    let Some(configuration) = configuration else {
        return Switch::Off;
    };
    if configuration.function().is_some() {
        return Switch::Unknown;
    }
    let Some(event_bridge) = configuration.get(EVENT_BRIDGE) else {
        return Switch::Off;
    };
    match event_bridge
        .get(ENABLED)
        .map(|it| as_bool_loose(&it.to_json()))
    {
        Some(Some(true)) => Switch::On,
        Some(Some(false)) => Switch::Off,
        None if event_bridge.function().is_none() => Switch::Off,
        _ => Switch::Unknown,
    }
}

/// The notifications that CDK's own resource sets for a bucket.
fn custom<'a>(id: &str, template: &'a Template) -> Option<&'a Node> {
    let is_of = |resource: &&Resource| {
        resource.resource_type == "Custom::S3BucketNotifications"
            && resource
                .properties
                .as_ref()
                .and_then(|it| it.get("BucketName")?.get("Ref")?.as_str())
                == Some(id)
    };
    let resource = template.resources.values().find(is_of)?;
    resource.properties.as_ref()?.get(NOTIFICATION)
}

/// Switches a bucket's events on.
pub(super) fn turn_on(
    draft: &mut Draft,
    source: Source<'_>,
    template: &Template,
    id: &str,
    resource: &Node,
) -> Option<Note> {
    let bucket = template.resource(id)?;
    let note = |kind, message: &str| Some(Note::new(kind, id, bucket.span, message));
    match switch(id, bucket, template) {
        Switch::On => return None,
        Switch::Unknown => {
            return Some(
                Note::new(
                    Kind::Left,
                    id,
                    bucket.span,
                    "the bucket's notifications are not written out",
                )
                .advise("switch EventBridge on in them: `EventBridgeConfiguration: {EventBridgeEnabled: true}`"),
            );
        }
        Switch::Off => {}
    }
    if let Some(configuration) = custom(id, template) {
        append(draft, source, configuration, &[EVENT_BRIDGE], "{}");
        return note(
            Kind::Changed,
            "the bucket's notifications include EventBridge now",
        );
    }
    let path = [NOTIFICATION, EVENT_BRIDGE, ENABLED];
    match resource.get("Properties") {
        None => append(
            draft,
            source,
            resource,
            &["Properties", NOTIFICATION, EVENT_BRIDGE, ENABLED],
            "true",
        ),
        Some(properties) => descend(draft, source, properties, &path),
    }
    note(
        Kind::Changed,
        "the bucket sends its events to EventBridge now",
    )
}

fn descend(draft: &mut Draft, source: Source<'_>, map: &Node, path: &[&str]) {
    let Some((name, rest)) = path.split_first() else {
        return;
    };
    match map.get(name) {
        None => append(draft, source, map, path, "true"),
        Some(value) if rest.is_empty() => {
            draft.replace(value.span.start.byte, source.content_end(value), "true");
        }
        Some(inner) => descend(draft, source, inner, rest),
    }
}
