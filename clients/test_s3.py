"""S3 through boto3 and the AWS CLI: what comes back, conditions, listings, versions, uploads in parts, signed links."""

import base64
import hashlib
import http.client
import io
import urllib.error
import urllib.parse
import urllib.request
import zlib

import botocore.exceptions
import pytest

from conftest import REGION, refused, unique

PART = 5 * 1024 * 1024


def put(s3, bucket, *keys):
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())


def body(s3, bucket, key, **request):
    return s3.get_object(Bucket=bucket, Key=key, **request)["Body"].read()


def fetch(url, method="GET", data=None):
    """Sends the request with no header of its own: a signature may cover them."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    try:
        connection.request(method, f"{parts.path}?{parts.query}", body=data)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_an_object_comes_back_with_its_metadata(s3, bucket):
    put_answer = s3.put_object(
        Bucket=bucket,
        Key="a/b.txt",
        Body=b"hello",
        ContentType="text/x-test",
        CacheControl="no-cache",
        ContentDisposition="attachment",
        Metadata={"colour": "blue"},
    )
    assert put_answer["ETag"] == '"5d41402abc4b2a76b9719d911017c592"'
    got = s3.get_object(Bucket=bucket, Key="a/b.txt")
    assert got["Body"].read() == b"hello"
    assert got["ETag"] == put_answer["ETag"]
    assert got["ContentType"] == "text/x-test"
    assert got["CacheControl"] == "no-cache"
    assert got["ContentDisposition"] == "attachment"
    assert got["Metadata"] == {"colour": "blue"}
    assert got["AcceptRanges"] == "bytes"
    assert "VersionId" not in got
    head = s3.head_object(Bucket=bucket, Key="a/b.txt")
    assert head["ContentLength"] == 5
    assert head["LastModified"] == got["LastModified"]


@pytest.mark.parametrize(
    ("asked", "bytes_wanted", "content_range"),
    [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=8-100", b"89", "bytes 8-9/10"),
    ],
)
def test_ranges(s3, bucket, asked, bytes_wanted, content_range):
    s3.put_object(Bucket=bucket, Key="digits", Body=b"0123456789")
    got = s3.get_object(Bucket=bucket, Key="digits", Range=asked)
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert got["Body"].read() == bytes_wanted
    assert got["ContentRange"] == content_range


def test_a_range_behind_the_end_is_refused(s3, bucket):
    s3.put_object(Bucket=bucket, Key="digits", Body=b"0123456789")
    with pytest.raises(botocore.exceptions.ClientError) as error:
        s3.get_object(Bucket=bucket, Key="digits", Range="bytes=10-")
    assert refused(error) == ("InvalidRange", 416)


def test_conditions_on_reading(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    assert body(s3, bucket, "k", IfMatch=etag) == b"x"
    with pytest.raises(botocore.exceptions.ClientError) as error:
        s3.get_object(Bucket=bucket, Key="k", IfMatch='"other"')
    assert refused(error) == ("PreconditionFailed", 412)
    with pytest.raises(botocore.exceptions.ClientError) as error:
        s3.get_object(Bucket=bucket, Key="k", IfNoneMatch=etag)
    assert refused(error) == ("304", 304)


def test_conditions_on_writing(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    with pytest.raises(botocore.exceptions.ClientError) as error:
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    assert refused(error) == ("PreconditionFailed", 412)
    s3.put_object(Bucket=bucket, Key="k", Body=b"3", IfMatch=etag)
    with pytest.raises(botocore.exceptions.ClientError) as error:
        s3.put_object(Bucket=bucket, Key="k", Body=b"4", IfMatch=etag)
    assert refused(error) == ("PreconditionFailed", 412)
    assert body(s3, bucket, "k") == b"3"


def test_copying_keeps_or_replaces_the_metadata(s3, bucket):
    source = "from é+%.txt"
    s3.put_object(Bucket=bucket, Key=source, Body=b"x", Metadata={"a": "1"}, ContentType="text/a")
    s3.copy_object(Bucket=bucket, Key="same", CopySource={"Bucket": bucket, "Key": source})
    assert s3.head_object(Bucket=bucket, Key="same")["Metadata"] == {"a": "1"}
    s3.copy_object(
        Bucket=bucket,
        Key="other",
        CopySource={"Bucket": bucket, "Key": source},
        MetadataDirective="REPLACE",
        Metadata={"b": "2"},
    )
    assert s3.head_object(Bucket=bucket, Key="other")["Metadata"] == {"b": "2"}
    with pytest.raises(botocore.exceptions.ClientError) as error:
        s3.copy_object(Bucket=bucket, Key="x", CopySource={"Bucket": bucket, "Key": "none"})
    assert refused(error) == ("NoSuchKey", 404)


def test_missing_things_are_named(s3, bucket):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        s3.get_object(Bucket=bucket, Key="none")
    assert refused(error) == ("NoSuchKey", 404)
    assert error.value.response["Error"]["Message"] == "The specified key does not exist."
    with pytest.raises(botocore.exceptions.ClientError) as error:
        s3.head_object(Bucket=bucket, Key="none")
    assert refused(error) == ("404", 404)
    with pytest.raises(botocore.exceptions.ClientError) as error:
        s3.list_objects_v2(Bucket=unique("none"))
    assert refused(error) == ("NoSuchBucket", 404)
    assert s3.delete_object(Bucket=bucket, Key="none")["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_listing_v2_pages_through_keys_and_prefixes(s3, bucket):
    put(s3, bucket, "a", "dir/1", "dir/2", "dir/sub/3", "z é+ %.txt")
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 1}
    )
    keys, prefixes, count = [], [], 0
    for page in pages:
        count += 1
        keys += [item["Key"] for item in page.get("Contents", [])]
        prefixes += [item["Prefix"] for item in page.get("CommonPrefixes", [])]
    assert (keys, prefixes, count) == (["a", "z é+ %.txt"], ["dir/"], 3)
    below = s3.list_objects_v2(Bucket=bucket, Prefix="dir/", StartAfter="dir/1")
    assert [item["Key"] for item in below["Contents"]] == ["dir/2", "dir/sub/3"]
    assert below["KeyCount"] == 2


def test_listing_v1_has_markers(s3, bucket):
    put(s3, bucket, "a", "b", "c")
    first = s3.list_objects(Bucket=bucket, MaxKeys=2)
    assert [item["Key"] for item in first["Contents"]] == ["a", "b"]
    assert first["IsTruncated"]
    second = s3.list_objects(Bucket=bucket, Marker="b")
    assert [item["Key"] for item in second["Contents"]] == ["c"]
    assert not second["IsTruncated"]


def test_many_are_deleted_in_one_call(s3, bucket):
    put(s3, bucket, "a", "b", "<c>&'\"")
    answer = s3.delete_objects(
        Bucket=bucket,
        Delete={"Objects": [{"Key": key} for key in ("a", "<c>&'\"", "none")]},
    )
    assert {item["Key"] for item in answer["Deleted"]} == {"a", "<c>&'\"", "none"}
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["b"]


def test_versions_are_kept_hidden_and_removed(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["VersionId"]
    second = s3.put_object(Bucket=bucket, Key="k", Body=b"2")["VersionId"]
    assert body(s3, bucket, "k") == b"2"
    assert body(s3, bucket, "k", VersionId=first) == b"1"
    assert body(s3, bucket, "k", VersionId="null") == b"before"
    marker = s3.delete_object(Bucket=bucket, Key="k")
    assert marker["DeleteMarker"] is True
    with pytest.raises(botocore.exceptions.ClientError) as error:
        s3.get_object(Bucket=bucket, Key="k")
    assert refused(error) == ("NoSuchKey", 404)
    listed = s3.list_object_versions(Bucket=bucket)
    assert [item["VersionId"] for item in listed["Versions"]] == [second, first, "null"]
    assert listed["DeleteMarkers"][0]["IsLatest"]
    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker["VersionId"])
    s3.delete_object(Bucket=bucket, Key="k", VersionId=second)
    assert body(s3, bucket, "k") == b"1"


def test_an_upload_in_parts(s3, bucket):
    upload = s3.create_multipart_upload(
        Bucket=bucket, Key="big", ContentType="text/big", Metadata={"m": "1"}
    )["UploadId"]
    contents = [b"a" * PART, b"b" * 10]
    parts = []
    for number, content in enumerate(contents, start=1):
        answer = s3.upload_part(Bucket=bucket, Key="big", UploadId=upload, PartNumber=number, Body=content)
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
    listed = s3.list_parts(Bucket=bucket, Key="big", UploadId=upload)["Parts"]
    assert [part["Size"] for part in listed] == [PART, 10]
    assert s3.list_multipart_uploads(Bucket=bucket)["Uploads"][0]["Key"] == "big"
    with pytest.raises(botocore.exceptions.ClientError):
        s3.head_object(Bucket=bucket, Key="big")
    done = s3.complete_multipart_upload(
        Bucket=bucket, Key="big", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    digests = b"".join(hashlib.md5(content).digest() for content in contents)
    assert done["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-2"'
    got = s3.get_object(Bucket=bucket, Key="big")
    assert got["Body"].read() == b"".join(contents)
    assert (got["ContentType"], got["Metadata"]) == ("text/big", {"m": "1"})
    assert body(s3, bucket, "big", PartNumber=2) == contents[1]
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_bad_uploads_in_parts_are_refused(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="big")["UploadId"]
    etags = [
        s3.upload_part(Bucket=bucket, Key="big", UploadId=upload, PartNumber=number, Body=b"x")["ETag"]
        for number in (1, 2)
    ]

    def complete(*parts):
        s3.complete_multipart_upload(
            Bucket=bucket,
            Key="big",
            UploadId=upload,
            MultipartUpload={"Parts": [{"PartNumber": number, "ETag": etag} for number, etag in parts]},
        )

    for parts, code in [
        ([(1, etags[0]), (2, etags[1])], "EntityTooSmall"),
        ([(2, etags[1]), (1, etags[0])], "InvalidPartOrder"),
        ([(1, '"0123456789abcdef0123456789abcdef"')], "InvalidPart"),
        ([(3, etags[0])], "InvalidPart"),
    ]:
        with pytest.raises(botocore.exceptions.ClientError) as error:
            complete(*parts)
        assert refused(error) == (code, 400)
    s3.abort_multipart_upload(Bucket=bucket, Key="big", UploadId=upload)
    with pytest.raises(botocore.exceptions.ClientError) as error:
        s3.list_parts(Bucket=bucket, Key="big", UploadId=upload)
    assert refused(error) == ("NoSuchUpload", 404)


def test_parts_can_be_copied(s3, bucket):
    s3.put_object(Bucket=bucket, Key="source", Body=b"a" * PART + b"tail")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="copy")["UploadId"]
    parts = []
    for number, asked in enumerate((f"bytes=0-{PART - 1}", f"bytes={PART}-{PART + 3}"), start=1):
        answer = s3.upload_part_copy(
            Bucket=bucket,
            Key="copy",
            UploadId=upload,
            PartNumber=number,
            CopySource={"Bucket": bucket, "Key": "source"},
            CopySourceRange=asked,
        )
        parts.append({"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]})
    s3.complete_multipart_upload(Bucket=bucket, Key="copy", UploadId=upload, MultipartUpload={"Parts": parts})
    assert body(s3, bucket, "copy") == b"a" * PART + b"tail"


def test_the_cli_copies_a_large_file_there_and_back(server, s3, bucket, tmp_path):
    content = bytes(range(256)) * 4096 * 20
    (tmp_path / "large").write_bytes(content)
    server.aws("s3", "cp", str(tmp_path / "large"), f"s3://{bucket}/large")
    server.aws("s3", "cp", f"s3://{bucket}/large", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == content
    assert s3.head_object(Bucket=bucket, Key="large")["ETag"].endswith('-3"')
    server.aws("s3", "sync", str(tmp_path), f"s3://{bucket}/all")
    listing = server.aws("s3", "ls", "--recursive", f"s3://{bucket}/all").stdout
    assert "all/back" in listing and "all/large" in listing
    server.aws("s3", "rm", "--recursive", f"s3://{bucket}")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.parametrize(
    ("algorithm", "field", "compute"),
    [
        ("CRC32", "ChecksumCRC32", lambda data: zlib.crc32(data).to_bytes(4, "big")),
        ("SHA1", "ChecksumSHA1", lambda data: hashlib.sha1(data).digest()),
        ("SHA256", "ChecksumSHA256", lambda data: hashlib.sha256(data).digest()),
    ],
)
def test_checksums_are_stored_and_verified(s3, bucket, algorithm, field, compute):
    right = base64.b64encode(compute(b"data")).decode()
    answer = s3.put_object(Bucket=bucket, Key="k", Body=b"data", ChecksumAlgorithm=algorithm)
    assert answer[field] == right
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert head[field] == right
    wrong = base64.b64encode(compute(b"other")).decode()
    with pytest.raises(botocore.exceptions.ClientError) as error:
        s3.put_object(Bucket=bucket, Key="wrong", Body=b"data", **{field: wrong})
    assert refused(error) == ("BadDigest", 400)
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k"]


def test_a_wrong_content_md5_is_refused(s3, bucket):
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    with pytest.raises(botocore.exceptions.ClientError) as error:
        s3.put_object(Bucket=bucket, Key="k", Body=b"data", ContentMD5=wrong)
    assert refused(error) == ("BadDigest", 400)


@pytest.mark.parametrize("signature", ["s3", "s3v4"])
def test_signed_links(server, bucket, signature):
    s3 = server.client("s3", config={"signature_version": signature})
    key = "dir/é + %.txt"
    link = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=60)
    assert fetch(link, "PUT", b"through a link")[0] == 200
    link = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=60)
    assert fetch(link) == (200, b"through a link")


@pytest.mark.parametrize("signature", ["s3", "s3v4"])
def test_a_link_that_has_expired_is_refused(server, bucket, signature):
    s3 = server.client("s3", config={"signature_version": signature})
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    link = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=-10)
    status, answer = fetch(link)
    assert status in (400, 403), answer
    assert b"<Code>" in answer


def test_posting_a_form(server, s3, bucket):
    form = s3.generate_presigned_post(bucket, "form/${filename}", ExpiresIn=60)
    boundary = "x-boundary"
    fields = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in form["fields"].items()
    )
    content = (
        f'{fields}--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="f.txt"\r\n'
        f"Content-Type: text/plain\r\n\r\nposted\r\n--{boundary}--\r\n"
    )
    request = urllib.request.Request(
        form["url"],
        data=content.encode(),
        headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.status == 204
    assert body(s3, bucket, "form/f.txt") == b"posted"


def test_tags_of_an_object(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="a=1&b=2%20c")
    tags = s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"]
    assert sorted(tags, key=lambda tag: tag["Key"]) == [
        {"Key": "a", "Value": "1"},
        {"Key": "b", "Value": "2 c"},
    ]
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "z", "Value": "9"}]})
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "z", "Value": "9"}]
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("get_bucket_policy", "NoSuchBucketPolicy"),
        ("get_bucket_cors", "NoSuchCORSConfiguration"),
        ("get_bucket_website", "NoSuchWebsiteConfiguration"),
        ("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration"),
        ("get_bucket_replication", "ReplicationConfigurationNotFoundError"),
        ("get_object_lock_configuration", "ObjectLockConfigurationNotFoundError"),
        ("get_bucket_tagging", "NoSuchTagSet"),
        ("get_public_access_block", "NoSuchPublicAccessBlockConfiguration"),
    ],
)
def test_settings_that_were_never_made(s3, bucket, call, code):
    if call == "get_public_access_block":
        s3.delete_public_access_block(Bucket=bucket)
    with pytest.raises(botocore.exceptions.ClientError) as error:
        getattr(s3, call)(Bucket=bucket)
    assert refused(error) == (code, 404)


def test_buckets_are_made_listed_and_refused(s3, bucket):
    assert bucket in [item["Name"] for item in s3.list_buckets()["Buckets"]]
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] == REGION
    assert s3.head_bucket(Bucket=bucket)["BucketRegion"] == REGION
    where = {"LocationConstraint": REGION}
    with pytest.raises(botocore.exceptions.ClientError) as error:
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
    assert refused(error) == ("BucketAlreadyOwnedByYou", 409)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    with pytest.raises(botocore.exceptions.ClientError) as error:
        s3.delete_bucket(Bucket=bucket)
    assert refused(error) == ("BucketNotEmpty", 409)


@pytest.mark.parametrize("name", ["Upper-case", "a_b_c", "192.168.5.4", "-begins", "two..dots"])
def test_bad_bucket_names(server, name):
    request = urllib.request.Request(f"{server.endpoint}/{name}", method="PUT")
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(request, timeout=20)
    answer = error.value.read()
    assert error.value.code in (400, 403)
    assert b"<Code>" in answer


def test_notifications_are_replaced_as_a_whole(s3, bucket):
    assert "EventBridgeConfiguration" not in s3.get_bucket_notification_configuration(Bucket=bucket)
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    assert s3.get_bucket_notification_configuration(Bucket=bucket)["EventBridgeConfiguration"] == {}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    assert "EventBridgeConfiguration" not in s3.get_bucket_notification_configuration(Bucket=bucket)


def test_hosts_can_name_the_bucket(server, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"by host")
    link = server.client("s3").generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    query = link.split("?", 1)[1]
    port = server.endpoint.rsplit(":", 1)[1]
    request = urllib.request.Request(
        f"{server.endpoint}/k?{query}", headers={"Host": f"{bucket}.s3.localhost:{port}"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.read() == b"by host"


def test_a_stream_of_unknown_length_is_uploaded(s3, bucket):
    content = bytes(range(256)) * 5000
    s3.upload_fileobj(io.BytesIO(content), bucket, "streamed")
    assert body(s3, bucket, "streamed") == content
