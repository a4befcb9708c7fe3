//! Networks through the flow, as clients see them.

use std::sync::Arc;

use landfall_core::api::generated::ec2 as api;
use landfall_core::caller::Caller;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_testkit::{FakeRuntime, MemoryContents, MemoryState, SeededIds, TestClock};

use super::*;
use crate::drive::{Flow, FlowParts};
use crate::tx::Tx;

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
    caller_in("eu-west-1")
}

fn caller_in(region: &str) -> Caller {
    Caller::service("test", "123456789012", region, "request".to_owned())
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

fn filter(name: &str, values: &[&str]) -> Option<Vec<api::Filter>> {
    Some(vec![api::Filter {
        name: text(name),
        values: Some(values.iter().map(|v| (*v).to_owned()).collect()),
    }])
}

fn code<T: std::fmt::Debug>(result: Result<T, ApiError>) -> String {
    result.unwrap_err().code.into_owned()
}

fn vpcs(flow: &Flow, caller: &Caller, filters: Option<Vec<api::Filter>>) -> Vec<api::Vpc> {
    let request = api::DescribeVpcsRequest {
        filters,
        ..Default::default()
    };
    describe_vpcs(&flow.view(), caller, request)
        .unwrap()
        .vpcs
        .unwrap()
}

fn subnets(flow: &Flow, filters: Option<Vec<api::Filter>>) -> Vec<api::Subnet> {
    let request = api::DescribeSubnetsRequest {
        filters,
        ..Default::default()
    };
    let answer = describe_subnets(&flow.view(), &caller(), request);
    answer.unwrap().subnets.unwrap()
}

fn groups(flow: &Flow, filters: Option<Vec<api::Filter>>) -> Vec<api::SecurityGroup> {
    let request = api::DescribeSecurityGroupsRequest {
        filters,
        ..Default::default()
    };
    let answer = describe_security_groups(&flow.view(), &caller(), request);
    answer.unwrap().security_groups.unwrap()
}

fn tables(flow: &Flow, filters: Option<Vec<api::Filter>>) -> Vec<api::RouteTable> {
    let request = api::DescribeRouteTablesRequest {
        filters,
        ..Default::default()
    };
    let answer = describe_route_tables(&flow.view(), &caller(), request);
    answer.unwrap().route_tables.unwrap()
}

async fn make_vpc(flow: &Flow, block: &str) -> Result<String, ApiError> {
    let tags = vec![api::Tag {
        key: text("Name"),
        value: text("mine"),
    }];
    let request = api::CreateVpcRequest {
        cidr_block: text(block),
        tag_specifications: Some(vec![api::TagSpecification {
            resource_type: text("vpc"),
            tags: Some(tags),
        }]),
        ..Default::default()
    };
    let answer = write(flow, |tx, caller| create_vpc(tx, caller, request)).await?;
    Ok(answer.vpc.unwrap().vpc_id.unwrap())
}

async fn make_subnet(flow: &Flow, vpc: &str, block: &str) -> Result<api::Subnet, ApiError> {
    let request = api::CreateSubnetRequest {
        vpc_id: text(vpc),
        cidr_block: text(block),
        ..Default::default()
    };
    let answer = write(flow, |tx, caller| create_subnet(tx, caller, request)).await?;
    Ok(answer.subnet.unwrap())
}

async fn make_group(flow: &Flow, vpc: &str, name: &str) -> Result<String, ApiError> {
    let request = api::CreateSecurityGroupRequest {
        group_name: text(name),
        description: text("test"),
        vpc_id: text(vpc),
        ..Default::default()
    };
    let answer = write(flow, |tx, caller| {
        create_security_group(tx, caller, request)
    })
    .await?;
    Ok(answer.group_id.unwrap())
}

async fn make_gateway(flow: &Flow) -> String {
    let request = api::CreateInternetGatewayRequest::default();
    let answer = write(flow, |tx, caller| {
        create_internet_gateway(tx, caller, request)
    })
    .await;
    let gateway = answer.unwrap().internet_gateway.unwrap();
    gateway.internet_gateway_id.unwrap()
}

async fn remove_vpc(flow: &Flow, vpc: &str) -> Result<(), ApiError> {
    let request = api::DeleteVpcRequest {
        vpc_id: text(vpc),
        dry_run: None,
    };
    write(flow, |tx, caller| delete_vpc(tx, caller, request)).await
}

async fn remove_subnet(flow: &Flow, id: &str) -> Result<(), ApiError> {
    let request = api::DeleteSubnetRequest {
        subnet_id: text(id),
        dry_run: None,
    };
    write(flow, |tx, caller| delete_subnet(tx, caller, request)).await
}

async fn allow(
    flow: &Flow,
    group: &str,
    permission: api::IpPermission,
) -> Result<Vec<api::SecurityGroupRule>, ApiError> {
    let request = api::AuthorizeSecurityGroupIngressRequest {
        group_id: text(group),
        ip_permissions: Some(vec![permission]),
        ..Default::default()
    };
    let verb = move |tx: &mut Tx<'_>, caller: &Caller| {
        authorize_security_group_ingress(tx, caller, request)
    };
    write(flow, verb)
        .await
        .map(|a| a.security_group_rules.unwrap())
}

