"""The rules a team may be judged by: a new rule is a file, one line here and its test."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from turbine.domain.rule import Rule
from turbine.domain.rules import min_delta
from turbine.domain.rules.ruling import Ruling

Judge = Callable[[Rule, Mapping[str, float], Mapping[str, float]], Ruling]

RULES: Mapping[str, Judge] = {
    "min_delta": min_delta.judge,
}

__all__ = ["RULES", "Judge", "Ruling"]
