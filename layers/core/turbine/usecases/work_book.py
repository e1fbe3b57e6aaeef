"""How long a team's finished runs worked, so that the next one is planned by what was measured.

A team's newest runs are in one item, each once, a few of each kind. Runs of the same recipe on the same data set are
taken to be alike; a run with twice the epochs teaches the wrong work, until others like it have come.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from turbine.domain.capacity.estimator import Measured
from turbine.domain.errors import TryAgainError
from turbine.ports import Item, Table

RUNS_MAX = 400
"""Kept a team, about 150 bytes each."""
ALIKE_MAX = 10
"""Kept of a recipe on a data set. What counts is the newest: data grow."""
_TRIES_MAX = 20
_MS_PER_H = 3_600_000
_PK = "FLEET"


@dataclass(frozen=True)
class WorkBook:
    """The teams' measured runs in the table."""

    table: Table

    def measured(self, team: str, recipe: str, dataset: str) -> list[Measured]:
        """The finished runs of a recipe on a data set, oldest first."""
        stored = self.table.get(_PK, _sk(team)) or {"runs": []}
        return [
            Measured(one["nodes"], one["worked_ms"] / _MS_PER_H)
            for one in stored["runs"]
            if (one["recipe"], one["dataset"]) == (recipe, dataset)
        ]

    def learn(self, record: Item, nodes: int, hours: float) -> None:
        """Keep how long a run worked, once. `record` is the run's. Raises: TryAgainError."""
        team, run_id = record["team"], record["run_id"]
        run = {
            "run_id": run_id,
            "recipe": record["recipe"],
            "dataset": record["dataset"],
            "nodes": nodes,
            "worked_ms": round(hours * _MS_PER_H),
        }
        for _ in range(_TRIES_MAX):
            stored = self.table.get(_PK, _sk(team))
            known = stored["runs"] if stored else []
            if any(one["run_id"] == run_id for one in known):
                return
            runs = _kept([*known, run])
            if stored is None:
                item = {"pk": _PK, "sk": _sk(team), "version": 1, "runs": runs}
                if self.table.insert(item):
                    return
                continue
            changes = {"version": stored["version"] + 1, "runs": runs}
            if self.table.update(_PK, _sk(team), changes, {"version": stored["version"]}):
                return
        raise TryAgainError(f"The measured runs of team {team} were changed {_TRIES_MAX} times by other runs.")


def _kept(runs: list[Item]) -> list[Item]:
    """The newest of each kind, and of all."""
    alike: Counter[tuple[str, str]] = Counter()
    kept: list[Item] = []
    for one in reversed(runs):
        kind = (one["recipe"], one["dataset"])
        alike[kind] += 1
        if alike[kind] <= ALIKE_MAX:
            kept.append(one)
    return kept[:RUNS_MAX][::-1]


def _sk(team: str) -> str:
    return f"MEASURED#{team}"
