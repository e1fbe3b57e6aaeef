"""The recipes a manifest may name, and what each one measures.

The recipes themselves are `batch_jobs/training/recipes/*.py`, which need torch; this list lets a
function refuse a wrong name without it. A test holds both equal.
"""

from __future__ import annotations

from collections.abc import Mapping

CLASSIFIER_METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss")
REGRESSOR_METRICS = ("rmse", "mae", "r2")

RECIPES: Mapping[str, tuple[str, ...]] = {
    "image_classifier": CLASSIFIER_METRICS,
    "tabular_classifier": CLASSIFIER_METRICS,
    "tabular_regressor": REGRESSOR_METRICS,
}

# Where a lower value is the better one.
MINIMIZED = frozenset({"log_loss", "rmse", "mae"})


def direction_of(metric: str) -> str:
    """`minimize` or `maximize`."""
    return "minimize" if metric in MINIMIZED else "maximize"
