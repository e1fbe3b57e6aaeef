"""How one run goes on from attempt to attempt, as the `run` machine and its job definitions have it.

A run of one node that prefers Spot is submitted there up to `spot_submissions` times, each reclaim being a new
submission, and then on demand, where AWS Batch itself tries the same job again after a lost host. A job of several
nodes is on demand from the first. A failed job is tried again only by a redrive, which counts from the beginning.

Source: state_machines/run.asl.yaml (HowToTrain), stacks/team.yaml (RetryStrategy);
https://docs.aws.amazon.com/batch/latest/userguide/mnp-ce.html (no Spot for several nodes).
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from enum import Enum, auto

from cli.simulate.cluster import Cluster, Odds
from cli.simulate.workload import Kind, Run


class End(Enum):
    """How an attempt ends."""

    DONE = auto()
    INTERRUPTED = auto()
    FAILED = auto()


class Next(Enum):
    """What follows."""

    NOTHING = auto()
    TRY_JOB_AGAIN = auto()
    SUBMIT_ANEW = auto()
    GIVE_UP = auto()


@dataclass
class Course:
    """What one run has behind it. `saved_h` is the work up to its last checkpoint, `lost_h` what was done for nothing.

    Its luck depends on the seed and its name alone, so that it has the same under every policy.
    """

    run: Run
    cluster: Cluster
    odds: Odds
    seed: int
    saved_h: float = 0.0
    lost_h: float = 0.0
    attempts: int = 0
    redrives: int = 0
    spot_submissions: int = 0
    host_failures: int = 0
    _luck: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._luck = random.Random(f"{self.seed}/{self.run.name}")  # noqa: S311  nothing secret: the same seed, the same luck

    @property
    def kind(self) -> Kind:
        """Where the next submission goes."""
        if self.run.vms > 1:
            return Kind.MULTI_NODE
        if self.run.prefers_spot and self.spot_submissions < self.cluster.spot_submissions:
            return Kind.SPOT
        return Kind.ON_DEMAND

    def attempt(self, kind: Kind) -> tuple[float, End]:
        """How long the next attempt works, and how that ends."""
        self.attempts += 1
        left_h = self.run.work_h - self.saved_h
        rate = self.odds.interruptions_per_h(kind, self.run.vms)
        patience, failing, moment = (self._luck.random() for _ in range(3))
        ends = [(left_h, End.DONE)]
        if rate > 0:
            ends.append((-math.log(1 - patience) / rate, End.INTERRUPTED))
        if failing < self.odds.failure_probability:
            ends.append((moment * left_h, End.FAILED))
        return min(ends, key=lambda end: end[0])

    def after(self, kind: Kind, worked_h: float, end: End) -> Next:
        """Keep what the attempt has done, and say what follows."""
        if end is End.DONE:
            self.saved_h = self.run.work_h
            return Next.NOTHING
        kept_h = self._kept_h(worked_h)
        self.saved_h += kept_h
        self.lost_h += worked_h - kept_h
        return self._redrive() if end is End.FAILED else self._replace(kind)

    def _kept_h(self, worked_h: float) -> float:
        every_h = self.odds.checkpoint_every_h
        if not self.run.checkpointable or math.isinf(every_h):
            return 0.0
        return math.floor(worked_h / every_h) * every_h

    def _redrive(self) -> Next:
        if self.redrives >= self.odds.redrives:
            return Next.GIVE_UP
        self.redrives += 1
        self.spot_submissions = self.host_failures = 0
        return Next.SUBMIT_ANEW

    def _replace(self, kind: Kind) -> Next:
        if kind is Kind.SPOT:
            self.spot_submissions += 1
            return Next.SUBMIT_ANEW
        self.host_failures += 1
        return Next.TRY_JOB_AGAIN if self.host_failures < self.cluster.on_demand_attempts else Next.GIVE_UP
