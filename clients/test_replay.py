"""Archives and replays with stock clients, and `landfall replay`: what could not start comes home once it is mended."""

import datetime
import json

import botocore.exceptions
import pytest

from conftest import ACCOUNT, REGION, empty_bucket, queue_arn, receive, refused, unique, wait_until

LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
LATER = datetime.datetime(2100, 1, 1, tzinfo=datetime.timezone.utc)


@pytest.fixture
def events(server):
    return server.client("events")


@pytest.fixture
def sqs(server):
    return server.client("sqs")


def policy(arn):
    """Lets EventBridge write to a queue."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


@pytest.fixture
def bus(events, sqs, queue_url):
    """A bus whose one rule sends everything to the queue; its name, its ARN and the rule's ARN."""
    arn = queue_arn(sqs, queue_url)
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"Policy": json.dumps(policy(arn))})
    name = unique("bus")
    bus_arn = events.create_event_bus(Name=name)["EventBusArn"]
    rule = events.put_rule(Name="all", EventBusName=name, EventPattern='{"source":[{"prefix":""}]}')
    events.put_targets(Rule="all", EventBusName=name, Targets=[{"Id": "q", "Arn": arn}])
    return name, bus_arn, rule["RuleArn"]


def put(events, bus, detail, **more):
    entry = {"EventBusName": bus, "Source": "app", "DetailType": "t", "Detail": json.dumps(detail)}
    answer = events.put_events(Entries=[entry | more])
    assert answer["FailedEntryCount"] == 0, answer
    return answer["Entries"][0]["EventId"]


def completed(events, name):
    def probe():
        replay = events.describe_replay(ReplayName=name)
        return replay if replay["State"] == "COMPLETED" else None

    return wait_until(probe, f"the end of replay {name}")


def test_a_replay_sends_what_was_archived_once_more(events, sqs, bus, queue_url):
    name, bus_arn, rule_arn = bus
    archive = unique("archive")
    made = events.create_archive(
        ArchiveName=archive,
        EventSourceArn=bus_arn,
        Description="all of it",
        EventPattern='{"detail":{"keep":[true]}}',
        RetentionDays=7,
    )
    arn = f"arn:aws:events:{REGION}:{ACCOUNT}:archive/{archive}"
    assert (made["ArchiveArn"], made["State"]) == (arn, "ENABLED")
    kept = put(events, name, {"keep": True})
    put(events, name, {"keep": False})
    receive(sqs, queue_url, 2)
    told = events.describe_archive(ArchiveName=archive)
    assert (told["EventCount"], told["RetentionDays"], told["State"]) == (1, 7, "ENABLED")
    assert told["SizeBytes"] > 0 and told["EventSourceArn"] == bus_arn
    [listed] = events.list_archives(EventSourceArn=bus_arn)["Archives"]
    assert listed["ArchiveName"] == archive and "ArchiveArn" not in listed

    replay = unique("replay")
    started = events.start_replay(
        ReplayName=replay,
        EventSourceArn=arn,
        EventStartTime=LONG_AGO,
        EventEndTime=LATER,
        Destination={"Arn": bus_arn, "FilterArns": [rule_arn]},
    )
    assert started["ReplayArn"] == f"arn:aws:events:{REGION}:{ACCOUNT}:replay/{replay}"
    assert started["State"] == "STARTING"
    [body] = receive(sqs, queue_url, 1)
    event = json.loads(body)
    assert (event["id"], event["replay-name"]) == (kept, replay)
    ended = completed(events, replay)
    assert ended["EventLastReplayedTime"].strftime("%Y-%m-%dT%H:%M:%SZ") == event["time"]
    assert ended["Destination"] == {"Arn": bus_arn, "FilterArns": [rule_arn]}
    assert events.describe_archive(ArchiveName=archive)["EventCount"] == 1
    assert replay in [it["ReplayName"] for it in events.list_replays(State="COMPLETED")["Replays"]]
    with pytest.raises(botocore.exceptions.ClientError) as error:
        events.cancel_replay(ReplayName=replay)
    assert refused(error) == ("IllegalStatusException", 400)

    rule = f"Events-Archive-{archive}"
    assert events.describe_rule(Name=rule, EventBusName=name)["ManagedBy"] == "prod.vhs.events.aws.internal"
    with pytest.raises(botocore.exceptions.ClientError) as error:
        events.delete_rule(Name=rule, EventBusName=name)
    assert refused(error) == ("ManagedRuleException", 400)
    events.update_archive(ArchiveName=archive, EventPattern="", RetentionDays=0)
    put(events, name, {"keep": False})
    told = events.describe_archive(ArchiveName=archive)
    assert (told["EventCount"], told["RetentionDays"]) == (2, 0)
    events.delete_archive(ArchiveName=archive)
    with pytest.raises(botocore.exceptions.ClientError) as error:
        events.describe_archive(ArchiveName=archive)
    assert refused(error) == ("ResourceNotFoundException", 400)


