//! Tags of network resources, by resource id, in EC2's shapes. Never keeps a tag itself: see `keep/tags.rs`.

use landfall_core::api::generated::ec2 as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;

use super::filter::{self, Facets, one};
use super::gateway::Gateway;
use super::group::Group;
use super::resource::{Resource, all, find, invalid, unless_dry_run};
use super::route_table::RouteTable;
use super::subnet::Subnet;
use super::vpc::Vpc;
use super::{acl, group_rules};
use crate::keep::tags;
use crate::tx::{Reader, Tx};

/// The tags of a resource as answers carry them.
pub(super) fn of(db: &impl Reader, id: &str) -> Result<Option<Vec<api::Tag>>, ApiError> {
    Ok(Some(tags::shown(tags::of(db, id)?.0)))
}

/// Tags a new resource as its creator asks. A specification for another type is refused.
pub(super) fn add_specified(
    tx: &mut Tx<'_>,
    kind: &str,
    id: &str,
    specifications: Option<&Vec<api::TagSpecification>>,
) -> Result<(), ApiError> {
    for specification in specifications.into_iter().flatten() {
        let wanted = specification.resource_type.as_deref().unwrap_or_default();
        if wanted != kind {
            return Err(invalid(format!(
                "'{wanted}' is not a valid taggable resource type for this operation."
            )));
        }
        tags::add(tx, id, tags::pairs(specification.tags.clone()))?;
    }
    Ok(())
}

/// `CreateTags`: the same name replaces.
pub fn create_tags(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::CreateTagsRequest,
) -> Result<(), ApiError> {
    for id in request.resources.iter().flatten() {
        check_exists(tx, caller, id)?;
        tags::add(tx, id, tags::pairs(request.tags.clone()))?;
    }
    unless_dry_run(request.dry_run, ())
}

/// `DeleteTags`: without tags all go; a tag with a value goes only when it has that value.
pub fn delete_tags(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::DeleteTagsRequest,
) -> Result<(), ApiError> {
    for id in request.resources.iter().flatten() {
        check_exists(tx, caller, id)?;
        match request.tags.as_deref() {
            None | Some([]) => tags::clear(tx, id),
            Some(doomed) => {
                let has = tags::of(tx, id)?.0;
                let goes = |t: &api::Tag| {
                    let name = t.key.clone()?;
                    let is_other = t.value.is_some() && has.get(&name) != t.value.as_ref();
                    (!is_other).then_some(name)
                };
                let names: Vec<String> = doomed.iter().filter_map(goes).collect();
                tags::remove(tx, id, &names)?;
            }
        }
    }
    unless_dry_run(request.dry_run, ())
}

/// Refuses to tag what is not there.
fn check_exists(db: &impl Reader, caller: &Caller, id: &str) -> Result<(), ApiError> {
    let prefix = id.split('-').next().unwrap_or_default();
    let wanted = Some(id);
    match prefix {
        Vpc::PREFIX => find::<Vpc>(db, caller, wanted).map(drop),
        Subnet::PREFIX => find::<Subnet>(db, caller, wanted).map(drop),
        Group::PREFIX => find::<Group>(db, caller, wanted).map(drop),
        RouteTable::PREFIX => find::<RouteTable>(db, caller, wanted).map(drop),
        Gateway::PREFIX => find::<Gateway>(db, caller, wanted).map(drop),
        acl::PREFIX => acl::check_exists(db, caller, id),
        group_rules::PREFIX => group_rules::check_exists(db, caller, id),
        _ => Err(ApiError::client(
            "InvalidID",
            format!("The ID '{id}' is not valid"),
        )),
    }
}

const FACETS: Facets<api::TagDescription> = Facets {
    tags: |_| None,
    named: &[
        ("key", |t| one(t.key.as_ref())),
        ("resource-id", |t| one(t.resource_id.as_ref())),
        ("resource-type", |t| one(t.resource_type.as_ref())),
        ("value", |t| one(t.value.as_ref())),
    ],
};

/// `DescribeTags`.
pub fn describe_tags(
    db: &impl Reader,
    caller: &Caller,
    request: api::DescribeTagsRequest,
) -> Result<api::DescribeTagsResult, ApiError> {
    let mut owners = Vec::new();
    owners.extend(ids::<Vpc>(db, caller)?);
    owners.extend(ids::<Subnet>(db, caller)?);
    owners.extend(ids::<Group>(db, caller)?);
    owners.extend(ids::<RouteTable>(db, caller)?);
    owners.extend(ids::<Gateway>(db, caller)?);
    owners.extend(acl::ids(db, caller)?.map(|id| (acl::TYPE, id)));
    owners.extend(group_rules::ids(db, caller)?.map(|id| (group_rules::TYPE, id)));
    let mut found = Vec::new();
    for (kind, id) in owners {
        for (key, value) in tags::of(db, &id)?.0 {
            found.push(api::TagDescription {
                key: Some(key),
                resource_id: Some(id.clone()),
                resource_type: Some(kind.to_owned()),
                value: Some(value),
            });
        }
    }
    let place = (request.next_token, request.max_results);
    let (found, next_token) = filter::select(found, &FACETS, request.filters, place)?;
    let tags = Some(found);
    unless_dry_run(
        request.dry_run,
        api::DescribeTagsResult { next_token, tags },
    )
}

fn ids<R: Resource>(
    db: &impl Reader,
    caller: &Caller,
) -> Result<impl Iterator<Item = (&'static str, String)>, ApiError> {
    let resources = all::<R>(db, caller)?;
    Ok(resources.into_iter().map(|r| (R::TYPE, r.id().to_owned())))
}
