"""The one machine that stands for every compute environment: what it has, and which cores and GPUs are taken."""

from __future__ import annotations

import math
import os
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from local_cloud import settings
from local_cloud.batch.ordering import Resources

_lock = threading.RLock()
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


def take_slots(needs: Sequence[Resources]) -> list[Slots]:
    """Cores and GPUs for each container of an admitted job: the least loaded cores, as a container's CPU limit."""
    with _lock:
        return [_take(need) for need in needs]


def take_again(slots: Sequence[Slots]) -> None:
    """Those of containers that run since before this cloud."""
    with _lock:
        for slot in slots:
            _hold(slot)


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
    slots = Slots(frozenset(cores), gpus)
    _hold(slots)
    return slots


def _hold(slots: Slots) -> None:
    _load.update(slots.cores)
    _gpus_taken.update(slots.gpus)
