"""Payloads and inputs that our own code cannot read."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from tests.mutation import trees
from tests.mutation.trees import Mutations

_MODELS = {
    "PublishArtifactsFunction": ("turbine.domain.run", "RunReference"),
    "CompareModelsFunction": ("turbine.usecases.compare_models", "ComparisonRequest"),
    "RegisterModelFunction": ("turbine.usecases.register_model", "RegistrationRequest"),
    "JudgeTrainingFunction": ("turbine.usecases.judge_training", "TrainingReport"),
    "PublishPredictionsFunction": ("turbine.usecases.publish_predictions", "FinishedTransform"),
}
"""The models of payloads that are written out in the machines; the other handlers need every key they are given."""


def _required_keys(state: Mapping[str, Any], given: Mapping[str, Any]) -> set[str]:
    function = str(state["Arguments"].get("FunctionName", "")).strip("${}")
    if function in _MODELS:
        module, name = _MODELS[function]
        fields = getattr(importlib.import_module(module), name).model_fields
        return {key for key, field in fields.items() if field.is_required()}
    return set(given)


def dropped_payload_keys(tree: Any) -> Mutations:
    for steps, state in trees.states(tree):
        for field in ("Payload", "Input"):
            given = state.get("Arguments", {}).get(field)
            if isinstance(given, dict):
                for key in sorted(_required_keys(state, given) & set(given)):
                    where = (*steps, "Arguments", field, key)
                    if key != "attempt":  # the run machine reads it only where it meets an earlier outcome
                        yield f"{trees.place(where)} away", trees.without(tree, where)


def wrong_payload_types(tree: Any) -> Mutations:
    for steps, state in trees.states(tree):
        given = state.get("Arguments", {}).get("Payload")
        if isinstance(given, dict):
            for key in sorted({"run_id", "team", "spec_uri"} & set(given)):
                for value in (7, True, ["a"], "{% $count([1]) %}", None):
                    where = (*steps, "Arguments", "Payload", key)
                    yield f"{trees.place(where)} = {value!r}", trees.with_value(tree, where, value)