def test_the_cli_archives_and_replays_too(server, events, sqs, bus, queue_url):
    name, bus_arn, _ = bus
    archive = unique("archive")
    server.aws("events", "create-archive", f"--archive-name={archive}", f"--event-source-arn={bus_arn}")
    put(events, name, {"n": 1})
    receive(sqs, queue_url, 1)
    replay = unique("replay")
    server.aws(
        "events",
        "start-replay",
        f"--replay-name={replay}",
        f"--event-source-arn=arn:aws:events:{REGION}:{ACCOUNT}:archive/{archive}",
        "--event-start-time=2020-01-01T00:00:00Z",
        "--event-end-time=2100-01-01T00:00:00Z",
        f"--destination=Arn={bus_arn}",
    )
    assert json.loads(receive(sqs, queue_url, 1)[0])["replay-name"] == replay
    told = json.loads(server.aws("events", "describe-replay", f"--replay-name={replay}").stdout)
    assert told["State"] in ("RUNNING", "COMPLETED")
    server.aws("events", "delete-archive", f"--archive-name={archive}")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ArchiveName": "a" * 49}, "ValidationException"),
        ({"ArchiveName": "a b"}, "ValidationException"),
        ({"EventPattern": "{"}, "InvalidEventPatternException"),
        ({"EventSourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/none"}, "ResourceNotFoundException"),
        ({"RetentionDays": -1}, "ValidationException"),
    ],
)
def test_bad_archives_are_refused(server, bus, change, code):
    _, bus_arn, _ = bus
    events = server.client("events", config={"parameter_validation": False})
    with pytest.raises(botocore.exceptions.ClientError) as error:
        events.create_archive(**({"ArchiveName": unique("a"), "EventSourceArn": bus_arn} | change))
    assert refused(error) == (code, 400)
    assert not events.list_archives(EventSourceArn=bus_arn)["Archives"]


def stack_is(cloudformation, name, status):
    def probe():
        [stack] = cloudformation.describe_stacks(StackName=name)["Stacks"]
        state = stack["StackStatus"]
        assert "ROLLBACK" not in state and "FAILED" not in state, cloudformation.describe_stack_events(
            StackName=name
        )
        return stack if state == status else None

    return wait_until(probe, f"{name} to be {status}", seconds=60)


def outputs(stack):
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def test_a_stack_makes_changes_and_deletes_an_archive(server, events):
    cloudformation = server.client("cloudformation")
    stack = unique("stack")

    def template(**more):
        return json.dumps(
            {
                "Resources": {
                    "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": stack}},
                    "Archive": {
                        "Type": "AWS::Events::Archive",
                        "Properties": {"SourceArn": {"Fn::GetAtt": ["Bus", "Arn"]}} | more,
                    },
                },
                "Outputs": {
                    "Ref": {"Value": {"Ref": "Archive"}},
                    "Arn": {"Value": {"Fn::GetAtt": ["Archive", "Arn"]}},
                    "Name": {"Value": {"Fn::GetAtt": ["Archive", "ArchiveName"]}},
                },
            }
        )

    body = template(EventPattern={"source": ["app"]}, RetentionDays=3, Description="d")
    cloudformation.create_stack(StackName=stack, TemplateBody=body)
    made = outputs(stack_is(cloudformation, stack, "CREATE_COMPLETE"))
    name = made["Ref"]
    assert made["Name"] == name and len(name) <= 48 and name.startswith(stack[:20])
    told = events.describe_archive(ArchiveName=name)
    assert made["Arn"] == told["ArchiveArn"]
    assert json.loads(told["EventPattern"]) == {"source": ["app"]}
    assert (told["RetentionDays"], told["Description"]) == (3, "d")
    cloudformation.update_stack(StackName=stack, TemplateBody=template(RetentionDays=5))
    stack_is(cloudformation, stack, "UPDATE_COMPLETE")
    told = events.describe_archive(ArchiveName=name)
    assert told["RetentionDays"] == 5
    assert "EventPattern" not in told and "Description" not in told
    cloudformation.delete_stack(StackName=stack)
    wait_until(lambda: not events.list_archives(NamePrefix=name)["Archives"], "the archive to go")


