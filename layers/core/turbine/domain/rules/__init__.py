"""The rules a team may be judged by: a new rule is a file, one line here and its test."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from turbine.domain.rule import Rule
from turbine.domain.rules import min_delta, paired_bootstrap
from turbine.domain.rules.ruling import Evidence, Ruling, Sample

Judge = Callable[[Rule, Sample, Sample], Ruling]

RULES: Mapping[str, Judge] = {
    "min_delta": min_delta.judge,
    "paired_bootstrap": paired_bootstrap.judge,
}

__all__ = ["RULES", "Evidence", "Judge", "Ruling", "Sample"]
