"""Shards that are files already, for benchmarks of what comes after the download."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from training.data.shards import ShardReader
from training.spec import Shard


class LocalShards(ShardReader):
    """Opens a shard whose key is a path."""

    def __init__(self) -> None:
        pass

    def open(self, shard: Shard, is_unwanted: Callable[[], bool] = bool, is_binary: bool = False) -> pa.NativeFile:
        return pa.OSFile(shard.key)


def pin(path: Path) -> Shard:
    return Shard(bucket="local", key=str(path), etag="none", size_bytes=path.stat().st_size)
