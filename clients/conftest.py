"""Starts the real binary and hands out real AWS clients.

Never looks inside Landfall: all that the tests know comes through the AWS APIs and the `landfall` command.
The environment names the binaries: LANDFALL_BIN, and XTASK to make images.
"""

import dataclasses
import json
import os
import pathlib
import queue
import shutil
import subprocess
import sys
import threading
import time
import uuid

import boto3
import botocore.config
import pytest

REGION = "ap-northeast-1"
ACCOUNT = "000000000000"
START_SECONDS_MAX = 30
WAIT_SECONDS_MAX = 30
EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples"


def wait_until(probe, what, seconds=WAIT_SECONDS_MAX):
    """Calls `probe` until it gives something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        result = probe()
        if result:
            return result
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds} s in vain for {what}")
        time.sleep(0.05)


def unique(prefix):
    """A name that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def binary(variable):
    """The path in an environment variable, or a skip that fails in CI."""
    path = os.environ.get(variable)
    if not path:
        message = f"{variable} does not name the binary"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path


def clean_environment(**more):
    """The environment without any AWS settings of the person who runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {"AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": ""} | more


@dataclasses.dataclass
class Server:
    """A running `landfall serve`."""

    process: subprocess.Popen
    endpoint: str
    command: str

    def client(self, service, **options):
        """A boto3 client, without retries so that every answer is seen."""
        config = botocore.config.Config(
            retries={"total_max_attempts": 1},
            read_timeout=40,
            **options.pop("config", {}),
        )
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=options.pop("region_name", REGION),
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=config,
            **options,
        )

    def environment(self):
        """What a user would set, and nothing else."""
        return clean_environment(
            AWS_ENDPOINT_URL=self.endpoint,
            AWS_DEFAULT_REGION=REGION,
            AWS_ACCESS_KEY_ID="test",
            AWS_SECRET_ACCESS_KEY="test",
            AWS_CONFIG_FILE=os.devnull,
            AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        )

    def aws(self, *arguments, check=True, stdin=None):
        """Runs the AWS CLI; returns the completed process."""
        beside = pathlib.Path(sys.executable).parent / "aws"
        aws = str(beside) if beside.exists() else shutil.which("aws")
        return self._run([aws, *arguments], check, stdin)

    def aws2(self, *arguments):
        """Runs version 2 of the AWS CLI: Debian's, which is too old to know AWS_ENDPOINT_URL."""
        return self._run(["/usr/bin/aws", "--endpoint-url", self.endpoint, *arguments], True, None)

    def landfall(self, *arguments, check=True):
        """Runs the landfall command against this server."""
        return self._run([self.command, *arguments], check, None)

    def runs(self):
        """The ledger."""
        return json.loads(self.landfall("runs", "--output", "json").stdout)

    def _run(self, command, check, stdin):
        done = subprocess.run(
            command,
            env=self.environment(),
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if check and done.returncode != 0:
            pytest.fail(f"{' '.join(command)} gave {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done


def _first_line(stream, seconds):
    lines = queue.Queue()

    def pump():
        for line in stream:
            lines.put(line)
        lines.put("")

    threading.Thread(target=pump, daemon=True).start()
    try:
        return lines.get(timeout=seconds)
    except queue.Empty:
        return ""


def start_server(log_path, *arguments):
    """Starts a server on a free port and waits for its first line."""
    command = binary("LANDFALL_BIN")
    with open(log_path, "wb") as log:
        process = subprocess.Popen(
            [command, "serve", "--listen", "127.0.0.1:0", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=clean_environment(),
        )
    line = _first_line(process.stdout, START_SECONDS_MAX)
    if not line.startswith("landfall listening on http://127.0.0.1:"):
        process.kill()
        process.wait()
        pytest.fail(f"the server said {line!r}:\n{pathlib.Path(log_path).read_text()}")
    return Server(process, line.split()[-1], command)


def _serve(tmp_path_factory, name):
    log = tmp_path_factory.mktemp(name) / "server.log"
    server = start_server(log, "--ephemeral")
    yield server
    ended = server.process.poll()
    server.process.terminate()
    try:
        server.process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()
        pytest.fail("the server did not end after SIGTERM")
    assert ended is None, f"the server ended by itself with {ended}:\n{log.read_text()}"


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """One server for all tests that use names of their own."""
    yield from _serve(tmp_path_factory, "shared")


@pytest.fixture(scope="module")
def own_server(tmp_path_factory):
    """A server for the tests of one module only."""
    yield from _serve(tmp_path_factory, "own")


@pytest.fixture(scope="session")
def busybox_archive(tmp_path_factory):
    """Makes archives of a busybox image: a function of its name and its command."""

    def make(name, *command):
        busybox = shutil.which("busybox")
        assert busybox, "busybox-static is not installed"
        output = tmp_path_factory.mktemp("image") / "image.tar"
        arguments = [f"--command={argument}" for argument in command]
        subprocess.run(
            [
                binary("XTASK"),
                "image",
                f"--binary={busybox}",
                "--path=/bin/busybox",
                f"--name={name}",
                f"--output={output}",
                *arguments,
            ],
            check=True,
            capture_output=True,
        )
        return str(output)

    return make


ENVIRONMENT_IN_HEX = ["hexdump", "-v", "-e", '1/1 "%02x"', "/proc/self/environ"]


def decode_environment(lines):
    """The environment that a container printed with ENVIRONMENT_IN_HEX, byte for byte."""
    block = bytes.fromhex("".join(lines).strip())
    pairs = [entry.split(b"=", 1) for entry in block.split(b"\0") if entry]
    return {name.decode(): value for name, value in pairs}


@pytest.fixture(scope="session")
def environment_image(server, busybox_archive):
    """An image on the shared server that prints its environment."""
    name = "test/environment:1"
    server.landfall("image", "load", busybox_archive(name, *ENVIRONMENT_IN_HEX))
    return name


@pytest.fixture(scope="session")
def s3(server):
    """S3 on the shared server."""
    return server.client("s3")


@pytest.fixture
def bucket(s3):
    """An empty bucket, emptied and removed afterwards."""
    name = unique("bucket")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    yield name
    empty_bucket(s3, name)
    s3.delete_bucket(Bucket=name)


def empty_bucket(s3, name):
    """Removes every version of every object, and open uploads."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
        for version in page.get("Versions", []) + page.get("DeleteMarkers", []):
            s3.delete_object(Bucket=name, Key=version["Key"], VersionId=version["VersionId"])
    for upload in s3.list_multipart_uploads(Bucket=name).get("Uploads", []):
        s3.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])


@pytest.fixture
def queue_url(server):
    """An SQS queue that rules may send to."""
    sqs = server.client("sqs")
    url = open_queue(sqs, unique("queue"))
    yield url
    sqs.delete_queue(QueueUrl=url)


def open_queue(sqs, name):
    """The URL of a new queue whose policy lets every rule of the account send to it."""
    policy = events_may("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
    return sqs.create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"]


def events_may(action, resource, rule="*"):
    """A policy that allows EventBridge an action on a resource for a rule."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": action,
        "Resource": resource,
        "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{rule}"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def queue_arn(sqs, url):
    """The ARN of a queue."""
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return answer["Attributes"]["QueueArn"]


def receive(sqs, url, count=1, seconds=WAIT_SECONDS_MAX):
    """Waits for `count` messages, removes them, and returns their bodies."""
    bodies = []
    deadline = time.monotonic() + seconds
    while len(bodies) < count and time.monotonic() < deadline:
        answer = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2, MaxNumberOfMessages=10)
        for message in answer.get("Messages", []):
            bodies.append(message["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert len(bodies) == count, f"{len(bodies)} messages instead of {count}: {bodies}"
    return bodies


def refused(error):
    """Code and HTTP status of a botocore ClientError."""
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]
