"""What one pass over the data set tells: what is in it, that it can be trained on, and how its inputs are scaled.

The pass holds one block of rows at a time. As long as the data set fits the memory budget the blocks are kept,
so that a data set of ordinary size is read once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from training.data.blocks import Block
from training.data.memory import data_budget_bytes
from training.data.shards import ShardReader
from training.data.slices import Slices, SliceSurvey
from training.data.source import Source
from training.errors import BadDataError
from training.labels import LabelSummary
from training.moments import Moments
from training.normalisation import Normalisation
from training.spec import Dataset, Split
from training.split import PARTS, TEST, TRAIN, Part, Splitter, count_parts

# A block in memory (float64) becomes the model's input too (float32).
BYTES_A_BLOCK_BYTE = 1.5

# Given the features' names and a block, raises BadDataError where a recipe cannot take a row.
BlockCheck = Callable[[list[str], Block], None]


@dataclass(frozen=True)
class Profile:
    """Shapes: `parts` (n,) uint8, the part each row belongs to (training.split.PARTS).

    `blocks` are all rows in order where they fit in memory, else None. `budget_bytes` is what was there for them.
    """

    feature_names: list[str]
    row_counts: dict[Part, int]
    normalisation: Normalisation
    labels: LabelSummary
    parts: np.ndarray
    slices: Slices
    source: Source
    blocks: list[Block] | None
    budget_bytes: int

    @property
    def fits_in_memory(self) -> bool:
        return self.blocks is not None

    def held_out(self, part: Part) -> Iterator[Block]:
        """The rows of a part, unscaled, in order, a block at a time."""
        wanted = PARTS[part]
        if self.blocks is None:
            yield from self.source.read(self.source.units, lambda unit: self.parts[unit.rows] == wanted)
            return
        for block in self.blocks:
            mask = self.parts[block.row_ids] == wanted
            if mask.any():
                yield block.where(mask)


def profile_dataset(
    dataset: Dataset, split: Split, shards: ShardReader, scales_inputs: bool, check: BlockCheck | None = None
) -> Profile:
    """Read and check every row once.

    With `scales_inputs` False the features stay as they are. `check` looks at each block too.

    Raises: BadDataError naming the shard, and the column and row where there is one.
    """
    source = Source(dataset, shards)
    budget_bytes = data_budget_bytes()
    survey = _Survey(split, budget_bytes, dataset.slices)
    for block in source.survey():
        if check is not None:
            check(source.feature_names, block)
        survey.add(source.feature_names, block)
    row_counts = count_parts(survey.parts)
    normalisation = survey.normalisation() if scales_inputs else Normalisation.none(len(source.feature_names))
    assert survey.labels is not None
    profile = Profile(
        source.feature_names,
        row_counts,
        normalisation,
        survey.labels,
        survey.parts,
        survey.slices.slices(),
        source,
        survey.blocks,
        budget_bytes,
    )
    _require_in_range(profile, survey)
    return profile


class _Survey:
    """What is known of the rows seen so far."""

    def __init__(self, split: Split, budget_bytes: int, slice_columns: tuple[str, ...]) -> None:
        self._splitter = Splitter(split)
        self._bytes_left = float(budget_bytes)
        self._parts: list[np.ndarray] = []
        self._train: Moments | None = None
        self.labels: LabelSummary | None = None
        self.slices = SliceSurvey(slice_columns)
        self.lowest, self.highest = np.array(np.inf), np.array(-np.inf)
        self.blocks: list[Block] | None = []

    def add(self, feature_names: list[str], block: Block) -> None:
        parts = self._splitter.parts_of(feature_names, block.row_ids, block.features)
        is_train = parts == TRAIN
        self._parts.append(parts)
        self._measure(block.features, is_train)
        if self.labels is None:
            self.labels = LabelSummary(block.labels.dtype.kind)
        self.labels.add(block.labels, is_train)
        self.slices.add(block.row_ids, block.slices, parts == TEST)
        self._keep(replace(block, slices=()))

    @property
    def parts(self) -> np.ndarray:
        return np.concatenate(self._parts)

    def normalisation(self) -> Normalisation:
        assert self._train is not None
        return Normalisation.of(self._train)

    def _measure(self, features: np.ndarray, is_train: np.ndarray) -> None:
        self.lowest = np.minimum(self.lowest, features.min(axis=0))
        self.highest = np.maximum(self.highest, features.max(axis=0))
        if is_train.any():
            of_these = Moments.of(features[is_train])
            self._train = of_these if self._train is None else self._train + of_these

    def _keep(self, block: Block) -> None:
        self._bytes_left -= BYTES_A_BLOCK_BYTE * block.size_bytes
        if self._bytes_left < 0:
            self.blocks = None
        if self.blocks is not None:
            self.blocks.append(block)


def _require_in_range(profile: Profile, survey: _Survey) -> None:
    """Raises: BadDataError when a number, in units of its spread on the train split, overflows float32."""
    scaled = profile.normalisation.apply(np.stack([survey.lowest, survey.highest]))
    if np.isfinite(scaled).all():
        return
    for part in PARTS:
        for block in profile.held_out(part):
            bad = ~np.isfinite(profile.normalisation.apply(block.features))
            if bad.any():
                row, column = divmod(int(bad.argmax()), bad.shape[1])
                raise BadDataError(
                    f"column {profile.feature_names[column]!r} is too far from the train split in row "
                    f"{block.row_ids[row]}: scaled, it is no finite float32",
                    "correct or drop such rows before writing the data set",
                )
