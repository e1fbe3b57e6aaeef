"""JSONata as Step Functions has it: bound values, AWS's functions, undefined apart from null."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

import pytest

from local_cloud.stepfunctions.jsonata import JsonataError, JsonataUndefinedError, evaluate

STATES = {"input": {"a": 1, "none": None, "text": 'q"uo\\te\n\u2028', "list": [3, 1, 2], "empty": []}}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("$states.input.a + 1", 2),
        ("$states.input.none", None),
        ("$states.input.text", STATES["input"]["text"]),
        ("$sort($states.input.list)", [1, 2, 3]),
        ("[0..3]", [0, 1, 2, 3]),
        ("$states.input.empty", []),
        ("{'a': $states.input.none, 'b': $states.input.nowhere}", {"a": None}),
        ("4 / 2", 2),
        ("$nothing = null", True),
        ("$type($nothing)", "null"),
        ("$partition([1, 2, 3], 2)", [[1, 2], [3]]),
        ("$range(1, 9, 2)", [1, 3, 5, 7, 9]),
        ("$range(1, 0, 1)", []),
        ("$hash('a', 'SHA-256')", hashlib.sha256(b"a").hexdigest()),
        ("$parse('{\"a\": [1]}').a", [1]),
        ("$random(7) = $random(7)", True),
    ],
)
def test_values(expression: str, expected: Any) -> None:
    result = evaluate(expression, {"states": STATES, "nothing": None})
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("$parse('null')", None),
        ("$parse('[null]')[0] = null", True),
        ("$states.input = [null, {'a': null}]", True),
        ("$map($states.input, function($v) {$v})", [None, {"a": None}]),
        ("null in $states.input", True),
        ("$string($states.input)", '[null,{"a":null}]'),
    ],
)
def test_nulls_are_values_wherever_they_stand(expression: str, expected: Any) -> None:
    assert evaluate(expression, {"states": {"input": [None, {"a": None}]}}) == expected


def test_uuids_are_new_each_time() -> None:
    first, second = evaluate("$uuid()", {}), evaluate("$uuid()", {})
    assert first != second
    assert uuid.UUID(first).version == 4


def test_undefined_is_an_error_of_its_own() -> None:
    with pytest.raises(JsonataUndefinedError):
        evaluate("$states.input.nowhere", {"states": STATES})


@pytest.mark.parametrize(
    "expression",
    ["1 + 'a'", "$length", "function($x) {$x}", "$eval('1')", "$hash('a', 'CRC')", "((", "1/0", "$parse('{')"],
)
def test_what_fails_or_is_no_json_is_an_error(expression: str) -> None:
    with pytest.raises(JsonataError):
        evaluate(expression, {})
