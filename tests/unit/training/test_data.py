from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from training.data import load_examples, to_examples
from training.errors import BadDataError
from training.spec import Dataset, Shard
from training.storage import Storage


def dataset(*shards: dict[str, Any]) -> Dataset:
    pinned = [Shard.model_validate(shard) for shard in shards]
    return Dataset(name="d", version="v", format="parquet", target="class", shards=pinned)


def test_shards_are_joined_in_their_order(bench: Any) -> None:
    first = bench.put_shard(pa.table({"a": [1.0, 2.0], "class": [0, 1]}), "part-0.parquet")
    second = bench.put_shard(pa.table({"a": [3.0], "class": [1]}), "part-1.parquet")
    examples = load_examples(dataset(first, second), Storage(bench.s3))
    assert examples.feature_names == ["a"]
    assert examples.features.tolist() == [[1.0], [2.0], [3.0]]
    assert examples.features.dtype == np.float64
    assert examples.labels.tolist() == [0, 1, 1]


def test_the_pinned_version_is_read_even_after_an_overwrite(bench: Any) -> None:
    pinned = bench.put_shard(pa.table({"a": [1.0], "class": [0]}))
    bench.put_shard(pa.table({"a": [9.0], "class": [1]}))
    assert load_examples(dataset(pinned), Storage(bench.s3)).features.tolist() == [[1.0]]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"key": "datasets/winery/wine/v1/gone.parquet"}, "gone.parquet is not there"),
        ({"bucket": "nowhere"}, "s3://nowhere/datasets/winery/wine/v1/part-0.parquet is not there"),
        ({"etag": "0" * 32}, "has ETag"),
        ({"size_bytes": 1}, "bytes, the run pinned 1"),
    ],
)
def test_a_shard_that_is_not_the_pinned_one_is_named(bench: Any, change: dict[str, Any], problem: str) -> None:
    shard = bench.put_shard(pa.table({"a": [1.0], "class": [0]})) | {"version_id": None}
    with pytest.raises(BadDataError, match=problem):
        load_examples(dataset(shard | change), Storage(bench.s3))


def test_a_shard_that_is_no_parquet_is_named(bench: Any) -> None:
    answer = bench.s3.put_object(Bucket="data", Key="junk", Body=b"junk")
    shard = {"bucket": "data", "key": "junk", "etag": answer["ETag"], "size_bytes": 4}
    with pytest.raises(BadDataError, match="s3://data/junk is not readable as Parquet"):
        load_examples(dataset(shard), Storage(bench.s3))


def test_a_shard_with_other_columns_is_named(bench: Any) -> None:
    first = bench.put_shard(pa.table({"a": [1.0], "class": [0]}), "part-0.parquet")
    second = bench.put_shard(pa.table({"b": [1.0], "class": [0]}), "part-1.parquet")
    with pytest.raises(BadDataError, match=r"part-1.parquet has other columns.*missing a, added b"):
        load_examples(dataset(first, second), Storage(bench.s3))


def test_two_columns_of_one_name_in_a_shard_are_named(bench: Any) -> None:
    twice = pa.Table.from_arrays([pa.array([1.0]), pa.array([2.0]), pa.array([0])], names=["a", "a", "class"])
    once = pa.table({"a": [1.0], "class": [0]})
    shards = [bench.put_shard(table, f"part-{number}.parquet") for number, table in enumerate((once, twice))]
    with pytest.raises(BadDataError, match=r"part-1.parquet has column 'a' twice"):
        load_examples(dataset(*shards), Storage(bench.s3))


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"a": [1.0]}, "target column 'class' is not in the data set; its columns are a"),
        ({"a": pa.array([], pa.float64()), "class": pa.array([], pa.int64())}, "no rows"),
        ({"class": [0]}, "no column besides the target"),
        ({"a": ["x"], "class": [0]}, "column 'a' holds string, not numbers"),
        ({"a": [1.0, None], "class": [0, 1]}, "column 'a' has no value in row 1"),
        ({"a": [1.0, float("nan")], "class": [0, 1]}, "column 'a' is not a finite float32 in row 1"),
        ({"a": [1e300], "class": [0]}, "column 'a' is not a finite float32 in row 0"),
        ({"a": [1.0, 2.0], "class": [0, None]}, "column 'class' has no value in row 1"),
        ({"a": [1.0, 2.0], "class": [0.5, float("nan")]}, "target column 'class' is not a finite float32 in row 1"),
        ({"a": [1.0], "class": [[0]]}, "target column 'class' holds list<item: int64>, neither numbers nor strings"),
        ({"a": [1.0], "class": pa.array([2**63 + 5], pa.uint64())}, "target column 'class' does not fit int64"),
        (
            {"x": pa.array([[1, 2]], pa.list_(pa.int64(), 2)), "x_0": [3], "class": [0]},
            "feature 'x_0' is there twice",
        ),
    ],
)
def test_a_bad_column_is_named(columns: dict[str, Any], problem: str) -> None:
    with pytest.raises(BadDataError, match=problem):
        to_examples(pa.table(columns), "class")


def test_a_fixed_size_list_becomes_numbered_features() -> None:
    pixels = pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32(), 2))
    examples = to_examples(pa.table({"pixels": pixels, "class": ["x", "y"]}), "class")
    assert examples.feature_names == ["pixels_0", "pixels_1"]
    assert examples.features.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert examples.labels.tolist() == ["x", "y"]


def test_a_bad_number_in_a_list_is_found_by_its_row() -> None:
    pixels = pa.array([[1.0, 2.0], [3.0, float("inf")]], pa.list_(pa.float32(), 2))
    with pytest.raises(BadDataError, match="column 'pixels' is not a finite float32 in row 1"):
        to_examples(pa.table({"pixels": pixels, "class": [0, 1]}), "class")


@pytest.mark.parametrize(
    "kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())], ids=["large", "view", "dict"]
)
def test_classes_of_every_kind_of_string_are_strings(bench: Any, kind: pa.DataType) -> None:
    classes = pa.array(["x", "y", "x"])
    stored = classes.dictionary_encode() if pa.types.is_dictionary(kind) else classes.cast(kind)
    shard = bench.put_shard(pa.table({"a": [1.0, 2.0, 3.0], "class": stored}))
    assert load_examples(dataset(shard), Storage(bench.s3)).labels.tolist() == ["x", "y", "x"]


def test_digits_that_float32_has_no_room_for_are_kept() -> None:
    examples = to_examples(pa.table({"seconds": [1_700_000_000, 1_700_000_060], "class": [0, 1]}), "class")
    assert examples.features[:, 0].tolist() == [1_700_000_000, 1_700_000_060]
