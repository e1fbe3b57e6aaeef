"""S3's events in any order, each any number of times: one run for each version of a manifest, and none twice."""

from __future__ import annotations

import pytest

from tests.lifecycle.driver import Driver, Odds
from tests.lifecycle.history import cause_key, check_moment, check_rest, run_ids, state

TEAMS = ("vision", "botany")


def drop_versions(driver: Driver) -> dict[str, list[str]]:
    """Up to three versions of a manifest a team; the causes by key, oldest first."""
    dropped: dict[str, list[str]] = {}
    for team in TEAMS:
        driver.cloud.world.add_team(team)
        key = f"manifests/{team}/m.json"
        for number in range(1, driver.random.randint(1, 3) + 1):
            sequencer = f"{number:04X}"
            version_id = driver.cloud.drop(key, driver.manifest(team, number), sequencer)
            dropped.setdefault(key, []).append(cause_key(key, version_id, sequencer))
    return dropped


def check_order(seed: int, odds: Odds | None = None) -> int:
    """One order of events; how many were delivered."""
    driver = Driver(seed, odds or Odds(fault=(0.05, 0.2, 0.5)[seed % 3]))
    dropped = drop_versions(driver)
    driver.run()
    cloud = driver.cloud
    check_rest(cloud)
    runs = {cause for _, cause in run_ids(cloud)}
    for causes in dropped.values():
        assert causes[-1] in runs, "the newest version has no run"
    assert runs <= {cause for causes in dropped.values() for cause in causes}
    check_replay(driver)
    return len(cloud.delivered)


def check_replay(driver: Driver) -> None:
    """All that was ever delivered, delivered once more: nothing changes."""
    cloud, before = driver.cloud, state(driver.cloud)
    cloud.pending.extend(cloud.delivered[:])
    driver.run()
    check_moment(cloud)
    assert state(cloud) == before


@pytest.mark.parametrize("seed", range(20))
def test_one_run_a_version(seed: int) -> None:
    check_order(seed)


def test_champions_are_measured_on_newer_data() -> None:
    """Among the orders above: each at most once for a challenger and a champion."""
    measured = 0
    for seed in range(20):
        driver = Driver(seed, Odds())
        drop_versions(driver)
        driver.run()
        places = [place for place in driver.cloud.world.store.written if place.endswith("/_SUCCESS")]
        evaluated = [place for place in places if "/champions/" in place]
        assert len(evaluated) == len(set(evaluated))
        measured += len(evaluated)
    assert measured > 5
