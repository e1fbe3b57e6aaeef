"""Which models on the way of a run are published beside its own: what was asked for, and what its job has left."""

from __future__ import annotations

import re
from collections.abc import Iterable

from turbine.domain.run import SpecRecipe

_ARCHIVE = re.compile(r"model/epochs/([1-9][0-9]{0,4})/model\.tar\.gz")


def archives(recorded: Iterable[str]) -> dict[str, str]:
    """The archives of single epochs among a run's files, by the epoch's number as a text; in their order."""
    found = {match[1]: name for name in recorded if (match := _ARCHIVE.fullmatch(name))}
    return {epoch: found[epoch] for epoch in sorted(found, key=int)}


def not_reached(recipe: SpecRecipe, found: Iterable[str]) -> list[int]:
    """The numbers that were asked for and have no archive: training stopped before them."""
    there = set(found)
    return [epoch for epoch in recipe.publish_epochs if isinstance(epoch, int) and str(epoch) not in there]
