"""The road of before: S3 → CloudTrail → EventBridge → ECS, with the stock AWS CLI and boto3."""

import datetime
import gzip
import json
import time
import urllib.error
import urllib.request

import boto3
import botocore.config
import botocore.exceptions
import pytest

from conftest import (
    ACCOUNT,
    ENVIRONMENT_IN_HEX,
    REGION,
    empty_bucket,
    open_queue,
    queue_arn,
    receive,
    refused,
    start_server,
    unique,
    wait_until,
)
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
TRAIL_ARN = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/sample-events"


@pytest.fixture(scope="module")
def stacks(own_server, busybox_archive):
    own_server.landfall("image", "load", busybox_archive(IMAGE, *ENVIRONMENT_IN_HEX))
    deploy(own_server, "sample-network", "direct/network.yaml", NETWORK_PARAMETERS)
    deploy(own_server, "sample-application", "cloudtrail/application.yaml", APPLICATION_PARAMETERS)
    return own_server


@pytest.fixture(scope="module")
def records(stacks):
    """What the trail puts on the bus, seen through a queue."""
    return events_of(stacks, {"detail-type": ["AWS API Call via CloudTrail"], "source": ["aws.s3"]})


def events_of(server, pattern):
    """A function that waits for `count` events of a pattern on the default bus."""
    sqs, events, name = server.client("sqs"), server.client("events"), unique("seen")
    url = open_queue(sqs, name)
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "q", "Arn": queue_arn(sqs, url)}])
    return lambda count=1: [json.loads(body) for body in receive(sqs, url, count)]


def log_bucket(server, trail):
    """A bucket that CloudTrail may write to for one trail."""
    s3, name = server.client("s3"), unique("log")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    allow = {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}}
    source = {"aws:SourceArn": f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/{trail}"}
    write = source | {"s3:x-amz-acl": "bucket-owner-full-control"}
    files = f"arn:aws:s3:::{name}/AWSLogs/{ACCOUNT}/*"
    statements = [
        allow
        | {
            "Action": "s3:GetBucketAcl",
            "Resource": f"arn:aws:s3:::{name}",
            "Condition": {"StringEquals": source},
        },
        allow | {"Action": "s3:PutObject", "Resource": files, "Condition": {"StringEquals": write}},
    ]
    policy = {"Version": "2012-10-17", "Statement": statements}
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
    return name


@pytest.fixture
def cloudtrail(server):
    """CloudTrail on the shared server, without trails before and afterwards."""
    client = server.client("cloudtrail")
    yield client
    for trail in client.list_trails()["Trails"]:
        client.delete_trail(Name=trail["TrailARN"])


def make_trail(server, selectors=None, **more):
    """A trail that records what basic selectors take, else management events; the trail and its bucket."""
    name = unique("trail")
    bucket = log_bucket(server, name)
    client = server.client("cloudtrail")
    made = client.create_trail(Name=name, S3BucketName=bucket, **more)
    if selectors:
        client.put_event_selectors(TrailName=name, EventSelectors=selectors)
    client.start_logging(Name=name)
    return made, bucket


def log_files(server, bucket):
    s3 = server.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="AWSLogs/")
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def delivered(server, bucket):
    """All records in the log files of a bucket."""
    s3, records = server.client("s3"), []
    for key in log_files(server, bucket):
        if "/CloudTrail/" in key:
            body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            records += json.loads(gzip.decompress(body))["Records"]
    return records


def wait_for_records(server, bucket, wanted):
    def probe():
        found = [record for record in delivered(server, bucket) if wanted(record)]
        return found or None

    return wait_until(probe, "a record in a log file")


def data_selector(bucket, **more):
    resource = {"Type": "AWS::S3::Object", "Values": [f"arn:aws:s3:::{bucket}/"]}
    return {"IncludeManagementEvents": False, "DataResources": [resource]} | more


# --- the former stack -----------------------------------------------------------------------------------------


def test_1_the_stack_made_what_the_template_says(stacks):
    client = stacks.client("cloudtrail")
    [trail] = client.describe_trails(trailNameList=["sample-events"])["trailList"]
    assert trail["TrailARN"] == TRAIL_ARN
    assert trail["S3BucketName"] == LOG_BUCKET
    assert trail["LogFileValidationEnabled"] is True
    assert trail["HomeRegion"] == REGION
    assert trail["HasCustomEventSelectors"] is True
    data, management = client.get_event_selectors(TrailName="sample-events")["EventSelectors"]
    assert data["DataResources"] == [
        {"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::sample-bucket/test"]}
    ]
    assert data["ReadWriteType"] == "WriteOnly"
    assert data["IncludeManagementEvents"] is False
    assert management["ReadWriteType"] == "All"
    assert management["IncludeManagementEvents"] is True
    assert client.get_trail_status(Name=TRAIL_ARN)["IsLogging"] is True
    policy = json.loads(stacks.client("s3").get_bucket_policy(Bucket=LOG_BUCKET)["Policy"])
    assert [it["Sid"] for it in policy["Statement"]] == ["AWSCloudTrailAclCheck", "AWSCloudTrailWrite"]


