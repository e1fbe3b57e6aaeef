"""S3 and DynamoDB keep their promises when many write at once."""

from __future__ import annotations

import functools
import json
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

Client = Callable[..., Any]
WRITERS = 10


def at_once(writes: Sequence[Callable[[], Any]]) -> list[str]:
    """What writers at once are told: "ok" or the error's code."""

    def attempt(write: Callable[[], Any]) -> str:
        try:
            write()
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "ok"

    with ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(attempt, writes))


@pytest.fixture
def bucket(client: Client) -> str:
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    client("s3").create_bucket(Bucket=name)
    client("s3").put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


@pytest.fixture
def table(client: Client) -> str:
    name = f"table-{uuid.uuid4().hex[:12]}"
    client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
    )
    return name


def test_put_with_if_none_match_lets_one_of_ten_writers_win(client: Client, bucket: str) -> None:
    for attempt in range(5):
        put = functools.partial(client("s3").put_object, Bucket=bucket, Key=f"once-{attempt}", IfNoneMatch="*")
        told = at_once([functools.partial(put, Body=bytes([number]) * (1 << 20)) for number in range(WRITERS)])
        assert sorted(told) == ["PreconditionFailed"] * (WRITERS - 1) + ["ok"]


def test_put_with_if_none_match_is_refused_while_the_object_exists(client: Client, bucket: str) -> None:
    s3 = client("s3")
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    s3.delete_object(Bucket=bucket, Key="k")
    s3.put_object(Bucket=bucket, Key="k", Body=b"3", IfNoneMatch="*")


def test_every_version_of_ten_writers_is_kept(client: Client, bucket: str) -> None:
    at_once([functools.partial(client("s3").put_object, Bucket=bucket, Key="k", Body=b"x")] * WRITERS)
    versions = client("s3").list_object_versions(Bucket=bucket)["Versions"]
    assert len({version["VersionId"] for version in versions}) == WRITERS


def test_an_older_version_and_a_copy_of_it_can_be_read(client: Client, bucket: str) -> None:
    s3 = client("s3")
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"first")["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"second")
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k", "VersionId": first})
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=first)["Body"].read() == b"first"
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"first"


def test_a_multipart_upload_is_one_object(client: Client, bucket: str) -> None:
    s3, part = client("s3"), b"x" * (5 << 20)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="big")["UploadId"]
    parts = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(Bucket=bucket, Key="big", UploadId=upload, PartNumber=number, Body=body)["ETag"],
        }
        for number, body in ((1, part), (2, b"end"))
    ]
    s3.complete_multipart_upload(Bucket=bucket, Key="big", UploadId=upload, MultipartUpload={"Parts": parts})
    assert s3.head_object(Bucket=bucket, Key="big")["ContentLength"] == len(part) + 3


def test_a_conditional_put_item_lets_one_of_ten_writers_win(client: Client, table: str) -> None:
    for attempt in range(10):
        put = functools.partial(
            client("dynamodb").put_item,
            TableName=table,
            Item={"pk": {"S": f"claim-{attempt}"}},
            ConditionExpression="attribute_not_exists(pk)",
        )
        told = at_once([put] * WRITERS)
        assert sorted(told) == ["ConditionalCheckFailedException"] * (WRITERS - 1) + ["ok"]


def test_a_compare_and_swap_lets_one_of_ten_writers_win(client: Client, table: str) -> None:
    dynamodb = client("dynamodb")
    dynamodb.put_item(TableName=table, Item={"pk": {"S": "champion"}, "version": {"N": "0"}})
    for version in range(10):
        swap = functools.partial(
            dynamodb.update_item,
            TableName=table,
            Key={"pk": {"S": "champion"}},
            UpdateExpression="SET version = :new",
            ConditionExpression="version = :old",
            ExpressionAttributeValues={":old": {"N": str(version)}, ":new": {"N": str(version + 1)}},
        )
        told = at_once([swap] * WRITERS)
        assert told.count("ok") == 1


def test_a_failed_transaction_undoes_only_itself(client: Client, table: str) -> None:
    """moto restores a copy of the whole table: a write of somebody else's in between would be lost."""
    dynamodb = client("dynamodb")
    dynamodb.put_item(TableName=table, Item={"pk": {"S": "taken"}})
    for page in range(20):  # copying the table takes a while, as it does when it holds real data
        puts = [{"PutRequest": {"Item": {"pk": {"S": f"old-{page}-{row}"}}}} for row in range(25)]
        dynamodb.batch_write_item(RequestItems={table: puts})

    def write(number: int) -> None:
        if number % 2:
            dynamodb.put_item(TableName=table, Item={"pk": {"S": f"other-{number}"}})
            return
        put = {"TableName": table, "Item": {"pk": {"S": f"half-{number}"}}}
        claim = {
            "TableName": table,
            "Item": {"pk": {"S": "taken"}},
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        dynamodb.transact_write_items(TransactItems=[{"Put": put}, {"Put": claim}])

    told = at_once([functools.partial(write, number) for number in range(WRITERS)])
    kept = {key for item in dynamodb.scan(TableName=table)["Items"] if "old" not in (key := item["pk"]["S"])}
    assert told == ["TransactionCanceledException", "ok"] * (WRITERS // 2)
    assert kept == {"taken"} | {f"other-{number}" for number in range(1, WRITERS, 2)}


def test_object_created_events_have_the_shape_of_aws(
    client: Client, bucket: str, wait_until: Callable[..., Any]
) -> None:
    queue = client("sqs").create_queue(QueueName=f"events-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    arn = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    client("s3").put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    rule = f"rule-{uuid.uuid4().hex[:8]}"
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [bucket]}, "object": {"key": [{"wildcard": "manifests/*.json"}]}},
    }
    client("events").put_rule(Name=rule, EventPattern=json.dumps(pattern))
    client("events").put_targets(Rule=rule, Targets=[{"Id": "q", "Arn": arn}])
    put = client("s3").put_object(Bucket=bucket, Key="manifests/vision/m.json", Body=b"{}")
    client("s3").put_object(Bucket=bucket, Key="other/m.json", Body=b"{}")
    messages = wait_until(lambda: client("sqs").receive_message(QueueUrl=queue).get("Messages"))
    event = json.loads(messages[0]["Body"])
    assert event["detail-type"] == "Object Created"
    assert event["resources"] == [f"arn:aws:s3:::{bucket}"]
    assert event["detail"]["reason"] == "PutObject"
    shown = event["detail"]["object"]
    assert shown["key"] == "manifests/vision/m.json"
    assert (shown["size"], shown["etag"], shown["version-id"]) == (2, put["ETag"].strip('"'), put["VersionId"])
    assert int(shown["sequencer"], 16) > 0
    assert client("sqs").receive_message(QueueUrl=queue).get("Messages") is None
