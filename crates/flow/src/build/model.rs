//! What is stored of stacks: the stack, its templates, its resources, its change sets, its events and the operation
//! that is under way. Never decides anything.

use std::collections::BTreeSet;

use landfall_core::api::generated::cloudformation as api;
use landfall_core::arn::Arn;
use landfall_core::caller::{Caller, Identity};
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::template::{Change, Parameter, Parameters, Policy, ResourceState};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::key::Key;
use crate::tx::{Reader, Tx};

/// A stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StackRecord {
    /// ARN.
    pub id: String,
    /// Unique among the stacks of an account and region that are not deleted.
    pub name: String,
    /// Owner.
    pub account: String,
    /// Home.
    pub region: String,
    /// Such as `CREATE_COMPLETE`.
    pub status: String,
    /// Why it has this status.
    pub status_reason: Option<String>,
    /// What is wanted: changed at the start of an operation, put back by a rollback.
    pub wanted: Wanted,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last updated.
    pub updated: Option<Timestamp>,
    /// When it was deleted.
    pub deleted: Option<Timestamp>,
    /// What becomes of a failed operation.
    pub on_failure: OnFailure,
    /// Whether DeleteStack is refused.
    pub termination_protection: bool,
    /// Kept for DescribeStacks; operations here take no time worth a timeout.
    pub timeout_minutes: Option<i32>,
    /// Values of the outputs.
    pub outputs: Vec<api::Output>,
    /// Names of the exports that its template imports.
    pub imports: BTreeSet<String>,
    /// The change set that was executed last.
    pub change_set_id: Option<String>,
    /// Client token of the last operation.
    pub token: Option<String>,
    /// Resources that a failed operation without rollback left behind.
    pub leftovers: Vec<ResourceRecord>,
}
crate::record!(StackRecord in Control);

/// What an operation wants of a stack, template aside.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    /// The template's description.
    pub description: Option<String>,
    /// Values of the parameters.
    pub parameters: Vec<ParameterRecord>,
    /// Tags of the stack, given to each resource that takes tags.
    pub tags: Vec<api::Tag>,
    /// Acknowledged capabilities.
    pub capabilities: Vec<String>,
    /// Kept for DescribeStacks.
    pub role_arn: Option<String>,
}

/// A parameter with its value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ParameterRecord {
    /// Its name.
    pub name: String,
    /// As supplied.
    pub supplied: String,
    /// What `Ref` gives.
    pub value: Value,
    /// The value fetched, for SSM types.
    pub resolved: Option<String>,
    /// Whether it is shown as `****`.
    pub no_echo: bool,
}

/// What becomes of an operation that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnFailure {
    /// It is taken back.
    Rollback,
    /// The stack stays as it is, failed.
    DoNothing,
    /// The stack is deleted.
    Delete,
}

/// A template's text: the current one, the next one, or that of a change set.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TemplateRecord {
    /// As it was given.
    pub text: String,
}
crate::record!(TemplateRecord in Control);

/// A resource of a stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResourceRecord {
    /// Its name in the template.
    pub logical_id: String,
    /// `Type`.
    pub resource_type: String,
    /// What `Ref` gives; empty while there is none.
    pub physical_id: String,
    /// Whether there is something behind the physical id that the stack answers for.
    pub exists: bool,
    /// Such as `CREATE_COMPLETE`.
    pub status: String,
    /// Why it has this status.
    pub reason: Option<String>,
    /// Last change.
    pub changed: Timestamp,
    /// Resolved properties it was made with.
    pub properties: Map<String, Value>,
    /// What `Fn::GetAtt` gives.
    pub attributes: Map<String, Value>,
    /// Metadata, not evaluated.
    pub metadata: Option<Value>,
    /// `DeletionPolicy`.
    pub deletion_policy: String,
    /// `UpdateReplacePolicy`.
    pub update_replace_policy: String,
}
crate::record!(ResourceRecord in Control);

