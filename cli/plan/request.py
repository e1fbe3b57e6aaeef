"""What shall be planned: whose runs, of how much work, on how many VMs, at which price."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cli import exit_codes
from cli.errors import CommandError
from turbine.domain import team as team_domain
from turbine.domain.capacity.model import WORK_CPU_HOURS, Curve, Demand, PlanInfeasibleError, Problem, fleet, vm_hours
from turbine.domain.capacity.prices import PRICES, PRICES_AS_OF, Price
from turbine.domain.manifest import NODES_MAX
from turbine.domain.rejection import ManifestFaultyError


@dataclass(frozen=True)
class TeamWork:
    """A team, and the work of each of its runs in hours of one CPU, as `source` says; `curve` where runs showed it."""

    team: str
    work_cpu_hours: float = WORK_CPU_HOURS
    source: str = "assumed"
    curve: Curve | None = None


@dataclass(frozen=True)
class Request:
    """The runs of all teams that are started together, and the fleet. Units: hours, where no other is named."""

    teams: tuple[TeamWork, ...]
    runs_per_team: int
    vms: int
    curve: Curve
    cpus_per_gpu: float
    gpus_per_vm: int
    launch_h: float
    within_h: float
    instance_type: str
    price: Price
    price_source: str

    @property
    def runs(self) -> int:
        return len(self.teams) * self.runs_per_team

    def problem(
        self,
        widths: Iterable[int] | None = None,
        *,
        longest_h: float = math.inf,
        release_h: Callable[[int], float] = lambda _: 0.0,
    ) -> Problem:
        """The runs, the teams by turns; the first is released at `release_h(0)`. Raises: PlanInfeasibleError."""
        allowed = tuple(widths or range(1, min(self.vms, NODES_MAX) + 1))
        demands: list[Demand] = []
        for number in range(1, self.runs_per_team + 1):
            for one in self.teams:
                work_vm_h = vm_hours(one.work_cpu_hours, cpus_per_gpu=self.cpus_per_gpu, gpus_per_vm=self.gpus_per_vm)
                demands.append(
                    Demand(
                        f"{one.team}/{number}",
                        work_vm_h,
                        allowed,
                        one.team,
                        one.curve or self.curve,
                        release_h=release_h(len(demands)),
                        longest_h=longest_h,
                        launch_h=self.launch_h,
                    )
                )
        return Problem(tuple(demands), fleet(self.vms))


def team_works(teams_dir: Path, equal_teams: int | None, work_cpu_hours: float | None) -> tuple[TeamWork, ...]:
    """The teams of a folder, or so many equal ones. A work that is given holds for all of them.

    Raises: CommandError that names the file and the field.
    """
    if equal_teams is not None:
        if equal_teams < 1:
            raise refused(f"{equal_teams} teams have no runs", "`turbine plan --teams 4`")
        return tuple(TeamWork(_name(number), work_cpu_hours or WORK_CPU_HOURS) for number in range(equal_teams))
    paths = sorted(teams_dir.glob("*.yaml"))
    if not paths:
        raise refused("there is no team file", "name their folder with --teams-dir, or plan for `--teams 4` equal ones",
                      str(teams_dir))  # fmt: skip
    return tuple(_stated(read_team(path), work_cpu_hours) for path in paths)


def _stated(file: team_domain.TeamFile, work_cpu_hours: float | None) -> TeamWork:
    if work_cpu_hours is not None:
        return TeamWork(file.team, work_cpu_hours, "as given")
    if file.work_cpu_hours is not None:
        return TeamWork(file.team, file.work_cpu_hours, "by its file")
    return TeamWork(file.team)


def read_team(path: Path) -> team_domain.TeamFile:
    """A team file. Raises: CommandError."""
    try:
        return team_domain.parse(path.read_bytes())
    except OSError as error:
        raise refused(f"the team file cannot be read: {error}", "make it readable", str(path)) from error
    except ManifestFaultyError as error:
        one = error.faults[0]
        raise refused(f"{one.field} {one.problem}", one.mend, str(path)) from error


def price_of(instance_type: str, prices_file: Path | None) -> tuple[Price, str]:
    """An instance type's price and where it is from. Raises: CommandError."""
    if prices_file is None:
        if instance_type not in PRICES:
            raise refused(
                f"no price is known of the instance type {instance_type!r}",
                f"name one of {', '.join(sorted(PRICES))}, or give its price in a file: --prices FILE",
                "--instance-type",
            )
        return PRICES[instance_type], f"list prices of {PRICES_AS_OF}, lowest to highest source"
    return _read_prices(prices_file, instance_type)


def refused(cause: str, next_step: str, place: str | None = None) -> CommandError:
    return CommandError(cause, place=place, next_step=next_step, exit_code=exit_codes.REFUSED)


def infeasible(error: PlanInfeasibleError) -> CommandError:
    return refused(error.constraint, error.mend)


PRICES_SHAPE = (
    "{as_of: 2026-11, currency: USD, source: …, usd_per_hour: {TYPE: {on_demand: [LOW, HIGH], spot: [LOW, HIGH]}}}"
)


def _read_prices(path: Path, instance_type: str) -> tuple[Price, str]:
    try:
        document: Any = yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError) as error:
        raise refused(f"the prices cannot be read: {' '.join(str(error).split())}", "correct it", str(path)) from error
    try:
        listed = document["usd_per_hour"][instance_type]
        if document["currency"] != "USD":
            raise refused("prices are reckoned in USD", "convert them", f"{path}: currency")
        on_demand, spot = _range(listed["on_demand"]), _range(listed["spot"]) if "spot" in listed else (None, None)
        return Price(*on_demand, *spot), f"{document['source']}, {document['as_of']}"
    except (KeyError, TypeError, ValueError) as error:
        problem = f"the file tells no price of {instance_type!r} ({type(error).__name__}: {error})"
        raise refused(problem, f"write it as {PRICES_SHAPE}", str(path)) from error


def _range(given: Any) -> tuple[float, float]:
    low, high = given if isinstance(given, Sequence) and not isinstance(given, str) else (given, given)
    return float(low), float(high)


def _name(number: int) -> str:
    return f"team-{chr(ord('a') + number)}" if number < 26 else f"team-{number + 1}"
