"""What the columns of a shard become, and which are refused."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from training.data.blocks import Block
from training.data.columns import Layout, Rows
from training.errors import BadDataError

URI = "s3://data/part-3.parquet"


def decoded(table: pa.Table, first_row: int = 0) -> Block:
    (batch,) = table.to_batches() or pa.RecordBatch.from_pylist([], table.schema)
    ids = np.arange(first_row, first_row + table.num_rows)
    return Layout.of(table.schema, "class", URI).decode(batch, Rows(ids, URI))


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"a": [1.0]}, "target column 'class' is not in the data set; its columns are a"),
        ({"class": [0]}, "no column besides the target"),
        ({"a": ["x"], "class": [0]}, "column 'a' holds string, not numbers"),
        ({"a": [[1.0]], "class": [0]}, "column 'a' holds list<item: double>, not numbers"),
        ({"a": [1.0, None], "class": [0, 1]}, "column 'a' has no value in row 101 "),
        ({"a": [1.0, float("nan")], "class": [0, 1]}, "column 'a' is not a finite float32 in row 101 "),
        ({"a": [1e300], "class": [0]}, "column 'a' is not a finite float32 in row 100 "),
        (
            {"a": np.array([1, np.inf], np.float16), "class": [0, 1]},
            "column 'a' is not a finite float32 in row 101 ",
        ),
        ({"a": [1.0, 2.0], "class": [0, None]}, "column 'class' has no value in row 101 "),
        ({"a": [1.0, 2.0], "class": [0.5, float("nan")]}, "target column 'class' is not a finite float32 in row 101 "),
        ({"a": [1.0], "class": [[0]]}, "target column 'class' holds list<item: int64>, neither numbers nor strings"),
        ({"a": [1.0], "class": pa.array([2**63 + 5], pa.uint64())}, "target column 'class' does not fit int64"),
        (
            {"x": pa.array([[1, 2]], pa.list_(pa.int64(), 2)), "x_0": [3], "class": [0]},
            "feature 'x_0' is there twice",
        ),
        (
            {"x": pa.array([[1.0, 2.0], [3.0, float("inf")]], pa.list_(pa.float32(), 2)), "class": [0, 0]},
            "column 'x' is not a finite float32 in row 101 ",
        ),
        (
            {"x": pa.array([[1.0, 2.0], [3.0, None]], pa.list_(pa.float32(), 2)), "class": [0, 0]},
            "column 'x' has no value in row 101 ",
        ),
        (
            {"x": pa.array([[1.0, 2.0], None], pa.list_(pa.float32(), 2)), "class": [0, 0]},
            "column 'x' has no value in row 101 ",
        ),
    ],
)
def test_a_bad_column_is_named(columns: dict[str, Any], problem: str) -> None:
    with pytest.raises(BadDataError, match=problem) as caught:
        decoded(pa.table(columns), first_row=100)
    assert "in row" not in problem or f"(shard {URI})" in caught.value.message


def test_two_columns_of_one_name_are_named() -> None:
    twice = pa.schema([("a", pa.float64()), ("a", pa.float64()), ("class", pa.int64())])
    with pytest.raises(BadDataError, match=r"part-3.parquet has column 'a' twice"):
        Layout.of(twice, "class", URI)


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        ({"b": [1.0], "class": [0]}, "missing a, added b"),
        ({"a": [1], "class": [0]}, "a is int64, not double"),
        ({"class": [0], "a": [1.0]}, "class is int64|another order|a is"),
    ],
)
def test_another_shards_other_columns_are_named(other: dict[str, Any], difference: str) -> None:
    first = Layout.of(pa.table({"a": [1.0], "class": [0]}).schema, "class", "s3://data/part-0.parquet")
    with pytest.raises(BadDataError, match=rf"part-3.parquet has other columns than the first shard: .*({difference})"):
        first.require_equal(pa.table(other).schema, URI)


def test_a_fixed_size_list_becomes_numbered_features() -> None:
    pixels = pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32(), 2))
    table = pa.table({"pixels": pixels, "class": ["x", "y"]})
    assert Layout.of(table.schema, "class", URI).feature_names == ["pixels_0", "pixels_1"]
    block = decoded(table)
    assert block.features.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert block.labels.tolist() == ["x", "y"]


def test_a_slice_of_a_list_column_is_its_own_rows() -> None:
    """pyarrow's flattened values know where a slice begins; its raw ones do not."""
    pixels = pa.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], pa.list_(pa.float32(), 2))
    assert decoded(pa.table({"pixels": pixels, "class": [0, 1, 2]}).slice(1)).features.tolist() == [[3, 4], [5, 6]]


@pytest.mark.parametrize(
    "kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())], ids=["large", "view", "dict"]
)
def test_classes_of_every_kind_of_string_are_strings(kind: pa.DataType) -> None:
    classes = pa.array(["x", "y", "x"])
    stored = classes.dictionary_encode() if pa.types.is_dictionary(kind) else classes.cast(kind)
    assert decoded(pa.table({"a": [1.0, 2.0, 3.0], "class": stored})).labels.tolist() == ["x", "y", "x"]


def test_digits_that_float32_has_no_room_for_are_kept() -> None:
    block = decoded(pa.table({"seconds": [1_700_000_000, 1_700_000_060], "flag": [True, False], "class": [0, 1]}))
    assert block.features.dtype == np.float64
    assert block.features.tolist() == [[1_700_000_000, 1], [1_700_000_060, 0]]
