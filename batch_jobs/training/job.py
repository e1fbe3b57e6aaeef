"""One run from its spec to its `_SUCCESS`: load, split, train, export, measure what was exported, publish."""

import json
import platform
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from training import export
from training.cloudwatch import publish_metrics, require_finite, whole_minute
from training.data import Examples, load_examples
from training.errors import BadDataError
from training.evaluation import write_evaluation
from training.log import log_event
from training.normalisation import Normalisation
from training.predictor import Predictor
from training.recipe import Recipe, TrainingConfig
from training.recipes import find_recipe
from training.spec import RunSpec
from training.split import SplitRows, split_rows
from training.storage import Storage
from training.tasks import Classification, Task
from training.trainer import Epoch, Rows, train
from training.world import World, connected, find_world

METRICS_FILE = "metrics.json"
EVALUATION_FILE = "evaluation.parquet"
MODEL_FOLDER = "model"
OUTPUTS = (
    *(f"{MODEL_FOLDER}/{name}" for name in export.MODEL_FILES),
    export.ARCHIVE,
    METRICS_FILE,
    EVALUATION_FILE,
)


@dataclass(frozen=True)
class Inputs:
    """A run with everything that is settled before the first step."""

    spec: RunSpec
    recipe: Recipe
    config: TrainingConfig
    examples: Examples
    rows: SplitRows
    normalisation: Normalisation
    task: Task


def run_job(spec: RunSpec, storage: Storage) -> None:
    """Every process of the run calls this; the main one writes the results.

    Raises: TrainingJobError.
    """
    started_at, started = datetime.now(UTC), time.monotonic()
    world = find_world()
    _settle_arithmetic(world)
    if world.is_main:
        log_event(
            "started",
            run_id=spec.run_id,
            recipe=spec.recipe.name,
            device=str(world.device),
            world_size=world.size,
        )
    # Before the processes connect, so that a data set nobody can use ends each with its own code
    # instead of with its neighbour's broken connection.
    inputs = _prepare(spec, storage)
    if world.is_main:
        log_event("data_loaded", rows=_row_counts(inputs), features=len(inputs.examples.feature_names))
    torch.manual_seed(spec.seed)
    model = inputs.recipe.model(inputs.config, len(inputs.examples.feature_names), inputs.task.output_width)
    with connected(world):
        epochs = _train(model, inputs, world, started)
    if not world.is_main:
        return
    with tempfile.TemporaryDirectory() as folder:
        metrics = _measure(Path(folder), model, inputs, world)
        metrics |= {"epochs": epochs, **_timing(started_at, started), "environment": _environment(world)}
        _publish(Path(folder), metrics, spec, storage)
    log_event("finished", run_id=spec.run_id, output_uri=spec.output_uri, duration_s=metrics["duration_s"])


def _settle_arithmetic(world: World) -> None:
    # torch refuses operations without a deterministic GPU kernel. Not asked for on a CPU, where all of
    # ours are deterministic: the call imports torch._dynamo, as much CPU time as torch itself.
    if world.device.type == "cuda":
        torch.use_deterministic_algorithms(True)


def _prepare(spec: RunSpec, storage: Storage) -> Inputs:
    recipe = find_recipe(spec.recipe.name)
    config = recipe.parse_config(spec.recipe.hyperparameters)
    examples = load_examples(spec.dataset, storage)
    rows = split_rows(len(examples.labels), spec.split)
    # Classes are a property of the data set; the spread of a number is learnt from the train split only.
    known_labels = examples.labels if recipe.task is Classification else examples.labels[rows.train]
    normalisation = Normalisation.fit(examples.features[rows.train])
    _require_in_range(normalisation, examples)
    return Inputs(
        spec=spec,
        recipe=recipe,
        config=config,
        examples=examples,
        rows=rows,
        normalisation=normalisation,
        task=recipe.task.fit(known_labels, spec.dataset.target),
    )


def _require_in_range(normalisation: Normalisation, examples: Examples) -> None:
    """Raises: BadDataError when a number, in units of its spread on the train split, overflows float32."""
    bad = ~np.isfinite(normalisation.apply(examples.features))
    if bad.any():
        row, column = divmod(int(bad.argmax()), bad.shape[1])
        raise BadDataError(
            f"column {examples.feature_names[column]!r} is too far from the train split in row {row}: "
            "scaled, it is no finite float32",
            "correct or drop such rows before writing the data set",
        )


def _train(model: nn.Module, inputs: Inputs, world: World, started: float) -> list[dict[str, Any]]:
    """Trains `model` in place; returns the `epochs` of metrics.json."""
    loss = partial(inputs.recipe.loss, inputs.config)
    train_rows = _on_device(inputs, inputs.rows.train, world.device)
    validation_rows = _on_device(inputs, inputs.rows.validation, world.device)
    epochs = []
    for epoch in train(model, loss, train_rows, validation_rows, inputs.config, inputs.spec.seed, world):
        epochs.append(_describe(epoch, inputs, time.monotonic() - started))
        if world.is_main:
            _log_epoch(epochs[-1], inputs.config.epochs)
    return epochs


