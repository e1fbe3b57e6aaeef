"""A node's part in a gang of processes: meet the other nodes, start the workers, and end as all nodes do."""

import os
import sys
from collections.abc import Sequence

from training import errors
from training.errors import LeaseHeldError, NodeLostError, TrainingJobError, WorkerFailedError
from training.interruption import Interruption
from training.launch.liveness import Neighbours
from training.launch.network import interface_variables
from training.launch.rendezvous import Meeting, Node, meet
from training.launch.store import host_store, load_torch
from training.launch.supervision import End, Patience, Supervision
from training.launch.workers import Workers

FENCING_VARIABLE = "TURBINE_FENCING"
_COMMAND = (sys.executable, "-m", "training")


class Gang:
    """One node's workers among those of all nodes."""

    def __init__(
        self,
        run_id: str,
        node: Node,
        processes: int,
        interruption: Interruption,
        patience: Patience | None = None,
    ) -> None:
        self._run_id = run_id
        self._node = node
        self._processes = processes
        self._interruption = interruption
        self._patience = patience or Patience()
        self._lease_lost: str | None = None

    def abandon(self, reason: str) -> None:
        """The run is another job's now: kill the workers at once. For any thread."""
        self._lease_lost = reason

    def run(self, fencing: int, command: Sequence[str] = _COMMAND) -> int:
        """Returns: the gang's exit code; not 0 only when nobody has said why.

        Raises: WorkerFailedError in the words of the worker that failed, on whatever node; NodeLostError,
        LeaseHeldError; RunInterruptedError when the order to stop comes while nodes still wait for each other.
        """
        if self._node.is_main and self._node.count > 1:
            load_torch()
        meeting = meet(self._node, self._run_id, self._processes, fencing)
        neighbours = Neighbours(meeting.peers, self._patience.silence_s)
        try:
            with (
                self._interruption.deferred(then_raise=False),
                Workers(command, self._environments(meeting)) as workers,
            ):
                store = host_store(meeting.store_socket) if meeting.store_socket else None
                end = Supervision(
                    self._node, workers, neighbours, self._interruption, lambda: self._lease_lost, self._patience
                ).run()
                del store  # it had to live until now
        finally:
            neighbours.close()
        if end.words:
            words = end.words
            raise WorkerFailedError(end.code, words.message, words.mend, words.error, words.rank)
        if end.reason:
            raise _error(end)
        return end.code

    def _environments(self, meeting: Meeting) -> dict[int, dict[str, str]]:
        """By rank, what torchrun would give the worker, and what ours needs besides."""
        common = (
            interface_variables(meeting.local_address)
            | os.environ
            | {
                "WORLD_SIZE": str(meeting.world_size),
                "LOCAL_WORLD_SIZE": str(self._processes),
                "GROUP_RANK": str(self._node.order),
                "GROUP_WORLD_SIZE": str(self._node.count),
                "MASTER_ADDR": meeting.main_address,
                "MASTER_PORT": str(meeting.store_port),
                "TORCHELASTIC_RUN_ID": self._run_id,
                "TORCHELASTIC_USE_AGENT_STORE": "True",
                "TORCHELASTIC_RESTART_COUNT": "0",
                "TORCHELASTIC_MAX_RESTARTS": "0",
                FENCING_VARIABLE: str(meeting.fencing),
            }
        )
        return {
            meeting.first_rank + local: common | {"RANK": str(meeting.first_rank + local), "LOCAL_RANK": str(local)}
            for local in range(self._processes)
        }


def _error(end: End) -> TrainingJobError:
    if end.code == errors.INTERRUPTED:
        return NodeLostError(end.reason, "nothing to do: the job is tried again, from the last checkpoint")
    if end.code == errors.LEASE_HELD:
        return LeaseHeldError(end.reason, "nothing to do: the job that holds the lease finishes the run")
    if end.code == errors.OUT_OF_MEMORY:
        return WorkerFailedError(end.code, end.reason, errors.OUT_OF_MEMORY_MEND)
    return WorkerFailedError(end.code, end.reason, "read what the workers of that node have written to its log")
