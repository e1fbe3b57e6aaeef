"""One attempt of a training job as a host runs it, and its end by a signal at a random moment.

Run as a script it is the training command with a defect, a resume that forgets what is named:

    python benchmarks/killed_job.py generators|place
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from unittest.mock import patch

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "batch_jobs"), str(ROOT)]

from training import errors  # noqa: E402
from training.checkpoint.bucket import Bucket  # noqa: E402
from training.checkpoint.disk import Disk  # noqa: E402
from training.storage import split_uri  # noqa: E402

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from torch import Tensor

SCRATCH_VARIABLE = "TURBINE_SCRATCH_DIR"
LONGER_THAN_A_STEP_S = 0.02
BETWEEN_COMMITS = "between"
LastWord = Literal["epoch", "evaluated"]


@dataclass(frozen=True)
class Order:
    """Kill with `signal`, after a step drawn from those between the attempt's first and `before_step`.

    With `after` the moment is behind the last step: after the log's line on the last epoch or on the evaluation. Such
    a kill may come too late, when the job has finished; then it is none.
    """

    signal: signal.Signals
    before_step: int
    dice: random.Random
    after: "LastWord | None" = None


@dataclass
class Attempt:
    """What one attempt did.

    `resumed_at` 0 is a start from nothing. `commits` are the steps done while each checkpoint was committed. `killed`
    is by what, `phase` what was becoming of the newest checkpoint then: between, disk or upload.
    """

    resumed_at: int = 0
    last_step: int = 0
    commits: list[int] = field(default_factory=list)
    killed: signal.Signals | None = None
    phase: str = BETWEEN_COMMITS
    after: str | None = None
    exit_code: int = 0
    failure: Mapping[str, Any] | None = None


def run_attempt(
    s3: "S3Client", variables: Mapping[str, str], output_uri: str, order: Order | None, forgotten: str | None
) -> Attempt:
    """Start the job, read its log to the end, and on the way do what `order` says."""
    command = [sys.executable, __file__, forgotten] if forgotten else [sys.executable, "-m", "training"]
    job = subprocess.Popen(command, env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True, process_group=0)
    attempt, target = Attempt(after=order.after if order else None), None
    try:
        for event in _events(job):
            _note(attempt, event)
            if order is None or attempt.killed:
                continue
            if target is None and event["event"] == "step":
                target = order.dice.randint(attempt.last_step, max(attempt.last_step, order.before_step - 1))
            if _is_over(event, order.after) if order.after else target is not None and attempt.last_step >= target:
                time.sleep(order.dice.uniform(0, LONGER_THAN_A_STEP_S))
                attempt.killed = order.signal
                attempt.phase = _kill(job, order.signal, lambda: _phase(s3, variables, output_uri))
        attempt.exit_code = job.wait()
        if order is not None and order.after and attempt.exit_code == errors.FINISHED:
            attempt.killed = None
    finally:
        if job.poll() is None:
            os.killpg(job.pid, signal.SIGKILL)
            job.wait()
    return attempt


def _events(job: "subprocess.Popen[str]") -> Iterator[dict[str, Any]]:
    assert job.stdout is not None
    for line in job.stdout:
        if line.startswith("{"):
            yield json.loads(line)


def _is_over(event: Mapping[str, Any], after: str) -> bool:
    """Whether the line is `after`'s, and no step comes any more."""
    return event["event"] == after and event.get("epoch") == event.get("epochs")


def _note(attempt: Attempt, event: Mapping[str, Any]) -> None:
    match event["event"]:
        case "resumed":
            attempt.resumed_at = attempt.last_step = event["step"]
        case "step":
            attempt.last_step = event["step"]
        case "checkpoint":
            attempt.commits.append(attempt.last_step - event["step"])
        case "failed":
            attempt.failure = event


def _kill(job: "subprocess.Popen[str]", number: signal.Signals, look: Callable[[], str]) -> str:
    """Let everything stand still, see where it stands, and only then send the signal."""
    os.killpg(job.pid, signal.SIGSTOP)
    phase = look()
    if number is signal.SIGKILL:
        os.killpg(job.pid, number)
    else:
        os.kill(job.pid, number)
        os.killpg(job.pid, signal.SIGCONT)
    return phase


def _phase(s3: "S3Client", variables: Mapping[str, str], output_uri: str) -> str:
    """Of the newest checkpoint on the disk, if S3 does not hold it, or a newer one, complete."""
    on_disk = Disk(Path(variables[SCRATCH_VARIABLE]).joinpath("checkpoints", *split_uri(output_uri))).found()
    committed = [checkpoint for checkpoint, complete in Bucket(s3, output_uri).found().items() if complete]
    newest = max(on_disk, default=None)
    if newest is None or (committed and newest <= max(committed)):
        return BETWEEN_COMMITS
    return "upload" if on_disk[newest] else "disk"


def _forgetting(what: str) -> AbstractContextManager[Any]:
    import torch  # only here: the benchmark itself trains nothing

    from training.state import TrainingState
    from training.world import World

    take_facts, take_mine = TrainingState._take_facts, TrainingState._take_mine

    def without_place(state: TrainingState, facts: Mapping[str, Any]) -> None:
        take_facts(state, facts)
        state.batch = 0

    def without_generators(state: TrainingState, tensors: "Mapping[str, Tensor] | None", world: World) -> None:
        as_it_was = torch.get_rng_state()
        take_mine(state, tensors, world)
        torch.set_rng_state(as_it_was)

    defects = {"place": ("_take_facts", without_place), "generators": ("_take_mine", without_generators)}
    return patch.object(TrainingState, *defects[what])


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported, as the launcher does
    from training.launcher import main

    with _forgetting(sys.argv[1]):
        sys.exit(main())
