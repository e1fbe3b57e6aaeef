"""The simulation itself: a process for each run on SimPy's clock, and one that asks the ordering who starts.

A job has its tokens and its VMs from the decision, before they are launched: so a launch counts as held, as the
planner reckons it. All VMs that a run lacks are launched together. The seconds that the machines' own steps take, VMs
that are lost while they launch or idle, and launches that find no capacity are left out.

Source: https://docs.aws.amazon.com/batch/latest/userguide/job_states.html,
https://docs.aws.amazon.com/batch/latest/userguide/job_retries.html; SimPy: https://simpy.readthedocs.io.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from itertools import count
from typing import Any

import simpy

from cli.simulate.cluster import CONSUMABLE, Cluster, Odds
from cli.simulate.course import Course, End, Next
from cli.simulate.instances import Instances
from cli.simulate.result import Attempt, Event, Result, RunResult, What
from cli.simulate.workload import CannotSimulateError, Kind, Run, Workload
from local_cloud.batch.ordering import PastUse, Placement, QueuedJob, RunningJob, decide

NOTHING_FAILS = Odds()
_S_PER_H = 3600.0
_Process = Generator[simpy.Event, Any, None]
_WHAT_OF = {End.INTERRUPTED: What.INTERRUPTED, End.FAILED: What.FAILED, End.DONE: What.DONE}


def simulate(workload: Workload, cluster: Cluster, odds: Odds = NOTHING_FAILS, seed: int = 0) -> Result:
    """Carry out a workload until nothing waits or runs. The same seed gives the same result.

    Raises: CannotSimulateError when a run takes more VMs than there can be.
    """
    for run in workload.runs:
        cluster.check(run)
    if len(workload.busy_until_h) > cluster.vms:
        raise CannotSimulateError(f"{len(workload.busy_until_h)} VMs are held and the cap is {cluster.vms}")
    return _Simulation(workload, cluster, odds, seed).result()


def simulate_many(workload: Workload, cluster: Cluster, odds: Odds, seeds: Iterable[int]) -> list[Result]:
    """The same workload under each seed."""
    return [simulate(workload, cluster, odds, seed) for seed in seeds]


class _Simulation:
    def __init__(self, workload: Workload, cluster: Cluster, odds: Odds, seed: int) -> None:
        self._workload, self._cluster, self._odds, self._seed = workload, cluster, odds, seed
        self._clock = simpy.Environment()
        self._queues = cluster.queues()
        self._tokens = cluster.vms - len(workload.busy_until_h)
        self._instances = Instances(cluster.idle_h)
        self._numbers = count(1)
        self._waiting: dict[str, tuple[QueuedJob, simpy.Event]] = {}
        self._running: dict[str, RunningJob] = {}
        self._past: deque[PastUse] = deque()
        self._changed = self._clock.event()
        self._events: list[Event] = []
        self._ended: dict[str, RunResult] = {}

    def result(self) -> Result:
        self._clock.process(self._dispatch())
        for until_h in self._workload.busy_until_h:
            self._clock.process(self._hold(until_h))
        for run in self._workload.runs:
            self._clock.process(self._carry_out(run))
        self._clock.run()
        self._instances.close(self._clock.now)
        runs = tuple(self._ended[run.name] for run in self._workload.runs)
        return Result(runs, tuple(self._instances.lives), tuple(self._events))

    def _dispatch(self) -> _Process:
        """Let start whoever may, once everything that happens at a moment has happened."""
        while True:
            yield self._changed
            self._changed = self._clock.event()
            now_s = self._clock.now * _S_PER_H
            self._forget(now_s)
            waiting = [job for job, _ in self._waiting.values()]
            capacity = self._cluster.capacity(self._tokens)
            running = list(self._running.values())
            decision = decide(self._queues, waiting, running, capacity, now_s=now_s, past=self._past)
            for start in decision.starts:
                job, placed = self._waiting.pop(start.job.job_id)
                self._running[job.job_id] = RunningJob(job, start.placement, now_s)
                self._tokens -= job.tokens[CONSUMABLE]
                placed.succeed(start.placement)

    def _hold(self, until_h: float) -> _Process:
        yield self._clock.timeout(until_h)
        self._tokens += 1
        self._decide_anew()

    def _carry_out(self, run: Run) -> _Process:
        yield self._clock.timeout(run.submitted_h)
        course = Course(run, self._cluster, self._odds, self._seed)
        attempts: list[Attempt] = []
        following = Next.SUBMIT_ANEW
        while following in (Next.SUBMIT_ANEW, Next.TRY_JOB_AGAIN):
            if following is Next.SUBMIT_ANEW:
                kind, number = course.kind, next(self._numbers)
                job = self._cluster.job(run, kind, f"{run.name}#{number}", number)
                self._tell(What.SUBMITTED, run)
            following = yield from self._attempt(run, job, kind, course, attempts)
        is_done = following is Next.NOTHING
        if not is_done:
            self._tell(What.GIVEN_UP, run)
        self._ended[run.name] = RunResult(
            run.name, run.team, run.vms, run.release_h, attempts[0].start_h, self._clock.now, tuple(attempts),
            course.lost_h, is_done,
        )  # fmt: skip

    def _attempt(
        self, run: Run, job: QueuedJob, kind: Kind, course: Course, attempts: list[Attempt]
    ) -> Generator[simpy.Event, Any, Next]:
        """From RUNNABLE to the end of an attempt."""
        placement: Placement = yield self._wait(job)
        environment, start_h = placement.environment, self._clock.now
        self._tell(What.PLACED, run, environment)
        vms, launched = self._instances.take(environment, run.vms, start_h)
        launch_h = self._cluster.launch_h if launched else 0.0
        worked_h, end = course.attempt(kind)
        yield self._clock.timeout(launch_h)
        self._tell(What.WORKING, run, environment)
        yield self._clock.timeout(worked_h)
        now_h = self._clock.now
        if end is End.INTERRUPTED:
            self._instances.lose(vms.pop(), now_h)
        self._instances.give_back(vms, now_h)
        self._leave(job)
        self._tell(_WHAT_OF[end], run, environment)
        attempts.append(Attempt(environment, start_h, now_h, launched, launch_h))
        return course.after(kind, worked_h, end)

    def _wait(self, job: QueuedJob) -> simpy.Event:
        placed = self._clock.event()
        self._waiting[job.job_id] = (job, placed)
        self._decide_anew()
        return placed

    def _leave(self, job: QueuedJob) -> None:
        left = self._running.pop(job.job_id)
        self._tokens += job.tokens[CONSUMABLE]
        if self._cluster.fair_share is not None:
            used = PastUse(job.queue, job.share, job.needs.vcpus, left.since_s, self._clock.now * _S_PER_H)
            self._past.append(used)
        self._decide_anew()

    def _forget(self, now_s: float) -> None:
        """Past use that counts no more."""
        policy = self._cluster.fair_share
        while policy is not None and self._past and self._past[0].end_s <= now_s - policy.window_s:
            self._past.popleft()

    def _decide_anew(self) -> None:
        if not self._changed.triggered:
            self._changed.succeed()

    def _tell(self, what: What, run: Run, environment: str = "") -> None:
        self._events.append(Event(self._clock.now, what, run.name, environment))
