"""Runs that arrive at any time share the VMs: what each gets, in which order, and what is left when they end."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from tests.fakes import FakeTable
from tests.unit.turbine.arrange import World, manifest
from turbine.domain.capacity.model import Demand, vm_hours
from turbine.domain.errors import TryAgainError
from turbine.domain.run import RunSpec
from turbine.usecases import fleet_book, prepare_training
from turbine.usecases.fleet_book import Fleet, FleetBook, Place, worthwhile
from turbine.usecases.prepare_training import PrepareTraining

FLEET = Fleet(vms=7, nodes_max=7, efficiency_per_doubling=0.95, launch_h=0)
ALL = tuple(range(1, 8))
WORK = "work_cpu_hours: 100\n"


@pytest.fixture
def book(world: World) -> FleetBook:
    return FleetBook(world.table, world.clock, FLEET)


def demands(book: FleetBook, *names: str, widths: tuple[int, ...] = ALL) -> list[Demand]:
    return [book.demand(name, name.partition("-")[0], vm_hours(), widths) for name in names]


def end(world: World, run_id: str, status: str = "SUCCEEDED") -> None:
    world.table.put({"pk": f"RUN#{run_id}", "sk": "OUTCOME", "status": status})


def record(world: World, *run_ids: str) -> None:
    for run_id in run_ids:
        world.table.put({"pk": f"RUN#{run_id}", "sk": "RECORD"})


def prepare(world: World, fleet: Fleet = FLEET) -> PrepareTraining:
    return PrepareTraining("data", "artifacts", world.store, world.table, world.bus, world.clock, fleet)


def batch(world: World, *teams: str, **changes: Any) -> dict[str, Any]:
    body = {"schema_version": 1, "runs": [manifest(team, **changes) for team in teams]}
    return world.drop("manifests/_batch/all.json", body)


def test_runs_that_arrive_together_share_the_fleet(book: FleetBook) -> None:
    places = book.plan(demands(book, *(f"t{number}-r" for number in range(8))), {})
    assert sorted(place.nodes for place in places.values()) == [1] * 7 + [7]
    last = max(places.values(), key=lambda place: place.starts_at)
    assert last.nodes == 7 and last.priority == min(place.priority for place in places.values())


def test_one_that_comes_later_waits_for_those_before_it(world: World, book: FleetBook) -> None:
    (first,) = book.plan(demands(book, "a-1"), {}).values()
    record(world, "a-1")
    assert first.nodes == 7
    world.clock.move(timedelta(minutes=5))
    (second,) = book.plan(demands(book, "b-1"), {}).values()
    assert second.starts_at == first.ends_at


def test_a_run_that_ended_makes_room(world: World, book: FleetBook) -> None:
    book.plan(demands(book, "a-1"), {})
    record(world, "a-1")
    end(world, "a-1", "FAILED")
    (second,) = book.plan(demands(book, "b-1"), {}).values()
    assert second.starts_at == second.planned_at
    assert set(world.table.items["FLEET", "BOOK"]["runs"]) == {"b-1"}


def test_a_run_that_is_late_still_holds_its_vms(world: World, book: FleetBook) -> None:
    (first,) = book.plan(demands(book, "a-1"), {}).values()
    record(world, "a-1")
    world.clock.move(timedelta(hours=5))
    (second,) = book.plan(demands(book, "b-1"), {}).values()
    assert second.starts_at > second.planned_at > first.ends_at


def test_one_that_was_planned_and_never_recorded_is_forgotten_after_an_hour(world: World, book: FleetBook) -> None:
    book.plan(demands(book, "a-1"), {})
    world.clock.move(timedelta(minutes=59))
    book.plan(demands(book, "b-1"), {})
    assert "a-1" in world.table.items["FLEET", "BOOK"]["runs"]
    world.clock.move(timedelta(minutes=2))
    book.plan(demands(book, "c-1"), {})
    assert "a-1" not in world.table.items["FLEET", "BOOK"]["runs"]


def test_asked_again_the_answer_is_the_same(world: World, book: FleetBook) -> None:
    places = book.plan(demands(book, "a-1", "b-1"), {})
    world.clock.move(timedelta(minutes=30))
    assert book.plan(demands(book, "b-1", "a-1"), {}) == places
    assert world.table.items["FLEET", "BOOK"]["version"] == 1


def test_a_place_that_its_preparation_left_behind_is_planned_anew(world: World, book: FleetBook) -> None:
    (left,) = book.plan(demands(book, "a-1"), {}).values()
    world.clock.move(timedelta(minutes=61))
    (again,) = book.plan(demands(book, "a-1"), {}).values()
    assert again.planned_at > left.planned_at


def test_a_place_that_a_run_may_not_have_any_more_is_planned_anew(book: FleetBook) -> None:
    assert book.plan(demands(book, "a-1"), {})["a-1"].nodes == 7
    assert book.plan(demands(book, "a-1", widths=(1, 2)), {})["a-1"].nodes <= 2


def test_a_late_fleet_keeps_its_backlog(world: World, book: FleetBook) -> None:
    names = [f"a-{number}" for number in range(40)]
    book.plan(demands(book, *names, widths=(1,)), {})
    record(world, *names)
    world.clock.move(timedelta(hours=14))
    for name in names[:7]:
        end(world, name)
    (late,) = book.plan(demands(book, "b-1"), {}).values()
    assert late.starts_at > (book.clock() + timedelta(hours=6)).isoformat()


def test_two_arrivals_at_one_moment_do_not_plan_on_the_same_vms(
    world: World, book: FleetBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, real = FleetBook(world.table, world.clock, FLEET), FakeTable.insert
    planned: dict[str, Place] = {}

    def overtaken(table: FakeTable, item: dict[str, Any]) -> bool:
        monkeypatch.setattr(FakeTable, "insert", real)
        planned.update(other.plan(demands(other, "b-1"), {}))
        return real(table, item)

    monkeypatch.setattr(FakeTable, "insert", overtaken)
    planned.update(book.plan(demands(book, "a-1"), {}))
    assert planned["a-1"].starts_at >= planned["b-1"].ends_at


def test_a_book_that_is_changed_for_ever_says_try_again(book: FleetBook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeTable, "insert", lambda *_: False)
    with pytest.raises(TryAgainError):
        book.plan(demands(book, "a-1"), {})


def test_a_book_has_room_for_so_many(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an arrival those get a place for whom there is one; the others are refused by name."""
    monkeypatch.setattr(fleet_book, "RUNS_MAX", 3)
    monkeypatch.setattr(prepare_training, "RUNS_MAX", 3)
    for number in (1, 2):
        bodies = [manifest(dataset={**manifest()["dataset"], "name": f"d{number}{letter}"}) for letter in "ab"]
        key = f"manifests/_batch/{number}.json"
        reply = prepare(world)(world.drop(key, {"schema_version": 1, "runs": bodies}), f"arn:{number}")
    assert len(reply["runs"]) == len(reply["rejected"]) == 1
    assert "a place among 3 runs that have not ended" in json.dumps(reply["rejected"])


