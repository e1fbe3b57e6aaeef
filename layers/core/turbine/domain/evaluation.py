"""`evaluation_blocks.json`: what a model's test metrics are made of, summed over blocks of the split's rows.

The training job writes it (`batch_jobs/training/block_sums.py`). Two models that were measured on one split have the
same rows in the same block, so that blocks can be drawn in pairs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, StringConstraints, model_validator

from turbine.domain.rule import SLICE_GUARDRAILS_MAX, SLICE_NAME_MAX
from turbine.domain.run import Record

Sums = Mapping[str, float]
"""Of some blocks, by the name of the column."""


# As the job sums them, with one for all others (`batch_jobs/training/data/slices.py`).
SLICE_VALUES_MAX = 32

ClassLabel = bool | int | str
"""As the data have it."""


SliceValue = Annotated[str, StringConstraints(max_length=SLICE_NAME_MAX)]


class Columns(Record):
    """Columns of sums, all of one length, `rows` among them."""

    columns: dict[str, Annotated[list[FiniteFloat], Field(min_length=1)]]

    @model_validator(mode="after")
    def _of_one_length(self) -> Self:
        if "rows" not in self.columns:
            raise ValueError("columns has no rows")
        lengths = {len(column) for column in self.columns.values()}
        if len(lengths) > 1:
            raise ValueError(f"columns are of different lengths: {sorted(lengths)}")
        return self

    @property
    def row_count(self) -> int:
        return round(sum(self.columns["rows"]))

    @property
    def totals(self) -> dict[str, float]:
        return {name: sum(column) for name, column in self.columns.items()}


class SliceSums(Columns):
    """A sum for each of `values` in its place, None being that of rows without one; last, one for all `folded` ones."""

    values: Annotated[list[SliceValue | None], Field(max_length=SLICE_VALUES_MAX)]
    folded: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _in_their_places(self) -> Self:
        if len(set(self.values)) < len(self.values):
            raise ValueError("values has one twice")
        if len(self.columns["rows"]) != len(self.values) + bool(self.folded):
            raise ValueError(f"columns are not of {len(self.values)} values and {self.folded} folded ones")
        return self


class EvaluationBlocks(Columns):
    """Sums over blocks. `classes`: their names by number, where there are few. `slices`: sums by a column's values."""

    schema_version: Literal[1] = 1
    classes: list[ClassLabel] | None = None
    slices: dict[SliceValue, SliceSums] = Field(default_factory=dict, max_length=SLICE_GUARDRAILS_MAX)


def renumbered(blocks: EvaluationBlocks, classes: list[ClassLabel] | None) -> EvaluationBlocks:
    """The same sums with classes numbered as in `classes`, where they are the same ones: else as they are."""
    mine, theirs = ([repr(label) for label in labels or []] for labels in (classes, blocks.classes))
    if mine == theirs or sorted(mine) != sorted(theirs) or len(set(mine)) < len(mine):
        return blocks
    columns = {}
    for name, column in blocks.columns.items():
        kind, slash, number = name.partition("/")
        is_known = slash and number.isdecimal() and int(number) < len(theirs)
        columns[f"{kind}/{mine.index(theirs[int(number)])}" if is_known else name] = column
    return blocks.model_copy(update={"columns": columns, "classes": classes})


def fault(metric: str, blocks: Columns) -> str | None:
    """Why a metric cannot be put together from the blocks; None where it can."""
    columns = blocks.columns
    strange = [name for name in columns if "/" in name and not _OF_CLASS.fullmatch(name)]
    if strange:
        return f"{strange[0]} names no class by its number"
    names = needed(metric, columns)
    if not names:
        return f"{metric} cannot be put together from its columns"
    negative = [name for name in names if name not in _SIGNED and min(columns[name]) < 0]
    if negative:
        return f"{negative[0]} is negative in a block"
    if sum(columns["rows"]) <= 0:
        return "it has no rows"
    counts = [name for name in names if name == "hits" or name.startswith(("actual/", "predicted/", "hits/"))]
    if any(count > rows for name in counts for count, rows in zip(columns[name], columns["rows"], strict=True)):
        return "a block counts more than it has rows"
    classes = [name for name in names if name.startswith("actual/")]
    if classes and not any(sum(columns[name]) for name in classes):
        return "none of its rows is of any class"
    return None


def needed(metric: str, columns: Iterable[str]) -> list[str]:
    """Those of `columns` that a metric is made of, `rows` first; empty when they do not suffice."""
    there = set(columns)
    names = _NEEDED[metric]
    if names == _CLASSES:
        classes = sorted({name.split("/")[1] for name in there if "/" in name}, key=int)
        names = tuple(f"{kind}/{number}" for number in classes for kind in ("actual", "predicted", "hits"))
    wanted = ["rows", *names]
    return wanted if names and there.issuperset(wanted) else []


def value(metric: str, sums: Sums) -> float:
    """A metric of the rows that were summed, as the training job defines it."""
    return _VALUES[metric](sums)


def _balanced_accuracy(sums: Sums) -> float:
    recalls = [hits / actual for actual, _, hits in _of_classes(sums) if actual]
    return sum(recalls) / len(recalls)


def _macro_f1(sums: Sums) -> float:
    scores = [2 * hits / (actual + predicted) for actual, predicted, hits in _of_classes(sums) if actual + predicted]
    return sum(scores) / len(scores)


def _of_classes(sums: Sums) -> list[tuple[float, float, float]]:
    numbers = [name.split("/")[1] for name in sums if name.startswith("actual/")]
    return [(sums[f"actual/{number}"], sums[f"predicted/{number}"], sums[f"hits/{number}"]) for number in numbers]


def _r2(sums: Sums) -> float:
    spread = sums["squared_label"] - sums["label"] ** 2 / sums["rows"]
    return 1.0 - sums["squared_error"] / spread if spread > 0 else 0.0


_CLASSES = ("classes",)
_OF_CLASS = re.compile(r"(actual|predicted|hits)/\d{1,6}")
_SIGNED = frozenset({"label"})

_NEEDED: Mapping[str, tuple[str, ...]] = {
    "accuracy": ("hits",),
    "balanced_accuracy": _CLASSES,
    "macro_f1": _CLASSES,
    "log_loss": ("log_loss",),
    "rmse": ("squared_error",),
    "mae": ("absolute_error",),
    "r2": ("squared_error", "label", "squared_label"),
}

_VALUES: Mapping[str, Callable[[Sums], float]] = {
    "accuracy": lambda sums: sums["hits"] / sums["rows"],
    "balanced_accuracy": _balanced_accuracy,
    "macro_f1": _macro_f1,
    "log_loss": lambda sums: sums["log_loss"] / sums["rows"],
    "rmse": lambda sums: math.sqrt(sums["squared_error"] / sums["rows"]),
    "mae": lambda sums: sums["absolute_error"] / sums["rows"],
    "r2": _r2,
}
