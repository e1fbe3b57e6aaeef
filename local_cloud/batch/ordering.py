"""Which waiting jobs start now, and where. Pure: descriptions in, a decision out, no clock, nothing of this cloud.

The planner's simulator asks the same question, so nothing here knows of processes, of moto or of time: whoever asks
says what time it is and what ran before.

- Queues go by priority, highest first; among equal ones the older job goes first.
- A queue without a fair-share policy is first in, first out. In a queue with one, the share with the least use goes
  first: vCPUs times weight, so a lower weight gets more. Within a share the higher scheduling priority goes first.
- A job takes the first environment of its queue's order that can take it now. Where hosts are known they are the unit:
  a container goes on a host that has room, else on a new one; the nodes of a gang take a whole host each, all or none.
- The job at the head of its queue that cannot start holds back the rest of its queue. If it waits for room, nobody
  behind it gets any room that it may use, in another queue neither: else a large job would wait for ever.

Left out: preemption (Batch has none for jobs that run), and which of several fitting instance types is cheapest: the
smallest is taken.

Source: https://docs.aws.amazon.com/batch/latest/userguide/job_scheduling.html,
https://docs.aws.amazon.com/batch/latest/userguide/fair-share-scheduling.html,
https://docs.aws.amazon.com/batch/latest/userguide/mnp-ce.html
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

TOKENLESS_HEAD_BLOCKS = True
"""Whether a job that lacks consumable resources holds back those behind it. AWS lets it wait in RUNNABLE once it is at
the head of the queue, and says nothing of the others: to hold them back is what the head does in all other cases.

Source: https://docs.aws.amazon.com/batch/latest/userguide/resource-aware-scheduling-how-to-for-jobs.html
"""

IMPOSSIBLE_HEAD_BLOCKS = True
"""Whether a job that no environment of its queue can ever take holds back those behind it. AWS calls such a queue
blocked, and asks for the job to be cancelled, by hand or by a job state time limit.

Source: https://docs.aws.amazon.com/batch/latest/userguide/job_stuck_in_runnable.html
"""

SHORTEST_WINDOW_S = 600.0
"""How far past use counts where a policy says 0. Source: AWS Batch API, FairsharePolicy.shareDecaySeconds."""


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
class Environment:
    """A compute environment. Without `host_sizes` (Fargate, unmanaged) only vCPUs are counted, up to `max_vcpus`.

    `may_exceed`: the last host may bring the total above `max_vcpus`, as with every allocation strategy but BEST_FIT.
    """

    name: str
    max_vcpus: float = math.inf
    host_sizes: tuple[Resources, ...] = ()
    takes_gangs: bool = True
    may_exceed: bool = True

    def has_room_for_host(self, launched_vcpus: float, size: Resources) -> bool:
        if launched_vcpus + size.vcpus <= self.max_vcpus:
            return True
        return self.may_exceed and launched_vcpus < self.max_vcpus


@dataclass(frozen=True)
class FairShare:
    """A scheduling policy. `weights` by share or `prefix*`; `reservation` is the percentage of Batch's formula."""

    weights: Mapping[str, float] = field(default_factory=dict)
    decay_s: float = 0
    reservation: float = 0

    @property
    def window_s(self) -> float:
        return self.decay_s or SHORTEST_WINDOW_S

    def weight(self, share: str) -> float:
        """A share's weight factor: its own, else that of the longest `prefix*`, else 1."""
        if share in self.weights:
            return self.weights[share]
        prefixes = [name for name in self.weights if name.endswith("*") and share.startswith(name[:-1])]
        return self.weights[max(prefixes, key=len)] if prefixes else 1.0

    def usable(self, active_shares: int) -> float:
        """The part of a queue's vCPUs that its active shares may use together."""
        return 1.0 - (self.reservation / 100.0) ** active_shares if self.reservation else 1.0


@dataclass(frozen=True)
class Queue:
    """A job queue: its environments by name, in their order; `fair_share` is None without a policy."""

    name: str
    priority: int = 0
    environments: tuple[str, ...] = ()
    fair_share: FairShare | None = None