def test_who_comes_behind_a_wide_run_that_waits_does_not_go_to_spot(world: World, book: FleetBook) -> None:
    """In Spot's queue each would take the VM that becomes free, and the wide one's would never be there together."""
    before = book.plan(demands(book, "a-1", "a-2", widths=(1,)), {})
    record(world, "a-1", "a-2")
    (wide,) = book.plan(demands(book, "w-1", widths=(6,)), {}).values()
    record(world, "w-1")
    assert [place.may_use_spot for place in before.values()] == [True, True]
    assert wide.starts_at > wide.planned_at
    for number in range(20):
        (behind,) = book.plan(demands(book, f"b-{number}", widths=(1,)), {}).values()
        record(world, f"b-{number}")
        assert behind.may_use_spot is False
        assert behind.priority < wide.priority
    for name in ("a-1", "a-2", "w-1"):
        end(world, name)
    (after,) = book.plan(demands(book, "c-1", widths=(1,)), {}).values()
    assert after.may_use_spot is True


def test_of_one_arrival_too(book: FleetBook) -> None:
    places = book.plan(
        [*demands(book, *(f"a-{n}" for n in range(8)), widths=(1,)), *demands(book, "w-1", widths=(7,))], {}
    )
    wide = places.pop("w-1")
    for place in places.values():
        assert place.may_use_spot is (place.starts_at < wide.starts_at or wide.starts_at == wide.planned_at)


def test_a_run_that_may_not_use_spot_is_told_so(world: World) -> None:
    world.add_team("vision", "compute: {nodes: 7}\n")
    for number in range(2):
        prepare(world)(world.drop(f"manifests/vision/{number}.json", manifest()), f"arn:{number}")
    world.add_team("tabular", "")
    (run,) = prepare(world)(world.drop("manifests/tabular/m.json", manifest("tabular")), "arn")["runs"]
    assert run["spot"] is False


