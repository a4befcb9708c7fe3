//! VPCs as the API knows them. Never more than one IPv4 block each, and no IPv6.

use landfall_core::api::generated::ec2 as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use serde::{Deserialize, Serialize};

use super::defaults::Defaults;
use super::filter::{self, Facets, each, one};
use super::gateway::Gateway;
use super::group::Group;
use super::resource::{
    Resource, all, delete, derived_id, find, in_use, invalid, new_id, refuse, select, store,
    unless_dry_run,
};
use super::route_table::RouteTable;
use super::subnet::Subnet;
use super::{address, tagging};
use crate::tx::{Reader, Tx};

const NOUN: &str = "vpc";

/// A VPC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Vpc {
    pub(super) id: String,
    pub(super) block: String,
    tenancy: String,
    pub(super) is_default: bool,
    has_dns_support: bool,
    pub(super) has_dns_hostnames: bool,
    has_usage_metrics: bool,
}
crate::record!(Vpc in Control);

impl Vpc {
    /// A VPC with AWS's settings for new ones.
    pub(super) fn new(id: String, block: String) -> Self {
        Self {
            id,
            block,
            tenancy: "default".to_owned(),
            is_default: false,
            has_dns_support: true,
            has_dns_hostnames: false,
            has_usage_metrics: false,
        }
    }
}

impl Resource for Vpc {
    const PREFIX: &'static str = "vpc";
    const TYPE: &'static str = "vpc";
    const NOT_FOUND: &'static str = "InvalidVpcID.NotFound";
    const NOUN: &'static str = "vpc ID";

    fn id(&self) -> &str {
        &self.id
    }

    fn of(defaults: Defaults) -> Vec<Self> {
        vec![defaults.vpc]
    }
}

/// The id of the default VPC; refused when it has been deleted.
pub(super) fn default_id(db: &impl Reader, caller: &Caller) -> Result<String, ApiError> {
    let mut vpcs = all::<Vpc>(db, caller)?.into_iter();
    vpcs.find(|vpc| vpc.is_default)
        .map(|vpc| vpc.id)
        .ok_or_else(|| {
            ApiError::client(
                "VPCIdNotSpecified",
                "No default VPC for this user. GroupName is only supported for EC2-Classic and default VPC.",
            )
        })
}

/// `CreateVpc`: the VPC comes with its default security group, its main route table and its default network ACL.
pub fn create_vpc(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::CreateVpcRequest,
) -> Result<api::CreateVpcResult, ApiError> {
    let has_ipv6 = request.ipv6_cidr_block.is_some()
        || request.amazon_provided_ipv6_cidr_block == Some(true)
        || request.ipv6_ipam_pool_id.is_some();
    refuse(has_ipv6, "An IPv6 block of a VPC")?;
    refuse(request.ipv4_ipam_pool_id.is_some(), "Ipv4IpamPoolId")?;
    let block = address::network(request.cidr_block.as_deref(), "InvalidVpc.Range")?;
    let mut vpc = Vpc::new(new_id(tx.ids(), Vpc::PREFIX), block.to_string());
    vpc.tenancy = request.instance_tenancy.unwrap_or(vpc.tenancy);
    store(tx, caller, &vpc)?;
    store(tx, caller, &Group::default_of(&vpc.id, &caller.account))?;
    store(tx, caller, &RouteTable::main_of(&vpc.id))?;
    let specified = request.tag_specifications.as_ref();
    tagging::add_specified(tx, Vpc::TYPE, &vpc.id, specified)?;
    let vpc = Some(answer(tx, caller, vpc)?);
    unless_dry_run(request.dry_run, api::CreateVpcResult { vpc })
}

/// `DeleteVpc`: what came with the VPC goes with it; anything else in it keeps it.
pub fn delete_vpc(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::DeleteVpcRequest,
) -> Result<(), ApiError> {
    let Vpc { id, .. } = find(tx, caller, request.vpc_id.as_deref())?;
    let groups = all::<Group>(tx, caller)?;
    let tables = all::<RouteTable>(tx, caller)?;
    let is_used = all::<Subnet>(tx, caller)?.iter().any(|s| s.vpc_id == id)
        || groups.iter().any(|g| g.vpc_id == id && !g.is_default())
        || tables.iter().any(|t| t.vpc_id == id && !t.is_main())
        || all::<Gateway>(tx, caller)?
            .iter()
            .any(|g| g.vpc_id.as_ref() == Some(&id));
    if is_used {
        return Err(in_use(NOUN, &id));
    }
    for group in groups.iter().filter(|g| g.vpc_id == id) {
        delete::<Group>(tx, caller, &group.id)?;
    }
    for table in tables.iter().filter(|t| t.vpc_id == id) {
        delete::<RouteTable>(tx, caller, &table.id)?;
    }
    delete::<Vpc>(tx, caller, &id)?;
    unless_dry_run(request.dry_run, ())
}

