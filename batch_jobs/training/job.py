"""One run from its spec to its `_SUCCESS`: look at the data, train from the newest checkpoint, measure, publish."""

import hashlib
import json
import os
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import torch

from training import epochs
from training.checkpoint import Cadence, Checkpoints
from training.data import (
    Profile,
    ShardReader,
    TrainingData,
    open_training_data,
    profile_dataset,
    settle_residence,
)
from training.data.blocks import Block
from training.early_stopping import Patience
from training.environment import environment
from training.interruption import Interruption
from training.log import log_event
from training.measurement import export_and_measure
from training.optimizer import AdamW
from training.publishing import publish, timestamp
from training.pulse import MainWorkersDuties, Pulse
from training.recipe import Recipe, TrainingConfig
from training.recipes import find_recipe
from training.spec import RunSpec
from training.state import TrainingState
from training.storage import CLIENT_CONFIG, Storage
from training.tasks import Task
from training.telemetry import Telemetry
from training.trainer import Epoch, train
from training.world import World, connected, find_world

SCRATCH_VARIABLE = "TURBINE_SCRATCH_DIR"
INTERRUPTIONS_VARIABLE = "TURBINE_INTERRUPTIONS_PER_HOUR"
ON_DEMAND_INTERRUPTIONS_PER_HOUR = "0.001"


@dataclass(frozen=True)
class LeaseHolder:
    """In whose name this job writes: the lease's `owner` and `fencing` number, 0 without a lease."""

    owner: str
    fencing: int


@dataclass(frozen=True)
class Run:
    """All that is settled before the first step."""

    spec: RunSpec
    recipe: Recipe
    config: TrainingConfig
    profile: Profile
    task: Task


def run_job(spec: RunSpec, storage: Storage, interruption: Interruption, holder: LeaseHolder) -> None:
    """Every process of the run calls this; the main one checkpoints and writes the results.

    Raises: TrainingJobError; RunInterruptedError, where training had begun with a checkpoint committed.
    """
    started_at, started_s = datetime.now(UTC), time.monotonic()
    world = find_world()
    settle_arithmetic(world)
    if world.is_main:
        log_event(
            "started", run_id=spec.run_id, recipe=spec.recipe.name, device=str(world.device), world_size=world.size
        )
    # Before the processes connect, so that a data set nobody can use ends each with its own code
    # instead of with its neighbour's broken connection.
    run = _prepare(spec)
    if world.is_main:
        log_event("data_loaded", rows=dict(run.profile.row_counts), features=len(run.profile.feature_names))
    state = _fresh_state(run, world)
    with connected(world), interruption.deferred():
        _train(run, state, world, interruption, holder, storage)
    if not world.is_main:
        return
    with tempfile.TemporaryDirectory() as folder:
        metrics = export_and_measure(Path(folder), state.model, spec, run.config, run.profile, run.task)
        metrics |= {
            "epochs": state.epochs,
            "started_at": timestamp(started_at),
            "ended_at": timestamp(datetime.now(UTC)),
            "duration_s": round(time.monotonic() - started_s, 3),
            "environment": environment(world.device.type, world.size),
        }
        earlier = epochs.published(state.epochs)
        publish(Path(folder), metrics, spec, storage, holder.fencing, holder.owner, earlier)
    log_event("finished", run_id=spec.run_id, output_uri=spec.output_uri, duration_s=metrics["duration_s"])


def settle_arithmetic(world: World) -> None:
    """The same bits each time."""
    # torch refuses operations without a deterministic GPU kernel. Not asked for on a CPU, where all of
    # ours are deterministic: the call imports torch._dynamo, as much CPU time as torch itself.
    if world.device.type == "cuda":
        torch.use_deterministic_algorithms(True)
        # Else each new tensor is first filled, in case someone reads what nobody wrote: 7% of a transformer's GPU time.
        settings: Any = torch.utils.deterministic  # a module with properties, which mypy does not see
        settings.fill_uninitialized_memory = False


def _prepare(spec: RunSpec) -> Run:
    recipe = find_recipe(spec.recipe.name)
    config = recipe.parse_config(spec.recipe.hyperparameters)
    epochs.check(spec.recipe.publish_epochs, config.epochs)

    def check(feature_names: list[str], block: Block) -> None:
        if recipe.check_rows is not None:
            recipe.check_rows(config, feature_names, block.features, int(block.row_ids[0]))

    shards = ShardReader(boto3.client("s3", config=CLIENT_CONFIG))
    profile = profile_dataset(spec.dataset, spec.split, shards, recipe.scales_inputs, check)
    return Run(spec, recipe, config, profile, recipe.task.fit(profile.labels, spec.dataset.target))


