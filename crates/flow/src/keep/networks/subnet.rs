//! Subnets as the API knows them. Never hands out an address.

use ipnet::Ipv4Net;
use landfall_core::api::generated::ec2 as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use serde::{Deserialize, Serialize};

use super::defaults::Defaults;
use super::filter::{self, Facets, one};
use super::resource::{
    Resource, all, arn_of, delete, find, invalid, new_id, refuse, select, store, unless_dry_run,
};
use super::vpc::Vpc;
use super::{address, route_table, tagging, zones};
use crate::tx::{Reader, Tx};

/// A subnet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Subnet {
    pub(super) id: String,
    pub(super) vpc_id: String,
    pub(super) block: String,
    pub(super) zone: String,
    pub(super) is_default: bool,
    pub(super) map_public_ip: bool,
    hostname_type: String,
    has_a_records: bool,
}
crate::record!(Subnet in Control);

impl Subnet {
    /// A subnet with AWS's settings for new ones.
    pub(super) fn new(id: String, vpc_id: String, block: String, zone: String) -> Self {
        Self {
            id,
            vpc_id,
            block,
            zone,
            is_default: false,
            map_public_ip: false,
            hostname_type: "ip-name".to_owned(),
            has_a_records: false,
        }
    }
}

impl Resource for Subnet {
    const PREFIX: &'static str = "subnet";
    const TYPE: &'static str = "subnet";
    const NOT_FOUND: &'static str = "InvalidSubnetID.NotFound";
    const NOUN: &'static str = "subnet ID";

    fn id(&self) -> &str {
        &self.id
    }

    fn of(defaults: Defaults) -> Vec<Self> {
        defaults.subnets
    }
}

/// `CreateSubnet`: inside its VPC and beside the VPC's other subnets.
pub fn create_subnet(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::CreateSubnetRequest,
) -> Result<api::CreateSubnetResult, ApiError> {
    let has_ipv6 = request.ipv6_cidr_block.is_some() || request.ipv6_native == Some(true);
    refuse(has_ipv6, "An IPv6 block of a subnet")?;
    refuse(request.outpost_arn.is_some(), "OutpostArn")?;
    refuse(request.ipv4_ipam_pool_id.is_some(), "Ipv4IpamPoolId")?;
    let vpc = find::<Vpc>(tx, caller, request.vpc_id.as_deref())?;
    let block = address::network(request.cidr_block.as_deref(), "InvalidSubnet.Range")?;
    check_place(tx, caller, &vpc, block)?;
    let zone = request
        .availability_zone
        .or(request.availability_zone_id)
        .map_or_else(
            || Ok(zones::names(&caller.region).next().unwrap_or_default()),
            |wanted| zones::find(&caller.region, &wanted).ok_or_else(|| no_zone(caller, &wanted)),
        )?;
    let id = new_id(tx.ids(), Subnet::PREFIX);
    let subnet = Subnet::new(id, vpc.id, block.to_string(), zone);
    store(tx, caller, &subnet)?;
    let specified = request.tag_specifications.as_ref();
    tagging::add_specified(tx, Subnet::TYPE, &subnet.id, specified)?;
    let subnet = Some(answer(tx, caller, subnet)?);
    unless_dry_run(request.dry_run, api::CreateSubnetResult { subnet })
}

fn check_place(
    db: &impl Reader,
    caller: &Caller,
    vpc: &Vpc,
    block: Ipv4Net,
) -> Result<(), ApiError> {
    let contains = |outer: &str| outer.parse().is_ok_and(|net: Ipv4Net| net.contains(&block));
    if !contains(&vpc.block) {
        return Err(ApiError::client(
            "InvalidSubnet.Range",
            format!("The CIDR '{block}' is invalid."),
        ));
    }
    let overlaps = |other: &Subnet| {
        let net = other.block.parse::<Ipv4Net>();
        net.is_ok_and(|net| net.contains(&block) || block.contains(&net))
    };
    let subnets = all::<Subnet>(db, caller)?;
    match subnets.iter().any(|s| s.vpc_id == vpc.id && overlaps(s)) {
        true => Err(ApiError::client(
            "InvalidSubnet.Conflict",
            format!("The CIDR '{block}' conflicts with another subnet"),
        )),
        false => Ok(()),
    }
}

fn no_zone(caller: &Caller, wanted: &str) -> ApiError {
    let zones: Vec<String> = zones::names(&caller.region).collect();
    invalid(format!(
        "Value ({wanted}) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: {}.",
        zones.join(", ")
    ))
}

/// `DeleteSubnet`: its association with a route table goes with it.
pub fn delete_subnet(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::DeleteSubnetRequest,
) -> Result<(), ApiError> {
    let subnet = find::<Subnet>(tx, caller, request.subnet_id.as_deref())?;
    route_table::forget_subnet(tx, caller, &subnet.id)?;
    delete::<Subnet>(tx, caller, &subnet.id)?;
    unless_dry_run(request.dry_run, ())
}

