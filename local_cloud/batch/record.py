"""A job as plain data: all that DescribeJobs shows, and all that is needed to go on with it after a restart.

Nothing here runs anything and nothing here holds a thread, a lock or a process: a record can be pickled at any time.
What drives it is `scheduler` (from SUBMITTED to an attempt, and after one) and `runtime` (one attempt).

Source: https://docs.aws.amazon.com/batch/latest/APIReference/API_JobDetail.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local_cloud.batch.instances import terminated
from local_cloud.batch.node import NodeState
from local_cloud.batch.nodes import NodeSpec
from local_cloud.batch.ordering import PastUse, Placement, QueuedJob
from local_cloud.batch.retries import AttemptEnd

BEFORE_STARTING = ("SUBMITTED", "PENDING", "RUNNABLE")
STARTED = ("STARTING", "RUNNING")
ENDED = ("SUCCEEDED", "FAILED")
STATUSES = (*BEFORE_STARTING, *STARTED, *ENDED)


@dataclass
class JobRecord:
    """One job, a child of an array, or the parent of one. Dates are milliseconds since the epoch.

    `waits_for` are the ids of the jobs that must succeed first. `tokens` are consumable resources by ARN.
    `blocked_at`: since when it heads its queue with the `status_reason` it has. `stop_reason` is set when it was asked
    to end.
    """

    job_id: str
    job_name: str
    account: str
    region: str
    queue_arn: str
    queue_name: str
    definition_arn: str
    definition_name: str
    specs: Sequence[NodeSpec]
    number: int
    created_at: int
    is_multinode: bool = False
    main_node: int = 0
    node_properties: Mapping[str, Any] | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    retry_strategy: Mapping[str, Any] = field(default_factory=lambda: {"attempts": 1})
    timeout_s: int | None = None
    share: str | None = None
    scheduling_priority: int | None = None
    depends_on: Sequence[Mapping[str, str]] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    propagate_tags: bool = False
    platform_capabilities: Sequence[str] = ()
    tokens: Mapping[str, int] = field(default_factory=dict)
    consumables: Sequence[Mapping[str, Any]] = ()
    parent_id: str | None = None
    array_index: int | None = None
    array_size: int = 0
    children: Counter[str] = field(default_factory=Counter)

    status: str = "SUBMITTED"
    status_reason: str | None = None
    started_at: int | None = None
    stopped_at: int | None = None
    waits_for: set[str] = field(default_factory=set)
    runnable_at: int | None = None
    blocked_at: int | None = None
    stop_reason: str | None = None
    is_cancelled: bool = False
    is_terminated: bool = False
    placement: Placement | None = None
    placed_at: int | None = None
    attempts: list[dict[str, Any]] = field(default_factory=list)
    exit_code: int | None = None
    exit_reason: str | None = None
    node_states: list[NodeState] = field(default_factory=list)
    log_streams: list[str] = field(default_factory=list)

    # moto's BatchBackend.reset speaks to jobs as to threads.
    stop: bool = False

    def is_alive(self) -> bool:
        return False

    @property
    def arn(self) -> str:
        return f"arn:aws:batch:{self.region}:{self.account}:job/{self.job_id}"

    @property
    def is_array(self) -> bool:
        return self.array_size > 0

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED

    @property
    def log_stream_name(self) -> str | None:
        """The main node's stream of the last attempt."""
        return self.log_streams[self.main_node] if self.log_streams else None

    def child_id(self, index: int) -> str:
        return f"{self.job_id}:{index}"

    def note_end(self, end: AttemptEnd, now_ms: int) -> None:
        """The last attempt has ended so."""
        self.exit_code, self.exit_reason = end.exit_code, end.reason or None
        if not self.attempts or "stoppedAt" in self.attempts[-1]:
            return  # it ended before it began
        attempt = self.attempts[-1]
        attempt |= {"stoppedAt": now_ms, "statusReason": self.stop_reason or end.status_reason}
        if end.exit_code is not None:
            attempt["container"]["exitCode"] = end.exit_code
        if end.reason:
            attempt["container"]["reason"] = end.reason

    def note_lost_hosts(self) -> str:
        """Nobody knows how the last attempt's containers ended: their hosts are gone. What Batch says of that."""
        for state in self.node_states:
            if not state.has_ended:
                state.status, state.status_reason = "FAILED", terminated(state.instance_id)
        main = self.node_states[self.main_node] if self.node_states else None
        return terminated(main.instance_id if main else "unknown")

    def forget_attempt(self) -> None:
        """The last attempt was recorded and has not begun."""
        if self.attempts and "stoppedAt" not in self.attempts[-1]:
            self.attempts.pop()
        self.node_states = []

    def past_use(self) -> list[PastUse]:
        """What its attempts that have ended used of its share."""
        vcpus = self.in_queue().needs.vcpus
        return [
            PastUse(self.queue_arn, self.share, vcpus, attempt["startedAt"] / 1000, attempt["stoppedAt"] / 1000)
            for attempt in self.attempts
            if self.share is not None and "stoppedAt" in attempt
        ]

    def in_queue(self) -> QueuedJob:
        """The job as the ordering rules see it."""
        return QueuedJob(
            self.job_id,
            self.queue_arn,
            tuple(spec.needs for spec in self.specs),
            self.number,
            self.share or "",
            self.scheduling_priority or 0,
            self.is_multinode,
            self.tokens,
        )
