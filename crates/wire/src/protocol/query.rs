//! Requests of the Query protocol and of EC2's dialect: a form becomes the value form of the input, by shape. Never
//! checks constraints; that is the validator's.

use std::collections::BTreeMap;

use landfall_core::api::model::{Kind, Member, Protocol, ServiceModel, ShapeId};
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::limits::DOCUMENT_DEPTH_MAX;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Number, Value};

use super::malformed;

/// The pairs of a form, decoded, in their order.
#[derive(Debug, Default)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads `application/x-www-form-urlencoded` text. A pair without `=` has an empty value.
    pub fn parse(text: &[u8]) -> Result<Self, ApiError> {
        let refused = || malformed("MalformedQueryString", "The form is not UTF-8");
        let text = std::str::from_utf8(text).map_err(|_| refused())?;
        let decode = |part: &str| {
            let spaced = part.replace('+', " ");
            percent_decode_str(&spaced)
                .decode_utf8()
                .map(|s| s.into_owned())
                .map_err(|_| refused())
        };
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        };
        text.split('&')
            .filter(|pair| !pair.is_empty())
            .map(pair)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The first value of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Adds a pair that the request states elsewhere, such as the queue in the path; one already there stays.
    pub fn add(&mut self, name: &str, value: String) {
        if self.get(name).is_none() {
            self.0.push((name.to_owned(), value));
        }
    }
}

/// A form as the tree that its dotted names describe.
#[derive(Default)]
struct Node<'a> {
    value: Option<&'a str>,
    children: BTreeMap<&'a str, Node<'a>>,
}

impl<'a> Node<'a> {
    fn of(form: &'a Form) -> Result<Self, ApiError> {
        let mut root = Self::default();
        for (name, value) in &form.0 {
            let mut node = &mut root;
            for (depth, part) in name.split('.').enumerate() {
                if depth > DOCUMENT_DEPTH_MAX {
                    return Err(malformed(
                        "MalformedQueryString",
                        "A name has too many parts",
                    ));
                }
                node = node.children.entry(part).or_default();
            }
            node.value = Some(value);
        }
        Ok(root)
    }

    /// The numbered children in the order of their numbers.
    fn numbered(&self) -> Vec<&Self> {
        let mut items: Vec<(u32, &Self)> = self
            .children
            .iter()
            .filter_map(|(key, child)| Some((key.parse().ok()?, child)))
            .collect();
        items.sort_by_key(|(at, _)| *at);
        items.into_iter().map(|(_, child)| child).collect()
    }
}

/// The input of an operation whose input shape is `shape`.
pub fn decode(
    model: &ServiceModel,
    shape: Option<ShapeId>,
    form: &Form,
) -> Result<Value, ApiError> {
    let root = Node::of(form)?;
    match shape.and_then(|shape| model.kind(shape)) {
        Some(Kind::Structure { members }) => Reader { model }.structure(members, &root),
        _ => Ok(Value::Object(Map::new())),
    }
}

struct Reader<'a> {
    model: &'a ServiceModel,
}