def _fresh_state(run: Run, world: World) -> TrainingState:
    torch.manual_seed(run.spec.seed)
    model = run.recipe.model(run.config, len(run.profile.feature_names), run.task.output_width).to(world.device)
    state = TrainingState(
        model=model,
        optimizer=AdamW(model.parameters(), run.config.weight_decay),
        patience=Patience(run.config.early_stopping_patience),
        summed_loss=torch.zeros((), dtype=torch.float64, device=world.device),
    )
    state.seed_generators(run.spec.seed, world)
    return state


def _train(
    run: Run, state: TrainingState, world: World, interruption: Interruption, holder: LeaseHolder, storage: Storage
) -> None:
    """From the newest checkpoint to the final weights in `state.model`, themselves in a checkpoint."""
    config, profile = run.config, run.profile
    duties = _duties(run, state, holder) if world.is_main else None
    try:
        data = _begin(run, state, duties, world)
        pulse = Pulse(world, interruption, duties)
        loss = partial(run.recipe.loss, config)
        for epoch in train(state, data, profile.row_counts["train"], loss, run.task, config, world, pulse):
            if world.is_main:
                described = _describe(epoch, state.elapsed_s + pulse.elapsed_s)
                if epochs.is_wanted(run.spec.recipe.publish_epochs, epoch):
                    described["published"] = epochs.publish(
                        epoch, state.model, run.spec, config, profile, run.task, storage
                    )
                state.epochs.append(described)
                _log_epoch(state.epochs[-1], config.epochs)
        pulse.finish(state)
    finally:
        if duties:
            duties.telemetry.close()
            duties.checkpoints.close()


def _begin(run: Run, state: TrainingState, duties: MainWorkersDuties | None, world: World) -> TrainingData:
    """Take over the newest checkpoint, if there is one; the rows come in the order in which it saw them."""
    snapshot = duties.checkpoints.newest() if duties else None
    tensors, facts = (snapshot.tensors, snapshot.facts) if snapshot else (None, None)
    resident = settle_residence(run.profile, world, world.json_from_main(facts and facts["order_of_rows"]))
    batch_size, seed = run.config.batch_size, run.spec.seed
    data = open_training_data(
        run.profile, run.task, batch_size, seed, world.rank, world.size, world.device, resident=resident
    )
    state.order_of_rows = data.order
    if state.resume(tensors, facts, seed, world) and world.is_main:
        log_event("resumed", step=state.step, number_of_epoch=state.epoch, batch=state.batch)
    return data


def _duties(run: Run, state: TrainingState, holder: LeaseHolder) -> MainWorkersDuties:
    spec, compute = run.spec, run.spec.compute
    s3 = boto3.client("s3", config=CLIENT_CONFIG)
    folder = Path(os.environ.get(SCRATCH_VARIABLE) or tempfile.gettempdir()) / "checkpoints"
    an_hour = float(os.environ.get(INTERRUPTIONS_VARIABLE, ON_DEMAND_INTERRUPTIONS_PER_HOUR)) * compute.nodes
    return MainWorkersDuties(
        Checkpoints(s3, spec.output_uri, folder, _fingerprint(run, state), holder.fencing),
        Cadence(compute.checkpoint_every_steps, compute.checkpoint_every_s, an_hour),
        Telemetry(spec.metrics, run.config.log_every_steps, lambda: boto3.client("cloudwatch", config=CLIENT_CONFIG)),
    )


def _fingerprint(run: Run, state: TrainingState) -> dict[str, str]:
    """What a checkpoint depends on besides itself: one with another is of another training."""
    shapes = {name: list(tensor.shape) for name, tensor in state.model.state_dict().items()}
    return {
        "run_id": run.spec.run_id,
        "recipe": run.spec.recipe.name,
        "hyperparameters": run.config.model_dump_json(),
        "dataset_version": run.spec.dataset.version,
        "split_id": run.spec.split.id,
        "seed": str(run.spec.seed),
        "model": hashlib.sha256(json.dumps(shapes).encode()).hexdigest()[:16],
    }


def _describe(epoch: Epoch, elapsed_s: float) -> dict[str, Any]:
    return {
        "epoch": epoch.number,
        "train_loss": epoch.train_loss,
        "validation_loss": epoch.validation.loss,
        "validation": epoch.validation.metrics,
        "elapsed_s": round(elapsed_s, 3),
    }


def _log_epoch(epoch: dict[str, Any], epochs: int) -> None:
    validation = {f"validation_{name}": value for name, value in epoch["validation"].items()}
    others = {name: value for name, value in epoch.items() if name not in ("validation", "published")}
    log_event("epoch", epochs=epochs, **others, **validation)
