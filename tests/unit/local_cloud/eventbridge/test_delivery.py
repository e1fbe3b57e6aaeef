"""Retries, dead letters and the outbox, with a clock of the test's own."""

from __future__ import annotations

import logging
import pickle
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, ParamValidationError

from local_cloud import chaos
from local_cloud.eventbridge import delivery
from local_cloud.eventbridge.delivery import Courier
from local_cloud.eventbridge.failures import DeliveryError, describe
from local_cloud.eventbridge.outbox import Outbox, Pending
from local_cloud.eventbridge.retries import InvalidRetryPolicyError, check, exhausted, pause_s
from local_cloud.eventbridge.timer import Timer

QUEUE = "arn:aws:sqs:us-east-1:123456789012:dead"
TARGET = "arn:aws:lambda:us-east-1:123456789012:function:f"
RULE = "arn:aws:events:us-east-1:123456789012:rule/r"


def service_error(code: str, status: int) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "Invoke")


THROTTLED = service_error("TooManyRequestsException", 429)


class World:
    """A courier whose target fails as told, whose clock is set by hand, and whose threads are this one."""

    def __init__(self, *failures: Exception) -> None:
        self.now = 1_000.0
        self.failures = list(failures)
        self.sent: list[tuple[float, str]] = []
        self.dead: list[tuple[str, str, dict[str, str]]] = []
        self.queue_failures: list[Exception] = []
        self.outbox = Outbox()
        self.timer = Timer(lambda: self.now)
        self.courier = Courier(
            self.outbox,
            self.timer,
            submit=lambda function, record: function(record),
            send=self._send,
            send_dead_letter=self._send_message,
            chance=lambda: 0.0,
        )

    def _send(self, _: Pending, payload: str) -> None:
        self.sent.append((self.now, payload))
        if self.failures:
            raise self.failures.pop(0)

    def _send_message(self, _record: Pending, queue: str, body: str, attributes: dict[str, Any]) -> None:
        if self.queue_failures:
            raise self.queue_failures.pop(0)
        self.dead.append((queue, body, {name: one["StringValue"] for name, one in attributes.items()}))

    def pending(self, **changes: Any) -> Pending:
        given: dict[str, Any] = {
            "source_arn": RULE,
            "target": {"Arn": TARGET, "DeadLetterConfig": {"Arn": QUEUE}},
            "payload": "{}",
            "account": "123456789012",
            "region": "us-east-1",
            "event_id": "e",
            "accepted_at": self.now,
            "due_at": self.now,
        }
        return Pending(**{**given, **changes})

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.timer.run_due()


def test_what_arrives_leaves_the_outbox() -> None:
    world = World()
    world.courier.accept(world.pending())
    assert world.sent == [(1_000.0, "{}")]
    assert world.outbox.pending() == []


def test_what_may_pass_is_tried_again_after_growing_pauses() -> None:
    world = World(THROTTLED, service_error("InternalFailure", 500), EndpointConnectionError(endpoint_url="x"))
    world.courier.accept(world.pending())
    assert [record.retries for record in world.outbox.pending()] == [1]
    for seconds in (0.4, 0.1, 1.0, 1.9, 0.1):
        world.pass_time(seconds)
    assert [moment for moment, _ in world.sent] == pytest.approx([1_000.0, 1_000.5, 1_001.5, 1_003.5])
    assert world.outbox.pending() == []
    assert world.dead == []


def test_a_refusal_goes_to_the_dead_letters_at_once() -> None:
    world = World(service_error("ResourceNotFoundException", 404))
    world.courier.accept(world.pending())
    ((queue, body, attributes),) = world.dead
    assert (queue, body, len(world.sent)) == (QUEUE, "{}", 1)
    assert attributes.pop("ERROR_MESSAGE")
    assert attributes == {
        "RULE_ARN": RULE,
        "TARGET_ARN": TARGET,
        "ERROR_CODE": "NO_RESOURCE",
        "RETRY_ATTEMPTS": "0",
    }
    assert world.outbox.pending() == []


