"""Batches of a data set that fits in memory."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from training.data import Profile, open_training_data
from training.tasks import Classification

CPU = torch.device("cpu")


@pytest.fixture
def profile(profile_of: Callable[..., Profile], table: pa.Table) -> Profile:
    return profile_of(table.slice(0, 50), table.slice(50))


def opened(profile: Profile, rank: int = 0, size: int = 1) -> Any:
    task = Classification.fit(profile.labels, "class")
    return open_training_data(
        profile, task, 16, seed=7, rank=rank, size=size, device=CPU, resident=profile.fits_in_memory
    )


def test_an_epoch_is_the_permutation_of_its_seed(profile: Profile, table: pa.Table) -> None:
    train = np.flatnonzero(profile.parts == 0)
    order = train[np.random.default_rng([7, 3]).permutation(len(train))]
    batches = list(opened(profile).batches(epoch=3))
    features = np.stack([table[name].to_numpy() for name in "abc"], axis=1)
    expected = profile.normalisation.apply(features[order])
    assert np.array_equal(torch.cat([batch.features for batch in batches]).numpy(), expected)
    assert torch.cat([batch.targets for batch in batches]).tolist() == table["class"].to_numpy()[order].tolist()
    assert [batch.global_rows for batch in batches] == [16] * (len(train) // 16) + [len(train) % 16]
    assert opened(profile).steps_per_epoch() == len(batches)


def test_a_later_start_sees_what_is_left(profile: Profile) -> None:
    data = opened(profile)
    whole, rest = list(data.batches(2)), list(data.batches(2, first=3))
    assert [batch.features.tolist() for batch in rest] == [batch.features.tolist() for batch in whole[3:]]
    assert list(data.batches(2, first=len(whole))) == []


def test_workers_share_each_global_batch(profile: Profile) -> None:
    whole = list(opened(profile).batches(1))
    shares = [list(opened(profile, rank, 3).batches(1)) for rank in range(3)]
    for step, batch in enumerate(whole):
        of_step = [share[step] for share in shares]
        assert {share.global_rows for share in of_step} == {batch.global_rows}
        rows = {tuple(row) for share in of_step for row in share.features.tolist()}
        assert rows == {tuple(row) for row in batch.features.tolist()}


def test_validation_shares_make_the_validation_split_in_order(profile: Profile, table: pa.Table) -> None:
    batches = [batch for rank in range(3) for batch in opened(profile, rank, 3).validation()]
    rows = np.flatnonzero(profile.parts == 1)
    assert np.concatenate([batch.labels for batch in batches]).tolist() == table["class"].to_numpy()[rows].tolist()
    assert {batch.global_rows for batch in batches} == {len(rows)}
    scaled = profile.normalisation.apply(table["a"].to_numpy()[rows][:, None].repeat(3, axis=1))[:, 0]
    assert torch.cat([batch.features for batch in batches])[:, 0].tolist() == scaled.tolist()


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
