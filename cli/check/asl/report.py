"""Collects what the parts of the proof find in one machine, each thing once, in the order of the file."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from cli.check.asl import rules
from cli.check.documents import Document, Steps
from cli.check.findings import Finding


@dataclass
class Report:
    """Findings of one document."""

    document: Document
    _found: set[Finding] = field(default_factory=set)

    def add(self, steps: Steps, rule: str, what: str, mend: str) -> None:
        """One thing that is wrong at a place of the document."""
        self.add_at(self.document.name, self.document.line(steps), steps, rule, what, mend)

    def add_at(self, file: str, line: int, steps: Steps, rule: str, what: str, mend: str) -> None:
        """The same, where the line to mend is in another file."""
        is_note = rule in rules.NOTES
        self._found.add(Finding(file, line, _state(steps), rule, what, rules.WHY[rule], mend, is_note))

    def findings(self) -> list[Finding]:
        """All of them, by file and line."""
        return sorted(self._found)


def _state(steps: Steps) -> str:
    """The innermost state that a way leads into."""
    names = [after for before, after in pairwise(steps) if before == "States"]
    return str(names[-1]) if names else ""
