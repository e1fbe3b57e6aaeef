"""Which values of a column stand alone, and how the rows of each are found again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.unit.training.conftest import blobs
from tests.unit.training.data.conftest import SPLIT, dataset_of
from training.data import Profile, ShardReader, profile_dataset, slices
from training.data.blocks import SliceCodes
from training.data.slices import MOST_VALUES, NO_SLICES, Slices, SliceSurvey
from training.errors import BadDataError
from training.split import TEST
from turbine.domain.evaluation import SLICE_VALUES_MAX
from turbine.domain.rule import SLICE_NAME_MAX

Values = list[str | None]


def surveyed(values: Values, is_test: np.ndarray | None = None) -> Slices:
    """As one column's values come, a few rows at a time."""
    survey = SliceSurvey(("site",))
    wanted = np.ones(len(values), bool) if is_test is None else is_test
    for start in range(0, len(values), 7):
        some = slice(start, start + 7)
        distinct = list(dict.fromkeys(values[some]))
        codes = SliceCodes(distinct, np.array([distinct.index(value) for value in values[some]]))
        row_ids = np.arange(len(values))[some]
        survey.add(row_ids, (codes,), wanted[some])
    return survey.slices()


def named(found: Slices, row_ids: np.ndarray) -> list[str | None]:
    """The slices of rows by their names."""
    (column,) = found.columns
    (places,) = found.places(row_ids)
    return [(*column.values, "folded")[place] for place in places.tolist()]


def test_every_row_has_its_value_and_a_missing_one_is_a_value() -> None:
    values: Values = ["B", "A", None, "A", "", "B", "A", None, "B", "A"]
    found = surveyed(values)
    assert (found.columns[0].values, found.columns[0].folded, found.columns[0].width) == ([None, "A", "B", ""], 0, 4)
    assert named(found, np.arange(10)) == values
    assert named(found, np.array([2, 5, 9])) == [None, "B", "A"]


def test_only_test_rows_count() -> None:
    values: Values = ["A", "B", "A", "C", "B", "B"]
    found = surveyed(values, np.array([False, True, True, False, True, False]))
    assert found.columns[0].values == ["B", "A"]
    assert named(found, np.array([1, 2, 4])) == ["B", "A", "B"]


def test_rarer_values_share_a_slice_and_a_missing_one_never_does() -> None:
    values: Values = [f"s{number:03}" for number in range(MOST_VALUES + 9) for _ in range(100 - number)]
    values += [None]
    found = surveyed(values)
    (column,) = found.columns
    assert column.values == [None, *(f"s{number:03}" for number in range(MOST_VALUES - 1))]
    assert (column.folded, column.width) == (10, MOST_VALUES + 1)
    counts = Counter(named(found, np.arange(len(values))))
    assert counts["folded"] == sum(100 - number for number in range(MOST_VALUES - 1, MOST_VALUES + 9))


def test_who_is_folded_does_not_depend_on_the_order_of_the_rows() -> None:
    values: Values = [f"s{number:03}" for number in range(100)]
    there, back = surveyed(values), surveyed(values[::-1])
    assert there.columns[0].values == back.columns[0].values == values[:MOST_VALUES]
    assert named(there, np.arange(100)) == named(back, np.arange(100))[::-1]


def test_a_column_that_names_rows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "MOST_DISTINCT", 20)
    surveyed([str(number) for number in range(20)])
    with pytest.raises(BadDataError, match="slice column 'site' has more than 20 values"):
        surveyed([str(number) for number in range(21)])


def test_the_domains_bounds_are_the_jobs() -> None:
    from training.data.columns import MOST_SLICE_BYTES

    assert (MOST_VALUES, MOST_SLICE_BYTES) == (SLICE_VALUES_MAX, SLICE_NAME_MAX)


