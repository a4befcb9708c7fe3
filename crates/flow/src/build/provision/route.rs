//! Internet gateways and their attachments, route tables, routes and the subnets that follow them.

use landfall_core::api::generated::ec2 as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use serde_json::Value;

use super::ec2::{retag, tagged};
use super::{
    Built, Existing, Job, Properties, Provisioner, attributes, call, gone_is_fine, not_served,
    request,
};
use crate::keep::networks;
use crate::tx::Tx;

/// `AWS::EC2::InternetGateway`.
pub const GATEWAY: Provisioner = Provisioner {
    create: create_gateway,
    update: update_gateway,
    delete: delete_gateway,
};
/// `AWS::EC2::VPCGatewayAttachment`.
pub const ATTACHMENT: Provisioner = Provisioner {
    create: attach,
    update: reattach,
    delete: detach,
};
/// `AWS::EC2::RouteTable`.
pub const TABLE: Provisioner = Provisioner {
    create: create_table,
    update: update_table,
    delete: delete_table,
};
/// `AWS::EC2::Route`.
pub const ROUTE: Provisioner = Provisioner {
    create: create_route,
    update: change_route,
    delete: delete_route,
};
/// `AWS::EC2::SubnetRouteTableAssociation`.
pub const ASSOCIATION: Provisioner = Provisioner {
    create: associate,
    update: reassociate,
    delete: disassociate,
};

fn text(properties: &Properties, name: &str) -> Option<String> {
    properties
        .get(name)
        .and_then(Value::as_str)
        .map(str::to_owned)
}

fn create_gateway(tx: &mut Tx<'_>, job: &Job<'_>) -> Result<Built, ApiError> {
    let properties = tagged(job, "internet-gateway", &[]);
    let request = request(&api::SERVICE, "CreateInternetGateway", properties)?;
    let answer = call(
        tx,
        job.caller,
        &api::SERVICE,
        "CreateInternetGateway",
        request,
        networks::create_internet_gateway,
    )?;
    let id = answer
        .internet_gateway
        .and_then(|it| it.internet_gateway_id);
    Ok(known_as(id.unwrap_or_default(), "InternetGatewayId"))
}

fn known_as(id: String, attribute: &str) -> Built {
    Built {
        attributes: attributes([(attribute, &id)]),
        physical_id: id,
    }
}

fn update_gateway(
    tx: &mut Tx<'_>,
    job: &Job<'_>,
    existing: &Existing<'_>,
) -> Result<Built, ApiError> {
    retag(tx, job, existing)?;
    Ok(known_as(
        existing.physical_id.to_owned(),
        "InternetGatewayId",
    ))
}

fn delete_gateway(
    tx: &mut Tx<'_>,
    caller: &Caller,
    existing: &Existing<'_>,
) -> Result<(), ApiError> {
    let internet_gateway_id = Some(existing.physical_id.to_owned());
    let request = api::DeleteInternetGatewayRequest {
        internet_gateway_id,
        ..Default::default()
    };
    gone_is_fine(call(
        tx,
        caller,
        &api::SERVICE,
        "DeleteInternetGateway",
        request,
        networks::delete_internet_gateway,
    ))
}

fn attach(tx: &mut Tx<'_>, job: &Job<'_>) -> Result<Built, ApiError> {
    if job.properties.contains_key("VpnGatewayId") {
        return Err(not_served(
            "The property VpnGatewayId of AWS::EC2::VPCGatewayAttachment",
        ));
    }
    let request = request(&api::SERVICE, "AttachInternetGateway", job.but(&[]))?;
    call(
        tx,
        job.caller,
        &api::SERVICE,
        "AttachInternetGateway",
        request,
        networks::attach_internet_gateway,
    )?;
    let physical_id = format!("IGW|{}", job.required("VpcId")?);
    Ok(Built {
        physical_id,
        attributes: attributes([("AttachmentType", "IGW")]),
    })
}

fn reattach(tx: &mut Tx<'_>, job: &Job<'_>, existing: &Existing<'_>) -> Result<Built, ApiError> {
    detach(tx, job.caller, existing)?;
    attach(tx, job)
}

fn detach(tx: &mut Tx<'_>, caller: &Caller, existing: &Existing<'_>) -> Result<(), ApiError> {
    let request = api::DetachInternetGatewayRequest {
        internet_gateway_id: text(existing.properties, "InternetGatewayId"),
        vpc_id: text(existing.properties, "VpcId"),
        ..Default::default()
    };
    match call(
        tx,
        caller,
        &api::SERVICE,
        "DetachInternetGateway",
        request,
        networks::detach_internet_gateway,
    ) {
        Err(error) if error.code == "Gateway.NotAttached" => Ok(()),
        other => gone_is_fine(other),
    }
}

