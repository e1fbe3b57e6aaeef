"""A cloud with chaos: SDKs see the faults as AWS's, and every event still arrives."""

from __future__ import annotations

import collections
import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.parity.conftest import client_maker, running_cloud

Wait = Callable[..., Any]


@pytest.fixture
def disturbed(tmp_path: Path) -> Iterator[Callable[..., dict[str, Any]]]:
    """`disturbed("seed:options")`: what the `cloud.json` of a cloud with that chaos says."""
    with_chaos = []

    def start(option: str) -> dict[str, Any]:
        running = running_cloud(tmp_path, "--chaos", option)
        _, written = running.__enter__()
        with_chaos.append(running)
        return written

    yield start
    for running in with_chaos:
        running.__exit__(None, None, None)


def test_clients_meet_throttling_and_failures_that_sdks_know(disturbed: Callable[..., dict[str, Any]]) -> None:
    cloud = disturbed("3:throttle=0.5,fail_before=0.25,fail_after=0.25")
    client = client_maker(cloud)
    calls: dict[str, Callable[[], Any]] = {
        "s3": lambda: client("s3").list_buckets(),
        "dynamodb": lambda: client("dynamodb").list_tables(),
        "sqs": lambda: client("sqs").list_queues(),
        "sns": lambda: client("sns").list_topics(),
        "cloudwatch": lambda: client("cloudwatch").list_metrics(),
        "batch": lambda: client("batch").describe_job_queues(),
        "stepfunctions": lambda: client("stepfunctions").list_state_machines(),
        "ec2": lambda: client("ec2").describe_vpcs(),
    }
    codes: dict[str, set[str]] = collections.defaultdict(set)
    for service, ask in calls.items():
        for _ in range(30):
            with pytest.raises(ClientError) as caught:
                ask()
            codes[service].add(caught.value.response["Error"]["Code"])
    assert codes == {
        "s3": {"SlowDown", "InternalError", "ServiceUnavailable"},
        "dynamodb": {"ThrottlingException", "InternalServerError", "ServiceUnavailable"},
        "sqs": {"RequestThrottled", "InternalFailure", "ServiceUnavailable"},
        "sns": {"Throttled", "InternalError", "ServiceUnavailable"},
        "cloudwatch": {"Throttling", "InternalServiceError", "ServiceUnavailable"},
        "batch": {"TooManyRequestsException", "ServerException", "ServiceUnavailable"},
        "stepfunctions": {"ThrottlingException", "InternalFailure", "ServiceUnavailable"},
        "ec2": {"RequestLimitExceeded", "InternalError", "ServiceUnavailable"},
    }
    log = (cloud["state_dir"] / "cloud.log").read_text()
    assert log.count(" chaos: ") == 30 * len(calls)


def test_events_are_duplicated_and_overtaken_and_none_is_lost(
    disturbed: Callable[..., dict[str, Any]], wait_until: Wait
) -> None:
    client = client_maker(disturbed("5:duplicate=0.5,reorder=0.5,delay=0.2,max_delay_s=0.5"))
    url = client("sqs").create_queue(QueueName="q")["QueueUrl"]
    client("events").put_rule(Name="r", EventPattern='{"source": ["s"]}')
    client("events").put_targets(Rule="r", Targets=[{"Id": "q", "Arn": "arn:aws:sqs:us-east-1:123456789012:q"}])
    for number in range(20):
        client("events").put_events(Entries=[{"Source": "s", "DetailType": "d", "Detail": json.dumps({"n": number})}])
    found: list[dict[str, Any]] = []

    def all_of_them() -> bool:
        messages = client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        found.extend(json.loads(message["Body"]) for message in messages)
        return len({event["detail"]["n"] for event in found}) == 20

    wait_until(all_of_them)
    numbers = [event["detail"]["n"] for event in found]
    assert len(numbers) > 20
    assert numbers != sorted(numbers)
    assert len({event["id"] for event in found}) == 20


def test_deliveries_that_fail_are_tried_again_and_none_is_lost(
    disturbed: Callable[..., dict[str, Any]], wait_until: Wait
) -> None:
    # With `internal` the cloud's own calls fail too: those that bring events to their targets.
    cloud = disturbed("9:throttle=0.2,fail_before=0.1,fail_after=0.1,internal")
    client = client_maker(cloud)

    def insist(call: Callable[..., Any], **request: Any) -> Any:
        for _ in range(100):
            with contextlib.suppress(ClientError):
                return call(**request)
        return pytest.fail("no call of a hundred came through")

    sqs, events = client("sqs"), client("events")
    insist(sqs.create_queue, QueueName="q")
    url = insist(sqs.get_queue_url, QueueName="q")["QueueUrl"]
    target = {"Id": "q", "Arn": "arn:aws:sqs:us-east-1:123456789012:q"}
    insist(events.put_rule, Name="r", EventPattern='{"source": ["s"]}')
    insist(events.put_targets, Rule="r", Targets=[target])
    for number in range(20):
        entry = {"Source": "s", "DetailType": "d", "Detail": json.dumps({"n": number})}
        insist(events.put_events, Entries=[entry])
    found: set[int] = set()

    def all_of_them() -> bool:
        reply = insist(sqs.receive_message, QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        for message in reply.get("Messages", []):
            found.add(json.loads(message["Body"])["detail"]["n"])
            insist(sqs.delete_message, QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return len(found) == 20

    wait_until(all_of_them, 60)
    log = (cloud["state_dir"] / "cloud.log").read_text()
    assert "failed, again in" in log
    assert "is dropped" not in log
