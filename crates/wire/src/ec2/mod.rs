//! The networks of Amazon EC2. Never starts an instance.

use landfall_core::api::generated::ec2 as api;
use landfall_flow::Flow;
use landfall_flow::keep::networks;

/// The service.
pub struct Ec2(pub Flow);

crate::service! {
    impl Ec2 for api::SERVICE {
        AssociateRouteTable => associate_route_table,
        AttachInternetGateway => attach_internet_gateway,
        AuthorizeSecurityGroupEgress => authorize_security_group_egress,
        AuthorizeSecurityGroupIngress => authorize_security_group_ingress,
        CreateInternetGateway => create_internet_gateway,
        CreateRoute => create_route,
        CreateRouteTable => create_route_table,
        CreateSecurityGroup => create_security_group,
        CreateSubnet => create_subnet,
        CreateTags => create_tags,
        CreateVpc => create_vpc,
        DeleteInternetGateway => delete_internet_gateway,
        DeleteRoute => delete_route,
        DeleteRouteTable => delete_route_table,
        DeleteSecurityGroup => delete_security_group,
        DeleteSubnet => delete_subnet,
        DeleteTags => delete_tags,
        DeleteVpc => delete_vpc,
        DescribeAvailabilityZones => describe_availability_zones,
        DescribeInternetGateways => describe_internet_gateways,
        DescribeNetworkAcls => describe_network_acls,
        DescribeNetworkInterfaces => describe_network_interfaces,
        DescribeRouteTables => describe_route_tables,
        DescribeSecurityGroupRules => describe_security_group_rules,
        DescribeSecurityGroups => describe_security_groups,
        DescribeSubnets => describe_subnets,
        DescribeTags => describe_tags,
        DescribeVpcAttribute => describe_vpc_attribute,
        DescribeVpcs => describe_vpcs,
        DetachInternetGateway => detach_internet_gateway,
        DisassociateRouteTable => disassociate_route_table,
        ModifySubnetAttribute => modify_subnet_attribute,
        ModifyVpcAttribute => modify_vpc_attribute,
        RevokeSecurityGroupEgress => revoke_security_group_egress,
        RevokeSecurityGroupIngress => revoke_security_group_ingress,
    }
}

