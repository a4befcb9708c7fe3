//! Changing and listing the rules of security groups. Never applied to a packet.

use landfall_core::api::generated::ec2 as api;
use landfall_core::arn::arn;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;

use super::filter::{self, Facets, one};
use super::group::{Group, find_named};
use super::permission::{Peer, Rule, Way, single, ways};
use super::resource::{all, new_id, store, unless_dry_run};
use super::tagging;
use crate::keep::tags;
use crate::tx::{Reader, Tx};

pub(super) const PREFIX: &str = "sgr";
pub(super) const TYPE: &str = "security-group-rule";

/// Ids of all rules.
pub(super) fn ids(
    db: &impl Reader,
    caller: &Caller,
) -> Result<impl Iterator<Item = String>, ApiError> {
    let groups = all::<Group>(db, caller)?;
    Ok(groups.into_iter().flat_map(|g| g.rules).map(|r| r.id))
}

/// Refuses the id of no rule.
pub(super) fn check_exists(db: &impl Reader, caller: &Caller, id: &str) -> Result<(), ApiError> {
    match ids(db, caller)?.any(|known| known == id) {
        true => Ok(()),
        false => Err(unknown(id)),
    }
}

fn unknown(id: &str) -> ApiError {
    ApiError::client(
        "InvalidSecurityGroupRuleId.NotFound",
        format!("The security group rule ID '{id}' does not exist"),
    )
}

/// The older form of a permission in a request: four request types have these members.
macro_rules! flat {
    ($request:ident) => {
        Flat {
            protocol: $request.ip_protocol,
            from: $request.from_port,
            to: $request.to_port,
            block: $request.cidr_ip,
            group_name: $request.source_security_group_name,
        }
    };
}

/// `AuthorizeSecurityGroupIngress`.
pub fn authorize_security_group_ingress(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::AuthorizeSecurityGroupIngressRequest,
) -> Result<api::AuthorizeSecurityGroupIngressResult, ApiError> {
    let (id, name) = (request.group_id.as_deref(), request.group_name.as_deref());
    let group = find_named(tx, caller, id, name)?;
    let flat = flat!(request);
    let permissions = flat.or(request.ip_permissions)?;
    let specified = request.tag_specifications.as_ref();
    let rules = authorize(tx, caller, group, false, permissions, specified)?;
    let answer = api::AuthorizeSecurityGroupIngressResult {
        r#return: Some(true),
        security_group_rules: Some(rules),
    };
    unless_dry_run(request.dry_run, answer)
}

/// `AuthorizeSecurityGroupEgress`.
pub fn authorize_security_group_egress(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::AuthorizeSecurityGroupEgressRequest,
) -> Result<api::AuthorizeSecurityGroupEgressResult, ApiError> {
    let group = find_named(tx, caller, request.group_id.as_deref(), None)?;
    let flat = flat!(request);
    let permissions = flat.or(request.ip_permissions)?;
    let specified = request.tag_specifications.as_ref();
    let rules = authorize(tx, caller, group, true, permissions, specified)?;
    let answer = api::AuthorizeSecurityGroupEgressResult {
        r#return: Some(true),
        security_group_rules: Some(rules),
    };
    unless_dry_run(request.dry_run, answer)
}

/// `RevokeSecurityGroupIngress`.
pub fn revoke_security_group_ingress(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::RevokeSecurityGroupIngressRequest,
) -> Result<api::RevokeSecurityGroupIngressResult, ApiError> {
    let (id, name) = (request.group_id.as_deref(), request.group_name.as_deref());
    let group = find_named(tx, caller, id, name)?;
    let flat = flat!(request);
    let doomed = Doomed::of(
        request.security_group_rule_ids,
        flat,
        request.ip_permissions,
    )?;
    let revoked = revoke(tx, caller, group, false, doomed)?;
    let answer = api::RevokeSecurityGroupIngressResult {
        r#return: Some(true),
        unknown_ip_permissions: Some(Vec::new()),
        revoked_security_group_rules: Some(revoked),
    };
    unless_dry_run(request.dry_run, answer)
}

