"""The two training loops that are compared, on the same model, batch and data: the trainer's, and a bare one.

The trainer runs with all it has: the loader of a data set that fits in memory, the learning rate's schedule with a
warm-up, gradient clipping, reports to the log and to CloudWatch, the checkpoint's timer, agreement among workers. The
bare loop has two tensors, forward, loss, backward and torch.optim.AdamW, under DistributedDataParallel where there are
several processes, and under the same bfloat16 autocast on a GPU.
"""

import io
import time
from collections.abc import Callable
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import nn

from training.checkpoint import Cadence, Checkpoints
from training.data import Profile, ShardReader, profile_dataset
from training.data.cache import ShardCache
from training.data.resident import ResidentRows
from training.early_stopping import Patience
from training.interruption import Interruption
from training.optimizer import AdamW
from training.pulse import MainWorkersDuties, Pulse
from training.recipes import find_recipe
from training.spec import Dataset, MetricTarget, Shard, Split
from training.state import TrainingState
from training.tasks import Classification, Task
from training.telemetry import StepReport, Telemetry
from training.trainer import train
from training.world import World

HELD_OUT = 0.01  # for validation, as for tests: both are outside the measured time
SEED = 1
LEARNING_RATE = 1e-3
AWS = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_DEFAULT_REGION": "us-east-1"}
COMMON_HYPERPARAMETERS = {
    "epochs": 10_000,
    "learning_rate": LEARNING_RATE,
    "warmup_steps": 100,
    "max_gradient_norm": 1.0,
    "log_every_steps": 20,
}


@dataclass(frozen=True)
class Workload:
    """What is trained. A turn is one epoch, of about `steps_a_turn` batches of `batch` rows.

    With `tokens` the features are the ids 0 to `tokens` - 1, otherwise normal numbers.
    """

    recipe: str
    features: int
    classes: int
    batch: int
    steps_a_turn: int
    own_hyperparameters: dict[str, Any]
    tokens: int | None = None
    checkpoint_every_s: float = 20.0

    @property
    def hyperparameters(self) -> dict[str, Any]:
        return COMMON_HYPERPARAMETERS | {"batch_size": self.batch} | self.own_hyperparameters

    def make_model(self) -> nn.Module:
        recipe = find_recipe(self.recipe)
        return recipe.model(recipe.parse_config(self.hyperparameters), self.features, self.classes)

    def make_table(self) -> pa.Table:
        random = np.random.default_rng(1)
        rows = round(self.steps_a_turn * self.batch / (1 - 2 * HELD_OUT))
        shape = (rows, self.features)
        numbers: np.ndarray = (
            random.standard_normal(shape, np.float32) if self.tokens is None else random.integers(0, self.tokens, shape)
        )
        features = pa.FixedSizeListArray.from_arrays(numbers.ravel(), self.features)
        return pa.table({"x": features, "class": random.integers(0, self.classes, rows)})

    def make_profile(self, folder: Path) -> tuple[Profile, Task]:
        """The data set as the job sees it, from S3."""
        body = io.BytesIO()
        pq.write_table(self.make_table(), body)
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="data")
        answer = s3.put_object(Bucket="data", Key="rows.parquet", Body=body.getvalue())
        shard = Shard(bucket="data", key="rows.parquet", etag=answer["ETag"], size_bytes=len(body.getvalue()))
        dataset = Dataset(name="rows", version="1", format="parquet", target="class", shards=[shard])
        split = Split(id="1", salt="1", validation=HELD_OUT, test=HELD_OUT)
        (folder / "cache").mkdir(parents=True)
        shards = ShardReader(s3, ShardCache(folder / "cache", 10**9))
        profile = profile_dataset(dataset, split, shards, find_recipe(self.recipe).scales_inputs)
        return profile, Classification.fit(profile.labels, "class")


TABULAR = Workload("tabular_classifier", 64, 10, 256, 60, {"hidden": [384, 384, 384]})


