"""JSONata expressions in a machine's fields, compiled once. They are our machines' own, so none may fail."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from jsonata import Jsonata
from jsonata.utils import Utils

_OPEN, _CLOSE = "{%", "%}"


class ExpressionError(AssertionError):
    """An expression that gave nothing: on AWS the execution would end with States.QueryEvaluationError."""


def rendered(template: Any, bindings: Mapping[str, Any]) -> Any:
    """`template` with each `{% … %}` in it evaluated. Raises: ExpressionError."""
    if isinstance(template, dict):
        return {key: rendered(value, bindings) for key, value in template.items()}
    if isinstance(template, list):
        return [rendered(value, bindings) for value in template]
    if isinstance(template, str) and template.startswith(_OPEN) and template.endswith(_CLOSE):
        return _evaluated(template[len(_OPEN) : -len(_CLOSE)].strip(), bindings)
    return template


def _evaluated(expression: str, bindings: Mapping[str, Any]) -> Any:
    known = {name: _with_nulls(value) for name, value in bindings.items()}
    result = _compiled(expression).evaluate(None, known)
    if result is None:
        raise ExpressionError(f"{expression} gives nothing with {', '.join(bindings)}")
    return _plain(result)


@cache
def _compiled(expression: str) -> Jsonata:
    compiled = Jsonata(expression)
    compiled.set_output_convert_nulls(False)
    return compiled


def _with_nulls(value: Any) -> Any:
    """To the library None is undefined."""
    if value is None:
        return Utils.NULL_VALUE
    if isinstance(value, dict):
        return {key: _with_nulls(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_nulls(item) for item in value]
    return value


def _plain(value: Any) -> Any:
    if value is Utils.NULL_VALUE:
        return None
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
