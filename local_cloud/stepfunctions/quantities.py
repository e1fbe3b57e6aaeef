"""Numbers that a state computes: seconds, widths, tolerances and limits, each of its type and in its range.

An expression that gives another type, or a number out of range, is a States.QueryEvaluationError, which a Catch sees; a
path to such a value is a States.Runtime, which none does.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html and
https://docs.aws.amazon.com/step-functions/latest/dg/state-task.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from moto.stepfunctions.parser.asl.component.state.exec.state_map.tolerated_failure import (
    ToleratedFailureCountStringJSONata,
)
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.asl.utils.json_path import NoSuchJsonPathError

from local_cloud.replacements import Replacement
from local_cloud.stepfunctions import failures, jsonata

LONGEST_S = 99_999_999
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True)
class Field:
    """A field that takes a number from `least` to `most`, a whole one unless `is_whole` says otherwise."""

    name: str
    least: int = 0
    most: int | None = None
    is_whole: bool = True

    def takes_type_of(self, value: Any) -> bool:
        """An expression's 2.0 has become 2 before it comes here; one at a path is refused, as 1.5 is.

        AWS's answers for 1.5 at a path ("cannot be parsed as a long value") are recorded, none is for 2.0, and the
        documentation asks for an integer there.
        """
        return isinstance(value, int if self.is_whole else int | float) and not isinstance(value, bool)

    def has_in_range(self, number: float) -> bool:
        return self.least <= number and (self.most is None or number <= self.most)

    @property
    def range_text(self) -> str:
        return f"between {self.least} and {self.most}" if self.most is not None else f"at least {self.least}"


SECONDS = Field("Seconds", 0, LONGEST_S)
TIMEOUT = Field("TimeoutSeconds", 1, LONGEST_S)
HEARTBEAT = Field("HeartbeatSeconds", 1, LONGEST_S)
MAX_CONCURRENCY = Field("MaxConcurrency")
TOLERATED_COUNT = Field("ToleratedFailureCount")
TOLERATED_PERCENTAGE = Field("ToleratedFailurePercentage", 0, 100, is_whole=False)
MAX_ITEMS = Field("MaxItems", 0, 100_000_000)
BATCH_LIMITS = (Field("MaxItemsPerBatch"), Field("MaxInputBytesPerBatch"))


def computed(env: Any, field: Field, string_jsonata: Any) -> Any:
    """The number that an expression gives. Raises: FailureEventException as States.QueryEvaluationError."""
    string_jsonata.eval(env=env)
    return check_computed(env, field, env.stack.pop(), string_jsonata.literal_value)


def check_computed(env: Any, field: Field, value: Any, expression: str) -> Any:
    """`value`, which `expression` gave. Raises: FailureEventException as States.QueryEvaluationError."""
    if not field.takes_type_of(value):
        is_fraction = isinstance(value, float) and field.is_whole
        cause = jsonata.wrong_type(expression, field.name, "integer" if is_fraction else "number", value)
        raise failures.evaluation_error(env, cause, field.name)
    if not field.has_in_range(value):
        cause = f"The {field.name} field must be {field.range_text} but was {value}"
        raise failures.evaluation_error(env, cause, field.name)
    return value


def at_path(env: Any, field: Field, string_sampler: Any) -> Any:
    """The number at a path. Raises: FailureEventException as States.Runtime."""
    path = string_sampler.literal_value
    try:
        string_sampler.eval(env=env)
    except NoSuchJsonPathError as error:
        cause = f"Invalid path '{path}' : No results for path: $['{path.removeprefix('$.')}']"
        raise failures.runtime_error(env, cause) from error
    return check_at_path(env, field, env.stack.pop(), path)


def check_at_path(env: Any, field: Field, value: Any, path: str) -> Any:
    """The number that stands at `path`, as itself or as text. Raises: FailureEventException as States.Runtime."""
    if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value):
        value = int(value)
    if not field.takes_type_of(value):
        raise failures.runtime_error(env, _not_a_number(field, value, path))
    if not field.has_in_range(value):
        cause = f"The {field.name}Path parameter must be {field.range_text}: {path} == {value}"
        raise failures.runtime_error(env, cause)
    return value


def _not_a_number(field: Field, value: Any, path: str) -> str:
    shown = value if isinstance(value, str) else to_json_str(value)
    kind = "integer" if field.is_whole else "float"
    return f'The {field.name}Path field refers to value "{shown}" which is not a valid {kind}: {path}'


def _by_expression(field: Field) -> Callable[[Any], Any]:
    def build(_: Any) -> Any:
        return lambda self, env: computed(env, field, self.string_jsonata)

    return build


def _by_path(field: Field) -> Callable[[Any], Any]:
    def build(_: Any) -> Any:
        return lambda self, env: at_path(env, field, self.string_sampler)

    return build


def _no_truth_value(field: Field) -> Callable[[Any], Any]:
    """moto's own check of a path's value, which takes true for 1."""

    def build(original: Callable[..., Any]) -> Any:
        def evaluate(self: Any, env: Any) -> Any:
            self.string_sampler.eval(env=env)
            value = env.stack.pop()
            if isinstance(value, bool):
                raise failures.runtime_error(env, _not_a_number(field, value, self.string_sampler.literal_value))
            return original(self, env)

        return evaluate

    return build


def _seconds_value(original: Callable[..., None]) -> Callable[..., None]:
    def validate(self: Any, env: Any, seconds: Any) -> None:
        shown = f"{self.string_sampler.literal_value} == {to_json_str(seconds)}"
        if isinstance(seconds, bool):
            raise failures.runtime_error(env, f"The SecondsPath parameter cannot be parsed as a long value: {shown}")
        original(self, env, seconds)
        if not SECONDS.has_in_range(seconds):
            raise failures.runtime_error(env, f"The SecondsPath parameter must be {SECONDS.range_text}: {shown}")

    return validate


def _visit_tolerated_count(self: Any, ctx: Any) -> ToleratedFailureCountStringJSONata:
    return ToleratedFailureCountStringJSONata(string_jsonata=self.visitString_jsonata(ctx=ctx.string_jsonata()))


_COMMON = "moto.stepfunctions.parser.asl.component.common"
_STATE = "moto.stepfunctions.parser.asl.component.state"
_MAP = f"{_STATE}.exec.state_map"
_TOLERANCE = f"{_MAP}.tolerated_failure"

_EXPRESSIONS = {
    f"{_COMMON}.timeouts.timeout:TimeoutSecondsJSONata._eval_seconds": TIMEOUT,
    f"{_COMMON}.timeouts.heartbeat:HeartbeatSecondsJSONata._eval_seconds": HEARTBEAT,
    f"{_STATE}.wait.wait_function.seconds:SecondsJSONata._get_wait_seconds": SECONDS,
    f"{_MAP}.max_concurrency:MaxConcurrencyJSONata._eval_max_concurrency": MAX_CONCURRENCY,
    f"{_TOLERANCE}:ToleratedFailureCountStringJSONata._eval_tolerated_failure_count": TOLERATED_COUNT,
    f"{_TOLERANCE}:ToleratedFailurePercentageStringJSONata._eval_tolerated_failure_percentage": TOLERATED_PERCENTAGE,
    f"{_MAP}.item_reader.reader_config.max_items_decl:MaxItemsStringJSONata._get_value": MAX_ITEMS,
}
_PATHS = {
    f"{_COMMON}.timeouts.timeout:TimeoutSecondsPath._eval_seconds": TIMEOUT,
    f"{_COMMON}.timeouts.heartbeat:HeartbeatSecondsPath._eval_seconds": HEARTBEAT,
}
_CHECKED_PATHS = {
    f"{_MAP}.max_concurrency:MaxConcurrencyPath._eval_max_concurrency": MAX_CONCURRENCY,
    f"{_TOLERANCE}:ToleratedFailureCountPath._eval_tolerated_failure_count": TOLERATED_COUNT,
    f"{_TOLERANCE}:ToleratedFailurePercentagePath._eval_tolerated_failure_percentage": TOLERATED_PERCENTAGE,
}

REPLACEMENTS: list[Replacement] = [
    *(
        Replacement(
            target=target,
            build=_by_expression(field),
            why="takes any value that Python can make an integer of, and any number",
        )
        for target, field in _EXPRESSIONS.items()
    ),
    *(
        Replacement(target=target, build=_by_path(field), why="takes numbers below 1, and fractions")
        for target, field in _PATHS.items()
    ),
    *(
        Replacement(target=target, build=_no_truth_value(field), why="takes true for 1")
        for target, field in _CHECKED_PATHS.items()
    ),
    Replacement(
        target=f"{_STATE}.wait.wait_function.seconds_path:SecondsPath._validate_seconds_value",
        build=_seconds_value,
        why="takes true for 1, and waits for years",
    ),
    Replacement(
        target="moto.stepfunctions.parser.asl.parse.preprocessor"
        ":Preprocessor.visitTolerated_failure_count_string_jsonata",
        build=lambda _: _visit_tolerated_count,
        why="takes an expression's count for a percentage",
    ),
]
