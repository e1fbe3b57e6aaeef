"""Parquet shards, read a few row groups at a time.

Not through `pyarrow.dataset`: its scanner decides itself how much it reads ahead, and importing it takes as long
as training a small model.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from training.data.blocks import BLOCK_BYTES, Block, rows_per_block
from training.data.columns import Layout, Rows
from training.errors import BadDataError

# A row group up to here is read as a whole, which is faster; a larger one a piece of each column at a time.
WHOLE_GROUP_BYTES = 2 * BLOCK_BYTES
SMALLEST_PIECE_BYTES = 16 * 1024


class ParquetFormat:
    """Learns its layout from the first shard."""

    is_binary = False

    def __init__(self, target: str, slices: tuple[str, ...] = ()) -> None:
        self._target = target
        self._slices = slices
        self._layout: Layout | None = None

    @property
    def feature_names(self) -> list[str]:
        assert self._layout is not None
        return self._layout.feature_names

    def open(self, file: pa.NativeFile, shard_uri: str) -> "ParquetShard":
        """Raises: BadDataError when it is no Parquet, has no rows, or other columns than the first shard."""
        with _readable(shard_uri):
            metadata = pq.read_metadata(file)
            parquet = pq.ParquetFile(file, metadata=metadata, buffer_size=_piece_bytes(metadata))
            schema = parquet.schema_arrow
        if self._layout is None:
            self._layout = Layout.of(schema, self._target, shard_uri, self._slices)
        self._layout.require_equal(schema, shard_uri)
        if metadata.num_rows == 0:
            raise BadDataError(f"shard {shard_uri} has no rows", "leave empty shards out of the data set")
        return ParquetShard(parquet, shard_uri, self._layout, _group_rows(metadata, self._layout))


@dataclass(frozen=True)
class ParquetShard:
    """`units` are ranges of row groups."""

    file: pq.ParquetFile
    uri: str
    layout: Layout
    units: list[range]

    @property
    def unit_sizes(self) -> list[int]:
        metadata = self.file.metadata
        return [sum(metadata.row_group(group).num_rows for group in unit) for unit in self.units]

    def blocks(self, unit: int, row_ids: range, wanted: np.ndarray, with_slices: bool = False) -> Iterator[Block]:
        rows_at_once = rows_per_block(len(self.layout.feature_names))
        columns = None if with_slices or not self.layout.slices else self.layout.columns_without_slices
        done = 0
        with _readable(self.uri):
            for batch in self.file.iter_batches(rows_at_once, row_groups=list(self.units[unit]), columns=columns):
                some = slice(done, done + batch.num_rows)
                done = some.stop
                if wanted[some].any():
                    ids = np.arange(row_ids.start + some.start, row_ids.start + done)
                    yield self._decode(batch, ids, wanted[some], with_slices)
        if done != len(row_ids):
            raise _unreadable(self.uri, f"it promises {len(row_ids)} rows where it has {done}")

    def close(self) -> None:
        self.file.close(force=True)

    def _decode(self, batch: pa.RecordBatch, ids: np.ndarray, wanted: np.ndarray, with_slices: bool) -> Block:
        if not wanted.all():
            batch, ids = batch.filter(pa.array(wanted)), ids[wanted]
        return self.layout.decode(batch, Rows(ids, self.uri), with_slices)


def _group_rows(metadata: pq.FileMetaData, layout: Layout) -> list[range]:
    """Neighbouring row groups together as long as they fit one block: tiny ones each cost a call."""
    most = rows_per_block(len(layout.feature_names))
    sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    starts, rows = [0], 0
    for group, size in enumerate(sizes):
        if rows and rows + size > most:
            starts.append(group)
            rows = 0
        rows += size
    return [range(start, stop) for start, stop in pairwise([*starts, len(sizes)])]


def _piece_bytes(metadata: pq.FileMetaData) -> int:
    """How much of a column is read at once; 0 stands for all of it."""
    sizes = (metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    if max(sizes, default=0) <= WHOLE_GROUP_BYTES:
        return 0
    return max(SMALLEST_PIECE_BYTES, BLOCK_BYTES // max(1, metadata.num_columns))


@contextmanager
def _readable(shard_uri: str) -> Iterator[None]:
    """Raises: BadDataError for what Parquet's decoder stumbles over; it has no number where the disk's errors have."""
    try:
        yield
    except MemoryError:
        raise
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise _unreadable(shard_uri, error) from error


def _unreadable(shard_uri: str, problem: object) -> BadDataError:
    return BadDataError(f"shard {shard_uri} is not readable as Parquet: {problem}", "write the shard again")