impl Reader<'_> {
    fn structure(&self, members: &[Member], node: &Node) -> Result<Value, ApiError> {
        let mut object = Map::new();
        for member in members {
            let Some(kind) = self.model.kind(member.shape) else {
                continue;
            };
            let Some(child) = self.child(member, kind, node) else {
                continue;
            };
            object.insert(member.name.to_owned(), self.value(kind, member, child)?);
        }
        Ok(Value::Object(object))
    }

    /// Flattened lists of the Query protocol go by the name of their items.
    fn child<'n>(&self, member: &Member, kind: &Kind, node: &'n Node<'n>) -> Option<&'n Node<'n>> {
        if let Kind::List {
            item_name,
            flattened,
            ..
        } = kind
            && self.model.protocol != Protocol::Ec2
            && (*flattened || member.flattened)
            && let Some(child) = node.children.get(item_name)
        {
            return Some(child);
        }
        node.children.get(member.query)
    }

    fn value(&self, kind: &Kind, member: &Member, node: &Node) -> Result<Value, ApiError> {
        let flat =
            |flattened: bool| flattened || member.flattened || self.model.protocol == Protocol::Ec2;
        match kind {
            Kind::Structure { members } => self.structure(members, node),
            Kind::List {
                item,
                item_name,
                flattened,
                ..
            } => {
                let holder = if flat(*flattened) {
                    Some(node)
                } else {
                    node.children
                        .get(item_name)
                        .or_else(|| node.children.get("member"))
                };
                self.list(*item, member, holder)
            }
            Kind::Map {
                value,
                key_name,
                value_name,
                flattened,
                ..
            } => {
                let holder = if flat(*flattened) {
                    Some(node)
                } else {
                    node.children.get("entry")
                };
                self.map(*value, key_name, value_name, member, holder)
            }
            scalar => self.scalar(scalar, member.query, node.value.unwrap_or_default()),
        }
    }

    fn list(&self, item: ShapeId, member: &Member, node: Option<&Node>) -> Result<Value, ApiError> {
        let (Some(kind), Some(node)) = (self.model.kind(item), node) else {
            return Ok(Value::Array(Vec::new()));
        };
        let inner = Member {
            flattened: false,
            shape: item,
            ..*member
        };
        let items = node
            .numbered()
            .into_iter()
            .map(|node| self.value(kind, &inner, node));
        items.collect::<Result<_, _>>().map(Value::Array)
    }

    fn map(
        &self,
        value: ShapeId,
        key_name: &str,
        value_name: &str,
        member: &Member,
        node: Option<&Node>,
    ) -> Result<Value, ApiError> {
        let mut object = Map::new();
        let Some(kind) = self.model.kind(value) else {
            return Ok(Value::Object(object));
        };
        let inner = Member {
            flattened: false,
            shape: value,
            ..*member
        };
        let empty = Node::default();
        for entry in node.map(Node::numbered).unwrap_or_default() {
            let Some(key) = entry.children.get(key_name).and_then(|key| key.value) else {
                continue;
            };
            let node = entry.children.get(value_name).unwrap_or(&empty);
            object.insert(key.to_owned(), self.value(kind, &inner, node)?);
        }
        Ok(Value::Object(object))
    }

    fn scalar(&self, kind: &Kind, name: &str, text: &str) -> Result<Value, ApiError> {
        let value = match kind {
            Kind::Integer { .. } | Kind::Long { .. } => {
                text.trim().parse::<i64>().ok().map(Value::from)
            }
            Kind::Double => text
                .trim()
                .parse()
                .ok()
                .and_then(Number::from_f64)
                .map(Value::Number),
            Kind::Boolean if text.eq_ignore_ascii_case("true") => Some(Value::Bool(true)),
            Kind::Boolean if text.eq_ignore_ascii_case("false") => Some(Value::Bool(false)),
            Kind::Boolean => None,
            Kind::Timestamp => timestamp(text),
            _ => Some(Value::String(text.to_owned())),
        };
        value.ok_or_else(|| match self.model.protocol {
            Protocol::Ec2 => malformed(
                "InvalidParameterValue",
                format!("Value ({text}) for parameter {name} is invalid."),
            ),
            _ => malformed(
                "MalformedInput",
                format!("Value '{text}' of {name} cannot be read"),
            ),
        })
    }
}

/// ISO 8601, or seconds since the epoch.
fn timestamp(text: &str) -> Option<Value> {
    let seconds = match Timestamp::parse_rfc3339(text) {
        Some(at) => at.epoch_seconds(),
        None => text.trim().parse().ok()?,
    };
    Number::from_f64(seconds).map(Value::Number)
}

#[cfg(test)]
mod tests {
    use landfall_core::api::{cloudformation, ec2, iam, sqs, sts};
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(model: &ServiceModel, operation: &str, form: &str, expected: Value) {
        let form = Form::parse(form.as_bytes()).unwrap();
        let shape = model.operation(operation).unwrap().input;
        assert_eq!(decode(model, shape, &form).unwrap(), expected);
    }

    fn refused(model: &ServiceModel, operation: &str, form: &str) -> String {
        let shape = model.operation(operation).unwrap().input;
        let form = Form::parse(form.as_bytes());
        form.and_then(|form| decode(model, shape, &form))
            .unwrap_err()
            .code
            .into_owned()
    }

    #[test]
    fn query_lists_stand_under_member() {
        check(
            &cloudformation::SERVICE,
            "CreateStack",
            "Action=CreateStack&Version=2010-05-15&StackName=s&TemplateBody=%7B+%7D\
             &Parameters.member.1.ParameterKey=A&Parameters.member.1.ParameterValue=1%2B1\
             &Parameters.member.2.ParameterKey=B&Parameters.member.2.UsePreviousValue=true\
             &Capabilities.member.1=CAPABILITY_IAM&TimeoutInMinutes=5&Tags=",
            json!({
                "StackName": "s", "TemplateBody": "{ }",
                "Parameters": [
                    {"ParameterKey": "A", "ParameterValue": "1+1"},
                    {"ParameterKey": "B", "UsePreviousValue": true},
                ],
                "Capabilities": ["CAPABILITY_IAM"], "TimeoutInMinutes": 5, "Tags": [],
            }),
        );
    }

    #[test]
    fn items_come_in_the_order_of_their_numbers() {
        let names = |n: std::ops::RangeInclusive<u32>| n.map(|i| json!(format!("k{i}")));
        let form: Vec<_> = (1..=12)
            .rev()
            .map(|i| format!("TagKeys.member.{i}=k{i}"))
            .collect();
        check(
            &iam::SERVICE,
            "UntagRole",
            &form.join("&"),
            json!({"TagKeys": names(1..=12).collect::<Vec<_>>()}),
        );
    }

