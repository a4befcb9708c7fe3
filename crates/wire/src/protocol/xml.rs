//! Answers of the Query protocol and of EC2's dialect: the value form of an output becomes XML, by shape. Members that
//! the shape does not know are left out.

use std::fmt::Write;

use http::Response;
use landfall_core::api::model::{Kind, Member, OperationModel, Protocol, ServiceModel, ShapeId};
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use serde_json::{Map, Value};

use super::answer;
use crate::http::Body;

const CONTENT_TYPE: &str = "text/xml;charset=UTF-8";
const EC2_DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
/// SQS's model names no namespace any more, since it describes the JSON protocol.
const SQS_NAMESPACE: &str = "http://queue.amazonaws.com/doc/2012-11-05/";

/// The answer of an operation.
pub fn encode(
    model: &ServiceModel,
    operation: &OperationModel,
    output: &Value,
    request_id: &str,
) -> Response<Body> {
    let members = members_xml(model, operation.output, output);
    let name = operation.name;
    let namespace = namespace(model);
    let id = escape(request_id);
    let body = if model.protocol == Protocol::Ec2 {
        let content = if operation.output.is_none() {
            "<return>true</return>".to_owned()
        } else {
            members
        };
        format!(
            "{EC2_DECLARATION}<{name}Response xmlns=\"{namespace}\"><requestId>{id}</requestId>{content}</{name}Response>"
        )
    } else {
        let result = match (operation.output, operation.result_wrapper) {
            (None, _) => String::new(),
            (Some(_), "") => format!("<{name}Result>{members}</{name}Result>"),
            (Some(_), wrapper) => format!("<{wrapper}>{members}</{wrapper}>"),
        };
        format!(
            "<{name}Response xmlns=\"{namespace}\">{result}<ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></{name}Response>"
        )
    };
    answer(200, CONTENT_TYPE, request_id, body)
}

/// An error of a served service.
pub fn error(model: &ServiceModel, error: &ApiError, request_id: &str) -> Response<Body> {
    let modelled = model.error(&error.code);
    let code = modelled.map_or(&*error.code, |modelled| modelled.code);
    // A handler that says no status of its own gets the one of the model.
    let status = match modelled {
        Some(modelled) if error.status == 400 => modelled.status,
        _ => error.status,
    };
    let ec2 = model.protocol == Protocol::Ec2;
    let body = if ec2 {
        ec2_error(code, error, request_id)
    } else {
        query_error(namespace(model), code, error, request_id)
    };
    answer(status, CONTENT_TYPE, request_id, body)
}

/// An error of no service in particular, such as for an unknown action.
pub fn unknown_error(error: &ApiError, request_id: &str) -> Response<Body> {
    let body = query_error(
        "http://webservices.amazon.com/AWSFault/2005-15-09",
        &error.code,
        error,
        request_id,
    );
    answer(error.status, CONTENT_TYPE, request_id, body)
}

fn namespace(model: &ServiceModel) -> &str {
    if model.xml_namespace.is_empty() {
        SQS_NAMESPACE
    } else {
        model.xml_namespace
    }
}

fn query_error(namespace: &str, code: &str, error: &ApiError, request_id: &str) -> String {
    let fault = if error.status < 500 {
        "Sender"
    } else {
        "Receiver"
    };
    let mut text = format!(
        "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{fault}</Type><Code>{}</Code><Message>{}</Message>",
        escape(code),
        escape(&error.message)
    );
    for (name, value) in &error.members {
        element(&mut text, name, &escape(value));
    }
    let _ = write!(
        text,
        "</Error><RequestId>{}</RequestId></ErrorResponse>",
        escape(request_id)
    );
    text
}

fn ec2_error(code: &str, error: &ApiError, request_id: &str) -> String {
    format!(
        "{EC2_DECLARATION}<Response><Errors><Error><Code>{}</Code><Message>{}</Message></Error></Errors><RequestID>{}</RequestID></Response>",
        escape(code),
        escape(&error.message),
        escape(request_id)
    )
}

/// The members of an output as elements, without one around them.
fn members_xml(model: &ServiceModel, shape: Option<ShapeId>, output: &Value) -> String {
    let mut writer = Writer {
        model,
        text: String::new(),
    };
    if let (Some(Kind::Structure { members }), Value::Object(object)) =
        (shape.and_then(|shape| model.kind(shape)), output)
    {
        writer.structure(members, object);
    }
    writer.text
}