def test_2_only_the_watched_key_starts_a_container_and_it_gets_the_key(stacks):
    for key in ("complete.txt", "tes/aaa/complete.txt", "test/aaa/Complete.txt", "test/aaa/data.csv"):
        copy(stacks, "x", key)
    copy(stacks, "done", MARKER)
    [task] = wait_for_stopped(stacks, 1)
    assert len(task_arns(stacks)) == 1
    assert task["startedBy"] == "events-rule/sample-events"
    assert task["containers"][0]["exitCode"] == 0
    assert object_key(task) == MARKER
    assert container_environment(stacks, task)["OBJECT_KEY"] == MARKER.encode()
    assert MARKER in json.dumps(stacks.runs())


def test_3_copies_and_multipart_uploads_start_it_too(stacks):
    s3 = stacks.client("s3")
    s3.copy_object(Bucket="sample-bucket", Key=MARKER + ".copy", CopySource=f"sample-bucket/{MARKER}")
    key = MARKER + ".parts"
    upload = s3.create_multipart_upload(Bucket="sample-bucket", Key=key)["UploadId"]
    part = s3.upload_part(Bucket="sample-bucket", Key=key, UploadId=upload, PartNumber=1, Body=b"x")
    s3.complete_multipart_upload(
        Bucket="sample-bucket",
        Key=key,
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    tasks = wait_for_stopped(stacks, 3)
    assert sorted(map(object_key, tasks)) == [MARKER, MARKER + ".copy", key]


def test_4_the_event_is_the_record_of_the_call(stacks, records):
    s3 = stacks.client("s3")
    answer = s3.put_object(Bucket="sample-bucket", Key="test/a b+é%.csv", Body=b"12345")
    [event] = records()
    assert event["source"] == "aws.s3"
    assert event["detail-type"] == "AWS API Call via CloudTrail"
    assert event["resources"] == []
    assert (event["account"], event["region"]) == (ACCOUNT, REGION)
    record = event["detail"]
    assert record["eventTime"] == event["time"]
    assert record["requestID"] == answer["ResponseMetadata"]["RequestId"]
    assert len(record.pop("eventID")) == 36
    assert record.pop("requestID") and record.pop("eventTime")
    assert "Botocore" in record.pop("userAgent")
    host = stacks.endpoint.removeprefix("http://")
    extra = record.pop("additionalEventData")
    assert extra["SignatureVersion"] == "SigV4"
    assert extra["AuthenticationMethod"] == "AuthHeader"
    assert (extra["bytesTransferredIn"], extra["bytesTransferredOut"]) == (5, 0)
    assert record == {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "Root",
            "principalId": ACCOUNT,
            "arn": f"arn:aws:iam::{ACCOUNT}:root",
            "accountId": ACCOUNT,
            "accessKeyId": "test",
        },
        "eventSource": "s3.amazonaws.com",
        "eventName": "PutObject",
        "awsRegion": REGION,
        "sourceIPAddress": "127.0.0.1",
        "requestParameters": {"bucketName": "sample-bucket", "Host": host, "key": "test/a b+é%.csv"},
        "responseElements": {"x-amz-server-side-encryption": "AES256"},
        "readOnly": False,
        "resources": [
            {"type": "AWS::S3::Object", "ARN": "arn:aws:s3:::sample-bucket/test/a b+é%.csv"},
            {"accountId": ACCOUNT, "type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::sample-bucket"},
        ],
        "eventType": "AwsApiCall",
        "managementEvent": False,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Data",
        "tlsDetails": {"clientProvidedHostHeader": host},
    }


def test_5_a_refused_upload_is_recorded_with_its_error_and_the_rule_takes_it(stacks, records):
    before = len(task_arns(stacks))
    with pytest.raises(botocore.exceptions.ClientError) as error:
        stacks.client("s3").put_object(Bucket="sample-bucket", Key=MARKER, Body=b"x", IfNoneMatch="*")
    assert refused(error) == ("PreconditionFailed", 412)
    [event] = records()
    record = event["detail"]
    assert record["eventName"] == "PutObject"
    assert record["errorCode"] == "PreconditionFailed"
    assert "pre-conditions" in record["errorMessage"]
    assert record["responseElements"] is None
    assert record["requestParameters"]["key"] == MARKER
    assert len(wait_for_stopped(stacks, before + 1)) == before + 1