    #[test]
    fn ec2_lists_are_flat_and_names_are_raised() {
        check(
            &ec2::SERVICE,
            "DescribeSubnets",
            "Filter.1.Name=vpc-id&Filter.1.Value.1=vpc-1&Filter.1.Value.2=vpc-2&SubnetId.1=subnet-1&DryRun=false",
            json!({
                "Filters": [{"Name": "vpc-id", "Values": ["vpc-1", "vpc-2"]}],
                "SubnetIds": ["subnet-1"], "DryRun": false,
            }),
        );
        check(
            &ec2::SERVICE,
            "CreateVpc",
            "CidrBlock=10.0.0.0%2F16&TagSpecification.1.ResourceType=vpc&TagSpecification.1.Tag.1.Key=Name&TagSpecification.1.Tag.1.Value=v",
            json!({
                "CidrBlock": "10.0.0.0/16",
                "TagSpecifications": [{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "v"}]}],
            }),
        );
    }

    #[test]
    fn ec2_security_group_rules() {
        check(
            &ec2::SERVICE,
            "AuthorizeSecurityGroupIngress",
            "GroupId=sg-1&IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=80&IpPermissions.1.ToPort=81\
             &IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0%2F0&IpPermissions.1.Groups.1.GroupId=sg-2",
            json!({
                "GroupId": "sg-1",
                "IpPermissions": [{
                    "IpProtocol": "tcp", "FromPort": 80, "ToPort": 81,
                    "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "UserIdGroupPairs": [{"GroupId": "sg-2"}],
                }],
            }),
        );
    }

    #[test]
    fn sqs_speaks_its_old_form() {
        check(
            &sqs::SERVICE,
            "CreateQueue",
            "QueueName=q&Attribute.1.Name=DelaySeconds&Attribute.1.Value=5&Tag.1.Key=a&Tag.1.Value=b",
            json!({"QueueName": "q", "Attributes": {"DelaySeconds": "5"}, "tags": {"a": "b"}}),
        );
        check(
            &sqs::SERVICE,
            "ReceiveMessage",
            "QueueUrl=u&AttributeName.1=All&MessageAttributeName.1=x&MaxNumberOfMessages=3",
            json!({
                "QueueUrl": "u", "AttributeNames": ["All"], "MessageAttributeNames": ["x"],
                "MaxNumberOfMessages": 3,
            }),
        );
        check(
            &sqs::SERVICE,
            "SendMessageBatch",
            "QueueUrl=u&SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.MessageBody=m\
             &SendMessageBatchRequestEntry.1.MessageAttribute.1.Name=n\
             &SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType=String\
             &SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.StringValue=v",
            json!({"QueueUrl": "u", "Entries": [{
                "Id": "a", "MessageBody": "m",
                "MessageAttributes": {"n": {"StringValue": "v", "DataType": "String"}},
            }]}),
        );
    }

    #[test]
    fn scalars_that_cannot_be_read_are_refused() {
        let create = "CreateStack";
        assert_eq!(
            refused(&cloudformation::SERVICE, create, "TimeoutInMinutes=x"),
            "MalformedInput"
        );
        assert_eq!(
            refused(&cloudformation::SERVICE, create, "DisableRollback=1"),
            "MalformedInput"
        );
        assert_eq!(
            refused(&ec2::SERVICE, "CreateVpc", "DryRun=maybe"),
            "InvalidParameterValue"
        );
    }

    #[test]
    fn strange_forms_are_read_or_refused_but_never_crash() {
        let deep = "a.".repeat(10_000);
        assert_eq!(
            refused(&sts::SERVICE, "GetCallerIdentity", &deep),
            "MalformedQueryString"
        );
        assert_eq!(
            refused(&sts::SERVICE, "GetCallerIdentity", "a=%ff"),
            "MalformedQueryString"
        );
        assert!(Form::parse(b"a=\xff").is_err());
        for form in [
            "",
            "&&&",
            "=",
            ".=.",
            "Tags",
            "Tags.member",
            "Tags.member.99999999999=1",
            "Tags.member.x.Key=1",
            "%",
            "%2",
        ] {
            let form = Form::parse(form.as_bytes()).unwrap();
            let shape = iam::SERVICE.operation("TagRole").unwrap().input;
            decode(&iam::SERVICE, shape, &form).unwrap();
        }
    }

    #[test]
    fn time_is_read_in_both_spellings() {
        assert_eq!(
            timestamp("2026-11-12T00:00:00Z"),
            Some(json!(1_794_441_600.0))
        );
        assert_eq!(timestamp("1794441600"), Some(json!(1_794_441_600.0)));
        assert_eq!(timestamp("yesterday"), None);
        assert_eq!(timestamp("NaN"), None);
    }
}
