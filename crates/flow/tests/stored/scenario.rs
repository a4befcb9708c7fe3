//! Fills a store with at least one entry of every record: one function for each room, in the order of a day.
//! Every step waits for its consequences, so that the same bytes come out each time. A new step goes in front of
//! `stand_still`, where it moves the fewest numbers; `going_on` holds for the stores of all former scenarios too.

use futures::stream;
use landfall_core::caller::Caller;
use landfall_core::clock::Clock as _;
use landfall_core::event::CreatedReason;
use landfall_flow::deliver::{Delivery, Outcome};
use landfall_flow::keep::{logs, networks, parameters, queues, roles};
use landfall_flow::land::checksum::{Algorithm, Coverage};
use landfall_flow::land::condition::WriteCondition;
use landfall_flow::land::model::{Attributes, Tags, VersionRecord, Versioning};
use landfall_flow::land::multipart::{self, Completion, NamedPart, NewUpload};
use landfall_flow::land::object::{self, NewObject};
use landfall_flow::land::receive::{Claims, receive};
use landfall_flow::land::{bucket, config};
use landfall_flow::route::{bus, put_events, rules, targets};
use landfall_flow::run::{TaskRecord, cluster, definition, run_task, task};
use landfall_flow::runtime::OutputStream;
use landfall_flow::{Key, Reader as _, Tx, build};
use landfall_testkit::{FakeRuntime, MemoryContents, MemoryState};
use serde_json::{Value, json};

use super::house::{BEGIN, ENDPOINT, House, bytes, caller};
use super::trails::trail;

/// Where things are in the account of the scenario.
pub const ARN_ENDS: (&str, &str) = ("arn:aws:", ":us-east-1:000000000000:");
/// The receipt handle that a client holds at the end of the day.
pub const IN_FLIGHT: &str = "Mzo0OjU";
/// Between two steps of the day.
pub const STEP_MILLIS: i64 = 1_500;
const PART_BYTES: usize = 5 * 1024 * 1024;
/// A policy under which EventBridge may write wherever it stands.
pub const EVENTS_MAY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"*","Resource":"*"}]}"#;
const NOTHING: &str = r#"{"Version":"2012-10-17","Statement":[]}"#;

/// An ARN of the scenario's account and region.
pub fn arn(service: &str, resource: &str) -> String {
    format!("{}{service}{}{resource}", ARN_ENDS.0, ARN_ENDS.1)
}

/// The store at the end of the day: work is waiting in every room.
pub async fn play() -> House {
    let house = House::open(
        MemoryState::new(),
        MemoryContents::new(),
        FakeRuntime::new(),
        BEGIN,
    );
    keep_parameters(&house).await;
    keep_roles(&house).await;
    let subnet = keep_networks(&house).await;
    keep_queues(&house).await;
    keep_logs(&house).await;
    land_buckets(&house).await;
    land_objects(&house).await;
    land_parts(&house).await;
    run_definitions(&house).await;
    route_rules(&house).await;
    run_tasks(&house, &subnet).await;
    deliver(&house).await;
    build_stacks(&house).await;
    build_interrupted(&house).await;
    trail(&house).await;
    stand_still(&house).await;
    house
}

async fn keep_parameters(house: &House) {
    let puts = [
        json!({"Name": "/csv/table", "Value": "one", "Type": "String", "Description": "where rows go",
               "AllowedPattern": "[a-z]+", "Tags": [{"Key": "team", "Value": "a"}]}),
        json!({"Name": "/csv/table", "Value": "two", "Overwrite": true}),
        json!({"Name": "/csv/columns", "Value": "a,b", "Type": "StringList"}),
        json!({"Name": "secret", "Value": "s3cr3t", "Type": "SecureString", "KeyId": "alias/aws/ssm"}),
    ];
    for put in puts {
        house.later(STEP_MILLIS);
        house.give(parameters::put, put).await;
    }
}

