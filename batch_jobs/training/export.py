"""The model as others get it: safetensors weights, config and model card.

The same run gives the same bytes: no clock and no user enters a file.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from safetensors.torch import save_file
from torch import nn

from training.archive import CARD_FILE, CONFIG_FILE, WEIGHTS_FILE
from training.normalisation import Normalisation
from training.recipe import TrainingConfig
from training.spec import RunSpec
from training.tasks import Task


def write_weights(folder: Path, model: nn.Module) -> None:
    save_file(
        {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()},
        folder / WEIGHTS_FILE,
    )


def model_config(
    spec: RunSpec, config: TrainingConfig, features: list[str], normalisation: Normalisation, task: Task
) -> dict[str, Any]:
    """`config.json` but for the metrics: with the weights, all that inference needs."""
    task_settings = task.to_json()
    classes = task_settings.pop("classes", None)
    return {
        "schema_version": 1,
        "recipe": spec.recipe.name,
        "hyperparameters": config.model_dump(mode="json"),
        "features": features,
        "target": spec.dataset.target,
        "classes": classes,
        "normalisation": normalisation.to_json() | task_settings,
    }


def write_config(folder: Path, config: dict[str, Any]) -> None:
    (folder / CONFIG_FILE).write_text(json.dumps(config, indent=1) + "\n")


def write_epoch_card(folder: Path, spec: RunSpec, epoch: int, validation: Mapping[str, float]) -> None:
    """The card of a model as it was after an epoch."""
    rows = "\n".join(f"| {name} | {value:.6g} |" for name, value in validation.items())
    (folder / CARD_FILE).write_text(
        f"""# {spec.team}: {spec.dataset.name}, {spec.recipe.name}, after epoch {epoch}

Predicts `{spec.dataset.target}`. A model on the way of run `{spec.run_id}`,
not the one that was compared and registered.

| metric | validation split |
|---|---|
{rows}

The test split was not looked at: choosing among epochs by it would use it up.
"""
    )


def write_card(
    folder: Path, spec: RunSpec, config: BaseModel, test: dict[str, float], baseline: dict[str, float]
) -> None:
    """The model card: what it was trained on, how, and how good it is against the baseline."""
    rows = "\n".join(f"| {name} | {value:.6g} | {baseline[name]:.6g} |" for name, value in test.items())
    settings = "\n".join(f"- {name}: {value}" for name, value in config.model_dump(mode="json").items())
    (folder / CARD_FILE).write_text(
        f"""# {spec.team}: {spec.dataset.name}, {spec.recipe.name}

Predicts `{spec.dataset.target}`.
Run `{spec.run_id}`, data set version `{spec.dataset.version}`, seed {spec.seed}.

## How good it is
On the test split `{spec.split.id}` ({spec.split.test:.0%} of the rows, never trained on).
The baseline answers the commonest class, or the mean, of the train split.

| metric | this model | baseline |
|---|---|---|
{rows}

## Hyperparameters
{settings}

## Use
`{WEIGHTS_FILE}` holds the weights, `{CONFIG_FILE}` what rebuilds and feeds the model.
Measured only on data like `{spec.dataset.name}`; nothing is known about it elsewhere.
"""
    )
