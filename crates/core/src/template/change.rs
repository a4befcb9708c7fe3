//! What an update does to a stack: the resources it adds, modifies, replaces and removes.
//!
//! Compares resolved properties. Never carries a change out.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::error::{Names, TemplateError};
use super::evaluate::KNOWN_AFTER_APPLY;
use super::loose::same;
use super::model::Policy;
use super::schema;

/// A resource as a stack has it or is to have it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResourceState {
    /// `Type`.
    pub resource_type: String,
    /// Its resolved properties.
    pub properties: Map<String, Value>,
    /// Its metadata, not evaluated.
    pub metadata: Option<Value>,
    /// `DeletionPolicy`.
    pub deletion_policy: Policy,
    /// `UpdateReplacePolicy`.
    pub update_replace_policy: Policy,
}

/// One resource's change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its name in the template.
    pub logical_id: String,
    /// `Type`.
    pub resource_type: String,
    /// What is done.
    pub action: Action,
    /// Whether it is replaced; `None` unless it is modified.
    pub replacement: Option<Replacement>,
    /// What of it changes: `Properties`, `Tags`, `Metadata`, `DeletionPolicy`, `UpdateReplacePolicy`.
    pub scope: Vec<&'static str>,
    /// The properties that change.
    pub properties: Vec<PropertyChange>,
}

/// What is done to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is created.
    Add,
    /// It is updated or replaced.
    Modify,
    /// It is deleted (or, by its policy, kept and let go of).
    Remove,
}

impl Action {
    /// As the API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "Add",
            Self::Modify => "Modify",
            Self::Remove => "Remove",
        }
    }
}

/// Whether a modified resource is replaced. Ordered by severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Replacement {
    /// It is updated in place.
    False,
    /// It is replaced if a value not known yet turns out to differ.
    Conditional,
    /// It is replaced.
    True,
}

impl Replacement {
    /// As the API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::False => "False",
            Self::Conditional => "Conditional",
            Self::True => "True",
        }
    }
}

/// One property's change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertyChange {
    /// Its name.
    pub name: String,
    /// Its value before, if it had one.
    pub before: Option<Value>,
    /// Its value after, if it has one.
    pub after: Option<Value>,
    /// `RequiresRecreation`: `True` is `Always`, `False` is `Never`.
    pub recreation: Replacement,
}

/// The changes from one state to another: additions and modifications in the new order, then removals in the old.
pub fn changes(
    old: &IndexMap<String, ResourceState>,
    new: &IndexMap<String, ResourceState>,
) -> Vec<Change> {
    let kept_or_new = new.iter().filter_map(|(id, after)| match old.get(id) {
        Some(before) => modified(id, before, after),
        None => Some(whole(id, after, Action::Add)),
    });
    let gone = old.iter().filter(|(id, _)| !new.contains_key(*id));
    kept_or_new
        .chain(gone.map(|(id, before)| whole(id, before, Action::Remove)))
        .collect()
}

/// Refuses a resource that changes its type under its name.
///
/// # Errors
/// `Update of resource type is not permitted. …`
pub fn check_type_changes(
    old: &IndexMap<String, ResourceState>,
    new: &IndexMap<String, ResourceState>,
) -> Result<(), TemplateError> {
    let other = |id: &str, after: &ResourceState| {
        old.get(id)
            .is_some_and(|before| before.resource_type != after.resource_type)
    };
    let changed: Vec<&String> = new
        .iter()
        .filter(|(id, after)| other(id, after))
        .map(|(id, _)| id)
        .collect();
    if changed.is_empty() {
        return Ok(());
    }
    Err(TemplateError::new(format!(
        "Update of resource type is not permitted. The new template modifies resource type of the \
         following resources: {}",
        Names(&changed)
    )))
}

fn whole(id: &str, state: &ResourceState, action: Action) -> Change {
    Change {
        logical_id: id.to_owned(),
        resource_type: state.resource_type.clone(),
        action,
        replacement: None,
        scope: Vec::new(),
        properties: Vec::new(),
    }
}

fn modified(id: &str, before: &ResourceState, after: &ResourceState) -> Option<Change> {
    let properties = property_changes(before, after);
    let parts = [
        (
            "Properties",
            properties.iter().any(|change| change.name != "Tags"),
        ),
        (
            "Tags",
            properties.iter().any(|change| change.name == "Tags"),
        ),
        ("Metadata", before.metadata != after.metadata),
        (
            "DeletionPolicy",
            before.deletion_policy != after.deletion_policy,
        ),
        (
            "UpdateReplacePolicy",
            before.update_replace_policy != after.update_replace_policy,
        ),
    ];
    let scope: Vec<&str> = parts
        .iter()
        .filter(|(_, changed)| *changed)
        .map(|(name, _)| *name)
        .collect();
    if scope.is_empty() {
        return None;
    }
    let severest = properties.iter().map(|change| change.recreation).max();
    Some(Change {
        replacement: Some(severest.unwrap_or(Replacement::False)),
        scope,
        properties,
        ..whole(id, after, Action::Modify)
    })
}

fn property_changes(before: &ResourceState, after: &ResourceState) -> Vec<PropertyChange> {
    let added = after
        .properties
        .keys()
        .filter(|name| !before.properties.contains_key(*name));
    let names = before.properties.keys().chain(added);
    let change = |name: &String| {
        let (old, new) = (before.properties.get(name), after.properties.get(name));
        let equal = match (old, new) {
            (Some(old), Some(new)) => same(old, new),
            _ => false,
        };
        (!equal).then(|| PropertyChange {
            name: name.clone(),
            before: old.cloned(),
            after: new.cloned(),
            recreation: recreation(&after.resource_type, name, new),
        })
    };
    names.filter_map(change).collect()
}

fn recreation(resource_type: &str, property: &str, after: Option<&Value>) -> Replacement {
    let custom = schema::is_custom(resource_type);
    let replaces = match schema::schema(resource_type) {
        _ if custom => property == "ServiceToken",
        Some(schema) => schema.property(property).is_some_and(|it| it.replaces),
        None => false,
    };
    match after {
        _ if !replaces => Replacement::False,
        Some(value) if unknown(value) => Replacement::Conditional,
        _ => Replacement::True,
    }
}

fn unknown(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(KNOWN_AFTER_APPLY),
        Value::Array(items) => items.iter().any(unknown),
        Value::Object(map) => map.values().any(unknown),
        _ => false,
    }
}
