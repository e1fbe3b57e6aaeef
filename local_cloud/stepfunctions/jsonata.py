"""JSONata expressions of state machines, evaluated by jsonata-python with AWS's extra functions.

moto's interpreter pastes values into the text of an expression and has no evaluator behind it. Here values are bound
to variables, so no escaping is needed, and undefined is told apart from null.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
import random
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from jsonata import Jsonata
from jsonata.jexception import JException
from jsonata.utils import Utils
from moto.stepfunctions.parser.asl.component.common.query_language import QueryLanguageMode

from local_cloud.replacements import Replacement
from local_cloud.stepfunctions import failures, json_paths

_HASHES = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}


class JsonataError(Exception):
    """An expression that could not be evaluated, or gave something that is not JSON."""


class JsonataUnsupportedError(JsonataError):
    """An expression that returned something that is not JSON: a function."""


class JsonataUndefinedError(JsonataError):
    """An expression that returned nothing."""


def evaluate(expression: str, variables: Mapping[str, Any]) -> Any:
    """The JSON value of `expression` with `variables` bound to `$name`.

    Raises: JsonataUndefinedError if it returns nothing, JsonataError if it fails or returns a function.
    """
    try:
        compiled = Jsonata(expression)
        compiled.set_output_convert_nulls(False)
        bindings = {name: _with_nulls(value) for name, value in variables.items()}
        result = compiled.evaluate(None, {**_functions(), **bindings})
    except (JException, ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise JsonataError(str(error)) from error
    if result is None:
        raise JsonataUndefinedError
    return _plain(result)


def syntax_error(expression: str) -> str | None:
    """What is wrong with an expression's syntax, None if it can be evaluated."""
    try:
        Jsonata(expression)
    except (JException, LookupError, TypeError, ValueError, RecursionError) as error:
        return str(error) or type(error).__name__
    return None


def _with_nulls(value: Any) -> Any:
    """A JSON value as the library takes it, to which None is undefined."""
    if value is None:
        return Utils.NULL_VALUE
    if isinstance(value, list):
        return [_with_nulls(item) for item in value]
    if isinstance(value, dict):
        return {key: _with_nulls(item) for key, item in value.items()}
    return value


def _plain(value: Any) -> Any:
    """The library's lists, nulls and numbers as JSON ones."""
    if value is Utils.NULL_VALUE or value is None:
        return None
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise JsonataError("a number is out of range")
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, Utils.RangeList):  # its own iterator leaves out the last number
        return list(range(value.a, value.b + 1))
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    raise JsonataUnsupportedError("returned an unsupported result type")


def _functions() -> dict[str, Any]:
    """AWS's own functions; `$eval` is not allowed there."""
    return {name: _Function(implementation) for name, implementation in _FUNCTIONS.items()}


class _Function(Jsonata.JLambda):
    """A Python function with optional arguments, called the way JSONata calls its own."""

    def call(self, input: Any, args: Any) -> Any:  # noqa: ARG002  the library's names
        return self.function(*[_plain(argument) for argument in args or []])


def _partition(array: list[Any] | None, size: int) -> list[list[Any]] | None:
    if array is None:
        return None
    if size < 1:
        raise ValueError("$partition needs a chunk size of at least 1")
    items = array if isinstance(array, list) else [array]
    return [items[start : start + int(size)] for start in range(0, len(items), int(size))]


def _range(first: float, last: float, step: float) -> list[float] | float:
    """AWS's is a JSONata sequence: a single number comes alone."""
    if step == 0:
        raise ValueError("$range needs a step that is not 0")
    count = math.floor((last - first) / step)
    if count >= 1000:
        raise ValueError("$range gives at most 1000 items")
    numbers = [first + index * step for index in range(count + 1)]
    return numbers[0] if len(numbers) == 1 else numbers


