"""Hypothesis looks for a history that breaks what must be true, and shrinks it to the fewest steps."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.lifecycle.aws import Cloud
from tests.lifecycle.driver import Driver, Odds
from tests.lifecycle.faults import Fault, Kind
from tests.lifecycle.history import check_moment, check_rest, state
from tests.lifecycle.interpreter import LIVE, Execution
from tests.unit.turbine.arrange import manifest

TEAMS = ("vision", "botany")
FAULTS = st.none() | st.builds(Fault, st.sampled_from(Kind), st.integers(0, 40))
NUMBERS = st.integers(0, 10_000)


class Lifecycle(RuleBasedStateMachine):
    """Two teams drop manifests; events, steps, faults, stops and redrives come in whatever order."""

    @initialize(seed=NUMBERS)
    def start(self, seed: int) -> None:
        self.driver = Driver(seed, Odds(duplicate=0.2, bad_job=0.2, fault=0, stop=0, attempt=0, forget=0, approve=0))
        self.sequencer = 0
        for team in TEAMS:
            self.cloud.world.add_team(team)

    @property
    def cloud(self) -> Cloud:
        return self.driver.cloud

    @rule(team=st.sampled_from(TEAMS), name=st.sampled_from("ab"))
    def drop(self, team: str, name: str) -> None:
        self.sequencer += 1
        body = manifest(team, seed=self.sequencer)
        self.cloud.drop(f"manifests/{team}/{name}.json", body, f"{self.sequencer:04X}")

    @precondition(lambda self: self.cloud.pending)
    @rule(number=NUMBERS, again=st.booleans())
    def deliver(self, number: int, again: bool) -> None:
        self.cloud.deliver(number % len(self.cloud.pending), again=again)

    @precondition(lambda self: self.cloud.ready())
    @rule(number=NUMBERS, fault=FAULTS, steps=st.integers(1, 12))
    def step(self, number: int, fault: Fault | None, steps: int) -> None:
        ready = self.cloud.ready()
        chosen = ready[number % len(ready)]
        self.cloud.step(chosen, fault)
        for _ in range(steps - 1):
            if chosen in self.cloud.ready():
                self.cloud.step(chosen)

    @precondition(lambda self: self.runs(LIVE))
    @rule(number=NUMBERS, ends_jobs=st.booleans())
    def stop(self, number: int, ends_jobs: bool) -> None:
        live = self.runs(LIVE)
        self.cloud.stop(live[number % len(live)], ends_jobs=ends_jobs)

    @precondition(lambda self: self.runs("FAILED") + self.runs("ABORTED"))
    @rule(number=NUMBERS)
    def redrive(self, number: int) -> None:
        ended = self.runs("FAILED") + self.runs("ABORTED")
        self.cloud.redrive(ended[number % len(ended)])

    def runs(self, status: str) -> list[Execution]:
        return [one for one in self.cloud.executions.values() if one.machine == "RunMachine" and one.status == status]

    @invariant()
    def nothing_is_wrong_now(self) -> None:
        if hasattr(self, "driver"):
            check_moment(self.cloud)

    def teardown(self) -> None:
        """At the end everything comes to rest, is right, and stays as it is when all events come once more."""
        if not hasattr(self, "driver"):
            return
        self.driver.run()
        check_rest(self.cloud)
        before = state(self.cloud)
        self.cloud.pending.extend(self.cloud.delivered[:])
        self.driver.run()
        assert state(self.cloud) == before


Lifecycle.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestLifecycle: Any = Lifecycle.TestCase
