"""What the job sums over blocks gives back every metric that it measures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.block_sums import BLOCKS, MOST_CLASSES_APART, BlockSums, blocks_of
from training.tasks import Classification, Predictions, Regression, Task
from turbine.domain.evaluation import EvaluationBlocks, needed, value

ROWS = 3_000
RANDOM = np.random.default_rng(5)


def classified(class_count: int) -> tuple[Task, np.ndarray, Predictions]:
    task = Classification([f"c{number:03}" for number in range(class_count)])
    logits = RANDOM.normal(size=(ROWS, class_count)).astype(np.float32)
    return task, RANDOM.choice(np.array(task.classes), ROWS), task.decode(logits)


def regressed() -> tuple[Task, np.ndarray, Predictions]:
    labels = 1.7e9 + RANDOM.normal(scale=3.0, size=ROWS)
    return Regression(1.7e9, 3.0), labels, Predictions(labels + RANDOM.normal(size=ROWS))


def summed(folder: Path, task: Task, labels: np.ndarray, predictions: Predictions) -> EvaluationBlocks:
    sums = BlockSums(task)
    for some in (slice(0, 7), slice(7, 1_000), slice(1_000, ROWS)):
        kept: Any = predictions.probabilities
        piece = Predictions(predictions.values[some], None if kept is None else kept[some])
        sums.add(np.arange(ROWS)[some], labels[some], piece)
    sums.write(folder / "blocks.json")
    return EvaluationBlocks.model_validate_json((folder / "blocks.json").read_bytes())


@pytest.mark.parametrize("class_count", [0, 2, MOST_CLASSES_APART, MOST_CLASSES_APART + 1])
def test_the_sums_give_every_metric(tmp_path: Path, class_count: int) -> None:
    task, labels, predictions = classified(class_count) if class_count else regressed()
    blocks = summed(tmp_path, task, labels, predictions)
    assert blocks.row_count == ROWS
    for metric, measured in task.measure(labels, predictions).items():
        columns = needed(metric, blocks.columns)
        if class_count > MOST_CLASSES_APART and metric in ("balanced_accuracy", "macro_f1"):
            assert columns == []
        else:
            totals = {name: sum(blocks.columns[name]) for name in columns}
            assert value(metric, totals) == pytest.approx(measured, rel=1e-9)


def test_a_row_is_in_the_same_block_in_every_evaluation_and_blocks_are_alike() -> None:
    ids = np.arange(100 * BLOCKS)
    blocks = blocks_of(ids)
    assert blocks_of(ids[::-1]).tolist() == blocks.tolist()[::-1]
    sizes = np.bincount(blocks, minlength=BLOCKS)
    assert (sizes.min(), sizes.max()) > (50, 50)
    assert sizes.max() < 160
    assert blocks_of(np.array([-1, 2**62])).min() >= 0


def test_classes_are_named_where_they_are_told_apart(tmp_path: Path) -> None:
    assert summed(tmp_path, *classified(3)).classes == ["c000", "c001", "c002"]
    assert summed(tmp_path, *classified(MOST_CLASSES_APART + 1)).classes is None
    assert summed(tmp_path, *regressed()).classes is None
