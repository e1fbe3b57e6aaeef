"""YAML files that remember on which line each value stands, and which keys were given twice.

Plain values are kept apart from their places: `value` is what any YAML reader gives, `line(path)` answers for a path of
keys and indices. CloudFormation's short forms (`!Ref X`) become the long ones (`{"Ref": "X"}`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Steps = tuple[str | int, ...]
"""The way from a file's root to a value: keys and indices."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class DocumentError(Exception):
    """A file that is no YAML; the message has its name and line."""


@dataclass(frozen=True)
class Document:
    """A YAML file. `name` is how findings call it."""

    name: str
    value: Any
    lines: dict[Steps, int] = field(repr=False)
    repeated: tuple[Steps, ...] = ()

    def line(self, steps: Steps) -> int:
        """The line of a value; where it has none of its own, that of what it stands in."""
        while steps and steps not in self.lines:
            steps = steps[:-1]
        return self.lines.get(steps, 1)


def read(path: Path, root: Path) -> Document:
    """Raises: DocumentError."""
    return parse(path.read_text(encoding="utf-8"), path.relative_to(root).as_posix())


def parse(text: str, name: str) -> Document:
    """Raises: DocumentError."""
    try:
        loader = _LOADER(text)
        try:
            root = loader.get_single_node()
            reader = _Reader(loader)
            value = reader.read(root, ())
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise DocumentError(f"{name} is no YAML: {error}") from error
    return Document(name, value, reader.lines, tuple(reader.repeated))


class _Reader:
    """Turns nodes into values and notes their lines."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self.lines: dict[Steps, int] = {}
        self.repeated: list[Steps] = []

    def read(self, node: Any, steps: Steps) -> Any:
        self.lines.setdefault(steps, node.start_mark.line + 1 if node is not None else 1)
        value = self._content(node, steps)
        if node is None or not node.tag.startswith("!"):
            return value
        return _long_form(node.tag[1:], value)

    def _content(self, node: Any, steps: Steps) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, steps)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*steps, index)) for index, item in enumerate(node.value)]
        if node is None:
            return None
        return node.value if node.tag.startswith("!") else self._loader.construct_object(node)

    def _mapping(self, node: Any, steps: Steps) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(self._loader.construct_object(key_node))
            inner = (*steps, key)
            if key in found:
                self.repeated.append(inner)
            self.lines[inner] = key_node.start_mark.line + 1
            found[key] = self.read(value_node, inner)
        return found


def _long_form(tag: str, value: Any) -> dict[str, Any]:
    if tag in ("Ref", "Condition"):
        return {tag: value}
    if tag == "GetAtt" and isinstance(value, str):
        return {"Fn::GetAtt": value.split(".", 1)}
    return {f"Fn::{tag}": value}
