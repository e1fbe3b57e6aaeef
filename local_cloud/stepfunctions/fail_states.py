"""Fail states whose Error or Cause is computed: it has to be a text.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/state-fail.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.stepfunctions.parser.asl.component.common.string.string_expression import StringJSONata

from local_cloud.replacements import Replacement
from local_cloud.stepfunctions import failures, jsonata


def _only_text(field: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def wrap(original: Callable[..., None]) -> Callable[..., None]:
        def evaluate(self: Any, env: Any) -> None:
            original(self, env)
            value, expression = env.stack[-1], self.string_expression
            if isinstance(value, str):
                return
            if isinstance(expression, StringJSONata):
                cause = jsonata.wrong_type(expression.literal_value, field, "string", value)
                raise failures.evaluation_error(env, cause, field)
            where = f"{expression.literal_value} == {value}"
            raise failures.runtime_error(env, f"The {field}Path parameter does not reference a string value: {where}")

        return evaluate

    return wrap


_FAIL = "moto.stepfunctions.parser.asl.component.state.fail"

REPLACEMENTS: list[Replacement] = [
    Replacement(
        target=f"{_FAIL}.{module}:{field}._eval_body",
        build=_only_text(field),
        why="an error's name or cause may be a number or an object",
    )
    for module, field in (("error_decl", "Error"), ("cause_decl", "Cause"))
]
