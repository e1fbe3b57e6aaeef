"""The one scheduler of this cloud among the rest of it: moto's state, the machine, the clock, EventBridge.

Source: https://docs.aws.amazon.com/batch/latest/userguide/batch_cwe_events.html and
https://docs.aws.amazon.com/batch/latest/userguide/batch-job-queue-blocked-events.html
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

from moto.batch.models import batch_backends

from local_cloud import changes
from local_cloud.batch import description, host
from local_cloud.batch.ordering import Resources
from local_cloud.batch.reattach import Search
from local_cloud.batch.record import JobRecord
from local_cloud.batch.runtime import Runtime
from local_cloud.batch.scheduler import Gone, Running, Scheduler
from local_cloud.containers.container import Container
from local_cloud.durability import commits
from local_cloud.durability.tracked import changes as changes_to_write
from local_cloud.services import events

_STATE_CHANGE = "Batch Job State Change"
_QUEUE_BLOCKED = "Batch Job Queue Blocked"


class Cloud:
    """What the scheduler sees of this cloud."""

    def now_s(self) -> float:
        return time.time()

    def machine(self) -> Resources:
        return host.capacity()

    def backend(self, record: JobRecord) -> Any:
        return batch_backends[record.account][record.region]

    def attempt(self, record: JobRecord, environment: Any) -> Running:
        return _runtime(record, environment)

    def changed(self, record: JobRecord) -> Callable[[], object]:
        _note(_STATE_CHANGE, record, [record.arn])
        return functools.partial(_tell_end, record.job_id) if record.has_ended else _nothing

    def blocked(self, record: JobRecord) -> Callable[[], object]:
        _note(_QUEUE_BLOCKED, record, [record.arn, record.queue_arn])
        return _nothing


def recover() -> list[Runtime]:
    """Go on with the jobs that an earlier cloud left; what is left of the others is ended. The attempts found again."""
    search, again = Search(), []

    def find(record: JobRecord) -> Running | Gone:
        found = search.find(record)
        if isinstance(found, Gone):
            return found
        placed = record.placement.environment if record.placement else ""
        backend = batch_backends[record.account][record.region]
        again.append(_runtime(record, backend.get_compute_environment_by_arn(placed), found))
        return again[-1]

    SCHEDULER.recover(all_records(), find)
    search.clear()
    return again


def _runtime(record: JobRecord, environment: Any, begun: Sequence[Container] | None = None) -> Runtime:
    return Runtime(record, environment, now_ms, SCHEDULER.running, SCHEDULER.ended, _note_record, _keep, begun)


def _note_record(record: JobRecord) -> None:
    """Have it written with the next commit."""
    batch_backends[record.account][record.region]._jobs.get(record.job_id)  # looked up, and so noted as changed


def _keep(record: JobRecord) -> None:
    """Write it now. Raises: CannotKeepError: what must not be forgotten must not begin."""
    _note_record(record)
    commits.commit({"batch"})


def now_ms() -> int:
    """Milliseconds since the epoch, as Batch's API counts."""
    return int(time.time() * 1000)


def all_records() -> list[JobRecord]:
    """Every job of every account and Region."""
    return [
        job
        for regions in list(batch_backends.values())
        for backend in list(regions.values())
        for job in backend._jobs.values()
    ]


def _note(detail_type: str, record: JobRecord, resources: list[str]) -> None:
    """What a job is now is written together with the event that says so, whose detail is that of DescribeJobs."""
    backend = batch_backends[record.account][record.region]
    with commits.together():
        for job_id in filter(None, (record.job_id, record.parent_id)):
            backend._jobs.get(job_id)  # looked up, and so noted as changed
        changes_to_write.note_service("batch")  # its tokens are in the backend
        detail = description.detail(record, backend)
        events.emit("aws.batch", detail_type, detail, resources, record.account, record.region)


def _tell_end(job_id: str) -> None:
    """Write it, and only then wake who waits for the job."""
    commits.keep({"batch"})
    changes.announce(job_id)


def _nothing() -> None:
    """Nobody waits for this: the next commit takes it along."""


SCHEDULER = Scheduler(Cloud())
