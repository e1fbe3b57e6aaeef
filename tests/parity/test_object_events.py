"""S3 tells EventBridge, and queues, of every change of an object, and of nothing else."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

Client = Callable[..., Any]
Wait = Callable[..., Any]
KEY = "a folder/ä+b=1&c.json"


class Watched:
    """A bucket whose events come to a queue."""

    def __init__(self, client: Client, wait_until: Wait, *, versioned: bool, enabled: bool = True) -> None:
        self.name = f"bucket-{uuid.uuid4().hex[:12]}"
        self._client, self._wait_until = client, wait_until
        client("s3").create_bucket(Bucket=self.name)
        if versioned:
            client("s3").put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": "Enabled"})
        if enabled:
            client("s3").put_bucket_notification_configuration(
                Bucket=self.name, NotificationConfiguration={"EventBridgeConfiguration": {}}
            )
        self._url = client("sqs").create_queue(QueueName=self.name)["QueueUrl"]
        self.queue_arn = f"arn:aws:sqs:us-east-1:123456789012:{self.name}"
        pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [self.name]}}}
        client("events").put_rule(Name=self.name, EventPattern=json.dumps(pattern))
        client("events").put_targets(Rule=self.name, Targets=[{"Id": "q", "Arn": self.queue_arn}])

    def received(self, number: int) -> list[dict[str, Any]]:
        """So many events, in the order of their sequencers; no more of them come."""
        found: list[dict[str, Any]] = []

        def enough() -> bool:
            reply = self._client("sqs").receive_message(QueueUrl=self._url, MaxNumberOfMessages=10)
            found.extend(json.loads(message["Body"]) for message in reply.get("Messages", []))
            return len(found) >= number

        self._wait_until(enough)
        assert len(found) == number
        return sorted(found, key=lambda event: str(event["detail"]["object"].get("sequencer", "")).ljust(20, "0"))


@pytest.fixture
def s3(client: Client) -> Any:
    return client("s3")


def test_every_kind_of_creation_is_told_once_and_with_its_reason(s3: Any, client: Client, wait_until: Wait) -> None:
    bucket = Watched(client, wait_until, versioned=True)
    put = s3.put_object(Bucket=bucket.name, Key=KEY, Body=b"12345")
    s3.copy_object(Bucket=bucket.name, Key="copy", CopySource={"Bucket": bucket.name, "Key": KEY})
    upload = s3.create_multipart_upload(Bucket=bucket.name, Key="parts")["UploadId"]
    part = s3.upload_part(Bucket=bucket.name, Key="parts", UploadId=upload, PartNumber=1, Body=b"123")
    s3.complete_multipart_upload(
        Bucket=bucket.name,
        Key="parts",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    events = bucket.received(3)
    reasons = [event["detail"]["reason"] for event in events]
    assert reasons == ["PutObject", "CopyObject", "CompleteMultipartUpload"]
    assert {event["detail-type"] for event in events} == {"Object Created"}
    first = events[0]
    assert first["resources"] == [f"arn:aws:s3:::{bucket.name}"]
    assert first["detail"]["object"].pop("sequencer")
    assert len(first["detail"].pop("request-id")) == 16
    assert first["detail"] == {
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": {"key": KEY, "size": 5, "etag": put["ETag"].strip('"'), "version-id": put["VersionId"]},
        "requester": "123456789012",
        "source-ip-address": "127.0.0.1",
        "reason": "PutObject",
    }


def test_every_kind_of_deletion_is_told_once(s3: Any, client: Client, wait_until: Wait) -> None:
    bucket = Watched(client, wait_until, versioned=True)
    first = s3.put_object(Bucket=bucket.name, Key="k", Body=b"1")["VersionId"]
    second = s3.put_object(Bucket=bucket.name, Key="k", Body=b"2")["VersionId"]
    marker = s3.delete_object(Bucket=bucket.name, Key="k")["VersionId"]
    for version in (marker, first, second):
        s3.delete_objects(Bucket=bucket.name, Delete={"Objects": [{"Key": "k", "VersionId": version}]})
    told = [event["detail"] for event in bucket.received(6)]
    deleted = [(one["deletion-type"], one["object"]["version-id"]) for one in told if "deletion-type" in one]
    assert deleted == [
        ("Delete Marker Created", marker),
        ("Permanently Deleted", marker),
        ("Permanently Deleted", first),
        ("Permanently Deleted", second),
    ]
    assert all("size" not in one["object"] for one in told if one["reason"] == "DeleteObject")


def test_changed_tags_are_told_and_tags_that_come_with_an_object_are_not(
    s3: Any, client: Client, wait_until: Wait
) -> None:
    bucket = Watched(client, wait_until, versioned=True)
    version = s3.put_object(Bucket=bucket.name, Key="k", Body=b"1", Tagging="a=b", ACL="private")["VersionId"]
    s3.put_object_tagging(Bucket=bucket.name, Key="k", Tagging={"TagSet": [{"Key": "a", "Value": "c"}]})
    s3.delete_object_tagging(Bucket=bucket.name, Key="k")
    s3.put_object_acl(Bucket=bucket.name, Key="k", ACL="private")
    events = {event["detail-type"]: event["detail"] for event in bucket.received(4)}
    assert events.keys() == {"Object Created", "Object Tags Added", "Object Tags Deleted", "Object ACL Updated"}
    added = events["Object Tags Added"]
    assert "reason" not in added
    assert added["object"] == {"key": "k", "etag": events["Object Created"]["object"]["etag"], "version-id": version}


def test_without_versions_an_event_names_none(s3: Any, client: Client, wait_until: Wait) -> None:
    bucket = Watched(client, wait_until, versioned=False)
    s3.put_object(Bucket=bucket.name, Key="k", Body=b"1")
    s3.delete_object(Bucket=bucket.name, Key="k")
    s3.delete_object(Bucket=bucket.name, Key="never-was")
    created, deleted = bucket.received(2)
    assert (created["detail-type"], deleted["detail-type"]) == ("Object Created", "Object Deleted")
    assert "version-id" not in created["detail"]["object"] | deleted["detail"]["object"]


def test_a_queue_of_the_bucket_gets_records_and_a_bucket_without_eventbridge_sends_no_event(
    s3: Any, client: Client, wait_until: Wait
) -> None:
    bucket = Watched(client, wait_until, versioned=True, enabled=False)
    url = client("sqs").create_queue(QueueName=f"direct-{bucket.name}")["QueueUrl"]
    configuration = {
        "QueueArn": f"arn:aws:sqs:us-east-1:123456789012:direct-{bucket.name}",
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "suffix", "Value": ".json"}]}},
    }
    s3.put_bucket_notification_configuration(
        Bucket=bucket.name, NotificationConfiguration={"QueueConfigurations": [configuration]}
    )
    s3.put_object(Bucket=bucket.name, Key="other.csv", Body=b"1")
    version = s3.put_object(Bucket=bucket.name, Key=KEY, Body=b"12")["VersionId"]
    found: list[dict[str, Any]] = []

    def enough() -> bool:
        messages = client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        bodies = [json.loads(message["Body"]) for message in messages]
        found.extend(body["Records"][0] for body in bodies if "Records" in body)
        return bool(found)

    wait_until(enough)
    (record,) = found
    shown = record["s3"]["object"]
    assert (record["eventName"], shown["size"], shown["versionId"]) == ("ObjectCreated:Put", 2, version)
    assert shown["key"] == "a+folder/%C3%A4%2Bb%3D1%26c.json"
    assert bucket.received(0) == []
