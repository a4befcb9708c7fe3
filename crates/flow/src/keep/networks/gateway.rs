//! Internet gateways as the API knows them. Never lets a packet through.

use landfall_core::api::generated::ec2 as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use serde::{Deserialize, Serialize};

use super::defaults::Defaults;
use super::filter::{self, Facets, each, one};
use super::resource::{
    Resource, all, delete, find, in_use, invalid, new_id, select, store, unless_dry_run,
};
use super::tagging;
use super::vpc::Vpc;
use crate::tx::{Reader, Tx};

const NOUN: &str = "internetGateway";

/// An internet gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Gateway {
    pub(super) id: String,
    /// The VPC that it is attached to.
    pub(super) vpc_id: Option<String>,
}
crate::record!(Gateway in Control);

impl Resource for Gateway {
    const PREFIX: &'static str = "igw";
    const TYPE: &'static str = "internet-gateway";
    const NOT_FOUND: &'static str = "InvalidInternetGatewayID.NotFound";
    const NOUN: &'static str = "internetGateway ID";

    fn id(&self) -> &str {
        &self.id
    }

    fn of(defaults: Defaults) -> Vec<Self> {
        vec![defaults.gateway]
    }
}

/// `CreateInternetGateway`.
pub fn create_internet_gateway(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::CreateInternetGatewayRequest,
) -> Result<api::CreateInternetGatewayResult, ApiError> {
    let gateway = Gateway {
        id: new_id(tx.ids(), Gateway::PREFIX),
        vpc_id: None,
    };
    store(tx, caller, &gateway)?;
    let specified = request.tag_specifications.as_ref();
    tagging::add_specified(tx, Gateway::TYPE, &gateway.id, specified)?;
    let internet_gateway = Some(answer(tx, caller, gateway)?);
    unless_dry_run(
        request.dry_run,
        api::CreateInternetGatewayResult { internet_gateway },
    )
}

/// `DeleteInternetGateway`: one that is attached stays.
pub fn delete_internet_gateway(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::DeleteInternetGatewayRequest,
) -> Result<(), ApiError> {
    let gateway = find::<Gateway>(tx, caller, request.internet_gateway_id.as_deref())?;
    if gateway.vpc_id.is_some() {
        return Err(in_use(NOUN, &gateway.id));
    }
    delete::<Gateway>(tx, caller, &gateway.id)?;
    unless_dry_run(request.dry_run, ())
}

/// `AttachInternetGateway`: a gateway has one VPC and a VPC one gateway.
pub fn attach_internet_gateway(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::AttachInternetGatewayRequest,
) -> Result<(), ApiError> {
    let mut gateway = find::<Gateway>(tx, caller, request.internet_gateway_id.as_deref())?;
    let vpc = find::<Vpc>(tx, caller, request.vpc_id.as_deref())?;
    if let Some(other) = &gateway.vpc_id {
        return Err(ApiError::client(
            "Resource.AlreadyAssociated",
            format!(
                "resource {} is already attached to network {other}",
                gateway.id
            ),
        ));
    }
    let gateways = all::<Gateway>(tx, caller)?;
    if gateways.iter().any(|g| g.vpc_id.as_ref() == Some(&vpc.id)) {
        return Err(invalid(format!(
            "Network {} already has an internet gateway attached",
            vpc.id
        )));
    }
    gateway.vpc_id = Some(vpc.id);
    store(tx, caller, &gateway)?;
    unless_dry_run(request.dry_run, ())
}

/// `DetachInternetGateway`.
pub fn detach_internet_gateway(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::DetachInternetGatewayRequest,
) -> Result<(), ApiError> {
    let mut gateway = find::<Gateway>(tx, caller, request.internet_gateway_id.as_deref())?;
    let vpc = find::<Vpc>(tx, caller, request.vpc_id.as_deref())?;
    if gateway.vpc_id.as_ref() != Some(&vpc.id) {
        return Err(ApiError::client(
            "Gateway.NotAttached",
            format!(
                "resource {} is not attached to network {}",
                gateway.id, vpc.id
            ),
        ));
    }
    gateway.vpc_id = None;
    store(tx, caller, &gateway)?;
    unless_dry_run(request.dry_run, ())
}

const FACETS: Facets<api::InternetGateway> = Facets {
    tags: |g| g.tags.as_ref(),
    named: &[
        ("attachment.state", |g| {
            each(g.attachments.as_ref(), |a| a.state.as_ref())
        }),
        ("attachment.vpc-id", |g| {
            each(g.attachments.as_ref(), |a| a.vpc_id.as_ref())
        }),
        ("internet-gateway-id", |g| {
            one(g.internet_gateway_id.as_ref())
        }),
        ("owner-id", |g| one(g.owner_id.as_ref())),
    ],
};

/// `DescribeInternetGateways`.
pub fn describe_internet_gateways(
    db: &impl Reader,
    caller: &Caller,
    request: api::DescribeInternetGatewaysRequest,
) -> Result<api::DescribeInternetGatewaysResult, ApiError> {
    let gateways = select::<Gateway>(db, caller, request.internet_gateway_ids.as_deref())?
        .into_iter()
        .map(|gateway| answer(db, caller, gateway))
        .collect::<Result<_, _>>()?;
    let place = (request.next_token, request.max_results);
    let (gateways, next_token) = filter::select(gateways, &FACETS, request.filters, place)?;
    let answer = api::DescribeInternetGatewaysResult {
        internet_gateways: Some(gateways),
        next_token,
    };
    unless_dry_run(request.dry_run, answer)
}

fn answer(
    db: &impl Reader,
    caller: &Caller,
    gateway: Gateway,
) -> Result<api::InternetGateway, ApiError> {
    // An attached internet gateway is "available", unlike other attachments.
    let attachment = |vpc_id| api::InternetGatewayAttachment {
        state: Some("available".to_owned()),
        vpc_id: Some(vpc_id),
    };
    Ok(api::InternetGateway {
        attachments: Some(gateway.vpc_id.map(attachment).into_iter().collect()),
        tags: tagging::of(db, &gateway.id)?,
        internet_gateway_id: Some(gateway.id),
        owner_id: Some(caller.account.clone()),
    })
}
