"""One history from a seed: which event is delivered, who goes on, and which fault strikes."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.lifecycle.aws import Cloud
from tests.lifecycle.faults import Fault, Kind
from tests.lifecycle.interpreter import LIVE
from tests.lifecycle.jobs import Fate

STEPS_MAX = 20_000
PORT_CALLS = 40  # few functions make more


@dataclass(frozen=True)
class Odds:
    """How often: a fault of a Task, an event delivered once more, a job that does not end well, a stop of a run."""

    fault: float = 0.1
    duplicate: float = 0.3
    bad_job: float = 0.3
    stop: float = 0.0


class Driver:
    """Steps a cloud through one history."""

    def __init__(self, seed: int, odds: Odds | None = None) -> None:
        self.random = random.Random(seed)
        self.odds = odds or Odds()
        self.cloud = Cloud(self._fate, self.random.choice)

    def run(self) -> None:
        """Go on until nothing is left to do; then an operator redrives what faults have ended, undisturbed."""
        self._go_on()
        self.odds = Odds(fault=0, duplicate=0, bad_job=0, stop=0)
        for _ in range(5):
            self._go_on()
            ended = [one for one in self.cloud.executions.values() if _is_unfinished(self.cloud, one.arn)]
            if not ended:
                return
            for execution in ended:
                self.cloud.redrive(execution)
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
                self.cloud.deliver(chosen - len(ready), again=self.random.random() < self.odds.duplicate)
            self._stop_one()
        raise AssertionError(f"no end after {STEPS_MAX} steps")

    def _chosen_fault(self) -> Fault | None:
        if self.random.random() >= self.odds.fault:
            return None
        return Fault(self.random.choice(list(Kind)), self.random.randrange(PORT_CALLS))

    def _stop_one(self) -> None:
        if self.random.random() >= self.odds.stop:
            return
        live = [one for one in self.cloud.executions.values() if one.status == LIVE and one.machine == "RunMachine"]
        if live:
            self.cloud.stop(self.random.choice(live), ends_jobs=self.random.random() < 0.5)

    def _fate(self, _run_id: str) -> Fate:
        if self.random.random() >= self.odds.bad_job:
            return Fate.DONE
        return self.random.choice([Fate.RECLAIMED, Fate.INTERRUPTED])


def _is_unfinished(cloud: Cloud, arn: str) -> bool:
    """Whether an operator has to redrive an execution: it ended without success, and it speaks for its run."""
    execution = cloud.executions[arn]
    if execution.status in {LIVE, "SUCCEEDED"} or execution.machine == "PromotionMachine":
        return False
    claim = cloud.world.table.items.get((f"RUN#{execution.input.get('run_id')}", "CLAIM"))
    return execution.machine == "TrainingMachine" or claim is None or claim["owner"] == arn
