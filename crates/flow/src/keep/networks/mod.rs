//! The networks that tasks are told to run in: VPCs, subnets, security groups, route tables, internet gateways. They
//! exist so that templates, tools and checks of task networks work; Landfall never routes or filters a packet by them.
//!
//! Every account and region has a default network from the start: see `defaults.rs`.

mod acl;
mod address;
mod defaults;
mod filter;
mod gateway;
mod group;
mod group_rules;
mod permission;
mod resource;
mod route_table;
mod subnet;
mod tagging;
#[cfg(test)]
mod tests;
mod vpc;
mod zones;

pub use acl::describe_network_acls;
pub use gateway::{
    attach_internet_gateway, create_internet_gateway, delete_internet_gateway,
    describe_internet_gateways, detach_internet_gateway,
};
pub use group::{create_security_group, delete_security_group, describe_security_groups};
pub use group_rules::{
    authorize_security_group_egress, authorize_security_group_ingress,
    describe_security_group_rules, revoke_security_group_egress, revoke_security_group_ingress,
};
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
pub use route_table::{
    associate_route_table, create_route, create_route_table, delete_route, delete_route_table,
    describe_route_tables, disassociate_route_table,
};
pub use subnet::{create_subnet, delete_subnet, describe_subnets, modify_subnet_attribute};
pub use tagging::{create_tags, delete_tags, describe_tags};
pub use vpc::{
    create_vpc, delete_vpc, describe_vpc_attribute, describe_vpcs, modify_vpc_attribute,
};
pub use zones::{describe_availability_zones, describe_network_interfaces};

use crate::tx::Reader;

/// Refuses subnets that do not exist.
pub fn check_subnets(db: &impl Reader, caller: &Caller, ids: &[String]) -> Result<(), ApiError> {
    ids.iter()
        .try_for_each(|id| resource::find::<subnet::Subnet>(db, caller, Some(id)).map(drop))
}

/// Refuses security groups that do not exist.
pub fn check_security_groups(
    db: &impl Reader,
    caller: &Caller,
    ids: &[String],
) -> Result<(), ApiError> {
    ids.iter()
        .try_for_each(|id| resource::find::<group::Group>(db, caller, Some(id)).map(drop))
}