def test_6_management_events_that_write_go_on_the_bus(stacks):
    seen = events_of(stacks, {"detail": {"eventSource": ["ssm.amazonaws.com"]}})
    ssm = stacks.client("ssm")
    ssm.put_parameter(Name="/old/road", Value="a secret", Type="SecureString")
    ssm.get_parameter(Name="/old/road")
    ssm.delete_parameter(Name="/old/road")
    first, second = sorted(seen(2), key=lambda event: event["detail"]["eventName"], reverse=True)
    assert first["source"] == "aws.ssm"
    record = first["detail"]
    assert record["eventName"] == "PutParameter"
    assert record["requestParameters"]["name"] == "/old/road"
    assert "secret" not in json.dumps(record).replace("HIDDEN_DUE_TO_SECURITY_REASONS", "")
    assert record["responseElements"]["version"] == 1
    assert (record["managementEvent"], record["eventCategory"]) == (True, "Management")
    assert second["detail"]["eventName"] == "DeleteParameter"


def validate(server):
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    return server.aws(
        "cloudtrail",
        "validate-logs",
        f"--trail-arn={TRAIL_ARN}",
        f"--start-time={start:%Y-%m-%dT%H:%M:%SZ}",
        "--verbose",
        check=False,
    )


def test_7_validate_logs_accepts_what_was_delivered_and_nothing_else(stacks):
    s3 = stacks.client("s3")

    def digests():
        return [key for key in log_files(stacks, LOG_BUCKET) if "/CloudTrail-Digest/" in key]

    wait_until(lambda: len(digests()) >= 2, "two digest files")
    wait_for_records(stacks, LOG_BUCKET, lambda record: record.get("errorCode") == "PreconditionFailed")
    good = validate(stacks)
    assert good.returncode == 0, good.stdout + good.stderr
    assert "INVALID" not in good.stdout
    logs = [key for key in log_files(stacks, LOG_BUCKET) if "/CloudTrail/" in key]
    assert f"{LOG_BUCKET}/{logs[0]}\tvalid" in good.stdout
    head = f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/{time.strftime('%Y/', time.gmtime())}"
    assert all(key.startswith(head) and key.endswith(".json.gz") for key in logs)

    kept = s3.get_object(Bucket=LOG_BUCKET, Key=logs[0])["Body"].read()
    changed = gzip.decompress(kept).replace(b'"eventVersion":"1.11"', b'"eventVersion":"1.10"')
    assert changed != gzip.decompress(kept)
    s3.put_object(Bucket=LOG_BUCKET, Key=logs[0], Body=gzip.compress(changed))
    bad = validate(stacks)
    assert bad.returncode == 1, bad.stdout + bad.stderr
    assert f"{logs[0]}\tINVALID: hash value doesn't match" in bad.stdout + bad.stderr
    s3.put_object(Bucket=LOG_BUCKET, Key=logs[0], Body=kept)
    assert validate(stacks).returncode == 0

    digest = digests()[0]
    original = s3.get_object(Bucket=LOG_BUCKET, Key=digest)
    forged = gzip.decompress(original["Body"].read()).replace(b'"hashAlgorithm"', b'"hashalgorithm"')
    s3.put_object(
        Bucket=LOG_BUCKET, Key=digest, Body=gzip.compress(forged), Metadata=original["Metadata"]
    )
    bad = validate(stacks)
    assert bad.returncode == 1
    assert "INVALID: signature verification failed" in bad.stdout + bad.stderr


def test_8_the_stacks_delete_cleanly(stacks):
    stacks.client("cloudtrail").stop_logging(Name="sample-events")
    # Once the last record is in a file and the file is in a digest, nothing more comes.
    wait_for_records(stacks, LOG_BUCKET, lambda record: record["eventName"] == "StopLogging")

    def settled():
        keys = log_files(stacks, LOG_BUCKET)
        digests = sorted(key for key in keys if "/CloudTrail-Digest/" in key)
        body = stacks.client("s3").get_object(Bucket=LOG_BUCKET, Key=digests[-1])["Body"].read()
        listed = [file["s3Object"] for file in json.loads(gzip.decompress(body))["logFiles"]]
        return any("StopLogging" in text for text in map(log_text, listed))

    def log_text(key):
        body = stacks.client("s3").get_object(Bucket=LOG_BUCKET, Key=key)["Body"].read()
        return gzip.decompress(body).decode()

    wait_until(settled, "the last digest file")
    for bucket in ("sample-bucket", LOG_BUCKET):
        empty_bucket(stacks.client("s3"), bucket)
    stacks.aws("cloudformation", "delete-stack", "--stack-name=sample-application")
    stacks.aws("cloudformation", "wait", "stack-delete-complete", "--stack-name=sample-application")
    assert stacks.client("cloudtrail").list_trails()["Trails"] == []
    assert stacks.client("s3").list_buckets()["Buckets"] == []


