"""What the ends of workers say."""

import os
import sys
from pathlib import Path

import pytest

from training.launch.workers import Workers, most_telling


@pytest.mark.parametrize(
    ("codes", "telling"),
    [
        ([], 0),
        ([0, 0], 0),
        ([70, 65, 75], 65),
        ([70, 78], 78),
        ([75, 73], 73),
        ([70, 75, -9], 75),
        ([70, -9, 1], 137),
        ([-11], 139),
        ([1, 70], 70),
        ([0, 3], 3),
    ],
)
def test_the_code_that_says_most_about_the_cause(codes: list[int], telling: int) -> None:
    assert most_telling(codes) == telling


def test_a_worker_that_ended_before_the_others_were_stopped_says_why(tmp_path: Path) -> None:
    """Even if nobody had looked: another node's order to stop may come first."""
    os.mkfifo(pipe := tmp_path / "pid")
    script = f"import os; print(os.getpid(), file=open({str(pipe)!r}, 'w')); raise SystemExit(65)"
    with Workers([sys.executable, "-S", "-c", script], {0: os.environ}) as workers:
        os.waitid(os.P_PID, int(pipe.read_text()), os.WEXITED | os.WNOWAIT)
        workers.stop(grace_s=10, interrupted=False)
        workers.look()
        assert (workers.are_over, workers.code) == (True, 65)
