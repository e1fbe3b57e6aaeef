"""Which rows train, validate and test: pinned by the data set's version alone.

A row's place depends on nothing but the salt (the version) and its number, so champion and challenger
trained on one version are measured on the very same rows, whatever recipe, seed or world size.
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np

from training.errors import BadDataError
from training.spec import Split

Part = Literal["train", "validation", "test"]

TRAIN, VALIDATION, TEST = np.uint8(0), np.uint8(1), np.uint8(2)
PARTS: dict[Part, np.uint8] = {"train": TRAIN, "validation": VALIDATION, "test": TEST}


@dataclass(frozen=True)
class SplitRows:
    """Row numbers of each part, ascending. Shapes: each (n,) int64."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split_rows(row_count: int, split: Split) -> SplitRows:
    """Raises: BadDataError naming a part that got no rows."""
    parts = parts_of(range(row_count), split)
    count_parts(parts)
    return SplitRows(**{name: np.flatnonzero(parts == part).astype(np.int64) for name, part in PARTS.items()})


def parts_of(row_ids: range, split: Split) -> np.ndarray:
    """The part of each row, a byte a row. Shapes: (len(row_ids),) uint8, one of PARTS.

    A row's fraction is the first 8 bytes of SHA-256 of "salt:row_id" over 2^64.
    """
    salted = hashlib.sha256(f"{split.salt}:".encode())
    heads = bytearray()
    for row_id in row_ids:
        row = salted.copy()
        row.update(b"%d" % row_id)
        heads += row.digest()[:8]
    fractions = np.frombuffer(heads, ">u8").astype(np.float64) / 2**64
    parts = np.full(len(row_ids), TRAIN)
    parts[fractions < split.test + split.validation] = VALIDATION
    parts[fractions < split.test] = TEST
    return parts


def count_parts(parts: np.ndarray) -> dict[Part, int]:
    """How many rows each part has. Raises: BadDataError naming a part that got none."""
    counts = {name: int(np.count_nonzero(parts == part)) for name, part in PARTS.items()}
    for name, count in counts.items():
        if not count:
            raise BadDataError(
                f"the {name} split has no rows: the data set has only {len(parts)}", "add rows to the data set"
            )
    return counts
