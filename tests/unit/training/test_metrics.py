"""Counted up in blocks of any size, the numbers are those of scikit-learn over all rows."""

import math
from itertools import pairwise

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from training.metrics import ClassScores, NumberScores

random = np.random.default_rng(3)
ROWS, CLASSES = 2000, 4
LABELS = random.integers(0, CLASSES, ROWS)
PREDICTIONS = np.where(random.random(ROWS) < 0.7, LABELS, random.integers(0, CLASSES, ROWS))
PROBABILITIES = random.dirichlet(np.ones(CLASSES), ROWS)
# Seconds since 1970 within a few minutes: a sum of squares that is not about the mean loses all digits.
NUMBERS = 1.7e9 + random.normal(scale=100, size=ROWS)
ESTIMATES = NUMBERS + random.normal(scale=30, size=ROWS)

BLOCKS = pytest.mark.parametrize("block_rows", [1, 7, 256, ROWS])


@BLOCKS
def test_classes_agree_with_scikit_learn(block_rows: int) -> None:
    scores = ClassScores(CLASSES)
    for start in range(0, ROWS, block_rows):
        rows = slice(start, start + block_rows)
        scores.add(LABELS[rows], PREDICTIONS[rows], PROBABILITIES[rows])
    ours = [scores.accuracy, scores.balanced_accuracy, scores.macro_f1, scores.log_loss]
    theirs = [
        sklearn_metrics.accuracy_score(LABELS, PREDICTIONS),
        sklearn_metrics.balanced_accuracy_score(LABELS, PREDICTIONS),
        sklearn_metrics.f1_score(LABELS, PREDICTIONS, average="macro"),
        sklearn_metrics.log_loss(LABELS, PROBABILITIES),
    ]
    assert ours == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize("ends", [[ROWS], [0, 700, ROWS], [1, 1, 1999, ROWS]])
def test_shares_counted_apart_merge_to_the_whole(ends: list[int]) -> None:
    """Empty ones too; what went through an array alone is the same to the bit."""
    classes, numbers = ClassScores(CLASSES), NumberScores()
    for start, end in pairwise([0, *ends]):
        rows, some_classes, some_numbers = slice(start, end), ClassScores(CLASSES), NumberScores()
        if end > start:
            some_classes.add(LABELS[rows], PREDICTIONS[rows], PROBABILITIES[rows])
            some_numbers.add(NUMBERS[rows], ESTIMATES[rows])
        classes.merge(some_classes.to_array())
        numbers.merge(some_numbers.to_array())
    whole_classes, whole_numbers = ClassScores(CLASSES), NumberScores()
    whole_classes.add(LABELS, PREDICTIONS, PROBABILITIES)
    whole_numbers.add(NUMBERS, ESTIMATES)
    names = "accuracy", "balanced_accuracy", "macro_f1", "log_loss"
    assert [getattr(classes, name) for name in names] == pytest.approx(
        [getattr(whole_classes, name) for name in names], rel=1e-12
    )
    for name in ("rmse", "mae", "r2"):
        assert getattr(numbers, name) == pytest.approx(getattr(whole_numbers, name), rel=1e-12)
    if ends == [ROWS]:
        assert classes.to_array().tolist() == whole_classes.to_array().tolist()
        assert numbers.to_array().tolist() == whole_numbers.to_array().tolist()


def test_equal_labels_stay_equal_when_they_are_merged() -> None:
    scores = NumberScores()
    for _ in range(2):
        share = NumberScores()
        share.add(np.full(10, 0.1), np.zeros(10))
        scores.merge(share.to_array())
    assert scores.r2 == 0.0


@BLOCKS
def test_numbers_agree_with_scikit_learn(block_rows: int) -> None:
    scores = NumberScores()
    for start in range(0, ROWS, block_rows):
        scores.add(NUMBERS[start : start + block_rows], ESTIMATES[start : start + block_rows])
    theirs = [
        sklearn_metrics.root_mean_squared_error(NUMBERS, ESTIMATES),
        sklearn_metrics.mean_absolute_error(NUMBERS, ESTIMATES),
        sklearn_metrics.r2_score(NUMBERS, ESTIMATES),
    ]
    assert [scores.rmse, scores.mae, scores.r2] == pytest.approx(theirs, rel=1e-12)


def test_a_class_that_is_only_predicted_counts_in_macro_f1_and_one_that_is_neither_does_not() -> None:
    scores = ClassScores(3)
    scores.add(np.array([0, 0]), np.array([0, 1]), np.full((2, 3), 1 / 3))
    assert scores.macro_f1 == pytest.approx((2 / 3 + 0) / 2)
    assert scores.balanced_accuracy == 0.5


def test_certain_and_wrong_is_a_finite_loss() -> None:
    scores = ClassScores(2)
    scores.add(np.array([0]), np.array([1]), np.array([[0.0, 1.0]]))
    assert math.isfinite(scores.log_loss)


@pytest.mark.parametrize("number", [1.0, 0.1])
def test_r2_of_equal_labels_is_zero(number: float) -> None:
    scores = NumberScores()
    for _ in range(2):
        scores.add(np.full(1000, number), np.zeros(1000))
    assert scores.r2 == 0.0
