"""States that lead nowhere, hold what they cannot, or wait for ever."""

from __future__ import annotations

from typing import Any

from tests.mutation import trees
from tests.mutation.trees import Mutations


def wrong_targets(tree: Any) -> Mutations:
    for steps, value in trees.walk(tree):
        if steps and steps[-1] in ("Next", "Default", "StartAt") and isinstance(value, str):
            for other in trees.misspelt(value):
                yield f"{trees.place(steps)} -> {other}", trees.with_value(tree, steps, other)


def unreachable_states(tree: Any) -> Mutations:
    for steps, _ in trees.walk(tree):
        if steps and steps[-1] == "States":
            yield f"{trees.place(steps)}/Orphan", trees.with_value(tree, (*steps, "Orphan"), {"Type": "Succeed"})
            loop = {"Type": "Wait", "Seconds": 1, "Next": "Orphan"}
            yield f"{trees.place(steps)}/Orphan in a loop", trees.with_value(tree, (*steps, "Orphan"), loop)
    for steps, state in trees.states(tree):
        incoming = [
            at for at, value in trees.walk(tree) if value == steps[-1] and at[-1] in ("Next", "Default", "StartAt")
        ]
        if len(incoming) == 1 and incoming[0][-1] == "Next" and trees.at(tree, incoming[0][:-1]).get("Type"):
            changed = trees.with_value(trees.without(tree, incoming[0]), (*incoming[0][:-1], "End"), True)
            yield f"nothing leads to {steps[-1]}", changed
        if state["Type"] == "Succeed" or state.get("End"):
            changed = trees.with_value(tree, steps, {"Type": "Pass", "Next": steps[-1]})
            yield f"{trees.place(steps)} leads to itself", changed


def wrong_types_of_fields(tree: Any) -> Mutations:
    wrong: dict[str, list[Any]] = {
        "Type": ["Taks", "task", 1],
        "TimeoutSeconds": ["soon", 0, -1, 1.5, "{% 'a' & 'b' %}"],
        "Seconds": ["soon", -1, "{% 'a' & 'b' %}"],
        "IntervalSeconds": ["1", 0, -1, 1.5],
        "MaxAttempts": ["1", -1, 1.5],
        "BackoffRate": ["2", 0.5, 0],
        "MaxDelaySeconds": ["1", 0, 31_622_401],
        "JitterStrategy": ["full", "ALL", True],
        "QueryLanguage": ["jsonata", "JSONPath2"],
        "Next": [1, ["a"]],
        "ErrorEquals": ["States.ALL", [], [1]],
        "Retry": [{}],
        "Catch": [{}],
        "Condition": ["yes", 1, "{% 'a' & 'b' %}", "{% 1 + 1 %}"],
        "End": ["yes", False],
        "Mode": ["inline", "FAST"],
        "MaxConcurrency": ["0", -1],
        "Items": ["{% 1 + 1 %}", "{% 'a' & 'b' %}"],
        "Choices": [[], {}],
        "Assign": ["text", []],
    }
    for steps, value in trees.walk(tree):
        if isinstance(value, dict) and not {"Arguments", "Assign", "Output"} & set(steps):
            if steps and steps[-1] == "States":
                continue
            for key in wrong.keys() & value.keys():
                for other in wrong[key]:
                    yield f"{trees.place(steps)}/{key} = {other!r}", trees.with_value(tree, (*steps, key), other)


def timeouts(tree: Any) -> Mutations:
    yield "TimeoutSeconds away", trees.without(tree, ("TimeoutSeconds",))
    for steps, state in trees.states(tree):
        if "TimeoutSeconds" in state:
            where = (*steps, "TimeoutSeconds")
            yield f"{trees.place(where)} away", trees.without(tree, where)
            if isinstance(state["TimeoutSeconds"], int):
                yield (
                    f"{trees.place(where)} past the machine's",
                    trees.with_value(tree, where, tree["TimeoutSeconds"] + 1),
                )
                resource = state["Resource"]
                if "lambda" in resource or "startExecution" in resource:
                    yield f"{trees.place(where)} = 30", trees.with_value(tree, where, 30)
