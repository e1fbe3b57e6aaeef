"""What the columns of a Parquet data set mean, and their numbers as features and labels.

Refused with exit code 65, naming column, row and shard: two columns of one name, two features of one name, a
missing target, features that are not numbers, missing or infinite values anywhere, labels that do not fit int64.

A column by which the evaluation is sliced holds strings, integers or booleans. One of numbers is a feature as well, as
every column of numbers is; one of strings is read for the slices alone, and may have missing values. Refused: one that
is not there, the target, fractions, and texts of more than MOST_SLICE_BYTES.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from training.data.blocks import Block, SliceCodes
from training.errors import BadDataError

# No Python float: compared with a float16, that would first become one, and infinite.
FLOAT32_MAX = np.float64(np.finfo(np.float32).max)

MOST_SLICE_BYTES = 128

_ROW_MEND = "fill or drop such rows before writing the data set"
_SLICE_MEND = "name an existing column in the team file's rule.slice_guardrails"


@dataclass(frozen=True)
class Rows:
    """Which rows are being decoded, to name one that is wrong. Shapes: `ids` (m,) int64."""

    ids: np.ndarray
    shard_uri: str

    def name(self, position: int) -> str:
        return f"row {self.ids[position]} (shard {self.shard_uri})"


@dataclass(frozen=True)
class Layout:
    """The columns that every shard has. A fixed-size list column `x` makes the features `x_0`, `x_1`, …

    `feature_columns` are those that make features, `slices` those by which the evaluation is sliced.
    """

    schema: pa.Schema
    target: str
    feature_names: list[str]
    feature_columns: list[str]
    slices: tuple[str, ...] = ()

    @classmethod
    def of(cls, schema: pa.Schema, target: str, shard_uri: str, slices: tuple[str, ...] = ()) -> "Layout":
        """From the first shard's schema. Raises: BadDataError naming the column."""
        require_distinct_columns(schema, shard_uri)
        if target not in schema.names:
            raise BadDataError(
                f"target column {target!r} is not in the data set; its columns are {_some(schema.names)}",
                "name an existing column as dataset.target",
            )
        for column in slices:
            _require_sliceable(column, schema, target)
        apart = {target, *(name for name in slices if not _is_numeric(schema.field(name).type))}
        features = [field for field in schema if field.name not in apart]
        names = [name for field in features for name in _names_of(field)]
        if not names:
            raise BadDataError(f"the data set has no column besides the target {target!r}", "add feature columns")
        if repeated := _repeated(names):
            raise BadDataError(
                f"feature {repeated!r} is there twice: as a column, and as a place of a list column",
                "rename one of the two columns",
            )
        _require_label_type(schema.field(target).type, target)
        return cls(schema, target, names, [field.name for field in features], slices)

    def require_equal(self, schema: pa.Schema, shard_uri: str) -> None:
        """Raises: BadDataError naming a shard that has other columns than the first."""
        require_distinct_columns(schema, shard_uri)
        if schema != self.schema:
            raise BadDataError(
                f"shard {shard_uri} has other columns than the first shard: {_difference(self.schema, schema)}",
                "write every shard of a data set with the same columns and types",
            )

    @property
    def columns_without_slices(self) -> list[str]:
        """What is read of a shard for features and labels alone."""
        return [*self.feature_columns, self.target]

    def decode(self, batch: pa.RecordBatch, rows: Rows, with_slices: bool = False) -> Block:
        """Raises: BadDataError naming the column and the row."""
        features = np.empty((batch.num_rows, len(self.feature_names)))
        place = 0
        for name, numbers in self._numbers(batch, rows):
            features[:, place : place + numbers.shape[1]] = numbers
            _require_float32(numbers, f"column {name!r}", rows)
            place += numbers.shape[1]
        labels = _labels(batch.column(self.target), self.target, rows)
        slices = (_slice_codes(batch.column(name), name, rows) for name in self.slices) if with_slices else ()
        return Block(rows.ids, features, labels, tuple(slices))

    def _numbers(self, batch: pa.RecordBatch, rows: Rows) -> Iterator[tuple[str, np.ndarray]]:
        """Each feature column with its numbers. Shapes: (m, width), width 1 but for lists."""
        for name in self.feature_columns:
            column, width = batch.column(name), 1
            _require_no_nulls(column, name, rows)
            if pa.types.is_fixed_size_list(column.type):
                width = column.type.list_size
                column = pc.list_flatten(column)
                _require_no_nulls(column, name, rows, per_row=width)
            yield name, column.to_numpy(zero_copy_only=False).reshape(-1, width)


def require_distinct_columns(schema: pa.Schema, shard_uri: str) -> None:
    if repeated := _repeated(schema.names):
        raise BadDataError(f"shard {shard_uri} has column {repeated!r} twice", "give each column a name of its own")