def test_the_book_asks_once_who_has_ended_however_often_others_are_faster(
    world: World, book: FleetBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.plan(demands(book, *(f"a-{number}" for number in range(20)), widths=(1,)), {})
    record(world, *(f"a-{number}" for number in range(20)))
    asked: list[str] = []
    real, update, tries = FakeTable.get, FakeTable.update, iter(range(5))

    def counted(table: FakeTable, pk: str, sk: str) -> Any:
        asked.append(pk)
        return real(table, pk, sk)

    monkeypatch.setattr(FakeTable, "get", counted)
    monkeypatch.setattr(FakeTable, "update", lambda *given: next(tries, None) is None and update(*given))
    book.plan(demands(book, "b-1"), {})
    assert asked.count("FLEET") == 6
    assert max(asked.count(f"RUN#a-{number}") for number in range(20)) <= 2


def test_as_many_runs_as_there_is_room_for_fit_one_item(book: FleetBook) -> None:
    """As JSON, which is longer than DynamoDB's own reckoning: names and values with a byte or three."""
    longest = "t" * 20 + "-" + "d" * 46 + "-" + "0" * 12
    (place,) = book.plan(demands(book, longest), {}).values()
    assert fleet_book.RUNS_MAX * len(json.dumps({longest: asdict(place)}, separators=(",", ":"))) < 400 * 1024


def test_over_the_days_every_team_comes_first_and_last(world: World) -> None:
    orders = []
    for _ in range(4):
        book = FleetBook(FakeTable(), world.clock, FLEET)
        places = book.plan(demands(book, "a-1", "b-1", "c-1", "d-1", widths=(7,)), {})
        orders.append(sorted(places, key=lambda name: places[name].starts_at))
        world.clock.move(timedelta(days=1))
    assert len({order[0] for order in orders}) == len({order[-1] for order in orders}) == 4


def test_a_team_sets_its_own_priority(book: FleetBook) -> None:
    places = book.plan(demands(book, "a-1", "b-1"), {"b-1": 9999})
    assert places["b-1"].priority == 9999 and places["a-1"].priority < 9999


def test_priorities_follow_the_order_of_the_plan_also_over_several_arrivals(world: World, book: FleetBook) -> None:
    places: list[Place] = []
    for number in range(30):
        places += book.plan(demands(book, f"t{number % 4}-{number}", widths=(7,)), {}).values()
        record(world, f"t{number % 4}-{number}")
        world.clock.move(timedelta(minutes=1))
    assert all(one.starts_at < later.starts_at for one, later in pairwise(places))
    assert all(one.priority > later.priority for one, later in pairwise(places))


def test_a_short_run_does_not_overtake_one_that_waits(book: FleetBook) -> None:
    places = book.plan(demands(book, "a-1", widths=(5,)), {}) | book.plan(demands(book, "b-1", widths=(7,)), {})
    short = book.plan([book.demand("c-1", "c", 0.1, (2,))], {})["c-1"]
    assert short.starts_at >= places["b-1"].ends_at
    assert short.priority < places["b-1"].priority < places["a-1"].priority


def test_a_priority_that_a_team_has_set_moves_nobody_elses(book: FleetBook) -> None:
    book.plan(demands(book, "a-1"), {"a-1": 3})
    assert book.plan(demands(book, "b-1"), {})["b-1"].priority == 9000


def test_the_fleet_may_have_become_smaller(world: World) -> None:
    large = FleetBook(world.table, world.clock, FLEET)
    large.plan(demands(large, "a-1", "b-1", widths=(7,)), {})
    small = FleetBook(world.table, world.clock, Fleet(vms=2, launch_h=0))
    assert small.plan(demands(small, "c-1", widths=(1, 2)), {})["c-1"].nodes == 2


def test_a_run_whose_work_is_unknown_gets_one_vm(world: World) -> None:
    (run,) = prepare(world)(world.drop("manifests/vision/m.json", manifest()), "arn")["runs"]
    assert run["nodes"] == 1


def test_a_run_whose_work_is_known_gets_what_is_best_for_all(world: World) -> None:
    for team in ("vision", "tabular"):
        world.add_team(team, WORK)
    reply = prepare(world)(batch(world, "vision", "tabular"), "arn")
    assert reply["rejected"] == []
    assert [run["nodes"] for run in reply["runs"]] == [7, 7]
    specs = [RunSpec.model_validate_json(world.store[world.spec_uri(run)]) for run in reply["runs"]]
    first, second = sorted((spec.plan for spec in specs if spec.plan), key=lambda plan: plan.starts_at)
    assert second.starts_at == first.ends_at and second.priority <= first.priority
    assert first.hours == pytest.approx(100 / 48 / (7 * 0.95**2.807355))
    assert first.cost_usd == pytest.approx(first.hours * 7 * 21.96)


def test_a_small_run_is_not_spread_over_vms_that_only_launch(world: World) -> None:
    world.add_team("vision", "work_cpu_hours: 1\n")
    slow = Fleet(launch_h=1 / 6)
    (run,) = prepare(world, slow)(world.drop("manifests/vision/m.json", manifest()), "arn")["runs"]
    assert run["nodes"] == 1
    assert worthwhile(slow, vm_hours(1)) == [1] and worthwhile(FLEET, vm_hours(1)) == list(ALL)


def test_more_vms_than_the_team_can_pay_are_not_taken(world: World) -> None:
    world.add_team("vision", WORK)
    given = manifest(compute={"max_cost_usd": 50})
    (run,) = prepare(world)(world.drop("manifests/vision/m.json", given), "arn")["runs"]
    assert run["nodes"] == 3  # three cost 49.63 USD, seven 52.85 USD


@pytest.mark.parametrize(
    ("more", "compute", "nodes"), [("compute: {nodes: 2}\n", {}, 2), ("compute: {nodes: 2}\n", {"nodes": 3}, 3)]
)
def test_the_manifest_comes_before_the_team_and_the_team_before_the_plan(
    world: World, more: str, compute: dict[str, Any], nodes: int
) -> None:
    world.add_team("vision", WORK + more)
    event = world.drop("manifests/vision/m.json", manifest(compute=compute))
    assert prepare(world)(event, "arn")["runs"][0]["nodes"] == nodes


@pytest.mark.parametrize("hours", ["1.0e+13", "1.0e-320", "0", ".inf"])
def test_a_team_with_an_impossible_work_stops_no_other(world: World, hours: str) -> None:
    world.add_team("vision", f"work_cpu_hours: {hours}\n")
    reply = prepare(world)(batch(world, "vision", "tabular"), "arn")
    assert [run["team"] for run in reply["runs"]] == ["tabular"]
    assert "work_cpu_hours" in json.dumps(reply["rejected"])


def test_a_run_wider_than_the_fleet_is_refused_by_name_and_touches_no_other(world: World) -> None:
    body = {"schema_version": 1, "runs": [manifest("vision", compute={"nodes": 3}), manifest("tabular")]}
    reply = prepare(world, Fleet(vms=2))(world.drop("manifests/_batch/all.json", body), "arn")
    assert [run["team"] for run in reply["runs"]] == ["tabular"]
    (refused,) = reply["rejected"]
    assert "asks for 3 VMs, and a run may have 2" in json.dumps(refused)


@pytest.mark.parametrize(("nodes_max", "words"), [(3, "asks for 4 VMs, and a run may have 3"), (0, "MaxTrainingVcpus")])
def test_a_run_may_not_have_more_vms_than_there_may_be_hosts(world: World, nodes_max: int, words: str) -> None:
    fleet = replace(FLEET, nodes_max=nodes_max)
    reply = prepare(world, fleet)(world.drop("manifests/vision/m.json", manifest(compute={"nodes": 4})), "arn")
    assert reply["runs"] == []
    assert words in json.dumps(reply["rejected"])


def test_who_is_refused_by_the_weeks_budget_gives_up_its_place(world: World) -> None:
    world.add_team("vision", WORK + "compute: {nodes: 7}\n")
    text = world.store["s3://data/config/teams/vision.yaml"].decode()
    world.store["s3://data/config/teams/vision.yaml"] = text.replace(
        "{max_cost_usd_per_run: 60}", "{max_cost_usd_per_run: 60, max_cost_usd_per_week: 10}"
    ).encode()
    reply = prepare(world)(world.drop("manifests/vision/m.json", manifest()), "arn")
    assert (reply["runs"], len(reply["rejected"])) == ([], 1)
    assert world.table.items["FLEET", "BOOK"]["runs"] == {}


def test_where_the_week_can_pay_fewer_vms_the_run_gets_fewer(world: World) -> None:
    """More VMs cost more; what the week has left decides."""
    world.add_team("vision", WORK)
    text = world.store["s3://data/config/teams/vision.yaml"].decode()
    alone = prepare(world)(world.drop("manifests/vision/probe.json", manifest()), "arn:probe")["runs"][0]
    assert alone["nodes"] > 2
    spec = RunSpec.model_validate_json(world.store[f"s3://artifacts/runs/vision/{alone['run_id']}/run.json"])
    assert spec.plan is not None
    end(world, alone["run_id"])
    limit = spec.plan.cost_usd - 1
    world.store["s3://data/config/teams/vision.yaml"] = text.replace(
        "{max_cost_usd_per_run: 60}", f"{{max_cost_usd_per_run: 60, max_cost_usd_per_week: {limit}}}"
    ).encode()
    event = world.drop("manifests/vision/m.json", manifest())
    (run,) = prepare(world)(event, "arn")["runs"]
    assert 1 <= run["nodes"] < alone["nodes"]
    assert world.table.items["FLEET", "BOOK"]["runs"][run["run_id"]]["nodes"] == run["nodes"]
    assert prepare(world)(event, "arn")["runs"] == [run]
    reservation = world.table.items[f"RUN#{run['run_id']}", "RESERVATION"]
    assert reservation["cents"] <= limit * 100
