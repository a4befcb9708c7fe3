"""ECS through boto3: tasks run for real, stop for a reason that is told, and bad requests are refused."""

import json

import botocore.exceptions
import pytest

from conftest import decode_environment, queue_arn, receive, refused, unique
from ecs import Tasks


@pytest.fixture(scope="module")
def tasks(server, environment_image):
    return Tasks(server)


def shell(script):
    return {"command": ["sh", "-c", script]}


def test_a_task_runs_and_tells_how_it_ended(tasks, environment_image):
    arn = tasks.run(
        tasks.define(environment_image, **shell("echo out; echo err >&2; exit 7")), startedBy="me"
    )
    task = tasks.stopped(arn)
    [container] = task["containers"]
    assert (container["exitCode"], container["lastStatus"]) == (7, "STOPPED")
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["stoppedReason"] == "Essential container in task exited"
    assert (task["startedBy"], task["launchType"], task["desiredStatus"]) == ("me", "FARGATE", "STOPPED")
    assert task["createdAt"] <= task["startedAt"] <= task["stoppedAt"]
    assert sorted(tasks.output(arn)) == ["err", "out"]


def test_overrides_add_and_replace(tasks, environment_image):
    definition = tasks.define(
        environment_image,
        environment=[{"name": "KEPT", "value": "1"}, {"name": "CHANGED", "value": "old"}],
    )
    override = {"name": "app", "environment": [{"name": "CHANGED", "value": "new 'é\n"}]}
    task = tasks.stopped(tasks.run(definition, overrides={"containerOverrides": [override]}))
    environment = decode_environment(tasks.output(task["taskArn"]))
    assert environment["KEPT"] == b"1"
    assert environment["CHANGED"] == "new 'é\n".encode()
    assert environment["AWS_REGION"] == b"ap-northeast-1"
    assert environment["AWS_ENDPOINT_URL"].startswith(b"http://")
    assert task["overrides"]["containerOverrides"][0]["environment"] == override["environment"]


def test_a_command_can_be_replaced(tasks, environment_image):
    definition = tasks.define(environment_image, **shell("exit 1"))
    override = {"name": "app", "command": ["sh", "-c", "exit 3"]}
    task = tasks.stopped(tasks.run(definition, overrides={"containerOverrides": [override]}))
    assert task["containers"][0]["exitCode"] == 3


def test_a_task_can_be_stopped(tasks, environment_image):
    script = "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.1; done"
    arn = tasks.run(tasks.define(environment_image, **shell(script), stopTimeout=20))
    tasks.running(arn)
    assert arn in tasks.ecs.list_tasks(cluster=tasks.cluster)["taskArns"]
    tasks.ecs.stop_task(cluster=tasks.cluster, task=arn, reason="enough")
    task = tasks.stopped(arn)
    assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "enough")
    assert task["containers"][0]["exitCode"] in (5, 143)


def test_an_image_that_is_nowhere_stops_the_task(tasks):
    task = tasks.stopped(tasks.run(tasks.define("127.0.0.1:1/no/such/image:1")))
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith("CannotPullContainerError")
    assert "exitCode" not in task["containers"][0]


def test_the_same_client_token_starts_one_task(tasks, environment_image):
    definition = tasks.define(environment_image, **shell("exit 0"))
    token = unique("token")
    first = tasks.run(definition, clientToken=token)
    assert tasks.run(definition, clientToken=token) == first


def test_state_changes_reach_the_bus(server, tasks, environment_image, queue_url):
    events, sqs = server.client("events"), server.client("sqs")
    definition = tasks.define(environment_image, **shell("exit 4"))
    rule = unique("rule")
    pattern = {
        "source": ["aws.ecs"],
        "detail-type": ["ECS Task State Change"],
        "detail": {"taskDefinitionArn": [definition], "lastStatus": ["RUNNING", "STOPPED"]},
    }
    events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=rule, Targets=[{"Id": "q", "Arn": queue_arn(sqs, queue_url)}])
    arn = tasks.run(definition)
    received = [json.loads(text) for text in receive(sqs, queue_url, 2)]
    events.remove_targets(Rule=rule, Ids=["q"])
    events.delete_rule(Name=rule)
    details = {event["detail"]["lastStatus"]: event["detail"] for event in received}
    assert set(details) == {"RUNNING", "STOPPED"}
    assert all(event["resources"] == [arn] for event in received)
    assert details["STOPPED"]["containers"][0]["exitCode"] == 4
    assert details["STOPPED"]["version"] > details["RUNNING"]["version"]


def test_definitions_have_revisions(tasks):
    family = unique("family")

    def register():
        return tasks.ecs.register_task_definition(
            family=family, containerDefinitions=[{"name": "a", "image": "i", "memory": 64}]
        )["taskDefinition"]

    assert [register()["revision"], register()["revision"]] == [1, 2]
    latest = tasks.ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]
    assert (latest["revision"], latest["status"]) == (2, "ACTIVE")
    arns = tasks.ecs.list_task_definitions(familyPrefix=family)["taskDefinitionArns"]
    assert [arn.rsplit(":", 1)[1] for arn in arns] == ["1", "2"]
    tasks.ecs.deregister_task_definition(taskDefinition=f"{family}:2")
    latest = tasks.ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]
    assert latest["revision"] == 1


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"cluster": "none"}, "ClusterNotFoundException", "Cluster not found."),
        ({"taskDefinition": "none"}, "ClientException", "TaskDefinition not found."),
        (
            {"networkConfiguration": None},
            "InvalidParameterException",
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        ),
        (
            {"overrides": {"containerOverrides": [{"name": "none"}]}},
            "InvalidParameterException",
            "Override for container named none is not a container in the TaskDefinition.",
        ),
    ],
)
def test_bad_runs_are_refused(tasks, environment_image, change, code, message):
    request = {
        "cluster": tasks.cluster,
        "taskDefinition": tasks.define(environment_image),
        "launchType": "FARGATE",
        "networkConfiguration": tasks.network,
    } | change
    with pytest.raises(botocore.exceptions.ClientError) as error:
        tasks.ecs.run_task(**{name: value for name, value in request.items() if value is not None})
    assert refused(error) == (code, 400)
    assert message in str(error.value)


def test_sizes_that_fargate_does_not_have_are_refused(tasks):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        tasks.ecs.register_task_definition(
            family=unique("family"),
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="4096",
            containerDefinitions=[{"name": "a", "image": "i"}],
        )
    assert refused(error) == ("ClientException", 400)
    assert "No Fargate configuration exists for given values" in str(error.value)


def test_what_is_missing_is_listed_as_such(tasks):
    clusters = tasks.ecs.describe_clusters(clusters=["none"])
    assert clusters["clusters"] == [] and clusters["failures"][0]["reason"] == "MISSING"
    missing = f"{tasks.cluster_arn.replace(':cluster/', ':task/')}/{'0' * 32}"
    described = tasks.ecs.describe_tasks(cluster=tasks.cluster, tasks=[missing])
    assert described["tasks"] == [] and described["failures"][0]["reason"] == "MISSING"
