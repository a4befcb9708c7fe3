//! Security groups as the API knows them. Their rules are changed in `group_rules.rs`; never applied to a packet.

use landfall_core::api::generated::ec2 as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use serde::{Deserialize, Serialize};

use super::defaults::Defaults;
use super::filter::{self, Facets, each, one};
use super::permission::{Peer, Rule, Way, permissions};
use super::resource::{
    Resource, all, arn_of, delete, derived_id, find, invalid, new_id, select, store, unless_dry_run,
};
use super::vpc::{self, Vpc};
use super::{group_rules, tagging};
use crate::keep::tags;
use crate::tx::{Reader, Tx};

const DEFAULT_NAME: &str = "default";
const EVERYWHERE: &str = "0.0.0.0/0";

/// A security group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Group {
    pub(super) id: String,
    pub(super) vpc_id: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) rules: Vec<Rule>,
}
crate::record!(Group in Control);

impl Group {
    /// The default group of a VPC: its members reach one another and everywhere. All its ids follow from the VPC's.
    pub(super) fn default_of(vpc_id: &str, account: &str) -> Self {
        let id = derived_id(Self::PREFIX, &[vpc_id]);
        let itself = Peer::Group {
            id: id.clone(),
            account: account.to_owned(),
        };
        let ingress = Rule {
            id: derived_id(group_rules::PREFIX, &[vpc_id, "ingress"]),
            is_egress: false,
            way: Way::all(itself),
            description: None,
        };
        let egress = Rule {
            id: derived_id(group_rules::PREFIX, &[vpc_id, "egress"]),
            is_egress: true,
            way: Way::all(Peer::Ipv4(EVERYWHERE.to_owned())),
            description: None,
        };
        Self {
            id,
            vpc_id: vpc_id.to_owned(),
            name: DEFAULT_NAME.to_owned(),
            description: "default VPC security group".to_owned(),
            rules: vec![ingress, egress],
        }
    }

    /// Whether it came with its VPC: no other group can have its name.
    pub(super) fn is_default(&self) -> bool {
        self.name == DEFAULT_NAME
    }

    fn names(&self, group_id: &str) -> bool {
        let is_it =
            |rule: &Rule| matches!(&rule.way.peer, Peer::Group { id, .. } if id == group_id);
        self.rules.iter().any(is_it)
    }
}

impl Resource for Group {
    const PREFIX: &'static str = "sg";
    const TYPE: &'static str = "security-group";
    const NOT_FOUND: &'static str = "InvalidGroup.NotFound";
    const NOUN: &'static str = "security group";

    fn id(&self) -> &str {
        &self.id
    }

    fn of(defaults: Defaults) -> Vec<Self> {
        vec![defaults.group]
    }
}

/// The group with an id or, in the default VPC, a name.
pub(super) fn find_named(
    db: &impl Reader,
    caller: &Caller,
    id: Option<&str>,
    name: Option<&str>,
) -> Result<Group, ApiError> {
    let (None, Some(name)) = (id, name) else {
        if id.is_none() {
            return Err(ApiError::client(
                "MissingParameter",
                "The request must contain the parameter groupName or groupId",
            ));
        }
        return find(db, caller, id);
    };
    let vpc_id = vpc::default_id(db, caller)?;
    let mut groups = all::<Group>(db, caller)?.into_iter();
    groups
        .find(|g| g.vpc_id == vpc_id && g.name == name)
        .ok_or_else(|| unknown_name(name))
}

fn unknown_name(name: &str) -> ApiError {
    ApiError::client(
        Group::NOT_FOUND,
        format!("The security group '{name}' does not exist in default VPC"),
    )
}

/// `CreateSecurityGroup`: everything may leave, nothing may enter.
pub fn create_security_group(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::CreateSecurityGroupRequest,
) -> Result<api::CreateSecurityGroupResult, ApiError> {
    let vpc_id = match request.vpc_id {
        Some(id) => find::<Vpc>(tx, caller, Some(&id))?.id,
        None => vpc::default_id(tx, caller)?,
    };
    let name = request.group_name.unwrap_or_default();
    check_name(tx, caller, &vpc_id, &name)?;
    let egress = Rule {
        id: new_id(tx.ids(), group_rules::PREFIX),
        is_egress: true,
        way: Way::all(Peer::Ipv4(EVERYWHERE.to_owned())),
        description: None,
    };
    let group = Group {
        id: new_id(tx.ids(), Group::PREFIX),
        vpc_id,
        name,
        description: request.description.unwrap_or_default(),
        rules: vec![egress],
    };
    store(tx, caller, &group)?;
    let specified = request.tag_specifications.as_ref();
    tagging::add_specified(tx, Group::TYPE, &group.id, specified)?;
    let answer = api::CreateSecurityGroupResult {
        tags: tagging::of(tx, &group.id)?,
        security_group_arn: Some(arn_of::<Group>(caller, &group.id)),
        group_id: Some(group.id),
    };
    unless_dry_run(request.dry_run, answer)
}

