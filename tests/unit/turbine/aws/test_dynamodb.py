"""The same promises for DynamoDB and for the fake that stands for it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes import FakeTable
from turbine.aws.dynamodb import DynamoTable
from turbine.ports import Table


@pytest.fixture(params=["dynamodb", "fake"])
def records(request: pytest.FixtureRequest, table: str) -> Table:
    return DynamoTable(table) if request.param == "dynamodb" else FakeTable()


def item(sk: str = "A", **more: Any) -> dict[str, Any]:
    return {"pk": "P", "sk": sk, **more}


def test_values_come_back_as_they_were(records: Table) -> None:
    values: dict[str, Any] = {
        "text": "x",
        "whole": 3,
        "double": 0.1 + 0.2,
        "none": None,
        "list": [1, {"deep": 1e-7}],
        "yes": True,
    }
    records.put(item(**values))
    assert records.get("P", "A") == item(**values)
    assert records.get("P", "B") is None


def test_an_insert_never_replaces(records: Table) -> None:
    assert records.insert(item(n=1))
    assert not records.insert(item(n=2))
    assert records.get("P", "A") == item(n=1)


def test_only_a_newer_item_replaces(records: Table) -> None:
    assert records.put_newer(item(order="b"), "order")
    assert not records.put_newer(item(order="b", late=1), "order")
    assert not records.put_newer(item(order="a"), "order")
    assert records.put_newer(item(order="c"), "order")
    assert records.get("P", "A") == item(order="c")


def test_an_update_needs_the_item_as_expected(records: Table) -> None:
    assert not records.update("P", "A", {"n": 2}, {"owner": "me"})
    assert records.get("P", "A") is None
    records.put(item(owner="me", n=1))
    assert not records.update("P", "A", {"n": 2}, {"owner": "other"})
    assert records.update("P", "A", {"n": 2, "status": "x"}, {"owner": "me"})
    assert records.get("P", "A") == item(owner="me", n=2, status="x")


def test_a_swap_writes_both_or_neither(records: Table) -> None:
    assert records.swap(item(v=1), None, item("H1"))
    assert not records.swap(item(v=1), None, item("H9"))
    assert not records.swap(item(v=3), {"v": 2}, item("H3"))
    assert not records.swap(item(v=2), {"v": 1}, item("H1"))
    assert records.get("P", "A") == item(v=1)
    assert records.get("P", "H3") is None
    assert records.swap(item(v=2), {"v": 1}, item("H2"))
    assert records.get("P", "A") == item(v=2)
    assert records.get("P", "H2") is not None
