"""What a simulated cluster is given: runs of a chosen width, and when they are submitted. Units: hours."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from turbine.domain.capacity.model import Demand

PLANNED_SHARE = "planned"
PRIORITY_MAX = 9999
"""Source: AWS Batch API, SubmitJob, schedulingPriorityOverride: from 0 to 9999."""


class CannotSimulateError(ValueError):
    """What was given cannot be carried out at all."""


class Kind(StrEnum):
    """The capacity that an attempt runs on."""

    ON_DEMAND = "on-demand"
    SPOT = "spot"
    MULTI_NODE = "multi-node"


@dataclass(frozen=True)
class Run:
    """A run on `vms` VMs, on which its work takes `work_h`, launches left out.

    It is known from `release_h` and submitted then, but not before `held_until_h`. Without a share it has its team's.
    """

    name: str
    team: str
    work_h: float
    vms: int = 1
    release_h: float = 0.0
    held_until_h: float = 0.0
    share: str = ""
    scheduling_priority: int = 0
    prefers_spot: bool = False
    checkpointable: bool = True

    def __post_init__(self) -> None:
        if self.work_h <= 0 or self.vms < 1 or self.release_h < 0:
            raise CannotSimulateError(f"{self.name}: work and VMs are above 0, and the release is not in the past")
        if not 0 <= self.scheduling_priority <= PRIORITY_MAX:
            raise CannotSimulateError(
                f"{self.name}: a scheduling priority is from 0 to {PRIORITY_MAX}, not {self.scheduling_priority}"
            )

    @property
    def submitted_h(self) -> float:
        return max(self.release_h, self.held_until_h)

    @property
    def share_identifier(self) -> str:
        return self.share or self.team


@dataclass(frozen=True)
class Workload:
    """The runs in the order in which those of one moment are submitted.

    `busy_until_h` has an hour for each VM that other runs hold at the beginning.
    """

    runs: tuple[Run, ...]
    busy_until_h: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if len({run.name for run in self.runs}) < len(self.runs):
            raise CannotSimulateError("two runs have one name")


def work_h(demand: Demand, vms: int) -> float:
    """How long a planned run works on so many VMs, its launch left out."""
    return demand.work_vm_h / demand.curve.speed_up(vms)
