"""Which mutants the proof kills: `python -m tests.mutation.hunt` takes them all and lists the survivors.

With `--journal FILE` a hunt that was ended goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cli.check import templates
from cli.check.asl.proof import Project
from cli.check.documents import DocumentError
from tests.mutation import machines
from tests.mutation.machines import Mutant

LEAST_KILLED = 0.99


@dataclass
class Hunt:
    """Proves mutants against the project, whose templates and functions are read once."""

    project: Project = field(default_factory=lambda: Project(templates.read(machines.ROOT)))

    def kills(self, mutant: Mutant) -> bool:
        """Whether the mutant's machine, or one that depends on it, has a finding."""
        own = next(
            one for one in self.project.templates.machines if one.definition.name == f"{mutant.machine}.asl.yaml"
        )
        project = self.project.with_text(own.logical_id, mutant.text)
        try:
            if any(not finding.is_note for finding in project.prove(own)):
                return True
            if project.contract(own.logical_id) == self.project.contract(own.logical_id):
                return False
            others = (one for one in project.templates.machines if one is not own)
            return any(not finding.is_note for other in others for finding in project.prove(other))
        except DocumentError:
            return True


def survivors(mutants: list[Mutant], journal: Path | None) -> Iterator[Mutant]:
    """The mutants that are not killed. A journal has a line for each that was taken: its hash, and whether it lives."""
    known = dict(line.split() for line in journal.read_text().splitlines()) if journal and journal.exists() else {}
    hunt = Hunt()
    for mutant in mutants:
        name = hashlib.sha256(f"{mutant.machine}\n{mutant.text}".encode()).hexdigest()
        if name not in known:
            known[name] = "killed" if hunt.kills(mutant) else "lives"
            if journal:
                with journal.open("a") as file:
                    file.write(f"{name} {known[name]}\n")
        if known[name] == "lives":
            yield mutant


def main() -> None:
    """Print the survivors, and how many of each kind were killed. Exits 1 if fewer than LEAST_KILLED are."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take only every Nth mutant")
    parser.add_argument("--journal", type=Path, help="what was found so far; good for one state of machines and proof")
    given = parser.parse_args()
    mutants, living = machines.all_mutants()[:: given.every], []
    for mutant in survivors(mutants, given.journal):
        living.append(mutant)
        print(f"survived: {mutant}", flush=True)
    born, alive = Counter(mutant.kind for mutant in mutants), Counter(mutant.kind for mutant in living)
    for kind, count in sorted(born.items()):
        print(f"{kind}: {count - alive[kind]} of {count}")
    killed = len(mutants) - len(living)
    print(f"{killed} of {len(mutants)} killed ({killed / len(mutants):.2%})")
    sys.exit(killed < LEAST_KILLED * len(mutants))


if __name__ == "__main__":
    main()
