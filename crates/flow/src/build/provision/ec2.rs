//! VPCs and subnets, and what all resources of EC2 share here: tags and permissions. Never moves a packet.

use landfall_core::api::generated::ec2 as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use serde_json::{Map, Value, json};

use super::{
    Built, Existing, Job, Properties, Provisioner, attributes, call, gone_is_fine, not_served,
    request, tag_pairs,
};
use crate::keep::networks;
use crate::tx::Tx;

/// `AWS::EC2::VPC`.
pub const VPC: Provisioner = Provisioner {
    create: create_vpc,
    update: update_vpc,
    delete: delete_vpc,
};
/// `AWS::EC2::Subnet`.
pub const SUBNET: Provisioner = Provisioner {
    create: create_subnet,
    update: update_subnet,
    delete: delete_subnet,
};

/// The properties but some, with the tags as EC2 takes them at a creation.
pub fn tagged(job: &Job<'_>, resource_type: &str, left_out: &[&str]) -> Properties {
    let mut properties = job.but(left_out);
    if let Some(tags) = properties.remove("Tags").filter(|it| *it != json!([])) {
        let specification = json!([{"ResourceType": resource_type, "Tags": tags}]);
        properties.insert("TagSpecifications".to_owned(), specification);
    }
    properties
}

/// Makes the tags of a resource of EC2 what the new properties say.
pub fn retag(tx: &mut Tx<'_>, job: &Job<'_>, existing: &Existing<'_>) -> Result<(), ApiError> {
    let tag = |(key, value): (String, Option<String>)| api::Tag {
        key: Some(key),
        value,
    };
    let new = job.tags();
    let resources = Some(vec![existing.physical_id.to_owned()]);
    let gone: Vec<api::Tag> = tag_pairs(existing.properties)
        .into_iter()
        .filter(|(key, _)| !new.iter().any(|(other, _)| other == key))
        .map(|(key, _)| tag((key, None)))
        .collect();
    if !gone.is_empty() {
        let (resources, tags) = (resources.clone(), Some(gone));
        let request = api::DeleteTagsRequest {
            resources,
            tags,
            ..Default::default()
        };
        call(
            tx,
            job.caller,
            &api::SERVICE,
            "DeleteTags",
            request,
            networks::delete_tags,
        )?;
    }
    if !new.is_empty() {
        let tags = Some(
            new.into_iter()
                .map(|(key, value)| tag((key, Some(value))))
                .collect(),
        );
        let request = api::CreateTagsRequest {
            resources,
            tags,
            ..Default::default()
        };
        call(
            tx,
            job.caller,
            &api::SERVICE,
            "CreateTags",
            request,
            networks::create_tags,
        )?;
    }
    Ok(())
}

const VPC_SWITCHES: &[&str] = &["EnableDnsHostnames", "EnableDnsSupport"];

fn create_vpc(tx: &mut Tx<'_>, job: &Job<'_>) -> Result<Built, ApiError> {
    let properties = tagged(job, "vpc", VPC_SWITCHES);
    let answer = call(
        tx,
        job.caller,
        &api::SERVICE,
        "CreateVpc",
        request(&api::SERVICE, "CreateVpc", properties)?,
        networks::create_vpc,
    )?;
    let id = answer.vpc.and_then(|it| it.vpc_id).unwrap_or_default();
    switch_vpc(tx, job, &id, &Properties::new())?;
    built_vpc(tx, job.caller, id)
}

/// EC2 takes one switch at a time.
fn switch_vpc(tx: &mut Tx<'_>, job: &Job<'_>, id: &str, old: &Properties) -> Result<(), ApiError> {
    for name in VPC_SWITCHES {
        let (was, wanted) = (old.get(*name), job.properties.get(*name));
        if was == wanted {
            continue;
        }
        let standard = Value::from(*name == "EnableDnsSupport");
        let properties = Map::from_iter([
            ("VpcId".to_owned(), Value::from(id)),
            (
                (*name).to_owned(),
                json!({"Value": wanted.unwrap_or(&standard)}),
            ),
        ]);
        let request = request(&api::SERVICE, "ModifyVpcAttribute", properties)?;
        call(
            tx,
            job.caller,
            &api::SERVICE,
            "ModifyVpcAttribute",
            request,
            networks::modify_vpc_attribute,
        )?;
    }
    Ok(())
}

