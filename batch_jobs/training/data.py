"""The data set in memory: shards become one feature matrix and one label column.

Refused with exit code 65, naming shard or column: a shard that is no Parquet, has other columns than the
first or two of one name, two features of one name, a missing target, features that are not numbers, missing
or infinite values anywhere, labels that do not fit int64.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from training.errors import BadDataError
from training.spec import Dataset
from training.storage import Storage

FLOAT32_MAX = float(np.finfo(np.float32).max)

_ROW_MEND = "fill or drop such rows before writing the data set"


@dataclass(frozen=True)
class Examples:
    """Rows in shard order; a row's position is its `row_id`.

    Shapes: `features` (n, f) float64, within float32's range, so that they may be centred before they lose
    digits (1700000000 and 1700000060 are one float32); `labels` (n,) int64, bool, float64 or str.
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
    features = list(_feature_columns(table.drop_columns([target])))
    if not features:
        raise BadDataError(f"the data set has no column besides the target {target!r}", "add feature columns")
    names = [name for name, _ in features]
    if repeated := _repeated(names):
        raise BadDataError(
            f"feature {repeated!r} is there twice: as a column, and as a place of a list column",
            "rename one of the two columns",
        )
    return Examples(names, np.stack([column for _, column in features], axis=1), _labels(table[target], target))


def _read_parquet(body: bytes, uri: str) -> pa.Table:
    try:
        file = pq.ParquetFile(pa.BufferReader(body))
        if repeated := _repeated(file.schema_arrow.names):
            raise BadDataError(f"shard {uri} has column {repeated!r} twice", "give each column a name of its own")
        return file.read()
    except pa.ArrowException as error:
        raise BadDataError(f"shard {uri} is not readable as Parquet: {error}", "write the shard again") from error


def _repeated(names: list[str]) -> str | None:
    """The first name that occurs more than once."""
    return next((name for name, count in Counter(names).items() if count > 1), None)


def _feature_columns(table: pa.Table) -> Iterable[tuple[str, np.ndarray]]:
    """Each feature as (name, (n,) float64); a fixed-size list `pixels` becomes `pixels_0`, `pixels_1`, …"""
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
    if not _is_numeric(column.type):
        raise BadDataError(
            f"feature column {name!r} holds {column.type}, not numbers", "encode it as numbers or leave the column out"
        )
    _require_no_nulls(column, name, per_row)
    values = column.to_numpy().astype(np.float64)
    if (row := _first_not_float32(values)) is not None:
        raise BadDataError(f"column {name!r} is not a finite float32 in row {row // per_row}", _ROW_MEND)
    return values


def _labels(column: pa.ChunkedArray, target: str) -> np.ndarray:
    if pa.types.is_dictionary(column.type):  # a pandas categorical
        column = column.cast(column.type.value_type)
    _require_no_nulls(column, target)
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return np.array(column.to_pylist(), dtype=np.str_)
    if pa.types.is_boolean(kind):
        return column.to_numpy()
    if pa.types.is_integer(kind):
        return _integers(column, target)
    if not pa.types.is_floating(kind):
        raise BadDataError(
            f"target column {target!r} holds {kind}, neither numbers nor strings",
            "store the target as integers, floats, strings or booleans",
        )
    labels = column.to_numpy().astype(np.float64)
    if (row := _first_not_float32(labels)) is not None:
        raise BadDataError(f"target column {target!r} is not a finite float32 in row {row}", _ROW_MEND)
    return labels


def _integers(column: pa.ChunkedArray, target: str) -> np.ndarray:
    try:
        return column.cast(pa.int64()).to_numpy()
    except pa.ArrowInvalid as error:
        raise BadDataError(
            f"target column {target!r} does not fit int64: {error}", "store such labels as strings"
        ) from error


def _is_numeric(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)


def _first_not_float32(values: np.ndarray) -> int | None:
    """Where the first NaN, infinity or number beyond float32's range is."""
    bad = ~(np.abs(values) <= FLOAT32_MAX)  # NaN compares False
    return int(bad.argmax()) if bad.any() else None


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