def _on_device(inputs: Inputs, rows: Any, device: torch.device) -> Rows:
    features = inputs.normalisation.apply(inputs.examples.features[rows])
    targets = inputs.task.encode(inputs.examples.labels[rows])
    return Rows(torch.from_numpy(features).to(device), torch.from_numpy(targets).to(device))


def _describe(epoch: Epoch, inputs: Inputs, elapsed_s: float) -> dict[str, Any]:
    predictions = inputs.task.decode(epoch.validation_outputs.cpu().numpy())
    return {
        "epoch": epoch.number,
        "train_loss": epoch.train_loss,
        "validation_loss": epoch.validation_loss,
        "validation": inputs.task.measure(inputs.examples.labels[inputs.rows.validation], predictions),
        "elapsed_s": round(elapsed_s, 3),
    }


def _log_epoch(epoch: dict[str, Any], epochs: int) -> None:
    validation = {f"validation_{name}": value for name, value in epoch["validation"].items()}
    others = {name: value for name, value in epoch.items() if name != "validation"}
    log_event("epoch", epochs=epochs, **others, **validation)


def _measure(folder: Path, model: nn.Module, inputs: Inputs, world: World) -> dict[str, Any]:
    """Export the model into `folder`, and measure it from there as whoever gets the archive would."""
    spec, examples, rows, task = inputs.spec, inputs.examples, inputs.rows, inputs.task
    model_folder = folder / MODEL_FOLDER
    model_folder.mkdir()
    config = export.model_config(spec, inputs.config, examples.feature_names, inputs.normalisation, task)
    export.write_weights(model_folder, model)
    export.write_config(model_folder, config)

    predictor = Predictor.load(model_folder, world.device)
    predictions = predictor.predict(examples.features[rows.test])
    test_labels = examples.labels[rows.test]
    test = task.measure(test_labels, predictions)
    require_finite(test)
    validation = task.measure(examples.labels[rows.validation], predictor.predict(examples.features[rows.validation]))
    baseline = task.measure(test_labels, task.baseline(examples.labels[rows.train], len(test_labels)))

    export.write_config(model_folder, config | {"metrics": {"test": test}})
    export.write_card(model_folder, spec, inputs.config, test, baseline)
    export.write_archive(model_folder, folder / export.ARCHIVE)
    write_evaluation(folder / EVALUATION_FILE, rows.test, test_labels, predictions)
    log_event("evaluated", **{f"test_{name}": value for name, value in test.items()})
    return {
        "schema_version": 1,
        "run_id": spec.run_id,
        "team": spec.team,
        "recipe": spec.recipe.name,
        "seed": spec.seed,
        "dataset_version": spec.dataset.version,
        "split_id": spec.split.id,
        "rows": _row_counts(inputs),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "test": test,
        "validation": validation,
        "baseline": baseline,
    }


def _publish(folder: Path, metrics: dict[str, Any], spec: RunSpec, storage: Storage) -> None:
    """Files and CloudWatch, then the marker that makes them the run's result.

    Nothing is written below another job's marker: it is looked for once more, and metrics.json, the one file
    that differs from job to job of a run, as it holds times, goes last. No more than a narrow window, until
    jobs hold a lease: two that pass here at once may still leave one's metrics.json under the other's marker.

    Raises: LeaseHeldError when another job of the run has committed meanwhile.
    """
    published_at = whole_minute(datetime.now(UTC))
    document = metrics | {"published_at": _timestamp(published_at)}
    (folder / METRICS_FILE).write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")
    storage.require_unfinished(spec.output_uri)
    storage.upload(folder, [name for name in OUTPUTS if name != METRICS_FILE], spec.output_uri)
    publish_metrics(spec.metrics, metrics["test"], published_at)
    storage.upload(folder, [METRICS_FILE], spec.output_uri)
    storage.commit(folder, list(OUTPUTS), spec.output_uri)


def _row_counts(inputs: Inputs) -> dict[str, int]:
    rows = inputs.rows
    return {"train": len(rows.train), "validation": len(rows.validation), "test": len(rows.test)}


def _timing(started_at: datetime, started: float) -> dict[str, Any]:
    duration_s = round(time.monotonic() - started, 3)
    return {
        "started_at": _timestamp(started_at),
        "ended_at": _timestamp(datetime.now(UTC)),
        "duration_s": duration_s,
    }


def _timestamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _environment(world: World) -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": world.device.type,
        "world_size": world.size,
    }
