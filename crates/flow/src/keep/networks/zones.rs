//! Availability zones of any region, and the network interfaces that nobody has. Never stored.

use landfall_core::api::generated::ec2 as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;

use super::filter::{self, Facets, one};
use super::resource::{invalid, unless_dry_run};
use crate::tx::Reader;

const LETTERS: [char; 3] = ['a', 'b', 'c'];

/// Names of the zones of a region, such as `us-east-1a`.
pub(super) fn names(region: &str) -> impl Iterator<Item = String> {
    LETTERS
        .iter()
        .map(move |letter| format!("{region}{letter}"))
}

/// The id of a zone, such as `use1-az1` for `us-east-1a`; empty when the region has no such zone.
pub(super) fn id_of(region: &str, name: &str) -> String {
    let number = names(region).position(|zone| zone == name);
    number
        .map(|n| format!("{}-az{}", short(region), n + 1))
        .unwrap_or_default()
}

/// The zone with this name or id.
pub(super) fn find(region: &str, wanted: &str) -> Option<String> {
    names(region).find(|name| name == wanted || id_of(region, name) == wanted)
}

/// AWS's short form of a region: `us-east-1` is `use1`, `ap-northeast-2` is `apne2`.
fn short(region: &str) -> String {
    let mut parts = region.split('-');
    let area = parts.next().unwrap_or_default();
    let rest = parts.map(|part| match part {
        "northeast" => "ne".to_owned(),
        "northwest" => "nw".to_owned(),
        "southeast" => "se".to_owned(),
        "southwest" => "sw".to_owned(),
        other => other.chars().take(1).collect(),
    });
    std::iter::once(area.to_owned()).chain(rest).collect()
}

const FACETS: Facets<api::AvailabilityZone> = Facets {
    tags: |_| None,
    named: &[
        ("group-name", |z| one(z.group_name.as_ref())),
        ("opt-in-status", |z| one(z.opt_in_status.as_ref())),
        ("region-name", |z| one(z.region_name.as_ref())),
        ("state", |z| one(z.state.as_ref())),
        ("zone-id", |z| one(z.zone_id.as_ref())),
        ("zone-name", |z| one(z.zone_name.as_ref())),
        ("zone-type", |z| one(z.zone_type.as_ref())),
    ],
};

/// `DescribeAvailabilityZones`: `a`, `b` and `c` of the caller's region.
pub fn describe_availability_zones(
    _db: &impl Reader,
    caller: &Caller,
    request: api::DescribeAvailabilityZonesRequest,
) -> Result<api::DescribeAvailabilityZonesResult, ApiError> {
    let (by_name, by_id) = (request.zone_names, request.zone_ids);
    let asked: Vec<String> = by_name.into_iter().chain(by_id).flatten().collect();
    for wanted in &asked {
        find(&caller.region, wanted)
            .ok_or_else(|| invalid(format!("Invalid availability zone: [{wanted}]")))?;
    }
    let is_asked = |name: &String| {
        let id = id_of(&caller.region, name);
        asked.is_empty() || asked.iter().any(|a| a == name || *a == id)
    };
    let zones = names(&caller.region)
        .filter(is_asked)
        .map(|name| answer(&caller.region, name))
        .collect();
    let (zones, _) = filter::select(zones, &FACETS, request.filters, (None, None))?;
    let availability_zones = Some(zones);
    unless_dry_run(
        request.dry_run,
        api::DescribeAvailabilityZonesResult { availability_zones },
    )
}

fn answer(region: &str, name: String) -> api::AvailabilityZone {
    api::AvailabilityZone {
        opt_in_status: Some("opt-in-not-required".to_owned()),
        messages: Some(Vec::new()),
        region_name: Some(region.to_owned()),
        zone_id: Some(id_of(region, &name)),
        zone_name: Some(name),
        group_name: Some(format!("{region}-zg-1")),
        network_border_group: Some(region.to_owned()),
        zone_type: Some("availability-zone".to_owned()),
        state: Some("available".to_owned()),
        ..Default::default()
    }
}

/// `DescribeNetworkInterfaces`: none, whatever the filters, for containers share the host's network.
pub fn describe_network_interfaces(
    _db: &impl Reader,
    _caller: &Caller,
    request: api::DescribeNetworkInterfacesRequest,
) -> Result<api::DescribeNetworkInterfacesResult, ApiError> {
    if let Some(id) = request.network_interface_ids.iter().flatten().next() {
        return Err(ApiError::client(
            "InvalidNetworkInterfaceID.NotFound",
            format!("The networkInterface ID '{id}' does not exist"),
        ));
    }
    unless_dry_run(
        request.dry_run,
        api::DescribeNetworkInterfacesResult {
            network_interfaces: Some(Vec::new()),
            next_token: None,
        },
    )
}
