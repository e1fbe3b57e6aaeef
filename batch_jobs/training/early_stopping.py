"""When training has stopped to gain, and the weights of its best epoch."""

import math

import torch
from torch import Tensor, nn


class Patience:
    """Counts epochs without a better validation loss, and keeps the best weights.

    With `limit` None it never stops and keeps nothing.
    """

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self.best_loss = math.inf
        self.epochs_without_gain = 0
        self.best_weights: dict[str, Tensor] = {}

    @property
    def is_exhausted(self) -> bool:
        return self._limit is not None and self.epochs_without_gain >= self._limit

    def watch(self, validation_loss: float, model: nn.Module) -> None:
        """Take note of an epoch that has ended."""
        if self._limit is None:
            return
        if validation_loss < self.best_loss:
            self.best_loss = validation_loss
            self.best_weights = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
            self.epochs_without_gain = 0
        else:
            self.epochs_without_gain += 1

    @torch.no_grad()
    def restore_best(self, model: nn.Module) -> None:
        if self.best_weights:
            model.load_state_dict(self.best_weights)
