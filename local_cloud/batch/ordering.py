"""Which waiting jobs start next. Pure: the planner's simulator uses the same rules.

Queues go by priority, highest first. A queue without a scheduling policy is first in, first out. In a queue with one,
the share that uses least goes first (usage counts its running vCPUs times its weight, so a lower weight gets more);
within a share the higher scheduling priority goes first. The first job that does not fit holds back those behind it.

Left out: the decay of past usage, compute reservation, and preemption (Batch has none for jobs that run).

Source: https://docs.aws.amazon.com/batch/latest/userguide/job_scheduling.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Resources:
    """What a job takes or a host has. Units: `memory_mib` in MiB."""

    vcpus: float = 0
    memory_mib: int = 0
    gpus: int = 0

    def fits(self, free: Resources) -> bool:
        return self.vcpus <= free.vcpus and self.memory_mib <= free.memory_mib and self.gpus <= free.gpus

    def __add__(self, other: Resources) -> Resources:
        return Resources(self.vcpus + other.vcpus, self.memory_mib + other.memory_mib, self.gpus + other.gpus)

    def __sub__(self, other: Resources) -> Resources:
        return Resources(self.vcpus - other.vcpus, self.memory_mib - other.memory_mib, self.gpus - other.gpus)


@dataclass(frozen=True)
class Queue:
    """A job queue's rules. `weights` are its scheduling policy's weight factors by share; None without a policy."""

    name: str
    priority: int = 0
    weights: Mapping[str, float] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class JobInQueue:
    """A job that waits or runs. `number` grows with each submission."""

    job_id: str
    queue: Queue
    needs: Resources
    number: int
    share: str = ""
    scheduling_priority: int = 0


def in_order(waiting: Iterable[JobInQueue], running: Iterable[JobInQueue]) -> list[JobInQueue]:
    """The waiting jobs, the next one first; each is counted into its share's usage for those behind it."""
    usage: defaultdict[tuple[str, str], float] = defaultdict(float)
    for job in running:
        usage[job.queue.name, job.share] += _weighted(job)
    left = list(waiting)
    ordered: list[JobInQueue] = []
    while left:
        first = min(left, key=lambda job: _key(job, usage))
        left.remove(first)
        ordered.append(first)
        usage[first.queue.name, first.share] += _weighted(first)
    return ordered


def next_to_start(
    waiting: Sequence[JobInQueue], running: Sequence[JobInQueue], capacity: Resources
) -> list[JobInQueue]:
    """The jobs to start now: in order, until the first that does not fit into what is free.

    Jobs that would not fit into the whole capacity wait for ever and hold nobody back.
    """
    free = capacity
    for job in running:
        free -= job.needs
    starting: list[JobInQueue] = []
    for job in in_order([job for job in waiting if job.needs.fits(capacity)], running):
        if not job.needs.fits(free):
            break
        free -= job.needs
        starting.append(job)
    return starting


def _key(job: JobInQueue, usage: Mapping[tuple[str, str], float]) -> tuple[float, ...]:
    if job.queue.weights is None:
        return (-job.queue.priority, 0, 0, job.number)
    return (-job.queue.priority, usage[job.queue.name, job.share], -job.scheduling_priority, job.number)


def _weighted(job: JobInQueue) -> float:
    weights = job.queue.weights or {}
    return max(job.needs.vcpus, 1) * _weight(weights, job.share)


def _weight(weights: Mapping[str, float], share: str) -> float:
    """A share's weight factor: its own, else that of the longest `prefix*`, else 1."""
    if share in weights:
        return weights[share]
    prefixes = [name for name in weights if name.endswith("*") and share.startswith(name[:-1])]
    return weights[max(prefixes, key=len)] if prefixes else 1.0
