"""What paths find, and where they put."""

from __future__ import annotations

from typing import Any

import pytest
from moto.stepfunctions.parser.asl.utils.json_path import NoSuchJsonPathError

from local_cloud.stepfunctions.json_paths import JsonPathSyntaxError, UnsuitableInputError, check, extract, put

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
