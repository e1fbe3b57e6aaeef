"""Event patterns, against the examples of the user guide."""

from __future__ import annotations

from typing import Any

import pytest

from local_cloud.eventbridge.patterns import InvalidPatternError, matches, validate

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
        {"$or": {"a": ["b"]}},
    ],
)
def test_a_pattern_that_cannot_be_evaluated_is_refused(pattern: Any) -> None:
    with pytest.raises(InvalidPatternError):
        validate(pattern)
