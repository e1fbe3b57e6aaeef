"""Node ranges and overrides of multi-node jobs."""

from __future__ import annotations

from typing import Any

import pytest

from local_cloud.batch.nodes import node_count, node_range, of_container, of_multinode


def definition(*ranges: tuple[str, str], nodes: int = 4, main: int = 0) -> dict[str, Any]:
    return {
        "numNodes": nodes,
        "mainNode": main,
        "nodeRangeProperties": [
            {"targetNodes": text, "container": {"image": image, "command": ["run"]}} for text, image in ranges
        ],
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0:3", [0, 1, 2, 3]), (":1", [0, 1]), ("2:", [2, 3]), ("1", [1]), ("2:9", [2, 3])],
)
def test_a_range_names_nodes_both_ends_included(text: str, expected: list[int]) -> None:
    assert list(node_range(text, 4)) == expected


@pytest.mark.parametrize("text", ["", ":", "a", "3:1", "9:", "-1"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="targetNodes"):
        node_range(text, 4)


def test_a_later_range_wins() -> None:
    specs = of_multinode(definition(("0:", "all"), ("0", "main")), {}, {})
    assert [spec.image for spec in specs] == ["main", "all", "all", "all"]


def test_a_node_that_no_range_describes_is_refused() -> None:
    with pytest.raises(ValueError, match="node 3"):
        of_multinode(definition(("0:2", "a")), {}, {})


def test_another_number_of_nodes_needs_an_open_range() -> None:
    assert node_count(definition(("0:", "a")), {"numNodes": 2}) == 2
    with pytest.raises(ValueError, match="range without an end"):
        node_count(definition(("0:3", "a")), {"numNodes": 2})


def test_the_main_node_must_be_there() -> None:
    with pytest.raises(ValueError, match="main node"):
        node_count(definition(("0:", "a"), main=2), {"numNodes": 2})


def test_node_property_overrides_reach_their_nodes_only() -> None:
    overrides = {
        "nodePropertyOverrides": [
            {
                "targetNodes": "1:",
                "containerOverrides": {"command": ["other"], "environment": [{"name": "A", "value": "1"}]},
            }
        ]
    }
    specs = of_multinode(definition(("0:", "a"), nodes=2), overrides, {})
    assert [spec.command for spec in specs] == [("run",), ("other",)]
    assert [spec.environment for spec in specs] == [{}, {"A": "1"}]


def test_overrides_replace_the_environment_by_name_and_resources_by_type() -> None:
    properties = {
        "image": "i",
        "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        "resourceRequirements": [{"type": "VCPU", "value": "4"}, {"type": "MEMORY", "value": "100"}],
    }
    overrides = {
        "environment": [{"name": "B", "value": "3"}],
        "resourceRequirements": [{"type": "VCPU", "value": "0.5"}],
    }
    spec = of_container(properties, overrides, {})
    assert spec.environment == {"A": "1", "B": "3"}
    assert (spec.needs.vcpus, spec.needs.memory_mib, spec.needs.gpus) == (0.5, 100, 0)


def test_parameters_stand_in_for_their_references_longest_name_first() -> None:
    properties = {"image": "i", "command": ["--in=Ref::input", "Ref::inputfile"]}
    assert of_container(properties, {}, {"input": "x", "inputfile": "y"}).command == ("--in=x", "y")
