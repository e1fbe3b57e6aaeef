"""The page of all statements and what needs each: `python -m tests.scenarios.statements`, after all scenarios have run.

A row says by which actions a statement was needed (without it they would have been denied), and in which test first.
That test fails without the statement: `nothing_is_denied` in conftest.py sees to it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from cli.check.iam import usage
from cli.check.iam.usage import Use
from tests.scenarios.conftest import ROOT, WITNESSES

PAGE = ROOT / "docs/proofs-iam-statements.md"
_HEAD = """# Every statement and what needs it

Made by `python -m tests.scenarios.statements` from a run of all scenarios in strict mode; what it shows is explained in
[proofs-iam.md](proofs-iam.md). "Needed for": actions that were allowed by this statement and would have been denied
without it. "In": where that was seen first, the demonstration that all scenarios share, or a test of `tests/scenarios`.
"Not asked for": actions that this cloud's services never ask for; they stand on the IAM proof's reading alone.
"""


def page(granted: Iterable[Use], tests: Mapping[Use, str]) -> str:
    """The page. `tests`: by what was needed, where."""
    rows, needed = [], 0
    uses = sorted(granted)
    for (role, sid), group in groupby(uses, attrgetter("statement")):
        own = list(group)
        seen = [use for use in own if use in tests]
        needed += bool(seen)
        actions, rest = (_code(use.action for use in own if (use in tests) is is_seen) for is_seen in (True, False))
        rows.append(f"| `{role}` | `{sid}` | {actions} | {_first(tests, seen)} | {rest} |")
    figures = (
        f"{needed} of {len(rows)} statements were needed, by {sum(use in tests for use in uses)} of their "
        f"{len(uses)} actions."
    )
    head = "| role | statement | needed for | in | not asked for |\n|---|---|---|---|---|"
    return f"{_HEAD}\n{figures}\n\n{head}\n" + "\n".join(rows) + "\n"


def _first(tests: Mapping[Use, str], seen: list[Use]) -> str:
    """One test is enough; the demonstration runs in every one."""
    named = sorted({tests[use] for use in seen}, key=lambda test: (test != "the demo", test))
    return f"`{named[0]}`" if named and named[0] != "the demo" else "".join(named[:1])


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def main(witnesses: Path) -> None:
    try:
        told = json.loads(witnesses.read_text())
    except FileNotFoundError:
        sys.exit(f"{witnesses} is not there\nnext: python -m pytest tests/scenarios")
    tests = {Use(one["role"], one["sid"], one["action"]): one["test"] for one in told}
    PAGE.write_text(page(usage.granted(ROOT), tests))


if __name__ == "__main__":
    main(WITNESSES)
