"""Which large contents each cell refers to: what nothing refers to any more leaves the disk with the next commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from local_cloud.durability.store import Cell


class References:
    """Hashes of contents by cell. Cells without any are not held."""

    def __init__(self) -> None:
        self._of: dict[Cell, frozenset[str]] = {}
        self._uses: Counter[str] = Counter()

    def note(self, cell: Cell, contents: Iterable[str]) -> None:
        """What a cell refers to, as it is written now."""
        before, after = self._of.pop(cell, frozenset()), frozenset(contents)
        if after:
            self._of[cell] = after
        self._uses.update(after)
        self._uses.subtract(before)
        for sha256 in before - after:
            if not self._uses[sha256]:
                del self._uses[sha256]

    def unused_after(self, changed: Mapping[Cell, Iterable[str]]) -> set[str]:
        """What no cell would refer to any more once these are written so."""
        after: Counter[str] = Counter()
        touched: set[str] = set()
        for cell, contents in changed.items():
            before = self._of.get(cell, frozenset())
            touched |= before
            after.subtract(before)
            after.update(set(contents))
        return {sha256 for sha256 in touched if self._uses[sha256] + after[sha256] <= 0}