def test_a_retry_policy_ends_in_the_dead_letters_and_is_named() -> None:
    target = {
        "Arn": TARGET,
        "DeadLetterConfig": {"Arn": QUEUE},
        "RetryPolicy": {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 60},
    }
    world = World(*[THROTTLED] * 10)
    world.courier.accept(world.pending(target=target))
    for _ in range(5):
        world.pass_time(5)
    attributes = world.dead[0][2]
    assert attributes["EXHAUSTED_RETRY_CONDITION"] == "MaximumRetryAttempts"
    assert (attributes["RETRY_ATTEMPTS"], attributes["ERROR_CODE"], len(world.sent)) == ("2", "THROTTLING", 3)

    world = World(*[THROTTLED] * 10)
    world.courier.accept(world.pending(target=target, accepted_at=world.now - 60))
    assert world.dead[0][2]["EXHAUSTED_RETRY_CONDITION"] == "MaximumEventAgeInSeconds"


def test_a_dead_letter_queue_that_fails_for_now_gets_the_event_later() -> None:
    world = World(service_error("AccessDeniedException", 403))
    world.queue_failures = [service_error("InternalFailure", 500)] * 2
    world.courier.accept(world.pending())
    assert (world.dead, len(world.outbox.pending())) == ([], 1)
    world.pass_time(60)
    world.pass_time(60)
    assert (len(world.sent), len(world.dead), world.outbox.pending()) == (1, 1, [])


def test_without_a_dead_letter_queue_the_event_is_dropped_with_a_line(caplog: pytest.LogCaptureFixture) -> None:
    world = World(DeliveryError("NO_PERMISSIONS", "no"))
    with caplog.at_level(logging.ERROR):
        world.courier.accept(world.pending(target={"Arn": TARGET}))
    assert f"event e of {RULE} is dropped" in caplog.text
    assert (world.dead, world.outbox.pending()) == ([], [])


def test_a_dead_letter_holds_the_event_and_not_what_the_target_would_have_got() -> None:
    world = World(service_error("NotFound", 404))
    world.courier.accept(world.pending(payload='"n is 1"', original='{"detail": {"n": 1}}'))
    assert world.sent == [(1_000.0, '"n is 1"')]
    assert world.dead[0][1] == '{"detail": {"n": 1}}'


def test_an_input_that_could_not_be_made_is_a_dead_letter_with_the_event() -> None:
    world = World()
    world.courier.accept(world.pending(payload='{"id": "e"}', failure=("INVALID_JSON", "why")))
    assert world.sent == []
    assert world.dead[0][1] == '{"id": "e"}'
    assert world.dead[0][2]["ERROR_CODE"] == "INVALID_JSON"


def test_a_schedule_names_its_attempt_and_its_dead_letter_is_scheduler_s() -> None:
    world = World(THROTTLED, service_error("StateMachineDoesNotExist", 400))
    about = {"EXECUTION_ID": "x", "SCHEDULED_TIME": "t"}
    world.courier.accept(world.pending(payload='{"n": <aws.scheduler.attempt-number>}', about=about))
    world.pass_time(1)
    assert [payload for _, payload in world.sent] == ['{"n": 1}', '{"n": 2}']
    attributes = world.dead[0][2]
    assert "RULE_ARN" not in attributes
    assert attributes["SCHEDULE_ARN"] == RULE
    assert (attributes["ERROR_CODE"], attributes["RETRY_ATTEMPTS"]) == ("StateMachineDoesNotExist", "1")
    assert (attributes["EXECUTION_ID"], attributes["IS_PAYLOAD_TRUNCATED"]) == ("x", "false")


def test_a_dead_letter_that_is_too_long_is_cut_and_says_so() -> None:
    world = World(service_error("NotFound", 404))
    world.courier.accept(world.pending(payload="ä" * 200_000, about={"EXECUTION_ID": "x"}))
    assert len(world.dead[0][1].encode()) < 256 * 1024
    assert world.dead[0][2]["IS_PAYLOAD_TRUNCATED"] == "true"


def test_what_is_due_later_waits() -> None:
    world = World()
    world.courier.accept(world.pending(due_at=1_010.0))
    assert world.sent == []
    world.pass_time(10)
    assert world.sent == [(1_010.0, "{}")]


def test_after_a_restart_delivery_goes_on_from_the_saved_outbox() -> None:
    before = World(THROTTLED)
    before.courier.accept(before.pending())
    before.courier.accept(before.pending(due_at=1_100.0))
    saved = pickle.loads(pickle.dumps(dict(before.outbox.records)))
    after = World()
    after.outbox.records.update(saved)
    after.now = 1_001.0
    after.courier.resume()
    assert len(after.sent) == 1
    after.pass_time(100)
    assert len(after.sent) == 2
    assert after.outbox.pending() == []


