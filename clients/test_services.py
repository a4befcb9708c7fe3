"""SQS, CloudWatch Logs, SSM, EC2, IAM and STS through boto3, as far as the road needs them."""

import hashlib
import json
import time

import botocore.exceptions
import pytest

from conftest import ACCOUNT, REGION, queue_arn, refused, unique


def test_a_message_is_received_once_until_it_is_visible_again(server, queue_url):
    sqs = server.client("sqs")
    sent = sqs.send_message(
        QueueUrl=queue_url,
        MessageBody="é",
        MessageAttributes={"a": {"DataType": "String", "StringValue": "1"}},
    )
    assert sent["MD5OfMessageBody"] == hashlib.md5("é".encode()).hexdigest()
    [first] = sqs.receive_message(
        QueueUrl=queue_url, MessageAttributeNames=["All"], AttributeNames=["All"], WaitTimeSeconds=1
    )["Messages"]
    assert first["Body"] == "é"
    assert first["MessageAttributes"]["a"]["StringValue"] == "1"
    assert first["Attributes"]["ApproximateReceiveCount"] == "1"
    assert "Messages" not in sqs.receive_message(QueueUrl=queue_url)
    sqs.change_message_visibility(
        QueueUrl=queue_url, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0
    )
    [second] = sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=5, AttributeNames=["All"])["Messages"]
    assert second["MessageId"] == first["MessageId"]
    assert second["Attributes"]["ApproximateReceiveCount"] == "2"
    sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=second["ReceiptHandle"])
    attributes = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])["Attributes"]
    assert attributes["ApproximateNumberOfMessages"] == "0"
    assert attributes["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_batches_and_purging(server, queue_url):
    sqs = server.client("sqs")
    entries = [{"Id": str(number), "MessageBody": f"m{number}"} for number in range(10)]
    answer = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)
    assert len(answer["Successful"]) == 10 and not answer.get("Failed")
    with pytest.raises(botocore.exceptions.ClientError) as error:
        sqs.send_message_batch(QueueUrl=queue_url, Entries=[entries[0], entries[0]])
    assert refused(error)[1] == 400 and "BatchEntryIdsNotDistinct" in refused(error)[0]
    sqs.purge_queue(QueueUrl=queue_url)
    assert "Messages" not in sqs.receive_message(QueueUrl=queue_url)


def test_queues_are_found_by_name(server, queue_url):
    sqs = server.client("sqs")
    name = queue_url.rsplit("/", 1)[1]
    assert sqs.get_queue_url(QueueName=name)["QueueUrl"] == queue_url
    assert queue_arn(sqs, queue_url) == f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    assert sqs.list_queues(QueueNamePrefix=name)["QueueUrls"] == [queue_url]
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.get_queue_url(QueueName=unique("none"))


def test_a_long_poll_ends_when_a_message_comes(server, queue_url):
    sqs = server.client("sqs")
    sqs.send_message(QueueUrl=queue_url, MessageBody="later", DelaySeconds=1)
    before = time.monotonic()
    [message] = sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=20)["Messages"]
    assert message["Body"] == "later"
    assert time.monotonic() - before < 15


@pytest.fixture
def log_group(server):
    logs = server.client("logs")
    name = unique("/tests/group")
    logs.create_log_group(logGroupName=name, tags={"k": "v"})
    yield name
    logs.delete_log_group(logGroupName=name)


def test_log_events_are_read_back_in_order(server, log_group):
    logs = server.client("logs")
    logs.create_log_stream(logGroupName=log_group, logStreamName="s")
    now = int(time.time() * 1000)
    logs.put_log_events(
        logGroupName=log_group,
        logStreamName="s",
        logEvents=[{"timestamp": now + step, "message": f"line {step} é"} for step in range(3)],
    )
    got = logs.get_log_events(logGroupName=log_group, logStreamName="s", startFromHead=True)
    assert [event["message"] for event in got["events"]] == ["line 0 é", "line 1 é", "line 2 é"]
    again = logs.get_log_events(
        logGroupName=log_group, logStreamName="s", startFromHead=True, nextToken=got["nextForwardToken"]
    )
    assert again["events"] == [] and again["nextForwardToken"] == got["nextForwardToken"]
    found = logs.filter_log_events(logGroupName=log_group, filterPattern='"line 1"')
    assert [event["message"] for event in found["events"]] == ["line 1 é"]
    [stream] = logs.describe_log_streams(logGroupName=log_group)["logStreams"]
    assert (stream["logStreamName"], stream["firstEventTimestamp"]) == ("s", now)


