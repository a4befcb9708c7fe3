//! EC2, IAM and STS over a real socket: what the model serves has a verb, and forms and XML fit it. Never tests every
//! rule of a verb: the pipeline's own tests do.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use http::{Request, Response};
use hyper::body::Incoming;
use landfall_core::caller::Caller;
use landfall_core::clock::Timestamp;
use landfall_flow::{Flow, FlowParts};
use landfall_testkit::{FakeRuntime, MemoryContents, MemoryState, SeededIds, TestClock};
use landfall_wire::dispatch::{Dispatcher, RawHandler, Service};
use landfall_wire::http::Body;
use landfall_wire::protocol::full;
use landfall_wire::{ec2::Ec2, iam::Iam, sts::Sts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

struct Nobody;

#[async_trait]
impl RawHandler for Nobody {
    async fn call(&self, _: Caller, _: Request<Incoming>) -> Response<Body> {
        Response::new(full("nobody"))
    }
}

fn clock() -> Arc<TestClock> {
    Arc::new(TestClock::at(Timestamp(1_700_000_000_000)))
}

fn flow() -> Flow {
    Flow::open(FlowParts {
        state: Arc::new(MemoryState::new()),
        contents: Arc::new(MemoryContents::new()),
        runtime: Arc::new(FakeRuntime::new()),
        clock: clock(),
        ids: Arc::new(SeededIds::new(7)),
        endpoint: "http://127.0.0.1:4566".to_owned(),
        container_credentials: None,
        settings: landfall_core::settings::Settings::default(),
    })
    .unwrap()
}

async fn start() -> SocketAddr {
    let flow = flow();
    let ids = Arc::new(SeededIds::new(8));
    let dispatcher = Dispatcher::new(Arc::new(Nobody), Arc::new(Nobody), clock(), ids)
        .service(Arc::new(Ec2(flow.clone())))
        .service(Arc::new(Iam(flow.clone())))
        .service(Arc::new(Sts(flow)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = landfall_wire::http::serve(listener, Arc::new(dispatcher), std::future::pending());
    tokio::spawn(served);
    address
}

/// Sends a form, signed by the key for the service, and returns the whole answer.
async fn send(address: SocketAddr, key: &str, service: &str, form: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "POST / HTTP/1.1\r\nhost: 127.0.0.1:4566\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\n\
         authorization: AWS4-HMAC-SHA256 Credential={key}/20231114/eu-west-1/{service}/aws4_request, \
         SignedHeaders=host, Signature=00\r\ncontent-length: {}\r\n\r\n{form}",
        form.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// The text of the first element of this name.
fn element<'a>(answer: &'a str, name: &str) -> &'a str {
    let behind = answer.split_once(&format!("<{name}>"));
    let (_, rest) = behind.unwrap_or_else(|| panic!("no {name} in {answer}"));
    rest.split_once('<').unwrap().0
}

const KEY: &str = "123456789012";

#[tokio::test]
async fn every_operation_of_the_models_is_answered() {
    let flow = flow();
    let services: [Box<dyn Service>; 3] = [
        Box::new(Ec2(flow.clone())),
        Box::new(Iam(flow.clone())),
        Box::new(Sts(flow)),
    ];
    for service in services {
        let modelled: Vec<_> = service.model().operations.iter().map(|o| o.name).collect();
        assert_eq!(service.operations(), modelled);
    }
}

#[tokio::test]
async fn a_network_is_made_filtered_and_refused_in_xml() {
    let address = start().await;
    let ask = async |form: &str| {
        let form = format!("Version=2016-11-15&Action={form}");
        send(address, KEY, "ec2", &form).await
    };
    let made = ask(
        "CreateVpc&CidrBlock=10.0.0.0%2F16&TagSpecification.1.ResourceType=vpc\
         &TagSpecification.1.Tag.1.Key=Name&TagSpecification.1.Tag.1.Value=net",
    )
    .await;
    let vpc = element(&made, "vpcId");
    let found = ask("DescribeVpcs&Filter.1.Name=tag%3AName&Filter.1.Value.1=net").await;
    assert_eq!(element(&found, "vpcId"), vpc);
    assert_eq!(found.matches("<vpcId>").count(), 1);
    let group = ask(&format!(
        "CreateSecurityGroup&GroupName=web&GroupDescription=d&VpcId={vpc}"
    ))
    .await;
    let group = element(&group, "groupId");
    let rule = ask(&format!(
        "AuthorizeSecurityGroupIngress&GroupId={group}&IpPermissions.1.IpProtocol=tcp\
         &IpPermissions.1.FromPort=80&IpPermissions.1.ToPort=80&IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0%2F0"
    ))
    .await;
    assert_eq!(element(&rule, "cidrIpv4"), "0.0.0.0/0");
    let missing = ask("DescribeSubnets&SubnetId.1=subnet-x").await;
    assert!(missing.starts_with("HTTP/1.1 400"), "{missing}");
    assert_eq!(element(&missing, "Code"), "InvalidSubnetID.NotFound");
    assert_eq!(
        element(&missing, "Message"),
        "The subnet ID &apos;subnet-x&apos; does not exist"
    );
    let dry = ask("CreateInternetGateway&DryRun=true").await;
    assert!(dry.starts_with("HTTP/1.1 412"), "{dry}");
}

#[tokio::test]
async fn a_role_is_made_and_read_and_missed() {
    let address = start().await;
    let ask = async |form: &str| {
        let form = format!("Version=2010-05-08&Action={form}");
        send(address, KEY, "iam", &form).await
    };
    let made =
        ask("CreateRole&RoleName=r&AssumeRolePolicyDocument=%7B%22Statement%22%3A%5B%5D%7D").await;
    assert_eq!(element(&made, "Arn"), "arn:aws:iam::123456789012:role/r");
    let read = ask("GetRole&RoleName=r").await;
    assert_eq!(element(&read, "RoleId"), element(&made, "RoleId"));
    assert_eq!(
        element(&read, "AssumeRolePolicyDocument"),
        "%7B%22Statement%22%3A%5B%5D%7D"
    );
    assert_eq!(element(&read, "CreateDate"), "2023-11-14T22:13:20Z");
    let missing = ask("GetRole&RoleName=x").await;
    assert!(missing.starts_with("HTTP/1.1 404"), "{missing}");
    assert_eq!(element(&missing, "Code"), "NoSuchEntity");
}

#[tokio::test]
async fn an_assumed_role_acts_in_its_own_account() {
    let address = start().await;
    let assume = "Version=2011-06-15&Action=AssumeRole&RoleSessionName=me\
                  &RoleArn=arn%3Aaws%3Aiam%3A%3A210987654321%3Arole%2Fdeploy";
    let session = send(address, KEY, "sts", assume).await;
    let key = element(&session, "AccessKeyId");
    let who = "Version=2011-06-15&Action=GetCallerIdentity";
    let own = send(address, KEY, "sts", who).await;
    assert_eq!(element(&own, "Account"), KEY);
    let other = send(address, key, "sts", who).await;
    assert_eq!(element(&other, "Account"), "210987654321");
}