fn check_name(db: &impl Reader, caller: &Caller, vpc_id: &str, name: &str) -> Result<(), ApiError> {
    if name.starts_with("sg-") {
        return Err(invalid(format!(
            "Value ({name}) for parameter GroupName is invalid. Group names may not be in the format sg-*."
        )));
    }
    if name == DEFAULT_NAME {
        return Err(ApiError::client(
            "InvalidParameterValue",
            "Cannot use reserved security group name: default",
        ));
    }
    let groups = all::<Group>(db, caller)?;
    match groups.iter().any(|g| g.vpc_id == vpc_id && g.name == name) {
        true => Err(ApiError::client(
            "InvalidGroup.Duplicate",
            format!("The security group '{name}' already exists for VPC '{vpc_id}'"),
        )),
        false => Ok(()),
    }
}

/// `DeleteSecurityGroup`: a default group stays, and one that another group's rules name.
pub fn delete_security_group(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::DeleteSecurityGroupRequest,
) -> Result<api::DeleteSecurityGroupResult, ApiError> {
    let (id, name) = (request.group_id.as_deref(), request.group_name.as_deref());
    let group = find_named(tx, caller, id, name)?;
    if group.is_default() {
        return Err(ApiError::client(
            "CannotDelete",
            format!(
                "the specified group: \"{}\" name: \"{}\" cannot be deleted by a user",
                group.id, group.name
            ),
        ));
    }
    let groups = all::<Group>(tx, caller)?;
    if groups
        .iter()
        .any(|g| g.id != group.id && g.names(&group.id))
    {
        return Err(ApiError::client(
            "DependencyViolation",
            format!("resource {} has a dependent object", group.id),
        ));
    }
    for rule in &group.rules {
        tags::clear(tx, &rule.id);
    }
    delete::<Group>(tx, caller, &group.id)?;
    let answer = api::DeleteSecurityGroupResult {
        r#return: Some(true),
        group_id: Some(group.id),
    };
    unless_dry_run(request.dry_run, answer)
}

fn blocks(permissions: Option<&Vec<api::IpPermission>>) -> Vec<String> {
    let permissions = permissions.into_iter().flatten();
    let ranges = permissions.flat_map(|p| p.ip_ranges.iter().flatten());
    ranges.filter_map(|range| range.cidr_ip.clone()).collect()
}

const FACETS: Facets<api::SecurityGroup> = Facets {
    tags: |g| g.tags.as_ref(),
    named: &[
        ("description", |g| one(g.description.as_ref())),
        ("egress.ip-permission.cidr", |g| {
            blocks(g.ip_permissions_egress.as_ref())
        }),
        ("egress.ip-permission.protocol", |g| {
            each(g.ip_permissions_egress.as_ref(), |p| p.ip_protocol.as_ref())
        }),
        ("group-id", |g| one(g.group_id.as_ref())),
        ("group-name", |g| one(g.group_name.as_ref())),
        ("ip-permission.cidr", |g| blocks(g.ip_permissions.as_ref())),
        ("ip-permission.from-port", |g| {
            each(g.ip_permissions.as_ref(), |p| p.from_port.as_ref())
        }),
        ("ip-permission.protocol", |g| {
            each(g.ip_permissions.as_ref(), |p| p.ip_protocol.as_ref())
        }),
        ("ip-permission.to-port", |g| {
            each(g.ip_permissions.as_ref(), |p| p.to_port.as_ref())
        }),
        ("owner-id", |g| one(g.owner_id.as_ref())),
        ("vpc-id", |g| one(g.vpc_id.as_ref())),
    ],
};

/// `DescribeSecurityGroups`: names are looked up in the default VPC only.
pub fn describe_security_groups(
    db: &impl Reader,
    caller: &Caller,
    request: api::DescribeSecurityGroupsRequest,
) -> Result<api::DescribeSecurityGroupsResult, ApiError> {
    let names = request.group_names.unwrap_or_default();
    let mut groups = match (&request.group_ids, names.is_empty()) {
        (None, false) => Vec::new(),
        (ids, _) => select::<Group>(db, caller, ids.as_deref())?,
    };
    for name in &names {
        groups.push(find_named(db, caller, None, Some(name))?);
    }
    let groups = groups
        .into_iter()
        .map(|group| answer(db, caller, group))
        .collect::<Result<_, _>>()?;
    let place = (request.next_token, request.max_results);
    let (groups, next_token) = filter::select(groups, &FACETS, request.filters, place)?;
    let answer = api::DescribeSecurityGroupsResult {
        next_token,
        security_groups: Some(groups),
    };
    unless_dry_run(request.dry_run, answer)
}

fn answer(db: &impl Reader, caller: &Caller, group: Group) -> Result<api::SecurityGroup, ApiError> {
    let rules = |is_egress| group.rules.iter().filter(move |r| r.is_egress == is_egress);
    Ok(api::SecurityGroup {
        ip_permissions_egress: Some(permissions(rules(true))),
        ip_permissions: Some(permissions(rules(false))),
        tags: tagging::of(db, &group.id)?,
        security_group_arn: Some(arn_of::<Group>(caller, &group.id)),
        group_id: Some(group.id),
        vpc_id: Some(group.vpc_id),
        owner_id: Some(caller.account.clone()),
        group_name: Some(group.name),
        description: Some(group.description),
    })
}
