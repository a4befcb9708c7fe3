//! Resource types and what makes, changes and deletes them: properties go in, the API's own verbs do the work.
//!
//! One file for each service. A type that is not in [`find`] is refused when a template is read, never swallowed.

mod archive;
mod cloudtrail;
mod ec2;
mod ecs;
mod events;
mod group;
mod iam;
mod logs;
mod none;
mod route;
mod s3;
mod sqs;
mod ssm;

use landfall_core::api::model::ServiceModel;
use landfall_core::arn::Arn;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::template::as_string_loose;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::shape;
use crate::trail::own::{call, plain};
use crate::tx::Tx;

/// Properties by name.
pub type Properties = Map<String, Value>;

/// One piece of work.
pub struct Job<'a> {
    /// On whose behalf.
    pub caller: &'a Caller,
    /// URL under which this server is reached, for answers that carry one.
    pub endpoint: &'a str,
    /// Name of the stack, for names that are made up.
    pub stack_name: &'a str,
    /// Name in the template.
    pub logical_id: &'a str,
    /// Resolved properties.
    pub properties: &'a Properties,
}

/// What was made.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Built {
    /// What `Ref` gives.
    pub physical_id: String,
    /// What `Fn::GetAtt` gives.
    pub attributes: Properties,
}

/// What is there.
pub struct Existing<'a> {
    /// What `Ref` gives.
    pub physical_id: &'a str,
    /// Resolved properties it was made with.
    pub properties: &'a Properties,
}

/// How a type is made, changed and deleted.
#[derive(Clone, Copy)]
pub struct Provisioner {
    /// Makes one.
    pub create: fn(&mut Tx<'_>, &Job<'_>) -> Result<Built, ApiError>,
    /// Changes one in place.
    pub update: fn(&mut Tx<'_>, &Job<'_>, &Existing<'_>) -> Result<Built, ApiError>,
    /// Deletes one; what is gone already is no error.
    pub delete: fn(&mut Tx<'_>, &Caller, &Existing<'_>) -> Result<(), ApiError>,
}

/// The provisioner of a type, when Landfall serves it.
pub fn find(resource_type: &str) -> Option<Provisioner> {
    Some(match resource_type {
        "AWS::CDK::Metadata" | "AWS::CloudFormation::WaitConditionHandle" => none::NOTHING,
        "AWS::CloudTrail::Trail" => cloudtrail::TRAIL,
        "AWS::EC2::InternetGateway" => route::GATEWAY,
        "AWS::EC2::Route" => route::ROUTE,
        "AWS::EC2::RouteTable" => route::TABLE,
        "AWS::EC2::SecurityGroup" => group::GROUP,
        "AWS::EC2::SecurityGroupEgress" => group::EGRESS,
        "AWS::EC2::SecurityGroupIngress" => group::INGRESS,
        "AWS::EC2::Subnet" => ec2::SUBNET,
        "AWS::EC2::SubnetRouteTableAssociation" => route::ASSOCIATION,
        "AWS::EC2::VPC" => ec2::VPC,
        "AWS::EC2::VPCGatewayAttachment" => route::ATTACHMENT,
        "AWS::ECS::Cluster" => ecs::CLUSTER,
        "AWS::ECS::ClusterCapacityProviderAssociations" => ecs::CAPACITY_PROVIDERS,
        "AWS::ECS::TaskDefinition" => ecs::TASK_DEFINITION,
        "AWS::Events::Archive" => archive::ARCHIVE,
        "AWS::Events::EventBus" => events::BUS,
        "AWS::Events::EventBusPolicy" => events::BUS_POLICY,
        "AWS::Events::Rule" => events::RULE,
        "AWS::IAM::ManagedPolicy" => iam::MANAGED_POLICY,
        "AWS::IAM::Policy" => iam::POLICY,
        "AWS::IAM::Role" => iam::ROLE,
        "AWS::Logs::LogGroup" => logs::GROUP,
        "AWS::Logs::ResourcePolicy" => logs::RESOURCE_POLICY,
        "AWS::S3::Bucket" => s3::BUCKET,
        "AWS::S3::BucketPolicy" => s3::BUCKET_POLICY,
        "AWS::SQS::Queue" => sqs::QUEUE,
        "AWS::SQS::QueuePolicy" => sqs::QUEUE_POLICY,
        "AWS::SSM::Parameter" => ssm::PARAMETER,
        _ => return None,
    })
}

/// Whether Landfall serves a type.
pub fn is_served(resource_type: &str) -> bool {
    find(resource_type).is_some()
}

/// The reason of a failed resource, as the handlers of AWS word it.
pub fn reason(error: &ApiError) -> String {
    let code = match error.code.as_ref() {
        code if is_exists(code) => "AlreadyExists",
        code if is_missing(code) => "NotFound",
        "InternalFailure" => "InternalFailure",
        _ => "InvalidRequest",
    };
    let (message, status) = (&error.message, error.status);
    format!(
        "Resource handler returned message: \"{message} ({}, Status Code: {status})\" (HandlerErrorCode: {code})",
        error.code
    )
}

fn is_exists(code: &str) -> bool {
    code.contains("AlreadyExists") || code.contains("AlreadyOwned") || code.ends_with(".Duplicate")
}

fn is_missing(code: &str) -> bool {
    code.contains("NotFound")
        || code.contains("NoSuch")
        || code.contains("NonExistent")
        || code.contains("DoesNotExist")
}

/// Deleting what is gone already has succeeded.
fn gone_is_fine<T>(result: Result<T, ApiError>) -> Result<(), ApiError> {
    match result {
        Err(error) if !is_missing(&error.code) => Err(error),
        _ => Ok(()),
    }
}

/// What is there already under a name that the template gives.
fn already_exists(what: &str) -> ApiError {
    ApiError::client("AlreadyExists", format!("{what} already exists"))
}

impl Job<'_> {
    /// A property as text, when it is there.
    fn text(&self, name: &str) -> Option<String> {
        self.properties.get(name).and_then(as_string_loose)
    }

