"""A trained model put to use, rebuilt from what was exported: `config.json` and the weights.

The job measures the model through this class, and the inference container serves it through the same, so
the published metrics are those of the archive itself.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from training.archive import CONFIG_FILE, WEIGHTS_FILE
from training.normalisation import Normalisation
from training.recipes import find_recipe
from training.tasks import Predictions, Task

# Bounds the memory of one forward pass, whatever the number of rows and features.
ROWS_PER_PASS = 4096
NUMBERS_PER_PASS = 2**18


@dataclass(frozen=True)
class Predictor:
    """A model with the scaling of its inputs and the meaning of its outputs.

    `check_rows(features, first_row)` raises BadDataError for features (m, f) that the model cannot take.
    """

    features: list[str]
    normalisation: Normalisation
    task: Task
    model: nn.Module
    device: torch.device
    check_rows: Callable[[np.ndarray, int], None] | None = None

    @classmethod
    def load(cls, folder: Path, device: torch.device | None = None) -> "Predictor":
        """From an unpacked archive."""
        config: dict[str, Any] = json.loads((folder / CONFIG_FILE).read_text())
        recipe = find_recipe(config["recipe"])
        task = recipe.task.from_json(config | config["normalisation"])
        settings = recipe.parse_config(config["hyperparameters"])
        model = recipe.model(settings, len(config["features"]), task.output_width)
        model.load_state_dict(load_file(folder / WEIGHTS_FILE))
        device = device or torch.device("cpu")
        check_rows = recipe.check_rows and partial(recipe.check_rows, settings, config["features"])
        return cls(
            config["features"],
            Normalisation.from_json(config["normalisation"]),
            task,
            model.to(device),
            device,
            check_rows,
        )

    def predict(self, features: np.ndarray) -> Predictions:
        """Shapes: `features` (n, f) float64, unscaled, columns in the order of `self.features`."""
        return self.task.decode(self.outputs(self.normalisation.apply(features)))

    def outputs(self, scaled: np.ndarray) -> np.ndarray:
        """What the model makes of scaled features, before the task decodes it. Shapes: (n, f) to (n, k) float32."""
        return outputs_of(self.model, torch.from_numpy(scaled).to(self.device)).cpu().numpy()


@torch.inference_mode()
def outputs_of(model: nn.Module, features: torch.Tensor) -> torch.Tensor:
    """The model in evaluation mode on all rows. Shapes: (n, f) to (n, k)."""
    model.eval()
    rows_per_pass = min(ROWS_PER_PASS, max(1, NUMBERS_PER_PASS // features.shape[1]))
    return torch.cat([model(rows) for rows in features.split(rows_per_pass)])
