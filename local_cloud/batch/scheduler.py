"""Drives all jobs of all accounts: one thread decides who starts; others exist only while an attempt runs.

A job that waits is an entry in a table, so that ten thousand of them cost nothing until something changes: a
submission, an end, a changed queue, environment or resource. Each change wakes the thread, which asks `ordering` once.
What is kept here can be made again from the records at any time (`recover`); what must last is in the records.

Source: https://docs.aws.amazon.com/batch/latest/userguide/job_states.html
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Any, Protocol

from local_cloud.batch import capacity, consumables, retries
from local_cloud.batch.heads import BlockedHeads
from local_cloud.batch.ordering import (
    Capacity,
    Decision,
    Environment,
    PastUse,
    Placement,
    QueuedJob,
    Resources,
    RunningJob,
    Start,
    decide,
)
from local_cloud.batch.record import BEFORE_STARTING, STARTED, JobRecord
from local_cloud.batch.retries import AttemptEnd, Next

_LOG = logging.getLogger(__name__)
DEPENDENCY_FAILED = "Dependent Job failed"
DEPENDENCY_MISSING = "Dependent Job does not exist"
CHILD_FAILED = "Array Child Job failed"
_FAR_S = 3_600.0
_LONGEST_WINDOW_S = 604_800


class Gone(Enum):
    """An attempt of an earlier cloud that does not run any more."""

    LOST = "it ran, and nobody knows how it ended"
    NEVER_BEGAN = "none of its containers ran"


class Running(Protocol):
    """An attempt that runs."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Surroundings(Protocol):
    """What the scheduler needs of the rest of the cloud."""

    def now_s(self) -> float:
        """Seconds since the epoch."""
        ...

    def machine(self) -> Resources:
        """What the machine offers to all jobs together."""
        ...

    def backend(self, record: JobRecord) -> Any:
        """moto's backend of a job's account and Region."""
        ...

    def attempt(self, record: JobRecord, environment: Any) -> Running:
        """An attempt of a job in one of moto's environments, not started yet."""
        ...

    def changed(self, record: JobRecord) -> Callable[[], object]:
        """Note a job's new status; what is returned tells the world of it, later and outside of any lock."""
        ...

    def blocked(self, record: JobRecord) -> Callable[[], object]:
        """Note that a job blocks its queue; as `changed`."""
        ...


