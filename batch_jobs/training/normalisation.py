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
        """From `values` (n, f). A constant column keeps scale 1: it carries nothing, and 0 would divide."""
        wide = values.astype(np.float64)
        scale = wide.std(axis=0)
        return cls(wide.mean(axis=0), np.where(scale > 0, scale, 1.0))

    def apply(self, values: np.ndarray) -> np.ndarray:
        return ((values - self.mean) / self.scale).astype(np.float32)

    def undo(self, values: np.ndarray) -> np.ndarray:
        return values.astype(np.float64) * self.scale + self.mean

    def to_json(self) -> dict[str, list[float]]:
        return {"mean": self.mean.tolist(), "scale": self.scale.tolist()}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Normalisation":
        return cls(np.array(document["mean"], np.float64), np.array(document["scale"], np.float64))