@dataclass(frozen=True)
class QueuedJob:
    """A job that waits or runs. `nodes` are the needs of its containers; `number` grows with each submission."""

    job_id: str
    queue: str
    nodes: tuple[Resources, ...]
    number: int
    share: str = ""
    scheduling_priority: int = 0
    is_gang: bool = False
    tokens: Mapping[str, int] = field(default_factory=dict)

    @property
    def needs(self) -> Resources:
        return sum(self.nodes, Resources())


@dataclass(frozen=True)
class Host:
    """An instance of an environment that a decision launched or found; the number is unique while a job is on it."""

    number: int
    size: Resources


@dataclass(frozen=True)
class Placement:
    """Where a job runs: the environment, and the host of each node where hosts are known."""

    environment: str
    hosts: tuple[Host, ...] = ()


@dataclass(frozen=True)
class RunningJob:
    """A job that has its place since `since_s`."""

    job: QueuedJob
    placement: Placement
    since_s: float = 0


@dataclass(frozen=True)
class PastUse:
    """What an attempt that ended had used: only a fair share's memory."""

    queue: str
    share: str
    vcpus: float
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Capacity:
    """All there is. `tokens` are those free now; `machine` is the one host that stands for all, or None."""

    environments: Mapping[str, Environment]
    tokens: Mapping[str, int] = field(default_factory=dict)
    machine: Resources | None = None


class Hold(Enum):
    """Why the head of a queue does not start."""

    FULL = "waits for room in its environments"
    MACHINE_FULL = "waits for room on the machine"
    RESERVED = "waits: what is left is reserved for other shares"
    NO_TOKENS = "waits for consumable resources"
    NO_ENVIRONMENT = "no environment has so many vCPUs"
    NO_HOST = "no instance type is large enough"
    NO_GANGS = "no environment takes multi-node jobs"
    MACHINE_TOO_SMALL = "larger than the machine"

    @property
    def is_for_ever(self) -> bool:
        return self in (Hold.NO_ENVIRONMENT, Hold.NO_HOST, Hold.NO_GANGS, Hold.MACHINE_TOO_SMALL)

    @property
    def blocks(self) -> bool:
        if self is Hold.NO_TOKENS:
            return TOKENLESS_HEAD_BLOCKS
        return IMPOSSIBLE_HEAD_BLOCKS if self.is_for_ever else True


@dataclass(frozen=True)
class Start:
    job: QueuedJob
    placement: Placement


@dataclass(frozen=True)
class Decision:
    """The jobs that start now, in their order, and for each queue that still waits its first job that does not."""

    starts: tuple[Start, ...]
    held: Mapping[str, tuple[QueuedJob, Hold]]


def decide(
    queues: Mapping[str, Queue],
    waiting: Iterable[QueuedJob],
    running: Sequence[RunningJob],
    capacity: Capacity,
    *,
    now_s: float = 0,
    past: Iterable[PastUse] = (),
) -> Decision:
    """Which of `waiting` start now. Deciding again after they did starts nobody else."""
    by_queue: defaultdict[str, list[QueuedJob]] = defaultdict(list)
    for job in waiting:
        by_queue[job.queue].append(job)
    room = _Room(capacity, running)
    lines = {name: _line(queues[name], jobs, running, now_s, past) for name, jobs in by_queue.items()}
    turns = [_turn(queues[name], line) for name, line in lines.items()]
    heapq.heapify(turns)
    starts: list[Start] = []
    held: dict[str, tuple[QueuedJob, Hold]] = {}
    while turns:
        *_, name = heapq.heappop(turns)
        queue, line = queues[name], lines[name]
        job = line.head()
        outcome = room.place(job, queue, line)
        if isinstance(outcome, Placement):
            starts.append(Start(job, outcome))
            line.started()
        else:
            held.setdefault(name, (job, outcome))
            if outcome is Hold.MACHINE_FULL:
                room.close_machine()
            if outcome is Hold.FULL:
                room.close(queue.environments)
            if outcome.blocks:
                continue
            line.skip()
        if not line.is_empty:
            heapq.heappush(turns, _turn(queue, line))
    return Decision(tuple(starts), held)


def decayed_use(use: PastUse, window_s: float, now_s: float) -> float:
    """Past use as vCPUs on average over the window, with recent time counted more: from 1 now down to 0 at its start.

    AWS says that recent jobs count more, not how: the straight line is ours.
    """
    start, end = max(use.start_s, now_s - window_s), min(use.end_s, now_s)
    if end <= start:
        return 0.0
    middle_age_s = now_s - (start + end) / 2
    return use.vcpus * (end - start) * (1 - middle_age_s / window_s) / (window_s / 2)


