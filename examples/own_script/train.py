"""A team's own training: softmax regression with SGD and momentum, in plain PyTorch.

It reads TURBINE_DATA_DIR, saves a checkpoint each epoch, stops after one when asked, and leaves a model that
Turbine's inference can serve: that of the recipe tabular_classifier without a hidden layer. Of Turbine it imports
what it would else have to write itself; only the files it leaves are a must.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.torch import save_file
from torch import nn

from training.normalisation import Normalisation
from training.recipes import find_recipe
from training.tasks import Classification

DATA = Path(os.environ["TURBINE_DATA_DIR"])
CHECKPOINTS = Path(os.environ["TURBINE_CHECKPOINT_DIR"])
OUTPUT = Path(os.environ["TURBINE_OUTPUT_DIR"])
SPEC = json.loads(Path(os.environ["TURBINE_RUN_SPEC_FILE"]).read_text())
ARGUMENTS: dict[str, Any] = {"epochs": 20, "batch_size": 16, "learning_rate": 0.05, "momentum": 0.9}
ARGUMENTS |= json.loads(os.environ["TURBINE_ARGUMENTS"])
RECIPE = find_recipe("tabular_classifier")
HYPERPARAMETERS: dict[str, Any] = {"hidden": []}

INTERRUPTED = 75  # tells Batch to start the job again; it then finds the last checkpoint

asked_to_stop = False


def main() -> None:
    signal.signal(signal.SIGTERM, remember_the_order)
    started_s = time.monotonic()
    names, features, labels, split = read_data()
    task = Classification.fit(labels, SPEC["dataset"]["target"])
    scaling = Normalisation.fit(features[split == "train"])
    inputs, targets = torch.from_numpy(scaling.apply(features)), torch.from_numpy(task.encode(labels))

    torch.manual_seed(SPEC["seed"])
    model = RECIPE.model(RECIPE.parse_config(HYPERPARAMETERS), len(names), task.output_width)
    optimizer = torch.optim.SGD(model.parameters(), lr=ARGUMENTS["learning_rate"], momentum=ARGUMENTS["momentum"])
    epochs = resume(model, optimizer)
    for number in range(len(epochs) + 1, ARGUMENTS["epochs"] + 1):
        train_loss = train_epoch(model, optimizer, inputs[split == "train"], targets[split == "train"], number)
        entry = {"epoch": number, "train_loss": train_loss} | validate(model, task, inputs, targets, labels, split)
        epochs.append(entry | {"elapsed_s": round(time.monotonic() - started_s, 3)})
        save_checkpoint(model, optimizer, epochs)
        print(json.dumps({"event": "epoch", "epochs": ARGUMENTS["epochs"], **epochs[-1]}), flush=True)
        if asked_to_stop:
            sys.exit(INTERRUPTED)
    write_results(model, task, scaling, names, inputs, labels, split, epochs)


def remember_the_order(_signal: int, _frame: object) -> None:
    global asked_to_stop
    asked_to_stop = True


def read_data() -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Feature names, features (n, f) float64, labels (n,) and each row's part of the pinned split (n,)."""
    table = pa.concat_tables(pq.read_table(path) for path in sorted((DATA / "shards").iterdir()))
    split = np.array(pq.read_table(DATA / "split.parquet")["split"].to_pylist())
    labels = np.array(table[SPEC["dataset"]["target"]].to_pylist())
    columns = table.drop_columns([SPEC["dataset"]["target"]])
    features = np.stack([column.to_numpy() for column in columns.columns], axis=1).astype(np.float64)
    return columns.column_names, features, labels, split


def train_epoch(
    model: nn.Module, optimizer: torch.optim.Optimizer, inputs: torch.Tensor, targets: torch.Tensor, number: int
) -> float:
    """The mean loss. The order of rows follows from seed and epoch, so that a resumed run sees the same."""
    order = torch.from_numpy(np.random.default_rng([SPEC["seed"], number]).permutation(len(targets)))
    model.train()
    summed = 0.0
    for batch in order.split(ARGUMENTS["batch_size"]):
        loss = nn.functional.cross_entropy(model(inputs[batch]), targets[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        summed += float(loss.detach()) * len(batch)
    return summed / len(targets)


@torch.no_grad()
def validate(
    model: nn.Module,
    task: Classification,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    labels: np.ndarray,
    split: np.ndarray,
) -> dict[str, object]:
    rows = split == "validation"
    logits = model.eval()(inputs[rows])
    loss = float(nn.functional.cross_entropy(logits, targets[rows]))
    return {"validation_loss": loss, "validation": task.measure(labels[rows], task.decode(logits.numpy()))}


def save_checkpoint(model: nn.Module, optimizer: torch.optim.Optimizer, epochs: list[dict[str, object]]) -> None:
    """Under another name first: Turbine uploads what it sees as `step-…`, and a rename shows all of it or nothing."""
    place = CHECKPOINTS / f"step-{len(epochs):08d}"
    growing = CHECKPOINTS / "growing"
    growing.mkdir(exist_ok=True)
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, growing / "state.pt")
    (growing / "epochs.json").write_text(json.dumps(epochs))
    growing.rename(place)


def resume(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[dict[str, object]]:
    """Load the newest checkpoint, if there is one; the epochs that are done."""
    places = sorted(CHECKPOINTS.glob("step-*"))
    if not places:
        return []
    state = torch.load(places[-1] / "state.pt", weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    epochs: list[dict[str, object]] = json.loads((places[-1] / "epochs.json").read_text())
    return epochs


@torch.no_grad()
def write_results(
    model: nn.Module,
    task: Classification,
    scaling: Normalisation,
    names: list[str],
    inputs: torch.Tensor,
    labels: np.ndarray,
    split: np.ndarray,
    epochs: list[dict[str, object]],
) -> None:
    """The model, and how good it is: Turbine loads it as inference will, measures it again, and compares."""
    save_file(model.state_dict(), OUTPUT / "model/model.safetensors")
    config = {
        "schema_version": 1,
        "recipe": RECIPE.name,
        "hyperparameters": HYPERPARAMETERS,
        "features": names,
        "target": SPEC["dataset"]["target"],
        "classes": task.classes,
        "normalisation": scaling.to_json(),
    }
    (OUTPUT / "model/config.json").write_text(json.dumps(config))

    predictions = task.decode(model.eval()(inputs[split == "test"]).numpy())
    metrics = {"test": task.measure(labels[split == "test"], predictions), "epochs": epochs}
    (OUTPUT / "metrics.json").write_text(json.dumps(metrics))


if __name__ == "__main__":
    main()
