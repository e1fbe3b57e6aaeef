from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.report.graph_layout import NODE_HEIGHT, edges_of, lay_out

ROOT = Path(__file__).parents[4]
MACHINES = sorted((ROOT / "state_machines").glob("*.asl.yaml"))


def _definition(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize("path", MACHINES, ids=lambda path: path.name)
def test_every_state_of_our_machines_has_a_place_of_its_own(path: Path) -> None:
    definition = _definition(path)
    layout = lay_out(definition)
    assert set(layout.boxes) == set(definition["States"])
    for (a, one), (b, other) in combinations(layout.boxes.items(), 2):
        apart_x = one.right <= other.left or other.right <= one.left
        apart_y = abs(one.y - other.y) >= NODE_HEIGHT
        assert apart_x or apart_y, f"{a} covers {b}"
    for box in layout.boxes.values():
        assert box.left >= 0
        assert box.top >= 0
        assert box.right <= layout.width
        assert box.bottom <= layout.height


@pytest.mark.parametrize("path", MACHINES, ids=lambda path: path.name)
def test_every_transition_is_drawn_once_and_inside_the_picture(path: Path) -> None:
    definition = _definition(path)
    layout = lay_out(definition)
    assert sorted((r.edge.source, r.edge.target) for r in layout.routes) == sorted(
        (edge.source, edge.target) for edge in edges_of(definition)
    )
    for route in layout.routes:
        for x, y in route.points:
            assert 0 <= x <= layout.width
            assert 0 <= y <= layout.height


def test_the_way_of_success_runs_downwards_and_failures_stand_beside() -> None:
    definition = {
        "StartAt": "A",
        "States": {
            "A": {"Type": "Task", "Next": "B", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Tail"}]},
            "B": {"Type": "Choice", "Choices": [{"Next": "A"}], "Default": "C"},
            "C": {"Type": "Succeed"},
            "Tail": {"Type": "Fail"},
        },
    }
    boxes = lay_out(definition).boxes
    assert boxes["A"].y < boxes["B"].y < boxes["C"].y
    assert boxes["Tail"].left > max(boxes[name].right for name in "ABC")


def test_an_edge_over_several_layers_passes_beside_the_states_between() -> None:
    definition = {
        "StartAt": "A",
        "States": {
            "A": {"Type": "Choice", "Choices": [{"Next": "B"}], "Default": "D"},
            "B": {"Type": "Task", "Next": "C"},
            "C": {"Type": "Task", "Next": "D"},
            "D": {"Type": "Succeed"},
        },
    }
    layout = lay_out(definition)
    (long,) = [route for route in layout.routes if (route.edge.source, route.edge.target) == ("A", "D")]
    assert len(long.points) == 4
    for (x, y), name in zip(long.points[1:3], "BC", strict=True):
        box = layout.boxes[name]
        assert y == box.y
        assert not box.left <= x <= box.right


def test_a_state_that_returns_to_itself_is_drawn() -> None:
    layout = lay_out({"StartAt": "A", "States": {"A": {"Type": "Choice", "Choices": [{"Next": "A"}]}}})
    assert len(layout.routes) == 1
