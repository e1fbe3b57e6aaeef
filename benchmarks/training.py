"""Samples a second of the trainer over a bare PyTorch loop with the same model, batch and data, on CPUs.

Both loops (benchmarks/loops.py) take their turns in one process, which one begins alternates, and the ratio is the
median over pairs. Reported beside it: a bare loop that asks torch.optim.AdamW for its fused form, which is the operator
that the trainer uses. benchmarks/gpu_training.py does the same on a GPU.

    python benchmarks/training.py --json
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "batch_jobs")]
os.environ.setdefault("OMP_NUM_THREADS", "1")  # as the launcher does, before torch is imported

import torch  # noqa: E402
from moto import mock_aws  # noqa: E402

from benchmarks.loops import AWS, TABULAR, Bare, Ours  # noqa: E402
from benchmarks.measure import arguments, median, publish, ratios, spread, take_turns  # noqa: E402
from training.world import connected, find_world  # noqa: E402

PAIRS = 20


def measure(pairs: int) -> dict[str, Any] | None:
    """Interleaved turns of both loops; the main process answers."""
    world = find_world()
    torch.manual_seed(1)
    with connected(world), mock_aws(), tempfile.TemporaryDirectory() as folder:
        profile, task = TABULAR.make_profile(Path(folder))
        bare, fused = Bare(TABULAR, profile, world), Bare(TABULAR, profile, world, fused=True)
        ours = Ours(TABULAR, profile, task, world, Path(folder))
        for loop in (bare, fused, ours):  # warm-up
            loop.turn()

        def turn(loop: Bare | Ours) -> float:
            world.sum(0.0)  # begin together
            return loop.turn()

        bare_s, ours_s = take_turns(pairs, partial(turn, bare), partial(turn, ours))
        fused_s, beside_fused_s = take_turns(pairs, partial(turn, fused), partial(turn, ours))
    if not world.is_main:
        return None
    rows = profile.row_counts["train"]
    steps = -(-rows // TABULAR.batch)
    speed = ratios(bare_s, ours_s)
    over_fused = ratios(fused_s, beside_fused_s)
    return {
        "trainer_over_bare": median(speed),
        "spread": spread(speed),
        "trainer_over_bare_with_fused_adamw": median(over_fused),
        "spread_with_fused_adamw": spread(over_fused),
        "pairs": pairs,
        "bare_step_ms": median([1000 * s / steps for s in bare_s]),
        "trainer_step_ms": median([1000 * s / steps for s in ours_s]),
        "trainer_rows_per_s": median([rows / s for s in ours_s]),
    }


def measure_in_processes(count: int, pairs: int) -> dict[str, Any]:
    """`measure` in fresh processes, connected on loopback, which see no GPU."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    common = os.environ | AWS | {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    common |= {"CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, __file__, "--worker", "--pairs", str(pairs)]
    workers = [
        subprocess.Popen(command, env=common | {"RANK": str(rank)}, stdout=subprocess.PIPE, text=True)
        for rank in range(count)
    ]
    answers = [worker.communicate()[0] for worker in workers]
    if any(worker.returncode for worker in workers):
        raise SystemExit(f"a worker ended with {[worker.returncode for worker in workers]}")
    answer: dict[str, Any] = json.loads(answers[0].splitlines()[-1])
    return answer


def main() -> None:
    parser = arguments("The trainer's samples a second over a bare PyTorch loop's.")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--worker", action="store_true", help="(one of this benchmark's own processes)")
    options = parser.parse_args()
    if options.worker:
        answer = measure(options.pairs)
        if answer is not None:
            print(json.dumps(answer))
        return
    one, two = measure_in_processes(1, options.pairs), measure_in_processes(2, options.pairs)
    results = {
        "trainer_over_bare_1p": one["trainer_over_bare"],
        "trainer_over_bare_2p": two["trainer_over_bare"],
        "one_process": one,
        "two_processes": two,
    }
    publish(results, options.json)


if __name__ == "__main__":
    main()
