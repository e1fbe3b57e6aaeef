"""One shape for what every scanner says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Finding:
    """`place` is `template.yaml/LogicalId`, a file's path, or that with the hash of what was found behind a `#`."""

    rule: str
    place: str
    message: str
