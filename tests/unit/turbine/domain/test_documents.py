"""What is written down twice, and must not differ."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from turbine.domain import capacity, metrics, outcome, schemas, team
from turbine.domain.capacity.model import Curve, vm_hours
from turbine.domain.recipes import OWN_SCRIPT, RECIPES
from turbine.domain.rejection import ManifestFaultyError

ROOT = Path(__file__).parents[4]


def test_the_schemas_in_the_documentation_are_up_to_date() -> None:
    written = {path.name: path.read_text() for path in (ROOT / "docs/schemas").glob("*.json")}
    assert written == schemas.texts(), "type: python -m turbine.domain.schemas docs/schemas"


def test_the_list_of_recipes_is_that_of_the_training_job() -> None:
    folder = ROOT / "batch_jobs/training/recipes"
    recipes = {path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")}
    assert recipes | {OWN_SCRIPT} == set(RECIPES)


@pytest.mark.parametrize("path", sorted((ROOT / "config/teams").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_team_file_in_the_repository_is_valid(path: Path) -> None:
    assert team.parse(path.read_bytes()).team == path.stem


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("- a list", "(file)"),
        ("team: [", "(team file)"),
        ("team: Vision", "team"),
        ("budjet: 1", "budjet"),
    ],
)
def test_a_faulty_team_file_names_its_fields(text: str, field: str) -> None:
    with pytest.raises(ManifestFaultyError) as caught:
        team.parse(text.encode())
    assert field in [fault.field for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("days", "period_s"), [(0, 60), (13.9, 60), (14.1, 300), (61.9, 300), (62.1, 3600), (400, 3600)]
)
def test_the_period_is_one_that_cloudwatch_still_keeps(days: float, period_s: int) -> None:
    assert metrics.period_s(timedelta(days=days)) == period_s


def test_the_estimate_follows_the_arithmetic_of_the_fleet() -> None:
    work_vm_h, price = vm_hours(), capacity.PRICES_USD_PER_HOUR[capacity.INSTANCE_TYPE]
    one, two = (capacity.estimate(nodes, work_vm_h, price, Curve()) for nodes in (1, 2))
    assert one.hours == pytest.approx(100 / 48)
    assert one.cost_usd == pytest.approx(100 / 48 * 21.96)
    assert two.hours == pytest.approx(one.hours / (2 * 0.95))
    assert two.vm_hours == pytest.approx(one.vm_hours / 0.95)


def test_a_newer_outcome_is_greater_as_text() -> None:
    ordered = [
        outcome.order(1, 0, "2026-11-23T20:00:00"),
        outcome.order(1, 0, "2026-11-23T20:00:01"),
        outcome.order(1, 9, "2026-11-23T20:00:00"),
        outcome.order(1, 10, "2026-11-23T20:00:00"),
        outcome.order(2, 0, "2026-11-23T20:00:00"),
    ]
    assert ordered == sorted(ordered)


@pytest.mark.parametrize("cause", ["", "not json", "[1]", '{"Error": "x"}'])
def test_a_cause_without_a_job_names_none(cause: str) -> None:
    assert outcome.failed_job(cause) is None
    assert outcome.short_cause(cause) == cause
