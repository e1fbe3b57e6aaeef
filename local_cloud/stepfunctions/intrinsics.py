"""The intrinsic functions of JSONPath states: what each gives, and what it refuses.

Pure: values in, a value out. How a call is written and where its arguments come from is `intrinsic_calls`.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import random
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_LONGEST_TEXT = 10_000
_LONGEST_ARRAY = 1000
_HASHES = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
_PLACEHOLDER_OR_ESCAPE = re.compile(r"\\(.)|\{\}", re.DOTALL)


class IntrinsicError(Exception):
    """A call that Step Functions answers with States.IntrinsicFailure."""


@dataclass(frozen=True)
class Template:
    """A string literal as it is written: `States.Format` tells an escaped brace from a placeholder, others do not."""

    source: str

    @property
    def text(self) -> str:
        """The literal's value."""
        return re.sub(r"\\(.)", r"\1", self.source, flags=re.DOTALL)


def _round(value: Any) -> int:
    """A number rounded as Java does, halves up."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise IntrinsicError(f"Expected a number but got {_json(value)}")
    return value if isinstance(value, int) else math.floor(value + 0.5)


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _array_of(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise IntrinsicError(f"Expected an array but got {_json(value)}")
    return value


def _text_of(value: Any) -> str:
    if not isinstance(value, str):
        raise IntrinsicError(f"Expected a string but got {_json(value)}")
    return value


def _short_text_of(value: Any) -> str:
    if len(_text_of(value)) > _LONGEST_TEXT:
        raise IntrinsicError(f"A string of {len(value)} characters is longer than {_LONGEST_TEXT}")
    return str(value)


def _key(value: Any) -> str:
    """Equal for equal JSON values; Python takes 1 and true for equal, JSON does not."""
    return json.dumps(value, sort_keys=True)


def _array(*items: Any) -> list[Any]:
    return list(items)


def _array_partition(array: Any, size: Any) -> list[list[Any]]:
    chunk = _round(size)
    if chunk < 1:
        raise IntrinsicError("The chunk size must be a positive integer")
    items = _array_of(array)
    return [items[start : start + chunk] for start in range(0, len(items), chunk)]


def _array_contains(array: Any, value: Any) -> bool:
    return _key(value) in {_key(item) for item in _array_of(array)}


def _array_range(first: Any, last: Any, step: Any) -> list[int]:
    start, end, stride = _round(first), _round(last), _round(step)
    if stride == 0:
        raise IntrinsicError("The step must not be 0")
    numbers = range(start, end + (1 if stride > 0 else -1), stride)
    if len(numbers) > _LONGEST_ARRAY:
        raise IntrinsicError(f"An array of {len(numbers)} items is longer than {_LONGEST_ARRAY}")
    return list(numbers)


def _array_get_item(array: Any, index: Any) -> Any:
    items, position = _array_of(array), _round(index)
    if not 0 <= position < len(items):
        raise IntrinsicError(f"Index {position} is outside of an array of {len(items)} items")
    return items[position]


def _array_length(array: Any) -> int:
    return len(_array_of(array))


def _array_unique(array: Any) -> list[Any]:
    return list({_key(item): item for item in reversed(_array_of(array))}.values())[::-1]


def _base64_encode(text: Any) -> str:
    return base64.b64encode(_short_text_of(text).encode()).decode()


def _base64_decode(text: Any) -> str:
    try:
        return base64.b64decode(_short_text_of(text), validate=True).decode()
    except ValueError as error:
        raise IntrinsicError(f"Not Base64 of UTF-8 text: {error}") from error


def _hash(data: Any, algorithm: Any) -> str:
    if algorithm not in _HASHES:
        raise IntrinsicError(f"Unknown algorithm {_json(algorithm)}; known are {', '.join(_HASHES)}")
    return hashlib.new(_HASHES[algorithm], _short_text_of(data).encode()).hexdigest()


def _json_merge(first: Any, second: Any, deep: Any) -> dict[str, Any]:
    if deep is not False:
        raise IntrinsicError("Only the shallow mode is supported: the third argument must be false")
    if not (isinstance(first, dict) and isinstance(second, dict)):
        raise IntrinsicError("Only objects can be merged")
    return {**first, **second}


def _string_to_json(text: Any) -> Any:
    if text is None or not _text_of(text).strip():
        return None
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except ValueError as error:
        raise IntrinsicError(f"Not valid JSON: {error}") from error


def _refuse_constant(name: str) -> Any:
    """Python reads NaN and Infinity, which are no JSON."""
    raise ValueError(f"{name} is no JSON")


def _math_random(start: Any, end: Any, seed: Any = None) -> int:
    """A number from `start`, included, to `end`, not included."""
    first, last = _round(start), _round(end)
    if last <= first:
        raise IntrinsicError("The end must be greater than the start")
    source = random.Random(None if seed is None else _round(seed))  # noqa: S311  not for secrets
    return source.randrange(first, last)


def _math_add(first: Any, second: Any) -> int:
    return _round(first) + _round(second)


def _string_split(text: Any, separators: Any) -> list[str]:
    """The non-empty parts between any of the characters of `separators`."""
    if not _text_of(separators):
        return [_text_of(text)]
    return [part for part in re.split(f"[{re.escape(separators)}]", _text_of(text)) if part]


def _uuid() -> str:
    return str(uuid.uuid4())


def _format(template: Any, *values: Any) -> str:
    source = template.source if isinstance(template, Template) else _text_of(template)
    given = iter(values)

    def replacement(match: re.Match[str]) -> str:
        return match[1] if match[1] is not None else _shown(next(given))

    try:
        text = _PLACEHOLDER_OR_ESCAPE.sub(replacement, source)
    except StopIteration:
        raise IntrinsicError("There are more {} than arguments") from None
    if any(True for _ in given):
        raise IntrinsicError("There are more arguments than {}")
    return text


def _shown(value: Any) -> str:
    """A value within a formatted text: `{a=1, b=[x, 2]}`."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}={_shown(item)}' for key, item in value.items())}}}"
    return json.dumps(value)