const FACETS: Facets<api::Vpc> = Facets {
    tags: |v| v.tags.as_ref(),
    named: &[
        ("cidr", |v| one(v.cidr_block.as_ref())),
        ("cidr-block-association.cidr-block", |v| {
            one(v.cidr_block.as_ref())
        }),
        ("cidr-block-association.association-id", |v| {
            each(v.cidr_block_association_set.as_ref(), |a| {
                a.association_id.as_ref()
            })
        }),
        ("cidr-block-association.state", |_| {
            vec!["associated".to_owned()]
        }),
        ("dhcp-options-id", |v| one(v.dhcp_options_id.as_ref())),
        ("is-default", |v| one(v.is_default.as_ref())),
        ("isDefault", |v| one(v.is_default.as_ref())),
        ("owner-id", |v| one(v.owner_id.as_ref())),
        ("state", |v| one(v.state.as_ref())),
        ("vpc-id", |v| one(v.vpc_id.as_ref())),
    ],
};

/// `DescribeVpcs`.
pub fn describe_vpcs(
    db: &impl Reader,
    caller: &Caller,
    request: api::DescribeVpcsRequest,
) -> Result<api::DescribeVpcsResult, ApiError> {
    let vpcs = select::<Vpc>(db, caller, request.vpc_ids.as_deref())?
        .into_iter()
        .map(|vpc| answer(db, caller, vpc))
        .collect::<Result<_, _>>()?;
    let place = (request.next_token, request.max_results);
    let (vpcs, next_token) = filter::select(vpcs, &FACETS, request.filters, place)?;
    let vpcs = Some(vpcs);
    unless_dry_run(
        request.dry_run,
        api::DescribeVpcsResult { next_token, vpcs },
    )
}

/// `DescribeVpcAttribute`: exactly one attribute.
pub fn describe_vpc_attribute(
    db: &impl Reader,
    caller: &Caller,
    request: api::DescribeVpcAttributeRequest,
) -> Result<api::DescribeVpcAttributeResult, ApiError> {
    let vpc = find::<Vpc>(db, caller, request.vpc_id.as_deref())?;
    let shown = |value| Some(api::AttributeBooleanValue { value: Some(value) });
    let mut answer = api::DescribeVpcAttributeResult::default();
    match request.attribute.as_deref().unwrap_or_default() {
        "enableDnsSupport" => answer.enable_dns_support = shown(vpc.has_dns_support),
        "enableDnsHostnames" => answer.enable_dns_hostnames = shown(vpc.has_dns_hostnames),
        "enableNetworkAddressUsageMetrics" => {
            answer.enable_network_address_usage_metrics = shown(vpc.has_usage_metrics);
        }
        other => {
            return Err(invalid(format!(
                "Value ({other}) for parameter attribute is invalid. Unknown attribute."
            )));
        }
    }
    answer.vpc_id = Some(vpc.id);
    unless_dry_run(request.dry_run, answer)
}

/// `ModifyVpcAttribute`.
pub fn modify_vpc_attribute(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::ModifyVpcAttributeRequest,
) -> Result<(), ApiError> {
    let mut vpc = find::<Vpc>(tx, caller, request.vpc_id.as_deref())?;
    let wish =
        |value: Option<api::AttributeBooleanValue>, now| value.and_then(|v| v.value).unwrap_or(now);
    vpc.has_dns_support = wish(request.enable_dns_support, vpc.has_dns_support);
    vpc.has_dns_hostnames = wish(request.enable_dns_hostnames, vpc.has_dns_hostnames);
    let metrics = request.enable_network_address_usage_metrics;
    vpc.has_usage_metrics = wish(metrics, vpc.has_usage_metrics);
    store(tx, caller, &vpc)
}

fn answer(db: &impl Reader, caller: &Caller, vpc: Vpc) -> Result<api::Vpc, ApiError> {
    let association = api::VpcCidrBlockAssociation {
        association_id: Some(derived_id("vpc-cidr-assoc", &[&vpc.id])),
        cidr_block: Some(vpc.block.clone()),
        cidr_block_state: Some(api::VpcCidrBlockState {
            state: Some("associated".to_owned()),
            status_message: None,
        }),
    };
    let options = derived_id("dopt", &[&caller.account, &caller.region]);
    Ok(api::Vpc {
        owner_id: Some(caller.account.clone()),
        instance_tenancy: Some(vpc.tenancy),
        cidr_block_association_set: Some(vec![association]),
        is_default: Some(vpc.is_default),
        tags: tagging::of(db, &vpc.id)?,
        vpc_id: Some(vpc.id),
        state: Some("available".to_owned()),
        cidr_block: Some(vpc.block),
        dhcp_options_id: Some(options),
        ..Default::default()
    })
}
