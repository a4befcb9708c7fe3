//! A call of the API as its record tells it. Never knows how it came, and never what became of it.

use serde_json::{Map, Value};

use super::calls::{is_read_only, is_recorded, lowered};
use crate::api::model::{OperationModel, ServiceModel, ShapeId};
use crate::caller::Caller;

/// What a call is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A resource of the control plane: a management event.
    Control,
    /// A bucket as such: a management event.
    Bucket(String),
    /// Objects of a bucket: a data event. Without a key it is about several, or about the bucket's list.
    Object {
        /// Bucket.
        bucket: String,
        /// Key, raw.
        key: Option<String>,
    },
}

impl Target {
    /// The bucket, if there is one.
    pub fn bucket(&self) -> Option<&str> {
        match self {
            Self::Control => None,
            Self::Bucket(bucket) | Self::Object { bucket, .. } => Some(bucket),
        }
    }

    /// Whether calls on it are data events.
    pub fn is_data(&self) -> bool {
        matches!(self, Self::Object { .. })
    }

    /// The ARN of the object, or the beginning of the ARNs of the bucket's objects.
    pub fn object_arn(&self) -> Option<String> {
        match self {
            Self::Object { bucket, key } => {
                let key = key.as_deref().unwrap_or_default();
                Some(format!("arn:aws:s3:::{bucket}/{key}"))
            }
            _ => None,
        }
    }
}

/// A call of the API, before it has done anything.
#[derive(Debug, Clone)]
pub struct Call {
    /// Such as `s3.amazonaws.com`.
    pub source: String,
    /// Such as `PutObject`.
    pub name: String,
    /// Who calls.
    pub caller: Caller,
    /// Whether the request bears a signature.
    pub signed: bool,
    /// `Host` of the request.
    pub host: String,
    /// What it is about.
    pub target: Target,
    /// Whether it changes nothing.
    pub read_only: bool,
    /// What was asked.
    pub parameters: Map<String, Value>,
    /// What a success answers besides what the verb says.
    pub elements: Map<String, Value>,
    /// How its answer is spelled: service and shape; none for what is spelled as it is said.
    pub answer: Option<(&'static ServiceModel, ShapeId)>,
    /// What else is written of it.
    pub additional: Map<String, Value>,
}

impl Call {
    /// A call of a JSON or Query service; none when calls of the operation are never recorded.
    pub fn of(
        service: &'static ServiceModel,
        operation: &'static OperationModel,
        input: &Value,
        caller: &Caller,
        host: String,
    ) -> Option<Self> {
        if !is_recorded(service.name, operation.name) {
            return None;
        }
        let parameters = match operation.input.map(|it| lowered(service, it, input)) {
            Some(Value::Object(members)) => members,
            _ => Map::new(),
        };
        let source = format!("{}.amazonaws.com", service.signing_name);
        Some(Self {
            answer: operation.output.map(|shape| (service, shape)),
            ..Self::control(&source, operation.name, parameters, caller, host)
        })
    }

    /// A call of the control plane with parameters as records spell them.
    pub fn control(
        source: &str,
        name: &str,
        parameters: Map<String, Value>,
        caller: &Caller,
        host: String,
    ) -> Self {
        Self {
            source: source.to_owned(),
            name: name.to_owned(),
            caller: caller.clone(),
            signed: !caller.access_key_id.is_empty(),
            host,
            target: Target::Control,
            read_only: is_read_only(name),
            parameters,
            elements: Map::new(),
            answer: None,
            additional: Map::new(),
        }
    }

    /// Whether CloudTrail makes it to deliver a file.
    pub fn is_delivery(&self) -> bool {
        self.caller.invoked_by() == Some("cloudtrail.amazonaws.com")
            && self.source == "s3.amazonaws.com"
            && self.name == "PutObject"
    }

    /// Names the key that only the request's body told.
    pub fn name_key(&mut self, name: &str) {
        if let Target::Object { key, .. } = &mut self.target {
            *key = Some(name.to_owned());
            self.parameters.insert("key".to_owned(), name.into());
        }
    }
}