/// The operation under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Operation {
    /// What it does.
    pub kind: OperationKind,
    /// How far it is.
    pub phase: Phase,
    /// Logical ids in the order of the phase's work.
    pub order: Vec<String>,
    /// Index of the next of them.
    pub at: usize,
    /// What to put back if it fails.
    pub previous: Wanted,
    /// What was done, for a rollback; the last thing last.
    pub undo: Vec<Undo>,
    /// Resources to delete once the rest has succeeded.
    pub cleanup: Vec<ResourceRecord>,
    /// Logical ids that failed.
    pub failed: Vec<String>,
    /// Exports that the template imports.
    pub imports: BTreeSet<String>,
    /// Logical ids in the order in which the former template made them.
    pub former_order: Vec<String>,
    /// Logical ids that DeleteStack keeps.
    pub retain: Vec<String>,
    /// Who asked for it.
    #[serde(default)]
    pub asked_by: Option<Asker>,
}
crate::record!(Operation in Control);

/// Who asked for an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asker {
    /// Access key id.
    pub access_key_id: String,
    /// Identity.
    pub identity: Identity,
}

impl Asker {
    /// A caller as the one who asks.
    pub fn of(caller: &Caller) -> Self {
        Self {
            access_key_id: caller.access_key_id.clone(),
            identity: caller.identity.clone(),
        }
    }
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OperationKind {
    /// Makes a stack.
    Create,
    /// Changes a stack.
    Update,
    /// Deletes a stack.
    Delete,
}

/// How far an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Resources are made and changed in the template's order.
    Build,
    /// What was done is taken back.
    Undo,
    /// What is not needed any more is deleted.
    Cleanup,
    /// Everything is deleted.
    Delete,
}

/// One thing to take back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Undo {
    /// Its name in the template.
    pub logical_id: String,
    /// What it was before; `None` when it was not there.
    pub before: Option<ResourceRecord>,
    /// Whether what it was before still stands beside its successor.
    pub replaced: bool,
}

/// An export of a stack.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExportRecord {
    /// The stack.
    pub stack_id: String,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}
crate::record!(ExportRecord in Control);

/// A change set.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangeSetRecord {
    /// ARN.
    pub id: String,
    /// Unique in its stack.
    pub name: String,
    /// `CREATE_COMPLETE` or `FAILED`.
    pub status: String,
    /// Why.
    pub status_reason: Option<String>,
    /// `AVAILABLE`, `UNAVAILABLE`, `EXECUTE_COMPLETE`, ….
    pub execution_status: String,
    /// Free text.
    pub description: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// What it wants.
    pub wanted: Wanted,
    /// What it will do.
    pub changes: Vec<api::Change>,
    /// `OnStackFailure` as asked for.
    pub on_stack_failure: Option<String>,
    /// Token of the request that made it.
    pub token: Option<String>,
}
crate::record!(ChangeSetRecord in Control);

/// An event of a stack.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EventRecord {
    /// As the API shows it.
    pub event: api::StackEvent,
}
crate::record!(EventRecord in Control);

/// Which stack has a name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NameRecord {
    /// ARN of the stack.
    pub id: String,
}
crate::record!(NameRecord in Control);

/// A slot for a template beside a stack.
pub const CURRENT: &str = "current";
/// The template that the operation under way is going to.
pub const NEXT: &str = "next";

/// Prefix of the keys of all stacks of an account and region.
pub fn stacks_key(caller: &Caller) -> Key {
    Key::new("stack").part(&caller.account).part(&caller.region)
}

/// Key of a stack; `None` when the text is no ARN of one.
pub fn stack_key(id: &str) -> Option<Key> {
    let arn = Arn::parse(id)?;
    let stack = arn.service == "cloudformation" && arn.resource.starts_with("stack/");
    stack.then(|| {
        Key::new("stack")
            .part(arn.account)
            .part(arn.region)
            .part(id)
    })
}

/// Key of a name.
pub fn name_key(account: &str, region: &str, name: &str) -> Key {
    Key::new("stack-name").part(account).part(region).part(name)
}

/// Key of a template beside a stack: [`CURRENT`], [`NEXT`] or the id of a change set.
pub fn template_key(stack_id: &str, slot: &str) -> Key {
    Key::new("stack-template").part(stack_id).part(slot)
}

/// Prefix of the keys of a stack's resources.
pub fn resources_key(stack_id: &str) -> Key {
    Key::new("stack-resource").part(stack_id)
}

/// Key of the operation under way; with no id the prefix of them all.
pub fn operation_key(stack_id: Option<&str>) -> Key {
    let all = Key::new("stack-operation");
    match stack_id {
        Some(id) => all.part(id),
        None => all,
    }
}

