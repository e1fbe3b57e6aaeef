"""One live job a run: a lease in DynamoDB, renewed while the job works, with a fencing number.

SubmitJob knows no idempotency token, so a run may be given a second job. The lease's holder works; who meets a
lease that is being renewed ends with exit code 73 and touches nothing; who meets one that nobody renews any more,
because its host is gone, takes it over. Each taking adds one to the fencing number, which checkpoints and the
marker carry, so that whatever a former holder still writes is older than what counts. Why DynamoDB, when the job
otherwise speaks to S3 alone: docs/decisions/0007-the-lease-is-in-dynamodb.md.

The design is that of AWS's own lock client. Hosts' clocks are taken to agree within a few seconds, as NTP keeps
them; where they do not, the fencing number still holds.
Source: https://aws.amazon.com/blogs/database/building-distributed-locks-with-the-dynamodb-lock-client/
"""

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from training.errors import BadConfigurationError, LeaseHeldError
from training.log import log_event

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

TABLE_VARIABLE = "TURBINE_TABLE"
TTL_S = 60.0
RENEW_EVERY_S = 15.0
LOOK_AGAIN_S = 5.0

# A renewal without an answer ends after 3 tries of 5 s and two pauses of 1 and 2 s at most: 18 s, and 5 s later comes
# the next. So a holder without success for GIVE_UP_S stops while the lease is still its own.
_PROMPT = Config(connect_timeout=2, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 3})
GIVE_UP_S = TTL_S - 25.0
# Taking the lease and the last look at it are in no such hurry: DynamoDB may throttle or be away for a while.
_PATIENT = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 9})

_MINE = "#owner = :me AND fencing = :mine"