@pytest.fixture
def sliced(bench: Any, reader: ShardReader) -> Callable[..., Profile]:
    def profile(*tables: pa.Table, columns: tuple[str, ...] = ("site",), row_group_size: int | None = None) -> Profile:
        shards = [bench.put_shard(table, f"part-{n}.parquet", row_group_size) for n, table in enumerate(tables)]
        dataset = dataset_of(shards).model_copy(update={"slices": columns})
        return profile_dataset(dataset, SPLIT, reader, scales_inputs=True)

    return profile


def sites(row_count: int = 120) -> list[str | None]:
    return [("north", "south", None)[number % 3] for number in range(row_count)]


def test_a_column_of_strings_is_no_feature_and_moves_no_row(sliced: Any, profile_of: Any) -> None:
    plain = profile_of(blobs())
    found: Profile = sliced(blobs().add_column(0, "site", pa.array(sites())), row_group_size=13)
    assert found.feature_names == plain.feature_names == ["a", "b", "c"]
    assert found.parts.tolist() == plain.parts.tolist()
    tested = np.flatnonzero(found.parts == TEST)
    assert named(found.slices, tested) == [sites()[row] for row in tested.tolist()]
    assert plain.slices is NO_SLICES
    assert all(block.slices == () for block in found.blocks or [])


def test_rows_are_read_again_without_the_column(sliced: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURBINE_DATA_MEMORY_BYTES", "1")
    found: Profile = sliced(blobs().add_column(1, "site", pa.array(sites())), row_group_size=50)
    assert found.blocks is None
    read = np.concatenate([block.features for block in found.held_out("test")])
    expected = np.stack([np.asarray(blobs()[name]) for name in "abc"], axis=1)[found.parts == TEST]
    assert read.tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("column", "names"),
    [
        (pa.array([number % 2 for number in range(120)]), ["0", "1"]),
        (pa.array([number % 2 == 0 for number in range(120)]), ["false", "true"]),
    ],
)
def test_a_column_of_numbers_stays_a_feature(sliced: Any, column: pa.Array, names: list[str]) -> None:
    found: Profile = sliced(blobs().append_column("site", column))
    assert found.feature_names == ["a", "b", "c", "site"]
    assert sorted(found.slices.columns[0].values, key=str) == names


def test_categories_views_and_several_columns(sliced: Any) -> None:
    sex = pa.array(["f", "m"] * 60, pa.string_view())
    table = blobs().append_column("site", pa.array(sites()).dictionary_encode()).append_column("sex", sex)
    found: Profile = sliced(table, columns=("sex", "site"))
    assert [column.name for column in found.slices.columns] == ["sex", "site"]
    assert {value for column in found.slices.columns for value in column.values} == {"f", "m", "north", "south", None}


def test_shards_may_have_other_values(sliced: Any) -> None:
    first = blobs().append_column("site", pa.array(["A"] * 120))
    second = blobs(90).append_column("site", pa.array([None, "B"] * 45, pa.string()))
    assert set(sliced(first, second).slices.columns[0].values) == {None, "A", "B"}


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        (None, "slice column 'site' is not in the data set; its columns are a, b, c, class"),
        (pa.array([0.5] * 120), "slice column 'site' holds double, neither strings, integers nor booleans"),
        (pa.array([[1, 2]] * 120, pa.list_(pa.int64(), 2)), "slice column 'site' holds fixed_size_list"),
        (pa.array(["x"] * 7 + ["ä" * 65] * 113), "slice column 'site' holds a text of more than 128 bytes in row 7 "),
        (pa.array([1, None] * 60), "column 'site' has no value in row 1 "),
    ],
)
def test_what_names_no_slices_is_refused(sliced: Any, column: pa.Array | None, problem: str) -> None:
    table = blobs() if column is None else blobs().append_column("site", column)
    with pytest.raises(BadDataError, match=problem):
        sliced(table)


def test_the_target_is_no_slice(sliced: Any) -> None:
    with pytest.raises(BadDataError, match="slice column 'class' is the target"):
        sliced(blobs(), columns=("class",))