async fn keep_roles(house: &House) {
    house.later(STEP_MILLIS);
    let role = json!({
        "RoleName": "Runner", "Path": "/jobs/", "Description": "runs tasks", "MaxSessionDuration": 7200,
        "AssumeRolePolicyDocument": NOTHING,
        "Tags": [{"Key": "team", "Value": "a"}, {"Key": "stage", "Value": "dev"}],
    });
    house.give(roles::create_role, role).await;
    let session = json!({"RoleArn": arn("iam", "role/jobs/Runner"), "RoleSessionName": "golden"});
    house.give(roles::assume_role, session).await;
    let inline = json!({"RoleName": "Runner", "PolicyName": "own", "PolicyDocument": NOTHING});
    house.give(roles::put_role_policy, inline).await;
    let policy = json!({"PolicyName": "Reads", "Description": "reads", "PolicyDocument": NOTHING});
    house.give(roles::create_policy, policy).await;
    for policy in ["000000000000:policy/Reads", "aws:policy/ReadOnlyAccess"] {
        let attach = json!({"RoleName": "Runner", "PolicyArn": format!("arn:aws:iam::{policy}")});
        house.give(roles::attach_role_policy, attach).await;
    }
}

/// A network of every resource; its subnet.
async fn keep_networks(house: &House) -> String {
    let vpc = json!({
        "CidrBlock": "10.0.0.0/16",
        "TagSpecifications": [{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "main"}]}],
    });
    let vpc = house.give(networks::create_vpc, vpc).await.vpc.unwrap();
    let vpc = vpc.vpc_id.unwrap();
    let subnet =
        json!({"VpcId": vpc, "CidrBlock": "10.0.1.0/24", "AvailabilityZone": "us-east-1b"});
    let subnet = house.give(networks::create_subnet, subnet).await;
    let subnet = subnet.subnet.unwrap().subnet_id.unwrap();
    let gateway = house
        .give(networks::create_internet_gateway, json!({}))
        .await;
    let gateway = gateway.internet_gateway.unwrap().internet_gateway_id;
    let attach = json!({"InternetGatewayId": gateway, "VpcId": vpc});
    house.give(networks::attach_internet_gateway, attach).await;
    let table = house
        .give(networks::create_route_table, json!({"VpcId": vpc}))
        .await;
    let table = table.route_table.unwrap().route_table_id;
    let route =
        json!({"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": gateway});
    house.give(networks::create_route, route).await;
    let associate = json!({"RouteTableId": table, "SubnetId": subnet});
    house.give(networks::associate_route_table, associate).await;
    let group = json!({"GroupName": "web", "Description": "web", "VpcId": vpc});
    let group = house
        .give(networks::create_security_group, group)
        .await
        .group_id;
    let from = json!([
        {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443,
         "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "inside"}], "Ipv6Ranges": [{"CidrIpv6": "::/0"}]},
        {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "UserIdGroupPairs": [{"GroupId": group}]},
        {"IpProtocol": "-1", "PrefixListIds": [{"PrefixListId": "pl-0123456789abcdef0"}]},
    ]);
    let ingress = json!({"GroupId": group, "IpPermissions": from});
    house
        .give(networks::authorize_security_group_ingress, ingress)
        .await;
    subnet
}

async fn create_queue(house: &House, json: Value) {
    house
        .give(
            |tx: &mut Tx<'_>, c: &Caller, q| queues::create(tx, c, ENDPOINT, q),
            json,
        )
        .await;
}

