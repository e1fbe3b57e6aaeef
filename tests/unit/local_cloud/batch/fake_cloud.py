"""A cloud for the scheduler's tests: its clock is set, its machine is a number, its attempts end when told."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from local_cloud.batch import consumables
from local_cloud.batch.nodes import NodeSpec
from local_cloud.batch.ordering import Resources
from local_cloud.batch.record import JobRecord
from local_cloud.batch.retries import AttemptEnd
from local_cloud.batch.scheduler import Scheduler

EXITED = "Essential container in task exited"
QUEUE_ARN, ENVIRONMENT_ARN = "arn:queue", "arn:environment"


class Attempt:
    """An attempt that neither starts nor stops anything."""

    def __init__(self, record: JobRecord) -> None:
        self.record, self.started, self.stopped = record, False, False

    def start(self) -> None:
        self.started = True
        if not self.record.attempts or "stoppedAt" in self.record.attempts[-1]:
            self.record.attempts.append({"container": {}, "startedAt": 0})

    def stop(self) -> None:
        self.stopped = True


class FakeCloud:
    """One queue with one environment. `told` is what the world was told, as (what, job, status, status reason)."""

    def __init__(self, vcpus: float = 4, max_vcpus: int = 100) -> None:
        self.clock_s, self.vcpus = 1_000.0, vcpus
        self._numbers = itertools.count()
        self.told: list[tuple[str, str, str, str | None]] = []
        self.attempts: dict[str, Attempt] = {}
        environment = SimpleNamespace(
            arn=ENVIRONMENT_ARN, state="ENABLED", env_type="UNMANAGED", compute_resources={"maxvCpus": max_vcpus}
        )
        self.queue: Any = SimpleNamespace(
            arn=QUEUE_ARN, name="q", priority=1, environments=[environment], schedule_policy=None, time_limits=[]
        )
        self.moto: Any = SimpleNamespace(
            account_id="123456789012",
            region_name="us-east-1",
            _jobs={},
            get_job_queue=lambda _: self.queue,
            get_compute_environment_by_arn=lambda _: environment,
        )
        self.scheduler = Scheduler(self)

    # What the scheduler asks for

    def now_s(self) -> float:
        return self.clock_s

    def machine(self) -> Resources:
        return Resources(self.vcpus, 10**6)

    def backend(self, record: JobRecord) -> Any:
        return self.moto

    def attempt(self, record: JobRecord, environment: Any) -> Attempt:
        self.attempts[record.job_id] = Attempt(record)
        return self.attempts[record.job_id]

    def changed(self, record: JobRecord) -> Callable[[], object]:
        return self._note("changed", record)

    def blocked(self, record: JobRecord) -> Callable[[], object]:
        return self._note("blocked", record)

    def _note(self, what: str, record: JobRecord) -> Callable[[], object]:
        fact = (what, record.job_id, record.status, record.status_reason)
        return lambda: self.told.append(fact)

    # What the tests do

    def job(self, name: str, vcpus: float = 1, **more: Any) -> JobRecord:
        spec = NodeSpec("image", ("run",), {}, Resources(vcpus, 100), {})
        number = next(self._numbers)
        return JobRecord(
            name, name, "123456789012", "us-east-1", QUEUE_ARN, "q", "arn:definition", "d", [spec], number, 0, **more
        )

    def submit(self, *records: JobRecord) -> None:
        for record in records:
            self.moto._jobs[record.job_id] = record
        self.scheduler.submit(records)
        self.scheduler.look()

    def array(self, name: str, size: int, **more: Any) -> list[JobRecord]:
        parent = self.job(name, array_size=size, **more)
        parent.children["SUBMITTED"] = size
        children = [
            dataclasses.replace(
                parent, job_id=parent.child_id(index), parent_id=name, array_index=index, array_size=0,
                number=next(self._numbers),                attempts=[], waits_for=set(),
            )
            for index in range(size)
        ]  # fmt: skip
        return [parent, *children]

    def end(self, name: str, code: int | None = 0, status_reason: str = EXITED) -> None:
        self.scheduler.ended(self.moto._jobs[name], AttemptEnd(code, status_reason))
        self.scheduler.look()

    def status(self, name: str) -> str:
        return str(self.moto._jobs[name].status)

    def reason(self, name: str) -> str | None:
        found: str | None = self.moto._jobs[name].status_reason
        return found

    def states(self, name: str) -> list[str]:
        """The states that the world was told of, in their order."""
        return [status for what, job_id, status, _ in self.told if (what, job_id) == ("changed", name)]

    def tokens(self, name: str, total: int, kind: str = consumables.REPLENISHABLE) -> consumables.Consumable:
        return consumables.new(self.moto, name, kind, total, 0)