def _names_of(field: pa.Field) -> list[str]:
    """The features that a column makes. Raises: BadDataError when it holds no numbers."""
    is_list = pa.types.is_fixed_size_list(field.type)
    if not _is_numeric(field.type.value_type if is_list else field.type):
        raise BadDataError(
            f"feature column {field.name!r} holds {field.type}, not numbers",
            "encode it as numbers, leave the column out, or name it in the team file's rule.slice_guardrails",
        )
    return [f"{field.name}_{position}" for position in range(field.type.list_size)] if is_list else [field.name]


def _require_label_type(kind: pa.DataType, target: str) -> None:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind  # a dictionary is a pandas categorical
    if not (_is_numeric(kind) or _is_string(kind)):
        raise BadDataError(
            f"target column {target!r} holds {kind}, neither numbers nor strings",
            "store the target as integers, floats, strings or booleans",
        )


def _require_sliceable(column: str, schema: pa.Schema, target: str) -> None:
    if column not in schema.names:
        raise BadDataError(
            f"slice column {column!r} is not in the data set; its columns are {_some(schema.names)}", _SLICE_MEND
        )
    if column == target:
        raise BadDataError(f"slice column {column!r} is the target", "use class_guardrail for the recall of classes")
    kind = schema.field(column).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (_is_string(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        raise BadDataError(
            f"slice column {column!r} holds {kind}, neither strings, integers nor booleans",
            "store what names a group of rows as a string",
        )


def _slice_codes(column: pa.Array, name: str, rows: Rows) -> SliceCodes:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string_view(column.type):
        column = column.cast(pa.string())
    encoded = pc.dictionary_encode(column, null_encoding="encode")
    values = [slice_name(value) for value in encoded.dictionary.to_pylist()]
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    for number, value in enumerate(values):
        if problem := name_problem(value):
            raise BadDataError(
                f"slice column {name!r} holds {problem} in {rows.name(int((codes == number).argmax()))}",
                "store short names of groups of rows",
            )
    return SliceCodes(values, codes)


def slice_name(value: bool | int | str | None) -> str | None:
    """A value as slices are named by: the same for a column that is stored as another type."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def name_problem(value: str | None) -> str | None:
    """What a value is that names no slice; None where it is well."""
    try:
        is_too_long = value is not None and len(value.encode()) > MOST_SLICE_BYTES
    except UnicodeEncodeError:
        return "half of a surrogate pair"
    return f"a text of more than {MOST_SLICE_BYTES} bytes" if is_too_long else None


def _labels(column: pa.Array, target: str, rows: Rows) -> np.ndarray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    _require_no_nulls(column, target, rows)
    if _is_string(column.type):
        return np.array(column.to_pylist(), dtype=np.str_)
    if pa.types.is_integer(column.type):
        return _integers(column, target, rows)
    if pa.types.is_boolean(column.type):
        return column.to_numpy(zero_copy_only=False)
    labels = column.to_numpy(zero_copy_only=False).astype(np.float64)
    _require_float32(labels[:, None], f"target column {target!r}", rows)
    return labels


def _integers(column: pa.Array, target: str, rows: Rows) -> np.ndarray:
    try:
        return column.cast(pa.int64()).to_numpy()
    except pa.ArrowInvalid as error:
        raise BadDataError(
            f"target column {target!r} does not fit int64: {error} (shard {rows.shard_uri})",
            "store such labels as strings",
        ) from error


def _is_numeric(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)


def _is_string(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _require_float32(numbers: np.ndarray, column: str, rows: Rows) -> None:
    """Shapes: `numbers` (m, width). Raises: BadDataError at a NaN, an infinity, a number float32 has no room for."""
    if numbers.dtype.kind != "f":  # no integer is beyond float32's range
        return
    bad = ~(np.abs(numbers) <= FLOAT32_MAX)  # NaN compares False
    if bad.any():
        raise BadDataError(
            f"{column} is not a finite float32 in {rows.name(int(bad.argmax()) // numbers.shape[1])}", _ROW_MEND
        )


def _require_no_nulls(column: pa.Array, name: str, rows: Rows, per_row: int = 1) -> None:
    if column.null_count:
        position = int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0]) // per_row
        raise BadDataError(f"column {name!r} has no value in {rows.name(position)}", _ROW_MEND)


def _difference(first: pa.Schema, other: pa.Schema) -> str:
    missing, added = set(first.names) - set(other.names), set(other.names) - set(first.names)
    if missing or added:
        return f"missing {_some(sorted(missing))}, added {_some(sorted(added))}"
    return next(
        (f"{a.name} is {b.type}, not {a.type}" for a, b in zip(first, other, strict=True) if a != b),
        "another order",
    )


def _repeated(names: list[str]) -> str | None:
    """The first name that occurs more than once."""
    return next((name for name, count in Counter(names).items() if count > 1), None)


def _some(names: list[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "") or "none"
