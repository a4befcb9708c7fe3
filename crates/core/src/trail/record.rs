//! The record of a call, member by member in AWS's order, and the event that tells of it on the bus: one place for the
//! server that records and for the proof that foretells. Never decides who hears of it.

use serde_json::{Map, Value, json};

use super::call::{Call, Target};
use super::calls::lowered;
use super::{OBJECT, Subject};
use crate::caller::{Caller, Identity, RoleSession};
use crate::clock::Timestamp;
use crate::error::ApiError;
use crate::event::Envelope;

/// The version of the records' form.
const EVENT_VERSION: &str = "1.11";
/// `detail-type` of a record on the bus.
pub const DETAIL_TYPE: &str = "AWS API Call via CloudTrail";
/// Services whose events belong to one region, whatever region was asked.
const GLOBAL: [&str; 1] = ["iam.amazonaws.com"];
const GLOBAL_REGION: &str = "us-east-1";

/// What the call itself does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// When it was made.
    pub at: Timestamp,
    /// `eventID`.
    pub id: String,
    /// The account that the event belongs to.
    pub account: String,
    /// The region that the event belongs to.
    pub region: String,
    /// Whether the service is one for all regions.
    pub is_global: bool,
    /// The bucket's owner, where there is a bucket.
    pub owner: Option<String>,
    /// ARN of the caller.
    pub caller_arn: String,
    /// See [`Target::object_arn`].
    pub object_arn: Option<String>,
}

impl Facts {
    /// The facts of a call; `bucket` is the owner and region of its bucket, where there is one.
    pub fn of(call: &Call, at: Timestamp, id: String, bucket: Option<(String, String)>) -> Self {
        let is_global = GLOBAL.contains(&call.source.as_str());
        let (owner, region) = bucket.unzip();
        let region = region.unwrap_or_else(|| match is_global {
            true => GLOBAL_REGION.to_owned(),
            false => call.caller.region.clone(),
        });
        Self {
            at,
            id,
            account: owner.clone().unwrap_or_else(|| call.caller.account.clone()),
            region,
            is_global,
            owner,
            caller_arn: call.caller.arn(),
            object_arn: call.target.object_arn(),
        }
    }

    /// What event selectors look at.
    pub fn subject<'a>(&'a self, call: &'a Call) -> Subject<'a> {
        Subject {
            source: &call.source,
            name: &call.name,
            read_only: call.read_only,
            caller_arn: &self.caller_arn,
            object_arn: self.object_arn.as_deref(),
        }
    }

    /// The envelope of the event that tells of the call on the bus.
    pub fn envelope(&self, call: &Call, id: String) -> Envelope {
        let service = call.source.strip_suffix(".amazonaws.com");
        Envelope {
            id,
            time: self.at,
            account: self.account.clone(),
            region: self.region.clone(),
            source: format!("aws.{}", service.unwrap_or(&call.source)),
            detail_type: DETAIL_TYPE.to_owned(),
            resources: Vec::new(),
        }
    }
}

/// How a call ended.
#[derive(Debug, Clone)]
pub enum Outcome<'a> {
    /// With what the verb said.
    Done(Map<String, Value>),
    /// With an error.
    Failed(&'a ApiError),
}

/// The members of the record.
pub fn members(call: &Call, facts: &Facts, outcome: Outcome<'_>) -> Map<String, Value> {
    let caller = &call.caller;
    let (said, error) = match outcome {
        Outcome::Done(said) => (Some(spelled(call, said)), None),
        Outcome::Failed(error) => (None, Some(error)),
    };
    let mut record = Map::new();
    let mut put = |name: &str, value: Value| {
        record.insert(name.to_owned(), value);
    };
    put("eventVersion", EVENT_VERSION.into());
    put("userIdentity", identity(call));
    put("eventTime", facts.at.rfc3339_seconds().into());
    put("eventSource", call.source.clone().into());
    put("eventName", call.name.clone().into());
    put("awsRegion", facts.region.clone().into());
    put("sourceIPAddress", caller.source_ip.clone().into());
    put("userAgent", user_agent(call).into());
    if let Some(error) = error {
        put("errorCode", error_code(call, error).into());
        put("errorMessage", error.message.clone().into());
    }
    put("requestParameters", or_null(call.parameters.clone()));
    let elements = said.map(|said| call.elements.clone().into_iter().chain(said).collect());
    put("responseElements", elements.map_or(Value::Null, or_null));
    if !call.additional.is_empty() {
        put("additionalEventData", call.additional.clone().into());
    }
    put("requestID", caller.request_id.clone().into());
    put("eventID", facts.id.clone().into());
    put("readOnly", call.read_only.into());
    if let Some(resources) = resources(call, facts) {
        put("resources", resources);
    }
    let is_data = call.target.is_data();
    put("eventType", "AwsApiCall".into());
    put("managementEvent", (!is_data).into());
    put("recipientAccountId", facts.account.clone().into());
    let category = if is_data { "Data" } else { "Management" };
    put("eventCategory", category.into());
    if !call.host.is_empty() {
        let host = call.host.clone();
        put("tlsDetails", json!({"clientProvidedHostHeader": host}));
    }
    record
}

/// The answer as records spell it.
fn spelled(call: &Call, said: Map<String, Value>) -> Map<String, Value> {
    match call.answer {
        None => said,
        Some((model, shape)) => match lowered(model, shape, &Value::Object(said)) {
            Value::Object(members) => members,
            _ => Map::new(),
        },
    }
}

