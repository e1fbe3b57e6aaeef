"""What intrinsic functions give, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest

from local_cloud.stepfunctions.intrinsics import IntrinsicError, Template, call


@pytest.mark.parametrize(
    ("name", "arguments", "value"),
    [
        ("Array", [], []),
        ("Array", [1, None, "a"], [1, None, "a"]),
        ("ArrayPartition", [[1, 2, 3, 4, 5], 2], [[1, 2], [3, 4], [5]]),
        ("ArrayPartition", [[1, 2, 3], 1.5], [[1, 2], [3]]),
        ("ArrayContains", [[1, 2], 2], True),
        ("ArrayContains", [[1], True], False),
        ("ArrayContains", [[{"a": 1, "b": 2}], {"b": 2, "a": 1}], True),
        ("ArrayRange", [1, 9, 2], [1, 3, 5, 7, 9]),
        ("ArrayRange", [9, 1, -4], [9, 5, 1]),
        ("ArrayRange", [0.5, 2.5, 1], [1, 2, 3]),
        ("ArrayGetItem", [["a", "b"], 1], "b"),
        ("ArrayLength", [[1, [2]]], 2),
        ("ArrayUnique", [[1, True, 1, [1], [1], {"a": 1}, None, None]], [1, True, [1], {"a": 1}, None]),
        ("Base64Encode", ["ключ"], "0LrQu9GO0Yc="),
        ("Base64Decode", ["0LrQu9GO0Yc="], "ключ"),
        ("Hash", ["input data", "SHA-1"], "aaff4a450a104cd177d28d18d74485e8cae074b7"),
        ("JsonMerge", [{"a": {"x": 1}, "b": 2}, {"a": {"y": 1}}, False], {"a": {"y": 1}, "b": 2}),
        ("StringToJson", ['{"a": [1]}'], {"a": [1]}),
        ("StringToJson", ["  "], None),
        ("JsonToString", [{"ä": [1, None]}], '{"ä":[1,null]}'),
        ("MathAdd", [1.5, -1.5], 1),
        ("MathAdd", [-1.51, 0], -2),
        ("StringSplit", ["This.is+a,test=string", ".+,="], ["This", "is", "a", "test", "string"]),
        ("StringSplit", ["a-b]c", "]-"], ["a", "b", "c"]),
        ("StringSplit", ["as it is", ""], ["as it is"]),
        ("Format", [Template("{} and {}"), {"a": [1, "x"]}, None], "{a=[1, x]} and null"),
        ("Format", [Template(r"\{\} it\'s {}"), True], "{} it's true"),
        ("Format", ["{}!", "read"], "read!"),
    ],
)
def test_value(name: str, arguments: list[Any], value: Any) -> None:
    found = call(f"States.{name}", arguments)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("ArrayPartition", [[1], 0]),
        ("ArrayContains", ["text", "t"]),
        ("ArrayRange", [1, 2, 0]),
        ("ArrayRange", [0, 1000, 1]),
        ("ArrayGetItem", [[1], 1]),
        ("ArrayGetItem", [[1], -1]),
        ("Base64Encode", ["x" * 10_001]),
        ("Base64Decode", ["no base64!"]),
        ("Hash", ["x", "CRC32"]),
        ("Hash", [1, "MD5"]),
        ("JsonMerge", [{}, {}, True]),
        ("JsonMerge", [[], {}, False]),
        ("StringToJson", ["{"]),
        ("StringToJson", ["NaN"]),
        ("MathAdd", [True, 1]),
        ("MathRandom", [2, 2]),
        ("StringSplit", [1, ","]),
        ("Format", [Template("{}")]),
        ("Format", [Template("x"), 1]),
    ],
)
def test_refused(name: str, arguments: list[Any]) -> None:
    with pytest.raises(IntrinsicError):
        call(f"States.{name}", arguments)


def test_a_random_number_never_is_the_end_and_is_the_same_for_a_seed() -> None:
    assert {call("States.MathRandom", [1, 3]) for _ in range(200)} == {1, 2}
    assert call("States.MathRandom", [1, 10**6, 7]) == call("States.MathRandom", [1, 10**6, 7])
