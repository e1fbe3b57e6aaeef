"""Event patterns, against the examples of the user guide."""

from __future__ import annotations

from typing import Any

import pytest

from local_cloud.eventbridge.pattern_syntax import InvalidPatternError, parse, validate
from local_cloud.eventbridge.patterns import matches

EVENT: dict[str, Any] = {
    "source": "aws.s3",
    "detail-type": "Object Created",
    "resources": ["arn:aws:s3:::data"],
    "detail": {
        "bucket": {"name": "data"},
        "object": {"key": "manifests/vision/m.json", "size": 10},
        "tags": ["a", "b"],
        "empty": "",
        "nothing": None,
        "ok": True,
        "ip": "10.0.0.7",
        "ip6": "2001:db8::7",
        "ratio": 1.0,
        "path": "a*b\\c",
        "no_parts": [],
        "parts": [{"state": "new"}, {"state": "old"}],
    },
}


@pytest.mark.parametrize(
    "detail",
    [
        {"bucket": {"name": ["other", "data"]}},
        {"object": {"key": [{"prefix": "manifests/"}]}},
        {"object": {"key": [{"prefix": {"equals-ignore-case": "MANIFESTS/"}}]}},
        {"object": {"key": [{"suffix": ".json"}]}},
        {"object": {"key": [{"wildcard": "manifests/*/m.json"}]}},
        {"object": {"key": [{"anything-but": {"prefix": "inference/"}}]}},
        {"object": {"key": [{"anything-but": ["x", "y"]}]}},
        {"object": {"key": [{"anything-but": {"wildcard": "*.csv"}}]}},
        {"object": {"size": [{"numeric": [">", 0, "<=", 10]}]}},
        {"object": {"size": [10]}},
        {"object": {"version-id": [{"exists": False}]}},
        {"object": {"key": [{"exists": True}]}},
        {"missing": {"deep": [{"exists": False}]}},
        {"tags": ["b"]},
        {"empty": [""]},
        {"nothing": [None]},
        {"ok": [True]},
        {"ip": [{"cidr": "10.0.0.0/24"}]},
        {"bucket": {"name": [{"equals-ignore-case": "DATA"}]}},
        {"parts": {"state": ["old"]}},
        {"$or": [{"bucket": {"name": ["other"]}}, {"object": {"size": [10]}}]},
        {"$or": [{"gone": ["x"]}, {"$or": [{"gone": ["y"]}, {"ok": [True]}]}], "tags": ["a"]},
        {"object": {"key": [{"suffix": {"equals-ignore-case": ".JSON"}}]}},
        {"object": {"key": [{"anything-but": {"suffix": [".csv", ".txt"]}}]}},
        {"object": {"key": [{"anything-but": {"equals-ignore-case": ["X", "Y"]}}]}},
        {"object": {"key": [{"anything-but": {"wildcard": ["*.csv", "x/*"]}}]}},
        {"object": {"key": [{"anything-but": {"prefix": {"equals-ignore-case": "INFERENCE"}}}]}},
        {"object": {"size": [{"anything-but": [9, 11]}]}},
        {"object": {"size": [{"numeric": ["=", 10.0]}]}},
        {"tags": [{"anything-but": "a"}]},
        {"tags": [{"prefix": "b"}]},
        {"ip6": [{"cidr": "2001:db8::/32"}]},
        {"ip": [{"cidr": "10.0.0.7/24"}]},
        {"path": [{"wildcard": "a\\*b\\\\*"}]},
        {"bucket": {"name": ["nope", {"prefix": "da"}]}},
        {"empty": [{"prefix": ""}]},
        {"bucket": [{"exists": False}]},
        {"ratio": [1.0]},
        {"no_parts": {"state": [{"exists": False}]}},
        {"tags": {"state": [{"exists": False}]}},
    ],
)
def test_a_pattern_takes_the_event(detail: dict[str, Any]) -> None:
    pattern = {"source": ["aws.s3"], "detail": detail}
    validate(pattern)
    assert matches(pattern, EVENT)