/// `RevokeSecurityGroupEgress`.
pub fn revoke_security_group_egress(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::RevokeSecurityGroupEgressRequest,
) -> Result<api::RevokeSecurityGroupEgressResult, ApiError> {
    let group = find_named(tx, caller, request.group_id.as_deref(), None)?;
    let flat = flat!(request);
    let doomed = Doomed::of(
        request.security_group_rule_ids,
        flat,
        request.ip_permissions,
    )?;
    let revoked = revoke(tx, caller, group, true, doomed)?;
    let answer = api::RevokeSecurityGroupEgressResult {
        r#return: Some(true),
        unknown_ip_permissions: Some(Vec::new()),
        revoked_security_group_rules: Some(revoked),
    };
    unless_dry_run(request.dry_run, answer)
}

/// The older form of a permission: its parts beside the group in the request.
struct Flat {
    protocol: Option<String>,
    from: Option<i32>,
    to: Option<i32>,
    block: Option<String>,
    group_name: Option<String>,
}

impl Flat {
    /// The permissions of the newer form, or else this one.
    fn or(
        self,
        permissions: Option<Vec<api::IpPermission>>,
    ) -> Result<Vec<api::IpPermission>, ApiError> {
        match permissions {
            Some(permissions) if !permissions.is_empty() => Ok(permissions),
            _ => self.permission().map(|permission| vec![permission]),
        }
    }

    fn permission(self) -> Result<api::IpPermission, ApiError> {
        if self.block.is_none() && self.group_name.is_none() {
            return Err(ApiError::client(
                "MissingParameter",
                "The request must contain the parameter ipPermissions",
            ));
        }
        let range = |block| api::IpRange {
            description: None,
            cidr_ip: Some(block),
        };
        let pair = |name| api::UserIdGroupPair {
            group_name: Some(name),
            ..Default::default()
        };
        Ok(api::IpPermission {
            ip_protocol: self.protocol.or_else(|| Some("-1".to_owned())),
            from_port: self.from,
            to_port: self.to,
            ip_ranges: Some(self.block.map(range).into_iter().collect()),
            user_id_group_pairs: Some(self.group_name.map(pair).into_iter().collect()),
            ..Default::default()
        })
    }
}

/// What a revocation names.
enum Doomed {
    Ids(Vec<String>),
    Permissions(Vec<api::IpPermission>),
}

impl Doomed {
    fn of(
        ids: Option<Vec<String>>,
        flat: Flat,
        permissions: Option<Vec<api::IpPermission>>,
    ) -> Result<Self, ApiError> {
        match ids {
            Some(ids) if !ids.is_empty() => Ok(Self::Ids(ids)),
            _ => flat.or(permissions).map(Self::Permissions),
        }
    }
}

type Described = (Way, Option<String>);

fn all_ways(
    db: &impl Reader,
    caller: &Caller,
    permissions: Vec<api::IpPermission>,
) -> Result<Vec<Described>, ApiError> {
    let group_of = |pair: &api::UserIdGroupPair| {
        let is_own = pair.user_id.as_ref().is_none_or(|u| *u == caller.account);
        if let (false, Some(id), Some(account)) = (is_own, &pair.group_id, &pair.user_id) {
            let (id, account) = (id.clone(), account.clone());
            return Ok(Peer::Group { id, account });
        }
        let (id, name) = (pair.group_id.as_deref(), pair.group_name.as_deref());
        let group = find_named(db, caller, id, name)?;
        Ok(Peer::Group {
            id: group.id,
            account: caller.account.clone(),
        })
    };
    let mut all = Vec::new();
    for permission in permissions {
        all.extend(ways(permission, group_of)?);
    }
    Ok(all)
}

fn authorize(
    tx: &mut Tx<'_>,
    caller: &Caller,
    mut group: Group,
    is_egress: bool,
    permissions: Vec<api::IpPermission>,
    specified: Option<&Vec<api::TagSpecification>>,
) -> Result<Vec<api::SecurityGroupRule>, ApiError> {
    let mut new_ids = Vec::new();
    for (way, description) in all_ways(tx, caller, permissions)? {
        let is_same = |r: &Rule| r.is_egress == is_egress && r.way == way;
        if group.rules.iter().any(is_same) {
            return Err(ApiError::client(
                "InvalidPermission.Duplicate",
                format!("the specified rule \"{}\" already exists", way.describe()),
            ));
        }
        let id = new_id(tx.ids(), PREFIX);
        tagging::add_specified(tx, TYPE, &id, specified)?;
        new_ids.push(id.clone());
        group.rules.push(Rule {
            id,
            is_egress,
            way,
            description,
        });
    }
    store(tx, caller, &group)?;
    let is_new = |rule: &&Rule| new_ids.contains(&rule.id);
    let new = group.rules.iter().filter(is_new);
    new.map(|rule| answer(tx, caller, &group, rule)).collect()
}

