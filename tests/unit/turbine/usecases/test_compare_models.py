from __future__ import annotations

import hashlib
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


@pytest.mark.parametrize(("epochs", "trained_s"), [([], 3.0), ([{"elapsed_s": 9.5}], 9.5), ([{"elapsed_s": 1.0}], 3.0)])
def test_how_long_the_run_worked_is_kept_with_what_earlier_attempts_did(
    world: World, epochs: list[dict[str, float]], trained_s: float
) -> None:
    run = world.finished_run(test={"accuracy": 0.97})
    place = run.spec_uri.replace("run.json", "metrics.json")
    world.store[place] = json.dumps(json.loads(world.store[place]) | {"epochs": epochs}).encode()
    compare(world, run)
    assert world.table.items[f"RUN#{run.run_id}", "DECISION"]["trained_s"] == trained_s


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


def of_new_data(world: World, champion: float = 0.97, challenger: float = 0.99) -> RunReference:
    """A challenger whose data set has a shard more than the champion's."""
    crown(world, world.finished_run(test={"accuracy": champion}, name="first"))
    world.clock.move(timedelta(hours=1))
    world.store["s3://data/datasets/vision/digits/part-2.parquet"] = b"more rows"
    return world.finished_run(test={"accuracy": challenger}, name="second")


def champion_id(world: World) -> str:
    item = world.table.get("TEAM#vision", "CHAMPION")
    assert item is not None
    return str(item["run_id"])


def test_on_new_data_the_champion_is_measured_first(world: World) -> None:
    run = of_new_data(world)
    wanted = compare(world, run)
    folder = f"{run.spec_uri.removesuffix('run.json')}champions/{champion_id(world)}/"
    assert wanted == {
        "decision": "measure",
        "run_id": run.run_id,
        "team": "vision",
        "champion_version": 1,
        "champion_run_id": champion_id(world),
        "evaluation_uri": f"{folder}evaluation.json",
        "reason": wanted["reason"],
    }
    assert "test split" in wanted["reason"]
    spec, told = json.loads(world.store[run.spec_uri]), json.loads(world.store[wanted["evaluation_uri"]])
    assert (told["dataset"], told["split"], told["output_uri"]) == (spec["dataset"], spec["split"], folder)
    assert told["champion"]["model_uri"] == f"s3://artifacts/runs/vision/{champion_id(world)}/model/"
    assert told["champion"]["files"]["config.json"]["sha256"] == hashlib.sha256(b"{}").hexdigest()
    assert compare(world, run) == wanted, "asked again before it is done"
    assert f"{run.spec_uri.removesuffix('run.json')}decisions/1.json" not in world.store


@pytest.mark.parametrize(("on_new_data", "decision"), [(0.95, "promote"), (0.988, "hold"), (0.999, "reject")])
def test_then_both_are_compared_on_the_new_rows(world: World, on_new_data: float, decision: str) -> None:
    run = of_new_data(world)
    world.champion_measured(compare(world, run)["evaluation_uri"], {"accuracy": on_new_data})
    verdict = compare(world, run)
    assert verdict["decision"] == decision
    side = verdict["champion"]
    assert side["metrics"]["accuracy"]["file"] == side["metrics"]["accuracy"]["cloudwatch"] == on_new_data
    assert side["split_id"] == verdict["challenger"]["split_id"]
    assert side["source"].endswith(f"{run.run_id}/champions/{champion_id(world)}/metrics.json")
    assert verdict["challenger"]["source"].endswith(f"{run.run_id}/metrics.json")


def test_a_champion_that_cannot_be_measured_holds_and_says_why(world: World) -> None:
    run = of_new_data(world)
    world.champion_measured(compare(world, run)["evaluation_uri"], {}, obstacle="feature 'b' is none of the data set's")
    verdict = compare(world, run)
    assert verdict["decision"] == "hold"
    assert "feature 'b' is none of the data set's. turbine promote" in verdict["reason"]
    assert verdict["champion"]["obstacle"] == "feature 'b' is none of the data set's"