fn tcp(from: i32, to: i32, blocks: &[&str]) -> api::IpPermission {
    let range = |block: &&str| api::IpRange {
        description: None,
        cidr_ip: text(block),
    };
    api::IpPermission {
        ip_protocol: text("tcp"),
        from_port: Some(from),
        to_port: Some(to),
        ip_ranges: Some(blocks.iter().map(range).collect()),
        ..Default::default()
    }
}

#[tokio::test]
async fn the_default_network_is_there_before_and_after_the_first_write() {
    let flow = flow();
    let look = |flow: &Flow| {
        (
            vpcs(flow, &caller(), filter("is-default", &["true"])),
            subnets(flow, filter("default-for-az", &["true"])),
            groups(flow, filter("group-name", &["default"])),
            tables(flow, filter("association.main", &["true"])),
        )
    };
    let before = look(&flow);
    assert_eq!((before.0.len(), before.1.len(), before.2.len()), (1, 3, 1));
    assert_eq!(before.0[0].cidr_block.as_deref(), Some("172.31.0.0/16"));
    let zones: Vec<_> = before
        .1
        .iter()
        .filter_map(|s| s.availability_zone.clone())
        .collect();
    assert_eq!(zones.len(), 3);
    assert!(
        ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
            .iter()
            .all(|z| zones.contains(&(*z).into()))
    );
    assert_eq!(before.1[0].available_ip_address_count, Some(4_091));
    let id = before.0[0].vpc_id.clone().unwrap();
    assert_eq!(id.len(), "vpc-".len() + 17);
    make_gateway(&flow).await;
    assert_eq!(before, look(&flow));
    let elsewhere = vpcs(&flow, &caller_in("us-east-1"), None);
    assert_ne!(elsewhere[0].vpc_id, before.0[0].vpc_id);
}

#[tokio::test]
async fn a_deleted_default_network_does_not_come_back() {
    let flow = flow();
    let vpc = vpcs(&flow, &caller(), None)[0].vpc_id.clone().unwrap();
    for subnet in subnets(&flow, None) {
        remove_subnet(&flow, &subnet.subnet_id.unwrap())
            .await
            .unwrap();
    }
    assert_eq!(code(remove_vpc(&flow, &vpc).await), "DependencyViolation");
    let view = describe_internet_gateways(
        &flow.view(),
        &caller(),
        api::DescribeInternetGatewaysRequest::default(),
    );
    let gateway = view.unwrap().internet_gateways.unwrap()[0]
        .internet_gateway_id
        .clone();
    let request = api::DetachInternetGatewayRequest {
        internet_gateway_id: gateway,
        vpc_id: Some(vpc.clone()),
        dry_run: None,
    };
    write(&flow, |tx, caller| {
        detach_internet_gateway(tx, caller, request)
    })
    .await
    .unwrap();
    remove_vpc(&flow, &vpc).await.unwrap();
    assert_eq!(vpcs(&flow, &caller(), None), []);
    assert_eq!(groups(&flow, None), []);
    assert_eq!(tables(&flow, None), []);
}

