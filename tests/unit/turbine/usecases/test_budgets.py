"""A team's week of money: reserved once for each run, and never beyond its limit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.turbine.arrange import World, manifest
from turbine.domain.errors import TryAgainError
from turbine.usecases.budgets import Budgets

PLACE = "s3://data/config/teams/vision.yaml"
A_RUN_USD = 45.75
WEEK = "WEEK#2026-W48"  # of the fakes' clock, Monday 2026-11-23


@pytest.fixture
def two_a_week(world: World) -> World:
    """A team that may spend what two runs are estimated at."""
    world.store[PLACE] = world.store[PLACE].replace(
        b"{max_cost_usd_per_run: 60}", b"{max_cost_usd_per_run: 60, max_cost_usd_per_week: 91.5}"
    )
    return world


def drop(world: World, name: str) -> dict[str, Any]:
    return world.prepare()(world.drop(f"manifests/vision/{name}.json", manifest()), "arn:e")


def week(world: World) -> dict[str, Any]:
    return world.table.get("TEAM#vision", WEEK) or {}


def test_a_run_beyond_the_week_is_refused_and_told_what_is_left(two_a_week: World) -> None:
    assert [len(drop(two_a_week, name)["runs"]) for name in ("one", "two")] == [1, 1]
    reply = drop(two_a_week, "three")
    assert reply["runs"] == []
    (refusal,) = reply["rejected"]
    assert refusal["field"] == "budget.max_cost_usd_per_week"
    assert refusal["problem"] == (
        "allows 91.5 USD a week, of which 91.50 USD are reserved for 2 runs of 2026-W48; "
        "this one is estimated at 45.75 USD"
    )
    assert "raise budget.max_cost_usd_per_week in config/teams/vision.yaml, or drop it again" in refusal["mend"]
    assert week(two_a_week) == {"pk": "TEAM#vision", "sk": WEEK, "reserved_cents": 9150, "runs": 2}


def test_a_run_that_no_week_has_room_for_is_not_told_to_wait(two_a_week: World) -> None:
    two_a_week.store[PLACE] = two_a_week.store[PLACE].replace(b"per_week: 91.5", b"per_week: 45.7")
    (refusal,) = drop(two_a_week, "one")["rejected"]
    assert refusal["mend"].startswith("raise budget.max_cost_usd_per_week") and "next week" not in refusal["mend"]


def test_a_new_week_begins_with_nothing_spent(two_a_week: World) -> None:
    for name in ("one", "two"):
        drop(two_a_week, name)
    two_a_week.clock.move(timedelta(days=7))
    assert len(drop(two_a_week, "three")["runs"]) == 1


def test_an_event_that_comes_again_reserves_nothing_again(two_a_week: World) -> None:
    event = two_a_week.drop("manifests/vision/m.json", manifest())
    with ThreadPoolExecutor(10) as pool:
        replies = list(pool.map(lambda n: two_a_week.prepare()(event, f"arn:{n}"), range(10)))
    assert all(len(reply["runs"]) == 1 for reply in replies)
    assert week(two_a_week)["runs"] == 1


def test_a_retry_after_the_reservation_goes_on(two_a_week: World, monkeypatch: pytest.MonkeyPatch) -> None:
    event = two_a_week.drop("manifests/vision/m.json", manifest())

    def die(*_: Any) -> None:
        raise TryAgainError("S3 is busy")

    with monkeypatch.context() as patch:
        patch.setattr(type(two_a_week.store), "put_if_absent", die)
        with pytest.raises(TryAgainError):
            two_a_week.prepare()(event, "arn:one")
    assert week(two_a_week)["runs"] == 1
    assert len(two_a_week.prepare()(event, "arn:one")["runs"]) == 1
    assert week(two_a_week)["runs"] == 1


def test_of_many_that_arrive_together_no_more_are_taken_than_fit(two_a_week: World) -> None:
    def reserve(number: int) -> bool:
        try:
            Budgets(two_a_week.table, two_a_week.clock).reserve("vision", f"vision-{number}", A_RUN_USD, 5 * A_RUN_USD)
        except Exception:  # noqa: BLE001 - refused, or too busy: not taken either way
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        taken = sum(pool.map(reserve, range(40)))
    assert taken == week(two_a_week)["runs"] == 5
    assert week(two_a_week)["reserved_cents"] == 5 * 4575


def test_what_another_delivery_took_for_this_run_does_not_refuse_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between this one's look at the run and its look at the week."""
    budgets, get = Budgets(world.table, world.clock), world.table.get
    raced: list[bool] = []

    def overtaken(pk: str, sk: str) -> Any:
        if sk == WEEK and not raced:
            raced.append(True)
            Budgets(world.table, world.clock).reserve("vision", "vision-1", 40.0, 50.0)
        return get(pk, sk)

    monkeypatch.setattr(world.table, "get", overtaken)
    budgets.reserve("vision", "vision-1", 40.0, 50.0)
    assert (raced, week(world)["runs"]) == ([True], 1)


def test_a_week_that_never_rests_is_tried_again_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(world.table), "swap", lambda *_: False)
    with pytest.raises(TryAgainError, match="The week 2026-W48 of team vision was changed 20 times"):
        Budgets(world.table, world.clock).reserve("vision", "vision-1", 1.0, 10.0)


def test_a_team_without_a_weeks_budget_reserves_nothing(world: World) -> None:
    drop(world, "one")
    assert week(world) == {}
