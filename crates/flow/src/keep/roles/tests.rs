//! Roles, policies and sessions through the flow, as clients see them.

use std::sync::Arc;

use landfall_core::api::generated::{iam, sts};
use landfall_core::caller::{Caller, account_of};
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_testkit::{FakeRuntime, MemoryContents, MemoryState, SeededIds, TestClock};

use super::*;
use crate::drive::{Flow, FlowParts};
use crate::tx::Tx;

const ACCOUNT: &str = "123456789012";
const DOCUMENT: &str = r#"{"Version":"2012-10-17","Statement":[]}"#;
const READ_ONLY: &str = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy";

fn flow() -> Flow {
    Flow::open(FlowParts {
        state: Arc::new(MemoryState::new()),
        contents: Arc::new(MemoryContents::new()),
        runtime: Arc::new(FakeRuntime::new()),
        clock: Arc::new(TestClock::at(Timestamp(1_700_000_000_000))),
        ids: Arc::new(SeededIds::new(7)),
        endpoint: "http://127.0.0.1:4566".to_owned(),
        container_credentials: None,
        settings: landfall_core::settings::Settings::default(),
    })
    .unwrap()
}

fn caller() -> Caller {
    Caller::service("test", ACCOUNT, "eu-west-1", "request".to_owned())
}

async fn write<T: Send + 'static>(
    flow: &Flow,
    verb: impl FnOnce(&mut Tx<'_>, &Caller) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    flow.write(move |tx| verb(tx, &caller())).await
}

fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

async fn make_role(flow: &Flow, name: &str) -> Result<iam::Role, ApiError> {
    let request = iam::CreateRoleRequest {
        role_name: text(name),
        path: text("/app/"),
        assume_role_policy_document: text(DOCUMENT),
        permissions_boundary: text("arn:aws:iam::aws:policy/Boundary"),
        tags: Some(vec![iam::Tag {
            key: text("team"),
            value: text("blue"),
        }]),
        ..Default::default()
    };
    write(flow, |tx, caller| create_role(tx, caller, request))
        .await
        .map(|answer| answer.role.unwrap())
}

async fn make_policy(flow: &Flow, name: &str) -> Result<iam::Policy, ApiError> {
    let request = iam::CreatePolicyRequest {
        policy_name: text(name),
        policy_document: text(DOCUMENT),
        ..Default::default()
    };
    write(flow, |tx, caller| create_policy(tx, caller, request))
        .await
        .map(|answer| answer.policy.unwrap())
}

async fn attach(flow: &Flow, role: &str, arn: &str) -> Result<(), ApiError> {
    let request = iam::AttachRolePolicyRequest {
        role_name: text(role),
        policy_arn: text(arn),
    };
    write(flow, |tx, caller| attach_role_policy(tx, caller, request)).await
}

async fn detach(flow: &Flow, role: &str, arn: &str) -> Result<(), ApiError> {
    let request = iam::DetachRolePolicyRequest {
        role_name: text(role),
        policy_arn: text(arn),
    };
    write(flow, |tx, caller| detach_role_policy(tx, caller, request)).await
}

async fn remove_role(flow: &Flow, name: &str) -> Result<(), ApiError> {
    let request = iam::DeleteRoleRequest {
        role_name: text(name),
    };
    write(flow, |tx, caller| delete_role(tx, caller, request)).await
}

fn read_role(flow: &Flow, name: &str) -> Result<iam::Role, ApiError> {
    let request = iam::GetRoleRequest {
        role_name: text(name),
    };
    get_role(&flow.view(), &caller(), request).map(|answer| answer.role.unwrap())
}

fn refusal<T: std::fmt::Debug>(result: Result<T, ApiError>) -> (u16, String, String) {
    let error = result.unwrap_err();
    (error.status, error.code.into_owned(), error.message)
}

