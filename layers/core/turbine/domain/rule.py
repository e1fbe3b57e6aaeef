"""How a team's models are judged, as its file says and as each run pins it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from turbine.domain.manifest import Part
from turbine.domain.recipes import CLASSIFIER_METRICS, direction_of

# Every slice's numbers are in the verdict, which passes through Step Functions.
SLICE_GUARDRAILS_MAX = 4
SLICE_NAME_MAX = 128

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Guardrail(Part):
    """A second metric that a challenger must not worsen by more than `max_worsening`."""

    metric: str
    direction: Literal["maximize", "minimize"]
    max_worsening: Annotated[float, Field(ge=0, allow_inf_nan=False)]


class ClassGuardrail(Part):
    """No class's recall may fall by more than `max_worsening`, but for those with fewer than `min_rows` test rows."""

    max_worsening: Annotated[float, Field(ge=0, le=1)]
    min_rows: Annotated[int, Field(ge=1)] = 20


class SliceGuardrail(Part):
    """On no value of `column` may `metric` worsen by more than `max_worsening`, in the metric's unit.

    Values with fewer than `min_rows` test rows are not judged.
    """

    column: Annotated[str, StringConstraints(min_length=1, max_length=SLICE_NAME_MAX)]
    metric: str
    max_worsening: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    min_rows: Annotated[int, Field(ge=1)] = 30


class Rule(Part):
    """How a challenger is judged; `min_delta` and `non_inferiority_margin` are in the metric's own unit.

    `confidence`, `min_rows` and `non_inferiority_margin` are for `paired_bootstrap`.
    """

    name: Literal["min_delta", "paired_bootstrap"]
    metric: str
    direction: Literal["maximize", "minimize"]
    min_delta: Positive
    confidence: Annotated[float, Field(ge=0.5, le=0.999)] = 0.95
    min_rows: Annotated[int, Field(ge=2)] = 100
    non_inferiority_margin: Positive | None = None
    guardrails: Annotated[list[Guardrail], Field(max_length=8, default_factory=list)]
    class_guardrail: ClassGuardrail | None = None
    slice_guardrails: Annotated[list[SliceGuardrail], Field(max_length=SLICE_GUARDRAILS_MAX, default_factory=list)]

    @property
    def slice_columns(self) -> tuple[str, ...]:
        """The columns by whose values an evaluation has to be summed."""
        return tuple(dict.fromkeys(guardrail.column for guardrail in self.slice_guardrails))

    @model_validator(mode="after")
    def _margin_is_used(self) -> Rule:
        if self.non_inferiority_margin is not None and self.name != "paired_bootstrap":
            raise ValueError("non_inferiority_margin is for the rule paired_bootstrap")
        return self

    @model_validator(mode="after")
    def _there_are_classes(self) -> Rule:
        if self.class_guardrail is not None and self.metric not in CLASSIFIER_METRICS:
            raise ValueError(f"class_guardrail is for classifiers, and {self.metric} is none of their metrics")
        return self

    @model_validator(mode="after")
    def _slices_are_told_once(self) -> Rule:
        given = [(guardrail.column, guardrail.metric) for guardrail in self.slice_guardrails]
        for column, metric in given:
            if given.count((column, metric)) > 1:
                raise ValueError(f"slice_guardrails has {metric} by {column} twice")
        return self

    @model_validator(mode="after")
    def _directions_fit(self) -> Rule:
        given = [(self.metric, self.direction), *((part.metric, part.direction) for part in self.guardrails)]
        for metric, direction in given:
            if direction != direction_of(metric):
                raise ValueError(f"{metric} is to {direction_of(metric)}, not to {direction}")
        return self


def rule_metrics(rule: Rule) -> list[str]:
    """The metrics that a decision by this rule needs, each once."""
    of_guardrails = (guardrail.metric for guardrail in rule.guardrails)
    of_slices = (guardrail.metric for guardrail in rule.slice_guardrails)
    return list(dict.fromkeys([rule.metric, *of_guardrails, *of_slices]))