/// A queue with a message that nobody has seen, one in flight and one that is delayed.
async fn keep_queues(house: &House) {
    house.later(STEP_MILLIS);
    for name in ["dead", "letters"] {
        let open = json!({"QueueName": name, "Attributes": {"Policy": EVENTS_MAY}});
        create_queue(house, open).await;
    }
    let redrive = json!({"deadLetterTargetArn": arn("sqs", "dead"), "maxReceiveCount": 3});
    let work = json!({
        "QueueName": "work", "tags": {"team": "a"},
        "Attributes": {"VisibilityTimeout": "60", "RedrivePolicy": redrive.to_string()},
    });
    create_queue(house, work).await;
    let url = format!("{ENDPOINT}/000000000000/work");
    let first = json!({"QueueUrl": url, "MessageBody": "in flight"});
    house.give(queues::send, first).await;
    let receive = json!({"QueueUrl": url, "VisibilityTimeout": 43200});
    let received = house.lend(queues::receive, receive).await;
    let handle = received.messages.unwrap()[0].receipt_handle.clone();
    assert_eq!(handle.as_deref(), Some(IN_FLIGHT));
    let others = [
        json!({"QueueUrl": url, "MessageBody": "visible", "MessageAttributes": {
            "n": {"DataType": "Number", "StringValue": "1"}, "b": {"DataType": "Binary", "BinaryValue": "AAE="}}}),
        json!({"QueueUrl": url, "MessageBody": "delayed", "DelaySeconds": 900}),
    ];
    for message in others {
        house.give(queues::send, message).await;
    }
}

async fn keep_logs(house: &House) {
    house.later(STEP_MILLIS);
    let group = json!({"logGroupName": "/csv", "tags": {"team": "a"}, "logGroupClass": "STANDARD"});
    house.give(logs::create_group, group).await;
    let retention = json!({"logGroupName": "/csv", "retentionInDays": 30});
    house.lend(logs::put_retention, retention).await;
    for stream in ["empty", "full"] {
        let stream = json!({"logGroupName": "/csv", "logStreamName": stream});
        house.lend(logs::create_stream, stream).await;
    }
    let at = house.clock.now().0;
    let events = json!({
        "logGroupName": "/csv", "logStreamName": "full",
        "logEvents": [{"timestamp": at - 1, "message": "one"}, {"timestamp": at, "message": "two\u{e9}\n"}],
    });
    house.give(logs::put_events, events).await;
    let policy = json!({"policyName": "events", "policyDocument": EVENTS_MAY});
    house.give(logs::put_resource_policy, policy).await;
}

/// A bucket of each kind, one of them with every configuration.
async fn land_buckets(house: &House) {
    house.later(STEP_MILLIS);
    let make = |tx: &mut Tx<'_>| {
        for name in ["inbox", "kept", "plain"] {
            bucket::create_bucket(tx, &caller(), name, "us-east-1")?;
        }
        bucket::put_versioning(tx, "kept", Versioning::Enabled)?;
        bucket::put_event_bridge(tx, "inbox", true)?;
        let public = config::PublicAccessBlock {
            block_public_acls: true,
            ..Default::default()
        };
        bucket::put_config(tx, "plain", &public)?;
        let tags = vec![("team".to_owned(), "a".to_owned())];
        bucket::put_config(tx, "plain", &config::Tagging { tags })?;
        let rule = "BucketOwnerEnforced".to_owned();
        bucket::put_config(tx, "plain", &config::Ownership { rule })?;
        let text = NOTHING.to_owned();
        bucket::put_config(tx, "plain", &config::Policy { text })?;
        let canned = "private".to_owned();
        bucket::put_config(tx, "plain", &config::Acl { canned })?;
        bucket::put_config(tx, "plain", &config::Encryption::standard())
    };
    house.write(make).await;
}

/// Puts an object of so many bytes.
pub async fn put(
    house: &House,
    bucket: &str,
    key: &str,
    length: usize,
    keep: Option<Algorithm>,
) -> VersionRecord {
    put_with(house, bucket, key, length, keep, Attributes::default()).await
}

async fn put_with(
    house: &House,
    bucket: &str,
    key: &str,
    length: usize,
    keep: Option<Algorithm>,
    attributes: Attributes,
) -> VersionRecord {
    house.later(STEP_MILLIS);
    let claims = Claims {
        keep,
        ..Claims::default()
    };
    let body = stream::iter([Ok(bytes(length))]);
    let received = receive(&house.flow, body, claims).await.expect("received");
    let new = NewObject {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        tags: attributes.metadata.clone().into_iter().collect(),
        attributes,
        condition: WriteCondition::default(),
        reason: CreatedReason::PutObject,
    };
    let commit = received.commit(&house.flow, move |tx, received| {
        object::put_object(tx, &caller(), new, received)
    });
    commit.await.expect("put")
}

