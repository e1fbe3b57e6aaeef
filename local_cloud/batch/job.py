"""One Batch job from SUBMITTED to SUCCEEDED or FAILED: its attempts, and what DescribeJobs says of it.

Source: https://docs.aws.amazon.com/batch/latest/userguide/job_states.html
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local_cloud import changes, processes
from local_cloud.batch import host, nodes
from local_cloud.batch.attempt import TIMED_OUT, Attempt
from local_cloud.batch.nodes import NodeSpec
from local_cloud.batch.ordering import JobInQueue, Queue, Resources
from local_cloud.batch.retries import AttemptEnd, tries_again
from local_cloud.container_logs import LogStream
from local_cloud.images import container
from local_cloud.images.root import ImageError

_LOG = logging.getLogger(__name__)
_numbers = itertools.count()
BEFORE_STARTING = ("SUBMITTED", "PENDING", "RUNNABLE")
ENDED = ("SUCCEEDED", "FAILED")
TOO_BIG = (
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job resource requirement (vCPU/memory/GPU) is higher than that "
    "can be met by the CE(s) attached to the job queue."
)
_LOOK_AGAIN_S = 2.0
"""How long a job waits for an announcement of those it depends on before it looks by itself."""
DEFAULT_LOG_GROUP = "/aws/batch/job"


@dataclass(frozen=True)
class Submission:
    """What SubmitJob was given, as the API names it."""

    name: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    node_overrides: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    retry_strategy: Mapping[str, Any] | None = None
    timeout: Mapping[str, int] | None = None
    share: str | None = None
    scheduling_priority: int | None = None
    depends_on: Sequence[Mapping[str, str]] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    propagate_tags: bool | None = None
    array_index: int | None = None


class LocalJob:
    """A job, run by a thread of its own. Dates are milliseconds since the epoch."""

    def __init__(
        self, submission: Submission, definition: Any, queue: Any, backend: Any, job_id: str | None = None
    ) -> None:
        self.submission, self.job_definition, self.job_queue, self.backend = submission, definition, queue, backend
        self.job_id = job_id or str(uuid.uuid4())
        self.job_name = submission.name
        self.account, self.region = backend.account_id, backend.region_name
        self.arn = f"arn:aws:batch:{self.region}:{self.account}:job/{self.job_id}"
        self.status = "SUBMITTED"
        self.status_reason: str | None = None
        self.created_at = _now_ms()
        self.started_at: int | None = None
        self.stopped_at: int | None = None
        self.attempts: list[dict[str, Any]] = []
        self.exit_code: int | None = None
        self.exit_reason: str | None = None
        self.is_cancelled = self.is_terminated = False
        self.parameters = {**(definition.parameters or {}), **submission.parameters}
        self.retry_strategy = submission.retry_strategy or definition.retry_strategy or {"attempts": 1}
        self.timeout = submission.timeout or definition.timeout or None
        self.is_multinode = definition.type == "multinode"
        self.specs: Sequence[NodeSpec] = self._node_specs()
        self.main_node = int((definition.node_properties or {}).get("mainNode", 0)) if self.is_multinode else 0
        self.children: list[LocalJob] = []
        self.log_stream_name: str | None = None
        self._stop = threading.Event()
        self._turn = threading.Event()
        self._thread: threading.Thread | None = None
        queue.jobs.append(self)

    # moto's BatchBackend.reset speaks to jobs as to threads.
    stop = False

    def is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def join(self, timeout: float | None = None) -> None:
        if self._thread is not None:
            self._thread.join(timeout)

    def start(self) -> None:
        """Let the job take its way."""
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"batch-{self.job_id}")
        self._thread.start()

    def terminate(self, reason: str) -> None:
        """End the job in any state; a running one gets SIGTERM first."""
        for child in self.children:
            child.terminate(reason)
        if self.status in ENDED:
            return
        self.is_terminated = True
        self._end_early(reason)

    def cancel(self, reason: str) -> None:
        """End the job if it has not started; a started one runs on, as on AWS."""
        for child in self.children:
            child.cancel(reason)
        if self.status in BEFORE_STARTING:
            self.is_cancelled = True
            self._end_early(reason)

    def _end_early(self, reason: str) -> None:
        self.status_reason = reason
        self._stop.set()
        self._turn.set()
        changes.announce(self.job_id)

    def _node_specs(self) -> Sequence[NodeSpec]:
        definition, submission = self.job_definition, self.submission
        if self.is_multinode:
            return nodes.of_multinode(definition.node_properties, submission.node_overrides, self.parameters)
        return [nodes.of_container(definition.container_properties, submission.overrides, self.parameters)]

    def _run(self) -> None:
        try:
            if self._wait_for_dependencies():
                self._attempts()
        except processes.CloudStoppingError:
            self._finish("FAILED", "The embedded cloud is stopping")
        except Exception as error:  # noqa: BLE001  named in the job's status reason and in the log
            self._finish("FAILED", f"The embedded cloud failed to run this job: {type(error).__name__}: {error}")
            _LOG.exception("job %s", self.job_id)
        finally:
            host.leave(self.job_id)

    def _wait_for_dependencies(self) -> bool:
        self._become("PENDING")
        waiting_for = [item["jobId"] for item in self.submission.depends_on if item.get("jobId")]
        with changes.listening(self.job_id, *waiting_for) as news:
            while not self._stop.is_set():
                news.clear()
                states = {
                    job_id: self.backend._jobs[job_id].status for job_id in waiting_for if job_id in self.backend._jobs
                }
                failed = [job_id for job_id, status in states.items() if status == "FAILED"]
                if failed or len(states) < len(waiting_for):
                    self._finish("FAILED", "Dependent Job failed" if failed else "Dependent Job does not exist")
                    return False
                if all(status == "SUCCEEDED" for status in states.values()):
                    return True
                news.wait(_LOOK_AGAIN_S)
        self._finish("FAILED", self.status_reason)
        return False

    def _attempts(self) -> None:
        for number in itertools.count(1):
            if not self._wait_for_turn():
                self._finish("FAILED", self.status_reason)
                return
            try:
                end = self._attempt(number)
            finally:
                host.leave(self.job_id)
            if self._stop.is_set():
                self._finish("FAILED", self.status_reason)
                return
            if end.exit_code == 0 and end.status_reason != TIMED_OUT:
                self._finish("SUCCEEDED", end.status_reason)
                return
            if end.status_reason == TIMED_OUT or not tries_again(self.retry_strategy, number, end):
                self._finish("FAILED", end.status_reason)
                return

    def _wait_for_turn(self) -> bool:
        """Stand in the queue until there is room. False if the job was ended meanwhile."""
        entry = self._in_queue()
        self._become("RUNNABLE")
        if not entry.needs.fits(host.capacity()):
            self.status_reason = TOO_BIG
        self._turn = host.enter(entry)
        if not self._stop.is_set():
            self._turn.wait()
        if not self._stop.is_set():
            self.status_reason = None
        return not self._stop.is_set()

    def _in_queue(self) -> JobInQueue:
        total = Resources()
        for spec in self.specs:
            total += spec.needs
        override = self.submission.scheduling_priority
        own = getattr(self.job_definition, "scheduling_priority", None) or 0
        return JobInQueue(
            self.job_id,
            Queue(self.job_queue.name, int(self.job_queue.priority), _weights(self.backend, self.job_queue)),
            total,
            next(_numbers),
            self.submission.share or "",
            own if override is None else override,
        )

    def _attempt(self, number: int) -> AttemptEnd:
        self._become("STARTING")
        group, streams = self._log_streams()
        record: dict[str, Any] = {
            "container": {
                "containerInstanceArn": f"arn:aws:ecs:{self.region}:{self.account}:container-instance/local",
                "taskArn": f"arn:aws:ecs:{self.region}:{self.account}:task/{uuid.uuid4()}",
                "logStreamName": streams[self.main_node],
                "networkInterfaces": [],
            },
            "startedAt": _now_ms(),
        }
        self.attempts.append(record)
        self.log_stream_name = streams[self.main_node]
        self.started_at = record["startedAt"]
        logs = [LogStream(self.account, self.region, group, stream) for stream in streams]
        self._become("RUNNING")
        try:
            end = self._run_nodes(number, logs)
        finally:
            for log in logs:
                log.close()
        record["stoppedAt"] = _now_ms()
        record["statusReason"] = self.status_reason if self._stop.is_set() else end.status_reason
        if end.exit_code is not None:
            record["container"]["exitCode"] = end.exit_code
        if end.reason:
            record["container"]["reason"] = end.reason
        self.exit_code, self.exit_reason = end.exit_code, end.reason or None
        return end

    def _run_nodes(self, number: int, logs: Sequence[LogStream]) -> AttemptEnd:
        attempt = Attempt(
            name=f"{self.job_id}-{number}",
            specs=self.specs,
            variables=[self._variables(number, index) for index in range(len(self.specs))],
            streams=logs,
            main=self.main_node,
            timeout_s=float(self.timeout["attemptDurationSeconds"]) if self.timeout else None,
            stop_requested=self._stop,
        )
        try:
            return attempt.run()
        except (ImageError, OSError, ValueError) as error:
            logs[self.main_node].write(str(error))
            what = "CannotPullContainerError" if isinstance(error, ImageError) else "CannotStartContainerError"
            return AttemptEnd(None, "Task failed to start", f"{what}: {error}")

    def _variables(self, number: int, index: int) -> dict[str, str]:
        """Batch's own variables of one container.

        Source: https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html
        """
        variables = {
            **container.aws_variables(self.account),
            "AWS_BATCH_JOB_ID": self.job_id,
            "AWS_BATCH_JOB_ATTEMPT": str(number),
            "AWS_BATCH_JQ_NAME": self.job_queue.name,
            "AWS_BATCH_CE_NAME": self.job_queue.environments[0].name if self.job_queue.environments else "local",
        }
        if self.submission.array_index is not None:
            variables["AWS_BATCH_JOB_ARRAY_INDEX"] = str(self.submission.array_index)
        if self.is_multinode:
            variables["AWS_BATCH_JOB_NODE_INDEX"] = str(index)
            variables["AWS_BATCH_JOB_NUM_NODES"] = str(len(self.specs))
            variables["AWS_BATCH_JOB_MAIN_NODE_INDEX"] = str(self.main_node)
            if index != self.main_node:
                variables["AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"] = "127.0.0.1"
        return variables

    def _log_streams(self) -> tuple[str, list[str]]:
        """The log group, and a stream for each node of a new attempt, named as ECS does."""
        options = (self.specs[self.main_node].properties.get("logConfiguration") or {}).get("options") or {}
        prefix = options.get("awslogs-stream-prefix") or self.job_definition.name
        suffix = f"{self.job_id}-{len(self.attempts) + 1}" if self.attempts else self.job_id
        stream = f"{prefix}/default/{suffix.replace(':', '-')}"
        group = options.get("awslogs-group") or DEFAULT_LOG_GROUP
        return group, [f"{stream}-{index}" if self.is_multinode else stream for index in range(len(self.specs))]

    def _become(self, status: str) -> None:
        if self.status not in ENDED:
            self.status = status

    def _finish(self, status: str, reason: str | None) -> None:
        self.status_reason = reason
        self.stopped_at = _now_ms()
        self.status = status
        changes.announce(self.job_id)


def _weights(backend: Any, queue: Any) -> Mapping[str, float] | None:
    """The share weights of a queue's scheduling policy; None if it has no policy."""
    if not queue.schedule_policy:
        return None
    policy = backend._scheduling_policies.get(queue.schedule_policy)
    shares = (policy.fairshare_policy or {}).get("shareDistribution") or [] if policy else []
    return {share["shareIdentifier"]: float(share.get("weightFactor") or 1.0) for share in shares}


def _now_ms() -> int:
    return int(time.time() * 1000)
