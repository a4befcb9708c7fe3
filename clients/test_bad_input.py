"""Whatever arrives, the answer has the service's error shape, and nothing changes."""

import http.client
import json
import urllib.parse

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from conftest import REGION, unique


def call(server, service, body, path="/", method="POST", **headers):
    """Sends bytes as no client would, but well signed; returns status and body."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = AWSRequest(method, server.endpoint + path, headers=names, data=body)
    sign = S3SigV4Auth if service == "s3" else SigV4Auth
    sign(Credentials("test", "test"), service, REGION).add_auth(request)
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(server.endpoint).netloc, timeout=20)
    try:
        connection.request(method, path, body=body, headers=dict(request.headers.items()))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def json_call(server, service, target, body):
    return call(server, service, body, X_Amz_Target=target, Content_Type="application/x-amz-json-1.1")


TARGETS = [
    ("events", "AWSEvents.PutRule"),
    ("ecs", "AmazonEC2ContainerServiceV20141113.RunTask"),
    ("logs", "Logs_20140328.CreateLogGroup"),
    ("ssm", "AmazonSSM.GetParameter"),
    ("sqs", "AmazonSQS.CreateQueue"),
]
BODIES = [b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b"", b'{"a":' * 5000]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
@pytest.mark.parametrize(("service", "target"), TARGETS)
def test_broken_json_is_an_error_of_the_service(server, service, target, body):
    status, answer = json_call(server, service, target, body)
    assert status == 400
    assert json.loads(answer)["__type"]


@pytest.mark.parametrize(("service", "target"), TARGETS)
def test_an_operation_that_does_not_exist(server, service, target):
    prefix = target.split(".")[0]
    status, answer = json_call(server, service, f"{prefix}.NoSuchOperation", b"{}")
    assert status in (400, 404, 501)
    assert "UnknownOperationException" in json.loads(answer)["__type"] or b"NotImplemented" in answer


@pytest.mark.parametrize(
    ("service", "target", "body"),
    [
        ("events", "AWSEvents.PutRule", {"Name": 5, "EventPattern": "{}"}),
        ("events", "AWSEvents.PutRule", {"Name": "bad name!", "EventPattern": '{"a":["b"]}'}),
        ("events", "AWSEvents.PutTargets", {"Rule": "r", "Targets": {}}),
        ("ecs", "AmazonEC2ContainerServiceV20141113.RunTask", {"taskDefinition": ["x"]}),
        ("logs", "Logs_20140328.CreateLogGroup", {"logGroupName": "with spaces!"}),
        ("ssm", "AmazonSSM.PutParameter", {"Name": "/x", "Value": {}}),
        ("sqs", "AmazonSQS.CreateQueue", {"QueueName": "bad name"}),
    ],
)
def test_wrong_types_and_values_are_refused(server, service, target, body):
    status, answer = json_call(server, service, target, json.dumps(body).encode())
    assert status == 400, answer
    assert json.loads(answer)["__type"]


@pytest.mark.parametrize(
    "form",
    [
        b"",
        b"Action=NoSuchAction&Version=2010-05-15",
        b"Action=CreateStack&Version=2010-05-15",
        b"Action=DescribeStacks&Version=2010-05-15&%ff%fe=%zz",
    ],
)
def test_broken_queries_are_errors_in_xml(server, form):
    status, answer = call(server, "cloudformation", form, Content_Type="application/x-www-form-urlencoded")
    if form.startswith(b"Action=DescribeStacks"):
        assert status in (200, 400)
        return
    assert status == 400, answer
    assert b"<Code>" in answer


@pytest.mark.parametrize(
    ("sub_resource", "body"),
    [
        ("versioning", b"<Versioning"),
        ("versioning", b"<A/>"),
        ("delete", b"<Delete><Object></Delete>"),
        ("notification", b"\xff"),
        ("tagging", b"<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet>"),
    ],
)
def test_broken_xml_is_malformed(server, s3, bucket, sub_resource, body):
    method = "POST" if sub_resource == "delete" else "PUT"
    status, answer = call(server, "s3", body, path=f"/{bucket}?{sub_resource}", method=method)
    assert status == 400, answer
    assert b"<Code>MalformedXML</Code>" in answer
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)


def test_requests_for_nobody_are_answered(server):
    for path, headers in [("/", {"X_Amz_Target": "Nobody.Nothing"}), ("/", {"Content_Type": "text/plain"})]:
        status, answer = call(server, "nosuchservice", b"x", path=path, **headers)
        assert 400 <= status < 600 and status != 500
        assert answer


def test_keys_that_are_too_long_are_refused(server, s3, bucket):
    with pytest.raises(s3.exceptions.ClientError) as error:
        s3.put_object(Bucket=bucket, Key="k" * 1025, Body=b"x")
    assert error.value.response["Error"]["Code"] == "KeyTooLongError"
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_the_server_still_serves(server):
    name = unique("still")
    sqs = server.client("sqs")
    sqs.delete_queue(QueueUrl=sqs.create_queue(QueueName=name)["QueueUrl"])


def test_tags_that_ask_for_what_cannot_be(server):
    ecs, events = server.client("ecs"), server.client("events")
    name = unique("tagged")
    cluster = ecs.create_cluster(clusterName=name)["cluster"]["clusterArn"]
    rule = events.put_rule(Name=name, EventPattern='{"source": ["x"]}')["RuleArn"]
    with pytest.raises(ecs.exceptions.InvalidParameterException, match="landfall:max-running"):
        ecs.tag_resource(resourceArn=cluster, tags=[{"key": "landfall:max-running", "value": "none"}])
    with pytest.raises(events.exceptions.ClientError, match=r"ValidationException.*landfall:max-running"):
        events.tag_resource(ResourceARN=rule, Tags=[{"Key": "landfall:max-running", "Value": "0"}])
    assert ecs.list_tags_for_resource(resourceArn=cluster)["tags"] == []
    assert events.list_tags_for_resource(ResourceARN=rule)["Tags"] == []