/// Versions, a delete marker, a null version, keys that need escaping, every algorithm, bodies of every kind.
async fn land_objects(house: &House) {
    let attributes = Attributes {
        content_type: Some("text/csv".to_owned()),
        cache_control: Some("no-cache".to_owned()),
        content_disposition: Some("inline".to_owned()),
        content_encoding: Some("gzip".to_owned()),
        content_language: Some("de".to_owned()),
        expires: Some("Thu, 01 Dec 2033 16:00:00 GMT".to_owned()),
        website_redirect: Some("/there".to_owned()),
        storage_class: Some("STANDARD_IA".to_owned()),
        acl: Some("public-read".to_owned()),
        metadata: [("note".to_owned(), "b+\u{e9}".to_owned())].into(),
    };
    put_with(
        house,
        "plain",
        "a b+\u{e9}|\0#.csv",
        40,
        Some(Algorithm::Sha256),
        attributes,
    )
    .await;
    put(house, "plain", "empty", 0, Some(Algorithm::Crc32)).await;
    put(house, "plain", "large", 20_000, Some(Algorithm::Crc32c)).await;
    for length in [1, 2] {
        put(house, "kept", "twice", length, Some(Algorithm::Sha1)).await;
    }
    put(house, "kept", "gone", 3, None).await;
    let delete = |tx: &mut Tx<'_>| {
        let condition = WriteCondition::default();
        object::delete_object(tx, &caller(), "kept", "gone", None, &condition)
    };
    assert!(house.write(delete).await.delete_marker);
    let suspend = |tx: &mut Tx<'_>| bucket::put_versioning(tx, "kept", Versioning::Suspended);
    house.write(suspend).await;
    put(house, "kept", "twice", 4, None).await;
}

async fn upload(
    house: &House,
    key: &str,
    algorithm: Option<Algorithm>,
    coverage: Option<Coverage>,
) -> String {
    house.later(STEP_MILLIS);
    let new = NewUpload {
        bucket: "plain".to_owned(),
        key: key.to_owned(),
        attributes: Attributes::default(),
        tags: Tags::new(),
        algorithm,
        coverage,
    };
    let create = move |tx: &mut Tx<'_>| multipart::create_upload(tx, new);
    house.write(create).await.upload_id
}

async fn put_part(
    house: &House,
    key: &'static str,
    id: &str,
    number: u16,
    length: usize,
) -> NamedPart {
    let claims = Claims {
        keep: Some(Algorithm::Crc32),
        ..Claims::default()
    };
    let body = stream::iter([Ok(bytes(length))]);
    let received = receive(&house.flow, body, claims).await.expect("received");
    let id = id.to_owned();
    let commit = received.commit(&house.flow, move |tx, received| {
        multipart::put_part(tx, "plain", key, &id, number, received)
    });
    let part = commit.await.expect("put");
    NamedPart {
        number: i32::from(number),
        etag: part.etag,
        checksum: None,
    }
}

/// An object in parts, and an upload that goes on tomorrow.
async fn land_parts(house: &House) {
    let id = upload(
        house,
        "parts",
        Some(Algorithm::Crc32),
        Some(Coverage::Composite),
    )
    .await;
    let parts = vec![
        put_part(house, "parts", &id, 1, PART_BYTES).await,
        put_part(house, "parts", &id, 7, 9).await,
    ];
    let completion = Completion {
        bucket: "plain".to_owned(),
        key: "parts".to_owned(),
        upload_id: id,
        parts,
        condition: WriteCondition::default(),
        checksum: None,
        coverage: None,
        size: None,
    };
    let complete = move |tx: &mut Tx<'_>| multipart::complete_upload(tx, &caller(), &completion);
    house.write(complete).await;
    let id = upload(house, "unfinished", None, None).await;
    put_part(house, "unfinished", &id, 1, PART_BYTES).await;
    put_part(house, "unfinished", &id, 2, 5).await;
}

