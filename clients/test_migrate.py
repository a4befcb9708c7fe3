"""The way off CloudTrail, walked: the former stack runs, its migrated template is proven equal, updates the very same
stack, and starts the same container. The templates' own proofs are Rust tests."""

import pytest

from conftest import ENVIRONMENT_IN_HEX, EXAMPLES
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

FORMER = EXAMPLES / "cloudtrail" / "application.yaml"


@pytest.fixture(scope="module")
def moved(own_server, busybox_archive, tmp_path_factory):
    """A server whose stack was the former one, had an upload, and is the migrated one now; what migrate said."""
    own_server.landfall("image", "load", busybox_archive(IMAGE, *ENVIRONMENT_IN_HEX))
    deploy(own_server, "sample-network", "direct/network.yaml", NETWORK_PARAMETERS)
    deploy(own_server, "sample-application", FORMER, APPLICATION_PARAMETERS)
    copy(own_server, "before", MARKER)
    wait_for_stopped(own_server, 1)
    migrated = tmp_path_factory.mktemp("migrated") / "application.yaml"
    said = own_server.landfall("migrate", str(FORMER), "--prove", "--to", str(migrated))
    deploy(own_server, "sample-application", migrated, APPLICATION_PARAMETERS)
    return own_server, said, migrated


def test_1_the_proof_holds_over_ten_thousand_uploads(moved):
    _, said, _ = moved
    assert "10,000 uploads" in said.stdout + said.stderr or "10000 uploads" in said.stdout + said.stderr


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
