from __future__ import annotations

from typing import Any

import pytest

from cli.commands import runs
from cli.observe.records import RunItems


class FakeRecords:
    """One run with this outcome."""

    def __init__(self, outcome: dict[str, Any]) -> None:
        self._outcome = outcome

    def newest(self, kind: str, limit: int, team: str | None) -> list[dict[str, Any]]:
        return [{"kind": "run", "run_id": "r", "created_at": "2026"}] if kind == "run" else []

    def run(self, run_id: str) -> RunItems:
        return RunItems(run_id, outcome=self._outcome)


@pytest.mark.parametrize(
    ("outcome", "why"),
    [
        ({"error": "States.TaskFailed", "cause": "Batch job j: exit code 65\nmore"}, "Batch job j: exit code 65"),
        ({"error": "States.TaskFailed", "cause": None}, ""),
        ({"error": None, "cause": "stopped by hand"}, "stopped by hand"),
    ],
)
def test_a_failed_run_tells_the_first_line_of_its_cause(outcome: dict[str, Any], why: str) -> None:
    (listed,) = runs.listing(FakeRecords({"status": "FAILED", **outcome}), None, 5)  # type: ignore[arg-type]
    assert listed["why"] == ": ".join(part for part in (outcome["error"], why) if part)