    /// A property as text.
    fn required(&self, name: &str) -> Result<String, ApiError> {
        self.text(name).ok_or_else(|| {
            ApiError::client(
                "InvalidRequest",
                format!("#: required key [{name}] not found"),
            )
        })
    }

    /// The name that a property gives, or one made up as AWS does: `<stack>-<logical id>-<random>`.
    fn name(&self, tx: &Tx<'_>, property: &str, max: usize) -> String {
        self.text(property).unwrap_or_else(|| self.made_up(tx, max))
    }

    fn made_up(&self, tx: &Tx<'_>, max: usize) -> String {
        const RANDOM: usize = 12;
        let room = max.saturating_sub(RANDOM + 1);
        let logical = cut(
            self.logical_id,
            room.saturating_sub(self.stack_name.len() + 1).max(room / 2),
        );
        let stack = cut(self.stack_name, room.saturating_sub(logical.len() + 1));
        let random = tx
            .ids()
            .text(RANDOM, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
        format!("{stack}-{logical}-{random}")
    }

    /// The properties but some, under the API's names.
    fn but(&self, left_out: &[&str]) -> Properties {
        let kept = self
            .properties
            .iter()
            .filter(|(name, _)| !left_out.contains(&name.as_str()));
        kept.map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    /// Tags as pairs.
    fn tags(&self) -> Vec<(String, String)> {
        tag_pairs(self.properties)
    }
}

/// The tags among properties as pairs.
fn tag_pairs(properties: &Properties) -> Vec<(String, String)> {
    let text = |it: &Value, name: &str| it.get(name).and_then(as_string_loose);
    match properties.get("Tags") {
        Some(Value::Object(map)) => map
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), as_string_loose(value)?)))
            .collect(),
        Some(Value::Array(list)) => list
            .iter()
            .filter_map(|it| Some((text(it, "Key")?, text(it, "Value")?)))
            .collect(),
        _ => Vec::new(),
    }
}

/// Makes the stored tags of an ARN what the new properties say, leaving alone what the old ones did not name.
fn retag(tx: &mut Tx<'_>, arn: &str, old: &Properties, job: &Job<'_>) -> Result<(), ApiError> {
    let new = job.tags();
    let gone: Vec<String> = tag_pairs(old)
        .into_iter()
        .map(|(key, _)| key)
        .filter(|key| !new.iter().any(|(other, _)| other == key))
        .collect();
    let (service, add, remove) = tagging(arn);
    if !gone.is_empty() {
        let parameters = json!({"resourceArn": arn, "tagKeys": gone});
        plain(tx, job.caller, (service, remove), parameters, |tx| {
            crate::keep::tags::remove(tx, arn, &gone)
        })?;
    }
    if new.is_empty() {
        return Ok(());
    }
    let tag = |(key, value): &(String, String)| json!({"key": key, "value": value});
    let tags: Vec<Value> = new.iter().map(tag).collect();
    let parameters = json!({"resourceArn": arn, "tags": tags});
    plain(tx, job.caller, (service, add), parameters, |tx| {
        crate::keep::tags::add(tx, arn, new)
    })
}

/// The service of an ARN and its calls that add and remove tags.
fn tagging(arn: &str) -> (&str, &'static str, &'static str) {
    let service = Arn::parse(arn).map_or("", |it| it.service);
    let (add, remove) = match service {
        "cloudtrail" => ("AddTags", "RemoveTags"),
        "iam" => ("TagRole", "UntagRole"),
        "sqs" => ("TagQueue", "UntagQueue"),
        "ssm" => ("AddTagsToResource", "RemoveTagsFromResource"),
        _ => ("TagResource", "UntagResource"),
    };
    (service, add, remove)
}

/// A request of the API made of properties.
fn request<T: DeserializeOwned>(
    service: &'static ServiceModel,
    operation: &str,
    properties: Properties,
) -> Result<T, ApiError> {
    shape::request(service, operation, properties)
}

/// A property that the API behind it does not serve.
fn not_served(what: &str) -> ApiError {
    ApiError::client(
        "InvalidRequest",
        format!("{what} is not served by Landfall."),
    )
}

/// Refuses an update of properties that the API cannot change in place.
fn refuse_changes(job: &Job<'_>, existing: &Existing<'_>, names: &[&str]) -> Result<(), ApiError> {
    let differs = |name: &&&str| job.properties.get(**name) != existing.properties.get(**name);
    match names.iter().find(differs) {
        Some(name) => Err(not_served(&format!(
            "Changing {name} of an existing resource"
        ))),
        None => Ok(()),
    }
}

/// The items of a list of texts.
fn texts(properties: &Properties, name: &str) -> Vec<String> {
    let list = properties.get(name).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(as_string_loose)
        .collect()
}

/// Text as it is, anything else as JSON: policies are given either way.
fn document(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Attributes by name.
fn attributes<const N: usize>(pairs: [(&str, &str); N]) -> Properties {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
        .collect()
}

fn cut(text: &str, max: usize) -> &str {
    text.get(..max).unwrap_or(text)
}