class Bare:
    """What one writes in five minutes: two tensors, shuffled anew for each epoch."""

    def __init__(
        self, workload: Workload, profile: Profile, world: World, fused: bool | None = None, compiled: bool = False
    ) -> None:
        model = workload.make_model().to(world.device)
        if compiled:
            model.compile()
        self._replica = nn.parallel.DistributedDataParallel(model) if world.size > 1 else model
        self._optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.01, fused=fused)
        blocks = list(profile.held_out("train"))
        features, targets = (np.concatenate(columns) for columns in zip(*map(_columns, blocks), strict=True))
        self._features = torch.from_numpy(features).float().to(world.device)
        self._targets = torch.from_numpy(targets).to(world.device)
        on_gpu = world.device.type == "cuda"
        self._precision = torch.autocast("cuda", torch.bfloat16) if on_gpu else nullcontext()
        self._batch = workload.batch
        self._world = world
        self._epoch = 0

    def turn(self) -> float:
        self._epoch += 1
        self._replica.train()
        wait_for(self._world.device)
        started = time.perf_counter()
        order = torch.randperm(len(self._targets), generator=torch.Generator().manual_seed(self._epoch))
        for batch in order.to(self._world.device).split(self._batch):
            mine = batch[self._world.rank :: self._world.size]
            with self._precision:
                loss = nn.functional.cross_entropy(self._replica(self._features[mine]), self._targets[mine])
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
        wait_for(self._world.device)
        return time.perf_counter() - started


class Ours:
    """The trainer as job.py starts it, one epoch a turn; validation is outside the measured time.

    Its rows come from the job's loader of data sets that fit in memory, whose time is inside.
    """

    def __init__(
        self, workload: Workload, profile: Profile, task: Task, world: World, folder: Path, compiled: bool = False
    ) -> None:
        recipe = find_recipe(workload.recipe)
        config = recipe.parse_config(workload.hyperparameters | {"compile": compiled})
        model = workload.make_model().to(world.device)
        patience, summed = Patience(None), torch.zeros((), dtype=torch.float64, device=world.device)
        state = TrainingState(model, AdamW(model.parameters(), 0.01), patience, summed)
        rows = ResidentRows(profile, task, workload.batch, SEED, world.rank, world.size, world.device)
        duties = _duties(folder, config.log_every_steps, workload.checkpoint_every_s) if world.is_main else None
        self._pulse = TimedPulse(world, Interruption(), duties, rows.steps_per_epoch())
        loss = partial(recipe.loss, config)
        self._epochs = train(state, rows, profile.row_counts["train"], loss, task, config, world, self._pulse)

    def turn(self, at_end: Callable[[], object] = bool) -> float:
        """`at_end` is called after the last step, before validation."""
        self._pulse.begin(at_end)
        with redirect_stdout(io.StringIO()):
            next(self._epochs)
        return self._pulse.seconds


class TimedPulse(Pulse):
    """Takes the time after the last step of a turn, before validation."""

    def __init__(
        self, world: World, interruption: Interruption, duties: MainWorkersDuties | None, steps_a_turn: int
    ) -> None:
        super().__init__(world, interruption, duties)
        self._device = world.device
        self._steps_a_turn = steps_a_turn

    def begin(self, at_end: Callable[[], object] = bool) -> None:
        self._steps = 0
        self.seconds = 0.0
        self._at_end = at_end
        wait_for(self._device)
        self._begun = time.perf_counter()

    def beat(self, state: TrainingState, report: StepReport) -> None:
        super().beat(state, report)
        self._steps += 1
        if self._steps == self._steps_a_turn:
            wait_for(self._device)
            self.seconds = time.perf_counter() - self._begun
            self._at_end()


def wait_for(device: torch.device) -> None:
    """Until it has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _columns(block: Any) -> tuple[np.ndarray, np.ndarray]:
    return block.features, block.labels


def _duties(folder: Path, every_steps: int, checkpoint_every_s: float) -> MainWorkersDuties:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="artifacts")
    checkpoints = Checkpoints(s3, "s3://artifacts/runs/team/run/", folder, {"recipe": "benchmark"}, fencing=1)
    target = MetricTarget(namespace="Turbine/Training", dimensions={"RunId": "benchmark"})
    telemetry = Telemetry(target, every_steps, lambda: boto3.client("cloudwatch"))
    return MainWorkersDuties(checkpoints, Cadence(every_s=checkpoint_every_s), telemetry)
