"""Substitutions misspelt and mixed up."""

from __future__ import annotations

import re
from typing import Any

from tests.mutation import trees
from tests.mutation.trees import Mutations

_SUBSTITUTION = re.compile(r"\$\{(\w+)\}")


def wrong_substitutions(tree: Any) -> Mutations:
    """Misspelt, and the only place of one filled with another."""
    everything = str(tree)
    names = sorted(set(_SUBSTITUTION.findall(everything)))
    for steps, value in trees.walk(tree):
        for name in _SUBSTITUTION.findall(value) if isinstance(value, str) else ():
            for other in trees.misspelt(name):
                yield (
                    f"{trees.place(steps)} {name} -> {other}",
                    trees.with_value(tree, steps, value.replace(f"${{{name}}}", f"${{{other}}}")),
                )
            if everything.count(f"${{{name}}}") == 1:
                for other in names:
                    if other != name:
                        changed = value.replace(f"${{{name}}}", f"${{{other}}}")
                        yield f"{trees.place(steps)} {name} = {other}", trees.with_value(tree, steps, changed)


def swapped_kinds(tree: Any) -> Mutations:
    """A resource of another kind where the first is used in other places too."""
    arguments = {"FunctionName", "StateMachineArn", "TableName", "JobQueue", "EventBusName"}
    by_name: dict[str, set[str]] = {}
    for steps, value in trees.walk(tree):
        if steps and steps[-1] in arguments:
            by_name.setdefault(_SUBSTITUTION.findall(value)[0], set()).add(str(steps[-1]))
    for steps, value in trees.walk(tree):
        if steps and steps[-1] in arguments:
            for name, used_as in by_name.items():
                if steps[-1] not in used_as:
                    yield f"{trees.place(steps)} {value} = {name}", trees.with_value(tree, steps, f"${{{name}}}")
