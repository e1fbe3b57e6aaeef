"""What the planner decides about: runs that want VMs, and the fleet that they share.

A run takes a fixed number of VMs from its start to its end. Its work is the time that it needs on one VM; on more it
is faster, by a curve. Nothing here knows of Batch, of prices or of a clock: hours count from the moment of planning.

Source of the moldable task model: P.-F. Dutot, G. Mounié, D. Trystram, "Scheduling Parallel Tasks: Approximation
Algorithms", in: Handbook of Scheduling, 2004.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

CPUS_PER_GPU = 6.0
"""How many CPUs' work a GPU does, at the low end of what was measured (6 to 7)."""
GPUS_PER_VM = 8
EFFICIENCY_PER_DOUBLING = 0.95
"""What each doubling of the VMs keeps of its gain. Published: 0.95 to 0.995 on InfiniBand; with 8-GPU VMs of a cloud
also less, 0.64 to 0.9. Measured runs correct it (`turbine.domain.capacity.estimator`)."""
WORK_CPU_HOURS = 100.0
VMS_MAX = 7


class PlanInfeasibleError(ValueError):
    """No schedule can keep what is asked: `constraint` is what breaks, `mend` the smallest change that allows it."""

    def __init__(self, constraint: str, mend: str) -> None:
        super().__init__(f"{constraint}; {mend}")
        self.constraint = constraint
        self.mend = mend


@dataclass(frozen=True)
class Curve:
    """How much faster n VMs are than one: `n * efficiency ** log2(n)`, or as measured.

    `measured` are pairs of VMs and speed-up, in growing order and without 1; between two of them, and beyond the last,
    the efficiency of a doubling holds.
    """

    efficiency_per_doubling: float = EFFICIENCY_PER_DOUBLING
    measured: tuple[tuple[int, float], ...] = ()

    def __post_init__(self) -> None:
        if not 0.5 < self.efficiency_per_doubling <= 1.0:
            raise PlanInfeasibleError(
                f"an efficiency of {self.efficiency_per_doubling:g} per doubling is not above 0.5 and at most 1",
                "at 0.5 two VMs are no faster than one: name a greater one, such as 0.95",
            )
        if any(vms < 2 or not 0 < speed_up < math.inf for vms, speed_up in self.measured):
            raise PlanInfeasibleError("a measured speed-up is of fewer than 2 VMs or not above 0", "correct it")
        if any(few >= many for (few, _), (many, _) in pairwise(self.measured)):
            raise PlanInfeasibleError("measured speed-ups are not in growing order", "name each number of VMs once")

    def speed_up(self, vms: int) -> float:
        points = ((1, 1.0), *self.measured)
        for (few, slow), (many, fast) in pairwise(points):
            if few <= vms <= many:
                part = math.log(vms / few) / math.log(many / few)
                return slow * (fast / slow) ** part
        few, slow = points[-1]
        return slow * (vms / few) * self.efficiency_per_doubling ** math.log2(vms / few)


@dataclass(frozen=True)
class Demand:
    """A run that wants VMs.

    `widths` are the numbers of VMs that it may take, `launch_h` what it holds them for before it works. A deadline is
    a moment, `longest_h` a duration. Units: hours; `work_vm_h` in hours of one VM.
    """

    name: str
    work_vm_h: float
    widths: tuple[int, ...]
    team: str = ""
    curve: Curve = field(default_factory=Curve)
    release_h: float = 0.0
    deadline_h: float = math.inf
    longest_h: float = math.inf
    launch_h: float = 0.0
    checkpointable: bool = True

    def __post_init__(self) -> None:
        if not (self.work_vm_h > 0 and math.isfinite(self.work_vm_h)):
            raise PlanInfeasibleError(f"{self.name}: a work of {self.work_vm_h:g} h is not above 0", "state its work")
        if not self.widths or any(width < 1 for width in self.widths):
            raise PlanInfeasibleError(f"{self.name}: it may take no number of VMs", "let it take at least 1")
        if self.release_h < 0 or self.launch_h < 0:
            raise PlanInfeasibleError(f"{self.name}: a release or launch lies in the past", "give hours from now")
        if not (math.isfinite(self.release_h) and math.isfinite(self.launch_h)):
            raise PlanInfeasibleError(
                f"{self.name}: a release of {self.release_h:g} h or launch of {self.launch_h:g} h is not a time",
                "give hours from now",
            )
        if math.isnan(self.deadline_h) or math.isnan(self.longest_h):
            raise PlanInfeasibleError(
                f"{self.name}: a deadline or longest duration is not a number", "give hours, or none"
            )

    @cached_property
    def durations_h(self) -> dict[int, float]:
        """Hours that it holds its VMs, by their number, for all numbers that are within its own longest duration."""
        taken = {width: self.launch_h + self.work_vm_h / self.curve.speed_up(width) for width in sorted(self.widths)}
        return {width: hours for width, hours in taken.items() if hours <= self.longest_h * (1 + 1e-12)}

    @cached_property
    def areas_vm_h(self) -> dict[int, float]:
        return {width: width * hours for width, hours in self.durations_h.items()}

    @property
    def shape(self) -> tuple[object, ...]:
        """What makes two runs exchangeable in a schedule."""
        limits = (self.release_h, self.deadline_h, self.longest_h, self.launch_h, self.checkpointable)
        return (self.work_vm_h, self.widths, self.curve, *limits)


