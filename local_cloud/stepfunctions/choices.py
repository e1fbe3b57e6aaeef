"""Choice states of JSONPath machines: what each comparison holds for, and which errors a choice has.

A comparison of a type with another is false. A path that finds nothing is an error, for every comparison but
IsPresent; so is a choice that no rule and no default decides.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/state-choice.html
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

from moto.stepfunctions.parser.asl.component.common.assign.assign_decl import AssignDecl
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType as Names,
)
from moto.stepfunctions.parser.asl.component.state.choice.comparison.variable import NoSuchVariable
from moto.stepfunctions.parser.asl.utils.json_path import NoSuchJsonPathError

from local_cloud.replacements import Replacement
from local_cloud.stepfunctions import failures, json_paths, jsonata, timestamps

_Comparison = Callable[[Any, Any], bool]
_ORDERS: dict[str, _Comparison] = {
    "Equals": operator.eq,
    "GreaterThan": operator.gt,
    "GreaterThanEquals": operator.ge,
    "LessThan": operator.lt,
    "LessThanEquals": operator.le,
}


def _number(value: Any) -> int | float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _truth(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


_TYPES: dict[str, Callable[[Any], Any]] = {
    "Numeric": _number,
    "String": _text,
    "Timestamp": timestamps.parse,
    "Boolean": _truth,
}


def _of_type(read: Callable[[Any], Any], order: _Comparison) -> _Comparison:
    def compare(variable: Any, value: Any) -> bool:
        first, second = read(variable), read(value)
        return first is not None and second is not None and order(first, second)

    return compare


def _is(test: Callable[[Any], bool]) -> _Comparison:
    return lambda variable, wanted: test(variable) is wanted


def _matches(variable: Any, pattern: Any) -> bool:
    r"""Whether a text matches a pattern: `*` is any characters, `\*` a star, `\\` a backslash."""
    if not (isinstance(variable, str) and isinstance(pattern, str)):
        return False
    parts = re.findall(r"\\(.)|(\*)|([^\\*]+|\\)", pattern, re.DOTALL)
    expression = "".join(".*" if star else re.escape(escaped or plain) for escaped, star, plain in parts)
    return re.fullmatch(expression, variable, re.DOTALL) is not None


COMPARISONS: dict[str, _Comparison] = {
    **{
        f"{kind}{name}": _of_type(read, order)
        for kind, read in _TYPES.items()
        for name, order in _ORDERS.items()
        if kind != "Boolean" or name == "Equals"
    },
    "StringMatches": _matches,
    "IsBoolean": _is(lambda value: _truth(value) is not None),
    "IsNull": _is(lambda value: value is None),
    "IsNumeric": _is(lambda value: _number(value) is not None),
    "IsString": _is(lambda value: _text(value) is not None),
    "IsTimestamp": _is(lambda value: timestamps.parse(value) is not None),
    "IsPresent": _is(lambda value: not isinstance(value, NoSuchVariable)),
}
"""Every comparison by name; with `Path` behind it, its value is a path to the value."""


def _evaluate_value(self: Any, env: Any) -> None:
    name = self.operator_type.name
    variable = env.stack.pop()
    value = self.value
    if name.endswith("Path"):
        value = _value_at(value, env)
    env.stack.append(_holds(env, name.removesuffix("Path"), variable, value))


def _evaluate_sample(self: Any, env: Any) -> None:
    variable = env.stack.pop()
    self.string_variable_sample.eval(env=env)
    value = env.stack.pop()
    env.stack.append(_holds(env, self.operator_type.name.removesuffix("Path"), variable, value))


def _holds(env: Any, name: str, variable: Any, value: Any) -> bool:
    if isinstance(variable, NoSuchVariable) and name != "IsPresent":
        raise _invalid_path(env, variable.path)
    return COMPARISONS[name](variable, value)


def _value_at(path: str, env: Any) -> Any:
    source = env.states.context_object.context_object_data if path.startswith("$$") else env.stack[-1]
    try:
        return json_paths.extract(path[1:] if path.startswith("$$") else path, source)
    except NoSuchJsonPathError as error:
        raise _invalid_path(env, path) from error


def _invalid_path(env: Any, path: str) -> Exception:
    return failures.runtime_error(
        env, f"Invalid path '{path}': The choice state's condition path references an invalid value."
    )


def _evaluate_variable(self: Any, env: Any) -> None:
    sampler = self.string_sampler
    path = getattr(sampler, "context_object_path", sampler.literal_value)
    try:
        if path.startswith("$$"):
            env.stack.append(json_paths.extract(path[1:], env.states.context_object.context_object_data))
        else:
            sampler.eval(env=env)
    except NoSuchJsonPathError:
        env.stack.append(NoSuchVariable(path))


def _evaluate_condition(self: Any, env: Any) -> None:
    self.string_jsonata.eval(env=env)
    result = env.stack[-1]
    if not isinstance(result, bool):
        expression = self.string_jsonata.literal_value
        raise failures.evaluation_error(env, jsonata.wrong_type(expression, "Condition", "boolean", result))


def _choose(self: Any, env: Any) -> None:
    """Leave the next state's name on the stack, above it whether a rule decided."""
    for rule in self.choices_decl.rules:
        rule.comparison.eval(env)
        if env.stack.pop() is True:
            for part in (rule.assign, rule.output):
                if part:
                    part.eval(env=env)
            env.stack.append((rule.next_stmt.name, True))
            return
    if self.default_state is None:
        cause = "Failed to transition out of the state. The state does not point to a next state."
        event = env.event_history_context.source_event_id
        where = f"An error occurred while executing the state '{self.name}' (entered at the event id #{event})."
        raise failures.failed(env, Names.StatesNoChoiceMatched, f"{where} {cause}")
    env.stack.append((self.default_state.state_name, False))