# --- the API --------------------------------------------------------------------------------------------------


def test_the_sixth_trail_is_refused(server, cloudtrail):
    for _ in range(5):
        make_trail(server)
    bucket = log_bucket(server, "sixth")
    done = server.aws(
        "cloudtrail", "create-trail", "--name=sixth", f"--s3-bucket-name={bucket}", check=False
    )
    assert done.returncode != 0
    assert "MaximumNumberOfTrailsExceededException" in done.stderr
    assert f"User: {ACCOUNT} already has 5 trails in {REGION}." in done.stderr
    cloudtrail.delete_trail(Name=cloudtrail.list_trails()["Trails"][0]["Name"])
    cloudtrail.create_trail(Name="sixth", S3BucketName=bucket)


def test_a_trail_needs_a_bucket_that_it_may_write_to(server, cloudtrail, s3, bucket):
    with pytest.raises(cloudtrail.exceptions.S3BucketDoesNotExistException) as error:
        cloudtrail.create_trail(Name="no-bucket", S3BucketName="no-such-bucket")
    assert "S3 bucket no-such-bucket does not exist!" in str(error.value)
    with pytest.raises(cloudtrail.exceptions.InsufficientS3BucketPolicyException) as error:
        cloudtrail.create_trail(Name="no-policy", S3BucketName=bucket)
    assert f"Incorrect S3 bucket policy is detected for bucket: {bucket}" in str(error.value)
    other = log_bucket(server, "another-trail")
    with pytest.raises(cloudtrail.exceptions.InsufficientS3BucketPolicyException):
        cloudtrail.create_trail(Name="this-trail", S3BucketName=other)
    with pytest.raises(cloudtrail.exceptions.InsufficientS3BucketPolicyException):
        cloudtrail.create_trail(Name="another-trail", S3BucketName=other, S3KeyPrefix="elsewhere")
    assert cloudtrail.list_trails()["Trails"] == []


def test_a_trail_is_as_it_was_made_and_changed(server, cloudtrail):
    made, _ = make_trail(server, TagsList=[{"Key": "team", "Value": "ops"}])
    name, arn = made["Name"], made["TrailARN"]
    assert arn == f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/{name}"
    assert (made["IsMultiRegionTrail"], made["LogFileValidationEnabled"]) == (False, False)
    [standard] = cloudtrail.get_event_selectors(TrailName=arn)["EventSelectors"]
    assert standard == {
        "ReadWriteType": "All",
        "IncludeManagementEvents": True,
        "DataResources": [],
        "ExcludeManagementEventSources": [],
    }
    with pytest.raises(cloudtrail.exceptions.TrailAlreadyExistsException):
        cloudtrail.create_trail(Name=name, S3BucketName="x")
    changed = cloudtrail.update_trail(Name=name, EnableLogFileValidation=True, IsMultiRegionTrail=True)
    assert (changed["IsMultiRegionTrail"], changed["LogFileValidationEnabled"]) == (True, True)
    with pytest.raises(cloudtrail.exceptions.InvalidParameterCombinationException):
        cloudtrail.update_trail(Name=name, IncludeGlobalServiceEvents=False)

    cloudtrail.add_tags(ResourceId=arn, TagsList=[{"Key": "cost", "Value": "1"}])
    cloudtrail.remove_tags(ResourceId=arn, TagsList=[{"Key": "team"}])
    [tagged] = cloudtrail.list_tags(ResourceIdList=[arn])["ResourceTagList"]
    assert tagged == {"ResourceId": arn, "TagsList": [{"Key": "cost", "Value": "1"}]}

    status = cloudtrail.get_trail_status(Name=name)
    assert status["IsLogging"] is True and status["TimeLoggingStarted"]
    cloudtrail.stop_logging(Name=name)
    status = cloudtrail.get_trail_status(Name=name)
    assert status["IsLogging"] is False and status["TimeLoggingStopped"]
    with pytest.raises(cloudtrail.exceptions.InsightNotEnabledException):
        cloudtrail.get_insight_selectors(TrailName=name)
    cloudtrail.delete_trail(Name=arn)
    with pytest.raises(cloudtrail.exceptions.TrailNotFoundException) as error:
        cloudtrail.get_trail(Name=name)
    assert f"Unknown trail: {name} for the user: {ACCOUNT}" in str(error.value)


