"""One attempt of a job while it runs: a thread, its log streams, its hosts, and the way to stop it.

It writes what it learns into the job's record, and tells the scheduler of two moments: the main container runs, and
the attempt has ended.

Source: https://docs.aws.amazon.com/batch/latest/userguide/job_states.html
"""

from __future__ import annotations

import contextlib
import logging
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local_cloud import crash_points, processes
from local_cloud.authorization.evaluation import DeniedError
from local_cloud.batch import capacity, roles
from local_cloud.batch.attempt import Attempt, not_started, states_on
from local_cloud.batch.capacity import AttemptEnvironment
from local_cloud.batch.instances import Instance, Signal
from local_cloud.batch.record import JobRecord
from local_cloud.batch.retries import AttemptEnd
from local_cloud.container_logs import LogStream
from local_cloud.containers import container
from local_cloud.containers.container import Container
from local_cloud.durability.commits import CannotKeepError
from local_cloud.images import container as container_process
from local_cloud.images.root import ImageError

_LOG = logging.getLogger(__name__)
DEFAULT_LOG_GROUP = "/aws/batch/job"


@dataclass
class Runtime:
    """An attempt of `record` in `environment` (moto's). Exactly one of the callbacks' last calls is `ended`.

    `note` has the record written with the next commit, `keep` commits now. `begun`: the containers of an attempt that
    an earlier cloud has started, by node. `ended` says whether the end was taken; nothing is told to a cloud that
    stops: what becomes of the job is then for the next start to say.
    """

    record: JobRecord
    environment: Any
    now_ms: Callable[[], int]
    running: Callable[[JobRecord], None]
    ended: Callable[[JobRecord, AttemptEnd], bool]
    note: Callable[[JobRecord], None]
    keep: Callable[[JobRecord], None]
    begun: Sequence[Container] | None = None
    stop_requested: Signal = field(default_factory=Signal)
    follows: threading.Event = field(default_factory=threading.Event)
    """Set once the main container is followed, or there is nothing to follow."""

    def start(self) -> None:
        """Go on in a thread of its own."""
        threading.Thread(target=self._run, daemon=True, name=f"batch-{self.record.job_id}").start()

    def stop(self) -> None:
        """Ask the containers to end."""
        self.stop_requested.set()

    def _run(self) -> None:
        record = self.record
        try:
            environment = capacity.for_attempt(self.environment, record.account, record.region)
            end = self._attempt(environment) if self.begun is None else self._go_on(environment, self.begun)
        except processes.CloudStoppingError:
            return
        except Exception as error:  # noqa: BLE001  named in the job's status reason and in the log
            _LOG.exception("job %s", record.job_id)
            what = f"The embedded cloud failed to run this job: {type(error).__name__}: {error}"
            end = AttemptEnd(None, what, is_last=True)
        finally:
            self.follows.set()
        # Before `ended`: it may start another attempt, with containers of its own.
        containers = [state.container_id for state in record.node_states if state.container_id]
        crash_points.arrive("attempt-ended")
        if self.ended(record, end):
            # Only what is written may be forgotten: until then the next cloud reads the end in the container's folder.
            self.keep(record)
            crash_points.arrive("end-written")
            for container_id in containers:
                container.forget(container_id)

    def _started(self) -> None:
        self.running(self.record)
        # Else a kill within the next moment would let it begin to run once more, by another time.
        with contextlib.suppress(CannotKeepError):
            self.keep(self.record)
        self.follows.set()

    def _attempt(self, environment: AttemptEnvironment) -> AttemptEnd:
        record = self.record
        number = len(record.attempts) + 1
        tasks = [uuid.uuid4().hex for _ in record.specs]
        hosts = self._new_hosts(number, environment)
        record.node_states = states_on(hosts)
        streams = _streams(record, tasks)
        # First the streams, then their names: who reads a name finds its stream.
        with self._logs(streams) as logs:
            record.log_streams = streams
            record.attempts.append(self._begun(environment, hosts, tasks))
            try:
                self._require_start(environment, logs)
                return self._described(number, environment, hosts, logs).run()
            except DeniedError as error:
                return not_started("AccessDenied", error)
            except (ImageError, OSError, ValueError) as error:
                logs[record.main_node].write(str(error))
                name = "CannotPullContainerError" if isinstance(error, ImageError) else "CannotStartContainerError"
                return not_started(name, error)

    def _go_on(self, environment: AttemptEnvironment, begun: Sequence[Container]) -> AttemptEnd:
        record = self.record
        number = len(record.attempts)
        hosts = [
            self._host(
                number,
                environment,
                index,
                instance_id=state.instance_id,
                container_instance=state.container_instance_arn.rpartition("/")[2],
            )
            for index, state in enumerate(record.node_states)
        ]
        with self._logs(record.log_streams) as logs:
            try:
                return self._described(number, environment, hosts, logs).go_on(begun)
            except (OSError, DeniedError) as error:
                _LOG.error("job %s was found again, and cannot be reached: %s", record.job_id, error)
                return AttemptEnd(None, record.note_lost_hosts())

    def _begun(
        self, environment: AttemptEnvironment, hosts: Sequence[Instance], tasks: Sequence[str]
    ) -> dict[str, Any]:
        record = self.record
        task = f"{environment.cluster}/{tasks[record.main_node]}"
        return {
            "container": {
                "containerInstanceArn": hosts[record.main_node].container_instance_arn,
                "taskArn": f"arn:aws:ecs:{record.region}:{record.account}:task/{task}",
                "logStreamName": record.log_stream_name,
                "networkInterfaces": [],
            },
            "startedAt": self.now_ms(),
        }

    def _new_hosts(self, number: int, environment: AttemptEnvironment) -> list[Instance]:
        """A host for each node. Here no other job shares it, so that the end of a host is the end of one job."""
        return [self._host(number, environment, index) for index in range(len(self.record.specs))]

    def _host(self, number: int, environment: AttemptEnvironment, index: int, **ids: str) -> Instance:
        record = self.record
        runs = {"jobId": record.job_id, "jobName": record.job_name, "attempt": number, "nodeIndex": index}
        return Instance(record.account, record.region, environment.is_spot, environment.cluster, runs, **ids)  # type: ignore[arg-type]

    @contextlib.contextmanager
    def _logs(self, streams: Sequence[str]) -> Iterator[list[LogStream]]:
        logs = [log_stream(self.record, stream) for stream in streams]
        try:
            yield logs
        finally:
            for log in logs:
                log.close()

    def _described(
        self, number: int, environment: AttemptEnvironment, hosts: Sequence[Instance], logs: Sequence[LogStream]
    ) -> Attempt:
        record = self.record
        return Attempt(
            name=attempt_name(record, number),
            specs=record.specs,
            variables=self._variables(number, environment),
            streams=logs,
            hosts=hosts,
            states=record.node_states,
            stop_timeout_s=environment.stop_timeout_s,
            main=record.main_node,
            timeout_s=record.timeout_s,
            stop_requested=self.stop_requested,
            record=lambda: self.keep(record),
            started=self._started,
            note=lambda: self.note(record),
        )

    def _variables(self, number: int, environment: AttemptEnvironment) -> list[dict[str, str]]:
        """Those of each node. Raises: DeniedError in strict mode when a container may not have its role."""
        host_role = roles.of_instances(self.record.account, environment.instance_profile)
        return [
            _variables(self.record, number, index, environment, host_role) for index in range(len(self.record.specs))
        ]

    def _require_start(self, environment: AttemptEnvironment, logs: Sequence[LogStream]) -> None:
        """Raises: DeniedError in strict mode when the hosts may not pull an image or write a log."""
        record, host_role = self.record, roles.of_instances(self.record.account, environment.instance_profile)
        for spec, log in zip(record.specs, logs, strict=True):
            place = (log.group, log.stream)
            roles.require_start(spec.properties, host_role, record.arn, record.account, record.region, place)


