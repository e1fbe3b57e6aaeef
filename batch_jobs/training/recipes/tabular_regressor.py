"""A number from a row of numbers: a multilayer perceptron with squared error."""

from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from training.perceptron import perceptron
from training.recipe import Recipe, TrainingConfig
from training.tasks import Regression


class TabularRegressorConfig(TrainingConfig):
    """`hidden` is the width of each hidden layer; empty makes a linear model."""

    hidden: list[PositiveInt] = Field(default=[32], max_length=8)
    dropout: float = Field(default=0.0, ge=0, lt=1)


def model(config: TabularRegressorConfig, feature_count: int, output_width: int) -> nn.Module:
    """Shapes: (n, feature_count) to (n, output_width), where output_width is 1."""
    return perceptron([feature_count, *config.hidden, output_width], config.dropout)


def loss(_config: TabularRegressorConfig, outputs: Tensor, targets: Tensor) -> Tensor:
    """Shapes: outputs (n, 1), targets (n,) float32."""
    return functional.mse_loss(outputs[:, 0], targets, reduction="sum")


RECIPE = Recipe("tabular_regressor", TabularRegressorConfig, Regression, model, loss)