def test_a_multi_region_trail_casts_its_shadow_and_records_everywhere(server, cloudtrail):
    made, log = make_trail(server, IsMultiRegionTrail=True)
    elsewhere = server.client("cloudtrail", region_name="eu-west-1")
    [shadow] = elsewhere.describe_trails()["trailList"]
    assert (shadow["TrailARN"], shadow["HomeRegion"]) == (made["TrailARN"], REGION)
    assert elsewhere.describe_trails(includeShadowTrails=False)["trailList"] == []
    with pytest.raises(elsewhere.exceptions.InvalidHomeRegionException):
        elsewhere.stop_logging(Name=made["TrailARN"])
    name = unique("far")
    server.client("sqs", region_name="eu-west-1").create_queue(QueueName=name)
    [record] = wait_for_records(
        server, log, lambda it: (it["requestParameters"] or {}).get("queueName") == name
    )
    assert record["awsRegion"] == "eu-west-1"
    assert any("/CloudTrail/eu-west-1/" in key for key in log_files(server, log))


@pytest.mark.parametrize(
    ("selectors", "told"),
    [
        ({"EventSelectors": [{}] * 6}, "limit of 5"),
        (
            {
                "EventSelectors": [
                    {"DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::b"]}]}
                ]
            },
            "Value arn:aws:s3:::b for DataResources.Values is invalid.",
        ),
        (
            {
                "EventSelectors": [
                    {
                        "DataResources": [
                            {
                                "Type": "AWS::S3::Object",
                                "Values": [f"arn:aws:s3:::b/{n}" for n in range(251)],
                            }
                        ]
                    }
                ]
            },
            "limit of 250",
        ),
    ],
)
def test_selectors_that_aws_refuses_change_nothing(server, cloudtrail, selectors, told):
    made, _ = make_trail(server)
    with pytest.raises(cloudtrail.exceptions.InvalidEventSelectorsException) as error:
        cloudtrail.put_event_selectors(TrailName=made["Name"], **selectors)
    assert told in str(error.value)
    [kept] = cloudtrail.get_event_selectors(TrailName=made["Name"])["EventSelectors"]
    assert kept["DataResources"] == []


