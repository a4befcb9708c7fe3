"""EventBridge through boto3: rules and targets as they were put, matching, transforming, and every kind of target."""

import json

import botocore.exceptions
import pytest

from conftest import ACCOUNT, REGION, events_may, queue_arn, receive, refused, unique, wait_until

DETAIL = {"id": 7, "name": 'é "x"', "list": [1, 2]}


@pytest.fixture
def events(server):
    return server.client("events")


@pytest.fixture
def sqs(server):
    return server.client("sqs")


@pytest.fixture
def bus(events):
    name = unique("bus")
    events.create_event_bus(Name=name)
    yield name
    for rule in events.list_rules(EventBusName=name)["Rules"]:
        targets = events.list_targets_by_rule(Rule=rule["Name"], EventBusName=name)["Targets"]
        if targets:
            events.remove_targets(
                Rule=rule["Name"], EventBusName=name, Ids=[target["Id"] for target in targets]
            )
        events.delete_rule(Name=rule["Name"], EventBusName=name)
    events.delete_event_bus(Name=name)


def rule_to(events, bus, targets, pattern=None):
    name = unique("rule")
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern or {"source": ["app"]}))
    answer = events.put_targets(Rule=name, EventBusName=bus, Targets=targets)
    assert answer["FailedEntryCount"] == 0, answer
    return name


def send(events, bus, detail=None, source="app"):
    answer = events.put_events(
        Entries=[
            {
                "EventBusName": bus,
                "Source": source,
                "DetailType": "Thing Happened",
                "Detail": json.dumps(DETAIL if detail is None else detail),
            }
        ]
    )
    assert answer["FailedEntryCount"] == 0, answer
    return answer["Entries"][0]["EventId"]


def test_an_event_reaches_a_queue_whole(events, sqs, bus, queue_url):
    rule_to(events, bus, [{"Id": "q", "Arn": queue_arn(sqs, queue_url)}])
    event_id = send(events, bus)
    [text] = receive(sqs, queue_url)
    event = json.loads(text)
    assert event["id"] == event_id
    assert event["detail"] == DETAIL
    assert event["source"] == "app"
    assert event["detail-type"] == "Thing Happened"
    assert event["account"] == ACCOUNT
    assert event["region"] == REGION
    assert event["resources"] == []
    assert event["version"] == "0"


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ({"Input": '{"constant": 1}'}, {"constant": 1}),
        ({"InputPath": "$.detail"}, DETAIL),
        ({"InputPath": "$.detail.name"}, DETAIL["name"]),
        (
            {
                "InputTransformer": {
                    "InputPathsMap": {"n": "$.detail.name", "i": "$.detail.id", "l": "$.detail.list"},
                    "InputTemplate": '{"name": <n>, "id": <i>, "list": <l>, "text": "no <i>"}',
                }
            },
            {"name": DETAIL["name"], "id": 7, "list": [1, 2], "text": "no 7"},
        ),
        (
            {"InputTransformer": {"InputPathsMap": {"x": "$.none"}, "InputTemplate": '{"x": <x>}'}},
            {"x": ""},
        ),
    ],
)
def test_a_target_gets_the_input_it_asked_for(events, sqs, bus, queue_url, target, body):
    rule_to(events, bus, [{"Id": "q", "Arn": queue_arn(sqs, queue_url)} | target])
    send(events, bus)
    assert json.loads(receive(sqs, queue_url)[0]) == body


def test_only_matching_events_are_delivered_and_each_once(events, sqs, bus, queue_url):
    pattern = {"source": ["app"], "detail": {"id": [{"numeric": [">", 5]}], "name": [{"prefix": "a/"}]}}
    target = {"Id": "q", "Arn": queue_arn(sqs, queue_url), "InputPath": "$.detail.name"}
    rule_to(events, bus, [target], pattern)
    for number, name in [(5, "a/1"), (6, "b/2"), (6, "a/3"), (9, "a/4")]:
        send(events, bus, {"id": number, "name": name})
    assert sorted(receive(sqs, queue_url, 2)) == ['"a/3"', '"a/4"']


