"""Exported models, as the training job leaves them, without a training job."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from training.export import write_weights
from training.normalisation import Normalisation
from training.recipes import find_recipe

FEATURES = ["a", "b", "c"]


def export_model(folder: Path, recipe_name: str, task_settings: dict[str, Any], output_width: int) -> Path:
    recipe = find_recipe(recipe_name)
    config = recipe.parse_config({"hidden": [4]})
    torch.manual_seed(1)
    write_weights(folder, recipe.model(config, len(FEATURES), output_width))
    normalisation = Normalisation(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 0.5])).to_json()
    classes = task_settings.pop("classes", None)
    document = {
        "schema_version": 1,
        "recipe": recipe_name,
        "hyperparameters": config.model_dump(),
        "features": FEATURES,
        "target": "t",
        "classes": classes,
        "normalisation": normalisation | task_settings,
    }
    (folder / "config.json").write_text(json.dumps(document))
    return folder


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    return export_model(tmp_path, "tabular_classifier", {"classes": ["no", "yes, really"]}, 2)


@pytest.fixture
def regressor(tmp_path: Path) -> Path:
    return export_model(tmp_path, "tabular_regressor", {"target_mean": 100.0, "target_scale": 10.0}, 1)


@pytest.fixture
def row() -> Callable[..., str]:
    def line(**changes: Any) -> str:
        return json.dumps({"id": "r1", "a": 1.0, "b": 2, "c": 3.5} | changes)

    return line
