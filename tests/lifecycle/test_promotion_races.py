"""Runs of one team that finish together: never a wrong champion. Without the compare-and-swap there is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.fakes import FakeTable
from tests.lifecycle.driver import Driver, Odds
from tests.lifecycle.history import MIN_DELTA, check_rest
from tests.lifecycle.jobs import score
from turbine.ports import Item

RACE = Odds(duplicate=0, bad_job=0, fault=0.15, stop=0.001, attempt=0, forget=0, approve=0, sweep=0)


class UnguardedTable(FakeTable):
    """A table on which a champion is simply written over."""

    def swap(self, item: Item, expected: Mapping[str, Any] | None, also: Item) -> bool:
        self.put(also)
        self.put(item)
        return True


def race(seed: int, table: FakeTable | None = None, odds: Odds = RACE, runs: int | None = None) -> Driver:
    """Two to five runs of a team, or `runs`, all at once, to their end; in every third race on different data."""
    driver = Driver(seed, odds)
    if table is not None:
        driver.cloud.use(table)
    driver.cloud.world.add_team("vision")
    for number in range(runs or driver.random.randint(2, 5)):
        dropped = driver.manifest("vision", number, newer=0.0 if seed % 3 else 0.5)
        driver.cloud.drop(f"manifests/vision/{seed}-{number}.json", dropped, "01")
    driver.run()
    return driver


@pytest.mark.parametrize("seed", range(30))
def test_the_champion_is_the_right_one(seed: int) -> None:
    check_rest(race(seed).cloud)


def test_without_compare_and_swap_a_wrong_champion_is_found() -> None:
    """The control: the same races on a table without the defence. A better model is there, and is not champion."""
    assert any(has_wrong_champion(race(seed, UnguardedTable())) for seed in range(60))
    assert not any(has_wrong_champion(race(seed)) for seed in range(60))


def has_wrong_champion(driver: Driver) -> bool:
    """Whether a run that succeeded is better than the champion by what the rule asks for."""
    items = driver.cloud.world.table.items
    runs = [
        pk.removeprefix("RUN#") for (pk, sk), item in items.items() if sk == "OUTCOME" and item["status"] == "SUCCEEDED"
    ]
    return max(map(score, runs)) >= score(items["TEAM#vision", "CHAMPION"]["run_id"]) + MIN_DELTA