async fn run_definitions(house: &House) {
    house.later(STEP_MILLIS);
    let batch = json!({
        "clusterName": "batch", "tags": [{"key": "team", "value": "a"}],
        "settings": [{"name": "containerInsights", "value": "disabled"}],
        "capacityProviders": ["FARGATE"],
        "defaultCapacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1, "base": 0}],
        "configuration": {"executeCommandConfiguration": {"logging": "DEFAULT"}},
    });
    house.give(cluster::create, batch).await;
    house
        .give(cluster::create, json!({"clusterName": "closed"}))
        .await;
    house
        .lend(cluster::delete, json!({"cluster": "closed"}))
        .await;
    let log = json!({"logDriver": "awslogs", "options": {
        "awslogs-group": "/tasks", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "t",
        "awslogs-create-group": "true"}});
    let csv = json!({
        "family": "csv", "taskRoleArn": "arn:aws:iam::000000000000:role/jobs/Runner",
        "tags": [{"key": "team", "value": "a"}],
        "containerDefinitions": [{
            "name": "app", "image": "app:1", "memory": 64, "entryPoint": ["/bin/app"], "command": ["-v"],
            "environment": [{"name": "OBJECT_KEY", "value": "unset"}], "logConfiguration": log,
        }],
    });
    house.give(definition::register, csv.clone()).await;
    house.give(definition::register, csv).await;
    house
        .lend(definition::deregister, json!({"taskDefinition": "csv:1"}))
        .await;
    let net = json!({
        "family": "net", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
        "cpu": "256", "memory": "512", "containerDefinitions": [{"name": "app", "image": "app:2"}],
    });
    house.give(definition::register, net).await;
}

