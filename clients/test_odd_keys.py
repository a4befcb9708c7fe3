"""Every key reaches the container byte for byte, or fails with its reason; none adds a variable of its own."""

import json

import pytest

from conftest import REGION, decode_environment, unique, wait_until
from ecs import Tasks

PLAIN = [
    "plain.txt",
    "with spaces  twice.txt",
    "a+b.txt",
    "100%.txt",
    "%2F%20.txt",
    "é.txt",
    "e\u0301.txt",
    "emoji-😀.txt",
    "<key>.txt",
    "a>b<c.txt",
    "$(touch x)`id`.txt",
    "it's.txt",
    "日本語/ファイル.csv",
    "a&b=c;d,e:f@g!h~.txt",
]
BREAKING = [
    'quote".txt',
    "back\\slash.txt",
    "tab\there.txt",
    "line\nbreak.txt",
    "\\u0041.txt",
    "\\n.txt",
    'x"},{"name":"EVIL","value":"1',
    'x","name":"OBJECT_KEY","value":"other',
]
QUOTED = '{"containerOverrides":[{"name":"app","environment":[{"name":"OBJECT_KEY","value":"<key>"}]}]}'
UNQUOTED = '{"containerOverrides":[{"name":"app","environment":[{"name":"OBJECT_KEY","value":<key>}]}]}'


@pytest.fixture(scope="module")
def tasks(server, environment_image):
    tasks = Tasks(server)
    tasks.definition = tasks.define(environment_image)
    return tasks


def road(server, tasks, template):
    """A bucket whose uploads all start the task through the given template; returns its name."""
    s3 = server.client("s3")
    events = server.client("events")
    name = unique("odd")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_notification_configuration(
        Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [name]}},
    }
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    answer = events.put_targets(
        Rule=name,
        Targets=[
            {
                "Id": "ecs",
                "Arn": tasks.cluster_arn,
                "RoleArn": "arn:aws:iam::000000000000:role/ecsEventsRole",
                "EcsParameters": {
                    "TaskDefinitionArn": tasks.definition,
                    "LaunchType": "FARGATE",
                    "NetworkConfiguration": tasks.rule_network,
                },
                "InputTransformer": {
                    "InputPathsMap": {"key": "$.detail.object.key"},
                    "InputTemplate": template,
                },
            }
        ],
    )
    assert answer["FailedEntryCount"] == 0
    return name


def upload(server, bucket, keys):
    s3 = server.client("s3")
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")


def environments(tasks, rule, count):
    """Environments of the containers that the rule started, when all have stopped."""

    def probe():
        arns = tasks.all()
        found = []
        for start in range(0, len(arns), 100):
            answer = tasks.ecs.describe_tasks(cluster=tasks.cluster, tasks=arns[start : start + 100])
            found.extend(task for task in answer["tasks"] if task["startedBy"] == f"events-rule/{rule}")
        done = [task for task in found if task["lastStatus"] == "STOPPED"]
        return done if len(done) >= count and len(done) == len(found) else None

    stopped = wait_until(probe, f"{count} tasks of {rule}", seconds=90)
    assert len(stopped) == count
    return [decode_environment(tasks.output(task["taskArn"])) for task in stopped]


def entries(server, key):
    """What the ledger says of a key, as text."""
    ledger = server.runs()
    records = ledger if isinstance(ledger, list) else ledger.get("runs", [])
    return [json.dumps(record, ensure_ascii=False) for record in records if key in strings(record)]


def strings(value):
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [text for item in value for text in strings(item)] if isinstance(value, list) else []


def test_the_unquoted_form_carries_every_key(server, tasks):
    keys = PLAIN + BREAKING
    bucket = road(server, tasks, UNQUOTED)
    upload(server, bucket, keys)
    found = environments(tasks, bucket, len(keys))
    assert sorted(environment["OBJECT_KEY"] for environment in found) == sorted(key.encode() for key in keys)
    assert not any("EVIL" in environment for environment in found)


def test_the_quoted_form_carries_every_key_that_cannot_break_it(server, tasks):
    bucket = road(server, tasks, QUOTED)
    upload(server, bucket, PLAIN)
    found = environments(tasks, bucket, len(PLAIN))
    assert sorted(environment["OBJECT_KEY"] for environment in found) == sorted(key.encode() for key in PLAIN)


def test_a_key_that_breaks_the_quotes_fails_with_its_reason(server, tasks):
    bucket = road(server, tasks, QUOTED)
    upload(server, bucket, [*BREAKING, "last.txt"])
    [environment] = environments(tasks, bucket, 1)
    assert environment["OBJECT_KEY"] == b"last.txt"
    for key in BREAKING:
        wait_until(
            lambda key=key: any(
                bucket in entry and "unquoted" in entry.lower() for entry in entries(server, key)
            ),
            f"the reason for {key!r} in the ledger",
        )


def test_the_cli_uploads_odd_keys_too(server, tasks):
    keys = ["in/sp ace+é%.txt", "it's 100%.txt"]
    bucket = road(server, tasks, UNQUOTED)
    for key in keys:
        server.aws("s3", "cp", "-", f"s3://{bucket}/{key}", stdin="x")
    found = environments(tasks, bucket, len(keys))
    assert sorted(environment["OBJECT_KEY"] for environment in found) == sorted(key.encode() for key in keys)