# --- what could not start ------------------------------------------------------------------------------------------


def pipeline(name, subnet, image, cpu, memory):
    """A bucket whose uploads start a task, with a dead-letter queue behind it."""
    return json.dumps(
        {
            "Resources": {
                "Bucket": {
                    "Type": "AWS::S3::Bucket",
                    "Properties": {
                        "BucketName": name,
                        "NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": True}},
                    },
                },
                "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
                "Subnet": {
                    "Type": "AWS::EC2::Subnet",
                    "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.0.0/24"},
                },
                "Cluster": {"Type": "AWS::ECS::Cluster", "Properties": {"ClusterName": name}},
                "Task": {
                    "Type": "AWS::ECS::TaskDefinition",
                    "Properties": {
                        "Family": name,
                        "RequiresCompatibilities": ["FARGATE"],
                        "NetworkMode": "awsvpc",
                        "Cpu": cpu,
                        "Memory": memory,
                        "ExecutionRoleArn": "arn:aws:iam::000000000000:role/execution",
                        "ContainerDefinitions": [{"Name": "app", "Image": image}],
                    },
                },
                "DeadLetters": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name}},
                "MayWrite": {
                    "Type": "AWS::SQS::QueuePolicy",
                    "Properties": {
                        "Queues": [{"Ref": "DeadLetters"}],
                        "PolicyDocument": policy({"Fn::GetAtt": ["DeadLetters", "Arn"]}),
                    },
                },
                "Rule": {
                    "Type": "AWS::Events::Rule",
                    "Properties": {
                        "Name": name,
                        "EventPattern": {
                            "source": ["aws.s3"],
                            "detail-type": ["Object Created"],
                            "detail": {"bucket": {"name": [{"Ref": "Bucket"}]}},
                        },
                        "Targets": [
                            {
                                "Id": "task",
                                "Arn": {"Fn::GetAtt": ["Cluster", "Arn"]},
                                "RoleArn": "arn:aws:iam::000000000000:role/events",
                                "EcsParameters": {
                                    "TaskDefinitionArn": {"Ref": "Task"},
                                    "LaunchType": "FARGATE",
                                    "NetworkConfiguration": {
                                        "AwsVpcConfiguration": {
                                            "Subnets": [subnet or {"Ref": "Subnet"}],
                                            "AssignPublicIp": "DISABLED",
                                        }
                                    },
                                },
                                "RetryPolicy": {"MaximumRetryAttempts": 1, "MaximumEventAgeInSeconds": 600},
                                "DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}},
                            }
                        ],
                    },
                },
            },
            "Outputs": {
                "Cluster": {"Value": {"Fn::GetAtt": ["Cluster", "Arn"]}},
                "Rule": {"Value": {"Fn::GetAtt": ["Rule", "Arn"]}},
                "Queue": {"Value": {"Ref": "DeadLetters"}},
            },
        }
    )


def runs_of(server, bucket):
    return [run for run in server.runs() if run["bucket"] == bucket]