#[tokio::test]
async fn a_role_is_told_as_it_was_made() {
    let flow = flow();
    let made = make_role(&flow, "Reader").await.unwrap();
    assert_eq!(made, read_role(&flow, "Reader").unwrap());
    assert_eq!(
        made.arn.as_deref(),
        Some("arn:aws:iam::123456789012:role/app/Reader")
    );
    assert_eq!(made.max_session_duration, Some(3_600));
    assert_eq!(
        made.assume_role_policy_document.as_deref(),
        Some("%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%5D%7D")
    );
    let id = made.role_id.unwrap();
    assert!(id.starts_with("AROA") && id.len() == 21, "{id}");
    let boundary = made.permissions_boundary.unwrap();
    assert_eq!(
        boundary.permissions_boundary_type.as_deref(),
        Some("Policy")
    );
    assert_eq!(made.tags.unwrap().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_is_refused_in_the_words_of_aws() {
    let flow = flow();
    make_role(&flow, "taken").await.unwrap();
    assert_eq!(
        refusal(make_role(&flow, "Taken").await),
        (
            409,
            "EntityAlreadyExists".into(),
            "Role with name Taken already exists.".into()
        )
    );
    let missing = (
        404,
        "NoSuchEntity".into(),
        "The role with name x cannot be found.".into(),
    );
    assert_eq!(refusal(read_role(&flow, "x")), missing);
    assert_eq!(refusal(remove_role(&flow, "x").await), missing);
    assert_eq!(refusal(attach(&flow, "x", READ_ONLY).await), missing);
    for document in ["{", "[]", "{}", r#"{"Statement":1}"#] {
        let request = iam::PutRolePolicyRequest {
            role_name: text("taken"),
            policy_name: text("p"),
            policy_document: text(document),
        };
        let result = write(&flow, |tx, caller| put_role_policy(tx, caller, request)).await;
        assert_eq!(refusal(result).1, "MalformedPolicyDocument", "{document}");
    }
    let nowhere = "arn:aws:iam::123456789012:policy/none";
    assert_eq!(
        refusal(attach(&flow, "taken", nowhere).await).1,
        "NoSuchEntity"
    );
    assert_eq!(
        refusal(detach(&flow, "taken", READ_ONLY).await).1,
        "NoSuchEntity"
    );
}

#[tokio::test]
async fn a_role_goes_only_without_policies_and_takes_its_tags_along() {
    let flow = flow();
    make_role(&flow, "r").await.unwrap();
    attach(&flow, "r", READ_ONLY).await.unwrap();
    attach(&flow, "r", READ_ONLY).await.unwrap();
    assert_eq!(
        refusal(remove_role(&flow, "r").await),
        (
            409,
            "DeleteConflict".into(),
            "Cannot delete entity, must detach all policies first.".into()
        )
    );
    detach(&flow, "r", READ_ONLY).await.unwrap();
    let put = iam::PutRolePolicyRequest {
        role_name: text("r"),
        policy_name: text("p"),
        policy_document: text(DOCUMENT),
    };
    write(&flow, |tx, caller| put_role_policy(tx, caller, put))
        .await
        .unwrap();
    assert_eq!(
        refusal(remove_role(&flow, "r").await).2,
        "Cannot delete entity, must delete policies first."
    );
    let delete = iam::DeleteRolePolicyRequest {
        role_name: text("r"),
        policy_name: text("p"),
    };
    write(&flow, |tx, caller| delete_role_policy(tx, caller, delete))
        .await
        .unwrap();
    remove_role(&flow, "r").await.unwrap();
    let bare = iam::CreateRoleRequest {
        role_name: text("r"),
        path: text("/app/"),
        assume_role_policy_document: text(DOCUMENT),
        ..Default::default()
    };
    write(&flow, |tx, caller| create_role(tx, caller, bare))
        .await
        .unwrap();
    assert_eq!(read_role(&flow, "r").unwrap().tags, None);
}

#[tokio::test]
async fn policies_count_their_roles_and_stay_while_they_have_any() {
    let flow = flow();
    make_role(&flow, "r").await.unwrap();
    let arn = make_policy(&flow, "own").await.unwrap().arn.unwrap();
    assert_eq!(arn, "arn:aws:iam::123456789012:policy/own");
    assert_eq!(refusal(make_policy(&flow, "own").await).0, 409);
    attach(&flow, "r", &arn).await.unwrap();
    attach(&flow, "r", READ_ONLY).await.unwrap();
    let get = iam::GetPolicyRequest {
        policy_arn: Some(arn.clone()),
    };
    let policy = get_policy(&flow.view(), &caller(), get)
        .unwrap()
        .policy
        .unwrap();
    assert_eq!(policy.attachment_count, Some(1));
    let list = |scope: &str| {
        let request = iam::ListPoliciesRequest {
            scope: text(scope),
            ..Default::default()
        };
        let answer = list_policies(&flow.view(), &caller(), request).unwrap();
        let arns = answer.policies.unwrap().into_iter().map(|p| p.arn.unwrap());
        arns.collect::<Vec<_>>()
    };
    assert_eq!(list("Local"), [arn.as_str()]);
    assert_eq!(list("AWS"), [READ_ONLY]);
    assert_eq!(list("All"), [arn.as_str(), READ_ONLY]);
    let attached = iam::ListAttachedRolePoliciesRequest {
        role_name: text("r"),
        path_prefix: text("/service-role/"),
        ..Default::default()
    };
    let attached = list_attached_role_policies(&flow.view(), &caller(), attached).unwrap();
    let names = attached.attached_policies.unwrap();
    assert_eq!(names.len(), 1);
    assert_eq!(
        names[0].policy_name.as_deref(),
        Some("AmazonECSTaskExecutionRolePolicy")
    );
    let delete = iam::DeletePolicyRequest {
        policy_arn: Some(arn.clone()),
    };
    let again = delete.clone();
    let result = write(&flow, |tx, caller| delete_policy(tx, caller, delete)).await;
    assert_eq!(refusal(result).1, "DeleteConflict");
    detach(&flow, "r", &arn).await.unwrap();
    write(&flow, |tx, caller| delete_policy(tx, caller, again))
        .await
        .unwrap();
    assert_eq!(list("Local"), Vec::<String>::new());
}

#[tokio::test]
async fn only_the_first_version_of_an_own_policy_has_a_document() {
    let flow = flow();
    let arn = make_policy(&flow, "own").await.unwrap().arn.unwrap();
    let read = |arn: &str, version: &str| {
        let request = iam::GetPolicyVersionRequest {
            policy_arn: text(arn),
            version_id: text(version),
        };
        get_policy_version(&flow.view(), &caller(), request)
    };
    let version = read(&arn, "v1").unwrap().policy_version.unwrap();
    assert!(version.document.unwrap().starts_with("%7B%22Version"));
    assert_eq!(refusal(read(&arn, "v2")).1, "NoSuchEntity");
    assert_eq!(refusal(read(READ_ONLY, "v1")).0, 501);
}

#[tokio::test]
async fn listings_come_in_pages_and_by_path() {
    let flow = flow();
    for name in ["c", "a", "b"] {
        make_role(&flow, name).await.unwrap();
    }
    let list = |path: &str, marker: Option<String>| {
        let request = iam::ListRolesRequest {
            path_prefix: text(path),
            marker,
            max_items: Some(2),
        };
        list_roles(&flow.view(), &caller(), request)
    };
    let names = |answer: &iam::ListRolesResponse| {
        let roles = answer.roles.iter().flatten();
        roles
            .filter_map(|r| r.role_name.clone())
            .collect::<Vec<_>>()
    };
    let first = list("/app/", None).unwrap();
    assert_eq!(
        (names(&first), first.is_truncated),
        (vec!["a".into(), "b".into()], Some(true))
    );
    let second = list("/app/", first.marker).unwrap();
    assert_eq!(
        (names(&second), second.is_truncated),
        (vec!["c".to_owned()], Some(false))
    );
    assert_eq!(names(&list("/other/", None).unwrap()), Vec::<String>::new());
    assert_eq!(refusal(list("/", text("zz"))).1, "ValidationError");
}

#[tokio::test]
async fn tags_of_a_role_are_added_and_removed() {
    let flow = flow();
    make_role(&flow, "r").await.unwrap();
    let tag = iam::TagRoleRequest {
        role_name: text("r"),
        tags: Some(vec![iam::Tag {
            key: text("stage"),
            value: text("test"),
        }]),
    };
    write(&flow, |tx, caller| tag_role(tx, caller, tag))
        .await
        .unwrap();
    let untag = iam::UntagRoleRequest {
        role_name: text("r"),
        tag_keys: Some(vec!["team".to_owned()]),
    };
    write(&flow, |tx, caller| untag_role(tx, caller, untag))
        .await
        .unwrap();
    let list = iam::ListRoleTagsRequest {
        role_name: text("r"),
        ..Default::default()
    };
    let tags = list_role_tags(&flow.view(), &caller(), list)
        .unwrap()
        .tags
        .unwrap();
    let keys: Vec<_> = tags.iter().filter_map(|t| t.key.as_deref()).collect();
    assert_eq!(keys, ["stage"]);
}

#[tokio::test]
async fn a_session_belongs_to_the_account_of_its_role() {
    let flow = flow();
    let assume = |arn: &str| sts::AssumeRoleRequest {
        role_arn: text(arn),
        role_session_name: text("me"),
        duration_seconds: Some(900),
        ..Default::default()
    };
    let request = assume("arn:aws:iam::210987654321:role/a/b/deploy");
    let answer = write(&flow, |tx, caller| assume_role(tx, caller, request))
        .await
        .unwrap();
    let credentials = answer.credentials.unwrap();
    let key = credentials.access_key_id.unwrap();
    assert_eq!((key.len(), account_of(&key)), (20, "210987654321"));
    assert_eq!(credentials.expiration.map(|e| e.0), Some(1_700_000_900.0));
    assert_eq!(
        answer.assumed_role_user.unwrap().arn.as_deref(),
        Some("arn:aws:sts::210987654321:assumed-role/deploy/me")
    );
    let told = credentials.session_token.unwrap();
    let session = token::read(&flow.view(), &told).unwrap().unwrap();
    assert_eq!(session.access_key_id, key);
    assert!(!session.has_expired(Timestamp(1_700_000_899_999)));
    assert!(session.has_expired(Timestamp(1_700_000_900_000)));
    let secret = token::secret(&flow.view(), &key).unwrap();
    assert_eq!(secret, credentials.secret_access_key);
    let acting = Caller {
        identity: session.identity,
        ..caller()
    };
    let who = get_caller_identity(&flow.view(), &acting, Default::default()).unwrap();
    assert_eq!(
        (who.arn.as_deref(), who.account.as_deref()),
        (
            Some("arn:aws:sts::210987654321:assumed-role/deploy/me"),
            Some("210987654321")
        )
    );
    let mut forged = told.into_bytes();
    let last = forged.len() - 8;
    forged[last] = if forged[last] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    assert_eq!(token::read(&flow.view(), &forged).unwrap(), None);
    assert_eq!(token::read(&flow.view(), "").unwrap(), None);
    let wrong = assume("arn:aws:iam::210987654321:user/x");
    let result = write(&flow, |tx, caller| assume_role(tx, caller, wrong)).await;
    assert_eq!(refusal(result).1, "ValidationError");
    let request = sts::GetSessionTokenRequest::default();
    let own = write(&flow, |tx, caller| get_session_token(tx, caller, request))
        .await
        .unwrap();
    let key = own.credentials.unwrap().access_key_id.unwrap();
    assert_eq!(account_of(&key), ACCOUNT);
    let identity = get_caller_identity(
        &flow.view(),
        &caller(),
        sts::GetCallerIdentityRequest::default(),
    );
    assert_eq!(
        identity.unwrap().arn.as_deref(),
        Some("arn:aws:iam::123456789012:root")
    );
}
