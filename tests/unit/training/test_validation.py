"""What an epoch's validation says, whoever counts which rows, and what it holds in memory meanwhile."""

import tracemalloc
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.unit.training.test_trainer import ALONE, TASK, config_with
from tests.unit.training.test_world import on_workers
from training import measurement
from training.data.rows import Batch, ValidationBatch
from training.early_stopping import Patience
from training.errors import BadConfigurationError
from training.interruption import Interruption
from training.optimizer import AdamW
from training.pulse import Pulse
from training.state import TrainingState
from training.tasks import Classification, Regression, Task
from training.trainer import train
from training.validation import Tally, Validation
from training.world import World

ROWS, FEATURES, CLASSES = 300, 4, 3
CLASSIFIER, REGRESSOR = Classification(["a", "b", "c"]), Regression(1.7e9, 64.0)
TASKS = pytest.mark.parametrize("task", [CLASSIFIER, REGRESSOR], ids=["classes", "numbers"])


class HeldOut:
    """No train rows; validation rows `stretch` of ROWS in batches of `batch_rows`, integers, so that a linear model of
    integers gives the same bits whatever rows go through it together."""

    order = "made here"

    def __init__(self, task: Task, stretch: range, batch_rows: int = 7) -> None:
        self._task, self._stretch, self._batch_rows = task, stretch, batch_rows

    def steps_per_epoch(self) -> int:
        return 0

    def blank(self) -> Batch:
        features, labels = all_rows(self._task)
        return Batch(features[:1], torch.from_numpy(self._task.encode(labels[:1])), 1)

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        return iter(())

    def validation(self) -> Iterator[ValidationBatch]:
        for start in range(self._stretch.start, max(self._stretch.stop, self._stretch.start + 1), self._batch_rows):
            rows = slice(start, min(start + self._batch_rows, self._stretch.stop))
            features, labels = all_rows(self._task)
            targets = torch.from_numpy(self._task.encode(labels[rows]))
            yield ValidationBatch(features[rows], targets, ROWS, labels[rows])


def all_rows(task: Task) -> tuple[Tensor, np.ndarray]:
    random = np.random.default_rng(1)
    features = torch.from_numpy(random.integers(-3, 4, (ROWS, FEATURES)).astype(np.float32))
    if task.classes:
        return features, np.array(task.classes)[random.integers(0, CLASSES, ROWS)]
    return features, 1.7e9 + random.normal(scale=100, size=ROWS)


def model_of_integers(width: int) -> nn.Module:
    model = nn.Linear(FEATURES, width)
    with torch.no_grad():
        model.weight.copy_(torch.arange(float(model.weight.numel())).reshape(width, FEATURES) % 5 - 2)
        model.bias.fill_(1.0)
    return model


def loss_of(task: Task) -> Any:
    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        assert outputs.dtype == torch.float32
        if task.classes:
            return functional.cross_entropy(outputs, targets, reduction="sum")
        return functional.mse_loss(outputs[:, 0], targets, reduction="sum")

    return loss


def validated(task: Task, world: World, data: Any, precision: str = "float32", loss: Any = None) -> Validation:
    config = config_with(epochs=1, precision=precision)
    model = model_of_integers(task.output_width)
    state = TrainingState(model, AdamW(model.parameters(), 0.0), Patience(None), torch.zeros((), dtype=torch.float64))
    pulse = Pulse(world, Interruption(), None)
    (epoch,) = train(state, data, 1, loss or loss_of(task), task, config, world, pulse)
    return epoch.validation


@TASKS
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_it_is_what_all_rows_at_once_say(task: Task, precision: str) -> None:
    """The loss sees float32 in bfloat16's autocast too: the model's integers are exact in both."""
    validation = validated(task, ALONE, HeldOut(task, range(ROWS)), precision)
    features, labels = all_rows(task)
    with torch.no_grad():
        outputs = model_of_integers(task.output_width)(features)
        loss = loss_of(task)(outputs, torch.from_numpy(task.encode(labels)))
    assert validation.loss == pytest.approx(float(loss) / ROWS, rel=1e-6)
    assert validation.metrics == pytest.approx(task.measure(labels, task.decode(outputs.numpy())), rel=1e-12)


