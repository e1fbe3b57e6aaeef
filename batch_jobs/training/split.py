"""Which rows train, validate and test: decided by what a row holds, so that it stays in its part as the data grow.

A row's place depends on nothing but the salt (the team's name) and its features. Champion and challenger that were
trained on one version are measured on the very same rows, whatever recipe, seed or world size; and a champion that is
measured on a later version meets no row there that it was trained on, wherever that row has gone.

Rows with the same features are told apart by counting them: else a data set with few distinct rows could not be split.
"""

import hashlib
from typing import Literal

import numpy as np

from training.errors import BadDataError
from training.spec import Split

Part = Literal["train", "validation", "test"]

TRAIN, VALIDATION, TEST = np.uint8(0), np.uint8(1), np.uint8(2)
PARTS: dict[Part, np.uint8] = {"train": TRAIN, "validation": VALIDATION, "test": TEST}

COUNTED_TOGETHER = 2**16
"""Rows with the same features are counted within so many rows, which bounds what has to be remembered."""


class Splitter:
    """Tells the parts of a data set's rows, which come in order."""

    def __init__(self, split: Split) -> None:
        self._split = split
        self._salted = hashlib.sha256(f"{split.salt}:".encode())
        self._stretch = 0
        self._seen: dict[bytes, int] = {}

    def parts_of(self, feature_names: list[str], row_ids: np.ndarray, features: np.ndarray) -> np.ndarray:
        """Shapes: `row_ids` (n,) int64; `features` (n, f) float64, unscaled; to (n,) uint8, each one of PARTS.

        A row's fraction is the first 8 bytes of SHA-256 of "salt:" and its features, over 2^64. The features are taken
        in the order of their names, each as its 8 bytes of float64, little end first, with 0 for -0; the k-th row
        after the first with the same ones, among those with the same `row_id // COUNTED_TOGETHER`, adds ":k". The label
        is no part of it: one that is corrected later moves no row.
        """
        in_order = np.take(features, np.argsort(feature_names), axis=1).astype("<f8", copy=False)
        in_order += 0.0
        content, row_bytes = in_order.data.cast("B"), in_order.shape[1] * in_order.itemsize
        heads = bytearray()
        for index, row_id in enumerate(row_ids.tolist()):
            if row_id // COUNTED_TOGETHER != self._stretch:
                self._stretch = row_id // COUNTED_TOGETHER
                self._seen.clear()
            heads += self._head(content[index * row_bytes : (index + 1) * row_bytes])
        fractions = np.frombuffer(heads, ">u8").astype(np.float64) / 2**64
        parts = np.full(len(fractions), TRAIN)
        parts[fractions < self._split.test + self._split.validation] = VALIDATION
        parts[fractions < self._split.test] = TEST
        return parts

    def _head(self, content: memoryview) -> bytes:
        row = self._salted.copy()
        row.update(content)
        head = row.digest()[:8]
        before = self._seen.get(head, 0)
        self._seen[head] = before + 1
        if before:
            row.update(b":%d" % before)
            return row.digest()[:8]
        return head


def count_parts(parts: np.ndarray) -> dict[Part, int]:
    """How many rows each part has. Raises: BadDataError naming a part that got none."""
    counts = {name: int(np.count_nonzero(parts == part)) for name, part in PARTS.items()}
    for name, count in counts.items():
        if not count:
            raise BadDataError(
                f"the {name} split has no rows: the data set has only {len(parts)}", "add rows to the data set"
            )
    return counts
