"""Which rows train, validate and test: pinned by the data set's version alone.

A row's place depends on nothing but the salt (the version) and its number, so champion and challenger
trained on one version are measured on the very same rows, whatever recipe, seed or world size.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

from training.errors import BadDataError
from training.spec import Split


@dataclass(frozen=True)
class SplitRows:
    """Row numbers of each part, ascending. Shapes: each (n,) int64."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split_rows(row_count: int, split: Split) -> SplitRows:
    """Raises: BadDataError naming a part that got no rows."""
    fractions = np.fromiter((_fraction(split.salt, row_id) for row_id in range(row_count)), np.float64, row_count)
    is_test = fractions < split.test
    is_validation = ~is_test & (fractions < split.test + split.validation)
    parts = {"train": ~is_test & ~is_validation, "validation": is_validation, "test": is_test}
    for name, members in parts.items():
        if not members.any():
            raise BadDataError(
                f"the {name} split has no rows: the data set has only {row_count}", "add rows to the data set"
            )
    return SplitRows(**{name: np.flatnonzero(members).astype(np.int64) for name, members in parts.items()})


def _fraction(salt: str, row_id: int) -> float:
    """A fixed number in [0, 1) for a row: the first 8 bytes of SHA-256 of "salt:row_id" over 2^64."""
    digest = hashlib.sha256(f"{salt}:{row_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