def test_advanced_selectors_take_the_place_of_basic_ones_and_select(server, cloudtrail, s3, bucket):
    made, log = make_trail(server, [data_selector(bucket)])
    name = made["Name"]
    fields = [
        {"Field": "eventCategory", "Equals": ["Data"]},
        {"Field": "resources.type", "Equals": ["AWS::S3::Object"]},
        {
            "Field": "resources.ARN",
            "StartsWith": [f"arn:aws:s3:::{bucket}/in/"],
            "NotEndsWith": [".tmp"],
        },
        {"Field": "eventName", "NotEquals": ["DeleteObject"]},
    ]
    cloudtrail.put_event_selectors(TrailName=name, AdvancedEventSelectors=[{"FieldSelectors": fields}])
    answer = cloudtrail.get_event_selectors(TrailName=name)
    assert "EventSelectors" not in answer
    assert answer["AdvancedEventSelectors"] == [{"FieldSelectors": fields}]

    seen = events_of(server, {"source": ["aws.s3"], "detail": {"requestParameters": {"bucketName": [bucket]}}})
    for key in ("out/a", "in/a.tmp", "in/a"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    assert s3.get_object(Bucket=bucket, Key="in/a")["Body"].read() == b"x"
    s3.delete_object(Bucket=bucket, Key="in/a")
    s3.put_object(Bucket=bucket, Key="in/b", Body=b"x")
    keys = [event["detail"]["requestParameters"]["key"] for event in seen(2)]
    assert sorted(keys) == ["in/a", "in/b"]

    wait_for_records(server, log, lambda record: record["requestParameters"]["key"] == "in/b")
    [read] = wait_for_records(server, log, lambda record: record["eventName"] == "GetObject")
    assert read["readOnly"] is True
    assert read["additionalEventData"]["bytesTransferredOut"] == 1
    names = sorted(record["eventName"] for record in delivered(server, log))
    assert names == ["GetObject", "PutObject", "PutObject"]


def test_nothing_is_recorded_while_a_trail_is_off(server, cloudtrail, s3, bucket):
    made, log = make_trail(server, [data_selector(bucket)])
    cloudtrail.stop_logging(Name=made["Name"])
    s3.put_object(Bucket=bucket, Key="off", Body=b"x")
    cloudtrail.start_logging(Name=made["Name"])
    s3.put_object(Bucket=bucket, Key="on", Body=b"x")
    wait_for_records(server, log, lambda record: record["requestParameters"]["key"] == "on")
    keys = [record["requestParameters"]["key"] for record in delivered(server, log)]
    assert keys == ["on"]


def test_log_files_are_objects_of_their_bucket_and_tell_so(server, cloudtrail, s3, bucket):
    made, log = make_trail(server, [data_selector(bucket)])
    s3.put_bucket_notification_configuration(
        Bucket=log, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    seen = events_of(server, {"detail-type": ["Object Created"], "detail": {"bucket": {"name": [log]}}})
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    created = seen(1)[0]["detail"]["object"]["key"]
    assert created in log_files(server, log)
    head = s3.head_object(Bucket=log, Key=created)
    assert (head["ContentType"], head["ContentEncoding"]) == ("application/json", "gzip")
    status = cloudtrail.get_trail_status(Name=made["Name"])
    assert status["LatestDeliveryTime"] and "LatestDeliveryError" not in status


def test_a_bucket_that_no_longer_takes_files_shows_in_the_status_and_loses_nothing(
    server, cloudtrail, s3, bucket
):
    made, log = make_trail(server, [data_selector(bucket)])
    policy = s3.get_bucket_policy(Bucket=log)["Policy"]
    s3.delete_bucket_policy(Bucket=log)
    s3.put_object(Bucket=bucket, Key="kept", Body=b"x")

    def error():
        return cloudtrail.get_trail_status(Name=made["Name"]).get("LatestDeliveryError")

    assert wait_until(error, "the delivery error") == "AccessDenied"
    assert delivered(server, log) == []
    s3.put_bucket_policy(Bucket=log, Policy=policy)
    s3.put_object(Bucket=bucket, Key="next", Body=b"x")
    wait_for_records(server, log, lambda record: record["requestParameters"]["key"] == "next")
    keys = [record["requestParameters"]["key"] for record in delivered(server, log)]
    assert keys == ["kept", "next"]
    assert wait_until(lambda: error() is None, "the end of the error")


def test_the_event_history_knows_management_events_of_all_services(server, cloudtrail, bucket):
    name = unique("history")
    iam, sqs = server.client("iam"), server.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    with pytest.raises(botocore.exceptions.ClientError):
        server.client("ecs").describe_tasks(cluster=name, tasks=["0" * 32])

    def found(**wanted):
        attributes = [
            {"AttributeKey": key, "AttributeValue": value} for key, value in wanted.items()
        ]
        return cloudtrail.lookup_events(LookupAttributes=attributes)["Events"]

    [event] = found(ResourceName=name)
    assert (event["EventName"], event["EventSource"]) == ("CreateQueue", "sqs.amazonaws.com")
    assert event["Resources"] == [{"ResourceType": "AWS::SQS::Queue", "ResourceName": name}]
    record = json.loads(event["CloudTrailEvent"])
    assert record["requestParameters"] == {"queueName": name}
    assert record["responseElements"] == {"queueUrl": url}
    assert record["eventID"] == event["EventId"]

    [made] = [it for it in found(ResourceName=bucket) if it["EventName"] == "CreateBucket"]
    record = json.loads(made["CloudTrailEvent"])
    assert record["requestParameters"]["bucketName"] == bucket
    assert (record["eventSource"], record["eventCategory"]) == ("s3.amazonaws.com", "Management")

    def failure():
        failed = [json.loads(it["CloudTrailEvent"]) for it in found(EventName="DescribeTasks")]
        return [it for it in failed if (it["requestParameters"] or {}).get("cluster") == name]

    [failed] = wait_until(failure, "the record of a failed call")
    assert failed["errorCode"] == "ClusterNotFoundException"
    assert failed["readOnly"] is True
    sqs.send_message(QueueUrl=url, MessageBody="x")
    assert found(EventName="SendMessage") == []
    iam.list_roles()
    assert found(EventName="ListRoles") == []  # a global service's events are in us-east-1

    events = server.client("cloudtrail").get_paginator("lookup_events")
    pages = list(events.paginate(PaginationConfig={"PageSize": 2, "MaxItems": 5}))
    ids = [event["EventId"] for page in pages for event in page["Events"]]
    assert len(ids) == len(set(ids)) == 5
    with pytest.raises(cloudtrail.exceptions.InvalidLookupAttributesException):
        cloudtrail.lookup_events(
            LookupAttributes=[
                {"AttributeKey": "EventName", "AttributeValue": "a"},
                {"AttributeKey": "EventId", "AttributeValue": "b"},
            ]
        )
    with pytest.raises(cloudtrail.exceptions.InvalidTimeRangeException):
        now = datetime.datetime.now(datetime.UTC)
        cloudtrail.lookup_events(StartTime=now, EndTime=now - datetime.timedelta(hours=1))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("ab", "Minimum allowed length: 3 characters. Specified name length: 2 characters."),
        ("x" * 129, "Maximum allowed length: 128 characters."),
        ("my trail", "can only contain uppercase letters"),
        ("-trail", "must starts with a letter or number."),
    ],
)
def test_bad_names_are_refused(cloudtrail, name, told):
    with pytest.raises(cloudtrail.exceptions.InvalidTrailNameException) as error:
        cloudtrail.create_trail(Name=name, S3BucketName="no-such-bucket")
    assert told in str(error.value)


