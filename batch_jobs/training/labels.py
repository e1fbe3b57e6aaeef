"""What is known of the target column without holding it: the distinct labels, or a number's mean and spread."""

from dataclasses import dataclass, field

import numpy as np

from training.moments import Moments

# Beyond this many, integers or strings are no classes, and counting them would take the memory a model needs.
MOST_CLASSES = 100_000


@dataclass
class LabelSummary:
    """Of the whole data set (`train_counts`' keys), and of its train split (counts and `train_moments`).

    `train_counts` maps every distinct label to how often the train split has it; None for fractions, and for
    more than MOST_CLASSES. `train_moments` is None for strings.
    """

    kind: str
    train_counts: dict[bool | int | str, int] | None = field(default_factory=dict)
    train_moments: Moments | None = None

    @classmethod
    def of(cls, labels: np.ndarray, is_train: np.ndarray | None = None) -> "LabelSummary":
        """Of labels at hand. Shapes: `labels` (n,), `is_train` (n,) bool or None for all."""
        summary = cls(labels.dtype.kind)
        summary.add(labels, np.ones(len(labels), bool) if is_train is None else is_train)
        return summary

    def add(self, labels: np.ndarray, is_train: np.ndarray) -> None:
        """Take in more rows. Shapes: `labels` (m,), `is_train` (m,) bool."""
        train = labels[is_train]
        if self.kind != "U" and len(train):
            of_these = Moments.of(train[:, None].astype(np.float64))
            self.train_moments = of_these if self.train_moments is None else self.train_moments + of_these
        if self.kind == "f":
            self.train_counts = None
        elif self.train_counts is not None:
            self._count(labels, is_train)

    def _count(self, labels: np.ndarray, is_train: np.ndarray) -> None:
        assert self.train_counts is not None
        distinct, places = np.unique(labels, return_inverse=True)
        counts = np.bincount(places[is_train], minlength=len(distinct))
        for label, count in zip(distinct.tolist(), counts.tolist(), strict=True):
            self.train_counts[label] = self.train_counts.get(label, 0) + count
        if len(self.train_counts) > MOST_CLASSES:
            self.train_counts = None
