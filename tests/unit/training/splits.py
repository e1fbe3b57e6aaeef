"""The split by hand, as docs/contracts.md has it, for tests that must know which row is where."""

from __future__ import annotations

import hashlib
import struct
from collections import Counter
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from training.spec import Split


class SplitRows(NamedTuple):
    """Row numbers of each part, ascending. Shapes: each (n,) int64."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def fraction(salt: str, row: dict[str, Any], before: int = 0) -> float:
    """Below `test` a row tests, below `test + validation` it validates.

    `row` is without its target; `before` is how many rows with the same features came before it.
    """
    features: dict[str, float] = {}
    for name, value in row.items():
        several = isinstance(value, list)
        features |= {f"{name}_{index}": one for index, one in enumerate(value)} if several else {name: value}
    content = b"".join(struct.pack("<d", features[name] + 0.0) for name in sorted(features))
    counted = b":%d" % before if before else b""
    return int.from_bytes(hashlib.sha256(f"{salt}:".encode() + content + counted).digest()[:8], "big") / 2**64


def split_rows(table: pa.Table | dict[str, Any], split: Split, target: str = "class") -> SplitRows:
    """Which rows of a table, of 65,536 at most, are where."""
    seen: Counter[str] = Counter()
    places = []
    for row in pa.table(table).drop_columns([target]).to_pylist():
        places.append(fraction(split.salt, row, seen[repr(row)]))
        seen[repr(row)] += 1
    is_test, is_held_out = (np.array(places) < limit for limit in (split.test, split.test + split.validation))
    return SplitRows(*(np.flatnonzero(one) for one in (~is_held_out, is_held_out & ~is_test, is_test)))
