//! Route tables, their routes and associations as the API knows them. Of the targets of routes only internet gateways
//! are kept by Landfall and so checked; other ids are taken as they are. Never routes anything.

use landfall_core::api::generated::ec2 as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use serde::{Deserialize, Serialize};

use super::defaults::Defaults;
use super::filter::{self, Facets, each, one};
use super::gateway::Gateway;
use super::resource::{
    Resource, all, delete, derived_id, find, in_use, invalid, new_id, refuse, select, store,
    unless_dry_run,
};
use super::subnet::Subnet;
use super::vpc::Vpc;
use super::{address, tagging};
use crate::tx::{Reader, Tx};

const NOUN: &str = "routeTable";
const ASSOCIATION: &str = "rtbassoc";

/// A route table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct RouteTable {
    pub(super) id: String,
    pub(super) vpc_id: String,
    /// All but the local one, which follows from the VPC.
    routes: Vec<api::Route>,
    associations: Vec<Association>,
}
crate::record!(RouteTable in Control);

/// What a route table is for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Association {
    id: String,
    /// `None` for the main association of the VPC.
    subnet_id: Option<String>,
}

impl RouteTable {
    /// The main table of a VPC; its id follows from the VPC's.
    pub(super) fn main_of(vpc_id: &str) -> Self {
        Self {
            id: derived_id(Self::PREFIX, &[vpc_id]),
            vpc_id: vpc_id.to_owned(),
            routes: Vec::new(),
            associations: vec![Association {
                id: derived_id(ASSOCIATION, &[vpc_id]),
                subnet_id: None,
            }],
        }
    }

    /// Whether it is the main table of its VPC.
    pub(super) fn is_main(&self) -> bool {
        self.associations.iter().any(|a| a.subnet_id.is_none())
    }

    /// Adds the route to everywhere.
    pub(super) fn route_to_internet(&mut self, gateway_id: &str) {
        self.routes.push(api::Route {
            destination_cidr_block: Some("0.0.0.0/0".to_owned()),
            gateway_id: Some(gateway_id.to_owned()),
            origin: Some("CreateRoute".to_owned()),
            state: Some("active".to_owned()),
            ..Default::default()
        });
    }
}

impl Resource for RouteTable {
    const PREFIX: &'static str = "rtb";
    const TYPE: &'static str = "route-table";
    const NOT_FOUND: &'static str = "InvalidRouteTableID.NotFound";
    const NOUN: &'static str = "routeTable ID";

    fn id(&self) -> &str {
        &self.id
    }

    fn of(defaults: Defaults) -> Vec<Self> {
        vec![defaults.table]
    }
}

/// `CreateRouteTable`.
pub fn create_route_table(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::CreateRouteTableRequest,
) -> Result<api::CreateRouteTableResult, ApiError> {
    let vpc = find::<Vpc>(tx, caller, request.vpc_id.as_deref())?;
    let table = RouteTable {
        id: new_id(tx.ids(), RouteTable::PREFIX),
        vpc_id: vpc.id,
        routes: Vec::new(),
        associations: Vec::new(),
    };
    store(tx, caller, &table)?;
    let specified = request.tag_specifications.as_ref();
    tagging::add_specified(tx, RouteTable::TYPE, &table.id, specified)?;
    let answer = api::CreateRouteTableResult {
        route_table: Some(answer(tx, caller, table)?),
        client_token: request.client_token,
    };
    unless_dry_run(request.dry_run, answer)
}

/// `DeleteRouteTable`: one that is in use stays.
pub fn delete_route_table(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::DeleteRouteTableRequest,
) -> Result<(), ApiError> {
    let table = find::<RouteTable>(tx, caller, request.route_table_id.as_deref())?;
    if !table.associations.is_empty() {
        return Err(in_use(NOUN, &table.id));
    }
    delete::<RouteTable>(tx, caller, &table.id)?;
    unless_dry_run(request.dry_run, ())
}