def test_a_late_metric_of_the_measured_champion_is_asked_for_again(world: World) -> None:
    run = of_new_data(world)
    world.champion_measured(compare(world, run)["evaluation_uri"], {"accuracy": 0.9})
    world.metrics.values = {key: value for key, value in world.metrics.values.items() if "/" not in key[0]}
    with pytest.raises(MetricsLateError, match=champion_id(world)):
        compare(world, run)
    assert compare(world, run, final=True)["decision"] == "hold"


def test_another_champion_is_measured_too(world: World) -> None:
    run = of_new_data(world)
    world.champion_measured(compare(world, run)["evaluation_uri"], {"accuracy": 0.9})
    world.store.delete("s3://data/datasets/vision/digits/part-2.parquet")
    crown(world, world.finished_run(test={"accuracy": 0.98}, name="third"), version=2)
    wanted = compare(world, run)
    assert (wanted["decision"], wanted["champion_version"]) == ("measure", 2)
    assert champion_id(world) in wanted["evaluation_uri"]


@pytest.mark.parametrize(("days", "decision"), [(440, "promote"), (442, "measure")])
def test_a_champion_older_than_cloudwatchs_memory_is_measured_again(world: World, days: int, decision: str) -> None:
    crown(world, world.finished_run(test={"accuracy": 0.97}, name="first"))
    world.clock.move(timedelta(days=days))
    answer = compare(world, world.finished_run(test={"accuracy": 0.98}, name="second"))
    assert answer["decision"] == decision
    if decision == "measure":
        assert "CloudWatch keeps no number" in answer["reason"]


def test_a_champion_without_its_marker_names_what_is_missing(world: World) -> None:
    run = of_new_data(world)
    world.store.delete(f"s3://artifacts/runs/vision/{champion_id(world)}/_SUCCESS")
    with pytest.raises(ArtifactMissingError, match="_SUCCESS is missing, by which the champion's model is found"):
        compare(world, run)


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


def test_a_margin_that_the_champions_own_promotion_spent_is_gone(world: World) -> None:
    """Three times as good as the one before: the third is held, unless a person chose the second."""
    place = "s3://data/config/teams/vision.yaml"
    plain = b"rule: {name: min_delta, metric: accuracy, direction: maximize, min_delta: 0.005}"
    with_margin = BOOTSTRAP.replace("}", ", non_inferiority_margin: 0.06}").encode()
    world.store[place] = world.store[place].replace(plain, with_margin)
    hits = [1.0] * 190 + [0.0] * 10
    first = drawn_from(world, hits, "first")
    crown(world, first)
    second = drawn_from(world, [0.0] * 8 + [1.0] * 190 + [0.0] * 2, "second")
    verdict = compare(world, second)
    spent = verdict["evidence"]["margin_spent"]
    assert verdict["decision"] == "promote"
    assert 0.03 < spent < 0.06
    item = {"pk": "TEAM#vision", "sk": "CHAMPION", "run_id": second.run_id, "champion_version": 2}
    for actor, kind, decision in (
        ("turbine", "promotion", "hold"),
        ("jo", "promotion", "promote"),
        ("turbine", "rollback", "promote"),
    ):
        world.table.put({**item, "actor": actor, "kind": kind})
        third = drawn_from(world, hits, f"third-{actor}-{kind}")
        verdict = compare(world, third)
        assert verdict["decision"] == decision, verdict["reason"]
        assert ("promotions before have left" in verdict["reason"]) == (decision == "hold")


def test_the_bootstrap_draws_from_the_measured_champions_blocks(world: World) -> None:
    place = "s3://data/config/teams/vision.yaml"
    world.store[place] = world.store[place].replace(b"name: min_delta", b"name: paired_bootstrap")
    crown(world, drawn_from(world, [1.0] * 200, "first"))
    world.store["s3://data/datasets/vision/digits/part-2.parquet"] = b"more rows"
    run = drawn_from(world, [1.0] * 170 + [0.0] * 30, "second")
    on_new_data = [1.0] * 150 + [0.0] * 50
    world.champion_measured(compare(world, run)["evaluation_uri"], {"accuracy": 0.75}, hits=on_new_data)
    verdict = compare(world, run)
    assert (verdict["decision"], verdict["evidence"]["rows"]) == ("promote", 200)


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


