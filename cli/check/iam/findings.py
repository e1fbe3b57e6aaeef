"""What the IAM proof found wrong, in the words that a person needs to mend it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is wrong. Lines begin at 1; `where` is the role and the statement's Sid."""

    file: str
    line: int
    where: str
    rule: str
    what: str
    instead: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.where}: [{self.rule}] {self.what}. {self.instead}"
