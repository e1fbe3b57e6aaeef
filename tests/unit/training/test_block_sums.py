"""What the job sums over blocks gives back every metric that it measures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.block_sums import BLOCKS, MOST_CLASSES_APART, BlockSums, blocks_of
from training.data.slices import NO_SLICES, SlicedColumn, Slices
from training.tasks import Classification, Predictions, Regression, Task
from turbine.domain.evaluation import SLICE_VALUES_MAX, EvaluationBlocks, needed, value
from turbine.domain.rule import SLICE_GUARDRAILS_MAX, SLICE_NAME_MAX

ROWS = 3_000
RANDOM = np.random.default_rng(5)


def classified(class_count: int) -> tuple[Task, np.ndarray, Predictions]:
    task = Classification([f"c{number:03}" for number in range(class_count)])
    logits = RANDOM.normal(size=(ROWS, class_count)).astype(np.float32)
    return task, RANDOM.choice(np.array(task.classes), ROWS), task.decode(logits)


def regressed() -> tuple[Task, np.ndarray, Predictions]:
    labels = 1.7e9 + RANDOM.normal(scale=3.0, size=ROWS)
    return Regression(1.7e9, 3.0), labels, Predictions(labels + RANDOM.normal(size=ROWS))


def summed(
    folder: Path, task: Task, labels: np.ndarray, predictions: Predictions, slices: Slices = NO_SLICES
) -> EvaluationBlocks:
    sums = BlockSums(task, slices)
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


def slices_of(places: np.ndarray, values: list[str | None], folded: int = 0, name: str = "site") -> Slices:
    return Slices(np.arange(len(places)), (SlicedColumn(name, values, folded, places.astype(np.uint8)),))


@pytest.mark.parametrize("class_count", [0, 3, MOST_CLASSES_APART + 1])
def test_each_slices_sums_give_its_metrics(tmp_path: Path, class_count: int) -> None:
    """As if each slice were a test split of its own."""
    task, labels, predictions = classified(class_count) if class_count else regressed()
    places = RANDOM.integers(0, 3, ROWS)
    blocks = summed(tmp_path, task, labels, predictions, slices_of(places, [None, "A"], folded=4))
    sums = blocks.slices["site"]
    assert (sums.values, sums.folded, sums.row_count) == ([None, "A"], 4, ROWS)
    for place in range(3):
        here = places == place
        kept = predictions.probabilities
        alone = Predictions(predictions.values[here], None if kept is None else kept[here])
        for metric, measured in task.measure(labels[here], alone).items():
            if columns := needed(metric, sums.columns):
                totals = {name: sums.columns[name][place] for name in columns}
                assert value(metric, totals) == pytest.approx(measured, rel=1e-9), metric


def test_a_slices_sums_by_hand(tmp_path: Path) -> None:
    task = Classification(["no", "yes"])
    labels = np.array(["yes", "no", "yes", "yes", "no"])
    said = np.array(["yes", "yes", "no", "yes", "no"])
    sure = np.where(said == "yes", 0.75, 0.25).astype(np.float32)
    sums = BlockSums(task, slices_of(np.array([0, 0, 1, 1, 1]), ["A", "B"]))
    for row in range(5):
        one = slice(row, row + 1)
        sums.add(np.array([row]), labels[one], Predictions(said[one], np.stack([1 - sure, sure], axis=1)[one]))
    sums.write(tmp_path / "blocks.json")
    columns = EvaluationBlocks.model_validate_json((tmp_path / "blocks.json").read_bytes()).slices["site"].columns
    assert columns.pop("log_loss") == pytest.approx([-np.log(0.75) - np.log(0.25), -np.log(0.25) - 2 * np.log(0.75)])
    assert columns == {
        "rows": [2, 3],
        "hits": [1, 2],
        "actual/0": [1, 1],
        "predicted/0": [0, 2],
        "hits/0": [0, 1],
        "actual/1": [1, 2],
        "predicted/1": [2, 1],
        "hits/1": [1, 1],
    }


def test_the_largest_file_stays_small(tmp_path: Path) -> None:
    """32 classes, and as many columns and values as there may be: a function reads it in one piece."""
    task, labels, predictions = classified(MOST_CLASSES_APART)
    values: list[str | None] = [f"{number:03}".ljust(SLICE_NAME_MAX, "\x01") for number in range(SLICE_VALUES_MAX)]
    places = (np.arange(ROWS) % (SLICE_VALUES_MAX + 1)).astype(np.uint8)
    columns = tuple(SlicedColumn(f"c{number}", values, 9, places) for number in range(SLICE_GUARDRAILS_MAX))
    summed(tmp_path, task, labels, predictions, Slices(np.arange(ROWS), columns))
    with_slices = (tmp_path / "blocks.json").stat().st_size
    summed(tmp_path, task, labels, predictions)
    without = (tmp_path / "blocks.json").stat().st_size
    assert with_slices - without < 256 * 1024
