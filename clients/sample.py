"""The sample application on either road: its stacks, its image, its tasks and what they saw.

Never asserts anything itself.
"""

import time

from conftest import ACCOUNT, EXAMPLES, REGION, decode_environment, wait_until

IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/sample/csv-batch:1"
LOG_GROUP = "/ecs/sample/dev/csv-batch"
MARKER = "test/aaa/complete.txt"
NETWORK_PARAMETERS = ["EnvironmentName=dev"]
APPLICATION_PARAMETERS = [
    "EnvironmentName=dev",
    "OrganizationName=sample",
    "AppName=csv-batch",
    "AppImageTag=1",
    "SubnetIds=/sample/dev/subnet-ids",
]


# The CLI names its change set after the second: two deployments in one second collide, on AWS too.
last_deployment = [0]


def deploy(server, stack, template, parameters):
    """Deploys a template of an example, such as `direct/network.yaml`."""
    wait_until(lambda: int(time.time()) > last_deployment[0], "the next second")
    last_deployment[0] = int(time.time()) + 1
    return server.aws(
        "cloudformation",
        "deploy",
        f"--stack-name={stack}",
        f"--template-file={EXAMPLES / template}",
        "--capabilities=CAPABILITY_NAMED_IAM",
        "--no-fail-on-empty-changeset",
        "--parameter-overrides",
        *parameters,
    )


def task_arns(server):
    ecs = server.client("ecs")
    arns = []
    for status in ("RUNNING", "STOPPED"):
        answer = ecs.list_tasks(cluster="sample-ecs", desiredStatus=status)
        arns.extend(answer["taskArns"])
    # A task that ends between the two answers is in both.
    return list(dict.fromkeys(arns))


def described(server):
    arns = task_arns(server)
    if not arns:
        return []
    return server.client("ecs").describe_tasks(cluster="sample-ecs", tasks=arns)["tasks"]


def wait_for_stopped(server, count):
    def probe():
        stopped = [task for task in described(server) if task["lastStatus"] == "STOPPED"]
        return stopped if len(stopped) >= count else None

    return wait_until(probe, f"{count} stopped tasks")


def object_key(task):
    variables = task["overrides"]["containerOverrides"][0]["environment"]
    return {variable["name"]: variable["value"] for variable in variables}["OBJECT_KEY"]


def container_environment(server, task):
    stream = f"csv-batch/app/{task['taskArn'].rsplit('/', 1)[-1]}"
    events = server.client("logs").get_log_events(
        logGroupName=LOG_GROUP, logStreamName=stream, startFromHead=True
    )["events"]
    return decode_environment([event["message"] for event in events])


def copy(server, text, key):
    server.aws("s3", "cp", "-", f"s3://sample-bucket/{key}", stdin=text)