@TASKS
@pytest.mark.parametrize("ends", [[1, ROWS], [0, ROWS], [100, 101, ROWS], [0, ROWS, ROWS]])
def test_workers_say_what_one_does(task: Task, ends: list[int]) -> None:
    """One without rows among them, be it the main one; all of them are told the same bits, twice."""
    starts = [0, *ends[:-1]]

    def work(world: World) -> list[tuple[float, dict[str, float]]]:
        data = HeldOut(task, range(starts[world.rank], ends[world.rank]))
        twice = [validated(task, world, data) for _ in range(2)]
        return [(validation.loss, validation.metrics) for validation in twice]

    alone = validated(task, ALONE, HeldOut(task, range(ROWS)))
    answers = on_workers(len(ends), work)
    loss, metrics = answers[0][0]
    assert answers == [[(loss, metrics)] * 2] * len(ends)
    assert metrics == pytest.approx(alone.metrics, rel=1e-12)
    assert loss == pytest.approx(alone.loss, rel=1e-6)  # a batch's own sum is the recipe's, in float32


def test_losses_of_batches_add_up_in_float64() -> None:
    tally = Tally(TASK)
    for loss in (2.0**24, 1.0, 1.0):
        tally.add(np.array([0]), torch.zeros(1, 2), torch.tensor(loss))
    assert tally.of_all(ALONE).loss == (2**24 + 2) / 3


def test_a_model_that_puts_out_much_is_given_few_rows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    loss = loss_of(CLASSIFIER)

    def noting(outputs: Tensor, targets: Tensor) -> Tensor:
        seen.append(len(outputs))
        summed: Tensor = loss(outputs, targets)
        return summed

    whole = validated(CLASSIFIER, ALONE, HeldOut(CLASSIFIER, range(ROWS), ROWS))
    monkeypatch.setattr(measurement, "NUMBERS_AT_ONCE", 100 * CLASSES)
    pieces = validated(CLASSIFIER, ALONE, HeldOut(CLASSIFIER, range(ROWS), ROWS), loss=noting)
    assert seen == [100, 100, 100]
    assert pieces.metrics == pytest.approx(whole.metrics, rel=1e-12)


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_outputs_that_are_no_numbers_are_bad_configuration(value: float) -> None:
    class Broken(HeldOut):
        def validation(self) -> Iterator[ValidationBatch]:
            for batch in super().validation():
                broken = torch.full_like(batch.features, value)
                yield ValidationBatch(broken, batch.targets, batch.global_rows, batch.labels)

    with pytest.raises(BadConfigurationError, match="no longer a number in epoch 1"):
        validated(CLASSIFIER, ALONE, Broken(CLASSIFIER, range(ROWS)))


@TASKS
def test_what_it_holds_does_not_grow_with_the_rows(task: Task) -> None:
    """Neither in numpy, which tracemalloc sees, nor in torch: of the batches before, no outputs nor targets live."""
    noted: list[weakref.ref[Tensor]] = []
    alive: list[int] = []

    class Many(HeldOut):
        def __init__(self, batches: int) -> None:
            super().__init__(task, range(ROWS), ROWS)
            self._batches = batches

        def validation(self) -> Iterator[ValidationBatch]:
            for _ in range(self._batches):
                yield from super().validation()

    def noting(outputs: Tensor, targets: Tensor) -> Tensor:
        noted[:] = [one for one in noted if one() is not None] + [weakref.ref(outputs), weakref.ref(targets)]
        alive.append(len(noted))
        summed: Tensor = loss_of(task)(outputs, targets)
        return summed

    def peak_bytes(batches: int) -> int:
        tracemalloc.start()
        validated(task, ALONE, Many(batches), loss=noting)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(1)  # what is made once
    few = peak_bytes(3)
    alive.clear()
    assert peak_bytes(60) < 1.2 * few
    assert max(alive) <= 6  # this batch, the one before, and the loader's
