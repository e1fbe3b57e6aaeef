"""Which statements a run in strict mode has needed: `python -m cli.check.iam.usage STATE_DIR…`.

A statement is needed when something was allowed by it that would have been denied without it. Those that no run needed
are printed: they stand on the proof's reading alone.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import Any, NamedTuple

from cli.check.iam import grants, stacks

LEDGER = "access.jsonl"
UNNAMED = "(no Sid)"
"""A statement that SAM wrote; no role has two of them for the same action."""
_MADE_UP = re.compile(r"-[A-Z0-9]{6,}$")


class Use(NamedTuple):
    """One action of a role's statement."""

    role: str
    sid: str
    action: str

    @property
    def statement(self) -> tuple[str, str]:
        """The role and the statement's Sid."""
        return self.role, self.sid


def granted(project: Path) -> set[Use]:
    """Every action of every statement of the templates' roles, AWS's own policies left out."""
    return {
        Use(role, grant.sid or UNNAMED, grant.action)
        for stack in stacks.read(project)
        for role in stack.of_type("AWS::IAM::Role")
        for grant in grants.of_role(stack, role)
    }


def needed(uses: Set[Use], lines: Iterable[Mapping[str, Any]]) -> dict[Use, str]:
    """Which of these uses the lines of a ledger show to be needed, and the resource that each was needed for first."""
    roles = {use.role for use in uses}
    found: dict[Use, str] = {}
    for line in lines:
        use = Use(_logical_id(str(line["who"]), roles), str(line["sid"]), str(line["action"]))
        if line["needed"] and use in uses:
            found.setdefault(use, str(line["resource"]))
    return found


def _logical_id(arn: str, roles: Iterable[str]) -> str:
    """The logical id that a role's name begins with, "" for another's role. CloudFormation cuts names to 64 letters."""
    physical = _MADE_UP.sub("", arn.rpartition("/")[2])
    cut = physical.rpartition("-")[2]
    fitting = [role for role in roles if cut and role.startswith(cut)]
    return fitting[0] if len(fitting) == 1 else ""


def read(ledger: Path) -> list[dict[str, Any]]:
    """The lines of a ledger; none where nothing was asked for."""
    return [json.loads(line) for line in ledger.read_text().splitlines()] if ledger.exists() else []


def main(arguments: list[str]) -> int:
    all_of = granted(Path(__file__).resolve().parents[3])
    used = needed(all_of, [line for one in arguments for line in read(Path(one) / LEDGER)])
    statements = {use.statement for use in all_of}
    unused = statements - {use.statement for use in used}
    for role, sid in sorted(unused):
        sys.stdout.write(f"{role}/{sid}\n")
    shown = f"{len(statements) - len(unused)} of {len(statements)} statements were needed, "
    sys.stderr.write(f"{shown}{len(used)} of {len(all_of)} of their actions\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