class _Line(Protocol):
    """The jobs of a queue in the order in which they may start."""

    @property
    def is_empty(self) -> bool: ...

    def head(self) -> QueuedJob: ...

    def started(self) -> None: ...

    def skip(self) -> None: ...

    def reserve_holds(self, job: QueuedJob, limit_vcpus: float) -> bool: ...


class _FirstInFirstOut:
    def __init__(self, jobs: list[QueuedJob]) -> None:
        self._jobs = sorted(jobs, key=lambda job: job.number, reverse=True)

    @property
    def is_empty(self) -> bool:
        return not self._jobs

    def head(self) -> QueuedJob:
        return self._jobs[-1]

    def started(self) -> None:
        self._jobs.pop()

    skip = started

    def reserve_holds(self, job: QueuedJob, limit_vcpus: float) -> bool:  # noqa: ARG002  nothing is reserved
        return False


class _Shares:
    """`use` is in vCPUs: what runs now, and past use on average over the window. What starts counts at once."""

    def __init__(
        self, name: str, policy: FairShare, jobs: list[QueuedJob], running: Iterable[RunningJob], now_s: float,
        past: Iterable[PastUse],
    ) -> None:  # fmt: skip
        self._policy = policy
        self._jobs: defaultdict[str, list[QueuedJob]] = defaultdict(list)
        for job in sorted(jobs, key=lambda job: (job.scheduling_priority, -job.number)):
            self._jobs[job.share].append(job)
        self._use: defaultdict[str, float] = defaultdict(float)
        self._active = set(self._jobs)
        self._running_vcpus = 0.0
        for one in running:
            if one.job.queue == name:
                self._count(one.job)
                self._add_past(PastUse(name, one.job.share, one.job.needs.vcpus, one.since_s, now_s), now_s)
        for use in past:
            if use.queue == name:
                self._add_past(use, now_s)

    @property
    def is_empty(self) -> bool:
        return not self._jobs

    def head(self) -> QueuedJob:
        return self._jobs[self._next_share()][-1]

    def started(self) -> None:
        self._count(self._pop())

    def skip(self) -> None:
        self._pop()

    def reserve_holds(self, job: QueuedJob, limit_vcpus: float) -> bool:
        """Whether `job` would use what is kept for shares that are not active."""
        usable = self._policy.usable(len(self._active))
        return usable < 1 and self._running_vcpus + job.needs.vcpus > limit_vcpus * usable

    def _next_share(self) -> str:
        """Least use first; among equals who has the older job at its head."""
        return min(
            self._jobs, key=lambda share: (self._use[share] * self._policy.weight(share), self._jobs[share][-1].number)
        )

    def _pop(self) -> QueuedJob:
        share = self._next_share()
        job = self._jobs[share].pop()
        if not self._jobs[share]:
            del self._jobs[share]
        return job

    def _count(self, job: QueuedJob) -> None:
        vcpus = job.needs.vcpus
        self._active.add(job.share)
        self._use[job.share] += max(vcpus, 1)
        self._running_vcpus += vcpus

    def _add_past(self, use: PastUse, now_s: float) -> None:
        decayed = decayed_use(use, self._policy.window_s, now_s)
        if decayed > 0:
            self._active.add(use.share)
            self._use[use.share] += decayed


