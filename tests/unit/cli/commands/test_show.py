"""What `turbine show` tells of the slices that a guardrail looked at, and of a run's place in the plan."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from cli.commands import show
from cli.observe.records import RunItems
from cli.terminal import Terminal


def one(value: str | None, **changes: Any) -> dict[str, Any]:
    return {"value": value, "folded": 0, "rows": 40, "challenger": 0.9, "champion": 0.8, "is_judged": True} | changes


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (one("A"), "A"),
        (one(None), "(missing)"),
        (one(None, folded=7), "(7 rarer values)"),
        (one("\x1b[2J"), r"'\x1b[2J'"),
    ],
)
def test_a_slice_has_a_name(told: dict[str, Any], text: str) -> None:
    assert show.slice_text(told) == text


def test_every_slice_has_a_line_and_says_whether_it_was_judged() -> None:
    file = io.StringIO()
    seen = {"column": "site", "metric": "accuracy", "max_worsening": 0.02, "min_rows": 30}
    slices = [one("[/b]"), one("C", rows=12, is_judged=False)]
    decision = {"challenger": {"metrics": {"accuracy": {"file": 0.9}}}, "slices": [seen | {"slices": slices}]}
    show._print_numbers(Terminal(False, out=Console(file=file, width=200)), decision)
    lines = [line.split() for line in file.getvalue().splitlines()]
    assert "accuracy by site, which may not worsen by more than 0.02:" in file.getvalue()
    assert ["[/b]", "40", "0.9", "0.8", "yes"] in lines
    assert ["C", "12", "0.9", "0.8", "no,", "fewer", "than", "30"] in lines


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ({}, None),
        ({"nodes": 1, "plan": None}, None),
        (
            {
                "nodes": 3,
                "plan": {
                    "starts_at": "2026-11-27T10:00:00.000Z",
                    "ends_at": "2026-11-27T11:30:00.000Z",
                    "cost_usd": 49.631,
                },
            },
            "3 VMs from 2026-11-27T10:00Z to 2026-11-27T11:30Z, estimated at 49.63 USD",
        ),
    ],
)
def test_the_place_in_the_plan_is_told_where_there_is_one(record: dict[str, Any], text: str | None) -> None:
    assert show.plan_text(record) == text


def test_published_epochs_are_told_with_the_metric_that_decides() -> None:
    items = RunItems("wine-1", {"team": "wine"}, decision={"rule": {"metric": "rmse"}}, package={"model_version": 3})
    assert show.epochs_text(items, {}) is None
    published = {"epochs": {"5": {"validation": {"rmse": 0.25, "mae": 9.0}}, "7": {}}}
    told = show.epochs_text(items, published)
    assert told == "5 (rmse 0.25), 7: turbine pull wine@3 DEST --epoch 5"


@pytest.mark.parametrize(
    ("record", "outcome", "text"),
    [
        (
            {"nodes": 2, "plan": {"hours": 1.0, "cost_usd": 40.0}},
            {"trained_s": 5400},
            "1.50 h on 2 VMs, about 60.00 USD",
        ),
        ({"nodes": 1, "plan": {"hours": 2.0, "cost_usd": 40.0}}, {}, None),
        ({}, {"trained_s": 5400}, None),
    ],
)
def test_what_a_run_took_is_told_beside_its_estimate(
    record: dict[str, Any], outcome: dict[str, Any], text: str | None
) -> None:
    assert show.work_text(record, outcome) == text
