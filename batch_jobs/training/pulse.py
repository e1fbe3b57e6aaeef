"""What happens between two steps: reports, checkpoints, and the order to stop, agreed by all workers.

A worker alone looks after every step. Several look together, in one small collective every quarter of a second or
so: whoever was told to stop says so, and the main one says whether a checkpoint is due. So all of them leave the
loop after the same step, and a stop never leaves one waiting for the others. While they validate they look for the
order to stop in the same way.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from training.checkpoint import Cadence, Checkpoints
from training.checkpoint.refusal import CheckpointsRefusedError
from training.errors import RunInterruptedError
from training.interruption import Interruption
from training.log import log_event
from training.state import TrainingState
from training.telemetry import StepReport, Telemetry
from training.world import World

LOOK_EVERY_S = 0.25
MOST_STEPS_BETWEEN_LOOKS = 1000

# Of the 100 s from the order to stop to the job's end: commits that take longer are given up.
COMMIT_GRACE_S = 80.0

Piece = TypeVar("Piece")


@dataclass(frozen=True)
class MainWorkersDuties:
    """What the main worker does for all."""

    checkpoints: Checkpoints
    cadence: Cadence
    telemetry: Telemetry


class Pulse:
    """`duties` are None on all workers but the main one."""

    def __init__(self, world: World, interruption: Interruption, duties: MainWorkersDuties | None) -> None:
        self._world = world
        self._interruption = interruption
        self._duties = duties
        self._started = time.monotonic()
        self._next_look = 0
        self._looked_after_step: int | None = None
        self._looked_at = self._started
        self._step_s: float | None = None

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._started

    def beat(self, state: TrainingState, report: StepReport) -> None:
        """All workers call it after each step.

        Raises: RunInterruptedError, on all of them after the same step, once a checkpoint is committed.
        """
        if self._duties:
            self._duties.telemetry.after_step(report)
        if state.step < self._next_look:
            return
        stop, save, steps = self._world.highest(
            [self._is_told_to_stop, self._is_save_due(state.step), self._steps_to_next_look(state.step)]
        )
        self._next_look = state.step + steps
        self._measure_steps(state.step)
        if stop:
            self._leave(state)
        if save:
            self._save(state)

    def between_beats(self, state: TrainingState, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """`pieces` of work that leaves the state as it is, while the order to stop is heeded.

        All workers call it, each with its own pieces and however many, and go on until all have done theirs.

        Raises: RunInterruptedError, on all of them, once a checkpoint is committed.
        """
        mine, look_every_s = iter(pieces), LOOK_EVERY_S if self._world.size > 1 else 0.0
        some_are_left = 1
        while some_are_left:
            looked_at, are_left = time.monotonic(), False
            for piece in mine:
                yield piece
                if time.monotonic() - looked_at >= look_every_s:
                    are_left = True
                    break
            stop, some_are_left = self._world.highest([self._is_told_to_stop, are_left])
            if stop:
                self._leave(state)

    def finish(self, state: TrainingState) -> None:
        """All workers call it once training is over: what follows may be interrupted without it being done again.

        Checkpoints that fail are no error any more: the log tells them, and the results come next.
        """
        with suppress(CheckpointsRefusedError):
            self._commit(state)

    @property
    def _is_told_to_stop(self) -> bool:
        return self._interruption.reason is not None

    def _is_save_due(self, step: int) -> bool:
        return self._duties is not None and self._duties.cadence.due(step, self.elapsed_s)

    def _steps_to_next_look(self, step: int) -> int:
        """The main worker's wish: all must look after the same step."""
        if self._duties is None:
            return 0
        if self._world.size == 1:
            return 1
        steps = 1
        if self._step_s is not None:
            steps = min(MOST_STEPS_BETWEEN_LOOKS, max(1, int(LOOK_EVERY_S / self._step_s)))
        return min(steps, self._duties.cadence.steps_to_go(step) or steps)

    def _measure_steps(self, step: int) -> None:
        """Called right after a look, when a GPU, too, has done the steps it was given."""
        now = time.monotonic()
        if self._looked_after_step is not None:
            self._step_s = max(now - self._looked_at, 1e-9) / (step - self._looked_after_step)
        self._looked_at, self._looked_after_step = now, step

    def _save(self, state: TrainingState) -> None:
        tensors, facts = state.capture(self._world), state.facts(self._world, self.elapsed_s)
        if self._duties is None:
            return
        checkpoints, cadence = self._duties.checkpoints, self._duties.cadence
        if checkpoints.save(state.step, tensors, facts):
            cadence.saved(self.elapsed_s, checkpoints.last_stall_s, checkpoints.last_commit_s)

    def _leave(self, state: TrainingState) -> None:
        """Checkpoint, and end: nobody before the main worker has committed, as one that ends takes the others along."""
        self._commit(state)
        if self._duties:
            log_event("stopping", step=state.step, checkpoint_step=self._duties.checkpoints.committed_step)
        self._world.sum(0.0)
        raise RunInterruptedError(self._interruption.reason or "another worker of this run was asked to stop")

    def _commit(self, state: TrainingState) -> None:
        """See to it that this very step's checkpoint is committed, as far as there is time."""
        tensors, facts = state.capture(self._world), state.facts(self._world, self.elapsed_s)
        if self._duties is None:
            return
        checkpoints, deadline = self._duties.checkpoints, time.monotonic() + COMMIT_GRACE_S
        checkpoints.wait(COMMIT_GRACE_S)
        if checkpoints.committed_step == state.step:  # nothing else of the state changes between two steps
            return
        checkpoints.save(state.step, tensors, facts)
        checkpoints.wait(max(0.0, deadline - time.monotonic()))