class _Room:
    """What is free while a decision is made."""

    def __init__(self, capacity: Capacity, running: Iterable[RunningJob]) -> None:
        self._environments = capacity.environments
        self._tokens = dict(capacity.tokens)
        self._whole = self._free = capacity.machine
        self._used_vcpus: defaultdict[str, float] = defaultdict(float)
        self._hosts: defaultdict[str, dict[int, Host]] = defaultdict(dict)
        self._free_on: dict[tuple[str, int], Resources] = {}
        self._closed: set[str] = set()
        self._is_closed = False
        for one in running:
            self._take(one.job, one.placement)

    def close(self, environments: Iterable[str]) -> None:
        """Keep what is free in these for a job that waits."""
        self._closed.update(environments)

    def close_machine(self) -> None:
        """Keep what is free on the machine for a job that waits."""
        self._is_closed = True

    def place(self, job: QueuedJob, queue: Queue, line: _Line) -> Placement | Hold:
        """Take the room, or say why there is none."""
        needs = job.needs
        known = [self._environments[name] for name in queue.environments if name in self._environments]
        able = [one for one in known if _never(one, job) is None]
        if not able:
            return _never(known[-1], job) or Hold.NO_ENVIRONMENT if known else Hold.NO_ENVIRONMENT
        if self._whole is not None and not needs.fits(self._whole):
            return Hold.MACHINE_TOO_SMALL
        if any(self._tokens.get(name, 0) < quantity for name, quantity in job.tokens.items()):
            return Hold.NO_TOKENS
        if line.reserve_holds(job, sum(one.max_vcpus for one in known)):
            return Hold.RESERVED
        for environment in able:
            if environment.name not in self._closed and (found := self._fit(environment, job)) is not None:
                if self._is_closed or (self._free is not None and not needs.fits(self._free)):
                    return Hold.MACHINE_FULL
                self._take(job, found)
                self._tokens.update({name: self._tokens[name] - count for name, count in job.tokens.items()})
                return found
        return Hold.FULL

    def _fit(self, environment: Environment, job: QueuedJob) -> Placement | None:
        name = environment.name
        if not environment.host_sizes:
            has_room = self._used_vcpus[name] + job.needs.vcpus <= environment.max_vcpus
            return Placement(name) if has_room else None
        launched = sum(host.size.vcpus for host in self._hosts[name].values())
        chosen: list[Host] = []
        numbers = _unused(self._hosts[name])
        for node in job.nodes:
            host = None if job.is_gang else self._with_room(name, node)
            if host is None:
                size = _smallest(environment.host_sizes, node)
                if size is None or not environment.has_room_for_host(launched, size):
                    return None
                launched += size.vcpus
                host = Host(next(numbers), size)
            chosen.append(host)
        return Placement(name, tuple(chosen))

    def _with_room(self, name: str, node: Resources) -> Host | None:
        hosts = self._hosts[name].values()
        return next((host for host in hosts if node.fits(self._free_on[name, host.number])), None)

    def _take(self, job: QueuedJob, placement: Placement) -> None:
        name, needs = placement.environment, job.needs
        if self._free is not None:
            self._free -= needs
        self._used_vcpus[name] += needs.vcpus
        for host, node in zip(placement.hosts, job.nodes, strict=False):
            key = (name, host.number)
            self._hosts[name][host.number] = host
            # A gang's hosts are its own: nobody else gets what its node leaves.
            left = Resources(-1) if job.is_gang else self._free_on.get(key, host.size) - node
            self._free_on[key] = left


def _line(
    queue: Queue, jobs: list[QueuedJob], running: Iterable[RunningJob], now_s: float, past: Iterable[PastUse]
) -> _Line:
    if queue.fair_share is None:
        return _FirstInFirstOut(jobs)
    return _Shares(queue.name, queue.fair_share, jobs, running, now_s, past)


def _turn(queue: Queue, line: _Line) -> tuple[int, int, str]:
    return -queue.priority, line.head().number, queue.name


def _never(environment: Environment, job: QueuedJob) -> Hold | None:
    """Why this environment, were it empty, would not take the job."""
    if job.is_gang and not environment.takes_gangs:
        return Hold.NO_GANGS
    if job.needs.vcpus > environment.max_vcpus:
        return Hold.NO_ENVIRONMENT
    if not environment.host_sizes:
        return None
    sizes = [_smallest(environment.host_sizes, node) for node in job.nodes]
    if None in sizes:
        return Hold.NO_HOST
    launched = 0.0
    for size in sizes if job.is_gang else sizes[:1]:
        if size is None or not environment.has_room_for_host(launched, size):
            return Hold.NO_ENVIRONMENT
        launched += size.vcpus
    return None


def _smallest(sizes: Iterable[Resources], node: Resources) -> Resources | None:
    fitting = [size for size in sizes if node.fits(size)]
    return min(fitting, key=lambda size: (size.gpus, size.vcpus, size.memory_mib), default=None)


def _unused(hosts: Mapping[int, Host]) -> Iterator[int]:
    number = 0
    while True:
        if number not in hosts:
            yield number
        number += 1
