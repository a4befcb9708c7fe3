//! Rules of security groups: from EC2's permissions, which bundle many peers, to single rules and back. Never applied
//! to a packet.

use landfall_core::api::generated::ec2 as api;
use landfall_core::error::ApiError;
use serde::{Deserialize, Serialize};

use super::address;
use super::resource::invalid;

/// The protocol number for all.
const ALL: &str = "-1";
const PORTS: std::ops::RangeInclusive<i32> = 0..=65_535;

/// Who is let in or let out to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Peer {
    Ipv4(String),
    Ipv6(String),
    PrefixList(String),
    Group { id: String, account: String },
}

/// One way through, apart from its direction, id and description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Way {
    /// `tcp`, `udp`, `icmp`, `icmpv6`, a number, or `-1` for all.
    pub(super) protocol: String,
    /// First port, or type of ICMP.
    pub(super) from: Option<i32>,
    /// Last port, or code of ICMP.
    pub(super) to: Option<i32>,
    pub(super) peer: Peer,
}

impl Way {
    /// Every protocol and port.
    pub(super) fn all(peer: Peer) -> Self {
        Self {
            protocol: ALL.to_owned(),
            from: None,
            to: None,
            peer,
        }
    }

    /// As errors name it.
    pub(super) fn describe(&self) -> String {
        let peer = match &self.peer {
            Peer::Ipv4(peer) | Peer::Ipv6(peer) | Peer::PrefixList(peer) => peer,
            Peer::Group { id, .. } => id,
        };
        match (self.protocol.as_str(), self.from, self.to) {
            (ALL, ..) => format!("peer: {peer}, ALL, ALLOW"),
            (protocol, Some(from), Some(to)) => format!(
                "peer: {peer}, {}, from port: {from}, to port: {to}, ALLOW",
                protocol.to_uppercase()
            ),
            (protocol, ..) => format!("peer: {peer}, {}, ALLOW", protocol.to_uppercase()),
        }
    }
}

/// A rule of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rule {
    /// `sgr-…`.
    pub(super) id: String,
    pub(super) is_egress: bool,
    pub(super) way: Way,
    pub(super) description: Option<String>,
}

/// The ways in a permission, each with its description. `group_of` tells the id and account of a named group.
pub(super) fn ways(
    permission: api::IpPermission,
    group_of: impl Fn(&api::UserIdGroupPair) -> Result<Peer, ApiError>,
) -> Result<Vec<(Way, Option<String>)>, ApiError> {
    let protocol = protocol_of(permission.ip_protocol.as_deref().unwrap_or_default());
    let (from, to) = range_of(&protocol, permission.from_port, permission.to_port)?;
    let mut peers = Vec::new();
    for range in permission.ip_ranges.into_iter().flatten() {
        let block = range.cidr_ip.unwrap_or_default();
        let peer = Peer::Ipv4(address::ipv4(&block, "CIDR")?.to_string());
        peers.push((peer, range.description));
    }
    for range in permission.ipv6_ranges.into_iter().flatten() {
        let block = range.cidr_ipv6.unwrap_or_default();
        let peer = Peer::Ipv6(address::ipv6(&block, "CIDR")?.to_string());
        peers.push((peer, range.description));
    }
    for list in permission.prefix_list_ids.into_iter().flatten() {
        let peer = Peer::PrefixList(list.prefix_list_id.unwrap_or_default());
        peers.push((peer, list.description));
    }
    for pair in permission.user_id_group_pairs.into_iter().flatten() {
        peers.push((group_of(&pair)?, pair.description));
    }
    let way = |(peer, description)| {
        let protocol = protocol.clone();
        let way = Way {
            protocol,
            from,
            to,
            peer,
        };
        (way, description)
    };
    Ok(peers.into_iter().map(way).collect())
}

fn protocol_of(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    match lower.as_str() {
        "6" => "tcp",
        "17" => "udp",
        "1" => "icmp",
        "58" => "icmpv6",
        "all" => ALL,
        other => other,
    }
    .to_owned()
}

type Range = (Option<i32>, Option<i32>);

