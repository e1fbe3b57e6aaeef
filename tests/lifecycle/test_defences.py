"""Each defence taken away, and a history found that shows why it is there: the checks can fail."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes import FakeRegistry, FakeTable
from tests.lifecycle import aws, definitions
from tests.lifecycle.driver import Odds
from tests.lifecycle.history import check_rest
from tests.lifecycle.test_event_orders import check_order
from tests.lifecycle.test_promotion_races import RACE, race
from turbine.usecases.compare_models import CompareModels
from turbine.usecases.prepare_training import PrepareTraining

SEEDS = 2_000
FAULTY = Odds(fault=0.5, attempt=0.02)
States = dict[str, Any]


def order(seed: int) -> None:
    check_order(seed, FAULTY)


def raced(seed: int) -> None:
    """A crowd: a promotion that is overtaken between its swap and its approval is rare."""
    check_rest(race(seed, odds=replace(RACE, fault=0.3), runs=12).cloud)


def first_wrong(check: Callable[[int], None]) -> str | None:
    """What the first history that is wrong says."""
    for seed in range(SEEDS):
        try:
            check(seed)
        except AssertionError as error:
            return str(error) or "the state changed"
    return None


def claim_without_condition(states: States) -> None:
    del states["ClaimRun"]["Arguments"]["ConditionExpression"]


def claim_without_start(states: States) -> None:
    states["ClaimRun"]["Arguments"]["ConditionExpression"] = "attribute_not_exists(pk) OR #owner = :me"


def no_second_comparison(states: States) -> None:
    states["WasPromoted"] = {"Type": "Pass", "Next": "Promoted"}


def no_step_back(states: States) -> None:
    for choice in states["IsStillChampion"]["Choices"]:
        choice["Next"] = choice["Next"].replace("StepBack", "AnnouncePromotion")


@pytest.mark.parametrize(
    ("machine", "removed", "check"),
    [
        ("run", claim_without_condition, order),
        ("run", claim_without_start, order),
        ("run", no_second_comparison, raced),
        ("promotion", no_step_back, raced),
    ],
)
def test_a_machine_without_it(
    machine: str, removed: Callable[[States], None], check: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = copy.deepcopy(definitions.definition(machine))
    removed(changed["States"])
    real = definitions.definition
    monkeypatch.setattr(aws, "definition", lambda name: changed if name == machine else real(name))
    monkeypatch.setattr(aws.Cloud, "_registry_changed", lambda *_: None)  # the reconciler would mend the approvals
    assert first_wrong(check) is not None


def test_the_machines_alone_leave_the_approvals_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the above: without the reconciler and with all defences there is nothing wrong."""
    monkeypatch.setattr(aws.Cloud, "_registry_changed", lambda *_: None)
    for seed in range(30):
        raced(seed)


def test_a_registration_that_does_not_look_for_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeRegistry, "find", lambda *_: None)
    assert "registered twice" in (first_wrong(order) or "")


def test_a_superseded_run_that_is_left_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PrepareTraining, "_supersede", lambda *_: None)
    found = first_wrong(order) or ""
    assert "belongs to no run" in found or "no outcome" in found


def test_a_former_champion_that_is_judged_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def is_champion(_: CompareModels, _files: Any, request: Any, champion: Any) -> bool:
        return champion is not None and champion["run_id"] == request.run_id

    monkeypatch.setattr(CompareModels, "_was_promoted", is_champion)
    assert "rejected" in (first_wrong(order) or "")


def test_an_older_report_that_replaces_a_newer_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    def put_any(table: FakeTable, item: dict[str, Any], attribute: str) -> bool:
        table.put(item)
        return True

    monkeypatch.setattr(FakeTable, "put_newer", put_any)
    assert first_wrong(order) is not None
