"""How calls of intrinsic functions are read."""

from __future__ import annotations

import pytest

from local_cloud.stepfunctions.intrinsic_calls import Call, CallSyntaxError, Path, parse, paths_of
from local_cloud.stepfunctions.intrinsics import Template


def test_arguments_of_every_kind() -> None:
    call = parse("States.Array('a, (b', 1, -2.5, true, null, $.x[?(@.a > 1)]['y z'], $$.State.Name, $var.b)")
    assert call.arguments == (
        Template("a, (b"),
        1,
        -2.5,
        True,
        None,
        Path("$.x[?(@.a > 1)]['y z']"),
        Path("$$.State.Name"),
        Path("$var.b"),
    )


def test_calls_within_calls_keep_their_text() -> None:
    call = parse("States.ArrayGetItem( States.Array($.a , 2) ,0 )")
    inner = call.arguments[0]
    assert isinstance(inner, Call)
    assert inner.text == "States.Array($.a , 2)"
    assert paths_of(call) == ["$.a"]


def test_escapes_stand_for_what_follows_them() -> None:
    (template,) = parse(r"States.Array('it\'s \{\} \\')").arguments
    assert template.text == r"it's {} " + "\\"


@pytest.mark.parametrize(
    "text",
    [
        "States.Foo()",
        "States.UUID(1)",
        "States.MathAdd(1)",
        "States.Array(1) x",
        "States.Array(1",
        "States.Array(1 2)",
        "States.Array('a",
        r"States.Array('a\n')",
        "States.Array(nothing)",
        "Array(1)",
        "States.Array(" * 11 + ")" * 11,
    ],
)
def test_no_call(text: str) -> None:
    with pytest.raises(CallSyntaxError):
        parse(text)
