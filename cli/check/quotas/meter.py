"""What was measured: of every limit the worst case with its place, and everything that is over it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cli.check.findings import Finding
from cli.check.quotas import limits, shapes
from cli.check.quotas.limits import Limit


class Place(NamedTuple):
    """Where a worst case comes from."""

    file: str
    line: int = 1
    where: str = ""


@dataclass(frozen=True)
class Measure:
    """A worst case. `worst` None means that nothing bounds it; `why` says how it comes about."""

    limit: Limit
    worst: int | None
    place: Place
    why: str = ""

    @property
    def is_over(self) -> bool:
        """Whether AWS would refuse it."""
        return self.worst is None or self.worst > self.limit.value

    @property
    def margin(self) -> int | None:
        """What is left."""
        return None if self.worst is None else self.limit.value - self.worst

    def as_json(self) -> dict[str, Any]:
        """A row of `--limits --json`."""
        return {
            "limit": self.limit.key,
            "what": self.limit.what,
            "unit": self.limit.unit,
            "value": self.limit.value,
            "worst": self.worst,
            "margin": self.margin,
            "source": self.limit.source,
            "file": self.place.file,
            "line": self.place.line,
            "where": self.place.where,
        }

    def as_row(self) -> tuple[str, ...]:
        """A row of `--limits`."""
        worst = "no bound" if self.worst is None else f"{self.worst:,}"
        left = "" if self.margin is None else f"{self.margin:,}"
        place = f"{self.place.file}:{self.place.line} {self.place.where}".rstrip()
        return self.limit.what, worst, f"{self.limit.value:,}", left, self.limit.unit, place

    def finding(self) -> Finding:
        """What to mend."""
        size = "has no bound" if self.worst is None else f"can reach {self.worst:,} {self.limit.unit}".rstrip()
        what = f"{self.limit.what} {size}; AWS takes {self.limit.value:,}"
        why = self.why or f"the worst case that schemas and code allow ({self.limit.source})"
        mend = "bound what it is made of, or pass a reference to S3 instead"
        return Finding(self.place.file, self.place.line, self.place.where, f"quota:{self.limit.key}", what, why, mend)


@dataclass
class Meter:
    """Collects measures."""

    worst: dict[str, Measure] = field(default_factory=dict)
    over: list[Measure] = field(default_factory=list)

    def note(self, key: str, actual: int | None, place: Place, why: str = "") -> None:
        """Measure by a limit of the table."""
        self._keep(Measure(limits.table()[key], actual, place, why))

    def request(self, service: str, operation: str, arguments: Any, place: Place) -> None:
        """Measure all that botocore's model bounds in a request."""
        for found in shapes.bounded(shapes.request_shape(service, operation), arguments):
            self._keep(Measure(limits.of_model(service, operation, found), found.actual, place))

    def rows(self) -> Iterator[Measure]:
        """The worst case of each limit: those of the table first, in its order."""
        named = limits.table()
        yield from (self.worst[key] for key in named if key in self.worst)
        yield from (self.worst[key] for key in sorted(self.worst) if key not in named)

    def findings(self) -> list[Finding]:
        """Everything that is over a limit."""
        return sorted({measure.finding() for measure in self.over})

    def _keep(self, measure: Measure) -> None:
        known = self.worst.get(measure.limit.key)
        if measure.is_over:
            self.over.append(measure)
        if known is None or _size(measure) > _size(known):
            self.worst[measure.limit.key] = measure


def _size(measure: Measure) -> float:
    return float("inf") if measure.worst is None else measure.worst


def json_bytes(value: Any) -> int:
    """How much of a payload's limit a value takes: its JSON in UTF-8 without spaces."""
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass"))