fn create_table(tx: &mut Tx<'_>, job: &Job<'_>) -> Result<Built, ApiError> {
    let properties = tagged(job, "route-table", &[]);
    let request = request(&api::SERVICE, "CreateRouteTable", properties)?;
    let answer = call(
        tx,
        job.caller,
        &api::SERVICE,
        "CreateRouteTable",
        request,
        networks::create_route_table,
    )?;
    let id = answer.route_table.and_then(|it| it.route_table_id);
    Ok(known_as(id.unwrap_or_default(), "RouteTableId"))
}

fn update_table(
    tx: &mut Tx<'_>,
    job: &Job<'_>,
    existing: &Existing<'_>,
) -> Result<Built, ApiError> {
    retag(tx, job, existing)?;
    Ok(known_as(existing.physical_id.to_owned(), "RouteTableId"))
}

fn delete_table(tx: &mut Tx<'_>, caller: &Caller, existing: &Existing<'_>) -> Result<(), ApiError> {
    let route_table_id = Some(existing.physical_id.to_owned());
    let request = api::DeleteRouteTableRequest {
        route_table_id,
        ..Default::default()
    };
    gone_is_fine(call(
        tx,
        caller,
        &api::SERVICE,
        "DeleteRouteTable",
        request,
        networks::delete_route_table,
    ))
}

fn create_route(tx: &mut Tx<'_>, job: &Job<'_>) -> Result<Built, ApiError> {
    let request: api::CreateRouteRequest = request(&api::SERVICE, "CreateRoute", job.but(&[]))?;
    call(
        tx,
        job.caller,
        &api::SERVICE,
        "CreateRoute",
        request,
        networks::create_route,
    )?;
    let block = [
        "DestinationCidrBlock",
        "DestinationIpv6CidrBlock",
        "DestinationPrefixListId",
    ]
    .iter()
    .find_map(|name| job.text(name))
    .unwrap_or_default();
    let physical_id = format!("{}|{block}", job.required("RouteTableId")?);
    Ok(Built {
        physical_id,
        attributes: attributes([("CidrBlock", &block)]),
    })
}

fn change_route(
    tx: &mut Tx<'_>,
    job: &Job<'_>,
    existing: &Existing<'_>,
) -> Result<Built, ApiError> {
    delete_route(tx, job.caller, existing)?;
    create_route(tx, job)
}

fn delete_route(tx: &mut Tx<'_>, caller: &Caller, existing: &Existing<'_>) -> Result<(), ApiError> {
    let request = api::DeleteRouteRequest {
        route_table_id: text(existing.properties, "RouteTableId"),
        destination_cidr_block: text(existing.properties, "DestinationCidrBlock"),
        destination_ipv6_cidr_block: text(existing.properties, "DestinationIpv6CidrBlock"),
        destination_prefix_list_id: text(existing.properties, "DestinationPrefixListId"),
        ..Default::default()
    };
    gone_is_fine(call(
        tx,
        caller,
        &api::SERVICE,
        "DeleteRoute",
        request,
        networks::delete_route,
    ))
}

fn associate(tx: &mut Tx<'_>, job: &Job<'_>) -> Result<Built, ApiError> {
    let request = request(&api::SERVICE, "AssociateRouteTable", job.but(&[]))?;
    let answer = call(
        tx,
        job.caller,
        &api::SERVICE,
        "AssociateRouteTable",
        request,
        networks::associate_route_table,
    )?;
    Ok(known_as(answer.association_id.unwrap_or_default(), "Id"))
}

fn reassociate(tx: &mut Tx<'_>, job: &Job<'_>, existing: &Existing<'_>) -> Result<Built, ApiError> {
    disassociate(tx, job.caller, existing)?;
    associate(tx, job)
}

fn disassociate(tx: &mut Tx<'_>, caller: &Caller, existing: &Existing<'_>) -> Result<(), ApiError> {
    let association_id = Some(existing.physical_id.to_owned());
    let request = api::DisassociateRouteTableRequest {
        association_id,
        ..Default::default()
    };
    gone_is_fine(call(
        tx,
        caller,
        &api::SERVICE,
        "DisassociateRouteTable",
        request,
        networks::disassociate_route_table,
    ))
}
