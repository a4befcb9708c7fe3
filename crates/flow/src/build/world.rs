//! What exists around a template while it is evaluated: the stack's own resources, exports, parameters of SSM.
//! Never changes anything.

use std::cell::RefCell;
use std::collections::BTreeSet;

use landfall_core::api::generated::cloudformation as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::template::{
    Evaluator, Lookup, Pseudo, Resource, ResourceState, TemplateError, as_string_loose, schema,
};
use serde_json::{Map, Value};

use super::model::{ExportRecord, StackRecord, exports_key, resource};
use crate::keep::parameters;
use crate::tx::Reader;

/// The surroundings of one stack, as a reader sees them.
pub struct World<'a, R> {
    db: &'a R,
    caller: Caller,
    stack_id: &'a str,
    /// Resources that are about to be replaced: what they give is not known.
    pub unknown: RefCell<BTreeSet<String>>,
    /// Names of exports that were asked for.
    pub imports: RefCell<BTreeSet<String>>,
}

impl<'a, R: Reader> World<'a, R> {
    /// The surroundings of a stack.
    pub fn new(db: &'a R, caller: &Caller, stack_id: &'a str) -> Self {
        Self {
            db,
            caller: caller.clone(),
            stack_id,
            unknown: RefCell::default(),
            imports: RefCell::default(),
        }
    }

    fn known(&self, logical_id: &str) -> Option<super::model::ResourceRecord> {
        if self.unknown.borrow().contains(logical_id) {
            return None;
        }
        let found = seen(resource(self.db, self.stack_id, logical_id))?;
        found.filter(|it| it.exists)
    }
}

/// A damaged store shows when the operation next writes; here it looks like nothing.
fn seen<T>(read: Result<T, ApiError>) -> Option<T> {
    read.inspect_err(|e| tracing::error!(error = %e, "cannot read what a template asks for"))
        .ok()
}

impl<R: Reader> Lookup for World<'_, R> {
    fn attribute(&self, logical_id: &str, attribute: &str) -> Option<Value> {
        self.known(logical_id)?.attributes.get(attribute).cloned()
    }

    fn physical_id(&self, logical_id: &str) -> Option<String> {
        self.known(logical_id).map(|it| it.physical_id)
    }

    fn import(&self, export_name: &str) -> Option<String> {
        self.imports.borrow_mut().insert(export_name.to_owned());
        let key = exports_key(&self.caller.account, &self.caller.region).part(export_name);
        seen(self.db.get::<ExportRecord>(&key))?.map(|it| it.value)
    }

    fn ssm_parameter(&self, name: &str, version: Option<u64>) -> Option<String> {
        let name = match version {
            Some(version) => format!("{name}:{version}"),
            None => name.to_owned(),
        };
        seen(parameters::value(self.db, &self.caller, &name))?
    }
}

/// The pseudo parameters of a stack.
pub fn pseudo(stack: &StackRecord) -> Pseudo {
    Pseudo {
        account_id: stack.account.clone(),
        region: stack.region.clone(),
        partition: "aws".to_owned(),
        url_suffix: "amazonaws.com".to_owned(),
        stack_name: stack.name.clone(),
        stack_id: stack.id.clone(),
        notification_arns: Vec::new(),
    }
}

/// A resource as the template wants it: properties resolved, the stack's tags among its own.
///
/// # Errors
/// As [`Evaluator::properties`].
pub fn wanted_state(
    evaluator: &Evaluator<'_>,
    resource: &Resource,
    tags: &[api::Tag],
) -> Result<ResourceState, TemplateError> {
    let mut properties = evaluator.properties(resource)?;
    add_tags(&resource.resource_type, &mut properties, tags);
    Ok(ResourceState {
        resource_type: resource.resource_type.clone(),
        properties,
        metadata: resource.metadata.as_ref().map(|it| it.to_json()),
        deletion_policy: resource.deletion_policy,
        update_replace_policy: resource.update_replace_policy,
    })
}

/// Gives a resource the stack's tags; its own win.
fn add_tags(resource_type: &str, properties: &mut Map<String, Value>, tags: &[api::Tag]) {
    let takes_tags = schema(resource_type).is_some_and(|it| it.property("Tags").is_some());
    if !takes_tags || tags.is_empty() {
        return;
    }
    let pairs = tags
        .iter()
        .filter_map(|tag| Some((tag.key.clone()?, tag.value.clone()?)));
    if resource_type == "AWS::SSM::Parameter" {
        let own = properties
            .entry("Tags")
            .or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(own) = own {
            for (key, value) in pairs {
                own.entry(key).or_insert(Value::from(value));
            }
        }
        return;
    }
    let own = properties
        .entry("Tags")
        .or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(own) = own {
        for (key, value) in pairs {
            let named = |it: &Value| it.get("Key").and_then(as_string_loose).as_ref() == Some(&key);
            if !own.iter().any(named) {
                own.push(serde_json::json!({"Key": key, "Value": value}));
            }
        }
    }
}
