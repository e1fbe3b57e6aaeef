"""Brings events to targets: again after a failure that may pass, else to the dead-letter queue.

What is accepted stands in the outbox until it arrived, lies in the dead-letter queue, or was dropped with a line in
the log. A few threads send; one timer brings retries back.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html and
https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local_cloud import chaos, crash_points, intents
from local_cloud.eventbridge import retries, targets
from local_cloud.eventbridge.failures import DeliveryError, Failure, describe
from local_cloud.eventbridge.outbox import OUTBOX, Outbox, Pending
from local_cloud.eventbridge.timer import TIMER, Timer

_LOG = logging.getLogger("local_cloud.delivery")
SENDERS = 8
_LARGEST_MESSAGE = 256 * 1024 - 4_096
"""Of a dead letter's body: the attributes count too."""

Submit = Callable[[Callable[[Pending], None], Pending], Any]


class Courier:
    """Carries the records of an outbox. Everything it does with the world can be given: the tests have their own."""

    def __init__(
        self,
        outbox: Outbox,
        timer: Timer,
        submit: Submit,
        send: targets.Sender = targets.send,
        send_dead_letter: Callable[[Pending, str, str, dict[str, Any]], None] = targets.send_dead_letter,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._outbox, self._timer, self._submit = outbox, timer, submit
        self._send, self._send_dead_letter, self._chance = send, send_dead_letter, chance

    def accept(self, record: Pending) -> None:
        """Keep a record, and deliver it in the background, once it is due."""
        self._outbox.add(record)
        self._start(record)

    def resume(self) -> None:
        """Go on with everything in the outbox, as after a restart."""
        for record in self._outbox.pending():
            self._start(record)

    def _start(self, record: Pending) -> None:
        if record.due_at <= self._timer.now():
            self._submit(self._attempt, record)
        else:
            self._timer.call_at(record.due_at, lambda: self._submit(self._attempt, record))

    def _attempt(self, record: Pending) -> None:
        if record.failure is not None:
            self._give_up(record, Failure(record.failure[0], *record.failure, may_pass=False), None)
            return
        try:
            with intents.meant(record.sender, str(record.retries)), intents.step("send"):
                self._send(record, _payload(record))
        except Exception as error:  # noqa: BLE001
            # Nobody waits for this thread: whatever went wrong is the event's failure, named in the log.
            failure = describe(error)
            if failure.code == "INTERNAL_ERROR":
                _LOG.exception("delivering to %s failed in an unforeseen way", record.arn)
            self._failed(record, failure)
        else:
            crash_points.arrive("event-delivered")
            self._outbox.done(record)

    def _failed(self, record: Pending, failure: Failure) -> None:
        if not failure.may_pass:
            self._give_up(record, failure, None)
            return
        pause_s = retries.pause_s(record.retries, self._chance)
        age_s = self._timer.now() + pause_s - record.accepted_at
        limit = retries.exhausted(record.target.get("RetryPolicy"), record.retries, age_s)
        if limit is not None:
            self._give_up(record, failure, limit)
            return
        _LOG.warning("delivery to %s failed, again in %.1f s: %s", record.arn, pause_s, failure.message)
        record.retries += 1
        record.due_at = self._timer.now() + pause_s
        self._outbox.add(record)
        self._start(record)

    def _give_up(self, record: Pending, failure: Failure, limit: str | None, number: int = 0) -> None:
        _LOG.error("delivery to %s failed for good (%s): %s", record.arn, limit or "no retry helps", failure.message)
        queue = (record.target.get("DeadLetterConfig") or {}).get("Arn")
        if queue is None:
            _LOG.error("no dead-letter queue: event %s of %s is dropped", record.event_id, record.source_arn)
        elif not self._has_dead_letters(record, queue, failure, limit, number):
            again = functools.partial(self._give_up, failure=failure, limit=limit, number=number + 1)
            self._timer.call_at(self._timer.now() + retries.LONGEST_PAUSE_S, lambda: self._submit(again, record))
            return
        self._outbox.done(record)

    def _has_dead_letters(self, record: Pending, queue: str, failure: Failure, limit: str | None, number: int) -> bool:
        """Send it to the dead-letter queue, for the `number`-th time; False for a failure that may pass."""
        body = record.original or _payload(record)
        is_cut = len(body.encode()) > _LARGEST_MESSAGE
        if is_cut:
            body = body.encode()[:_LARGEST_MESSAGE].decode(errors="ignore")
        named = _dead_letter(record, failure, limit, is_cut)
        attributes = {name: {"DataType": "String", "StringValue": text} for name, text in named.items()}
        try:
            with intents.meant(record.sender, f"dead-letter-{number}"):
                self._send_dead_letter(record, queue, body, attributes)
        except (ClientError, BotoCoreError, DeliveryError) as error:
            _LOG.error("dead-letter queue %s did not take event %s: %s", queue, record.event_id, error)
            return not describe(error).may_pass
        return True


def _payload(record: Pending) -> str:
    """The payload of this attempt: only a schedule's may name its number."""
    if not record.about:
        return record.payload
    return record.payload.replace("<aws.scheduler.attempt-number>", str(record.retries + 1))


def _dead_letter(record: Pending, failure: Failure, limit: str | None, is_cut: bool) -> dict[str, str]:
    named = {"TARGET_ARN": record.arn, "ERROR_MESSAGE": failure.message, "RETRY_ATTEMPTS": str(record.retries)}
    if limit is not None:
        named["EXHAUSTED_RETRY_CONDITION"] = limit
    if record.about:
        named |= {"SCHEDULE_ARN": record.source_arn, "ERROR_CODE": failure.cause, **record.about}
        return named | {"IS_PAYLOAD_TRUNCATED": str(is_cut).lower()}
    return named | {"RULE_ARN": record.source_arn, "ERROR_CODE": failure.code}


_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None


def _submit(function: Callable[[Pending], None], record: Pending) -> None:
    """Run in one of a few threads. After `stop` nothing runs any more; what is left stands in the outbox."""
    with _lock:
        pool = _pool
        if pool is not None:
            pool.submit(function, record)


_COURIER = Courier(OUTBOX, TIMER, _submit)
_thread = threading.local()
"""`held`: the records that this thread accepted and holds back."""


def deliver(record: Pending) -> None:
    """Accept a record; chaos may duplicate or delay it."""
    disturber = chaos.current()
    delays_s = disturber.event_delays_s(record.event_id, record.arn) if disturber else [0.0]
    for number, delay_s in enumerate(delays_s):
        copy = record if number == 0 else dataclasses.replace(record, id=str(uuid.uuid4()))
        copy.due_at += delay_s
        if (held_back := getattr(_thread, "held", None)) is None:
            _COURIER.accept(copy)
        else:
            OUTBOX.add(copy)
            held_back.append(copy)


@contextlib.contextmanager
def held() -> Iterator[list[Pending]]:
    """Hold back what this thread accepts: it stands in the outbox, and is sent when the block ends.

    For who must save a call and its events together before anybody sees either. If the block fails, its records are
    forgotten: the call they belong to did not happen.
    """
    outer: list[Pending] | None = getattr(_thread, "held", None)
    records: list[Pending] = []
    _thread.held = records
    try:
        yield records
    except BaseException:
        for record in records:
            OUTBOX.done(record)
        raise
    else:
        for record in records:
            if outer is None:
                _COURIER.accept(record)
            else:
                outer.append(record)
    finally:
        _thread.held = outer


def start() -> None:
    """Start sending, first what an earlier process left in the outbox."""
    global _pool
    with _lock:
        _pool = ThreadPoolExecutor(max_workers=SENDERS, thread_name_prefix="delivery")
    TIMER.start()
    _COURIER.resume()


def stop() -> None:
    """Stop sending; what is on its way stays in the outbox."""
    global _pool
    with _lock:
        pool, _pool = _pool, None
    TIMER.stop()
    if pool is not None:
        pool.shutdown(wait=False, cancel_futures=True)


def now() -> float:
    """Seconds since 1970, as the couriers count them."""
    return time.time()