def attempt_name(record: JobRecord, number: int) -> str:
    """What an attempt's files are named by."""
    return f"{record.job_id}-{number}"


def log_stream(record: JobRecord, stream: str) -> LogStream:
    """A node's log, by the name that the record has for it."""
    return LogStream(
        record.account, record.region, _log_options(record).get("awslogs-group") or DEFAULT_LOG_GROUP, stream
    )


def _variables(
    record: JobRecord, number: int, index: int, environment: AttemptEnvironment, host_role: str
) -> dict[str, str]:
    """Batch's own variables of one container, but for the main node's address.

    Source: https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html
    Raises: DeniedError in strict mode when the container may not have its role.
    """
    variables = {
        **container_process.aws_variables(
            roles.key(record.specs[index].properties, host_role, record.arn, record.account)
        ),
        "AWS_BATCH_JOB_ID": record.job_id,
        "AWS_BATCH_JOB_ATTEMPT": str(number),
        "AWS_BATCH_JQ_NAME": record.queue_name,
        "AWS_BATCH_CE_NAME": environment.name,
    }
    if record.array_index is not None:
        variables["AWS_BATCH_JOB_ARRAY_INDEX"] = str(record.array_index)
    if record.is_multinode:
        variables["AWS_BATCH_JOB_NODE_INDEX"] = str(index)
        variables["AWS_BATCH_JOB_NUM_NODES"] = str(len(record.specs))
        variables["AWS_BATCH_JOB_MAIN_NODE_INDEX"] = str(record.main_node)
    return variables


def _streams(record: JobRecord, tasks: Sequence[str]) -> list[str]:
    """A log stream for each node of a new attempt: prefix, `default`, and the id of the node's ECS task.

    Source: https://docs.aws.amazon.com/batch/latest/userguide/using_awslogs.html
    """
    prefix = _log_options(record).get("awslogs-stream-prefix") or record.definition_name
    return [f"{prefix}/default/{task}" for task in tasks]


def _log_options(record: JobRecord) -> Mapping[str, str]:
    options: Mapping[str, str] = (record.specs[record.main_node].properties.get("logConfiguration") or {}).get(
        "options"
    ) or {}
    return options
