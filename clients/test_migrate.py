"""The way off CloudTrail, walked: the former stack runs, its migrated template is proven equal, also over what CloudTrail's
log file and the ledger tell of it, updates the very same stack, and starts the same container. The templates' own proofs are Rust tests."""

import gzip
import json
import re

import pytest

from conftest import ENVIRONMENT_IN_HEX, EXAMPLES, wait_until
from sample import (
    APPLICATION_PARAMETERS,
    IMAGE,
    MARKER,
    NETWORK_PARAMETERS,
    container_environment,
    copy,
    deploy,
    object_key,
    task_arns,
    wait_for_stopped,
)

LOG_BUCKET = "sample-cloudtrail-log-dev-bucket"
FORMER = EXAMPLES / "cloudtrail" / "application.yaml"


def log_file(server):
    """The log file with the upload of the marker, once it is there."""
    s3 = server.client("s3")
    for item in s3.list_objects_v2(Bucket=LOG_BUCKET).get("Contents", []):
        if "/CloudTrail/" in item["Key"]:
            body = s3.get_object(Bucket=LOG_BUCKET, Key=item["Key"])["Body"].read()
            records = json.loads(gzip.decompress(body))["Records"]
            uploads = [it["requestParameters"]["key"] for it in records if it["eventName"] == "PutObject"]
            if MARKER in uploads:
                return body
    return None


@pytest.fixture(scope="module")
def moved(own_server, busybox_archive, tmp_path_factory):
    """A server whose stack was the former one, had an upload, and is the migrated one now; what migrate said."""
    own_server.landfall("image", "load", busybox_archive(IMAGE, *ENVIRONMENT_IN_HEX))
    deploy(own_server, "sample-network", "direct/network.yaml", NETWORK_PARAMETERS)
    deploy(own_server, "sample-application", FORMER, APPLICATION_PARAMETERS)
    copy(own_server, "before", MARKER)
    wait_for_stopped(own_server, 1)
    folder = tmp_path_factory.mktemp("migrated")
    migrated, log, ledger = folder / "application.yaml", folder / "log.json.gz", folder / "runs.json"
    log.write_bytes(wait_until(lambda: log_file(own_server), "a log file of CloudTrail"))
    ledger.write_text(own_server.landfall("runs", "--output", "json").stdout)
    said = own_server.landfall(
        *("migrate", str(FORMER), "--prove", "--to", str(migrated)),
        *("--uploads", str(log), "--uploads", str(ledger)),
        *(f"--parameter={parameter}" for parameter in APPLICATION_PARAMETERS),
    )
    deploy(own_server, "sample-application", migrated, APPLICATION_PARAMETERS)
    return own_server, said, migrated


def test_1_the_proof_holds_over_ten_thousand_uploads(moved):
    _, said, _ = moved
    told = said.stdout + said.stderr
    uploads, recorded = re.search(r"(\d+) uploads .*?, (\d+) of them recorded", told, re.DOTALL).groups()
    assert int(uploads) >= 10_000, told
    # The marker once from CloudTrail's own log file and once from the ledger.
    assert int(recorded) >= 2, told


def test_2_the_trail_is_gone_and_the_stack_is_the_same(moved):
    server, _, _ = moved
    assert server.client("cloudtrail").list_trails()["Trails"] == []
    stack = server.client("cloudformation").describe_stacks(StackName="sample-application")["Stacks"][0]
    assert stack["StackStatus"] == "UPDATE_COMPLETE"


def test_3_the_marker_starts_one_container_and_other_keys_none(moved):
    server, _, _ = moved
    before = set(task_arns(server))
    assert len(before) == 1
    for key in ("test/aaa/data.csv", "test/bbb/complete.txt", "test/aaa/complete.tx"):
        copy(server, "no", key)
    copy(server, "after", MARKER)
    stopped = wait_for_stopped(server, 2)
    assert len(task_arns(server)) == 2
    (task,) = [task for task in stopped if task["taskArn"] not in before]
    assert object_key(task) == MARKER
    assert container_environment(server, task)["OBJECT_KEY"] == MARKER.encode()
    assert task["containers"][0]["exitCode"] == 0


def test_4_migrating_again_changes_nothing(moved):
    server, _, migrated = moved
    again = server.landfall("migrate", str(migrated))
    assert again.stdout == migrated.read_text()