class Clock(Protocol):
    """The time, as a lease needs it."""

    def now(self) -> datetime:
        """The date, which other hosts compare with theirs."""
        ...

    def monotonic(self) -> float:
        """Seconds that pass evenly, whatever is done to the date."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        ...


class _HostClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Lease:
    """The lease of one run, held by the launcher of the job's main node until it ends.

    `on_lost` is called once, in the renewing thread, with the reason, when the job must stop because the lease is
    another's or cannot be renewed.
    """

    def __init__(
        self, on_lost: Callable[[str], None], clock: Clock | None = None, renew_every_s: float = RENEW_EVERY_S
    ) -> None:
        self._on_lost = on_lost
        self._clock = clock or _HostClock()
        self._renew_every_s = renew_every_s
        self._record: _Record | None = None
        self._renewed_s = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)

    def acquire(self, run_id: str, owner: str, attempt: int = 1) -> int:
        """Take the lease of `run_id` and keep it; returns the fencing number.

        A later attempt of the same job takes it at once: Batch starts one when the former is over. Any other job
        waits until it has seen the lease renewed, or expired.

        Raises: LeaseHeldError when another job is at work; ClientError, BotoCoreError when DynamoDB stays away.
        """
        record = _Record(_PATIENT, run_id, owner)
        seen: str | None = None
        while True:
            asked_s = self._clock.monotonic()
            held = record.take(attempt, self._clock.now())
            if held is None:
                break
            renewed_at = held["renewed_at"]["S"]
            if seen is not None and seen != renewed_at:
                raise _held_by(held["owner"]["S"], run_id)
            if seen is None:
                log_event("lease_is_held", run_id=run_id, by=held["owner"]["S"], expires_at=held["expires_at"]["S"])
            seen = renewed_at
            self._clock.sleep(LOOK_AGAIN_S)
        self._record, self._renewed_s = _Record(_PROMPT, run_id, owner, record.fencing), asked_s
        self._thread.start()
        log_event("lease_taken", run_id=run_id, owner=owner, attempt=attempt, fencing=record.fencing)
        return record.fencing

    def renew(self) -> bool:
        """Renew once, as the thread does all the time; whether the job may work on."""
        if self._record is None:
            raise RuntimeError("a lease is renewed before it was acquired")
        asked_s = self._clock.monotonic()
        try:
            kept = self._record.extend(self._clock.now())
        except (ClientError, BotoCoreError) as error:
            silent_s = self._clock.monotonic() - self._renewed_s
            log_event("lease_not_renewed", error=str(error), silent_s=round(silent_s, 1))
            if silent_s < GIVE_UP_S:
                return True
            return self._lose(f"it could not be renewed for {silent_s:.0f} s: {error}")
        if not kept:
            return self._lose("another job or a later attempt of this one has taken it over")
        self._renewed_s = asked_s
        return True

    def release(self) -> None:
        """Let the next job take the lease at once. Without this, as after a crash, it waits until it expires."""
        self._over.set()
        if self._record is None:
            return
        self._thread.join()
        try:
            self._record.expire(self._clock.now())
        except (ClientError, BotoCoreError) as error:
            log_event("lease_not_released", error=str(error))  # no reason to fail: it expires by itself

    def _keep(self) -> None:
        pause_s = self._renew_every_s
        while not self._over.wait(pause_s):
            if not self.renew():
                return
            failing = self._clock.monotonic() - self._renewed_s > self._renew_every_s
            pause_s = min(self._renew_every_s, LOOK_AGAIN_S) if failing else self._renew_every_s

    def _lose(self, reason: str) -> bool:
        self._over.set()
        log_event("lease_lost", reason=reason)
        self._on_lost(reason)
        return False


def require_held(run_id: str, owner: str, fencing: int) -> None:
    """Make sure that the lease is this job's for another TTL_S: the last thing before `_SUCCESS` is written.

    A conditional write, so that no answer can be older than the question.

    Raises: LeaseHeldError when it is not.
    """
    if not _Record(_PATIENT, run_id, owner, fencing).extend(datetime.now(UTC)):
        raise LeaseHeldError(
            f"the lease of run {run_id} is not this job's any more (fencing number {fencing})",
            "nothing to do: the job that holds it finishes the run",
        )


class _Record:
    """The lease as an item of the training table, and the conditional writes that change it.

    `pk` is `LEASE#<run_id>`, the only keys that the job's role may touch; times are ISO 8601 in UTC with
    milliseconds, so that they compare as text.
    """

    def __init__(self, config: Config, run_id: str, owner: str, fencing: int = 0) -> None:
        self._table = _table_name()
        self._client: DynamoDBClient = boto3.client("dynamodb", config=config)
        self._run_id = run_id
        self._owner = owner
        self.fencing = fencing

    def take(self, attempt: int, now: datetime) -> Any | None:
        """Take the lease if it is free, expired or an earlier attempt's of this job; else the item as it is."""
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key=self._key,
                UpdateExpression=(
                    "SET #owner = :me, attempt = :attempt, renewed_at = :now, expires_at = :then ADD fencing :one"
                ),
                ConditionExpression=(
                    "attribute_not_exists(pk) OR expires_at <= :now OR (#owner = :me AND attempt <= :attempt)"
                ),
                ExpressionAttributeNames={"#owner": "owner"},
                ExpressionAttributeValues={
                    ":me": {"S": self._owner},
                    ":attempt": {"N": str(attempt)},
                    ":now": {"S": _text(now)},
                    ":then": {"S": _text(now + timedelta(seconds=TTL_S))},
                    ":one": {"N": "1"},
                },
                ReturnValues="UPDATED_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            refusal: Any = error.response  # boto3's types do not know what ReturnValuesOnConditionCheckFailure adds
            return refusal["Item"]
        self.fencing = int(answer["Attributes"]["fencing"]["N"])
        return None

    def extend(self, now: datetime) -> bool:
        """Let the lease expire TTL_S from now; False when it is another's."""
        return self._change(
            "SET renewed_at = :now, expires_at = :then",
            {":now": _text(now), ":then": _text(now + timedelta(seconds=TTL_S))},
        )

    def expire(self, now: datetime) -> bool:
        """Let the lease expire now; the fencing number stays, so that the next one is greater."""
        return self._change("SET expires_at = :now", {":now": _text(now)})

    def _change(self, update: str, values: dict[str, str]) -> bool:
        try:
            self._client.update_item(
                TableName=self._table,
                Key=self._key,
                UpdateExpression=update,
                ConditionExpression=_MINE,
                ExpressionAttributeNames={"#owner": "owner"},
                ExpressionAttributeValues={
                    ":me": {"S": self._owner},
                    ":mine": {"N": str(self.fencing)},
                    **{name: {"S": value} for name, value in values.items()},
                },
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    @property
    def _key(self) -> Any:
        return {"pk": {"S": f"LEASE#{self._run_id}"}, "sk": {"S": "LEASE"}}


def _table_name() -> str:
    name = os.environ.get(TABLE_VARIABLE)
    if not name:
        raise BadConfigurationError(f"{TABLE_VARIABLE} is not set", "set it to the name of the training table")
    return name


def _held_by(owner: str, run_id: str) -> LeaseHeldError:
    return LeaseHeldError(
        f"job {owner} holds the lease of run {run_id} and is at work",
        "nothing to do: that job finishes the run; terminate it first if this one shall",
    )


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
