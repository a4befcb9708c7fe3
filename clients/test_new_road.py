"""The whole road with the stock AWS CLI: the example's stacks deploy, start one container, change, and go away."""

import json

import pytest

from conftest import ENVIRONMENT_IN_HEX, empty_bucket, wait_until
from sample import (
    APPLICATION_PARAMETERS,
    IMAGE,
    LOG_GROUP,
    MARKER,
    NETWORK_PARAMETERS,
    container_environment,
    copy,
    deploy,
    object_key,
    task_arns,
    wait_for_stopped,
)


@pytest.fixture(scope="module")
def stacks(own_server, busybox_archive):
    archive = busybox_archive(IMAGE, *ENVIRONMENT_IN_HEX)
    own_server.landfall("image", "load", archive)
    deploy(own_server, "sample-network", "direct/network.yaml", NETWORK_PARAMETERS)
    deploy(own_server, "sample-application", "direct/application.yaml", APPLICATION_PARAMETERS)
    return own_server


def test_1_the_stacks_made_what_the_templates_say(stacks):
    cloudformation = stacks.client("cloudformation")
    for stack in ("sample-network", "sample-application"):
        [described_stack] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        assert described_stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
    exports = {export["Name"]: export["Value"] for export in cloudformation.list_exports()["Exports"]}
    group = exports["Sample:ECSServiceSecurityGroup"]
    assert group.startswith("sg-")
    subnets = stacks.client("ssm").get_parameter(Name="/sample/dev/subnet-ids")["Parameter"]
    assert subnets["Type"] == "StringList"

    target = stacks.client("events").list_targets_by_rule(Rule="sample-events")["Targets"][0]
    network = target["EcsParameters"]["NetworkConfiguration"]["awsvpcConfiguration"]
    assert network["SecurityGroups"] == [group]
    assert network["Subnets"] == subnets["Value"].split(",")
    assert network["AssignPublicIp"] == "DISABLED"
    assert target["EcsParameters"]["LaunchType"] == "FARGATE"
    assert target["EcsParameters"]["PlatformVersion"] == "1.4.0"
    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] == 3600
    assert target["InputTransformer"]["InputPathsMap"] == {"key": "$.detail.object.key"}


def test_1_the_bucket_is_as_the_template_says(stacks):
    s3 = stacks.client("s3")
    encryption = s3.get_bucket_encryption(Bucket="sample-bucket")
    [rule] = encryption["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    block = s3.get_public_access_block(Bucket="sample-bucket")["PublicAccessBlockConfiguration"]
    assert all(block.values()) and len(block) == 4
    notification = s3.get_bucket_notification_configuration(Bucket="sample-bucket")
    assert notification["EventBridgeConfiguration"] == {}
    [group] = stacks.client("logs").describe_log_groups(logGroupNamePrefix=LOG_GROUP)["logGroups"]
    assert group["retentionInDays"] == 180


def test_2_only_the_marker_starts_a_container_and_it_gets_the_key(stacks):
    for key in ("complete.txt", "test/aaa/Complete.txt", "test/bbb/complete.txt", "test/aaa/data.csv"):
        copy(stacks, "x", key)
    copy(stacks, "done", MARKER)
    [task] = wait_for_stopped(stacks, 1)
    assert len(task_arns(stacks)) == 1
    assert task["startedBy"] == "events-rule/sample-events"
    assert task["containers"][0]["exitCode"] == 0
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["stoppedReason"] == "Essential container in task exited"
    environment = container_environment(stacks, task)
    assert environment["OBJECT_KEY"] == MARKER.encode()
    assert environment["BUCKET"] == b"sample-bucket"
    assert environment["CSV_NAME"] == b"data.csv"
    lines = stacks.aws("logs", "filter-log-events", f"--log-group-name={LOG_GROUP}", "--interleaved")
    assert MARKER.encode().hex() in lines.stdout
    # `logs tail` is a command of version 2 of the CLI.
    assert MARKER.encode().hex() in stacks.aws2("logs", "tail", LOG_GROUP).stdout


def test_3_the_ledger_knows_the_marker_and_the_others(stacks):
    ledger = json.dumps(stacks.runs())
    assert MARKER in ledger


def test_4_nothing_to_change_is_no_error(stacks):
    done = deploy(stacks, "sample-application", "direct/application.yaml", APPLICATION_PARAMETERS)
    assert "No changes to deploy" in done.stdout + done.stderr


def test_5_an_update_changes_the_prefix(stacks):
    before = len(task_arns(stacks))
    parameters = [*APPLICATION_PARAMETERS, "CompletionKeyPrefix=new/done"]
    deploy(stacks, "sample-application", "direct/application.yaml", parameters)
    rule = stacks.client("events").describe_rule(Name="sample-events")
    pattern = json.loads(rule["EventPattern"])
    assert pattern["detail"]["object"]["key"] == [{"prefix": "new/done"}]
    [stack] = stacks.client("cloudformation").describe_stacks(StackName="sample-application")["Stacks"]
    assert stack["StackStatus"] == "UPDATE_COMPLETE"

    copy(stacks, "done", MARKER)
    copy(stacks, "done", "new/done-1.txt")
    tasks = wait_for_stopped(stacks, before + 1)
    assert len(task_arns(stacks)) == before + 1
    assert sorted(map(object_key, tasks)) == [*["new/done-1.txt"], *[MARKER] * before]


def test_6_the_network_cannot_go_while_it_is_used(stacks):
    cloudformation = stacks.client("cloudformation")
    try:
        cloudformation.delete_stack(StackName="sample-network")
    except cloudformation.exceptions.ClientError as error:
        told = str(error)
    else:

        def probe():
            [stack] = cloudformation.describe_stacks(StackName="sample-network")["Stacks"]
            return None if stack["StackStatus"].endswith("_IN_PROGRESS") else stack

        wait_until(probe, "the end of the attempt to delete")
        events = cloudformation.describe_stack_events(StackName="sample-network")["StackEvents"]
        told = json.dumps([event.get("ResourceStatusReason") for event in events])
    assert "Sample:ECSServiceSecurityGroup" in told
    [group] = stacks.client("ec2").describe_security_groups(
        GroupIds=[cloudformation.list_exports()["Exports"][0]["Value"]]
    )["SecurityGroups"]
    assert group["GroupId"].startswith("sg-")


def test_7_both_stacks_delete_cleanly(stacks):
    empty_bucket(stacks.client("s3"), "sample-bucket")
    for stack in ("sample-application", "sample-network"):
        stacks.aws("cloudformation", "delete-stack", f"--stack-name={stack}")
        stacks.aws("cloudformation", "wait", "stack-delete-complete", f"--stack-name={stack}")
        gone = stacks.aws("cloudformation", "describe-stacks", f"--stack-name={stack}", check=False)
        assert f"Stack with id {stack} does not exist" in gone.stderr
    assert stacks.client("s3").list_buckets()["Buckets"] == []
    assert stacks.client("events").list_rules()["Rules"] == []
    groups = stacks.client("ec2").describe_security_groups(
        Filters=[{"Name": "group-name", "Values": ["*sample-network*"]}]
    )
    assert groups["SecurityGroups"] == []
    roles = stacks.client("iam").list_roles()["Roles"]
    assert [role["RoleName"] for role in roles if role["RoleName"] == "ecsEventsRole"] == []
    assert stacks.client("cloudformation").list_exports()["Exports"] == []
