"""What a recipe is: a typed config, a model, a loss, and the task that gives predictions and metrics."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor, nn

from training.errors import BadConfigurationError
from training.spec import first_problem
from training.tasks import Classification, Regression


class TrainingConfig(BaseModel):
    """The hyperparameters every recipe has; a recipe's own config adds to them.

    `batch_size` is the global one: the same on one worker and on many. `early_stopping_patience` is in
    epochs without a better validation loss; with it the best epoch's weights are kept.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    epochs: int = Field(default=10, ge=1, le=10_000)
    batch_size: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0, le=10)
    learning_rate_schedule: Literal["constant", "cosine"] = "cosine"
    weight_decay: float = Field(default=0.01, ge=0, le=10)
    early_stopping_patience: int | None = Field(default=None, ge=1)


@dataclass(frozen=True)
class Recipe:
    """One way to train.

    Shapes: `model(config, f, k)` maps (n, f) float32 to (n, k); `loss(config, outputs, targets)` is the
    sum over rows, not the mean, so that workers with unequal shares add up to the global batch.
    """

    name: str
    config: type[TrainingConfig]
    task: type[Classification] | type[Regression]
    model: Callable[[Any, int, int], nn.Module]
    loss: Callable[[Any, Tensor, Tensor], Tensor]

    def parse_config(self, hyperparameters: dict[str, Any]) -> TrainingConfig:
        """Raises: BadConfigurationError naming the hyperparameter."""
        try:
            return self.config.model_validate(hyperparameters)
        except ValidationError as error:
            raise BadConfigurationError(
                f"recipe {self.name}: hyperparameter {first_problem(error)}",
                f"it takes {', '.join(self.config.model_fields)}",
            ) from error
