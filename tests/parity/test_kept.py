"""What a cloud had answered is there after SIGKILL, also what a request changed in another service, or made by reading.

Each is killed at once: half a second later the state is swept anyway.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parity.test_resume import Killed, messages


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Killed]:
    started = Killed(tmp_path)
    yield started
    started.stop()


def test_a_published_message_is_in_the_queue(cloud: Killed) -> None:
    sqs, sns = cloud.client("sqs"), cloud.client("sns")
    url = sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name="tells")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    sns.publish(TopicArn=topic, Message="published")
    cloud.kill()
    assert messages(cloud, url) == ["published"]


def test_what_a_first_look_made_up_stays(cloud: Killed) -> None:
    policy = "arn:aws:iam::aws:policy/AdministratorAccess"
    cloud.client("iam").get_policy(PolicyArn=policy)
    vpcs = [found["VpcId"] for found in cloud.client("ec2").describe_vpcs()["Vpcs"]]
    cloud.kill()
    assert [found["VpcId"] for found in cloud.client("ec2").describe_vpcs()["Vpcs"]] == vpcs
    assert cloud.client("iam").get_policy(PolicyArn=policy)["Policy"]["Arn"] == policy


def test_what_a_target_had_is_not_sent_to_it_again(cloud: Killed) -> None:
    """That it is delivered is written a moment later than that it arrived: the next cloud sends it again."""
    events, logs = cloud.client("events"), cloud.client("logs")
    url = cloud.client("sqs").create_queue(QueueName="target")["QueueUrl"]
    named = {"QueueUrl": url, "AttributeNames": ["QueueArn"]}
    arn = cloud.client("sqs").get_queue_attributes(**named)["Attributes"]["QueueArn"]
    dead = cloud.client("sqs").create_queue(QueueName="dead")["QueueUrl"]
    logs.create_log_group(logGroupName="/target")
    group = logs.describe_log_groups()["logGroups"][0]["arn"]
    letters = {"DeadLetterConfig": {"Arn": arn.replace("target", "dead")}}
    events.put_rule(Name="all", EventPattern=json.dumps({"source": ["test"]}))
    events.put_targets(Rule="all", Targets=[{"Id": "queue", "Arn": arn}, {"Id": "group", "Arn": group, **letters}])

    def arrived(wanted: int) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            found = cloud.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
            lines = cloud.client("logs").filter_log_events(logGroupName="/target")["events"]
            if int(found["ApproximateNumberOfMessages"]) >= wanted and len(lines) >= wanted:
                return
        pytest.fail("nothing was delivered")

    sent = []
    for number in range(3):
        entry = {"Source": "test", "DetailType": "t", "Detail": json.dumps({"number": number})}
        sent.append(cloud.client("events").put_events(Entries=[entry])["Entries"][0]["EventId"])
        arrived(number + 1)
        if number < 2:
            cloud.kill()
    assert sorted(json.loads(body)["id"] for body in messages(cloud, url)) == sorted(sent)
    assert len(cloud.client("logs").filter_log_events(logGroupName="/target")["events"]) == len(sent)
    assert messages(cloud, dead) == []