crate::verbs! { Ec2 {
    write associate_route_table(api::AssociateRouteTableRequest) -> api::AssociateRouteTableResult =
        |tx, caller, r| networks::associate_route_table(tx, caller, r);
    write attach_internet_gateway(api::AttachInternetGatewayRequest) -> () =
        |tx, caller, r| networks::attach_internet_gateway(tx, caller, r);
    write authorize_security_group_egress(api::AuthorizeSecurityGroupEgressRequest) -> api::AuthorizeSecurityGroupEgressResult =
        |tx, caller, r| networks::authorize_security_group_egress(tx, caller, r);
    write authorize_security_group_ingress(api::AuthorizeSecurityGroupIngressRequest) -> api::AuthorizeSecurityGroupIngressResult =
        |tx, caller, r| networks::authorize_security_group_ingress(tx, caller, r);
    write create_internet_gateway(api::CreateInternetGatewayRequest) -> api::CreateInternetGatewayResult =
        |tx, caller, r| networks::create_internet_gateway(tx, caller, r);
    write create_route(api::CreateRouteRequest) -> api::CreateRouteResult =
        |tx, caller, r| networks::create_route(tx, caller, r);
    write create_route_table(api::CreateRouteTableRequest) -> api::CreateRouteTableResult =
        |tx, caller, r| networks::create_route_table(tx, caller, r);
    write create_security_group(api::CreateSecurityGroupRequest) -> api::CreateSecurityGroupResult =
        |tx, caller, r| networks::create_security_group(tx, caller, r);
    write create_subnet(api::CreateSubnetRequest) -> api::CreateSubnetResult =
        |tx, caller, r| networks::create_subnet(tx, caller, r);
    write create_tags(api::CreateTagsRequest) -> () =
        |tx, caller, r| networks::create_tags(tx, caller, r);
    write create_vpc(api::CreateVpcRequest) -> api::CreateVpcResult =
        |tx, caller, r| networks::create_vpc(tx, caller, r);
    write delete_internet_gateway(api::DeleteInternetGatewayRequest) -> () =
        |tx, caller, r| networks::delete_internet_gateway(tx, caller, r);
    write delete_route(api::DeleteRouteRequest) -> () =
        |tx, caller, r| networks::delete_route(tx, caller, r);
    write delete_route_table(api::DeleteRouteTableRequest) -> () =
        |tx, caller, r| networks::delete_route_table(tx, caller, r);
    write delete_security_group(api::DeleteSecurityGroupRequest) -> api::DeleteSecurityGroupResult =
        |tx, caller, r| networks::delete_security_group(tx, caller, r);
    write delete_subnet(api::DeleteSubnetRequest) -> () =
        |tx, caller, r| networks::delete_subnet(tx, caller, r);
    write delete_tags(api::DeleteTagsRequest) -> () =
        |tx, caller, r| networks::delete_tags(tx, caller, r);
    write delete_vpc(api::DeleteVpcRequest) -> () =
        |tx, caller, r| networks::delete_vpc(tx, caller, r);
    read describe_availability_zones(api::DescribeAvailabilityZonesRequest) -> api::DescribeAvailabilityZonesResult =
        |db, caller, r| networks::describe_availability_zones(db, caller, r.clone());
    read describe_internet_gateways(api::DescribeInternetGatewaysRequest) -> api::DescribeInternetGatewaysResult =
        |db, caller, r| networks::describe_internet_gateways(db, caller, r.clone());
    read describe_network_acls(api::DescribeNetworkAclsRequest) -> api::DescribeNetworkAclsResult =
        |db, caller, r| networks::describe_network_acls(db, caller, r.clone());
    read describe_network_interfaces(api::DescribeNetworkInterfacesRequest) -> api::DescribeNetworkInterfacesResult =
        |db, caller, r| networks::describe_network_interfaces(db, caller, r.clone());
    read describe_route_tables(api::DescribeRouteTablesRequest) -> api::DescribeRouteTablesResult =
        |db, caller, r| networks::describe_route_tables(db, caller, r.clone());
    read describe_security_group_rules(api::DescribeSecurityGroupRulesRequest) -> api::DescribeSecurityGroupRulesResult =
        |db, caller, r| networks::describe_security_group_rules(db, caller, r.clone());
    read describe_security_groups(api::DescribeSecurityGroupsRequest) -> api::DescribeSecurityGroupsResult =
        |db, caller, r| networks::describe_security_groups(db, caller, r.clone());
    read describe_subnets(api::DescribeSubnetsRequest) -> api::DescribeSubnetsResult =
        |db, caller, r| networks::describe_subnets(db, caller, r.clone());
    read describe_tags(api::DescribeTagsRequest) -> api::DescribeTagsResult =
        |db, caller, r| networks::describe_tags(db, caller, r.clone());
    read describe_vpc_attribute(api::DescribeVpcAttributeRequest) -> api::DescribeVpcAttributeResult =
        |db, caller, r| networks::describe_vpc_attribute(db, caller, r.clone());
    read describe_vpcs(api::DescribeVpcsRequest) -> api::DescribeVpcsResult =
        |db, caller, r| networks::describe_vpcs(db, caller, r.clone());
    write detach_internet_gateway(api::DetachInternetGatewayRequest) -> () =
        |tx, caller, r| networks::detach_internet_gateway(tx, caller, r);
    write disassociate_route_table(api::DisassociateRouteTableRequest) -> () =
        |tx, caller, r| networks::disassociate_route_table(tx, caller, r);
    write modify_subnet_attribute(api::ModifySubnetAttributeRequest) -> () =
        |tx, caller, r| networks::modify_subnet_attribute(tx, caller, r);
    write modify_vpc_attribute(api::ModifyVpcAttributeRequest) -> () =
        |tx, caller, r| networks::modify_vpc_attribute(tx, caller, r);
    write revoke_security_group_egress(api::RevokeSecurityGroupEgressRequest) -> api::RevokeSecurityGroupEgressResult =
        |tx, caller, r| networks::revoke_security_group_egress(tx, caller, r);
    write revoke_security_group_ingress(api::RevokeSecurityGroupIngressRequest) -> api::RevokeSecurityGroupIngressResult =
        |tx, caller, r| networks::revoke_security_group_ingress(tx, caller, r);
}}
