from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.turbine.arrange import ARTIFACTS, World
from turbine.domain.errors import ArtifactCorruptError, ArtifactMissingError, MetricsLateError
from turbine.domain.metrics import SCORES_MAX
from turbine.domain.run import RunReference
from turbine.usecases.compare_models import CompareModels, ComparisonRequest


def compare(world: World, run: RunReference, *, final: bool = False) -> dict[str, Any]:
    use_case = CompareModels(ARTIFACTS, world.store, world.table, world.metrics, world.clock)
    return use_case(ComparisonRequest(**run.model_dump(), final_attempt=final))


def crown(world: World, run: RunReference, version: int = 1) -> None:
    item = {"pk": f"TEAM#{run.team}", "sk": "CHAMPION", "run_id": run.run_id, "champion_version": version}
    world.table.put(item)


def two_runs(world: World, champion: float, challenger: float) -> RunReference:
    crown(world, world.finished_run(test={"accuracy": champion}, name="first"))
    world.clock.move(timedelta(hours=1))
    return world.finished_run(test={"accuracy": challenger}, name="second")


def test_a_first_model_is_promoted_when_it_beats_the_baseline(world: World) -> None:
    verdict = compare(world, world.finished_run(test={"accuracy": 0.97}))
    assert (verdict["decision"], verdict["champion_version"], verdict["champion"]) == ("promote", 0, None)
    assert "0.97" in verdict["reason"] and "baseline's 0.1" in verdict["reason"]
    assert verdict["delta"] == pytest.approx(0.87)


def test_a_first_model_no_better_than_the_baseline_is_rejected(world: World) -> None:
    verdict = compare(world, world.finished_run(test={"accuracy": 0.104}))
    assert verdict["decision"] == "reject"


@pytest.mark.parametrize(
    ("challenger", "decision"), [(0.975, "promote"), (0.974, "hold"), (0.966, "hold"), (0.965, "reject")]
)
def test_the_rule_decides_between_challenger_and_champion(world: World, challenger: float, decision: str) -> None:
    verdict = compare(world, two_runs(world, 0.97, challenger))
    assert verdict["decision"] == decision
    assert f"{challenger}" in verdict["reason"] and "0.97" in verdict["reason"]
    assert verdict["champion"]["metrics"]["accuracy"]["cloudwatch"] == 0.97


def test_the_decision_is_written_for_machines_lists_and_for_ever(world: World) -> None:
    run = two_runs(world, 0.97, 0.98)
    verdict = compare(world, run)
    prefix = run.spec_uri.removesuffix("run.json")
    assert json.loads(world.store[f"{prefix}decisions/1.json"]) == verdict
    assert json.loads(world.store[f"{prefix}decision.json"]) == verdict
    item = world.table.get(f"RUN#{run.run_id}", "DECISION")
    assert item is not None
    assert (item["decision"], item["champion_version"], item["delta"]) == ("promoted", 1, verdict["delta"])


def test_asking_again_gives_the_first_decision_against_the_same_champion(world: World) -> None:
    run = two_runs(world, 0.97, 0.98)
    first = compare(world, run)
    world.metrics.values.clear()
    world.clock.move(timedelta(days=1))
    assert compare(world, run) == first


def test_a_new_champion_asks_for_a_new_decision(world: World) -> None:
    run = two_runs(world, 0.97, 0.98)
    compare(world, run)
    crown(world, world.finished_run(test={"accuracy": 0.999}, name="third"), version=2)
    verdict = compare(world, run)
    assert (verdict["decision"], verdict["champion_version"]) == ("reject", 2)


def test_a_run_that_became_champion_keeps_the_decision_that_made_it_so(world: World) -> None:
    run = two_runs(world, 0.97, 0.98)
    first = compare(world, run)
    crown(world, run, version=2)
    assert compare(world, run) == first


def test_a_former_champion_keeps_the_decision_that_made_it_so(world: World) -> None:
    """Its run is attempted again after another was promoted: it was promoted, and that stays its decision."""
    run = two_runs(world, 0.97, 0.98)
    first = compare(world, run)
    world.table.put({"pk": "TEAM#vision", "sk": "CHAMPION#00000002", "run_id": run.run_id})
    crown(world, world.finished_run(test={"accuracy": 0.999}, name="third"), version=3)
    assert compare(world, run) == first


def test_a_late_metric_is_asked_for_again_and_held_at_last(world: World) -> None:
    run = world.finished_run(published=False)
    with pytest.raises(MetricsLateError, match="test_accuracy"):
        compare(world, run)
    assert f"{run.spec_uri.removesuffix('run.json')}decisions/0.json" not in world.store
    verdict = compare(world, run, final=True)
    assert verdict["decision"] == "hold"
    assert "CloudWatch shows no test_accuracy" in verdict["reason"]


