"""What a measurement holds in memory: a few rows at a time, however many there are and however many classes."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from training import measurement
from training.data.blocks import Block
from training.evaluation import EvaluationWriter
from training.labels import LabelSummary
from training.measurement import Answers, in_pieces, measure
from training.tasks import Classification, Regression, Task

PIECE_ROWS = 2_000


def answers(count: int, classes: int) -> Iterator[Answers]:
    for number in range(count):
        random = np.random.default_rng(number)
        row_ids = np.arange(number * PIECE_ROWS, (number + 1) * PIECE_ROWS)
        outputs = random.normal(size=(PIECE_ROWS, max(1, classes))).astype(np.float32)
        labels = random.integers(0, classes, PIECE_ROWS) if classes else random.normal(size=PIECE_ROWS)
        yield Answers(row_ids, labels, outputs)


def task_of(classes: int) -> tuple[Task, LabelSummary]:
    labels = np.arange(classes) if classes else np.array([-1.0, 0.5, 1.0])
    return (Classification if classes else Regression).fit(labels, "t"), LabelSummary.of(labels)


@pytest.mark.parametrize("classes", [0, 10])
def test_pieces_add_up_to_the_metrics_of_the_whole_and_to_one_file(classes: int, tmp_path: Path) -> None:
    task, summary = task_of(classes)
    with EvaluationWriter(tmp_path, task) as writer:
        test, baseline = measure(task, summary, answers(5, classes), writer)
    every = list(answers(5, classes))
    labels = np.concatenate([some.labels for some in every])
    predictions = task.decode(np.concatenate([some.outputs for some in every]))
    assert test == pytest.approx(task.measure(labels, predictions), rel=1e-12)
    assert baseline == pytest.approx(task.measure(labels, task.baseline(summary, len(labels))), rel=1e-12)
    file = pq.ParquetFile(tmp_path / "evaluation.parquet")
    assert file.num_row_groups == 5
    written = file.read()
    assert written["row_id"].to_pylist() == list(range(5 * PIECE_ROWS))
    assert written["label"].to_numpy().tolist() == labels.tolist()
    assert written["prediction"].to_numpy().tolist() == predictions.values.tolist()
    if predictions.probabilities is not None:
        assert written["probabilities"].to_pylist() == predictions.probabilities.tolist()


def test_what_it_holds_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    task, summary = task_of(10)

    def peak_bytes(pieces: int) -> int:
        tracemalloc.start()
        with EvaluationWriter(tmp_path, task) as writer:
            measure(task, summary, answers(pieces, 10), writer)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(1)  # what is made once
    assert peak_bytes(60) < 1.2 * peak_bytes(3)


@pytest.mark.parametrize(("width", "rows"), [(1, [5]), (50, [2, 2, 1]), (1000, [1] * 5)])
def test_a_block_is_taken_in_pieces_where_the_model_puts_out_much(
    width: int, rows: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measurement, "NUMBERS_AT_ONCE", 100)
    block = Block(np.arange(5), np.arange(10.0).reshape(5, 2), np.arange(5))
    pieces = list(in_pieces(block, width))
    assert [len(piece.labels) for piece in pieces] == rows
    assert np.concatenate([piece.features for piece in pieces]).tolist() == block.features.tolist()
    assert np.concatenate([piece.row_ids for piece in pieces]).tolist() == [0, 1, 2, 3, 4]
