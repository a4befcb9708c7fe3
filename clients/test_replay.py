"""Archives and replays of EventBridge with stock clients."""

import datetime
import json

import botocore.exceptions
import pytest

from conftest import ACCOUNT, REGION, queue_arn, receive, refused, unique, wait_until

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