#[tokio::test]
async fn a_vpc_comes_with_its_companions_and_goes_with_them() {
    let flow = flow();
    let vpc = make_vpc(&flow, "10.0.7.9/16").await.unwrap();
    let inside = || filter("vpc-id", &[&vpc]);
    let told = &vpcs(&flow, &caller(), filter("tag:Name", &["m*e"]))[0];
    assert_eq!(told.vpc_id.as_ref(), Some(&vpc));
    assert_eq!(told.cidr_block.as_deref(), Some("10.0.0.0/16"));
    assert_eq!(told.tags.as_ref().unwrap().len(), 1);
    assert_eq!(
        groups(&flow, inside())[0].group_name.as_deref(),
        Some("default")
    );
    assert_eq!(tables(&flow, inside())[0].routes.as_ref().unwrap().len(), 1);
    let request = api::DescribeNetworkAclsRequest {
        filters: inside(),
        ..Default::default()
    };
    let acls = describe_network_acls(&flow.view(), &caller(), request).unwrap();
    assert_eq!(
        acls.network_acls.unwrap()[0]
            .entries
            .as_ref()
            .unwrap()
            .len(),
        4
    );

    let subnet = make_subnet(&flow, &vpc, "10.0.1.0/24").await.unwrap();
    let error = remove_vpc(&flow, &vpc).await.unwrap_err();
    assert_eq!(
        error.message,
        format!("The vpc '{vpc}' has dependencies and cannot be deleted.")
    );
    remove_subnet(&flow, &subnet.subnet_id.unwrap())
        .await
        .unwrap();
    remove_vpc(&flow, &vpc).await.unwrap();
    assert_eq!(groups(&flow, inside()), []);
    assert_eq!(tables(&flow, inside()), []);
}

#[tokio::test]
async fn blocks_must_be_blocks_of_the_right_size_in_the_right_place() {
    let flow = flow();
    let vpc_cases = [
        ("10.0.0.0", "InvalidParameterValue"),
        ("10.0.0.0/8", "InvalidVpc.Range"),
        ("10.0.0.0/29", "InvalidVpc.Range"),
    ];
    for (block, expected) in vpc_cases {
        assert_eq!(code(make_vpc(&flow, block).await), expected, "{block}");
    }
    let vpc = make_vpc(&flow, "10.0.0.0/16").await.unwrap();
    let subnet = make_subnet(&flow, &vpc, "10.0.1.0/24").await.unwrap();
    assert_eq!(subnet.available_ip_address_count, Some(251));
    assert_eq!(subnet.availability_zone_id.as_deref(), Some("euw1-az1"));
    let subnet_cases = [
        ("10.1.0.0/24", "InvalidSubnet.Range"),
        ("10.0.0.0/30", "InvalidSubnet.Range"),
        ("10.0.1.128/25", "InvalidSubnet.Conflict"),
        ("10.0.0.0/20", "InvalidSubnet.Conflict"),
    ];
    for (block, expected) in subnet_cases {
        assert_eq!(
            code(make_subnet(&flow, &vpc, block).await),
            expected,
            "{block}"
        );
    }
    make_subnet(&flow, &vpc, "10.0.2.0/24").await.unwrap();
    let request = api::CreateSubnetRequest {
        vpc_id: Some(vpc),
        cidr_block: text("10.0.9.0/24"),
        availability_zone: text("eu-west-1z"),
        ..Default::default()
    };
    let result = write(&flow, |tx, caller| create_subnet(tx, caller, request)).await;
    assert!(
        result
            .unwrap_err()
            .message
            .contains("eu-west-1a, eu-west-1b, eu-west-1c")
    );
}