const FACETS: Facets<api::Subnet> = Facets {
    tags: |s| s.tags.as_ref(),
    named: &[
        ("availability-zone", |s| one(s.availability_zone.as_ref())),
        ("availabilityZone", |s| one(s.availability_zone.as_ref())),
        ("availability-zone-id", |s| {
            one(s.availability_zone_id.as_ref())
        }),
        ("availabilityZoneId", |s| {
            one(s.availability_zone_id.as_ref())
        }),
        ("available-ip-address-count", |s| {
            one(s.available_ip_address_count.as_ref())
        }),
        ("cidr", |s| one(s.cidr_block.as_ref())),
        ("cidr-block", |s| one(s.cidr_block.as_ref())),
        ("cidrBlock", |s| one(s.cidr_block.as_ref())),
        ("default-for-az", |s| one(s.default_for_az.as_ref())),
        ("defaultForAz", |s| one(s.default_for_az.as_ref())),
        ("map-public-ip-on-launch", |s| {
            one(s.map_public_ip_on_launch.as_ref())
        }),
        ("owner-id", |s| one(s.owner_id.as_ref())),
        ("state", |s| one(s.state.as_ref())),
        ("subnet-arn", |s| one(s.subnet_arn.as_ref())),
        ("subnet-id", |s| one(s.subnet_id.as_ref())),
        ("vpc-id", |s| one(s.vpc_id.as_ref())),
    ],
};

/// `DescribeSubnets`.
pub fn describe_subnets(
    db: &impl Reader,
    caller: &Caller,
    request: api::DescribeSubnetsRequest,
) -> Result<api::DescribeSubnetsResult, ApiError> {
    let subnets = select::<Subnet>(db, caller, request.subnet_ids.as_deref())?
        .into_iter()
        .map(|subnet| answer(db, caller, subnet))
        .collect::<Result<_, _>>()?;
    let place = (request.next_token, request.max_results);
    let (subnets, next_token) = filter::select(subnets, &FACETS, request.filters, place)?;
    let subnets = Some(subnets);
    let answer = api::DescribeSubnetsResult {
        next_token,
        subnets,
    };
    unless_dry_run(request.dry_run, answer)
}

/// `ModifySubnetAttribute`: what concerns IPv6, Outposts and customer-owned addresses can only be switched off.
pub fn modify_subnet_attribute(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::ModifySubnetAttributeRequest,
) -> Result<(), ApiError> {
    let mut subnet = find::<Subnet>(tx, caller, request.subnet_id.as_deref())?;
    let value = |v: Option<api::AttributeBooleanValue>| v.and_then(|v| v.value);
    let unsupported = [
        (
            request.assign_ipv6_address_on_creation,
            "AssignIpv6AddressOnCreation",
        ),
        (
            request.map_customer_owned_ip_on_launch,
            "MapCustomerOwnedIpOnLaunch",
        ),
        (request.enable_dns64, "EnableDns64"),
        (
            request.enable_resource_name_dns_aaaa_record_on_launch,
            "EnableResourceNameDnsAAAARecordOnLaunch",
        ),
    ];
    for (wish, name) in unsupported {
        refuse(value(wish) == Some(true), name)?;
    }
    refuse(
        request.enable_lni_at_device_index.is_some(),
        "EnableLniAtDeviceIndex",
    )?;
    subnet.map_public_ip = value(request.map_public_ip_on_launch).unwrap_or(subnet.map_public_ip);
    subnet.has_a_records =
        value(request.enable_resource_name_dns_a_record_on_launch).unwrap_or(subnet.has_a_records);
    subnet.hostname_type = request
        .private_dns_hostname_type_on_launch
        .unwrap_or(subnet.hostname_type);
    store(tx, caller, &subnet)
}

fn answer(db: &impl Reader, caller: &Caller, subnet: Subnet) -> Result<api::Subnet, ApiError> {
    let names = api::PrivateDnsNameOptionsOnLaunch {
        hostname_type: Some(subnet.hostname_type),
        enable_resource_name_dns_a_record: Some(subnet.has_a_records),
        enable_resource_name_dns_aaaa_record: Some(false),
    };
    Ok(api::Subnet {
        availability_zone_id: Some(zones::id_of(&caller.region, &subnet.zone)),
        availability_zone: Some(subnet.zone),
        map_customer_owned_ip_on_launch: Some(false),
        owner_id: Some(caller.account.clone()),
        assign_ipv6_address_on_creation: Some(false),
        ipv6_cidr_block_association_set: Some(Vec::new()),
        tags: tagging::of(db, &subnet.id)?,
        subnet_arn: Some(arn_of::<Subnet>(caller, &subnet.id)),
        enable_dns64: Some(false),
        ipv6_native: Some(false),
        private_dns_name_options_on_launch: Some(names),
        subnet_id: Some(subnet.id),
        state: Some("available".to_owned()),
        vpc_id: Some(subnet.vpc_id),
        available_ip_address_count: address::available(&subnet.block),
        cidr_block: Some(subnet.block),
        default_for_az: Some(subnet.is_default),
        map_public_ip_on_launch: Some(subnet.map_public_ip),
        ..Default::default()
    })
}
