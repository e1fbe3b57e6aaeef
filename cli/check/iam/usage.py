"""Which statements a run in strict mode has needed: `python -m cli.check.iam.usage STATE_DIR…`.

A statement by which something was allowed, and which no other would have allowed, cannot be removed without a denial.
Those that no run needed are printed: they stand on the proof's reading alone.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cli.check.iam import grants, stacks

LEDGER = "access.jsonl"
_MADE_UP = re.compile(r"-[A-Z0-9]{6,}$")


class Use(NamedTuple):
    """A role's statement (its Sid), or one of its actions."""

    role: str
    sid: str
    action: str


def granted(project: Path) -> set[Use]:
    """Every action of every written statement of the templates' roles."""
    return {
        Use(role, grant.sid, grant.action)
        for stack in stacks.read(project)
        for role in stack.of_type("AWS::IAM::Role")
        for grant in grants.of_role(stack, role)
        if grant.sid
    }


def used(project: Path, ledgers: Iterable[Path]) -> set[Use]:
    """What the ledgers say was needed, by the templates' logical ids."""
    names = [role for stack in stacks.read(project) for role in stack.of_type("AWS::IAM::Role")]
    lines = [json.loads(line) for ledger in ledgers for line in ledger.read_text().splitlines()]
    found = (_use(line, names) for line in lines if line["denied"] is None)
    return {use for use in found if use is not None}


def _use(line: Mapping[str, Any], names: Iterable[str]) -> Use | None:
    """CloudFormation cuts a role's name to fit 64 characters: the logical id that it begins is the role's."""
    physical = _MADE_UP.sub("", str(line["who"]).rpartition("/")[2])
    cut = physical.rpartition("-")[2]
    fitting = [name for name in names if cut and name.startswith(cut)]
    return Use(fitting[0], str(line["sid"]), str(line["action"])) if len(fitting) == 1 and line["sid"] else None


def main(arguments: list[str]) -> int:
    project = Path(__file__).resolve().parents[3]
    ledgers = [Path(one) / LEDGER for one in arguments]
    all_of, needed = granted(project), used(project, ledgers)
    statements = {use[:2] for use in all_of}
    unused = statements - {use[:2] for use in needed}
    for role, sid in sorted(unused):
        sys.stdout.write(f"{role}/{sid}\n")
    shown = f"{len(statements) - len(unused)} of {len(statements)} statements were needed, "
    sys.stderr.write(f"{shown}{len(all_of & needed)} of {len(all_of)} of their actions\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
