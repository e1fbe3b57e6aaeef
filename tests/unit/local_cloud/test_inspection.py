from __future__ import annotations

from importlib.metadata import version

from local_cloud.inspection import inspect


def test_moto_has_every_symbol_that_is_replaced() -> None:
    found = inspect()
    assert (found["moto"], found["missing"]) == (version("moto"), [])
    assert found["replaced"] > 100