def test_log_groups_keep_their_settings(server, log_group):
    logs = server.client("logs")
    logs.put_retention_policy(logGroupName=log_group, retentionInDays=7)
    [group] = logs.describe_log_groups(logGroupNamePrefix=log_group)["logGroups"]
    assert group["retentionInDays"] == 7
    assert group["arn"] == f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{log_group}:*"
    with pytest.raises(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=log_group)
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.get_log_events(logGroupName=log_group, logStreamName="none")
    with pytest.raises(botocore.exceptions.ClientError) as error:
        logs.put_retention_policy(logGroupName=log_group, retentionInDays=8)
    assert refused(error) == ("InvalidParameterException", 400)


def test_parameters_have_versions(server):
    ssm = server.client("ssm")
    root = f"/{unique('tests')}"
    name = f"{root}/a"
    assert ssm.put_parameter(Name=name, Value="1", Type="String")["Version"] == 1
    with pytest.raises(ssm.exceptions.ParameterAlreadyExists):
        ssm.put_parameter(Name=name, Value="2", Type="String")
    assert ssm.put_parameter(Name=name, Value="2", Type="String", Overwrite=True)["Version"] == 2
    ssm.put_parameter(Name=f"{root}/b/c", Value="x,y", Type="StringList")
    assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == "2"
    below = ssm.get_parameters_by_path(Path=root, Recursive=True)["Parameters"]
    assert [parameter["Name"] for parameter in below] == [name, f"{root}/b/c"]
    several = ssm.get_parameters(Names=[name, "/none"])
    assert several["InvalidParameters"] == ["/none"]
    ssm.delete_parameters(Names=[name, f"{root}/b/c"])
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.get_parameter(Name=name)


def test_a_network_is_made_and_removed(server):
    ec2 = server.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]
    group = ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
    assert subnet["VpcId"] == vpc and subnet["AvailabilityZone"].startswith(REGION)
    [described] = ec2.describe_subnets(SubnetIds=[subnet["SubnetId"]])["Subnets"]
    assert described["CidrBlock"] == "10.9.1.0/24"
    groups = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    assert sorted(item["GroupName"] for item in groups["SecurityGroups"]) == ["default", "g"]
    with pytest.raises(botocore.exceptions.ClientError) as error:
        ec2.delete_vpc(VpcId=vpc)
    assert refused(error) == ("DependencyViolation", 400)
    ec2.delete_security_group(GroupId=group)
    ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    ec2.delete_vpc(VpcId=vpc)
    with pytest.raises(botocore.exceptions.ClientError) as error:
        ec2.describe_vpcs(VpcIds=[vpc])
    assert refused(error) == ("InvalidVpcID.NotFound", 400)


def test_bad_networks_are_refused(server):
    ec2 = server.client("ec2")
    with pytest.raises(botocore.exceptions.ClientError) as error:
        ec2.create_vpc(CidrBlock="nonsense")
    assert refused(error)[1] == 400
    with pytest.raises(botocore.exceptions.ClientError) as error:
        ec2.create_subnet(VpcId="vpc-00000000000000000", CidrBlock="10.0.0.0/24")
    assert refused(error) == ("InvalidVpcID.NotFound", 400)


def policy(action, **more):
    statement = {"Effect": "Allow", "Action": action} | more
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_roles_have_policies(server):
    iam = server.client("iam")
    name = unique("role")
    trust = policy("sts:AssumeRole", Principal={"Service": "ecs-tasks.amazonaws.com"})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    assert arn == f"arn:aws:iam::{ACCOUNT}:role/{name}"
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy("s3:*", Resource="*"))
    assert iam.list_role_policies(RoleName=name)["PolicyNames"] == ["p"]
    with pytest.raises(botocore.exceptions.ClientError) as error:
        iam.delete_role(RoleName=name)
    assert refused(error) == ("DeleteConflict", 409)
    iam.delete_role_policy(RoleName=name, PolicyName="p")
    iam.delete_role(RoleName=name)
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName=name)


def test_the_caller_is_the_account(server):
    identity = server.client("sts").get_caller_identity()
    assert identity["Account"] == ACCOUNT
