"""One pass tells what is in the data set, whether it fits in memory or not."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.unit.training.data.conftest import SPLIT, dataset_of
from tests.unit.training.splits import split_rows
from training.data import Block, Profile, ShardReader, blocks, profile_dataset
from training.data.memory import BUDGET_VARIABLE
from training.errors import BadDataError
from training.split import PARTS

ROWS = 400


@pytest.fixture(params=["in memory", "too large"])
def profile_anyhow(request: Any, profile_of: Callable[..., Profile], monkeypatch: Any) -> Callable[..., Profile]:
    """With room for all, and with room for nothing and blocks of ten rows."""
    if request.param == "too large":
        monkeypatch.setenv(BUDGET_VARIABLE, "1")
        monkeypatch.setattr(blocks, "BLOCK_BYTES", 10 * 3 * 8)
    return profile_of


def columns(rows: int = ROWS) -> dict[str, Any]:
    random = np.random.default_rng(5)
    return {
        "seconds": 1_700_000_000 + random.integers(0, 60, rows),
        "tenth": np.full(rows, 0.1),
        "wide": random.normal(0, 1e6, rows),
        "class": random.choice(["a", "b", "c"], rows, p=[0.5, 0.3, 0.2]),
    }


def test_it_tells_what_the_train_split_tells(profile_anyhow: Callable[..., Profile]) -> None:
    table = pa.table(columns())
    profile = profile_anyhow(table.slice(0, 250), table.slice(250), row_group_size=7)
    rows = split_rows(table, SPLIT)
    assert profile.feature_names == ["seconds", "tenth", "wide"]
    assert profile.row_counts == {"train": len(rows.train), "validation": len(rows.validation), "test": len(rows.test)}
    features = np.stack([table[name].to_numpy() for name in profile.feature_names], axis=1)
    train = features[rows.train]
    assert profile.normalisation.mean == pytest.approx(train.mean(axis=0), rel=1e-12)
    assert profile.normalisation.scale == pytest.approx([train[:, 0].std(), 1.0, train[:, 2].std()], rel=1e-8)
    labels = table["class"].to_numpy(zero_copy_only=False)
    counts = {name: int((labels[rows.train] == name).sum()) for name in "abc"}
    assert profile.labels.train_counts == counts
    for part in PARTS:
        held_out = list(profile.held_out(part))
        ids = getattr(rows, part)
        assert np.concatenate([block.row_ids for block in held_out]).tolist() == ids.tolist()
        assert np.array_equal(np.concatenate([block.features for block in held_out]), features[ids])
        assert np.concatenate([block.labels for block in held_out]).tolist() == labels[ids].tolist()


def test_what_does_not_fit_is_not_kept(profile_of: Callable[..., Profile], monkeypatch: Any) -> None:
    table = pa.table(columns())
    needed = 1.5 * sum(block.size_bytes for part in PARTS for block in profile_of(table).held_out(part))
    for budget, fits in ((needed + 1, True), (needed - 1, False)):
        monkeypatch.setenv(BUDGET_VARIABLE, str(int(budget)))
        assert profile_of(table).fits_in_memory is fits


def test_unscaled_inputs_stay_as_they_are(profile_anyhow: Callable[..., Profile]) -> None:
    normalisation = profile_anyhow(pa.table(columns()), scales_inputs=False).normalisation
    assert normalisation.apply(np.array([[3.0, 4.0, 5.0]])).tolist() == [[3, 4, 5]]


def test_a_class_that_only_other_splits_have_is_known(profile_anyhow: Callable[..., Profile]) -> None:
    given = columns()
    given["class"] = np.array(["a", "b"])[np.arange(ROWS) % 2]
    given["class"][split_rows(given, SPLIT).test[0]] = "z"
    assert profile_anyhow(pa.table(given)).labels.train_counts["z"] == 0  # type: ignore[index]


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_a_row_too_far_from_the_train_split_is_named(profile_anyhow: Callable[..., Profile], part: str) -> None:
    """A constant of the train split is left unscaled: far beyond it nothing is too far. So the column is nearly one."""
    given = columns()
    given["wide"] = np.arange(ROWS) * 1e-8
    far = next(row for row in range(ROWS) if row in far_away(given, row, part))
    given["wide"][far] = 3e38
    if part == "train":  # it takes part in the spread, so that it is not far
        assert profile_anyhow(pa.table(given)).normalisation.scale[2] > 1e30
        return
    with pytest.raises(BadDataError, match=f"column 'wide' is too far from the train split in row {far}:"):
        profile_anyhow(pa.table(given))


def far_away(given: dict[str, Any], row: int, part: str) -> np.ndarray:
    """The rows of a part, were a row far away."""
    wide = given["wide"].copy()
    wide[row] = 3e38
    rows: np.ndarray = getattr(split_rows(given | {"wide": wide}, SPLIT), part)
    return rows


def test_a_bad_value_is_named_by_row_and_shard(profile_anyhow: Callable[..., Profile]) -> None:
    table, given = pa.table(columns()), columns()
    given["wide"][5] = np.nan
    with pytest.raises(
        BadDataError, match=r"column 'wide' is not a finite float32 in row 405 \(shard .*part-1.parquet"
    ):
        profile_anyhow(table, pa.table(given))


@pytest.mark.parametrize("wrong", [1, 0])
def test_a_shard_without_rows_is_named(profile_of: Callable[..., Profile], wrong: int) -> None:
    tables = [pa.table(columns()), pa.table(columns())]
    tables[wrong] = tables[wrong].slice(0, 0)
    with pytest.raises(BadDataError, match=f"part-{wrong}.parquet has no rows"):
        profile_of(*tables)


@pytest.mark.parametrize("body", [b"", b"junk", b"PAR1" + bytes(50) + b"PAR1"])
def test_a_shard_that_is_no_parquet_is_named(bench: Any, reader: ShardReader, body: bytes) -> None:
    shards = [bench.put_shard(pa.table(columns())), bench.put_object("torn.parquet", body)]
    with pytest.raises(BadDataError, match=r"torn.parquet is not readable as Parquet"):
        profile_dataset(dataset_of(shards), SPLIT, reader, scales_inputs=True)


def test_a_shard_with_a_broken_page_is_named(bench: Any, reader: ShardReader) -> None:
    whole = bench.put_shard(pa.table(columns()))
    body = bytearray(bench.s3.get_object(Bucket=whole["bucket"], Key=whole["key"])["Body"].read())
    body[8:200] = b"\xff" * 192
    shard = bench.put_object("broken.parquet", bytes(body))
    with pytest.raises(BadDataError, match=r"broken.parquet is not readable as Parquet"):
        profile_dataset(dataset_of([shard]), SPLIT, reader, scales_inputs=True)


def test_a_recipes_own_check_sees_every_row(profile_anyhow: Callable[..., Profile]) -> None:
    seen: list[int] = []

    def check(feature_names: list[str], block: Block) -> None:
        assert feature_names == ["seconds", "tenth", "wide"]
        seen.extend(block.row_ids.tolist())
        if 70 in block.row_ids:
            raise BadDataError("row 70 is no good", "mend it")

    with pytest.raises(BadDataError, match="row 70 is no good"):
        profile_anyhow(pa.table(columns()), check=check)
    assert seen[:71] == list(range(71))


def test_too_few_rows_are_named(profile_of: Callable[..., Profile]) -> None:
    with pytest.raises(BadDataError, match="split has no rows: the data set has only 1"):
        profile_of(pa.table(columns(1)))