fn revoke(
    tx: &mut Tx<'_>,
    caller: &Caller,
    mut group: Group,
    is_egress: bool,
    doomed: Doomed,
) -> Result<Vec<api::RevokedSecurityGroupRule>, ApiError> {
    let mut revoked = Vec::new();
    let mut take = |group: &mut Group, is_it: &dyn Fn(&Rule) -> bool| {
        let found = |r: &Rule| r.is_egress == is_egress && is_it(r);
        let at = group.rules.iter().position(found)?;
        revoked.push(group.rules.remove(at));
        Some(())
    };
    match doomed {
        Doomed::Ids(ids) => {
            for id in ids {
                take(&mut group, &|rule| rule.id == id).ok_or_else(|| unknown(&id))?;
            }
        }
        Doomed::Permissions(permissions) => {
            for (way, _) in all_ways(tx, caller, permissions)? {
                take(&mut group, &|rule| rule.way == way).ok_or_else(no_such_rule)?;
            }
        }
    }
    store(tx, caller, &group)?;
    for rule in &revoked {
        tags::clear(tx, &rule.id);
    }
    let answer = |rule: &Rule| revoked_answer(&group, rule);
    Ok(revoked.iter().map(answer).collect())
}

fn no_such_rule() -> ApiError {
    ApiError::client(
        "InvalidPermission.NotFound",
        "The specified rule does not exist in this security group.",
    )
}

const FACETS: Facets<api::SecurityGroupRule> = Facets {
    tags: |r| r.tags.as_ref(),
    named: &[
        ("group-id", |r| one(r.group_id.as_ref())),
        ("security-group-rule-id", |r| {
            one(r.security_group_rule_id.as_ref())
        }),
    ],
};

/// `DescribeSecurityGroupRules`.
pub fn describe_security_group_rules(
    db: &impl Reader,
    caller: &Caller,
    request: api::DescribeSecurityGroupRulesRequest,
) -> Result<api::DescribeSecurityGroupRulesResult, ApiError> {
    let wanted = request.security_group_rule_ids.unwrap_or_default();
    for id in &wanted {
        check_exists(db, caller, id)?;
    }
    let groups = all::<Group>(db, caller)?;
    let pairs = groups
        .iter()
        .flat_map(|g| g.rules.iter().map(move |r| (g, r)));
    let rules = pairs
        .filter(|(_, rule)| wanted.is_empty() || wanted.contains(&rule.id))
        .map(|(group, rule)| answer(db, caller, group, rule))
        .collect::<Result<_, _>>()?;
    let place = (request.next_token, request.max_results);
    let (rules, next_token) = filter::select(rules, &FACETS, request.filters, place)?;
    let answer = api::DescribeSecurityGroupRulesResult {
        security_group_rules: Some(rules),
        next_token,
    };
    unless_dry_run(request.dry_run, answer)
}

fn answer(
    db: &impl Reader,
    caller: &Caller,
    group: &Group,
    rule: &Rule,
) -> Result<api::SecurityGroupRule, ApiError> {
    let resource = format!("{TYPE}/{}", rule.id);
    Ok(api::SecurityGroupRule {
        group_id: Some(group.id.clone()),
        group_owner_id: Some(caller.account.clone()),
        tags: tagging::of(db, &rule.id)?,
        security_group_rule_arn: Some(arn("ec2", &caller.region, &caller.account, resource)),
        ..single(rule)
    })
}

fn revoked_answer(group: &Group, rule: &Rule) -> api::RevokedSecurityGroupRule {
    let single = single(rule);
    api::RevokedSecurityGroupRule {
        security_group_rule_id: single.security_group_rule_id,
        group_id: Some(group.id.clone()),
        is_egress: single.is_egress,
        ip_protocol: single.ip_protocol,
        from_port: single.from_port,
        to_port: single.to_port,
        cidr_ipv4: single.cidr_ipv4,
        cidr_ipv6: single.cidr_ipv6,
        prefix_list_id: single.prefix_list_id,
        referenced_group_id: single.referenced_group_info.and_then(|g| g.group_id),
        description: single.description,
    }
}
