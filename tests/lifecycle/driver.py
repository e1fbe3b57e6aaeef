"""One history from a seed: which event is delivered, who goes on, and which fault strikes."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from tests.lifecycle.aws import Cloud
from tests.lifecycle.faults import Fault, Kind
from tests.lifecycle.interpreter import LIVE, Execution
from tests.lifecycle.jobs import Fate
from tests.unit.turbine.arrange import manifest

STEPS_MAX = 20_000
PORT_CALLS = 40  # few functions make more


@dataclass(frozen=True)
class Odds:
    """How often what happens: at each step but for the first two, which are for each event and for each job.

    `attempt`: somebody starts a run's next attempt; `approve`: somebody approves a model by hand; `forget`: Step
    Functions forgets an execution that ended; `sweep`: an hour passes, and runs without an outcome are looked at.
    """

    duplicate: float = 0.3
    bad_job: float = 0.3
    fault: float = 0.1
    stop: float = 0.002
    attempt: float = 0.005
    forget: float = 0.005
    approve: float = 0.002
    sweep: float = 0.01


QUIET = Odds(duplicate=0, bad_job=0, fault=0, stop=0, attempt=0, forget=0, approve=0, sweep=0)


class Driver:
    """Steps a cloud through one history."""

    def __init__(self, seed: int, odds: Odds | None = None) -> None:
        self.random = random.Random(seed)
        self.odds = odds or Odds()
        self.cloud = Cloud(self._fate, self.random.choice)

    def manifest(self, team: str, seed: int, newer: float = 0.5) -> dict[str, Any]:
        """A manifest of the team's data; with the chance `newer` of newer data, where a champion is measured first."""
        uri = f"s3://data/datasets/{team}/{'digits-new' if self._happens(newer) else 'digits'}/"
        self.cloud.world.store[f"{uri}part-0.parquet"] = f"shard of {uri}".encode()
        good = manifest(team, seed=seed)
        return good | {"dataset": good["dataset"] | {"source": {"type": "s3", "uri": uri}}}

    def run(self) -> None:
        """Go on until nothing is left to do; then an operator redrives what faults have ended, undisturbed."""
        self._go_on()
        self.odds = QUIET
        for _ in range(5):
            self.cloud.sweep()
            self._go_on()
            ended = [one for one in self.cloud.executions.values() if _is_unfinished(self.cloud, one.arn)]
            not_started = self.cloud.not_started()
            if not ended and not not_started:
                return
            for execution in ended:
                self.cloud.redrive(execution)
            for run_id in not_started:
                self.cloud.start_attempt(run_id, 2)
        raise AssertionError(f"still unfinished: {[(one.name, one.state, one.error, one.cause) for one in ended]}")

    def _go_on(self) -> None:
        for _ in range(STEPS_MAX):
            ready, pending = self.cloud.ready(), len(self.cloud.pending)
            if not ready and not pending:
                return
            chosen = self.random.randrange(len(ready) + pending)
            if chosen < len(ready):
                self.cloud.step(ready[chosen], self._chosen_fault())
            else:
                self.cloud.deliver(chosen - len(ready), again=self._happens(self.odds.duplicate))
            self._interfere()
        raise AssertionError(f"no end after {STEPS_MAX} steps")

    def _chosen_fault(self) -> Fault | None:
        if not self._happens(self.odds.fault):
            return None
        return Fault(self.random.choice(list(Kind)), self.random.randrange(PORT_CALLS))

    def _interfere(self) -> None:
        """What people and time do to the runs' executions."""
        runs = [one for one in self.cloud.executions.values() if one.machine == "RunMachine"]
        live = [one for one in runs if one.status == LIVE]
        ended = [one for one in runs if _may_be_forgotten(self.cloud, one)]
        if live and self._happens(self.odds.stop):
            self.cloud.stop(self.random.choice(live), ends_jobs=self._happens(0.5))
        if runs and self._happens(self.odds.attempt):
            self._attempt(self.random.choice(runs))
        if ended and self._happens(self.odds.forget):
            self.cloud.forget(self.random.choice(ended))
        if self._happens(self.odds.sweep):
            self.cloud.sweep()
        packages = [package.arn for package, _, _ in self.cloud.registry.packages]
        if packages and self._happens(self.odds.approve):
            self.cloud.approve(self.random.choice(packages))

    def _attempt(self, run: Execution) -> None:
        attempt = 1 + max(one.input["attempt"] for one in self.cloud.executions.values() if _is_same_run(one, run))
        self.cloud.start_attempt(run.input["run_id"], attempt)

    def _happens(self, chance: float) -> bool:
        return self.random.random() < chance

    def _fate(self, _run_id: str) -> Fate:
        if not self._happens(self.odds.bad_job):
            return Fate.DONE
        return self.random.choice([Fate.RECLAIMED, Fate.INTERRUPTED])


def _is_same_run(one: Execution, other: Execution) -> bool:
    return one.machine == other.machine and one.input["run_id"] == other.input["run_id"]


def _is_unfinished(cloud: Cloud, arn: str) -> bool:
    """Whether an operator has to redrive an execution: it ended without success, and it speaks for its run."""
    execution = cloud.executions[arn]
    if execution.status in {LIVE, "SUCCEEDED"} or execution.machine == "PromotionMachine":
        return False
    claim = _claim(cloud, execution)
    return execution.machine == "TrainingMachine" or claim is None or claim["owner"] == arn


def _may_be_forgotten(cloud: Cloud, run: Execution) -> bool:
    """Not one that people have to see to within 90 days.

    Stopped before it claimed its run it leaves no claim, and an event that comes later runs it; stopped within its
    promotion it leaves a champion without approval until it is redriven.
    """
    is_whole = all(one.status == "SUCCEEDED" for one in cloud.promotions_of(run))
    return run.status != LIVE and _claim(cloud, run) is not None and is_whole


def _claim(cloud: Cloud, execution: Execution) -> dict[str, Any] | None:
    return cloud.world.table.items.get((f"RUN#{execution.input.get('run_id')}", "CLAIM"))
