//! Security groups and the rules that stand by themselves. Never filters a packet.

use landfall_core::api::generated::ec2 as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use serde_json::{Map, Value, json};

use super::ec2::{retag, tagged};
use super::{
    Built, Existing, Job, Properties, Provisioner, attributes, call, gone_is_fine, not_served,
    request,
};
use crate::keep::networks;
use crate::tx::Tx;

/// `AWS::EC2::SecurityGroup`.
pub const GROUP: Provisioner = Provisioner {
    create,
    update,
    delete,
};
/// `AWS::EC2::SecurityGroupIngress`.
pub const INGRESS: Provisioner = Provisioner {
    create: add_ingress,
    update: change_ingress,
    delete: remove_ingress,
};
/// `AWS::EC2::SecurityGroupEgress`.
pub const EGRESS: Provisioner = Provisioner {
    create: add_egress,
    update: change_egress,
    delete: remove_egress,
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    In,
    Out,
}

impl Way {
    fn property(self) -> &'static str {
        match self {
            Self::In => "SecurityGroupIngress",
            Self::Out => "SecurityGroupEgress",
        }
    }

    /// The rules that properties mean; without any word about it everything may go out.
    fn rules(self, properties: &Properties) -> Vec<Value> {
        match (self, properties.get(self.property())) {
            (_, Some(Value::Array(rules))) => rules.clone(),
            (_, Some(rule)) => vec![rule.clone()],
            (Self::In, None) => Vec::new(),
            (Self::Out, None) => vec![json!({"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"})],
        }
    }

    fn authorize(
        self,
        tx: &mut Tx<'_>,
        caller: &Caller,
        properties: Properties,
    ) -> Result<Option<String>, ApiError> {
        let service = &api::SERVICE;
        let rules = match self {
            Self::In => {
                let request = request(service, "AuthorizeSecurityGroupIngress", properties)?;
                call(
                    tx,
                    caller,
                    &api::SERVICE,
                    "AuthorizeSecurityGroupIngress",
                    request,
                    networks::authorize_security_group_ingress,
                )?
                .security_group_rules
            }
            Self::Out => {
                let request = request(service, "AuthorizeSecurityGroupEgress", properties)?;
                call(
                    tx,
                    caller,
                    &api::SERVICE,
                    "AuthorizeSecurityGroupEgress",
                    request,
                    networks::authorize_security_group_egress,
                )?
                .security_group_rules
            }
        };
        Ok(rules
            .unwrap_or_default()
            .pop()
            .and_then(|it| it.security_group_rule_id))
    }

    fn revoke(
        self,
        tx: &mut Tx<'_>,
        caller: &Caller,
        properties: Properties,
    ) -> Result<(), ApiError> {
        let service = &api::SERVICE;
        match self {
            Self::In => {
                let request = request(service, "RevokeSecurityGroupIngress", properties)?;
                gone_is_fine(call(
                    tx,
                    caller,
                    &api::SERVICE,
                    "RevokeSecurityGroupIngress",
                    request,
                    networks::revoke_security_group_ingress,
                ))
            }
            Self::Out => {
                let request = request(service, "RevokeSecurityGroupEgress", properties)?;
                gone_is_fine(call(
                    tx,
                    caller,
                    &api::SERVICE,
                    "RevokeSecurityGroupEgress",
                    request,
                    networks::revoke_security_group_egress,
                ))
            }
        }
    }
}

/// A rule as EC2 takes it: the source or destination in a list of its kind, with the description.
fn permission(rule: &Value) -> Result<Value, ApiError> {
    let (mut outer, mut peer) = (Map::new(), Map::new());
    let mut list = None;
    for (name, value) in rule.as_object().into_iter().flatten() {
        let (into, inner) = match name.as_str() {
            "IpProtocol" | "FromPort" | "ToPort" => {
                outer.insert(name.clone(), value.clone());
                continue;
            }
            "Description" => {
                peer.insert(name.clone(), value.clone());
                continue;
            }
            "CidrIp" => ("IpRanges", "CidrIp"),
            "CidrIpv6" => ("Ipv6Ranges", "CidrIpv6"),
            "SourcePrefixListId" | "DestinationPrefixListId" => ("PrefixListIds", "PrefixListId"),
            "SourceSecurityGroupId" | "DestinationSecurityGroupId" => {
                ("UserIdGroupPairs", "GroupId")
            }
            "SourceSecurityGroupName" => ("UserIdGroupPairs", "GroupName"),
            "SourceSecurityGroupOwnerId" => ("UserIdGroupPairs", "UserId"),
            other => {
                return Err(not_served(&format!(
                    "The property {other} of a security group rule"
                )));
            }
        };
        peer.insert(inner.to_owned(), value.clone());
        list = Some(into);
    }
    if let Some(list) = list {
        outer.insert(list.to_owned(), json!([peer]));
    }
    Ok(Value::Object(outer))
}

fn of_group(group: &str, rule: &Value) -> Result<Properties, ApiError> {
    Ok(Map::from_iter([
        ("GroupId".to_owned(), Value::from(group)),
        ("IpPermissions".to_owned(), json!([permission(rule)?])),
    ]))
}

