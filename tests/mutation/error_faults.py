"""Errors in Retry and Catch that never come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.mutation import trees
from tests.mutation.trees import Mutations

_KNOWN = (
    "TrainingBugError",
    "MetricsLateError",
    "ModelConflictError",
    "DynamoDB.ConditionalCheckFailedException",
    "Sfn.ExecutionDoesNotExistException",
    "StepFunctions.ExecutionAlreadyExistsException",
    "SageMaker.ResourceLimitExceededException",
    "States.BranchFailed",
    "States.HeartbeatTimeout",
    "States.Runtime",
)


def wrong_errors(tree: Any) -> Mutations:
    for steps, value in trees.walk(tree):
        if steps and steps[-1] == "ErrorEquals":
            for index, name in enumerate(value):
                where = (*steps, index)
                prefix, _, error = name.rpartition(".")
                others = [*trees.misspelt(name), name.removesuffix("Exception").removesuffix("Error"), f"Other.{error}",
                          name.lower(), f"{prefix}.Other" if prefix else "OtherError"]  # fmt: skip
                for other in others:
                    if other not in (name, "Other.ALL"):
                        yield f"{trees.place(where)} {name} -> {other}", trees.with_value(tree, where, other)


def errors_of_others(tree: Any) -> Mutations:
    """An error that exists, and comes from somewhere else."""
    for steps, state in trees.states(tree):
        for field in ("Retry", "Catch"):
            for index, _ in enumerate(state.get(field, [])):
                for error in _KNOWN:
                    if not _may_come(error, state):
                        where = (*steps, field, index, "ErrorEquals")
                        changed = trees.with_value(tree, where, [*trees.at(tree, where), error])
                        yield f"{trees.place(where)} + {error}", changed


_RAISES = {
    "JudgeTraining": {"TrainingBugError"},
    "CompareModels": {"MetricsLateError"},
    "PrepareInference": {"ModelConflictError"},
}


def _may_come(error: str, state: Mapping[str, Any]) -> bool:
    resource = state["Resource"]
    if "lambda" in resource:
        function = state["Arguments"]["FunctionName"].strip("${}").removesuffix("Function")
        return error in _RAISES.get(function, set())
    services = {
        "DynamoDB.": "dynamodb:",
        "Sfn.": "aws-sdk:sfn",
        "StepFunctions.": "states:startExecution",
        "SageMaker.": ":sagemaker:",
    }
    is_same = any(error.startswith(prefix) and service in resource for prefix, service in services.items())
    if error.startswith("DynamoDB.Conditional"):
        return "putItem" in resource or "updateItem" in resource
    if error.startswith("SageMaker."):
        return "createTransformJob" in resource
    return is_same


def shadowed_errors(tree: Any) -> Mutations:
    for steps, state in trees.states(tree):
        for field in ("Retry", "Catch"):
            entries = state.get(field)
            if entries:
                twice = [*entries, {**entries[0]}]
                yield f"{trees.place(steps)}/{field} twice", trees.with_value(tree, (*steps, field), twice)
                mixed = [{**entries[0], "ErrorEquals": [*entries[0]["ErrorEquals"], "States.ALL"]}, *entries[1:]]
                if entries[0]["ErrorEquals"] != ["States.ALL"]:
                    yield (
                        f"{trees.place(steps)}/{field} with States.ALL",
                        trees.with_value(tree, (*steps, field), mixed),
                    )
