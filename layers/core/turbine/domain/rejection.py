"""A refusal that its reader can act on: the field, what is wrong with it, what to type instead."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate, takewhile
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

WHOLE_FILE = "(file)"
KEY = "(key)"

# A reply names up to 50 refusals beside up to 950 runs, and Step Functions takes 262,144 bytes: each text is cut.
# Units: bytes of JSON in UTF-8, in which one character may take six.
TEXT_MAX = 240
FAULTS_MAX = 8
_CUT_MARK = "…"


class Fault(BaseModel):
    """One thing wrong with a manifest or a team file."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    field: str
    problem: str
    mend: str


class ManifestFaultyError(ValueError):
    """What was dropped breaks its contract; `faults` says where, first things first."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)[:FAULTS_MAX]
        super().__init__("; ".join(f"{fault.field}: {fault.problem}" for fault in self.faults))


def fault(field: str, problem: str, mend: str) -> Fault:
    """A fault whose texts are short enough to travel."""
    return Fault(field=_cut(field), problem=_cut(problem), mend=_cut(mend))


def faults_of(error: ValidationError) -> list[Fault]:
    """Pydantic's errors in our words, one a field, in the order of the model."""
    faults: dict[str, Fault] = {}
    for entry in error.errors(include_url=False):
        location = _location(entry["loc"])
        context = entry.get("ctx") or {}
        mend = _MENDS.get(entry["type"], _mend_any)(location, context)
        faults.setdefault(location, fault(location, _problem(entry["type"], entry, context), mend))
    return list(faults.values())


def _location(parts: tuple[int | str, ...]) -> str:
    """A dotted path; the names pydantic adds for the arms of a union are left out."""
    named = [str(part) for part in parts if not str(part).startswith(("literal[", "constrained-", "is-instance["))]
    return ".".join(named) or WHOLE_FILE


def _problem(kind: str, entry: Mapping[str, Any], context: Mapping[str, Any]) -> str:
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return "is not a known field"
    if kind == "value_error":
        return str(context["error"])
    given = repr(entry.get("input"))
    return f"{entry['msg'][0].lower()}{entry['msg'][1:]}, not {given[:80]}"


def _mend_missing(location: str, _context: Mapping[str, Any]) -> str:
    return f"add {location}"


def _mend_extra(location: str, _context: Mapping[str, Any]) -> str:
    return f"remove {location}, or correct its spelling (docs/schemas lists the fields)"


def _mend_literal(location: str, context: Mapping[str, Any]) -> str:
    return f"set {location} to {context.get('expected', 'an allowed value')}"


def _mend_pattern(location: str, context: Mapping[str, Any]) -> str:
    return f"change {location} to match {context.get('pattern', 'its pattern')}"


def _mend_any(location: str, _context: Mapping[str, Any]) -> str:
    return f"change {location} (docs/schemas says what it may be)"


_MENDS: Mapping[str, Callable[[str, Mapping[str, Any]], str]] = {
    "missing": _mend_missing,
    "extra_forbidden": _mend_extra,
    "literal_error": _mend_literal,
    "string_pattern_mismatch": _mend_pattern,
}


def _cut(text: str) -> str:
    """A text that takes at most TEXT_MAX bytes as JSON."""
    if len(text) <= TEXT_MAX and _size(text) <= TEXT_MAX:
        return text
    sizes = accumulate(_size(character) for character in text[:TEXT_MAX])
    kept = sum(1 for _ in takewhile(lambda size: size <= TEXT_MAX - _size(_CUT_MARK), sizes))
    return text[:kept] + _CUT_MARK


def _size(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode()) - len('""')
