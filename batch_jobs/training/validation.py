"""How good a model is on the validation rows, counted up batch by batch on each worker and then over all of them.

What is kept of a row is its part in the sums: memory does not grow with the rows.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.tasks import Scores, Task
from training.world import World


@dataclass(frozen=True)
class Validation:
    """Of all workers' rows. `loss` is their mean; there are no `metrics` where it is no finite number."""

    loss: float
    metrics: dict[str, float]


class Tally:
    """What one worker has counted up of its share, which may be none."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._scores: Scores = task.scores()
        self._rows = 0
        self._summed_loss = 0.0

    def add(self, labels: np.ndarray, outputs: Tensor, loss: Tensor) -> None:
        """Shapes: `labels` (m,), m at least 1; `outputs` (m, k) float32 raw; `loss` (), the sum over these rows."""
        self._rows += len(labels)
        self._summed_loss += float(loss)
        if math.isfinite(self._summed_loss):
            self._scores.add(labels, self._task.decode(outputs.cpu().numpy()))

    def of_all(self, world: World) -> Validation:
        """All workers must call it, and all are answered the same, to the bit: each adds up everyone's numbers in the
        order of ranks. Early stopping relies on it, or some would wait for ever."""
        mine = np.concatenate([[self._rows, self._summed_loss], self._scores.to_array()])
        rows, summed_loss, scores = 0.0, 0.0, self._task.scores()
        for counted in world.stack(torch.from_numpy(mine)).numpy():
            rows += float(counted[0])
            summed_loss += float(counted[1])
            scores.merge(counted[2:])
        loss = summed_loss / rows
        return Validation(loss, scores.metrics() if math.isfinite(loss) else {})