@pytest.mark.parametrize(
    "detail",
    [
        {"bucket": {"name": ["other"]}},
        {"object": {"key": [{"prefix": "inference/"}]}},
        {"object": {"key": [{"wildcard": "manifests/*.csv"}]}},
        {"object": {"key": [{"anything-but": {"prefix": "manifests/"}}]}},
        {"object": {"size": [{"numeric": [">", 10]}]}},
        {"object": {"size": ["10"]}},
        {"object": {"key": [{"exists": False}]}},
        {"object": {"gone": [{"exists": True}]}},
        {"missing": [None]},
        {"ok": [1]},
        {"ip": [{"cidr": "10.0.1.0/24"}]},
        {"bucket": [{"exists": True}]},
        {"$or": [{"bucket": {"name": ["other"]}}, {"object": {"size": [11]}}]},
        {"ratio": [1]},
        {"bucket": {"name": ["DATA"]}},
        {"missing": [{"anything-but": "x"}]},
        {"object": {"size": [{"prefix": "1"}]}},
        {"object": {"size": [{"numeric": [">", 10, "<", 20]}]}},
        {"object": {"key": [{"anything-but": {"suffix": [".csv", ".json"]}}]}},
        {"object": {"key": [{"wildcard": "manifests"}]}},
        {"object": {"key": [{"wildcard": "manifests?vision*"}]}},
        {"path": [{"wildcard": "a\\*c*"}]},
        {"nothing": [""]},
        {"empty": [None]},
        {"ip6": [{"cidr": "10.0.0.0/8"}]},
        {"parts": {"state": ["old"], "gone": ["x"]}},
    ],
)
def test_a_pattern_leaves_the_event(detail: dict[str, Any]) -> None:
    pattern = {"detail": detail}
    validate(pattern)
    assert not matches(pattern, EVENT)


@pytest.mark.parametrize(
    "pattern",
    [
        {},
        [],
        {"source": "aws.s3"},
        {"source": []},
        {"detail": {}},
        {"source": [{"sounds-like": "x"}]},
        {"source": [{"prefix": 7}]},
        {"source": [{"numeric": ["~", 1]}]},
        {"source": [{"numeric": [">"]}]},
        {"source": [{"exists": "yes"}]},
        {"source": [{"cidr": "10.0.0.0/99"}]},
        {"source": [{"anything-but": {"numeric": [">", 1]}}]},
        {"source": [{"prefix": "a", "suffix": "b"}]},
        {"source": [["x"]]},
        {"$or": {"a": "b"}},
        {"$or": [{"a": ["b"]}]},
        {"source": [{"prefix": ["a", "b"]}]},
        {"source": [{"prefix": {"suffix": "a"}}]},
        {"source": [{"wildcard": ["a*"]}]},
        {"source": [{"wildcard": "a**b"}]},
        {"source": [{"wildcard": "a\\b"}]},
        {"source": [{"equals-ignore-case": ["a"]}]},
        {"source": [{"anything-but": []}]},
        {"source": [{"anything-but": ["a", 1]}]},
        {"source": [{"anything-but": [None]}]},
        {"source": [{"anything-but": {"prefix": ""}}]},
        {"source": [{"anything-but": {"prefix": "a", "suffix": "b"}}]},
        {"source": [{"numeric": ["<", 5, ">", 1]}]},
        {"source": [{"numeric": [">", 5, "<", 1]}]},
        {"source": [{"numeric": ["=", 5, "<", 1]}]},
        {"source": [{"numeric": [">", "5"]}]},
        {"source": [{"numeric": [">", 5.1e9]}]},
        {"source": [{}]},
    ],
)
def test_a_pattern_that_cannot_be_evaluated_is_refused(pattern: Any) -> None:
    with pytest.raises(InvalidPatternError):
        validate(pattern)


def test_two_elements_of_an_array_do_not_match_a_pattern_together() -> None:
    event = {"parts": [{"state": "new", "n": 1}, {"state": "old", "n": 2}]}
    assert matches({"parts": {"state": ["new"], "n": [1]}}, event)
    assert not matches({"parts": {"state": ["new"], "n": [2]}}, event)


@pytest.mark.parametrize("text", ['{"source": ["a"]', '{"source": ["a"], "source": ["b"]}', "[]", '"x"'])
def test_text_that_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(InvalidPatternError):
        parse(text)


def test_a_pattern_of_too_many_combinations_is_refused() -> None:
    either = [{"a": ["x"]}, {"b": ["x"]}]
    validate({f"f{i}": {"$or": either} for i in range(9)})
    with pytest.raises(InvalidPatternError, match="too complex"):
        validate({f"f{i}": {"$or": either} for i in range(10)})
