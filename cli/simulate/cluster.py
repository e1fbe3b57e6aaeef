"""The simulated cluster, and what may go wrong on it.

The cap on VMs is a consumable resource, of which a run takes one for each VM. It caps what runs hold, not what is
launched: an idle VM of one environment does not serve another, so a hand-over costs a launch, and for a while more VMs
than the cap may be there.

Source: https://docs.aws.amazon.com/batch/latest/userguide/resource-aware-scheduling.html. That a multi-node job takes a
token for each of its nodes is an assumption.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from cli.simulate.workload import CannotSimulateError, Kind, Run
from local_cloud.batch.ordering import Capacity, Environment, FairShare, Queue, QueuedJob, Resources
from turbine.domain.capacity.model import GPUS_PER_VM, VMS_MAX

CONSUMABLE = "turbine-vm"
VM = Resources(vcpus=96, memory_mib=1_179_648, gpus=GPUS_PER_VM)
"""Source: https://aws.amazon.com/ec2/instance-types/p4/ (p4d.24xlarge)."""
TRAINING_QUEUE, SPOT_QUEUE = "training", "spot"
_WEEK_S = 604_800


@dataclass(frozen=True)
class Cluster:
    """The VMs, and the environments that launch them. Units: hours.

    A VM that a run left stays for less than `idle_h`. `environments` names the one of each kind of capacity; kinds
    may share one. `fair_share` is None for queues that are first in, first out.

    Source of the idle time: https://docs.aws.amazon.com/batch/latest/APIReference/API_ComputeScalingPolicy.html.
    """

    vms: int = VMS_MAX
    launch_h: float = 0.1
    idle_h: float = 0.1
    environments: Mapping[Kind, str] = field(default_factory=lambda: {kind: kind.value for kind in Kind})
    fair_share: FairShare | None = field(default_factory=lambda: FairShare(decay_s=_WEEK_S))
    spot_submissions: int = 2
    on_demand_attempts: int = 3

    def __post_init__(self) -> None:
        if self.vms < 1 or min(self.launch_h, self.idle_h) < 0 or not math.isfinite(self.launch_h):
            raise CannotSimulateError("a cluster has at least one VM, and no time is negative or without end")
        if missing := set(Kind) - set(self.environments):
            raise CannotSimulateError(f"no environment is named for {', '.join(sorted(missing))}")

    def check(self, run: Run) -> None:
        """Raises: CannotSimulateError when the run would wait for ever."""
        if run.vms > self.vms:
            raise CannotSimulateError(f"{run.name} takes {run.vms} VMs and the cap is {self.vms}")

    def queues(self) -> dict[str, Queue]:
        """A queue for what runs on demand and one for Spot, as in the template."""
        single, gangs, spot = (self.environments[kind] for kind in (Kind.ON_DEMAND, Kind.MULTI_NODE, Kind.SPOT))
        training = Queue(TRAINING_QUEUE, 10, tuple(dict.fromkeys((single, gangs))), self.fair_share)
        return {TRAINING_QUEUE: training, SPOT_QUEUE: Queue(SPOT_QUEUE, 10, (spot,), self.fair_share)}

    def capacity(self, tokens: int) -> Capacity:
        """All environments, and the tokens that are free now."""
        gangs = self.environments[Kind.MULTI_NODE]
        return Capacity(
            {
                name: Environment(name, self.vms * VM.vcpus, (VM,), takes_gangs=name == gangs, may_exceed=False)
                for name in self.environments.values()
            },
            {CONSUMABLE: tokens},
        )

    def job(self, run: Run, kind: Kind, job_id: str, number: int) -> QueuedJob:
        """The job of a run; each node takes a VM by itself."""
        return QueuedJob(
            job_id,
            SPOT_QUEUE if kind is Kind.SPOT else TRAINING_QUEUE,
            (VM,) * run.vms,
            number,
            run.share_identifier,
            run.scheduling_priority,
            is_gang=kind is Kind.MULTI_NODE,
            tokens={CONSUMABLE: run.vms},
        )


@dataclass(frozen=True)
class Odds:
    """What goes wrong, and how much of the work is then kept. Units: hours; rates are per VM and hour.

    A failure, which an attempt has with `failure_probability`, is one that AWS Batch does not try again; somebody
    redrives the run up to `redrives` times. Without checkpoints (`checkpoint_every_h` infinite) all is done again.
    """

    reclaims_per_vm_h: float = 0.0
    host_failures_per_vm_h: float = 0.0
    failure_probability: float = 0.0
    redrives: int = 1
    checkpoint_every_h: float = 0.25

    def __post_init__(self) -> None:
        if min(self.reclaims_per_vm_h, self.host_failures_per_vm_h, self.redrives) < 0 or self.checkpoint_every_h <= 0:
            raise CannotSimulateError("rates and redrives are not negative, and checkpoints are some time apart")
        if not 0 <= self.failure_probability <= 1:
            raise CannotSimulateError(f"{self.failure_probability:g} is no probability")

    def interruptions_per_h(self, kind: Kind, vms: int) -> float:
        """A run loses its hosts when any one of them goes."""
        return vms * (self.reclaims_per_vm_h if kind is Kind.SPOT else self.host_failures_per_vm_h)
