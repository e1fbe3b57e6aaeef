"""The data set in memory: shards become one feature matrix and one label column.

Refused with exit code 65, naming shard or column: a shard that is no Parquet or has other columns than
the first, a missing target, features that are not numbers, missing or infinite values anywhere.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from training.errors import BadDataError
from training.spec import Dataset
from training.storage import Storage

_ROW_MEND = "fill or drop such rows before writing the data set"


@dataclass(frozen=True)
class Examples:
    """Rows in shard order; a row's position is its `row_id`.

    Shapes: `features` (n, f) float32; `labels` (n,) int64, bool, float64 or str.
    """

    feature_names: list[str]
    features: np.ndarray
    labels: np.ndarray


def load_examples(dataset: Dataset, storage: Storage) -> Examples:
    """Read every shard of `dataset`.

    Raises: BadDataError.
    """
    tables: list[pa.Table] = []
    for shard in dataset.shards:
        table = _read_parquet(storage.read_shard(shard), shard.uri)
        if tables and table.schema != tables[0].schema:
            raise BadDataError(
                f"shard {shard.uri} has other columns than the first shard: "
                f"{_schema_difference(tables[0].schema, table.schema)}",
                "write every shard of a data set with the same columns and types",
            )
        tables.append(table)
    return to_examples(pa.concat_tables(tables), dataset.target)


def to_examples(table: pa.Table, target: str) -> Examples:
    """Raises: BadDataError naming the column."""
    if target not in table.column_names:
        raise BadDataError(
            f"target column {target!r} is not in the data set; its columns are {_some(table.column_names)}",
            "name an existing column as dataset.target",
        )
    if table.num_rows == 0:
        raise BadDataError("the data set has no rows", "put rows into its shards")
    columns = dict(_feature_columns(table.drop_columns([target])))
    if not columns:
        raise BadDataError(f"the data set has no column besides the target {target!r}", "add feature columns")
    return Examples(list(columns), np.stack(list(columns.values()), axis=1), _labels(table[target], target))


def _read_parquet(body: bytes, uri: str) -> pa.Table:
    try:
        return pq.read_table(pa.BufferReader(body))
    except pa.ArrowException as error:
        raise BadDataError(f"shard {uri} is not readable as Parquet: {error}", "write the shard again") from error


def _feature_columns(table: pa.Table) -> Iterable[tuple[str, np.ndarray]]:
    """Each feature as (name, (n,) float32); a fixed-size list `pixels` becomes `pixels_0`, `pixels_1`, …"""
    for name in table.column_names:
        column = table[name]
        if pa.types.is_fixed_size_list(column.type):
            width = column.type.list_size
            _require_no_nulls(column, name)
            rows = _numbers(pc.list_flatten(column), name, per_row=width).reshape(-1, width)
            yield from ((f"{name}_{position}", rows[:, position]) for position in range(width))
        else:
            yield name, _numbers(column, name)


def _numbers(column: pa.ChunkedArray, name: str, per_row: int = 1) -> np.ndarray:
    _require_numeric(column.type, name)
    _require_no_nulls(column, name, per_row)
    with np.errstate(over="ignore"):  # what does not fit is infinite then, and refused below
        values = column.to_numpy().astype(np.float32)
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0]) // per_row
        raise BadDataError(f"column {name!r} is not a finite float32 in row {row}", _ROW_MEND)
    return values


def _require_numeric(kind: pa.DataType, name: str) -> None:
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise BadDataError(
            f"feature column {name!r} holds {kind}, not numbers",
            "encode it as numbers or leave the column out",
        )


def _labels(column: pa.ChunkedArray, target: str) -> np.ndarray:
    _require_no_nulls(column, target)
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return np.array(column.to_pylist(), dtype=np.str_)
    _require_numeric(kind, target)
    labels = column.to_numpy()
    if not pa.types.is_floating(kind):
        return labels if pa.types.is_boolean(kind) else labels.astype(np.int64)
    if not np.isfinite(labels).all():
        row = int(np.flatnonzero(~np.isfinite(labels))[0])
        raise BadDataError(f"target column {target!r} is not finite in row {row}", "drop rows without a label")
    return labels.astype(np.float64)


def _require_no_nulls(column: pa.ChunkedArray, name: str, per_row: int = 1) -> None:
    if column.null_count:
        row = int(np.flatnonzero(column.is_null().to_numpy())[0]) // per_row
        raise BadDataError(f"column {name!r} has no value in row {row}", _ROW_MEND)


def _schema_difference(first: pa.Schema, other: pa.Schema) -> str:
    missing, added = set(first.names) - set(other.names), set(other.names) - set(first.names)
    if missing or added:
        return f"missing {_some(sorted(missing))}, added {_some(sorted(added))}"
    return next(
        (f"{a.name} is {b.type}, not {a.type}" for a, b in zip(first, other, strict=True) if a != b),
        "another order",
    )


def _some(names: list[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "") or "none"