def test_what_landfall_does_not_do_is_refused(cloudtrail):
    for more in ({"KmsKeyId": "alias/x"}, {"SnsTopicName": "x"}, {"CloudWatchLogsRoleArn": "x"}):
        with pytest.raises(cloudtrail.exceptions.UnsupportedOperationException) as error:
            cloudtrail.create_trail(Name="abc", S3BucketName="no-such-bucket", **more)
        assert next(iter(more)) in str(error.value)


def test_a_trail_of_a_stack_changes_with_its_template(server, cloudtrail, bucket):
    name = unique("stack-trail")
    log = log_bucket(server, name)
    cloudformation = server.client("cloudformation")

    def template(**properties):
        trail = {"TrailName": name, "S3BucketName": log, "IsLogging": True} | properties
        resources = {"Trail": {"Type": "AWS::CloudTrail::Trail", "Properties": trail}}
        outputs = {
            "Ref": {"Value": {"Ref": "Trail"}},
            "Arn": {"Value": {"Fn::GetAtt": ["Trail", "Arn"]}},
        }
        return json.dumps({"Resources": resources, "Outputs": outputs})

    tags = [{"Key": "team", "Value": "ops"}]
    cloudformation.create_stack(
        StackName=name, TemplateBody=template(EventSelectors=[data_selector(bucket)], Tags=tags)
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    [stack] = cloudformation.describe_stacks(StackName=name)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    assert outputs == {"Ref": name, "Arn": f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/{name}"}
    [selector] = cloudtrail.get_event_selectors(TrailName=name)["EventSelectors"]
    assert selector["DataResources"] == data_selector(bucket)["DataResources"]
    [tagged] = cloudtrail.list_tags(ResourceIdList=[outputs["Arn"]])["ResourceTagList"]
    assert {"Key": "team", "Value": "ops"} in tagged["TagsList"]

    def update(body):
        cloudformation.update_stack(StackName=name, TemplateBody=body)
        waiter = cloudformation.get_waiter("stack_update_complete")
        waiter.wait(StackName=name, WaiterConfig={"Delay": 1})

    fields = [
        {"Field": "eventCategory", "Equals": ["Data"]},
        {"Field": "resources.type", "Equals": ["AWS::S3::Object"]},
    ]
    update(template(AdvancedEventSelectors=[{"FieldSelectors": fields}], EnableLogFileValidation=True))
    answer = cloudtrail.get_event_selectors(TrailName=name)
    assert answer["AdvancedEventSelectors"] == [{"FieldSelectors": fields}]
    assert cloudtrail.get_trail(Name=name)["Trail"]["LogFileValidationEnabled"] is True
    update(template(IsLogging=False))
    [selector] = cloudtrail.get_event_selectors(TrailName=name)["EventSelectors"]
    assert selector["DataResources"] == [] and selector["IncludeManagementEvents"] is True
    trail = cloudtrail.get_trail(Name=name)["Trail"]
    assert (trail["LogFileValidationEnabled"], trail["HasCustomEventSelectors"]) == (False, False)
    assert cloudtrail.get_trail_status(Name=name)["IsLogging"] is False

    cloudformation.delete_stack(StackName=name)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    assert cloudtrail.list_trails()["Trails"] == []


def test_a_stack_without_the_bucket_policy_fails_with_the_reason(server, cloudtrail, bucket):
    name = unique("stack-trail")
    cloudformation = server.client("cloudformation")
    properties = {"TrailName": name, "S3BucketName": bucket, "IsLogging": True}
    resources = {"Trail": {"Type": "AWS::CloudTrail::Trail", "Properties": properties}}
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": resources}))

    def failed():
        events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        return [event for event in events if event["ResourceStatus"] == "CREATE_FAILED"]

    [event] = wait_until(failed, "the failure")
    assert f"Incorrect S3 bucket policy is detected for bucket: {bucket}" in event["ResourceStatusReason"]
    assert cloudtrail.list_trails()["Trails"] == []


# --- servers of their own -------------------------------------------------------------------------------------


def test_the_delay_of_aws_can_be_imitated(tmp_path):
    seconds = 3
    server = start_server(tmp_path / "log", "--ephemeral", f"--cloudtrail-delay={seconds}")
    try:
        s3, bucket = server.client("s3"), unique("delayed")
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        make_trail(server, [data_selector(bucket)])
        seen = events_of(server, {"detail": {"requestParameters": {"bucketName": [bucket]}}})
        started = time.monotonic()
        s3.put_object(Bucket=bucket, Key="k", Body=b"x")
        [event] = seen()
        assert time.monotonic() - started >= seconds
        assert event["detail"]["eventName"] == "PutObject"
    finally:
        server.process.terminate()
        server.process.wait(timeout=20)


def test_an_anonymous_upload_that_is_denied_is_recorded(tmp_path):
    server = start_server(tmp_path / "log", "--ephemeral", "--credential=test:test")
    try:
        s3, bucket = server.client("s3"), unique("denied")
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        make_trail(server, [data_selector(bucket)])
        seen = events_of(server, {"detail": {"requestParameters": {"bucketName": [bucket]}}})
        request = urllib.request.Request(f"{server.endpoint}/{bucket}/k", data=b"x", method="PUT")
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(request)
        assert error.value.code == 403
        [event] = seen()
        record = event["detail"]
        assert (record["eventName"], record["errorCode"]) == ("PutObject", "AccessDenied")
        assert record["userIdentity"]["accountId"] == "ANONYMOUS_PRINCIPAL"
        assert record["requestParameters"]["key"] == "k"
    finally:
        server.process.terminate()
        server.process.wait(timeout=20)


def session_client(server, service, credentials, token=True, **options):
    """A client that signs as a session."""
    return boto3.client(
        service,
        endpoint_url=server.endpoint,
        region_name=REGION,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"] if token else None,
        **options,
    )


def test_a_session_passes_where_signatures_are_checked_and_records_tell_its_role(tmp_path):
    server = start_server(tmp_path / "log", "--ephemeral", "--credential=test:test")
    try:
        s3, bucket, role = server.client("s3"), unique("assumed"), f"arn:aws:iam::{ACCOUNT}:role/team/worker"
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        make_trail(server, [data_selector(bucket)])
        seen = events_of(server, {"detail": {"requestParameters": {"bucketName": [bucket]}}})
        made = server.client("sts").assume_role(RoleArn=role, RoleSessionName="me")["Credentials"]
        who = session_client(server, "sts", made).get_caller_identity()
        assert who["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/me"
        session_client(server, "ssm", made).put_parameter(Name="/by/session", Value="x", Type="String")
        session_client(server, "s3", made).put_object(Bucket=bucket, Key="k", Body=b"x")
        for version in ("s3v4", "s3"):
            signer = session_client(server, "s3", made, config=botocore.config.Config(signature_version=version))
            url = signer.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"})
            assert urllib.request.urlopen(url).read() == b"x"
        [event] = seen()
        identity = event["detail"]["userIdentity"]
        created = identity["sessionContext"]["attributes"].pop("creationDate")
        assert datetime.datetime.fromisoformat(created)
        issuer_id = who["UserId"].removesuffix(":me")
        assert identity == {
            "type": "AssumedRole",
            "principalId": who["UserId"],
            "arn": who["Arn"],
            "accountId": ACCOUNT,
            "accessKeyId": made["AccessKeyId"],
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": issuer_id,
                    "arn": role,
                    "accountId": ACCOUNT,
                    "userName": "worker",
                },
                "attributes": {"mfaAuthenticated": "false"},
            },
        }
        for service, call, code in [
            ("s3", lambda client: client.put_object(Bucket=bucket, Key="k", Body=b"x"), "InvalidToken"),
            ("ssm", lambda client: client.get_parameter(Name="/by/session"), "UnrecognizedClientException"),
            ("sts", lambda client: client.get_caller_identity(), "InvalidClientTokenId"),
        ]:
            forged = made | {"SessionToken": made["SessionToken"][:-12] + "AAAAAAAAAAAA"}
            for client in (
                session_client(server, service, made, token=False),
                session_client(server, service, forged),
            ):
                with pytest.raises(botocore.exceptions.ClientError) as error:
                    call(client)
                assert refused(error)[0] == code
    finally:
        server.process.terminate()
        server.process.wait(timeout=20)


def test_a_body_that_cannot_be_read_is_still_a_call(server, cloudtrail):
    s3, bucket = server.client("s3"), unique("malformed")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    make_trail(server, [data_selector(bucket, IncludeManagementEvents=True)])
    seen = events_of(server, {"detail": {"requestParameters": {"bucketName": [bucket]}, "errorCode": ["MalformedXML"]}})
    for method, query in [("PUT", "versioning"), ("POST", "delete")]:
        url, headers = f"{server.endpoint}/{bucket}?{query}", {"Content-Type": "application/xml"}
        request = urllib.request.Request(url, data=b"<not xml", method=method, headers=headers)
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(request)
        assert error.value.code == 400
    names = {event["detail"]["eventName"] for event in seen(2)}
    assert names == {"PutBucketVersioning", "DeleteObjects"}
