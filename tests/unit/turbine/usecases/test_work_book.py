"""Finished runs teach their team's next ones, each once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes import FakeExecutions, FakeLogs, FakeNotifier, FakeTable
from tests.unit.turbine.arrange import World, manifest
from turbine.domain.capacity.estimator import Measured
from turbine.domain.errors import TryAgainError
from turbine.ports import Execution
from turbine.usecases import work_book
from turbine.usecases.fleet_book import Fleet
from turbine.usecases.prepare_training import PrepareTraining
from turbine.usecases.record_outcome import RecordOutcome
from turbine.usecases.status_change import StatusChange
from turbine.usecases.work_book import WorkBook

FLEET = Fleet(vms=7, nodes_max=7, launch_h=0)


def record(run_id: str, recipe: str = "image_classifier", dataset: str = "digits") -> dict[str, Any]:
    return {"team": "vision", "run_id": run_id, "recipe": recipe, "dataset": dataset}


def prepared(world: World, number: int) -> dict[str, Any]:
    prepare = PrepareTraining("data", "artifacts", world.store, world.table, world.bus, world.clock, FLEET)
    (run,) = prepare(world.drop(f"manifests/vision/m{number}.json", manifest()), "arn")["runs"]
    return dict(run)


def ended(world: World, run_id: str, trained_s: float | None, status: str = "SUCCEEDED") -> None:
    """The run's machine reports its end, after its verdict."""
    world.table.put({"pk": f"RUN#{run_id}", "sk": "DECISION", "decision": "held", "trained_s": trained_s})
    executions = FakeExecutions()
    arn = f"arn:aws:states:us-east-1:123456789012:execution:run:{run_id}"
    executions.known[arn] = Execution(status, {"run_id": run_id, "team": "vision", "attempt": 1}, 0, "E", None)
    outcome = RecordOutcome(world.table, executions, FakeLogs(), world.bus, FakeNotifier())
    detail = {"executionArn": arn, "name": run_id, "status": status}
    event = StatusChange.model_validate({"id": "e", "time": "2026-11-27T10:00:00Z", "detail": detail})
    outcome(event)
    outcome(event)  # events come at least once


def test_a_run_is_learnt_once_and_found_by_recipe_and_data(world: World) -> None:
    book = WorkBook(world.table)
    for run_id in ("a", "a", "b"):
        book.learn(record(run_id), 2, 0.5)
    book.learn(record("c", dataset="letters"), 1, 9.0)
    assert book.measured("vision", "image_classifier", "digits") == [Measured(2, 0.5), Measured(2, 0.5)]
    assert book.measured("vision", "image_classifier", "letters") == [Measured(1, 9.0)]
    assert book.measured("vision", "tabular_classifier", "digits") == book.measured("winery", "x", "y") == []


def test_the_newest_are_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_book, "RUNS_MAX", 3)
    book = WorkBook(world.table)
    for number in range(5):
        book.learn(record(str(number)), 1, number + 1)
    assert [one.hours for one in book.measured("vision", "image_classifier", "digits")] == [3, 4, 5]


def test_a_team_with_many_data_sets_learns_of_each(world: World) -> None:
    book = WorkBook(world.table)
    for number in range(12):
        for data in range(40):
            book.learn(record(f"{number}-{data}") | {"dataset": f"d{data}"}, 1, number + 1)
    for data in range(40):
        learnt = [one.hours for one in book.measured("vision", "image_classifier", f"d{data}")]
        assert learnt == [*range(3, 13)]


def test_two_that_end_at_one_moment_are_both_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    book, real = WorkBook(world.table), FakeTable.insert

    def overtaken(table: FakeTable, item: dict[str, Any]) -> bool:
        monkeypatch.setattr(FakeTable, "insert", real)
        book.learn(record("other"), 1, 2.0)
        return real(table, item)

    monkeypatch.setattr(FakeTable, "insert", overtaken)
    book.learn(record("one"), 1, 1.0)
    assert {one.hours for one in book.measured("vision", "image_classifier", "digits")} == {1, 2}


def test_an_item_that_is_changed_for_ever_says_try_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeTable, "insert", lambda *_: False)
    with pytest.raises(TryAgainError):
        WorkBook(world.table).learn(record("a"), 1, 1.0)


def test_what_a_run_took_corrects_the_next_ones_estimate(world: World) -> None:
    first = prepared(world, 1)
    assert first["nodes"] == 1  # nobody knows its work
    ended(world, first["run_id"], trained_s=7200)
    second = prepared(world, 2)
    assert second["nodes"] == 1  # its team has asked for no more
    plan = world.table.items[f"RUN#{second['run_id']}", "RECORD"]["plan"]
    assert plan["hours"] == pytest.approx(2, rel=0.01)


def test_short_runs_do_not_lower_the_estimate_of_a_stated_work(world: World) -> None:
    world.add_team("vision", "work_cpu_hours: 100\n")
    first = prepared(world, 1)
    ended(world, first["run_id"], trained_s=60)
    second = prepared(world, 2)
    cost_usd = world.table.items[f"RUN#{second['run_id']}", "RECORD"]["plan"]["cost_usd"]
    assert cost_usd >= 45.74  # of 100 CPU-hours on one VM


@pytest.mark.parametrize(("status", "trained_s"), [("FAILED", 7200), ("SUCCEEDED", None), ("SUCCEEDED", 0)])
def test_what_did_not_go_through_or_has_no_time_teaches_nothing(
    world: World, status: str, trained_s: float | None
) -> None:
    run = prepared(world, 1)
    ended(world, run["run_id"], trained_s, status)
    assert WorkBook(world.table).measured("vision", "image_classifier", "digits") == []