@pytest.mark.parametrize(
    ("error", "code", "may_pass"),
    [
        (THROTTLED, "THROTTLING", True),
        (service_error("ThrottlingException", 400), "THROTTLING", True),
        (service_error("SlowDown", 503), "THROTTLING", True),
        (service_error("ServiceUnavailable", 503), "ERROR_FROM_TARGET", True),
        (service_error("AccessDeniedException", 403), "NO_PERMISSIONS", False),
        (service_error("AWS.SimpleQueueService.NonExistentQueue", 400), "NO_RESOURCE", False),
        (service_error("ValidationException", 400), "INVALID_PARAMETER", False),
        (service_error("StateMachineLimitExceeded", 400), "RESOURCE_LIMIT_EXCEEDED", False),
        (service_error("Odd", 400), "SDK_CLIENT_ERROR", False),
        (ConnectTimeoutError(endpoint_url="x"), "TIMEOUT", True),
        (EndpointConnectionError(endpoint_url="x"), "CONNECTION_FAILURE", True),
        (ParamValidationError(report="x"), "INVALID_PARAMETER", False),
        (ValueError("x"), "INVALID_JSON", False),
        (KeyError("x"), "INTERNAL_ERROR", False),
    ],
)
def test_failures_are_named_and_some_may_pass(error: Exception, code: str, may_pass: bool) -> None:
    failure = describe(error)
    assert (failure.code, failure.may_pass) == (code, may_pass)


def test_pauses_grow_to_a_minute_and_half_of_each_is_chance() -> None:
    assert [pause_s(retries, lambda: 0.0) for retries in (0, 1, 2, 10, 185)] == [0.5, 1.0, 2.0, 60.0, 60.0]
    assert pause_s(3, lambda: 1.0) == 2.0


def test_the_default_policy_is_that_of_aws() -> None:
    assert exhausted(None, 184, 86_400) is None
    assert exhausted(None, 185, 0) == "MaximumRetryAttempts"
    assert exhausted({}, 0, 86_401) == "MaximumEventAgeInSeconds"
    assert exhausted({"MaximumRetryAttempts": 0}, 0, 0) == "MaximumRetryAttempts"


@pytest.mark.parametrize(
    "policy",
    [
        {"MaximumRetryAttempts": 186},
        {"MaximumRetryAttempts": -1},
        {"MaximumEventAgeInSeconds": 59},
        {"MaximumEventAgeInSeconds": 86_401},
    ],
)
def test_a_policy_out_of_range_is_refused(policy: dict[str, int]) -> None:
    with pytest.raises(InvalidRetryPolicyError):
        check(policy)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """A world that the module's own `deliver` works in."""
    made = World()
    monkeypatch.setattr(delivery, "OUTBOX", made.outbox)
    monkeypatch.setattr(delivery, "_COURIER", made.courier)
    return made


def test_what_is_held_back_is_in_the_outbox_and_sent_at_the_end(world: World) -> None:
    with delivery.held() as outer:
        delivery.deliver(world.pending())
        with delivery.held() as inner:
            delivery.deliver(world.pending())
        assert (len(inner), len(outer), len(world.outbox.pending())) == (1, 2, 2)
        assert world.sent == []
    assert len(world.sent) == 2
    delivery.deliver(world.pending())
    assert len(world.sent) == 3


def test_what_was_held_back_by_a_call_that_failed_is_forgotten(world: World) -> None:
    with pytest.raises(OSError, match="disk full"), delivery.held():
        delivery.deliver(world.pending())
        raise OSError("disk full")
    assert (world.sent, world.outbox.pending()) == ([], [])
    delivery.deliver(world.pending())
    assert len(world.sent) == 1


def test_chaos_sends_a_delivery_twice_and_later_under_ids_of_their_own(world: World) -> None:
    chaos.use(chaos.Options("1", duplicate=1.0, delay=1.0))
    try:
        delivery.deliver(world.pending())
    finally:
        chaos.use(None)
    assert len({record.id for record in world.outbox.pending()} | {"sent"}) == 3 - len(world.sent)
    world.pass_time(10)
    assert len(world.sent) == 2
    assert world.outbox.pending() == []
