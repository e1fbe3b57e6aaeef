import math

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from training import metrics

random = np.random.default_rng(3)
LABELS = random.integers(0, 4, 200)
PREDICTIONS = np.where(random.random(200) < 0.7, LABELS, random.integers(0, 4, 200))
PROBABILITIES = random.dirichlet(np.ones(4), 200)
NUMBERS, ESTIMATES = random.normal(size=200), random.normal(size=200)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (metrics.accuracy(LABELS, PREDICTIONS), sklearn_metrics.accuracy_score(LABELS, PREDICTIONS)),
        (
            metrics.balanced_accuracy(LABELS, PREDICTIONS),
            sklearn_metrics.balanced_accuracy_score(LABELS, PREDICTIONS),
        ),
        (metrics.macro_f1(LABELS, PREDICTIONS), sklearn_metrics.f1_score(LABELS, PREDICTIONS, average="macro")),
        (metrics.log_loss(LABELS, PROBABILITIES), sklearn_metrics.log_loss(LABELS, PROBABILITIES)),
        (metrics.rmse(NUMBERS, ESTIMATES), sklearn_metrics.root_mean_squared_error(NUMBERS, ESTIMATES)),
        (metrics.mae(NUMBERS, ESTIMATES), sklearn_metrics.mean_absolute_error(NUMBERS, ESTIMATES)),
        (metrics.r2(NUMBERS, ESTIMATES), sklearn_metrics.r2_score(NUMBERS, ESTIMATES)),
    ],
)
def test_agrees_with_scikit_learn(ours: float, theirs: float) -> None:
    assert ours == pytest.approx(theirs, rel=1e-12)


def test_a_class_that_is_only_predicted_counts_in_macro_f1() -> None:
    labels, predictions = np.array(["a", "a"]), np.array(["a", "b"])
    assert metrics.macro_f1(labels, predictions) == pytest.approx((2 / 3 + 0) / 2)


def test_certain_and_wrong_is_a_finite_loss() -> None:
    assert math.isfinite(metrics.log_loss(np.array([0]), np.array([[0.0, 1.0]])))


def test_r2_of_equal_labels_is_zero() -> None:
    assert metrics.r2(np.ones(3), np.ones(3)) == 0.0
