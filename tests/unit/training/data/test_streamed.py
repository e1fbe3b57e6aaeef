"""Batches of a data set that is larger than memory."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from training.data import Batch, Profile, open_training_data, streamed
from training.data import blocks as blocks_module
from training.data.memory import BUDGET_VARIABLE
from training.tasks import Classification

CPU = torch.device("cpu")
# Where shards begin and end.
BOUNDS = [0, 100, 130, 131, 300, 420, 500]


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Units of 16 rows and windows of 50, of two features."""
    monkeypatch.setenv(BUDGET_VARIABLE, "1")
    monkeypatch.setattr(blocks_module, "BLOCK_BYTES", 16 * 2 * 8)
    monkeypatch.setattr(streamed, "WINDOW_BYTES", 50 * 2 * 4)


def numbered(start: int, stop: int) -> pa.Table:
    """Rows that say which they are."""
    ids = np.arange(start, stop)
    return pa.table({"id": ids.astype(np.float64), "double": 2.0 * ids, "class": ids % 3})


@pytest.fixture
def profile(small_pieces: None, profile_of: Callable[..., Profile]) -> Profile:
    tables = [numbered(start, stop) for start, stop in pairwise(BOUNDS)]
    return profile_of(*tables, scales_inputs=False, row_group_size=8)


def opened(profile: Profile, rank: int = 0, size: int = 1, batch_size: int = 16) -> Any:
    task = Classification.fit(profile.labels, "class")
    return open_training_data(
        profile, task, batch_size, seed=7, rank=rank, size=size, device=CPU, resident=profile.fits_in_memory
    )


def ids_of(batches: list[Batch]) -> list[int]:
    return [int(number) for batch in batches for number in batch.features[:, 0].tolist()]


def test_it_is_streamed_because_it_does_not_fit(profile: Profile) -> None:
    assert not profile.fits_in_memory
    assert len(profile.source.units) > 30
    assert isinstance(opened(profile), streamed.StreamedRows)


@pytest.mark.parametrize(("size", "batch_size"), [(1, 16), (2, 16), (3, 16), (5, 7), (4, 3), (3, 1000)])
def test_every_train_row_is_used_once_an_epoch(profile: Profile, size: int, batch_size: int) -> None:
    train = np.flatnonzero(profile.parts == 0).tolist()
    shares = [list(opened(profile, rank, size, batch_size).batches(1)) for rank in range(size)]
    assert {len(share) for share in shares} == {-(-len(train) // batch_size)}
    assert sorted(number for share in shares for number in ids_of(share)) == train
    for of_step in zip(*shares, strict=True):
        assert {batch.global_rows for batch in of_step} == {sum(len(batch.targets) for batch in of_step)}
    for batch in (batch for share in shares for batch in share):
        assert batch.features.shape == (len(batch.targets), 2)
        assert (batch.targets.dtype, batch.features.dtype) == (torch.int64, torch.float32)
        assert batch.targets.tolist() == [number % 3 for number in ids_of([batch])]


def test_rows_are_shuffled_anew_each_epoch(profile: Profile) -> None:
    data = opened(profile)
    first, second = ids_of(list(data.batches(1))), ids_of(list(data.batches(2)))
    assert first != second
    assert first == ids_of(list(opened(profile).batches(1)))
    assert sum(after == before + 1 for before, after in pairwise(first)) < len(first) / 10
    shards_of_the_first_window = {int(np.searchsorted(BOUNDS, number, side="right")) for number in first[:50]}
    assert len(shards_of_the_first_window) > 1


@pytest.mark.parametrize("first", [0, 1, 3, 5, 20, 21])
@pytest.mark.parametrize("rank", [0, 1])
def test_a_later_start_sees_what_is_left(profile: Profile, rank: int, first: int) -> None:
    data = opened(profile, rank, 2)
    whole, rest = list(data.batches(4)), list(data.batches(4, first=first))
    assert len(rest) == max(0, len(whole) - first)
    assert [batch.features.tolist() for batch in rest] == [batch.features.tolist() for batch in whole[first:]]
    assert [batch.targets.tolist() for batch in rest] == [batch.targets.tolist() for batch in whole[first:]]


def test_validation_shares_make_the_validation_split_in_order(profile: Profile) -> None:
    rows = np.flatnonzero(profile.parts == 1).tolist()
    batches = [batch for rank in range(3) for batch in opened(profile, rank, 3).validation()]
    assert ids_of(batches) == rows
    assert np.concatenate([batch.labels for batch in batches]).tolist() == [row % 3 for row in rows]
    assert {batch.global_rows for batch in batches} == {len(rows)}


def test_held_out_rows_are_read_again(profile: Profile) -> None:
    blocks = list(profile.held_out("test"))
    rows = np.flatnonzero(profile.parts == 2).tolist()
    assert np.concatenate([block.row_ids for block in blocks]).tolist() == rows
    assert np.concatenate([block.features[:, 1] for block in blocks]).tolist() == [2.0 * row for row in rows]


def test_workers_beyond_the_validation_rows_have_an_empty_batch(profile: Profile) -> None:
    rows = profile.row_counts["validation"]
    shares = [list(opened(profile, rank, rows + 2).validation()) for rank in range(rows + 2)]
    assert all(shares)
    batches = [batch for share in shares for batch in share]
    assert sum(len(batch.targets) for batch in batches) == rows
    empty = [batch for batch in batches if not len(batch.targets)]
    assert empty
    assert {batch.features.shape for batch in empty} == {(0, len(profile.feature_names))}
    assert {batch.targets.dtype for batch in empty} == {torch.int64}


def test_blank_rows_are_as_many_as_a_workers_share(profile: Profile) -> None:
    for rank in range(3):
        data = opened(profile, rank, 3)
        blank, first = data.blank(), next(iter(data.batches(1)))
        assert blank.features.shape == first.features.shape
        assert blank.targets.dtype == first.targets.dtype
        assert (blank.global_rows, blank.features.any().item()) == (first.global_rows, False)
