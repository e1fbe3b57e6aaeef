"""The one machine that stands for every compute environment: who runs on it, and on which cores and GPUs."""

from __future__ import annotations

import math
import os
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from local_cloud import settings
from local_cloud.batch.ordering import JobInQueue, Resources, next_to_start

_lock = threading.RLock()
_waiting: dict[str, tuple[JobInQueue, threading.Event]] = {}
_running: dict[str, JobInQueue] = {}
_load: Counter[int] = Counter()
_gpus_taken: set[int] = set()


@dataclass(frozen=True)
class Slots:
    """The cores and GPUs given to one container; no cores means all of them."""

    cores: frozenset[int]
    gpus: tuple[int, ...]


def capacity() -> Resources:
    """What this machine offers to jobs."""
    cloud = settings.current()
    return Resources(cloud.vcpus, cloud.memory_mib, cloud.gpus)


def enter(job: JobInQueue) -> threading.Event:
    """Queue a job. The event returned is set when it may start; then `leave` must follow."""
    turn = threading.Event()
    with _lock:
        _waiting[job.job_id] = (job, turn)
        _admit()
    return turn


def leave(job_id: str) -> None:
    """Take a job out, whether it waits or runs, and let others start."""
    with _lock:
        _waiting.pop(job_id, None)
        _running.pop(job_id, None)
        _admit()


def take_slots(needs: Sequence[Resources]) -> list[Slots]:
    """Cores and GPUs for each container of an admitted job: the least loaded cores, as a container's CPU limit."""
    with _lock:
        return [_take(need) for need in needs]


def give_slots(slots: Sequence[Slots]) -> None:
    """Hand cores and GPUs back."""
    with _lock:
        for slot in slots:
            _load.subtract(slot.cores)
            _gpus_taken.difference_update(slot.gpus)


def _take(need: Resources) -> Slots:
    # macOS cannot bind a process to cores: there every job has all of them.
    every = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    count = max(1, math.ceil(need.vcpus))
    cores = sorted(every, key=lambda core: (_load[core], core))[:count] if count < len(every) else []
    free = [gpu for gpu in range(settings.current().gpus) if gpu not in _gpus_taken]
    gpus = tuple(free[: need.gpus])
    _load.update(cores)
    _gpus_taken.update(gpus)
    return Slots(frozenset(cores), gpus)


def _admit() -> None:
    jobs = [job for job, _ in _waiting.values()]
    for job in next_to_start(jobs, list(_running.values()), capacity()):
        _, turn = _waiting.pop(job.job_id)
        _running[job.job_id] = job
        turn.set()
