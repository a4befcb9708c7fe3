//! Network ACLs: each VPC has its default one, which lets everything through and follows from the VPC. Never stored.

use landfall_core::api::generated::ec2 as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;

use super::filter::{self, Facets, each, one};
use super::resource::{all, derived_id, unless_dry_run};
use super::subnet::Subnet;
use super::tagging;
use super::vpc::Vpc;
use crate::tx::Reader;

pub(super) const PREFIX: &str = "acl";
pub(super) const TYPE: &str = "network-acl";
/// The number of the rule that catches what no other rule does.
const RULE_NUMBER_LAST: i32 = 32_767;
const RULE_NUMBER_FIRST: i32 = 100;

/// Ids of all network ACLs.
pub(super) fn ids(
    db: &impl Reader,
    caller: &Caller,
) -> Result<impl Iterator<Item = String>, ApiError> {
    let vpcs = all::<Vpc>(db, caller)?;
    Ok(vpcs.into_iter().map(|vpc| id_of(&vpc.id)))
}

/// Refuses the id of no network ACL.
pub(super) fn check_exists(db: &impl Reader, caller: &Caller, id: &str) -> Result<(), ApiError> {
    match ids(db, caller)?.any(|known| known == id) {
        true => Ok(()),
        false => Err(ApiError::client(
            "InvalidNetworkAclID.NotFound",
            format!("The networkAcl ID '{id}' does not exist"),
        )),
    }
}

fn id_of(vpc_id: &str) -> String {
    derived_id(PREFIX, &[vpc_id])
}

const FACETS: Facets<api::NetworkAcl> = Facets {
    tags: |a| a.tags.as_ref(),
    named: &[
        ("association.association-id", |a| {
            each(a.associations.as_ref(), |s| {
                s.network_acl_association_id.as_ref()
            })
        }),
        ("association.network-acl-id", |a| {
            each(a.associations.as_ref(), |s| s.network_acl_id.as_ref())
        }),
        ("association.subnet-id", |a| {
            each(a.associations.as_ref(), |s| s.subnet_id.as_ref())
        }),
        ("default", |a| one(a.is_default.as_ref())),
        ("network-acl-id", |a| one(a.network_acl_id.as_ref())),
        ("owner-id", |a| one(a.owner_id.as_ref())),
        ("vpc-id", |a| one(a.vpc_id.as_ref())),
    ],
};

/// `DescribeNetworkAcls`.
pub fn describe_network_acls(
    db: &impl Reader,
    caller: &Caller,
    request: api::DescribeNetworkAclsRequest,
) -> Result<api::DescribeNetworkAclsResult, ApiError> {
    let wanted = request.network_acl_ids.unwrap_or_default();
    for id in &wanted {
        check_exists(db, caller, id)?;
    }
    let subnets = all::<Subnet>(db, caller)?;
    let acls = all::<Vpc>(db, caller)?
        .into_iter()
        .filter(|vpc| wanted.is_empty() || wanted.contains(&id_of(&vpc.id)))
        .map(|vpc| answer(db, caller, vpc, &subnets))
        .collect::<Result<_, _>>()?;
    let place = (request.next_token, request.max_results);
    let (acls, next_token) = filter::select(acls, &FACETS, request.filters, place)?;
    let answer = api::DescribeNetworkAclsResult {
        network_acls: Some(acls),
        next_token,
    };
    unless_dry_run(request.dry_run, answer)
}

fn answer(
    db: &impl Reader,
    caller: &Caller,
    vpc: Vpc,
    subnets: &[Subnet],
) -> Result<api::NetworkAcl, ApiError> {
    let id = id_of(&vpc.id);
    let association = |subnet: &Subnet| api::NetworkAclAssociation {
        network_acl_association_id: Some(derived_id("aclassoc", &[&subnet.id])),
        network_acl_id: Some(id.clone()),
        subnet_id: Some(subnet.id.clone()),
    };
    let inside = subnets.iter().filter(|s| s.vpc_id == vpc.id);
    Ok(api::NetworkAcl {
        associations: Some(inside.map(association).collect()),
        entries: Some(entries()),
        is_default: Some(true),
        tags: tagging::of(db, &id)?,
        network_acl_id: Some(id),
        vpc_id: Some(vpc.id),
        owner_id: Some(caller.account.clone()),
    })
}

fn entries() -> Vec<api::NetworkAclEntry> {
    let entry = |egress, number, action: &str| api::NetworkAclEntry {
        cidr_block: Some("0.0.0.0/0".to_owned()),
        egress: Some(egress),
        protocol: Some("-1".to_owned()),
        rule_action: Some(action.to_owned()),
        rule_number: Some(number),
        ..Default::default()
    };
    [true, false]
        .into_iter()
        .flat_map(|egress| {
            [
                entry(egress, RULE_NUMBER_FIRST, "allow"),
                entry(egress, RULE_NUMBER_LAST, "deny"),
            ]
        })
        .collect()
}
