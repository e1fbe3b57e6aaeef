"""One live job a run: who takes the lease, who waits, who stops."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from training import lease as lease_module
from training.errors import BadConfigurationError, LeaseHeldError
from training.lease import GIVE_UP_S, LOOK_AGAIN_S, RENEW_EVERY_S, TABLE_VARIABLE, TTL_S, Lease, require_held

RUN = "winery-wine-0123456789ab"
START = datetime(2026, 11, 23, 20, tzinfo=UTC)


class FakeClock:
    """Stands still but for the sleeps of whoever waits; `meanwhile` happens in each of them."""

    def __init__(self) -> None:
        self.passed_s = 0.0
        self.meanwhile: Callable[[], object] = lambda: None

    def now(self) -> datetime:
        return START + timedelta(seconds=self.passed_s)

    def monotonic(self) -> float:
        return 1000.0 + self.passed_s

    def sleep(self, seconds: float) -> None:
        self.passed_s += seconds
        assert self.passed_s < 10 * TTL_S, "it waits for ever"
        self.meanwhile()


@pytest.fixture
def table(aws: None, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(TABLE_VARIABLE, "training")
    boto3.client("dynamodb").create_table(
        TableName="training",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return "training"


@pytest.fixture
def clock(table: str) -> FakeClock:
    return FakeClock()


@pytest.fixture
def leases() -> Iterator[list[Lease]]:
    """Those that a test made; their threads end with it."""
    made: list[Lease] = []
    yield made
    for one in made:
        one._over.set()


@pytest.fixture
def make(clock: FakeClock, leases: list[Lease]) -> Callable[..., Lease]:
    def make(on_lost: Callable[[str], None] = lambda _: None, **options: Any) -> Lease:
        leases.append(Lease(on_lost, clock, **options))
        return leases[-1]

    return make


def item() -> dict[str, Any]:
    key = {"pk": {"S": f"LEASE#{RUN}"}, "sk": {"S": "LEASE"}}
    found = boto3.client("dynamodb").get_item(TableName="training", Key=key)["Item"]
    return {name: next(iter(value.values())) for name, value in found.items()}


def test_a_free_lease_is_taken_with_number_one(make: Callable[..., Lease]) -> None:
    assert make().acquire(RUN, "job-1") == 1
    assert item() == {
        "pk": f"LEASE#{RUN}",
        "sk": "LEASE",
        "owner": "job-1",
        "attempt": "1",
        "fencing": "1",
        "renewed_at": "2026-11-23T20:00:00.000Z",
        "expires_at": "2026-11-23T20:01:00.000Z",
    }


def test_a_second_job_stops_as_soon_as_it_sees_the_lease_renewed(make: Callable[..., Lease], clock: FakeClock) -> None:
    first = make()
    first.acquire(RUN, "job-1")

    def renew_in_time() -> None:
        if clock.passed_s >= RENEW_EVERY_S:
            first.renew()

    clock.meanwhile = renew_in_time
    with pytest.raises(LeaseHeldError, match="job-1 holds the lease"):
        make().acquire(RUN, "job-2")
    assert clock.passed_s == RENEW_EVERY_S
    assert (item()["owner"], item()["fencing"]) == ("job-1", "1")


def test_a_lease_that_nobody_renews_is_taken_over_when_it_expires(make: Callable[..., Lease], clock: FakeClock) -> None:
    first = make()
    first.acquire(RUN, "job-1")
    assert make().acquire(RUN, "job-2") == 2
    assert TTL_S <= clock.passed_s < TTL_S + LOOK_AGAIN_S
    assert item()["owner"] == "job-2"
    assert not first.renew()


def test_the_next_attempt_of_the_same_job_takes_over_at_once(make: Callable[..., Lease], clock: FakeClock) -> None:
    reasons: list[str] = []
    first = make(reasons.append)
    first.acquire(RUN, "job-1", attempt=1)
    assert make().acquire(RUN, "job-1", attempt=2) == 2
    assert clock.passed_s == 0
    assert not first.renew()
    assert len(reasons) == 1 and "taken it over" in reasons[0]


def test_an_attempt_that_starts_late_does_not_push_out_the_one_after_it(
    make: Callable[..., Lease], clock: FakeClock
) -> None:
    second = make()
    second.acquire(RUN, "job-1", attempt=2)
    clock.meanwhile = second.renew
    with pytest.raises(LeaseHeldError):
        make().acquire(RUN, "job-1", attempt=1)


def test_a_released_lease_is_free_at_once_and_keeps_counting(make: Callable[..., Lease], clock: FakeClock) -> None:
    first = make()
    first.acquire(RUN, "job-1")
    first.release()
    assert make().acquire(RUN, "job-2") == 2
    assert clock.passed_s == 0


def test_a_release_that_comes_late_does_not_free_another_jobs_lease(
    make: Callable[..., Lease], clock: FakeClock
) -> None:
    first = make()
    first.acquire(RUN, "job-1")
    make().acquire(RUN, "job-2")
    before = item()
    first.release()
    assert item() == before


def test_who_cannot_renew_works_on_for_a_while_and_stops_before_the_lease_expires(
    make: Callable[..., Lease], clock: FakeClock
) -> None:
    reasons: list[str] = []
    first = make(reasons.append)
    first.acquire(RUN, "job-1")
    boto3.client("dynamodb").delete_table(TableName="training")
    clock.passed_s = GIVE_UP_S - 1
    assert first.renew() and not reasons
    clock.passed_s = GIVE_UP_S
    assert not first.renew()
    assert "could not be renewed" in reasons[0]


def test_a_renewal_starts_the_time_anew(make: Callable[..., Lease], clock: FakeClock) -> None:
    first = make()
    first.acquire(RUN, "job-1")
    clock.passed_s = RENEW_EVERY_S
    assert first.renew()
    assert item()["expires_at"] == "2026-11-23T20:01:15.000Z"
    boto3.client("dynamodb").delete_table(TableName="training")
    clock.passed_s = GIVE_UP_S + RENEW_EVERY_S - 1
    assert first.renew()


def test_the_thread_renews_by_itself_and_tells_of_a_lost_lease(make: Callable[..., Lease], clock: FakeClock) -> None:
    lost = threading.Event()
    first = make(lambda _: lost.set(), renew_every_s=0.01)
    first.acquire(RUN, "job-1")
    make().acquire(RUN, "job-1", attempt=2)
    assert lost.wait(10)


def test_require_held_holds_for_the_holder_only(make: Callable[..., Lease]) -> None:
    fencing = make().acquire(RUN, "job-1")
    require_held(RUN, "job-1", fencing)
    for owner, number in (("job-2", fencing), ("job-1", fencing + 1)):
        with pytest.raises(LeaseHeldError, match="not this job's any more"):
            require_held(RUN, owner, number)


def test_a_job_without_a_table_is_a_bad_configuration(monkeypatch: pytest.MonkeyPatch, leases: list[Lease]) -> None:
    monkeypatch.delenv(TABLE_VARIABLE, raising=False)
    with pytest.raises(BadConfigurationError, match=TABLE_VARIABLE):
        Lease(lambda _: None).acquire(RUN, "job-1")


def test_a_silent_dynamodb_is_given_up_before_the_lease_expires() -> None:
    """The longest that a renewal which began just before GIVE_UP_S, and the pause and the next one, can take."""
    config: Any = lease_module._PROMPT
    tries = config.retries["total_max_attempts"]
    pauses_s = sum(2**n for n in range(tries - 1))
    call_s = tries * (config.connect_timeout + config.read_timeout) + pauses_s
    assert GIVE_UP_S + LOOK_AGAIN_S + call_s < TTL_S