#[tokio::test]
async fn what_tasks_name_must_exist() {
    let flow = flow();
    let view = flow.view();
    let subnet = subnets(&flow, None)[0].subnet_id.clone().unwrap();
    let group = groups(&flow, None)[0].group_id.clone().unwrap();
    check_subnets(&view, &caller(), std::slice::from_ref(&subnet)).unwrap();
    check_security_groups(&view, &caller(), &[group]).unwrap();
    let error = check_subnets(&view, &caller(), &[subnet, "subnet-x".into()]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "InvalidSubnetID.NotFound: The subnet ID 'subnet-x' does not exist"
    );
    let error = check_security_groups(&view, &caller(), &["sg-x".into()]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "InvalidGroup.NotFound: The security group 'sg-x' does not exist"
    );
}

#[tokio::test]
async fn rules_are_bundled_told_singly_and_revoked() {
    let flow = flow();
    let vpc = make_vpc(&flow, "10.0.0.0/16").await.unwrap();
    let group = make_group(&flow, &vpc, "web").await.unwrap();
    assert_eq!(
        code(make_group(&flow, &vpc, "web").await),
        "InvalidGroup.Duplicate"
    );
    let rules = allow(&flow, &group, tcp(80, 80, &["0.0.0.0/0", "10.1.2.3/8"]))
        .await
        .unwrap();
    assert_eq!(rules.len(), 2);
    assert_eq!(rules[1].cidr_ipv4.as_deref(), Some("10.0.0.0/8"));
    let duplicate = allow(&flow, &group, tcp(80, 80, &["0.0.0.0/0"]))
        .await
        .unwrap_err();
    assert_eq!(
        duplicate.to_string(),
        "InvalidPermission.Duplicate: the specified rule \"peer: 0.0.0.0/0, TCP, from port: 80, to port: 80, ALLOW\" already exists"
    );
    let told = &groups(&flow, filter("group-id", &[&group]))[0];
    let ingress = told.ip_permissions.as_ref().unwrap();
    assert_eq!(
        (ingress.len(), ingress[0].ip_ranges.as_ref().unwrap().len()),
        (1, 2)
    );
    let egress = told.ip_permissions_egress.as_ref().unwrap();
    assert_eq!(egress[0].ip_protocol.as_deref(), Some("-1"));

    // Terraform takes the default rule away with ports that do not count.
    let request = api::RevokeSecurityGroupEgressRequest {
        group_id: Some(group.clone()),
        ip_permissions: Some(vec![api::IpPermission {
            ip_protocol: text("-1"),
            ..tcp(0, 0, &["0.0.0.0/0"])
        }]),
        ..Default::default()
    };
    let again = request.clone();
    write(&flow, |tx, caller| {
        revoke_security_group_egress(tx, caller, request)
    })
    .await
    .unwrap();
    let result = write(&flow, |tx, caller| {
        revoke_security_group_egress(tx, caller, again)
    })
    .await;
    assert_eq!(code(result), "InvalidPermission.NotFound");
    let request = api::RevokeSecurityGroupIngressRequest {
        group_id: Some(group.clone()),
        security_group_rule_ids: rules[0].security_group_rule_id.clone().map(|id| vec![id]),
        ..Default::default()
    };
    write(&flow, |tx, caller| {
        revoke_security_group_ingress(tx, caller, request)
    })
    .await
    .unwrap();
    let request = api::DescribeSecurityGroupRulesRequest {
        filters: filter("group-id", &[&group]),
        ..Default::default()
    };
    let left = describe_security_group_rules(&flow.view(), &caller(), request).unwrap();
    let left = left.security_group_rules.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(
        left[0].security_group_rule_id,
        rules[1].security_group_rule_id
    );
}