def letters(sqs, url, count):
    """The dead letters: bodies and attributes."""
    found = []

    def probe():
        answer = sqs.receive_message(
            QueueUrl=url, WaitTimeSeconds=1, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        found.extend(answer.get("Messages", []))
        return len(found) >= count

    wait_until(probe, f"{count} dead letters", seconds=60)
    attributes = [
        {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()} for letter in found
    ]
    return [json.loads(letter["Body"]) for letter in found], attributes


GOOD = {"subnet": None, "image": "good", "cpu": "256", "memory": "512"}
FAULTS = {
    "bad subnet": ({"subnet": "subnet-0123456789abcdef0"}, "INVALID_PARAMETER", 0, "InvalidSubnetID.NotFound"),
    "missing image": ({"image": "test/none:1"}, "TASK_FAILED_TO_START", 1, "CannotPullContainerError"),
    "larger than the host": ({"cpu": "16384", "memory": "122880"}, "TASK_FAILED_TO_START", 1, "RESOURCE:"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_could_not_start_comes_home_after_the_fault_is_mended(server, sqs, busybox_archive, fault):
    image = "test/true:1"
    server.landfall("image", "load", busybox_archive(image, "true"))
    change, code, retries, words = FAULTS[fault]
    good = GOOD | {"image": image}
    stack = unique("mend")
    cloudformation = server.client("cloudformation")
    cloudformation.create_stack(StackName=stack, TemplateBody=pipeline(stack, **(good | change)))
    made = outputs(stack_is(cloudformation, stack, "CREATE_COMPLETE"))
    s3 = server.client("s3")
    keys = [f"in/{n}.csv" for n in range(3)]
    for key in keys:
        s3.put_object(Bucket=stack, Key=key, Body=b"x")

    bodies, attributes = letters(sqs, made["Queue"], len(keys))
    assert sorted(body["detail"]["object"]["key"] for body in bodies) == keys
    for letter in attributes:
        assert letter["RULE_ARN"] == made["Rule"]
        assert letter["TARGET_ARN"] == made["Cluster"]
        assert letter["ERROR_CODE"] == code
        assert words in letter["ERROR_MESSAGE"]
        if retries:
            assert letter["EXHAUSTED_RETRY_CONDITION"] == "MaximumRetryAttempts"
        assert letter["RETRY_ATTEMPTS"] == str(retries)
    lost = runs_of(server, stack)
    assert [run["state"] for run in lost] == ["dead-lettered"] * 3
    assert all(words in run["reason"] and run["attempts"] == retries + 1 for run in lost)

    broken = server.landfall("replay", "--failed", "--bucket", stack, "--wait", check=False)
    assert broken.returncode == 1 and "3 of 3 runs failed again" in broken.stderr
    cloudformation.update_stack(StackName=stack, TemplateBody=pipeline(stack, **good))
    stack_is(cloudformation, stack, "UPDATE_COMPLETE")
    plan = server.landfall("replay", "--failed", "--bucket", stack, "--dry-run")
    assert "3 would run again" in plan.stderr
    done = server.landfall("replay", "--failed", "--bucket", stack, "--wait", "--output", "json")
    assert "3 came to a good end" in done.stderr
    assert sorted(item["key"] for item in json.loads(done.stdout)["replayed"]) == keys

    runs = runs_of(server, stack)
    home = [run for run in runs if run["state"] == "succeeded"]
    assert sorted(run["key"] for run in home) == keys
    assert sorted(run["replay_of"] for run in home) == sorted(run["number"] for run in lost)
    assert {run["event_id"] for run in home} == {run["event_id"] for run in lost}
    table = server.landfall("runs").stdout
    assert "succeeded (replay)" in table and "dead-lettered (replayed)" in table
    again = server.landfall("replay", "--failed", "--bucket", stack, "--wait")
    assert "nothing to run again" in again.stderr
    assert len(runs_of(server, stack)) == len(runs)

    empty_bucket(s3, stack)
    cloudformation.delete_stack(StackName=stack)


def test_an_object_meets_the_rules_as_they_are_now(server, s3, bucket, events, sqs, queue_url):
    arn = queue_arn(sqs, queue_url)
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"Policy": json.dumps(policy(arn))})
    key = "in/é %20.csv"
    s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    url = f"s3://{bucket}/{key}"
    unmatched = server.landfall("replay", url, check=False)
    assert unmatched.returncode == 1 and f"no rule matches {url} now" in unmatched.stderr
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [bucket]}}}
    events.put_rule(Name=bucket, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=bucket, Targets=[{"Id": "q", "Arn": arn}])
    planned = server.landfall("replay", url, "--dry-run", "--output", "json")
    assert [item["rule"] for item in json.loads(planned.stdout)["replayed"]] == [bucket]
    assert not runs_of(server, bucket), "a plan changes nothing"
    for count in (1, 2):
        server.landfall("replay", url, "--rule", bucket, "--wait")
        [body] = receive(sqs, queue_url, 1)
        detail = json.loads(body)["detail"]
        assert (detail["object"]["key"], detail["reason"]) == (key, "PutObject")
        assert len(runs_of(server, bucket)) == count
    first, second = runs_of(server, bucket)
    assert first["replay"] == second["replay"] == "landfall"
    wrong = server.landfall("replay", url, "--rule", "none", check=False)
    assert wrong.returncode == 1 and "rule none does not match" in wrong.stderr
    missing = server.landfall("replay", f"s3://{bucket}/none", check=False)
    assert missing.returncode == 1 and "does not exist" in missing.stderr
    events.remove_targets(Rule=bucket, Ids=["q"])
    events.delete_rule(Name=bucket)
    gone = server.landfall("replay", "--since", "1h", "--bucket", bucket, check=False)
    assert gone.returncode == 1 and f"rule {bucket} does not exist any more" in gone.stderr


@pytest.mark.parametrize(
    "arguments",
    [[], ["--rule", "r"], ["b/k"], ["s3://b/k", "--failed"], ["--since", "noon"], ["--failed", "--dry-run", "--wait"]],
)
def test_a_command_that_means_nothing_is_refused(server, arguments):
    assert server.landfall("replay", *arguments, check=False).returncode != 0
