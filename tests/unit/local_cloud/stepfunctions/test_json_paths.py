"""What paths find, and where they put."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from moto.stepfunctions.parser.asl.utils.json_path import NoSuchJsonPathError

from local_cloud.stepfunctions.json_paths import (
    JsonPathSyntaxError,
    UnsuitableInputError,
    check,
    extract,
    extract_variable,
    put,
)

DATA = {"a": [{"b": 1}, {"b": 2}], "ключ-1": {"x y": 3, "it's": 4}, "none": None, "1st": 5}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$", DATA),
        ("$.a[0].b", 1),
        ("$.a[-1].b", 2),
        ("$.none", None),
        ("$.ключ-1['x y']", 3),
        ('$["ключ-1"]["it\'s"]', 4),
        (r"$['ключ-1']['it\'s']", 4),
        ("$.1st", 5),
        ("$.a[*].b", [1, 2]),
        ("$.a[?(@.b > 1)].b", [2]),
        ("$.a[0:1].b", [1]),
        ("$..b", [1, 2]),
        ("$.a[5:]", []),
    ],
)
def test_found(path: str, value: Any) -> None:
    assert extract(path, DATA) == value


@pytest.mark.parametrize("path", ["$.b", "$.a[2]", "$.a.b", "$.none.x", "$.a['0']"])
def test_not_found(path: str) -> None:
    with pytest.raises(NoSuchJsonPathError):
        extract(path, DATA)


@pytest.mark.parametrize("path", ["$.a[?(", "$.a[", "$.", "$.a b"])
def test_no_path(path: str) -> None:
    with pytest.raises(JsonPathSyntaxError):
        check(path)


@pytest.mark.parametrize(
    ("path", "data", "result"),
    [
        ("$", {"a": 1}, 9),
        ("$.b", {"a": 1}, {"a": 1, "b": 9}),
        ("$.a.b.c", {}, {"a": {"b": {"c": 9}}}),
        ("$.a[0]", {"a": [1, 2]}, {"a": [9, 2]}),
        ("$['a b']", {}, {"a b": 9}),
    ],
)
def test_put(path: str, data: Any, result: Any) -> None:
    assert put(path, data, 9) == result


@pytest.mark.parametrize(
    ("path", "data"), [("$.a.b", {"a": "text"}), ("$.a", "text"), ("$.a[3]", {"a": []}), ("$.a[*]", {})]
)
def test_no_room(path: str, data: Any) -> None:
    with pytest.raises(UnsuitableInputError):
        put(path, data, 9)


def test_what_is_put_into_stays_as_it_was() -> None:
    data: dict[str, Any] = {"a": {}}
    put("$.a.b", data, 1)
    assert data == {"a": {}}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$x", {"a": [1, {"b": 2}]}),
        ("$x.a[1].b", 2),
        ("$x.a[-1]", {"b": 2}),
        ("$x.a[*]", [1, {"b": 2}]),
        ("$x.a[0:1]", [1]),
        ("$größe[0]", 3),
    ],
)
def test_a_path_may_begin_at_a_variable(path: str, found: object) -> None:
    assert extract_variable(path, {"x": {"a": [1, {"b": 2}]}, "größe": [3]}) == found


@pytest.mark.parametrize("path", ["$y", "$x.b", "$x.a[2]", "$xa"])
def test_a_path_into_a_variable_that_finds_nothing(path: str) -> None:
    with pytest.raises(NoSuchJsonPathError):
        extract_variable(path, {"x": {"a": [1, 2]}})


@pytest.mark.parametrize(
    "state",
    [
        {"Type": "Pass", "Parameters": {"a.$": "$nothing"}, "End": True},
        {"Type": "Pass", "InputPath": "$nothing", "End": True},
        {"Type": "Wait", "SecondsPath": "$nothing", "End": True},
        {"Type": "Fail", "ErrorPath": "$nothing"},
    ],
)
def test_an_unknown_variable_is_a_runtime_error_without_an_event(
    run: Callable[..., dict[str, Any]], state: dict[str, Any]
) -> None:
    found = run(state)
    assert found["error"] == "States.Runtime"
    assert found["types"][-1] == "ExecutionFailed"
    assert len(found["types"]) == 2