#[tokio::test]
async fn a_group_that_another_one_names_stays() {
    let flow = flow();
    let vpc = make_vpc(&flow, "10.0.0.0/16").await.unwrap();
    let (front, back) = (
        make_group(&flow, &vpc, "front").await.unwrap(),
        make_group(&flow, &vpc, "back").await.unwrap(),
    );
    let from_front = api::IpPermission {
        user_id_group_pairs: Some(vec![api::UserIdGroupPair {
            group_id: Some(front.clone()),
            ..Default::default()
        }]),
        ..tcp(1, 2, &[])
    };
    allow(&flow, &back, from_front).await.unwrap();
    let remove = |id: &str| api::DeleteSecurityGroupRequest {
        group_id: text(id),
        ..Default::default()
    };
    let request = remove(&front);
    let result = write(&flow, |tx, caller| {
        delete_security_group(tx, caller, request)
    })
    .await;
    assert_eq!(code(result), "DependencyViolation");
    for request in [remove(&back), remove(&front)] {
        write(&flow, |tx, caller| {
            delete_security_group(tx, caller, request)
        })
        .await
        .unwrap();
    }
    let default = groups(&flow, filter("vpc-id", &[&vpc]))[0]
        .group_id
        .clone()
        .unwrap();
    let request = remove(&default);
    let result = write(&flow, |tx, caller| {
        delete_security_group(tx, caller, request)
    })
    .await;
    assert_eq!(code(result), "CannotDelete");
}

#[tokio::test]
async fn ranges_of_ports_must_make_sense() {
    let flow = flow();
    let group = groups(&flow, None)[0].group_id.clone().unwrap();
    let none = api::IpPermission {
        from_port: None,
        ..tcp(1, 1, &["10.0.0.0/8"])
    };
    let odd = api::IpPermission {
        ip_protocol: text("warp"),
        ..tcp(1, 1, &["10.0.0.0/8"])
    };
    let cases = [
        tcp(5, 3, &["10.0.0.0/8"]),
        tcp(1, 70_000, &["10.0.0.0/8"]),
        tcp(1, 1, &["10.0.0.0/33"]),
        none,
        odd,
    ];
    for permission in cases {
        let result = allow(&flow, &group, permission.clone()).await;
        assert_eq!(code(result), "InvalidParameterValue", "{permission:?}");
    }
}

#[tokio::test]
async fn routes_lead_to_the_gateway_of_their_own_vpc() {
    let flow = flow();
    let vpc = make_vpc(&flow, "10.0.0.0/16").await.unwrap();
    let gateway = make_gateway(&flow).await;
    let create = api::CreateRouteTableRequest {
        vpc_id: Some(vpc.clone()),
        ..Default::default()
    };
    let made = write(&flow, |tx, caller| create_route_table(tx, caller, create))
        .await
        .unwrap();
    let table = made.route_table.unwrap().route_table_id.unwrap();
    let route = api::CreateRouteRequest {
        route_table_id: Some(table.clone()),
        destination_cidr_block: text("0.0.0.0/0"),
        gateway_id: Some(gateway.clone()),
        ..Default::default()
    };
    let again = || {
        let route = route.clone();
        write(&flow, |tx, caller| create_route(tx, caller, route))
    };
    assert_eq!(code(again().await), "InvalidParameterValue");
    let attach = api::AttachInternetGatewayRequest {
        internet_gateway_id: Some(gateway.clone()),
        vpc_id: Some(vpc.clone()),
        dry_run: None,
    };
    let twice = attach.clone();
    write(&flow, |tx, caller| {
        attach_internet_gateway(tx, caller, attach)
    })
    .await
    .unwrap();
    let result = write(&flow, |tx, caller| {
        attach_internet_gateway(tx, caller, twice)
    })
    .await;
    assert_eq!(code(result), "Resource.AlreadyAssociated");
    again().await.unwrap();
    assert_eq!(code(again().await), "RouteAlreadyExists");
    let delete = |destination: &str| api::DeleteRouteRequest {
        route_table_id: Some(table.clone()),
        destination_cidr_block: text(destination),
        ..Default::default()
    };
    for (destination, expected) in [
        ("10.0.0.0/16", "InvalidParameterValue"),
        ("10.9.0.0/16", "InvalidRoute.NotFound"),
    ] {
        let request = delete(destination);
        let result = write(&flow, |tx, caller| delete_route(tx, caller, request)).await;
        assert_eq!(code(result), expected);
    }
    let request = delete("0.0.0.0/0");
    write(&flow, |tx, caller| delete_route(tx, caller, request))
        .await
        .unwrap();
    assert_eq!(
        tables(&flow, filter("route-table-id", &[&table]))[0]
            .routes
            .as_ref()
            .unwrap()
            .len(),
        1
    );
    let request = api::DeleteInternetGatewayRequest {
        internet_gateway_id: Some(gateway),
        dry_run: None,
    };
    let result = write(&flow, |tx, caller| {
        delete_internet_gateway(tx, caller, request)
    })
    .await;
    assert_eq!(code(result), "DependencyViolation");
}

