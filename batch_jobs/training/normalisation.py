"""Scaling of the inputs, fitted on the train split and stored with the model."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Normalisation:
    """Shapes: `mean` and `scale` (f,) float64, one entry a column."""

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, values: np.ndarray) -> "Normalisation":
        """From `values` (n, f) float64. A constant column keeps scale 1: it carries nothing, and 0 would divide."""
        return cls(values.mean(axis=0), np.where(is_constant(values), 1.0, values.std(axis=0)))

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


def is_constant(values: np.ndarray) -> np.ndarray:
    """Whether a column has no spread to divide by. Shapes: (n, …) to (…).

    Not by the deviation alone, which rounding leaves above 0 for a constant 0.1; nor by the range alone, as
    the squares of numbers below 1e-162 are 0.
    """
    result: np.ndarray = (values.min(axis=0) == values.max(axis=0)) | (values.std(axis=0) == 0)
    return result
