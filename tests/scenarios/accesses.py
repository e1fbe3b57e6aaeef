"""What the roles of the shared cloud are allowed and denied, test by test: strict mode's ledger, read as it grows.

A statement is needed in a test when something was allowed by it that would have been denied without it. A test in which
a role is denied anything fails. So without that statement that test fails.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from cli.check.iam import usage
from cli.check.iam.usage import Use

Line = dict[str, Any]


class Witness(NamedTuple):
    """Where a use was seen to be needed first: for which resource, in which test."""

    resource: str
    test: str


@dataclass
class Accesses:
    """The ledger of a cloud so far, and what of the templates' statements it shows to be needed."""

    ledger: Path
    granted: set[Use]
    lines: list[Line] = field(default_factory=list)
    needed: dict[Use, Witness] = field(default_factory=dict)

    def news(self, test: str) -> list[Line]:
        """The lines that came since the last call; what they need is put down to a test."""
        came = usage.read(self.ledger)[len(self.lines) :]
        self.lines += came
        for use, resource in usage.needed(self.granted, came).items():
            self.needed.setdefault(use, Witness(resource, test))
        return came

    @staticmethod
    def denials(lines: Iterable[Line]) -> list[str]:
        """What roles and services were denied; a person (an IAM user) may well ask for what is not his."""
        return [line["denied"] for line in lines if line["denied"] and ":user/" not in line["who"]]

    def denied(self, role: str) -> Iterator[str]:
        """What a role, by its name, was denied so far."""
        lines = usage.read(self.ledger)
        return (line["denied"] for line in lines if line["denied"] and line["who"].endswith(f"/{role}"))

    def missing(self) -> list[str]:
        """The statements that nothing has needed yet."""
        unused = {use.statement for use in self.granted} - {use.statement for use in self.needed}
        return sorted("/".join(statement) for statement in unused)

    def write(self, path: Path) -> None:
        """Keep the witnesses, for `tests.scenarios.statements`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        told = [{**use._asdict(), **witness._asdict()} for use, witness in sorted(self.needed.items())]
        path.write_text(json.dumps(told, indent=1))
