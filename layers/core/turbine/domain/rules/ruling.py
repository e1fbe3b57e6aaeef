"""What a rule answers."""

from __future__ import annotations

from typing import Literal, NamedTuple

Decision = Literal["promote", "hold", "reject"]


class Ruling(NamedTuple):
    """A decision, the improvement it rests on (positive is better), and why in a part of a sentence."""

    decision: Decision
    delta: float
    why: str
