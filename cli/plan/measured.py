"""What finished runs took, as the stack's planner knows it, in place of what the team files state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cli.cloud import Cloud
from cli.plan.request import TeamWork, read_team
from turbine.aws.dynamodb import DynamoTable
from turbine.domain.capacity.estimator import Belief, Measured, believe
from turbine.domain.capacity.model import Curve
from turbine.domain.team import TeamFile
from turbine.usecases.work_book import WorkBook


def measured_works(
    cloud: Cloud, works: Sequence[TeamWork], teams_dir: Path, efficiency: float, gpus_as_cpus: float
) -> tuple[TeamWork, ...]:
    """The same teams with the work that runs of their file's recipe on its data set have shown.

    A team without such runs keeps what was stated. `gpus_as_cpus`: the CPUs that a VM's GPUs stand for.
    """
    files = {file.team: file for file in map(read_team, sorted(teams_dir.glob("*.yaml")))}
    book = WorkBook(DynamoTable(cloud.output("TableName")))
    return tuple(_measured(one, files[one.team], book, efficiency, gpus_as_cpus) for one in works)


def _measured(one: TeamWork, file: TeamFile, book: WorkBook, efficiency: float, gpus_as_cpus: float) -> TeamWork:
    if file.dataset is None:
        return one
    runs: list[Measured] = book.measured(one.team, file.recipe.name, file.dataset.name)
    if not runs:
        return one
    stated_vm_h = one.work_cpu_hours / gpus_as_cpus
    belief: Belief = believe(runs, stated_vm_h, efficiency, is_stated=file.work_cpu_hours is not None)
    low, high = (belief.work_vm_h * gpus_as_cpus * factor for factor in (1 / belief.work_factor, belief.work_factor))
    return replace(
        one,
        work_cpu_hours=belief.work_vm_h * gpus_as_cpus,
        source=f"measured over {belief.runs} runs ({low:.3g} to {high:.3g})",
        curve=Curve(belief.efficiency_per_doubling),
    )
