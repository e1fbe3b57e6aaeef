"""Definitions as trees: walking them, and copies with one place changed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

Steps = tuple[str | int, ...]
Mutations = Iterator[tuple[str, Any]]
"""What was done where, and the changed tree."""

FREE_KEYS = {"Tags", "Detail", "Output", "Assign", "Item", "ExpressionAttributeNames", "ExpressionAttributeValues"}
"""Whose keys are names of our own."""


def walk(value: Any, steps: Steps = ()) -> Iterator[tuple[Steps, Any]]:
    yield steps, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from walk(item, (*steps, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from walk(item, (*steps, index))


def states(tree: Any) -> Iterator[tuple[Steps, dict[str, Any]]]:
    for steps, value in walk(tree):
        if len(steps) >= 2 and steps[-2] == "States" and isinstance(value, dict):
            yield steps, value


def at(tree: Any, steps: Steps) -> Any:
    for step in steps:
        tree = tree[step]
    return tree


def changed(tree: Any, steps: Steps, change: Callable[[Any], None]) -> Any:
    """A copy in which what the steps lead to is changed; the rest is shared."""
    holder = copy.copy(tree)
    if steps:
        holder[steps[0]] = changed(tree[steps[0]], steps[1:], change)
    else:
        change(holder)
    return holder


def with_value(tree: Any, steps: Steps, value: Any) -> Any:
    """A copy with another value in one place."""
    return changed(tree, steps[:-1], lambda holder: holder.__setitem__(steps[-1], value))


def without(tree: Any, steps: Steps) -> Any:
    return changed(tree, steps[:-1], lambda holder: holder.__delitem__(steps[-1]))


def renamed(tree: Any, steps: Steps, name: str) -> Any:
    """A copy with another key in one place, the order kept."""

    def rename(holder: dict[str, Any]) -> None:
        entries = [(name if key == steps[-1] else key, item) for key, item in holder.items()]
        holder.clear()
        holder.update(entries)

    return changed(tree, steps[:-1], rename)


def place(steps: Steps) -> str:
    return "/".join(map(str, steps))


def misspelt(name: str) -> Iterator[str]:
    """A letter lost, two letters swapped, a letter too many."""
    if len(name) > 2:
        yield name[:-1]
    for index in range(len(name) // 2, len(name) - 1):
        if name[index] != name[index + 1]:
            yield name[:index] + name[index + 1] + name[index] + name[index + 2 :]
            break
    yield name + name[-1]