@pytest.mark.parametrize("who", ["challenger", "champion"])
def test_a_value_that_disagrees_holds_and_names_both_numbers(world: World, who: str) -> None:
    run = two_runs(world, 0.97, 0.98)
    item = world.table.get("TEAM#vision", "CHAMPION")
    assert item is not None
    changed = run.run_id if who == "challenger" else item["run_id"]
    for key in [key for key in world.metrics.values if key[0] == changed]:
        world.metrics.values[key] = 0.9987
    verdict = compare(world, run)
    assert verdict["decision"] == "hold"
    assert "0.9987" in verdict["reason"] and ("0.98" if who == "challenger" else "0.97 in") in verdict["reason"]


def test_a_rounding_of_the_last_place_is_no_disagreement(world: World) -> None:
    run = world.finished_run(test={"accuracy": 0.97})
    for key in world.metrics.values:
        world.metrics.values[key] *= 1 + 1e-15
    assert compare(world, run)["decision"] == "promote"


def test_models_of_different_splits_are_not_compared(world: World) -> None:
    crown(world, world.finished_run(test={"accuracy": 0.97}, name="first"))
    world.store["s3://data/datasets/vision/digits/part-2.parquet"] = b"more rows"
    verdict = compare(world, world.finished_run(test={"accuracy": 0.99}, name="second"))
    assert verdict["decision"] == "hold" and "test split" in verdict["reason"]


def test_a_champion_whose_files_are_gone_is_an_error_not_a_free_win(world: World) -> None:
    run = two_runs(world, 0.97, 0.98)
    item = world.table.get("TEAM#vision", "CHAMPION")
    assert item is not None
    world.store.delete(f"s3://artifacts/runs/vision/{item['run_id']}/run.json")
    with pytest.raises(ArtifactMissingError):
        compare(world, run)


@pytest.mark.parametrize(("age_days", "period_s"), [(1, 60), (16, 300), (64, 3600)])
def test_the_period_follows_the_champions_age(world: World, age_days: int, period_s: int) -> None:
    crown(world, world.finished_run(test={"accuracy": 0.97}, name="first"))
    world.clock.move(timedelta(days=age_days))
    verdict = compare(world, world.finished_run(test={"accuracy": 0.98}, name="second"))
    assert verdict["decision"] == "promote"
    assert verdict["champion"]["metrics"]["accuracy"]["period_s"] == period_s
    assert verdict["challenger"]["metrics"]["accuracy"]["period_s"] == 60


BOOTSTRAP = """rule: {name: paired_bootstrap, metric: accuracy, direction: maximize, min_delta: 0.005}"""


def drawn_from(world: World, hits: list[float], name: str) -> RunReference:
    """A run of a team whose rule is the bootstrap, with a row in each block."""
    run = world.finished_run(test={"accuracy": sum(hits) / len(hits)}, name=name)
    columns = {"rows": [1] * len(hits), "hits": hits}
    prefix = run.spec_uri.removesuffix("run.json")
    world.store[f"{prefix}evaluation_blocks.json"] = json.dumps({"schema_version": 1, "columns": columns}).encode()
    return run


@pytest.mark.parametrize(("gained", "decision"), [(20, "promote"), (2, "hold")])
def test_the_bootstrap_draws_from_what_the_jobs_left(world: World, gained: int, decision: str) -> None:
    place = "s3://data/config/teams/vision.yaml"
    plain = "rule: {name: min_delta, metric: accuracy, direction: maximize, min_delta: 0.005}"
    assert plain in world.store[place].decode()
    world.store[place] = world.store[place].decode().replace(plain, BOOTSTRAP).encode()
    champion = [1.0] * 150 + [0.0] * 50
    crown(world, drawn_from(world, champion, "first"))
    world.clock.move(timedelta(hours=1))
    run = drawn_from(world, [1.0] * (150 + gained) + [0.0] * (50 - gained), "second")
    verdict = compare(world, run)
    assert (verdict["decision"], verdict["evidence"]["rows"]) == (decision, 200)
    assert f"{verdict['evidence']['lower']:+.6g}" in verdict["reason"]


def test_a_run_without_blocks_is_held_by_the_bootstrap(world: World) -> None:
    place = "s3://data/config/teams/vision.yaml"
    world.store[place] = world.store[place].replace(b"name: min_delta", b"name: paired_bootstrap")
    verdict = compare(world, two_runs(world, 0.9, 0.99))
    assert (verdict["decision"], verdict["evidence"]) == ("hold", None)
    assert "left no evaluation_blocks.json" in verdict["reason"]


@pytest.mark.parametrize(
    "test", [{f"m{number}": 0.5 for number in range(SCORES_MAX + 1)}, {"x" * 65: 0.5}], ids=["too many", "too long"]
)
def test_more_or_longer_metrics_than_can_be_passed_on_are_named(world: World, test: dict[str, float]) -> None:
    run = world.finished_run(test={"accuracy": 0.9})
    place = run.spec_uri.replace("run.json", "metrics.json")
    world.store[place] = json.dumps(json.loads(world.store[place]) | {"test": test}).encode()
    with pytest.raises(ArtifactCorruptError, match=r"metrics\.json cannot be read: test"):
        compare(world, run)
