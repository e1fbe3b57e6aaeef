"""Scaling of the inputs, fitted on the train split and stored with the model."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from training.moments import Moments


@dataclass(frozen=True)
class Normalisation:
    """Shapes: `mean` and `scale` (f,) float64, one entry a column."""

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, train: Moments) -> "Normalisation":
        """A constant column keeps scale 1: it carries nothing, and 0 would divide."""
        return cls(train.mean, np.where(train.is_constant, 1.0, train.deviation))

    @classmethod
    def fit(cls, values: np.ndarray) -> "Normalisation":
        """From `values` (n, f) float64."""
        return cls.of(Moments.of(values))

    @classmethod
    def none(cls, feature_count: int) -> "Normalisation":
        """For features that reach the model as they are."""
        return cls(np.zeros(feature_count), np.ones(feature_count))

    def apply(self, values: np.ndarray) -> np.ndarray:
        """`values` (n, f) float64, centred and scaled, as float32: infinite where that has no room for them."""
        with np.errstate(over="ignore"):
            return ((values - self.mean) / self.scale).astype(np.float32)

    def undo(self, values: np.ndarray) -> np.ndarray:
        return values.astype(np.float64) * self.scale + self.mean

    def to_json(self) -> dict[str, list[float]]:
        return {"mean": self.mean.tolist(), "scale": self.scale.tolist()}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Normalisation":
        return cls(np.array(document["mean"], np.float64), np.array(document["scale"], np.float64))