struct Writer<'a> {
    model: &'a ServiceModel,
    text: String,
}

impl Writer<'_> {
    fn structure(&mut self, members: &[Member], object: &Map<String, Value>) {
        for member in members {
            let value = object.get(member.name).filter(|value| !value.is_null());
            if let (Some(value), Some(kind)) = (value, self.model.kind(member.shape)) {
                self.value(member.xml, kind, member.flattened, value);
            }
        }
    }

    fn value(&mut self, name: &str, kind: &Kind, flat: bool, value: &Value) {
        match (kind, value) {
            (Kind::Structure { members }, Value::Object(object)) => {
                self.wrapped(name, |writer| writer.structure(members, object));
            }
            (
                Kind::List {
                    item,
                    item_name,
                    flattened,
                    ..
                },
                Value::Array(items),
            ) => {
                let Some(kind) = self.model.kind(*item) else {
                    return;
                };
                if flat || *flattened {
                    let name = if *item_name == "member" {
                        name
                    } else {
                        item_name
                    };
                    items
                        .iter()
                        .for_each(|item| self.value(name, kind, false, item));
                } else {
                    self.wrapped(name, |writer| {
                        items
                            .iter()
                            .for_each(|item| writer.value(item_name, kind, false, item));
                    });
                }
            }
            (
                Kind::Map {
                    value: shape,
                    key_name,
                    value_name,
                    flattened,
                    ..
                },
                Value::Object(map),
            ) => {
                let Some(kind) = self.model.kind(*shape) else {
                    return;
                };
                let entries = |writer: &mut Self, name: &str| {
                    for (key, value) in map {
                        writer.wrapped(name, |writer| {
                            element(&mut writer.text, key_name, &escape(key));
                            writer.value(value_name, kind, false, value);
                        });
                    }
                };
                if flat || *flattened {
                    entries(self, name);
                } else {
                    self.wrapped(name, |writer| entries(writer, "entry"));
                }
            }
            (kind, scalar) => element(&mut self.text, name, &escape(&scalar_text(kind, scalar))),
        }
    }

    fn wrapped(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        let _ = write!(self.text, "<{name}>");
        content(self);
        let _ = write!(self.text, "</{name}>");
    }
}

fn element(text: &mut String, name: &str, escaped: &str) {
    let _ = write!(text, "<{name}>{escaped}</{name}>");
}

fn scalar_text(kind: &Kind, value: &Value) -> String {
    match (kind, value) {
        (Kind::Timestamp, Value::Number(seconds)) => {
            #[allow(clippy::cast_possible_truncation)]
            let millis = (seconds.as_f64().unwrap_or_default() * 1000.0).round() as i64;
            let at = Timestamp(millis);
            if millis % 1000 == 0 {
                at.rfc3339_seconds()
            } else {
                at.iso8601_millis()
            }
        }
        (_, Value::String(text)) => text.clone(),
        (_, other) => other.to_string(),
    }
}

