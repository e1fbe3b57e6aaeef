"""Mean and spread of columns that are seen a block of rows at a time."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Moments:
    """Of `count` rows. Shapes: the others (f,) float64; `squares` is the sum of squared differences from the mean.

    Source: Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances",
    1979: blocks are summed up around their own means, so that a large mean costs the spread no digits.
    """

    count: int
    mean: np.ndarray
    squares: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> "Moments":
        """Shapes: `values` (n, f) float64, n at least 1."""
        mean = values.mean(axis=0)
        squares = np.square(values - mean).sum(axis=0)
        return cls(len(values), mean, squares, values.min(axis=0), values.max(axis=0))

    def __add__(self, other: "Moments") -> "Moments":
        count = self.count + other.count
        difference = other.mean - self.mean
        return Moments(
            count,
            self.mean + difference * (other.count / count),
            self.squares + other.squares + np.square(difference) * (self.count * other.count / count),
            np.minimum(self.lowest, other.lowest),
            np.maximum(self.highest, other.highest),
        )

    @property
    def deviation(self) -> np.ndarray:
        result: np.ndarray = np.sqrt(self.squares / self.count)
        return result

    @property
    def is_constant(self) -> np.ndarray:
        """Whether a column has no spread to divide by. Shapes: (f,) bool.

        Not by the deviation alone, which rounding leaves above 0 for a constant 0.1; nor by the range alone, as
        the squares of numbers below 1e-162 are 0.
        """
        result: np.ndarray = (self.lowest == self.highest) | (self.squares == 0)
        return result