fn in_vpc(id: &str) -> Option<Vec<api::Filter>> {
    let filter = |name: &str, value: &str| api::Filter {
        name: Some(name.to_owned()),
        values: Some(vec![value.to_owned()]),
    };
    Some(vec![filter("vpc-id", id)])
}

fn built_vpc(tx: &Tx<'_>, caller: &Caller, id: String) -> Result<Built, ApiError> {
    let asked = api::DescribeVpcsRequest {
        vpc_ids: Some(vec![id.clone()]),
        ..Default::default()
    };
    let vpc = networks::describe_vpcs(tx, caller, asked)?
        .vpcs
        .unwrap_or_default()
        .pop()
        .unwrap_or_default();
    let asked = api::DescribeSecurityGroupsRequest {
        filters: in_vpc(&id),
        ..Default::default()
    };
    let groups = networks::describe_security_groups(tx, caller, asked)?.security_groups;
    let group = groups
        .into_iter()
        .flatten()
        .find(|it| it.group_name.as_deref() == Some("default"));
    let asked = api::DescribeNetworkAclsRequest {
        filters: in_vpc(&id),
        ..Default::default()
    };
    let acls = networks::describe_network_acls(tx, caller, asked)?.network_acls;
    let acl = acls
        .into_iter()
        .flatten()
        .find(|it| it.is_default == Some(true));
    let associations: Vec<Value> = vpc
        .cidr_block_association_set
        .into_iter()
        .flatten()
        .filter_map(|it| it.association_id.map(Value::from))
        .collect();
    let mut known = attributes([
        ("VpcId", &id),
        ("CidrBlock", vpc.cidr_block.as_deref().unwrap_or_default()),
        (
            "DefaultSecurityGroup",
            group
                .and_then(|it| it.group_id)
                .as_deref()
                .unwrap_or_default(),
        ),
        (
            "DefaultNetworkAcl",
            acl.and_then(|it| it.network_acl_id)
                .as_deref()
                .unwrap_or_default(),
        ),
    ]);
    known.insert(
        "CidrBlockAssociations".to_owned(),
        Value::from(associations),
    );
    known.insert("Ipv6CidrBlocks".to_owned(), json!([]));
    Ok(Built {
        physical_id: id,
        attributes: known,
    })
}

fn update_vpc(tx: &mut Tx<'_>, job: &Job<'_>, existing: &Existing<'_>) -> Result<Built, ApiError> {
    super::refuse_changes(job, existing, &["InstanceTenancy"])?;
    switch_vpc(tx, job, existing.physical_id, existing.properties)?;
    retag(tx, job, existing)?;
    built_vpc(tx, job.caller, existing.physical_id.to_owned())
}

fn delete_vpc(tx: &mut Tx<'_>, caller: &Caller, existing: &Existing<'_>) -> Result<(), ApiError> {
    let vpc_id = Some(existing.physical_id.to_owned());
    let request = api::DeleteVpcRequest {
        vpc_id,
        ..Default::default()
    };
    gone_is_fine(call(
        tx,
        caller,
        &api::SERVICE,
        "DeleteVpc",
        request,
        networks::delete_vpc,
    ))
}

/// Properties of a subnet that are switches after its creation, as EC2 spells them.
const SUBNET_SWITCHES: &[&str] = &[
    "AssignIpv6AddressOnCreation",
    "EnableDns64",
    "MapPublicIpOnLaunch",
];
const SUBNET_NAMES: &str = "PrivateDnsNameOptionsOnLaunch";

fn create_subnet(tx: &mut Tx<'_>, job: &Job<'_>) -> Result<Built, ApiError> {
    let mut left_out = SUBNET_SWITCHES.to_vec();
    left_out.push(SUBNET_NAMES);
    let properties = tagged(job, "subnet", &left_out);
    let answer = call(
        tx,
        job.caller,
        &api::SERVICE,
        "CreateSubnet",
        request(&api::SERVICE, "CreateSubnet", properties)?,
        networks::create_subnet,
    )?;
    let id = answer
        .subnet
        .and_then(|it| it.subnet_id)
        .unwrap_or_default();
    switch_subnet(tx, job, &id, &Properties::new())?;
    built_subnet(tx, job.caller, id)
}

