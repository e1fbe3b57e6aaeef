"""The recipes a manifest may name, and what each one measures.

The recipes themselves are `batch_jobs/training/recipes/*.py`, which need torch; this list lets a
function refuse a wrong name without it. A test holds both equal. `own_script` is none of them: the team's script
is in S3, and the job runs it.
"""

from __future__ import annotations

from collections.abc import Mapping

CLASSIFIER_METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss")
REGRESSOR_METRICS = ("rmse", "mae", "r2")

OWN_SCRIPT = "own_script"

RECIPES: Mapping[str, tuple[str, ...]] = {
    "image_classifier": CLASSIFIER_METRICS,
    "sequence_classifier": CLASSIFIER_METRICS,
    "tabular_classifier": CLASSIFIER_METRICS,
    "tabular_regressor": REGRESSOR_METRICS,
    # What a team's script measures is known once it has run: what the recipe measures that its model names.
    OWN_SCRIPT: (*CLASSIFIER_METRICS, *REGRESSOR_METRICS),
}

# Where a lower value is the better one.
MINIMIZED = frozenset({"log_loss", "rmse", "mae"})


def direction_of(metric: str) -> str:
    """`minimize` or `maximize`."""
    return "minimize" if metric in MINIMIZED else "maximize"
