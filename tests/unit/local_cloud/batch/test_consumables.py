"""Tokens: how they are counted, what is refused, how many a multi-node job takes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from local_cloud.batch import consumables
from local_cloud.batch.consumables import NON_REPLENISHABLE, REPLENISHABLE, Consumable


@pytest.fixture
def backend() -> Any:
    return SimpleNamespace(account_id="123456789012", region_name="us-east-1")


def test_a_resource_is_found_by_name_and_by_arn(backend: Any) -> None:
    made = consumables.new(backend, "vm", None, 7, 1)
    assert (made.kind, made.available) == (REPLENISHABLE, 7)
    assert consumables.find(backend, "vm") is consumables.find(backend, made.arn) is made
    assert consumables.find(backend, "other") is None


@pytest.mark.parametrize(("kind", "total"), [(REPLENISHABLE, 5), (NON_REPLENISHABLE, 3)])
def test_an_attempts_end_gives_back_or_uses_up(kind: str, total: int) -> None:
    resource = Consumable("r", "arn", kind, 5, 0)
    resource.take(2)
    assert (resource.in_use, resource.available) == (2, 3)
    resource.give_back(2)
    assert (resource.in_use, resource.total) == (0, total)


def test_a_total_may_fall_below_what_is_in_use() -> None:
    resource = Consumable("r", "arn", REPLENISHABLE, 5, 0, in_use=4)
    resource.update("REMOVE", 3)
    assert (resource.total, resource.available) == (2, 0)


@pytest.mark.parametrize(("operation", "quantity"), [("SET", -1), ("REMOVE", 6), ("DOUBLE", 1)])
def test_what_makes_no_sense_changes_nothing(operation: str, quantity: int) -> None:
    resource = Consumable("r", "arn", REPLENISHABLE, 5, 0)
    with pytest.raises(ValueError, match="must"):
        resource.update(operation, quantity)
    assert resource.total == 5


@pytest.mark.parametrize(
    ("name", "kind", "total"), [("-x", None, 1), ("x", "SOMETIMES", 1), ("x", None, -1), ("taken", None, 1)]
)
def test_new_resources_are_checked(backend: Any, name: str, kind: str | None, total: int) -> None:
    consumables.new(backend, "taken", None, 1, 0)
    with pytest.raises(ValueError, match=r"must|exists"):
        consumables.new(backend, name, kind, total, 0)


def needs(name: str, quantity: int) -> dict[str, Any]:
    return {"consumableResourceList": [{"consumableResource": name, "quantity": quantity}]}


def test_a_node_ranges_tokens_are_taken_for_each_of_its_nodes(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    vm = consumables.new(backend, "vm", None, 7, 0)
    ranges = [
        {"targetNodes": "0", "consumableResourceProperties": needs("vm", 2)},
        {"targetNodes": "1:", "consumableResourceProperties": needs("vm", 1)},
    ]
    definition = SimpleNamespace(node_properties={"nodeRangeProperties": ranges}, consumables=needs("vm", 10))
    assert consumables.tokens(backend, consumables.of_definition(definition, 4)) == {vm.arn: 10 + 2 + 3}
    monkeypatch.setattr(consumables, "RANGE_TOKENS_COUNT_PER_NODE", False)
    assert consumables.tokens(backend, consumables.of_definition(definition, 4)) == {vm.arn: 10 + 2 + 1}


def test_what_a_job_needs_is_checked(backend: Any) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        consumables.tokens(backend, consumables.listed(needs("nothing", 1)))
    with pytest.raises(ValueError, match="at least 1"):
        consumables.listed(needs("vm", 0))
    with pytest.raises(ValueError, match="at most 5"):
        consumables.listed({"consumableResourceList": needs("vm", 1)["consumableResourceList"] * 6})