def test_another_bus_and_a_log_group_are_targets(server, events, sqs, bus, queue_url):
    logs = server.client("logs")
    group = unique("/aws/events/group")
    logs.create_log_group(logGroupName=group)
    logs.put_resource_policy(
        policyName=unique("policy"),
        policyDocument=events_may(
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/events/*:*",
        ),
    )
    second = unique("second")
    second_arn = events.create_event_bus(Name=second)["EventBusArn"]
    rule_to(
        events,
        bus,
        [
            {"Id": "bus", "Arn": second_arn, "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/r"},
            {"Id": "logs", "Arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}"},
        ],
    )
    rule_to(events, second, [{"Id": "q", "Arn": queue_arn(sqs, queue_url)}])
    send(events, bus)
    assert json.loads(receive(sqs, queue_url)[0])["detail"] == DETAIL
    [logged] = wait_until(
        lambda: logs.filter_log_events(logGroupName=group)["events"], "the event in the log group"
    )
    assert json.loads(logged["message"])["detail"] == DETAIL


def test_what_cannot_be_delivered_goes_to_the_dead_letter_queue(events, sqs, bus, queue_url):
    target = {
        "Id": "gone",
        "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{unique('none')}",
        "DeadLetterConfig": {"Arn": queue_arn(sqs, queue_url)},
        "RetryPolicy": {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60},
    }
    rule = rule_to(events, bus, [target])
    send(events, bus)

    def probe():
        answer = sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=2, MessageAttributeNames=["All"])
        return answer.get("Messages")

    [message] = wait_until(probe, "the dead letter")
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert attributes["RULE_ARN"].endswith(f"{bus}/{rule}")
    assert attributes["TARGET_ARN"] == target["Arn"]
    assert attributes["ERROR_CODE"] == "NO_RESOURCE" and attributes["ERROR_MESSAGE"]
    assert attributes["RETRY_ATTEMPTS"] == "0" and "EXHAUSTED_RETRY_CONDITION" not in attributes
    assert json.loads(message["Body"])["detail"] == DETAIL


def test_a_queue_without_a_policy_gets_nothing_until_it_has_the_statement_of_the_reason(server, events, sqs, bus):
    name = unique("closed")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    rule = rule_to(events, bus, [{"Id": "q", "Arn": queue_arn(sqs, url), "InputPath": "$.detail.id"}])
    send(events, bus, {"id": 1})

    def probe():
        return [run for run in server.runs() if run["rule"] == rule and run["state"] == "dead-lettered"]

    [run] = wait_until(probe, "the refused delivery")
    assert f"The policy of the queue {queue_arn(sqs, url)} does not allow events.amazonaws.com" in run["reason"]
    statement = json.loads(run["reason"].split("add this statement to it: ")[1].split(" (the target")[0])
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({"Statement": [statement]})})
    send(events, bus, {"id": 2})
    assert receive(sqs, url) == ["2"]
    sqs.delete_queue(QueueUrl=url)


def test_a_disabled_rule_delivers_nothing(events, sqs, bus, queue_url):
    arn = queue_arn(sqs, queue_url)
    rule = rule_to(events, bus, [{"Id": "a", "Arn": arn, "Input": '"disabled"'}])
    rule_to(events, bus, [{"Id": "b", "Arn": arn, "Input": '"enabled"'}])
    events.disable_rule(Name=rule, EventBusName=bus)
    assert events.describe_rule(Name=rule, EventBusName=bus)["State"] == "DISABLED"
    send(events, bus)
    assert receive(sqs, queue_url) == ['"enabled"']
    events.enable_rule(Name=rule, EventBusName=bus)
    send(events, bus)
    assert sorted(receive(sqs, queue_url, 2)) == ['"disabled"', '"enabled"']


def test_rules_are_described_as_they_were_put(events, bus):
    name = unique("rule")
    pattern = '{"source": ["a"]}'
    arn = events.put_rule(
        Name=name,
        EventBusName=bus,
        EventPattern=pattern,
        Description="text",
        Tags=[{"Key": "k", "Value": "v"}],
    )["RuleArn"]
    assert arn == f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{bus}/{name}"
    described = events.describe_rule(Name=name, EventBusName=bus)
    assert described["EventPattern"] == pattern
    assert (described["State"], described["Description"]) == ("ENABLED", "text")
    assert described["EventBusName"] == bus
    assert events.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "k", "Value": "v"}]
    assert [rule["Name"] for rule in events.list_rules(EventBusName=bus, NamePrefix=name)["Rules"]] == [name]


def test_a_rule_with_targets_cannot_be_deleted(events, sqs, bus, queue_url):
    rule = rule_to(events, bus, [{"Id": "q", "Arn": queue_arn(sqs, queue_url)}])
    with pytest.raises(botocore.exceptions.ClientError) as error:
        events.delete_rule(Name=rule, EventBusName=bus)
    assert refused(error) == ("ValidationException", 400)
    assert "Rule can't be deleted since it has targets." in str(error.value)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ('{"source": "aws.s3"}', '"source" must be an object or an array'),
        ('{"source": []}', "Empty arrays are not allowed"),
        ('{"a": [{"EXISTS": true}]}', "Unrecognized match type EXISTS"),
        ('{"a": [{"prefix": 1}]}', "prefix match pattern must be a string"),
        ('["a"]', "Filter is not an object"),
        ("{", ""),
    ],
)
def test_bad_patterns_are_refused_and_change_nothing(events, bus, pattern, reason):
    name = unique("rule")
    with pytest.raises(botocore.exceptions.ClientError) as error:
        events.put_rule(Name=name, EventBusName=bus, EventPattern=pattern)
    assert refused(error) == ("InvalidEventPatternException", 400)
    message = error.value.response["Error"]["Message"]
    assert message.startswith(f"Event pattern is not valid. Reason: {reason}")
    assert events.list_rules(EventBusName=bus)["Rules"] == []


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            {"Input": "{}", "InputPath": "$"},
            "Only one of Input, InputPath, or InputTransformer must be provided for target t.",
        ),
        (
            {"InputTransformer": {"InputTemplate": '{"a": <b>}'}},
            "InputTemplate for target t contains invalid placeholder b.",
        ),
        ({"Input": "{"}, "Input for target t is not a valid JSON text."),
    ],
)
def test_bad_targets_are_refused(events, sqs, bus, queue_url, target, message):
    name = unique("rule")
    events.put_rule(Name=name, EventBusName=bus, EventPattern='{"source": ["a"]}')
    with pytest.raises(botocore.exceptions.ClientError) as error:
        events.put_targets(
            Rule=name,
            EventBusName=bus,
            Targets=[{"Id": "t", "Arn": queue_arn(sqs, queue_url)} | target],
        )
    assert refused(error) == ("ValidationException", 400)
    assert message in str(error.value)
    assert events.list_targets_by_rule(Rule=name, EventBusName=bus)["Targets"] == []


def test_what_a_rule_would_wait_for_in_vain_is_refused(events, bus):
    name, pattern = unique("rule"), json.dumps({"source": ["app"]})
    with pytest.raises(botocore.exceptions.ClientError) as error:
        events.put_rule(Name=name, EventBusName=bus, EventPattern=pattern, ScheduleExpression="rate(5 minutes)")
    assert refused(error) == ("ValidationException", 400)
    assert events.list_rules(EventBusName=bus)["Rules"] == []


def test_a_rule_keeps_the_state_that_takes_all_management_events(events, bus):
    name, state = unique("rule"), "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
    events.put_rule(Name=name, EventBusName=bus, EventPattern='{"source": ["app"]}', State=state)
    assert events.describe_rule(Name=name, EventBusName=bus)["State"] == state


def test_patterns_can_be_tried(events):
    event = {
        "id": "1",
        "account": ACCOUNT,
        "source": "aws.s3",
        "time": "2026-01-01T00:00:00Z",
        "region": REGION,
        "detail-type": "Object Created",
        "resources": [],
        "detail": {"object": {"key": "test/aaa/complete.txt"}},
    }

    def matches(pattern):
        return events.test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(event))["Result"]

    assert matches({"detail": {"object": {"key": [{"prefix": "test/aaa/complete.txt"}]}}})
    assert not matches({"detail": {"object": {"key": [{"prefix": "test/aaa/Complete"}]}}})
    assert matches({"detail": {"object": {"key": [{"wildcard": "test/*/complete.*"}]}}})
    with pytest.raises(botocore.exceptions.ClientError) as error:
        events.test_event_pattern(EventPattern='{"a": ["b"]}', Event="{}")
    assert refused(error) == ("ValidationException", 400)


def test_bad_events_fail_one_by_one(events, bus):
    good = {"EventBusName": bus, "Source": "app", "DetailType": "d", "Detail": "{}"}
    answer = events.put_events(Entries=[good, good | {"Detail": "{"}, good | {"Source": ""}])
    assert answer["FailedEntryCount"] == 2
    assert "EventId" in answer["Entries"][0]
    assert answer["Entries"][1]["ErrorCode"] == "MalformedDetail"
    assert answer["Entries"][2]["ErrorCode"] == "InvalidArgument"


def test_missing_things_are_named(events, bus):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        events.describe_rule(Name="none", EventBusName=bus)
    assert refused(error) == ("ResourceNotFoundException", 400)
    assert f"Rule none does not exist on EventBus {bus}." in str(error.value)
    with pytest.raises(botocore.exceptions.ClientError) as error:
        events.describe_event_bus(Name="none")
    assert refused(error) == ("ResourceNotFoundException", 400)
    with pytest.raises(botocore.exceptions.ClientError) as error:
        events.create_event_bus(Name=bus)
    assert refused(error) == ("ResourceAlreadyExistsException", 400)


def test_s3_events_are_complete(server, s3, bucket, events, sqs, queue_url):
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    rule = rule_to(
        events,
        "default",
        [{"Id": "q", "Arn": queue_arn(sqs, queue_url)}],
        {"source": ["aws.s3"], "detail": {"bucket": {"name": [bucket]}}},
    )
    key = "in/sp ace+é%.csv"
    put = s3.put_object(Bucket=bucket, Key=key, Body=b"hello")
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})
    s3.put_object_tagging(Bucket=bucket, Key="copy", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.delete_object(Bucket=bucket, Key=key)
    received = [json.loads(text) for text in receive(sqs, queue_url, 4)]
    events.remove_targets(Rule=rule, Ids=["q"])
    events.delete_rule(Name=rule)

    by_reason = {event["detail"].get("reason", event["detail-type"]): event for event in received}
    created = by_reason["PutObject"]
    assert created["detail-type"] == "Object Created"
    assert created["resources"] == [f"arn:aws:s3:::{bucket}"]
    detail = created["detail"]
    assert detail["version"] == "0"
    assert detail["bucket"] == {"name": bucket}
    assert detail["object"].pop("sequencer")
    assert detail["object"] == {"key": key, "size": 5, "etag": put["ETag"].strip('"')}
    assert detail["request-id"] == put["ResponseMetadata"]["RequestId"]
    assert detail["requester"] == ACCOUNT
    assert detail["source-ip-address"] == "127.0.0.1"
    assert by_reason["CopyObject"]["detail"]["object"]["key"] == "copy"
    tags = by_reason["Object Tags Added"]["detail"]
    assert "sequencer" not in tags["object"] and "reason" not in tags
    deleted = by_reason["DeleteObject"]
    assert deleted["detail-type"] == "Object Deleted"
    assert deleted["detail"]["deletion-type"] == "Permanently Deleted"
    assert set(deleted["detail"]["object"]) == {"key", "sequencer"}