#[tokio::test]
async fn a_subnet_has_one_table_and_leaves_it_when_it_goes() {
    let flow = flow();
    let vpc = make_vpc(&flow, "10.0.0.0/16").await.unwrap();
    let subnet = make_subnet(&flow, &vpc, "10.0.1.0/24")
        .await
        .unwrap()
        .subnet_id
        .unwrap();
    let create = api::CreateRouteTableRequest {
        vpc_id: Some(vpc),
        ..Default::default()
    };
    let made = write(&flow, |tx, caller| create_route_table(tx, caller, create))
        .await
        .unwrap();
    let table = made.route_table.unwrap().route_table_id.unwrap();
    let request = api::AssociateRouteTableRequest {
        route_table_id: Some(table.clone()),
        subnet_id: Some(subnet.clone()),
        ..Default::default()
    };
    let again = request.clone();
    let made = write(&flow, |tx, caller| {
        associate_route_table(tx, caller, request)
    })
    .await
    .unwrap();
    assert!(made.association_id.unwrap().starts_with("rtbassoc-"));
    let result = write(&flow, |tx, caller| associate_route_table(tx, caller, again)).await;
    assert_eq!(code(result), "Resource.AlreadyAssociated");
    let remove = api::DeleteRouteTableRequest {
        route_table_id: Some(table.clone()),
        dry_run: None,
    };
    let again = remove.clone();
    let result = write(&flow, |tx, caller| delete_route_table(tx, caller, remove)).await;
    assert_eq!(code(result), "DependencyViolation");
    let main = tables(&flow, filter("association.main", &["true"]))[0].clone();
    let request = api::DisassociateRouteTableRequest {
        association_id: main.associations.unwrap()[0]
            .route_table_association_id
            .clone(),
        dry_run: None,
    };
    let result = write(&flow, |tx, caller| {
        disassociate_route_table(tx, caller, request)
    })
    .await;
    assert_eq!(code(result), "InvalidParameterValue");
    remove_subnet(&flow, &subnet).await.unwrap();
    write(&flow, |tx, caller| delete_route_table(tx, caller, again))
        .await
        .unwrap();
}

#[tokio::test]
async fn unknown_filters_ids_and_tokens_are_refused() {
    let flow = flow();
    let view = flow.view();
    let ask = |request| describe_vpcs(&view, &caller(), request).unwrap_err();
    let unknown = ask(api::DescribeVpcsRequest {
        filters: filter("colour", &["blue"]),
        ..Default::default()
    });
    assert_eq!(
        unknown.to_string(),
        "InvalidParameterValue: The filter 'colour' is invalid"
    );
    let missing = ask(api::DescribeVpcsRequest {
        vpc_ids: Some(vec!["vpc-x".to_owned()]),
        ..Default::default()
    });
    assert_eq!(
        missing.to_string(),
        "InvalidVpcID.NotFound: The vpc ID 'vpc-x' does not exist"
    );
    let foreign = ask(api::DescribeVpcsRequest {
        next_token: text("zz"),
        ..Default::default()
    });
    assert_eq!(foreign.code, "InvalidParameterValue");
    let dry = ask(api::DescribeVpcsRequest {
        dry_run: Some(true),
        ..Default::default()
    });
    assert_eq!((dry.status, dry.code.as_ref()), (412, "DryRunOperation"));
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let flow = flow();
    let request = api::CreateVpcRequest {
        cidr_block: text("10.0.0.0/16"),
        dry_run: Some(true),
        ..Default::default()
    };
    let result = write(&flow, |tx, caller| create_vpc(tx, caller, request)).await;
    assert_eq!(code(result), "DryRunOperation");
    assert_eq!(vpcs(&flow, &caller(), None).len(), 1);
}