/// A rule for each kind of target and for each way to give up, on the default bus and on one with a name.
async fn route_rules(house: &House) {
    house.later(STEP_MILLIS);
    let orders =
        json!({"Name": "orders", "Description": "orders", "Tags": [{"Key": "team", "Value": "a"}]});
    house.give(bus::create, orders).await;
    let permission = json!({"EventBusName": "orders", "StatementId": "all", "Principal": "*",
                            "Action": "events:PutEvents"});
    house.lend(bus::put_permission, permission).await;
    let arrivals = json!({"source": ["aws.s3"], "detail-type": ["Object Created"],
                          "detail": {"object": {"key": [{"prefix": "in/"}]}}});
    let dead = json!({"Arn": arn("sqs", "dead")});
    let template = r#"{"containerOverrides":[{"name":"app","environment":[{"name":"OBJECT_KEY","value":<key>}]}]}"#;
    let task = json!({
        "Id": "task", "Arn": arn("ecs", "cluster/batch"), "RoleArn": "arn:aws:iam::000000000000:role/jobs/Runner",
        "EcsParameters": {"TaskDefinitionArn": "csv", "TaskCount": 1, "PropagateTags": "TASK_DEFINITION",
                          "EnableECSManagedTags": true, "Group": "g", "Tags": [{"Key": "stage", "Value": "dev"}]},
        "InputTransformer": {"InputPathsMap": {"key": "$.detail.object.key"}, "InputTemplate": template},
        "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 3600},
        "DeadLetterConfig": dead,
    });
    let closed = |dead: Option<Value>| {
        json!({"Id": "task", "Arn": arn("ecs", "cluster/closed"), "DeadLetterConfig": dead,
               "RoleArn": "arn:aws:iam::000000000000:role/x", "EcsParameters": {"TaskDefinitionArn": "csv"}})
    };
    let no_queue = json!({"Arn": arn("sqs", "never-there")});
    rule(house, "arrivals", arrivals, task).await;
    let letters = json!({"Id": "queue", "Arn": arn("sqs", "letters"), "InputPath": "$.detail"});
    rule(house, "letters", of_type("letter"), letters).await;
    let notes =
        json!({"Id": "log", "Arn": arn("logs", "log-group:/csv"), "Input": r#"{"constant":1}"#});
    rule(house, "notes", of_type("note"), notes).await;
    let passed = json!({"Id": "bus", "Arn": arn("events", "event-bus/orders")});
    rule(house, "passed", of_type("passed"), passed).await;
    rule(house, "given-up", of_type("doomed"), closed(None)).await;
    rule(
        house,
        "given-up-sent",
        of_type("doomed"),
        closed(Some(dead)),
    )
    .await;
    rule(
        house,
        "given-up-failed",
        of_type("doomed"),
        closed(Some(no_queue)),
    )
    .await;
    let off = json!({"Name": "off", "EventBusName": "orders", "State": "DISABLED", "Description": "sleeps",
                     "RoleArn": "arn:aws:iam::000000000000:role/x", "EventPattern": r#"{"source":["demo"]}"#,
                     "Tags": [{"Key": "team", "Value": "a"}]});
    house.give(rules::put, off).await;
}

fn of_type(kind: &str) -> Value {
    json!({"source": ["demo"], "detail-type": [kind]})
}

/// A rule of the default bus with its one target.
pub async fn rule(house: &House, name: &str, pattern: Value, target: Value) {
    let put = json!({"Name": name, "EventPattern": pattern.to_string()});
    house.give(rules::put, put).await;
    let put = json!({"Rule": name, "Targets": [target]});
    assert_eq!(
        house.give(targets::put, put).await.failed_entry_count,
        Some(0)
    );
}

async fn send(house: &House, kind: &str) {
    house.later(STEP_MILLIS);
    let entry = json!({"Source": "demo", "DetailType": kind, "Detail": r#"{"n":1}"#, "Resources": ["arn:aws:x:::y"]});
    let sent = house
        .give(put_events::put, json!({"Entries": [entry]}))
        .await;
    assert_eq!(sent.failed_entry_count, Some(0));
}

async fn start(house: &House, json: Value) -> String {
    house.later(STEP_MILLIS);
    let verb = |tx: &mut Tx<'_>, c: &Caller, q| run_task(tx, c, q, None);
    let tasks = house.give(verb, json).await.tasks.unwrap();
    tasks[0].task_arn.clone().unwrap()
}

/// A task that an arriving object started and that has ended, one that could not start, one that runs.
async fn run_tasks(house: &House, subnet: &str) {
    put(house, "inbox", "in/a b+\u{e9}.csv", 6, None).await;
    house.runtime.wait_for_starts(1).await;
    let arrived = house
        .flow
        .view()
        .all::<TaskRecord>(&Key::new("task"))
        .unwrap();
    let arn = arrived[0].arn().to_owned();
    house.task_is(&arn, "RUNNING").await;
    let container = format!("{}-0", house.task(&arn).id);
    house.later(STEP_MILLIS);
    assert!(
        house
            .runtime
            .print(&container, OutputStream::Stdout, "3 rows")
    );
    let read = |house: &House| house.task(&arn).output_positions.values().eq(&[1]);
    house.until("the line is in the log", read).await;
    house.later(STEP_MILLIS);
    assert!(house.runtime.exit(&container, 3));
    house.task_is(&arn, "STOPPED").await;

    house.runtime.fail_pulls_of("app:1");
    let failed =
        json!({"cluster": "batch", "taskDefinition": "csv", "clientToken": "cannot start"});
    let failed = start(house, failed).await;
    house.task_is(&failed, "STOPPED").await;
    house.runtime.heal("app:1");

    let vpc = json!({"subnets": [subnet], "assignPublicIp": "DISABLED"});
    let runs = json!({
        "cluster": "batch", "taskDefinition": "net:1", "clientToken": "runs", "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": vpc}, "startedBy": "me",
        "tags": [{"key": "team", "value": "a"}],
        "overrides": {"cpu": "512", "containerOverrides": [{"name": "app", "command": ["run"]}]},
    });
    let runs = start(house, runs).await;
    house.task_is(&runs, "RUNNING").await;
    let unwanted = json!({"cluster": "batch", "taskDefinition": "csv", "clientToken": "unwanted"});
    let unwanted = start(house, unwanted).await;
    house.task_is(&unwanted, "RUNNING").await;
    let stop = json!({"cluster": "batch", "task": unwanted, "reason": "enough"});
    house.lend(task::stop, stop).await;
    house
        .until("stop was asked for", |house| {
            !house.runtime.stops().is_empty()
        })
        .await;
}

/// Deliveries to a queue, a log group and a bus, and given up in each way.
async fn deliver(house: &House) {
    for kind in ["letter", "note", "passed", "doomed"] {
        send(house, kind).await;
        house.quiet().await;
    }
}

const BASE: &str = "
Description: what others lean on
Parameters:
  Stage: {Type: String, Default: dev}
  Password: {Type: String, NoEcho: true}
  Table: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /csv/table}
Resources:
  Cluster:
    Type: AWS::ECS::Cluster
    DeletionPolicy: Retain
    UpdateReplacePolicy: Retain
    Metadata: {Note: kept}
  Name:
    Type: AWS::SSM::Parameter
    Properties: {Name: !Sub '/stack/${Stage}', Type: String, Value: !Ref Table}
Outputs:
  Cluster: {Description: its ARN, Value: !GetAtt Cluster.Arn, Export: {Name: base-cluster}}
  Plain: {Value: !Ref Name}
";
const LEANING: &str = "
Resources:
  Name:
    Type: AWS::SSM::Parameter
    Properties: {Name: /stack/leaning, Type: String, Value: !ImportValue base-cluster}
";
const BUS: &str = "
Resources:
  Bus:
    Type: AWS::Events::EventBus
    Properties: {Name: NAME}
";

fn stack(name: &str, template: &str) -> Value {
    json!({"StackName": name, "TemplateBody": template})
}

/// A request a little later, with a token that no other has.
fn asked(house: &House, mut json: Value, token: &str) -> Value {
    house.later(STEP_MILLIS);
    json[token] = json!(format!("asked-at-{}", house.clock.now().0));
    json
}

async fn create(house: &House, json: Value) -> String {
    let json = asked(house, json, "ClientRequestToken");
    let verb = |tx: &mut Tx<'_>, c: &Caller, q| build::create_stack(tx, c, q, None);
    house.give(verb, json).await.stack_id.unwrap()
}

async fn update(house: &House, json: Value) {
    let json = asked(house, json, "ClientRequestToken");
    let verb = |tx: &mut Tx<'_>, c: &Caller, q| build::update_stack(tx, c, q, None);
    house.give(verb, json).await;
}

async fn propose(house: &House, json: Value) {
    let json = asked(house, json, "ClientToken");
    let verb = |tx: &mut Tx<'_>, c: &Caller, q| build::create_change_set(tx, c, q, None);
    house.give(verb, json).await;
}

/// Waits until a stack has a status.
pub async fn stack_is(house: &House, name: &str, status: &str) {
    let asked = super::house::request(json!({"StackName": name}));
    house
        .until(&format!("{name} {status}"), |house| {
            let told = build::describe_stacks(&house.flow.view(), &caller(), &asked).unwrap();
            told.stacks.unwrap()[0].stack_status.as_deref() == Some(status)
        })
        .await;
}

/// Stacks that stand, lean on another, failed with something left over, are under review, are gone.
async fn build_stacks(house: &House) {
    let mut base = stack("base", BASE);
    base["Parameters"] = json!([{"ParameterKey": "Password", "ParameterValue": "hidden"}]);
    base["Tags"] = json!([{"Key": "team", "Value": "a"}]);
    base["Capabilities"] = json!(["CAPABILITY_IAM"]);
    base["RoleARN"] = json!("arn:aws:iam::000000000000:role/builds");
    base["TimeoutInMinutes"] = json!(5);
    base["EnableTerminationProtection"] = json!(true);
    create(house, base).await;
    stack_is(house, "base", "CREATE_COMPLETE").await;
    create(house, stack("leaning", LEANING)).await;
    stack_is(house, "leaning", "CREATE_COMPLETE").await;

    create(house, stack("left", &BUS.replace("NAME", "left-one"))).await;
    stack_is(house, "left", "CREATE_COMPLETE").await;
    let bad = "  Bad: {Type: 'AWS::S3::Bucket', DependsOn: Bus, Properties: {BucketName: Bad}}\n";
    let mut failing = stack("left", &(BUS.replace("NAME", "left-two") + bad));
    failing["DisableRollback"] = json!(true);
    update(house, failing).await;
    stack_is(house, "left", "UPDATE_FAILED").await;

    let gone = create(house, stack("gone", &BUS.replace("NAME", "gone"))).await;
    stack_is(house, "gone", "CREATE_COMPLETE").await;
    house
        .give(build::delete_stack, json!({"StackName": "gone"}))
        .await;
    stack_is(house, &gone, "DELETE_COMPLETE").await;

    let mut review = stack("review", &BUS.replace("NAME", "reviewed"));
    review["ChangeSetName"] = json!("first");
    review["ChangeSetType"] = json!("CREATE");
    review["Description"] = json!("to be looked at");
    review["OnStackFailure"] = json!("DELETE");
    propose(house, review).await;
    let same = json!({"StackName": "leaning", "ChangeSetName": "nothing", "TemplateBody": LEANING});
    propose(house, same).await;
}

/// A template with a bus and nine parameters: more than one step makes.
fn moving(bus: &str, value: &str) -> String {
    let parameter = |n| {
        format!(
            "  P{n}:\n    Type: AWS::SSM::Parameter\n    Properties: {{Name: /moving/{n}, Type: String, Value: {value}}}\n"
        )
    };
    BUS.replace("NAME", bus) + &(1..=9).map(parameter).collect::<String>()
}

/// An update of which one step was taken: the next one could not be read.
async fn build_interrupted(house: &House) {
    create(house, stack("moving", &BUS.replace("NAME", "moved"))).await;
    stack_is(house, "moving", "CREATE_COMPLETE").await;
    update(house, stack("moving", &moving("moved", "old"))).await;
    stack_is(house, "moving", "UPDATE_COMPLETE").await;
    house
        .state
        .fail_reads_of(Key::new("stack-operation").bytes(), 1);
    update(house, stack("moving", &moving("moved-on", "new"))).await;
    house
        .until("the operation is interrupted", |house| {
            house.state.failed_reads() == 1
        })
        .await;
    stack_is(house, "moving", "UPDATE_IN_PROGRESS").await;
    house.state.heal_reads();
}

/// A delivery is refused and due again. Then no event can be read, so nothing is routed, delivered or placed: what
/// comes now waits.
async fn stand_still(house: &House) {
    house.state.fail_reads_of(Key::new("queue").bytes(), 0);
    send(house, "letter").await;
    let all = house
        .flow
        .view()
        .all::<Delivery>(&Key::new("delivery"))
        .unwrap();
    let refused = all
        .iter()
        .filter(|d| d.outcome == Outcome::Pending && d.attempts == 1);
    assert_eq!(refused.count(), 1);
    house.state.fail_reads_of(Key::new("event").bytes(), 0);
    send(house, "note").await;
    let waits = json!({"cluster": "batch", "taskDefinition": "csv", "clientToken": "waits"});
    let waits = start(house, waits).await;
    let status = house.task(&waits).task.last_status;
    assert_eq!(status.as_deref(), Some("PROVISIONING"));
}
