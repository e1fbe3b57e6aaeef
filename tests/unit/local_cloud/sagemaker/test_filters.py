"""The JSONPath that InputFilter and OutputFilter may use."""

from __future__ import annotations

from typing import Any

import pytest

from local_cloud.sagemaker.filters import FilterError, parse


@pytest.mark.parametrize(
    ("path", "record", "expected"),
    [
        ("$", {"a": 1}, {"a": 1}),
        ("$.a", {"a": 1}, 1),
        ("$.a.b", {"a": {"b": 2}}, 2),
        ("$['a']", {"a": 1}, 1),
        ("$['a','b']", {"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 2}),
        ("$[0]", [5, 6], 5),
        ("$[-1]", [5, 6], 6),
        ("$[1:]", [5, 6, 7], [6, 7]),
        ("$[:2]", [5, 6, 7], [5, 6]),
        ("$.features[1:]", {"features": [1, 2]}, [2]),
    ],
)
def test_paths(path: str, record: Any, expected: Any) -> None:
    assert parse(path, "InputFilter")(record) == expected


@pytest.mark.parametrize("path", ["a", "$..a", "$.*", "$[*]", "$[?(@.a)]", "$.a[0,1]", "$" + ".a" * 40])
def test_what_is_not_emulated_is_refused_when_the_job_is_made(path: str) -> None:
    with pytest.raises(FilterError, match="InputFilter"):
        parse(path, "InputFilter")


@pytest.mark.parametrize(("path", "record"), [("$.a", {}), ("$.a", []), ("$[3]", [1]), ("$[1:]", {})])
def test_a_record_without_what_is_named_is_an_error(path: str, record: Any) -> None:
    with pytest.raises(FilterError, match="a record"):
        parse(path, "OutputFilter")(record)
