"""A fan-out on the embedded cloud, from an object's put to SUCCEEDED, beside Metaflow's local runner and a floor.

The graph (`fan_out/`): an object in S3, EventBridge, an execution that runs four Batch jobs side by side and then a
function, all trivial. The cloud is warm: it has run the graph before. State is kept, requests are signed, each job has
a root folder of its own, and the end is what a client reads. Metaflow runs the same graph (`--peer metaflow`), and the
floor starts as many bare Python processes in the same order. They take turns, one who begins alternates; ratios are
medians over pairs. Wall clock is what is asked; CPU seconds, of all processes, are beside it for machines that are not
quiet.

    cold_s          start of the cloud, deployment, first run and stop, as one; `cold` has the parts
    torch_warm_s    the fan-out with jobs that import torch and train a step, when torch's files are in memory.
                    Each is a new process: there are no warm forks of jobs yet, and so no figure of them
    torch_cold_over_warm    the first such fan-out of a cloud, which also lays the image out, with torch's files put
                    out of memory before, over that; what other processes use of them stays in memory

    python benchmarks/orchestration.py --peer metaflow --json
"""

import importlib.util
import os
import resource
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "layers/core")]

from benchmarks import fan_out_cloud, metaflow_peer  # noqa: E402
from benchmarks.fan_out_cloud import FanOutCloud, Timed  # noqa: E402
from benchmarks.measure import arguments, median, publish, ratios, seconds, spread, take_turns  # noqa: E402

WIDTH = 4
PAIRS, TORCH_TURNS, COLD_TURNS = 10, 3, 3
_FLOOR = [sys.executable, "-c", "print('done')"]


def floor(width: int) -> float:
    """Seconds for bare processes in the graph's order."""
    started_s = time.perf_counter()
    for count in (width, 1):
        processes = [subprocess.Popen(_FLOOR, stdout=subprocess.DEVNULL) for _ in range(count)]
        for process in processes:
            process.wait()
    return time.perf_counter() - started_s


def compare(cloud: FanOutCloud, pairs: int, peer: str | None) -> dict[str, Any]:
    """The warm fan-out over the floor, and Metaflow over the warm fan-out."""
    ours = Timed(partial(cloud.fan_out, WIDTH), lambda: cloud.taken().cpu_s)
    bare = Timed(partial(floor, WIDTH), _childrens_cpu_s)
    ours.turn()
    ours_s, floor_s = take_turns(pairs, ours.turn, bare.turn)
    over_floor = ratios(ours_s, floor_s)
    results: dict[str, Any] = {
        "floor_s": median(floor_s),
        "over_floor": median(over_floor),
        "over_floor_spread": spread(over_floor),
    }
    if peer is None:
        return {"ours_s": median(ours_s), "ours_cpu_s": median(ours.cpu[1:]), **results} | dict.fromkeys(
            ("metaflow_s", "metaflow_over_ours")
        )
    interpreter = metaflow_peer.python()
    flow = Timed(lambda: seconds(partial(metaflow_peer.run_flow, interpreter)), _childrens_cpu_s)
    flow.turn()  # compiles its modules
    flow.cpu.clear()
    beside_s, flow_s = take_turns(pairs, ours.turn, flow.turn)
    speed = ratios(flow_s, beside_s)
    return {
        "ours_s": median(ours_s + beside_s),
        "ours_cpu_s": median(ours.cpu[1:]),
        **results,
        "metaflow_s": median(flow_s),
        "metaflow_over_ours": median(speed),
        "metaflow_over_ours_spread": spread(speed),
        "metaflow_cpu_s": median(flow.cpu),
        "metaflow_over_ours_cpu": median([median(flow.cpu) / median(ours.cpu[1:])]),
    }


def cold(turns: int) -> dict[str, Any]:
    """What somebody waits for who has no cloud yet: the whole, and its parts."""
    measured = [_cold_once() for _ in range(turns)]
    return {
        "cold_s": median([sum(parts.values()) for parts in measured]),
        "cold": {name: median([parts[name] for parts in measured]) for name in measured[0]},
    }


def _cold_once() -> dict[str, float]:
    parts = {}
    with fan_out_cloud.state_folder() as folder:
        started_s = time.perf_counter()
        cloud = fan_out_cloud.start(folder)
        parts["start_s"] = time.perf_counter() - started_s
        try:
            parts["deploy_s"] = seconds(cloud.deploy)
            parts["run_s"] = cloud.fan_out(WIDTH)
        finally:
            parts["stop_s"] = seconds(cloud.stop)
    return parts


def torch_jobs(turns: int) -> dict[str, Any]:
    """Fan-outs of jobs that import torch: the first of a cloud, and those after it."""
    with fan_out_cloud.deployed() as cloud:
        _put_out_of_memory("torch")
        cold_s = cloud.fan_out(WIDTH, "torch_step")
        warm_s = median([cloud.fan_out(WIDTH, "torch_step") for _ in range(turns)])
    return {"torch_warm_s": warm_s, "torch_cold_s": cold_s, "torch_cold_over_warm": median([cold_s / warm_s])}


def _put_out_of_memory(package: str) -> None:
    """Ask the kernel to drop a package's files from its page cache; what a process has mapped stays."""
    found = importlib.util.find_spec(package)
    assert found is not None and found.origin is not None
    for path in Path(found.origin).parent.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _childrens_cpu_s() -> float:
    """CPU seconds of this process's children that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--peer", choices=["metaflow"], help="whom to run beside it; makes its environment at first")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--cold-turns", type=int, default=COLD_TURNS)
    parser.add_argument("--torch-turns", type=int, default=TORCH_TURNS, help="0: leave torch out")
    given = parser.parse_args()
    with fan_out_cloud.deployed() as cloud:
        results = compare(cloud, given.pairs, given.peer)
    results |= cold(given.cold_turns)
    torch_keys = ("torch_warm_s", "torch_cold_s", "torch_cold_over_warm")
    results |= torch_jobs(given.torch_turns) if given.torch_turns else dict.fromkeys(torch_keys)
    publish(results, given.json)


if __name__ == "__main__":
    main()