/// Escapes text for an element. Characters that XML 1.0 has no place for, not even as references, become U+FFFD: a
/// client could not read the answer at all otherwise.
fn escape(text: &str) -> String {
    let foreign = |c: char| {
        (c < ' ' && !matches!(c, '\t' | '\n' | '\r')) || matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    quick_xml::escape::escape(text).replace(foreign, "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use http_body_util::BodyExt;
    use landfall_core::api::{cloudformation, ec2, iam, sqs, sts};
    use serde_json::json;

    use super::*;

    fn read(response: Response<Body>) -> (u16, String) {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().now_or_never().unwrap().unwrap().to_bytes();
        (
            parts.status.as_u16(),
            String::from_utf8(bytes.to_vec()).unwrap(),
        )
    }

    #[track_caller]
    fn check(model: &ServiceModel, operation: &str, output: Value, expected: &str) {
        let operation = model.operation(operation).unwrap();
        let (status, body) = read(encode(model, operation, &output, "id-1"));
        assert_eq!((status, body.as_str()), (200, expected));
    }

    #[test]
    fn query_answers_have_result_and_metadata() {
        check(
            &sts::SERVICE,
            "GetCallerIdentity",
            json!({"Arn": "arn:aws:iam::000000000000:root", "Account": "000000000000", "UserId": "A&B", "Later": 1}),
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
             <UserId>A&amp;B</UserId><Account>000000000000</Account><Arn>arn:aws:iam::000000000000:root</Arn>\
             </GetCallerIdentityResult><ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></GetCallerIdentityResponse>",
        );
        check(
            &iam::SERVICE,
            "DeleteRole",
            Value::Null,
            "<DeleteRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\
             <ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></DeleteRoleResponse>",
        );
    }

    #[test]
    fn lists_time_and_booleans() {
        check(
            &cloudformation::SERVICE,
            "DescribeStacks",
            json!({"Stacks": [{
                "StackName": "s", "CreationTime": 1_794_441_600, "LastUpdatedTime": 1_794_441_600.25,
                "DisableRollback": false, "Outputs": [], "Capabilities": ["CAPABILITY_IAM"],
                "StackStatus": "CREATE_COMPLETE",
            }]}),
            "<DescribeStacksResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><DescribeStacksResult>\
             <Stacks><member><StackName>s</StackName><CreationTime>2026-11-12T00:00:00Z</CreationTime>\
             <LastUpdatedTime>2026-11-12T00:00:00.250Z</LastUpdatedTime><StackStatus>CREATE_COMPLETE</StackStatus>\
             <DisableRollback>false</DisableRollback><Capabilities><member>CAPABILITY_IAM</member></Capabilities>\
             <Outputs></Outputs></member></Stacks></DescribeStacksResult>\
             <ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></DescribeStacksResponse>",
        );
    }

    #[test]
    fn ec2_answers_have_no_result_and_lower_names() {
        check(
            &ec2::SERVICE,
            "DescribeVpcs",
            json!({"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "IsDefault": true, "Tags": [{"Key": "a", "Value": "b"}]}]}),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <DescribeVpcsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15\"><requestId>id-1</requestId>\
             <vpcSet><item><isDefault>true</isDefault><tagSet><item><key>a</key><value>b</value></item></tagSet>\
             <vpcId>vpc-1</vpcId><cidrBlock>10.0.0.0/16</cidrBlock></item></vpcSet></DescribeVpcsResponse>",
        );
        check(
            &ec2::SERVICE,
            "DeleteVpc",
            Value::Null,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <DeleteVpcResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15\"><requestId>id-1</requestId>\
             <return>true</return></DeleteVpcResponse>",
        );
    }

    #[test]
    fn sqs_answers_in_its_old_form() {
        check(
            &sqs::SERVICE,
            "ReceiveMessage",
            json!({"Messages": [{"MessageId": "m", "Body": "b", "Attributes": {"SentTimestamp": "1"}}]}),
            "<ReceiveMessageResponse xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\"><ReceiveMessageResult>\
             <Message><MessageId>m</MessageId><Body>b</Body><Attribute><Name>SentTimestamp</Name><Value>1</Value></Attribute></Message>\
             </ReceiveMessageResult><ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></ReceiveMessageResponse>",
        );
    }

    #[test]
    fn errors_take_code_and_status_of_the_model() {
        let gone = ApiError::client("NoSuchEntityException", "The role <r> cannot be found.");
        let (status, body) = read(error(&iam::SERVICE, &gone, "id-1"));
        assert_eq!(status, 404);
        assert_eq!(
            body,
            "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type>\
             <Code>NoSuchEntity</Code><Message>The role &lt;r&gt; cannot be found.</Message></Error>\
             <RequestId>id-1</RequestId></ErrorResponse>"
        );
        let gone = ApiError::client("InvalidVpcID.NotFound", "gone");
        let (status, body) = read(error(&ec2::SERVICE, &gone, "id-1"));
        assert_eq!(status, 400);
        assert_eq!(
            body,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>InvalidVpcID.NotFound</Code>\
             <Message>gone</Message></Error></Errors><RequestID>id-1</RequestID></Response>"
        );
    }

    #[test]
    fn what_xml_cannot_carry_is_replaced() {
        assert_eq!(
            escape("a\u{8}b\r\n\tc\u{ffff}<\u{85}"),
            "a\u{fffd}b&#13;\n\tc\u{fffd}&lt;\u{85}"
        );
    }
}
