"""Bytes from outside to a plain JSON value, with size and depth checked before anything is parsed."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from turbine.domain.rejection import WHOLE_FILE, ManifestFaultyError, fault

SIZE_MAX_BYTES = 64 * 1024
BATCH_SIZE_MAX_BYTES = 1024 * 1024
DEPTH_MAX = 12


def read_json(body: bytes, size_max_bytes: int = SIZE_MAX_BYTES) -> Any:
    """Parse one JSON document.

    Raises: ManifestFaultyError when it is too large or too deep, is not UTF-8 or not JSON, names a
    key twice, or holds NaN, a number that no float can hold, or half a surrogate pair.
    """
    if len(body) > size_max_bytes:
        raise too_large(len(body), size_max_bytes)
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused(f"is not UTF-8 text (byte {error.start})", "save the file as UTF-8") from error
    if _depth(text) > DEPTH_MAX:
        raise _refused(f"is nested more than {DEPTH_MAX} levels deep", "flatten it (docs/schemas)")
    try:
        document = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite_number
        )
        _check_text(json.dumps(document, ensure_ascii=False))
        return document
    except json.JSONDecodeError as error:
        raise _refused(
            f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}",
            "check it with: python -m json.tool FILE",
        ) from error
    except ManifestFaultyError:
        raise
    except ValueError as error:  # an integer with more digits than Python converts
        raise _refused(f"holds a number that cannot be read: {error}", "use smaller numbers") from error


def too_large(size_bytes: int, size_max_bytes: int) -> ManifestFaultyError:
    """The refusal of a file by its size, so that the caller need not read it first."""
    return _refused(
        f"has {size_bytes} bytes, more than the {size_max_bytes} allowed",
        "keep data out of the manifest, or split it into several",
    )


def _depth(text: str) -> int:
    """The deepest nesting of brackets outside strings."""
    deepest = depth = 0
    in_string = escaped = False
    for character in text:
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    _check_text("".join(document))
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ManifestFaultyError([fault(twice, "is given twice", f"keep one {twice}")])
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise _refused(f"holds {name}, which is not JSON", f"replace {name} by a number or null")


def _finite_number(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _refused(f"holds {digits[:40]}, which is more than a number can be", "use smaller numbers")
    return number


def _check_text(text: str) -> None:
    """JSON may escape what is no text at all: one half of a surrogate pair, which no UTF-8 can carry on."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        problem = f"holds \\u{ord(error.object[error.start]):04x}, half of a surrogate pair"
        raise _refused(problem, "write the character itself, in UTF-8") from error


def _refused(problem: str, mend: str) -> ManifestFaultyError:
    return ManifestFaultyError([fault(WHOLE_FILE, problem, mend)])
