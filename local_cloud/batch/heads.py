"""The heads of queues that are blocked: what is said of them, and when a time limit cancels them.

Source: https://docs.aws.amazon.com/batch/latest/userguide/job_stuck_in_runnable.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from local_cloud.batch import limits
from local_cloud.batch.capacity import BLOCKING_REASONS
from local_cloud.batch.ordering import Decision
from local_cloud.batch.record import JobRecord


class BlockedHeads:
    """Follows which jobs block their queues from one decision to the next.

    `blocked` is told of a job that begins to block, `cancel` of one whose time is over, with the status reason.
    """

    def __init__(
        self,
        queue_of: Callable[[JobRecord], Any],
        blocked: Callable[[JobRecord], None],
        cancel: Callable[[JobRecord, str], None],
    ) -> None:
        self._queue_of, self._blocked, self._cancel = queue_of, blocked, cancel
        self._now: dict[str, JobRecord] = {}

    def remember(self, record: JobRecord) -> None:
        """A job that blocked its queue before a restart."""
        self._now[record.job_id] = record

    def follow(self, decision: Decision, jobs: Mapping[str, JobRecord], now_ms: int) -> int | None:
        """Mark the heads that block, and cancel those whose time is over. When to look again, in ms, if by itself."""
        before, self._now = self._now, {}
        for job, hold in decision.held.values():
            if (reason := BLOCKING_REASONS.get(hold)) is not None:
                self._now[job.job_id] = jobs[job.job_id]
                self._mark(jobs[job.job_id], reason, now_ms)
        for record in before.values():
            if record.job_id not in self._now and not record.has_ended:
                self._mark(record, None, now_ms)
        times = [at for record in self._now.values() if (at := self._heed_limits(record, now_ms)) is not None]
        return min(times, default=None)

    def _mark(self, record: JobRecord, reason: str | None, now_ms: int) -> None:
        if record.status_reason == reason:
            return
        record.status_reason, record.blocked_at = reason, now_ms if reason else None
        if reason is not None:
            self._blocked(record)

    def _heed_limits(self, record: JobRecord, now_ms: int) -> int | None:
        actions = getattr(self._queue_of(record), "time_limits", ())
        due = limits.due_at(actions, record.status_reason or "", record.blocked_at or now_ms)
        if due is None:
            return None
        at_ms, reason = due
        if at_ms <= now_ms:
            self._cancel(record, limits.cancelled_by(reason))
        return at_ms
