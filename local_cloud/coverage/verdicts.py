"""What is said of an operation of AWS: faithful, partial with the difference, or refused with the reason.

Faithful is claimed only where what AWS documents of the operation was read, nothing is known to differ, and the named
test shows it against a running cloud. What was taken from moto as it is, is partial.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

NOT_CHECKED = "moto's; not checked further"


@dataclass(frozen=True)
class Faithful:
    """Nothing is known to differ from what AWS documents. `shown_by` is the test's path in this repository."""

    shown_by: str


@dataclass(frozen=True)
class Partial:
    """Served, and this is what differs from AWS, or was not looked at."""

    difference: str


@dataclass(frozen=True)
class Refused:
    """moto would answer, but nothing would come of it: why."""

    reason: str


Verdict = Faithful | Partial | Refused
Coverage = Mapping[str, Verdict]
"""Verdicts of a service by operation. An operation without one is refused."""


def each(verdict: Verdict, names: str) -> dict[str, Verdict]:
    """The same verdict for each of `names`, which spaces part."""
    return dict.fromkeys(names.split(), verdict)


def motos(names: str) -> dict[str, Verdict]:
    """Operations that are taken as moto has them."""
    return each(Partial(NOT_CHECKED), names)