fn range_of(protocol: &str, from: Option<i32>, to: Option<i32>) -> Result<Range, ApiError> {
    match protocol {
        "tcp" | "udp" => match (from, to) {
            (Some(from), Some(to))
                if PORTS.contains(&from) && PORTS.contains(&to) && from <= to =>
            {
                Ok((Some(from), Some(to)))
            }
            // All ports, as older tools say it.
            (Some(-1), Some(-1)) => Ok((Some(*PORTS.start()), Some(*PORTS.end()))),
            (Some(from), Some(to)) => Err(invalid(format!(
                "Invalid {} range '({from},{to})'",
                protocol.to_uppercase()
            ))),
            _ => Err(invalid(
                "Invalid value 'null' for portRange. Must specify both from and to ports with TCP/UDP.",
            )),
        },
        "icmp" | "icmpv6" => Ok((Some(from.unwrap_or(-1)), Some(to.unwrap_or(-1)))),
        number if number == ALL || number.parse::<u8>().is_ok() => Ok((None, None)),
        other => Err(invalid(format!(
            "Invalid value '{other}' for IP protocol. Unknown protocol."
        ))),
    }
}

/// The permissions that a group's rules of one direction make: one for each protocol and range.
pub(super) fn permissions<'a>(rules: impl Iterator<Item = &'a Rule>) -> Vec<api::IpPermission> {
    let mut all: Vec<api::IpPermission> = Vec::new();
    for rule in rules {
        let way = &rule.way;
        let is_same = |p: &api::IpPermission| {
            p.ip_protocol.as_ref() == Some(&way.protocol)
                && (p.from_port, p.to_port) == (way.from, way.to)
        };
        match all.iter_mut().find(|p| is_same(p)) {
            Some(permission) => add_peer(permission, rule),
            None => {
                let mut permission = api::IpPermission {
                    ip_protocol: Some(way.protocol.clone()),
                    from_port: way.from,
                    to_port: way.to,
                    user_id_group_pairs: Some(Vec::new()),
                    ip_ranges: Some(Vec::new()),
                    ipv6_ranges: Some(Vec::new()),
                    prefix_list_ids: Some(Vec::new()),
                };
                add_peer(&mut permission, rule);
                all.push(permission);
            }
        }
    }
    all
}

fn add_peer(permission: &mut api::IpPermission, rule: &Rule) {
    let description = rule.description.clone();
    match &rule.way.peer {
        Peer::Ipv4(block) => permission
            .ip_ranges
            .get_or_insert_default()
            .push(api::IpRange {
                description,
                cidr_ip: Some(block.clone()),
            }),
        Peer::Ipv6(block) => permission
            .ipv6_ranges
            .get_or_insert_default()
            .push(api::Ipv6Range {
                description,
                cidr_ipv6: Some(block.clone()),
            }),
        Peer::PrefixList(id) => {
            permission
                .prefix_list_ids
                .get_or_insert_default()
                .push(api::PrefixListId {
                    description,
                    prefix_list_id: Some(id.clone()),
                });
        }
        Peer::Group { id, account } => {
            permission
                .user_id_group_pairs
                .get_or_insert_default()
                .push(api::UserIdGroupPair {
                    description,
                    group_id: Some(id.clone()),
                    user_id: Some(account.clone()),
                    ..Default::default()
                });
        }
    }
}

/// A rule as `DescribeSecurityGroupRules` tells it, without group, ARN and tags.
pub(super) fn single(rule: &Rule) -> api::SecurityGroupRule {
    let way = &rule.way;
    let mut answer = api::SecurityGroupRule {
        security_group_rule_id: Some(rule.id.clone()),
        is_egress: Some(rule.is_egress),
        ip_protocol: Some(way.protocol.clone()),
        from_port: way.from.or(Some(-1)),
        to_port: way.to.or(Some(-1)),
        description: rule.description.clone(),
        ..Default::default()
    };
    match &way.peer {
        Peer::Ipv4(block) => answer.cidr_ipv4 = Some(block.clone()),
        Peer::Ipv6(block) => answer.cidr_ipv6 = Some(block.clone()),
        Peer::PrefixList(id) => answer.prefix_list_id = Some(id.clone()),
        Peer::Group { id, account } => {
            answer.referenced_group_info = Some(api::ReferencedSecurityGroup {
                group_id: Some(id.clone()),
                user_id: Some(account.clone()),
                ..Default::default()
            });
        }
    }
    answer
}
