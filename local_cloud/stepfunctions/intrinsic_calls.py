"""Calls of intrinsic functions: `States.Format('{} of {}', $.n, States.ArrayLength($.all))`, read and evaluated.

Replaces moto's grammar of them, whose lexer sees the JSON escapes of the definition instead of the text, and which
knows no escaped quote or brace.

Source: https://states-language.net/spec.html#intrinsic-functions
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType as Names,
)
from moto.stepfunctions.parser.asl.component.common.query_language import QueryLanguageMode
from moto.stepfunctions.parser.asl.component.common.string.string_expression import (
    StringIntrinsicFunction,
    StringVariableSample,
)
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.component.intrinsic.functionname.state_function_name_types import (
    StatesFunctionNameType,
)
from moto.stepfunctions.parser.asl.component.intrinsic.functionname.states_function_name import StatesFunctionName
from moto.stepfunctions.parser.asl.utils.json_path import NoSuchJsonPathError

from local_cloud.replacements import Replacement
from local_cloud.stepfunctions import failures, intrinsics, json_paths, literals

_NAME = re.compile(r"States\.[A-Za-z0-9]+")
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
_WORD = re.compile(r"true|false|null")
_STRING = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_VARIABLE = re.compile(r"\$[A-Za-z_]")
_ESCAPABLE = "'{}\\"
_DEEPEST = 10


class CallSyntaxError(ValueError):
    """A text that is no call of an intrinsic function."""


@dataclass(frozen=True)
class Path:
    """`$.input`, `$$.context` or `$variable`."""

    text: str


@dataclass(frozen=True)
class Call:
    """A function by name, with literals, paths and further calls as arguments."""

    name: str
    arguments: tuple[Any, ...]
    text: str


def parse(text: str) -> Call:
    """The call that `text` is, and nothing after it.

    Raises: CallSyntaxError for a text that is none, an unknown function or a wrong number of arguments.
    """
    call, end = _call(text, 0, 1)
    if text[end:].strip():
        raise CallSyntaxError(f"unexpected '{text[end:].strip()}' after the function call in '{text}'")
    return call


def _call(text: str, start: int, depth: int) -> tuple[Call, int]:
    name = _NAME.match(text, start)
    if name is None or name[0] not in intrinsics.FUNCTIONS:
        raise CallSyntaxError(f"'{text[start:]}' is not a call of an intrinsic function")
    if depth > _DEEPEST:
        raise CallSyntaxError(f"calls of intrinsic functions may be nested {_DEEPEST} deep")
    position = _expect(text, _skip(text, name.end()), "(")
    arguments: list[Any] = []
    while not text.startswith(")", position):
        if arguments:
            position = _skip(text, _expect(text, position, ","))
        argument, position = _argument(text, position, depth)
        arguments.append(argument)
        position = _skip(text, position)
    function = intrinsics.FUNCTIONS[name[0]]
    if len(arguments) < function.fewest or (function.most is not None and len(arguments) > function.most):
        raise CallSyntaxError(f"{name[0]} does not take {len(arguments)} arguments")
    return Call(name[0], tuple(arguments), text[start : position + 1]), position + 1


def _argument(text: str, start: int, depth: int) -> tuple[Any, int]:
    if text.startswith("$", start):
        end = _path_end(text, start)
        return Path(text[start:end]), end
    if text.startswith("States.", start):
        return _call(text, start, depth + 1)
    if found := _STRING.match(text, start):
        return _template(found[1]), found.end()
    if found := _WORD.match(text, start) or _NUMBER.match(text, start):
        return json.loads(found[0]), found.end()
    raise CallSyntaxError(f"'{text[start:]}' is not an argument of an intrinsic function")


def _template(source: str) -> intrinsics.Template:
    for escape in re.finditer(r"\\(.)", source, re.DOTALL):
        if escape[1] not in _ESCAPABLE:
            raise CallSyntaxError(f"unknown escape '{escape[0]}' in '{source}'")
    return intrinsics.Template(source)


def _path_end(text: str, start: int) -> int:
    """Where a path ends: at a comma or parenthesis that is in no brackets and no quotes of its own."""
    depth, quote = 0, ""
    for position in range(start, len(text)):
        character = text[position]
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"" and depth:
            quote = character
        elif character in "[(":
            depth += 1
        elif depth and character in "])":
            depth -= 1
        elif not depth and (character in ",)" or character.isspace()):
            return position
    raise CallSyntaxError(f"unexpected end of '{text}'")


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position


def _expect(text: str, position: int, character: str) -> int:
    if not text.startswith(character, position):
        raise CallSyntaxError(f"expected '{character}' at '{text[position:]}'")
    return _skip(text, position + 1)


def paths_of(call: Call) -> list[str]:
    """Every path among a call's arguments, nested calls included."""
    found: list[str] = []
    for argument in call.arguments:
        if isinstance(argument, Path):
            found.append(argument.text)
        elif isinstance(argument, Call):
            found += paths_of(argument)
    return found


class IntrinsicCall(EvalComponent):
    """A parsed call as the interpreter evaluates it: against the value on top of its stack."""

    def __init__(self, call: Call) -> None:
        self.call = call
        # moto looks at the name to allow only functions that give a text in a Fail state's paths.
        self.name = StatesFunctionName(StatesFunctionNameType[call.name.removeprefix("States.")])

    def _eval_body(self, env: Any) -> None:
        try:
            env.stack.append(_evaluate(self.call, env))
        except intrinsics.IntrinsicError as error:
            raise failures.failed(env, Names.StatesIntrinsicFailure, _cause(self.call, env, str(error))) from error
        except NoSuchJsonPathError as error:
            cause = f"The JsonPath argument for the field '{error.json_path}' could not be found in the input"
            raise failures.runtime_error(
                env, f"The function '{self.call.text}' had the following error: {cause}"
            ) from error


def _cause(call: Call, env: Any, problem: str) -> str:
    where = f"An error occurred while executing the state '{env.next_state_name}'"
    event = env.event_history_context.source_event_id
    return f"{where} (entered at the event id #{event}). The function '{call.text}' had the following error: {problem}"


def _evaluate(call: Call, env: Any) -> Any:
    return intrinsics.call(call.name, [_value(argument, env) for argument in call.arguments])


def _value(argument: Any, env: Any) -> Any:
    if isinstance(argument, Call):
        return _evaluate(argument, env)
    return _at_path(argument.text, env) if isinstance(argument, Path) else argument


def _at_path(path: str, env: Any) -> Any:
    if path.startswith("$$"):
        return json_paths.extract(path[1:], env.states.context_object.context_object_data)
    if not _VARIABLE.match(path):
        return json_paths.extract(path, env.stack[-1])
    StringVariableSample(query_language_mode=QueryLanguageMode.JSONPath, expression=path).eval(env=env)
    return env.stack.pop()


def _visit_intrinsic_function(self: Any, ctx: Any) -> StringIntrinsicFunction:  # noqa: ARG001  moto's signature
    text = literals.text_of(ctx.STRINGINTRINSICFUNC()) or ""
    return StringIntrinsicFunction(intrinsic_function_derivation=text, function=IntrinsicCall(parse(text)))


REPLACEMENTS: list[Replacement] = [
    Replacement(
        target="moto.stepfunctions.parser.asl.parse.preprocessor:Preprocessor.visitString_intrinsic_function",
        build=lambda _: _visit_intrinsic_function,
        why="reads JSON escapes as part of the text, knows no escaped braces, and takes errors for States.Runtime",
    ),
]
