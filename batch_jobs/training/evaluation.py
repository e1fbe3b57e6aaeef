"""What the exported model does on the pinned test split, row by row."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from training.tasks import Predictions


def write_evaluation(path: Path, row_ids: np.ndarray, labels: np.ndarray, predictions: Predictions) -> None:
    """One row a test example: `row_id`, `label`, `prediction`, and `probabilities` where there are classes.

    Shapes: `row_ids` and `labels` (n,).
    """
    columns = {
        "row_id": pa.array(row_ids, pa.int64()),
        "label": pa.array(labels.tolist()),
        "prediction": pa.array(predictions.values.tolist()),
    }
    if predictions.probabilities is not None:
        columns["probabilities"] = pa.array(predictions.probabilities.tolist(), pa.list_(pa.float32()))
    pq.write_table(pa.table(columns), path)
