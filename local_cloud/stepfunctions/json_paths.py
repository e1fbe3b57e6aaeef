"""JSONPath as Step Functions reads it: a path of names and single indexes gives one value, any other a list.

The first kind, nearly every path there is, is walked here: it allows every character in a name. The rest goes to
jsonpath-ng, each path parsed once.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/amazon-states-language-paths.html
"""

from __future__ import annotations

import copy
import functools
import itertools
import re
from collections.abc import Callable, Mapping
from typing import Any

from jsonpath_ng.exceptions import JSONPathError
from jsonpath_ng.ext import parse as _parse
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType as Names,
)
from moto.stepfunctions.parser.asl.utils.json_path import NoSuchJsonPathError

from local_cloud.replacements import Replacement
from local_cloud.stepfunctions import failures

_STEP = re.compile(
    r"""\.(?P<name>[^.\[\]()?*@'"\s,:]+)"""
    r"""|\[\s*(?P<index>-?\d+)\s*\]"""
    r"""|\[\s*'(?P<single>(?:[^'\\]|\\.)*)'\s*\]"""
    r"""|\[\s*"(?P<double>(?:[^"\\]|\\.)*)"\s*\]"""
)


_VARIABLE = re.compile(r"\$(?P<name>[^\W\d]\w*)")


class JsonPathSyntaxError(ValueError):
    """A text that is no JSONPath."""


@functools.lru_cache(maxsize=4096)
def steps(path: str) -> tuple[str | int, ...] | None:
    """The names and indexes of a path that leads to one place, None for any other path."""
    if not path.startswith("$"):
        return None
    found: list[str | int] = []
    position = 1
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            return None
        index, quoted = match["index"], match["single"] or match["double"]
        name = match["name"] if match["name"] is not None else re.sub(r"\\(.)", r"\1", quoted or "")
        found.append(int(index) if index is not None else name)
        position = match.end()
    return tuple(found)


@functools.lru_cache(maxsize=1024)
def _compiled(path: str) -> Any:
    try:
        return _parse(path)
    except (JSONPathError, AttributeError, TypeError, ValueError) as error:
        raise JsonPathSyntaxError(f"Invalid path '{path}'") from error


def check(path: str) -> None:
    """Raises: JsonPathSyntaxError for a text that is no path."""
    if steps(path) is None:
        _compiled(path)


def extract(path: str, data: Any) -> Any:
    """What a path finds in `data`. Raises: NoSuchJsonPathError if a path to one place finds nothing."""
    way = steps(path)
    if way is None:
        return [match.value for match in _compiled(path).find(data)]
    value = data
    for step in way:
        try:
            value = _step(value, step)
        except LookupError:
            raise NoSuchJsonPathError(json_path=path, data=data) from None
    return value


def extract_variable(path: str, variables: Mapping[str, Any]) -> Any:
    """What a path finds that begins at a variable, such as `$name.key[0]`. Raises: NoSuchJsonPathError as `extract`."""
    match = _VARIABLE.match(path)
    if match is None or match["name"] not in variables:
        raise NoSuchJsonPathError(json_path=path, data=dict(variables))
    value = variables[match["name"]]
    try:
        return extract(f"${path[match.end() :]}", value)
    except NoSuchJsonPathError:
        raise NoSuchJsonPathError(json_path=path, data=value) from None


def _step(value: Any, step: str | int) -> Any:
    if isinstance(value, dict) and isinstance(step, str):
        return value[step]
    if isinstance(value, list) and isinstance(step, int):
        return value[step]
    raise LookupError(step)


class UnsuitableInputError(Exception):
    """A place that the data has no room for."""


def put(path: str, data: Any, value: Any) -> Any:
    """`data` with `value` at a reference path, what is missing on the way made as objects.

    Raises: UnsuitableInputError where something that is no object or array is in the way.
    """
    way = steps(path)
    if way is None:
        raise UnsuitableInputError(f"Invalid reference path '{path}'")
    if not way:
        return value
    root = copy.deepcopy(data)
    place: Any = root
    for step, following in itertools.pairwise(way):
        if isinstance(place, dict) and isinstance(step, str):
            place = place.setdefault(step, [] if isinstance(following, int) else {})
        else:
            place = _element(place, step)
    _set(place, way[-1], value)
    return root


def _set(place: Any, step: str | int, value: Any) -> None:
    if isinstance(place, dict) and isinstance(step, str):
        place[step] = value
    elif isinstance(place, list) and step == len(place):
        place.append(value)
    else:
        _element(place, step)
        place[step] = value


def _element(place: Any, step: str | int) -> Any:
    if isinstance(place, list) and isinstance(step, int) and 0 <= step < len(place):
        return place[step]
    raise UnsuitableInputError(f'Unable to apply step "{step}" to input {failures.to_json_str(place)}')


def _evaluate_result_path(self: Any, env: Any) -> None:
    state_input = env.states.get_input()
    if self.result_path_src is None:
        env.stack.clear()
        env.stack.append(state_input)
        return
    result = env.stack.pop()
    try:
        env.stack.append(put(self.result_path_src, state_input, copy.deepcopy(result)))
    except UnsuitableInputError as error:
        raise failures.failed(env, Names.StatesResultPathMatchFailure, str(error)) from error


def _evaluate_items_path(original: Callable[..., None]) -> Callable[..., None]:
    def evaluate(self: Any, env: Any) -> None:
        try:
            original(self, env)
        except NoSuchJsonPathError as error:
            raise failures.runtime_error(env, f"Invalid path '{error.json_path}' : No results for path") from error
        if not isinstance(env.stack[-1], list):
            path = self.string_sampler.literal_value
            raise failures.runtime_error(env, f'Reference path "{path}" must point to array.')

    return evaluate


_ASL = "moto.stepfunctions.parser.asl"
_USERS = [
    "moto.stepfunctions.parser.asl.utils.json_path",
    f"{_ASL}.component.common.string.string_expression",
    f"{_ASL}.eval.states",
]

REPLACEMENTS: list[Replacement] = [
    *(
        Replacement(
            target=f"{module}:extract_json",
            build=lambda _: extract,
            why="$.a[0].b gives a list; names must be ASCII words; every use parses the path anew",
        )
        for module in _USERS
    ),
    Replacement(
        target=f"{_ASL}.component.common.path.items_path:ItemsPath._eval_body",
        build=_evaluate_items_path,
        why="items that are no array are an error of an expression, which a Catch sees",
    ),
    Replacement(
        target=f"{_ASL}.component.common.path.result_path:ResultPath._eval_body",
        build=lambda _: _evaluate_result_path,
        why="an input that has no room for the result is no States.ResultPathMatchFailure",
    ),
]
