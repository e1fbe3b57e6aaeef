"""A team's money of a week, reserved run by run: no two runs that arrive together may both take the last of it.

A reservation is one transaction: the week's sum grows, and the run's own item says that it has its share. So a retry
reserves nothing twice. What is reserved stays so, also for a run that fails or is superseded: its cost is an estimate,
and nobody knows what it has used. A week is an ISO week in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass

from turbine.domain.errors import TryAgainError
from turbine.domain.rejection import ManifestFaultyError, fault
from turbine.ports import Clock, Table

FIELD = "budget.max_cost_usd_per_week"
TRIES_MAX = 20


@dataclass(frozen=True)
class Budgets:
    """The teams' weeks in the table. Units: USD; sums are kept in whole cents."""

    table: Table
    clock: Clock

    def reserve(self, team: str, run_id: str, cost_usd: float, limit_usd: float) -> None:
        """Take a run's estimated cost from the team's week. Raises: ManifestFaultyError, TryAgainError."""
        year, number, _ = self.clock().isocalendar()
        week, cost = f"{year}-W{number:02d}", round(cost_usd * 100)
        key = f"TEAM#{team}"
        reservation = {"pk": f"RUN#{run_id}", "sk": "RESERVATION", "week": week, "cents": cost}
        for _ in range(TRIES_MAX):
            if self.table.get(f"RUN#{run_id}", "RESERVATION") is not None:
                return
            stored = self.table.get(key, f"WEEK#{week}")
            reserved, runs = (stored["reserved_cents"], stored["runs"]) if stored else (0, 0)
            if reserved + cost > round(limit_usd * 100):
                # Another delivery of the same event may have taken it between the two reads.
                if self.table.get(f"RUN#{run_id}", "RESERVATION") is not None:
                    return
                problem = (
                    f"allows {limit_usd:g} USD a week, of which {reserved / 100:.2f} USD are reserved for {runs} runs "
                    f"of {week}; this one is estimated at {cost_usd:.2f} USD"
                )
                mend = f"raise {FIELD} in config/teams/{team}.yaml"
                if cost <= round(limit_usd * 100):
                    mend += ", or drop it again next week (from Monday, UTC)"
                raise ManifestFaultyError([fault(FIELD, problem, mend)])
            item = {"pk": key, "sk": f"WEEK#{week}", "reserved_cents": reserved + cost, "runs": runs + 1}
            expected = {"reserved_cents": reserved, "runs": runs} if stored else None
            if self.table.swap(item, expected, reservation):
                return
        raise TryAgainError(f"The week {week} of team {team} was changed {TRIES_MAX} times by other runs.")
