"""What kind of work a state's time is: the groups of the timeline and of the time split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Literal

from cli.observe.executions import Execution, StateSpan

Work = Literal["training", "functions", "dvc", "transform", "waiting"]
WORKS: tuple[Work, ...] = ("training", "functions", "dvc", "transform", "waiting")
LABELS: dict[Work, str] = {
    "training": "Training (Batch)",
    "functions": "Functions (Lambda)",
    "dvc": "Publishing (DVC)",
    "transform": "Predicting (Batch Transform)",
    "waiting": "Other machines and services",
}
PUBLISHING_STATE = "PublishArtifacts"


def work_of(span: StateSpan) -> Work:
    """The group of one state visit: by the service its Task calls, and publishing by its state's name."""
    if span.name == PUBLISHING_STATE:
        return "dvc"
    by_kind: dict[str, Work] = {"batch": "training", "lambda": "functions", "sagemaker": "transform"}
    return by_kind.get(span.kind, "waiting")


def seconds_by_work(executions: Iterable[Execution]) -> dict[str, float]:
    """Seconds of Task time by group, summed over executions (work in parallel counts once for each)."""
    totals: dict[Work, float] = defaultdict(float)
    for execution in executions:
        for span in execution.spans:
            totals[work_of(span)] += span.duration_s()
    return {work: round(totals[work], 3) for work in WORKS}