fn switch_subnet(
    tx: &mut Tx<'_>,
    job: &Job<'_>,
    id: &str,
    old: &Properties,
) -> Result<(), ApiError> {
    for name in SUBNET_SWITCHES {
        let (was, wanted) = (old.get(*name), job.properties.get(*name));
        if was == wanted {
            continue;
        }
        let value = wanted.cloned().unwrap_or(Value::from(false));
        modify_subnet(tx, job.caller, id, name, json!({"Value": value}))?;
    }
    let options = job.properties.get(SUBNET_NAMES).and_then(Value::as_object);
    for (name, value) in options.into_iter().flatten() {
        let (name, value) = match name.as_str() {
            "HostnameType" => ("PrivateDnsHostnameTypeOnLaunch", value.clone()),
            "EnableResourceNameDnsARecord" => (
                "EnableResourceNameDnsARecordOnLaunch",
                json!({"Value": value}),
            ),
            "EnableResourceNameDnsAAAARecord" => (
                "EnableResourceNameDnsAAAARecordOnLaunch",
                json!({"Value": value}),
            ),
            other => return Err(not_served(&format!("The property {SUBNET_NAMES}.{other}"))),
        };
        modify_subnet(tx, job.caller, id, name, value)?;
    }
    Ok(())
}

fn modify_subnet(
    tx: &mut Tx<'_>,
    caller: &Caller,
    id: &str,
    name: &str,
    value: Value,
) -> Result<(), ApiError> {
    let properties = Map::from_iter([
        ("SubnetId".to_owned(), Value::from(id)),
        (name.to_owned(), value),
    ]);
    let request = request(&api::SERVICE, "ModifySubnetAttribute", properties)?;
    call(
        tx,
        caller,
        &api::SERVICE,
        "ModifySubnetAttribute",
        request,
        networks::modify_subnet_attribute,
    )
}

fn built_subnet(tx: &Tx<'_>, caller: &Caller, id: String) -> Result<Built, ApiError> {
    let asked = api::DescribeSubnetsRequest {
        subnet_ids: Some(vec![id.clone()]),
        ..Default::default()
    };
    let subnets = networks::describe_subnets(tx, caller, asked)?.subnets;
    let subnet = subnets.unwrap_or_default().pop().unwrap_or_default();
    let vpc = subnet.vpc_id.unwrap_or_default();
    let asked = api::DescribeNetworkAclsRequest {
        filters: in_vpc(&vpc),
        ..Default::default()
    };
    let acls = networks::describe_network_acls(tx, caller, asked)?.network_acls;
    let association = acls
        .into_iter()
        .flatten()
        .flat_map(|it| it.associations.unwrap_or_default())
        .find(|it| it.subnet_id.as_deref() == Some(&id))
        .and_then(|it| it.network_acl_association_id);
    let mut known = attributes([
        ("SubnetId", &id),
        ("VpcId", &vpc),
        (
            "AvailabilityZone",
            subnet.availability_zone.as_deref().unwrap_or_default(),
        ),
        (
            "CidrBlock",
            subnet.cidr_block.as_deref().unwrap_or_default(),
        ),
        (
            "NetworkAclAssociationId",
            association.as_deref().unwrap_or_default(),
        ),
    ]);
    known.insert("Ipv6CidrBlocks".to_owned(), json!([]));
    Ok(Built {
        physical_id: id,
        attributes: known,
    })
}

fn update_subnet(
    tx: &mut Tx<'_>,
    job: &Job<'_>,
    existing: &Existing<'_>,
) -> Result<Built, ApiError> {
    super::refuse_changes(job, existing, &["Ipv6CidrBlock", "EnableLniAtDeviceIndex"])?;
    switch_subnet(tx, job, existing.physical_id, existing.properties)?;
    retag(tx, job, existing)?;
    built_subnet(tx, job.caller, existing.physical_id.to_owned())
}

fn delete_subnet(
    tx: &mut Tx<'_>,
    caller: &Caller,
    existing: &Existing<'_>,
) -> Result<(), ApiError> {
    let subnet_id = Some(existing.physical_id.to_owned());
    let request = api::DeleteSubnetRequest {
        subnet_id,
        ..Default::default()
    };
    gone_is_fine(call(
        tx,
        caller,
        &api::SERVICE,
        "DeleteSubnet",
        request,
        networks::delete_subnet,
    ))
}