/// Prefix of the keys of a stack's change sets.
pub fn change_sets_key(stack_id: &str) -> Key {
    Key::new("stack-change-set").part(stack_id)
}

/// Prefix of the keys of a stack's events, oldest first.
pub fn events_key(stack_id: &str) -> Key {
    Key::new("stack-event").part(stack_id)
}

/// Prefix of the keys of the exports of an account and region.
pub fn exports_key(account: &str, region: &str) -> Key {
    Key::new("stack-export").part(account).part(region)
}

impl StackRecord {
    /// Writes it.
    pub fn save(&self, tx: &mut Tx<'_>) -> Result<(), ApiError> {
        let key = stack_key(&self.id).ok_or_else(|| ApiError::internal("a stack has no id"))?;
        tx.put(&key, self)
    }

    /// The caller on whose behalf the stack acts.
    pub fn caller(&self, request_id: String) -> Caller {
        let service = "cloudformation.amazonaws.com";
        Caller::service(service, &self.account, &self.region, request_id)
    }
}

impl ParameterRecord {
    /// The value as it may be shown.
    pub fn shown(&self) -> api::Parameter {
        let hide = |text: &String| {
            if self.no_echo {
                "****".to_owned()
            } else {
                text.clone()
            }
        };
        api::Parameter {
            parameter_key: Some(self.name.clone()),
            parameter_value: Some(hide(&self.supplied)),
            resolved_value: self.resolved.as_ref().map(hide),
            ..Default::default()
        }
    }
}

/// Parameters as they are stored.
pub fn parameter_records(parameters: &Parameters) -> Vec<ParameterRecord> {
    let record = |(name, it): (&String, &Parameter)| ParameterRecord {
        name: name.clone(),
        supplied: it.supplied.clone(),
        value: it.value.clone(),
        resolved: it.resolved.clone(),
        no_echo: it.no_echo,
    };
    parameters.iter().map(record).collect()
}

/// Stored parameters as the evaluator takes them.
pub fn parameters_of(records: &[ParameterRecord]) -> Parameters {
    let parameter = |it: &ParameterRecord| Parameter {
        supplied: it.supplied.clone(),
        value: it.value.clone(),
        resolved: it.resolved.clone(),
        no_echo: it.no_echo,
    };
    records
        .iter()
        .map(|it| (it.name.clone(), parameter(it)))
        .collect()
}

impl ResourceRecord {
    /// As the comparison of states takes it.
    pub fn state(&self) -> ResourceState {
        ResourceState {
            resource_type: self.resource_type.clone(),
            properties: self.properties.clone(),
            metadata: self.metadata.clone(),
            deletion_policy: policy_of(&self.deletion_policy),
            update_replace_policy: policy_of(&self.update_replace_policy),
        }
    }

    /// Writes it.
    pub fn save(&self, tx: &mut Tx<'_>, stack_id: &str) -> Result<(), ApiError> {
        tx.put(&resources_key(stack_id).part(&self.logical_id), self)
    }
}

/// A resource of a stack by its name, whether it exists or not.
pub fn resource(
    db: &impl Reader,
    stack_id: &str,
    logical_id: &str,
) -> Result<Option<ResourceRecord>, ApiError> {
    db.get(&resources_key(stack_id).part(logical_id))
}

/// The text of a template beside a stack.
pub fn template_text(db: &impl Reader, stack_id: &str, slot: &str) -> Result<String, ApiError> {
    let record = db.get::<TemplateRecord>(&template_key(stack_id, slot))?;
    Ok(record.map(|it| it.text).unwrap_or_default())
}

/// A policy as it is stored.
pub fn policy_text(policy: Policy) -> String {
    let text = match policy {
        Policy::Delete => "Delete",
        Policy::Retain => "Retain",
        Policy::RetainExceptOnCreate => "RetainExceptOnCreate",
        Policy::Snapshot => "Snapshot",
    };
    text.to_owned()
}

/// A stored policy.
pub fn policy_of(text: &str) -> Policy {
    match text {
        "Retain" => Policy::Retain,
        "RetainExceptOnCreate" => Policy::RetainExceptOnCreate,
        "Snapshot" => Policy::Snapshot,
        _ => Policy::Delete,
    }
}

/// Whether a change touches what the resource is made of.
pub fn touches_properties(change: &Change) -> bool {
    change
        .scope
        .iter()
        .any(|it| matches!(*it, "Properties" | "Tags"))
}
