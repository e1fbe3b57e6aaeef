"""Data sets in a bucket, and the pieces that read them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from training.data import Profile, ShardReader, profile_dataset
from training.data.cache import ShardCache
from training.spec import Dataset, Shard, Split

SPLIT = Split(id="x", salt="feed" * 4, validation=0.15, test=0.2)
MANY_BYTES = 10**9


def dataset_of(shards: list[dict[str, Any]], target: str = "class") -> Dataset:
    pinned = [Shard.model_validate(shard) for shard in shards]
    return Dataset(name="d", version="v", format="parquet", target=target, shards=pinned)


@pytest.fixture
def cache(tmp_path: Path) -> ShardCache:
    folder = tmp_path / "cache"
    folder.mkdir()
    return ShardCache(folder, MANY_BYTES)


@pytest.fixture
def reader(bench: Any, cache: ShardCache) -> ShardReader:
    return ShardReader(bench.s3, cache)


@pytest.fixture
def profile_of(bench: Any, reader: ShardReader) -> Callable[..., Profile]:
    """Profile tables, each as a shard."""

    def profile(*tables: pa.Table, target: str = "class", row_group_size: int | None = None, **changes: Any) -> Profile:
        shards = [
            bench.put_shard(table, f"part-{number}.parquet", row_group_size) for number, table in enumerate(tables)
        ]
        return profile_dataset(dataset_of(shards, target), SPLIT, reader, **{"scales_inputs": True, **changes})

    return profile