class Scheduler:
    """The table of jobs that have not ended, and the thread that starts them."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._news: deque[Callable[[], object]] = deque()
        self._jobs: dict[str, JobRecord] = {}
        self._entering: deque[JobRecord] = deque()
        self._waiting: dict[str, QueuedJob] = {}
        self._running: dict[str, RunningJob] = {}
        self._attempts: dict[str, Running] = {}
        self._dependents: defaultdict[str, list[str]] = defaultdict(list)
        self._past: deque[PastUse] = deque()
        self._heads = BlockedHeads(
            queue_of=lambda record: self._around.backend(record).get_job_queue(record.queue_arn),
            blocked=lambda record: self._news.append(self._around.blocked(record)),
            cancel=self.cancel,
        )
        self._next_look_s = 0.0
        self._is_stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to decide, in a thread."""
        self._thread = threading.Thread(target=self._loop, daemon=True, name="batch-scheduler")
        self._thread.start()

    def stop(self) -> None:
        """Decide no more, and change no record any more: what runs now is for the next start to find."""
        with self._lock:
            self._is_stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def wake(self) -> None:
        """Say that queues, environments or resources have changed."""
        self._wake.set()

    def submit(self, records: Iterable[JobRecord]) -> None:
        """Take jobs in, as SUBMITTED."""
        with self._lock:
            for record in records:
                self._jobs[record.job_id] = record
                self._tell(record)
                if not record.is_array:
                    self._entering.append(record)
        self._wake.set()

    def recover(self, records: Iterable[JobRecord], find: Callable[[JobRecord], Running | Gone]) -> None:
        """Go on with the jobs of an earlier cloud. `find` returns the attempt of a started job, not followed yet.

        An attempt that is lost ends as one whose host went away: the job's retry rules say what follows. One that had
        not begun is none: its job waits for a place again.
        """
        known = sorted(records, key=lambda record: record.number)
        with self._lock:
            self._past.extend(sorted((use for one in known for use in one.past_use()), key=lambda use: use.end_s))
            left = [record for record in known if not record.has_ended]
            # All first: one that was lost may end others.
            self._jobs.update({record.job_id: record for record in left})
            for record in left:
                if record.status in STARTED and record.placement is not None:
                    self._recover_started(record, record.placement, find(record))
                elif not record.is_array:
                    self._entering.append(record)
                if record.blocked_at is not None:
                    self._heads.remember(record)
        self._wake.set()

    def _recover_started(self, record: JobRecord, placement: Placement, attempt: Running | Gone) -> None:
        since_s = (record.placed_at or record.created_at) / 1000
        self._running[record.job_id] = RunningJob(record.in_queue(), placement, since_s)
        if attempt is Gone.LOST:
            self.ended(record, AttemptEnd(None, record.note_lost_hosts()))
        elif attempt is Gone.NEVER_BEGAN:
            self._free(record)
            record.forget_attempt()
            if record.stop_reason is None:
                self._queue(record)
            else:
                self._finish(record, "FAILED", record.stop_reason)
        elif not isinstance(attempt, Gone):
            self._attempts[record.job_id] = attempt
            attempt.start()
            if record.stop_reason is not None:
                attempt.stop()

    def terminate(self, record: JobRecord, reason: str) -> None:
        """End a job in any state; one that runs gets SIGTERM first."""
        with self._lock:
            if record.has_ended or record.stop_reason is not None:
                return
            record.is_terminated, record.stop_reason = True, reason
            for child in self._children(record):
                self.terminate(child, reason)
            self._end_or_stop(record)

    def cancel(self, record: JobRecord, reason: str) -> None:
        """End a job that has not started; a started one runs on. One that waits for others ends when they have.

        Source: https://docs.aws.amazon.com/batch/latest/APIReference/API_CancelJob.html
        """
        with self._lock:
            if record.status not in BEFORE_STARTING or record.stop_reason is not None:
                return
            record.is_cancelled, record.stop_reason = True, reason
            for child in self._children(record):
                self.cancel(child, reason)
            if record.status != "PENDING":
                self._end_or_stop(record)

    def running(self, record: JobRecord) -> None:
        """The main container of a job's attempt runs."""
        with self._lock:
            if not self._is_stopping and record.status == "STARTING":
                record.started_at = self._now_ms()
                self._become(record, "RUNNING")
        self._wake.set()

    def ended(self, record: JobRecord, end: AttemptEnd) -> bool:
        """A job's attempt has ended: give back what it had, and end the job or queue it again.

        False when the cloud stops: nothing is changed then.
        """
        with self._lock:
            if self._is_stopping:
                return False
            self._free(record)
            record.note_end(end, self._now_ms())
            following = retries.next_after(record.retry_strategy, max(1, len(record.attempts)), end)
            if record.stop_reason is not None:
                self._finish(record, "FAILED", record.stop_reason)
            elif following is Next.ANOTHER_ATTEMPT:
                self._queue(record)
            else:
                self._finish(record, following.value, end.status_reason)
        self._wake.set()
        return True

    def look(self) -> None:
        """Decide once. The thread does this; tests do it by themselves."""
        with self._lock:
            while self._entering:
                self._enter(self._entering.popleft())
            decision = self._decide() if self._waiting else Decision((), {})
            for start in decision.starts:
                self._start(start)
            next_ms = self._heads.follow(decision, self._jobs, self._now_ms())
            self._next_look_s = self._around.now_s() + _FAR_S if next_ms is None else next_ms / 1000
        while self._news:
            self._pass_on(self._news.popleft())

    def vcpus_in(self, environment_arn: str) -> float:
        """How many vCPUs of an environment are in use: its hosts' where they are known, else its jobs'."""
        with self._lock:
            here = [one for one in self._running.values() if one.placement.environment == environment_arn]
            hosts = {host for one in here for host in one.placement.hosts}
            return sum(host.size.vcpus for host in hosts) or sum(one.job.needs.vcpus for one in here)

    def first_in_line(self, queue_arn: str) -> list[QueuedJob]:
        """The jobs of a queue that wait, in the order in which they would start on an endless machine."""
        with self._lock:
            waiting = [job for job in self._waiting.values() if job.queue == queue_arn]
            if not waiting:
                return []
            found = self._around.backend(self._jobs[waiting[0].job_id]).get_job_queue(queue_arn)
            queue = capacity.queue(found)
            endless = Capacity({name: Environment(name) for name in queue.environments})
            now_s = self._around.now_s()
            running = list(self._running.values())
            starts = decide({queue_arn: queue}, waiting, running, endless, now_s=now_s, past=self._past).starts
            return [start.job for start in starts]

    def _loop(self) -> None:
        while True:
            self._wake.wait(max(0.0, self._next_look_s - self._around.now_s()))
            self._wake.clear()
            if self._is_stopping:
                return
            try:
                self.look()
            except Exception:  # noqa: BLE001  logged, and survived
                # Without this thread no job would ever start again, and nobody would be told.
                _LOG.exception("the scheduler failed to decide; it tries again with the next change")
                self._next_look_s = self._around.now_s() + _FAR_S

    def _pass_on(self, news: Callable[[], object]) -> None:
        try:
            news()
        except Exception:  # noqa: BLE001  logged; what is told to others must not stop the jobs
            _LOG.exception("an event of a job was not passed on")

    def _now_ms(self) -> int:
        return int(self._around.now_s() * 1000)

    def _tell(self, record: JobRecord) -> None:
        self._news.append(self._around.changed(record))

    def _children(self, record: JobRecord) -> list[JobRecord]:
        ids = map(record.child_id, range(record.array_size))
        return [self._jobs[job_id] for job_id in ids if job_id in self._jobs]

    def _become(self, record: JobRecord, status: str) -> None:
        parent = self._jobs.get(record.parent_id or "")
        if parent is not None:
            parent.children[record.status] -= 1
            parent.children[status] += 1
        record.status = status
        self._tell(record)
        if parent is not None:
            self._follow_child(parent, status)

    def _follow_child(self, parent: JobRecord, status: str) -> None:
        if status == "RUNNABLE" and parent.status == "SUBMITTED":
            self._become(parent, "PENDING")
        ended = parent.children["SUCCEEDED"] + parent.children["FAILED"]
        if ended == parent.array_size and not parent.has_ended:
            failed = parent.children["FAILED"] > 0
            reason = (parent.stop_reason or CHILD_FAILED) if failed else None
            self._finish(parent, "FAILED" if failed else "SUCCEEDED", reason)

    def _enter(self, record: JobRecord) -> None:
        """Wait for those that must end first, or for a place."""
        if record.has_ended:
            return
        known = self._around.backend(record)._jobs
        states = {job_id: known[job_id].status for job_id in record.waits_for if job_id in known}
        if len(states) < len(record.waits_for) or "FAILED" in states.values():
            reason = DEPENDENCY_FAILED if "FAILED" in states.values() else DEPENDENCY_MISSING
            self._finish(record, "FAILED", reason)
            return
        record.waits_for = {job_id for job_id, status in states.items() if status != "SUCCEEDED"}
        if not record.waits_for:
            self._go_on(record)
            return
        for job_id in record.waits_for:
            self._dependents[job_id].append(record.job_id)
        if record.status == "SUBMITTED":
            self._become(record, "PENDING")

    def _queue(self, record: JobRecord) -> None:
        self._waiting[record.job_id] = record.in_queue()
        if record.status != "RUNNABLE":
            record.status_reason = record.blocked_at = record.placement = record.placed_at = None
            record.runnable_at = self._now_ms()
            self._become(record, "RUNNABLE")

    def _decide(self) -> Decision:
        now_s = self._around.now_s()
        while self._past and self._past[0].end_s < now_s - _LONGEST_WINDOW_S:
            self._past.popleft()
        queues, environments, tokens = {}, {}, {}
        first_of = {job.queue: self._jobs[job_id] for job_id, job in self._waiting.items()}
        for arn, record in first_of.items():
            backend = self._around.backend(record)
            found = backend.get_job_queue(arn)
            if found is None:
                continue
            queues[arn] = capacity.queue(found)
            environments.update({one.arn: capacity.environment(one) for one in found.environments})
            tokens.update({one.arn: one.available for one in consumables.of_backend(backend).values()})
        return decide(
            queues,
            [job for job in self._waiting.values() if job.queue in queues],
            list(self._running.values()),
            Capacity(environments, tokens, self._around.machine()),
            now_s=now_s,
            past=self._past,
        )

    def _start(self, start: Start) -> None:
        record = self._jobs[start.job.job_id]
        backend = self._around.backend(record)
        del self._waiting[record.job_id]
        for arn, quantity in record.tokens.items():
            consumables.of_backend(backend)[arn].take(quantity)
        record.status_reason = record.blocked_at = record.runnable_at = None
        record.placement, record.placed_at = start.placement, self._now_ms()
        self._running[record.job_id] = RunningJob(start.job, start.placement, self._around.now_s())
        self._become(record, "STARTING")
        attempt = self._around.attempt(record, backend.get_compute_environment_by_arn(start.placement.environment))
        self._attempts[record.job_id] = attempt
        attempt.start()

    def _free(self, record: JobRecord) -> None:
        """Take back what an attempt held."""
        self._attempts.pop(record.job_id, None)
        had = self._running.pop(record.job_id, None)
        if had is None:
            return
        job = had.job
        self._past.append(PastUse(job.queue, job.share, job.needs.vcpus, had.since_s, self._around.now_s()))
        known = consumables.of_backend(self._around.backend(record))
        for arn, quantity in record.tokens.items():
            if arn in known:
                known[arn].give_back(quantity)

    def _end_or_stop(self, record: JobRecord) -> None:
        if record.is_array:
            return  # its children end, and it with them
        if record.status in BEFORE_STARTING:
            self._finish(record, "FAILED", record.stop_reason)
            self._wake.set()
        elif (attempt := self._attempts.get(record.job_id)) is not None:
            attempt.stop()

    def _finish(self, record: JobRecord, status: str, reason: str | None) -> None:
        """End a job, and with it those that wait for it: one after the other, since a chain may be long."""
        ending: deque[tuple[JobRecord, str, str | None]] = deque([(record, status, reason)])
        while ending:
            job, status, reason = ending.popleft()
            if job.has_ended:
                continue
            self._waiting.pop(job.job_id, None)
            job.status_reason, job.stopped_at = reason, self._now_ms()
            job.blocked_at = job.placement = job.placed_at = None
            self._become(job, status)
            self._jobs.pop(job.job_id, None)
            for waiting in self._release(job):
                ending.append((waiting, "FAILED", waiting.stop_reason or DEPENDENCY_FAILED))

    def _release(self, job: JobRecord) -> Sequence[JobRecord]:
        """Let those go on that waited for `job` alone; the ones that cannot are returned."""
        failed = []
        for job_id in self._dependents.pop(job.job_id, ()):
            waiting = self._jobs.get(job_id)
            if waiting is None or waiting.has_ended:
                continue
            waiting.waits_for.discard(job.job_id)
            if job.status == "FAILED":
                failed.append(waiting)
            elif not waiting.waits_for:
                self._go_on(waiting)
        return failed

    def _go_on(self, record: JobRecord) -> None:
        """Those it waited for have all succeeded."""
        if record.stop_reason is None:
            self._queue(record)
        else:
            self._finish(record, "FAILED", record.stop_reason)
