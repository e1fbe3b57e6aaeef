"""What the exported model does on the pinned test split, row by row, written as it is measured."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from training.block_sums import BlockSums
from training.data.slices import NO_SLICES, Slices
from training.publishing import BLOCKS_FILE, EVALUATION_FILE
from training.tasks import Predictions, Task


class EvaluationWriter:
    """Writes EVALUATION_FILE and BLOCKS_FILE into a folder, as their rows come.

    The first is Parquet: `row_id`, `label`, `prediction`, and `probabilities` where there are classes; each call makes
    a row group. The second is what metrics are made of, also by `slices`: see `BlockSums`. A context manager: both are
    whole when it is left.
    """

    def __init__(self, folder: Path, task: Task, slices: Slices = NO_SLICES) -> None:
        self._folder = folder
        self._sums = BlockSums(task, slices)
        self._file: pq.ParquetWriter | None = None

    def write(self, row_ids: np.ndarray, labels: np.ndarray, predictions: Predictions) -> None:
        """Shapes: `row_ids` and `labels` (m,), m at least 1."""
        table = _table(row_ids, labels, predictions)
        if self._file is None:
            self._file = pq.ParquetWriter(self._folder / EVALUATION_FILE, table.schema)
        self._file.write_table(table)
        self._sums.add(row_ids, labels, predictions)

    def __enter__(self) -> "EvaluationWriter":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
        self._sums.write(self._folder / BLOCKS_FILE)


def _table(row_ids: np.ndarray, labels: np.ndarray, predictions: Predictions) -> pa.Table:
    columns = {
        "row_id": pa.array(row_ids, pa.int64()),
        "label": _labels(labels),
        "prediction": _labels(predictions.values),
    }
    if predictions.probabilities is not None:
        rows, classes = predictions.probabilities.shape
        numbers = pa.array(predictions.probabilities.ravel(), pa.float32())
        columns["probabilities"] = pa.ListArray.from_arrays(np.arange(rows + 1, dtype=np.int32) * classes, numbers)
    return pa.table(columns)


def _labels(values: np.ndarray) -> pa.Array:
    return pa.array(values.tolist()) if values.dtype.kind == "U" else pa.array(values)
