"""What a recipe is: a typed config, a model, a loss, and the task that gives predictions and metrics."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor, nn

from training.errors import BadConfigurationError
from training.spec import first_problem
from training.tasks import Classification, Regression


class TrainingConfig(BaseModel):
    """The hyperparameters every recipe has; a recipe's own config adds to them.

    `batch_size` is the global one: the same on one worker and on many. `micro_batch_size` is the most rows a
    worker takes through the model at once; gradients of the pieces add up. `warmup_steps` is how long the
    learning rate rises before its schedule begins. `precision` "auto" is bfloat16 autocast on a GPU, float32 on
    a CPU. `early_stopping_patience` is in epochs without a better validation loss; with it the best epoch's
    weights are kept. `log_every_steps` is how often loss and throughput are reported.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    epochs: int = Field(default=10, ge=1, le=10_000)
    batch_size: int = Field(default=32, ge=1)
    micro_batch_size: int | None = Field(default=None, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0, le=10)
    learning_rate_schedule: Literal["constant", "cosine"] = "cosine"
    warmup_steps: int = Field(default=0, ge=0)
    weight_decay: float = Field(default=0.01, ge=0, le=10)
    max_gradient_norm: float | None = Field(default=None, gt=0)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    compile: bool = False
    early_stopping_patience: int | None = Field(default=None, ge=1)
    log_every_steps: int = Field(default=50, ge=1)


@dataclass(frozen=True)
class Recipe:
    """One way to train.

    Shapes: `model(config, f, k)` maps (n, f) float32 to (n, k); `loss(config, outputs, targets)` is the
    sum over rows, not the mean, so that workers with unequal shares add up to the global batch.

    With `scales_inputs` False the features reach the model as they are: token ids are no measurements.
    `check_rows(config, feature_names, features, first_row)` raises BadDataError for features, (m, f) float64, that
    the model cannot take. A recipe draws random numbers from torch's generators alone, whose states are part of a
    checkpoint.
    """

    name: str
    config: type[TrainingConfig]
    task: type[Classification] | type[Regression]
    model: Callable[[Any, int, int], nn.Module]
    loss: Callable[[Any, Tensor, Tensor], Tensor]
    scales_inputs: bool = True
    check_rows: Callable[[Any, list[str], np.ndarray, int], None] | None = None

    def parse_config(self, hyperparameters: dict[str, Any]) -> TrainingConfig:
        """Raises: BadConfigurationError naming the hyperparameter."""
        try:
            return self.config.model_validate(hyperparameters)
        except ValidationError as error:
            raise BadConfigurationError(
                f"recipe {self.name}: hyperparameter {first_problem(error)}",
                f"it takes {', '.join(self.config.model_fields)}",
            ) from error
