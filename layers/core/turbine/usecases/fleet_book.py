"""Who holds the fleet's VMs and who waits for them: the book in which every accepted run has its place.

A run is planned once, against all that have not ended, and stays as it was planned; so a retry finds it there and
plans nothing anew. The book is one item that is replaced only if nobody replaced it meanwhile: two arrivals at the same
moment cannot both plan on the same VMs. Who has ended is crossed out when the next one is planned.

Those that arrive together are put into the best order; who arrived before them goes first, since a run that is
overtaken by every later one might never start. Among runs that are alike another one is favoured each day. Batch orders
by priority within one share identifier, so each run gets a priority below those before it; equal ones go by age. It
does so within one queue: who comes behind a run of several VMs that waits does not go to the queue of Spot, where each
VM that becomes free would be taken by the next small run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from turbine.domain.capacity import checker, greedy
from turbine.domain.capacity.model import (
    EFFICIENCY_PER_DOUBLING,
    VMS_MAX,
    Curve,
    Demand,
    Problem,
    by_turns,
    fleet,
)
from turbine.domain.capacity.schedule import Schedule
from turbine.domain.errors import TryAgainError
from turbine.domain.outcome import SUPERSEDED, TERMINAL
from turbine.ports import Clock, Item, Table

SHARE_IDENTIFIER = "planned"
_FIRST_PRIORITY = 9000
"""Of at most turbine.domain.team.PRIORITY_MAX: teams may set greater ones."""
_TRIES_MAX = 20
_FORGOTTEN_AFTER = timedelta(days=26)
"""A run takes 24 days at most."""
_UNRECORDED_AFTER = timedelta(hours=1)
"""Whoever planned a run and died is tried again sooner; then it has a record."""
_OVERDUE = 0.1
"""A run that is late is taken to need this part of its duration more."""
_EFFORT_MAX = 20_000
"""Placements tried: about 40 ms."""
_BOOK = ("FLEET", "BOOK")
RUNS_MAX = 1_500
"""An item has 400 KB, and a run takes about 200 bytes of it."""


@dataclass(frozen=True)
class Fleet:
    """The stack's VMs, and how runs use them. Units: `launch_h` in hours from asking for VMs to the start of work.

    `vms` may work at once, for one run at most `nodes_max`: as many as the hosts on demand may have.
    """

    vms: int = VMS_MAX
    nodes_max: int = VMS_MAX
    efficiency_per_doubling: float = EFFICIENCY_PER_DOUBLING
    launch_h: float = 1 / 6

    @property
    def widest(self) -> int:
        """The most VMs that a run may have; 0 where there is no room for one."""
        return min(self.nodes_max, self.vms)

    @property
    def curve(self) -> Curve:
        return Curve(self.efficiency_per_doubling)


@dataclass(frozen=True)
class Place:
    """A run's place in the plan. Times are ISO 8601 in UTC.

    `priority` is Batch's, the greater first; `is_own` when its team has set it. `may_use_spot`: False where it would
    overtake a run of several VMs there.
    """

    nodes: int
    priority: int
    is_own: bool
    starts_at: str
    ends_at: str
    planned_at: str
    may_use_spot: bool = True


@dataclass(frozen=True)
class FleetBook:
    """The book in the table."""

    table: Table
    clock: Clock
    fleet: Fleet

    def plan(self, demands: Sequence[Demand], priorities: Mapping[str, int]) -> dict[str, Place]:
        """A place for each run, by its id, as far as the book has room; `priorities` are those that teams have set.

        Raises: TryAgainError, PlanInfeasibleError.
        """
        ended: set[str] = set()
        running: set[str] = set()
        for _ in range(_TRIES_MAX):
            stored = self.table.get(*_BOOK)
            book: dict[str, Item] = dict(stored["runs"]) if stored else {}
            now = self.clock()
            new = [demand for demand in demands if not _holds(book.get(demand.name), demand, now)]
            if new:
                names = {demand.name for demand in new}
                # Asked once, however often others are faster: who had not ended a moment ago goes on as one that runs.
                unknown = {name: one for name, one in book.items() if name not in names | ended | running}
                running |= self._live(unknown, now).keys()
                ended |= unknown.keys() - running
                live = {name: one for name, one in book.items() if name in running and name not in names}
                new = new[: max(RUNS_MAX - len(live), 0)]
                book = live | self._placed(new, live, priorities, now)
                if not self._replace(stored, book):
                    continue
            return {demand.name: Place(**book[demand.name]) for demand in demands if demand.name in book}
        raise TryAgainError(f"The fleet's book was changed {_TRIES_MAX} times by other arrivals.")

    def strike(self, run_id: str) -> None:
        """Take out a run that was refused after it was planned. Raises: TryAgainError."""
        for _ in range(_TRIES_MAX):
            stored = self.table.get(*_BOOK)
            if stored is None or run_id not in stored["runs"]:
                return
            if self._replace(stored, {name: one for name, one in stored["runs"].items() if name != run_id}):
                return
        raise TryAgainError(f"The fleet's book was changed {_TRIES_MAX} times by other arrivals.")

    def _replace(self, stored: Item | None, runs: dict[str, Item]) -> bool:
        if stored is None:
            return self.table.insert({"pk": _BOOK[0], "sk": _BOOK[1], "version": 1, "runs": runs})
        changes = {"version": stored["version"] + 1, "runs": runs}
        return self.table.update(*_BOOK, changes, {"version": stored["version"]})

    def _live(self, book: Mapping[str, Item], now: datetime) -> dict[str, Item]:
        """Those that have not ended, as far as anybody knows."""
        return {run_id: one for run_id, one in book.items() if self._is_live(run_id, one, now)}

    def _is_live(self, run_id: str, one: Item, now: datetime) -> bool:
        age = now - datetime.fromisoformat(one["planned_at"])
        if age > _FORGOTTEN_AFTER:
            return False
        ended = self.table.get(f"RUN#{run_id}", "OUTCOME")
        if ended is not None:
            return ended["status"] not in TERMINAL | {SUPERSEDED}
        return age < _UNRECORDED_AFTER or self.table.get(f"RUN#{run_id}", "RECORD") is not None

    def _placed(
        self, new: Sequence[Demand], live: Mapping[str, Item], priorities: Mapping[str, int], now: datetime
    ) -> dict[str, Item]:
        if not new:
            return {}
        problem = self.problem(by_turns(new, now.toordinal()), live, now)
        schedule = greedy.plan(problem, effort=_effort(new))
        if wrong := checker.violations(problem, schedule):
            raise RuntimeError(f"the plan does not pass its check: {wrong[0]}")
        given = _priorities(schedule, live, priorities)
        wide_from_h = self._wide_from_h(schedule, live, now)
        return {
            one.name: {
                "nodes": one.vms,
                "priority": given[one.name],
                "is_own": one.name in priorities,
                "starts_at": _text(now + timedelta(hours=one.start_h)),
                "ends_at": _text(now + timedelta(hours=one.end_h)),
                "planned_at": _text(now),
                "may_use_spot": one.start_h < wide_from_h,
            }
            for one in schedule.placements
        }

    def problem(self, new: Sequence[Demand], live: Mapping[str, Item], now: datetime) -> Problem:
        """The new runs, on the VMs that the others leave: those that hold some, and those that wait for theirs."""
        busy, waiting = self._held(live, now)
        free_h = list(fleet(self.fleet.vms, busy))
        for nodes, lasts_h in waiting:
            _, free_h = greedy.taken(free_h, nodes, lasts_h)
        return Problem(tuple(new), tuple(free_h))

    def _held(self, live: Mapping[str, Item], now: datetime) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
        """VMs of those that hold some, each with the hour of its end, and of those that wait, each with how long."""
        busy: list[tuple[int, float]] = []
        waiting: list[tuple[int, float]] = []
        held = 0
        for one in sorted(live.values(), key=lambda one: (-one["priority"], one["planned_at"])):
            starts_h, ends_h = (_hours(one[name], now) for name in ("starts_at", "ends_at"))
            lasts_h = ends_h - starts_h
            if starts_h <= 0 and held + one["nodes"] <= self.fleet.vms:
                held += one["nodes"]
                busy.append((one["nodes"], max(ends_h, _OVERDUE * lasts_h)))
            else:
                waiting.append((min(one["nodes"], self.fleet.vms), lasts_h))
        return busy, waiting

    def _wide_from_h(self, schedule: Schedule, live: Mapping[str, Item], now: datetime) -> float:
        """From when on a run would be behind one of several VMs that waits."""
        _, waiting = self._held(live, now)
        if any(nodes > 1 for nodes, _ in waiting):
            return -math.inf
        return min((one.start_h for one in schedule.placements if one.vms > 1 and one.start_h > 0), default=math.inf)

    def demand(
        self, run_id: str, team: str, work_vm_h: float, widths: Sequence[int], curve: Curve | None = None
    ) -> Demand:
        """A run of the fleet; `curve` is its own where it is known."""
        return Demand(run_id, work_vm_h, tuple(widths), team, curve or self.fleet.curve, launch_h=self.fleet.launch_h)


WORTHWHILE = 0.6
"""A run takes no more VMs than it uses to 60%: launches and lost efficiency would be paid for by the others."""


def worthwhile(fleet: Fleet, work_vm_h: float, curve: Curve | None = None) -> list[int]:
    """The numbers of VMs that a run of so much work may be given without being asked."""
    widths = tuple(range(1, fleet.widest + 1))
    demand = Demand("run", work_vm_h, widths, curve=curve or fleet.curve, launch_h=fleet.launch_h)
    alone = demand.areas_vm_h[1]
    return [width for width, area in demand.areas_vm_h.items() if alone / area >= WORTHWHILE]


def _holds(one: Item | None, demand: Demand, now: datetime) -> bool:
    """Whether a run keeps its place: not one that a preparation left an hour ago, nor one that it may not have."""
    if one is None or one["nodes"] not in demand.widths:
        return False
    return now - datetime.fromisoformat(one["planned_at"]) < _UNRECORDED_AFTER


def _effort(new: Sequence[Demand]) -> int:
    """Where no run has a choice of its number of VMs, there is little to search."""
    has_choice = any(len(demand.widths) > 1 for demand in new)
    return min(500 * len(new) ** 2, _EFFORT_MAX) if has_choice else 0


def _priorities(schedule: Schedule, live: Mapping[str, Item], own: Mapping[str, int]) -> dict[str, int]:
    """Each below all before it; a team's own where it has set one."""
    planned = [one["priority"] for one in live.values() if not one["is_own"]]
    least = min(planned, default=_FIRST_PRIORITY + 1)
    found: dict[str, int] = {}
    for one in schedule.placements:
        if one.name not in own:
            least = max(least - 1, 0)
        found[one.name] = own.get(one.name, least)
    return found


def _hours(moment: str, now: datetime) -> float:
    return (datetime.fromisoformat(moment) - now).total_seconds() / 3600


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