@dataclass(frozen=True)
class Function:
    """An intrinsic function, with how many arguments it takes."""

    call: Callable[..., Any]
    fewest: int
    most: int | None


FUNCTIONS: dict[str, Function] = {
    "States.Array": Function(_array, 0, None),
    "States.ArrayPartition": Function(_array_partition, 2, 2),
    "States.ArrayContains": Function(_array_contains, 2, 2),
    "States.ArrayRange": Function(_array_range, 3, 3),
    "States.ArrayGetItem": Function(_array_get_item, 2, 2),
    "States.ArrayLength": Function(_array_length, 1, 1),
    "States.ArrayUnique": Function(_array_unique, 1, 1),
    "States.Base64Encode": Function(_base64_encode, 1, 1),
    "States.Base64Decode": Function(_base64_decode, 1, 1),
    "States.Hash": Function(_hash, 2, 2),
    "States.JsonMerge": Function(_json_merge, 3, 3),
    "States.StringToJson": Function(_string_to_json, 1, 1),
    "States.JsonToString": Function(_json, 1, 1),
    "States.MathRandom": Function(_math_random, 2, 3),
    "States.MathAdd": Function(_math_add, 2, 2),
    "States.StringSplit": Function(_string_split, 2, 2),
    "States.UUID": Function(_uuid, 0, 0),
    "States.Format": Function(_format, 1, None),
}


def call(name: str, arguments: list[Any]) -> Any:
    """The value of a function. Raises: IntrinsicError if the arguments are none that it takes."""
    if name != "States.Format":
        arguments = [item.text if isinstance(item, Template) else item for item in arguments]
    else:
        arguments = arguments[:1] + [item.text if isinstance(item, Template) else item for item in arguments[1:]]
    return FUNCTIONS[name].call(*arguments)
