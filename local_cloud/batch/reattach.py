"""The attempts that an earlier cloud has started: found again by their containers, or known to be gone.

Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-agent-config.html (ECS_CHECKPOINT: an agent that
is started again finds its containers)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from local_cloud.batch import attempt, networks, runtime
from local_cloud.batch.record import JobRecord
from local_cloud.batch.scheduler import Gone
from local_cloud.containers import container
from local_cloud.containers.container import Container
from local_cloud.containers.folder import Found
from local_cloud.containers.output import Output


class Search:
    """One look through what an earlier cloud has left. `clear` ends and removes all of it that was not found."""

    def __init__(self) -> None:
        self._containers: set[str] = set()
        self._scratch: set[Path] = set()
        self._networks: set[int] = set()

    def find(self, record: JobRecord) -> Sequence[Container] | Gone:
        """The containers of a record's last attempt, by node: all of them, or it is gone and none runs any more."""
        states = record.node_states
        if not record.attempts or "stoppedAt" in record.attempts[-1]:
            return Gone.NEVER_BEGAN
        looks = [container.look(state.container_id) if state.container_id else Found.NEVER_BEGAN for state in states]
        if all(look is Found.NEVER_BEGAN for look in looks):
            return Gone.NEVER_BEGAN
        if not all(
            look in (Found.RUNS, Found.ENDED) or state.has_ended for look, state in zip(looks, states, strict=True)
        ):
            _lose(record)
            return Gone.LOST
        self._keep(record)
        return [container.again(state.container_id) for state in states]

    def clear(self) -> None:
        container.remove_others(self._containers)
        attempt.sweep(self._scratch)
        networks.remove_all(self._networks)

    def _keep(self, record: JobRecord) -> None:
        self._scratch.add(attempt.scratch_of(runtime.attempt_name(record, len(record.attempts))))
        for state in record.node_states:
            self._containers.add(state.container_id)
            if state.network is not None:
                self._networks.add(state.network)


def _lose(record: JobRecord) -> None:
    """End what is left of an attempt, and put its last words into its logs."""
    for state, stream in zip(record.node_states, record.log_streams, strict=True):
        if not state.container_id:
            continue
        left = container.again(state.container_id)
        left.lose()
        left.end()
        log = runtime.log_stream(record, stream)
        Output(left.folder.output, log, state.log_offset, lambda _: None).deliver(is_over=True)
        log.close()
