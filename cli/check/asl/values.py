"""What can be known of a value before the machine runs: its type, its constants, its fields.

`ANY` knows nothing, and nothing is ever found wrong with it: a proof that does not know is silent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

CONSTANTS_MAX = 128
OPTIONS_MAX = 6
Constant = str | int | float | bool | None


@dataclass(frozen=True)
class Anything:
    """A value of which nothing is known."""


ANY = Anything()


@dataclass(frozen=True)
class Scalar:
    """A string, number, boolean or null; `constants` are all it can be, None if it can be any of its kind."""

    kind: str
    constants: frozenset[Constant] | None = None


@dataclass(frozen=True)
class Array:
    """A list, each item of which is like `item`."""

    item: Value


@dataclass(frozen=True)
class Object:
    """An object with these fields. `rest` is what its other fields hold; None if it can have no others."""

    fields: tuple[tuple[str, Value], ...]
    rest: Value | None = None

    def get(self, name: str) -> Value | None:
        """A field's value; None if there can be no such field."""
        return dict(self.fields).get(name, self.rest)


@dataclass(frozen=True)
class Reply:
    """Something, or a part of something, that code of ours gives: a machine's input, a function's reply.

    `source` says what; whoever reads a field of it relies on that code.
    """

    source: str
    steps: tuple[str, ...] = ()


@dataclass(frozen=True)
class Either:
    """One of several values of different types."""

    options: frozenset[Value]


Value = Anything | Scalar | Array | Object | Reply | Either

STRING, NUMBER, BOOLEAN = (Scalar(kind) for kind in ("string", "number", "boolean"))


def constant(value: Constant) -> Scalar:
    """The value of a JSON scalar."""
    return Scalar(kind_of(value), frozenset([value]))


def kind_of(value: Constant) -> str:
    """JSON's name of a scalar's type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else "string"


def of_object(fields: dict[str, Value], rest: Value | None = None) -> Object:
    """An object, its fields in order."""
    return Object(tuple(sorted(fields.items())), rest)


def of_template(template: Any, evaluate: Callable[[str], Value]) -> Value:
    """The value of a field in YAML, its expressions evaluated."""
    if isinstance(template, dict):
        return of_object({key: of_template(item, evaluate) for key, item in template.items()})
    if isinstance(template, list):
        return Array(join_all(of_template(item, evaluate) for item in template))
    if isinstance(template, str):
        expression = expression_in(template)
        if expression is not None:
            return evaluate(expression)
        return STRING if "${" in template else constant(template)
    return constant(template)


def expression_in(text: Any) -> str | None:
    """The JSONata within `{% … %}`."""
    if isinstance(text, str) and text.startswith("{%") and text.endswith("%}") and len(text) >= 4:
        return text[2:-2].strip()
    return None


def join_all(values: Iterable[Value]) -> Value:
    """What is known of a value that is one of several; ANY of none."""
    joined: Value | None = None
    for value in values:
        joined = value if joined is None else join(joined, value)
    return ANY if joined is None else joined


def join(one: Value, other: Value) -> Value:
    """What is known of a value that is one of two."""
    if one == other:
        return one
    if isinstance(one, Anything) or isinstance(other, Anything):
        return ANY
    merged: list[Value] = []
    for option in (*options(one), *options(other)):
        for index, known in enumerate(merged):
            both = _merge(known, option)
            if both is not None:
                merged[index] = both
                break
        else:
            merged.append(option)
    if len(merged) == 1:
        return merged[0]
    return Either(frozenset(merged)) if len(merged) <= OPTIONS_MAX else ANY


def options(value: Value) -> tuple[Value, ...]:
    """The alternatives of a value; itself if there is one only."""
    return tuple(value.options) if isinstance(value, Either) else (value,)


def _merge(one: Value, other: Value) -> Value | None:
    """Two values of the same sort as one; None if they are of different sorts."""
    if one == other:
        return one
    if isinstance(one, Scalar) and isinstance(other, Scalar) and one.kind == other.kind:
        if one.constants is None or other.constants is None:
            return Scalar(one.kind)
        both = one.constants | other.constants
        return Scalar(one.kind, both if len(both) <= CONSTANTS_MAX else None)
    if isinstance(one, Array) and isinstance(other, Array):
        return Array(join(one.item, other.item))
    if isinstance(one, Object) and isinstance(other, Object):
        return _merge_objects(one, other)
    return None


def _merge_objects(one: Object, other: Object) -> Object:
    mine, theirs = dict(one.fields), dict(other.fields)
    fields = {
        name: join_all(value for value in (mine.get(name), theirs.get(name)) if value is not None)
        for name in {*mine, *theirs}
    }
    rests = [rest for rest in (one.rest, other.rest) if rest is not None]
    return of_object(fields, join_all(rests) if rests else None)


def field_of(value: Value, name: str) -> Value:
    """A field of an object; ANY if it may be anything."""
    found = value.get(name) if isinstance(value, Object) else None
    return ANY if found is None else found


def with_field(value: Value, name: str, item: Value) -> Value:
    """An object with one more field, or another value in one; anything else as it is."""
    return of_object({**dict(value.fields), name: item}, value.rest) if isinstance(value, Object) else value


def item_of(value: Value) -> Value:
    """An item of a list; ANY if it may be anything."""
    return value.item if isinstance(value, Array) else ANY


def depth(value: Value) -> int:
    """How deep a value is nested."""
    if isinstance(value, Array):
        return 1 + depth(value.item)
    if isinstance(value, Object):
        inner = [item for _, item in value.fields] + ([value.rest] if value.rest is not None else [])
        return 1 + max(map(depth, inner), default=0)
    if isinstance(value, Either):
        return max(map(depth, value.options))
    return 0


def kinds(value: Value) -> frozenset[str] | None:
    """The JSON types that a value can have; None if that is not known."""
    found: set[str] = set()
    for option in options(value):
        if isinstance(option, Scalar):
            found.add(option.kind)
        elif isinstance(option, Array):
            found.add("array")
        elif isinstance(option, Object):
            found.add("object")
        else:
            return None
    return frozenset(found)


def constants(value: Value) -> frozenset[Constant] | None:
    """All that a value can be, if it is a scalar with known constants."""
    found: set[Constant] = set()
    for option in options(value):
        if not isinstance(option, Scalar):
            return None
        if option.kind == "null":
            found.add(None)
        elif option.constants is None:
            return None
        else:
            found |= option.constants
    return frozenset(found)
