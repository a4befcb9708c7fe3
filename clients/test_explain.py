"""What commonly keeps an upload from its task is provoked for real, and `landfall explain` names it in one sentence."""

import json
import subprocess
import threading

import pytest

from conftest import REGION, unique, wait_until
from ecs import Tasks

UNQUOTED = '{"containerOverrides":[{"name":"app","environment":[{"name":"OBJECT_KEY","value":<key>}]}]}'
QUOTED = UNQUOTED.replace("<key>", '"<key>"')
MIB = 1024 * 1024
NO_RULE, UNKNOWN = 3, 4


@pytest.fixture(scope="module")
def tasks(server):
    return Tasks(server)


@pytest.fixture(scope="module")
def definition(server, tasks, busybox_archive):
    """A task that ends as if it had been killed when the key says so, and else well."""
    # The first process of a container is beyond the reach of its own signals.
    script = 'case "$OBJECT_KEY" in *killed) exit 137;; esac; echo done'
    image = "test/explain:1"
    archive = busybox_archive(image, "sh", "-c", script)
    server.landfall("image", "load", archive)
    return tasks.define(image)


class Road:
    """A bucket with its events on, and one rule on it."""

    def __init__(self, server, tasks, definition):
        self.server, self.tasks, self.definition = server, tasks, definition
        self.s3, self.events = server.client("s3"), server.client("events")
        self.name = unique("explain")
        self.s3.create_bucket(Bucket=self.name, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.switch(True)

    def switch(self, on):
        configuration = {"EventBridgeConfiguration": {}} if on else {}
        self.s3.put_bucket_notification_configuration(
            Bucket=self.name, NotificationConfiguration=configuration
        )

    def pattern(self, detail=None, **other):
        base = {
            "source": ["aws.s3"],
            "detail-type": ["Object Created"],
            "detail": {"bucket": {"name": [self.name]}} | (detail or {}),
        }
        return base | other

    def rule(self, pattern, template=UNQUOTED, definition=None, **more):
        self.events.put_rule(Name=self.name, EventPattern=json.dumps(pattern), **more)
        bus = {name: more[name] for name in ("EventBusName",) if name in more}
        answer = self.events.put_targets(
            Rule=self.name,
            Targets=[
                {
                    "Id": "ecs",
                    "Arn": self.tasks.cluster_arn,
                    "RoleArn": "arn:aws:iam::000000000000:role/ecsEventsRole",
                    "EcsParameters": {
                        "TaskDefinitionArn": definition or self.definition,
                        "LaunchType": "FARGATE",
                        "NetworkConfiguration": self.tasks.rule_network,
                    },
                    "InputTransformer": {
                        "InputPathsMap": {"key": "$.detail.object.key"},
                        "InputTemplate": template,
                    },
                    "RetryPolicy": {"MaximumRetryAttempts": 0},
                }
            ],
            **bus,
        )
        assert answer["FailedEntryCount"] == 0

    def put(self, key):
        self.s3.put_object(Bucket=self.name, Key=key, Body=b"x")

    def explain(self, key, *more):
        """The explanation as JSON, its exit status, and its first line for people."""
        url = f"s3://{self.name}/{key}"
        done = self.server.landfall("explain", url, "--output", "json", *more, check=False)
        assert done.returncode in (0, NO_RULE, UNKNOWN), done.stderr
        told = json.loads(done.stdout)
        page = self.server.landfall("explain", url, *more, check=False)
        assert page.stdout.splitlines()[0] == told["verdict"]
        return told, done.returncode

    def ended(self, key):
        """Waits until the run of a key has ended, and explains it."""

        def probe():
            runs = self.server.landfall(
                "runs", f"s3://{self.name}/{key}", "--output", "json", check=False
            )
            return any(run["ended_at"] for run in json.loads(runs.stdout))

        wait_until(probe, f"the end of {key}", seconds=90)
        return self.explain(key)


@pytest.fixture
def road(server, tasks, definition):
    return Road(server, tasks, definition)


def test_a_prefix_missed_by_one_character(road):
    road.rule(road.pattern({"object": {"key": [{"prefix": "input/"}]}}))
    road.put("inputs/a.csv")
    told, status = road.explain("inputs/a.csv")
    assert status == NO_RULE
    assert told["verdict"] == (
        f'Rule {road.name} wants detail.object.key to be one of [{{"prefix": "input/"}}], and it is "inputs/a.csv": '
        "the first 5 of 6 characters are the same."
    )


def test_a_prefix_and_a_suffix_meant_as_both(road):
    road.rule(road.pattern({"object": {"key": [{"prefix": "in/"}, {"suffix": ".csv"}]}}))
    road.put("in/notes.txt")
    told, status = road.ended("in/notes.txt")
    assert status == 0
    assert 'begins with "in/", although it does not end with ".csv"' in told["verdict"]


def test_field_names_of_cloudtrail(road):
    road.rule(
        {
            "source": ["aws.s3"],
            "detail-type": ["Object Created"],
            "detail": {"requestParameters": {"bucketName": [road.name]}},
        }
    )
    road.put("a")
    told, _ = road.explain("a")
    assert told["verdict"].endswith("S3's own event has detail.bucket.name instead.")


def test_the_wrong_case_of_the_detail_type(road):
    road.rule(road.pattern(**{"detail-type": ["object created"]}))
    road.put("a")
    told, _ = road.explain("a")
    assert told["verdict"].endswith('it is "Object Created": only upper and lower case differ.')


def test_notifications_that_are_off(road):
    road.rule(road.pattern())
    road.switch(False)
    road.put("a")
    told, _ = road.explain("a")
    assert told["verdict"].startswith(f"The bucket {road.name} does not send its events to EventBridge")


def test_a_disabled_rule(road):
    road.rule(road.pattern(), State="DISABLED")
    road.put("a")
    told, _ = road.explain("a")
    assert told["verdict"] == f"Rule {road.name} would take it, but the rule is disabled."


def test_the_wrong_bus(road):
    bus = unique("bus")
    road.events.create_event_bus(Name=bus)
    road.rule(road.pattern(), EventBusName=bus)
    road.put("a")
    told, _ = road.explain("a")
    assert f"it is on the bus {bus}, and S3 sends its events to the default bus only." in told["verdict"]


def test_parts_against_put_object(road):
    road.rule(road.pattern({"reason": ["PutObject"]}))
    upload = road.s3.create_multipart_upload(Bucket=road.name, Key="a")["UploadId"]
    part = road.s3.upload_part(
        Bucket=road.name, Key="a", UploadId=upload, PartNumber=1, Body=b"x" * MIB
    )
    road.s3.complete_multipart_upload(
        Bucket=road.name,
        Key="a",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    told, _ = road.explain("a")
    assert "was uploaded in parts, which is a CompleteMultipartUpload" in told["verdict"]
    simulated, status = road.explain("a", "--simulate", "--reason", "PutObject", "--size", "5")
    assert (simulated["known"], status) == ("imagined", 0)


def test_a_container_that_the_definition_does_not_have(road):
    road.rule(road.pattern(), UNQUOTED.replace('"app"', '"web"'))
    road.put("a")
    told, _ = road.ended("a")
    assert "Override for container named web is not a container in the TaskDefinition." in told["verdict"]


def test_a_template_that_breaks_on_a_quote(road):
    road.rule(road.pattern(), QUOTED)
    key = 'a"b'
    road.put(key)
    told, _ = road.ended(key)
    assert "The input for RunTask cannot be made: " in told["verdict"]
    assert "unquoted form <key>" in told["verdict"]


def test_an_image_that_cannot_be_pulled(road, tasks):
    missing = tasks.define("127.0.0.1:9/no/such:1")
    road.rule(road.pattern(), definition=missing)
    road.put("a")
    told, _ = road.ended("a")
    assert "was not started, since its image cannot be pulled: " in told["verdict"]


def test_exit_code_137(road):
    road.rule(road.pattern())
    road.put("in/killed")
    told, _ = road.ended("in/killed")
    assert told["verdict"].endswith(
        "container app was killed with SIGKILL from outside, not by its memory limit (exit code 137)."
    )
    run = told["runs"][0]
    assert run["input"].startswith("RunTask is given ") and "in/killed" in run["input"]
    assert run["answer"].startswith("RunTask started task ")


def test_nothing_is_known_of_an_object_that_never_was(road):
    told, status = road.explain("never")
    assert (told["known"], status) == ("unknown", UNKNOWN)


def test_runs_are_asked_for_and_followed(road, server):
    road.rule(road.pattern({"object": {"key": [{"prefix": "in/"}]}}))
    command = [server.command, "runs", "--follow", "--output", "json", "--rule", road.name]
    follower = subprocess.Popen(
        command, env=server.environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    seen = []

    def read():
        for line in follower.stdout:
            seen.append(json.loads(line))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        road.put("in/a")
        road.put("out/b")
        road.ended("in/a")
        wait_until(lambda: seen and seen[-1]["state"] == "succeeded", "the follower's last line")
    finally:
        follower.terminate()
        follower.wait(timeout=10)
        reader.join(timeout=10)
    assert {run["key"] for run in seen} == {"in/a"}
    states = [run["state"] for run in seen]
    order = ["matched", "queued", "starting", "running", "succeeded"]
    assert [order.index(state) for state in states] == sorted({order.index(state) for state in states})

    def runs(*filters):
        done = server.landfall("runs", "--output", "json", *filters, check=False)
        return json.loads(done.stdout or "null"), done.returncode

    found, status = runs(f"s3://{road.name}/in/", "--state", "succeeded", "--since", "1h")
    assert (len(found), status) == (1, 0)
    assert found[0]["running_at"] >= found[0]["queued_at"] >= found[0]["matched_at"]
    container = found[0]["starts"][0]["containers"][0]
    assert container["log_stream"].endswith(found[0]["tasks"][0].rsplit("/", 1)[1])
    assert runs("--bucket", road.name, "--state", "failed") == ([], NO_RULE)
    assert runs("--state", "lost")[1] == 1