fn identity(call: &Call) -> Value {
    let caller = &call.caller;
    let service = caller.invoked_by();
    let mut who = match &caller.identity {
        Identity::Service => json!({"type": "AWSService"}),
        _ if !call.signed && service.is_none() => {
            return json!({"type": "AWSAccount", "principalId": "", "accountId": "ANONYMOUS_PRINCIPAL"});
        }
        Identity::Root => json!({
            "type": "Root",
            "principalId": caller.account,
            "arn": caller.arn(),
            "accountId": caller.account,
        }),
        Identity::Role(session) => json!({
            "type": "AssumedRole",
            "principalId": session.principal_id(),
            "arn": session.arn(),
            "accountId": session.account(),
        }),
    };
    if let Some(members) = who.as_object_mut() {
        let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
        if !caller.access_key_id.is_empty() {
            put("accessKeyId", caller.access_key_id.clone().into());
        }
        if let Identity::Role(session) = &caller.identity {
            put("sessionContext", session_context(session));
        }
        if let Some(service) = service {
            put("invokedBy", service.into());
        }
    }
    who
}

fn session_context(session: &RoleSession) -> Value {
    json!({
        "sessionIssuer": {
            "type": "Role",
            "principalId": session.role_id,
            "arn": session.role_arn,
            "accountId": session.account(),
            "userName": session.role_name(),
        },
        "attributes": {
            "creationDate": session.created.rfc3339_seconds(),
            "mfaAuthenticated": "false",
        },
    })
}

/// S3 writes agents in brackets.
fn user_agent(call: &Call) -> String {
    let caller: &Caller = &call.caller;
    match call.target {
        _ if caller.invoked_by().is_some() => caller.user_agent.clone(),
        Target::Control => caller.user_agent.clone(),
        _ => format!("[{}]", caller.user_agent),
    }
}

/// Our own word for our own fault is not S3's.
fn error_code(call: &Call, error: &ApiError) -> String {
    match (&call.target, error.code.as_ref()) {
        (Target::Bucket(_) | Target::Object { .. }, "InternalFailure") => {
            "InternalError".to_owned()
        }
        (_, code) => code.to_owned(),
    }
}

fn or_null(members: Map<String, Value>) -> Value {
    match members.is_empty() {
        true => Value::Null,
        false => Value::Object(members),
    }
}

fn resources(call: &Call, facts: &Facts) -> Option<Value> {
    let bucket = call.target.bucket()?;
    let mut bucket = json!({"type": "AWS::S3::Bucket", "ARN": format!("arn:aws:s3:::{bucket}")});
    if let (Some(owner), Some(members)) = (&facts.owner, bucket.as_object_mut()) {
        members.shift_insert(0, "accountId".to_owned(), owner.clone().into());
    }
    let object = match &call.target {
        Target::Object { key: Some(_), .. } => {
            Some(json!({"type": OBJECT, "ARN": facts.object_arn}))
        }
        Target::Object { key: None, .. } => {
            Some(json!({"type": OBJECT, "ARNPrefix": facts.object_arn}))
        }
        _ => None,
    };
    Some(object.into_iter().chain([bucket]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(caller: Caller, signed: bool) -> Call {
        Call {
            source: "ecs.amazonaws.com".to_owned(),
            name: "RunTask".to_owned(),
            caller,
            signed,
            host: String::new(),
            target: Target::Control,
            read_only: false,
            parameters: Map::new(),
            elements: Map::new(),
            answer: None,
            additional: Map::new(),
        }
    }

    fn caller(identity: Identity, source_ip: &str, access_key_id: &str) -> Caller {
        Caller {
            account: "123456789012".to_owned(),
            access_key_id: access_key_id.to_owned(),
            source_ip: source_ip.to_owned(),
            identity,
            ..Caller::service("", "123456789012", "us-east-1", String::new())
        }
    }

    #[test]
    fn who_calls_is_told_as_aws_tells_it() {
        let session = RoleSession {
            role_arn: "arn:aws:iam::123456789012:role/worker".to_owned(),
            role_id: "AROA1".to_owned(),
            name: "me".to_owned(),
            created: Timestamp(1_794_441_600_000),
        };
        let assumed = json!({
            "type": "AssumedRole",
            "principalId": "AROA1:me",
            "arn": "arn:aws:sts::123456789012:assumed-role/worker/me",
            "accountId": "123456789012",
            "accessKeyId": "ASIA1",
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": "AROA1",
                    "arn": "arn:aws:iam::123456789012:role/worker",
                    "accountId": "123456789012",
                    "userName": "worker",
                },
                "attributes": {"creationDate": "2026-11-12T00:00:00Z", "mfaAuthenticated": "false"},
            },
        });
        let root = json!({
            "type": "Root",
            "principalId": "123456789012",
            "arn": "arn:aws:iam::123456789012:root",
            "accountId": "123456789012",
            "invokedBy": "cloudformation.amazonaws.com",
        });
        let (client, stack) = ("192.0.2.1", "cloudformation.amazonaws.com");
        for (caller, signed, expected) in [
            (
                caller(Identity::Role(session), client, "ASIA1"),
                true,
                assumed,
            ),
            (caller(Identity::Root, stack, ""), false, root),
            (
                caller(Identity::Service, "cloudtrail.amazonaws.com", ""),
                false,
                json!({"type": "AWSService", "invokedBy": "cloudtrail.amazonaws.com"}),
            ),
            (
                caller(Identity::Root, client, ""),
                false,
                json!({"type": "AWSAccount", "principalId": "", "accountId": "ANONYMOUS_PRINCIPAL"}),
            ),
        ] {
            assert_eq!(identity(&call(caller, signed)), expected);
        }
    }
}
