"""Keys misspelt, in the wrong case, away, or too many."""

from __future__ import annotations

import re
from typing import Any

from tests.mutation import trees
from tests.mutation.trees import FREE_KEYS, Mutations


def misspelt_keys(tree: Any) -> Mutations:
    for steps, value in trees.walk(tree):
        if not isinstance(value, dict) or (steps and steps[-1] == "States"):
            continue
        if any(step in FREE_KEYS for step in steps):
            continue
        for key in value:
            if key == "Comment":
                continue
            for other in trees.misspelt(key):
                yield f"{trees.place(steps)}/{key} -> {other}", trees.renamed(tree, (*steps, key), other)


def keys_in_another_case(tree: Any) -> Mutations:
    """camelCase, as the service's API has it."""
    for steps, value in trees.walk(tree):
        is_free = any(step in {*FREE_KEYS, "Payload", "Input", "Key"} for step in steps)
        if "Arguments" in steps and isinstance(value, dict) and not is_free:
            for key in value:
                if key[0].isupper():
                    yield f"{trees.place(steps)}/{key}", trees.renamed(tree, (*steps, key), key[0].lower() + key[1:])


def misspelt_placeholders(tree: Any) -> Mutations:
    for steps, value in trees.walk(tree):
        if steps and steps[-1] in ("ExpressionAttributeNames", "ExpressionAttributeValues"):
            for key in value:
                yield f"{trees.place(steps)}/{key} away", trees.without(tree, (*steps, key))
                for other in trees.misspelt(key):
                    yield f"{trees.place(steps)}/{key} -> {other}", trees.renamed(tree, (*steps, key), other)
        if steps and str(steps[-1]).endswith("Expression"):
            for match in re.finditer(r"[:#]\w+", value):
                changed = value[: match.end()] + "x" + value[match.end() :]
                yield f"{trees.place(steps)} {match[0]}", trees.with_value(tree, steps, changed)


def misspelt_table_keys(tree: Any) -> Mutations:
    for steps, value in trees.walk(tree):
        if steps and steps[-1] in ("Key", "Item") and "Arguments" in steps:
            for key in ("pk", "sk"):
                if isinstance(value, dict) and key in value:
                    yield f"{trees.place(steps)}/{key} away", trees.without(tree, (*steps, key))
                    yield f"{trees.place(steps)}/{key} -> id", trees.renamed(tree, (*steps, key), "id")


def unknown_keys(tree: Any) -> Mutations:
    for steps, value in trees.walk(tree):
        is_holder = not steps or steps[-1] != "States"
        if isinstance(value, dict) and is_holder and not any(step in FREE_KEYS for step in steps):
            yield f"{trees.place(steps)}/Extra", trees.with_value(tree, (*steps, "Extra"), "text")


def dropped_fields(tree: Any) -> Mutations:
    """Fields without which a state is none."""
    needed = {"Type", "StartAt", "Resource", "Choices", "Default", "Condition", "ErrorEquals", "Next", "End", "Retry",
              "ItemProcessor", "Seconds"}  # fmt: skip
    for steps, value in trees.walk(tree):
        if isinstance(value, dict) and "Arguments" not in steps and "Assign" not in steps and "Output" not in steps:
            for key in needed & set(value):
                if not (steps and steps[-1] == "States"):
                    yield f"{trees.place(steps)}/{key} away", trees.without(tree, (*steps, key))
