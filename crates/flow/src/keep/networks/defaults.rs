//! The default network of an account and region. Its ids follow from the account and region, so it can be read before
//! anything was written; the first change in that account and region stores all of it. Never stored twice.

use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use serde::{Deserialize, Serialize};

use super::gateway::Gateway;
use super::group::Group;
use super::resource::{derived_id, put};
use super::route_table::RouteTable;
use super::subnet::Subnet;
use super::vpc::Vpc;
use super::zones;
use crate::key::Key;
use crate::tx::{Reader, Tx};

const VPC_BLOCK: &str = "172.31.0.0/16";
const SUBNET_BLOCKS: [&str; 3] = ["172.31.0.0/20", "172.31.16.0/20", "172.31.32.0/20"];

/// One default network.
pub(super) struct Defaults {
    pub(super) vpc: Vpc,
    pub(super) subnets: Vec<Subnet>,
    pub(super) group: Group,
    pub(super) table: RouteTable,
    pub(super) gateway: Gateway,
}

/// Says that the default network of an account and region is in the store (or was, and has been deleted).
#[derive(Debug, Serialize, Deserialize)]
struct Stored {}
crate::record!(Stored in Control);

fn marker(caller: &Caller) -> Key {
    Key::new("ec2-defaults")
        .part(&caller.account)
        .part(&caller.region)
}

/// Whether the store knows the default network; if not, nothing of this account and region is in the store.
pub(super) fn are_stored(db: &impl Reader, caller: &Caller) -> Result<bool, ApiError> {
    db.has::<Stored>(&marker(caller))
}

/// Writes the default network unless it has been written before.
pub(super) fn store(tx: &mut Tx<'_>, caller: &Caller) -> Result<(), ApiError> {
    if are_stored(tx, caller)? {
        return Ok(());
    }
    let defaults = Defaults::of(caller);
    put(tx, caller, &defaults.vpc)?;
    for subnet in &defaults.subnets {
        put(tx, caller, subnet)?;
    }
    put(tx, caller, &defaults.group)?;
    put(tx, caller, &defaults.table)?;
    put(tx, caller, &defaults.gateway)?;
    tx.put(&marker(caller), &Stored {})
}

impl Defaults {
    /// The default network of the caller's account and region.
    pub(super) fn of(caller: &Caller) -> Self {
        let id =
            |prefix: &str, part: &str| derived_id(prefix, &[&caller.account, &caller.region, part]);
        let mut vpc = Vpc::new(id("vpc", ""), VPC_BLOCK.to_owned());
        vpc.is_default = true;
        vpc.has_dns_hostnames = true;
        let gateway = Gateway {
            id: id("igw", ""),
            vpc_id: Some(vpc.id.clone()),
        };
        let mut table = RouteTable::main_of(&vpc.id);
        table.route_to_internet(&gateway.id);
        let subnet = |(zone, block): (String, &&str)| {
            let block = (*block).to_owned();
            let mut subnet = Subnet::new(id("subnet", &block), vpc.id.clone(), block, zone);
            subnet.is_default = true;
            subnet.map_public_ip = true;
            subnet
        };
        let zones = zones::names(&caller.region);
        Self {
            subnets: zones.zip(&SUBNET_BLOCKS).map(subnet).collect(),
            group: Group::default_of(&vpc.id, &caller.account),
            vpc,
            table,
            gateway,
        }
    }
}
