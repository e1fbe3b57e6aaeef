"""After any history the table is lost: what is rebuilt is what it held or, without records, never somebody else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cli.rebuild import evidence, plan
from cli.rebuild.plan import Plan
from cli.rebuild.write import carry_out
from tests.lifecycle.aws import Cloud
from tests.lifecycle.history import champions
from tests.lifecycle.test_promotion_races import RACE, race
from tests.unit.cli.rebuild.lost import ShownRegistry
from tests.unit.turbine.arrange import ARTIFACTS
from turbine.domain.champion import Champion

BY_HAND = replace(RACE, approve=0.01)
RUNS = 6


def planned(cloud: Cloud) -> Plan:
    marks = cloud.registry.marks.marks
    approvals = {arn: description for arn, (approval, description, _) in marks.items() if approval == "Approved"}
    shown = ShownRegistry(cloud.registry, approvals, cloud.world.clock())
    left = evidence.gather(shown, cloud.world.store, ARTIFACTS, "turbine-vision", "vision")
    stored = [Champion.model_validate(item) for item in champions(cloud, "vision")]
    return plan.of_table(left, cloud.world.table, stored)


def lose(cloud: Cloud) -> dict[tuple[str, str], dict[str, Any]]:
    """Take away what a rebuild restores."""
    items = cloud.world.table.items
    lost = {key: item for key, item in items.items() if key[0] == "TEAM#vision" or key[1] == "PACKAGE"}
    for key in lost:
        del items[key]
    return lost


@pytest.mark.parametrize("seed", range(15))
def test_with_records_the_items_are_the_same(seed: int) -> None:
    cloud = race(seed, odds=BY_HAND, runs=RUNS).cloud
    if not champions(cloud, "vision"):
        return
    lost = lose(cloud)
    made = planned(cloud)
    assert made.obstacles == ()
    carry_out(cloud.world.table, made)
    for key, item in lost.items():
        assert cloud.world.table.items[key] | {"reserved_at": ""} == item | {"reserved_at": ""}
    assert planned(cloud).is_done


def test_without_records_nobody_is_taken_for_a_champion_who_was_not() -> None:
    told = gaps = 0
    for seed in range(40):
        cloud = race(seed, odds=BY_HAND, runs=RUNS).cloud
        for place in [one for one in cloud.world.store.written if "/promotions/" in one]:
            cloud.world.store.delete(place)
        runs = {item["champion_version"]: item["run_id"] for item in champions(cloud, "vision")}
        lose(cloud)
        made = planned(cloud)
        for line in made.lines:
            told, gaps = told + (line.champion is not None), gaps + (line.champion is None)
            is_counted = "champion_version" not in line.unknown
            assert line.champion is None or not is_counted or line.champion.run_id == runs[line.version], seed
        assert made.champion is not None and made.champion.run_id == runs[max(runs)], seed
    assert told > 60 and gaps > 0, (told, gaps)
