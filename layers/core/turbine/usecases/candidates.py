"""What is asked for, and on how many VMs it may run: as it says itself, as is worthwhile, and as its team can pay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from turbine.domain import capacity
from turbine.domain.capacity.estimator import Belief, Measured, believe
from turbine.domain.capacity.model import Curve, vm_hours
from turbine.domain.cause import Cause
from turbine.domain.manifest import Manifest
from turbine.domain.recipes import OWN_SCRIPT
from turbine.domain.rejection import Fault, ManifestFaultyError, fault
from turbine.domain.run import Shard
from turbine.domain.team import TeamFile
from turbine.usecases.fleet_book import Fleet, worthwhile
from turbine.usecases.refusals import Slot


class Wish(NamedTuple):
    """One run that is asked for: a checked manifest, or what is wrong with it."""

    cause: Cause
    slot: Slot
    team: str
    manifest: Manifest | None
    faults: tuple[Fault, ...] = ()


class Candidate(NamedTuple):
    """A wish that may start as far as its documents say: all that is left is its place in the fleet and its price."""

    wish: Wish
    manifest: Manifest
    run_id: str
    file: TeamFile
    shards: tuple[Shard, ...]
    belief: Belief
    widths: tuple[int, ...] = (1,)

    @property
    def curve(self) -> Curve:
        """What more VMs gain, as far as its like have shown."""
        return Curve(self.belief.efficiency_per_doubling)

    def estimate(self, nodes: int) -> capacity.Estimate:
        """What it takes on so many VMs."""
        return capacity.estimate(nodes, self.belief.work_vm_h, self.price_usd_per_hour, self.curve)

    @property
    def price_usd_per_hour(self) -> float:
        return self.file.budget.instance_usd_per_hour or capacity.PRICES_USD_PER_HOUR[capacity.INSTANCE_TYPE]


def candidate(
    wish: Wish,
    given: Manifest,
    run_id: str,
    file: TeamFile,
    shards: tuple[Shard, ...],
    fleet: Fleet,
    measured: Sequence[Measured],
) -> Candidate:
    """A wish with the numbers of VMs that it may get; `measured` are its like that have finished.

    Raises: ManifestFaultyError when there is none.
    """
    belief = believe(
        measured,
        vm_hours(file.work_cpu_hours or capacity.WORK_CPU_HOURS),
        fleet.efficiency_per_doubling,
        is_stated=file.work_cpu_hours is not None,
    )
    if file.work_cpu_hours is not None:
        # Budgets are guarded by what is stated: shorter runs of the same recipe may not lower it.
        belief = replace(belief, work_vm_h=max(belief.work_vm_h, vm_hours(file.work_cpu_hours)))
    found = Candidate(wish, given, run_id, file, shards, belief)
    found = found._replace(widths=_widths(found, fleet))
    return found._replace(widths=_affordable(found))


def _widths(one: Candidate, fleet: Fleet) -> tuple[int, ...]:
    """As the manifest or the team says, else what is worthwhile for the run's work.

    A run whose work its team has not stated, or whose script may know nothing of other nodes, gets one VM.
    Raises: ManifestFaultyError.
    """
    given, file = one.manifest, one.file
    if fleet.widest < 1:
        problem = "needs a VM, and the fleet may not have one: MaxTrainingVcpus is less than TrainingVcpus"
        raise ManifestFaultyError([fault("compute.nodes", problem, "deploy with a greater MaxTrainingVcpus")])
    for nodes, field in ((given.compute.nodes, "compute.nodes"), (file.compute.nodes, "compute.nodes (team file)")):
        if nodes == "auto":
            continue
        if nodes > fleet.widest:
            problem = f"asks for {nodes} VMs, and a run may have {fleet.widest}"
            mend = (
                f"ask for at most {fleet.widest}, or deploy with greater caps (MaxNodes, MaxVms, MaxTrainingVcpus, "
                "which holds so many times TrainingVcpus)"
            )
            raise ManifestFaultyError([fault(field, problem, mend)])
        return (nodes,)
    if file.work_cpu_hours is None or given.recipe.name == OWN_SCRIPT:
        return (1,)
    return tuple(worthwhile(fleet, one.belief.work_vm_h, one.curve))


def _affordable(one: Candidate) -> tuple[int, ...]:
    """Those of its numbers of VMs that its team and its manifest can pay. Raises: ManifestFaultyError."""
    limits = {"budget.max_cost_usd_per_run": one.file.budget.max_cost_usd_per_run}
    if one.manifest.compute.max_cost_usd is not None:
        limits["compute.max_cost_usd"] = one.manifest.compute.max_cost_usd
    field = min(limits, key=lambda name: limits[name])
    expected = {width: one.estimate(width) for width in one.widths}
    found = tuple(width for width in one.widths if not capacity.over_budget(expected[width], limits[field]))
    if not found:
        least = min(expected.values(), key=lambda each: each.cost_usd)
        problem = (
            f"allows {limits[field]:g} USD, but the run is estimated at {least.cost_usd:.2f} USD "
            f"({least.vm_hours:.2f} h of {capacity.INSTANCE_TYPE} at {one.price_usd_per_hour:g} USD an hour)"
        )
        raise ManifestFaultyError([fault(field, problem, f"raise {field}, or use fewer nodes")])
    return found
