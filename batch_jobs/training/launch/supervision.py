"""What one node does from its workers' start to the end of the gang, in one loop without threads.

Whatever happens to one process or node, the rest is over within a bounded time. Who is asked to stop gets the time to
write a checkpoint. Who works with a process that is gone hangs in a collective, or soon will, and is ended at once.
All nodes end with the same exit code: that of the worker that says most about the cause.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from training import errors
from training.interruption import Interruption
from training.launch.last_words import LastWords, most_telling_words
from training.launch.liveness import SILENT_AFTER_S, Heard, Neighbours
from training.launch.rendezvous import MAIN, Node
from training.launch.workers import Workers, most_telling
from training.log import log_event

LOOK_EVERY_S = 0.1


@dataclass(frozen=True)
class Patience:
    """How long things may take; shorter in tests. A node that is lost ends the others after silence and failure."""

    checkpoint_s: float = 100.0  # from the order to stop until workers are killed
    failure_s: float = 5.0  # from the failure of a worker or a node until the others are killed
    silence_s: float = SILENT_AFTER_S
    cause_s: float = 1.0  # from a failure that follows from another's until the others are stopped: one is the cause


@dataclass(frozen=True)
class End:
    """How a node's workers, or all of them, ended: in the words of the worker that is the cause, if it left some.

    `reason` says it where a worker could not: it was killed, or its node is lost. Else both are empty.
    """

    code: int
    reason: str = ""
    words: LastWords | None = None

    def as_json(self) -> dict[str, Any]:
        return {"reason": self.reason, "words": self.words and self.words.as_json()}


def _end_told(code: int, message: dict[str, Any]) -> End:
    return End(code, message["reason"], LastWords.parse(message.get("words")))


class Supervision:
    """One node's workers and its line to the other nodes. `lease_lost`: why the run is another job's, if it is."""

    def __init__(
        self,
        node: Node,
        workers: Workers,
        neighbours: Neighbours,
        interruption: Interruption,
        lease_lost: Callable[[], str | None],
        patience: Patience,
    ) -> None:
        self._node = node
        self._workers = workers
        self._neighbours = neighbours
        self._interruption = interruption
        self._lease_lost = lease_lost
        self._patience = patience
        self._ends: dict[int, End] = {}  # by node
        self._outcome: End | None = None  # the gang's
        self._interrupted = False
        self._told_grace_s = float("inf")
        self._stop_at: float | None = None

    def run(self) -> End:
        """Until the gang is over on all nodes. Returns: its end."""
        while self._outcome is None:
            for heard in self._neighbours.listen(LOOK_EVERY_S):
                self._hear(heard)
            self._heed_orders()
            if self._stop_at is not None and time.monotonic() >= self._stop_at:
                self._stop_for(errors.BUG)
            self._look_after_workers()
            self._decide()
        if self._node.is_main:
            self._neighbours.tell(outcome=self._outcome.code, **self._outcome.as_json())
        mine = self._ends.get(self._node.order)
        if self._outcome.words:
            return self._outcome
        return mine if mine is not None and mine.code == self._outcome.code else self._outcome

    def _hear(self, heard: Heard) -> None:
        message = heard.message
        if message is None:
            reason = f"{_name(heard.node)} is lost: {heard.lost_because}"
            self._ends.setdefault(heard.node, End(errors.INTERRUPTED, reason))
            self._stop(self._patience.failure_s, interrupted=False)
        elif "stop" in message:
            self._stop(message["stop"], message["interrupted"])
        elif "ended" in message:
            self._ends[heard.node] = _end_told(message["ended"], message)
            self._stop_for(message["ended"], self._ends[heard.node].words)
        elif "outcome" in message:
            self._outcome = _end_told(message["outcome"], message)

    def _heed_orders(self) -> None:
        if reason := self._lease_lost():
            self._workers.kill()
            self._outcome = End(errors.LEASE_HELD, reason)
        elif self._interruption.reason is not None and not self._interrupted:
            log_event("interrupted", reason=self._interruption.reason)
            self._stop(self._patience.checkpoint_s, interrupted=True)

    def _look_after_workers(self) -> None:
        self._workers.look()
        if self._node.order in self._ends:
            return
        self._stop_for(self._workers.code, self._workers.words)
        if self._workers.are_over:
            words = self._workers.words
            end = End(self._workers.code, "" if words else _killed(self._workers, self._node), words)
            self._ends[self._node.order] = end
            if not self._node.is_main:
                self._neighbours.tell(ended=end.code, **end.as_json())

    def _stop_for(self, code: int, words: LastWords | None = None) -> None:
        """Stop the others for a worker that ended with `code`; soon, if one of them is the cause and may yet say so."""
        if words is not None and words.follows:
            self._stop_at = self._stop_at or time.monotonic() + self._patience.cause_s
        elif code == errors.INTERRUPTED:
            self._stop(self._patience.checkpoint_s, interrupted=True)
        elif code != errors.FINISHED and not self._interrupted:
            self._stop(self._patience.failure_s, interrupted=False)

    def _stop(self, grace_s: float, interrupted: bool) -> None:
        """Here and, unless they know, on all other nodes."""
        self._interrupted |= interrupted
        if grace_s < self._told_grace_s:
            self._told_grace_s = grace_s
            self._workers.stop(grace_s, interrupted)
            self._neighbours.tell(stop=grace_s, interrupted=interrupted)

    def _decide(self) -> None:
        """The main node decides when every node has ended, the others only when they have lost it."""
        if self._outcome is not None:
            return
        awaited = range(self._node.count) if self._node.is_main else {MAIN, self._node.order}
        if not self._ends.keys() >= set(awaited):
            return
        code = most_telling(end.code for end in self._ends.values())
        with_code = {node: end for node, end in sorted(self._ends.items()) if end.code == code}
        if words := most_telling_words(end.words for end in with_code.values() if end.words):
            self._outcome = End(code, words=words)
            return
        node, end = next(iter(with_code.items()))
        unsaid = f"a worker on {_name(node)} ended with exit code {code}" if code else ""
        self._outcome = End(code, end.reason or unsaid)


def _name(node: int) -> str:
    return "the main node" if node == MAIN else f"node {node} (counted from the main one)"


def _killed(workers: Workers, node: Node) -> str:
    return ", ".join(
        f"worker {rank} on {_name(node.order)} was killed by {name.name}" for rank, name in workers.killed.items()
    )
