"""The data set as a sequence of units: what is read in one go, a few row groups of Parquet or a whole tar."""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Protocol

import numpy as np
import pyarrow as pa

from training.data.background import WorkAhead
from training.data.blocks import Block
from training.data.memory import give_back
from training.data.parquet import ParquetFormat
from training.data.shards import ShardReader
from training.spec import Dataset

# How many shards are downloaded before they are wanted.
SHARDS_AHEAD = 1


class OpenShard(Protocol):
    """One shard, open for reading."""

    @property
    def unit_sizes(self) -> list[int]:
        """How many rows each of its units has."""

    def blocks(self, unit: int, row_ids: range, wanted: np.ndarray, with_slices: bool = False) -> Iterator[Block]:
        """The rows of a unit, numbered `row_ids`, where `wanted` (len(row_ids),) bool is set."""

    def close(self) -> None: ...


class Format(Protocol):
    """A kind of shard. It learns from the first shard what all must have."""

    @property
    def is_binary(self) -> bool:
        """Whether samples are files, so that shards are large for what they hold."""

    @property
    def feature_names(self) -> list[str]: ...

    def open(self, file: pa.NativeFile, shard_uri: str) -> OpenShard:
        """Raises: BadDataError when it is not of this format, or unlike the first shard."""


@dataclass(frozen=True)
class Unit:
    """`position` counts the units of a shard; `row_ids` are the data set's numbers of its rows."""

    shard: int
    position: int
    row_ids: range

    @property
    def rows(self) -> slice:
        return slice(self.row_ids.start, self.row_ids.stop)


# Which rows of a unit are wanted. Shapes: (len(unit.row_ids),) bool.
Wanted = Callable[[Unit], np.ndarray]


class Source:
    """Reads a data set's rows; which units there are is known after the survey."""

    def __init__(self, dataset: Dataset, shards: ShardReader) -> None:
        self._dataset = dataset
        self._shards = shards
        self._format = _format_of(dataset)
        self.units: list[Unit] = []

    @property
    def feature_names(self) -> list[str]:
        return self._format.feature_names

    def survey(self) -> Iterator[Block]:
        """Every row, in shard order and with its slices, while the units are found.

        Raises: BadDataError naming the shard, and what of it is wrong.
        """
        self.units = []
        row_id = 0
        with self._opened(range(len(self._dataset.shards)), Event()) as shards:
            for number, shard in enumerate(shards):
                for position, size in enumerate(shard.unit_sizes):
                    unit = Unit(number, position, range(row_id, row_id + size))
                    self.units.append(unit)
                    row_id += size
                    yield from shard.blocks(position, unit.row_ids, np.ones(size, bool), with_slices=True)
                shard.close()
                give_back()

    def read(self, units: Sequence[Unit], wanted: Wanted, stop: Event | None = None) -> Iterator[Block]:
        """The wanted rows of some units, in the order of `units`; a shard stays open until its last one.

        Once `stop` is set, downloads are given up.
        """
        numbers = list(dict.fromkeys(unit.shard for unit in units))
        last = {unit.shard: index for index, unit in enumerate(units)}
        shards: dict[int, OpenShard] = {}
        with self._opened(numbers, stop or Event()) as opened:
            try:
                for index, unit in enumerate(units):
                    if unit.shard not in shards:
                        shards[unit.shard] = next(opened)
                    yield from shards[unit.shard].blocks(unit.position, unit.row_ids, wanted(unit))
                    if last[unit.shard] == index:
                        shards.pop(unit.shard).close()
                        give_back()
            finally:
                for shard in shards.values():
                    shard.close()

    def _opened(self, numbers: Sequence[int], stop: Event) -> WorkAhead[OpenShard]:
        """Shards, downloaded while the ones before them are read."""

        def produce(own_stop: Event) -> Generator[OpenShard, None, None]:
            for number in numbers:
                shard = self._dataset.shards[number]
                file = self._shards.open(shard, lambda: stop.is_set() or own_stop.is_set(), self._format.is_binary)
                yield self._format.open(file, shard.uri)

        return WorkAhead(produce, SHARDS_AHEAD, "shards")


def _format_of(dataset: Dataset) -> Format:
    if dataset.format == "tar":
        # Imported only here: Pillow is for images alone.
        from training.data.tar import TarFormat

        return TarFormat(dataset.target, dataset.slices)
    return ParquetFormat(dataset.target, dataset.slices)