def _leave_choice(self: Any, env: Any) -> None:
    next_state, by_rule = env.stack.pop()
    if not by_rule:
        for part in (self.assign_decl, self.output):
            if part:
                part.eval(env=env)
    if self._is_language_query_jsonpath():
        self.output_path.eval(env=env)
    env.next_state_name = next_state


def _visit_rule(original: Callable[..., Any]) -> Callable[..., Any]:
    def visit(self: Any, ctx: Any) -> Any:
        rule = original(self, ctx)
        if rule.assign is None:
            parts = (self.visit(child) for child in ctx.children)
            rule.assign = next((part for part in parts if isinstance(part, AssignDecl)), None)
        return rule

    return visit


_CHOICE = "moto.stepfunctions.parser.asl.component.state.choice"

REPLACEMENTS: list[Replacement] = [
    Replacement(
        target=f"{_CHOICE}.comparison.comparison_func:ComparisonFuncValue._eval_body",
        build=lambda _: _evaluate_value,
        why="missing paths are false, not errors; no context paths; no offsets in timestamps; Windows' wildcards",
    ),
    Replacement(
        target=f"{_CHOICE}.comparison.comparison_func:ComparisonFuncStringVariableSample._eval_body",
        build=lambda _: _evaluate_sample,
        why="compares the wrong way round",
    ),
    Replacement(
        target=f"{_CHOICE}.comparison.variable:Variable._eval_body",
        build=lambda _: _evaluate_variable,
        why="takes every error for a missing path, but not a missing path of the context object",
    ),
    Replacement(
        target=f"{_CHOICE}.comparison.comparison:ConditionStringJSONata._eval_body",
        build=lambda _: _evaluate_condition,
        why="a condition that is not boolean is a States.Runtime without an EvaluationFailed event",
    ),
    Replacement(
        target=f"{_CHOICE}.state_choice:StateChoice._eval_state",
        build=lambda _: _choose,
        why="no States.NoChoiceMatched; paths in a rule's Assign look into the rule's result",
    ),
    Replacement(
        target=f"{_CHOICE}.state_choice:StateChoice._eval_state_output",
        build=lambda _: _leave_choice,
        why="takes a rule with the default's target for the default",
    ),
    Replacement(
        target="moto.stepfunctions.parser.asl.parse.preprocessor:Preprocessor.visitChoice_rule_comparison_variable",
        build=_visit_rule,
        why="drops the Assign of a JSONPath rule",
    ),
]
