"""A cloud whose disk is full: calls fail by name in their service's own words, nothing is torn, and it goes on.

The disk is full in that no file of the cloud's process may grow, which Linux lets another process say.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.parity.test_resume import Killed, messages

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="prlimit is Linux's")
NO_ROOM = r"state\.db cannot be written .*see whether there is room in .*call again"


def fill(cloud: Killed, is_full: bool = True) -> None:
    _, hard = resource.prlimit(cloud.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(cloud.process.pid, resource.RLIMIT_FSIZE, (1_000 if is_full else hard, hard))


def until(holds: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while not (found := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


@pytest.fixture
def cloud(tmp_path: Path) -> Any:
    started = Killed(tmp_path)
    yield started
    started.process.kill()  # some of these tests end it themselves
    started.process.wait()


def test_calls_fail_by_name_and_nothing_is_torn_lost_or_there_twice(cloud: Killed) -> None:
    s3, sqs, dynamodb = cloud.client("s3"), cloud.client("sqs"), cloud.client("dynamodb")
    told, sent = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("told", "sent"))
    s3.create_bucket(Bucket="objects")
    arn = sqs.get_queue_attributes(QueueUrl=told, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    wanted = {"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket="objects", NotificationConfiguration={"QueueConfigurations": [wanted]}
    )
    dynamodb.create_table(
        TableName="items",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    until(lambda: len(messages(cloud, told)) == 1)  # that the bucket tells the queue

    fill(cloud)
    with pytest.raises(ClientError, match=rf"InternalError.*{NO_ROOM}"):
        s3.put_object(Bucket="objects", Key="first", Body=b"is there, but its caller does not know")
    refused: list[Callable[[], Any]] = [
        lambda: s3.put_object(Bucket="objects", Key="second", Body=bytes(1_000_000)),
        lambda: sqs.send_message(QueueUrl=sent, MessageBody="never"),
        lambda: dynamodb.put_item(TableName="items", Item={"pk": {"S": "never"}}),
        lambda: cloud.client("iam").create_role(RoleName="never", AssumeRolePolicyDocument="{}"),
        lambda: cloud.client("ec2").create_security_group(GroupName="never", Description="never"),
        lambda: cloud.client("batch").create_scheduling_policy(name="never"),
    ]
    for call in refused * 2:
        with pytest.raises(ClientError, match=rf"Internal(Failure|Error).*{NO_ROOM}"):
            call()
    assert s3.head_object(Bucket="objects", Key="first")["ContentLength"] == 38  # reading goes on

    fill(cloud, is_full=False)
    sqs.send_message(QueueUrl=sent, MessageBody="once")
    cloud.kill()
    assert [found["Key"] for found in cloud.client("s3").list_objects_v2(Bucket="objects")["Contents"]] == ["first"]
    assert cloud.client("dynamodb").scan(TableName="items")["Count"] == 0
    assert messages(cloud, sent) == ["once"]
    arrived = until(lambda: messages(cloud, told))
    keys = [record["s3"]["object"]["key"] for one in arrived for record in json.loads(one)["Records"]]
    assert keys == ["first"]  # the object that is there has its event


def test_it_ends_when_told_to_though_the_disk_is_full(cloud: Killed, tmp_path: Path) -> None:
    fill(cloud)
    with pytest.raises(ClientError, match=NO_ROOM):
        cloud.client("sqs").create_queue(QueueName="unwritten")
    cloud.process.terminate()
    assert cloud.process.wait(60) == 0
    assert not (tmp_path / "cloud.json").exists()
