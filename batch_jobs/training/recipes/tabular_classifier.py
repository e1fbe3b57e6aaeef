"""Classes from a row of numbers: a multilayer perceptron with cross-entropy."""

from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from training.perceptron import perceptron
from training.recipe import Recipe, TrainingConfig
from training.tasks import Classification


class TabularClassifierConfig(TrainingConfig):
    """`hidden` is the width of each hidden layer; empty makes a linear model."""

    hidden: list[PositiveInt] = Field(default=[32], max_length=8)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)


def model(config: TabularClassifierConfig, feature_count: int, class_count: int) -> nn.Module:
    """Shapes: (n, feature_count) to logits (n, class_count)."""
    return perceptron([feature_count, *config.hidden, class_count], config.dropout)


def loss(config: TabularClassifierConfig, logits: Tensor, targets: Tensor) -> Tensor:
    """Shapes: logits (n, k), targets (n,) int64 class positions."""
    return functional.cross_entropy(logits, targets, reduction="sum", label_smoothing=config.label_smoothing)


RECIPE = Recipe("tabular_classifier", TabularClassifierConfig, Classification, model, loss)