@dataclass(frozen=True)
class Problem:
    """The runs, and for each VM of the cap the hour from which it is free."""

    demands: tuple[Demand, ...]
    vms_free_h: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.vms_free_h:
            raise PlanInfeasibleError("there are no VMs", "allow at least one (--vms)")
        for free_h in self.vms_free_h:
            if not 0 <= free_h < math.inf:
                raise PlanInfeasibleError(f"a VM is free from hour {free_h:g}", "give hours from now, or leave it out")
        names = [demand.name for demand in self.demands]
        if len(set(names)) < len(names):
            raise PlanInfeasibleError("two runs have one name", "name each run once")
        for demand in self.demands:
            self._check(demand)

    @property
    def vms(self) -> int:
        return len(self.vms_free_h)

    @cached_property
    def by_name(self) -> dict[str, Demand]:
        return {demand.name: demand for demand in self.demands}

    def _check(self, demand: Demand) -> None:
        """Raises: PlanInfeasibleError where a run alone could not be placed."""
        narrowest = min(demand.widths)
        if narrowest > self.vms:
            raise PlanInfeasibleError(
                f"{demand.name} takes at least {narrowest} VMs and the cap is {self.vms}",
                f"raise the cap to {narrowest}, or let it take {self.vms}",
            )
        possible = [width for width in demand.durations_h if width <= self.vms]
        if not possible:
            fastest = min(
                demand.launch_h + demand.work_vm_h / demand.curve.speed_up(width)
                for width in demand.widths
                if width <= self.vms
            )
            raise PlanInfeasibleError(
                f"{demand.name} takes {fastest:.2f} h at its fastest, more than the {demand.longest_h:g} h allowed",
                f"allow {hundredths(fastest)} h, or more VMs",
            )
        free = sorted(self.vms_free_h)
        soonest = min(max(demand.release_h, free[width - 1]) + demand.durations_h[width] for width in possible)
        if soonest > demand.deadline_h + 1e-9:
            raise PlanInfeasibleError(
                f"{demand.name} cannot end before hour {soonest:.2f}, and its deadline is hour {demand.deadline_h:g}",
                f"move the deadline to hour {hundredths(soonest)}",
            )


def hundredths(hours: float) -> str:
    """The least limit of two digits that these hours keep, in words."""
    return f"{math.ceil(hours * 100 * (1 - 1e-13)) / 100:.2f}"


def fleet(vms: int, busy: Iterable[tuple[int, float]] = ()) -> tuple[float, ...]:
    """The hours from which `vms` VMs are free, where some are held: pairs of a number of VMs and until when.

    What is held beyond the cap makes no room; what should have been free by now is.
    """
    held = sorted((max(until, 0.0) for count, until in busy for _ in range(count)), reverse=True)[:vms]
    return tuple(sorted([0.0] * (vms - len(held)) + held))


def vm_hours(
    cpu_hours: float = WORK_CPU_HOURS, *, cpus_per_gpu: float = CPUS_PER_GPU, gpus_per_vm: int = GPUS_PER_VM
) -> float:
    """A work that was measured on CPUs, in hours of one VM."""
    return cpu_hours / (cpus_per_gpu * gpus_per_vm)


def reference(efficiency: float = EFFICIENCY_PER_DOUBLING, *, longest_h: float = math.inf) -> Problem:
    """Four teams with two runs each of 100 CPU-hours on at most 7 VMs, from which the project began."""
    curve = Curve(efficiency)
    teams = ("team-a", "team-b", "team-c", "team-d")
    return Problem(
        tuple(
            Demand(f"{team}/{number}", vm_hours(), tuple(range(1, VMS_MAX + 1)), team, curve, longest_h=longest_h)
            for number in (1, 2)
            for team in teams
        ),
        fleet(VMS_MAX),
    )


def by_turns(demands: Sequence[Demand], turn: int) -> tuple[Demand, ...]:
    """The same runs, another one first at each turn: among runs that are alike a plan favours those that come first."""
    first = turn % len(demands) if demands else 0
    return (*demands[first:], *demands[:first])


def shapes(demands: Iterable[Demand]) -> Iterator[list[Demand]]:
    """Runs that can stand for each other, together."""
    found: dict[tuple[object, ...], list[Demand]] = {}
    for demand in demands:
        found.setdefault(demand.shape, []).append(demand)
    yield from found.values()