def guard_sites(world: World) -> None:
    """The team's rule from now on."""
    place = "s3://data/config/teams/vision.yaml"
    guardrail = "slice_guardrails: [{column: site, metric: accuracy, max_worsening: 0.02, min_rows: 10}]"
    text = world.store[place].decode().replace("min_delta: 0.005}", f"min_delta: 0.005, {guardrail}}}")
    world.store[place] = text.encode()


def of_sites(world: World, name: str, hits: tuple[int, int] | None, accuracy: float) -> RunReference:
    """A run of 100 rows on each of two sites; without `hits` its job has summed nothing by site."""
    run = world.finished_run(test={"accuracy": accuracy}, name=name)
    world.store[f"{run.spec_uri.removesuffix('run.json')}evaluation_blocks.json"] = blocks_of_sites(hits, accuracy)
    return run


def blocks_of_sites(hits: tuple[int, int] | None, accuracy: float) -> bytes:
    document: dict[str, Any] = {"columns": {"rows": [200], "hits": [round(200 * accuracy)]}}
    if hits is not None:
        document["slices"] = {"site": {"values": ["A", "B"], "columns": {"rows": [100, 100], "hits": list(hits)}}}
    return json.dumps(document).encode()


def test_the_spec_pins_by_what_the_job_sums(world: World) -> None:
    guard_sites(world)
    spec = json.loads(world.store[world.finished_run().spec_uri])
    assert spec["dataset"]["slices"] == ["site"] == [one["column"] for one in spec["rule"]["slice_guardrails"]]


@pytest.mark.parametrize(("hits", "decision"), [((99, 89), "promote"), ((100, 87), "reject")])
def test_a_site_that_is_worse_off_rejects(world: World, hits: tuple[int, int], decision: str) -> None:
    guard_sites(world)
    crown(world, of_sites(world, "first", (80, 90), 0.85))
    verdict = compare(world, of_sites(world, "second", hits, sum(hits) / 200))
    assert verdict["decision"] == decision
    assert [one["champion"] for one in verdict["slices"][0]["slices"]] == [0.8, 0.9]
    assert ("'site' is 'B' worsened from 0.9 to 0.87" in verdict["reason"]) == (decision == "reject")


def test_a_champion_of_before_the_guardrail_is_measured_by_its_slices(world: World) -> None:
    """On the very same rows; what its run has left would hold every challenger."""
    crown(world, of_sites(world, "first", None, 0.85))
    guard_sites(world)
    run = of_sites(world, "second", (99, 87), 0.93)
    wanted = compare(world, run)
    assert wanted["decision"] == "measure"
    assert wanted["reason"] == f"The evaluation of the champion {champion_id(world)} is not summed by 'site'."
    told = json.loads(world.store[wanted["evaluation_uri"]])
    assert told["dataset"]["slices"] == ["site"]
    world.champion_measured(wanted["evaluation_uri"], {"accuracy": 0.85})
    folder = wanted["evaluation_uri"].removesuffix("evaluation.json")
    world.store[f"{folder}evaluation_blocks.json"] = blocks_of_sites((80, 90), 0.85)
    verdict = compare(world, run)
    assert verdict["decision"] == "reject" and verdict["slices"][0]["slices"][1]["champion"] == 0.9


def test_a_champion_that_was_measured_without_slices_again_holds(world: World) -> None:
    """By an image of before them: nothing is asked for twice."""
    crown(world, of_sites(world, "first", None, 0.85))
    guard_sites(world)
    run = of_sites(world, "second", (99, 90), 0.945)
    world.champion_measured(compare(world, run)["evaluation_uri"], {"accuracy": 0.85}, hits=[1.0] * 17 + [0.0] * 3)
    verdict = compare(world, run)
    assert verdict["decision"] == "hold"
    assert "the champion's evaluation_blocks.json has no sums by 'site'" in verdict["reason"]


def test_a_challenger_without_slices_holds_and_nothing_is_measured(world: World) -> None:
    guard_sites(world)
    crown(world, of_sites(world, "first", None, 0.85))
    verdict = compare(world, of_sites(world, "second", None, 0.95))
    assert (verdict["decision"], verdict["slices"]) == ("hold", [])
    assert "the challenger's evaluation_blocks.json has no sums by 'site'" in verdict["reason"]
