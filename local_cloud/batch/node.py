"""One container of an attempt, from its start to its end, however that comes: by itself, by a stop, with its host.

A stop is SIGTERM to the container's first process, and SIGKILL to all of its processes when the stop timeout is over,
as `docker stop` does. A host that is taken away does the same, or kills without a word.

Source: https://docs.docker.com/reference/cli/docker/container/stop/
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from local_cloud.batch.instances import SHUTDOWN_GRACE_S, Instance
from local_cloud.batch.memory import OUT_OF_MEMORY
from local_cloud.containers import folder
from local_cloud.containers.container import Container

ESSENTIAL_EXITED = "Essential container in task exited"


@dataclass
class NodeState:
    """What DescribeJobs says of a node, and by what another cloud finds its container again.

    `address` is its private one, None where it has none of its own. `container_id` marks all of its processes, the
    first of which is `pid`. `log_offset`: how many bytes of its output are in its log. `metadata`: port and token of
    its host's metadata. `network`: the number of the nodes' network.
    """

    container_instance_arn: str
    address: str | None
    status: str = "STARTING"
    exit_code: int | None = None
    reason: str = ""
    status_reason: str | None = None
    instance_id: str = ""
    container_id: str = ""
    pid: int | None = None
    gpus: tuple[int, ...] = ()
    cores: frozenset[int] = frozenset()
    log_offset: int = 0
    metadata: tuple[int, str] | None = None
    network: int | None = None

    @property
    def has_ended(self) -> bool:
        """Whether its end was noted."""
        return self.status in ("SUCCEEDED", "FAILED")


@dataclass
class Node:
    """A started container and the host that it believes to be on. `cut` takes it off the nodes' network."""

    container: Container
    instance: Instance
    state: NodeState
    cut: Callable[[], None]
    timed_out: bool = False
    problem: str = ""
    _was_asked: bool = field(default=False)

    @property
    def has_ended(self) -> bool:
        return self.state.has_ended

    def ask_to_stop(self, grace_s: float) -> None:
        """SIGTERM, once; SIGKILL when the grace is over."""
        if not self._was_asked and not self.has_ended:
            self._was_asked = True
            self.container.stop(grace_s)

    def heed(self) -> None:
        """Do what is due: end with a host that is going or gone, note an end."""
        if self.has_ended:
            return
        if not self.container.is_running():
            self._note_end()
        elif self.instance.is_lost.is_set():
            self.cut()
            self.container.lose()
        elif self.instance.is_going.is_set():
            self.container.folder.note(folder.HOST_GONE)
            self.ask_to_stop(SHUTDOWN_GRACE_S)

    def _note_end(self) -> None:
        state, end = self.state, self.container.exit()
        if end is None or self.container.folder.has_noted(folder.HOST_GONE):
            state.status_reason = self.instance.status_reason
        else:
            state.status_reason, state.exit_code = ESSENTIAL_EXITED, _exit_code(end.code)
            state.reason = OUT_OF_MEMORY if self.container.folder.has_noted(folder.OUT_OF_MEMORY) else ""
            self.timed_out, self.problem = end.timed_out, end.problem
        state.status = "SUCCEEDED" if state.exit_code == 0 else "FAILED"


def _exit_code(code: int | None) -> int | None:
    """A container's exit code: 128 + the signal's number for a process that a signal ended."""
    return code if code is None or code >= 0 else 128 - code