def _hash(value: Any, algorithm: str) -> str:
    if algorithm not in _HASHES:
        raise ValueError(f"$hash does not know the algorithm {algorithm}; it knows {', '.join(_HASHES)}")
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return hashlib.new(_HASHES[algorithm], text.encode()).hexdigest()


def _random(seed: float | None = None) -> float:
    return random.random() if seed is None else random.Random(seed).random()  # noqa: S311  not for secrets


def _refuse_eval(*_: Any) -> Any:
    raise ValueError("$eval is not supported by Step Functions; use $parse for JSON text")


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "partition": _partition,
    "range": _range,
    "hash": _hash,
    "random": _random,
    "uuid": lambda: str(uuid.uuid4()),
    "parse": lambda text: _with_nulls(json.loads(text)),
    "eval": _refuse_eval,
}


def _evaluate_in(env: Any, expression: str, variables: Mapping[str, Any]) -> Any:
    """Evaluate, and turn a failure into the state's QueryEvaluationError with its event in the history."""
    try:
        return evaluate(expression, variables)
    except JsonataUndefinedError:
        cause = f"The JSONata expression '{expression}' returned nothing (undefined)."
    except JsonataUnsupportedError:
        cause = f"The JSONata expression '{expression}' returned an unsupported result type."
    except JsonataError as error:
        cause = f"The JSONata expression '{expression}' threw an error during evaluation. {error}"
    raise failures.evaluation_error(env, cause)


def wrong_type(expression: str, field: str, wanted: str, value: Any) -> str:
    """What Step Functions says of an expression whose value has another type than its field takes."""
    shown = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return (
        f"The JSONata expression '{expression}' specified for the field '{field}' returned an unexpected result type. "
        f"Expected '{wanted}', but was '{_type_of(value)}' for value: {shown}"
    )


def _type_of(value: Any) -> str:
    if value is None:
        return "null"
    names = ((bool, "boolean"), (int | float, "number"), (str, "string"), (list, "array"))
    return next((name for kind, name in names if isinstance(value, kind)), "object")


def _variables(env: Any) -> dict[str, Any]:
    store = env.variable_store
    return {**store._outer_scope, **store._inner_scope}


def _evaluate_expression(self: Any, env: Any) -> None:
    states = dict(env.states._states_data)
    if states.get("errorOutput") is None:
        states.pop("errorOutput", None)
    env.stack.append(_evaluate_in(env, self.expression, {**_variables(env), "states": states}))


def _sample_variable(self: Any, env: Any) -> None:
    """A path into a variable. Raises: NoSuchJsonPathError where it finds nothing."""
    if self.query_language_mode == QueryLanguageMode.JSONata:
        variables = _variables(env) | {"states": env.states._states_data}
        env.stack.append(_evaluate_in(env, self.expression, variables))
    else:
        env.stack.append(copy.deepcopy(json_paths.extract_variable(self.expression, _variables(env))))


class _ScopesOfInstance:
    """A list for each preprocessor, where moto shares one between all."""

    def __get__(self, instance: Any, owner: type) -> list[Any]:
        return instance.__dict__.setdefault("_scopes", []) if instance is not None else []


_STRINGS = "moto.stepfunctions.parser.asl.component.common.string.string_expression"

REPLACEMENTS: list[Replacement] = [
    Replacement(
        target=f"{_STRINGS}:StringJSONata._eval_body",
        build=lambda _: _evaluate_expression,
        why="moto has no JSONata evaluator, and pastes strings into the expression without escaping them",
    ),
    Replacement(
        target=f"{_STRINGS}:StringVariableSample._eval_body",
        build=lambda _: _sample_variable,
        why="the same; and $variable[*] is a JSONPath",
    ),
    Replacement(
        target="moto.stepfunctions.parser.asl.parse.preprocessor:Preprocessor._query_language_per_scope",
        build=lambda _: _ScopesOfInstance(),
        why="a list shared by all parsers: one refused definition spoils the next, parallel starts each other",
    ),
]