/// Revokes what is not wanted any more, then authorizes what is new.
fn settle(
    tx: &mut Tx<'_>,
    job: &Job<'_>,
    group: &str,
    way: Way,
    old: &[Value],
) -> Result<(), ApiError> {
    let new = way.rules(job.properties);
    for rule in old.iter().filter(|it| !new.contains(it)) {
        way.revoke(tx, job.caller, of_group(group, rule)?)?;
    }
    for rule in new.iter().filter(|it| !old.contains(it)) {
        way.authorize(tx, job.caller, of_group(group, rule)?)?;
    }
    Ok(())
}

fn create(tx: &mut Tx<'_>, job: &Job<'_>) -> Result<Built, ApiError> {
    let left_out = [
        "GroupDescription",
        "GroupName",
        "SecurityGroupIngress",
        "SecurityGroupEgress",
    ];
    let mut properties = tagged(job, "security-group", &left_out);
    properties.insert(
        "Description".to_owned(),
        Value::from(job.required("GroupDescription")?),
    );
    properties.insert(
        "GroupName".to_owned(),
        Value::from(job.name(tx, "GroupName", 255)),
    );
    let request = request(&api::SERVICE, "CreateSecurityGroup", properties)?;
    let answer = call(
        tx,
        job.caller,
        &api::SERVICE,
        "CreateSecurityGroup",
        request,
        networks::create_security_group,
    )?;
    let id = answer.group_id.unwrap_or_default();
    settle(tx, job, &id, Way::In, &[])?;
    // A new group lets everything out.
    let out = Way::Out.rules(&Properties::new());
    settle(tx, job, &id, Way::Out, &out)?;
    built(tx, job.caller, id)
}

fn built(tx: &Tx<'_>, caller: &Caller, id: String) -> Result<Built, ApiError> {
    let asked = api::DescribeSecurityGroupsRequest {
        group_ids: Some(vec![id.clone()]),
        ..Default::default()
    };
    let groups = networks::describe_security_groups(tx, caller, asked)?.security_groups;
    let vpc = groups
        .unwrap_or_default()
        .pop()
        .and_then(|it| it.vpc_id)
        .unwrap_or_default();
    let known = attributes([("GroupId", &id), ("Id", &id), ("VpcId", &vpc)]);
    Ok(Built {
        physical_id: id,
        attributes: known,
    })
}

fn update(tx: &mut Tx<'_>, job: &Job<'_>, existing: &Existing<'_>) -> Result<Built, ApiError> {
    let id = existing.physical_id;
    for way in [Way::In, Way::Out] {
        let old = way.rules(existing.properties);
        settle(tx, job, id, way, &old)?;
    }
    retag(tx, job, existing)?;
    built(tx, job.caller, id.to_owned())
}

fn delete(tx: &mut Tx<'_>, caller: &Caller, existing: &Existing<'_>) -> Result<(), ApiError> {
    let group_id = Some(existing.physical_id.to_owned());
    let request = api::DeleteSecurityGroupRequest {
        group_id,
        ..Default::default()
    };
    gone_is_fine(call(
        tx,
        caller,
        &api::SERVICE,
        "DeleteSecurityGroup",
        request,
        networks::delete_security_group,
    ))
}

/// The group that a rule is of, under the name that EC2 asks for, and the rule itself.
fn standing_alone(properties: &Properties) -> Result<Properties, ApiError> {
    let own = ["GroupId", "GroupName"];
    let is_own = |name: &str| own.contains(&name);
    let rule: Properties = properties
        .iter()
        .filter(|(name, _)| !is_own(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let mut request: Properties = properties
        .iter()
        .filter(|(name, _)| is_own(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let permission = permission(&Value::Object(rule))?;
    request.insert("IpPermissions".to_owned(), json!([permission]));
    Ok(request)
}

fn add(tx: &mut Tx<'_>, job: &Job<'_>, way: Way) -> Result<Built, ApiError> {
    let id = way
        .authorize(tx, job.caller, standing_alone(job.properties)?)?
        .unwrap_or_default();
    Ok(Built {
        attributes: attributes([("Id", &id)]),
        physical_id: id,
    })
}

fn remove(
    tx: &mut Tx<'_>,
    caller: &Caller,
    existing: &Existing<'_>,
    way: Way,
) -> Result<(), ApiError> {
    gone_is_fine(way.revoke(tx, caller, standing_alone(existing.properties)?))
}

fn add_ingress(tx: &mut Tx<'_>, job: &Job<'_>) -> Result<Built, ApiError> {
    add(tx, job, Way::In)
}

fn change_ingress(
    tx: &mut Tx<'_>,
    job: &Job<'_>,
    existing: &Existing<'_>,
) -> Result<Built, ApiError> {
    remove(tx, job.caller, existing, Way::In)?;
    add(tx, job, Way::In)
}

fn remove_ingress(
    tx: &mut Tx<'_>,
    caller: &Caller,
    existing: &Existing<'_>,
) -> Result<(), ApiError> {
    remove(tx, caller, existing, Way::In)
}

fn add_egress(tx: &mut Tx<'_>, job: &Job<'_>) -> Result<Built, ApiError> {
    add(tx, job, Way::Out)
}

fn change_egress(
    tx: &mut Tx<'_>,
    job: &Job<'_>,
    existing: &Existing<'_>,
) -> Result<Built, ApiError> {
    remove(tx, job.caller, existing, Way::Out)?;
    add(tx, job, Way::Out)
}

fn remove_egress(
    tx: &mut Tx<'_>,
    caller: &Caller,
    existing: &Existing<'_>,
) -> Result<(), ApiError> {
    remove(tx, caller, existing, Way::Out)
}
