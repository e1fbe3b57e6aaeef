"""How good predictions are. Plain numpy in float64, so that anyone can check a number by hand."""

import numpy as np

# Keeps log_loss finite when a model is certain and wrong.
SMALLEST_PROBABILITY = 1e-15


def accuracy(labels: np.ndarray, predictions: np.ndarray) -> float:
    return float((labels == predictions).mean())


def balanced_accuracy(labels: np.ndarray, predictions: np.ndarray) -> float:
    """Mean recall over the classes that occur in `labels`."""
    recalls = [float((predictions[labels == k] == k).mean()) for k in np.unique(labels)]
    return float(np.mean(recalls))


def macro_f1(labels: np.ndarray, predictions: np.ndarray) -> float:
    """Mean F1 over the classes that occur in labels or predictions."""
    return float(np.mean([_f1(labels == k, predictions == k) for k in np.union1d(labels, predictions)]))


def _f1(actual: np.ndarray, predicted: np.ndarray) -> float:
    return float(2 * (actual & predicted).sum() / (actual.sum() + predicted.sum()))


def log_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean negative log-likelihood, in nats.

    Shapes: `labels` (n,) int64 class positions; `probabilities` (n, k), rows summing to 1.
    """
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(chosen, SMALLEST_PROBABILITY)).mean())


def rmse(labels: np.ndarray, predictions: np.ndarray) -> float:
    return float(np.sqrt(np.square(labels - predictions).mean()))


def mae(labels: np.ndarray, predictions: np.ndarray) -> float:
    return float(np.abs(labels - predictions).mean())


def r2(labels: np.ndarray, predictions: np.ndarray) -> float:
    """Share of the variance explained; 0 when all labels are equal, where it is undefined."""
    total = float(np.square(labels - labels.mean()).sum())
    return 1.0 - float(np.square(labels - predictions).sum()) / total if total > 0 else 0.0