#[tokio::test]
async fn tags_are_put_on_what_exists_and_listed() {
    let flow = flow();
    let vpc = vpcs(&flow, &caller(), None)[0].vpc_id.clone().unwrap();
    let tag = |key: &str, value: Option<&str>| api::Tag {
        key: text(key),
        value: value.map(str::to_owned),
    };
    let create = |id: &str| api::CreateTagsRequest {
        resources: Some(vec![id.to_owned()]),
        tags: Some(vec![
            tag("a", Some("1")),
            tag("b", Some("2")),
            tag("c", Some("3")),
        ]),
        dry_run: None,
    };
    for (id, expected) in [("vpc-x", "InvalidVpcID.NotFound"), ("what", "InvalidID")] {
        let request = create(id);
        let result = write(&flow, |tx, caller| create_tags(tx, caller, request)).await;
        assert_eq!(code(result), expected);
    }
    let request = create(&vpc);
    write(&flow, |tx, caller| create_tags(tx, caller, request))
        .await
        .unwrap();
    let request = api::DeleteTagsRequest {
        resources: Some(vec![vpc.clone()]),
        tags: Some(vec![tag("a", None), tag("b", Some("other"))]),
        dry_run: None,
    };
    write(&flow, |tx, caller| delete_tags(tx, caller, request))
        .await
        .unwrap();
    let request = api::DescribeTagsRequest {
        filters: filter("resource-type", &["vpc"]),
        ..Default::default()
    };
    let found = describe_tags(&flow.view(), &caller(), request)
        .unwrap()
        .tags
        .unwrap();
    let keys: Vec<_> = found.iter().filter_map(|t| t.key.as_deref()).collect();
    assert_eq!(keys, ["b", "c"]);
    assert_eq!(found[0].resource_id, Some(vpc));
}

#[tokio::test]
async fn attributes_of_a_vpc_are_told_and_changed() {
    let flow = flow();
    let vpc = make_vpc(&flow, "10.0.0.0/16").await.unwrap();
    let read = |attribute: &str| {
        let request = api::DescribeVpcAttributeRequest {
            attribute: text(attribute),
            vpc_id: Some(vpc.clone()),
            dry_run: None,
        };
        describe_vpc_attribute(&flow.view(), &caller(), request)
    };
    let value = |v: Option<api::AttributeBooleanValue>| v.unwrap().value;
    assert_eq!(
        value(read("enableDnsSupport").unwrap().enable_dns_support),
        Some(true)
    );
    let hostnames = || value(read("enableDnsHostnames").unwrap().enable_dns_hostnames);
    assert_eq!(hostnames(), Some(false));
    let request = api::ModifyVpcAttributeRequest {
        vpc_id: Some(vpc.clone()),
        enable_dns_hostnames: Some(api::AttributeBooleanValue { value: Some(true) }),
        ..Default::default()
    };
    write(&flow, |tx, caller| {
        modify_vpc_attribute(tx, caller, request)
    })
    .await
    .unwrap();
    assert_eq!(hostnames(), Some(true));
    assert_eq!(code(read("speed")), "InvalidParameterValue");
}

#[tokio::test]
async fn zones_have_the_names_and_ids_of_aws() {
    let flow = flow();
    let ids = |region: &str| {
        let request = api::DescribeAvailabilityZonesRequest::default();
        let answer = describe_availability_zones(&flow.view(), &caller_in(region), request);
        let zones = answer.unwrap().availability_zones.unwrap();
        zones
            .into_iter()
            .map(|z| z.zone_id.unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids("us-east-1"), ["use1-az1", "use1-az2", "use1-az3"]);
    assert_eq!(ids("ap-southeast-2")[0], "apse2-az1");
    assert_eq!(ids("us-gov-west-1")[0], "usgw1-az1");
}