/// `CreateRoute`.
pub fn create_route(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::CreateRouteRequest,
) -> Result<api::CreateRouteResult, ApiError> {
    let mut table = find::<RouteTable>(tx, caller, request.route_table_id.as_deref())?;
    let dry_run = request.dry_run;
    let route = route_of(request)?;
    if let Some(id) = &route.gateway_id {
        check_gateway(tx, caller, &table, id)?;
    }
    let destination = destination_of(&route).unwrap_or_default();
    let local = find::<Vpc>(tx, caller, Some(&table.vpc_id))?.block;
    let is_taken = |r: &api::Route| destination_of(r) == Some(destination);
    if destination == local || table.routes.iter().any(is_taken) {
        return Err(ApiError::client(
            "RouteAlreadyExists",
            format!("The route identified by {destination} already exists."),
        ));
    }
    table.routes.push(route);
    store(tx, caller, &table)?;
    let r#return = Some(true);
    unless_dry_run(dry_run, api::CreateRouteResult { r#return })
}

fn route_of(request: api::CreateRouteRequest) -> Result<api::Route, ApiError> {
    let parameter = "destinationCidrBlock";
    let ipv4 = request.destination_cidr_block;
    let ipv4 = ipv4.map(|b| address::ipv4(&b, parameter)).transpose()?;
    let parameter = "destinationIpv6CidrBlock";
    let ipv6 = request.destination_ipv6_cidr_block;
    let ipv6 = ipv6.map(|b| address::ipv6(&b, parameter)).transpose()?;
    refuse(
        request.vpc_endpoint_id.is_some(),
        "VpcEndpointId of a route",
    )?;
    let route = api::Route {
        destination_cidr_block: ipv4.map(|b| b.to_string()),
        destination_ipv6_cidr_block: ipv6.map(|b| b.to_string()),
        destination_prefix_list_id: request.destination_prefix_list_id,
        egress_only_internet_gateway_id: request.egress_only_internet_gateway_id,
        gateway_id: request.gateway_id,
        instance_id: request.instance_id,
        nat_gateway_id: request.nat_gateway_id,
        transit_gateway_id: request.transit_gateway_id,
        local_gateway_id: request.local_gateway_id,
        carrier_gateway_id: request.carrier_gateway_id,
        network_interface_id: request.network_interface_id,
        vpc_peering_connection_id: request.vpc_peering_connection_id,
        core_network_arn: request.core_network_arn,
        odb_network_arn: request.odb_network_arn,
        origin: Some("CreateRoute".to_owned()),
        state: Some("active".to_owned()),
        ..Default::default()
    };
    if destination_of(&route).is_none() {
        return Err(ApiError::client(
            "MissingParameter",
            "The request must contain the parameter destinationCidrBlock, destinationIpv6CidrBlock or destinationPrefixListId",
        ));
    }
    match has_target(&route) {
        true => Ok(route),
        false => Err(ApiError::client(
            "MissingParameter",
            "The request must contain the parameter gatewayId",
        )),
    }
}

fn has_target(route: &api::Route) -> bool {
    let targets = [
        &route.egress_only_internet_gateway_id,
        &route.gateway_id,
        &route.instance_id,
        &route.nat_gateway_id,
        &route.transit_gateway_id,
        &route.local_gateway_id,
        &route.carrier_gateway_id,
        &route.network_interface_id,
        &route.vpc_peering_connection_id,
        &route.core_network_arn,
        &route.odb_network_arn,
    ];
    targets.iter().any(|target| target.is_some())
}

fn check_gateway(
    db: &impl Reader,
    caller: &Caller,
    table: &RouteTable,
    id: &str,
) -> Result<(), ApiError> {
    if !id.starts_with("igw-") {
        return Ok(());
    }
    let gateway = find::<Gateway>(db, caller, Some(id))?;
    match gateway.vpc_id.as_ref() == Some(&table.vpc_id) {
        true => Ok(()),
        false => Err(invalid(format!(
            "route table {} and network gateway {id} belong to different networks",
            table.id
        ))),
    }
}

fn destination_of(route: &api::Route) -> Option<&str> {
    route
        .destination_cidr_block
        .as_deref()
        .or(route.destination_ipv6_cidr_block.as_deref())
        .or(route.destination_prefix_list_id.as_deref())
}

/// `DeleteRoute`.
pub fn delete_route(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::DeleteRouteRequest,
) -> Result<(), ApiError> {
    let mut table = find::<RouteTable>(tx, caller, request.route_table_id.as_deref())?;
    let (name, destination) = request
        .destination_cidr_block
        .map(|block| ("destination-cidr-block", block))
        .or(request
            .destination_ipv6_cidr_block
            .map(|block| ("destination-ipv6-cidr-block", block)))
        .or(request
            .destination_prefix_list_id
            .map(|id| ("destination-prefix-list-id", id)))
        .unwrap_or_default();
    if find::<Vpc>(tx, caller, Some(&table.vpc_id))?.block == destination {
        return Err(invalid(format!(
            "cannot remove local route {destination} in route table {}",
            table.id
        )));
    }
    let before = table.routes.len();
    table
        .routes
        .retain(|route| destination_of(route) != Some(&destination));
    if table.routes.len() == before {
        return Err(ApiError::client(
            "InvalidRoute.NotFound",
            format!(
                "no route with {name} {destination} in route table {}",
                table.id
            ),
        ));
    }
    store(tx, caller, &table)?;
    unless_dry_run(request.dry_run, ())
}

/// `AssociateRouteTable`: of a subnet, with the first table that it gets.
pub fn associate_route_table(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::AssociateRouteTableRequest,
) -> Result<api::AssociateRouteTableResult, ApiError> {
    refuse(
        request.gateway_id.is_some(),
        "GatewayId of a route table association",
    )?;
    let mut table = find::<RouteTable>(tx, caller, request.route_table_id.as_deref())?;
    let subnet = find::<Subnet>(tx, caller, request.subnet_id.as_deref())?;
    if subnet.vpc_id != table.vpc_id {
        return Err(invalid(format!(
            "route table {} and subnet {} belong to different networks",
            table.id, subnet.id
        )));
    }
    let tables = all::<RouteTable>(tx, caller)?;
    let mut associations = tables.iter().flat_map(|t| &t.associations);
    if associations.any(|a| a.subnet_id.as_ref() == Some(&subnet.id)) {
        return Err(ApiError::client(
            "Resource.AlreadyAssociated",
            format!(
                "the specified association for route table {} conflicts with an existing association",
                table.id
            ),
        ));
    }
    let id = new_id(tx.ids(), ASSOCIATION);
    table.associations.push(Association {
        id: id.clone(),
        subnet_id: Some(subnet.id),
    });
    store(tx, caller, &table)?;
    let answer = api::AssociateRouteTableResult {
        association_id: Some(id),
        association_state: associated(),
    };
    unless_dry_run(request.dry_run, answer)
}

/// `DisassociateRouteTable`: the main association stays.
pub fn disassociate_route_table(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::DisassociateRouteTableRequest,
) -> Result<(), ApiError> {
    let id = request.association_id.unwrap_or_default();
    let tables = all::<RouteTable>(tx, caller)?;
    let holds = |t: &RouteTable| t.associations.iter().any(|a| a.id == id);
    let Some(mut table) = tables.into_iter().find(holds) else {
        return Err(ApiError::client(
            "InvalidAssociationID.NotFound",
            format!("The association ID '{id}' does not exist"),
        ));
    };
    let is_main = |a: &Association| a.id == id && a.subnet_id.is_none();
    if table.associations.iter().any(is_main) {
        return Err(invalid(format!(
            "cannot disassociate the main route table association {id}"
        )));
    }
    table.associations.retain(|a| a.id != id);
    store(tx, caller, &table)?;
    unless_dry_run(request.dry_run, ())
}

/// Takes a subnet that goes away out of its route table.
pub(super) fn forget_subnet(
    tx: &mut Tx<'_>,
    caller: &Caller,
    subnet_id: &str,
) -> Result<(), ApiError> {
    let is_of = |a: &Association| a.subnet_id.as_deref() == Some(subnet_id);
    for mut table in all::<RouteTable>(tx, caller)? {
        if table.associations.iter().any(is_of) {
            table.associations.retain(|a| !is_of(a));
            store(tx, caller, &table)?;
        }
    }
    Ok(())
}

const FACETS: Facets<api::RouteTable> = Facets {
    tags: |t| t.tags.as_ref(),
    named: &[
        ("association.main", |t| {
            each(t.associations.as_ref(), |a| a.main.as_ref())
        }),
        ("association.route-table-association-id", |t| {
            each(t.associations.as_ref(), |a| {
                a.route_table_association_id.as_ref()
            })
        }),
        ("association.route-table-id", |t| {
            each(t.associations.as_ref(), |a| a.route_table_id.as_ref())
        }),
        ("association.subnet-id", |t| {
            each(t.associations.as_ref(), |a| a.subnet_id.as_ref())
        }),
        ("owner-id", |t| one(t.owner_id.as_ref())),
        ("route-table-id", |t| one(t.route_table_id.as_ref())),
        ("route.destination-cidr-block", |t| {
            each(t.routes.as_ref(), |r| r.destination_cidr_block.as_ref())
        }),
        ("route.gateway-id", |t| {
            each(t.routes.as_ref(), |r| r.gateway_id.as_ref())
        }),
        ("route.nat-gateway-id", |t| {
            each(t.routes.as_ref(), |r| r.nat_gateway_id.as_ref())
        }),
        ("route.origin", |t| {
            each(t.routes.as_ref(), |r| r.origin.as_ref())
        }),
        ("route.state", |t| {
            each(t.routes.as_ref(), |r| r.state.as_ref())
        }),
        ("vpc-id", |t| one(t.vpc_id.as_ref())),
    ],
};

/// `DescribeRouteTables`.
pub fn describe_route_tables(
    db: &impl Reader,
    caller: &Caller,
    request: api::DescribeRouteTablesRequest,
) -> Result<api::DescribeRouteTablesResult, ApiError> {
    let tables = select::<RouteTable>(db, caller, request.route_table_ids.as_deref())?
        .into_iter()
        .map(|table| answer(db, caller, table))
        .collect::<Result<_, _>>()?;
    let place = (request.next_token, request.max_results);
    let (tables, next_token) = filter::select(tables, &FACETS, request.filters, place)?;
    let answer = api::DescribeRouteTablesResult {
        route_tables: Some(tables),
        next_token,
    };
    unless_dry_run(request.dry_run, answer)
}

fn associated() -> Option<api::RouteTableAssociationState> {
    Some(api::RouteTableAssociationState {
        state: Some("associated".to_owned()),
        status_message: None,
    })
}

fn answer(
    db: &impl Reader,
    caller: &Caller,
    table: RouteTable,
) -> Result<api::RouteTable, ApiError> {
    let local = api::Route {
        destination_cidr_block: Some(find::<Vpc>(db, caller, Some(&table.vpc_id))?.block),
        gateway_id: Some("local".to_owned()),
        origin: Some("CreateRouteTable".to_owned()),
        state: Some("active".to_owned()),
        ..Default::default()
    };
    let association = |a: Association| api::RouteTableAssociation {
        main: Some(a.subnet_id.is_none()),
        route_table_association_id: Some(a.id),
        route_table_id: Some(table.id.clone()),
        subnet_id: a.subnet_id,
        association_state: associated(),
        ..Default::default()
    };
    Ok(api::RouteTable {
        associations: Some(table.associations.into_iter().map(association).collect()),
        propagating_vgws: Some(Vec::new()),
        routes: Some(std::iter::once(local).chain(table.routes).collect()),
        tags: tagging::of(db, &table.id)?,
        route_table_id: Some(table.id),
        vpc_id: Some(table.vpc_id),
        owner_id: Some(caller.account.clone()),
    })
}
